"""JAX's functions of functions: mapping over axes, scans and loops, branches, gradients, trees of arrays.

Source: https://docs.jax.dev/en/latest/jax.html and jax.lax.html. What is mapped or scanned over loses its axis while
the function runs once, and what comes back gets it.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kernelscope.dims import Dim, dim
from kernelscope.interp.agreement import joined
from kernelscope.interp.calls import call
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.values import (
    Arguments,
    External,
    Function,
    Keywords,
    Maybe,
    Number,
    Partial,
    Scope,
    Value,
    as_size,
    present,
)
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Size, Tensor, Unknown

MAPPED, DIFFERENTIATED = "jax.vmap()", "jax.grad()"
"""What `jax.vmap(f)` and `jax.grad(f)` give, before it is called."""
NOT_MAPPED = Unknown("what is mapped over is not an array")
NO_FUNCTION = "a function of functions is not given any"
"""Said of a call that lacks what it is to call."""


def decorated(run: Interpreter, function: Function) -> Value:
    """A function as its decorators of JAX make it: `@jax.vmap`, `@partial(jax.grad, argnums=1)`."""
    from kernelscope.interp.expressions import evaluate

    node, path = function.definition.node, function.definition.path
    assert isinstance(node, t.FunctionDef)
    value: Value = function
    for decorator in reversed(node.decorator_list):
        called = decorator if isinstance(decorator, t.Call) else None
        head = decorator if called is None else called.func
        if called is not None and (t.dotted(head) or "").rpartition(".")[2] == "partial" and called.args:
            head = called.args[0]
        name = t.dotted(head)
        meant = None if name is None else run.module_name(path, name)
        if isinstance(meant, External) and meant.name in _MAKERS:
            given = {} if called is None else {k.arg: k.value for k in called.keywords if k.arg is not None}
            kwargs = {key: evaluate(run, Scope(path), expression) for key, expression in given.items()}
            value = FUNCTIONS[meant.name](run, [value], kwargs, node.span)
    return value


def _vmap(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`jax.vmap(f, in_axes=0, out_axes=0)`."""
    names = dict(zip(("fun", "in_axes", "out_axes"), args, strict=False)) | kwargs
    if "fun" not in names:
        return Partial(External("jax.vmap"), (), kwargs)
    given = (names["fun"], names.get("in_axes", dim(0)), names.get("out_axes", dim(0)))
    return Partial(External(MAPPED), given, {})


