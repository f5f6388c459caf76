"""What one session told of a document the next one tells at once, and only while all that it rests on is the same."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kernelscope.analysis import Analysis
from kernelscope.syntax.text import SourceText
from kernelscope_server import last_hovers
from kernelscope_server.documents import OpenDocument
from kernelscope_server.features.hover import markdown
from kernelscope_server.kept_hovers import KeptHovers
from kernelscope_server.last_hovers import LastHovers
from kernelscope_server.server import LULL_SECONDS, MOST_LULLS, Server

CODE = "import torch\nfrom other import helper\n\ndef f(x):\n    y = x.view(2, 3)\n    return helper(y)  # é\n"
OTHER = "def helper(z):\n    return z\n"
SETTINGS: list[object] = [{}, "H100"]


class Two:
    """A folder with two files that one session looked at, and what the next one has of that."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cache = folder / "w", folder / "cache"
        self.folder.mkdir()
        self.path, self.other = self.folder / "m.py", self.folder / "other.py"
        self.path.write_text(CODE)
        self.other.write_text(OTHER)
        self.first = LastHovers(self.cache, [self.folder])
        self.next = LastHovers(self.cache, [self.folder])

    def document(self, text: str = CODE) -> OpenDocument:
        return OpenDocument(self.path.as_uri(), self.path, 1, SourceText(text.encode()))

    def look(self, *asked: str, text: str = CODE) -> KeptHovers:
        """A session in which this was asked."""
        analysis, document = Analysis([self.folder]), self.document(text)
        analysis.index()
        analysis.set_text(self.path, text.encode())
        analysis.file_run(self.path)
        kept = KeptHovers(lambda hover: markdown(hover, False))
        for word in asked:
            kept.ask(analysis, document, CODE.index(word))
        self.first.keep(kept.kept(analysis, {str(self.path): text.encode()}), SETTINGS)
        return kept

    def get(self, word: str, settings: object = SETTINGS) -> Any:
        found = self.next.get(self.document(), CODE.index(word), settings)
        return found and json.loads(found)


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two(tmp_path)


def test_the_next_session_tells_the_same(two: Two) -> None:
    assert two.get("y =") is None
    two.next = LastHovers(two.cache, [two.folder])
    two.look("y =", "helper(y", "# é")
    assert "[2, 3]" in two.get("y =")
    assert "def helper(z)" in two.get("helper(y")
    assert two.get("x.view") is None, "it was not asked"
    two.next.opened(two.document())
    assert two.get("y =") is not None


@pytest.mark.parametrize("what", ["text", "other", "new", "branch", "settings", "code", "typed", "edited", "announced"])
def test_nothing_is_told_of_what_changed(two: Two, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    two.look("helper(y")
    settings = SETTINGS
    if what == "text":
        two.path.write_text(CODE + "\n")
        os.utime(two.path, (7, 7))
    elif what == "other":
        two.other.write_text("def helper(other_name):\n    return 1\n")
    elif what == "new":
        os.utime(two.folder, (7, 7))
    elif what == "branch":
        (two.folder / ".git").mkdir()
        (two.folder / ".git" / "HEAD").write_text("ref: refs/heads/other")
    elif what == "settings":
        settings = [{"T": 16}, "H100"]
    elif what == "code":
        monkeypatch.setattr(last_hovers, "code", lambda: "other")
    elif what == "typed":
        two.next.opened(two.document(CODE + " "))
    elif what == "edited":
        two.next.opened(OpenDocument(two.other.as_uri(), two.other, 1, SourceText(b"def helper(w): ...")))
    else:
        two.next.drop()
    assert two.get("helper(y", settings) is None
    assert two.get("helper(y", settings) is None, "also when it was not told a moment ago"


def test_what_is_not_on_the_disk_is_not_kept(two: Two) -> None:
    two.look("y =", text=CODE + " ")
    assert two.get("y =") is None


def test_later_sessions_add_to_what_is_kept(two: Two) -> None:
    two.look("y =")
    two.look("helper(y")
    assert two.get("y =") is not None
    assert two.get("helper(y") is not None
    os.utime(two.other, (7, 7))
    two.look("helper(y")
    two.next = LastHovers(two.cache, [two.folder])
    assert two.get("y =") is None
    assert two.get("helper(y") is not None


def test_few_documents_are_kept(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_hovers, "MOST_DOCUMENTS", 1)
    two.look("y =")
    two.path = two.other
    two.other.write_text(CODE)
    two.look("y =")
    content = next(two.cache.glob("hovers-*")).read_bytes()
    assert b"other.py" in content.partition(b"\n")[0]
    assert b"m.py" not in content.partition(b"\n")[0]


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"{}", b"[]\n[]", b'{"basis": 1, "documents": [[1]]}\n', b"\xff\n\xfe", b"[" * 90_000]
)
def test_a_file_that_is_not_ours_is_no_matter(two: Two, content: bytes) -> None:
    two.look("y =")
    file = next(two.cache.glob("hovers-*"))
    file.write_bytes(content)
    assert two.get("y =") is None
    two.look("y =")
    two.next = LastHovers(two.cache, [two.folder])
    assert two.get("y =") is not None


