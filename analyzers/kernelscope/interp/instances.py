"""Classes of the workspace: objects made of them, and objects called."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from kernelscope import ops
from kernelscope.dims import Dim
from kernelscope.interp import containers, jax_modules
from kernelscope.interp.attributes import instance_attribute, layer_attribute
from kernelscope.interp.calls import call, call_function
from kernelscope.interp.interpreter import (
    Interpreter,
)
from kernelscope.interp.prepared_objects import prepare
from kernelscope.interp.records import DICTS, ENUMERATIONS, derives, fill, is_record
from kernelscope.interp.sequences import Mapping, is_callable
from kernelscope.interp.values import (
    Arguments,
    Choice,
    Class,
    External,
    Flag,
    Function,
    Instance,
    Keywords,
    LayerMethod,
    Opaque,
    PlainMethod,
    Sequential,
    Value,
    for_op,
)
from kernelscope.ops import Module, ShapeError
from kernelscope.ops.modules import find_module
from kernelscope.ops.torch.transformer_parts import BLOCKS, LAYERS, parts_of
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Tensor, Unknown
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.modules import External as OutsideName

TENSORS = ("torch.nn.Parameter", "torch.nn.parameter.Parameter", "torch.Tensor")
"""Classes whose objects, and those of classes derived from them, are the tensors that they are made of."""


def construct(run: Interpreter, cls: Definition, args: Arguments, kwargs: Keywords) -> Value:
    """An instance of a class of the workspace; `__init__` runs when an attribute is first asked for."""
    for base in run.classes.mro(cls):
        if isinstance(base, OutsideName):
            if base.dotted in TENSORS and isinstance(data := kwargs.get("data", args[0] if args else None), Tensor):
                return data
            layer = ops.build(base.dotted, [for_op(a) for a in args], {k: for_op(v) for k, v in kwargs.items()})
            own = (run.classes.attribute(cls, name) for name in ("forward", "__call__"))
            if isinstance(layer, Module) and not any(isinstance(found, Definition) for found in own):
                return layer
    if len(args) == 1 and derives(run, cls, ENUMERATIONS):
        return args[0]
    is_module = run.classes.is_module(cls)
    key = _key(cls, args, kwargs) if is_module else None
    if key is not None and (known := run.layers.get(key)) is not None:
        known.made += 1
        return known
    instance = Instance(cls, made_with=(args, kwargs), is_module=is_module)
    run.symbols.hold((*args, *kwargs.values()))
    if key is not None:
        run.layers[key] = instance
    if is_record(run, cls) and not _is_made_later(run, cls):
        instance.is_ready = True
        fill(run, instance, args, kwargs)
        return instance
    if args and isinstance(args[0], dict) and _is_mapping(run, cls):
        return Mapping({key: _constructed(run, entry) for key, entry in args[0].items()})

    def initialise(run: Interpreter, instance: Instance) -> None:
        init = run.classes.attribute(cls, "__init__")
        run.quiet += 1
        try:
            if is_record(run, cls):
                jax_modules.fill_in(run, instance, args, kwargs)
            elif isinstance(init, Definition) and isinstance(init.node, t.FunctionDef):
                call_function(run, Function(init, instance, True), args, kwargs, init.node.span)
            _layer_base(run, instance, [] if isinstance(init, Definition) else args, kwargs)
        except ShapeError:
            pass
        finally:
            run.quiet -= 1

    instance.initialise = initialise
    return instance


def _is_made_later(run: Interpreter, cls: Definition) -> bool:
    """Whether more happens to a new record than that its fields are stored."""
    has_more = isinstance(run.classes.attribute(cls, "__post_init__"), Definition)
    return has_more or jax_modules.setup_of(run, cls) is not None


def _key(cls: Definition, args: Arguments, kwargs: Keywords) -> Hashable:
    """What tells layers apart that are made of sizes, names and switches; None if one is made of more, or of what is
    not known: two such sizes need not be one."""
    values = (*args, *kwargs.values())
    if not all(map(_is_told_by_value, values)):
        return None
    return cls.node, type(kwargs), tuple(kwargs), tuple(map(_with_kind, values))


def _is_told_by_value(value: Value) -> bool:
    if type(value) is tuple:
        return all(map(_is_told_by_value, value))
    return isinstance(value, Dim | Opaque | Flag | str | bool | float | None)


def _with_kind(value: Value) -> Hashable:
    """A value that equals those of its kind only: 1 is not True."""
    return type(value), tuple(map(_with_kind, value)) if type(value) is tuple else value


def _is_mapping(run: Interpreter, cls: Definition) -> bool:
    """Whether a class derives from dict: a registry of the program's own."""
    return derives(run, cls, DICTS)


def _constructed(run: Interpreter, entry: Value) -> Value:
    """An entry of a registry that makes objects when it is asked: a class, or a class with its arguments."""
    target, kwargs = (entry[0], entry[1]) if isinstance(entry, tuple) and len(entry) == 2 else (entry, {})
    if isinstance(target, Class | External):
        made = call(run, target, [], kwargs if isinstance(kwargs, dict) else {}, None)
        return made if is_callable(made) else target
    return target


