"""What one client and this server agreed on: capabilities, folders, settings, open documents, the analysis.

Handlers of features get a session and answer with plain dicts.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kernelscope import __version__

from kernelscope_server.documents import OpenDocument, key_of, path_of
from kernelscope_server.last_hovers import LastHovers
from kernelscope_server.parameters import document_uri, entries, string, table
from kernelscope_server.positions import ENCODINGS
from kernelscope_server.protocol import NotYet
from kernelscope_server.server import NAME, Server, watch_parent
from kernelscope_server.structs import load_structs
from kernelscope_server.user_cache import cache_folder
from kernelscope_server.wire import Json, is_list, is_table

if TYPE_CHECKING:
    from kernelscope.analysis import Analysis

    from kernelscope_server.indexing import Indexing
    from kernelscope_server.settings import ServerSettings

COMES_OR_GOES = 1 | 4
"""`WatchKind.Create` and `Delete`: of a folder that comes or goes, clients announce the folder alone."""


NAMES_SECONDS = 5.0
"""So long what nobody asked for waits at most until the names of all files are known."""
WALK_SECONDS = 20.0
"""How old what is known of the disk may be, where nobody announces changes."""
MOST_EXPECTED = 8
"""So many of the documents that were opened last are looked at before anybody asks, and hovers on them answered."""


class Session:
    """State of the conversation."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.encoding = "utf-16"
        self.capabilities: Json = {}
        self.rich = False
        self.documents: dict[str, OpenDocument] = {}
        """By `key_of` their URI."""
        self.given: Json = {}
        """The settings as the client gave them."""
        self._settings: ServerSettings | None = None
        self.changes = 0
        """Counts whatever may change a view: edits, files, settings, the index."""
        self.shown: set[str] = set()
        """Features that the client has asked for, and may want to ask for again."""
        self.roots: list[Path] = []
        self._analysis: Analysis | None = None
        self._making = threading.Lock()
        """Held while the analysis is made and told of open documents, by whichever thread needs it first."""
        self._indexing: Indexing | None = None
        self._is_told = False
        """Whether the client announces what changes on the disk."""
        self._watches = True
        """Whether it was asked to, if it can be."""
        self.hover_ahead: Callable[[Path, int], None] = lambda path, offset: None
        """Answers a hover before it is asked for."""
        self.last_hovers = LastHovers(cache_folder(), ())
        self.keep_hovers: Callable[[], None] = lambda: None
        """Keeps hovers for the next session."""
        self._is_loaded = False
        """Whether what hovers need was imported."""
        self._heard = 0
        """The messages that had come when the disk was looked at again."""
        server.on("initialize", self._initialize)
        server.on("initialized", self._initialized)
        server.on("shutdown", self._shut_down)
        server.on("workspace/didChangeWatchedFiles", self._files_changed)
        server.on("workspace/didChangeWorkspaceFolders", self._folders_changed)
        server.on("workspace/didChangeConfiguration", self._configured)
        server.saves_time = self._saves_time
        server.on_free.append(lambda: self._load() if self.has_time else None)
        server.on_free.append(lambda: self._look_ahead(edited=False))
        server.on_idle.append(self._load)
        server.on_idle.append(lambda: self._look_ahead(edited=True))
        server.on_idle.append(self._look_again)

    @property
    def analysis(self) -> Analysis:
        """Made when first needed, so that the answer to `initialize` waits for no import."""
        if self._analysis is None:
            load_structs()
            from kernelscope.analysis import Analysis

            with self._making:
                if self._analysis is None:
                    made = Analysis(self.roots, self.settings.analysis, cache_folder())
                    for document in self.sources():
                        made.set_text(document.path, document.text.data)
                    made.beside = self.server.beside
                    gc.freeze()  # code and classes stay: looking for cycles among them takes 50 ms each time
                    self._analysis = made
        return self._analysis

    @property
    def is_analysed(self) -> bool:
        """Whether the analysis is there, which takes some hundredths of a second to load."""
        return self._analysis is not None

    def analyse(self, path: Path, data: bytes | None) -> None:
        """The text of a document that is open now or was edited; None once it is closed.

        An analysis that is not made yet will be told of open documents then.
        """
        with self._making:
            if self._analysis is not None:
                self._analysis.set_text(path, data)
        self.changes += 1

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
            given = options.get("settings")
            self.given = given if is_table(given) else {}
        self.roots = _roots(params)
        self.last_hovers = LastHovers(cache_folder(), self.roots)
        watch_parent(params.get("processId"))
        from kernelscope_server import features_table

        features_table.register(self)
        protocol = self.server.protocol
        protocol.initialized = True
        announced = protocol.capabilities_for(self.capabilities, self.encoding)
        workspace = announced.get("workspace")
        announced["workspace"] = (workspace if is_table(workspace) else {}) | features_table.WORKSPACE
        return {
            "capabilities": announced,
            "serverInfo": {"name": NAME, "version": __version__},
        }

    def capability(self, *path: str) -> object:
        """What the client says of itself under these names; None when it says nothing."""
        value: object = self.capabilities
        for name in path:
            value = value.get(name) if is_table(value) else None
        return value

    def _initialized(self, params: Json) -> None:
        self._is_told = bool(self.capability("workspace", "didChangeWatchedFiles", "dynamicRegistration"))
        self._watches = not self._is_told
        self._ask_settings()
        self.start_indexing()

    def watch(self) -> None:
        """Have the client announce what changes on the disk, once the analysis is there that knows what matters."""
        if not self._watches:
            self._watches = True
            endings = ",".join(suffix.removeprefix(".") for suffix in self.analysis.suffixes)
            registration = {
                "id": "watch",
                "method": "workspace/didChangeWatchedFiles",
                "registerOptions": {
                    "watchers": [{"globPattern": f"**/*.{{{endings}}}"}, {"globPattern": "**/*", "kind": COMES_OR_GOES}]
                },
            }
            self.server.ask("client/registerCapability", {"registrations": [registration]})

    def _shut_down(self, params: Json) -> None:
        self.server.protocol.shut_down()
        self.keep_hovers()
        if self._indexing is not None:
            self._indexing.stop()

    # -- settings ----------------------------------------------------------------------------------------

    def _ask_settings(self) -> None:
        if self.capability("workspace", "configuration"):
            self.server.ask("workspace/configuration", {"items": [{"section": "kernelscope"}]}, self._got_settings)

    def _got_settings(self, result: object) -> None:
        if is_list(result) and result and is_table(result[0]):
            self._apply(result[0])

    def _configured(self, params: Json) -> None:
        given = params.get("settings")
        own = given.get("kernelscope") if is_table(given) else None
        if is_table(own):
            self._apply(own)
        else:
            self._ask_settings()

    def _apply(self, given: Json) -> None:
        if given == self.given:
            return
        before = self.settings
        with self._making:
            self.given, self._settings = given, None
            if self._analysis is not None:
                self._analysis.settings = self.settings.analysis
        if self.settings != before:
            self.refresh()

    @property
    def settings(self) -> ServerSettings:
        """What is made of what the client gave, when somebody asks for it."""
        if self._settings is None:
            load_structs()
            from kernelscope_server.settings import read_settings

            self._settings = read_settings(self.given)
        return self._settings

    def refresh(self) -> None:
        """Ask the client to ask again for what it shows and what depends on settings or on other files."""
        self.changes += 1
        for feature in ("inlayHint", "codeLens"):
            if feature in self.shown and self.capability("workspace", feature, "refreshSupport"):
                self.server.ask(f"workspace/{feature}/refresh", None)

    def _saves_time(self) -> bool:
        """Whether names are being read, or a large workspace for the first time: then only longer pauses are used."""
        return self._analysis is not None and (not self.has_time or self._analysis.is_young)

    def _load(self) -> None:
        if not self._is_loaded and self._analysis is not None and self.documents:
            self._is_loaded = True
            self._analysis.load()

    def _look_ahead(self, edited: bool) -> None:
        """A file that was opened, or in a longer pause one that edits made old, is interpreted before anybody asks."""
        if self._analysis is not None and self.has_time and (edited or not self._saves_time()):
            opened = [document.path for document in self.sources()][: -MOST_EXPECTED - 1 : -1]
            changes, heard = self.changes, self.server.heard

            def is_over() -> bool:
                return self.changes != changes

            def is_asked() -> bool:
                return self.changes != changes or self.server.heard != heard

            if not self._analysis.catch_up(opened, edited, is_over) and edited:
                for path in opened:
                    self._analysis.answer_ahead(path, is_asked, partial(self.hover_ahead, path))

    def unless_links_come(self, answer: list[Json]) -> list[Json]:
        """An answer; an empty one only when no links between languages are still being read that may tell more."""
        if not answer and not self._has_links():
            raise NotYet(answer, self._has_links)
        return answer

    def unless_calls_come(self, answer: list[Json]) -> list[Json]:
        """The same for the calls of all files, which come last: nobody is told that nothing calls a function before."""
        if not answer and not self._has_calls():
            raise NotYet(answer, self._has_calls)
        return answer

    def unless_names_come(self, answer: list[Json]) -> list[Json]:
        """The same for the names of all files, which come long before."""
        if not answer and not self._has_names():
            raise NotYet(answer, self._has_names)
        return answer

    @property
    def has_time(self) -> bool:
        """Whether to do what nobody asked for: not before the names of all files are known, which come soon.

        Whoever searches for one would wait for it, and the processes that read them need all cores.
        """
        return self._has_names() or self._indexing is None or time.monotonic() - self._indexing.begun > NAMES_SECONDS

    def _has_names(self) -> bool:
        return self._indexing is None or not self._indexing.running or (self.is_analysed and self.analysis.knows_names)

    def _has_links(self) -> bool:
        """Whether links are known, or nobody is reading them."""
        return self._indexing is None or not self._indexing.running or self.analysis.knows_links

    def _has_calls(self) -> bool:
        return self._indexing is None or not self._indexing.running or self.analysis.knows_calls

    # -- files -------------------------------------------------------------------------------------------

    def start_indexing(self) -> None:
        """Bring the index up to date in the background."""
        from kernelscope_server.indexing import Indexing

        if self._indexing is None or not self._indexing.running:
            self._indexing = Indexing(self)

    def _look_again(self) -> None:
        """At the disk now and then, in pauses of a client that does not announce what changes there."""
        last, heard = self._indexing, self.server.heard
        if self._is_told or last is None or last.running or heard == self._heard:
            return
        if time.monotonic() - last.begun > WALK_SECONDS:
            from kernelscope_server.indexing import Indexing

            self._heard = heard
            self._indexing = Indexing(self, is_shown=False)

    def _files_changed(self, params: Json) -> None:
        self._is_told = True
        if changed := [path for path in _paths(entries(params, "changes")) if self.analysis.concerns(path)]:
            self.last_hovers.drop()
            self.analysis.files_changed(changed)
            self.changes += 1

    def _folders_changed(self, params: Json) -> None:
        event = table(params, "event")
        removed, added = _paths(entries(event, "removed")), _paths(entries(event, "added"))
        self.roots = [root for root in self.roots if root not in removed]
        self.roots += [root for root in added if root not in self.roots]
        self.last_hovers.drop()
        if self._indexing is not None:
            self._indexing.stop()
            self._indexing = None
        self._analysis = None
        self.start_indexing()

    # -- documents ---------------------------------------------------------------------------------------

    def sources(self) -> Iterator[OpenDocument]:
        """Open documents that are the user's, not views of ours."""
        return (document for document in list(self.documents.values()) if not document.is_view)

    def views(self) -> Iterator[OpenDocument]:
        """Open documents that we made."""
        return (document for document in list(self.documents.values()) if document.is_view)

    def at(self, path: Path, offset: int) -> OpenDocument | None:
        """The open document that holds a place of the analysed text."""
        return next((d for d in self.sources() if d.path == path and d.holds(offset)), None)

    def document(self, params: Json) -> OpenDocument:
        """The document that a request is about; one that is not open is read from disk."""
        return self.document_at(document_uri(params))

    def document_at(self, uri: str) -> OpenDocument:
        if (document := self.documents.get(key_of(uri))) is not None:
            return document
        from kernelscope.syntax.text import SourceText

        path = path_of(uri)
        data = self.analysis.files.read(str(path)) if uri.startswith("file:") else b""
        return OpenDocument(uri, path, 0, SourceText(data if isinstance(data, bytes) else b""))

    def place(self, params: Json) -> tuple[OpenDocument, int]:
        """Document and offset in the analysed text of a request with a position."""
        document = self.document(params)
        return document, document.offset(params.get("position"), self.encoding)


def _roots(params: Json) -> list[Path]:
    if found := _paths(entries(params, "workspaceFolders")):
        return found
    root_uri, root_path = params.get("rootUri"), params.get("rootPath")
    if isinstance(root_uri, str):
        return [path_of(root_uri)]
    return [Path(root_path)] if isinstance(root_path, str) else []


def _paths(given: list[Json]) -> list[Path]:
    """Paths of objects with a `uri`: folders, or changes of files."""
    return [path_of(string(entry, "uri")) for entry in given]
