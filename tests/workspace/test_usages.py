"""Call sites: where functions, methods, classes and their instances are called, with and without an index."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from kernelscope.syntax.python.tree import ClassDef
from kernelscope.workspace import nearby, usages
from kernelscope.workspace.files import Files
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.usages import Found
from kernelscope.workspace.workspace import Workspace

SOURCE = """
## lib/__init__.py
from .layers import Norm, scale
## lib/layers.py
def scale(x): ...
class Norm:
    def forward(self, x):
        return scale(x)
## model.py
from lib import Norm, scale as resize
import lib.layers as layers
class Block:
    def __init__(self, n):
        self.norm = Norm()
        self.norms = make([Norm() for _ in range(n)])
    def forward(self, x):
        y = self.norm(x)
        for norm in self.norms:
            y = norm(y)
        return layers.scale(self.norms[0](y))
def late(x):
    from lib.layers import scale
    return scale(x)
## other.py
def scale(x): ...
def use(x, scale):
    return scale(x)
class Big(Block): ...
## child.py
from lib import Norm
class Small(Norm): ...
"""


@pytest.fixture(params=["by text", "by index"])
def workspace_of(request: pytest.FixtureRequest, workspace: Callable[[str], Files]) -> Workspace:
    made = Workspace(workspace(SOURCE))
    if request.param == "by index":
        made.build_index(None, lambda: False)
    return made


def definition(workspace: Workspace, path: str, name: str) -> Definition:
    found = workspace.modules.definition(f"{workspace.files.roots[0]}/{path}", name)
    assert found is not None
    return found


def says(workspace: Workspace, found: Found) -> list[str]:
    lines: list[str] = []
    for site in found.sites:
        module = workspace.modules.module(site.path)
        assert module is not None
        where = f"{site.owner.name}." if site.owner else ""
        lines.append(
            f"{os.path.basename(site.path)}:{module.text.line_of(site.call.span.start)} "
            f"{where}{site.function.name if site.function else ''}"
        )
    return lines


def test_calls_of_a_function_are_resolved(workspace_of: Workspace) -> None:
    found = workspace_of.usages.calls(definition(workspace_of, "lib/layers.py", "scale"))
    assert found.complete
    assert says(workspace_of, found) == ["layers.py:4 Norm.forward", "model.py:11 Block.forward", "model.py:14 late"]


def test_a_search_ends_after_so_much_text(workspace_of: Workspace) -> None:
    cut = workspace_of.usages.calls(definition(workspace_of, "lib/layers.py", "scale"), most=1)
    assert not cut.complete
    assert says(workspace_of, cut) == ["layers.py:4 Norm.forward"]


def test_instances_are_called_through_the_attributes_that_keep_them(workspace_of: Workspace) -> None:
    found = workspace_of.usages.instance_calls(definition(workspace_of, "lib/layers.py", "Norm"))
    assert says(workspace_of, found) == [
        "model.py:8 Block.forward",
        "model.py:10 Block.forward",
        "model.py:11 Block.forward",
    ]


def test_definitions_methods_and_subclasses_by_name(workspace_of: Workspace) -> None:
    usages = workspace_of.usages
    near = f"{workspace_of.files.roots[0]}/lib/layers.py"
    assert [os.path.basename(d.path) for d in usages.definitions("scale", near)] == ["layers.py", "other.py"]
    assert [d.qualified for d in usages.methods("forward", near)] == ["Norm.forward", "Block.forward"]
    subclasses = usages.subclasses(definition(workspace_of, "lib/layers.py", "Norm"))
    assert [d.name for d in subclasses if isinstance(d.node, ClassDef)] == ["Small"]


def test_files_around_one_are_the_same_before_and_after_everything_was_walked(
    workspace: Callable[[str], Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearby, "MAX_FILES", 3)
    monkeypatch.setattr(usages, "MAX_FILES", 3)
    names = ("a/b/near.py", "a/b/test_x.py", "a/c/y.py", "a/d.py", "e.py", "g/h.py")
    files = workspace("".join(f"## {name}\nf()\n" for name in names))
    root, walked = files.roots[0], Workspace(files)
    walked.usages.definitions("f")
    for path in (f"{root}/a/b/near.py", f"{root}/a/c/y.py", f"{root}/e.py"):
        found = Workspace(files).usages.nearby(path).calling("f")
        assert found == walked.usages.nearby(path).calling("f")
        assert found[0] == path
        assert len(found) == 3
