"""Sizes and alignments of C++ and CUDA types, in bytes.

CUDA C++ Programming Guide, "Built-in Vector Types"; cuda_fp16.h, cuda_bf16.h, cuda_fp8.h. LP64 rules, as nvcc on Linux.
"""

from __future__ import annotations

import re
from functools import lru_cache

INTEGERS: dict[str, int] = {
    "char": 1, "signed char": 1, "unsigned char": 1, "bool": 1, "int8_t": 1, "uint8_t": 1, "uchar": 1, "byte": 1,
    "short": 2, "unsigned short": 2, "int16_t": 2, "uint16_t": 2, "ushort": 2, "short int": 2, "unsigned short int": 2,
    "int": 4, "unsigned int": 4, "unsigned": 4, "signed": 4, "uint": 4, "int32_t": 4, "uint32_t": 4, "signed int": 4,
    "int32": 4, "uint32": 4,
    "long": 8, "unsigned long": 8, "long long": 8, "unsigned long long": 8, "long int": 8, "unsigned long int": 8,
    "long long int": 8, "unsigned long long int": 8, "int64_t": 8, "uint64_t": 8, "size_t": 8, "ssize_t": 8,
    "ptrdiff_t": 8, "uintptr_t": 8, "intptr_t": 8, "ulong": 8, "ulonglong": 8, "clock_t": 8, "time_t": 8,
    "cudaTextureObject_t": 8,
}  # fmt: skip
FLOATS: dict[str, int] = {
    "__nv_fp8_e4m3": 1, "__nv_fp8_e5m2": 1, "__nv_fp8_storage_t": 1, "float_e4m3_t": 1, "float_e5m2_t": 1,
    "Float8_e4m3fn": 1, "Float8_e5m2": 1, "Float8_e4m3fnuz": 1, "float_ue8m0_t": 1, "__nv_fp8_e8m0": 1,
    "half": 2, "__half": 2, "__half_raw": 2, "nv_half": 2, "Half": 2, "half_t": 2, "float16_t": 2, "_Float16": 2,
    "__nv_bfloat16": 2, "nv_bfloat16": 2, "__nv_bfloat16_raw": 2, "BFloat16": 2, "bfloat16_t": 2, "hip_bfloat16": 2,
    "__hip_bfloat16": 2, "bfloat16": 2, "__bfloat16": 2, "__bf16": 2, "__fp16": 2, "float16": 2,
    "float": 4, "tfloat32_t": 4,
    "double": 8,
}  # fmt: skip
SCALARS: dict[str, int] = {**INTEGERS, **FLOATS}
"""Names without their namespace."""

PACKED: dict[str, tuple[int, int]] = {
    "half2": (4, 4), "__half2": (4, 4), "nv_half2": (4, 4), "__nv_bfloat162": (4, 4), "nv_bfloat162": (4, 4),
    "__nv_fp8x2_e4m3": (2, 2), "__nv_fp8x4_e4m3": (4, 4), "__nv_fp8x2_e5m2": (2, 2), "__nv_fp8x4_e5m2": (4, 4),
    "__nv_fp8x2_storage_t": (2, 2), "__nv_fp8x4_storage_t": (4, 4), "__hip_bfloat162": (4, 4),
    "dim3": (12, 4), "cuComplex": (8, 8), "cufftComplex": (8, 8), "cuFloatComplex": (8, 8), "cuDoubleComplex": (16, 16),
    "cufftDoubleComplex": (16, 16), "cufftReal": (4, 4), "curandState": (48, 8), "curandState_t": (48, 8),
    "curandStateXORWOW_t": (48, 8), "curandStatePhilox4_32_10_t": (64, 16), "CUtensorMap": (128, 64),
}  # fmt: skip
OF_ONE_SIZE = (
    "remove_const", "remove_volatile", "remove_cv", "remove_reference", "remove_cvref", "decay", "make_signed",
    "make_unsigned",
)  # fmt: skip
"""Traits of the C++ standard library (ISO C++ [meta.trans]) whose type is as large as the one that they are given."""
_VECTOR_BASES: dict[str, int] = {
    "char": 1, "uchar": 1, "short": 2, "ushort": 2, "int": 4, "uint": 4, "long": 8, "ulong": 8, "longlong": 8,
    "ulonglong": 8, "float": 4, "double": 8,
}  # fmt: skip
_VECTOR = re.compile(r"(u?(?:char|short|int|longlong|long)|float|double)([1234])\Z")
_QUALIFIERS = re.compile(r"\b(?:const|volatile|typename|struct|class|static|extern|register|inline|union|enum)\b")


