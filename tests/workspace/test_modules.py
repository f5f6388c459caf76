"""Where names lead: each case is a small workspace and what names of `main.py` must mean."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import pytest
from kernelscope.syntax.python.lower import Module, parse_module
from kernelscope.workspace.classes import Classes, is_class
from kernelscope.workspace.files import Files
from kernelscope.workspace.modules import KEPT_CHANGES, Definition, External, Missing, Modules, Resolved, SeenFiles
from kernelscope.workspace.packages import ModuleRef

Workspace = Callable[[str], Files]


def says(found: Resolved, files: Files) -> str:
    """`file:name` of a definition, `module file`, `external name` or `missing`."""
    root = files.roots[0]
    match found:
        case Definition():
            return f"{found.path[len(root) + 1 :]}:{found.name}"
        case ModuleRef():
            return f"module {(found.path or found.folder or '')[len(root) + 1 :]}"
        case External():
            return f"external {found.dotted}"
        case Missing():
            return "missing"


CASES = {
    "plain imports, aliases and members": (
        """
## main.py
import torch.nn.functional as F
import pkg.ops as ops, pkg.layers
from pkg.layers import Norm as N
## pkg/__init__.py
## pkg/ops.py
from torch import nn
def silu(x): ...
## pkg/layers.py
class Norm: ...
""",
        {
            "F.silu": "external torch.nn.functional.silu",
            "ops.silu": "pkg/ops.py:silu",
            "ops.nn.Linear": "external torch.nn.Linear",
            "pkg.layers.Norm": "pkg/layers.py:Norm",
            "N": "pkg/layers.py:Norm",
            "pkg": "module pkg/__init__.py",
            "nothing": "missing",
        },
    ),
    "re-exports, relative imports and stars with __all__": (
        """
## main.py
from pkg import Norm, silu, hidden, deep, _private
## pkg/__init__.py
from .layers import *
from . import deep
## pkg/layers.py
from .inner.norm import Norm
from .inner import *
__all__ = ["Norm", "silu"]
def hidden(): ...
## pkg/inner/__init__.py
from ..act import silu
## pkg/inner/norm.py
class Norm: ...
## pkg/act.py
def silu(x): ...
## pkg/deep/__init__.py
""",
        {
            "Norm": "pkg/inner/norm.py:Norm",
            "silu": "pkg/act.py:silu",
            "hidden": "missing",
            "_private": "missing",
            "deep": "module pkg/deep/__init__.py",
        },
    ),
    "a try prefers what is imported, an if its first branch, TYPE_CHECKING the run-time import": (
        """
## main.py
from typing import TYPE_CHECKING
try:
    from fast import attention
except ImportError:
    attention = None
if True:
    from pkg.a import f
else:
    from pkg.b import f
if TYPE_CHECKING:
    from pkg.a import g
late = None
try:
    from pkg.b import late
except ImportError:
    pass
## pkg/__init__.py
## pkg/a.py
def f(): ...
def g(): ...
## pkg/b.py
def f(): ...
def late(): ...
""",
        {
            "attention": "external fast.attention",
            "f": "pkg/a.py:f",
            "g": "pkg/a.py:g",
            "late": "pkg/b.py:late",
        },
    ),
    "lazy tables of every spelling": (
        """
## main.py
from pkg import Config, Model, helper, Pair, Late, Typed, Rel
## pkg/__init__.py
import sys
_import_structure = {"configs": ["Config"]}
try:
    pass
except ImportError:
    pass
else:
    _import_structure["models.big"] = ["Model"]
    _import_structure["models.big"].extend(["Other"])
ATTRS = {"helper": ".support:assist", "Rel": ".rel"}
PAIRS = {"Pair": (".support", "Both")}
def __getattr__(name):
    if name == "Late":
        from .late import Late
        return Late
    return _load(name)
if TYPE_CHECKING:
    from .typed import *
else:
    sys.modules[__name__] = Lazy(__name__, _import_structure)
## pkg/configs.py
class Config: ...
## pkg/models/__init__.py
## pkg/models/big.py
class Model: ...
## pkg/support.py
def assist(): ...
class Both: ...
## pkg/late.py
class Late: ...
## pkg/typed.py
class Typed: ...
## pkg/rel.py
class Rel: ...
""",
        {
            "Config": "pkg/configs.py:Config",
            "Model": "pkg/models/big.py:Model",
            "helper": "pkg/support.py:assist",
            "Pair": "pkg/support.py:Both",
            "Late": "pkg/late.py:Late",
            "Typed": "pkg/typed.py:Typed",
            "Rel": "pkg/rel.py:Rel",
        },
    ),
    "circles end": (
        """
## main.py
from pkg.a import x, y
from main import z
## pkg/__init__.py
## pkg/a.py
from .b import *
from .b import x
## pkg/b.py
from .a import *
from .a import x
y = 1
""",
        {"x": "missing", "y": "pkg/b.py:y", "z": "missing"},
    ),
    "the workspace's own torch helpers are not torch, the standard library is itself": (
        """
