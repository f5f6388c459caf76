"""Operators of Python on values: tensors by the table, sizes by the algebra, sequences by Python."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from kernelscope import ops
from kernelscope.dims import ARITHMETIC, NO_FACTS, Dim, Facts, difference, dim
from kernelscope.dims.polynomial import cancel
from kernelscope.interp.agreement import NOT_TOLD
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.open_shapes import is_open, joined
from kernelscope.interp.records import derives
from kernelscope.interp.sequences import MAX_ELEMENTS, any_of, sequence
from kernelscope.interp.texts import text_operation
from kernelscope.interp.values import (
    Alike,
    Builtin,
    Choice,
    Class,
    External,
    Flag,
    Function,
    Instance,
    LambdaValue,
    Maybe,
    Number,
    Opaque,
    Sequential,
    Unpacked,
    Value,
    as_size,
    for_op,
    present,
)
from kernelscope.ops import Module
from kernelscope.ops.registry import OPERATORS
from kernelscope.tensor import Called, DType, Shape, Tensor, Unknown

IDENTITY = {"torch.nn.Identity", "torch.nn.modules.linear.Identity"}


def truth(value: Value) -> bool | None:
    """Whether a value is true; None when that is not known."""
    match value:
        case bool() | None | str() | float() | tuple() | list() | dict():
            return bool(value)
        case Dim():
            return None if value.const is None else bool(value.const)
        case (
            Module()
            | Instance()
            | Sequential()
            | Function()
            | Class()
            | LambdaValue()
            | External()
            | Builtin()
            | DType()
            | Choice()
        ):
            return True
        case _:
            return None


def binary(run: Interpreter, op: str, left: Value, right: Value, span: Any) -> Value:
    """A binary operator: tensors by the table, sizes by the algebra, sequences by Python."""
    left, right = present(left), present(right)
    if (text := text_operation(op, left, right, span)) is not None:
        return text
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        if run.certain and (isinstance(left, Opaque) or isinstance(right, Opaque)):
            return Tensor(Shape.unknown("what is given may be a tensor"), Unknown("what is given"))
        return run.operated(operator_name(op), [left, right], {}, span, _tensor_operator(run, op, left, right))
    if isinstance(left, tuple | list | Shape | Alike) or isinstance(right, tuple | list | Shape | Alike):
        return _sequence_operator(run, op, left, right, span)
    left, right = as_size(left), as_size(right)
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        lost = _unknown(op, left, right, span)
        return run.operated(operator_name(op), [left, right], {}, span, lost)
    if isinstance(left, Dim) and isinstance(right, Dim):
        if op in ARITHMETIC:
            try:
                return ARITHMETIC[op](left, right)
            except ArithmeticError:
                return Unknown("a division by zero", span)
        if op == "**" and right.const is not None and 0 <= right.const <= 8:
            return left**right.const
        if left.const is not None and right.const is not None:
            if op in _BITS and min(left.const, right.const) >= 0 and (op != "<<" or right.const < MAX_SHIFT):
                return dim(_BITS[op](left.const, right.const))
            return _float_operator(op, float(left.const), float(right.const))
        return Quotient(left, right) if op == "/" else Number(f"{op} of sizes", True)
    if isinstance(left, Quotient | Dim) and isinstance(right, Quotient | Dim) and op in _RATIONAL:
        return _RATIONAL[op](_rational(left), _rational(right))
    if op in ("*", "/") and (parts := _exact(left, right)) is not None:
        return _RATIONAL[op](*parts)
    if isinstance(left, Number | Quotient | Flag) or isinstance(right, Number | Quotient | Flag):
        whole = all(isinstance(v, Dim | bool) or (isinstance(v, Number) and v.is_integer) for v in (left, right))
        return Number(is_integer=whole and op in ARITHMETIC)
    if isinstance(left, float | Dim | bool) and isinstance(right, float | Dim | bool):
        one, two = _number(left), _number(right)
        if one is None or two is None:
            return Number()
        return _float_operator(op, one, two)
    return Unknown(f"{op} is not followed here", span)


def _unknown(op: str, left: Value, right: Value, span: Any) -> Unknown:
    """An operation on what is not known; if that is a number with a name, the result has one as well."""
    reason = (left if isinstance(left, Unknown) else right).reason
    one, two = (value.size if isinstance(value, Called) else value for value in (left, right))
    if op in ARITHMETIC and isinstance(one, Dim) and isinstance(two, Dim):
        try:
            return Called(reason, span, ARITHMETIC[op](one, two))
        except ArithmeticError:
            pass
    return Unknown(reason, span)


def operator_name(op: str) -> str:
    """The operator of the table behind one of Python's: `torch.add`."""
    return f"torch.{OPERATORS[op]}" if op in OPERATORS else op


