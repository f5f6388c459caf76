"""A fault of ours costs what it was met in: the rest of a report stands, and one line says what is missing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain import report_serving, system_documents
from kernelscope.explain.render import to_text
from kernelscope.results import Target
from kernelscope.serving import metrics, reading
from kernelscope.turns import Interrupted

pytestmark = pytest.mark.faults
Json = dict[str, object]


def fails(*_: object) -> list[object]:
    raise KeyError("who thought of that")


def missing(report: Json) -> list[str]:
    rows = cast("list[Json]", report["diagnostics"])
    return [str(row["message"]) for row in rows if row["code"] == "part-missing"]


def test_in_a_recogniser_it_costs_what_that_tells(
    sample_root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = Analysis([sample_root]).report()
    monkeypatch.setattr(fails, "__module__", metrics.__name__)
    monkeypatch.setattr(reading, "metrics", fails)
    found = Analysis([sample_root]).report()
    assert cast(Json, found["serving"])["metrics"] == []
    assert cast(Json, found["serving"])["kv_cache"] == cast(Json, whole["serving"])["kv_cache"]
    assert found["config"] == whole["config"]
    assert any(
        line.startswith("metrics of engine.py could not be told: KeyError: 'who thought of that'")
        for line in missing(found)
    )
    assert not missing(whole)
    assert any(record.exc_info for record in caplog.records if record.levelno == logging.ERROR)


def test_in_a_recogniser_it_leaves_what_was_found_before() -> None:
    def half(_: str) -> Iterator[str]:
        yield "first"
        raise AssertionError

    found = reading.Reading(Path("desk.py"), False, 1)
    assert found.told(half, "text") == ["first"]
    assert [fault.error for fault in found.faults] == ["AssertionError: "]


def test_in_a_section_it_costs_the_section(sample_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Analysis([sample_root]).report()
    monkeypatch.setattr(report_serving, "declared", fails)
    found = Analysis([sample_root]).report()
    assert cast(Json, found["serving"])["kv_cache"] == []
    assert cast(Json, found["serving"])["lifecycle"] == cast(Json, whole["serving"])["lifecycle"]
    assert any(line.startswith("section serving.kv_cache of the report") for line in missing(found))


def test_in_a_document_it_is_told_where_the_part_would_stand(
    sample_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system_documents, "state_diagram", fails)
    shown = to_text(Analysis([sample_root]).document("serving", Target(sample_root)), 100, "unicode").text
    assert "request lifecycle could not be told: KeyError" in shown
    assert "FCFS" in shown


def test_what_ends_work_on_purpose_passes(sample_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> object:
        raise Interrupted

    monkeypatch.setattr(reading, "metrics", interrupted)
    with pytest.raises(Interrupted):
        Analysis([sample_root]).report()
