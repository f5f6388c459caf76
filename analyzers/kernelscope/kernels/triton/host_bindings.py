"""Where names of launching code get their values: each assignment with the branches and loops around it.

Reads one body; what the values are is told elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.substitution import substituted

Reach = tuple[int, int]
EVERYWHERE: Reach = (0, 1 << 60)


@dataclass(frozen=True, slots=True)
class Branch:
    """One side of an `if`: taken when the test is `holds`. `reach` is its own block, `other` that of the other side."""

    test: t.Expr
    holds: bool
    reach: Reach
    other: Reach


@dataclass(frozen=True, slots=True)
class Binding:
    """One assignment of a name. `loops`: the loops around it; behind one, what a round left is not known."""

    value: t.Expr | None
    start: int
    branches: tuple[Branch, ...] = ()
    loops: tuple[Reach, ...] = ()
    index: tuple[int, int] | None = None
    """(position, count) in a tuple target."""

    def extends(self, name: str) -> bool:
        """Whether it gives a name what it was and more: `x += y`."""
        match self.value:
            case t.BinOp(op="+", left=t.Name(id=same)):
                return same == name
            case _:
                return False


def bindings(body: list[t.Stmt]) -> dict[str, list[Binding]]:
    """All bindings of a body and its blocks by name, in source order."""
    found: dict[str, list[Binding]] = {}
    for name, binding in sorted(_collected(body, (), ()), key=lambda item: item[1].start):
        found.setdefault(name, []).append(binding)
    return found


def _collected(
    body: list[t.Stmt], branches: tuple[Branch, ...], loops: tuple[Reach, ...]
) -> Iterator[tuple[str, Binding]]:
    for statement in body:
        end = statement.span.end
        match statement:
            case t.Assign():
                for target in statement.targets:
                    yield from _targets(target, statement.value, end, branches, loops)
            case t.AnnAssign(value=value) if value is not None:
                yield from _targets(statement.target, value, end, branches, loops)
            case t.AugAssign():
                both = t.BinOp(statement.target, statement.op, statement.value, statement.span)
                yield from _targets(statement.target, both, end, branches, loops)
            case t.FunctionDef():
                yield statement.name, Binding(as_lambda(statement), end, branches, loops)
            case t.For():
                inner = (*loops, _extent(statement.body))
                yield from _targets(statement.target, None, statement.span.start, branches, inner)
                yield from _collected(statement.body, branches, inner)
            case t.While():
                yield from _collected(statement.body, branches, (*loops, _extent(statement.body)))
            case t.If():
                sides = (_extent(statement.body), _extent(statement.orelse))
                taken = Branch(statement.test, True, sides[0], sides[1])
                yield from _collected(statement.body, (*branches, taken), loops)
                missed = Branch(statement.test, False, sides[1], sides[0])
                yield from _collected(statement.orelse, (*branches, missed), loops)
            case t.With():
                yield from _collected(statement.body, branches, loops)
            case t.Try():
                yield from _collected(statement.body, branches, loops)
                for handler in statement.handlers:
                    yield from _collected(handler.body, branches, (*loops, _extent(handler.body)))
                yield from _collected(statement.finalbody, branches, loops)
            case _:
                pass


def reaching(given: list[Binding], at: int) -> list[Binding]:
    """The bindings of one name that it may hold at a place: not those of the other side of a branch, and none that is
    given away before."""
    found: list[Binding] = []
    for binding in given:
        repeats = any(within(at, loop) for loop in binding.loops)
        if any(within(at, branch.other) for branch in binding.branches) or (binding.start > at and not repeats):
            continue
        places = [branch.reach for branch in binding.branches] + list(binding.loops)
        if binding.start <= at and all(within(at, place) for place in places):
            found.clear()
        found.append(binding)
    return found


READING = frozenset(("get", "items", "keys", "values", "copy"))
"""Methods of dictionaries that leave them as they are."""


def changed_keys(body: list[t.Stmt]) -> dict[str, frozenset[str] | None]:
    """Keys that a body sets in dictionaries by name, in whatever branch; None where it may be any."""
    found: dict[str, frozenset[str] | None] = {}
    for name, keys in _changes(body):
        known = found.get(name, frozenset[str]())
        found[name] = None if keys is None or known is None else known | keys
    return found


def _changes(body: list[t.Stmt]) -> Iterator[tuple[str, frozenset[str] | None]]:
    for statement in t.flat(body):
        match statement:
            case t.Assign(targets=targets):
                changed = [target for target in targets if isinstance(target, t.Subscript)]
            case t.AugAssign(target=t.Subscript() as target):
                changed = [target]
            case t.ExprStmt(value=t.Call(func=t.Attribute(value=t.Name(id=name), attr=method)) as call):
                if method not in READING:
                    yield name, _updated(call) if method == "update" else None
                continue
            case _:
                continue
        for target in changed:
            if isinstance(target.value, t.Name):
                key = target.slice.value if isinstance(target.slice, t.Constant) else None
                yield target.value.id, frozenset((key,)) if isinstance(key, str) else None


def _updated(call: t.Call) -> frozenset[str] | None:
    """The keys that `x.update({…}, …)` sets."""
    keys: list[object] = [keyword.arg for keyword in call.keywords]
    for given in call.args:
        listed = given.keys if isinstance(given, t.Dict) else [None]
        keys += [key.value if isinstance(key, t.Constant) else None for key in listed]
    named = [key for key in keys if isinstance(key, str)]
    return frozenset(named) if len(named) == len(keys) else None


def asserted_contiguous(body: list[t.Stmt]) -> Iterator[str]:
    """Names `x` of `assert x.is_contiguous()`."""
    for statement in t.flat(body):
        if isinstance(statement, t.Assert):
            yield from _contiguous_if(statement.test)


def _contiguous_if(test: t.Expr) -> Iterator[str]:
    match test:
        case t.BoolOp(op="and", values=parts):
            for part in parts:
                yield from _contiguous_if(part)
        case t.Call(func=t.Attribute(value=t.Name(id=name), attr="is_contiguous"), args=[]):
            yield name
        case _:
            pass


def _extent(body: list[t.Stmt]) -> Reach:
    return (body[0].span.start, body[-1].span.end + 1) if body else (0, 0)


def within(at: int, reach: Reach) -> bool:
    return reach[0] <= at < reach[1]


def as_lambda(node: t.FunctionDef) -> t.Expr | None:
    """A function that names some values and returns an expression of them, as that expression; what it only does is
    left away, and tests that choose what it returns are kept."""
    result = _returned(node.body, {})
    return t.Lambda(node.args, result, node.span) if result is not None else None


Named = Mapping[str, t.Expr]


def _returned(body: list[t.Stmt], named: Named) -> t.Expr | None:
    """What a body returns, in terms of what its names are given; None where that is not followed."""
    for place, statement in enumerate(body):
        if isinstance(statement, t.Return):
            return _said(statement.value, named) if statement.value is not None else None
        if isinstance(statement, t.If) and any(isinstance(inner, t.Return) for inner in t.flat([statement])):
            rest = body[place + 1 :]
            sides = [_returned([*side, *rest], named) for side in (statement.body, statement.orelse)]
            return _either(_said(statement.test, named), *sides)
        after = _after(statement, named)
        if after is None:
            return None
        named = after
    return None


def _after(statement: t.Stmt, named: Named) -> Named | None:
    """What names hold behind a statement; None where that is not followed."""
    match statement:
        case t.Assign(targets=[t.Name(id=name)], value=value):
            return {**named, name: _said(value, named)}
        case t.ExprStmt() | t.Assert() | t.Pass() | t.Global() | t.Nonlocal():
            return named
        case t.If(test=test):
            sides: list[Named] = []
            for side in (statement.body, statement.orelse):
                inside: Named | None = named
                for inner in side:
                    inside = _after(inner, inside) if inside is not None else None
                if inside is None:
                    return None
                sides.append(inside)
            held, failed = sides
            given = {name for side in sides for name, value in side.items() if named.get(name) is not value}
            chosen = {name: _either(_said(test, named), held.get(name), failed.get(name)) for name in given}
            known = {name: value for name, value in chosen.items() if value is not None}
            return {**named, **known} if len(known) == len(chosen) else None
        case _:
            return None


def _either(test: t.Expr, held: t.Expr | None, failed: t.Expr | None) -> t.Expr | None:
    return t.IfExp(test, held, failed, test.span) if held is not None and failed is not None else None


def _said(node: t.Expr, named: Named) -> t.Expr:
    return substituted(node, lambda name: named.get(name.id))


def _targets(
    target: t.Expr, value: t.Expr | None, at: int, branches: tuple[Branch, ...], loops: tuple[Reach, ...]
) -> Iterator[tuple[str, Binding]]:
    if isinstance(target, t.Name):
        yield target.id, Binding(value, at, branches, loops)
    elif isinstance(target, t.Tuple | t.List):
        starred = any(isinstance(e, t.Starred) for e in target.elts)
        for position, element in enumerate(target.elts):
            inner = element.value if isinstance(element, t.Starred) else element
            if isinstance(inner, t.Name):
                usable = None if starred else value
                yield inner.id, Binding(usable, at, branches, loops, (position, len(target.elts)))
