"""Shape: the sizes of a tensor; with `tail`, any number of unknown dims stand between `head` and `tail`.

`[B, S, H]` is `Shape((B, S, H))`; `[..., H]` is `Shape((), (H,))`; nothing known is `ANY_SHAPE`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kernelscope.dims import Dim, DimLike, dim, render
from kernelscope.tensor.size import Size, numel
from kernelscope.tensor.unknown import Unknown

MOST_DIMS = 64
"""Torch's operators take tensors of so many dims (`MAX_DIMS` of ATen's `TensorIterator`)."""


class ShapeError(Exception):
    """A certain contradiction. `code` names the diagnostic: `shape`, `rank`, `view` … ; the text tells the sizes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def bare(self) -> ShapeError:
        """The same without the frames that it came through: who keeps an error would keep all that they hold."""
        return ShapeError(self.code, self.message)


@dataclass(frozen=True, slots=True)
class Shape:
    """Immutable. `reason` says why dims are missing in the middle when `tail` is given."""

    head: tuple[Size, ...] = ()
    tail: tuple[Size, ...] | None = None
    reason: str = ""

    @staticmethod
    def of(*sizes: DimLike | Unknown) -> Shape:
        """A shape of numbers, names, dims and unknown sizes."""
        return Shape(tuple(s if isinstance(s, Unknown) else dim(s) for s in sizes))

    @staticmethod
    def unknown(reason: str) -> Shape:
        """A shape of which not even the rank is known."""
        return Shape((), (), reason)

    @property
    def rank(self) -> int | None:
        """How many dims, None if that is not known."""
        return len(self.head) if self.tail is None else None

    @property
    def least_rank(self) -> int:
        """The rank is at least this."""
        return len(self.head) + len(self.tail or ())

    @property
    def dims(self) -> tuple[Size, ...] | None:
        """All sizes, None if the rank is not known."""
        return self.head if self.tail is None else None

    def size(self, axis: int) -> Size:
        """The size of one axis, counted from the end when negative; unknown where the rank does not tell."""
        if self.tail is None:
            if -len(self.head) <= axis < len(self.head):
                return self.head[axis]
            raise ShapeError("rank", f"dim {axis} of {self} does not exist")
        if 0 <= axis < len(self.head):
            return self.head[axis]
        if -len(self.tail) <= axis < 0:
            return self.tail[axis]
        return Unknown(self.reason or "the rank is not known")

    def last(self, count: int) -> tuple[Size, ...]:
        """The sizes of the last axes. Raises ShapeError where no tensor has so many."""
        if count > MOST_DIMS:
            raise ShapeError("rank", f"expected at least {count} dims, got {self}")
        return tuple(self.size(axis) for axis in range(-count, 0))

    def replace_last(self, count: int, *sizes: Size) -> Shape:
        """This shape with other sizes in place of the last `count`."""
        if self.tail is None:
            if len(self.head) < count:
                raise ShapeError("rank", f"expected at least {count} dims, got {self}")
            return Shape(self.head[: len(self.head) - count] + sizes)
        if len(self.tail) >= count:
            return Shape(self.head, self.tail[: len(self.tail) - count] + sizes, self.reason)
        missing = count - len(self.tail)
        return Shape(self.head[: max(0, len(self.head) - missing)], sizes, self.reason)

    def with_size(self, axis: int, size: Size) -> Shape:
        """This shape with one size replaced; an axis in the unknown middle changes nothing that is known."""
        self.size(axis)
        if self.tail is None:
            axis %= len(self.head)
            return Shape((*self.head[:axis], size, *self.head[axis + 1 :]))
        if 0 <= axis < len(self.head):
            # A short tensor's axis may lie in the tail as well, so nothing behind it is certain.
            return Shape((*self.head[:axis], size, *self.head[axis + 1 :]), self.tail, self.reason)
        if -len(self.tail) <= axis < 0:
            axis += len(self.tail)
            return Shape(self.head, (*self.tail[:axis], size, *self.tail[axis + 1 :]), self.reason)
        return Shape(self.head[: max(0, axis)], self.tail[len(self.tail) + axis + 1 :] if axis < 0 else (), self.reason)

    def of_rank(self, rank: int) -> Shape:
        """This shape with so many dims, where their number is not known and can be that."""
        if self.tail is None or self.least_rank > rank:
            return self
        missing = Unknown(self.reason or "the rank is not known")
        return Shape((*self.head, *[missing] * (rank - self.least_rank), *self.tail))

    def numel(self) -> Size:
        """How many elements."""
        if self.tail is not None:
            return Unknown(self.reason or "the rank is not known")
        return numel(self.head)

    def subs(self, values: dict[str, DimLike]) -> Shape:
        """Names replaced in every dim."""

        def put(sizes: tuple[Size, ...]) -> tuple[Size, ...]:
            return tuple(s.subs(values) if isinstance(s, Dim) else s for s in sizes)

        return Shape(put(self.head), None if self.tail is None else put(self.tail), self.reason)

    def names(self) -> tuple[str, ...]:
        """The names in all dims, each once, in order."""
        sizes = (*self.head, *(self.tail or ()))
        return tuple(dict.fromkeys(name for s in sizes if isinstance(s, Dim) for name in s.names()))

    def render(self, order: Sequence[str] = ()) -> str:
        """`[B, S, num_heads*head_dim]`, `[..., H]`, `[?, 3]`."""

        def text(sizes: tuple[Size, ...]) -> list[str]:
            return [render(s, order) if isinstance(s, Dim) else "?" for s in sizes]

        middle = [] if self.tail is None else ["..."]
        return f"[{', '.join(text(self.head) + middle + text(self.tail or ()))}]"

    def __repr__(self) -> str:
        return self.render()


ANY_SHAPE = Shape((), (), "")