@lru_cache(4096)
def bare(type_text: str) -> str:
    """A type without qualifiers."""
    return " ".join(_QUALIFIERS.sub(" ", type_text).replace("__restrict__", " ").split())


def vector(type_text: str) -> tuple[int, int] | None:
    """Elements and bytes per element of a built-in vector type."""
    found = _VECTOR.fullmatch(bare(type_text).removeprefix("::"))
    return (int(found[2]), _VECTOR_BASES[found[1]]) if found else None


def value_of(type_text: str) -> str | None:
    """The number or vector type of a value or of a reference to one, without its prefixes; None for every other."""
    text = bare(type_text).removesuffix("&").strip()
    if text.endswith(("*", "&")) or layout(text) is None:
        return None
    return text.rpartition("::")[2].lstrip("_").removeprefix("nv_")


ACCESSORS = frozenset(
    ("PackedTensorAccessor", "PackedTensorAccessor32", "PackedTensorAccessor64", "GenericPackedTensorAccessor",
     "TensorAccessor")
)  # fmt: skip
"""PyTorch's templates of accessors of tensors, by element type and number of axes."""


def is_accessor(type_text: str) -> bool:
    """Whether a type is an accessor of a tensor, which reaches memory as pointers do."""
    return bare(type_text).partition("<")[0].rpartition("::")[2].strip() in ACCESSORS


_INTEGER_SIGNS = re.compile(r"\b(?:unsigned|u\w+|size_t)\b")


def is_unsigned(integer: str) -> bool:
    """Whether an integer type, by its name, has no sign."""
    return _INTEGER_SIGNS.search(integer) is not None


def pointed_at(type_text: str) -> str | None:
    """What a pointer to numbers points at, one word for all names of a number; None for every other type."""
    text = bare(type_text)
    if not text.endswith("*"):
        return None
    tail = text.removesuffix("*").strip().rpartition("::")[2]
    if tail in FLOATS:
        plain = tail.strip("_").removeprefix("nv_").removeprefix("hip_").lower()
        brain = plain.startswith(("bf", "bfloat"))
        return plain if FLOATS[tail] != 2 else "bfloat16" if brain else "half"
    if tail in INTEGERS:
        sign = "unsigned" if is_unsigned(tail) else tail if tail in ("bool", "byte", "char") else "signed"
        return f"{sign} {INTEGERS[tail]}"
    return None


@lru_cache(4096)
def layout(type_text: str) -> tuple[int, int] | None:
    """Size and alignment of a type that the language or CUDA defines; None for every other."""
    text = bare(type_text)
    if text.endswith(("*", "&")) or text == "nullptr_t":
        return 8, 8
    tail = text.rpartition("::")[2]
    if tail in SCALARS:
        return SCALARS[tail], SCALARS[tail]
    if tail in PACKED:
        return PACKED[tail]
    if re.fullmatch(r"(?:cuda::)?(?:std::)?barrier<.*>|.*\bClusterBarrier|.*\bClusterTransactionBarrier", text):
        return 8, 8
    found = vector(tail)
    if found is None:
        return None
    count, size = found
    if count == 3:
        return 3 * size, size
    return count * size, min(count * size, 16)
