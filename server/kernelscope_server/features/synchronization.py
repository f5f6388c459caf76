"""`textDocument/didOpen`, `didChange`, `didClose`, also of notebooks: the analysis sees what is typed."""

from __future__ import annotations

from pathlib import Path

from kernelscope_server.documents import OpenDocument, change, join_cells, key_of, opened, path_of
from kernelscope_server.parameters import document_uri, entries, string, table
from kernelscope_server.session import Session
from kernelscope_server.wire import Json, is_table


def register(session: Session) -> None:
    documents = Documents(session)
    notebooks = Notebooks(session)
    server = session.server
    server.on("textDocument/didOpen", documents.open)
    server.on("textDocument/didChange", documents.change)
    server.on("textDocument/didClose", documents.close)
    server.on("textDocument/didSave", documents.save)
    server.on("notebookDocument/didOpen", notebooks.open)
    server.on("notebookDocument/didChange", notebooks.change)
    server.on("notebookDocument/didClose", notebooks.close)


class Documents:
    """Text documents. Changes of one that is not open are ignored."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def open(self, params: Json) -> None:
        document = opened(table(params, "textDocument"))
        self._session.documents[key_of(document.uri)] = document
        self._session.last_hovers.opened(document)
        self._analyse(document)

    def change(self, params: Json) -> None:
        document = self._session.documents.get(key_of(document_uri(params)))
        if document is not None:
            given = table(params, "textDocument") | {"contentChanges": params.get("contentChanges")}
            change(document, given, self._session.encoding)
            self._session.last_hovers.drop()
            self._analyse(document)

    def close(self, params: Json) -> None:
        document = self._session.documents.pop(key_of(document_uri(params)), None)
        if document is not None and not document.is_view:
            self._session.analyse(document.path, None)
            self._session.analysis.files_changed([document.path])

    def save(self, params: Json) -> None:
        """The disk now says the same as the document."""
        document = self._session.documents.get(key_of(document_uri(params)))
        if document is not None and not document.is_view:
            self._session.analysis.files_changed([document.path])

    def _analyse(self, document: OpenDocument) -> None:
        if not document.is_view:
            self._session.analyse(document.path, document.text.data)


class Notebooks:
    """Cells are documents of their own to the client and one text to the analysis."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._cells: dict[Path, list[str]] = {}

    def open(self, params: Json) -> None:
        notebook = table(params, "notebookDocument")
        path = _path(notebook)
        self._put(path, entries(params, "cellTextDocuments"))
        self._cells[path] = [key_of(string(cell, "document")) for cell in entries(notebook, "cells")]
        self._analyse(path)

    def change(self, params: Json) -> None:
        path = _path(table(params, "notebookDocument"))
        cells = self._cells.get(path)
        changed = table(params, "change").get("cells")
        if cells is None or not is_table(changed):
            return
        if is_table(structure := changed.get("structure")):
            array = table(structure, "array")
            start, count = array.get("start"), array.get("deleteCount")
            if isinstance(start, int) and isinstance(count, int):
                cells[start : start + count] = [key_of(string(cell, "document")) for cell in entries(array, "cells")]
            for closed in entries(structure, "didClose"):
                self._session.documents.pop(key_of(string(closed, "uri")), None)
            self._put(path, entries(structure, "didOpen"))
        for edit in entries(changed, "textContent"):
            self._session.last_hovers.drop()
            document = self._session.documents.get(key_of(string(table(edit, "document"), "uri")))
            if document is not None:
                change(document, {"contentChanges": edit.get("changes")}, self._session.encoding)
        self._analyse(path)

    def close(self, params: Json) -> None:
        path = _path(table(params, "notebookDocument"))
        for key in self._cells.pop(path, []):
            self._session.documents.pop(key, None)
        self._session.analysis.set_text(path, None)

    def _put(self, path: Path, items: list[Json]) -> None:
        for item in items:
            document = opened(item)
            document.path = path
            self._session.documents[key_of(document.uri)] = document

    def _analyse(self, path: Path) -> None:
        found = (self._session.documents.get(key) for key in self._cells[path])
        text = join_cells([document for document in found if document is not None])
        self._session.analysis.set_text(path, text)
        self._session.changes += 1


def _path(notebook: Json) -> Path:
    """No file has this path, and it reads as Python."""
    path = path_of(string(notebook, "uri"))
    return Path(f"/notebook:{path}.py")
