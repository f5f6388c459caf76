"""Classes below one, asked for often before the index stands: files are looked at once, edits count."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kernelscope.workspace import usages
from kernelscope.workspace.files import Files
from kernelscope.workspace.named_bases import NamedBases
from kernelscope.workspace.workspace import Workspace

SOURCE = """
## base.py
class Pool:
    pass


class Other:
    pass

## near.py
from base import Pool


class Near(
    dict[str, int],
    Pool,
):
    pass

## far/deep.py
import base


class Deep(base.Pool):
    pass


class Unrelated(base.Other):
    pass

## far/named.py
class Pool:
    pass


class OfAnother(Pool):
    pass
"""


def below_pool(made: Workspace) -> list[str]:
    pool = made.modules.definition(f"{made.files.roots[0]}/base.py", "Pool")
    assert pool is not None
    return [found.name for found in made.usages.subclasses(pool)]


def test_classes_below_one_are_the_same_however_often_they_were_asked_for(
    workspace: Callable[[str], Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Workspace(workspace(SOURCE))
    by_search = below_pool(made)
    monkeypatch.setattr(usages, "FEW_SEARCHES", 0)
    reads: list[str] = []
    read = made.files.read
    monkeypatch.setattr(made.files, "read", lambda path: (reads.append(path), read(path))[1])
    assert below_pool(made) == by_search == ["Near", "Deep"]
    reads.clear()
    assert below_pool(made) == by_search
    assert {path.rpartition("/")[2] for path in reads} <= {"near.py", "deep.py", "named.py"}


def test_what_is_typed_counts(workspace: Callable[[str], Files], monkeypatch: pytest.MonkeyPatch) -> None:
    made = Workspace(workspace(SOURCE))
    monkeypatch.setattr(usages, "FEW_SEARCHES", 0)
    assert below_pool(made) == ["Near", "Deep"]
    path = f"{made.files.roots[0]}/base.py"
    made.files.set_text(path, b"class Pool:\n    pass\n\n\nclass Typed(Pool):\n    pass\n")
    assert below_pool(made) == ["Typed", "Near", "Deep"]


def test_a_file_without_the_name_is_not_named(workspace: Callable[[str], Files]) -> None:
    files = workspace(SOURCE)
    root = files.roots[0]
    paths = [f"{root}/{name}" for name in ("base.py", "near.py", "far/deep.py")]
    assert NamedBases(files).deriving("Pool", paths) == paths[1:]
    assert NamedBases(files).deriving("Nothing", paths) == []
