"""From items and links to layers: cycles are cut, long lines get bends or rails, and each layer gets its order.

An edge that a longer way bypasses becomes a rail on the right, one that closes a cycle a rail on the left. What remains
are almost only short lines, which is what makes a picture look drawn by hand.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from kernelscope.diagrams.items import Item, Kind, Level, Link, Piece, Rail, Return, Value
from kernelscope.diagrams.model import Border
from kernelscope.turns import give_way

_SWEEPS = 8


def layered(items: list[Item], links: list[Link], room: int | None = None, gap: int = 4) -> Level:
    """The level in layers and order. With `room`, a layer that is wider goes on in the next ones."""
    graph = _Acyclic(items, links)
    ranks = graph.ranks() if room is None else graph.ranks_within(room, gap)
    for item, rank in zip(items, ranks, strict=True):
        item.layer = rank
    bypassing = [link for link in graph.links if link.target.layer - link.source.layer > 1 and graph.is_bypass(link)]
    railed = {id(link) for link in bypassing}
    pieces, bends = _pieces([link for link in graph.links if id(link) not in railed])
    layers: list[list[Item]] = [[] for _ in range(max(ranks, default=-1) + 1)]
    for item in [*items, *bends]:
        layers[item.layer].append(item)
    _order(layers, pieces)
    returns = [Return(link.source, link.target, link.value) for link in graph.back]
    for back in returns:
        ahead = any(item.solid for item in layers[back.target.layer][: back.target.place])
        back.from_above = ahead or back.target.kind is Kind.FRAME
    return Level(layers, pieces, _rails(bypassing, layers), returns, graph.spine())


class _Acyclic:
    """Items as numbers in their order, with the links that close a cycle taken out."""

    def __init__(self, items: list[Item], links: list[Link]) -> None:
        self.items = items
        self.number = {id(item): n for n, item in enumerate(items)}
        self.back = _closing(items, links, self.number)
        closing = {id(link) for link in self.back}
        self.links = [link for link in links if id(link) not in closing]
        self.after: list[list[int]] = [[] for _ in items]
        self.ahead: list[list[int]] = [[] for _ in items]
        for link in self.links:
            source, target = self.number[id(link.source)], self.number[id(link.target)]
            if target not in self.after[source]:
                self.after[source].append(target)
                self.ahead[target].append(source)
        self.order = topological(self.after)
        self._reached = [0] * len(items)
        for n in reversed(self.order):
            for m in self.after[n]:
                self._reached[n] |= 1 << m | self._reached[m]

    def is_bypass(self, link: Link) -> bool:
        """Whether a longer way leads from the link's source to its target."""
        if not link.target.solid or not (link.source.solid or link.source.kind is Kind.ENTRY):
            return False
        source, target = self.number[id(link.source)], self.number[id(link.target)]
        return any(n != target and self._reached[n] >> target & 1 for n in self.after[source])

    def ranks(self) -> list[int]:
        """Longest way from the sources; then down, where more edges leave than enter. Entries first, exits last."""
        return self._settle([1] * len(self.items), None)

    def ranks_within(self, room: int, gap: int) -> list[int]:
        """The same with layers no wider than `room`: what does not fit goes on below, lines passing it."""
        return self._settle([item.width + item.before + max(0, item.after) + gap for item in self.items], room)

    def _settle(self, widths: list[int], room: int | None) -> list[int]:
        entries = {n for n, item in enumerate(self.items) if item.kind is Kind.ENTRY}
        exits = {n for n, item in enumerate(self.items) if item.kind is Kind.EXIT}
        first = 1 if entries else 0
        rank = [0] * len(self.items)
        filled: dict[int, int] = {}
        for n in self.order:
            rank[n] = max([first, *(rank[p] + 1 for p in self.ahead[n])]) if n not in entries else 0
            if room is not None and n not in entries and n not in exits:
                while filled.get(rank[n], 0) and filled[rank[n]] + widths[n] > room:
                    rank[n] += 1
                filled[rank[n]] = filled.get(rank[n], 0) + widths[n]
        for n in reversed(self.order):
            if n not in entries and len(self.after[n]) > len(self.ahead[n]):
                low = max(rank[n], min(rank[s] for s in self.after[n]) - 1)
                if room is None:
                    rank[n] = low
                elif low != rank[n] and filled.get(low, 0) + widths[n] <= room:
                    filled[rank[n]] -= widths[n]
                    filled[low] = filled.get(low, 0) + widths[n]
                    rank[n] = low
        last = max([rank[n] for n in range(len(rank)) if n not in exits], default=-1) + 1
        for n in exits:
            rank[n] = last
        used = {r: n for n, r in enumerate(sorted(set(rank)))}
        return [used[r] for r in rank]

    def spine(self) -> list[Item]:
        """The items on the longest way; the first of equals."""
        length, before = [1] * len(self.items), [-1] * len(self.items)
        for n in self.order:
            for p in self.ahead[n]:
                if length[p] + 1 > length[n] or (length[p] + 1 == length[n] and p < before[n]):
                    length[n], before[n] = length[p] + 1, p
        n = max(range(len(self.items)), key=lambda k: (length[k], -k), default=-1)
        way: list[Item] = []
        while n >= 0:
            way.append(self.items[n])
            n = before[n]
        return way


