"""Hovers while a large workspace is read for the first time: little is parsed for them, the rest comes in a pause."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain.hovers import MOST_READ_WHILE_YOUNG, UNREAD, Hovers
from kernelscope.results import Hover
from kernelscope.turns import Turns
from kernelscope.workspace.files import Files
from kernelscope.workspace.index import Index

PADDING = f"# {'x' * MOST_READ_WHILE_YOUNG}\n"
CALLING = """
## calling.py
import os
from large import Wide, twice, LIMIT, compiled
from large import shown as other
def run(layer: Wide, shown, Wide=None):
    layer.forward(1)
    other(shown)
    return Wide
"""
LARGE = """
## large.py
class Wide(object):
    def forward(self, x):
        return x
def twice(x): return x
try:
    from native import twice
except ImportError:
    pass
def shown(x, scale=2):
    return x
LIMIT = 4
@jit
def compiled(x): return x
"""


@pytest.fixture
def young(workspace: Callable[[str], Files], monkeypatch: pytest.MonkeyPatch) -> Iterator[Analysis]:
    files = workspace(CALLING + LARGE + PADDING)
    monkeypatch.setattr(Index, "is_young", property(lambda _: True))
    monkeypatch.setattr(Index, "await_count", lambda _: None)
    with Turns().turn(1):
        analysis = Analysis([Path(files.roots[0])])
        analysis.beside = lambda _: None
        yield analysis


def hover(analysis: Analysis, name: str, times: int = 1) -> Hover | None:
    path = analysis.workspace.files.roots[0]
    text = Path(path, "calling.py").read_bytes()
    offset = -1
    for _ in range(times):
        offset = text.index(name.encode(), offset + 1)
    return analysis.hover(Path(path, "calling.py"), offset)


def is_parsed(analysis: Analysis) -> bool:
    path = str(Path(analysis.workspace.files.roots[0], "large.py"))
    return analysis.workspace.modules.holds_version(path, analysis.workspace.files.version(path))


@pytest.mark.parametrize(
    ("name", "times", "signature"), [("Wide", 1, "class Wide(object)"), ("other", 2, "def shown(x, scale=2)")]
)
def test_the_head_of_what_is_imported_is_read_off_its_file(
    young: Analysis, name: str, times: int, signature: str
) -> None:
    told = hover(young, name, times)
    assert told is not None
    assert (told.signature, UNREAD in told.notes) == (signature, False)
    assert str(told.links[0].title).endswith(":1" if name == "Wide" else ":9")
    assert not is_parsed(young)


@pytest.mark.parametrize(("name", "times"), [("twice", 1), ("compiled", 1), ("LIMIT", 1), ("forward", 1)])
def test_what_takes_a_parse_is_told_after_a_pause(young: Analysis, name: str, times: int) -> None:
    """A name with two bindings, one that may be a kernel, a value, and a method of a class of that file."""
    left: list[Callable[[], None]] = []
    young.beside = left.append
    told = hover(young, name, times)
    assert told is not None
    assert told.notes == (UNREAD,)
    assert not is_parsed(young)
    assert len(left) == 1
    left[0]()
    assert is_parsed(young)
    again = hover(young, name, times)
    assert again is None or UNREAD not in again.notes


def test_a_name_that_the_function_binds_is_not_what_is_imported(young: Analysis) -> None:
    told = hover(young, "Wide", 4)
    assert told is None or told.signature != "class Wide(object)"


def test_what_a_reading_ends_with_keeps_no_later_one_from_being_begun(
    young: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[Callable[[], None]] = []
    young.beside = pauses.append
    assert hover(young, "twice") is not None
    with monkeypatch.context() as patched:
        patched.setattr(Hovers, "_told", _interrupted)
        with pytest.raises(InterruptedError):
            pauses.pop()()
    hover(young, "twice")
    assert len(pauses) == 1


def _interrupted(hovers: Hovers, path: Path, offset: int) -> None:
    raise InterruptedError(path, offset)
