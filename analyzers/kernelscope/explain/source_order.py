"""The order in which a file names sizes, so that a picture's products and sums read as there: `num_heads*head_dim`."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.explain.dim_names import PLAIN_LENGTH
from kernelscope.patterns.flow import Flow
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.workspace import Workspace

COMMUTATIVE = ("*", "+")


def names_in_file(workspace: Workspace, flow: Flow) -> tuple[str, ...]:
    """Short names, then the others, in the order in which the file of a flow's function has them; but each behind what
    is written before it in a product or sum."""
    path = next((node.step.path for node in flow.nodes if node.step.path), "")
    module = workspace.modules.module(path) if path else None
    found: dict[str, None] = {}
    before: dict[str, dict[str, None]] = {}
    for scope in module.functions() if module is not None else ():
        for node in t.walk(*scope.node.body):
            if isinstance(node, t.Attribute) and (name := t.dotted(node)):
                found.update(dict.fromkeys(_spellings(name)))
            elif isinstance(node, t.BinOp) and node.op in COMMUTATIVE:
                left = dict.fromkeys(_operands(node.left))
                for name in _operands(node.right):
                    before.setdefault(name, {}).update(left)
    names = sorted(dict.fromkeys((*found, *before)), key=lambda name: len(name) > PLAIN_LENGTH)
    return tuple(_sorted(names, before))


def _operands(expression: t.Expr) -> Iterator[str]:
    """The names in a product or sum; what a call is given stands in no order to what is outside."""
    if isinstance(expression, t.BinOp):
        yield from _operands(expression.left)
        yield from _operands(expression.right)
    elif name := t.dotted(expression):
        yield from _spellings(name)


def _spellings(name: str) -> tuple[str, str]:
    """A name, and the name of an object's own without the object."""
    return name, name.removeprefix("self.")


def _sorted(names: list[str], before: dict[str, dict[str, None]]) -> Iterator[str]:
    """The names, each behind those that must come before it; what is written both ways round keeps its order."""
    seen: set[str] = set()
    for name in names:
        todo = [(name, False)]
        while todo:
            current, is_done = todo.pop()
            if is_done:
                yield current
            elif current not in seen:
                seen.add(current)
                todo.append((current, True))
                todo += [(earlier, False) for earlier in reversed(before.get(current, {}))]
