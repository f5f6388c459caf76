"""Plain, frozen data that the library hands out: places in source, hovers, hints, lenses, symbols and targets.

Nothing here knows LSP, tensors or how a result was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path

from msgspec import Struct, field


class Span(Struct, frozen=True, order=True, array_like=True, gc=False):
    """Half-open range of byte offsets in one file. There is one for every node of every tree."""

    start: int
    end: int

    def __hash__(self) -> int:
        return hash((self.start, self.end))  # a struct's own differs from run to run, and so would the order of sets

    def __contains__(self, offset: object) -> bool:
        return isinstance(offset, int) and self.start <= offset < self.end

    def touches(self, offset: int) -> bool:
        """Whether a cursor at `offset` stands in or right behind this span."""
        return self.start <= offset <= self.end

    def covers(self, other: Span) -> bool:
        return self.start <= other.start and other.end <= self.end


class Location(Struct, frozen=True, order=True):
    """A range in a file, for people: lines count from 1, columns from 0 in bytes."""

    path: Path
    line: int
    column: int = 0
    end_line: int = 0
    end_column: int = 0

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}"


class Evidence(Struct, frozen=True):
    """One link of the chain that a shown fact rests on: what was found, and where."""

    location: Location
    text: str = ""


class Insertion(Struct, frozen=True):
    """Text to be put in at an offset of a file."""

    offset: int
    text: str


class Target(Struct, frozen=True):
    """What a command is about: a file, a place in it, or a named symbol."""

    path: Path
    offset: int | None = None
    symbol: str | None = None


class Link(Struct, frozen=True):
    """Something to click: a place in source, or a command of the extension about a target."""

    title: str
    location: Location | None = None
    command: str | None = None
    target: Target | None = None


class Hover(Struct, frozen=True):
    """A hover: one fenced line, then short lines, then a two-column table, then links.

    `language` is the fence's tag: `python` or `cuda-cpp`.
    """

    span: Span
    signature: str
    language: str = "python"
    notes: tuple[str, ...] = ()
    table: tuple[tuple[str, str], ...] = ()
    links: tuple[Link, ...] = ()


class InlayHint(Struct, frozen=True):
    """Text shown after `offset`; `certain` is False where callers disagree or a dim is unknown."""

    offset: int
    label: str
    tooltip: str = ""
    certain: bool = True


class Lens(Struct, frozen=True):
    """A line above code. `title` is None until resolved; `command` None means facts without a click."""

    span: Span
    target: Target
    title: str | None = None
    command: str | None = None


class SymbolKind(Enum):
    """What a symbol is; the server maps these onto LSP's numbers."""

    MODULE = "module"
    CLASS = "class"
    FUNCTION = "function"
    METHOD = "method"
    FIELD = "field"
    CONSTANT = "constant"
    KERNEL = "kernel"
    OPERATOR = "operator"
    STRUCT = "struct"
    MACRO = "macro"


class Symbol(Struct, frozen=True):
    """A named definition. `span` covers the whole of it, `selection` its name."""

    name: str
    kind: SymbolKind
    path: Path
    span: Span
    selection: Span
    container: str = ""
    detail: str = ""
    children: tuple[Symbol, ...] = ()


class FoundSymbol(Struct, frozen=True):
    """An answer to a search over the workspace, placed by line because its file need not be open."""

    name: str
    kind: SymbolKind
    location: Location
    container: str = ""


class Call(Struct, frozen=True):
    """One edge of the call hierarchy: the function at the other end and the places of the calls."""

    symbol: FoundSymbol
    sites: tuple[Location, ...] = ()


Configured = int | float | str | None
"""A value of a configuration file that is no list and no table; switches are ints to Python."""


class Settings(Struct, frozen=True):
    """What the user chose: sizes bound to names, the GPU that numbers speak of, kinds of diagnostics to leave out."""

    bindings: Mapping[str, int] = field(default_factory=dict[str, int])
    gpu: str = "H100"
    silenced: frozenset[str] = frozenset()


class ViewOptions(Struct, frozen=True):
    """How a document is to be made: width in columns, charset, bindings of symbols, GPU."""

    width: int = 100
    charset: str = "unicode"
    bindings: Mapping[str, int] = field(default_factory=dict[str, int])
    gpu: str = "H100"
    config: Mapping[str, Configured] = field(default_factory=dict[str, Configured])
    """A model's whole configuration, where it is given: what it leaves out has the default of its class."""
    why: bool = False
    depth: int = 0
    """How many levels a dataflow shows: 1 is what a function calls, 2 what is inside of that; 0: as many as fit."""


class IndexProgress(Struct, frozen=True):
    """How far the index is: files done, files in all, and the phase in words."""

    done: int
    total: int
    phase: str


class LeftOut(Struct, frozen=True):
    """A file that was not read, and why, in words for the user."""

    path: Path
    reason: str


class UserError(Exception):
    """Something the user can mend: one line that says what is wrong and what to do."""
