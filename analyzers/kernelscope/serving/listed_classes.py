"""Lists of classes that modules fill, one of which is chosen later: `MADE.append(Fast)`, `MADE.extend([…])`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import guarded, guards_text
from kernelscope.syntax.python import tree as t

LEAST, MOST = 2, 24
"""How many classes make a list of choices, and how many of them are told."""
LONGEST_TEST = 80


def listed_classes(source: PythonSource) -> Iterator[Claim]:
    """One claim for each list that a module fills outside of functions, with the tests under which it does."""
    if source.aside:
        return
    held: dict[str, dict[tuple[str, str], t.Stmt]] = {}
    for statement, guards in guarded(_of_module(source.module.body)):
        for name, cls in _added(statement):
            tests = " and ".join(text for text in guards_text(source, guards) if len(text) <= LONGEST_TEST)
            held.setdefault(name, {}).setdefault((cls, tests), statement)
    for name, classes in held.items():
        if len(classes) >= LEAST:
            parts = groupby(list(classes)[:MOST], key=lambda entry: entry[1])
            said = [
                ", ".join(cls for cls, _ in entries) + (f" (if {tests})" if tests else "") for tests, entries in parts
            ]
            value = f"{name} holds in this order: {'; '.join(said)}"
            yield Claim(f"{name} list", value, tuple(source.at(s) for s in list(classes.values())[:MOST]))


def _of_module(body: Iterable[t.Stmt]) -> list[t.Stmt]:
    return [s for s in body if not isinstance(s, t.FunctionDef | t.ClassDef)]


def _added(statement: t.Stmt) -> Iterator[tuple[str, str]]:
    """The list of a module and the classes that a statement puts into it."""
    match statement:
        case t.ExprStmt(value=t.Call(func=t.Attribute(value=t.Name(id=name), attr="append"), args=[t.Name() as given])):
            classes = [given]
        case t.ExprStmt(
            value=t.Call(
                func=t.Attribute(value=t.Name(id=name), attr="extend"), args=[t.List(elts=elts) | t.Tuple(elts=elts)]
            )
        ):
            classes = [e for e in elts if isinstance(e, t.Name)]
        case _:
            return
    if name.isupper():
        yield from ((name, c.id) for c in classes if c.id[:1].isupper() and not c.id.isupper())
