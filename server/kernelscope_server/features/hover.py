"""`textDocument/hover`: a Hover as Markdown, plain unless the client asked for rich links."""

from __future__ import annotations

import json
from urllib.parse import quote

from kernelscope.results import Hover, Link

from kernelscope_server.commands_table import COMMANDS
from kernelscope_server.documents import uri_of
from kernelscope_server.positions import range_of
from kernelscope_server.session import Session
from kernelscope_server.targets import target_argument
from kernelscope_server.wire import Json


def register(session: Session) -> Json:
    def hover(params: Json) -> Json | None:
        document, offset = session.place(params)
        found = session.analysis.hover(document.path, offset)
        if found is None:
            return None
        span = range_of(document.text, found.span.start, found.span.end, session.encoding)
        return {"contents": {"kind": "markdown", "value": markdown(found, session.rich)}, "range": span}

    session.server.requests["textDocument/hover"] = hover
    return {"hoverProvider": True}


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
    if link.location is not None:
        return f"[{link.title}]({uri_of(link.location.path)}#L{link.location.line})"
    if rich and link.command in COMMANDS and link.target is not None:
        return f"[{link.title}](command:{link.command}?{quote(json.dumps([target_argument(link.target)]))})"
    return ""
