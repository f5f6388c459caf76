"""What the server announces of itself: pygls works it out of what features registered, and what it said is kept here.

Loading pygls and lsprotocol takes four times as long as all else until `initialize` is answered, so they are asked only
when something is registered that `announced.json` does not tell of. `python -m kernelscope_server.announcement` writes
that file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from kernelscope_server.wire import Json, is_table

KEPT = Path(__file__).with_name("announced.json")
NOTEBOOKS = "notebookDocumentSync"
PLAIN = "utf-16"
"""The encoding that is announced in the file; another takes its place."""


def announced(
    options: Mapping[str, Json | None], commands: Sequence[str], encoding: str, knows_notebooks: bool
) -> Json:
    """For registered methods, each with its options, and commands. Of a client, only what is asked for has a say."""
    registered: Json = {"methods": dict(options), "commands": list(commands)}
    kept = _kept()
    if kept.get("registered") == registered:
        found = cast(Json, kept["capabilities"]) | {"positionEncoding": encoding}
    else:
        found = worked_out(options, commands, encoding)
    return found if knows_notebooks else {name: value for name, value in found.items() if name != NOTEBOOKS}


def _kept() -> Json:
    try:
        found = json.loads(KEPT.read_bytes())
    except (OSError, ValueError):  # a file that is missing or broken costs time only
        found = None
    return found if is_table(found) else {}


def worked_out(options: Mapping[str, Json | None], commands: Sequence[str], encoding: str) -> Json:
    """What pygls makes of it, for a client that knows notebooks."""
    from lsprotocol import converters, types
    from pygls import lsp
    from pygls.capabilities import ServerCapabilitiesBuilder

    converter: Any = converters.get_converter()
    cells = types.NotebookDocumentFilterWithCells([types.NotebookCellLanguage("python")])
    synchronization = types.NotebookDocumentSyncClientCapabilities()
    builder = ServerCapabilitiesBuilder(
        types.ClientCapabilities(notebook_document=types.NotebookDocumentClientCapabilities(synchronization)),
        set(options),
        {
            method: converter.structure(given, cast(Any, lsp).get_method_options_type(method))
            for method, given in options.items()
            if given is not None
        },
        list(commands),
        types.TextDocumentSyncKind.Incremental,
        types.NotebookDocumentSyncOptions(notebook_selector=[cells]),
        encoding,
    )
    return converter.unstructure(builder.build())


def write() -> None:
    """Keep what pygls makes of what is registered now."""
    import io

    from kernelscope_server import features_table
    from kernelscope_server.server import Server
    from kernelscope_server.session import Session

    server = Server(io.BytesIO(), io.BytesIO())
    features_table.register(Session(server))
    options, commands = server.protocol.options, [*server.protocol.commands]
    found = worked_out(options, commands, PLAIN)
    registered = {"methods": options, "commands": commands}
    KEPT.write_text(json.dumps({"registered": registered, "capabilities": found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
