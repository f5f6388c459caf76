"""The lines in the gap between two layers: buses where a value branches, buses where values meet, and their rows.

From top to bottom: the trunk of each value, a row for each branching, a row for each meeting, the arrows. A line that
goes down in a column must end above whatever starts in that column, which orders the rows; where that would be
circular one line jogs to a free column.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kernelscope.diagrams.canvas import DOWN, Canvas
from kernelscope.diagrams.items import Item, Kind, Piece, Rail, Return, Value
from kernelscope.diagrams.layers import topological


@dataclass(eq=False, slots=True)
class _Trunk:
    """A value as it leaves the layer above, with the columns in which its lines go on down."""

    source: Item
    value: Value
    x: int
    pieces: list[Piece] = field(default_factory=list[Piece])
    rails: list[Rail | Return] = field(default_factory=list[Rail | Return])
    branches: bool = False

    def columns(self, drops: dict[int, int]) -> list[int]:
        return [self.x, *(drops[id(p)] for p in self.pieces), *(r.column for r in self.rails)]


@dataclass(eq=False, slots=True)
class _Meeting:
    """What arrives at one place of the layer below."""

    target: Item
    value: Value
    x: int
    pieces: list[Piece] = field(default_factory=list[Piece])
    rails: list[Rail] = field(default_factory=list[Rail])

    @property
    def net(self) -> object:
        return ("into", self.target.key, self.x - self.target.x)

    def columns(self, drops: dict[int, int]) -> list[int]:
        return [self.x, *(drops[id(p)] for p in self.pieces), *(r.column for r in self.rails)]


@dataclass(slots=True)
class Gap:
    """One gap: what crosses it, and the first row below it once it is routed."""

    pieces: list[Piece]
    leaving: list[Rail | Return]
    entering: list[Rail]
    lanes: set[int]
    """Columns of all rails and returns, which no other line may use."""
    above: list[Return]
    """Returns that need a row of their own over the layer below."""
    trunk_rows: int = 1
    _taken: set[int] = field(default_factory=set[int], init=False)

    def route(self, canvas: Canvas, top: int, below: list[Item]) -> int:
        """Draw the gap's lines from row `top`; give the layer below its rows; the answer is that layer's first row."""
        trunks, meetings = self._trunks(), self._meetings()
        drops = self._columns(trunks, meetings)
        order_in = self._untangle_meetings(trunks, meetings, drops)
        order_out = self._untangle_trunks(trunks, meetings, drops)
        out_rows, outs = _rows([t.columns(drops) if t.branches else [t.x] for t in trunks], order_out)
        in_rows, ins = _rows([m.columns(drops) for m in meetings], order_in)
        pointed = any(m.target.kind is Kind.BOX for m in meetings)
        out_at, in_at = top + self.trunk_rows, top + self.trunk_rows + outs
        over = in_at + ins
        for row, back in enumerate(self.above):
            back.row = over + row
        end = over + len(self.above) + (1 if pointed else 0)
        end = max(end, top + 1)
        height = max((item.height for item in below), default=0)
        for item in below:
            item.y = end + ((height - item.height) // 2 if item.solid else 0)
        at = {id(m): in_at + row for m, row in zip(meetings, in_rows, strict=True)}
        into = {id(p): m for m in meetings for p in m.pieces}
        for trunk, row in zip(trunks, out_rows, strict=True):
            ends = {p: (into[p], at[id(into[p])]) for p in map(id, trunk.pieces)}
            self._draw_trunk(canvas, trunk, out_at + row, drops, ends)
        for meeting in meetings:
            self._draw_meeting(canvas, meeting, at[id(meeting)], drops)
        return end

    def _trunks(self) -> list[_Trunk]:
        found: dict[tuple[int, Value], _Trunk] = {}

        def trunk(source: Item, value: Value) -> _Trunk:
            fresh = _Trunk(source, value, source.x + source.leaves(value))
            return found.setdefault((id(source), value), fresh)

        for piece in self.pieces:
            trunk(piece.source, piece.value).pieces.append(piece)
        for rail in self.leaving:
            trunk(rail.source, rail.value).rails.append(rail)
        for each in found.values():
            each.branches = len(each.pieces) + len(each.rails) > 1 or not each.pieces
        return list(found.values())

    def _meetings(self) -> list[_Meeting]:
        found: dict[tuple[int, int], _Meeting] = {}

        def meeting(target: Item, value: Value) -> _Meeting:
            x = target.x + target.enters(value)
            return found.setdefault((id(target), x), _Meeting(target, value, x))

        for piece in self.pieces:
            meeting(piece.target, piece.value).pieces.append(piece)
        for rail in self.entering:
            if rail.top is not None:
                meeting(rail.top, rail.value).rails.append(rail)
        return list(found.values())

    def _columns(self, trunks: list[_Trunk], meetings: list[_Meeting]) -> dict[int, int]:
        """The column in which each piece comes down: its target's where nothing else does, else a free one nearby."""
        self._taken = {t.x for t in trunks} | {m.x for m in meetings} | self.lanes
        into = {id(p): m for m in meetings for p in m.pieces}
        straight = {t.x for t in trunks if not t.branches}
        starts = {id(p): t.x for t in trunks for p in t.pieces}
        claimed: set[int] = set()
        drops: dict[int, int] = {}
        for trunk in trunks:
            for piece in trunk.pieces:
                meeting = into[id(piece)]
                if not trunk.branches:
                    drops[id(piece)] = trunk.x
                    continue
                clash = (
                    id(meeting) in claimed
                    or meeting.x in straight
                    or any(starts[id(p)] == meeting.x for p in meeting.pieces if p is not piece)
                )
                if clash:
                    drops[id(piece)] = self._free_column(meeting.x, trunk.x)
                else:
                    claimed.add(id(meeting))
                    drops[id(piece)] = meeting.x
        return drops

    def _free_column(self, near: int, toward: int) -> int:
        step = 1 if toward >= near else -1
        distance = 2
        while True:
            for column in (near + step * distance, near - step * distance):
                if not {column - 1, column, column + 1} & self._taken:
                    self._taken.add(column)
                    return column
            distance += 1

    def _untangle_meetings(
        self, trunks: list[_Trunk], meetings: list[_Meeting], drops: dict[int, int]
    ) -> list[list[int]]:
        """Which meeting has to be above which; circles are broken by a jog."""
        trunk_of = {id(p): t for t in trunks for p in t.pieces}

        def above() -> list[list[int]]:
            columns = {m.x: n for n, m in enumerate(meetings)}
            found: list[list[int]] = [[] for _ in meetings]
            for n, meeting in enumerate(meetings):
                for piece in meeting.pieces:
                    other = columns.get(drops[id(piece)], n)
                    if other != n and other not in found[n]:
                        found[n].append(other)
            return found

        while True:
            order = above()
            edge = _circular(order)
            if edge is None:
                return order
            meeting, other = meetings[edge[0]], meetings[edge[1]]
            piece = next(p for p in meeting.pieces if drops[id(p)] == other.x)
            trunk = trunk_of[id(piece)]
            drops[id(piece)] = self._free_column(meeting.x, trunk.x)
            trunk.branches = True

    def _untangle_trunks(
        self, trunks: list[_Trunk], meetings: list[_Meeting], drops: dict[int, int]
    ) -> list[list[int]]:
        """Which branching has to be above which: a line comes down only where the trunk above it has ended."""
        into = {id(p): m for m in meetings for p in m.pieces}

        def above() -> list[list[int]]:
            columns = {t.x: n for n, t in enumerate(trunks) if t.branches}
            found: list[list[int]] = [[] for _ in trunks]
            for n, trunk in enumerate(trunks):
                for piece in trunk.pieces if trunk.branches else ():
                    other = columns.get(drops[id(piece)], n)
                    if other != n and n not in found[other]:
                        found[other].append(n)
            return found

        while True:
            order = above()
            edge = _circular(order)
            if edge is None:
                return order
            other, trunk = trunks[edge[0]], trunks[edge[1]]
            piece = next(p for p in trunk.pieces if drops[id(p)] == other.x)
            drops[id(piece)] = self._free_column(into[id(piece)].x, trunk.x)

    def _draw_trunk(
        self, canvas: Canvas, trunk: _Trunk, row: int, drops: dict[int, int], into: dict[int, tuple[_Meeting, int]]
    ) -> None:
        net = trunk.value
        if trunk.branches:
            canvas.wire(trunk.x, trunk.source.trunk, trunk.x, row, net)
        for rail in trunk.rails:
            canvas.wire(trunk.x, row, rail.column, row, net)
            rail.start = row
        for piece in trunk.pieces:
            meeting, end = into[id(piece)]
            drop = drops[id(piece)]
            bus = _is_bus(meeting, drops)
            below = end if bus else _last_row(meeting.target)
            if trunk.branches:
                canvas.wire(trunk.x, row, drop, row, net)
                canvas.wire(drop, row, drop, below, net)
            else:
                canvas.wire(trunk.x, trunk.source.trunk, trunk.x, below, net)

    def _draw_meeting(self, canvas: Canvas, meeting: _Meeting, row: int, drops: dict[int, int]) -> None:
        if _is_bus(meeting, drops):
            for column in meeting.columns(drops)[1:]:
                canvas.wire(column, row, meeting.x, row, meeting.net)
            for rail in meeting.rails:
                canvas.wire(rail.column, rail.start, rail.column, row, rail.value)
            canvas.wire(meeting.x, row, meeting.x, _last_row(meeting.target), meeting.net)
        if meeting.target.kind is Kind.BOX:
            canvas.arrow(meeting.x, meeting.target.y - 1, DOWN)


