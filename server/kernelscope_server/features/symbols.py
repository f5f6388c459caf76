"""Document symbols and workspace symbols."""

from __future__ import annotations

from collections.abc import Sequence

from kernelscope.results import FoundSymbol, Symbol, SymbolKind

from kernelscope_server.documents import OpenDocument, uri_of
from kernelscope_server.parameters import string
from kernelscope_server.protocol import Later
from kernelscope_server.session import Session
from kernelscope_server.wire import Json

KINDS: dict[SymbolKind, int] = {
    SymbolKind.MODULE: 2,
    SymbolKind.CLASS: 5,
    SymbolKind.METHOD: 6,
    SymbolKind.FIELD: 8,
    SymbolKind.FUNCTION: 12,
    SymbolKind.CONSTANT: 14,
    SymbolKind.STRUCT: 23,
    SymbolKind.OPERATOR: 25,
    SymbolKind.KERNEL: 12,
    SymbolKind.MACRO: 14,
}
FOUND_SYMBOLS = 500
LARGE_BYTES = 500_000
"""Documents that are parsed by another process, so that no hover waits for it."""


def register(session: Session) -> None:
    def document_symbols(params: Json) -> list[Json] | Later:
        document, encoding, analysis = session.document(params), session.encoding, session.analysis
        if document.is_view:
            return []
        if len(document.text.data) < LARGE_BYTES:
            return _tree(analysis.outline(document.path), document, encoding)
        seen = OpenDocument(document.uri, document.path, document.version, document.text, document.first)
        return Later(lambda: _tree(analysis.outline_of(seen.path, seen.text.data), seen, encoding))

    def workspace_symbols(params: Json) -> list[Json]:
        found = session.analysis.find_symbols(string(params, "query"), FOUND_SYMBOLS)
        return session.unless_names_come([_found(symbol) for symbol in found])

    session.server.on("textDocument/documentSymbol", document_symbols)
    session.server.on("workspace/symbol", workspace_symbols)


def _tree(symbols: Sequence[Symbol], document: OpenDocument, encoding: str) -> list[Json]:
    return [_symbol(symbol, document, encoding) for symbol in symbols if document.holds(symbol.selection.start)]


def _symbol(symbol: Symbol, document: OpenDocument, encoding: str) -> Json:
    """Outlines are at most as deep as the library nests them."""
    return {
        "name": symbol.name or "?",
        "kind": KINDS[symbol.kind],
        "detail": symbol.detail,
        "range": document.range(symbol.span.start, symbol.span.end, encoding),
        "selectionRange": document.range(symbol.selection.start, symbol.selection.end, encoding),
        "children": [_symbol(child, document, encoding) for child in symbol.children],
    }


def _found(found: FoundSymbol) -> Json:
    """Columns stay bytes here: the files need not be open, and names of definitions are ASCII but for rare ones."""
    place = found.location
    start = {"line": place.line - 1, "character": place.column}
    end = {"line": max(place.end_line, place.line) - 1, "character": place.end_column}
    return {
        "name": found.name,
        "kind": KINDS[found.kind],
        "containerName": found.container,
        "location": {"uri": uri_of(place.path), "range": {"start": start, "end": end}},
    }
