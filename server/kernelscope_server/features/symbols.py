"""Document symbols and workspace symbols."""

from __future__ import annotations

from kernelscope.results import Location, Symbol, SymbolKind

from kernelscope_server.documents import OpenDocument, uri_of
from kernelscope_server.positions import range_of
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
LIMIT = 500


def register(session: Session) -> Json:
    def document_symbols(params: Json) -> list[Json]:
        document = session.document(params)
        return [_symbol(symbol, document, session.encoding) for symbol in session.analysis.outline(document.path)]

    def workspace_symbols(params: Json) -> list[Json]:
        query = params["query"]
        if not isinstance(query, str):
            raise ValueError("query is a string")
        return [
            {
                "name": found.name,
                "kind": KINDS[found.kind],
                "containerName": found.container,
                "location": _location(found.location),
            }
            for found in session.analysis.find_symbols(query, LIMIT)
        ]

    session.server.requests |= {
        "textDocument/documentSymbol": document_symbols,
        "workspace/symbol": workspace_symbols,
    }
    return {"documentSymbolProvider": True, "workspaceSymbolProvider": True}


def _location(location: Location) -> Json:
    """Columns stay bytes here: the files need not be open, and names of definitions are ASCII but for rare ones."""
    end_line = max(location.end_line, location.line)
    start = {"line": location.line - 1, "character": location.column}
    end = {"line": end_line - 1, "character": location.end_column}
    return {"uri": uri_of(location.path), "range": {"start": start, "end": end}}


def _symbol(symbol: Symbol, document: OpenDocument, encoding: str) -> Json:
    return {
        "name": symbol.name or "?",
        "kind": KINDS[symbol.kind],
        "detail": symbol.detail,
        "range": range_of(document.text, symbol.span.start, symbol.span.end, encoding),
        "selectionRange": range_of(document.text, symbol.selection.start, symbol.selection.end, encoding),
        "children": [_symbol(child, document, encoding) for child in symbol.children],
    }
