"""Open documents: bytes with versions, and where in the analysed text they stand. Cells of a notebook are one text.

Knows URIs and content changes; positions of the client are converted in `positions`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from kernelscope.syntax.text import SourceText

from kernelscope_server.parameters import entries, string, table
from kernelscope_server.positions import offset_of, position_at
from kernelscope_server.wire import Json

SCHEME = "kernelscope"
KEPT_URIS = 256
LANGUAGE_SUFFIXES = {"python": ".py", "cuda": ".cu", "cuda-cpp": ".cu", "cpp": ".cpp", "c": ".h"}
_MAGIC = re.compile(rb"^[ \t]*[%!][^\r\n]*", re.MULTILINE)
"""Lines for the notebook, not for Python."""


class OpenDocument:
    """One document of the editor.

    `path` is a made-up one for documents that are no files. `first` is the offset at which the document starts in the
    text that is analysed under that path: 0 but for cells of a notebook.
    """

    __slots__ = ("first", "path", "text", "uri", "version")

    def __init__(self, uri: str, path: Path, version: int, text: SourceText, first: int = 0) -> None:
        self.uri, self.path, self.version, self.text, self.first = uri, path, version, text, first

    @property
    def is_view(self) -> bool:
        """Whether this is a document that we made."""
        return self.uri.startswith(f"{SCHEME}:")

    def offset(self, position: object, encoding: str) -> int:
        """The analysed text's offset of a position of the client."""
        return self.first + offset_of(self.text, position, encoding)

    def holds(self, offset: int) -> bool:
        """Whether an offset of the analysed text lies in this document."""
        return self.first <= offset <= self.first + len(self.text.data)

    def position(self, offset: int, encoding: str) -> Json:
        return position_at(self.text, offset - self.first, encoding)

    def range(self, start: int, end: int, encoding: str) -> Json:
        return {"start": self.position(start, encoding), "end": self.position(end, encoding)}


def opened(item: Json) -> OpenDocument:
    """The document of a `TextDocumentItem`."""
    uri, version = string(item, "uri"), item.get("version")
    path, suffix = path_of(uri), LANGUAGE_SUFFIXES.get(str(item.get("languageId")), "")
    if not uri.startswith("file:") and not path.suffix:
        path = path.with_name(path.name + suffix)
    return OpenDocument(uri, path, version if isinstance(version, int) else 0, SourceText(encode(string(item, "text"))))


def change(document: OpenDocument, params: Json, encoding: str) -> None:
    """Apply the content changes of a notification, in order."""
    for edit in entries(params, "contentChanges"):
        new = encode(string(edit, "text"))
        if edit.get("range") is None:
            document.text = SourceText(new)
            continue
        span = table(edit, "range")
        start, end = (offset_of(document.text, span.get(name), encoding) for name in ("start", "end"))
        document.text = document.text.edited(min(start, end), max(start, end), new)
    version = params.get("version")
    document.version = version if isinstance(version, int) else document.version + 1


def join_cells(cells: Sequence[OpenDocument]) -> bytes:
    """The text of a notebook: its Python cells one after the other, each told where it starts."""
    size, parts = 0, list[bytes]()
    for cell in cells:
        cell.first = size
        parts.append(_MAGIC.sub(lambda found: b"#" * len(found[0]), cell.text.data) + b"\n")
        size += len(parts[-1])
    return b"".join(parts)


def encode(text: str) -> bytes:
    """A client's text as bytes; lone surrogates become question marks."""
    return text.encode("utf-8", "replace")


# -- URIs ------------------------------------------------------------------------------------------------


@lru_cache(KEPT_URIS)
def key_of(uri: str) -> str:
    """The same for all spellings of one document's URI."""
    return f"file:{path_of(uri)}" if uri.startswith("file:") else unquote(uri)


@lru_cache(KEPT_URIS)
def path_of(uri: str) -> Path:
    """The path of a file URI; for other schemes a path that no file has, so that results can be kept by it."""
    try:
        parsed = urlsplit(uri)
    except ValueError:
        return Path("/unknown:" + quote(uri, safe=""))
    path = unquote(parsed.path)
    if parsed.scheme != "file":
        return Path("/" + quote(parsed.scheme or "untitled", safe="") + ":" + (path or uri.partition(":")[2]))
    if re.match(r"/[A-Za-z]:", path):
        path = path[1].upper() + path[2:]
    elif parsed.netloc not in ("", "localhost"):
        path = f"//{parsed.netloc}{path}"
    return Path(path.replace("\0", ""))


def uri_of(path: Path) -> str:
    return path.as_uri() if path.is_absolute() else f"file://{quote(str(path))}"