def _mapped(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    function, in_axes, out_axes, *given = args
    return mapped(run, function, in_axes, out_axes, None, given, kwargs, span)


def mapped(
    run: Interpreter,
    function: Value,
    in_axes: Value,
    out_axes: Value,
    size: Value,
    given: Arguments,
    kwargs: Keywords,
    span: Any,
) -> Value:
    """A function over all that lies along axes of what it is given; `size` is how much where no array tells."""
    each = list(in_axes) if isinstance(in_axes, tuple | list) else [in_axes] * len(given)
    if len(each) != len(given):
        return Unknown("the mapped axes are not known", span)
    length = next((n for v, axis in zip(given, each, strict=True) if (n := _length(v, axis)) is not None), size)
    inner = [_without(v, axis) for v, axis in zip(given, each, strict=True)]
    named = {name: _without(value, dim(0)) for name, value in kwargs.items()}
    result = call(run, function, inner, named, span)
    size = length if isinstance(length, Dim) else Unknown("the length of what is mapped over is not known")
    outs = list(out_axes) if isinstance(out_axes, tuple | list) else out_axes
    if isinstance(outs, list) and isinstance(result, tuple) and len(outs) == len(result):
        return tuple(_with(v, size, axis) for v, axis in zip(result, outs, strict=True))
    return (
        Unknown("the axes of the result are not known", span) if isinstance(outs, list) else _with(result, size, outs)
    )


def leaves(value: Value, change: Callable[[Value], Value]) -> Value:
    """A tree of arrays with each array changed."""
    match value:
        case tuple() if type(value) is tuple:
            return tuple(leaves(v, change) for v in value)
        case list():
            return [leaves(v, change) for v in value]
        case dict():
            return {key: leaves(v, change) for key, v in value.items()}
        case Maybe():
            return Maybe(leaves(value.value, change), value.name)
        case _:
            return change(value)


def _length(value: Value, axis: Value) -> Size | None:
    """How long the mapped axis of the first array of a tree is."""
    found: list[Size] = []

    def note(leaf: Value) -> Value:
        if isinstance(leaf, Tensor) and isinstance(axis, Dim) and axis.const is not None:
            found.append(leaf.shape.size(axis.const))
        return leaf

    leaves(value, note)
    return next((size for size in found if isinstance(size, Dim)), None)


def _without(value: Value, axis: Value) -> Value:
    """A tree without the mapped axis of its arrays."""
    if axis is None:
        return value

    def drop(leaf: Value) -> Value:
        if isinstance(leaf, Unknown) or leaf is None:
            return leaf
        if not isinstance(leaf, Tensor) or not isinstance(axis, Dim) or axis.const is None:
            return NOT_MAPPED
        return leaf.with_shape(_dropped(leaf.shape, axis.const))

    return leaves(value, drop)


def _dropped(shape: Shape, axis: int) -> Shape:
    if shape.dims is not None:
        if not -len(shape.dims) <= axis < len(shape.dims):
            return Shape.unknown("the mapped axis does not exist")
        at = axis % len(shape.dims)
        return Shape((*shape.dims[:at], *shape.dims[at + 1 :]))
    if 0 <= axis < len(shape.head):
        return Shape((*shape.head[:axis], *shape.head[axis + 1 :]), shape.tail, shape.reason)
    if axis == 0:
        return Shape((), shape.tail, shape.reason)
    return Shape.unknown(shape.reason or "the rank is not known")


def _with(value: Value, size: Size, axis: Value) -> Value:
    """A tree with the mapped axis put back."""

    def add(leaf: Value) -> Value:
        if leaf is None or isinstance(leaf, Unknown):
            return leaf
        if axis is None:
            return leaf
        if isinstance(leaf, Dim | Number | float | bool):
            return Tensor(Shape((size,)), Unknown("the kind of a number"))
        if not isinstance(leaf, Tensor) or not isinstance(axis, Dim) or axis.const is None:
            return NOT_MAPPED
        return leaf.with_shape(_grown(leaf.shape, axis.const, size))

    return leaves(value, add)


def _grown(shape: Shape, axis: int, size: Size) -> Shape:
    if shape.dims is not None:
        rank = len(shape.dims) + 1
        if not -rank <= axis < rank:
            return Shape.unknown("the mapped axis does not exist")
        at = axis % rank
        return Shape((*shape.dims[:at], size, *shape.dims[at:]))
    if 0 <= axis <= len(shape.head):
        return Shape((*shape.head[:axis], size, *shape.head[axis:]), shape.tail, shape.reason)
    return Shape.unknown(shape.reason or "the rank is not known")


def _over_elements(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`jax.lax.map(f, xs)`."""
    if len(args) < 2:
        return Unknown(NO_FUNCTION, span)
    return _mapped(run, [args[0], dim(0), dim(0), args[1]], {}, span)


def _grad(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any, with_value: bool = False) -> Value:
    """`jax.grad(f, argnums=0, has_aux=False)`."""
    names = dict(zip(("fun", "argnums", "has_aux"), args, strict=False)) | kwargs
    if "fun" not in names:
        return Partial(External("jax.value_and_grad" if with_value else "jax.grad"), (), kwargs)
    given = (names["fun"], names.get("argnums", dim(0)), names.get("has_aux", False), with_value)
    return Partial(External(DIFFERENTIATED), given, {})


def _differentiated(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """Gradients have the shapes of what they are taken by."""
    function, argnums, has_aux, with_value, *given = args
    result = call(run, function, given, kwargs, span)
    places = argnums if isinstance(argnums, tuple | list) else (argnums,)
    found: list[Value] = []
    for place in places:
        number = place.const if isinstance(place, Dim) else None
        known = number is not None and number < len(given)
        found.append(given[number or 0] if known else Unknown("what the gradient is taken by is not known"))
    gradients = tuple(found) if isinstance(argnums, tuple | list) else found[0]
    if with_value:
        return result, gradients
    aux = result[1] if isinstance(result, tuple) and len(result) == 2 else Unknown("what the function gives besides")
    return (gradients, aux) if has_aux is True else gradients


def _value_and_grad(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    return _grad(run, args, kwargs, span, with_value=True)


def _scan(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`carry, ys = jax.lax.scan(f, init, xs, length=None)`: the carry keeps its shapes, `ys` are stacked."""
    names = dict(zip(("f", "init", "xs", "length"), args, strict=False)) | kwargs
    if "f" not in names or "init" not in names:
        return Unknown(NO_FUNCTION, span)
    over = [names.get("xs")]
    return scanned(run, names["f"], names["init"], over, [dim(0)], dim(0), as_size(names.get("length")), span)


def scanned(
    run: Interpreter,
    function: Value,
    init: Value,
    over: list[Value],
    in_axes: list[Value],
    out_axis: Value,
    size: Value,
    span: Any,
) -> Value:
    """What is carried, and what a function gives besides for all that lies along axes of what it goes over."""
    pairs = list(zip(over, in_axes, strict=True))
    length = next((n for value, axis in pairs if (n := _length(value, axis)) is not None), size)
    with run.another_time():
        result = call(run, function, [init, *(_without(value, axis) for value, axis in pairs)], {}, span)
    if not isinstance(result, tuple) or len(result) != 2:
        return init, Unknown("what the scanned function gives is not known")
    size = length if isinstance(length, Dim) else Unknown("the length of the scan is not known")
    return _kept(init, result[0]), _with(result[1], size, out_axis)


def _kept(before: Value, after: Value) -> Value:
    """What is carried: its type stays, so that what is known of it before holds after."""
    if isinstance(before, tuple) and isinstance(after, tuple) and len(before) == len(after):
        return tuple(_kept(a, b) for a, b in zip(before, after, strict=True))
    if isinstance(before, dict) and isinstance(after, dict):
        return {key: _kept(value, after.get(key)) for key, value in before.items()}
    is_open = isinstance(before, Unknown) or (isinstance(before, Tensor) and before.rank is None)
    return after if is_open else before


def _loop(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`jax.lax.fori_loop(lower, upper, body, init)`."""
    names = dict(zip(("lower", "upper", "body_fun", "init_val"), args, strict=False)) | kwargs
    if "body_fun" not in names or "init_val" not in names:
        return Unknown(NO_FUNCTION, span)
    with run.another_time():
        result = call(run, names["body_fun"], [Number(is_integer=True), names["init_val"]], {}, span)
    return _kept(names["init_val"], result)


def _while(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`jax.lax.while_loop(test, body, init)`."""
    names = dict(zip(("cond_fun", "body_fun", "init_val"), args, strict=False)) | kwargs
    if "body_fun" not in names or "init_val" not in names:
        return Unknown(NO_FUNCTION, span)
    with run.another_time():
        call(run, names.get("cond_fun"), [names["init_val"]], {}, span)
        result = call(run, names["body_fun"], [names["init_val"]], {}, span)
    return _kept(names["init_val"], result)


def _cond(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`jax.lax.cond(test, if_true, if_false, *operands)`: both give the same types."""
    if len(args) < 3:
        return Unknown(NO_FUNCTION, span)
    return _of_branches(run, [args[1], args[2]], args[3:], span)


def _switch(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`jax.lax.switch(index, branches, *operands)`."""
    branches = present(args[1]) if len(args) > 1 else None
    if not isinstance(branches, tuple | list) or not branches:
        return Unknown(NO_FUNCTION, span)
    return _of_branches(run, list(branches), args[2:], span)


def _of_branches(run: Interpreter, branches: list[Value], operands: Arguments, span: Any) -> Value:
    results = [call(run, branch, list(operands), {}, span) for branch in branches]
    value = results[0]
    for other in results[1:]:
        value = joined(value, other)
    return value


def _tree_map(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`jax.tree.map(f, tree, *rest)`: the arrays of several trees side by side."""
    if len(args) < 2:
        return Unknown(NO_FUNCTION, span)
    return _side_by_side(run, args[0], args[1:], span)


def _side_by_side(run: Interpreter, function: Value, trees: Arguments, span: Any) -> Value:
    first = present(trees[0])
    others = [present(other) for other in trees[1:]]
    match first:
        case None:
            return None
        case list() | tuple() if all(type(o) is type(first) and len(o) == len(first) for o in others):
            parts = [_side_by_side(run, function, list(each), span) for each in zip(first, *others, strict=True)]
            return parts if isinstance(first, list) else tuple(parts)
        case dict() if all(isinstance(o, dict) and o.keys() == first.keys() for o in others):
            return {k: _side_by_side(run, function, [v, *(o[k] for o in others)], span) for k, v in first.items()}
        case Tensor() | Dim() | Number() | float():
            return call(run, function, [first, *others], {}, span)
        case _:
            return Unknown("a tree that is not known", span)


def _shape_only(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`jax.eval_shape(f, *args)`: what the call would give."""
    return call(run, args[0], list(args[1:]), kwargs, span) if args else Unknown(NO_FUNCTION, span)


_MAKERS = {
    "jax.vmap", "jax.pmap", "equinox.filter_vmap", "jax.grad", "equinox.filter_grad", "jax.value_and_grad",
    "equinox.filter_value_and_grad",
}  # fmt: skip
"""Decorators after which a function takes or gives something else."""
FUNCTIONS: dict[str, Callable[..., Value]] = {
    **dict.fromkeys(("jax.vmap", "jax.pmap", "equinox.filter_vmap"), _vmap),
    **dict.fromkeys(("jax.grad", "equinox.filter_grad"), _grad),
    **dict.fromkeys(("jax.value_and_grad", "equinox.filter_value_and_grad"), _value_and_grad),
    MAPPED: _mapped, DIFFERENTIATED: _differentiated,
    "jax.lax.scan": _scan, "jax.lax.map": _over_elements, "jax.lax.fori_loop": _loop, "jax.lax.while_loop": _while,
    "jax.lax.cond": _cond, "jax.lax.switch": _switch,
    **dict.fromkeys(("jax.tree.map", "jax.tree_map", "jax.tree_util.tree_map"), _tree_map),
    "jax.eval_shape": _shape_only,
}  # fmt: skip
"""Functions that call what they are given."""
