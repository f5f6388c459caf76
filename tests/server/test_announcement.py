"""What the server announces is what pygls makes of what is registered, though neither is loaded for it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kernelscope_server import announcement, features_table
from kernelscope_server.server import Server
from kernelscope_server.session import Session

ENCODINGS = ("utf-8", "utf-16", "utf-32")


@pytest.fixture
def server() -> Server:
    made = Server(io.BytesIO(), io.BytesIO())
    features_table.register(Session(made))
    return made


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_is_kept_is_what_pygls_says(server: Server, encoding: str) -> None:
    """After a feature or command was registered: `python -m kernelscope_server.announcement`."""
    registered = server.protocol.options, [*server.protocol.commands]
    kept = json.loads(announcement.KEPT.read_text(encoding="utf-8"))["registered"]
    assert (kept["methods"], kept["commands"]) == registered
    said = announcement.worked_out(*registered, encoding)
    assert announcement.announced(*registered, encoding, knows_notebooks=True) == said
    without = announcement.announced(*registered, encoding, knows_notebooks=False)
    assert without == {name: value for name, value in said.items() if name != "notebookDocumentSync"}


def test_late_features_register_what_was_registered_for_them(server: Server) -> None:
    options, commands, stubs = (
        dict(server.protocol.options),
        [*server.protocol.commands],
        dict(server.protocol.handlers),
    )
    idle = len(server.on_idle)
    (load_all,) = (action for action in server.on_idle if getattr(action, "__name__", "") == "load_all")
    load_all()
    assert (server.protocol.options, [*server.protocol.commands]) == (options, commands)
    named = {method for methods in features_table.LATE.values() for method in methods}
    assert {m for m, handler in server.protocol.handlers.items() if handler is not stubs[m]} == named
    assert len(server.on_idle) > idle, "diagnostics are published in pauses"


def test_what_nothing_is_kept_of_is_asked_of_pygls(server: Server) -> None:
    server.on("textDocument/foldingRange", lambda params: [])
    assert server.protocol.capabilities_for({}, "utf-8")["foldingRangeProvider"] is True


@pytest.mark.parametrize("kept", [None, b"{", b"[]", b'{"registered": 1}'], ids=["missing", "cut", "list", "other"])
def test_a_broken_file_costs_time_only(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bytes | None
) -> None:
    expected = server.protocol.capabilities_for({}, "utf-16")
    if kept is not None:
        (tmp_path / "kept.json").write_bytes(kept)
    monkeypatch.setattr(announcement, "KEPT", tmp_path / "kept.json")
    assert server.protocol.capabilities_for({}, "utf-16") == expected


def test_a_start_loads_neither_pygls_nor_what_it_needs() -> None:
    code = (
        "import io, sys\n"
        "from kernelscope_server import features_table\n"
        "from kernelscope_server.server import Server\n"
        "from kernelscope_server.session import Session\n"
        "server = Server(io.BytesIO(), io.BytesIO())\n"
        "features_table.register(Session(server))\n"
        "server.protocol.capabilities_for({}, 'utf-16')\n"
        "late = {'pygls', 'lsprotocol', 'cattrs', 'attrs', 'asyncio', 'msgspec', 'kernelscope.results'}\n"
        "print(sorted(late & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_second_start_loads_nothing_that_takes_long_and_is_not_needed(tmp_path: Path) -> None:
    """Until the head of a function is told and symbols are found in files that are known."""
    (tmp_path / "model.py").write_text("import torch\n\ndef scale(x):\n    return x\n")
    code = (
        "import io, sys\n"
        "from pathlib import Path\n"
        "from kernelscope_server import features_table\n"
        "from kernelscope_server.server import Server\n"
        "from kernelscope_server.session import Session\n"
        "from kernelscope_server.user_cache import cache_folder\n"
        "features_table.register(Session(Server(io.BytesIO(), io.BytesIO())))\n"
        "from kernelscope_server.structs import load_structs\n"
        "load_structs()\n"
        "from kernelscope.analysis import Analysis\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "analysis = Analysis([folder], folder / 'cache')\n"
        "analysis.index(lambda state: None, lambda: 'until' in sys.argv and bool(analysis.find_symbols('scale', 9)))\n"
        "assert analysis.find_symbols('scale', 9)\n"
        "import kernelscope.explain.hovers, kernelscope.explain.definition_hover\n"
        "slow = 'dataclasses inspect typing_extensions logging traceback hashlib tempfile lzma subprocess'\n"
        "print(sorted(set(slow.split()) & set(sys.modules)), cache_folder())\n"
    )
    where = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-I", "-c", code]
    subprocess.run(command, capture_output=True, check=True, env=where)  # scans
    done = subprocess.run([*command, "until"], capture_output=True, text=True, check=True, env=where)
    expected = f"[] {tmp_path / 'kernelscope'}" if sys.platform == "linux" else "[]"
    assert done.stdout.strip().startswith(expected)
