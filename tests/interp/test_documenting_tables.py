"""What is told of arguments: by a table beside a documenting decorator, and what is wrong of it in a long function."""

from __future__ import annotations

from pathlib import Path

import pytest
from interp.expectations import shapes_of

TABLES = """
class Arguments:
    pictures = {"description": "what is seen", "shape": "of shape `(batch, channels, side, side)`"}

def documented(function):
    return function
"""
MODEL = """
import torch
from tables import documented
from torch import nn

class Model(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.cut = nn.Conv2d(channels, width, kernel_size=4, stride=4)

    @documented
    def forward(self, pictures: torch.Tensor):
        pieces = self.cut(pictures)
        return pieces
"""


def test_sides_of_an_image_that_a_table_calls_by_one_word_are_two(tmp_path: Path) -> None:
    (tmp_path / "tables.py").write_text(TABLES)
    (tmp_path / "model.py").write_text(MODEL)
    shape_on = shapes_of(tmp_path / "model.py")
    assert shape_on(12) == "[batch, channels, side, side_2]"
    assert shape_on(13) == "[batch, width, side//4, side_2//4]"


LONG = '''
import torch
from torch import nn

class Control(nn.Module):
    def __init__(self, channels, width, depth):
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, padding=1)

    def forward(self, image):
        """
        Args:
            image (`torch.Tensor`): The condition, of shape `(batch_size, sequence_length, hidden_size)`.
        """
        y = self.conv(image)
        z = y + 1
        %s
        return z
'''


def test_what_is_told_of_a_function_that_is_not_followed_to_its_end_is_doubted_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A contradiction at its beginning is one, however long the rest is."""
    path = tmp_path / "control.py"
    path.write_text(LONG % "\n        ".join(["z = z + z * 2"] * 40))
    monkeypatch.setattr("kernelscope.interp.runs.FUNCTION_STEPS", 60)
    shape_on = shapes_of(path)
    assert shape_on(15) == "[image_size0, width, image_size2, image_size3]"


SHARED_TABLES = """
class Arguments:
    pieces = {"description": "what is read", "shape": "of shape `(batch, length)`"}
    marks = {"description": "which part it is of", "shape": "of shape `(batch, length)`"}
    labels = {"description": "what is to be found", "shape": "of shape `(batch, length)`"}

def documented(function):
    return function
"""
CLASSIFIER = """
import torch
from tables import documented
from torch import nn

class Classifier(nn.Module):
    def __init__(self, vocabulary, width, classes):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.parts = nn.Embedding(2, width)
        self.head = nn.Linear(width, classes)
        self.classes = classes

    @documented
    def forward(self, pieces: torch.Tensor, marks: torch.Tensor, labels: torch.Tensor):
        hidden = self.embed(pieces) + self.parts(marks)
        logits = self.head(hidden.mean(1))
        loss = nn.functional.cross_entropy(logits.view(-1, self.classes), labels.view(-1))
        return loss, logits
"""


def test_what_a_shared_table_says_wrongly_of_one_argument_costs_no_other_its_shape(tmp_path: Path) -> None:
    """`labels` of a classifier are one a sequence: its pieces are as told nevertheless."""
    (tmp_path / "tables.py").write_text(SHARED_TABLES)
    (tmp_path / "model.py").write_text(CLASSIFIER)
    shape_on = shapes_of(tmp_path / "model.py")
    assert shape_on(16) == "[batch, length, width]"
    assert shape_on(17) == "[batch, classes]"
