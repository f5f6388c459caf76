"""Element types: one line each, and torch's type promotion.

Promotion follows https://docs.pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kernelscope.tensor.unknown import Unknown

KINDS = ("bool", "int", "float", "complex")
"""Categories of promotion, lowest first."""


@dataclass(frozen=True, slots=True)
class DType:
    """`bits` counts one element; `kind` is its category of promotion."""

    name: str
    kind: str
    bits: int
    signed: bool = True

    @property
    def bytes(self) -> int:
        return max(1, self.bits // 8)

    @property
    def is_float(self) -> bool:
        return self.kind == "float"

    @property
    def category(self) -> int:
        return KINDS.index(self.kind)

    def __repr__(self) -> str:
        return self.name


def _table() -> dict[str, DType]:
    rows = [
        DType("bool", "bool", 8, signed=False),
        DType("uint8", "int", 8, signed=False),
        DType("uint16", "int", 16, signed=False),
        DType("uint32", "int", 32, signed=False),
        DType("uint64", "int", 64, signed=False),
        DType("int8", "int", 8),
        DType("int16", "int", 16),
        DType("int32", "int", 32),
        DType("int64", "int", 64),
        DType("float8_e4m3fn", "float", 8),
        DType("float8_e4m3fnuz", "float", 8),
        DType("float8_e5m2", "float", 8),
        DType("float8_e5m2fnuz", "float", 8),
        DType("float8_e8m0fnu", "float", 8, signed=False),
        DType("float16", "float", 16),
        DType("bfloat16", "float", 16),
        DType("float32", "float", 32),
        DType("float64", "float", 64),
        DType("complex32", "complex", 32),
        DType("complex64", "complex", 64),
        DType("complex128", "complex", 128),
    ]
    table = {row.name: row for row in rows}
    aliases = {"half": "float16", "float": "float32", "double": "float64", "short": "int16", "int": "int32"}
    aliases |= {"long": "int64", "chalf": "complex32", "cfloat": "complex64", "cdouble": "complex128"}
    return table | {alias: table[name] for alias, name in aliases.items()}


DTYPES = _table()
"""By torch's names and aliases, without `torch.`."""

BOOL, INT64, FLOAT32, COMPLEX64 = (DTYPES[name] for name in ("bool", "int64", "float32", "complex64"))
DEFAULTS = {"bool": BOOL, "int": INT64, "float": FLOAT32, "complex": COMPLEX64}
"""What a Python scalar of a kind becomes; `float32` is torch's default dtype."""

_COMPLEX_OF = {"float16": "complex32", "bfloat16": "complex64", "float32": "complex64", "float64": "complex128"}
_REAL_OF = {32: "float16", 64: "float32", 128: "float64"}
NO_PROMOTION = Unknown("torch defines no promotion for these dtypes")


def promote(a: DType, b: DType) -> DType | Unknown:
    """`torch.promote_types`: the smallest dtype that holds both."""
    if a == b:
        return a
    if a.category > b.category:
        a, b = b, a
    if a.kind == "bool":
        return b
    if a.category < b.category:
        if b.kind == "complex" and a.kind == "float":
            return promote(complex_of(a), b) if a.bits >= 16 else NO_PROMOTION
        return b
    if a.kind == "float":
        if min(a.bits, b.bits) < 16:
            return NO_PROMOTION
        return DTYPES["float32"] if a.bits == b.bits else max(a, b, key=lambda t: t.bits)
    if a.kind == "complex" or a.signed == b.signed:
        return max(a, b, key=lambda t: t.bits)
    unsigned, other = (b, a) if a.signed else (a, b)
    if unsigned.name != "uint8":
        return NO_PROMOTION  # torch has barebones support of uint16, uint32, uint64
    return other if other.bits > 8 else DTYPES["int16"]


def complex_of(dtype: DType) -> DType:
    """The complex dtype whose parts are `dtype`; integers count as the default float."""
    if dtype.kind == "complex":
        return dtype
    return DTYPES[_COMPLEX_OF.get(dtype.name, "complex64")]


def real_of(dtype: DType) -> DType:
    """The dtype of the parts of a complex dtype; others are their own."""
    return DTYPES[_REAL_OF[dtype.bits]] if dtype.kind == "complex" else dtype


def float_of(dtype: DType) -> DType:
    """What a function with real results makes of it: integers and bool become the default float."""
    return dtype if dtype.category >= KINDS.index("float") else FLOAT32


Operand = tuple[DType | Unknown, str]
"""A dtype and its priority: `dims`, `zero` (0-dim tensor), `open` (either of these) or `scalar` (Python number)."""
MAYBE_ZERO = Unknown("it depends on whether an operand has dims")


def result_type(operands: Iterable[Operand]) -> DType | Unknown:
    """`torch.result_type`: 0-dim tensors and Python scalars count only when of a higher category."""
    found = list(operands)
    result = _settled([(dtype, "dims" if priority == "open" else priority) for dtype, priority in found])
    for i, (_, priority) in enumerate(found):
        if priority == "open":
            other = [(d, "zero" if i == j else "dims" if p == "open" else p) for j, (d, p) in enumerate(found)]
            if _settled(other) != result:
                return MAYBE_ZERO
    return result


def _settled(operands: list[Operand]) -> DType | Unknown:
    by_priority: dict[str, list[DType | Unknown]] = {"dims": [], "zero": [], "scalar": []}
    for dtype, priority in operands:
        by_priority[priority].append(dtype)
    groups = [_promote_all(group) for group in by_priority.values() if group]
    result = groups[0] if groups else NO_PROMOTION
    for group in groups[1:]:
        if isinstance(result, Unknown):
            break
        if isinstance(group, Unknown):
            # An unknown 0-dim tensor changes the kind of integers only; complex ones do not occur beside floats.
            result = result if result.category >= KINDS.index("float") else group
        elif group.category > result.category:
            result = complex_of(result) if group.kind == "complex" and result.is_float else group
    return result


def _promote_all(group: list[DType | Unknown]) -> DType | Unknown:
    result = group[0]
    for dtype in group[1:]:
        if isinstance(result, Unknown):
            break
        result = dtype if isinstance(dtype, Unknown) else promote(result, dtype)
    return result