def _has_axis_twice(one: Shape, other: Shape) -> bool:
    """Whether a number for each of a batch, `scale[:, None, None]`, meets a tensor over the same batch with fewer dims:
    the result would have the batch twice, so that tensor has another axis than is believed."""
    low, high = sorted((one, other), key=lambda shape: shape.rank or 0)
    if low.rank is None or high.rank is None or not 1 < low.rank < high.rank or low.head[0] != high.head[0]:
        return False
    return isinstance(low.head[0], Dim) and low.head[0].name is not None and set(high.head[1:]) == {dim(1)}


def _tensor_operator(run: Interpreter, op: str, left: Value, right: Value) -> Value:
    """An operator of which one side at least is a tensor; a number that is not known changes no shape."""
    if run.symbols.trial is not None and isinstance(left, Tensor) and isinstance(right, Tensor) and op != "@":
        run.symbols.trial.combined(left.shape, right.shape)
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        run.doubts += _has_axis_twice(left.shape, right.shape)
    if not any(isinstance(v, Number | Flag | Quotient) for v in (left, right)):
        if (as_beside := _beside_number(op, left, right)) is not None:
            return as_beside
        one, other = for_op(left), for_op(right)
        result = run.operate(lambda facts: ops.operator(op, one, other, facts))
        if isinstance(result, Tensor) and result.rank == 1 and any(_may_be_rows(run, v) for v in (left, right)):
            return result.with_shape(Shape((), result.shape.head, NOT_TOLD))
        return result
    if op == "@":
        return Unknown("a matrix product with a number")
    one, other = (0.5 if isinstance(v, Number | Flag | Quotient) else for_op(v) for v in (left, right))
    result = run.operate(lambda facts: ops.operator(op, one, other, facts))
    whole = [v for v in (left, right) if isinstance(v, Tensor) and isinstance(v.dtype, DType) and v.dtype.is_float]
    if isinstance(result, Tensor) and not whole and op not in _COMPARISONS:
        return result.with_dtype(Unknown("the kind of a number is not known"))
    return result


def _may_be_rows(run: Interpreter, value: Value) -> bool:
    """Whether an argument of which nobody tells anything may be a tensor; a constructor is given numbers."""
    root = run.contexts.root
    is_making = run.symbols.building or root is None or root.name == "__init__"
    return isinstance(value, Opaque) and value.is_untold and not is_making


def _beside_number(op: str, left: Value, right: Value) -> Value | None:
    """What comes of a tensor and of one that is a number on another way, as where a layer that skips others is not
    there: the sizes are those of the first on either way, and nothing tells that the second has them."""
    if not isinstance(left, Tensor) or not isinstance(right, Tensor) or op == "@":
        return None
    always, at_times = (right, left) if left.or_number else (left, right)
    sizes, others = always.shape.dims, at_times.shape.dims
    if not at_times.or_number or sizes is None or others is None or len(sizes) < len(others):
        return None
    pairs = list(zip(sizes[len(sizes) - len(others) :], others, strict=True))
    if any(1 in pair and pair != (1, 1) for pair in pairs):
        return None
    if always.or_number:
        if len(sizes) != len(others):
            return None
        either = (size if size == other else Unknown("either of two tensors may be a number") for size, other in pairs)
        always = replace(always, shape=Shape(tuple(either)))
    result = ops.operator(op, always, always.with_dtype(at_times.dtype), NO_FACTS)
    return replace(result, or_number=always.or_number) if isinstance(result, Tensor) else None


