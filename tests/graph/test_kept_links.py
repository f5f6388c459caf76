"""Links that are kept in the cache are those of linking, of the files as they are, and no accident shows."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest
from graph.test_links_after_edits import present, told
from graph.test_native_links import HOST, KERNELS
from kernelscope.analysis import Analysis
from kernelscope.graph import kept_links, present_links
from kernelscope.graph.cpp_links import CppEdges
from kernelscope.graph.links import Links, link
from kernelscope.graph.packed_links import pack, unpack
from kernelscope.workspace import processes
from kernelscope.workspace.files import Files
from kernelscope.workspace.workspace import Workspace

TEXT = KERNELS + HOST.replace("BODY", "Made::build(x); void* k = pick(n); k<<<1, 32>>>(x);")


@pytest.fixture
def root(workspace: Callable[[str], Files], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(kept_links, "MIN_FILES", 0)
    return Path(workspace(TEXT).roots[0])


@pytest.fixture
def linkings(monkeypatch: pytest.MonkeyPatch) -> list[Workspace]:
    """Grows whenever this process links all."""
    found: list[Workspace] = []

    def counted(workspace: Workspace, kept: Mapping[str, CppEdges] | None = None) -> Links:
        if kept is None:
            found.append(workspace)
        return link(workspace, kept)

    monkeypatch.setattr(present_links, "link", counted)
    return found


def started(root: Path, cache: Path) -> Analysis:
    analysis = Analysis([root], cache_dir=cache)
    analysis.index()
    return analysis


def test_another_process_links_and_later_starts_read_what_it_made(
    root: Path, tmp_path_factory: pytest.TempPathFactory, linkings: list[Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    first = started(root, cache)
    assert told(present(first)) == told(link(first.workspace))
    monkeypatch.delattr(processes, "spawn")
    second = started(root, cache)
    assert told(present(second)) == told(link(first.workspace))
    assert linkings == []


def test_they_are_of_the_files_as_they_are(
    root: Path, tmp_path_factory: pytest.TempPathFactory, linkings: list[Workspace]
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    before = told(present(started(root, cache)))
    path = root / "picked.cu"
    path.write_text(path.read_text() + "void more(float* x) { passes_on(x); }\n")
    changed = started(root, cache)
    assert told(present(changed)) == told(link(changed.workspace)) != before
    opened = Analysis([root], cache_dir=cache)
    text = path.read_bytes()
    opened.set_text(path, text.replace(b"{ passes_on(x);", b"{\n passes_on(x); pick(4);", 1))
    opened.index()
    assert told(present(opened)) == told(link(opened.workspace))
    assert linkings == []


def test_without_a_process_this_one_links(
    root: Path, tmp_path_factory: pytest.TempPathFactory, linkings: list[Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(module: str) -> None:
        raise OSError

    monkeypatch.setattr(processes, "spawn", fails)
    analysis = started(root, tmp_path_factory.mktemp("cache"))
    assert told(present(analysis)) == told(link(analysis.workspace))
    assert len(linkings) == 1


def test_what_is_cancelled_ends(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    analysis = Analysis([root], cache_dir=cache)
    analysis.workspace.build_index(None, lambda: False)
    made: list[subprocess.Popen[bytes]] = []
    spawn = processes.spawn
    monkeypatch.setattr(processes, "spawn", lambda module: made.append(spawn(module)) or made[-1])
    kept_links.make_beside(analysis.workspace, cache, lambda: True)
    assert [process.poll() for process in made] == [-9]
    assert kept_links.kept_links(analysis.workspace) is None


def test_bytes_that_are_not_links_give_none(root: Path) -> None:
    analysis = Analysis([root])
    analysis.index()
    links = present(analysis)
    data = pack(links.cpp, links.others)
    assert told(unpack(data) or links) == told(links)
    assert unpack(data) is not None
    for broken in (
        b"",
        b"links",
        data[:-1],
        msgspec.msgpack.encode({"texts": [], "nodes": [], "cpp": [], "others": [[0] * 7]}),
    ):
        assert unpack(broken) is None
