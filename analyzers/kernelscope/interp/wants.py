"""What the layers and functions that a parameter is given to want of it.

The weights of a layer tell sizes; windows, recurrent layers and unpacked shapes tell how many dims there are.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import itertools
from collections.abc import Sequence

from kernelscope.dims import Dim
from kernelscope.interp.agreement import NOT_TOLD
from kernelscope.interp.annotations import is_said_to_be_another, mentions_tensor
from kernelscope.interp.attributes import instance_attribute
from kernelscope.interp.containers import contents
from kernelscope.interp.expressions import evaluate
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.uses import Uses
from kernelscope.interp.values import (
    Alike,
    Choice,
    Function,
    Instance,
    Scope,
    Sequential,
    Unpacked,
    Value,
    as_size,
    present,
)
from kernelscope.interp.windows import axes_of
from kernelscope.ops import Module
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Size, Tensor, Unknown
from kernelscope.workspace.modules import Definition, Resolved

MAX_DEPTH = 3
"""Functions that give a parameter on are followed so far."""
RECURRENT = ("RNN", "LSTM", "GRU")
LAST_DIM_SETTINGS = ("in_features", "normalized_shape")
TURNING = {"permute", "transpose", "movedim", "swapaxes", "moveaxis"}
NAMED = ("positional", "normal", "keyword")
ANY = Unknown(NOT_TOLD)


def wanted(run: Interpreter, scope: Scope, uses: Uses, name: str, depth: int = 0) -> Shape | None:
    """What a parameter has to be like; None where nothing that it is given to takes a tensor."""
    found: Shape | None = None
    for func, place in uses.given.get(name, []):
        root = (t.dotted(func) or name).partition(".")[0]
        if isinstance(func, t.Name) and uses.bindings.get(root) == 1 and root in uses.rounds:
            shape = _of_each(run, target_of(run, scope, uses.rounds[root]), place, depth)
            found = shape if found is None else found
            continue
        if root in uses.bindings and not isinstance(scope.names.get(root), Instance):
            continue  # what a local name holds is not known yet
        shape = _of(run, target_of(run, scope, func), place, depth)
        found = shape if found is None else _both(found, shape)
    return found


def is_object(run: Interpreter, scope: Scope, uses: Uses, name: str, depth: int = 0) -> bool:
    """Whether a parameter holds no tensor: here, or in a function of the workspace that it is handed on to, it is
    called or asked for what tensors do not have."""
    if name in uses.objects or depth == MAX_DEPTH or (name in uses.tensors and name not in uses.handed):
        return name in uses.objects
    if name in uses.handed and _is_for_others(run, scope, uses, name, depth):
        return True
    for func, place in uses.given.get(name, []):
        if (t.dotted(func) or name).partition(".")[0] in uses.bindings.keys() - scope.names.keys():
            continue
        target = target_of(run, scope, func)
        if isinstance(target, Function):
            inner, called = entered(target), parameter_for(target, place)
            if called and is_said_to_be_another(run, target.definition.path, _node(target), called):
                return True
            if called and is_object(run, inner, run.uses(_node(target)), called, depth + 1):
                return True
    return False


def _is_for_others(run: Interpreter, scope: Scope, uses: Uses, name: str, depth: int) -> bool:
    """Whether nothing that a parameter is given to takes a tensor for what is known: methods that do with it what one
    does with any number, or, of an object that is no layer, what it holds: `self.tokenizer.encode(text)`."""
    calls = [(func, place, t.dotted(func) or "") for func, place in uses.given.get(name, [])]
    owner = scope.names.get(calls[0][2].partition(".")[0]) if calls else None
    if not isinstance(owner, Instance):
        return False
    for func, place, called in calls:
        target = target_of(run, scope, func)
        if isinstance(target, Function):
            if _takes_tensor(run, target, place, depth):
                return False
        elif owner.is_module or called.count(".") < 2 or isinstance(target, Instance | Module):
            return False
    return True


def _takes_tensor(run: Interpreter, function: Function, place: int | str, depth: int) -> bool:
    """Whether a function of the workspace does with an argument what is done with tensors."""
    name, uses, inner = parameter_for(function, place), run.uses(_node(function)), entered(function)
    if not name or name in uses.likely or name in uses.unpacked or name in uses.patterns:
        return True
    if name in uses.tensors:
        return name not in uses.handed or depth == MAX_DEPTH or not is_object(run, inner, uses, name, depth + 1)
    param = next(p for p in _node(function).args if p.name == name)
    return mentions_tensor(param.annotation) or wanted(run, inner, uses, name, depth + 1) is not None


def target_of(run: Interpreter, scope: Scope, func: t.Expr) -> Value:
    """What a callee of a function is before it runs."""
    run.quiet += 1
    try:
        return present(evaluate(run, scope, func))
    finally:
        run.quiet -= 1


def one_of(several: Value) -> Value:
    """What stands for one of several layers."""
    match several:
        case Alike(element=element) | Sequential(parts=[element, *_]) | [element, *_]:
            return present(element)
        case _:
            return several


def _both(one: Shape, other: Shape | None) -> Shape:
    """What two uses want; the first is believed where they differ, but for the number of dims nobody is."""
    if other is None or one == other:
        return one
    if one.rank is not None and other.rank is not None and one.rank != other.rank:
        return Shape.unknown(NOT_TOLD)
    if one.dims is not None and other.dims is not None:
        return Shape(tuple(a if isinstance(a, Dim) else b for a, b in zip(one.dims, other.dims, strict=True)))
    whole, part = (one, other) if one.dims is not None else (other, one)
    if whole.dims is None or not part.tail or len(part.tail) > len(whole.dims):
        return one if one.least_rank >= other.least_rank else other
    last = whole.dims[-1]
    return whole if isinstance(last, Dim) else Shape((*whole.dims[:-1], part.tail[-1]))


def _of_any(shapes: Sequence[Shape | None]) -> Shape | None:
    """What every one of several wants. Convolutions over one, two or three axes want the batch and so many channels."""
    first, *others = shapes
    if all(other == first for other in others):
        return first
    heads = [() if shape is None else shape.head for shape in shapes]
    agreed = itertools.takewhile(lambda sizes: all(size == sizes[0] for size in sizes), zip(*heads, strict=False))
    return Shape(tuple(sizes[0] for sizes in agreed), (), NOT_TOLD)  # at least one takes a tensor


def _of_each(run: Interpreter, several: Value, place: int | str, depth: int) -> Shape | None:
    """What the layers that a loop goes through want of what the first of them is given."""
    match several:
        case Sequential(parts=[Unpacked(value=spread), *_]) | [Unpacked(value=spread), *_]:
            shape = _of(run, one_of(spread), place, depth)
            tells = shape is not None and any(isinstance(size, Dim) for size in (*shape.head, *(shape.tail or ())))
            return shape if tells and shape is not None and _is_of_all(run, shape) else None
        case _:
            shape = _of(run, one_of(several), place, depth)
            is_of_first = shape is None or not isinstance(several, Alike) or _is_of_all(run, shape)
            return shape if is_of_first else Shape.unknown(NOT_TOLD)


def _is_of_all(run: Interpreter, shape: Shape) -> bool:
    """Whether what stands for all layers of a list has the sizes of each: none that a loop left open."""
    return run.symbols.reasons.keys().isdisjoint(shape.names())


def _of(run: Interpreter, target: Value, place: int | str, depth: int) -> Shape | None:
    """What a callable wants of one argument."""
    match target:
        case Sequential(parts=[first, *_]):
            return _of(run, first, place, depth)
        case Choice(followed=ways):
            return _of_any([_of(run, present(way), place, depth) for way in ways])
        case Module() if place in (0, "input"):
            return _of_layer(target)
        case Instance():
            weight = instance_attribute(run, target, "weight")
            method = run.classes.attribute(target.cls, "forward" if target.is_module else "__call__")
            is_as_usual = place == 0 and not _is_of_other_axis(method)
            if is_as_usual and isinstance(target.layer, Module) and (shape := _of_layer(target.layer)) is not None:
                return shape
            if is_as_usual and isinstance(weight, Tensor) and weight.rank == 1:
                return Shape((), weight.shape.head, NOT_TOLD)
            if isinstance(method, Definition) and depth < MAX_DEPTH:
                return _of_function(run, Function(method, target, True), place, depth)
            held = contents(run, target)
            return _of(run, held, place, depth) if isinstance(held, Sequential) else None
        case Function() if depth < MAX_DEPTH:
            return _of_function(run, target, place, depth)
        case _:
            pass
    return None


def _is_of_other_axis(method: Resolved) -> bool:
    """Whether a method turns its axes, or gives its weight more of them: it is not the last axis that is weighted."""
    if not isinstance(method, Definition) or not isinstance(method.node, t.FunctionDef):
        return False
    for node in t.walk(*method.node.body):
        match node:
            case t.Call(func=t.Attribute(attr=attr)) if attr in TURNING:
                return True
            case t.Subscript(value=t.Attribute(value=t.Name(), attr="weight"), slice=t.Tuple()):
                return True
            case _:
                pass
    return False


def _of_layer(layer: Module) -> Shape | None:
    axes = axes_of(layer.name)
    if axes is not None:
        is_norm = "Norm" in layer.name
        if is_norm and axes == 1:
            return None  # of vectors, or of sequences of them
        channels = layer.settings.get("num_features" if is_norm else "in_channels")
        return Shape((ANY, _size(channels), *[ANY] * axes))
    if layer.name.rpartition(".")[2] in RECURRENT:
        return Shape((ANY, ANY, _size(layer.settings.get("input_size"))))
    for setting in LAST_DIM_SETTINGS:
        value = layer.settings.get(setting)
        size = _size(value[0] if isinstance(value, tuple | list) and len(value) == 1 else value)
        if isinstance(size, Dim) and "Embedding" not in layer.name:
            return Shape((), (size,), NOT_TOLD)
    return None


def _size(value: Value) -> Size:
    size = as_size(value)
    return size if isinstance(size, Dim) else ANY


def _of_function(run: Interpreter, function: Function, place: int | str, depth: int) -> Shape | None:
    """What a function of the workspace wants of a parameter."""
    name, uses = parameter_for(function, place), run.uses(_node(function))
    if (sizes := uses.unpacked.get(name)) is not None:
        return Shape((ANY,) * len(sizes))
    if name in uses.ranks:
        return Shape((ANY,) * uses.ranks[name])
    found = wanted(run, entered(function), uses, name, depth + 1)
    is_tensor = found is None and name in uses.tensors and not is_object(run, entered(function), uses, name, depth + 1)
    return Shape.unknown(NOT_TOLD) if is_tensor else found


def _node(function: Function) -> t.FunctionDef:
    node = function.definition.node
    assert isinstance(node, t.FunctionDef)
    return node


def parameter_for(function: Function, place: int | str) -> str:
    """The name of the parameter that an argument is given to, by its position or name."""
    node = _node(function)
    parameters = node.args[1:] if function.is_bound else node.args
    return next((p.name for i, p in enumerate(parameters) if place in (i, p.name) and p.kind in NAMED), "")


def entered(function: Function) -> Scope:
    """The variables of a function of which nothing is known but its own object."""
    node = _node(function)
    own = {node.args[0].name: function.receiver} if function.is_bound and node.args else {}
    return Scope(function.definition.path, function, own, function.closure)
