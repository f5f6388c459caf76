"""`textDocument/hover`: a Hover as Markdown, plain unless the client asked for rich links."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

from kernelscope.results import Hover, Link

from kernelscope_server.commands_table import VIEWS
from kernelscope_server.documents import key_of, uri_of
from kernelscope_server.kept_hovers import KeptHovers
from kernelscope_server.parameters import document_uri
from kernelscope_server.session import Session
from kernelscope_server.targets import target_argument
from kernelscope_server.wire import Json


def register(session: Session) -> None:
    kept = KeptHovers(lambda hover: markdown(hover, session.rich))

    def hover(params: Json) -> Json | None:
        document, offset = session.place(params)
        found = None if document.is_view else kept.ask(session.analysis, document, offset)
        if found is None:
            return None
        return {
            "contents": {"kind": "markdown", "value": markdown(found, session.rich)},
            "range": document.range(found.span.start, found.span.end, session.encoding),
        }

    def at_once(params: Json) -> str | None:
        document = session.documents.get(key_of(document_uri(params)))
        if document is None or document.is_view:
            return None
        offset = document.offset(params.get("position"), session.encoding)
        return kept.get(session.analysis, document, offset, session.encoding)

    def ahead(path: Path, offset: int) -> None:
        document = session.at(path, offset)
        if document is not None and not kept.knows(session.analysis, document, offset):
            kept.ask(session.analysis, document, offset)

    session.server.on("textDocument/hover", hover)
    session.server.at_once["textDocument/hover"] = at_once
    session.hover_ahead = ahead


def markdown(hover: Hover, rich: bool) -> str:
    """Fence, notes, table, links: in this order, each set apart."""
    parts = [f"```{hover.language}\n{hover.signature}\n```"]
    if hover.notes:
        parts.append("  \n".join(hover.notes))
    if hover.table:
        rows = "\n".join(f"| {name} | {value.replace('|', chr(92) + '|')} |" for name, value in hover.table)
        parts.append(f"| | |\n|---|---|\n{rows}")
    links = [text for link in hover.links if (text := _link(link, rich))]
    if links:
        parts.append(" · ".join(links))
    return "\n\n".join(parts)


def _link(link: Link, rich: bool) -> str:
    """Plain clients get links to places only: they print command links as they are."""
    if link.location is not None:
        return f"[{link.title}]({uri_of(link.location.path)}#L{link.location.line})"
    if rich and link.command in VIEWS and link.target is not None:
        return f"[{link.title}](command:{link.command}?{quote(json.dumps([target_argument(link.target)]))})"
    return ""
