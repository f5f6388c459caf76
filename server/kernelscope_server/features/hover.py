"""`textDocument/hover`: a Hover as Markdown, plain unless the client asked for rich links."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from kernelscope_server.commands_table import VIEWS
from kernelscope_server.documents import OpenDocument, key_of, uri_of
from kernelscope_server.kept_hovers import KeptHovers, answer, name_at
from kernelscope_server.parameters import document_uri
from kernelscope_server.session import Session
from kernelscope_server.targets import target_argument
from kernelscope_server.wire import Json

if TYPE_CHECKING:
    from kernelscope.results import Hover, Link


TAKES_LONG = "its file is still being interpreted: ask again in a moment"


class _Written:
    """How many answers had been kept when they were written, and in the last pause."""

    count = 0
    last = 0


def register(session: Session) -> None:
    kept = KeptHovers(lambda hover: markdown(hover, session.rich))
    written = _Written()

    def settings() -> object:
        """All that has a say in the words of an answer beside code, as it was given."""
        return [session.given, session.rich]

    def last(document: OpenDocument, offset: int) -> str | None:
        """What the last session told."""
        name = name_at(document, offset)
        words = session.last_hovers.get(document, name.start, settings()) if name is not None else None
        return answer(document, name, words, session.encoding) if name is not None and words is not None else None

    def hover(params: Json) -> Json | None:
        document, offset = session.place(params)
        if not document.is_view and (told := last(document, offset)) is not None:
            return json.loads(told)
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
        if (told := last(document, offset)) is not None or not session.is_analysed:
            return told
        return kept.get(session.analysis, document, offset, session.encoding)

    def meanwhile(params: Json) -> Json | None:
        """That it takes long."""
        document = session.documents.get(key_of(document_uri(params)))
        name = name_at(document, document.offset(params.get("position"), session.encoding)) if document else None
        if document is None or name is None:
            return None
        word = document.text.data[name.start - document.first : name.end - document.first].decode("utf-8", "replace")
        language = "python" if document.path.suffix.startswith(".py") else "cuda-cpp"
        told = f"```{language}\n{word}\n```\n\n{TAKES_LONG}"
        place = document.range(name.start, name.end, session.encoding)
        return {"contents": {"kind": "markdown", "value": told}, "range": place}

    def ahead(path: Path, offset: int) -> None:
        document = session.at(path, offset)
        if document is None or last(document, offset) is not None:
            return
        if not kept.knows(session.analysis, document, offset):
            kept.ask(session.analysis, document, offset)

    def keep() -> None:
        """For the next session, what was answered since the last time."""
        if session.is_analysed and written.count != kept.count:
            written.count = kept.count
            texts = {str(document.path): document.text.data for document in session.sources()}
            session.last_hovers.keep(kept.kept(session.analysis, texts), settings())

    def keep_if_settled() -> None:
        if written.last == kept.count:
            keep()
        written.last = kept.count

    session.server.on("textDocument/hover", hover)
    session.server.on_idle.append(keep_if_settled)
    session.keep_hovers = keep
    session.server.at_once["textDocument/hover"] = at_once
    session.server.late.meanwhile["textDocument/hover"] = meanwhile
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
