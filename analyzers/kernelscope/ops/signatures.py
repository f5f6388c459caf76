"""Tier 2: operators told by a shape string such as `*b m k, *b k n -> *b m n`.

Words are sizes; one that occurs twice must agree; `*b` is a prefix that broadcasts; `{word}` is a module's setting;
`?` before an input marks one that may be None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kernelscope.dims import NO_FACTS, Facts, dim
from kernelscope.ops.arguments import Value, array, size, tensor
from kernelscope.ops.binding import Parameters
from kernelscope.ops.registry import Op, contraction, declare, spell
from kernelscope.tensor import Shape, ShapeError, Size, Tensor, Unknown, numel, same_size
from kernelscope.tensor.broadcasting import broadcast


@dataclass(frozen=True, slots=True)
class Pattern:
    """One operand: `star` names its prefix, `words` its last sizes."""

    star: str | None
    words: tuple[str, ...]
    optional: bool = False

    @staticmethod
    def of(text: str) -> Pattern:
        optional = text.strip().startswith("?")
        words = text.strip().removeprefix("?").split()
        star = words[0] if words and words[0].startswith("*") else None
        return Pattern(star, tuple(words[1:] if star else words), optional)


class Sizes:
    """The words of one signature bound to sizes while operands are read."""

    def __init__(self, settings: dict[str, Size], facts: Facts) -> None:
        self.settings = settings
        self.facts = facts
        self.bound: dict[str, Size] = {}
        self.prefixes: dict[str, list[Shape]] = {}

    def read(self, pattern: Pattern, shape: Shape, operand: str) -> None:
        """Bind the words of a pattern, or raise ShapeError where the operand contradicts."""
        count = len(pattern.words)
        rank = shape.rank
        if rank is not None and (rank < count or (pattern.star is None and rank != count)):
            more = " or more" if pattern.star else ""
            raise ShapeError("rank", f"{operand} must have {count}{more} dims, got {shape}")
        if pattern.star is not None:
            self.prefixes.setdefault(pattern.star, []).append(shape.replace_last(count))
        for axis, word in zip(range(-count, 0), pattern.words, strict=True):
            self._bind(word, shape.size(axis) if rank is not None or shape.tail else _lost(shape), shape, operand)

    def _bind(self, word: str, found: Size, shape: Shape, operand: str) -> None:
        wanted = self.size(word)
        verdict = None if wanted is None else same_size(wanted, found, self.facts)
        if verdict is False:
            raise ShapeError("shape", f"{word.strip('{}')} is {wanted} but {operand} is {shape}")
        if wanted is None or isinstance(wanted, Unknown):
            self.bound[word] = found

    def size(self, word: str) -> Size | None:
        """What a word stands for so far."""
        if word in self.bound:
            return self.bound[word]
        if word.startswith("{"):
            return self.settings.get(word[1:-1])
        return dim(int(word)) if word.isdigit() else None

    def shape(self, pattern: Pattern) -> Shape:
        """The shape that a pattern describes now."""
        sizes = tuple(self.size(word) or Unknown("an operand is not known") for word in pattern.words)
        if pattern.star is None:
            return Shape(sizes)
        return broadcast(self.prefixes.get(pattern.star, ()), self.facts).replace_last(0, *sizes)


def _lost(shape: Shape) -> Unknown:
    return Unknown(shape.reason or "the rank of an operand is not known")


def shape_rule(text: str) -> Callable[[list[tuple[str, Value]], dict[str, Size], Facts], Shape]:
    """The rule that a signature string spells, for named operands, settings and facts."""
    left, right = text.split("->")
    inputs = [Pattern.of(part) for part in left.split(",")]
    output = Pattern.of(right)

    def apply(operands: list[tuple[str, Value]], settings: dict[str, Size], facts: Facts = NO_FACTS) -> Shape:
        sizes = Sizes(settings, facts)
        for pattern, (name, value) in zip(inputs, operands, strict=False):
            if value is not None or not pattern.optional:
                sizes.read(pattern, (array if pattern.words else tensor)(value).shape, name)
        return sizes.shape(output)

    return apply


def signature(
    spellings: str,
    parameters: str,
    text: str,
    *,
    dtype: str = "promote",
    kind: str = "compute",
    flops: Callable[..., Size] | None = None,
    label: str = "",
    name: str = "",
) -> None:
    """Declare an operator by its parameters (`input, weight, bias=None`) and a signature of the first ones."""
    rule = shape_rule(text)
    bound = signature_parameters(parameters)
    count = text.split("->", maxsplit=1)[0].count(",") + 1
    operands = bound.names[:count]

    def run(*values: Value, facts: Facts, **options: Value) -> Shape:
        return rule(list(zip(operands, values, strict=False)), {}, facts)

    run.__doc__ = f"`{text}`"
    title = name or spellings.split(maxsplit=1)[0].split(".", 1)[1]
    declare(Op(title, spell(spellings), run, bound, dtype, kind, label or title, flops, "signature"))


def signature_parameters(text: str) -> Parameters:
    """Parameters of `input, weight, bias=None`; all the rest of a call is taken and dropped."""
    names: list[str] = []
    defaults: dict[str, Any] = {"facts": NO_FACTS}
    for part in text.split(","):
        name, _, default = part.strip().partition("=")
        names.append(name)
        if default:
            defaults[name] = {"None": None, "True": True, "False": False}.get(default, default)
    return Parameters(tuple(names), defaults, ("facts",), options=True)


def products(left: str, result: int = 0, contracted: int = -1) -> Callable[..., Size]:
    """FLOPs of a matrix product: two for each element of the result and each step along `left`'s contracted axis."""

    @contraction
    def flops(bound: dict[str, Any], outputs: tuple[Tensor, ...]) -> Size:
        return numel((outputs[result].shape.numel(), tensor(bound[left]).shape.size(contracted), size(2)))

    return flops
