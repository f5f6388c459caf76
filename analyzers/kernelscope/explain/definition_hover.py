"""The hover of a name of which no shape, block or layer is known: its definition as it stands in the source.

Says nothing that is not written there; where a name means several things, the first is shown and the rest counted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from kernelscope.explain.tensor_hover import identifier_at
from kernelscope.results import Hover, LeftOut, Link, Location
from kernelscope.syntax.text import SourceText
from kernelscope.workspace.facts import Def, DefKind
from kernelscope.workspace.files import PYTHON_SUFFIXES
from kernelscope.workspace.workspace import Workspace

MAX_HEADER = 2000
MAX_SIGNATURE = 400
_STRING = re.compile(rb"(?s)[rbfuRBFU]{0,2}(\"\"\"|''')(.*?)\1|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|#[^\n]*")
_DOCSTRING = re.compile(rb"(?s)\s*[rRuU]?(\"\"\"|'''|\"|')(.*?)\1")
_HEADERS = {DefKind.FUNCTION, DefKind.METHOD, DefKind.CLASS}
_CPP_HEADERS = {DefKind.CUDA_KERNEL, DefKind.CUDA_FUNCTION, DefKind.STRUCT}


def definition_hover(workspace: Workspace, places: Sequence[Location], path: Path, offset: int) -> Hover | None:
    """The hover of the name at `offset`, which is defined at `places`."""
    data = workspace.files.read(str(path))
    if isinstance(data, LeftOut) or not places:
        return None
    span = identifier_at(data, offset)
    place = places[0]
    source = workspace.files.read(str(place.path))
    facts = workspace.index.facts(str(place.path))
    if span is None or facts is None or isinstance(source, LeftOut):
        return None
    text = SourceText(source)
    start = text.line_start(place.line) + place.column
    found = next((d for d in facts.defs if d.name_start == start), None)
    if found is None:
        return None
    is_python = place.path.suffix in PYTHON_SUFFIXES
    signature, after = _signature(source, found, is_python)
    notes = [note for note in (_first_line(source, after) if is_python else "", _others(places)) if note]
    links = () if place.path == path and span.start == start else (Link(str(place), place),)
    return Hover(span, signature, "python" if is_python else "cuda-cpp", tuple(notes), (), links)


def _signature(source: bytes, found: Def, is_python: bool) -> tuple[str, int]:
    """The definition's head on one line, and where it ends."""
    start = found.start
    if is_python and found.kind in _HEADERS:
        start = max(source.rfind(b"\n", 0, found.name_start) + 1, found.start)
        end = _head_end(source, found.name_start, b":")
    elif found.kind in _CPP_HEADERS:
        end = _head_end(source, found.name_start, b"{;")
    else:
        end = source.find(b"\n", found.name_start) % (len(source) + 1)
    text = " ".join(source[start:end].decode("utf-8", "replace").split())
    return (text if len(text) <= MAX_SIGNATURE else f"{text[: MAX_SIGNATURE - 1]}…"), end


def _head_end(source: bytes, start: int, stops: bytes) -> int:
    """Where the first of `stops` stands outside of brackets and strings."""
    depth, at, limit = 0, start, min(len(source), start + MAX_HEADER)
    while at < limit:
        byte = source[at]
        if byte in b"\"'#" and (string := _STRING.match(source, at)):
            at = string.end()
            continue
        if byte in b"([":
            depth += 1
        elif byte in b")]":
            depth -= 1
        elif byte in stops and depth <= 0:
            return at
        at += 1
    return at


def _first_line(source: bytes, after: int) -> str:
    """The first line of the docstring behind a head."""
    found = _DOCSTRING.match(source, after + 1, after + 1 + MAX_HEADER)
    lines = found[2].decode("utf-8", "replace").strip().split("\n") if found else [""]
    return lines[0].strip()


def _others(places: Sequence[Location]) -> str:
    return f"and {len(places) - 1} more definitions" if len(places) > 1 else ""
