"""Kernels in a report: their tilings and what they read and write, from the cards that the editor shows.

At most as many kernels as someone would read about; those of files that many others import come first. Rows of a file
are kept, also on disk, until the file changes or one in which a launch of its kernels stands; a launch that is new
elsewhere shows once one of these has changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from kernelscope.explain.cuda_card import kernel_card as cuda_card
from kernelscope.explain.document import Card, Line
from kernelscope.explain.report_places import Json, Places, Texts
from kernelscope.explain.triton_card import kernel_card as triton_card
from kernelscope.faults import part
from kernelscope.kernels.cuda.kernels import Kernels as CudaKernels
from kernelscope.kernels.triton.kernel_facts import kernel_facts
from kernelscope.kernels.triton.kernel_runs import KernelRuns
from kernelscope.results import Location
from kernelscope.serving.system import System
from kernelscope.workspace.files import PYTHON_SUFFIXES
from kernelscope.workspace.workspace import Workspace

MOST_TRITON = 40
MOST_CUDA = 24
MOST_OF_FILE = 12
MAX_TEXT = 1_500
NOTHING = re.compile(r"none\b|not known|no launch found")
MAKERS = (
    "kernelscope.explain", "kernelscope.kernels.triton", "kernelscope.kernels.cuda", "kernelscope.kernels.cuda.warp",
    "kernelscope.syntax.python", "kernelscope.syntax.cuda", "kernelscope.dims",
)  # fmt: skip
"""Whose code decides what a row says."""
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


Named = tuple[str, str, Location, Card]
"""Name, language, place and card of a kernel."""


class KernelRows(msgspec.Struct):
    """Rows about the kernels of one file, with the size and time of each file that they rest on."""

    rests_on: dict[str, tuple[int, int, int]]
    count: int
    tiling: list[Json]
    memory: list[Json]


class Kernels:
    """The kernels of a workspace as rows of a report."""

    def __init__(self, workspace: Workspace, triton: KernelRuns, cuda: CudaKernels) -> None:
        self._files = workspace.files
        self._triton = triton
        self._cuda = cuda
        self.texts = Texts(workspace.files)
        self._known: dict[str, KernelRows] = {}
        self._kept = workspace.kept("kernels", MAKERS)

    def rows(self, system: System, places: Places) -> tuple[list[Json], list[Json]]:
        """Tilings and memory accesses of the system's kernels."""
        tiling: list[Json] = []
        memory: list[Json] = []
        for suffixes, most in ((PYTHON_SUFFIXES, MOST_TRITON), ((".cu", ".cuh"), MOST_CUDA)):
            count = 0
            for path in _central(system, suffixes):
                if count >= most:
                    break
                with part(f"kernels of {places.path(Path(path))}", system.faults):
                    found = self._of_file(path, places)
                    count += found.count
                    tiling += found.tiling
                    memory += found.memory
        self._kept.flush()
        self._kept.forget()
        return tiling, memory

    def _of_file(self, path: str, places: Places) -> KernelRows:
        known = self._known.get(path) or self._from_disk(path)
        if known is None or any(self._stamp(p) != stamp for p, stamp in known.rests_on.items()):
            known = self._made(path, places)
            self._kept.put(path, self._files.version(path), msgspec.msgpack.encode(known))
        self._known[path] = known
        return known

    def _from_disk(self, path: str) -> KernelRows | None:
        blob = self._kept.get(path, self._files.version(path))
        try:
            return msgspec.msgpack.decode(blob, type=KernelRows) if blob is not None else None
        except msgspec.MsgspecError:
            return None

    def _stamp(self, path: str) -> tuple[int, int, int]:
        version = self._files.version(path)
        return (version.size, version.mtime_ns, version.edit) if version is not None else (-1, -1, -1)

    def _made(self, path: str, places: Places) -> KernelRows:
        cards = list(self._triton_cards(path) if path.endswith(PYTHON_SUFFIXES) else self._cuda_cards(path))
        found = KernelRows({path: self._stamp(path)}, len(cards), [], [])
        for name, kind, where, card in cards:
            for fields, rows in ((TILING, found.tiling), (MEMORY, found.memory)):
                row = _row(name, kind, where, card, fields, places)
                if row is not None:
                    rows.append(row)
            for place in (line.location for row in card.rows for line in row.lines):
                if place is not None:
                    found.rests_on.setdefault(str(place.path), self._stamp(str(place.path)))
        return found

    def _triton_cards(self, path: str) -> Iterator[Named]:
        module = self._triton.modules.module(path)
        for node in self._triton.kernels(path)[:MOST_OF_FILE] if module is not None else ():
            assert module is not None
            facts = kernel_facts(self._triton, Path(path), module, node)
            if not facts.run.is_helper:
                yield node.name, "triton", facts.location(node.name_span), triton_card(facts)

    def _cuda_cards(self, path: str) -> Iterator[Named]:
        for number, facts in enumerate(self._cuda.in_file(path)):
            if number >= MOST_OF_FILE:
                break
            yield facts.name, "cuda", facts.location(facts.function.name_span), cuda_card(facts)


def _central(system: System, suffixes: Iterable[str]) -> list[str]:
    """Files of a language that are no tests or examples, those that many others import first."""
    found = [r.path for r in system.readings if not r.aside and r.path.suffix in suffixes and r.has_kernels]
    return [str(path) for path in sorted(found, key=lambda path: (-system.weight(path), str(path)))]


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
