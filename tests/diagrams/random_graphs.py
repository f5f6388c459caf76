"""Random graphs of every kind that a picture has to show, each from one seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from kernelscope.diagrams.model import Box, Edge, Graph, Group

DIMS = ("B", "S", "H", "Nq*D", "T", "128")


def flat(rng: random.Random) -> Graph:
    """Steps that mostly follow each other, with branches, meetings and lines past others."""
    return _following(rng, rng.randint(2, 14))


def dense(rng: random.Random) -> Graph:
    """Many edges: where lines have to jog and to cross most."""
    count, share = rng.randint(4, 12), rng.choice((0.15, 0.3, 0.5))
    pairs = [(j, i) for i in range(count) for j in range(i) if rng.random() < share]
    return _graph(count, pairs)


def cyclic(rng: random.Random) -> Graph:
    """Edges that lead back, to themselves too."""
    return _with_cycles(_following(rng, rng.randint(1, 10)), rng)


def labelled(rng: random.Random) -> Graph:
    return _with_labels(flat(rng), rng)


def nested(rng: random.Random) -> Graph:
    return _with_groups(_following(rng, rng.randint(4, 16)), rng)


def nested_labelled(rng: random.Random) -> Graph:
    return _with_labels(nested(rng), rng)


def nested_cyclic(rng: random.Random) -> Graph:
    return _with_labels(_with_cycles(nested(rng), rng), rng)


def scattered(rng: random.Random) -> Graph:
    """Containers of arbitrary members: between them there are cycles even where the graph has none."""
    graph = _following(rng, rng.randint(4, 12))
    groups = (Group("A", "A"), Group("B", "B"), Group("C", "C", "B"))
    boxes = tuple(replace(box, group=rng.choice(("", "A", "B", "C"))) for box in graph.boxes)
    return replace(graph, boxes=boxes, groups=groups)


KINDS: tuple[Callable[[random.Random], Graph], ...] = (
    flat, dense, cyclic, labelled, nested, nested_labelled, nested_cyclic, scattered,
)  # fmt: skip


def _graph(count: int, pairs: list[tuple[int, int]]) -> Graph:
    boxes = tuple(Box(f"n{i}", (f"n{i}",)) for i in range(count))
    return Graph(boxes, tuple(Edge(f"n{a}", f"n{b}") for a, b in pairs))


def _following(rng: random.Random, count: int) -> Graph:
    pairs: list[tuple[int, int]] = []
    for i in range(1, count):
        sources = {max(0, i - 1 - int(rng.expovariate(0.6))) for _ in range(rng.choice((1, 1, 1, 2, 2, 3)))}
        pairs += [(j, i) for j in sorted(sources)]
    return _graph(count, pairs)


def _with_cycles(graph: Graph, rng: random.Random) -> Graph:
    keys = [box.key for box in graph.boxes]
    more = [Edge(rng.choice(keys), rng.choice(keys)) for _ in range(rng.choice((1, 1, 2, 3)))]
    return replace(graph, edges=tuple(dict.fromkeys([*graph.edges, *more])))


def _with_labels(graph: Graph, rng: random.Random) -> Graph:
    """Labels, several of some boxes, and notes beside some."""

    def label(edge: Edge) -> str:
        if rng.random() > 0.7:
            return ""
        shape = ", ".join(rng.sample(DIMS, rng.randint(1, 4)))
        return f"{rng.choice(('', '', 'ids '))}[{edge.source}, {shape}]"

    edges = tuple(replace(edge, label=label(edge)) for edge in graph.edges)
    boxes = tuple(
        replace(box, notes=tuple(f"weight {n}: [H, 4*H]" for n in range(rng.choice((0, 0, 1, 2)))))
        for box in graph.boxes
    )
    return replace(graph, boxes=boxes, edges=edges)


def _with_groups(graph: Graph, rng: random.Random) -> Graph:
    """The order of the boxes cut into random stretches, stretches within stretches."""
    groups: list[Group] = []
    owner = [""] * len(graph.boxes)

    def cut(low: int, high: int, around: str, depth: int) -> None:
        owner[low:high] = [around] * (high - low)
        at = low
        while at < high and depth < 3:
            length = rng.randint(1, max(1, high - at))
            if rng.random() < 0.5 and (length < high - low or not around):
                key = f"C{len(groups)}"
                groups.append(Group(key, key, around))
                cut(at, at + length, key, depth + 1)
            at += length

    cut(0, len(owner), "", 0)
    boxes = tuple(replace(box, group=group) for box, group in zip(graph.boxes, owner, strict=True))
    return replace(graph, boxes=boxes, groups=tuple(groups))