MAX_SHIFT = 64
MOST_PARTS = 16
"""A size times a number is a fraction if it is so many parts of it at most."""
_BITS: dict[str, Callable[[int, int], int]] = {
    "&": lambda a, b: a & b, "|": lambda a, b: a | b, "^": lambda a, b: a ^ b,
    "<<": lambda a, b: a << b, ">>": lambda a, b: a >> b,
}  # fmt: skip
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
class Quotient:
    """`a / b` of integers: a float, which `int()` makes a size again."""

    over: Dim
    under: Dim

    def floor(self, facts: Facts) -> Dim:
        """The quotient rounded down, knowing what divides what."""
        over, under = cancel(facts.rewrite(self.over), facts.rewrite(self.under))
        exact = over.exact_div(under)
        return over // under if exact is None else exact


def _rational(value: Quotient | Dim) -> Quotient:
    return value if isinstance(value, Quotient) else Quotient(value, dim(1))


def _exact(left: Value, right: Value) -> tuple[Quotient, Quotient] | None:
    """`width * 0.75` as a fraction: what is three quarters of a size is known exactly."""
    found: list[Quotient] = []
    for value in (left, right):
        if isinstance(value, Quotient | Dim):
            found.append(_rational(value))
        elif isinstance(value, float) and value > 0 and (ratio := value.as_integer_ratio())[1] <= MOST_PARTS:
            found.append(Quotient(dim(ratio[0]), dim(ratio[1])))
    is_open = any(isinstance(v, Quotient) or (isinstance(v, Dim) and v.const is None) for v in (left, right))
    return (found[0], found[1]) if len(found) == 2 and is_open else None


_RATIONAL: dict[str, Callable[[Quotient, Quotient], Quotient]] = {
    "*": lambda a, b: Quotient(a.over * b.over, a.under * b.under),
    "/": lambda a, b: Quotient(a.over * b.under, a.under * b.over),
    "+": lambda a, b: Quotient(a.over * b.under + b.over * a.under, a.under * b.under),
    "-": lambda a, b: Quotient(a.over * b.under - b.over * a.under, a.under * b.under),
}


def _number(value: Value) -> float | None:
    if isinstance(value, Dim):
        return None if value.const is None else float(value.const)
    return float(value)


def _float_operator(op: str, one: float, two: float) -> Value:
    try:
        match op:
            case "+":
                return one + two
            case "-":
                return one - two
            case "*":
                return one * two
            case "/":
                return one / two
            case "//":
                return one // two
            case "%":
                return one % two
            case "**":
                return one**two if abs(two) < 64 and abs(one) < 1e6 else Unknown("a large power")
            case _:
                return Unknown(f"{op} of numbers")
    except (ArithmeticError, ValueError):
        return Unknown("an operation without a value")


def _sequence_operator(run: Interpreter, op: str, left: Value, right: Value, span: Any) -> Value:
    one, two = sequence(left), sequence(right)
    if op == "+" and one is not None and two is not None:
        return one + two if isinstance(left, list) else tuple(one + two)
    if op == "+" and isinstance(left, Shape) and two is not None and is_open(left):
        return joined((), left, two)
    if op == "+" and isinstance(right, Shape) and one is not None and is_open(right):
        return joined(one, right, ())
    if op == "+" and one and isinstance(right, Alike) and right.count is None and type(left) in (list, tuple):
        spread = [*one, Unpacked(right)]  # those in front stay what they are
        return spread if isinstance(left, list) else tuple(spread)
    if op == "+" and (isinstance(left, Alike) or isinstance(right, Alike)):
        parts = [p for v in (left, right) for p in ([v.element] if isinstance(v, Alike) else sequence(v) or [])]
        if all(isinstance(v, Alike) or sequence(v) is not None for v in (left, right)):
            counts = [as_size(v.count) if isinstance(v, Alike) else dim(len(sequence(v) or ())) for v in (left, right)]
            count = counts[0] + counts[1] if all(isinstance(c, Dim) for c in counts) else None
            element = any_of(_at_work(run, parts))
            return Alike(element if run.trace is None else run.trace.any_of(element, parts), count)
    count = right.const if isinstance(right, Dim) else left.const if isinstance(left, Dim) else None
    held = one if one is not None else two
    if op == "*" and held is not None and count is not None and 0 <= count * len(held) <= MAX_ELEMENTS:
        return held * count if isinstance(left, list) else tuple(held * count)
    if op == "*" and held is not None and len(held) == 1:
        return Alike(held[0], right)
    return Unknown("a sequence of unknown length", span)


