"""What is not read of files where only what a system is made of is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.serving import c_functions
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.reading import read_c, read_python
from kernelscope.syntax.text import SourceText

TABLES = """
    from enum import Enum

    class Kind(Enum):
        FAST = 1
        SLOW = 2

    MODELS = {"one": OneModel, "two": TwoModel}

    def make(kind):
        if kind == "one":
            return OneModel()
        if kind == "two":
            return TwoModel()
"""


def test_registries_of_a_reading_in_part_are_those_that_something_holds(
    source: Callable[[str], PythonSource],
) -> None:
    assert {r.kind for r in read_python(source(TABLES)).registries} == {"enum", "table", "factory"}
    assert {r.kind for r in read_python(source(TABLES), whole=False).registries} == {"table"}


def test_functions_of_a_native_file_are_not_looked_for_where_nothing_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[bytes] = []
    facts = c_functions.cuda_facts
    monkeypatch.setattr(c_functions, "cuda_facts", lambda data: (looked.append(data), facts(data))[1])
    quiet, busy = b"int add(int a) { return a + 1; }\n", b"void run() { std::thread t(&Loop::go, this); }\n"
    assert not read_c(CSource(Path("/w/a.cpp"), SourceText(quiet)), whole=False).started
    assert looked == []
    assert [s.target for s in read_c(CSource(Path("/w/b.cpp"), SourceText(busy)), whole=False).started] == ["Loop::go"]