def _is_bus(meeting: _Meeting, drops: dict[int, int]) -> bool:
    return len(set(meeting.columns(drops))) > 1


def _last_row(item: Item) -> int:
    """The row in which a line into an item ends: at its arrow, in the border of a frame, at the start of a bend."""
    return item.y - 1 if item.kind is Kind.BOX else item.y


def _circular(after: list[list[int]]) -> tuple[int, int] | None:
    """An edge that lies on a cycle, if there is one."""
    left = set(range(len(after))) - set(topological(after))
    if not left:
        return None
    before = {n: min(m for m in left if n in after[m]) for n in left}
    seen: list[int] = []
    n = min(left)
    while n not in seen:
        seen.append(n)
        n = before[n]
    return before[n], n


def _rows(columns: Iterable[list[int]], after: list[list[int]]) -> tuple[list[int], int]:
    """A row for each bus: below those that have to be above it, and beside nothing that it would touch."""
    spans = [(min(c), max(c)) for c in columns]
    least, rows = [0] * len(spans), [0] * len(spans)
    filled: list[list[tuple[int, int]]] = []
    for n in _by_span(spans, after):
        low, high = spans[n]
        row = least[n]
        if low < high:
            while row < len(filled) and any(a <= high + 1 and low <= b + 1 for a, b in filled[row]):
                row += 1
            while len(filled) <= row:
                filled.append([])
            filled[row].append((low, high))
        rows[n] = row
        for other in after[n]:
            least[other] = max(least[other], row + 1)
    return rows, len(filled)


def _by_span(spans: list[tuple[int, int]], after: list[list[int]]) -> list[int]:
    """Topological order, leftmost spans first."""
    rank = sorted(range(len(spans)), key=lambda n: (spans[n], n))
    number = {n: r for r, n in enumerate(rank)}
    return [rank[r] for r in topological([[number[m] for m in after[n]] for n in rank])]
