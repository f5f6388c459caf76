"""Hovers that were answered are answered again on the thread that reads: the same, and only while nothing changed."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kernelscope.analysis import Analysis
from kernelscope.results import Hover, Settings
from kernelscope.syntax.text import SourceText
from kernelscope_server import kept_hovers
from kernelscope_server.documents import OpenDocument, opened
from kernelscope_server.features.hover import markdown
from kernelscope_server.kept_hovers import KeptHovers
from kernelscope_server.server import Server
from kernelscope_server.session import Session

SAMPLE = Path(__file__).parents[1] / "workspaces" / "sample"
CODE = "import torch\nfrom other import helper\n\ndef f(x):\n    y = x.view(2, 3)\n    return helper(y)  # é\n"
OTHER = "def helper(z):\n    return z\n"


class Kept:
    """A folder with two files, of which one is open and interpreted."""

    def __init__(self, folder: Path) -> None:
        self.path, self.other = folder / "m.py", folder / "other.py"
        self.path.write_text(CODE)
        self.other.write_text(OTHER)
        self.analysis = Analysis([folder])
        self.analysis.index()
        self.analysis.set_text(self.path, CODE.encode())
        self.document = OpenDocument(self.path.as_uri(), self.path, 1, SourceText(CODE.encode()))
        self.analysis.file_run(self.path)
        self.kept = KeptHovers(words)

    def ask(self, word: str) -> Hover | None:
        return self.kept.ask(self.analysis, self.document, self.at(word))

    def get(self, word: str, beyond: int = 0) -> Any:
        found = self.kept.get(self.analysis, self.document, self.at(word) + beyond, "utf-16")
        return json.loads(found) if found is not None else "not kept"

    def at(self, word: str) -> int:
        return CODE.index(word)


def words(hover: Hover) -> str:
    return markdown(hover, False)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.setattr(kept_hovers, "CHECK_SECONDS", 0.0)
    return Kept(tmp_path)


@pytest.mark.parametrize("word", ["y =", "helper(", "x.view", "import torch", "# é"])
def test_what_was_answered_is_kept_with_its_place(kept: Kept, word: str) -> None:
    assert kept.get(word) == "not kept"
    hover = kept.ask(word)
    answer = kept.get(word)
    if hover is None:
        assert answer is None or word == "# é"
    else:
        assert answer["contents"]["value"] == words(hover)
        assert answer["range"] == kept.document.range(hover.span.start, hover.span.end, "utf-16")


def test_right_behind_a_name_another_may_be_meant(kept: Kept) -> None:
    kept.ask("view(2")
    assert kept.get("view(2", 3) == kept.get("view(2")
    assert kept.get("view(2", 4) == "not kept"


@pytest.mark.parametrize("what", ["edit", "disk", "settings", "announced"])
def test_nothing_is_kept_over_a_change(kept: Kept, what: str) -> None:
    kept.ask("helper(y")
    assert kept.get("helper(y") != "not kept"
    if what == "edit":
        kept.analysis.set_text(kept.path, CODE.encode())
    elif what == "disk":
        kept.other.write_text("def helper(other_name):\n    return 1\n")
        os.utime(kept.other, (7, 7))
    elif what == "settings":
        kept.analysis.settings = Settings(bindings={"T": 16})
    else:
        kept.analysis.files_changed([kept.other])
    assert kept.get("helper(y") == "not kept"


def test_after_a_change_on_the_disk_answers_are_kept_anew(kept: Kept) -> None:
    kept.ask("helper(y")
    os.utime(kept.other, (7, 7))
    assert kept.get("helper(y") == "not kept"
    kept.analysis.file_run(kept.path)
    kept.ask("helper(y")
    assert kept.get("helper(y") != "not kept"


def test_few_letters_are_kept_of_one_file(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.ask("helper(y")
    monkeypatch.setattr(kept_hovers, "MOST_LETTERS", 10)
    kept.ask("y =")
    assert kept.get("y =") == "not kept" != kept.get("helper(y")


def test_nothing_is_kept_before_a_file_is_interpreted(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.analysis.runs._kept.clear()
    kept.ask("helper(y")
    assert kept.get("helper(y") == "not kept"


@pytest.mark.parametrize("path", sorted(SAMPLE.rglob("*.py")), ids=lambda path: path.name)
def test_a_hover_is_the_same_all_over_a_name(path: Path) -> None:
    analysis, data = Analysis([SAMPLE]), path.read_bytes()
    document = OpenDocument(path.as_uri(), path, 1, SourceText(data))
    names = {name for offset in range(0, len(data), 3) if (name := kept_hovers.name_at(document, offset)) is not None}
    for name in sorted(names, key=lambda name: name.start)[:400]:
        first, last = (shown(analysis.hover(path, offset)) for offset in (name.start, name.end - 1))
        assert first == last


def shown(hover: Hover | None) -> object:
    """A hover without where in the name its links lead."""
    return hover and (hover.span, hover.signature, hover.notes, hover.table, [link.title for link in hover.links])


def message(line: int, character: int) -> dict[str, Any]:
    position = {"line": line, "character": character}
    return {
        "id": 3,
        "method": "textDocument/hover",
        "params": {"textDocument": {"uri": "file:///w/m.py"}, "position": position},
    }


def test_the_reader_answers_what_is_kept_and_overtakes_nothing() -> None:
    out = io.BytesIO()
    server = Server(io.BytesIO(), out)
    server.protocol.output._takes = lambda data: True
    server.at_once["textDocument/hover"] = lambda params: '{"range":1}'
    assert not server._answered_at_once(message(0, 0)), "before it is initialized"
    server.protocol.initialized = True
    assert server._answered_at_once(message(0, 0))
    assert out.getvalue().endswith(b'{"jsonrpc":"2.0","id":3,"result":{"range":1}}')
    assert not server._answered_at_once(message(0, 0) | {"id": True})
    assert not server._answered_at_once({"id": 3, "method": "textDocument/hover"})
    server._inbox.put({"method": "textDocument/didChange"})
    assert not server._answered_at_once(message(0, 0)), "an edit comes first"
    server._inbox.next()
    assert not server._answered_at_once(message(0, 0)), "and is not done yet"


def test_a_hover_that_cannot_be_told_at_once_is_handled_like_any_other() -> None:
    server = Server(io.BytesIO(), io.BytesIO())
    server.protocol.initialized = True

    def fail(params: object) -> str:
        raise ValueError

    server.at_once["textDocument/hover"] = fail
    assert not server._answered_at_once(message(0, 0))
    server.at_once["textDocument/hover"] = lambda params: None
    assert not server._answered_at_once(message(0, 0))


def test_an_edit_is_seen_at_once(start: Callable[..., Any], tmp_path: Path) -> None:
    client = start()
    uri = client.open((tmp_path / "workspace" / "m.py").as_uri(), "def first(): ...\nfirst()\n")
    for _ in range(4):
        assert "def first()" in client.hover(uri, 1, 2)["contents"]["value"]
    change = {"range": {"start": {"line": 0, "character": 10}, "end": {"line": 0, "character": 10}}, "text": "x"}
    client.notify("textDocument/didChange", {"textDocument": {"uri": uri, "version": 2}, "contentChanges": [change]})
    assert "def first(x)" in client.hover(uri, 1, 2)["contents"]["value"]


def test_settings_forget_what_was_kept() -> None:
    session: Any = Session(Server(io.BytesIO(), io.BytesIO()))
    from kernelscope_server import features_table

    features_table.register(session)
    session.documents["file:/w/m.py"] = opened({"uri": "file:///w/m.py", "text": CODE})
    before = session.analysis.basis_of_hovers()
    session._got_settings([{"bindings": {"B": 4}}])
    assert session.analysis.basis_of_hovers() != before
