"""Operators on values of device code that are evaluated already: numbers, pointers that move, truth, casts."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from kernelscope.dims import (
    Dim,
    bit_and,
    bit_or,
    bit_xor,
    dim,
    equal,
    less,
    shift_left,
    shift_right,
)
from kernelscope.kernels.cuda.warp.machine import Machine
from kernelscope.kernels.cuda.warp.types import (
    CHAR,
    Number,
    Opaque,
    PointerTo,
    StructType,
    Type,
)
from kernelscope.kernels.cuda.warp.values import (
    Data,
    Int,
    Open,
    Pointer,
    Record,
    Symbol,
    Value,
)
from kernelscope.syntax.cuda import tree as t

ARITHMETIC: dict[str, Callable[[Dim, Dim], Dim]] = {
    "+": Dim.__add__, "-": Dim.__sub__, "*": Dim.__mul__, "/": Dim.__floordiv__, "%": Dim.__mod__, "&": bit_and,
    "|": bit_or, "^": bit_xor, "<<": shift_left, ">>": shift_right,
}  # fmt: skip
COMPARISONS: dict[str, Callable[[Dim, Dim], Dim]] = {
    "<": less, ">": lambda a, b: less(b, a), "<=": lambda a, b: 1 - less(b, a), ">=": lambda a, b: 1 - less(a, b),
    "==": equal, "!=": lambda a, b: 1 - equal(a, b),
}  # fmt: skip


def as_truth(m: Machine, value: Value) -> Dim:
    match value:
        case Int(d=d):
            return d if _is_truth(d) else safely(m, lambda: 1 - equal(d, 0), d)
        case Pointer(memory=memory) if memory.space != "global":
            return dim(1)
        case _:
            return m.symbols.new("condition", Symbol(m.varying(value), 0, dim(2), (0, 1)))


def _is_truth(d: Dim) -> bool:
    return d.const in (0, 1) or all(
        monomial == () or all(not isinstance(atom, str) and atom.op in ("<", "==") for atom, _ in monomial)
        for monomial, _ in d.terms
    )


def safely(m: Machine, operation: Callable[[], Dim], *parts: Dim) -> Dim:
    try:
        return operation()
    except ArithmeticError:
        return m.too_large(*parts)


def binary(m: Machine, op: str, left: Value, right: Value) -> Value:
    """`left op right`."""
    match left, right:
        case Int(d=a), Int(d=b):
            return Int(_arithmetic(m, op, a, b))
        case _, _ if op == ",":
            return right
        case Pointer(), Pointer():
            if op == "-" and left.memory is right.memory:
                size = m.resolver.size(left.target)
                return Int(safely(m, lambda: (left.offset - right.offset) // (size or dim(1)), left.offset))
            if op in COMPARISONS:
                same = left.memory is right.memory
                return Int(_arithmetic(m, op, left.offset, right.offset) if same else as_truth(m, Data()))
            # addresses as numbers, in which one side is a distance
            return left
        case Pointer(), _ if op in "+-":
            return pointer_moved(m, left, right, op)
        case _, Pointer() if op == "+":
            return pointer_moved(m, right, left, op)
        case Pointer(), Int() if op in ("&", "|", "^"):
            # shared addresses are aligned, so that bits of an offset may be turned by themselves
            return Pointer(left.memory, _arithmetic(m, op, left.offset, right.d), left.target)
        case Pointer(), _ if op in COMPARISONS:
            return Int(as_truth(m, Data(m.varying(right))))
        case Open(), Int(d=b) if op in "+-" and b.const == 0:
            return left
        case ((Int() | Open()), (Int() | Open())):
            a, b = m.integer(left), m.integer(right)
            if a is not None and b is not None:
                return Int(_arithmetic(m, op, a, b))
        case Record(), _ if isinstance(left.kind, StructType):
            from kernelscope.kernels.cuda.warp.calls import method

            result = method(m, left, f"operator{op}", [right], (), t.Span(0, 0))
            if result is not None:
                return m.load(result, t.Span(0, 0))
        case _:
            pass
    return Data(m.varying(left) or m.varying(right))


def _arithmetic(m: Machine, op: str, a: Dim, b: Dim) -> Dim:
    try:
        found = _applied(op, a, b)
    except ArithmeticError:
        found = None
    return found if found is not None else m.too_large(a, b)


@lru_cache(16384)
def _applied(op: str, a: Dim, b: Dim) -> Dim | None:
    """None for what is no operation on numbers."""
    operation = ARITHMETIC.get(op) or COMPARISONS.get(op)
    return operation(a, b) if operation is not None else None


def pointer_moved(m: Machine, pointer: Pointer, by: Value, op: str) -> Value:
    steps = m.integer(by)
    if steps is None:
        return Pointer(pointer.memory, m.symbols.new("offset", Symbol(m.varying(by))), pointer.target)
    return m.moved(pointer, -steps if op == "-" else steps)


def cast(m: Machine, value: Value, kind: Type) -> Value:
    """`(T)value`."""
    if isinstance(kind, PointerTo) and isinstance(value, Pointer) and isinstance(kind.target, Opaque):
        target = CHAR if kind.target.name in ("void", "") else kind.target
        return Pointer(value.memory, value.offset, target)
    if isinstance(kind, Number) and isinstance(value, Pointer):
        return Pointer(value.memory, value.offset, CHAR) if kind.integer else Data()
    return m.converted(value, kind)
