"""Time to explain every Triton kernel of a folder: `python benchmarks/kernels.py FOLDER [PATTERN]`.

For each kernel and helper Explain Kernel is made, its card included, as if somebody asked for that one first: what the
kernels before it have made known of files stays known. An explanation that fails ends the run. Prints CPU times.
"""

from __future__ import annotations

import gc
import re
import sys
import time
from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.explain.render import to_text
from kernelscope.results import Target

SLOWEST = 15
gc.set_threshold(50_000, 20, 50)  # as in the server


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    pattern = re.compile(sys.argv[2] if len(sys.argv) > 2 else "")
    paths = [p for p in sorted(folder.rglob("*.py")) if pattern.search(str(p)) and b"jit" in p.read_bytes()]
    analysis = Analysis([folder])
    analysis.index()
    kernels: list[tuple[float, str]] = []
    for path in paths:
        for node in analysis.triton.kernels(str(path)):
            before = time.process_time()
            to_text(analysis.document("explain", Target(path, node.name_span.start, node.name)))
            kernels.append((time.process_time() - before, f"{path.relative_to(folder)}::{node.name}"))
    kernels.sort(reverse=True)
    if not kernels:
        print(f"no kernels in {folder}")
        return
    middle, slow = kernels[len(kernels) // 2][0], kernels[len(kernels) // 20][0]
    print(f"{len(kernels)} kernels: p50 {middle * 1000:.0f} ms, p95 {slow * 1000:.0f} ms of CPU; the slowest:")
    for seconds, name in kernels[:SLOWEST]:
        print(f"  {seconds * 1000:6.0f} ms  {name}")


if __name__ == "__main__":
    main()
