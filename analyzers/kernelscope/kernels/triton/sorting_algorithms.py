"""Sorts and selections recognised in a kernel or helper by the structure of its operations.

Names of functions and variables play no part. What is not certain is not said.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.kernels.triton.bodies import definitions, first_calls, loops_in, made_of, nodes_of, operation
from kernelscope.kernels.triton.loop_algorithms import Algorithm
from kernelscope.syntax.python import tree as t

EXTREMES = frozenset(("max", "min", "argmax", "argmin"))
LIBRARY = {"sort": "sort", "topk": "top-k", "bitonic_merge": "bitonic merge"}


def sorting(node: t.FunctionDef) -> Iterator[Algorithm]:
    for loop in loops_in(node):
        yield from _selected(node, loop)
    yield from _swapped(node)
    calls = first_calls(node)
    for name, told in LIBRARY.items():
        call = calls.get(name)
        if call is not None and t.dotted(call.func) in (f"tl.{name}", f"triton.language.{name}"):
            yield Algorithm(told, "done in registers by the compiler's own network of compare and swap", call.span)


def _selected(node: t.FunctionDef, loop: t.For | t.While) -> Iterator[Algorithm]:
    """`best = argmax(x)` and `x = where(lane == best, lowest, x)` in each round."""
    for inner in nodes_of(loop, t.Assign):
        call = inner.value
        if operation(call) != "where" or not isinstance(call, t.Call) or len(call.args) != 3:
            continue
        kept = {n.id for n in call.args[1:] if isinstance(n, t.Name)}
        kept &= {target.id for target in inner.targets if isinstance(target, t.Name)}
        if kept and _is_the_extreme(node, call.args[0], kept):
            text = "each round takes the best that is left and puts it out of the running"
            yield Algorithm("top-k by repeated selection", text, inner.span)
            return


def _is_the_extreme(node: t.FunctionDef, test: t.Expr, of: set[str]) -> bool:
    """Whether a test compares with a maximum or minimum of one of some names."""
    if isinstance(test, t.Name):
        return any(_is_the_extreme(node, made, of) for made in definitions(node).get(test.id, ()) if made is not test)
    if not isinstance(test, t.Compare) or test.ops != ["=="]:
        return False
    for side in (test.left, test.comparators[0]):
        made = definitions(node).get(side.id, []) if isinstance(side, t.Name) else [side]
        for call in made:
            if operation(call) in EXTREMES and any(isinstance(n, t.Name) and n.id in of for n in made_of(node, call)):
                return True
    return False


def _swapped(node: t.FunctionDef) -> Iterator[Algorithm]:
    """Halves of pairs compared, `(left > right) ^ flipped`, and exchanged where that holds."""
    if "reshape" not in first_calls(node) or "where" not in first_calls(node):
        return
    for inner in (*nodes_of(node, t.BinOp), *nodes_of(node, t.Compare)):
        ordered, turned = (
            (inner.left, inner.op == "^") if isinstance(inner, t.BinOp) else (inner.left, "!=" in inner.ops)
        )
        if turned and isinstance(ordered, t.Compare) and ordered.ops[0] in (">", "<"):
            text = "pairs are compared and swapped stage by stage, in registers"
            yield Algorithm("bitonic sort", text, inner.span)
            return
