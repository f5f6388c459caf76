"""`value.name` and `value[index]` for every kind of value."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kernelscope import ops
from kernelscope.dims import Dim, dim
from kernelscope.interp import autograd, records
from kernelscope.interp.agreement import agreed
from kernelscope.interp.declared_fields import declared, in_place_of_none
from kernelscope.interp.environment import variable
from kernelscope.interp.families import MODULES, held_under, layers_by_name
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.kernel_writes import launch
from kernelscope.interp.open_shapes import last_of, part_of
from kernelscope.interp.overridden import overridden
from kernelscope.interp.prepared_objects import prepare, stored_elsewhere
from kernelscope.interp.promised_objects import promised_attribute
from kernelscope.interp.registries import looked_up, named_key
from kernelscope.interp.sequences import Mapping, element_at, is_callable
from kernelscope.interp.texts import part_of_text
from kernelscope.interp.values import (
    Alike,
    Choice,
    Class,
    Copied,
    External,
    Flag,
    Function,
    Instance,
    LayerMethod,
    Maybe,
    Number,
    Opaque,
    Open,
    Partial,
    PlainMethod,
    Scope,
    Sequential,
    SuperValue,
    TensorMethod,
    Value,
    as_size,
    for_op,
    present,
)
from kernelscope.interp.windows import are_for_any_axes
from kernelscope.ops import Module, ShapeError
from kernelscope.ops.torch.transformer_parts import BLOCKS, LAYERS, parts_of
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import DTYPES, NUMPY, Called, Fields, Several, Shape, Tensor, Unknown, UnknownDType
from kernelscope.tensor.slicing import sliced
from kernelscope.workspace.modules import Definition, ModuleRef
from kernelscope.workspace.modules import External as OutsideName

ELEMENT = "an element"
"""Why it is not known what a configuration holds under a key that is not known."""
MODULE_METHODS = {
    "__init__", "__call__", "forward", "extra_repr", "_get_name", "add_module", "register_module", "register_buffer",
    "register_parameter", "register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook",
    "get_submodule", "get_parameter", "get_buffer", "set_submodule", "apply", "cuda", "cpu", "to", "to_empty", "type",
    "float", "double", "half", "bfloat16", "train", "eval", "requires_grad_", "zero_grad", "share_memory", "compile",
    "state_dict", "load_state_dict", "parameters", "named_parameters", "buffers", "named_buffers", "children",
    "named_children", "modules", "named_modules", "append", "extend", "insert", "pop", "keys", "values", "items",
    "update", "clear", "reset_parameters", "_save_to_state_dict", "_load_from_state_dict", "_apply", "__getattr__",
    "__setattr__", "__dir__", "__getitem__", "__len__", "__iter__", "__contains__",
}  # fmt: skip
"""What a class gets from torch's layers besides what its own methods store."""
LINEN_METHODS = {
    "__init__", "__call__", "apply", "init", "init_with_output", "bind", "param", "variable", "sow", "perturb",
    "make_rng", "is_initializing", "has_variable", "has_rng", "is_mutable_collection", "get_variable", "put_variable",
}  # fmt: skip
INHERITED = {"torch.nn.": MODULE_METHODS, "flax.": LINEN_METHODS, "haiku.": {"__init__", "__call__"},
             "equinox.": {"__init__"}}  # fmt: skip
"""The methods that classes get from the layers of a library."""
LIBRARIES = tuple(INHERITED)
UNKNOWN_INDEX = "an index"
SHAPING = ("view", "reshape", "permute", "expand")
"""Methods of tensors that tell how many dims come out, whatever they are asked of."""
TUPLES = ("count", "index")
"""Methods of tuples."""
NUMEL = "numel"
"""What a part of a shape has besides."""
ABOUT = ("shape", "dtype", "device", "ndim", "config")
"""Attributes of what may be a tensor that are none of its numbers."""


def shaping_method(run: Interpreter, reason: str, name: str, asked: Value = None) -> TensorMethod:
    """A method that only tensors have, of something of which nothing else is known."""
    tensor = Tensor(Shape.unknown(reason))
    if run.trace is not None and asked is not None:
        tensor = run.trace.as_of(tensor, asked)
        run.trace.replaced(asked, tensor)  # what is done to it in place is done to what was asked
    assert isinstance(tensor, Tensor)
    return TensorMethod(tensor, name, run.tensors())


