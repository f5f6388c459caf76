"""Type traits of the C++ standard library: which types are the same, and what kind of number a type is.

ISO C++ [meta]; names of the same type by `cuda_fp16.h`, `cuda_bf16.h` and the ABI of Linux on 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kernelscope.kernels.cuda.warp.types import Array, Number, PointerTo, StructType, Type, TypeParameter, Vector

_SPELLINGS: tuple[frozenset[str], ...] = (
    frozenset(("half", "__half", "nv_half")),
    frozenset(("nv_bfloat16", "__nv_bfloat16")),
    frozenset(("int", "signed", "signed int", "int32_t")),
    frozenset(("unsigned", "unsigned int", "uint", "uint32_t")),
    frozenset(("short", "short int", "int16_t")),
    frozenset(("unsigned short", "unsigned short int", "ushort", "uint16_t")),
    frozenset(("signed char", "int8_t")),
    frozenset(("unsigned char", "uint8_t")),
    frozenset(("long", "long int", "int64_t", "ssize_t", "ptrdiff_t", "intptr_t")),
    frozenset(("unsigned long", "unsigned long int", "ulong", "uint64_t", "size_t", "uintptr_t")),
    frozenset(("long long", "long long int")),
    frozenset(("unsigned long long", "unsigned long long int", "ulonglong")),
)
"""Names of one type."""
_FORMATS: tuple[frozenset[str], ...] = (
    frozenset(("half", "__half", "nv_half", "Half", "half_t", "float16_t", "_Float16", "__fp16", "float16")),
    frozenset(("nv_bfloat16", "__nv_bfloat16", "BFloat16", "bfloat16_t", "hip_bfloat16", "__hip_bfloat16", "bfloat16",
               "__bfloat16", "__bf16")),
    frozenset(("__nv_fp8_e4m3", "float_e4m3_t", "Float8_e4m3fn", "Float8_e4m3fnuz")),
    frozenset(("__nv_fp8_e5m2", "float_e5m2_t", "Float8_e5m2")),
    frozenset(("__nv_fp8_e8m0", "float_ue8m0_t")),
    *_SPELLINGS[2:],
    frozenset(("bool",)), frozenset(("float",)), frozenset(("double",)), frozenset(("char",)),
)  # fmt: skip
"""Names whose types lay out numbers in the same way, though they may be classes of different libraries."""


def same_type(a: Type, b: Type) -> bool | None:
    """Whether two types are one; None where a caller decides, or libraries may give one type two names."""
    if isinstance(a, TypeParameter) or isinstance(b, TypeParameter):
        return True if a == b else None
    if a == b:
        return True
    match a, b:
        case Number(), Number():
            return _same_number(a, b)
        case PointerTo(), PointerTo():
            return same_type(a.target, b.target)
        case Vector(), Vector():
            return same_type(a.element, b.element) if a.count == b.count else False
        case Array(), Array():
            return None
        case StructType(), StructType():
            return False if a.struct.name != b.struct.name else None
        case (
            (Number() | Vector() | PointerTo() | Array() | StructType()),
            (Number() | Vector() | PointerTo() | Array() | StructType()),
        ):
            return False
        case _:
            return None


def _same_number(a: Number, b: Number) -> bool | None:
    if a.size != b.size or a.integer != b.integer:
        return False
    x, y = a.name.removeprefix("std::"), b.name.removeprefix("std::")
    if x == y or any(x in names and y in names for names in _SPELLINGS):
        return True
    first, second = _format(x), _format(y)
    return False if first is not None and second is not None and first != second else None


def _format(name: str) -> int | None:
    return next((i for i, names in enumerate(_FORMATS) if name in names), None)


def _is_number(integer: bool) -> Callable[[Sequence[Type]], bool | None]:
    def told(types: Sequence[Type]) -> bool | None:
        match types:
            case [Number() as kind]:
                # a class of a library, such as that of half precision, is no arithmetic type of the language
                builtin = kind.integer or kind.name in ("float", "double")
                return builtin and kind.integer == integer
            case [PointerTo() | Vector() | StructType()]:
                return False
            case _:
                return None

    return told


def _is_same(types: Sequence[Type]) -> bool | None:
    return same_type(*types) if len(types) == 2 else None


TRAITS: dict[str, Callable[[Sequence[Type]], bool | None]] = {
    "is_same": _is_same,
    "is_integral": _is_number(True),
    "is_floating_point": _is_number(False),
}
"""What a trait says of types, by its name; None where that does not follow."""
