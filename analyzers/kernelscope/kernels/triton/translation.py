"""A caller's arguments in the words of the helper that gets them: its own constexprs and parameters.

A size that the helper cannot express is the number that the caller always gets for it, else it keeps the caller's
name, unless the helper means something else by that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kernelscope.dims import Dim, dim
from kernelscope.kernels.triton.dtypes import is_open
from kernelscope.kernels.triton.exponents import power_of_two
from kernelscope.kernels.triton.parameters import is_constexpr
from kernelscope.kernels.triton.values import (
    BlockPointer,
    Const,
    Descriptor,
    Items,
    Size,
    Sizes,
    Tensor,
    Undecided,
    Unknown,
    Value,
)
from kernelscope.syntax.python import tree as t

_NOTHING: Mapping[str, int] = {}


class Words:
    """How the caller's sizes are called in the helper; `numbers` are those of the caller's names that never vary."""

    def __init__(self, node: t.FunctionDef, arguments: dict[str, Value], numbers: Mapping[str, int]) -> None:
        self.numbers = numbers
        self.own = {param.name for param in node.args}
        self.exact: dict[Dim, str] = {}
        for param in node.args:
            value = arguments.get(param.name)
            if not isinstance(value, Const | Tensor) or not isinstance(value.value, Dim):
                continue
            if isinstance(value, Tensor) and not (value.is_scalar and value.value.const is None):
                continue
            if value.value.const is None or value.value.const > 2:
                self.exact.setdefault(value.value, param.name)
        for value, name in list(self.exact.items()):  # the helper may be given the logarithm of a size only
            if value.name is not None:
                self.exact.setdefault(power_of_two(value), f"2**{name}")
        self.names = {d.name: name for d, name in self.exact.items() if d.name is not None}

    def size(self, size: Size) -> Size:
        if size is None:
            return None
        if size in self.exact:
            return dim(self.exact[size])
        if size.const is not None:
            return size
        try:
            for known, name in self.exact.items():
                factor = size.exact_div(known) if known.const is None else None
                if factor is not None and factor.const is not None:
                    return dim(name) * factor
            said: dict[str, str | int] = dict(self.names)
            for name in size.names():
                if name not in said and name in self.numbers:
                    said[name] = self.numbers[name]
                elif name not in said and name in self.own:
                    return None
            return size.subs(said)
        except ArithmeticError:
            return None

    def sizes(self, sizes: Sizes | None) -> Sizes | None:
        return tuple(self.size(s) for s in sizes) if sizes is not None else None


def own_words(
    node: t.FunctionDef, arguments: dict[str, Value], numbers: Mapping[str, int] = _NOTHING
) -> dict[str, Value]:
    """The arguments of one call, by parameter, as the helper itself would say them."""
    words = Words(node, arguments, numbers)
    return {
        param.name: _argument(param, arguments[param.name], words) for param in node.args if param.name in arguments
    }


def _argument(param: t.Param, value: Value, words: Words) -> Value:
    name = param.name
    match value:
        case Const(value=Dim() as number):
            if is_constexpr(param.annotation) or number.const is None:
                return Const(dim(name), value.number)
            return value
        case Const(value=Undecided()) | Unknown() if is_constexpr(param.annotation):
            return Const(dim(name))
        case Tensor() if is_constexpr(param.annotation) and value.is_scalar:
            return Const(dim(name), value.value.const if value.value is not None else None)
        case Tensor(shape=(), pointer=True):
            return Tensor((), f"T({name})" if is_open(value.elem) else value.elem, True, (name,))
        case Tensor(shape=()):
            bases = (name,) if value.bases else ()
            return Tensor((), value.elem, False, bases, frozenset((name,)), dim(name))
        case _:
            return _inner(value, words, name)


def _inner(value: Value, words: Words, name: str) -> Value:
    match value:
        case Tensor():
            bases = (name,) if value.bases else ()
            return replace(
                value,
                shape=words.sizes(value.shape),
                bases=bases,
                inputs=frozenset[str](),
                steps=words.sizes(value.steps),
                runs=words.sizes(value.runs),
                value=words.size(value.value),
            )
        case BlockPointer():
            return replace(value, shape=words.sizes(value.shape), base=name, steps=words.sizes(value.steps))
        case Descriptor():
            return replace(value, shape=words.sizes(value.shape), base=name)
        case Items():
            return Items(tuple(_inner(item, words, name) for item in value.items))
        case Const(value=Dim() as number):
            size = words.size(number)
            return Const(size if size is not None else Undecided("int"), value.known)
        case _:
            return value
