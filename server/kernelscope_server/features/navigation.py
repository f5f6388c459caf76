"""Definitions, references and the call hierarchy, across Python, C++ and CUDA."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kernelscope.results import Call, Location
from kernelscope.syntax.text import SourceText

from kernelscope_server.documents import path_of, uri_of
from kernelscope_server.features.symbols import KINDS
from kernelscope_server.positions import range_of, units
from kernelscope_server.session import Session
from kernelscope_server.wire import Json, is_table


def register(session: Session) -> Json:
    def definition(params: Json) -> list[Json]:
        document, offset = session.place(params)
        return [located(session, found) for found in session.analysis.definition(document.path, offset)]

    def references(params: Json) -> list[Json]:
        document, offset = session.place(params)
        return [located(session, found) for found in session.analysis.references(document.path, offset)]

    def prepare(params: Json) -> list[Json] | None:
        document, offset = session.place(params)
        word = _word(document.text, offset)
        if not word:
            return None
        span = range_of(document.text, *word, session.encoding)
        name = document.text.data[word[0] : word[1]].decode("utf-8", "replace")
        return [{"name": name, "kind": 12, "uri": document.uri, "range": span, "selectionRange": span}]

    def incoming(params: Json) -> list[Json]:
        calls = session.analysis.incoming_calls(*_item(session, params))
        return [{"from": _call_item(session, call), "fromRanges": _ranges(session, call.sites)} for call in calls]

    def outgoing(params: Json) -> list[Json]:
        calls = session.analysis.outgoing_calls(*_item(session, params))
        return [{"to": _call_item(session, call), "fromRanges": _ranges(session, call.sites)} for call in calls]

    session.server.requests |= {
        "textDocument/definition": definition,
        "textDocument/references": references,
        "textDocument/prepareCallHierarchy": prepare,
        "callHierarchy/incomingCalls": incoming,
        "callHierarchy/outgoingCalls": outgoing,
    }
    return {"definitionProvider": True, "referencesProvider": True, "callHierarchyProvider": True}


def located(session: Session, location: Location) -> Json:
    """A Location for the client; columns become its units where the file can be read."""
    return {"uri": uri_of(location.path), "range": _range(session, location)}


def _range(session: Session, location: Location) -> Json:
    data = session.analysis.files.read(str(location.path))
    text = SourceText(data if isinstance(data, bytes) else b"")
    end_line = max(location.end_line, location.line)

    def point(line: int, column: int) -> Json:
        return {"line": line - 1, "character": units(text.line_bytes(line)[:column], session.encoding)}

    return {"start": point(location.line, location.column), "end": point(end_line, location.end_column)}


def _ranges(session: Session, sites: Sequence[Location]) -> list[Json]:
    return [_range(session, site) for site in sites]


def _call_item(session: Session, call: Call) -> Json:
    found = call.symbol
    span = _range(session, found.location)
    return {
        "name": found.name,
        "kind": KINDS[found.kind],
        "detail": found.container,
        "uri": uri_of(found.location.path),
        "range": span,
        "selectionRange": span,
    }


def _item(session: Session, params: Json) -> tuple[Path, int]:
    item = params["item"]
    assert is_table(item)
    span = item["selectionRange"]
    assert is_table(span)
    document, offset = session.place({"textDocument": {"uri": item["uri"]}, "position": span["start"]})
    return path_of(document.uri), offset


def _word(text: SourceText, offset: int) -> tuple[int, int] | None:
    data, start, end = text.data, offset, offset
    while start > 0 and (data[start - 1 : start].isalnum() or data[start - 1 : start] == b"_"):
        start -= 1
    while end < len(data) and (data[end : end + 1].isalnum() or data[end : end + 1] == b"_"):
        end += 1
    return (start, end) if end > start else None
