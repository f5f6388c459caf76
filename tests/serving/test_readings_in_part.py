"""What a system is made of is told from readings in part; who asks for more gets whole ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain import document as d
from kernelscope.results import Target
from kernelscope.serving import reading
from kernelscope.serving.readings import Readings
from kernelscope.workspace.files import Files
from kernelscope.workspace.workspace import Workspace

SERVICE = Path(__file__).parents[1] / "workspaces" / "service"


def architecture(analysis: Analysis) -> d.Document:
    return analysis.document("architecture", Target(SERVICE))


def test_an_architecture_is_the_same_by_whole_readings() -> None:
    analysis = Analysis([SERVICE], cache_dir=None)
    analysis.document("serving", Target(SERVICE))
    assert architecture(analysis) == architecture(Analysis([SERVICE], cache_dir=None))


def test_an_architecture_asks_no_recogniser_of_what_it_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(_: object) -> None:
        raise AssertionError("asked")

    for name in ("settable", "procedures", "constraints", "syncs", "c_settings", "c_procedures"):
        monkeypatch.setattr(reading, name, asked)
    document = architecture(Analysis([SERVICE], cache_dir=None))
    assert any(isinstance(block, d.Diagram) for block in document.blocks)


def test_what_was_read_in_part_is_read_whole_for_who_asks_for_more(tmp_path: Path) -> None:
    workspace = Workspace(Files([str(SERVICE)]), tmp_path)
    readings = Readings(workspace)
    paths = [entry.path for entry in workspace.files.walk()]
    in_part = readings.system(paths, whole=False)
    assert list(in_part.routes) and not in_part.parameters
    whole = readings.system(paths)
    assert whole.parameters
    assert readings.system(paths, whole=False).parameters, "whole ones do where there are some"
    assert not Readings(Workspace(Files([str(SERVICE)]), tmp_path)).system(paths, whole=False).faults
