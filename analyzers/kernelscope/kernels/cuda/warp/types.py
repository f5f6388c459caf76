"""C++ types of device code and their sizes: numbers, vectors, pointers, arrays, structs, type parameters.

Sizes are Dims: that of a type parameter is the name `sizeof(T)` until a launch says what `T` is. Layout follows the
host's rules as the CUDA C++ Programming Guide gives them for device code. Sizes of numbers are those of `cuda/types`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from kernelscope.dims import Dim, dim
from kernelscope.kernels.cuda.types import FLOATS, INTEGERS
from kernelscope.syntax.cuda import tree as t


@dataclass(frozen=True, slots=True)
class Number:
    """A builtin number type; `size` in bytes."""

    name: str
    size: int
    integer: bool = False


@dataclass(frozen=True, slots=True)
class Vector:
    """`float4` and its kin, also pairs such as `half2`: `count` elements of one type."""

    name: str
    element: Number
    count: int


@dataclass(frozen=True, slots=True)
class PointerTo:
    target: Type


@dataclass(frozen=True, slots=True)
class Array:
    """`count` is None for `[]`."""

    element: Type
    count: Dim | None


@dataclass(frozen=True, slots=True)
class StructType:
    """A struct with the values and types of its template parameters, or of what a local one sees of its function."""

    struct: t.Struct
    arguments: tuple[tuple[str, Type | Dim], ...] = ()
    outer: StructType | None = None
    """The struct that it is defined in."""


@dataclass(frozen=True, slots=True)
class TypeParameter:
    """A type that only a launch or call site knows."""

    name: str


@dataclass(frozen=True, slots=True)
class Opaque:
    """A type of which nothing is known but its name; empty for none at all."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class Strided:
    """An accessor of a tensor from one of its axes on: what lies along it is as far apart as a stride says."""

    element: Type
    rank: int
    """The axes of the tensor."""
    tensor: str = ""
    axis: int = 0

    @property
    def stride(self) -> str:
        """The elements between what lies side by side along the axis."""
        return f"{self.tensor}.stride({self.axis})"


Type = Number | Vector | PointerTo | Array | StructType | TypeParameter | Opaque | Strided

_BITS = re.compile(r"(?:std::)?(?:u?int(?:_fast|_least)?)(8|16|32|64)_t\Z")
_VECTOR = re.compile(r"(u?)(char|short|int|long|longlong|float|double)([1-4])\Z")
_PAIRS: dict[str, tuple[str, int]] = {
    "half2": ("half", 2), "__half2": ("half", 2), "nv_bfloat162": ("nv_bfloat16", 2),
    "__nv_bfloat162": ("nv_bfloat16", 2), "__bfloat162": ("nv_bfloat16", 2), "__nv_fp8x2_e4m3": ("__nv_fp8_e4m3", 2),
    "__nv_fp8x4_e4m3": ("__nv_fp8_e4m3", 4), "__nv_fp8x2_e5m2": ("__nv_fp8_e5m2", 2),
    "__nv_fp8x4_e5m2": ("__nv_fp8_e5m2", 4), "__hip_bfloat162": ("hip_bfloat16", 2),
}  # fmt: skip
NO_TYPE = Opaque()
INT, FLOAT, CHAR, VOID = Number("int", 4, True), Number("float", 4), Number("char", 1, True), Opaque("void")
UINT3 = Vector("uint3", Number("unsigned int", 4, True), 3)
COMPONENTS = "xyzw"


@lru_cache(4096)
def builtin(name: str) -> Type | None:
    """The type that CUDA or C++ itself gives a name."""
    plain = name.removeprefix("std::")
    if plain in INTEGERS:
        return Number(name, INTEGERS[plain], True)
    if plain in FLOATS:
        return Number(name, FLOATS[plain])
    if match := _BITS.match(name):
        return Number(name, int(match[1]) // 8, True)
    if match := _VECTOR.match(name):
        base = {"longlong": "long long", "long": "long"}.get(match[2], match[2])
        element = builtin(("unsigned " if match[1] else "") + base)
        assert isinstance(element, Number)
        return Vector(name, element, int(match[3]))
    if name in _PAIRS:
        element = builtin(_PAIRS[name][0])
        assert isinstance(element, Number)
        return Vector(name, element, _PAIRS[name][1])
    if name == "dim3":
        return UINT3
    return VOID if name == "void" else None


def size_of(kind: Type) -> Dim | None:
    """Bytes of a value of a type that has no struct in it; `Layouts.size` knows structs too."""
    match kind:
        case Number():
            return dim(kind.size)
        case Vector():
            return dim(kind.element.size * kind.count)
        case PointerTo():
            return dim(8)
        case TypeParameter():
            return dim(f"sizeof({kind.name})")
        case Array(element=element, count=count) if count is not None:
            size = size_of(element)
            return None if size is None else size * count
        case _:
            return None


def alignment(kind: Type) -> int | None:
    """The alignment of a builtin type; vectors of two and four are aligned to their size, up to 16 bytes."""
    match kind:
        case Number():
            return kind.size
        case Vector():
            size = kind.element.size * kind.count
            return kind.element.size if kind.count == 3 else min(size, 16)
        case PointerTo():
            return 8
        case Array():
            return alignment(kind.element)
        case _:
            return None


def component(kind: Vector, name: str) -> int | None:
    """The position of `.x` and such in a vector."""
    place = COMPONENTS.find(name) if len(name) == 1 else -1
    return place if 0 <= place < kind.count else None


def is_integer(kind: Type) -> bool:
    return isinstance(kind, Number) and kind.integer


def described(kind: Type) -> str:
    """A type as people write it."""
    match kind:
        case Number() | Vector() | TypeParameter() | Opaque():
            return kind.name
        case PointerTo():
            return f"{described(kind.target)}*"
        case Array():
            return f"{described(kind.element)}[{kind.count if kind.count is not None else ''}]"
        case StructType():
            return kind.struct.name
        case Strided():
            return kind.tensor


Bindings = Mapping[str, Type | Dim]
"""What template parameters stand for."""
