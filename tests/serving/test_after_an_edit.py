"""A report after an edit is that of a new start: what follows from declarations is kept while they are the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope.analysis import Analysis

ENGINE = """
class EngineConfig:
    max_num_seqs: int = 8
    block_size: int = 16

    def __post_init__(self):
        assert self.max_num_seqs > 0

class Scheduler:
    def __init__(self):
        self.waiting = deque()
        self.running = []

    def admit(self, config):
        while self.waiting and len(self.running) < config.max_num_seqs:
            self.running.append(self.waiting.popleft())
"""
OTHER = """
from engine import EngineConfig
class Pool:
    pages: int = 4
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("popleft()", "pop()"),
        ("max_num_seqs: int = 8", "max_num_seqs: int = 9"),
        ("assert self.max_num_seqs > 0", "assert self.max_num_seqs > 1"),
        ("class Scheduler:", "# moved\\nclass Scheduler:"),
        ("class EngineConfig:", "# moved\\nclass EngineConfig:"),
        ("block_size: int = 16", "block_size: int = 16  # a comment"),
    ],
)
def test_what_is_kept_is_what_a_new_start_gives(tmp_path: Path, old: str, new: str) -> None:
    (tmp_path / "engine.py").write_text(ENGINE)
    (tmp_path / "pool.py").write_text(OTHER)
    analysis = Analysis([tmp_path])
    before = analysis.report()
    text = ENGINE.replace(old, new.replace("\\n", "\n"))
    analysis.workspace.files.set_text(str(tmp_path / "engine.py"), text.encode())
    after = analysis.report()
    (tmp_path / "engine.py").write_text(text)
    assert after == Analysis([tmp_path]).report()
    assert after != before


def test_declarations_are_not_gone_through_again(tmp_path: Path) -> None:
    (tmp_path / "engine.py").write_text(ENGINE)
    analysis = Analysis([tmp_path])
    paths = [str(tmp_path / "engine.py")]
    first = analysis.readings.system(paths)
    settings = first.settings
    analysis.workspace.files.set_text(paths[0], ENGINE.replace("popleft()", "pop()").encode())
    assert analysis.readings.system(paths).settings is settings
    analysis.workspace.files.set_text(paths[0], ENGINE.replace("= 8", "= 9").encode())
    changed = analysis.readings.system(paths).settings
    assert changed is not settings
    assert [p.value for p in changed if p.name == "max_num_seqs"] == [9]
