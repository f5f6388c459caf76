"""Which class a program uses by which switch: branches of one chain that make objects of different classes.

Told of what keeps or schedules requests, by the words of the classes, and of functions that give back one of several
classes that are called alike; parts of layers are chosen alike.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import last_name, last_of, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

SECTIONS = {
    "serving.prefix_cache": {"prefix", "radix"},
    "serving.kv_cache": {"kv", "cache", "paged", "pool", "allocator", "block", "page"},
    "serving.scheduling": {"scheduler"},
}
"""The words of classes that belong to a section; the first section that fits has them."""
PARTS = "components"
BLOCKS, MANAGES = {"block", "page"}, {"manager", "allocator", "pool", "table", "cache"}
"""A model has blocks, too."""
LEAST = 2


@by_function
def alternatives(source: PythonSource) -> Iterator[tuple[str, Claim]]:
    """`if config.paged: self.pages = Paged(…) elif …: self.cache = Whole(…) else: …`."""
    if source.aside:
        return
    for scope in source.module.functions():
        chained: set[t.Stmt] = set()
        for node in own_of(scope.node, t.If):
            if node in chained:
                continue
            ways: list[tuple[str, str, t.Stmt]] = []
            for test, body in _branches(scope.node, node, chained):
                made = next((m for s in body if (m := _made(s)) is not None), None)
                if made is not None:
                    ways.append((f"if {source.quote(test)}" if test is not None else "otherwise", *made))
            yield from _told(source, scope, node, ways)
        for node in own_of(scope.node, t.Match):
            yield from _told(source, scope, node, list(_cases(source, node)))


def _told(
    source: PythonSource, scope: Scope, node: t.If | t.Match, ways: list[tuple[str, str, t.Stmt]]
) -> Iterator[tuple[str, Claim]]:
    """The claim about ways of which each makes an object."""
    classes = [cls for _, cls, _ in ways]
    section = _section(classes) or _held_as(ways) or (PARTS if _are_of_one_sort(ways, classes) else "")
    given = all(isinstance(s, t.Return) and isinstance(s.value, t.Name) for _, _, s in ways)
    if given and all(f'"{cls}"' in when.replace("'", '"') for when, cls, _ in ways):
        return  # each by its own name: what a module brings only when it is asked for
    if len(set(classes)) >= LEAST and section:
        said = "; ".join(f"{cls} {when}" for when, cls, _ in ways)
        within = " and ".join(_around(source, scope.node, node))
        does = "gives back the class" if given else "makes"
        value = f"{scope.qualified_name} {does} {f'(if {within}) ' if within else ''}{said}"
        places = (*(source.at(statement) for _, _, statement in ways), source.at(node))
        yield section, Claim(f"{scope.qualified_name} alternatives", value, (*places, source.at(scope.node)))


def _cases(source: PythonSource, chain: t.Match) -> Iterator[tuple[str, str, t.Stmt]]:
    """The cases of a switch that make an object: `case Kind.FAST: return Fast(…)`."""
    for case in chain.cases:
        made = next((m for s in case.body if (m := _made(s)) is not None), None)
        if made is not None:
            is_rest = isinstance(case.pattern, t.Name) and case.pattern.id == "_"
            asked = f"if {source.quote(chain.subject)} is {source.quote(case.pattern)}"
            yield ("otherwise" if is_rest else asked, *made)


def _around(source: PythonSource, function: t.FunctionDef | t.ClassDef, node: t.If | t.Match) -> Iterator[str]:
    """The tests of the branches that a chain stands in: it is no choice where they do not hold."""
    for outer in own_of(function, t.If):
        if any(s.span.start <= node.span.start < s.span.end for s in outer.body):
            yield source.quote(outer.test)
        elif not isinstance(outer.orelse[0] if outer.orelse else None, t.If) and any(
            s.span.start <= node.span.start < s.span.end for s in outer.orelse
        ):
            yield f"not ({source.quote(outer.test)})"


def _branches(
    function: t.FunctionDef | t.ClassDef, chain: t.If, chained: set[t.Stmt]
) -> Iterator[tuple[t.Expr | None, list[t.Stmt]]]:
    """The branches of a chain with their tests; the last has none. What returns needs no `else` for what follows."""
    node = chain
    while True:
        yield node.test, node.body
        match node.orelse:
            case [t.If() as following]:
                chained.add(following)
                node = following
            case []:
                after = function.body[function.body.index(node) + 1 :] if node in function.body else []
                if after and isinstance(last_of(node.body), t.Return):
                    if isinstance(after[0], t.If):
                        chained.add(after[0])
                        node = after[0]
                        continue
                    yield None, after
                return
            case _:
                yield None, node.orelse
                return


def _made(statement: t.Stmt) -> tuple[str, t.Stmt] | None:
    """The class of the object that a statement keeps or gives back."""
    match statement:
        case (
            t.Assign(value=t.Call(func=func)) | t.AnnAssign(value=t.Call(func=func)) | t.Return(value=t.Call(func=func))
        ):
            is_class = last_name(func)[:1].isupper() and len(words(last_name(func))) > 1
            return (last_name(func), statement) if is_class else None
        case t.Return(value=t.Name(id=cls)):  # the class itself, which the caller makes an object of
            is_class = cls[:1].isupper() and not cls.isupper() and len(words(cls)) > 1
            return (cls, statement) if is_class else None
        case t.ExprStmt(value=t.Call(func=t.Attribute(attr="reset"), args=[t.Call(func=func)])):  # a pointer of C++
            return (last_name(func), statement) if last_name(func)[:1].isupper() else None
        case _:
            return None


def _are_of_one_sort(ways: list[tuple[str, str, t.Stmt]], classes: list[str]) -> bool:
    """Whether a function gives back one of several classes that are called alike: `FastRunner`, `SlowRunner`."""
    shared = set[str].intersection(*(set(words(cls)) for cls in classes)) if classes else set[str]()
    return all(isinstance(s, t.Return) for _, _, s in ways) and bool(shared)


def _held_as(ways: list[tuple[str, str, t.Stmt]]) -> str:
    """The section of what all ways are kept as: `self.eviction_strategy`."""
    held: set[str] = set()
    for _, _, statement in ways:
        target = statement.target if isinstance(statement, t.AnnAssign) else None
        target = statement.targets[0] if isinstance(statement, t.Assign) else target
        held.add((t.dotted(target) or "") if target is not None else "")
    said = set(words(next(iter(held)))) if len(held) == 1 else set[str]()
    if not {"policy", "strategy"} & said:
        return ""
    return "serving.kv_cache" if {"evict", "eviction"} & said else "serving.scheduling"


def _section(classes: list[str]) -> str:
    """The section that several of the classes speak of; blocks are of caches only where somebody manages them."""
    said = [set(words(c)) for c in classes]
    said = [each - BLOCKS if not each & MANAGES else each for each in said]
    return next(
        (section for section, names in SECTIONS.items() if sum(bool(names & each) for each in said) >= LEAST), ""
    )
