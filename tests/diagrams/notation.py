"""Graphs as a person notes them down, for pictures that are reviewed by eye.

title: DECODER LAYER          the heading; `[ Name ×32` opens a group, `]` closes it
x: hidden_states              a box; `/` starts its next line, `←` its notes, `=key` a double frame, `-key` none
x -> norm, + : [B, S, H]      edges to each of several boxes, with one label
"""

from __future__ import annotations

import re

from kernelscope.diagrams.model import Border, Box, Direction, Edge, Graph, Group

BORDERS = {"=": Border.DOUBLE, "-": Border.NONE, "": Border.SINGLE}


def read_graph(text: str) -> Graph:
    """The graph that a note describes."""
    boxes: list[Box] = []
    edges: list[Edge] = []
    groups: list[Group] = []
    title, direction, around = "", Direction.DOWN, [""]
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("title:"):
            title = line[6:].strip()
        elif line == "runs right":
            direction = Direction.RIGHT
        elif line.startswith("["):
            name, _, repeat = line[1:].strip().partition(" ×")
            groups.append(Group(f"group {len(groups)}", name, around[-1], repeat))
            around.append(groups[-1].key)
        elif line == "]":
            around.pop()
        elif edge := re.fullmatch(r"(\S+) -> ([^:]+?)(?: : (.*))?", line):
            edges += [Edge(edge[1], target.strip(), edge[3] or "") for target in edge[2].split(",")]
        else:
            mark, key, rest = re.fullmatch(r"([=-]?)(\S+): (.*)", line).groups()  # pyright: ignore[reportOptionalMemberAccess]
            shown, *notes = re.split(r"\s*←\s*", rest)
            lines = tuple(part.strip() for part in shown.split(" / "))
            boxes.append(Box(key, lines, tuple(notes), BORDERS[mark], around[-1]))
    return Graph(tuple(boxes), tuple(edges), tuple(groups), title, direction)
