"""The names of all files as one text: changed like a table of files, kept as one file, believed only if it is whole."""

from __future__ import annotations

import io
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
from kernelscope.workspace.whole_index import Stamp, pack, unpacked

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
        packed = unpack(packed.paths, packed.pack())
        assert packed.paths == sorted(files)
        assert [packed.names(place) for place in range(len(packed.paths))] == [files[path] for path in packed.paths]
        assert all(packed.file_at(at) == place for place, at in starts(packed))
        assert len(packed) == sum(len(names.kinds) for names in files.values())


def starts(packed: PackedNames) -> list[tuple[int, int]]:
    """Files with names, and where those begin."""
    return [(i, packed.begin(i)) for i in range(len(packed.paths)) if packed.names(i) != EMPTY_NAMES]


def test_a_file_with_any_bit_turned_is_not_believed() -> None:
    known = [Known("/w/a.py", 3, 5, 0, "why", b"", False), Known("/w/b.py", 4, 6, 1, None, b"", True)]
    blob = pack(known)
    whole = unpacked(io.BytesIO(blob))
    assert whole is not None
    assert whole.failed == {"/w/a.py": "why"}
    assert whole.stamps["/w/b.py"] == Stamp(4, 6, 1, True)
    chance = random.Random(1)
    for at in (*range(24), *(chance.randrange(len(blob)) for _ in range(300))):
        broken = bytearray(blob)
        broken[at] ^= 1 << chance.randrange(8)
        assert unpacked(io.BytesIO(broken)) is None
    assert unpacked(io.BytesIO(blob[:-1])) is None


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
    kept[1].close()
    rows = len(index.store().known(kept[0].file))
    index._load()
    return names(index), rows


def test_a_start_reads_one_file_and_what_came_and_went_since(
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


def test_a_file_that_goes_while_the_file_is_made_is_gone_for_who_reads_it(tmp_path: Path) -> None:
    store = Store(tmp_path, ["/w"])
    row = Known("/w/a.py", 1, 1, 0, None, b"", False)
    store.put_whole(State(7, 0), pack([row]))
    store.drop(["/w/a.py"])
    assert store.gone(0) == ["/w/a.py"]
    store.put_whole(State(7, 0), pack([row]))
    assert store.gone(0) == ["/w/a.py"], "whoever made it did not know"
    store.put_whole(State(7, 1), pack([]))
    assert store.gone(0) == []


def test_what_the_file_knows_of_is_counted_also_when_its_rows_are_gone(tmp_path: Path) -> None:
    store = Store(tmp_path, ["/w"])
    store.drop(["/w/a.py", "/w/b.py"])
    state = store.state()
    assert state.gone == 2
    store.put_whole(state, pack([]))
    assert (store.gone(0), store.state()) == ([], state)


def test_a_file_that_is_not_whole_is_written_again(files: Files, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    Index(files, cache).run()
    (kept,) = cache.glob("*-names-*")
    kept.write_bytes(kept.read_bytes()[:-1])
    Index(Files(list(files.roots)), cache).run()
    (again,) = cache.glob("*-names-*")
    assert again != kept, "and what was there is gone"
    assert loaded(files, cache) == (["first", "second", "third"], 0)


def test_without_the_file_rows_are_read_one_by_one(files: Files, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    Index(files, cache).run()
    for kept in cache.glob("*-names-*"):
        kept.unlink()
    index = Index(Files(list(files.roots)), cache)
    assert index.store().whole() is None
    index._load()
    assert names(index) == ["first", "second", "third"]


def test_what_is_typed_before_the_file_is_read_stays(files: Files, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    Index(files, cache).run()
    again = Files(list(files.roots))
    index = Index(again, cache)
    again.set_text(f"{files.roots[0]}/a.py", b"def typed(): ...\n")
    assert [match.name.name for match in index.search("typed", 5)] == ["typed"]
    index._load()
    assert sorted(match.name.name for match in index.search("", 50)) == ["second", "third", "typed"]


def test_an_open_document_that_says_what_the_disk_says_keeps_the_names_of_its_parse(
    workspace: Workspace, tmp_path: Path
) -> None:
    files = workspace(
        "## a.py\nimport torch\nLIMIT = 3\n@torch.library.custom_op('a::b', mutates_args=())\ndef f(x): ...\n"
    )
    path = f"{files.roots[0]}/a.py"
    index = Index(files, tmp_path / "cache")
    index.run()
    assert [match.name.name for match in index.search("LIMIT", 5)] == ["LIMIT"], "only a parse tells of variables"
    files.set_text(path, Path(path).read_bytes())
    joined = index.table._joined()
    assert [match.name.name for match in index.search("LIMIT", 5)] == ["LIMIT"]
    assert index.table._joined() is joined, "and nothing is put together anew"
    files.set_text(path, b"def g(x): ...\n")
    assert [match.name.name for match in index.search("g", 5)] == ["g"]
