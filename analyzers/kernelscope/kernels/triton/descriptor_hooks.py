"""Blocks of descriptors that hooks of configurations set: `nargs["a"].block_shape = [M, K]`, some behind tests.

What a hook says in words that the kernel has not is not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from kernelscope.dims import Dim, dim
from kernelscope.kernels.triton.configs import Tuning
from kernelscope.kernels.triton.switches import Answers
from kernelscope.kernels.triton.values import Size, Sizes
from kernelscope.syntax.python import tree as t

Block = tuple[str, Answers, Sizes]
"""The parameter, the tests on constexprs that lead there, and the shape."""


def hooked_blocks(tuned: Tuning, constexprs: set[str]) -> Iterator[Block]:
    """What the hooks of a kernel's configurations set."""
    for hook in tuned.hooks:
        yield from _Hook(constexprs).blocks(hook.body, {})


@dataclass(slots=True)
class _Hook:
    """One reading of a hook's body, in order."""

    constexprs: set[str]
    named: dict[str, str] = field(default_factory=dict[str, str])
    """Names of the hook for what it reads from its argument."""
    defaults: dict[str, object] = field(default_factory=dict[str, object])
    """Names of the hook for what the kernel has not, with what stands for it."""
    lists: dict[str, list[tuple[Answers, t.List | t.Tuple]]] = field(
        default_factory=dict[str, "list[tuple[Answers, t.List | t.Tuple]]"]
    )

    def blocks(self, body: list[t.Stmt], answers: Answers) -> Iterator[Block]:
        for statement in body:
            if isinstance(statement, t.If):
                yield from self._branches(statement, answers)
            elif isinstance(statement, t.Assign):
                for target, value in _pairs(statement):
                    yield from self._given(target, value, answers)

    def _given(self, target: t.Expr, value: t.Expr, answers: Answers) -> Iterator[Block]:
        match target, value:
            case t.Name(id=name), t.Subscript(slice=t.Constant(value=str() as key)):
                self.named[name] = key
            case t.Name(id=name), t.Call(func=t.Attribute(attr="get"), args=[t.Constant(value=str() as key), default]):
                self.named[name] = key
                if key not in self.constexprs and isinstance(default, t.Constant):
                    self.defaults[name] = default.value
            case t.Name(id=name), t.List() | t.Tuple():
                self.lists.setdefault(name, []).append((answers, value))
            case t.Attribute(attr="block_shape", value=t.Subscript(slice=t.Constant(value=str() as key))), _:
                for told, shape in self._lists(value):
                    yield key, {**told, **answers}, tuple(sized(e, self.named, self.constexprs) for e in shape.elts)
            case _:
                pass

    def _lists(self, node: t.Expr) -> list[tuple[Answers, t.List | t.Tuple]]:
        if isinstance(node, t.List | t.Tuple):
            return [({}, node)]
        return self.lists.get(node.id, []) if isinstance(node, t.Name) else []

    def _branches(self, statement: t.If, answers: Answers) -> Iterator[Block]:
        test, positive = statement.test, True
        while isinstance(test, t.UnaryOp) and test.op == "not":
            test, positive = test.operand, not positive
        name = test.id if isinstance(test, t.Name) else ""
        key = self.named.get(name, "")
        if isinstance(test, t.Subscript) and isinstance(test.slice, t.Constant) and isinstance(test.slice.value, str):
            key = test.slice.value
        for body, holds in ((statement.body, positive), (statement.orelse, not positive)):
            if name in self.defaults and bool(self.defaults[name]) != holds:
                continue
            yield from self.blocks(body, {**answers, key: holds} if key in self.constexprs else answers)


def _pairs(statement: t.Assign) -> Iterator[tuple[t.Expr, t.Expr]]:
    """What is given, target by target: also of `a, b = x, y`."""
    for target in statement.targets:
        value = statement.value
        if isinstance(target, t.Tuple) and isinstance(value, t.Tuple) and len(target.elts) == len(value.elts):
            yield from zip(target.elts, value.elts, strict=True)
        else:
            yield target, value


def sized(node: t.Expr, named: Mapping[str, str], constexprs: set[str]) -> Size:
    """A size in the kernel's words. `named`: names of the host for its constexprs."""
    match node:
        case t.Constant(value=int() as number):
            return dim(number)
        case t.Name(id=name) if named.get(name, name) in constexprs:
            return dim(named.get(name, name))
        case t.Subscript(slice=t.Constant(value=str() as key)) if key in constexprs:
            return dim(key)
        case t.BinOp(op="*" | "//" as op):
            left, right = sized(node.left, named, constexprs), sized(node.right, named, constexprs)
            return _combined(op, left, right) if left is not None and right is not None else None
        case _:
            return None


def _combined(op: str, left: Dim, right: Dim) -> Size:
    return left * right if op == "*" else left // right if right.const != 0 else None
