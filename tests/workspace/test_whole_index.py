"""The names of all files as one text: changed like a table of files, kept as one blob, believed only if it is whole."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernelscope.workspace import index as indexing
from kernelscope.workspace.facts import EMPTY_NAMES, DefKind, FileNames, Name, columns
from kernelscope.workspace.files import Files
from kernelscope.workspace.index import Index
from kernelscope.workspace.packed_names import NOTHING, PackedNames, unpack
from kernelscope.workspace.store import Known, State, Store
from kernelscope.workspace.whole_index import pack, unpacked

Workspace = Callable[[str], Files]
SOURCE = """
## a.py
def first(): ...
## b.py
def second(): ...
## c.py
def third(): ...
"""

_names = st.lists(st.sampled_from(["f", "norm", "İ", "reduce_kernel"]), max_size=4).map(
    lambda listed: columns([Name(name, DefKind.FUNCTION, line, 4, "C" * line) for line, name in enumerate(listed)])
)
_changes = st.dictionaries(st.sampled_from(["a", "b", "c", "d/e", "é"]), st.none() | _names, max_size=5)


@given(st.lists(_changes, max_size=4))
def test_the_text_holds_what_a_table_of_files_would(changes: list[dict[str, FileNames | None]]) -> None:
    packed, files = NOTHING, dict[str, FileNames]()
    for change in changes:
        packed = packed.changed(change)
        files = {path: names for path, names in (files | change).items() if names is not None}
        packed = unpack(packed.pack())
        assert packed.paths == sorted(files)
        assert [packed.names(place) for place in range(len(packed.paths))] == [files[path] for path in packed.paths]
        assert all(packed.file_at(at) == place for place, at in starts(packed))
        assert len(packed) == sum(len(names.kinds) for names in files.values())


def starts(packed: PackedNames) -> list[tuple[int, int]]:
    """Files with names, and where those begin."""
    return [(i, packed.begin(i)) for i in range(len(packed.paths)) if packed.names(i) != EMPTY_NAMES]


def test_a_blob_with_any_bit_turned_is_not_believed() -> None:
    known = [Known("/w/a.py", 3, 5, 0, "why", b"", False), Known("/w/b.py", 4, 6, 1, None, b"", True)]
    blob = pack(known)
    whole = unpacked(blob)
    assert whole is not None
    assert whole.failed == {"/w/a.py": "why"}
    assert whole.stamps["/w/b.py"] == (4, 6, 1, True)
    chance = random.Random(1)
    for _ in range(300):
        broken = bytearray(blob)
        broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
        assert unpacked(bytes(broken)) is None
    assert unpacked(blob[:-1]) is None


@pytest.fixture
def files(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.setattr(indexing, "MANY_ROWS", 1)
    return workspace(SOURCE)


def names(index: Index) -> list[str]:
    return sorted(match.name.name for match in index.table.search("", 50))


def loaded(files: Files, cache: Path) -> tuple[list[str], int]:
    """What a start knows before it looks at the disk, and how many rows it read one by one."""
    index = Index(Files(list(files.roots)), cache)
    kept = index.store().whole()
    assert kept is not None
    rows = len(index.store().known(kept[0].file))
    index._load()
    return names(index), rows


def test_a_start_reads_one_blob_and_what_came_and_went_since(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, cache = Path(files.roots[0]), tmp_path / "cache"
    index = Index(files, cache)
    index.run()
    assert loaded(files, cache) == (["first", "second", "third"], 0)
    monkeypatch.setattr(indexing, "MANY_ROWS", 100)
    (root / "a.py").write_text("def other(): ...\n")
    os.remove(root / "b.py")
    Index(Files(list(files.roots)), cache).run()
    assert loaded(files, cache) == (["other", "third"], 1)
    (root / "b.py").write_text("def again(): ...\n")
    Index(Files(list(files.roots)), cache).run()
    assert loaded(files, cache) == (["again", "other", "third"], 2)
    monkeypatch.setattr(indexing, "MANY_ROWS", 1)
    (root / "d.py").write_text("def fourth(): ...\n")
    Index(Files(list(files.roots)), cache).run()
    assert loaded(files, cache) == (["again", "fourth", "other", "third"], 0)


def test_a_file_that_goes_while_the_blob_is_made_is_gone_for_who_reads_it(tmp_path: Path) -> None:
    store = Store(tmp_path, ["/w"])
    row = Known("/w/a.py", 1, 1, 0, None, b"", False)
    store.put_whole(State(7, 0), pack([row]))
    store.drop(["/w/a.py"])
    assert store.gone(0) == ["/w/a.py"]
    store.put_whole(State(7, 0), pack([row]))
    assert store.gone(0) == ["/w/a.py"], "whoever made it did not know"
    store.put_whole(State(7, 1), pack([]))
    assert store.gone(0) == []


def test_what_the_blob_knows_of_is_counted_also_when_its_rows_are_gone(tmp_path: Path) -> None:
    store = Store(tmp_path, ["/w"])
    store.drop(["/w/a.py", "/w/b.py"])
    state = store.state()
    assert state.gone == 2
    store.put_whole(state, pack([]))
    assert (store.gone(0), store.state()) == ([], state)
