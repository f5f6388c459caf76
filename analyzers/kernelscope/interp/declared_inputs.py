"""Shapes of inputs that a class declares in code: a method gives what `forward` takes by name, each with its shape.

    def describe_inputs(self, batch_size=1):
        return InputSpec({"past": Input(shape=(batch_size, self.context_length), dtype=torch.float)})

So do tables of types with axes as letters: `{"signal": NeuralType(("B", "D", "T"), SpectrogramType())}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kernelscope.dims import Dim, dim
from kernelscope.interp.expressions import evaluate
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.values import Function, Scope, as_size, present
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Size, Unknown

SHAPE = "shape"
LEAST = 2
"""So many inputs are declared, or one that is all there is."""
NOT_KNOWN = Unknown("the declared size is not known")


def declared(run: Interpreter, function: Function, name: str) -> Shape | None:
    """The shape that the class declares for an input of one of its methods that takes all those declared."""
    owner = function.definition.owner
    node = function.definition.node
    if owner is None or not isinstance(owner.node, t.ClassDef) or not isinstance(node, t.FunctionDef):
        return None
    taken = [param.name for param in node.args]
    for method, table in _tables(owner.node):
        keys = [key.value for key in table.keys if isinstance(key, t.Constant) and isinstance(key.value, str)]
        is_all = len(keys) == len(table.keys) and set(keys) <= set(taken)
        if method is node or name not in keys or not is_all or (len(keys) < LEAST and len(taken) > LEAST):
            continue
        sizes = _sizes_in(table.values[keys.index(name)])
        if sizes is not None:
            return Shape(tuple(_size(run, function, method, size) for size in sizes))
    return None


def _tables(cls: t.ClassDef) -> Iterator[tuple[t.FunctionDef, t.Dict]]:
    """The methods of a class that give a table, by itself or as what something is made of."""
    for method in cls.body:
        if not isinstance(method, t.FunctionDef) or not method.args or not method.body:
            continue
        if any(param.default is None for param in method.args[1:]):
            continue  # what has to be given something tells of that
        match method.body[-1]:
            case t.Return(value=t.Dict() as table) | t.Return(value=t.Call(args=[t.Dict() as table, *_])):
                yield method, table
            case _:
                pass


def _sizes_in(entry: t.Expr) -> Sequence[t.Expr] | None:
    """The sizes in an entry of a table: those called its shape, or letters that come first."""
    if not isinstance(entry, t.Call):
        return None
    for keyword in entry.keywords:
        if keyword.arg == SHAPE and isinstance(keyword.value, t.Tuple):
            return keyword.value.elts
    match entry.args:
        case [t.Tuple(elts=[_, *_] as letters), *_] if all(
            isinstance(letter, t.Constant) and isinstance(letter.value, str) and letter.value.isidentifier()
            for letter in letters
        ):
            return letters
        case _:
            return None


def _size(run: Interpreter, function: Function, method: t.FunctionDef, size: t.Expr) -> Size:
    """A declared size: a letter, what the method is given it as, or a number that the object holds."""
    if isinstance(size, t.Constant) and isinstance(size.value, str):
        return dim(size.value)
    given = {param.name: dim(param.name) for param in method.args[1:]}
    names = {**given, method.args[0].name: function.receiver}
    run.quiet += 1
    try:
        found = as_size(present(evaluate(run, Scope(function.definition.path, function, names), size)))
    finally:
        run.quiet -= 1
    return found if isinstance(found, Dim) else NOT_KNOWN
