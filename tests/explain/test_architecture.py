"""The architecture of the sample's model: a picture from afar, the tree of its parts, the table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.explain.document import Diagram
from kernelscope.explain.render import to_mermaid, to_text
from kernelscope.results import Target, ViewOptions

SAMPLE = Path(__file__).parents[1] / "workspaces" / "sample" / "tinyllm"
GOLDEN = Path(__file__).parent / "goldens" / "architecture_model.txt"


def test_architecture(golden: Callable[[Path, str], None]) -> None:
    document = Analysis([SAMPLE]).document("architecture", Target(SAMPLE / "model.py"), ViewOptions())
    rendered = to_text(document)
    golden(GOLDEN, rendered.text)
    rows = rendered.text.split("\n")
    assert max(map(len, rows)) <= 100
    linked = {rows[link.row][link.column : link.end_column].strip() for link in rendered.links}
    assert {"TinyLLM", "Attention", "embed_tokens"} <= linked


def test_the_picture_is_exported_with_its_frames() -> None:
    document = Analysis([SAMPLE]).document("architecture", Target(SAMPLE / "model.py"), ViewOptions())
    diagram = next(block for block in document.blocks if isinstance(block, Diagram))
    layers = next(group for group in diagram.graph.groups if group.repeat)
    assert layers.title == "DecoderLayer"
    assert f'subgraph g1["DecoderLayer (×{layers.repeat})"]' in to_mermaid(document)
