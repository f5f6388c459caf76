"""Element types of Triton as short names, and how operators promote them.

An element type is a text: `fp32`, `T(x_ptr)` for the type behind an argument, or `""` where nothing is known.
The rules are those of the 3.x front end (`triton/language/semantic.py`), where fp64 has to be declared to be met.
"""

from __future__ import annotations

BITS: dict[str, int] = {
    "int1": 1,
    "int8": 8, "int16": 16, "int32": 32, "int64": 64,
    "uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64,
    "fp8e4nv": 8, "fp8e4b8": 8, "fp8e4b15": 8, "fp8e5": 8, "fp8e5b16": 8,
    "fp16": 16, "bf16": 16, "fp32": 32, "fp64": 64,
}  # fmt: skip

SPELLINGS: dict[str, str] = {
    **{name: name for name in BITS},
    "float16": "fp16", "bfloat16": "bf16", "float32": "fp32", "float64": "fp64", "bool": "int1",
    "float8e4nv": "fp8e4nv", "float8e4b8": "fp8e4b8", "float8e4b15": "fp8e4b15", "float8e5": "fp8e5",
    "float8e5b16": "fp8e5b16", "i1": "int1", "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64",
    "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64",
}  # fmt: skip
"""Names in `triton.language` and in signature strings, with the short name that hovers use."""


def is_float(elem: str) -> bool:
    return elem.startswith(("fp", "bf"))


def is_integer(elem: str) -> bool:
    """Integers proper, without int1."""
    return elem.startswith(("int", "uint")) and elem != "int1"


def is_open(elem: str) -> bool:
    """Not one certain type: unknown, or that of an argument."""
    return elem not in BITS


def _kind(elem: str) -> int:
    return 0 if elem == "int1" else 1 if is_integer(elem) else 2


def of_number(value: object) -> str:
    """The type of a Python number that meets a tensor."""
    if isinstance(value, bool):
        return "int1"
    if isinstance(value, int):
        if -(2**31) <= value < 2**31:
            return "int32"
        if value < 2**32 and value >= 0:
            return "uint32"
        return "int64" if value < 2**63 else "uint64"
    return "fp32" if isinstance(value, float) else ""


def promote(a: str, b: str, a_number: bool = False, b_number: bool = False, division: bool = False) -> str:
    """The type in which two operands meet. `a_number`: `a` is a Python number, which does not widen its partner."""
    if is_open(a) or is_open(b):
        return _promote_open(a, b, a_number, b_number, division)
    if a_number != b_number:
        number, tensor = (a, b) if a_number else (b, a)
        if _kind(number) <= _kind(tensor):
            return "fp32" if division and tensor in ("fp16", "bf16") else tensor
    for wide in ("fp64", "fp32"):
        if wide in (a, b):
            return wide
    if "fp16" in (a, b):
        return "fp32" if division else "fp16"
    if a == b == "bf16":
        return "fp32" if division else "bf16"
    if "bf16" in (a, b):
        return "fp32"
    if is_float(a) and is_float(b):
        return a if a == b else "fp16"
    if is_float(a) or is_float(b):
        return a if is_float(a) else b
    return _integers(a, b)


def _promote_open(a: str, b: str, a_number: bool, b_number: bool, division: bool) -> str:
    """With a type that is not known: fp32 absorbs all but fp64, Python numbers leave the argument's type alone."""
    known = b if is_open(a) else a
    if is_open(a) and is_open(b):
        return a if a == b and not division else ""
    known_number = b_number if is_open(a) else a_number
    other = a if is_open(a) else b
    if known_number:
        return "" if division else other
    if (is_open(a) and a_number) or (is_open(b) and b_number):
        return known if is_float(known) and not (division and known in ("fp16", "bf16")) else ""
    return known if known in ("fp32", "fp64") else ""


def _integers(a: str, b: str) -> str:
    if _signed(a) == _signed(b):
        return a if BITS[a] >= BITS[b] else b
    unsigned, signed = (b, a) if _signed(a) else (a, b)
    return unsigned if BITS[unsigned] >= BITS[signed] else signed


def _signed(elem: str) -> bool:
    """int1 counts as unsigned."""
    return elem.startswith("int") and elem != "int1"


def quotient(a: str, b: str, a_number: bool, b_number: bool) -> str:
    """`/`: integers meet as fp32, halves are widened."""
    if not is_open(a) and not is_open(b):
        if not is_float(a) and not is_float(b):
            return "fp32"
        if not is_float(a) or not is_float(b):
            return a if is_float(a) else b
    return promote(a, b, a_number, b_number, division=True)


def summed(elem: str) -> str:
    """What `tl.sum` and `tl.cumsum` accumulate in: small integers widen, int1 as unsigned, floats stay."""
    if elem in BITS and not is_float(elem) and BITS[elem] < 32:
        return "int32" if _signed(elem) else "uint32"
    return elem


def extreme(elem: str) -> str:
    """What `tl.max` and `tl.min` compare in: everything below 32 bits widens."""
    if elem in BITS and BITS[elem] < 32:
        return "fp32" if is_float(elem) else "int32"
    return elem if elem in BITS else ""


def without_bfloat(elem: str) -> str:
    """Elementwise minima and maxima compare bf16 as fp32."""
    return "fp32" if elem == "bf16" else elem if elem in BITS else ""
