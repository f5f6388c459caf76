"""Parameters of kernels: which are constants of compile time, and what a launch gives the others.

Values only, as far as the kernel's own use of them and its annotations tell.
"""

from __future__ import annotations

from kernelscope.dims import dim
from kernelscope.kernels.triton.dtypes import SPELLINGS, is_integer
from kernelscope.kernels.triton.values import Const, Tensor, Value
from kernelscope.syntax.python import tree as t


def is_constexpr(annotation: t.Expr | None) -> bool:
    """Whether an annotation says compile-time constant."""
    if annotation is None:
        return False
    if isinstance(annotation, t.Constant) and isinstance(annotation.value, str):
        return annotation.value.rpartition(".")[2] == "constexpr"
    if isinstance(annotation, t.Subscript | t.Call):
        return is_constexpr(annotation.value if isinstance(annotation, t.Subscript) else annotation.func)
    return (t.dotted(annotation) or "").rpartition(".")[2] == "constexpr"


def parameter_value(param: t.Param, pointers: set[str], integers: set[str], floats: set[str]) -> Value:
    """An argument of a launch, as far as the kernel's own use of it tells."""
    name = param.name
    if is_constexpr(param.annotation):
        return Const(dim(name))
    if name in pointers:
        return Tensor((), f"T({name})", True, (name,))
    symbol = dim(name)
    declared = _declared(param.annotation)
    if is_integer(declared):
        return Tensor((), declared, inputs=frozenset((name,)), value=symbol)
    if declared:
        return Tensor((), declared)
    if name in integers:
        return Tensor((), "int32", inputs=frozenset((name,)), value=symbol)
    if name in floats:
        return Tensor((), "fp32")
    return Tensor((), "", False, (name,), frozenset((name,)), symbol)


def _declared(annotation: t.Expr | None) -> str:
    """The element type that an annotation such as `tl.int64` or `"i64"` declares."""
    if isinstance(annotation, t.Constant) and isinstance(annotation.value, str):
        return SPELLINGS.get(annotation.value.rpartition(".")[2], "")
    name = t.dotted(annotation) if annotation is not None else None
    return SPELLINGS.get(name.rpartition(".")[2], "") if name is not None and "." in name else ""
