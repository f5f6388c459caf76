"""Pictures as a person sees them: goldens beside their notes, the width ladder, and what a picture may never do."""

from __future__ import annotations

import itertools
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from diagrams.notation import read_graph
from diagrams.random_graphs import KINDS, nested_labelled
from kernelscope.diagrams.cells import display_width
from kernelscope.diagrams.flow import draw
from kernelscope.diagrams.fold import collapse
from kernelscope.diagrams.model import Box, Charset, Edge, Graph, Group

PICTURES = Path(__file__).parent / "pictures"
SAFE = set("─│┌┐└┘├┤┬┴┼═║╔╗╚╝░▒▓█←↑→↓▲▼►◄×·±≤≥…")
"""Glyphs that are one cell wide in the fonts that people use."""


@pytest.mark.parametrize("note", sorted(PICTURES.glob("*.graph")), ids=lambda note: note.stem)
def test_pictures_look_right(note: Path, golden: Callable[[Path, str], None]) -> None:
    graph = read_graph(note.read_text(encoding="utf-8"))
    width = re.search(r"IN (\d+) COLUMNS", graph.title)
    drawing = draw(graph, width=int(width[1]) if width else 100)
    assert not drawing.overflow
    assert {c for c in drawing.text if not c.isascii()} <= SAFE
    golden(note.with_suffix(".txt"), drawing.text + "\n")


def test_a_picture_that_takes_long_lets_others_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = list[str]()
    for part in ("level", "layers", "columns"):
        monkeypatch.setattr(f"kernelscope.diagrams.{part}.give_way", lambda part=part: steps.append(part))
    boxes = tuple(Box(str(number), (f"box {number}",)) for number in range(60))
    shortcuts = [Edge("0", box.key) for box in boxes[2:]]
    chain = [Edge(one.key, other.key) for one, other in itertools.pairwise(boxes)]
    draw(Graph(boxes, (*chain, *shortcuts)), width=100)
    assert min(map(steps.count, ("level", "columns"))) >= 55


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("width", [100, 76])
def test_a_picture_is_as_wide_as_asked_or_says_so(kind: Callable[[random.Random], Graph], width: int) -> None:
    for seed in range(500, 506):
        drawing = draw(kind(random.Random(seed)), width=width)
        widest = max(map(display_width, drawing.text.split("\n")))
        assert widest == drawing.width
        assert drawing.overflow == (widest > width)


def test_wide_characters_take_two_cells() -> None:
    boxes = (Box("a", ("张量并行",), ("wéight",)), Box("b", ("é",)), Box("c", ("plain",)))
    drawing = draw(Graph(boxes, (Edge("a", "b", "形状"), Edge("a", "c", "形状")), (Group("g", "模型"),)))
    rows = drawing.text.split("\n")
    assert len({display_width(row) for row in rows[:3] if row.endswith(("┐", "┘"))}) == 1
    for region in drawing.regions:
        assert rows[region.row][region.column : region.column + region.width].strip() in (
            "张量并行", "← wéight", "é", "plain", "形状",
        )  # fmt: skip


def test_a_label_that_there_is_room_for_is_no_number() -> None:
    steps = [Box(f"s{i}", ("a step " + "of some length " * i,)) for i in range(6)]
    edges = [Edge("in", step.key, "[B, S, H]") for step in steps]
    edges += [Edge(step.key, "out", f"[B, S, {i}*H]") for i, step in enumerate(steps)]
    drawing = draw(Graph((Box("in", ("x",)), *steps, Box("out", ("y",))), tuple(edges)), width=60)
    assert drawing.width <= 60
    assert "│ [B, S, H]\n" in drawing.text, "the way in has nothing beside it"
    assert "\n\n(1) [B, S, " in drawing.text, "the ways out stand close"


def test_groups_collapse_to_a_box() -> None:
    graph = read_graph((PICTURES / "forward_pass.graph").read_text(encoding="utf-8"))
    layer = next(group for group in graph.groups if group.repeat == "32")
    drawing = draw(collapse(graph, {layer.key}))
    assert "decoder layer (×32)" in drawing.text
    assert "Attention" not in drawing.text
    assert layer.key in {region.key for region in drawing.regions}


def test_a_graph_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="not there"):
        Graph((Box("a", ("a",)),), (Edge("a", "b"),))
    with pytest.raises(ValueError, match="twice"):
        Graph((Box("a", ("a",)), Box("a", ("b",))))
    with pytest.raises(ValueError, match="contains itself"):
        Graph((), (), (Group("a", "a", "b"), Group("b", "b", "a")))


def test_nothing_to_draw_is_an_empty_picture() -> None:
    assert draw(Graph(())).text == ""
    assert draw(Graph((Box("a", ("a",)),))).text == "┌───┐\n│ a │\n└───┘"


def test_the_same_bytes_whatever_the_hash_seed() -> None:
    program = (
        "import random; from diagrams.random_graphs import KINDS; from kernelscope.diagrams.flow import draw;"
        "print(ascii([draw(kind(random.Random(seed))).text for kind in KINDS for seed in range(3)]))"
    )
    path = os.pathsep.join(map(str, (PICTURES.parents[1], PICTURES.parents[2] / "analyzers")))
    found = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": path},
            check=True, capture_output=True,
        ).stdout
        for seed in (0, 7)
    }  # fmt: skip
    assert len(found) == 1


def test_renamed_keys_draw_the_same() -> None:
    graph = nested_labelled(random.Random(3))
    names = {box.key: f"k{99 - n}" for n, box in enumerate(graph.boxes)}
    boxes = tuple(Box(names[b.key], b.lines, b.notes, b.border, b.group) for b in graph.boxes)
    edges = tuple(Edge(names[e.source], names[e.target], e.label) for e in graph.edges)
    assert draw(Graph(boxes, edges, graph.groups)).text == draw(graph).text


def test_large_pictures_are_quick() -> None:
    """150 boxes take about 40 ms of a quiet processor; the bound leaves room for a busy one."""
    boxes = tuple(Box(f"n{i}", (f"step {i}",)) for i in range(150))
    edges = tuple(Edge(f"n{i}", f"n{j}", f"[{i}, H]") for i in range(150) for j in (i + 1, i + 3) if j < 150)
    start = time.process_time()
    draw(Graph(boxes, edges), width=1000)
    assert time.process_time() - start < 0.5


def test_ascii_is_the_same_picture() -> None:
    graph = read_graph((PICTURES / "serving_loop.graph").read_text(encoding="utf-8"))
    unicode, ascii_ = draw(graph).text, draw(graph, charset=Charset.ASCII).text
    assert ascii_.isascii()
    assert [len(row) for row in ascii_.split("\n")] == [len(row) for row in unicode.split("\n")]
