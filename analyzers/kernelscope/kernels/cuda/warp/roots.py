"""The name at the root of an expression that accesses memory, as the code has it."""

from __future__ import annotations

from kernelscope.syntax.cuda import tree as t


def written_name(node: t.Expr) -> str:
    """The name at the root of an access's expression, as the code has it: `x` of `x[i].y`, `p.q` of `p.q[i]`."""
    while True:
        match node:
            case t.Subscript() | t.Cast():
                node = node.value if isinstance(node, t.Subscript) else node.operand
            case t.Unary():
                node = node.operand
            case t.Binary():
                node = node.left
            case t.Member():
                inner = written_name(node.value)
                return f"{inner}.{node.name}" if inner else node.name
            case t.Name():
                return node.id
            case t.Call() if node.args and not isinstance(node.func, t.Member):
                node = node.args[0]
            case _:
                return ""
