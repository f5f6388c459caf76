"""`workspace/executeCommand`: views, their export, the index, and what a bug report needs."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from typing import TYPE_CHECKING

from kernelscope import __version__
from kernelscope.results import Target

from kernelscope_server.commands_table import VIEWS
from kernelscope_server.features.views import make, read_uri, rendered, view_uri
from kernelscope_server.parameters import string
from kernelscope_server.session import Session
from kernelscope_server.targets import read_target
from kernelscope_server.wire import INVALID_PARAMS, REQUEST_FAILED, Json, RequestError, is_list, is_table

if TYPE_CHECKING:
    from kernelscope.explain.document import Document

LISTED_FILES = 50
Command = Callable[[Session, object], object]


def register(session: Session) -> None:
    for name, command in COMMANDS.items():
        session.server.on_command(name, lambda given, command=command: command(session, given))

    def execute(params: Json) -> object:
        name, arguments = string(params, "command"), params.get("arguments")
        if name not in COMMANDS:
            raise RequestError(INVALID_PARAMS, f"there is no command {name}")
        return session.server.protocol.commands[name](arguments[0] if is_list(arguments) and arguments else None)

    session.server.on("workspace/executeCommand", execute)


def _open_view(kind: str) -> Command:
    def command(session: Session, given: object) -> Json:
        target = _target(session, given)
        title = make(session, kind, target).title
        return {"uri": view_uri(kind, title, target), "title": title}

    return command


def _document_text(session: Session, given: object) -> Json:
    """For clients that cannot ask for a view's content by `workspace/textDocumentContent`."""
    return {"text": rendered(session, _uri(given)).text}


def _export_view(session: Session, given: object) -> Json:
    """The document in another format; pictures have Mermaid and SVG only where they are graphs."""
    document = make(session, *read_uri(_uri(given)))
    form, exports = given.get("format") if is_table(given) else None, _exports()
    if form not in exports:
        raise RequestError(INVALID_PARAMS, f"formats are {', '.join(exports)}")
    text = exports[str(form)](document)
    if not text:
        raise RequestError(REQUEST_FAILED, f"{document.title} has no picture that can be exported as {form}")
    return {"text": text}


def _exports() -> dict[str, Callable[[Document], str]]:
    """How a document is written in each format."""
    from kernelscope.explain.render import to_json, to_markdown, to_mermaid, to_svg

    return {
        "markdown": to_markdown,
        "mermaid": to_mermaid,
        "svg": to_svg,
        "json": lambda document: json.dumps(to_json(document), indent=1, ensure_ascii=False) + "\n",
    }


def _reindex(session: Session, given: object) -> None:
    session.start_indexing()


def _list_gpus(session: Session, given: object) -> list[Json]:
    """The GPUs that numbers can speak of."""
    from kernelscope.kernels.hardware import GPUS

    return [
        {"name": g.name, "detail": f"{g.arch} · {g.sms} SMs · {g.memory_gb} GB at {g.bandwidth:,} GB/s"}
        for g in GPUS.values()
    ]


def _debug_information(session: Session, given: object) -> Json:
    """What a bug report needs: versions, settings, what was left out."""
    left_out = session.analysis.left_out()
    lines = [
        f"kernelscope {__version__} on Python {platform.python_version()}, {platform.platform()}",
        f"folders: {', '.join(map(str, session.roots)) or 'none'}",
        f"positions: {session.encoding}, {len(session.documents)} documents open",
        f"settings: {session.settings}",
        f"left out: {len(left_out)} files",
        *(f"  {entry.path}: {entry.reason}" for entry in left_out[:LISTED_FILES]),
    ]
    return {"text": "\n".join(lines)}


COMMANDS: dict[str, Command] = {
    **{name: _open_view(kind) for name, kind in VIEWS.items()},
    "kernelscope.documentText": _document_text,
    "kernelscope.exportView": _export_view,
    "kernelscope.reindex": _reindex,
    "kernelscope.listGpus": _list_gpus,
    "kernelscope.debugInformation": _debug_information,
}


def _uri(given: object) -> str:
    return string(given if is_table(given) else {}, "uri")


def _target(session: Session, given: object) -> Target:
    """What a command is about: a target of ours, or a document with a position."""
    target = read_target(given)
    if not is_table(given) or given.get("position") is None:
        return target
    document = session.document_at(string(given, "uri"))
    return Target(document.path, document.offset(given["position"], session.encoding), target.symbol)
