"""Blobs that later stages keep on disk: another run finds them, for this version of the file and of the code alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope.workspace.kept import BATCH, Kept
from kernelscope.workspace.reading import Version
from kernelscope.workspace.store import Store

THEN = Version(mtime_ns=1_000, size=10)
MAKERS = ("kernelscope.dims",)


def kept(folder: Path | None, family: str = "readings", makers: tuple[str, ...] = MAKERS) -> Kept:
    store = Store(folder, ("/w",))
    return Kept(lambda: store, family, makers)


def test_another_run_finds_what_was_kept(tmp_path: Path) -> None:
    first = kept(tmp_path)
    first.put("/w/a.py", THEN, b"facts")
    assert kept(tmp_path).get("/w/a.py", THEN) is None, "nothing is on disk before a flush"
    first.flush()
    again = kept(tmp_path)
    assert again.get("/w/a.py", THEN) == b"facts"
    assert again.get("/w/b.py", THEN) is None
    again.forget()
    assert again.get("/w/a.py", THEN) == b"facts", "what was let go of is read again"


@pytest.mark.parametrize("now", [Version(2_000, 10), Version(1_000, 11), None])
def test_another_version_of_the_file_has_nothing(tmp_path: Path, now: Version | None) -> None:
    first = kept(tmp_path)
    first.put("/w/a.py", THEN, b"facts")
    first.flush()
    assert kept(tmp_path).get("/w/a.py", now) is None


def test_the_last_blob_of_a_file_stays(tmp_path: Path) -> None:
    first = kept(tmp_path)
    for version, blob in ((THEN, b"old"), (Version(2_000, 10), b"new")):
        first.put("/w/a.py", version, blob)
        first.flush()
    again = kept(tmp_path)
    assert (again.get("/w/a.py", THEN), again.get("/w/a.py", Version(2_000, 10))) == (None, b"new")


def test_other_code_and_other_families_stay_apart(tmp_path: Path) -> None:
    first = kept(tmp_path)
    first.put("/w/a.py", THEN, b"facts")
    first.flush()
    assert kept(tmp_path, "kernels").get("/w/a.py", THEN) is None
    assert kept(tmp_path, makers=("kernelscope.tensor",)).get("/w/a.py", THEN) is None


def test_open_documents_and_stores_in_memory_keep_nothing(tmp_path: Path) -> None:
    first = kept(tmp_path)
    typed = Version(mtime_ns=-1, size=10, edit=3)
    first.put("/w/a.py", typed, b"facts")
    first.flush()
    assert kept(tmp_path).get("/w/a.py", typed) is None
    nowhere = kept(None)
    nowhere.put("/w/a.py", THEN, b"facts")
    nowhere.flush()
    assert nowhere.get("/w/a.py", THEN) is None


def test_a_batch_is_written_without_a_flush(tmp_path: Path) -> None:
    first = kept(tmp_path)
    for number in range(BATCH):
        first.put(f"/w/{number}.py", THEN, b"facts")
    assert kept(tmp_path).get("/w/0.py", THEN) == b"facts"
