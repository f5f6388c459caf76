"""Arguments of which no caller tells how many dims they have: what documentation says of them, or layers take.

Words of documentation mean what parameters of that name hold; other sizes are sizes of their own, whatever callers call
theirs.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from kernelscope.dims import Dim, DimLike, dim
from kernelscope.interp.documentation import documented, told_of_parts
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.symbols import sizes_in
from kernelscope.interp.values import Alike, Function, Maybe, Opaque, Scope, Value, as_size, present
from kernelscope.interp.wants import wanted
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Tensor, Unknown


def want_untold(run: Interpreter, frame: Scope, node: t.FunctionDef) -> None:
    """Give such parameters the sizes that the function's own layers demand of them."""
    uses = run.uses(node)
    for param in node.args:
        given = frame.names.get(param.name)
        old = present(given)
        if not isinstance(old, Tensor) or old.rank is not None or old.shape.least_rank:
            continue
        shape = wanted(run, frame, uses, param.name)
        if shape is None or shape.rank is not None or not shape.least_rank:
            continue  # how many dims are proven is found where ranks are settled
        taken = sizes_in(frame.names.values())
        names = (f"{param.name}_size{i}" for i in range(len(shape.head)))
        head = (s if isinstance(s, Dim) or n in taken else dim(n) for s, n in zip(shape.head, names, strict=True))
        value: Value = replace(old, shape=replace(shape, head=tuple(head)))
        value = value if run.trace is None else run.trace.same(value, old)
        frame.names[param.name] = Maybe(value, given.name) if isinstance(given, Maybe) else value


def tell_untold(run: Interpreter, frame: Scope, node: t.FunctionDef, doubted: Set[str]) -> dict[str, bool]:
    """Give such parameters the shapes that are documented; which they are, all told by the function itself."""
    function = frame.function
    told: dict[str, bool] = {}
    words = {} if function is None else _words_of_given(run, function, frame, node)
    for param in node.args:
        given = frame.names.get(param.name)
        if function is None or param.name in doubted or not (is_untold(given) or isinstance(given, Opaque)):
            continue
        old = present(given)
        if isinstance(old, Tensor) and old.shape.least_rank:
            continue
        dtype = old.dtype if isinstance(old, Tensor) else Unknown("the dtype of an argument")
        if param.name not in run.uses(node).tensors and (parts := told_of_parts(function, param.name)) is not None:
            value: Value = Alike(Tensor(_in_words(run, frame, node, parts, words), dtype))
        elif (own := documented(run, function, param.name)) is not None and _is_used_as_tensor(run, node, param, old):
            value = Tensor(_in_words(run, frame, node, own.shape, words), dtype)
        else:
            continue
        if isinstance(value, Tensor) and value.rank == 1 and _is_laid_flat(node, param.name):
            continue  # who lays it flat expects more than the vector that it is said to be
        value = value if run.trace is None else run.trace.same(value, old)
        frame.names[param.name] = Maybe(value, given.name) if isinstance(given, Maybe) else value
        told[param.name] = True
    return told


def _words_of_given(run: Interpreter, function: Function, frame: Scope, node: t.FunctionDef) -> dict[str, DimLike]:
    """What the documentation calls the sizes of arguments that callers do tell."""
    found: dict[str, DimLike] = {}
    for param in node.args:
        given = present(frame.names.get(param.name))
        own = documented(run, function, param.name) if isinstance(given, Tensor) and given.rank is not None else None
        if own is None or own.shape.rank != given.rank:
            continue
        for word, size in zip(own.shape.head, given.shape.head, strict=True):
            if isinstance(word, Dim) and word.name is not None and isinstance(size, Dim):
                found.setdefault(word.name, size)
    return found


def _is_laid_flat(node: t.FunctionDef, name: str) -> bool:
    """Whether all axes of a parameter are made one: `x.reshape(-1)`, `x.flatten()`."""
    for found in t.walk(*node.body):
        match found:
            case t.Call(func=t.Attribute(value=t.Name(id=called), attr="flatten" | "ravel"), args=[]) if called == name:
                return True
            case t.Call(
                func=t.Attribute(value=t.Name(id=called), attr="reshape" | "view"),
                args=[t.Constant(value=-1)],
            ) if called == name:
                return True
            case _:
                pass
    return False


def _is_used_as_tensor(run: Interpreter, node: t.FunctionDef, param: t.Param, given: Value) -> bool:
    """Whether a documented argument is a tensor besides, as far as anything tells."""
    uses = run.uses(node)
    return isinstance(given, Tensor) or (param.name in uses.tensors and param.name not in uses.objects)


def is_untold(value: Value) -> bool:
    """Whether it is not even known of how many dims an argument is."""
    value = present(value)
    return isinstance(value, Unknown) or (isinstance(value, Tensor) and value.rank is None)


def _in_words(run: Interpreter, frame: Scope, node: t.FunctionDef, shape: Shape, words: dict[str, DimLike]) -> Shape:
    """A documented shape in the words of the function that is run."""
    bound = run.uses(node).bindings
    for name in shape.names():
        if name in words:
            continue
        size = as_size(present(frame.names.get(name)))
        called, count = name, 1
        while called in bound or dim(called) in words.values() or called in sizes_in(frame.names.values()):
            count += 1
            called = f"{name}_{count}"
        words[name] = size if isinstance(size, Dim) else dim(called)
    return shape.subs(words)
