"""What is announced is pygls' work once, then remembered, whatever becomes of the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope_server import announcement
from kernelscope_server.announcement import FILE, announced
from kernelscope_server.wire import Json

HANDLED = ("textDocument/hover", "codeLens/resolve", "textDocument/codeLens")
CLIENT: Json = {"textDocument": {"hover": {"contentFormat": ["markdown"]}}}


def ask(cache: Path, client: Json = CLIENT) -> Json:
    return announced(HANDLED, ("open",), client, "utf-8", cache)


def test_the_second_start_needs_no_pygls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ask(tmp_path)
    assert first["hoverProvider"] and first["positionEncoding"] == "utf-8"
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
    monkeypatch.setattr(announcement, "_made_by_pygls", lambda *_: pytest.fail("asked again"))
    assert ask(tmp_path) == first


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff" * 80 + b"\n{}", None])
def test_what_is_damaged_or_of_another_client_is_made_anew(tmp_path: Path, damage: bytes | None) -> None:
    first = ask(tmp_path)
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes().replace(b"hoverProvider", b"hoverPr0vider") if damage is None else damage)
    assert ask(tmp_path) == first
    assert ask(tmp_path, {"general": {}}) is not None
    assert ask(tmp_path, {"textDocument": 3}) is not None


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert ask(blocked / "below") == ask(tmp_path)