def _layer_base(run: Interpreter, instance: Instance, args: Arguments, kwargs: Keywords) -> None:
    """A class that derives from a torch layer and does not build it itself is built as the layer is."""
    for base in run.classes.mro(instance.cls):
        if isinstance(base, OutsideName) and base.dotted.startswith("torch.nn.") and base.dotted != "torch.nn.Module":
            kind = containers.kind_of(run, instance)
            if kind is not None and instance.layer is None and containers.HELD not in instance.attributes:
                containers.fill(run, instance, kind, args)
            elif kind is None and instance.layer is None:
                _become_layer(instance, base.dotted, args, kwargs)
            return


def _become_layer(instance: Instance, name: str, args: Arguments, kwargs: Keywords) -> None:
    """Give an object what the torch layer has that it derives from."""
    layer = ops.build(name, [for_op(a) for a in args], {k: for_op(v) for k, v in kwargs.items()})
    if isinstance(layer, Module):
        instance.layer = layer
        names = ("bias", *layer.settings, *layer.parameters, *parts_of(layer))
        held = {key: layer_attribute(layer, key) for key in names}
        if name in LAYERS and "activation" not in parts_of(layer):  # a function of torch's, or one of several
            given = kwargs.get("activation", args[4] if len(args) > 4 else None)
            held["activation"] = given if is_callable(given) else Opaque("self.activation")
        instance.attributes |= {key: value for key, value in held.items() if key not in instance.attributes}


def call_inherited(run: Interpreter, target: LayerMethod, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`super().__init__(…)` and `super().forward(…)` of a class that derives from a torch layer, and module methods."""
    instance = target.receiver
    if target.base.startswith(("flax.", "haiku.")) and find_module(target.base) is not None:
        if target.name == "__init__":
            _become_layer(instance, target.base, args, kwargs)
            return None
        prepare(run, instance)
        if target.name == "__call__" and instance.layer is not None:
            return call(run, instance.layer, args, kwargs, span)
    if target.base.startswith(("flax.", "haiku.", "equinox.")):
        return jax_modules.call_method(run, target, args, kwargs, span)
    if target.name == "__init__":
        if (kind := containers.kind_of(run, instance)) is not None:
            containers.fill(run, instance, kind, args)
        elif target.base != "torch.nn.Module":
            _become_layer(instance, target.base, args, kwargs)
        return None
    prepare(run, instance)
    if target.name in BLOCKS and target.base in LAYERS and args:
        return _block(run, instance, target.name, args, span)
    if target.name in ("forward", "__call__"):
        held = containers.contents(run, instance)
        if isinstance(held, Sequential) or instance.layer is not None:
            return call(run, held if isinstance(held, Sequential) else instance.layer, args, kwargs, span)
    return call(run, PlainMethod(instance, target.name), args, kwargs, span)


def _block(run: Interpreter, instance: Instance, name: str, args: Arguments, span: Any) -> Value:
    """A part of torch's own transformer layer: what comes out is as large as what it is given first."""
    value = args[0]
    if name == "_ff_block":
        for part in ("linear1", "activation", "linear2"):
            value = call(run, instance_attribute(run, instance, part), [value], {}, span)
    else:
        attention = instance_attribute(run, instance, "self_attn" if name == "_sa_block" else "multihead_attn")
        read = args[1] if name == "_mha_block" and len(args) > 1 else value
        if run.trace is not None and not isinstance(read, Tensor):
            read = run.trace.held_in(read) or read  # it is a tensor where it is attended to
        value = call(run, attention, [value, read, read], {}, span)
        value = value[0] if isinstance(value, tuple) and value else value
    first = args[0]
    result = value.with_shape(first.shape) if isinstance(value, Tensor) and isinstance(first, Tensor) else first
    return result if run.trace is None else run.trace.as_of(result, value)


def call_instance(run: Interpreter, instance: Instance, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`module(x)`: its forward, or `__call__`."""
    names = ("forward", "__call__") if instance.is_module else ("__call__", "forward")
    for name in names:
        found = run.classes.attribute(instance.cls, name)
        if isinstance(found, Definition) and isinstance(found.node, t.FunctionDef):
            instance_attribute(run, instance, "training")
            own = instance.attributes.get(name)  # `self.forward = self.forward_fast`
            if isinstance(own, Function | Choice):
                return call(run, own, args, kwargs, span)
            return call_function(run, Function(found, instance, True), args, kwargs, span)
    prepare(run, instance)
    if isinstance(own := instance.attributes.get("forward"), Function | Choice):
        return call(run, own, args, kwargs, span)
    held = containers.contents(run, instance)
    if isinstance(held, Sequential) or instance.layer is not None:
        return call(run, held if isinstance(held, Sequential) else instance.layer, args, kwargs, span)
    return Unknown(f"{instance.cls.name} has no forward that is followed", span)