def attribute(run: Interpreter, value: Value, name: str, span: Any) -> Value:
    """`value.name`."""
    value = present(value)
    match value:
        case Tensor():
            library = "jax.Array" if value.place == NUMPY else run.tensors()
            if library != "torch.Tensor" and (held := _array_attribute(value, name)) is not None:
                return held
            found = ops.attribute(value, name)
            if name == "T" and library == "torch.Tensor" and run.symbols.trial is not None:
                run.symbols.trial.transposed(value.shape)
            if isinstance(found, Unknown) and not isinstance(found, UnknownDType):
                return TensorMethod(value, name, library)
            if isinstance(found, Tensor):
                return run.operated(f"torch.Tensor.{name}", [value], {}, span, found)
            return found
        case TensorMethod(name="at"):
            return TensorMethod(value.value, name, f"{value.of}.at", value.picked)
        case Instance():
            return instance_attribute(run, value, name)
        case Opaque():
            if value.cls is not None and not run.certain and (told := promised_attribute(run, value, name)) is not None:
                return told
            from kernelscope.interp.second_names import first_name

            written, held = value.attribute(name), value.attribute(first_name(run, value.name, name))
            bound = run.configuration
            number = None if bound is None else bound.number(written.name) or bound.number(held.name)
            return held if number is None else number
        case External():
            return run.outside_name(f"{value.name}.{name}")
        case ModuleRef():
            return run.member(value, name)
        case Module():
            return layer_attribute(value, name)
        case Class():
            if name == autograd.APPLY and records.derives(run, value.definition, autograd.FUNCTIONS):
                return _differentiated(run, value)
            found = run.classes.attribute(value.definition, name)
            held = _class_attribute(run, found, value)
            if isinstance(held, Unknown) and records.derives(run, value.definition, records.ENUMERATIONS):
                return f"{value.definition.name}.{name}"
            return held
        case str() if name in ("value", "name"):
            return value  # a member of an enumeration
        case Sequential() if name in value.names:
            return value.parts[value.names.index(name)]
        case SuperValue():
            cls = value.receiver.cls if isinstance(value.receiver, Instance) else value.receiver.definition
            found = run.workspace.classes.super_attribute(value.owner, cls, name, run.classes.mro(cls))
            return _class_attribute(run, found, value.receiver)
        case Copied() if name == autograd.SAVE:
            return PlainMethod(value, name)
        case Copied():
            return value[name] if name in value else attribute(run, value.of, name, span)
        case dict() if name in value:
            return value[name]
        case Fields() if name in value.names:
            return value.field(name)
        case Function() if _is_wrapped(run, value):
            return value  # a variant of it: `norm.maybe_inplace(x, residual)`
        case tuple() if type(value) is tuple and name not in (*TUPLES, NUMEL) and not run.forks:
            lost = Unknown(f"a tuple has no {name}", span)  # so it is what another way through the code leaves
            return attribute(run, lost if run.trace is None else run.trace.as_of(lost, value), name, span)
        case list() | dict() | tuple() | str() | Shape() | Alike() | Sequential():
            return PlainMethod(value, name)
        case Unknown() if name in SHAPING:
            return shaping_method(run, value.reason, name, value)
        case Called() if run.running:
            return run.symbols.part(run.running[-1], value, name)
        case Unknown():
            return replace(value) if name in ABOUT else value
        case Choice():
            return _of_any([attribute(run, entry, name, span) for entry in value.followed])
        case _:
            return Unknown(f"the attribute {name} is not followed", span)


def _array_attribute(value: Tensor, name: str) -> Value:
    """What an array of JAX has besides: its number of elements; a variable of Flax is its value."""
    match name:
        case "size":
            return value.shape.numel()
        case "value" | "raw_value":
            return value
        case _:
            return None


