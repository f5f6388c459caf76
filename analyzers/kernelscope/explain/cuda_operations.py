"""Words that rows on a kernel's operations share: those of one name together, and where they stand."""

from __future__ import annotations

from collections.abc import Sequence

from kernelscope.kernels.cuda.kernels import KernelFacts
from kernelscope.kernels.cuda.operations import Operation

MAX_LINES = 8
MAX_PLACES = 4


def by_name(operations: list[Operation]) -> dict[str, list[Operation]]:
    named: dict[str, list[Operation]] = {}
    for operation in operations:
        named.setdefault(operation.effect.text, []).append(operation)
    return named


def places_of(facts: KernelFacts, operations: list[Operation]) -> str:
    """Where operations stand; of other files with their names."""
    told: dict[str, None] = {}
    for operation in operations:
        path = operation.location.path
        told[f"L{operation.location.line}" + ("" if path == facts.path else f" `{path.name}`")] = None
    return first_of(list(told), MAX_PLACES)


def first_of(texts: Sequence[str], most: int) -> str:
    """The first of several texts, and that there are others."""
    return ", ".join((*texts[:most], *(("…",) if len(texts) > most else ())))
