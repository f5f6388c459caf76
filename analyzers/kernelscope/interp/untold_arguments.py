"""Arguments of which no caller tells how many dims they have: what the function's own documentation says of them.

Its words mean what parameters of that name hold; other sizes are sizes of their own, whatever callers call theirs.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Set

from kernelscope.dims import Dim, DimLike, dim
from kernelscope.interp.documentation import told_of_parts
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.symbols import sizes_in
from kernelscope.interp.values import Alike, Maybe, Opaque, Scope, Value, as_size, present
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Tensor, Unknown


def tell_untold(run: Interpreter, frame: Scope, node: t.FunctionDef, doubted: Set[str]) -> dict[str, bool]:
    """Give such parameters the shapes that are documented; which they are, all told by the function itself."""
    function = frame.function
    told: dict[str, bool] = {}
    words: dict[str, DimLike] = {}
    for param in node.args:
        given = frame.names.get(param.name)
        if function is None or param.name in doubted or not (is_untold(given) or isinstance(given, Opaque)):
            continue
        if param.name in run.uses(node).tensors:
            continue
        old, shape = present(given), told_of_parts(function, param.name)
        if shape is None or (isinstance(old, Tensor) and old.shape.least_rank):
            continue
        value = Alike(Tensor(_in_words(run, frame, node, shape, words), Unknown("the dtype of an argument")))
        frame.names[param.name] = Maybe(value, given.name) if isinstance(given, Maybe) else value
        told[param.name] = True
    return told


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
