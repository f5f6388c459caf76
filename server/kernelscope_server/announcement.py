"""What the server announces of itself: worked out by pygls for a kind of client, and remembered for the next start.

Importing pygls takes most of a start, and all that is asked of it here is which capabilities our handlers add up to.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from kernelscope import __version__

from kernelscope_server.wire import Json, is_table

FILE = "announced.json"


def announced(handled: Iterable[str], commands: Iterable[str], client: Json, encoding: str, cache: Path) -> Json:
    """The capabilities of a server with these methods and commands, for a client with those capabilities."""
    asked = [__version__, sorted(handled), list(commands), client, encoding]
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode("utf-8", "replace")).hexdigest()
    known = _remembered(cache / FILE, digest)
    if known is None:
        known = _made_by_pygls(set(asked[1]), list(commands), client, encoding)
        _remember(cache / FILE, digest, known)
    return known


def _remembered(path: Path, digest: str) -> Json | None:
    """What was announced to such a client before; whatever is damaged was not."""
    try:
        head, _, body = path.read_bytes().partition(b"\n")
        if head.decode("ascii", "replace") != _seal(digest, body):
            return None
        known: object = json.loads(body)
    except (OSError, ValueError):
        return None
    return known if is_table(known) else None


def _remember(path: Path, digest: str, capabilities: Json) -> None:
    """In one step, so that nobody reads half of it; where nothing can be written the next start takes longer."""
    body = json.dumps(capabilities).encode()
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(_seal(digest, body).encode() + b"\n" + body)
        os.replace(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()


def _seal(digest: str, body: bytes) -> str:
    return hashlib.sha256(digest.encode() + body).hexdigest()


def _made_by_pygls(handled: set[str], commands: list[str], client: Json, encoding: str) -> Json:
    from lsprotocol import types
    from pygls.capabilities import ServerCapabilitiesBuilder
    from pygls.protocol import default_converter

    converter: Any = default_converter()
    try:
        of_client = converter.structure(client, types.ClientCapabilities)
    except Exception:  # what the client says of itself is malformed: it gets what everybody gets
        of_client = types.ClientCapabilities()
    cells = types.NotebookDocumentFilterWithCells([types.NotebookCellLanguage("python")])
    built = ServerCapabilitiesBuilder(
        of_client,
        handled,
        {},
        commands,
        types.TextDocumentSyncKind.Incremental,
        types.NotebookDocumentSyncOptions(notebook_selector=[cells]),
        encoding,
    ).build()
    return cast(Json, converter.unstructure(built))
