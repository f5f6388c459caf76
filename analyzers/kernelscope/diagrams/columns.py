"""Columns of items: what is joined by a straight line moves as one block, and blocks move to where their lines lead.

Straight lines are chosen first, the spine's before others, so that the longest way through a picture is one column.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from kernelscope.diagrams.items import Item, Kind, Level, Piece
from kernelscope.diagrams.layers import topological
from kernelscope.turns import give_way

_PASSES = 24
_MEAN_PASSES = 16
_BEND_GAP = 3


@dataclass(eq=False, slots=True)
class _Block:
    """Items that keep their distances; `offsets` are theirs from the block's column."""

    number: int
    items: list[Item]
    x: int = 0
    before: dict[int, int] = field(default_factory=dict[int, int])
    """How far right of another block this one has to be, by that block's number."""
    behind: dict[int, int] = field(default_factory=dict[int, int])
    pulls: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    """Another block, the wanted distance from it, and the weight of the wish."""


def place(level: Level, gap: int, bend_gap: int = _BEND_GAP) -> None:
    """Give each item its column: as far left as the others allow, and near what it is joined to."""
    offsets, roots = _fuse(level)
    blocks, owner = _blocks(level, offsets, roots)
    for layer in level.layers:
        for left, right in pairwise(layer):
            between = bend_gap if left.kind is Kind.BEND and right.kind is Kind.BEND else gap
            apart = left.width + max(0, left.after) + between + right.before
            a, b = owner[id(left)], owner[id(right)]
            distance = apart + offsets[id(left)] - offsets[id(right)]
            blocks[b].before[a] = max(blocks[b].before.get(a, distance), distance)
            blocks[a].behind[b] = blocks[b].before[a]
    for piece in level.pieces:
        a, b = owner[id(piece.source)], owner[id(piece.target)]
        if a != b:
            weight = 3 if piece.source.kind is Kind.BEND and piece.target.kind is Kind.BEND else 1
            start = offsets[id(piece.source)] + piece.source.leaves(piece.value)
            end = offsets[id(piece.target)] + piece.target.enters(piece.value)
            blocks[b].pulls.append((a, start - end, weight))
            blocks[a].pulls.append((b, end - start, weight))
    order = topological([sorted(block.behind) for block in blocks])
    for n in order:
        blocks[n].x = max((blocks[p].x + d for p, d in blocks[n].before.items()), default=0)
    _settle(blocks, order)
    for item in level.items:
        item.x = blocks[owner[id(item)]].x + offsets[id(item)]


def _fuse(level: Level) -> tuple[dict[int, int], dict[int, Item]]:
    """Which items a straight line joins: each item's offset in its block, and the block's first item."""
    items = level.items
    offsets, roots = {id(i): 0 for i in items}, {id(i): i for i in items}
    members = {id(i): [i] for i in items}
    has_exit, has_entry = set[int](), set[int]()
    accepted: dict[int, list[tuple[tuple[int, int], tuple[int, int]]]] = {}
    for piece in _straight(level):
        give_way()
        source, target = piece.source, piece.target
        if id(source) in has_exit or id(target) in has_entry:
            continue
        start, end = (source.place, source.leaves(piece.value)), (target.place, target.enters(piece.value))
        lane = accepted.setdefault(source.layer, [])
        if any((start < other_start) != (end < other_end) for other_start, other_end in lane):
            continue
        root, moved = roots[id(source)], roots[id(target)]
        if root is moved:
            continue
        shift = offsets[id(source)] + start[1] - offsets[id(target)] - end[1]
        for item in members.pop(id(moved)):
            offsets[id(item)] += shift
            roots[id(item)] = root
            members[id(root)].append(item)
        lane.append((start, end))
        has_exit.add(id(source))
        has_entry.add(id(target))
    return offsets, roots


def _straight(level: Level) -> list[Piece]:
    """Pieces that should be straight: the spine's, then those between items that have no other line there."""
    spine = {id(item) for item in level.spine}
    leaving: dict[tuple[int, object], int] = {}
    entering: dict[tuple[int, object], int] = {}
    for piece in level.pieces:
        start, end = _exit(piece), _entry(piece)
        leaving[start] = leaving.get(start, 0) + 1
        entering[end] = entering.get(end, 0) + 1

    def rank(piece: Piece) -> int:
        if id(piece.source) in spine and id(piece.target) in spine:
            return 0
        alone = leaving[_exit(piece)] == 1 and entering[_entry(piece)] == 1
        return 1 if alone else 2 if piece.source.kind is Kind.BEND and piece.target.kind is Kind.BEND else 3

    return sorted((p for p in level.pieces if rank(p) < 3), key=rank)


def _exit(piece: Piece) -> tuple[int, object]:
    return id(piece.source), piece.value if piece.source.exits else None


def _entry(piece: Piece) -> tuple[int, object]:
    return id(piece.target), piece.value if piece.target.entries else None


def _blocks(level: Level, offsets: dict[int, int], roots: dict[int, Item]) -> tuple[list[_Block], dict[int, int]]:
    blocks: list[_Block] = []
    numbers: dict[int, int] = {}
    owner: dict[int, int] = {}
    for item in level.items:
        root = id(roots[id(item)])
        if root not in numbers:
            numbers[root] = len(blocks)
            blocks.append(_Block(len(blocks), []))
        owner[id(item)] = numbers[root]
        blocks[numbers[root]].items.append(item)
    return blocks, owner


def _settle(blocks: list[_Block], order: list[int]) -> None:
    """Move each block to the mean, at last the median, of what its lines wish, within what its neighbours allow."""
    for turn in range(_PASSES):
        moved = False
        for n in order if turn % 2 else reversed(order):
            block = blocks[n]
            if not block.pulls:
                continue
            wishes = sorted((blocks[other].x + distance, weight) for other, distance, weight in block.pulls)
            wish = _mean(wishes) if turn < _MEAN_PASSES or len(wishes) % 2 == 0 else _median(wishes)
            low = max((blocks[p].x + d for p, d in block.before.items()), default=None)
            high = min((blocks[s].x - d for s, d in block.behind.items()), default=None)
            wish = wish if low is None else max(wish, low)
            wish = wish if high is None else min(wish, high)
            if wish != block.x:
                block.x, moved = wish, True
        if not moved and turn > _MEAN_PASSES:
            break


def _mean(wishes: list[tuple[int, int]]) -> int:
    total = sum(weight for _, weight in wishes)
    return round(sum(x * weight for x, weight in wishes) / total)


def _median(wishes: list[tuple[int, int]]) -> int:
    total, passed = sum(weight for _, weight in wishes), 0
    for x, weight in wishes:
        passed += weight
        if passed * 2 >= total:
            return x
    return wishes[-1][0]
