"""The hover of a name of which no shape, block or layer is known: its definition as it stands in the source.

Says nothing that is not written there; where a name means several things, the first is shown and the rest counted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from kernelscope.graph.navigation import Navigation
from kernelscope.results import Hover, LeftOut, Link, Location
from kernelscope.syntax.text import identifier_at, start_of_line
from kernelscope.workspace.facts import DefKind
from kernelscope.workspace.files import PYTHON_SUFFIXES
from kernelscope.workspace.workspace import Workspace

MAX_HEADER = 2000
MAX_SIGNATURE = 400
MAX_KERNELS = 3
_CALLED = re.compile(rb"[ \t]*\(")
_STRING = re.compile(rb"(?s)[rbfuRBFU]{0,2}(\"\"\"|''')(.*?)\1|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|#[^\n]*")
_DOCSTRING = re.compile(rb"(?s)\s*[rRuU]?(\"\"\"|'''|\"|')(.*?)\1")
_HEADER = re.compile(rb"(?:async[ \t]+def|def|class)\b")
_BINDING = re.compile(rb"[\w\x80-\xff]++[ \t]*+(?::|=(?!=))")
_CPP_HEADERS = {DefKind.CUDA_KERNEL, DefKind.CUDA_FUNCTION, DefKind.STRUCT}


def definition_hover(
    workspace: Workspace, navigation: Navigation, places: Sequence[Location], path: Path, offset: int
) -> Hover | None:
    """The hover of the name at `offset`, which is defined at `places`."""
    data = workspace.files.read(str(path))
    if isinstance(data, LeftOut) or not places:
        return None
    span = identifier_at(data, offset)
    place = places[0]
    source = workspace.files.read(str(place.path))
    if span is None or isinstance(source, LeftOut):
        return None
    is_python = place.path.suffix in PYTHON_SUFFIXES
    told = _of_python(source, place) if is_python else _of_cpp(workspace, source, place)
    if told is None:
        return None
    start, signature, after = told
    is_here = place.path == path and span.start == start
    name, assigned, _ = signature.partition(" = ")
    if is_python and place.path == path and place.column and assigned and name.isidentifier():
        return None  # what a variable was assigned elsewhere in the function is not what it is here
    notes = [note for note in (_first_line(source, after) if is_python else "", _others(places)) if note]
    links = () if is_here else (Link(str(place), place),)
    if not is_here and _CALLED.match(data, span.end):
        kernels, more = _kernels(navigation, place)
        notes += kernels
        links += more
    return Hover(span, signature, "python" if is_python else "cuda-cpp", tuple(notes), (), links)


def _kernels(navigation: Navigation, place: Location) -> tuple[list[str], tuple[Link, ...]]:
    """The kernels that a called function soon reaches, by name, with links to the first of them."""
    reached = navigation.kernels_near(place)
    kernels = reached.kernels() if reached is not None else []
    if reached is None or not kernels:
        return [], ()
    is_certain = any(all(edge.certain for edge in reached.path(kernel)) for kernel in kernels)
    named = list(dict.fromkeys(kernel.name for kernel in kernels))
    rest = f" and {len(named) - MAX_KERNELS} more" if len(named) > MAX_KERNELS else ""
    verb = "reaches" if is_certain else "may reach"
    shown = dict.fromkeys(kernel.location for kernel in kernels if kernel.location)
    return [f"{verb} {', '.join(named[:MAX_KERNELS])}{rest}"], tuple(
        Link(str(location), location) for location in list(shown)[:MAX_KERNELS]
    )


def _of_python(source: bytes, place: Location) -> tuple[int, str, int] | None:
    """Offset of the name, the head on one line, and where it ends; read at the place, whatever else the file holds."""
    line_start = start_of_line(source, place.line)
    start = line_start + place.column
    begin = line_start + len(source[line_start:start]) - len(source[line_start:start].lstrip())
    if _HEADER.match(source, begin):
        end = _head_end(source, start, b":")
    elif source[begin:start].rstrip()[-1:] in (b"", b";") and _BINDING.match(source, start):
        begin = start
        end = min((at for at in (source.find(b"\n", start), source.find(b"\r", start)) if at >= 0), default=len(source))
    else:
        return None
    return start, _one_line(source[begin:end]), end


def _of_cpp(workspace: Workspace, source: bytes, place: Location) -> tuple[int, str, int] | None:
    facts = workspace.index.facts(str(place.path))
    start = start_of_line(source, place.line) + place.column
    found = next((d for d in facts.defs if d.name_start == start), None) if facts else None
    if found is None:
        return None
    if found.kind in _CPP_HEADERS:
        end = _head_end(source, found.name_start, b"{;")
    else:
        end = source.find(b"\n", found.name_start) % (len(source) + 1)
    return start, _one_line(source[found.start : end]), end


def _one_line(text: bytes) -> str:
    shown = " ".join(text.decode("utf-8", "replace").split())
    return shown if len(shown) <= MAX_SIGNATURE else f"{shown[: MAX_SIGNATURE - 1]}…"


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
