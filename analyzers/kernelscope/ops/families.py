"""Tier 1: families of operators that share one rule; an entry is a word in a list.

`same` keeps the input's shape, `broadcast` joins all operands, `reduction` drops or keeps reduced axes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kernelscope.dims import NO_FACTS, Facts, dim
from kernelscope.ops.arguments import Lost, Value, axes, flag, integer, is_number, is_sequence, items, tensor, with_dims
from kernelscope.ops.binding import Parameters
from kernelscope.ops.registry import Op, declare, spell
from kernelscope.tensor import Shape, Size, Tensor, Unknown, numel
from kernelscope.tensor.broadcasting import broadcast as common_shape

ANYTHING = Parameters(("input",), {}, (), "args", options=True)
OPERANDS = Parameters((), {"facts": NO_FACTS}, ("facts",), "operands", options=True)
REDUCED = Parameters(
    ("input", "dim", "keepdim"), {"dim": None, "keepdim": False, "dtype": None}, ("dtype",), options=True
)
REDUCED_OR_NOT = "which axes are reduced to 1 is not known"
"""Why a size is not known that is the one of before, or 1."""


Work = Callable[[Mapping[str, Any], tuple[Tensor, ...]], Size]
"""FLOPs from bound arguments and results."""


def per_element(factor: int) -> Work:
    """FLOPs of `factor` operations for each element of the first result."""
    return lambda bound, outputs: outputs[0].shape.numel() * factor


def per_input(factor: int) -> Work:
    """FLOPs of `factor` operations for each element of the input."""
    return lambda bound, outputs: tensor(bound["input"]).shape.numel() * factor


def same(
    names: str,
    at: str = "t,T",
    dtype: str = "input",
    kind: str = "compute",
    flops: int = 1,
    label: str = "",
    parameters: Parameters = ANYTHING,
    least: int = 0,
) -> None:
    """Operators whose result has the shape of the first argument, which has so many dims at least."""

    def of_matrices(input: Value, *args: Value, **options: Value) -> Shape:
        return with_dims(input, least)

    for name in names.split():
        spellings = spell(f"{at}.{name}")
        work = per_element(flops) if flops else None
        title = f"{at}.{name}" if at in ("init", "jnn", "at") else name
        declare(
            Op(
                title,
                spellings,
                of_matrices if least else _same,
                parameters,
                dtype,
                kind,
                label or name,
                work,
                "family",
            )
        )


def _same(input: Value, *args: Value, **options: Value) -> Shape:
    return tensor(input).shape


def along(names: str, at: str = "t,T", dtype: str = "input", flops: int = 1, label: str = "") -> None:
    """Operators whose result has the shape of the input and that work along an axis `dim`."""
    for name in names.split():
        parameters = Parameters(("input", "dim"), {"dim": None}, (), "args", options=True)
        declare(
            Op(
                name,
                spell(f"{at}.{name}"),
                _along,
                parameters,
                dtype,
                "compute",
                label or name,
                per_element(flops),
                "family",
            )
        )


def _along(input: Value, dim: Value = None, *args: Value, **options: Value) -> Shape:
    shape = tensor(input).shape
    if shape.rank is not None and dim is not None and not isinstance(dim, Unknown):
        axes(dim, shape.rank)
    return shape


def broadcast(names: str, at: str = "t,T", dtype: str = "promote", flops: int = 1, label: str = "") -> None:
    """Operators on operands that broadcast to one shape."""
    for name in names.split():
        work = per_element(flops) if flops else None
        declare(Op(name, spell(f"{at}.{name}"), _broadcast, OPERANDS, dtype, "compute", label or name, work, "family"))


def _broadcast(*operands: Value, facts: Facts, **options: Value) -> Shape:
    named = [v for name, v in options.items() if name in {"input", "other", "tensor1", "tensor2", "exponent", "end"}]
    return common_shape((tensor(v).shape for v in (*named, *operands) if _is_operand(v)), facts)


def _is_operand(value: Value) -> bool:
    return isinstance(value, (Tensor, Unknown)) or is_number(value)


def reduction(names: str, at: str = "t,T", dtype: str = "input", label: str = "") -> None:
    """Operators that reduce the axes `dim` (all by default) and keep them as 1 with `keepdim`."""
    for name in names.split():
        declare(
            Op(
                name,
                spell(f"{at}.{name}"),
                reduce_axes,
                REDUCED,
                dtype,
                "compute",
                label or name,
                per_input(1),
                "family",
            )
        )


def reduce_axes(input: Value, dim: Value = None, keepdim: Value = False, **options: Value) -> Shape:
    """The shape without the reduced axes; as many unknown sizes as certain where the axes are not known."""
    shape = tensor(input).shape
    if dim is None:
        return Shape() if not flag(keepdim) or shape.rank == 0 else Shape((_one(),) * len(_known(shape)))
    if shape.tail is not None:
        return _reduce_open(shape, dim, flag(keepdim))
    dims = shape.head
    if isinstance(dim, Unknown):
        return Shape((Unknown(REDUCED_OR_NOT),) * len(dims)) if flag(keepdim) else Shape((dim,) * (len(dims) - 1))
    gone = axes(dim, len(dims))
    keep = flag(keepdim)
    return Shape(tuple(_one() if i in gone else d for i, d in enumerate(dims) if keep or i not in gone))


def _reduce_open(shape: Shape, dim: Value, keep: bool) -> Shape:
    """What is left of a tensor whose rank is not known: what stands before and behind the reduced axes."""
    found = items(dim) if is_sequence(dim) else (dim,)
    numbers = [integer(value) for value in found if is_number(value)]
    if len(numbers) != len(found):
        if not keep:
            raise Lost(shape.reason or "the rank is not known")
        return Shape.unknown(shape.reason)
    if keep:
        for axis in numbers:
            shape = shape.with_size(axis, _one())
        return shape
    head, tail = shape.head, shape.tail or ()
    if all(-len(tail) <= axis < 0 for axis in numbers):
        kept = tuple(d for i, d in enumerate(tail) if i - len(tail) not in numbers)
        return Shape(head, kept, shape.reason)
    if all(0 <= axis < len(head) for axis in numbers):
        return Shape(tuple(d for i, d in enumerate(head) if i not in numbers), tail, shape.reason)
    if len(numbers) == 1 and numbers[0] < 0:  # an axis of the dots, or one of those before them
        behind = tail[len(tail) + numbers[0] + 1 :] if len(tail) + numbers[0] + 1 > 0 else tail
        return Shape(head[: max(0, len(head) - (-numbers[0] - len(tail)))], behind, shape.reason)
    raise Lost(shape.reason or "the rank is not known")


def _known(shape: Shape) -> tuple[Size, ...]:
    if shape.dims is None:
        raise Lost(shape.reason or "the rank is not known")
    return shape.dims


def _one() -> Size:
    return dim(1)


def elements(value: Value) -> Size:
    """How many elements a tensor has."""
    shape = tensor(value).shape
    return numel(shape.dims) if shape.dims is not None else Unknown(shape.reason)
