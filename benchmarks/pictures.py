"""Time to draw pictures, and what becomes of a folder's modules.

`python benchmarks/pictures.py [FOLDER [PATTERN [MOST]]]`

Draws chains with shortcuts, of more and more boxes. Of a folder the dataflow of every `forward` is made, or of so many
evenly apart: prints how many tell of something, fail, have boxes whose shape is known in every dim, and fit 100
columns. Times are of CPU.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.diagrams.flow import draw
from kernelscope.diagrams.model import Box, Edge, Graph
from kernelscope.explain.document import Diagram, Document
from kernelscope.results import Target, UserError

SIZES = (10, 50, 150, 300)
WIDTH = 100
FORWARD = re.compile(rb"^\s+def forward\(", re.MULTILINE)
WHOLE = re.compile(r"\[(?!.*(?:\?|\.\.\.)).*\]")


def main() -> None:
    for size in SIZES:
        graph = _chain(size)
        start = time.process_time()
        draw(graph, width=WIDTH)
        print(f"{size:4} boxes: {(time.process_time() - start) * 1000:.0f} ms")
    if len(sys.argv) > 1:
        pattern = re.compile(sys.argv[2] if len(sys.argv) > 2 else "")
        _sweep(Path(sys.argv[1]).resolve(), pattern, int(sys.argv[3]) if len(sys.argv) > 3 else None)


def _chain(size: int) -> Graph:
    boxes = tuple(Box(f"n{i}", (f"step {i}",)) for i in range(size))
    ends = [(i, j) for i in range(size) for j in (i + 1, i + 3) if j < size]
    return Graph(boxes, tuple(Edge(f"n{i}", f"n{j}", f"[{i}, H]") for i, j in ends))


def _sweep(folder: Path, pattern: re.Pattern[str], most: int | None) -> None:
    analysis = Analysis([folder])
    files = (p for p in sorted(folder.rglob("*.py")) if pattern.search(str(p)) and FORWARD.search(p.read_bytes()))
    every = [(path, name) for path in files for name in _forwards(analysis, path)]
    step = 1 if most is None else max(1.0, len(every) / most)
    picked = [every[int(number * step)] for number in range(int(len(every) / step))]
    times: list[float] = []
    failed: list[str] = []
    boxes: list[bool] = []
    fits: list[bool] = []
    empty = 0
    for path, name in picked:
        start = time.process_time()
        try:
            document = analysis.document("dataflow", Target(path, None, name))
        except UserError:
            empty += 1
            continue
        except Exception as error:  # each is counted, and one must not end the rest
            failed.append(f"{path.relative_to(folder)}::{name}: {error!r}")
            continue
        times.append(time.process_time() - start)
        boxes += _known(document)
        pictures = [block.graph for block in document.blocks if isinstance(block, Diagram)]
        fits.append(not any(draw(graph, width=WIDTH).overflow for graph in pictures))
    times.sort()
    print(
        f"{len(picked)} of {len(every)} forwards: {len(times)} documents, {empty} without tensors, {len(failed)} failed"
    )
    print(*(f"  {line}" for line in failed), sep="\n", end="\n" if failed else "")
    if times and boxes:
        print(f"boxes with a whole shape: {sum(boxes)} of {len(boxes)}, {sum(boxes) / len(boxes):.1%}")
        print(f"in {WIDTH} columns: {sum(fits) / len(fits):.1%}")
        print(f"p50 {times[len(times) // 2] * 1000:.0f} ms, p95 {times[len(times) * 19 // 20] * 1000:.0f} ms")


def _forwards(analysis: Analysis, path: Path) -> Iterator[str]:
    module = analysis.workspace.modules.module(str(path))
    for scope in module.functions() if module is not None else ():
        if scope.node.name == "forward" and scope.owner is not None:
            yield scope.qualified_name


def _known(document: Document) -> Iterator[bool]:
    """For each box that something leaves, whether a shape on one of its lines is known in every dim."""
    for block in document.blocks:
        if isinstance(block, Diagram):
            labels: dict[str, list[str]] = {}
            for edge in block.graph.edges:
                labels.setdefault(edge.source, []).append(edge.label)
            yield from (any(map(WHOLE.search, found)) for found in labels.values())


if __name__ == "__main__":
    main()
