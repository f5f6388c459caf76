"""Time to explain every kernel of a folder, Triton and CUDA: `python benchmarks/kernels.py FOLDER [PATTERN]`.

For each kernel, and each helper of Triton, Explain Kernel is made, its card included, as if somebody asked for that one
first: what the kernels before it have made known of files stays known. An explanation that fails ends the run. Prints
CPU times.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.explain.render import to_text
from kernelscope.results import Target
from kernelscope.workspace.files import CUDA_SUFFIXES
from kernelscope_server.cycles import take_back

SLOWEST = 15


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    pattern = re.compile(sys.argv[2] if len(sys.argv) > 2 else "")
    paths = [p for p in sorted(folder.rglob("*")) if pattern.search(str(p)) and _may_hold_kernels(p)]
    analysis = Analysis([folder])
    analysis.index()
    kernels: list[tuple[float, str]] = []
    for path in paths:
        before = time.process_time()
        for offset, name in _kernels(analysis, path):
            to_text(analysis.document("explain", Target(path, offset, name)))
            kernels.append((time.process_time() - before, f"{path.relative_to(folder)}::{name}"))
            take_back()  # as the server does while nobody waits
            before = time.process_time()
    kernels.sort(reverse=True)
    if not kernels:
        print(f"no kernels in {folder}")
        return
    middle, slow = kernels[len(kernels) // 2][0], kernels[len(kernels) // 20][0]
    print(f"{len(kernels)} kernels: p50 {middle * 1000:.0f} ms, p95 {slow * 1000:.0f} ms of CPU; the slowest:")
    for seconds, name in kernels[:SLOWEST]:
        print(f"  {seconds * 1000:6.0f} ms  {name}")


def _may_hold_kernels(path: Path) -> bool:
    word = b"jit" if path.suffix == ".py" else b"__global__" if path.suffix in CUDA_SUFFIXES else None
    return word is not None and path.is_file() and word in path.read_bytes()


def _kernels(analysis: Analysis, path: Path) -> list[tuple[int, str]]:
    """Where the kernels of a file are named; the time to find them is the first one's."""
    if path.suffix == ".py":
        return [(node.name_span.start, node.name) for node in analysis.triton.kernels(str(path))]
    unit = analysis.cuda.units.unit(str(path))
    return [(kernel.name_span.start, kernel.name) for kernel in unit.kernels] if unit is not None else []


if __name__ == "__main__":
    main()
