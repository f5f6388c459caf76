"""Marks of words: a file that holds one is always named, also after it changed."""

from __future__ import annotations

from pathlib import Path

from kernelscope.workspace.files import Files
from kernelscope.workspace.word_marks import WordMarks


def test_files_that_hold_a_word_are_named(tmp_path: Path) -> None:
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("def first(x):\n    return second(x)  # third\n")
    other.write_text("pass\n")
    files = Files([str(tmp_path)])
    marks = WordMarks(files)
    assert all(marks.may_hold(str(one), word) for word in (b"first", b"second", b"third", b"x"))
    assert not marks.may_hold(str(other), b"first")
    assert marks.may_hold(str(other), b"no word")
    assert not marks.may_hold(str(tmp_path / "gone.py"), b"first")


def test_a_change_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "one.py"
    path.write_text("pass\n")
    files = Files([str(tmp_path)])
    marks = WordMarks(files)
    assert not marks.may_hold(str(path), b"fresh")
    files.set_text(str(path), b"fresh()\n")
    assert marks.may_hold(str(path), b"fresh")
    path.write_text("fresh = 1\n")
    files.set_text(str(path), None)
    assert marks.may_hold(str(path), b"fresh")