def _differentiated(run: Interpreter, cls: Class) -> Value:
    """`Function.apply` of autograd, which calls the class's `forward` with a context first."""
    forward = run.classes.attribute(cls.definition, autograd.FORWARD)
    if not isinstance(forward, Definition) or not isinstance(forward.node, t.FunctionDef):
        return Unknown(f"{cls.definition.name} has no forward that is followed")
    parameters = forward.node.args
    return Partial(Function(forward), (Copied(Opaque(parameters[0].name)),) if parameters else (), {})


def _is_wrapped(run: Interpreter, function: Function) -> bool:
    """Whether a decorator of the workspace makes an object of a function, which has the function's work done."""
    node = function.definition.node
    if run.certain or not isinstance(node, t.FunctionDef) or function.definition.owner is not None:
        return False
    heads = (t.dotted(d.func if isinstance(d, t.Call) else d) for d in node.decorator_list)
    return any(isinstance(run.module_name(function.definition.path, h), Function | Class) for h in heads if h)


def _of_any(found: list[Value]) -> Value:
    """An attribute of one of several objects, of which those that lack it are not meant."""
    held = [value for value in found if not isinstance(value, Unknown)]
    if not held:
        return found[0]
    if len(held) > 1 and all(is_callable(value) for value in held):
        return Choice(held)
    result = held[0]
    for other in held[1:]:
        result = agreed(result, other)
    return result


def layer_attribute(layer: Module, name: str) -> Value:
    """What a layer of a library holds: a parameter, a setting, or a method of its own."""
    if name in layer.parameters:
        return layer.parameters[name]
    if (part := parts_of(layer).get(name)) is not None:
        return part
    if name == "bias":
        if isinstance(layer.settings.get(name, False), bool):
            return None
        other = ops.build(layer.name, [], {**layer.settings, name: True})  # whether there is one is not known
        held = other.parameters.get(name) if isinstance(other, Module) else None
        return Unknown("whether the layer has a bias") if held is None else Maybe(held)
    if name in layer.settings:
        return layer.settings[name]
    return PlainMethod(layer, name)


def instance_attribute(run: Interpreter, instance: Instance, name: str) -> Value:
    """What `self.name` is: stored by `__init__`, or defined by the class."""
    prepare(run, instance)
    if name in instance.attributes:
        held = instance.attributes[name]
        if isinstance(held, list | dict | tuple | Instance) and (
            (instance.is_module and instance.is_ready) or id(instance.attributes) in run.changes.lasting.held
        ):
            run.changes.lasting.hold(held)
        is_open = (held is None or run.certain) and not run.symbols.building
        is_open = is_open and run.classes.is_stored_later(instance.cls, name)
        if isinstance(held, Unknown | Number) and (told := declared(run, instance, name)) is not None:
            return told
        if isinstance(held, Unknown) and (method := _method_in_place_of(run, instance, name)) is not None:
            return method
        return stored_elsewhere(run, instance, name) if is_open else held
    found = run.classes.attribute(instance.cls, name)
    if (other := overridden(run, instance, found)) is not None:
        return other
    value = _class_attribute(run, found, instance)
    if isinstance(value, Unknown):
        if (held := held_under(instance, name)) is not None:
            return held
        if (key := named_key(run, instance, name)) is not None:
            return key
        if name == MODULES and instance.is_module and (layers := layers_by_name(run, instance)) is not None:
            return layers
        if name == "training":
            return Flag("whether the model is training")
        if name == "config":
            return Opaque("config")
        if run.classes.storing(instance.cls, name):
            return Opaque(f"self.{name}")
    return in_place_of_none(run, instance, name, found) if value is None else value


def _method_in_place_of(run: Interpreter, instance: Instance, name: str) -> Function | None:
    """The method of the class where an object stores under its name what is not followed: as a rule it is the method
    compiled, wrapped or generated, which does the same."""
    match None if run.certain else run.classes.attribute(instance.cls, name):
        case Definition(node=t.FunctionDef(decorator_list=[])) as method:
            return Function(method, instance, True)
        case _:
            return None


