"""Modules of Flax and Equinox: what their classes are made with, and the methods that they inherit.

A module of linen and of Equinox is a record of its declared fields; linen's makes its layers in `setup`, or while it is
called. Source: https://flax.readthedocs.io/en/latest/api_reference/flax.linen/module.html.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kernelscope.interp import records
from kernelscope.interp.calls import call, run_body
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.sequences import is_callable
from kernelscope.interp.values import (
    Arguments,
    External,
    Flag,
    Function,
    Instance,
    Keywords,
    LayerMethod,
    Scope,
    Sequential,
    Value,
    as_size,
)
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import DType, Shape, Tensor, Unknown
from kernelscope.workspace.modules import Definition

LINEN = {"flax.linen.Module", "flax.linen.module.Module"}
OPTIONS = {"rngs", "mutable", "method", "capture_intermediates"}
"""Arguments of `apply` that are its own."""
INITIALISERS = ("jax.nn.initializers.", "flax.linen.initializers.", "flax.nnx.initializers.")
INITIAL = External("jax.nn.initializers.zeros")
"""Stands for every initialiser: they differ in the numbers only."""


def fill_in(run: Interpreter, instance: Instance, args: Arguments, kwargs: Keywords) -> None:
    """Store the fields of a record, do what its class does behind that, and let linen's `setup` make its layers."""
    records.fill(run, instance, args, kwargs)
    records.finish(run, instance)
    found = setup_of(run, instance.cls)
    if found is not None and isinstance(found.node, t.FunctionDef) and found.node.args:
        frame = Scope(found.path, Function(found, instance, True), {found.node.args[0].name: instance})
        run_body(run, frame, found.node)


def setup_of(run: Interpreter, cls: Definition) -> Definition | None:
    """The `setup` of a module of linen, if it has one."""
    found = run.classes.attribute(cls, "setup") if records.derives(run, cls, LINEN) else None
    return found if isinstance(found, Definition) and isinstance(found.node, t.FunctionDef) else None


def call_method(run: Interpreter, target: LayerMethod, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """A method that an object inherits from a module of Flax or Equinox."""
    match target.name:
        case "param" | "variable" if len(args) > 1:
            return _initial(run, args[1:] if target.name == "param" else args[2:], target.name == "param", span)
        case "apply" | "init_with_output" | "bind":
            inner = {key: value for key, value in kwargs.items() if key not in OPTIONS}
            method = kwargs.get("method")
            if target.name == "bind":
                return target.receiver
            made = target.receiver if method is None else Unknown("another method of the module")
            result = call(run, made, args[1:], inner, span)
            with_state = target.name == "init_with_output" or kwargs.get("mutable") not in (None, False)
            return (result, Unknown("the state of the module", span)) if with_state else result
        case "is_initializing" | "has_variable" | "has_rng" | "is_mutable_collection":
            return Flag(f"{target.name} of the module")
        case "__init__" | "sow" | "put_variable":
            return None
        case _:
            return Unknown(f"{target.name} of the module is not followed", span)


def _initial(run: Interpreter, given: Arguments, with_key: bool, span: Any) -> Value:
    """What an initialiser gives for the sizes behind the key."""
    make, *rest = given
    if is_callable(make):
        return call(run, make, [Unknown("a key of random numbers"), *rest] if with_key else rest, {}, span)
    sizes = rest[0] if rest else None
    if isinstance(sizes, tuple | list):
        dims = tuple(as_size(size) for size in sizes)
        return call(run, INITIAL, [Unknown("a key"), dims, *rest[1:2]], {}, span)
    return Tensor(Shape.unknown("a parameter whose sizes are not known"))


def make(run: Interpreter, name: str, args: Arguments, kwargs: Keywords, span: Any) -> Value | None:
    """What a function of Flax that is no operator and no layer gives; None if it is no such function."""
    prefix = next((p for p in INITIALISERS if name.startswith(p)), None)
    if prefix is not None:
        if name.removeprefix(prefix) not in ("zeros", "ones") or not args:
            return INITIAL
        return None if name == INITIAL.name else call(run, INITIAL, args, kwargs, span)
    match name:
        case "flax.nnx.Param" | "flax.nnx.Variable" | "flax.nnx.Cache" | "flax.nnx.BatchStat" | "flax.nnx.data":
            return args[0] if args else Unknown("a parameter without data", span)
        case "flax.linen.Sequential" | "equinox.nn.Sequential" | "flax.nnx.List" if args:
            layers = args[0]
            is_known = isinstance(layers, list | tuple)
            if name == "flax.nnx.List":
                return list(layers) if is_known else layers
            return Sequential(list(layers)) if is_known else Unknown("layers that are not known", span)
        case "flax.nnx.Sequential":
            return Sequential(list(args))
        case "equinox.nn.Lambda" | "flax.linen.remat" | "flax.linen.checkpoint" | "flax.linen.jit" if args:
            return args[0]
        case "flax.nnx.promote_dtype" | "flax.linen.promote_dtype" if args:
            given = args[0] if isinstance(args[0], tuple | list) else args  # nnx takes them as one tuple
            asked = kwargs.get("dtype")
            return tuple(_promoted(value, asked) for value in given)
        case _:
            return None


def _promoted(value: Value, asked: Value) -> Value:
    """An array in the dtype that is asked for, which is otherwise that of all of them together."""
    if not isinstance(value, Tensor):
        return value
    return replace(value, dtype=asked if isinstance(asked, DType) else Unknown("the dtype of several arrays together"))
