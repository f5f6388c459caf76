"""Every picture of a random graph reads back, by its characters alone, as exactly that graph."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from diagrams.random_graphs import KINDS
from diagrams.reading import Reading
from kernelscope.diagrams.flow import draw
from kernelscope.diagrams.model import Charset, Direction, Graph, Region

GRAPHS = int(os.environ.get("KERNELSCOPE_GRAPHS", "320"))
"""How many graphs are drawn, over all kinds; `.ci/run` asks for ten thousand."""
CHUNKS = 4


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_picture_is_its_graph(kind: Callable[[random.Random], Graph], chunk: int) -> None:
    for seed in range(chunk, GRAPHS // len(KINDS), CHUNKS):
        check(kind(random.Random(seed)), f"{kind.__name__} {seed}")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_picture_that_runs_right_is_its_graph(kind: Callable[[random.Random], Graph]) -> None:
    for seed in range(GRAPHS // len(KINDS) // 4):
        check(replace(kind(random.Random(seed)), direction=Direction.RIGHT), f"{kind.__name__} {seed}")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_picture_as_narrow_as_can_be_is_its_graph(kind: Callable[[random.Random], Graph]) -> None:
    for seed in range(GRAPHS // len(KINDS) // 2):
        graph = kind(random.Random(seed))
        drawing = draw(graph, width=10)
        told = any("frames" in remark for remark in drawing.remarks)
        if any("more like" in remark for remark in drawing.remarks):
            continue
        frames = [] if told else [group.key for group in graph.groups if _members(graph, group.key)]
        picture = re.split(r"\n\n(?=\(1\) |frames )", drawing.text)[0]
        reading = Reading(picture, [box.key for box in graph.boxes], frames)
        assert reading.edges() == {(edge.source, edge.target) for edge in graph.edges}, f"{seed}\n{drawing.text}"


def check(graph: Graph, name: str) -> None:
    drawing = draw(graph, width=1000)
    text = drawing.text
    picture = text.split("\n\n(1) ")[0]
    frames = [group.key for group in graph.groups if _members(graph, group.key)]
    reading = Reading(picture, [box.key for box in graph.boxes], frames, turned=graph.direction is Direction.RIGHT)
    found, given = reading.edges(), {(edge.source, edge.target) for edge in graph.edges}
    assert found == given, f"{name}: missing {sorted(given - found)} extra {sorted(found - given)}\n{text}"
    assert draw(graph, width=1000) == drawing, f"{name}: two runs differ"
    _contains(graph, reading, frames, name)
    _says(graph, text, name)
    _points(graph, drawing.text.split("\n"), drawing.regions, name)
    if len(graph.boxes) % 4 == 0:
        ascii_rows = draw(graph, width=1000, charset=Charset.ASCII).text.split("\n")
        assert [len(row) for row in ascii_rows] == [len(row) for row in text.split("\n")]
        assert all(row.isascii() for row in ascii_rows)


def _members(graph: Graph, group: str) -> set[str]:
    return {box.key for box in graph.boxes if group in graph.ancestors(box.group)}


def _contains(graph: Graph, reading: Reading, frames: list[str], name: str) -> None:
    """Each box is inside its containers only, and a container has a port for each value that crosses its border."""
    assert reading.used_ports == set(reading.ports_in) | set(reading.ports_out), f"{name}: unused port\n{reading.text}"
    only = {key: {e.label for e in graph.edges if e.source == key and e.label} for key in reading.boxes}
    values = [
        (e.source, e.label or (next(iter(only[e.source])) if len(only[e.source]) == 1 else ""), e.target)
        for e in graph.edges
    ]
    for frame in frames:
        members = _members(graph, frame)
        left, top, right, bottom = reading.frames[frame]
        for key, (x0, y0, x1, y1) in reading.boxes.items():
            inside = left < x0 and x1 < right and top < y0 and y1 < bottom
            assert inside == (key in members), f"{name}: {key} and container {frame}\n{reading.text}"
        enter = {(s, label) for s, label, t in values if t in members and s not in members}
        leave = {(s, label) for s, label, t in values if s in members and t not in members}
        ports = list(reading.ports_in.values()).count(frame), list(reading.ports_out.values()).count(frame)
        assert ports == (len(enter), len(leave)), f"{name}: ports of {frame}\n{reading.text}"


def _says(graph: Graph, text: str, name: str) -> None:
    """All labels and notes are in the picture or its legend."""
    for edge in graph.edges:
        assert edge.label in text, f"{name}: no {edge.label}\n{text}"
    notes = [note for box in graph.boxes for note in box.notes]
    for note in set(notes):
        assert text.count(f"← {note}") == notes.count(note), f"{name}: {note}\n{text}"


def _points(graph: Graph, rows: list[str], regions: tuple[Region, ...], name: str) -> None:
    """Each box has a region, and the region's characters are its text."""
    texts = {box.key: box.lines[0] for box in graph.boxes}
    found: dict[str, list[str]] = {}
    for region in regions:
        row, column, width, key = region.row, region.column, region.width, region.key
        found.setdefault(key, []).append(rows[row][column : column + width])
    for key, text in texts.items():
        assert text in found[key], f"{name}: region of {key}"
