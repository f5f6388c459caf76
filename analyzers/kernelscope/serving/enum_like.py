"""Classes that are enums by what they derive from, or in all but that: lists of names for texts, numbered states."""

from __future__ import annotations

from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.guards import last_name
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

ENUM_BASES = {"Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"}
WAYS = {"status", "state", "stage", "phase", "kind", "mode", "reason"}
"""Last words of classes that list what something may be."""
LEAST = 2
STATES = {"status", "state", "states"}
"""Last words of classes whose numbers are states."""
FEWEST_STATES = 3


def enum_classes(source: PythonSource) -> frozenset[str]:
    """The enums of a file, also those that derive from one of its own, or of another file that is called so."""
    found: set[str] = set()
    for scope in source.module.classes():
        bases = {last_name(base) for base in scope.node.bases} if isinstance(scope.node, t.ClassDef) else set[str]()
        if (ENUM_BASES | found) & bases or any(words(base)[-1:] == ("enum",) for base in bases):
            found.add(scope.node.name)
    return frozenset(found)


def stored_by(statement: t.Stmt) -> list[tuple[t.Expr, t.Expr]]:
    """What a statement binds, each target with its value."""
    match statement:
        case t.Assign(targets=targets, value=value):
            return [(target, value) for target in targets]
        case t.AnnAssign(target=target, value=value) if value is not None:
            return [(target, value)]
        case _:
            return []


def numbered_states(node: t.ClassDef) -> list[str]:
    """`class JobStatus(Structure): IDLE = 0; RUNS = 1; DONE = 2`, with methods: the states that are numbers."""
    if not STATES & set(words(node.name)[-1:]):
        return []
    stored = [
        (x.id, literal(v)) for s in node.body for x, v in stored_by(s) if isinstance(x, t.Name) and x.id.isupper()
    ]
    numbers = {name: value for name, value in stored if isinstance(value, int) and not name.startswith("_")}
    return [*numbers] if len(numbers) >= FEWEST_STATES and len({*numbers.values()}) == len(numbers) else []


def is_list_of_names(node: t.ClassDef) -> bool:
    """`class JobStatus: START = "START"; OK = "OK"`: an enum in all but its base."""
    if node.bases or not WAYS & set(words(node.name)[-1:]):
        return False
    members = node.body[1:] if isinstance(next(iter(node.body), None), t.ExprStmt) else node.body
    return len(members) >= LEAST and all(map(_is_named, members))


def _is_named(statement: t.Stmt) -> bool:
    """A name in capitals that stands for a text."""
    match statement:
        case t.Assign(targets=[t.Name(id=name)], value=value) | t.AnnAssign(target=t.Name(id=name), value=value):
            return name.isupper() and isinstance(literal(value), str)
        case _:
            return False
