"""What a base class elsewhere reads into its settings costs no hover of a model its time; a model's own counts."""

from __future__ import annotations

from pathlib import Path

from interp.expectations import shapes_of

SETTINGS = """
class Settings:
    def __init__(self, width, heads):
        self.width = width
        self.heads = heads

    @classmethod
    def of(cls, config):
        return cls(2 * config.width, 3)
"""
BASE = """
from settings import Settings
from torch import nn

class Base(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.settings = Settings.of(config)
"""
MODEL = """
from base import Base
from settings import Settings

class Model(Base):
    def __init__(self, config):
        super().__init__(config)
        self.own = Settings.of(config)

    def forward(self, x):
        y = x.new_zeros(self.own.width, self.own.heads)
        z = x.new_zeros(self.settings.width, self.settings.heads)
        return y, z
"""


def test_what_a_base_class_elsewhere_reads_into_settings_is_not_followed(tmp_path: Path) -> None:
    for name, text in {"settings": SETTINGS, "base": BASE, "model": MODEL}.items():
        (tmp_path / f"{name}.py").write_text(text)
    shape_on = shapes_of(tmp_path / "model.py")
    assert shape_on(11) == "[2*config.width, 3]"
    assert shape_on(12) == "[self.settings.width, self.settings.heads]"
