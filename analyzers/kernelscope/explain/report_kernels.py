"""Kernels in a report: their tilings and what they read and write, from the cards that the editor shows.

At most as many kernels as someone would read about; those of files that many others import come first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kernelscope.explain.cuda_card import kernel_card as cuda_card
from kernelscope.explain.document import Card, Line
from kernelscope.explain.report_places import Json, Places
from kernelscope.explain.triton_card import kernel_card as triton_card
from kernelscope.explain.triton_card import kernel_facts
from kernelscope.kernels.cuda.kernels import Kernels as CudaKernels
from kernelscope.kernels.triton.kernel_runs import KernelRuns
from kernelscope.results import Location
from kernelscope.serving.system import System
from kernelscope.workspace.files import PYTHON_SUFFIXES

MOST_TRITON = 40
MOST_CUDA = 24
MAX_TEXT = 1_500
NOTHING = re.compile(r"none\b|not known|no launch found")
TILING = {
    "Grid": "grid", "Programs": "num_tiles", "Configs": "variants", "Constexprs": "blocks", "Block tensors": "mapping",
    "Launch": "launch", "Block": "blocks", "Thread mapping": "mapping", "Loop": "loop",
}  # fmt: skip
MEMORY = {
    "Loads / stores": "accesses", "Work per program": "work", "Shared memory": "shared_bytes", "Features": "features",
    "Global access": "coalescing", "Shared access": "bank_conflicts", "Shared memory (static)": "shared_bytes",
    "Shared memory (dynamic)": "shared_dynamic", "Vector width": "vector_width", "Async copy": "pipeline",
    "Barriers": "barriers", "Tensor cores": "tensor_cores", "Atomics": "atomics",
}  # fmt: skip
"""Fields of the report by the rows of a card."""


@dataclass(frozen=True, slots=True)
class Kernels:
    """What knows the kernels of a workspace."""

    triton: KernelRuns
    cuda: CudaKernels

    def rows(self, system: System, places: Places) -> tuple[list[Json], list[Json]]:
        """Tilings and memory accesses of the system's kernels."""
        tiling: list[Json] = []
        memory: list[Json] = []
        for name, kind, where, card in (*_triton(self.triton, system), *_cuda(self.cuda, system)):
            for fields, rows in ((TILING, tiling), (MEMORY, memory)):
                row = _row(name, kind, where, card, fields, places)
                if row is not None:
                    rows.append(row)
        return tiling, memory


def _central(system: System, suffixes: Iterable[str]) -> list[str]:
    """Files of a language that are no tests or examples, those that many others import first."""
    found = [r.path for r in system.readings if not r.aside and r.path.suffix in suffixes and r.has_kernels]
    return [str(path) for path in sorted(found, key=lambda path: (-system.weight(path), str(path)))]


def _triton(runs: KernelRuns, system: System) -> Iterator[tuple[str, str, Location, Card]]:
    left = MOST_TRITON
    for path in _central(system, PYTHON_SUFFIXES):
        module = runs.modules.module(path)
        for node in runs.kernels(path) if module is not None and left > 0 else ():
            assert module is not None
            facts = kernel_facts(runs, Path(path), module, node)
            if facts.run.is_helper or left <= 0:
                continue
            left -= 1
            yield node.name, "triton", facts.location(node.name_span), triton_card(facts)


def _cuda(kernels: CudaKernels, system: System) -> Iterator[tuple[str, str, Location, Card]]:
    left = MOST_CUDA
    for path in _central(system, (".cu", ".cuh")):
        for facts in kernels.in_file(path) if left > 0 else ():
            if left <= 0:
                break
            left -= 1
            yield facts.name, "cuda", facts.location(facts.function.name_span), cuda_card(facts)


def _row(name: str, kind: str, where: Location, card: Card, fields: dict[str, str], places: Places) -> Json | None:
    """The rows of a card that belong to one part of the report; None when they say nothing."""
    found: Json = {"kernel": name, "language": kind}
    lines: list[Line] = []
    for row in card.rows:
        field = fields.get(row.name)
        told = [line for line in row.lines if not NOTHING.match(line.text)]
        if field is None or not told:
            continue
        lines += told
        text = f"{row.name.lower()} of {name}: " + "; ".join(line.text.replace("`", "") for line in told)
        found[field] = f"{found[field]}; {text}" if field in found else text[:MAX_TEXT]
    if not lines:
        return None
    return {**found, "evidence": places.evidence(where, *(line.location for line in lines if line.location))}
