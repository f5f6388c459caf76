"""Statements with the conditions under which they run: the tests of `if`s around them and the exits before them.

Reads the tree alone; whether a condition can hold is not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, wraps
from operator import itemgetter
from typing import Protocol, TypeVar, cast

from kernelscope.serving.claims import PythonSource
from kernelscope.serving.pieces import looked_at_all, looked_below
from kernelscope.syntax.python import looks
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module

Kind = TypeVar("Kind", bound=t.Node)
Defined = TypeVar("Defined", t.FunctionDef, t.ClassDef, t.FunctionDef | t.ClassDef)
Made = TypeVar("Made")
KEPT = 1_000
"""Definitions whose parts are kept: many recognisers look at those of one file one after the other."""
KEPT_STATEMENTS = 20_000
"""Other nodes whose calls are kept, for as long as a file is read."""
MAX_TEST = 400
"""Longest test, in characters: what admits a request holds several limits at once, and the last one counts, too."""
EXITS = (t.Return, t.Raise, t.Continue, t.Break)
COMPOUND = (t.If, t.For, t.While, t.With, t.Try, t.Match)


class _Keeping(Protocol):
    """Something that keeps what it made."""

    def cache_clear(self) -> None: ...


_KEEPING: list[_Keeping] = []


@dataclass(frozen=True, slots=True)
class Guard:
    """A test and whether it must hold; `early` when it is the test of an exit that was not taken before."""

    test: t.Expr
    holds: bool
    early: bool = False


def branches(node: t.If) -> tuple[list[t.If], list[t.Stmt]]:
    """An `if` with its `elif`s, of which there may be thousands, and what is done where none of them holds."""
    found = [node]
    while len(found[-1].orelse) == 1 and isinstance(last := found[-1].orelse[0], t.If):
        found.append(last)
    return found, found[-1].orelse


def guarded(body: list[t.Stmt], guards: tuple[Guard, ...] = ()) -> Iterator[tuple[t.Stmt, tuple[Guard, ...]]]:
    """Simple statements in source order with their guards; definitions inside are not entered."""
    for statement in body:
        match statement:
            case t.FunctionDef() | t.ClassDef():
                continue
            case t.If():
                tests, otherwise = branches(statement)
                failed = guards
                for branch in tests:
                    yield from guarded(branch.body, (*failed, Guard(branch.test, True)))
                    failed = (*failed, Guard(branch.test, False))
                yield from guarded(otherwise, failed)
                if _ends(statement.body) and not statement.orelse:
                    guards = (*guards, Guard(statement.test, False, early=True))
            case t.For() | t.While():
                yield from guarded(statement.body, guards)
                yield from guarded(statement.orelse, guards)
            case t.With():
                yield from guarded(statement.body, guards)
            case t.Try():
                yield from guarded(statement.body, guards)
                for handler in statement.handlers:
                    yield from guarded(handler.body, guards)
                yield from guarded(statement.orelse + statement.finalbody, guards)
            case t.Match():
                for case in statement.cases:
                    yield from guarded(case.body, guards)
            case _:
                yield statement, guards


def _ends(body: list[t.Stmt]) -> bool:
    """Whether a block ends by leaving, also from within a `with`."""
    match body[-1:]:
        case [t.With(body=inner)]:
            return _ends(inner)
        case [last]:
            return isinstance(last, EXITS)
        case _:
            return False


def guards_text(source: PythonSource, guards: tuple[Guard, ...]) -> list[str]:
    """The guards around a statement in the source's words, without those of exits before it; to be joined by `and`."""
    return all_guards_text(source, tuple(guard for guard in guards if not guard.early))


def all_guards_text(source: PythonSource, guards: tuple[Guard, ...]) -> list[str]:
    """The guards around a statement and those of exits before it; to be joined by `and`, so an `or` is enclosed."""
    texts = [guard_text(source, guard) for guard in guards]
    if len(texts) == 1:
        return texts
    return [f"({text})" if _is_loose(guard) else text for guard, text in zip(guards, texts, strict=True)]


def _is_loose(guard: Guard) -> bool:
    """Whether an `and` beside the text of a test would take a part of it alone."""
    match guard.test:
        case t.UnaryOp(op="not", operand=operand) if not guard.holds:
            shown = operand
        case _:
            shown = guard.test if guard.holds else None
    return isinstance(shown, t.IfExp) or (isinstance(shown, t.BoolOp) and shown.op == "or")


def guard_text(source: PythonSource, guard: Guard) -> str:
    if guard.holds:
        return source.quote(guard.test, MAX_TEST)
    match guard.test:
        case t.UnaryOp(op="not", operand=operand):
            return source.quote(operand, MAX_TEST)
        case _:
            return denied(source, guard.test, MAX_TEST)


DENIED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "==", "is": "is not", "is not": "is",
          "in": "not in", "not in": "in"}  # fmt: skip
"""What does not hold where a comparison does."""


