"""Attributes of values: dtypes and shapes of blocks, names of modules, methods bound to their first argument."""

from __future__ import annotations

import math

from kernelscope.dims import dim
from kernelscope.kernels.triton.broadcasting import numel
from kernelscope.kernels.triton.call import as_tensor
from kernelscope.kernels.triton.dtypes import BITS, SPELLINGS
from kernelscope.kernels.triton.interpretation import Interpretation
from kernelscope.kernels.triton.outer_names import global_value
from kernelscope.kernels.triton.shape_ops import transposed
from kernelscope.kernels.triton.values import (
    BlockPointer,
    Const,
    Descriptor,
    ElementType,
    Items,
    Method,
    Namespace,
    Tensor,
    Undecided,
    Unknown,
    Value,
)


def attribute(run: Interpretation, owner: Value, name: str) -> Value:
    """`owner.name`."""
    match owner:
        case Namespace(path=None, dotted=dotted):
            if dotted.startswith("triton") and name in SPELLINGS:
                return ElementType(SPELLINGS[name])
            if dotted in ("math", "numpy") and isinstance(number := getattr(math, name, None), float):
                return Const(number)
            return Namespace(f"{dotted}.{name}")
        case Namespace(path=str() as path):
            return global_value(run, path, name)
        case Tensor():
            return _tensor_attribute(owner, name)
        case ElementType():
            return _dtype_attribute(owner, name)
        case BlockPointer() | Descriptor():
            if name in ("dtype", "type"):
                return ElementType(owner.elem)
            if name in ("block_shape", "shape"):
                return Items(tuple(Const(s if s is not None else Undecided("int")) for s in owner.shape or ()))
            return Method(owner, name)
        case Const():
            if name == "value":
                return owner
            if name in ("dtype", "type"):
                tensor = as_tensor(owner)
                return ElementType(tensor.elem if tensor is not None else "")
            return Method(owner, name)
        case Items():
            return Method(owner, name)
        case _:
            return owner if isinstance(owner, Unknown) else Unknown(f"attribute {name} is not known")


def _tensor_attribute(owner: Tensor, name: str) -> Value:
    match name:
        case "dtype" | "type":
            return ElementType(owner.elem, owner.pointer)
        case "shape":
            if owner.shape is None:
                return Unknown("its rank is not known")
            return Items(tuple(Const(size if size is not None else Undecided("int")) for size in owner.shape))
        case "numel":
            count = numel(owner.shape)
            return Const(count if count is not None else Undecided("int"))
        case "T":
            return transposed(owner)
        case _:
            return Method(owner, name)


def _dtype_attribute(owner: ElementType, name: str) -> Value:
    match name:
        case "element_ty":
            return ElementType(owner.elem)
        case "scalar" | "value":
            return owner
        case "primitive_bitwidth" | "int_bitwidth":
            bits = 64 if owner.pointer else BITS.get(owner.elem)
            return Const(dim(bits)) if bits else Const(Undecided("int"))
        case _:
            return Method(owner, name)
