"""Shapes from patterns: einsum equations and einops expressions such as `b (h w) c -> b h w c`.

Does not know which library the pattern was written for; both share letters-as-sizes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from kernelscope.dims import NO_FACTS, Facts, dim
from kernelscope.tensor.broadcasting import broadcast
from kernelscope.tensor.shape import Shape, ShapeError
from kernelscope.tensor.size import Size, leaves_nothing, numel, same_size
from kernelscope.tensor.unknown import Unknown

ONE = dim(1)


# ---- einsum ---------------------------------------------------------------------------------------------------------
def einsum_shape(equation: str, shapes: Sequence[Shape], facts: Facts = NO_FACTS) -> Shape:
    """The result of an einsum. Raises ShapeError where an operand certainly does not fit its letters."""
    inputs, output = _einsum_terms(equation)
    sizes, prefix = _einsum_sizes(equation, inputs, shapes, facts)
    lost = Unknown("the letter is in no operand")
    if "." not in output:
        return Shape(tuple(sizes.get(letter, lost) for letter in output))
    before, _, after = output.partition("...")
    head = tuple(sizes.get(letter, lost) for letter in before)
    return Shape((*head, *prefix.head), prefix.tail, prefix.reason).replace_last(
        0, *(sizes.get(letter, lost) for letter in after)
    )


def einsum_work(equation: str, shapes: Sequence[Shape]) -> Size:
    """FLOPs of a naive evaluation: the product of all sizes, times the operands (a multiply-add of two is 2)."""
    inputs, _ = _einsum_terms(equation)
    sizes, prefix = _einsum_sizes(equation, inputs, shapes, NO_FACTS)
    return numel((*sizes.values(), prefix.numel(), dim(len(inputs))))


def _einsum_terms(equation: str) -> tuple[list[str], str]:
    left, arrow, output = equation.replace(" ", "").partition("->")
    inputs = left.split(",")
    if not arrow:
        letters = left.replace(",", "").replace(".", "")
        once = sorted(c for c in set(letters) if letters.count(c) == 1)
        output = ("..." if "..." in left else "") + "".join(once)
    return inputs, output


def _einsum_sizes(
    equation: str, inputs: Sequence[str], shapes: Sequence[Shape], facts: Facts
) -> tuple[dict[str, Size], Shape]:
    if len(inputs) != len(shapes):
        raise ShapeError("rank", f"{equation!r} has {len(inputs)} operands, got {len(shapes)}")
    sizes: dict[str, Size] = {}
    prefixes: list[Shape] = []
    for term, shape in zip(inputs, shapes, strict=True):
        before, dots, after = term.partition("...")
        count = len(before) + len(after)
        if shape.rank is not None and (shape.rank < count or (not dots and shape.rank != count)):
            raise ShapeError("rank", f"{term!r} does not describe {shape}")
        for i, letter in enumerate(before):
            _meet(sizes, letter, shape.size(i if shape.rank is None or dots else i - count), equation, facts)
        for i, letter in enumerate(after):
            _meet(sizes, letter, shape.size(i - len(after)), equation, facts)
        if dots:
            rest = shape.replace_last(len(after))
            prefixes.append(Shape(rest.head[len(before) :], rest.tail, rest.reason))
    return sizes, broadcast(prefixes, facts)


def _meet(sizes: dict[str, Size], letter: str, size: Size, pattern: str, facts: Facts) -> None:
    old = sizes.get(letter)
    if old is None or isinstance(old, Unknown) or old == ONE:
        sizes[letter] = size if not isinstance(size, Unknown) or old is None else old
        return
    if isinstance(size, Unknown) or size == ONE:
        return
    if same_size(old, size, facts) is False:
        raise ShapeError("shape", f"in {pattern!r}, {letter} is {old} and {size}")
    if old.const is None and size.const is not None:
        sizes[letter] = size


# ---- einops ---------------------------------------------------------------------------------------------------------
Group = tuple[str, ...]
"""The names inside one pair of brackets, or a single name; `DOTS` stands for any number of axes, `(...)` joins them."""

DOTS = ("…",)


@dataclass(frozen=True, slots=True)
class Side:
    """One side of an einops pattern."""

    groups: tuple[Group, ...]

    @property
    def dots(self) -> int | None:
        """Where the ellipsis stands."""
        return next((i for i, g in enumerate(self.groups) if g == DOTS or "..." in g), None)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for group in self.groups for name in group)


class BadPattern(ValueError):
    """The text is no pattern."""


@lru_cache(1024)
def side(text: str) -> Side:
    """`b (h w) 1 ...` as groups of names; numbers are names of their own."""
    groups: list[Group] = []
    inside: list[str] | None = None
    for token in re.findall(r"\(|\)|\.\.\.|…|[^\s()]+", text):
        if token == "(":
            if inside is not None:
                raise BadPattern(text)
            inside = []
        elif token == ")":
            if inside is None:
                raise BadPattern(text)
            groups.append(tuple(inside))
            inside = None
        else:
            name = "..." if token == "…" else token
            if name != "..." and not name.isidentifier() and not name.isdigit():
                raise BadPattern(text)
            if inside is None:
                groups.append(DOTS if name == "..." else (name,))
            else:
                inside.append(name)
    if inside is not None:
        raise BadPattern(text)
    return Side(tuple(groups))


def split_pattern(pattern: str) -> tuple[Side, Side]:
    """Both sides of `… -> …`."""
    left, arrow, right = pattern.partition("->")
    if not arrow:
        raise BadPattern(pattern)
    return side(left), side(right)


def read_side(
    pattern: Side, shape: Shape, lengths: Mapping[str, Size], text: str, facts: Facts = NO_FACTS
) -> tuple[dict[str, Size], Shape]:
    """Sizes of the names on the left, and the axes under `...`. Raises ShapeError where the tensor does not fit."""
    sizes: dict[str, Size] = dict(lengths)
    count, dots = len(pattern.groups), pattern.dots
    if shape.rank is not None and (shape.rank != count if dots is None else shape.rank < count - 1):
        raise ShapeError("rank", f"{text!r} does not describe {shape}")
    if dots is None:
        axes: list[Size] = [shape.size(i if i < len(shape.head) else i - count) for i in range(count)]
        between = Shape()
    else:
        behind = count - dots - 1
        axes = [shape.size(i) for i in range(dots)] + [numel(())] + [shape.size(i - behind) for i in range(behind)]
        rest = shape.replace_last(behind)
        between = Shape(rest.head[dots:], rest.tail, rest.reason)
    for i, (group, axis) in enumerate(zip(pattern.groups, axes, strict=True)):
        if i != dots:
            _read_group(group, axis, sizes, text, facts)
    return sizes, between


def _read_group(group: Group, axis: Size, sizes: dict[str, Size], text: str, facts: Facts) -> None:
    missing = [name for name in group if not name.isdigit() and name not in sizes]
    known = numel(size_of(name, sizes) for name in group if name not in missing)
    if len(missing) > 1:
        for name in missing:
            sizes[name] = Unknown(f"{text!r} does not tell the size of {name}")
        return
    if not missing:
        if same_size(known, axis, facts) is False:
            raise ShapeError("shape", f"in {text!r}, {' '.join(group) or '()'} is {known} but the axis is {axis}")
        return
    if isinstance(known, Unknown) or isinstance(axis, Unknown) or not known.terms:
        sizes[missing[0]] = axis if isinstance(axis, Unknown) else Unknown("a size in the pattern is not known")
        return
    exact = facts.rewrite(axis).exact_div(known)
    if exact is None and axis.const is not None and known.const is not None:
        raise ShapeError("shape", f"in {text!r}, {known} does not divide {axis}")
    sizes[missing[0]] = axis // known if exact is None else exact
    if exact is None:
        leaves_nothing(axis, known, facts)


def size_of(name: str, sizes: Mapping[str, Size]) -> Size:
    """The size of a name or number in a pattern."""
    if name.isdigit():
        return dim(int(name))
    return sizes.get(name, Unknown(f"the pattern does not tell the size of {name}"))


def write_side(pattern: Side, sizes: Mapping[str, Size], between: Shape) -> Shape:
    """The shape that the right side describes."""
    result = Shape()
    for group in pattern.groups:
        if group == DOTS:
            head = (*result.head, *between.head) if result.tail is None else result.head
            tail = between.tail if result.tail is None else (*result.tail, *between.head)
            result = Shape(head, tail, between.reason)
        else:
            factors = [between.numel() if name == "..." else size_of(name, sizes) for name in group]
            result = result.replace_last(0, numel(factors))
    return result
