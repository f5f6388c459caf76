"""Half-typed files: every question of navigation answers something, none raises."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernelscope.analysis import Analysis
from kernelscope.results import Target, UserError

SAMPLE = Path(__file__).parents[1] / "workspaces" / "sample"
FILES = sorted(path for path in SAMPLE.rglob("*") if path.suffix in (".py", ".cu", ".cpp"))


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    made = Analysis([SAMPLE])
    made.index()
    return made


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(FILES),
    st.integers(0, 4000),
    st.integers(0, 60),
    st.sampled_from([b"", b"(", b"@", b"def ", b"<<<", b"\xff\xfe", b'"""', b"import ", b"class X(X):\n", b"{"]),
    st.integers(0, 5000),
)
def test_questions_about_broken_files(
    analysis: Analysis, path: Path, cut: int, drop: int, junk: bytes, offset: int
) -> None:
    data = path.read_bytes()
    analysis.set_text(path, data[:cut] + junk + data[cut + drop :])
    try:
        analysis.outline(path)
        analysis.definition(path, offset)
        analysis.references(path, offset)
        analysis.incoming_calls(path, offset)
        analysis.outgoing_calls(path, offset)
        analysis.find_symbols("forward")
        with contextlib.suppress(UserError):
            analysis.document("path", Target(path, offset))
    finally:
        analysis.set_text(path, None)