def denied(source: PythonSource, test: t.Expr, longest: int) -> str:
    """That a test does not hold, in the source's words: `a <= b` for not `a > b`."""
    if isinstance(test, t.Compare) and len(test.ops) == 1 and test.ops[0] in DENIED:
        left, right = test.left, test.comparators[0]
        if isinstance(right, t.Constant) and right.value is False and test.ops[0] in ("==", "is"):
            return source.quote(left, longest)
        if not isinstance(left, t.BoolOp | t.IfExp | t.NamedExpr) and not isinstance(right, t.BoolOp | t.IfExp):
            text = f"{source.quote(left, longest)} {DENIED[test.ops[0]]} {source.quote(right, longest)}"
            if len(text) <= longest:
                return text
    text = source.quote(test, longest)
    return f"not {text}" if isinstance(test, t.Name | t.Attribute | t.Call | t.Subscript) else f"not ({text})"


def whole(module: Module) -> tuple[t.Node, ...]:
    """All nodes of a file, before those below them: several recognisers look everywhere."""
    looked_at_all()
    return _whole(module.itself)


@lru_cache(maxsize=1)
def _whole(module: Module) -> tuple[t.Node, ...]:
    return tuple(t.walk(*module.body))


def forget() -> None:
    """Nothing is kept of the file that was read last: what edits make old would stay with it."""
    for kept in _KEEPING:
        kept.cache_clear()
    _whole.cache_clear()
    _calls.cache_clear()


def kept_of(make: Callable[[Defined], Made]) -> Callable[[Defined], Made]:
    """What is asked of a definition over and over, made once while a file is read; who asks has looked at its body."""
    keeping = lru_cache(maxsize=KEPT)(make)
    _KEEPING.append(keeping)

    @wraps(make)
    def looked_up(node: Defined) -> Made:
        if looks.watching is not None:
            looks.watching(node.span.start)
        return keeping(node)

    return looked_up


@kept_of
def own(node: t.FunctionDef | t.ClassDef) -> tuple[t.Node, ...]:
    """The nodes of a definition's body in source order, without the bodies of definitions inside it."""
    found: list[t.Node] = []
    todo: list[t.Node] = list(reversed(node.body))
    while todo:
        current = todo.pop()
        kind = current.__class__
        if kind is t.FunctionDef or kind is t.ClassDef:
            continue
        found.append(current)
        if kind is not t.Name and kind is not t.Constant:
            below = t.children(current)
            below.reverse()
            todo += below
    return tuple(found)


@kept_of
def _by_kind(node: t.FunctionDef | t.ClassDef) -> dict[type[t.Node], list[tuple[int, t.Node]]]:
    return _grouped(own(node))


def _grouped(nodes: tuple[t.Node, ...]) -> dict[type[t.Node], list[tuple[int, t.Node]]]:
    found: dict[type[t.Node], list[tuple[int, t.Node]]] = {}
    for place, each in enumerate(nodes):
        found.setdefault(type(each), []).append((place, each))
    return found


def own_of(node: t.FunctionDef | t.ClassDef, *kinds: type[Kind]) -> Iterator[Kind]:
    """The nodes of some kinds among `own`, in source order: most recognisers ask for few of all that there are."""
    return _of_kinds(_by_kind(node), *kinds)


def _of_kinds(known: dict[type[t.Node], list[tuple[int, t.Node]]], *kinds: type[Kind]) -> Iterator[Kind]:
    rows = [row for kind in kinds for row in known.get(kind, ())]
    if len(kinds) > 1:
        rows.sort(key=itemgetter(0))
    return (cast("Kind", each) for _, each in rows)


def inside(node: t.FunctionDef | t.ClassDef) -> tuple[t.Node, ...]:
    """All nodes of a definition's body in source order, those of definitions inside it too."""
    looked_below(node)
    return _inside(node)


@kept_of
def _inside(node: t.FunctionDef | t.ClassDef) -> tuple[t.Node, ...]:
    return tuple(t.walk(*node.body))


def inside_of(node: t.FunctionDef | t.ClassDef, *kinds: type[Kind]) -> Iterator[Kind]:
    """The nodes of some kinds among `inside`, in source order."""
    looked_below(node)
    return _of_kinds(_inside_by_kind(node), *kinds)


@kept_of
def _inside_by_kind(node: t.FunctionDef | t.ClassDef) -> dict[type[t.Node], list[tuple[int, t.Node]]]:
    return _grouped(_inside(node))


@kept_of
def own_calls(node: t.FunctionDef | t.ClassDef) -> tuple[t.Call, ...]:
    """The calls of a definition, not of the definitions inside it."""
    return tuple(own_of(node, t.Call))


def calls(node: t.Node) -> tuple[t.Call, ...]:
    """All calls in a node, in source order."""
    if node.__class__ is t.FunctionDef or node.__class__ is t.ClassDef:
        looked_below(node)
    return _calls(node)


@lru_cache(maxsize=KEPT_STATEMENTS)
def _calls(node: t.Node) -> tuple[t.Call, ...]:
    return tuple(found for found in t.walk(node) if isinstance(found, t.Call))