## main.py
import torch, types, math
from kernels import torch as helpers
## kernels/__init__.py
## kernels/torch/__init__.py
## types.py
x = 1
""",
        {"torch": "external torch", "types": "external types", "helpers": "module kernels/torch/__init__.py"},
    ),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_names_of_main_lead_to(case: str, workspace: Workspace) -> None:
    text, expected = CASES[case]
    files = workspace(text)
    modules = Modules(files)
    main = files.roots[0] + "/main.py"
    assert {name: says(modules.resolve(main, name), files) for name in expected} == expected


def test_source_roots_are_found_by_packages(workspace: Workspace) -> None:
    files = workspace(
        "## python/lib/__init__.py\n## python/lib/core.py\ndef run(): ...\n## bench/main.py\nimport lib.core\n"
    )
    modules = Modules(files)
    assert says(modules.resolve(files.roots[0] + "/bench/main.py", "lib.core.run"), files) == "python/lib/core.py:run"
    assert modules.packages.name_of(files.roots[0] + "/python/lib/core.py") == "lib.core"


def test_a_library_that_we_describe_is_found_where_the_workspace_has_none(workspace: Workspace) -> None:
    files = workspace("## main.py\nfrom timm.layers import DropPath, create_pool\n")
    modules, main = Modules(files), files.roots[0] + "/main.py"
    found = modules.resolve(main, "DropPath")
    assert isinstance(found, Definition)
    assert not found.path.startswith(files.roots[0])
    assert says(modules.resolve(main, "create_pool"), files) == "external timm.layers.create_pool"
    files = workspace("## main.py\nfrom timm.layers import DropPath\n## timm/layers.py\nclass DropPath: ...\n")
    assert says(Modules(files).resolve(files.roots[0] + "/main.py", "DropPath"), files) == "timm/layers.py:DropPath"


def test_an_absolute_import_in_a_package_means_no_file_beside_it(workspace: Workspace) -> None:
    files = workspace("## lib/__init__.py\n## lib/flash.py\nclass Part: ...\n## lib/whole.py\nfrom flash import Part\n")
    found = Modules(files).resolve(files.roots[0] + "/lib/whole.py", "Part")
    assert says(found, files) == "external flash.Part"


ADDING = {
    "the script's folder names it": ("main.py", 'sys.path.append("lib")'),
    "the script lies in it": ("lib/run.py", "sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))"),
    "from the script's folder up and down": ("lib/run.py", 'sys.path.append(Path(__file__).parent.parent / "lib")'),
}


@pytest.mark.parametrize("case", ADDING, ids=str)
def test_a_script_that_adds_the_folder_to_the_path_lets_files_in_it_import_each_other(
    case: str, workspace: Workspace
) -> None:
    script, line = ADDING[case]
    package = "## lib/__init__.py\n## lib/flash.py\nclass Part: ...\n## lib/whole.py\nfrom flash import Part\n"
    files = workspace(f"{package}## {script}\nimport sys\n{line}\n")
    found = Modules(files).resolve(files.roots[0] + "/lib/whole.py", "Part")
    assert says(found, files) == "lib/flash.py:Part"


def test_a_script_that_adds_another_folder_to_the_path_changes_nothing(workspace: Workspace) -> None:
    package = "## lib/__init__.py\n## lib/flash.py\nclass Part: ...\n## lib/whole.py\nfrom flash import Part\n"
    files = workspace(package + '## main.py\nimport sys\nsys.path.append("other/lib")\n')
    found = Modules(files).resolve(files.roots[0] + "/lib/whole.py", "Part")
    assert says(found, files) == "external flash.Part"


def test_a_name_rebound_through_itself_is_the_earlier_one(workspace: Workspace) -> None:
    files = workspace("## main.py\nimport torch\ndef f(): ...\nf = torch.compile(f)\n")
    modules = Modules(files)
    main = files.roots[0] + "/main.py"
    last = modules.resolve(main, "f")
    assert isinstance(last, Definition)
    first = modules.resolve(main, "f", before=last.node.span.start)
    assert isinstance(first, Definition)
    assert first.node is not last.node


def test_edits_of_open_documents_count_at_once(workspace: Workspace) -> None:
    files = workspace("## main.py\nfrom lib import f\n## lib.py\ndef g(): ...\n")
    modules = Modules(files)
    main, lib = files.roots[0] + "/main.py", files.roots[0] + "/lib.py"
    assert says(modules.resolve(main, "f"), files) == "missing"
    files.set_text(lib, b"def f(): ...\n")
    assert says(modules.resolve(main, "f"), files) == "lib.py:f"


CLASSES = """
## main.py
from base import Base, Mixin
import torch
from typing import Generic, TypeVar
class Model(Mixin, Base[int], Generic[T]):
    size = 4
    @property
    def width(self): return 1
    @width.setter
    def width(self, v): ...
    def forward(self, x):
        if x:
            self.cache, self.other = x, 1