def topological(after: list[list[int]]) -> list[int]:
    """Numbers in an order that respects `after`, the smallest first; what lies on a cycle is left out."""
    waiting = [0] * len(after)
    for targets in after:
        for target in targets:
            waiting[target] += 1
    ready = [n for n, count in enumerate(waiting) if not count]
    order: list[int] = []
    while ready:
        n = heapq.heappop(ready)
        order.append(n)
        for target in after[n]:
            waiting[target] -= 1
            if not waiting[target]:
                heapq.heappush(ready, target)
    return order


def _closing(items: list[Item], links: list[Link], number: dict[int, int]) -> list[Link]:
    """Links that close a cycle, by depth-first search in the given order."""
    leaving: list[list[Link]] = [[] for _ in items]
    for link in links:
        leaving[number[id(link.source)]].append(link)
    fresh, open_, done = 0, 1, 2
    state = [fresh] * len(items)
    closing: list[Link] = []
    for root in range(len(items)):
        if state[root] is not fresh:
            continue
        state[root] = open_
        stack: list[tuple[int, Iterator[Link]]] = [(root, iter(leaving[root]))]
        while stack:
            n, rest = stack[-1]
            link = next(rest, None)
            if link is None:
                state[n] = done
                stack.pop()
                continue
            target = number[id(link.target)]
            if state[target] is open_:
                closing.append(link)
            elif state[target] is fresh:
                state[target] = open_
                stack.append((target, iter(leaving[target])))
    return closing


def _pieces(links: list[Link]) -> tuple[list[Piece], list[Item]]:
    """Links cut at layers. A value that goes far is one line with branches: its bends are shared by its targets."""
    pieces: list[Piece] = []
    bends: list[Item] = []
    lines: dict[tuple[int, Value], list[Item]] = {}
    for link in links:
        line = lines.setdefault((id(link.source), link.value), [])
        for layer in range(link.source.layer + 1 + len(line), link.target.layer):
            bend = Item(f"{link.source.key} {link.value} {layer}", Kind.BEND, layer=layer)
            pieces.append(Piece(line[-1] if line else link.source, bend, link.value))
            line.append(bend)
            bends.append(bend)
        steps = link.target.layer - link.source.layer - 1
        pieces.append(Piece(line[steps - 1] if steps else link.source, link.target, link.value))
    return pieces, bends


def _rails(links: list[Link], layers: list[list[Item]]) -> list[Rail]:
    """Rails of the bypassing links. One value's targets share a rail as far as it can enter them from the right."""
    taken: set[int] = set()
    groups: dict[tuple[int, Value], list[Link]] = {}
    for link in sorted(links, key=lambda k: (k.target.layer, k.target.layer - k.source.layer)):
        groups.setdefault((id(link.source), link.value), []).append(link)
    rails: list[Rail] = []
    for group in groups.values():
        shared: list[Item] = []
        for link in group:
            target = link.target
            right = layers[target.layer][target.place + 1 :]
            if side_row(target) is not None and id(target) not in taken and not any(i.solid for i in right):
                taken.add(id(target))
                shared.append(target)
            else:
                rails.append(Rail(link.source, link.value, [], target))
        if shared:
            rails.append(Rail(group[0].source, group[0].value, shared))
    return rails


def side_row(item: Item) -> int | None:
    """The row of a box that a line from the right can enter; none where notes stand in all of them."""
    if item.kind is not Kind.BOX or item.box is None:
        return None
    lines, notes = item.height - 2, sum(note.count("\n") + 1 for note in item.box.notes)
    if item.box.border is Border.NONE:
        return None if notes else item.height // 2
    if not notes:
        return item.height // 2
    return item.height - 2 if notes < lines else None


def _order(layers: list[list[Item]], pieces: list[Piece]) -> None:
    """Barycentre sweeps down and up; the order with fewest crossings stays."""
    down: dict[int, list[Piece]] = {}
    up: dict[int, list[Piece]] = {}
    for piece in pieces:
        down.setdefault(id(piece.source), []).append(piece)
        up.setdefault(id(piece.target), []).append(piece)
    _number(layers)
    best, fewest = [list(layer) for layer in layers], _crossings(layers, down)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        downwards = sweep % 2 == 0
        inner = range(1, len(layers)) if downwards else range(len(layers) - 2, -1, -1)
        give_way()
        for n in inner:
            wanted = {id(item): _wanted(item, up, down, downwards) for item in layers[n]}
            layers[n].sort(key=lambda item: wanted[id(item)])
            _number([layers[n]])
        crossings = _crossings(layers, down)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    for layer, order in zip(layers, best, strict=True):
        layer[:] = order
    _number(layers)


def _wanted(item: Item, up: dict[int, list[Piece]], down: dict[int, list[Piece]], downwards: bool) -> float:
    if downwards:
        places = [p.source.place + p.source.leaves(p.value) / 1000 for p in up.get(id(item), [])]
    else:
        places = [p.target.place + p.target.enters(p.value) / 1000 for p in down.get(id(item), [])]
    return sum(places) / len(places) if places else item.place


def _number(layers: list[list[Item]]) -> None:
    for layer in layers:
        for place, item in enumerate(layer):
            item.place = place


def _crossings(layers: list[list[Item]], down: dict[int, list[Piece]]) -> int:
    count = 0
    for layer in layers:
        lines = [
            ((p.source.place, p.source.leaves(p.value)), (p.target.place, p.target.enters(p.value)))
            for item in layer
            for p in down.get(id(item), [])
        ]
        for n, (start, end) in enumerate(lines):
            count += sum((start > a and end < b) or (start < a and end > b) for a, b in lines[:n])
    return count
