"""torch.nn layers: constructor arguments → parameters with shapes, and the rule of `forward`.

Hooks, buffers and state do not exist here; containers such as Sequential belong to the interpreter.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kernelscope.dims import NO_FACTS, Facts
from kernelscope.ops.arguments import Lost, Value
from kernelscope.ops.arguments import dtype as as_dtype
from kernelscope.ops.binding import Parameters
from kernelscope.ops.layer import Module
from kernelscope.ops.registry import Op, Rule, declare, load, run
from kernelscope.tensor import DTYPES, Shape, Size, Tensor, Unknown

Weights = Callable[[Module], Mapping[str, Sequence[Size] | None]]
Lifted = Callable[[Module, Value], Mapping[str, Sequence[Size] | None]]
"""Shapes of parameters by name, None for one that is switched off."""


@dataclass(frozen=True, slots=True)
class ModuleType:
    """One class of layer: its constructor, its parameters and its forward operator."""

    name: str
    constructor: Parameters
    weights: Weights | None
    forward: Op
    lifted: Lifted | None = None
    """The weights of a layer that takes their sizes of what it is called with first."""


_types: dict[str, ModuleType] = {}
_EMPTY: Mapping[str, Tensor] = {}


def module(
    names: str,
    constructor: str,
    weights: Weights | None = None,
    *,
    dtype: str | tuple[str, ...] = "input",
    kind: str = "compute",
    label: str = "",
    flops: Callable[..., Size] | None = None,
    at: str = "torch.nn",
    lifted: Lifted | None = None,
) -> Callable[[Rule], Rule]:
    """Declare layers by the rule of their forward, a function of the Module and the call's arguments."""

    def add(function: Rule) -> Rule:
        for name in names.split():
            full = f"{at}.{name}"
            short = f"nn.{name}" if at == "torch.nn" else full
            op = Op(
                short,
                (f"{full}.forward",),
                function,
                Parameters.of(function),
                dtype,
                kind,
                label or name,
                flops,
                "module",
            )
            declare(op)
            _types[full] = ModuleType(short, _constructor(constructor), weights, op, lifted)
        return function

    return add


@lru_cache
def _constructor(text: str) -> Parameters:
    """Parameters of a constructor written as in Python; `device` and `dtype` are understood."""
    node = ast.parse(f"def f({text}): pass").body[0]
    assert isinstance(node, ast.FunctionDef)
    names = tuple(a.arg for a in node.args.args)
    values = [ast.literal_eval(d) for d in node.args.defaults]
    defaults = dict(zip(names[len(names) - len(values) :], values, strict=True)) | {"device": None, "dtype": None}
    only = tuple(a.arg for a in node.args.kwonlyargs)
    for arg, value in zip(only, node.args.kw_defaults, strict=True):
        if value is not None:
            defaults[arg] = ast.literal_eval(value)
    rest = node.args.vararg.arg if node.args.vararg else None
    extra = tuple(n for n in ("device", "dtype") if n not in names)
    return Parameters(
        (*names, *extra) if rest is None else names,
        defaults,
        only if rest is None else (*only, *extra),
        rest,
        options=True,
    )


def find_module(name: str) -> ModuleType | None:
    """The class of layer of a full name such as `torch.nn.Linear`."""
    load()
    return _types.get(name)


def all_modules() -> tuple[ModuleType, ...]:
    """Every class of layer, in the order of the table."""
    load()
    return tuple(_types.values())


def build(name: str, args: Sequence[Value], kwargs: Mapping[str, Value] | None = None) -> Module | Unknown:
    """The layer that a constructor call makes. Sizes that are not known are unknown in its parameters."""
    found = find_module(name)
    if found is None:
        return Unknown(f"{name} is no layer in the operator table")
    settings = found.constructor.bind(args, kwargs or {})
    if settings is None:
        return Unknown(f"the arguments of {found.name} are not those we know")
    bare = Module(found.forward.spellings[0].removesuffix(".forward"), settings)
    return _with_weights(bare, lambda: weights(bare)) if (weights := found.weights) is not None else bare


def sized_by(layer: Module, inputs: Value) -> Module:
    """A layer with the weights that it gets when it is called with this first."""
    found = find_module(layer.name)
    if found is None or (lifted := found.lifted) is None or layer.parameters:
        return layer
    return _with_weights(layer, lambda: lifted(layer, inputs))


def _with_weights(layer: Module, tell: Callable[[], Mapping[str, Any]]) -> Module:
    """A layer with its weights, as far as their sizes can be told."""
    try:
        shapes = tell()
    except (Lost, TypeError, ValueError, IndexError, KeyError, AttributeError, ArithmeticError):
        return layer
    dtype = as_dtype(layer.settings.get("dtype")) or DTYPES["float32"]
    parameters = {n: Tensor(Shape(tuple(s)), dtype) for n, s in shapes.items() if s is not None}
    return Module(layer.name, layer.settings, parameters)


def call(
    layer: Module, args: Sequence[Value], kwargs: Mapping[str, Value] | None = None, facts: Facts = NO_FACTS
) -> Value:
    """The result of calling a layer. Raises ShapeError as `apply` does."""
    found = find_module(layer.name)
    if found is None:
        return Unknown(f"{layer.name} is no layer in the operator table")
    bound = found.forward.parameters.bind((layer, *args), kwargs or {})
    if bound is None:
        return Unknown(f"the arguments of {found.name} are not those we know")
    return run(found.forward, bound, facts)


def settings_of(bound: Mapping[str, Any]) -> Module:
    """The layer among the bound arguments of a forward operator."""
    layer = bound["layer"]
    if not isinstance(layer, Module):
        raise Lost("the layer is not known")
    return layer
