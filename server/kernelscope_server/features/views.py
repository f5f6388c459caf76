"""Documents beside the source: their text, and the links in it. `commands` opens them.

A view's URI names its kind and target, so that its text can be made again whenever the source changes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from kernelscope.results import Target, UserError, ViewOptions

from kernelscope_server.documents import SCHEME, uri_of
from kernelscope_server.parameters import document_uri, string
from kernelscope_server.positions import units
from kernelscope_server.session import Session
from kernelscope_server.wire import INVALID_PARAMS, REQUEST_FAILED, Json, RequestError, is_table

if TYPE_CHECKING:
    from kernelscope.explain.document import Document
    from kernelscope.explain.render import Rendered


def register(session: Session) -> None:
    def content(params: Json) -> Json:
        return {"text": rendered(session, string(params, "uri")).text}

    def links(params: Json) -> list[Json]:
        uri = document_uri(params)
        return _links(rendered(session, uri), session.encoding) if uri.startswith(f"{SCHEME}:") else []

    followed = 0

    def follow() -> None:
        """When typing pauses, open views whose text has changed are asked for anew by the client."""
        nonlocal followed
        if session.changes == followed or session.capability("workspace", "textDocumentContent") is None:
            return
        followed = session.changes
        for view in session.views():
            try:
                text = rendered(session, view.uri).text
            except RequestError:  # what it shows has gone, or is half-typed: it stays as it is
                continue
            if text.encode() != view.text.data:
                session.server.ask("workspace/textDocumentContent/refresh", {"uri": view.uri})

    session.server.on_idle.append(follow)
    session.server.on("workspace/textDocumentContent", content)
    session.server.on("textDocument/documentLink", links)


def make(session: Session, kind: str, target: Target) -> Document:
    """The document of a view; what the user has to mend is an error of one line."""
    settings = session.settings
    analysis = settings.analysis
    options = ViewOptions(settings.width, settings.charset, analysis.bindings, analysis.gpu, depth=settings.depth)
    try:
        return session.analysis.document(kind, target, options)
    except UserError as error:
        raise RequestError(REQUEST_FAILED, str(error)) from None


def rendered(session: Session, uri: str) -> Rendered:
    """A view as text with its links."""
    from kernelscope.explain.render import to_text

    return to_text(make(session, *read_uri(uri)), session.settings.width, session.settings.charset)


def view_uri(kind: str, title: str, target: Target) -> str:
    """`kernelscope:/Title?...`: what a tab shows is the path's last part."""
    query: Json = {"kind": kind, "path": str(target.path)}
    if target.offset is not None:
        query["offset"] = target.offset
    if target.symbol is not None:
        query["symbol"] = target.symbol
    return f"{SCHEME}:/{quote(title, safe='')}?{quote(json.dumps(query), safe='')}"


def read_uri(uri: str) -> tuple[str, Target]:
    """The kind and target in a view's URI."""
    try:
        query: object = json.loads(unquote(urlsplit(uri).query))
    except ValueError:
        query = None
    if is_table(query) and uri.startswith(f"{SCHEME}:"):
        kind, path, offset, symbol = (query.get(name) for name in ("kind", "path", "offset", "symbol"))
        if isinstance(kind, str) and isinstance(path, str):
            place = offset if isinstance(offset, int) else None
            return kind, Target(Path(path), place, symbol if isinstance(symbol, str) else None)
    raise RequestError(INVALID_PARAMS, f"{uri} is no view of Kernelscope")


def _links(view: Rendered, encoding: str) -> list[Json]:
    rows = view.text.split("\n")

    def column(row: int, character: int) -> Json:
        return {"line": row, "character": units(rows[row][:character].encode(), encoding)}

    return [
        {
            "range": {"start": column(link.row, link.column), "end": column(link.row, link.end_column)},
            "target": f"{uri_of(link.location.path)}#L{link.location.line}",
            "tooltip": str(link.location),
        }
        for link in view.links
        if link.row < len(rows)
    ]