def unary(run: Interpreter, op: str, value: Value, span: Any) -> Value:
    if op == "not":
        known = truth(value)
        if known is not None:
            return not known
        from kernelscope.interp.conditions import name_of, without_not

        plain, negated = without_not(name_of(value))
        return Flag(name=(plain if negated else f"not {plain}") if plain else "")
    value = present(value)
    if isinstance(value, Tensor):
        name = "torch.neg" if op == "-" else "torch.bitwise_not"
        return value if op == "+" else run.operated(name, [value], {}, span, value)
    if isinstance(value, Opaque) and value.default == 0 and op == "-":
        return Number("what a size of 0 means differs", True)
    value = as_size(value)
    if isinstance(value, Dim | float | Unknown) and op in "+-":
        return -value if op == "-" else value
    if isinstance(value, Number):
        return value
    return Unknown(f"{op} is not followed here")


def compare(run: Interpreter, op: str, left: Value, right: Value, span: Any = None) -> Value:
    """One comparison, known only where it is certain."""
    if op in ("is", "is not") and (left is None or right is None):
        other = right if left is None else left
        if other is None:
            return op == "is"
        if isinstance(other, Opaque | Unknown | Maybe):
            name = f"{other.name} is None" if isinstance(other, Opaque | Maybe) and other.name else ""
            return Flag(name=f"not {name}" if name and op == "is not" else name)
        return op == "is not"
    left, right = present(left), present(right)
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        if op not in _COMPARISONS:
            return Flag()
        return run.operated(operator_name(op), [left, right], {}, span, _tensor_operator(run, op, left, right))
    left, right = as_size(left), as_size(right)
    if isinstance(left, Dim) and isinstance(right, Dim):
        by = difference(left, right)
        if by is not None and op in ("==", "!=", "<", "<=", ">", ">="):
            return {"==": by == 0, "!=": by != 0, "<": by < 0, "<=": by <= 0, ">": by > 0, ">=": by >= 0}[op]
        return Flag()
    if isinstance(left, str | DType | bool) and isinstance(right, str | DType | bool) and op in ("==", "!=", "is"):
        return (left == right) == (op != "!=")
    if isinstance(left, str) and isinstance(right, str) and op in ("<", "<=", ">", ">="):
        return (left == right and op.endswith("=")) or (left != right and (left < right) == op.startswith("<"))
    if op in ("==", "!=") and (same := _same_sequence(run, left, right)) is not None:
        return same == (op == "==")
    if op in ("in", "not in") and isinstance(right, tuple | list | dict | str) and not right:
        return op == "not in"
    listed = list(right) if isinstance(right, tuple | list | dict) else [None]
    if op in ("in", "not in") and isinstance(left, str) and all(isinstance(entry, str) for entry in listed):
        return (left in listed) == (op == "in")
    if op in ("in", "not in") and isinstance(left, Dim) and all(isinstance(entry, Dim) for entry in listed):
        found = [compare(run, "==", left, entry) for entry in listed]
        known = True if True in found else False if all(one is False for one in found) else None
        return Flag() if known is None else known == (op == "in")
    return Flag()


def _same_sequence(run: Interpreter, left: Value, right: Value) -> bool | None:
    """Whether two tuples or lists hold the same; None where that is not decided, or where these are no such two.

    Of dims nothing but numbers tells that there are more of one: where ways met, these may be of different ways.
    """
    if not isinstance(left, tuple | list) or type(left) is not type(right):
        return None
    if not all(isinstance(one, Dim | int | str) for one in (*left, *right)):
        return None
    if len(left) != len(right):
        is_fixed = all(not isinstance(one, Dim) or difference(one, dim(0)) is not None for one in (*left, *right))
        return False if is_fixed else None
    found = [compare(run, "==", one, other) for one, other in zip(left, right, strict=True)]
    if any(one is False for one in found):
        return False
    return True if all(one is True for one in found) else None


def _at_work(run: Interpreter, parts: list[Value]) -> list[Value]:
    """Of layers in a row those that do something: others stand where a rank, or a model, has none."""
    layers = [part for part in parts if isinstance(part, Instance) and part.is_module]
    working = [part for part in layers if not derives(run, part.cls, IDENTITY)]
    return working if working and len(layers) == len(parts) else parts
