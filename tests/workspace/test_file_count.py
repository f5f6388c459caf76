"""Whether a workspace is large is known once its files are counted, or when that takes long."""

from __future__ import annotations

import time

import pytest
from kernelscope.workspace import file_count
from kernelscope.workspace.file_count import FileCount


def test_what_was_never_counted_is_small() -> None:
    count = FileCount()
    count.wait()
    assert not count.is_large


def test_what_takes_long_to_count_is_large_until_it_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_count, "COUNT_SECONDS", 0.05)
    count = FileCount()
    with count.counting():
        assert not count.is_large
        begun = time.monotonic()
        count.wait()
        assert time.monotonic() - begun >= 0.04 and count.is_large
        count.wait()
        count.files = 3
    assert not count.is_large
