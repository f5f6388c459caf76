"""Lenses stand where there is something to open."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.results import Target, ViewOptions

SAMPLE = Path(__file__).parents[1] / "workspaces" / "sample"


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("tinyllm/schedule.py", [b"one_layer"]),
        ("csrc/megakernel.cu", [b"megakernel"]),
        ("tinyllm/model.py", []),
        ("csrc/transpose.cu", []),
    ],
)
def test_timelines_of_schedulers_and_megakernels(file: str, names: list[bytes]) -> None:
    analysis, path = Analysis([SAMPLE]), SAMPLE / file
    data = path.read_bytes()
    lenses = [lens for lens in analysis.lenses(path) if lens.command == "kernelscope.showTimeline"]
    assert [data[lens.span.start : lens.span.end] for lens in lenses] == names
    for lens in lenses:
        assert analysis.document("timeline", Target(path, lens.target.offset), ViewOptions()).blocks
