"""The dtype column of the operator table: one small rule per name, from bound arguments to the result's dtype.

A column may also be the name of a dtype itself. Shapes play no part, but for 0-dim tensors in promotion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kernelscope.dims import Dim
from kernelscope.ops.arguments import dtype as as_dtype
from kernelscope.ops.arguments import is_number, is_sequence, items, scalar_kind
from kernelscope.tensor import Tensor, Unknown
from kernelscope.tensor.dtypes import (
    DEFAULTS,
    DTYPES,
    FLOAT32,
    INT64,
    DType,
    complex_of,
    float_of,
    real_of,
    result_type,
)

Found = DType | Unknown
Bound = Mapping[str, Any]
INT32 = DTYPES["int32"]
_NOT_OPERANDS = frozenset({"dim", "p", "alpha", "eps", "facts", "out", "inplace", "training", "dtype", "rounding_mode"})


def _operands(value: Any) -> Iterator[tuple[Found, str]]:
    if isinstance(value, Tensor):
        yield value.dtype, "zero" if value.rank == 0 else "dims" if value.shape.least_rank else "open"
    elif isinstance(value, Unknown):
        yield value, "dims"
    elif is_number(value):
        yield DEFAULTS[scalar_kind(value)], "scalar"
    elif is_sequence(value):
        for element in items(value):
            yield from _operands(element)


def _input(bound: Bound) -> Found:
    """The first tensor's."""
    for value in bound.values():
        for candidate in items(value) if is_sequence(value) else (value,):
            if isinstance(candidate, Tensor):
                return candidate.dtype
            if isinstance(candidate, Unknown):
                return candidate
    return FLOAT32


def _promote(bound: Bound) -> Found:
    """Of all operands; a boolean, axis or flag among the options is no operand."""
    return result_type(
        operand
        for name, value in bound.items()
        if name not in _NOT_OPERANDS and not isinstance(value, bool)
        for operand in _operands(value)
    )


def _mapped(inner: Callable[[Bound], Found], change: Callable[[DType], DType]) -> Callable[[Bound], Found]:
    def mapped(bound: Bound) -> Found:
        found = inner(bound)
        return found if isinstance(found, Unknown) else change(found)

    return mapped


def _asked(otherwise: Callable[[Bound], Found]) -> Callable[[Bound], Found]:
    """The `dtype` argument, if there is one."""

    def asked(bound: Bound) -> Found:
        found = as_dtype(bound.get("dtype"))
        return otherwise(bound) if found is None else found

    return asked


def _summed(dtype: DType) -> DType:
    return INT64 if dtype.kind in {"bool", "int"} else dtype


def _filled(bound: Bound) -> Found:
    """The kind of the fill value decides."""
    value = bound.get("fill_value")
    if isinstance(value, (Tensor, Unknown)):
        return value.dtype if isinstance(value, Tensor) else value
    return DEFAULTS[scalar_kind(value)]


def _ranged(bound: Bound) -> Found:
    """Integers unless one of start, end, step is a float."""
    kinds = [v for v in (bound.get("start"), bound.get("end"), bound.get("step")) if v is not None]
    if any(isinstance(v, float) for v in kinds):
        return FLOAT32
    unknown = next((v for v in kinds if not isinstance(v, (int, Dim))), None)
    if isinstance(unknown, Tensor):
        return unknown.dtype
    return INT64 if unknown is None else Unknown("the kind of a bound of the range is not known")


def _narrow(inner: Callable[[Bound], Found]) -> Callable[[Bound], Found]:
    """Of JAX, where whole numbers of Python have 32 bits unless it is told otherwise."""

    def narrow(bound: Bound) -> Found:
        found = inner(bound)
        return INT32 if found == INT64 else found

    return narrow


def _divided(bound: Bound) -> Found:
    """True division gives floats; with a rounding mode the operands' dtype stays."""
    mode = bound.get("rounding_mode")
    if isinstance(mode, Unknown):
        return mode
    return _promote(bound) if mode is not None else DTYPE_RULES["float"](bound)


def _chosen(bound: Bound) -> Found:
    """Of the two values of `where`, not of its mask; of a mask alone, places."""
    if bound.get("other") is None:
        return INT64
    return _promote({name: bound[name] for name in ("input", "other")})


def _out(bound: Bound) -> Found:
    """The `out_dtype` argument, else the input's."""
    asked = as_dtype(bound.get("out_dtype"))
    return _input(bound) if asked is None else asked


def _promoted_out(bound: Bound) -> Found:
    """The `preferred_element_type` argument, else the operands'."""
    asked = as_dtype(bound.get("preferred_element_type"))
    return _promote(bound) if asked is None else asked


DTYPE_RULES: dict[str, Callable[[Bound], Found]] = {
    "input": _input,
    "promote": _promote,
    "float": _mapped(_promote, float_of),
    "double": _mapped(_promote, lambda dtype: DTYPES["complex128" if dtype.kind == "complex" else "float64"]),
    "input float": _mapped(_input, float_of),
    "sum": _asked(_mapped(_input, _summed)),
    "asked": _asked(_input),
    "asked float": _asked(_mapped(_input, float_of)),
    "new": _asked(lambda _: FLOAT32),
    "asked_integers": _asked(lambda _: INT64),
    "filled": _asked(_filled),
    "ranged": _asked(_ranged),
    "divided": _divided,
    "chosen": _chosen,
    "out": _out,
    "promoted out": _promoted_out,
    "ranged32": _asked(_narrow(_ranged)),
    "filled32": _asked(_narrow(_filled)),
    "asked_int32": _asked(lambda _: INT32),
    "complex": _mapped(_input, complex_of),
    "real": _mapped(_input, real_of),
    "real float": _mapped(_mapped(_input, real_of), float_of),
}
