"""A graph that is drawn in parts loses nothing: its boxes and lines are in the parts, and nothing else is."""

from __future__ import annotations

import random

from diagrams.random_graphs import nested_labelled
from kernelscope.diagrams.flow import draw
from kernelscope.diagrams.model import Box, Edge, Graph, Group
from kernelscope.diagrams.parts import FROM, TO, inside, parts


def plain(key: str) -> str:
    while key.startswith((FROM, TO)):
        key = key.removeprefix(FROM).removeprefix(TO)
    return key


def test_what_crosses_a_border_is_in_both_pictures() -> None:
    for seed in range(40):
        graph = nested_labelled(random.Random(seed))
        for group in (group for group in graph.groups if not group.parent):
            inner = inside(graph, group)
            own = {box.key for box in graph.boxes if group.key in graph.ancestors(box.group)}
            wanted = {e for e in graph.edges if e.source in own or e.target in own}
            assert {Edge(plain(e.source), plain(e.target), e.label) for e in inner.edges} == wanted
            assert {box.key for box in inner.boxes if box.group or plain(box.key) == box.key} == own
            assert group.key not in {g.key for g in inner.groups}


def crowded() -> Graph:
    """A short way and a frame of many steps with long names, side by side."""
    steps = [Box(f"s{i}", (f"a step with a name of some length {i}",), group="often") for i in range(8)]
    boxes = (Box("in", ("x",), kind="input"), Box("short", ("short",)), *steps, Box("out", ("y",), kind="output"))
    edges = [Edge("in", "short"), Edge("short", "out")]
    edges += [Edge("in", step.key) for step in steps] + [Edge(step.key, "out") for step in steps]
    return Graph(boxes, tuple(edges), (Group("often", "if often"),))


def test_a_crowded_frame_is_drawn_apart() -> None:
    graph = crowded()
    assert draw(graph, width=60).is_cramped
    whole, frame = parts(graph, 60)
    assert (whole.title, frame.title) == ("", "if often")
    assert [" ".join(box.lines) for box in whole.graph.boxes] == ["x", "short", "if often (8 parts)", "y"]
    assert [" ".join(box.lines) for box in frame.graph.boxes if box.key not in graph_keys(graph)] == ["x", "y"]
    assert len(parts(graph, 400)) == 1, "where there is room it is one picture"


def test_many_lines_into_what_is_drawn_apart_are_one_and_stand_apart_there() -> None:
    graph = crowded()
    values = ("a [B]", "[B, 1]", "b", "c [B]", "d [B]")
    lines = [Edge("short", f"s{i}", label) for i, label in enumerate(values)]
    whole, frame = parts(Graph(graph.boxes, (*graph.edges, *lines), graph.groups), 60)
    assert [e.label for e in whole.graph.edges if e.source == "short" and e.target != "out"] == ["a, b, c, 2 more"]
    assert [e.label for e in frame.graph.edges if e.source == f"{FROM}short"] == list(values)


def graph_keys(graph: Graph) -> set[str]:
    return {box.key for box in graph.boxes}


def gated() -> Graph:
    """A box whose many results are each used far below, one behind the other."""
    chain = [Box(f"m{number}", (f"multiply {number}",)) for number in range(24)]
    boxes = (Box("x", ("x",), kind="input"), Box("norm", ("norm1",)), *chain)
    edges = [Edge("x", "norm"), Edge("norm", "m0", "[B, S, H]")]
    edges += [Edge(f"m{n}", f"m{n + 1}", "[B, S, H]") for n in range(23)]
    edges += [Edge("norm", f"m{n}", f"gate{n} [B, 1, H]") for n in range(1, 24)]
    return Graph(boxes, tuple(edges))


def test_lines_that_make_a_picture_too_wide_are_told_as_notes() -> None:
    assert draw(gated(), width=60).overflow
    (part,) = parts(gated(), 60)
    assert not draw(part.graph, width=60).overflow
    told = {box.key: box.notes for box in part.graph.boxes if box.notes}
    assert told["m23"] == ("gate23 [B, 1, H] of norm1",), "the longest first"
    lines = {(edge.source, edge.target) for edge in part.graph.edges}
    assert lines | {("norm", key) for key in told} == {(edge.source, edge.target) for edge in gated().edges}
    assert parts(gated(), 300)[0].graph == gated(), "where there is room all are lines"
