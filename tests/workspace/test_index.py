"""The index: two tiers, updates, symbol search, and a cache that survives whatever happens to it."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
import pytest
from kernelscope.results import IndexProgress
from kernelscope.workspace import file_count, pool, processes, symbols
from kernelscope.workspace.facts import DefKind, Name, columns
from kernelscope.workspace.files import Files
from kernelscope.workspace.index import Index, Stage
from kernelscope.workspace.pool import scan_all
from kernelscope.workspace.store import Row, Store
from kernelscope.workspace.symbols import SymbolTable
from kernelscope.workspace.worker import Batch, Wanted, read_message, write_message

Workspace = Callable[[str], Files]
SOURCE = """
## a.py
import triton
@triton.jit
def kernel(x): ...
class Attention:
    def forward(self, x):
        helper(x)
## b.py
from a import Attention
def helper(x):
    Attention().forward(x)
## c.cu
__global__ void reduce_kernel(int* x) {}
"""


def found(index: Index, query: str) -> list[str]:
    return [match.name.name for match in index.table.search(query, 50)]


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_names_facts_and_callers(workspace: Workspace, cache: Path) -> None:
    files = workspace(SOURCE)
    index = Index(files, cache)
    said: list[IndexProgress] = []
    index.run(said.append)
    assert index.stage is Stage.CALLS
    assert said[-1].done == said[-1].total == 3
    assert found(index, "attn") == ["Attention"]
    assert [os.path.basename(path) for path in index.callers("helper") or []] == ["a.py"]
    assert [os.path.basename(path) for path in index.definers("helper") or []] == ["b.py"]
    facts = index.facts(files.roots[0] + "/a.py")
    assert facts is not None
    assert [d.name for d in facts.defs] == ["kernel", "Attention", "forward"]
    assert [os.path.basename(path) for path, _ in index.operator_files()] == ["a.py", "c.cu"]


def test_the_second_start_scans_nothing(workspace: Workspace, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = workspace(SOURCE)
    Index(files, cache).run()
    asked: list[str] = []
    monkeypatch.setattr(pool, "scan_file", lambda path, wanted: asked.append(path))
    again = Index(Files(files.roots), cache)
    again.run()
    assert asked == []
    assert found(again, "reduce") == ["reduce_kernel"]


def test_changed_new_and_deleted_files_are_noticed(workspace: Workspace, cache: Path) -> None:
    files = workspace(SOURCE)
    index = Index(files, cache)
    index.run()
    root = Path(files.roots[0])
    (root / "b.py").write_text("def renamed(): ...\n")
    (root / "new.py").write_text("def fresh(): ...\n")
    (root / "c.cu").unlink()
    for name in ("b.py", "new.py", "c.cu"):
        files.announce(str(root / name))
    index.update([str(root / name) for name in ("b.py", "new.py", "c.cu")])
    index.settle()
    assert (found(index, "helper"), found(index, "renamed"), found(index, "fresh"), found(index, "reduce")) == (
        [], ["renamed"], ["fresh"], [],
    )  # fmt: skip


def test_a_renamed_folder_and_a_burst_of_changes_are_walked(workspace: Workspace, cache: Path) -> None:
    files = workspace("## old/a.py\ndef moved(): ...\n")
    index = Index(files, cache)
    index.run()
    root = Path(files.roots[0])
    (root / "old").rename(root / "new")
    index.update([str(root / "old"), str(root / "new")])
    index.settle()
    assert [os.path.relpath(match.path, root) for match in index.table.search("moved", 5)] == ["new/a.py"]
    shutil.rmtree(root / "new")
    index.update([str(root / "new")])
    index.settle()
    assert found(index, "moved") == []
    for i in range(100):
        (root / f"many{i}.py").write_text(f"def burst_{i}(): ...\n")
    index.update([str(root / f"many{i}.py") for i in range(100)])
    index.settle()
    assert len(found(index, "burst_")) == 50
    assert index.stage is Stage.CALLS
    root.rename(root.with_name("away"))
    index.update([str(root)])
    index.settle()
    assert found(index, "burst_") == []
    root.with_name("away").rename(root)
    index.update([f"{root}{os.sep}"])
    index.settle()
    assert len(found(index, "burst_")) == 50


@pytest.mark.parametrize(
    ("path", "is_concerned"),
    [
        ("new/a.py", True),
        ("new/config.json", True),
        ("new", True),
        ("new/deeper", True),
        ("gone", True),
        (".", True),
        ("build/a.o", False),
        ("build", False),
        ("ignored", False),
        ("node_modules", False),
        (".git/objects", False),
        ("..", False),
    ],
)
def test_what_comes_or_goes_concerns_where_source_is(
    workspace: Workspace, cache: Path, path: str, is_concerned: bool
) -> None:
    files = workspace("## gone/a.py\n## .gitignore\nignored/\n")
    index = Index(files, cache)
    index.run()
    root = Path(files.roots[0])
    shutil.rmtree(root / "gone")
    for made in ("new/deeper/b.py", "build/a.o", "ignored/a.py", "node_modules/a.py", ".git/objects/a.py"):
        (root / made).parent.mkdir(parents=True)
        (root / made).write_text("")
    assert index.concerns(os.path.normpath(root / path)) is is_concerned


def test_an_equal_size_and_time_does_not_hide_an_announced_change(workspace: Workspace, cache: Path) -> None:
    files = workspace("## a.py\ndef one(): ...\n")
    index = Index(files, cache)
    index.run()
    path = Path(files.roots[0], "a.py")
    stamp = path.stat()
    path.write_text("def two(): ...\n")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    files.announce(str(path))
    index.update([str(path)])
    index.settle()
    facts = index.facts(str(path))
    assert facts is not None
    assert [d.name for d in facts.defs] == ["two"]
    assert found(index, "two") == ["two"]


def test_open_documents_answer_from_their_text(workspace: Workspace, cache: Path) -> None:
    files = workspace(SOURCE)
    index = Index(files, cache)
    index.run()
    path = files.roots[0] + "/b.py"
    files.set_text(path, b"def typed(): ...\n")
    facts = index.facts(path)
    assert facts is not None
    assert [d.name for d in facts.defs] == ["typed"]


def test_a_search_notices_what_nobody_announced(workspace: Workspace, cache: Path) -> None:
    files = workspace(
        "## gone.py\ndef wanted_a(): ...\n## shorter.py\n\n\ndef wanted_b(): ...\n## closed.py\ndef wanted_c(): ...\n"
    )
    index = Index(files, cache)
    index.run()
    root = Path(files.roots[0])
    (root / "gone.py").unlink()
    (root / "shorter.py").write_text("def wanted_d(): ...\n")
    closed = root / "closed.py"
    files.set_text(str(closed), b"def wanted_e(): ...\n")
    assert [(m.name.name, m.name.line) for m in index.search("wanted", 5)] == [("wanted_d", 1), ("wanted_e", 1)]
    files.set_text(str(closed), None)
    index.update([str(closed)])
    index.settle()
    closed.write_text("def wanted_fresh(): ...\n")
    assert {m.name.name for m in index.search("wanted", 5)} == {"wanted_d", "wanted_fresh"}
    index.settle()
    assert index.paths() == [str(closed), str(root / "shorter.py")]


def test_a_walk_that_finds_nothing_new_makes_nothing_stale(workspace: Workspace, cache: Path) -> None:
    files = workspace(SOURCE)
    index = Index(files, cache)
    index.run()
    generation = index.generation
    index.run()
    assert index.generation == generation
    Path(files.roots[0], "b.py").unlink()
    index.run()
    assert index.generation > generation


def test_cancelling_stops_and_the_next_run_finishes(workspace: Workspace, cache: Path) -> None:
    index = Index(workspace(SOURCE), cache)
    index.run(cancelled=lambda: True)
    assert index.stage is Stage.EMPTY
    index.run()
    assert index.stage is Stage.CALLS


def _corrupt(path: Path) -> None:
    path.write_bytes(b"this is no database" * 100)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for i in range(100, len(data), 97):
        data[i] ^= 0xFF
    path.write_bytes(bytes(data))


def _foreign(path: Path) -> None:
    path.unlink()
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE files (something INTEGER)")
    database.close()


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [_corrupt, _truncate, _flip, _foreign, _folder])
def test_a_damaged_cache_costs_time_only(workspace: Workspace, cache: Path, harm: Callable[[Path], None]) -> None:
    files = workspace(SOURCE)
    first = Index(files, cache)
    first.run()
    first.close()
    harm(next(cache.glob("*.sqlite")))
    for path in (*cache.glob("*-wal"), *cache.glob("*-shm")):
        path.unlink()
    again = Index(Files(files.roots), cache)
    again.run()
    assert found(again, "helper") == ["helper"]
    assert len(list(again.operator_files())) == 2


def test_an_impossible_cache_folder_means_memory(workspace: Workspace, cache: Path) -> None:
    blocked = cache / "file"
    blocked.write_text("")
    index = Index(workspace(SOURCE), blocked / "below")
    index.run()
    assert found(index, "helper") == ["helper"]
    assert index.callers("helper") is not None


def test_two_servers_share_one_cache(workspace: Workspace, cache: Path) -> None:
    files = workspace(SOURCE)
    indexes = [Index(Files(files.roots), cache) for _ in range(2)]
    threads = [threading.Thread(target=index.run) for index in indexes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found(index, "helper") for index in indexes] == [["helper"]] * 2


def test_a_cache_that_another_server_writes_to_is_left_alone(cache: Path) -> None:
    store = Store(cache, ["/w"])
    store.put([Row("/w/a.py", 1, 1, 0, None, b"")])
    writer = sqlite3.connect(store.path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    other = Store(cache, ["/w"])
    other.put([Row("/w/b.py", 1, 1, 0, None, b"")])
    writer.execute("COMMIT")
    other.put([Row("/w/c.py", 1, 1, 0, None, b"")])
    assert [row.path for row in store.known()] == ["/w/a.py", "/w/c.py"]


def test_caches_that_nobody_opened_for_long_are_removed(cache: Path) -> None:
    for name in ("old", "new"):
        store = Store(cache, [name])
        store.close()
        if name == "old":
            os.utime(store.path, (1, 1))
            (cache / "notes.sqlite").write_text("not ours")
            os.utime(cache / "notes.sqlite", (1, 1))
    assert sorted(path.name for path in cache.iterdir()) == [Path(store.path).name, "notes.sqlite"]
    Store(cache, ["new"]).close()
    assert len(list(cache.iterdir())) == 2


def test_a_cache_that_dies_under_us_is_replaced_by_memory(cache: Path) -> None:
    store = Store(cache, ["/w"])
    store.put([Row("/w/a.py", 1, 1, 0, None, b"")])
    store.close()
    assert store.known() == []
    store.put([Row("/w/b.py", 1, 1, 0, None, b"")])
    assert [row.path for row in store.known()] == ["/w/b.py"]


def test_workers_scan_and_a_hang_or_crash_costs_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(6):
        (tmp_path / f"m{i}.py").write_text(f"def f{i}(): ...\n")
    os.mkfifo(tmp_path / "m6.py")
    monkeypatch.setattr(pool, "IN_PROCESS_BYTES", 0)
    rows = {row.path: row for row in scan_all([(str(p), 10) for p in sorted(tmp_path.iterdir())], Wanted.FACTS)}
    assert len(rows) == 7
    assert [os.path.basename(path) for path, row in rows.items() if row.error] == ["m6.py"]

    monkeypatch.setattr(processes, "_START", "import sys, os; {path!r}; os._exit(3)")
    rows = {row.path: row for row in scan_all([(str(p), 10) for p in sorted(tmp_path.iterdir())[:3]], Wanted.FACTS)}
    assert [row.error for row in rows.values()] == ["crashed the scanner"] * 3


def test_processes_are_started_while_the_files_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    monkeypatch.setattr(pool, "IN_PROCESS_BYTES", 100)
    monkeypatch.setattr(pool, "spawn", lambda module: started.append(1) or processes.spawn(module))
    for i in range(9):
        (tmp_path / f"m{i}.py").write_text(f"def f{i}(): ...\n" * 2)
    files = Files([str(tmp_path)])
    ahead = pool.Ahead(is_wanted=True)
    entries = [ahead.met(entry) for entry in files.walk()]
    count = len(started)
    assert count
    waiting = list(ahead._processes)
    rows = list(scan_all([(entry.path, entry.size) for entry in entries], Wanted.NAMES, ahead=ahead))
    assert len(rows) == 9
    assert len(started) == count, "those that were started are used"
    assert all(process.poll() is not None for process in waiting), "and none is left"
    unwanted = pool.Ahead(is_wanted=False)
    for entry in entries:
        unwanted.met(entry)
    assert unwanted.take() is None


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer of a process's own time here")
def test_a_file_that_takes_too_much_time_is_given_up_and_one_that_waits_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(3):
        (tmp_path / f"m{i}.py").write_text(f"def f{i}(): ...\n")
    monkeypatch.setattr(pool, "IN_PROCESS_BYTES", 0)
    slow = "import sys, time; sys.path[:0] = {path!r}; from {module} import *; import {module} as m\n"
    slow += "scan = m.scan_file\ndef slowly(path, wanted):\n"
    slow += "    if path.endswith('m1.py'):\n        %s\n    return scan(path, wanted)\n"
    slow += "m.scan_file = slowly; m.FILE_SECONDS = 0.5; m.main()"
    for what, errors in (("while True: pass", {"m1.py": "took longer than 20 seconds"}), ("time.sleep(1)", {})):
        monkeypatch.setattr(processes, "_START", slow % what)
        rows = list(scan_all([(str(p), 10) for p in sorted(tmp_path.iterdir())], Wanted.FACTS))
        assert len(rows) == 3
        assert {os.path.basename(row.path): row.error for row in rows if row.error} == errors


@pytest.mark.skipif(not hasattr(os, "nice"), reason="no niceness here")
@pytest.mark.parametrize(
    ("wanted", "waited_for", "niceness"),
    [(Wanted.NAMES, False, 0), (Wanted.OPERATORS, False, 5), (Wanted.FACTS, False, 19), (Wanted.FACTS, True, 0)],
)
def test_scanners_give_way_to_hovers_unless_they_are_waited_for(
    tmp_path: Path, wanted: Wanted, waited_for: bool, niceness: int
) -> None:
    (tmp_path / "m.py").write_text("def f(): ...\n")
    process = processes.spawn(pool.SCANNER)
    try:
        stdin, stdout = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
        batch = Batch(wanted, (str(tmp_path / "m.py"),), waited_for=waited_for)
        write_message(stdin, msgspec.msgpack.encode(batch))
        assert read_message(stdout)
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == min(19, os.nice(0) + niceness)
    finally:
        process.kill()
        process.communicate()


def test_only_a_large_workspace_that_is_read_for_the_first_time_is_young(
    workspace: Workspace, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = workspace(SOURCE)
    small, ever = Index(files), list[bool]()
    small.run(lambda _: ever.append(small.is_young))
    assert not any(ever)
    monkeypatch.setattr(file_count, "LARGE", 3)
    large = Index(files, cache)
    said: dict[Stage, bool] = {}

    def note(_: IndexProgress) -> None:
        said.setdefault(large.stage, large.is_young)

    large.run(note)
    assert said == {Stage.EMPTY: False, Stage.NAMES: True, Stage.CALLS: False} and not large.is_young
    again = Index(files, cache)
    known: list[bool] = []
    again.run(lambda _: known.append(again.is_young))
    assert not any(known)


def test_nobody_waits_for_the_files_of_a_known_workspace_to_be_counted_again(
    workspace: Workspace, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index(workspace(SOURCE), cache)
    index.run()
    waited: list[bool] = []
    monkeypatch.setattr(index._count, "wait", lambda: waited.append(True))
    index.run(lambda _: index.await_count())
    assert not waited


def test_abandoning_a_scan_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(40):
        (tmp_path / f"m{i}.py").write_text("def f(): ...\n" * 200)
    monkeypatch.setattr(pool, "IN_PROCESS_BYTES", 0)
    before = {thread.ident for thread in threading.enumerate()}
    scan = scan_all([(str(p), 2600) for p in sorted(tmp_path.iterdir())], Wanted.FACTS)
    next(scan)
    scan.close()
    assert {thread.ident for thread in threading.enumerate()} <= before


def test_symbols_are_ranked_and_ordered() -> None:
    table = SymbolTable()
    table.put("b.py", columns([Name("norm", DefKind.METHOD, 9, 4, "B"), Name("rms_norm", DefKind.FUNCTION, 3, 4)]))
    table.put("a.py", columns([Name("Norm", DefKind.CLASS, 1, 6), Name("abnormal", DefKind.FUNCTION, 2, 4)]))
    table.put("c.cu", columns([Name("norm_kernel", DefKind.CUDA_KERNEL, 5, 4)]))
    order = [match.name.name for match in table.search("norm", 10)]
    assert order == ["norm", "Norm", "norm_kernel", "rms_norm", "abnormal"]
    assert [match.name.name for match in table.search("nrk", 10)] == ["norm_kernel"]
    assert [match.name.name for match in table.search("B.norm", 10)] == ["norm"]
    assert [match.path for match in table.search("", 2)] == ["a.py", "c.cu"]
    table.drop("c.cu")
    assert [match.name.name for match in table.search("norm_k", 10)] == []
    assert table.defining("norm") == ["b.py"]


def test_names_that_come_many_at_once_are_searched_when_they_are_settled() -> None:
    table = SymbolTable()
    names = columns([Name("norm", DefKind.FUNCTION, 3, 4)])
    table.put("a.py", names, is_one_of_many=True)
    assert table.search("norm", 5) == []
    table.settle()
    joined = table._joined()  # pyright: ignore[reportPrivateUsage]
    assert [match.path for match in table.search("norm", 5)] == ["a.py"]
    table.put("a.py", names)
    table.settle()
    assert table._joined() is joined  # pyright: ignore[reportPrivateUsage]
    table.put("b.py", names, is_one_of_many=True)
    table.put("c.py", names)
    assert table.defining("norm") == ["a.py", "b.py", "c.py"]


@pytest.mark.parametrize("query", ["\n", "x.\nnorm", "a\nnorm", "\udcff", "\udc80norm", "\x0b.\x0b", "ipe"])
def test_symbol_search_takes_any_query(query: str) -> None:
    table = SymbolTable()
    table.put("a.py", columns([]))
    assert table.search(query, 5) == []
    table.put("b.py", columns([Name("norm", DefKind.METHOD, 9, 4, "x"), Name("İİpe", DefKind.FUNCTION, 3, 4)]))
    assert len(table.search(query, 5)) <= 2


def test_names_that_are_put_while_the_table_is_joined_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    table = SymbolTable()
    table.put("a.py", columns([Name("first", DefKind.FUNCTION, 1, 4)]))
    begun, joined = threading.Event(), threading.Event()
    make = symbols._Flat.__init__

    def slowly(self: symbols._Flat, *given: Any) -> None:
        make(self, *given)
        if threading.current_thread() is slow:
            begun.set()
            assert joined.wait(10)

    monkeypatch.setattr(symbols._Flat, "__init__", slowly)
    slow = threading.Thread(target=lambda: table.search("first", 5))
    slow.start()
    assert begun.wait(10)
    table.put("b.py", columns([Name("second", DefKind.FUNCTION, 1, 4)]))
    assert [match.path for match in table.search("second", 5)] == ["b.py"]
    joined.set()
    slow.join()
    assert [match.path for match in table.search("second", 5)] == ["b.py"]
