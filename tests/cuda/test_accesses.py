"""Kernels that are read as source: `//:` expects the accesses of a line, strictly; `--accept` rewrites them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kernelscope.explain.cuda_accesses import access_lines
from kernelscope.kernels.cuda.warp.accesses import Verdict, verdicts
from kernelscope.kernels.cuda.warp.definitions import Definitions
from kernelscope.kernels.cuda.warp.kernel_run import Setting, run_kernel
from kernelscope.syntax.cuda import tree as t
from kernelscope.syntax.cuda.source import CudaSource, parse

FOLDER = Path(__file__).parent / "accesses"
FILES = sorted(FOLDER.glob("*.cu"))
NOTE = re.compile(r"\s*//: .*$")


def setting(lines: list[str], kernel_line: int) -> Setting:
    """The launch that `//@ block 16, 16 · N=4` above a kernel gives."""
    above = next((lines[i] for i in range(kernel_line - 1, -1, -1) if lines[i].startswith("//@")), "")
    block = re.search(r"block ([\d, ]+)", above)
    sizes = [int(n) for n in block[1].split(",")] if block else []
    x, y, z = (*sizes, 1, 1, 1)[:3] if sizes else (None, None, None)
    return Setting((x, y, z), {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", above)})


def found(source: CudaSource, lines: list[str]) -> dict[int, list[str]]:
    """The accesses of every line, as the card tells them."""

    def line(verdict: Verdict) -> int:
        span = verdict.access.span
        return source.source.line_of(source.prepared.origin(span.start, span.end).start)

    result: dict[int, list[str]] = {}
    for functions in source.lowered.functions.values():
        for function in functions:
            if "__global__" not in function.qualifiers:
                continue
            assert isinstance(function, t.Function)
            start = source.source.line_of(source.prepared.origin(function.span.start, function.span.end).start)
            run = run_kernel(Definitions.of(source), function, setting(lines, start))
            assert run.complete
            judged = verdicts(run)
            for space in ("global", "shared"):
                for text, verdict in access_lines([v for v in judged if v.access.memory.space == space], space, line):
                    result.setdefault(line(verdict), []).append(re.sub(r" L\d+ ", " ", text).replace("`", ""))
    return result


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_accesses_of_every_line(path: Path, request: pytest.FixtureRequest) -> None:
    lines = path.read_text().splitlines()
    told = found(parse(path.read_bytes(), path=str(path)), lines)
    got = [
        NOTE.sub("", text) + ("  //: " + " | ".join(told[i]) if i in told else "") for i, text in enumerate(lines, 1)
    ]
    if request.config.getoption("--accept"):
        path.write_text("\n".join(got) + "\n")
    assert got == path.read_text().splitlines()