@pytest.mark.parametrize("cut", range(0, 1_000, 41))
def test_a_file_that_was_cut_off_is_no_matter(two: Two, cut: int) -> None:
    two.look("y =")
    file = next(two.cache.glob("hovers-*"))
    file.write_bytes(file.read_bytes()[:cut])
    found = two.get("y =")
    assert found is None or "[2, 3]" in found


def test_what_folders_left_goes_after_a_while(two: Two) -> None:
    two.cache.mkdir()
    (two.cache / "hovers-old").write_text("")
    os.utime(two.cache / "hovers-old", (7, 7))
    two.look("y =")
    assert [file.name for file in two.cache.glob("hovers-*")] == [two.first._path.name]


def test_a_cache_that_cannot_be_written_costs_nothing_else(two: Two) -> None:
    two.cache.write_text("a file")
    two.look("y =")
    assert two.get("y =") is None


def test_a_second_server_tells_what_the_first_one_was_asked(start: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    path = tmp_path / "workspace" / "m.py"
    path.write_text(CODE)
    (tmp_path / "workspace" / "other.py").write_text(OTHER)
    uri = path.as_uri()
    for _ in range(3):  # a session that compiles modules of ours is one of other code to the next
        asked_and_ended(start(), uri, tmp_path / "cache" / "kernelscope")
        second = start()
        second.open(uri, CODE)
        if "[2, 9]" in second.hover(uri, 4, 4)["contents"]["value"]:
            break
    else:
        pytest.fail("nothing was told of what the first one was asked")
    change = {"range": {"start": {"line": 4, "character": 15}, "end": {"line": 4, "character": 16}}, "text": "7"}
    second.notify("textDocument/didChange", {"textDocument": {"uri": uri, "version": 2}, "contentChanges": [change]})
    assert "[7, 3]" in second.hover(uri, 4, 4)["contents"]["value"]


def asked_and_ended(client: Any, uri: str, cache: Path) -> None:
    """A session in which a hover is told and kept; what is kept is changed, to show where an answer comes from."""
    for file in cache.glob("hovers-*"):
        file.unlink()
    client.open(uri, CODE)
    deadline = time.monotonic() + 15
    while not list(cache.glob("hovers-*")) and time.monotonic() < deadline:
        client.hover(uri, 4, 4)
        time.sleep(0.4)
    client.ask("shutdown")
    for file in cache.glob("hovers-*"):
        file.write_bytes(file.read_bytes().replace(b"[2, 3]", b"[2, 9]"))


def test_what_is_read_beside_waits_for_the_first_questions_and_not_for_long() -> None:
    server = Server(io.BytesIO(), io.BytesIO())
    begun = time.monotonic()
    server.await_lull()
    alone = time.monotonic() - begun
    server._inbox.put({"method": "textDocument/didOpen"})
    begun = time.monotonic()
    server.await_lull()
    asked = time.monotonic() - begun
    assert alone >= LULL_SECONDS
    assert asked >= MOST_LULLS * LULL_SECONDS
    server._inbox.handled(server._inbox.next())
    server.await_lull()
    assert server._inbox.is_empty
