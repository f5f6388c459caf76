"""Which loads of a function say where something is: addresses and the bounds of loops are made of them.

What they load are integers, of four or eight bytes, even where the type behind the argument is not known.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.kernels.triton.bodies import all_calls, given_in, loops_in, operation
from kernelscope.results import Span
from kernelscope.syntax.of_nodes import kept_of_nodes
from kernelscope.syntax.python import tree as t

ACCESSES = frozenset(("load", "store", "make_block_ptr", "make_tensor_descriptor", "gather", "scatter"))


@kept_of_nodes(16)
def index_loads(node: t.FunctionDef) -> frozenset[Span]:
    """The calls that load what addresses and rounds are made of, through every name."""
    made, seen, found = given_in(node), set[str](), set[Span]()
    todo = list(_places(node))
    while todo:
        for inner in t.walk(todo.pop()):
            if operation(inner) == "load":
                found.add(inner.span)
            elif isinstance(inner, t.Name) and inner.id not in seen:
                seen.add(inner.id)
                todo += made.get(inner.id, ())
    return frozenset(found)


def _places(node: t.FunctionDef) -> Iterator[t.Expr]:
    """What accesses say of where they go, and loops of how often."""
    for name, call in all_calls(node):
        if name in ACCESSES or name.startswith("atomic_"):
            yield from call.args[:1]
            yield from (k.value for k in call.keywords if k.arg in ("pointer", "base"))
    for loop in loops_in(node):
        if isinstance(loop, t.For) and isinstance(loop.iter, t.Call):
            yield from loop.iter.args