@kept_of
def statements(function: t.FunctionDef | t.ClassDef) -> tuple[tuple[t.Stmt, tuple[Guard, ...]], ...]:
    """The simple statements of a definition with their guards."""
    return tuple(guarded(function.body))


def repeated_while(function: t.FunctionDef | t.ClassDef, node: t.Node) -> Guard | None:
    """The test of the innermost `while` around a node, which holds whenever its body begins; not `while True`."""
    place = node.span.start
    around = [n for n in own_of(function, t.While) if n.body and n.body[0].span.start <= place < n.body[-1].span.end]
    inner = max(around, key=lambda n: n.span.start, default=None)
    return None if inner is None or isinstance(inner.test, t.Constant) else Guard(inner.test, True)


def calls_in_loops(body: list[t.Stmt], loops: tuple[t.For, ...] = ()) -> Iterator[tuple[tuple[t.For, ...], t.Call]]:
    """The calls that run in loops over something, with all the loops around them, outermost first."""
    for statement in body:
        match statement:
            case t.FunctionDef() | t.ClassDef():
                continue
            case t.For():
                yield from calls_in_loops(statement.body, (*loops, statement))
            case t.If():
                tests, otherwise = branches(statement)
                for block in (*(branch.body for branch in tests), otherwise):
                    yield from calls_in_loops(block, loops)
            case t.While():
                yield from calls_in_loops([*statement.body, *statement.orelse], loops)
            case t.With():
                yield from calls_in_loops(statement.body, loops)
            case t.Try():
                yield from calls_in_loops(statement.body, loops)
            case _ if loops:
                yield from ((loops, call) for call in calls(statement))
            case _:
                pass


def last_of(body: list[t.Stmt]) -> t.Stmt | None:
    """The last statement of a block; none of one that is being typed and holds a comment only."""
    return body[-1] if body else None


def last_name(node: t.Expr) -> str:
    """The last part of what is called or named: `f` of `a.b.f`, also of `a[0].f`."""
    return node.attr if isinstance(node, t.Attribute) else node.id if isinstance(node, t.Name) else ""


@kept_of
def assignments(function: t.FunctionDef | t.ClassDef) -> dict[str, t.Expr]:
    """Names and attributes that a function binds exactly once, with what they are bound to."""
    found: dict[str, t.Expr] = {}
    several: set[str] = set()
    for statement, _ in statements(function):
        targets: list[t.Expr] = []
        value: t.Expr | None = None
        match statement:
            case t.Assign():
                targets, value = statement.targets, statement.value
            case t.AnnAssign():
                targets, value = [statement.target], statement.value
            case t.AugAssign():
                targets = [statement.target]
            case _:
                continue
        for target in targets:
            name = t.dotted(target)
            if name is None:
                continue
            if name in found or value is None:
                several.add(name)
            else:
                found[name] = value
    return {name: value for name, value in found.items() if name not in several}


def received(cls: t.ClassDef) -> dict[str, dict[str, t.Expr]]:
    """By method, the object's attributes, or elements of them, that its parameters get from the class's own calls."""
    looked_below(cls)
    return _received(cls)


@kept_of
def _received(cls: t.ClassDef) -> dict[str, dict[str, t.Expr]]:
    methods = {method.name: [p.name for p in method.args[1:]] for method in cls.methods()}
    found: dict[str, dict[str, t.Expr]] = {}
    for method in cls.methods():
        known = assignments(method)
        for call in own_calls(method):
            name = (t.dotted(call.func) or "").removeprefix("self.")
            if name not in methods or not isinstance(call.func, t.Attribute):
                continue
            given = [*zip(methods[name], call.args, strict=False), *((k.arg, k.value) for k in call.keywords if k.arg)]
            for parameter, value in given:
                bound = known.get(value.id, value) if isinstance(value, t.Name) else value
                if isinstance(bound, t.Attribute | t.Subscript):
                    found.setdefault(name, {}).setdefault(parameter, bound)
    return found


def held_names(function: t.FunctionDef, owner: t.ClassDef | None) -> dict[str, t.Expr]:
    """What the names of a function hold: what it binds once, and attributes that its class hands it."""
    given = received(owner).get(function.name, {}) if owner is not None else {}
    tested = {n.target.id: n.value for n in own_of(function, t.NamedExpr)}  # `if (q := self.queue).empty():`
    return {**tested, **given, **assignments(function)}


def inlined(source: PythonSource, node: t.Expr, known: dict[str, t.Expr], depth: int = 3) -> str:
    """The source of an expression, with `where name = value` for the local names in it that are bound once."""
    seen: dict[str, str] = {}
    todo = [(node, depth)]
    while todo:
        current, left = todo.pop(0)
        for found in t.walk(current):
            if isinstance(found, t.Name) and found.id in known and found.id not in seen and left > 0:
                seen[found.id] = source.quote(known[found.id])
                todo.append((known[found.id], left - 1))
    text = source.quote(node)
    return f"{text}, where {', '.join(f'{k} = {v}' for k, v in seen.items())}" if seen else text
