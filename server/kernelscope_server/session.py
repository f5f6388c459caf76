"""What one client and this server agreed on: capabilities, folders, settings, open documents, the analysis.

Handlers of features get a session and answer with plain dicts.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kernelscope import __version__

from kernelscope_server.documents import OpenDocument, changed, encode, path_of
from kernelscope_server.positions import ENCODINGS, offset_of
from kernelscope_server.server import RequestError, Server, watch_parent
from kernelscope_server.settings import ServerSettings, read_settings
from kernelscope_server.wire import INVALID_PARAMS, Json, is_list, is_table

if TYPE_CHECKING:
    from kernelscope.analysis import Analysis
    from kernelscope.results import IndexProgress

SCHEME = "kernelscope"


class Session:
    """State of the conversation; every feature registers its handlers here."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.encoding = "utf-16"
        self.capabilities: Json = {}
        self.rich = False
        self.documents: dict[str, OpenDocument] = {}
        self.settings = ServerSettings()
        self.changes = 0
        """Counts whatever may change a view: edits, files, settings, the index."""
        self.roots: list[Path] = []
        self._analysis: Analysis | None = None
        self._indexing: threading.Thread | None = None
        self._stop_indexing = threading.Event()
        server.requests |= {"initialize": self._initialize, "shutdown": self._shutdown}
        server.notifications |= {
            "initialized": self._initialized,
            "textDocument/didOpen": self._opened,
            "textDocument/didChange": self._changed,
            "textDocument/didClose": self._closed,
            "workspace/didChangeWatchedFiles": self._watched,
            "workspace/didChangeWorkspaceFolders": self._folders,
            "workspace/didChangeConfiguration": self._configured,
        }

    @property
    def analysis(self) -> Analysis:
        if self._analysis is None:
            from kernelscope.analysis import Analysis

            self._analysis = Analysis(self.roots, self.settings.analysis, cache_folder())
            for document in self.documents.values():
                self._analysis.set_text(document.path, document.text.data)
        return self._analysis

    # -- life --------------------------------------------------------------------------------------------

    def _initialize(self, params: Json) -> Json:
        capabilities = params.get("capabilities")
        self.capabilities = capabilities if is_table(capabilities) else {}
        offered = self.capability("general", "positionEncodings")
        if is_list(offered):
            self.encoding = next((e for e in ENCODINGS if e in offered), "utf-16")
        options = params.get("initializationOptions")
        if is_table(options):
            self.rich = options.get("richMarkdown") is True
            self.settings = read_settings(options.get("settings"))
        self.roots = _roots(params)
        watch_parent(params.get("processId"))
        self.server.initialized = True
        from kernelscope_server import features_table

        return {
            "capabilities": {
                "positionEncoding": self.encoding,
                "textDocumentSync": {"openClose": True, "change": 2, "save": True},
                "workspace": {"workspaceFolders": {"supported": True, "changeNotifications": True}},
                **features_table.register(self),
            },
            "serverInfo": {"name": "kernelscope", "version": __version__},
        }

    def capability(self, *path: str) -> object:
        value: object = self.capabilities
        for name in path:
            value = value.get(name) if is_table(value) else None
        return value

    def _initialized(self, params: Json) -> None:
        if self.capability("workspace", "didChangeWatchedFiles", "dynamicRegistration"):
            watchers = [{"globPattern": "**/*.{py,pyi,cu,cuh,h,hpp,cc,cpp,json}"}]
            registration = {
                "id": "watch",
                "method": "workspace/didChangeWatchedFiles",
                "registerOptions": {"watchers": watchers},
            }
            self.server.ask("client/registerCapability", {"registrations": [registration]})
        self._ask_settings()
        self.start_indexing()

    def _shutdown(self, params: Json) -> None:
        self.server.shut_down = True
        self._stop_indexing.set()

    # -- settings ----------------------------------------------------------------------------------------

    def _ask_settings(self) -> None:
        if self.capability("workspace", "configuration"):
            items = {"items": [{"section": "kernelscope"}]}
            self.server.ask("workspace/configuration", items, self._got_settings)

    def _got_settings(self, result: object) -> None:
        if is_list(result) and result and is_table(result[0]):
            self._apply(read_settings(result[0]))

    def _configured(self, params: Json) -> None:
        given = params.get("settings")
        own = given.get("kernelscope") if is_table(given) else None
        if is_table(own):
            self._apply(read_settings(own))
        else:
            self._ask_settings()

    def _apply(self, settings: ServerSettings) -> None:
        if settings != self.settings:
            self.settings = settings
            self.analysis.settings = settings.analysis
            self.refresh()

    def refresh(self) -> None:
        """Ask the client to ask again for what depends on settings or on other files."""
        self.changes += 1
        for feature, method in (("inlayHint", "inlayHint"), ("codeLens", "codeLens")):
            if self.capability("workspace", feature, "refreshSupport"):
                self.server.ask(f"workspace/{method}/refresh", None)

    # -- index -------------------------------------------------------------------------------------------

    def start_indexing(self) -> None:
        """Bring the index up to date in the background, with progress where the client shows it."""
        if self._indexing is not None and self._indexing.is_alive():
            return
        analysis = self.analysis
        self._stop_indexing.clear()
        self._indexing = threading.Thread(target=self._index, args=(analysis,), name="index", daemon=True)
        self._indexing.start()

    def _index(self, analysis: Analysis) -> None:
        token = f"index-{time.monotonic_ns()}"
        shown = bool(self.capability("window", "workDoneProgress"))
        if shown:
            self.server.ask("window/workDoneProgress/create", {"token": token})
            self._progress(token, {"kind": "begin", "title": "Kernelscope: indexing", "percentage": 0})
        last, total = 0.0, 0

        def progress(state: IndexProgress) -> None:
            nonlocal last, total
            done, total = state.done, max(1, state.total)
            if shown and time.monotonic() - last > 0.2:
                last = time.monotonic()
                message = f"{done} of {total} files"
                self._progress(token, {"kind": "report", "message": message, "percentage": 100 * done // total})

        try:
            analysis.index(progress, self._stop_indexing.is_set)
        except Exception as error:
            self.server.log(f"indexing stopped: {error!r}", 1)
        if shown:
            self._progress(token, {"kind": "end", "message": f"{total:,} files" if total else ""})
        self.refresh()

    def _progress(self, token: str, value: Json) -> None:
        self.server.notify("$/progress", {"token": token, "value": value})

    # -- documents ---------------------------------------------------------------------------------------

    def _opened(self, params: Json) -> None:
        given = params["textDocument"]
        assert is_table(given)
        uri, version, text = str(given["uri"]), given.get("version", 0), given["text"]
        if not isinstance(text, str):
            raise ValueError("text is a string")
        from kernelscope.syntax.text import SourceText

        document = OpenDocument(uri, path_of(uri), version if isinstance(version, int) else 0, SourceText(encode(text)))
        self.documents[uri] = document
        self._set_text(document)

    def _changed(self, params: Json) -> None:
        given = params["textDocument"]
        assert is_table(given)
        document = self.documents.get(str(given["uri"]))
        if document is None:
            return
        document.text = changed(document.text, params.get("contentChanges"), self.encoding)
        version = given.get("version")
        document.version = version if isinstance(version, int) else document.version + 1
        self._set_text(document)

    def _set_text(self, document: OpenDocument) -> None:
        if not document.uri.startswith(f"{SCHEME}:"):
            self.analysis.set_text(document.path, document.text.data)
            self.changes += 1

    def _closed(self, params: Json) -> None:
        given = params["textDocument"]
        assert is_table(given)
        document = self.documents.pop(str(given["uri"]), None)
        if document is not None:
            self.analysis.set_text(document.path, None)

    def _watched(self, params: Json) -> None:
        self.analysis.files_changed(_paths(params.get("changes")))
        self.changes += 1

    def _folders(self, params: Json) -> None:
        event = params["event"]
        assert is_table(event)
        removed, added = _paths(event.get("removed")), _paths(event.get("added"))
        self.roots = [root for root in self.roots if root not in removed]
        self.roots += [root for root in added if root not in self.roots]
        self._stop_indexing.set()
        if self._indexing is not None:
            self._indexing.join(5)
        self._analysis = None
        self.start_indexing()

    def document(self, params: Json) -> OpenDocument:
        """The document that a request is about; one that is not open is read from disk."""
        given = params["textDocument"]
        uri = given.get("uri") if is_table(given) else None
        if not isinstance(uri, str):
            raise RequestError(INVALID_PARAMS, "textDocument.uri is missing")
        if (document := self.documents.get(uri)) is not None:
            return document
        from kernelscope.syntax.text import SourceText

        path = path_of(uri)
        data = self.analysis.files.read(str(path)) if uri.startswith("file:") else b""
        return OpenDocument(uri, path, 0, SourceText(data if isinstance(data, bytes) else b""))

    def place(self, params: Json) -> tuple[OpenDocument, int]:
        """Document and byte offset of a request with a position."""
        document = self.document(params)
        return document, offset_of(document.text, params["position"], self.encoding)


def cache_folder() -> Path | None:
    """Where the index is kept between sessions: the user's cache folder."""
    from platformdirs import user_cache_path

    return user_cache_path("kernelscope", appauthor=False)


def _roots(params: Json) -> list[Path]:
    root_uri, root_path = params.get("rootUri"), params.get("rootPath")
    if found := _paths(params.get("workspaceFolders")):
        return found
    if isinstance(root_uri, str):
        return [path_of(root_uri)]
    return [Path(root_path)] if isinstance(root_path, str) else []


def _paths(entries: object) -> list[Path]:
    """Paths of a list of objects with a `uri`: folders, or changes of files."""
    return [path_of(str(e["uri"])) for e in entries if is_table(e) and "uri" in e] if is_list(entries) else []
