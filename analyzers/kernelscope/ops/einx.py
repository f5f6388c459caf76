"""einx: operators along named axes, `einx.get_at("[c] d, b n -> b n d", table, indices)`.

Axes in square brackets are those that the operator itself works on; where a result is not told, an operand without
them is it. An operand of no axes may be a number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from kernelscope.dims import NO_FACTS, Facts
from kernelscope.ops.arguments import Lost, Value, size, tensor
from kernelscope.ops.families import per_input
from kernelscope.ops.registry import rule
from kernelscope.tensor import Shape, ShapeError, Size, Tensor, Unknown
from kernelscope.tensor.patterns import BadPattern, Side, read_side, side, write_side

BRACKETED = re.compile(r"\[[^\[\]]*\]")
BRACKETS = str.maketrans("[]", "  ")
DOTS = ("...", "…")
OFFSPRING = re.compile(r"[^\s()]\.\.\.|\+")
"""`(s [ds])...` repeats what is before the dots, `a + b` joins axes: neither is followed."""


def _sides(pattern: Value, count: int) -> tuple[list[str], str | None]:
    """What is written of each operand, and of the result if it is told."""
    if not isinstance(pattern, str) or OFFSPRING.search(pattern):
        raise Lost("the pattern is not known")
    left, arrow, right = pattern.partition("->")
    operands = [operand.strip() for operand in left.split(",")]
    if len(operands) != count:
        raise ShapeError("pattern", f"{pattern!r} has {len(operands)} operands, got {count}")
    return operands, right.strip() if arrow else None


def _read(text: str, pattern: str) -> Side:
    try:
        return side(text.translate(BRACKETS))
    except BadPattern:
        raise ShapeError("pattern", f"{pattern!r} is no pattern") from None


def _along(pattern: Value, operands: tuple[Value, ...], lengths: Mapping[str, Value], facts: Facts) -> Shape:
    """The shape of what operands give together."""
    texts, result = _sides(pattern, len(operands))
    assert isinstance(pattern, str)
    if result is None:
        plain = [BRACKETED.sub(" ", text) for text in texts]
        result = max(plain, key=lambda text: len(_read(text, pattern).names))
    sizes: dict[str, Size] = {name: size(value) for name, value in lengths.items()}
    between: Shape | None = None
    for text, operand in zip(texts, operands, strict=True):
        if not text and not isinstance(operand, Tensor | Unknown):
            continue
        found = tensor(operand).shape
        sizes, dots = read_side(_read(text, pattern), found, sizes, pattern, facts)
        between = dots if between is None and any(mark in text for mark in DOTS) else between
    right = _read(result, pattern)
    lost = [name for name in right.names if name not in sizes and not name.isdigit() and name not in DOTS]
    if lost:
        raise ShapeError("pattern", f"{pattern!r}: {', '.join(lost)} is on the right only")
    return write_side(right, sizes, Shape() if between is None else between)


@rule(
    "einx.add einx.subtract einx.multiply einx.divide einx.true_divide einx.floor_divide einx.maximum einx.minimum"
    " einx.logaddexp einx.where einx.dot",
    dtype="promote",
    label="by named axes",
    name="einx_combined",
)
def combined(pattern: Value, *tensors: Value, facts: Facts = NO_FACTS, **lengths: Value) -> Shape:
    """Operands are matched by the names of their axes."""
    return _along(pattern, tensors, lengths, facts)


@rule(
    "einx.less einx.less_equal einx.greater einx.greater_equal einx.equal einx.not_equal einx.logical_and"
    " einx.logical_or",
    dtype="bool",
    label="by named axes",
    name="einx_compared",
)
def compared(pattern: Value, *tensors: Value, facts: Facts = NO_FACTS, **lengths: Value) -> Shape:
    """As arithmetic."""
    return _along(pattern, tensors, lengths, facts)


@rule("einx.get_at", kind="movement", label="gather by named axes", name="einx_get_at")
def get_at(pattern: Value, *tensors: Value, facts: Facts = NO_FACTS, **lengths: Value) -> Shape:
    """The axes in brackets of the first operand are indexed by the others."""
    return _along(pattern, tensors, lengths, facts)


@rule("einx.sum einx.prod", dtype="sum", flops=per_input(1), label="by named axes", name="einx_sum")
def summed(pattern: Value, input: Value, *, facts: Facts = NO_FACTS, **lengths: Value) -> Shape:
    """Axes in brackets are summed."""
    return _along(pattern, (input,), lengths, facts)


@rule(
    "einx.id einx.rearrange einx.mean einx.var einx.std einx.max einx.min einx.logsumexp",
    flops=per_input(1),
    label="by named axes",
    name="einx_reduced",
)
def reduced(pattern: Value, input: Value, *, facts: Facts = NO_FACTS, **lengths: Value) -> Shape:
    """Axes in brackets are reduced."""
    return _along(pattern, (input,), lengths, facts)


@rule("einx.softmax einx.log_softmax einx.flip einx.roll", label="along named axes", name="einx_kept")
def kept(pattern: Value, input: Value, *, facts: Facts = NO_FACTS, **lengths: Value) -> Shape:
    """Nothing is lost of the axes that are named."""
    texts, result = _sides(pattern, 1)
    told = texts[0] if result is None else result
    return _along(f"{texts[0]} -> {told}", (input,), {k: v for k, v in lengths.items() if k != "shift"}, facts)
