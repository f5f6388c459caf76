"""What recognisers told of a file function by function: after an edit only those are asked that it changed.

A recogniser that goes through the functions of a file, each by itself, says so (`by_function`). While it runs, what it
looks at is watched: where it told something of one function with the help of another, it is asked anew at each edit.
All that lies outside of bodies must be as it was, else the whole file is read anew, as is one that does not parse.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache, wraps
from typing import Any, TypeVar, cast

from kernelscope.faults import FAULTS
from kernelscope.results import Location
from kernelscope.serving.claims import PythonSource
from kernelscope.syntax.python import looks
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module, Scope

Record = TypeVar("Record")
Finder = Callable[[PythonSource], Iterable[Any]]
_SAYS_LINE = re.compile(r"(?<=\(from line )\d+(?=\))")
"""Names of stretches of functions say where they begin."""


@dataclass(slots=True)
class Told:
    """What one recogniser told of each function, and of which pieces with the help of others."""

    by_function: dict[int, list[Any]] = field(default_factory=dict[int, "list[Any]"])
    elsewhere: set[int] = field(default_factory=set[int])
    asked: list[bool] = field(default_factory=list[bool])
    """What it was answered when it asked whether the file holds a word anywhere."""
    is_of_all: bool = False


@dataclass(slots=True)
class Pieces:
    """A file as functions of which none lies in another, what lies between their bodies, and what was told of them."""

    outline: bytes
    bodies: list[bytes]
    lines: list[tuple[int, int]]
    """Where each begins and ends."""
    functions: list[int]
    """The piece of every function of the file, also of those inside others."""
    told: dict[Finder, Told] = field(default_factory=dict[Finder, Told])


def pieces_of(module: Module) -> tuple[Pieces, list[t.FunctionDef]] | None:
    """The pieces of a file, with the functions that they are; None of one that does not parse as it stands."""
    if not module.parses:
        return None
    places = {id(scope.node): place for place, scope in enumerate(module.functions())}
    ordered = sorted((scope.node for scope in module.functions()), key=lambda node: node.span.start)
    functions: list[int] = [0] * len(places)
    outermost: list[t.FunctionDef] = []
    data, end = module.text.data, 0
    outline: list[bytes] = []
    for node in ordered:
        assert isinstance(node, t.FunctionDef)
        if not outermost or node.span.start >= outermost[-1].span.end:
            if not node.body_start:
                return None
            outermost.append(node)
            outline.append(data[end : node.body_start])
            end = node.span.end
        functions[places[id(node)]] = len(outermost) - 1
    outline.append(data[end:])
    bodies = [data[node.body_start : node.span.end] for node in outermost]
    line_of = module.text.line_of
    lines = [(line_of(node.span.start), line_of(node.span.end - 1)) for node in outermost]
    return Pieces(b"\0".join(outline), bodies, lines, functions), outermost


class Watch:
    """The reading of one version of a file, by pieces, with what was told of the version before."""

    def __init__(self, module: Module, before: Pieces | None) -> None:
        self.module = module
        self.pieces, outermost = pieces_of(module) or (None, [])
        self._starts = [node.span.start for node in outermost]
        self._ends = [node.span.end for node in outermost]
        self._before: Pieces | None = None
        self._changed: set[int] = set()
        self._now: _Run | None = None
        if before is not None and self.pieces is not None and before.outline == self.pieces.outline:
            self._before = before
            pairs = enumerate(zip(before.bodies, self.pieces.bodies, strict=True))
            self._changed = {place for place, (old, new) in pairs if old != new}

    def told(self, of: Callable[[PythonSource], Iterable[Record]], source: PythonSource) -> Iterable[Record]:
        """What a recogniser tells: of pieces that are as they were, and rest on no others, what it told before."""
        if self.pieces is None or source.module is not self.module:
            if self._now is not None:  # one asks another: it rests on all that this one looks at
                self._now.told.is_of_all = True
            return of(source)
        known = self._before.told.get(of) if self._before is not None else None
        if known is not None and not known.is_of_all:
            anew = self._changed | known.elsewhere
            run = self._run(of, source, anew)
            if run.error is None and not run.told.is_of_all and run.told.asked == known.asked:
                self._take_over(run.told, known, anew)
                self.pieces.told[of] = run.told
                return _in_order(run.told)
        run = self._run(of, source, None)
        if run.error is not None:
            return _up_to(run.found, run.error)
        self.pieces.told[of] = run.told
        return run.found

    def _run(self, of: Finder, source: PythonSource, only: set[int] | None) -> _Run:
        assert self.pieces is not None
        run = _Run(self.module, self.pieces.functions, only)
        narrowed = PythonSource(source.path, _Narrowed.of(run, self.module), source.aside)
        self._now, before, looks.watching = run, looks.watching, self.looked_at
        try:
            for record in of(narrowed):
                run.add(record)
        except FAULTS as error:
            run.error = error
        finally:
            self._now, looks.watching = None, before
        return run

    def looked_at(self, start: int) -> None:
        """The body of a definition was looked at that begins here."""
        run = self._now
        if run is not None and self.pieces is not None:
            place = bisect_right(self._starts, start) - 1
            if place >= 0 and start < self._ends[place] and (run.at is None or self.pieces.functions[run.at] != place):
                self.looked_at_others()

    def looked_at_others(self) -> None:
        """What is told just now rests on other pieces, too."""
        run = self._now
        if run is None or self.pieces is None:
            return
        if run.at is None:
            run.told.is_of_all = True
        else:
            run.told.elsewhere.add(self.pieces.functions[run.at])

    def was_asked(self, answer: bool) -> None:
        """Whether the file holds a word anywhere was asked."""
        if self._now is not None:
            self._now.told.asked.append(answer)

    def _take_over(self, told: Told, known: Told, anew: set[int]) -> None:
        """Adds what is known of the pieces that were not asked again, at their present places."""
        assert self._before is not None and self.pieces is not None
        places: dict[int, list[int]] = {}
        for place, piece in enumerate(self.pieces.functions):
            places.setdefault(piece, []).append(place)
        count = [0] * len(self.pieces.bodies)
        is_moved = self._before.lines != self.pieces.lines
        for old, piece in enumerate(self._before.functions):
            if piece not in anew and (records := known.by_function.get(old)) is not None:
                now = places[piece][count[piece]]
                told.by_function[now] = [_moved(r, self._line) for r in records] if is_moved else records
            count[piece] += 1

    def _line(self, line: int) -> int:
        """Where a line of the version before is now, but for those of bodies that changed."""
        assert self._before is not None and self.pieces is not None
        place = bisect_right(self._before.lines, (line, 1 << 60)) - 1
        if place < 0:
            return line
        (begin, end), (now, now_end) = self._before.lines[place], self.pieces.lines[place]
        return line + (now_end - end if line > end else now - begin)


class _Run:
    """One run of a recogniser: the function that it was given last, and what it told so far."""

    def __init__(self, module: Module, pieces: list[int], only: set[int] | None) -> None:
        self.at: int | None = None
        self.told = Told()
        self.found: list[Any] = []
        self.error: Exception | None = None
        self._module, self._pieces, self._only = module, pieces, only
        self._is_begun = False

    def add(self, record: object) -> None:
        self.found.append(record)
        if self.at is None:
            self.told.is_of_all = True
        else:
            self.told.by_function.setdefault(self.at, []).append(record)

    def functions(self) -> Iterator[Scope]:
        if self._is_begun:
            self.told.is_of_all = True
        self._is_begun = True
        for place, scope in enumerate(self._module.functions()):
            if self._only is None or self._pieces[place] in self._only:
                self.at = place
                yield scope
        self.at = None


class _Narrowed(Module):
    """A file of which only some functions are gone through; what lies between them is all there."""

    __slots__ = ("_of", "_run")
    _of: Module
    _run: _Run

    @classmethod
    def of(cls, run: _Run, module: Module) -> _Narrowed:
        made = cls.__new__(cls)
        made.__dict__ = module.__dict__  # what one of them finds out, the other knows
        made._run, made._of = run, module
        return made

    @property
    def itself(self) -> Module:
        return self._of

    def functions(self) -> Iterable[Scope]:
        return self._run.functions()


_watches: list[Watch] = []


@contextmanager
def watched(watch: Watch) -> Generator[None]:
    """Inside, recognisers that go through a file function by function are asked of what changed."""
    _watches.append(watch)
    try:
        yield
    finally:
        _watches.pop()


def by_function(of: Callable[[PythonSource], Iterable[Record]]) -> Callable[[PythonSource], Iterable[Record]]:
    """A recogniser that tells something of each function by itself: a loop over them is the last that it does."""

    @wraps(of)
    def told(source: PythonSource) -> Iterable[Record]:
        return _watches[-1].told(of, source) if _watches else of(source)

    return told


def looked_below(node: t.Node) -> None:
    """All that lies below a node was looked at, now or before."""
    for watch in _watches[-1:]:
        if isinstance(node, t.FunctionDef):
            watch.looked_at(node.span.start)
        elif isinstance(node, t.ClassDef):
            watch.looked_at_others()


def looked_at_all() -> None:
    """The whole file was looked at."""
    for watch in _watches[-1:]:
        watch.looked_at_others()


def mentions(source: PythonSource, *words: str) -> bool:
    """Whether a file holds one of these texts anywhere."""
    answer = any(word.encode() in source.text.data for word in words)
    for watch in _watches[-1:]:
        watch.was_asked(answer)
    return answer


def _in_order(told: Told) -> Iterator[Any]:
    for place in sorted(told.by_function):
        yield from told.by_function[place]


def _up_to(found: list[Record], error: Exception) -> Iterator[Record]:
    """What was told before a fault, then the fault."""
    yield from found
    raise error


@cache
def _fields(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind))


def _moved(record: Any, line: Callable[[int], int]) -> Any:
    """A record with all places in it where they are now."""
    if isinstance(record, Location):
        end = line(record.end_line) if record.end_line else record.end_line
        return Location(record.path, line(record.line), record.column, end, record.end_column)
    if isinstance(record, str):
        return _SAYS_LINE.sub(lambda m: str(line(int(m[0]))), record) if "(from line " in record else record
    if isinstance(record, tuple | list):
        parts = cast("tuple[Any, ...] | list[Any]", record)
        moved = [_moved(part, line) for part in parts]
        return tuple(moved) if isinstance(record, tuple) else moved
    if is_dataclass(record) and not isinstance(record, type):
        values = {name: getattr(record, name) for name in _fields(type(record))}
        return type(record)(**{name: _moved_field(name, value, line) for name, value in values.items()})
    return record


def _moved_field(name: str, value: Any, line: Callable[[int], int]) -> Any:
    return line(value) if name == "last_line" and value else _moved(value, line)
