"""Documents beside the source: commands that open them, their text, and the links in it.

A view's URI names its kind and target, so that its text can be made again whenever the source changes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote, urlparse

from kernelscope.explain.document import Document
from kernelscope.explain.render import Rendered, to_json, to_markdown, to_mermaid, to_svg, to_text
from kernelscope.results import Target, UserError, ViewOptions

from kernelscope_server.commands_table import COMMANDS
from kernelscope_server.documents import uri_of
from kernelscope_server.positions import offset_of, units
from kernelscope_server.server import RequestError
from kernelscope_server.session import SCHEME, Session
from kernelscope_server.targets import read_target
from kernelscope_server.wire import INVALID_PARAMS, Json, is_list, is_table

REQUEST_FAILED = -32803
OTHER_COMMANDS = ("documentText", "exportView", "reindex", "listGpus", "debugInformation")
EXPORTS: dict[str, Callable[[Document], str]] = {
    "markdown": to_markdown,
    "mermaid": to_mermaid,
    "svg": to_svg,
    "json": lambda document: json.dumps(to_json(document), indent=1, ensure_ascii=False) + "\n",
}


def register(session: Session) -> Json:
    def make(kind: str, target: Target) -> Document:
        settings = session.settings
        options = ViewOptions(settings.width, settings.charset, settings.analysis.bindings, settings.analysis.gpu)
        try:
            return session.analysis.document(kind, target, options)
        except UserError as error:
            raise RequestError(REQUEST_FAILED, str(error)) from None

    def render(uri: str) -> Rendered:
        return to_text(make(*_parse(uri)), session.settings.width, session.settings.charset)

    def content(params: Json) -> Json:
        uri = params["uri"]
        if not isinstance(uri, str):
            raise RequestError(INVALID_PARAMS, "uri is missing")
        return {"text": render(uri).text}

    def links(params: Json) -> list[Json]:
        given = params["textDocument"]
        assert is_table(given)
        uri = str(given["uri"])
        if not uri.startswith(f"{SCHEME}:"):
            return []
        view = render(uri)
        rows = view.text.split("\n")
        return [
            {
                "range": {
                    "start": {"line": x.row, "character": units(rows[x.row][: x.column].encode(), session.encoding)},
                    "end": {"line": x.row, "character": units(rows[x.row][: x.end_column].encode(), session.encoding)},
                },
                "target": f"{uri_of(x.location.path)}#L{x.location.line}",
                "tooltip": str(x.location),
            }
            for x in view.links
            if x.row < len(rows)
        ]

    def execute(params: Json) -> object:
        command, arguments = params["command"], params.get("arguments")
        given = arguments[0] if is_list(arguments) and arguments else None
        view = given if is_table(given) else {}
        if command == "kernelscope.documentText":
            return {"text": render(str(view.get("uri"))).text}
        if command == "kernelscope.exportView":
            return {"text": export(make(*_parse(str(view.get("uri")))), str(view.get("format")))}
        if command == "kernelscope.reindex":
            session.start_indexing()
            return None
        if command == "kernelscope.listGpus":
            return gpus()
        if command == "kernelscope.debugInformation":
            return debug_information(session)
        if command not in COMMANDS:
            raise RequestError(INVALID_PARAMS, f"there is no command {command}")
        kind = COMMANDS[str(command)][0]
        target = _target(session, given)
        title = make(kind, target).title
        return {"uri": view_uri(kind, title, target), "title": title}

    seen = 0

    def follow() -> None:
        """When typing pauses, open views whose text has changed are asked for anew by the client."""
        nonlocal seen
        if session.changes == seen or session.capability("workspace", "textDocumentContent") is None:
            return
        seen = session.changes
        for uri, view in list(session.documents.items()):
            if uri.startswith(f"{SCHEME}:"):
                with suppress(RequestError):
                    if render(uri).text.encode() != view.text.data:
                        session.server.ask("workspace/textDocumentContent/refresh", {"uri": uri})

    server = session.server
    server.on_idle.append(follow)
    server.requests |= {
        "workspace/textDocumentContent": content,
        "textDocument/documentLink": links,
        "workspace/executeCommand": execute,
    }
    commands = [*COMMANDS, *(f"kernelscope.{name}" for name in OTHER_COMMANDS)]
    return {
        "documentLinkProvider": {"resolveProvider": False},
        "executeCommandProvider": {"commands": commands},
        "workspace": {
            "workspaceFolders": {"supported": True, "changeNotifications": True},
            "textDocumentContent": {"schemes": [SCHEME]},
        },
    }


def export(document: Document, format_name: str) -> str:
    """The document in another format; pictures have Mermaid and SVG only where they are graphs."""
    if format_name not in EXPORTS:
        raise RequestError(INVALID_PARAMS, f"formats are {', '.join(EXPORTS)}")
    text = EXPORTS[format_name](document)
    if not text:
        raise RequestError(REQUEST_FAILED, f"{document.title} has no picture that can be exported as {format_name}")
    return text


def view_uri(kind: str, title: str, target: Target) -> str:
    """`kernelscope:/Title?...`: what a tab shows is the path's last part."""
    query = {"kind": kind, "path": str(target.path)}
    if target.offset is not None:
        query["offset"] = str(target.offset)
    if target.symbol is not None:
        query["symbol"] = target.symbol
    return f"{SCHEME}:/{quote(title, safe='')}?{quote(json.dumps(query), safe='')}"


def _parse(uri: str) -> tuple[str, Target]:
    try:
        query = json.loads(unquote(urlparse(uri).query))
        offset = query.get("offset")
        place = None if offset is None else int(offset)
        return query["kind"], Target(Path(query["path"]), place, query.get("symbol"))
    except (ValueError, KeyError, AttributeError):
        raise RequestError(INVALID_PARAMS, f"{uri} is no view of Kernelscope") from None


def _target(session: Session, given: object) -> Target:
    """What a command is about: a target of ours, or a document with a position."""
    target = read_target(given)
    assert is_table(given)
    if given.get("position") is None:
        return target
    document = session.document({"textDocument": {"uri": given["uri"]}})
    return Target(document.path, offset_of(document.text, given["position"], session.encoding), target.symbol)


def gpus() -> list[Json]:
    """The GPUs that numbers can speak of."""
    from kernelscope.kernels.hardware import GPUS

    return [
        {"name": g.name, "detail": f"{g.arch} · {g.sms} SMs · {g.memory_gb} GB at {g.bandwidth:,} GB/s"}
        for g in GPUS.values()
    ]


def debug_information(session: Session) -> Json:
    """What a bug report needs: versions, settings, what was left out."""
    import platform

    from kernelscope import __version__

    left_out = session.analysis.left_out()
    return {
        "text": "\n".join(
            [
                f"kernelscope {__version__} on Python {platform.python_version()}, {platform.platform()}",
                f"folders: {', '.join(map(str, session.roots)) or 'none'}",
                f"settings: {session.settings}",
                f"left out: {len(left_out)} files",
                *(f"  {entry.path}: {entry.reason}" for entry in left_out[:50]),
            ]
        )
    }
