"""Files as they are between two states: cut off, merged with others, stretches lost. Nothing raises or is logged."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernelscope.analysis import Analysis
from kernelscope.explain.render import to_text
from kernelscope.results import Span, Target, UserError
from kernelscope.workspace.files import CUDA_SUFFIXES, PYTHON_SUFFIXES

SAMPLE = Path(__file__).parents[1] / "workspaces" / "sample"
KINDS = ("explain", "dataflow", "ops", "memory", "architecture", "pseudocode", "tiling", "timeline", "path", "why")
DOCUMENTS = 4
"""How many kinds of documents one state of a file is asked for."""


def files(suffixes: tuple[str, ...]) -> list[Path]:
    return sorted(path for path in SAMPLE.rglob("*") if path.suffix in suffixes)


PAIRS = st.one_of(
    *(st.tuples(*[st.sampled_from(files(suffixes))] * 2) for suffixes in (PYTHON_SUFFIXES, CUDA_SUFFIXES))
)
SHARES = st.lists(st.floats(0, 1), min_size=4, max_size=4)


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    made = Analysis([SAMPLE])
    made.index()
    return made


def merged(one: bytes, other: bytes, shares: list[float], by_lines: bool) -> bytes:
    """The beginning of one file, a stretch of another, and what is left of the first from some place on."""
    first: list[bytes] = one.splitlines(keepends=True) if by_lines else [one[i : i + 1] for i in range(len(one))]
    second = other.splitlines(keepends=True) if by_lines else [other[i : i + 1] for i in range(len(other))]
    cut, begin, end, on = (
        int(share * len(of)) for share, of in zip(shares, (first, second, second, first), strict=True)
    )
    return b"".join([*first[:cut], *second[begin:end], *first[on:]])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PAIRS, SHARES, st.booleans(), st.floats(0, 1), st.integers(0, len(KINDS) - 1))
def test_merged_files_are_told_without_a_fault(
    analysis: Analysis,
    caplog: pytest.LogCaptureFixture,
    pair: tuple[Path, Path],
    shares: list[float],
    by_lines: bool,
    place: float,
    kind: int,
) -> None:
    path, other = pair
    data = merged(path.read_bytes(), other.read_bytes(), shares, by_lines)
    offset = int(place * len(data))
    analysis.set_text(path, data)
    caplog.clear()
    try:
        with caplog.at_level(logging.WARNING, logger="kernelscope"):
            analysis.hover(path, offset)
            analysis.inlay_hints(path, Span(0, len(data)))
            analysis.problems(path)
            for lens in analysis.lenses(path):
                analysis.resolve_lens(lens)
            analysis.references(path, offset)
            for number in range(DOCUMENTS):
                with contextlib.suppress(UserError):
                    to_text(analysis.document(KINDS[(kind + number) % len(KINDS)], Target(path, offset)))
        assert not caplog.records
    finally:
        analysis.set_text(path, None)
