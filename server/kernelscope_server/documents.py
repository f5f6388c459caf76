"""Open documents: bytes edited in place, with versions. Only CRLF, LF and CR end a line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlparse

from kernelscope.syntax.text import SourceText

from kernelscope_server.positions import offset_of
from kernelscope_server.wire import is_list, is_table


@dataclass(slots=True)
class OpenDocument:
    """One document of the editor. `path` is a made-up one for documents that are no files."""

    uri: str
    path: Path
    version: int
    text: SourceText


def encode(text: str) -> bytes:
    """A client's text as bytes; lone surrogates survive as question marks of their own length."""
    return text.encode("utf-8", "surrogatepass") if text.isascii() else text.encode("utf-8", "replace")


def changed(text: SourceText, changes: object, encoding: str) -> SourceText:
    """The text after the content changes of one notification, applied in order."""
    if not is_list(changes):
        raise ValueError("contentChanges is a list")
    for change in changes:
        added = change.get("text") if is_table(change) else None
        if not is_table(change) or not isinstance(added, str):
            raise ValueError("a change has a text")
        span = change.get("range")
        new = encode(added)
        if span is None:
            text = SourceText(new)
            continue
        if not is_table(span):
            raise ValueError("a range is an object")
        start, end = offset_of(text, span.get("start"), encoding), offset_of(text, span.get("end"), encoding)
        start, end = min(start, end), max(start, end)
        text = SourceText(text.data[:start] + new + text.data[end:])
    return text


def path_of(uri: str) -> Path:
    """The path of a file URI; for other schemes a path that no file has, so that results can be kept by it."""
    parsed = urlparse(uri)
    if parsed.scheme == "file":
        path = unquote(parsed.path)
        if len(path) > 2 and path[0] == "/" and path[2] == ":":
            path = path[1:]
        return Path(path)
    return Path("/" + quote(parsed.scheme or "untitled", safe="") + ":" + unquote(parsed.path or uri.partition(":")[2]))


def uri_of(path: Path) -> str:
    return path.as_uri() if path.is_absolute() else f"file://{quote(str(path))}"
