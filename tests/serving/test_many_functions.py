"""Systems with more functions than a section holds: those near what is claimed come first, others share rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain import report_layout
from kernelscope.explain.report_layout import cut_to_size, together
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.procedures import procedures

Source = Callable[[str], PythonSource]
Json = dict[str, object]

QUEUE = """
class Scheduler:
    def __init__(self):
        self.waiting = deque()

    def add(self, request):
        self.waiting.append(request)

    def schedule(self):
        request = self.waiting.popleft()
        self.count += 1
        return request
"""
METHODS = "\n".join(
    f"    def schedule_{i}(self, paper):\n        self.folds = paper.folds + {i}\n        return self.fold(paper)\n"
    for i in range(40)
)


def values(rows: list[Json]) -> list[str]:
    return [str(row["value"]) for row in rows if "steps" in str(row["name"])]


def test_further_functions_of_a_class_share_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_layout, "FEW_FILES", 0)
    (tmp_path / "paper.py").write_text(f"class Paper:\n{METHODS}")
    (tmp_path / "desk.py").write_text(QUEUE)
    rows = report_layout.steps_of("serving.scheduling", 5)
    analysis = Analysis([tmp_path])
    system = analysis.readings.system([str(tmp_path / "paper.py"), str(tmp_path / "desk.py")])
    from kernelscope.explain.report_places import Places, Texts

    told = values(rows(system, Places(tmp_path, Texts(analysis.workspace.files))))
    assert told[0].startswith("Scheduler.")
    several = [value for value in told if value.startswith("more of Paper:\nPaper.schedule_")]
    assert several
    assert all(value.count("self.fold(paper)") <= report_layout.MOST_TOGETHER for value in several)


def test_functions_of_several_classes_stand_apart(source: Source) -> None:
    text = "class A:\n" + METHODS[: METHODS.index("    def schedule_4(")]
    text += text.replace("class A", "class B")
    told = [p for p in procedures(source(text)) if p.section != "components"]
    assert [[p.name.partition(".")[0] for p in row] for row in together(told)] == [["A"] * 4, ["B"] * 4]


def test_a_report_is_cut_where_it_says_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    place = [{"path": "a.py", "line": 1}]
    several: list[Json] = [{"name": f"more of A{i} steps", "evidence": place} for i in range(6)]
    found: Json = {"serving": {"batching": [{"name": "limit", "evidence": place}, *several]}, "config": ["a", "b"]}
    monkeypatch.setattr(report_layout, "MOST_ENTRIES", 9)
    cut_to_size(found)
    batching = cast("list[Json]", cast(Json, found["serving"])["batching"])
    assert [row["name"] for row in batching] == ["limit", "more of A0 steps", "more of A1 steps", "more of A2 steps",
                                                 "more of A3 steps"]  # fmt: skip


def rows_of(analysis: Analysis, name: str) -> list[Json]:
    """The rows of a report about functions of that name, each once."""

    def found(node: object) -> Iterator[Json]:
        if isinstance(node, dict):
            row = cast(Json, node)
            if str(row.get("name", "")).startswith(f"{name} steps"):
                yield row
            for value in row.values():
                yield from found(value)
        elif isinstance(node, list):
            for value in cast("list[object]", node):
                yield from found(value)

    return list({id(row): row for row in found(analysis.report())}.values())


def test_an_edit_leaves_the_rows_of_other_files_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "scheduler.py").write_text(QUEUE, encoding="utf-8")
    (tmp_path / "binder.py").write_text(QUEUE.replace("Scheduler", "Binder"), encoding="utf-8")
    analysis = Analysis([tmp_path])
    (before,) = rows_of(analysis, "Binder.schedule")
    analysis.set_text(tmp_path / "scheduler.py", QUEUE.replace("+= 1", "+= 2").encode())
    assert "self.count += 2" in str(rows_of(analysis, "Scheduler.schedule"))
    assert rows_of(analysis, "Binder.schedule")[0] is before
    analysis.set_text(tmp_path / "binder.py", b"# cut" + QUEUE.replace("Scheduler", "Binder").encode())
    (again,) = rows_of(analysis, "Binder.schedule")
    assert again is not before
    assert again["evidence"] == before["evidence"]
