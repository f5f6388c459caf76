"""In which order the functions of a file are looked at: callers first, and last what only builds models."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope.interp.order import FileOrder, Waiting
from kernelscope.workspace.files import Files
from kernelscope.workspace.workspace import Workspace

GENERATION = """
def best(row, k: int):
    return row.softmax(-1).argmax(-1) + k

def sample(logits, k: int):
    return best(logits[0, -1], k)

def first(model, ids):
    {}

def step(model, ids):
    assert ids.shape[-1] == 1
    return sample(model(ids), 2)
"""


@pytest.mark.parametrize(
    ("body", "is_builder"),
    [
        ("logits = model(ids); return sample(logits, 1)", False),
        ("return sample(ids, 1)", False),
        ("logits = model.load(); return sample(logits, 1)", True),
    ],
)
def test_what_hands_on_what_a_call_makes_of_its_input_does_not_wait(
    tmp_path: Path, body: str, is_builder: bool
) -> None:
    path = tmp_path / "generation.py"
    path.write_text(GENERATION.format(body))
    module = Workspace(Files([str(tmp_path)])).modules.module(str(path))
    assert module is not None
    builders = {node.name for node in Waiting(FileOrder(module), []).builders if hasattr(node, "name")}
    assert ("first" in builders) == is_builder
