"""What only the name of an input tells is marked wherever it is shown, and what is made of it, too."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain.render import to_text
from kernelscope.explain.tensor_hover import BY_KIN, BY_LAYER, BY_NAME
from kernelscope.results import Target

PATH = Path(__file__).parent / "fixtures" / "guessed.py"


@pytest.mark.parametrize(
    ("place", "is_marked"),
    [("input_ids, positions", True), ("hidden = ", True), ("y = ", True), ("x):", True), ("found = ", False)],
)
def test_hovers(place: str, is_marked: bool) -> None:
    hover = Analysis([PATH.parent]).hover(PATH, PATH.read_text().index(place))
    assert hover is not None and "Tensor[" in hover.signature
    assert (BY_NAME in hover.notes) == is_marked


@pytest.mark.parametrize("kind", ["dataflow", "ops", "memory"])
@pytest.mark.parametrize(("symbol", "is_marked"), [("Served", True), ("Layer", True), ("Told", False)])
def test_documents(kind: str, symbol: str, is_marked: bool) -> None:
    text = to_text(Analysis([PATH.parent]).document(kind, Target(PATH, None, symbol))).text
    assert ("rest on the names of inputs" in " ".join(text.split())) == is_marked


def test_shapes_and_why() -> None:
    analysis, source = Analysis([PATH.parent]), PATH.read_text()
    assert BY_NAME in " ".join(to_text(analysis.document("shapes", Target(PATH))).text.split())
    why = to_text(analysis.document("why", Target(PATH, source.index("y = ")))).text
    assert why.count("≈ by the name of an input") == 3


HANDED_ON = """
import torch

class Block(torch.nn.Module):
    def __init__(self, norm, other):
        super().__init__()
        self.norm = norm.build()
        self.linear = torch.nn.Linear(8, 8)

    def forward(self, x: torch.Tensor):
        B, T, C = x.shape
        y = self.norm(x)
        z = y + 1
        w = self.linear(x)
        return z, w
"""


@pytest.mark.parametrize(("place", "is_marked"), [("y = ", True), ("z = ", True), ("w = ", False)])
def test_layers_that_are_known_by_their_names(place: str, is_marked: bool, tmp_path: Path) -> None:
    path = tmp_path / "block.py"
    path.write_text(HANDED_ON)
    analysis = Analysis([tmp_path])
    hover = analysis.hover(path, HANDED_ON.index(place))
    assert hover is not None and "Tensor[B, T, " in hover.signature
    assert (BY_LAYER in hover.notes) == is_marked
    assert BY_LAYER in " ".join(to_text(analysis.document("shapes", Target(path))).text.split())
    why = to_text(analysis.document("why", Target(path, HANDED_ON.index("z = ")))).text
    assert "≈ by the name of a layer" in why


PICKED_BY_NAME = """
import torch
from torch import nn

class Picked(nn.Module):
    def __init__(self, rnn_type, width, activation):
        super().__init__()
        self.rnn = getattr(nn, rnn_type)(width, width, batch_first=True)
        self.act = getattr(nn, activation)()
        self.bend = getattr(nn.functional, activation)
        self.linear = nn.Linear(width, width)

    def forward(self, x: torch.Tensor):
        B, T, C = x.shape
        r, _ = self.rnn(x)
        y = self.act(x)
        z = self.bend(x) + 1
        w = self.linear(x)
        return r, y, z, w
"""


@pytest.mark.parametrize(
    ("place", "is_marked"), [("r, _", True), ("y = ", True), ("z = ", True), ("w = ", False), ("x: ", False)]
)
def test_layers_that_an_unknown_name_picks_are_marked(place: str, is_marked: bool, tmp_path: Path) -> None:
    path = tmp_path / "picked.py"
    path.write_text(PICKED_BY_NAME)
    analysis = Analysis([tmp_path])
    hover = analysis.hover(path, PICKED_BY_NAME.index(place))
    assert hover is not None and "Tensor[B, T, " in hover.signature
    assert (BY_LAYER in hover.notes) == is_marked
    assert BY_LAYER in " ".join(to_text(analysis.document("shapes", Target(path))).text.split())
    why = to_text(analysis.document("why", Target(path, PICKED_BY_NAME.index("z = ")))).text
    assert "≈ by the name of a layer" in why


ONE_KIND_NOT_FOLLOWED = """
from elsewhere import table_of
from torch import nn

class Turned(nn.Module):
    def forward(self, x):
        return x * 2

class Further(Turned):
    def forward(self, x):
        return x * 3

class Looked(Turned):
    def forward(self, x):
        return table_of(x)

def turned(kind):
    if kind == "looked":
        return Looked()
    return Further() if kind == "further" else Turned()

class Layer(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.turn = turned(kind)

    def forward(self, x):
        T, D = x.shape
        y = self.turn(x)
        z = y + 1
        return z
"""


@pytest.mark.parametrize(("place", "is_marked"), [("y = ", True), ("z = ", True), ("x):\n        T", False)])
def test_what_one_kind_of_a_layer_gives_that_is_not_followed(place: str, is_marked: bool, tmp_path: Path) -> None:
    path = tmp_path / "layer.py"
    path.write_text(ONE_KIND_NOT_FOLLOWED)
    analysis = Analysis([tmp_path])
    hover = analysis.hover(path, ONE_KIND_NOT_FOLLOWED.index(place))
    assert hover is not None and "Tensor[T, D]" in hover.signature
    assert (BY_KIN in hover.notes) == is_marked
    assert BY_KIN in " ".join(to_text(analysis.document("shapes", Target(path))).text.split())
    why = to_text(analysis.document("why", Target(path, ONE_KIND_NOT_FOLLOWED.index("z = ")))).text
    assert "≈ by the other kinds of a layer" in why