## base.py
import torch.nn as nn
class Root(nn.Module):
    def call(self): ...
class Base(Root):
    def __init__(self):
        self.proj = nn.Linear(1, 2)
        if True:
            self.proj = None
    def call(self): ...
class Mixin(Root):
    def extra(self): ...
"""


def test_a_tree_that_a_computation_holds_is_not_made_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernelscope.workspace.modules.KEPT_BYTES", 1)
    files = workspace("## main.py\nx = 1\n## other.py\ny = 2\n")
    main, other = (f"{files.roots[0]}/{name}.py" for name in ("main", "other"))
    all_modules, seen = Modules(files), SeenFiles()
    with all_modules.steady(seen):
        held = all_modules.module(main)
    assert all_modules.module(other) is not None  # takes the place of the first
    assert all_modules.module(main) is held
    files.set_text(main, b"x = 3\n")
    assert all_modules.module(main) is not held


def test_a_tree_that_nobody_asks_for_while_texts_change_is_not_kept(workspace: Workspace) -> None:
    files = workspace("## main.py\nx = 1\n## other.py\ny = 2\n## old.py\nz = 2\n")
    main, other, old = (f"{files.roots[0]}/{name}.py" for name in ("main", "other", "old"))
    all_modules = Modules(files)
    kept, left = weakref.ref(all_modules.module(other)), weakref.ref(all_modules.module(old))
    for number in range(KEPT_CHANGES + 1):
        files.set_text(main, b"x = %d\n" % number)
        assert all_modules.module(main) is not None
        assert all_modules.module(other) is kept()
    assert left() is None
    assert all_modules.module(old) is not None


def test_class_order_attributes_and_stores(workspace: Workspace) -> None:
    files = workspace(CLASSES)
    modules = Modules(files)
    classes = Classes(modules)
    model = modules.definition(files.roots[0] + "/main.py", "Model")
    assert model is not None
    order = [entry.name if isinstance(entry, Definition) else says(entry, files) for entry in classes.mro(model)]
    assert order == ["Model", "Mixin", "Base", "Root", "external torch.nn.Module", "external typing.Generic"]
    assert says(classes.attribute(model, "extra"), files) == "base.py:extra"
    assert says(classes.attribute(model, "register_buffer"), files) == "external torch.nn.Module.register_buffer"
    width = classes.attribute(model, "width")
    assert isinstance(width, Definition) and width.qualified == "Model.width"
    assert len(width.node.args) == 1  # type: ignore[union-attr]
    assert [s.method.qualified for s in classes.stored(model, "proj")] == ["Base.__init__"] * 2
    assert [s.method.qualified for s in classes.stored(model, "cache")] == ["Model.forward"]
    mixin = modules.definition(files.roots[0] + "/main.py", "Mixin")
    assert mixin is not None and is_class(mixin)
    assert says(classes.super_attribute(mixin, model, "call"), files) == "base.py:call"


def test_which_methods_store_an_attribute(workspace: Workspace) -> None:
    files = workspace(
        """
## main.py
class Cache:
    def __init__(self, size):
        self.size, (self.keys, *self.rest) = size, ([], 1)
        other.owner = self
        def later(self):
            self.inner = 1
    @staticmethod
    def grow(cache: "Cache") -> None:
        cache.size += 1
        cache.pages[0].count: int = 2
    async def put(self, key):
        for key in self.keys:
            self.size = self.keys = key
class Paged(Cache):
    def grow(self):
        if self.size:
            self.size = 2
"""
    )
    modules = Modules(files)
    classes = Classes(modules)
    main = str(files.roots[0] + "/main.py")
    cache, paged = (modules.resolve(main, name) for name in ("Cache", "Paged"))
    assert is_class(cache) and is_class(paged)
    of_cache = {"size": {"__init__", "grow", "put"}, "keys": {"__init__", "put"}, "rest": {"__init__"}}
    assert classes.storing(classes.mro(cache)) == of_cache
    assert classes.storing(classes.mro(paged)) == {**of_cache, "size": {"grow"}}
    assert classes.stored_in_others(main) == {"owner", "count"}


def test_more_trees_are_kept_while_a_whole_system_is_looked_at(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernelscope.workspace.modules.KEPT_BYTES", 1)
    files = workspace("## main.py\nx = 1\n## other.py\ny = 2\n")
    main, other = (f"{files.roots[0]}/{name}.py" for name in ("main", "other"))
    all_modules, parsed = Modules(files), list[bytes]()

    def parse(data: bytes, before: Module | None) -> Module:
        parsed.append(data)
        return parse_module(data, before)

    monkeypatch.setattr("kernelscope.workspace.modules.parse_module", parse)
    with all_modules.roomy():
        for path in (main, other, main, other):
            assert all_modules.module(path) is not None
    assert len(parsed) == 2
    for path in (other, main):
        assert all_modules.module(path) is not None
    assert len(parsed) == 3  # the last one was still there
