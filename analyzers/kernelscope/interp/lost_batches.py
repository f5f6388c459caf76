"""What is made of a batch of sequences and has lost its batch where it meets the batch again: its tokens lie packed.

`x + f(x)` with `[B, S, H]` and `[n, H]` would broadcast, but nobody adds to every sequence what was made of all.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Sequence

from kernelscope.dims import Dim
from kernelscope.interp.steps import Given, Step, tensors_in
from kernelscope.interp.trace import Trace
from kernelscope.interp.values import Value
from kernelscope.tensor import Tensor

BATCH_DIMS = 2


def loses_batch(trace: Trace, promised: Sequence[Dim]) -> bool:
    """Whether anything does, of what the names of inputs promise to be batches of sequences."""
    for step in trace.root.walk():
        operator = step.operator
        if operator is not None and operator.name == "add" and len(step.given) == BATCH_DIMS:
            for whole, part in (step.given, step.given[::-1]):
                if _is_batch(whole.value, promised) and _rank(part.value) == BATCH_DIMS and _is_of(part, promised):
                    return True
    return False


def _is_of(part: Given, promised: Sequence[Dim]) -> bool:
    """Whether a value is made of a batch."""
    todo, seen = list(part.origins), set[Step]()
    while todo:
        step = todo.pop()
        if step in seen:
            continue
        seen.add(step)
        if step.kind == "input" and any(_is_batch(value, promised) for value in tensors_in(step.result)):
            return True
        todo += [origin for given in step.given for origin in given.origins]
    return False


def _is_batch(value: Value, promised: Sequence[Dim]) -> bool:
    if not isinstance(value, Tensor) or value.shape.dims is None or _rank(value) <= BATCH_DIMS:
        return False
    return all(size in promised for size in value.shape.dims[:BATCH_DIMS])


def _rank(value: Value) -> int:
    return value.rank or 0 if isinstance(value, Tensor) else 0
