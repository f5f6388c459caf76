"""A number of dims that one way gives is told of both only where the test leaves no other way with fewer."""

from __future__ import annotations

from pathlib import Path

import pytest
from interp.expectations import shapes_of

FRAMES = """
from torch import nn

class Frames(nn.Module):
    def __init__(self, is_video):
        super().__init__()
        self.is_video = is_video

    def forward(self, clips):
        if {}:
            clips = clips.unsqueeze(2)
        out = clips + 1
        return out
"""


@pytest.mark.parametrize(
    ("test", "is_told"),
    [
        ("clips.ndim == 4", True),
        ("clips.ndim == 4 and clips.shape[1] == 3", True),
        ("self.is_video and clips.ndim == 4", False),
        ("clips.dim() == 4 and self.is_video", False),
    ],
)
def test_a_switch_beside_the_number_of_dims_leaves_it_open(tmp_path: Path, test: str, is_told: bool) -> None:
    (tmp_path / "frames.py").write_text(FRAMES.format(test))
    told = shapes_of(tmp_path / "frames.py")(12)
    assert (told.count(",") == 4, told) == (is_told, told if is_told else "[...]")