def _class_attribute(run: Interpreter, found: object, holder: Instance | Class) -> Value:
    """What a class defines, as its object or the class itself is asked for it."""
    receiver = holder if isinstance(holder, Instance) else None
    match found:
        case Definition(node=t.FunctionDef() as node):
            names = {t.dotted(d) or t.dotted(getattr(d, "func", d)) or "" for d in node.decorator_list}
            short = {name.rpartition(".")[2] for name in names}
            if "classmethod" in short:
                return Function(found, Class(holder.cls) if isinstance(holder, Instance) else holder, True)
            function = Function(found, receiver, receiver is not None and "staticmethod" not in short)
            if short & {"property", "cached_property"} and receiver is not None:
                from kernelscope.interp.calls import call

                return call(run, function, [], {}, node.span)
            return function
        case Definition(node=t.ClassDef()):
            return Class(found)
        case Definition(node=t.Assign(value=value)) | Definition(node=t.AnnAssign(value=value)) if value is not None:
            from kernelscope.interp.class_tables import class_table
            from kernelscope.interp.expressions import evaluate

            if (table := class_table(run, found)) is not None:
                return dict(table)
            run.quiet += 1
            try:
                return evaluate(run, Scope(found.path), value)
            finally:
                run.quiet -= 1
        case OutsideName():
            base, _, method = found.dotted.rpartition(".")
            inherited = (methods for library, methods in INHERITED.items() if found.dotted.startswith(library))
            is_block = base in LAYERS and method in BLOCKS
            if receiver is not None and (is_block or method in next(inherited, ())):
                return LayerMethod(receiver, base, method)
            if (
                receiver is not None
                and receiver.is_module
                and method in MODULE_METHODS
                and not base.startswith(LIBRARIES)
            ):
                return LayerMethod(receiver, "torch.nn.Module", method)
            if receiver is not None and base in records.DICTS:
                return PlainMethod(receiver, method)
            return Unknown(f"{found.dotted} is not followed")
        case _:
            return Unknown("no class of the workspace defines it")


def chosen(entries: list[Value], span: Any) -> Value:
    """What a table of functions, classes or tensors gives for a key that is not known."""
    if entries and all(is_callable(e) for e in entries):
        return entries[0] if len(entries) == 1 else Choice(entries, is_of_table=not are_for_any_axes(entries))
    if entries and all(type(e) is tuple and len(e) == len(entries[0]) for e in entries):
        return tuple(chosen(list(parts), span) for parts in zip(*entries, strict=True))
    if entries and all(isinstance(entry, Tensor) for entry in entries):
        return _of_any(entries)
    if entries and all(isinstance(entry, list) and all(map(is_callable, entry)) for entry in entries):
        listed = [part for entry in entries if isinstance(entry, list) for part in entry]
        return Alike(chosen(listed, span)) if listed else []
    return Unknown("a key that is not known", span)


def _is_in_front_of_one(sizes: Value, index: Value) -> bool:
    """`shape[:-1]` of a vector: nothing is left."""
    leads = isinstance(index, slice) and index.start is None and index.stop == dim(-1) and index.step is None
    return leads and isinstance(sizes, tuple) and len(sizes) == 1 and isinstance(sizes[0], Dim)


def _as_index(item: Value) -> Value:
    """One index for an operator: an object of a type that is not known may be an array as well as a number, and so may
    what an unknown container holds. A number is an integer here, whichever it is."""
    item = present(item)
    if isinstance(item, Number):
        return dim(UNKNOWN_INDEX)
    if isinstance(item, Opaque) and (item.is_typed or item.is_element):
        return Unknown(f"what {item.name} is is not known")
    if isinstance(item, Opaque) and item.is_untold:  # one number, or a tensor of them
        return Tensor(Shape.unknown(f"what {item.name} is is not known"), DTYPES["int64"])
    return for_op(item)


