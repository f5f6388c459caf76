"""Definitions, implementations, references and the call hierarchy, across Python, C++ and CUDA."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from kernelscope.results import Call, FoundSymbol, Location, SymbolKind
from kernelscope.syntax.text import SourceText

from kernelscope_server.documents import OpenDocument, uri_of
from kernelscope_server.features.symbols import KINDS
from kernelscope_server.parameters import string, table
from kernelscope_server.session import Session
from kernelscope_server.wire import Json

_WORD = re.compile(rb"[\w\x80-\xff]+")


def register(session: Session) -> None:
    def definition(params: Json) -> list[Json]:
        document, offset = session.place(params)
        places = located(session, session.analysis.definition(document.path, offset))
        return session.unless_links_come(places) if session.analysis.means_operator(document.path, offset) else places

    def implementation(params: Json) -> list[Json]:
        document, offset = session.place(params)
        places = located(session, session.analysis.implementation(document.path, offset))
        return session.unless_links_come(places) if session.analysis.means_operator(document.path, offset) else places

    def references(params: Json) -> list[Json]:
        document, offset = session.place(params)
        return located(session, session.analysis.references(document.path, offset))

    def prepare(params: Json) -> list[Json] | None:
        document, offset = session.place(params)
        word = _word(document.text, offset - document.first)
        if word is None:
            return None
        start, end = word
        span = document.range(document.first + start, document.first + end, session.encoding)
        name = document.text.data[start:end].decode("utf-8", "replace")
        kind = KINDS[SymbolKind.FUNCTION]
        return [{"name": name, "kind": kind, "uri": document.uri, "range": span, "selectionRange": span}]

    def incoming(params: Json) -> list[Json]:
        calls = session.analysis.incoming_calls(*_item(session, params))
        return session.unless_calls_come(_calls(session, calls, "from"))

    def outgoing(params: Json) -> list[Json]:
        calls = session.analysis.outgoing_calls(*_item(session, params))
        return session.unless_links_come(_calls(session, calls, "to"))

    session.server.on("textDocument/definition", definition)
    session.server.on("textDocument/declaration", definition)
    session.server.on("textDocument/implementation", implementation)
    session.server.on("textDocument/references", references)
    session.server.on("textDocument/prepareCallHierarchy", prepare)
    session.server.on("callHierarchy/incomingCalls", incoming)
    session.server.on("callHierarchy/outgoingCalls", outgoing)


def located(session: Session, locations: Sequence[Location]) -> list[Json]:
    """Locations for the client: columns in its units, places in notebooks in their cells."""
    texts: dict[Path, SourceText | None] = {}
    found = (_located(session, location, texts) for location in locations)
    return [place for place in found if place is not None]


def _located(session: Session, location: Location, texts: dict[Path, SourceText | None]) -> Json | None:
    """None in a file that has gone since it was read."""
    path = location.path
    if path not in texts:
        data = session.analysis.files.read(str(path))
        texts[path] = SourceText(data) if isinstance(data, bytes) else None
    text = texts[path]
    if text is None:
        return None
    start = text.line_start(location.line) + location.column
    end = text.line_start(max(location.end_line, location.line)) + location.end_column
    document = session.at(path, start) or OpenDocument(uri_of(path), path, 0, text)
    return {"uri": document.uri, "range": document.range(start, max(start, end), session.encoding)}


def _calls(session: Session, calls: Sequence[Call], end: str) -> list[Json]:
    texts: dict[Path, SourceText | None] = {}
    made: list[Json] = []
    for call in calls:
        place = _located(session, call.symbol.location, texts)
        sites = [site for site in (_located(session, site, texts) for site in call.sites) if site is not None]
        if place is None or not sites:
            continue
        symbol = call.symbol
        item: Json = {"name": symbol.name, "kind": KINDS[symbol.kind], "detail": _detail(symbol), **place}
        item["selectionRange"] = place["range"]
        made.append({end: item, "fromRanges": [site["range"] for site in sites]})
    return made


def _detail(symbol: FoundSymbol) -> str:
    """What tells functions of one name apart: the class and the file."""
    return " · ".join(filter(None, (symbol.container, symbol.location.path.name)))


def _item(session: Session, params: Json) -> tuple[Path, int]:
    item = table(params, "item")
    document = session.document_at(string(item, "uri"))
    return document.path, document.offset(table(item, "selectionRange").get("start"), session.encoding)


def _word(text: SourceText, offset: int) -> tuple[int, int] | None:
    """The word that holds or ends at an offset."""
    line = text.line_of(offset)
    start, stop = text.line_start(line), text.line_start(line + 1)
    return next((m.span() for m in _WORD.finditer(text.data, start, stop) if m.start() <= offset <= m.end()), None)
