"""Layers of which a test says that they may be of several kinds: each brings other lengths.

`if isinstance(self.embed, Conv) or isinstance(self.embed, Strided): x = self.embed(x)`: by default it is a `Conv`, but
how long `x` is then, its stride says, which the other has not. What is not made of the sizes of what is given, such as
the width, stays.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Sequence, Set

from kernelscope.dims import Dim
from kernelscope.interp.symbols import sizes_in
from kernelscope.interp.values import Maybe, Value, present
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Size, Tensor, Unknown

OF_SEVERAL = Unknown("the layer may be of several kinds")


def of_several_kinds(test: t.Expr) -> set[str]:
    """The parts of objects that a test lets be of several classes."""
    kinds: dict[str, int] = {}
    for part in test.values if isinstance(test, t.BoolOp) and test.op == "or" else [test]:
        match part:
            case t.Call(func=t.Name(id="isinstance"), args=[t.Attribute() as asked, kind]):
                name = t.dotted(asked)
                if name is not None:
                    kinds[name] = kinds.get(name, 0) + (len(kind.elts) if isinstance(kind, t.Tuple) else 1)
            case _:
                pass
    return {name for name, count in kinds.items() if count > 1}


def without_lengths(value: Value, given: Sequence[Value]) -> Value:
    """What such a layer gives, without the sizes that it makes of the lengths of what it is given."""
    tensors = [part for part in map(present, given) if isinstance(part, Tensor)]
    whole = [size for part in tensors for size in part.shape.head]
    return _without(value, whole, sizes_in(whole))


def _without(value: Value, whole: Sequence[Size], names: Set[str]) -> Value:
    def told(size: Size) -> Size:
        is_made = isinstance(size, Dim) and size not in whole and not names.isdisjoint(size.names())
        return OF_SEVERAL if is_made else size

    if type(value) is tuple:
        return tuple(_without(part, whole, names) for part in value)
    if isinstance(value, Maybe):
        return Maybe(_without(value.value, whole, names), value.name)
    if not isinstance(value, Tensor):
        return value
    shape = value.shape
    tail = None if shape.tail is None else tuple(map(told, shape.tail))
    return value.with_shape(Shape(tuple(map(told, shape.head)), tail, shape.reason))
