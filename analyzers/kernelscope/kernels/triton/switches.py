"""Compile-time switches: tests on constexprs whose branches leave one name with blocks of different shapes.

A kernel is followed once per answer to them; what differs afterwards is told as `A if TEST else B`. Tests on data are
no switches.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from kernelscope.dims import Dim, dim, render
from kernelscope.kernels.triton.broadcasting import ONE
from kernelscope.kernels.triton.call import Side
from kernelscope.kernels.triton.values import BlockPointer, Const, Descriptor, Items, Size, Sizes, Tensor, Value, join
from kernelscope.syntax.python import tree as t

MAX_SWITCHES = 4
"""Switches that are followed apart: sixteen ways through a kernel at most."""

Answers = Mapping[str, bool]
Question = tuple[str, object, bool]
"""What a test asks of a launch, the answer that it compares with, and whether it holds when that is the answer."""


def is_fixed(test: t.Expr, params: Iterable[str], assigned: Iterable[str], numbers: Iterable[str] = ()) -> bool:
    """Whether a test holds or fails for a whole launch: it speaks of parameters that the body never assigns, and of
    `numbers` of the module."""
    names = {node.id for node in t.walk(test) if isinstance(node, t.Name)}
    calls = any(isinstance(node, t.Call) for node in t.walk(test))
    own = names - set(numbers)
    return bool(own) and not calls and own <= set(params) and not names & set(assigned)


def plain_test(test: t.Expr) -> tuple[t.Expr, bool]:
    """The test without its `not`s, and whether it is meant as it stands."""
    positive = True
    while isinstance(test, t.UnaryOp) and test.op == "not":
        test, positive = test.operand, not positive
    return test, positive


def implied(test: t.Expr, holds: bool) -> Iterator[tuple[t.Expr, bool]]:
    """A test that holds or fails, and its parts of which that tells whether they do."""
    yield test, holds
    match test:
        case t.UnaryOp(op="not", operand=operand):
            yield from implied(operand, not holds)
        case t.BoolOp(op=op, values=values) if (op == "and") == holds:
            for value in values:
                yield from implied(value, holds)
        case _:
            pass


def asked(test: t.Expr, switch: tuple[str, bool]) -> Question:
    """The question of a test that is a switch: which number a constexpr is, or whether the test holds."""
    text, positive = switch
    match plain_test(test)[0]:
        case t.Compare(left=t.Name(id=name), ops=["==" | "is"], comparators=[t.Constant(value=value)]):
            return name, value, positive
        case t.Compare(left=t.Name(id=name), ops=["!=" | "is not"], comparators=[t.Constant(value=value)]):
            return name, value, not positive
        case _:
            return text, True, positive


def side_of(path: str, start: int, holds: bool, question: Question | None, is_rest: bool = False) -> Side:
    """A side of the branch that stands there."""
    text, answer, positive = question or ("", True, True)
    return Side(path, start, holds == positive, text, answer, is_rest)


def ways(switches: Sequence[str]) -> Iterator[dict[str, bool]]:
    """All answers to the first few switches that can be given together; the first way has as many tests hold as can."""
    asked = switches[:MAX_SWITCHES]
    for answers in product((True, False), repeat=len(asked)):
        way = dict(zip(asked, answers, strict=True))
        if not any(way[one] and decided(one, {other: way[other] for other in asked if other != one}) is False
                   for one in asked):  # fmt: skip
            yield way


EQUALITY = re.compile(r"(\w+) (?:==|is) (-?\d+|'[^']*'|\"[^\"]*\"|None|True|False)")


def decided(switch: str, answers: Answers) -> bool | None:
    """Whether a switch holds by the answers to it and to others: what equals one constant equals no other."""
    if switch in answers:
        return answers[switch]
    asked = EQUALITY.fullmatch(switch)
    for other, holds in answers.items() if asked else ():
        match = EQUALITY.fullmatch(other) if holds else None
        if asked and match and match[1] == asked[1] and match[2] != asked[2]:
            return False
    return None


def differ(a: Value, b: Value, vague: bool = False) -> bool:
    """Whether two values are blocks or scalars, pointers to blocks, or constants, that do not agree. `vague`: whether a
    size that is not known may be one that another switch chooses."""
    match a, b:
        case (Tensor(), Tensor()) | (BlockPointer(), BlockPointer()) | (Descriptor(), Descriptor()):
            if a.shape is None or b.shape is None or (not vague and (None in a.shape or None in b.shape)):
                return False
            return bool(a.shape or b.shape) and a.shape != b.shape
        case (Tensor() | BlockPointer() | Descriptor(), Tensor() | BlockPointer() | Descriptor()):
            return bool(a.shape) and bool(b.shape)
        case Const(value=Dim() as x), Const(value=Dim() as y):
            return x != y
        case Items(), Items():
            pairs = zip(a.items, b.items, strict=False)
            return len(a.items) == len(b.items) and any(differ(x, y, vague) for x, y in pairs)
        case _:
            return False


def distance(a: Value, b: Value) -> int:
    """How much two values differ: 2 by sizes, 1 by axes of one element, 0 as far as is known of another switch."""
    match a, b:
        case (Tensor() | BlockPointer() | Descriptor(), Tensor() | BlockPointer() | Descriptor()):
            if None in (a.shape or ()) or None in (b.shape or ()):
                return 0
            ends = zip(reversed(a.shape or ()), reversed(b.shape or ()), strict=False)
            return 2 if any(x != y and ONE not in (x, y) for x, y in ends) else 1
        case _:
            return 2


def told(values: Sequence[tuple[Answers, Value]], switches: Sequence[str]) -> Value:
    """What one place holds, given what it holds under each answer: the same, or one or the other by a switch."""
    first = values[0][1]
    if all(value == first for _, value in values) or not switches:
        result = first
        for _, value in values[1:]:
            result = join(result, value)
        return result
    test, *rest = switches
    held = [(answers, value) for answers, value in values if answers.get(test)]
    failed = [(answers, value) for answers, value in values if not answers.get(test)]
    if not held or not failed:
        return told(held or failed, rest)
    return either(test, told(held, rest), told(failed, rest))


def either(test: str, a: Value, b: Value) -> Value:
    """One or the other value, by a switch: the same, but for sizes that differ."""
    joined = join(a, b)
    match joined, a, b:
        case (
            (Tensor(), Tensor(), Tensor())
            | (BlockPointer(), BlockPointer(), BlockPointer())
            | (Descriptor(), Descriptor(), Descriptor())
        ):
            shape = _sizes(test, a.shape, b.shape)
            return replace(joined, shape=shape if shape is not None else joined.shape)
        case _, Const(value=Dim() as x), Const(value=Dim() as y):
            return Const(conditional(test, x, y))
        case Items(), Items(), Items():
            return Items(tuple(either(test, x, y) for x, y in zip(a.items, b.items, strict=True)))
        case _:
            return joined


def _sizes(test: str, a: Sizes | None, b: Sizes | None) -> Sizes | None:
    if a is None or b is None or len(a) != len(b):
        return None
    return tuple(_size(test, x, y) for x, y in zip(a, b, strict=True))


def _size(test: str, a: Size, b: Size) -> Size:
    if a == b or a is None or b is None:
        return a if a == b else None
    return conditional(test, a, b)


def conditional(test: str, a: Dim, b: Dim) -> Dim:
    """A size that a switch chooses."""
    return dim(f"({render(a)} if {test} else {render(b)})")
