"""Tensor: what is known of one tensor value. Place: where its memory is.

Holds no data and no history; who computed it is kept by the interpreter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from kernelscope.tensor.dtypes import DType
from kernelscope.tensor.shape import ANY_SHAPE, Shape
from kernelscope.tensor.size import Size
from kernelscope.tensor.unknown import Unknown


@dataclass(frozen=True, slots=True)
class Place:
    """A device: `kind` is `cpu`, `cuda`, `meta` …; `index` None is the current one. `pinned` host memory."""

    kind: str
    index: int | None = None
    pinned: bool = False

    def __repr__(self) -> str:
        return self.kind if self.index is None else f"{self.kind}:{self.index}"


NUMPY = Place("numpy")
"""Where arrays of NumPy are, whose functions and methods are those that JAX's arrays have."""
NO_DTYPE = Unknown("the dtype is not known")


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor value: shape, dtype and place, each possibly unknown."""

    shape: Shape = ANY_SHAPE
    dtype: DType | Unknown = NO_DTYPE
    place: Place | Unknown | None = None
    or_number: bool = field(default=False, compare=False)
    """Whether a way through the code holds a number in its place: what it meets may have any sizes then."""

    @property
    def rank(self) -> int | None:
        return self.shape.rank

    @property
    def nbytes(self) -> Size:
        """Bytes of its elements, stored densely."""
        count = self.shape.numel()
        if isinstance(self.dtype, Unknown):
            return self.dtype
        return count * self.dtype.bytes

    def with_shape(self, shape: Shape) -> Tensor:
        return replace(self, shape=shape)

    def with_dtype(self, dtype: DType | Unknown) -> Tensor:
        return replace(self, dtype=dtype)

    def __repr__(self) -> str:
        return f"{self.shape}" if isinstance(self.dtype, Unknown) else f"{self.shape} {self.dtype}"


UNCOUNTED = Unknown("how many tensors there are is not known")


@dataclass(frozen=True, slots=True)
class Several:
    """A sequence of unknown length whose elements are alike, such as the pieces of a split."""

    element: Tensor
    reason: str = ""
    count: Size = UNCOUNTED
    is_even: bool = False
    """Whether each is as large as any other: no size of the element stands for several."""


class Fields(tuple[Any, ...]):
    """Several results with names, as torch's `values, indices` of a `topk`."""

    names: tuple[str, ...]

    def __new__(cls, names: tuple[str, ...], values: Iterable[Any]) -> Fields:
        found = super().__new__(cls, values)
        found.names = names
        return found

    def field(self, name: str) -> Any:
        """The result of a name; None if there is none."""
        return self[self.names.index(name)] if name in self.names else None