def subscript(run: Interpreter, value: Value, index: Value, span: Any) -> Value:
    """`value[index]`."""
    value, index = present(value), present(index)
    match value:
        case Tensor():
            if isinstance(index, str):
                if run.symbols.trial is not None:
                    raise ShapeError("index", "a tensor has no items by names")
                return Unknown("a subscript that is not followed", span)
            if isinstance(index, Alike) and isinstance(present(index.element), slice):
                return value.with_shape(Shape.unknown(value.shape.reason))
            if isinstance(index, list) and any(isinstance(part, slice) or part in (None, ...) for part in index):
                index = tuple(index)  # what is taken of each axis: `[slice(None)] * x.ndim`
            items = index if isinstance(index, tuple) else (index,)
            given = tuple(_as_index(item) for item in items)
            if run.symbols.trial is not None:
                run.symbols.trial.indexed(value.shape, given)
            result = run.operate(lambda facts: ops.index(value, given, facts))
            return run.operated("torch.Tensor.__getitem__", [value, index], {}, span, result)
        case tuple() | list():
            if run.symbols.trial is not None and _is_in_front_of_one(value, index):
                raise ShapeError("rank", "what is asked for its axes in front of the last has some")
            if run.symbols.trial is not None and isinstance(index, slice) and index.stop is None:
                run.symbols.trial.measured(value, index.start)
            return element_at(value, index, span)
        case str():
            return part_of_text(value, index, span)
        case Shape():
            if value.dims is not None:
                return element_at(tuple(value.dims), index, span)
            if isinstance(index, slice):
                return part_of(value, index)
            number = index.const if isinstance(index, Dim) else None
            return Unknown("a size of a tensor of unknown rank", span) if number is None else value.size(number)
        case dict():
            if (isinstance(index, str | bool | Dim | Opaque | Unknown) or index is None) and index in value:
                return value[index]
            if isinstance(value, Open) and isinstance(index, str):
                return chosen([], span)
            return chosen(list(value.values()), span)
        case Mapping():
            known = isinstance(index, str) and index in value.entries
            return value.entries[index] if known else chosen(list(value.entries.values()), span)
        case TensorMethod(name="at"):
            return TensorMethod(value.value, value.name, value.of, subscript(run, value.value, index, span))
        case Alike(called=name) if name and isinstance(index, Dim):
            return Opaque(f"{name}[{index!r}]")
        case Alike():
            return Alike(value.element, _count_of(value.count, index)) if isinstance(index, slice) else value.element
        case Instance() if records.is_sequence(run, value):
            instance_attribute(run, value, "__class__")
            return records.item(run, value, index, span)
        case Instance():
            from kernelscope.interp.containers import contents

            if (found := looked_up(run, value, index, span)) is not None:
                return found
            method = instance_attribute(run, value, "__getitem__")
            if isinstance(method, Unknown | LayerMethod) and (held := contents(run, value)) is not None:
                return subscript(run, held, index, span)
            from kernelscope.interp.calls import call

            given = call(run, method, [index], {}, span)
            if run.trace is None or not isinstance(given, Unknown) or run.trace.origins(given):
                return given
            return run.trace.part((*value.attributes.values(),), given)  # it is of what the object holds
        case Sequential():
            found = element_at(value.parts, index, span)
            return Sequential(found) if isinstance(found, list) else found
        case Opaque():
            if isinstance(index, Dim | str):
                return Opaque(f"{value.name}[{index!r}]")
            return last_of(value, index) or Unknown(ELEMENT, span)
        case Several():
            return value.element
        case Choice():
            return _of_any([subscript(run, entry, index, span) for entry in value.followed])
        case External(name="os.environ"):
            return variable(index, span)
        case Function() if (found := launch(run.workspace.modules, value.definition)) is not None:
            return found
        case Unknown(reason=reason):
            if reason == ELEMENT and isinstance(index, str) and not run.certain:
                return Number(ELEMENT)  # a setting of one kind
            return Unknown(reason, value.span) if isinstance(value, Called) else value
        case _:
            return Unknown("a subscript that is not followed", span)


def _count_of(count: Value, part: slice) -> Value:
    """How many a slice takes of so many, or of elements that are not counted: as many as it asks for."""
    start, stop, whole = as_size(part.start), as_size(part.stop), as_size(count)
    is_of_first = start is None and part.step is None and isinstance(stop, Dim)
    if is_of_first and (stop.const is None or stop.const >= 0):
        return stop
    length = sliced(whole, start, stop, part.step) if isinstance(whole, Dim) else None
    return length if isinstance(length, Dim) else None
