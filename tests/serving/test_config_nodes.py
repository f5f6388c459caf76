"""Settings that are stored field by field in configuration objects of libraries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.config_nodes import config_nodes

from .test_system_documents import answers_of

Source = Callable[[str], PythonSource]

YACS = """
from yacs.config import CfgNode as CN

_C = CN()
_C.DESKS = 3
_C.PAPER = CN()
_C.PAPER.WIDTH = 64
_C.PAPER.INK = CN({"DARK": True, "TONES": dict(RED=2)})
_C.PAPER.KINDS = ["thin", "thick"]

def defaults():
    return _C.clone()
"""
COLLECTIONS = """
from ml_collections import ConfigDict

def get_config():
    config = ConfigDict()
    config.rate = 0.5
    paper = config.paper = ConfigDict()
    paper.width = 64
    ink = config.paper
    ink.tone = "red"
    other.width = 3
    return config
"""
OMEGA = """
from omegaconf import OmegaConf

conf = OmegaConf.create({"desk": {"pages": 12}, "rate": 2 * base})
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            YACS,
            {"_C.DESKS": 3, "_C.PAPER.WIDTH": 64, "_C.PAPER.INK.DARK": True, "_C.PAPER.INK.TONES.RED": 2,
             "_C.PAPER.KINDS": ["thin", "thick"]},
        ),
        (COLLECTIONS, {"config.rate": 0.5, "config.paper.width": 64, "config.paper.tone": "red"}),
        (OMEGA, {"conf.desk.pages": 12, "conf.rate": None}),
    ],
)  # fmt: skip
def test_what_is_stored_is_a_setting(source: Source, text: str, told: dict[str, object]) -> None:
    assert {f"{p.owner}.{p.name}": p.value for p in config_nodes(source(text))} == told


def test_other_objects_hold_no_settings(source: Source) -> None:
    tree = "root = Node()\nroot.left = Node()\nroot.left.height = 3\n"
    assert list(config_nodes(source(tree))) == []
    assert list(config_nodes(source(COLLECTIONS.replace("ConfigDict()", "Paper()")))) == []


def test_a_question_is_answered_by_them(tmp_path: Path) -> None:
    text = "from yacs.config import CfgNode as CN\n\n_C = CN()\n_C.SERVER = CN()\n_C.SERVER.MAX_BATCH_SIZE = 24\n"
    (tmp_path / "defaults.py").write_text(text, encoding="utf-8")
    assert "MAX_BATCH_SIZE default 24" in answers_of(tmp_path)["batching.limits.1"]
