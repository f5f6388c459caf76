"""What names of a kernel are given, where, and in which loops; and whether a name still holds what it held elsewhere.

Read from the kernel's own text. Does not evaluate anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kernelscope.kernels.triton.bodies import nodes_of
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t

Loops = tuple[t.For | t.While, ...]
Text = Callable[[t.Expr], str]
Tests = frozenset[tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class Given:
    """An assignment of a name: where it ends, the loops around it, whether it adds to what was there."""

    value: t.Expr
    end: int
    loops: Loops
    adds: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where an expression is evaluated: its offset and the loops around it."""

    at: int
    loops: Loops


class Assignments:
    """The assignments of one function. `text`: how a test is written, by which tests are told to be the same."""

    def __init__(self, node: t.FunctionDef, text: Text) -> None:
        self.text = text
        self._reached: dict[int, Tests] = {}
        self._decided: dict[int, Tests] = {}
        self.given: dict[str, list[Given]] = {}
        for name, given in _assignments(node.body, ()):
            self.given.setdefault(name, []).append(given)
        self._sides = [
            (Span(side[0].span.start, side[-1].span.end), inner.test, holds)
            for inner in nodes_of(node, t.If)
            for side, holds in ((inner.body, True), (inner.orelse, False))
            if side
        ]
        self._written: dict[Span, str] = {}
        """How tests are written, by their spans."""

    def last(self, name: str, at: int) -> Given | None:
        """What a name was given last before a place; None where it was given nothing, or branches gave it."""
        here, known = self._tests(at), self._known(at)
        whole = [g for g in self.given.get(name, ()) if not g.adds and g.end <= at]
        for given in reversed(whole):
            tests = self._tests(given.end - 1)
            if _contradict(self._known(given.end - 1), known):
                continue
            return given if tests <= here or len(whole) == 1 else None
        return None

    def added(self, name: str, at: int) -> Iterator[Given]:
        """Additions to a name that a run which passes a place may make, before it or in rounds after it."""
        here = self._known(at)
        return (g for g in self.given.get(name, ()) if g.adds and not _contradict(self._known(g.end - 1), here))

    def meet(self, a: int, b: int) -> bool:
        """Whether one run may pass two places."""
        return not _contradict(self._known(a), self._known(b))

    def tests_beyond(self, given: Given, at: int) -> Tests:
        """The tests that an assignment is behind and a place is not."""
        return self._tests(given.end - 1) - self._tests(at)

    def outdated(self, name: str, made: Place, used: Place) -> bool:
        """Whether a name may be given something else between two places that a run passes one after the other."""
        here = self._known(used.at)
        for given in self.given.get(name, ()):
            if _contradict(self._known(given.end - 1), here):
                continue
            if made.at < given.end <= used.at or any(
                loop in used.loops for loop in given.loops if loop not in made.loops
            ):
                return True
        return False

    def is_given_later(self, name: str, last: Given | None, here: Place) -> bool:
        """Whether a round gives a name something else after a place in it, for the rounds that follow."""
        repeated = [loop for loop in here.loops if last is None or loop not in last.loops]
        later = (given for given in self.given.get(name, ()) if not given.adds and given.end > here.at)
        return any(loop in given.loops for given in later for loop in repeated)

    def counts(self, loop: t.For | t.While, name: str) -> bool:
        """Whether the rounds of a loop give a name its values."""
        if isinstance(loop, t.For) and any(isinstance(n, t.Name) and n.id == name for n in t.walk(loop.target)):
            return True
        return any(loop in given.loops for given in self.given.get(name, ()))

    def _tests(self, at: int) -> Tests:
        """The tests that hold or fail where a place is reached."""
        if at not in self._reached:
            sides = [part for span, test, holds in self._sides if at in span for part in _parts(test, holds)]
            self._reached[at] = frozenset((self._test(test), holds) for test, holds in sides)
        return self._reached[at]

    def _known(self, at: int) -> Tests:
        """The same with the tests that those are parts of: `a and b` where both hold."""
        if at not in self._decided:
            whole = ((test, holds) for span, test, holds in self._sides if at in span)
            self._decided[at] = self._tests(at) | {(self._test(test), holds) for test, holds in whole}
        return self._decided[at]

    def _test(self, test: t.Expr) -> str:
        if test.span not in self._written:
            self._written[test.span] = self.text(test)
        return self._written[test.span]


def structure(expr: t.Expr) -> str:
    """What an expression is made of, the same for two that are written alike."""
    return " ".join(map(_word, t.walk(expr)))


def _word(node: t.Node) -> str:
    match node:
        case t.Name(id=word) | t.Attribute(attr=word):
            return word
        case t.Constant(value=value):
            return repr(value)
        case t.BinOp(op=op) | t.BoolOp(op=op) | t.UnaryOp(op=op):
            return op
        case t.Compare(ops=ops):
            return " ".join(ops)
        case _:
            return type(node).__name__


def _parts(test: t.Expr, holds: bool) -> list[tuple[t.Expr, bool]]:
    """What holds or fails where a test does: its operand if it is a `not`, both sides of `a and b`, or of a failing
    `a or b`."""
    match test:
        case t.UnaryOp(op="not", operand=operand):
            return _parts(operand, not holds)
        case t.BoolOp(op=op, values=values) if op == ("and" if holds else "or"):
            return [part for value in values for part in _parts(value, holds)]
        case _:
            return [(test, holds)]


def _contradict(a: Tests, b: Tests) -> bool:
    """Whether no run passes both places."""
    return any((test, not holds) in b for test, holds in a)


def _assignments(body: list[t.Stmt], loops: Loops) -> Iterator[tuple[str, Given]]:
    for statement in body:
        end = statement.span.end
        match statement:
            case t.Assign(targets=[t.Name(id=name)], value=t.BinOp(left=t.Name(id=same), op="+", right=added)) if (
                same == name
            ):
                yield name, Given(added, end, loops, True)
            case t.Assign(targets=[t.Name(id=name)], value=t.Call(args=[t.Name(id=same), *_]) as call) if (
                same == name and isinstance(call.func, t.Attribute) and call.func.attr == "advance"
            ):
                yield name, Given(call, end, loops, True)
            case t.Assign(targets=[t.Name(id=name)]):
                yield name, Given(statement.value, end, loops, False)
            case t.Assign():
                for target in statement.targets:
                    for inner in t.walk(target):
                        if isinstance(inner, t.Name):
                            yield inner.id, Given(inner, end, loops, False)
            case t.AnnAssign(target=t.Name(id=name), value=value) if value is not None:
                yield name, Given(value, end, loops, False)
            case t.AugAssign(target=t.Name(id=name), op="+"):
                yield name, Given(statement.value, end, loops, True)
            case t.AugAssign(target=t.Name(id=name) as target, op=op):
                yield name, Given(t.BinOp(target, op, statement.value, statement.span), end, loops, False)
            case t.For() | t.While():
                yield from _assignments(statement.body, (*loops, statement))
            case t.If():
                yield from _assignments(statement.body, loops)
                yield from _assignments(statement.orelse, loops)
            case t.With():
                yield from _assignments(statement.body, loops)
            case _:
                pass
