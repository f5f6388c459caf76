"""Expressions of launching code: sizes, shapes, tuples, dictionaries and grid functions, as they stand at a place.

Names and tests are the scope's (`host_values`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernelscope.dims import ceil_div, dim
from kernelscope.kernels.triton.host_things import (
    GridFunction,
    HostValue,
    Meta,
    Plain,
    Table,
    Thing,
    as_dim,
    attribute_of,
    calculated,
    of_function,
    of_method,
    part_of,
)
from kernelscope.syntax.python import tree as t

if TYPE_CHECKING:
    from kernelscope.kernels.triton.host_values import HostScope

MAX_SAID = 60
"""How long an expression may be that stands for its value."""


def evaluated(scope: HostScope, node: t.Expr, at: int, depth: int, meta: tuple[str, ...]) -> HostValue:
    def inner(part: t.Expr) -> HostValue:
        return scope.evaluate(part, at, depth + 1, meta)

    match node:
        case t.Constant(value=bool() | float() | str() | None as value):
            return Plain(value)
        case t.Constant(value=int() as value):
            return dim(value)
        case t.Name():
            return Meta() if node.id in meta else scope.name(node.id, at, depth)
        case t.Tuple() | t.List():
            found = [inner(e) for e in node.elts]
            return tuple(_said(scope, e) if v is None else v for e, v in zip(node.elts, found, strict=True))
        case t.Dict():
            keys = [k.value for k in node.keys if isinstance(k, t.Constant) and isinstance(k.value, str)]
            whole = len(keys) == len(node.values)  # without `**others`
            return Table(tuple(zip(keys, map(inner, node.values), strict=True))) if whole else None
        case t.Attribute():
            return attribute_of(inner(node.value), node)
        case t.Subscript():
            return part_of(inner(node.value), node, inner)
        case t.BinOp():
            return calculated(node.op, inner(node.left), inner(node.right))
        case t.UnaryOp(op="-"):
            number = as_dim(inner(node.operand))
            return -number if number is not None else None
        case t.IfExp():
            body, orelse = inner(node.body), inner(node.orelse)
            if body == orelse:
                return body
            holds = scope.decide(node.test, at, depth)
            return None if holds is None else body if holds else orelse
        case t.Lambda():
            return GridFunction(tuple(p.name for p in node.args), node.body, scope)
        case t.Call():
            return _call(scope, node, at, depth, meta)
        case t.BoolOp(op="or"):
            return inner(node.values[-1])
        case _:
            return None


def _said(scope: HostScope, node: t.Expr) -> HostValue:
    """What nobody can tell, in the host's own words where they are few."""
    text = scope.written(node) if isinstance(node, t.Call | t.Attribute | t.Subscript) else ""
    return Thing(text) if 0 < len(text) <= MAX_SAID else None


def _call(scope: HostScope, node: t.Call, at: int, depth: int, meta: tuple[str, ...]) -> HostValue:
    arguments = [scope.evaluate(a, at, depth + 1, meta) for a in node.args]
    name = node.func.attr if isinstance(node.func, t.Attribute) else t.dotted(node.func) or ""
    if name == "ceil" and len(node.args) == 1 and isinstance(node.args[0], t.BinOp) and node.args[0].op == "/":
        quotient = node.args[0]
        a = as_dim(scope.evaluate(quotient.left, at, depth + 1, meta))
        b = as_dim(scope.evaluate(quotient.right, at, depth + 1, meta))
        return ceil_div(a, b) if a is not None and b is not None else None
    keywords = {k.arg: scope.evaluate(k.value, at, depth + 1, meta) for k in node.keywords if k.arg}
    if name == "dict" and isinstance(node.func, t.Name) and not node.args and len(keywords) == len(node.keywords):
        return Table(tuple(keywords.items()))
    known = of_function(name, arguments)
    if known is not None:
        return known
    if isinstance(node.func, t.Attribute):
        owner = scope.evaluate(node.func.value, at, depth + 1, meta)
        method = of_method(owner, name, arguments, keywords)
        if method is not None:
            return method
        if name == "item" and not node.args:
            return _said(scope, node)
    return scope.followed(node, arguments, keywords, depth)
