"""Blocks of tensor descriptors that the host makes, by the hooks of configurations: `nargs["a"].block_shape = [M, K]`.

What two hooks say differently, or in words that the kernel has not, is not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kernelscope.dims import Dim, dim
from kernelscope.kernels.triton.statements import is_constexpr
from kernelscope.kernels.triton.values import Size, Sizes
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition, Modules

MAX_HOPS = 2
"""Functions and lists that lead from a decorator to a hook."""


def block_shapes(modules: Modules, path: str, node: t.FunctionDef) -> Mapping[str, Sizes]:
    """The shapes that hooks in the decorators of a kernel give its descriptors, by parameter."""
    names = {param.name for param in node.args if is_constexpr(param.annotation)}
    found: dict[str, Sizes | None] = {}
    for hook in dict.fromkeys(_hooks(modules, path, node.decorator_list, MAX_HOPS)):
        for name, shape in _given(hook, names):
            found[name] = shape if found.get(name, shape) == shape else None
    return {name: shape for name, shape in found.items() if shape is not None}


def _hooks(modules: Modules, path: str, nodes: list[t.Expr], hops: int) -> Iterator[t.FunctionDef]:
    """Functions that some expressions, or what they call and name, pass as `pre_hook`."""
    for inner in t.walk(*nodes):
        if isinstance(inner, t.Keyword) and inner.arg == "pre_hook":
            hook = _meant(modules, path, inner.value)
            if hook is not None and isinstance(hook.node, t.FunctionDef):
                yield hook.node
        elif isinstance(inner, t.Name) and hops:
            meant = _meant(modules, path, inner)
            if meant is not None and isinstance(meant.node, t.Assign):
                yield from _hooks(modules, meant.path, [meant.node.value], hops - 1)
            elif meant is not None and isinstance(meant.node, t.FunctionDef):
                returned = [s.value for s in t.flat(meant.node.body) if isinstance(s, t.Return) and s.value]
                yield from _hooks(modules, meant.path, returned, hops - 1)


def _meant(modules: Modules, path: str, node: t.Expr) -> Definition | None:
    name = t.dotted(node)
    found = modules.resolve(path, name) if name else None
    return found if isinstance(found, Definition) else None


def _given(hook: t.FunctionDef, constexprs: set[str]) -> Iterator[tuple[str, Sizes]]:
    """The blocks that a hook gives, by parameter; names of its own stand for what it reads from its argument."""
    named: dict[str, str] = {}
    for statement in t.flat(hook.body):
        match statement:
            case t.Assign(targets=[t.Name(id=name)], value=t.Subscript(slice=t.Constant(value=str() as key))):
                named[name] = key
            case t.Assign(
                targets=[t.Attribute(attr="block_shape", value=t.Subscript(slice=t.Constant(value=str() as key)))],
                value=t.List() | t.Tuple() as shape,
            ):
                yield key, tuple(_size(size, named, constexprs) for size in shape.elts)
            case _:
                pass


def _size(node: t.Expr, named: Mapping[str, str], constexprs: set[str]) -> Size:
    match node:
        case t.Constant(value=int() as number):
            return dim(number)
        case t.Name(id=name) if named.get(name, name) in constexprs:
            return dim(named.get(name, name))
        case t.Subscript(slice=t.Constant(value=str() as key)) if key in constexprs:
            return dim(key)
        case t.BinOp(op="*" | "//" as op):
            left, right = _size(node.left, named, constexprs), _size(node.right, named, constexprs)
            return _combined(op, left, right) if left is not None and right is not None else None
        case _:
            return None


def _combined(op: str, left: Dim, right: Dim) -> Size:
    return left * right if op == "*" else left // right if right.const != 0 else None
