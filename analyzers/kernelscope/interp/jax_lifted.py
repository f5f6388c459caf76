"""Flax's layers that are mapped and scanned: `nn.vmap(Layer, …)` and `nn.scan(Layer, …)` give classes of layers.

Source: https://flax.readthedocs.io/en/latest/api_reference/flax.linen/transformations.html. The layer is made once;
what it is called with loses its axes, and what it gives gets them. Functions of a module are lifted likewise.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

from kernelscope.dims import dim
from kernelscope.interp.calls import call
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.jax_functions import NO_FUNCTION, mapped, scanned
from kernelscope.interp.values import (
    Arguments,
    External,
    Function,
    Keywords,
    LambdaValue,
    Partial,
    Value,
    as_size,
)
from kernelscope.tensor import Unknown

MAP, SCAN = "flax.linen.vmap", "flax.linen.scan"
MAPPED_CLASS, SCANNED_CLASS = f"{MAP}()", f"{SCAN}()"
"""What they give, before a layer is made of it."""
MAPPED_LAYER, SCANNED_LAYER = f"{MAP}()()", f"{SCAN}()()"
"""Such a layer, before it is called."""
MAP_PARAMETERS = ("target", "variable_axes", "split_rngs", "in_axes", "out_axes", "axis_size")
SCAN_PARAMETERS = (
    "target", "variable_axes", "variable_broadcast", "variable_carry", "split_rngs", "in_axes", "out_axes", "length",
)  # fmt: skip
BROADCAST = "flax.linen.broadcast"
"""In place of an axis: every round gets all of it."""


def _map(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    return _class(MAP, dict(zip(MAP_PARAMETERS, args, strict=False)) | kwargs, "axis_size")


def _scan(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    return _class(SCAN, dict(zip(SCAN_PARAMETERS, args, strict=False)) | kwargs, "length")


def _class(name: str, names: dict[str, Value], size: str) -> Value:
    if "target" not in names:
        return Partial(External(name), (), names)
    axes = (_axes(names.get("in_axes", dim(0))), _axes(names.get("out_axes", dim(0))))
    return Partial(External(f"{name}()"), (names["target"], *axes, as_size(names.get(size))), {})


def _axes(value: Value) -> Value:
    """Axes of arguments, None for what is not mapped."""
    if isinstance(value, tuple | list):
        return tuple(_axes(v) for v in value)
    return None if isinstance(value, External) and value.name == BROADCAST else value


def _of_mapped(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    return _layer(run, MAPPED_LAYER, args, kwargs, span)


def _of_scanned(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    return _layer(run, SCANNED_LAYER, args, kwargs, span)


def _layer(run: Interpreter, name: str, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """The lifted layer; a function of a module, which comes first, is called at once."""
    target, *lifting = args[:4]
    given = args[4:]
    if not isinstance(target, Function | LambdaValue):
        return Partial(External(name), (call(run, target, given, kwargs, span), *lifting), {})
    if not given:
        return Unknown(NO_FUNCTION, span)
    return call(run, Partial(External(name), (Partial(target, (given[0],), {}), *lifting), {}), given[1:], kwargs, span)


def _mapped(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    layer, in_axes, out_axes, size, *given = args
    return mapped(run, layer, in_axes, out_axes, size, given, kwargs, span)


def _scanned(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    layer, in_axes, out_axis, size, *given = args
    if not given:
        return Unknown(NO_FUNCTION, span)
    init, *over = given
    each = list(in_axes) if isinstance(in_axes, tuple) else [in_axes] * len(over)
    if len(each) != len(over):
        return Unknown("the mapped axes are not known", span)
    return scanned(run, layer, init, over, each, out_axis, size, span)


FUNCTIONS = {
    MAP: _map, SCAN: _scan, MAPPED_CLASS: _of_mapped, SCANNED_CLASS: _of_scanned, MAPPED_LAYER: _mapped,
    SCANNED_LAYER: _scanned,
}  # fmt: skip
"""What is called by these names."""
