"""From a Target to the Python definition it means: by symbol, by offset, or the file's own main definition.

CUDA targets are found by the CUDA modules themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kernelscope.kernels.triton.recognition import written_as_text
from kernelscope.results import LeftOut, Location, Target, UserError
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module, Scope
from kernelscope.workspace.classes import is_class
from kernelscope.workspace.files import PYTHON_SUFFIXES, SOURCE_SUFFIXES
from kernelscope.workspace.modules import MAX_LOWERED_BYTES, Definition
from kernelscope.workspace.workspace import Workspace

FORWARDS = ("forward", "__call__", "call")
"""Methods that do a module's work; one with a `__call__` of its own has its work in `forward`."""
ONE_FORWARD = "forward_"
"""How the methods are called of which a module takes one as its forward: `forward_native`, `forward_cuda`."""


def check_readable(workspace: Workspace, path: Path) -> None:
    """Raises UserError when a file that was asked for is none that can be read, with the reason."""
    files, name = workspace.files, path.name
    if files.is_folder(str(path)):
        return
    if path.suffix not in SOURCE_SUFFIXES:
        raise UserError(f"{name} is no Python, Triton or CUDA source")
    data = files.read(str(path))
    if isinstance(data, LeftOut):
        raise UserError(f"{name} was not read: {data.reason}")
    if path.suffix in PYTHON_SUFFIXES and len(data) > MAX_LOWERED_BYTES:
        raise UserError(f"{name} was not read: {len(data) / (1 << 20):.1f} MiB of Python in one file is generated code")


def syntax_error_line(module: Module) -> int | None:
    """The line of the first syntax error."""
    error = module.first_error
    return None if error is None else module.text.line_of(error)


@dataclass(frozen=True, slots=True)
class PythonTarget:
    """A definition of a Python file; `scope` is None when the file as a whole is meant."""

    path: Path
    module: Module
    scope: Scope | None
    receiver: Definition | None = None
    """The class whose object a method is called on, where that is one that inherits it."""

    @property
    def title(self) -> str:
        """What the definition is called: a method that is inherited is that of the class which was asked for."""
        assert self.scope is not None
        own = self.scope.qualified_name
        return own if self.receiver is None else f"{self.receiver.name}.{self.scope.node.name}"

    @property
    def definition(self) -> Definition:
        assert self.scope is not None
        owner = Definition(str(self.path), self.scope.owner.name, self.scope.owner) if self.scope.owner else None
        return Definition(str(self.path), self.scope.node.name, self.scope.node, owner)


def text_kernel(name: str, place: Location) -> str:
    """What is told of a kernel whose source is a string."""
    return (
        f"`{name}` is a Triton kernel written as text ({place}): it is compiled when the program runs, and what it "
        "does is not told."
    )


def _written(module: Module, target: Target) -> str:
    """What is told of a symbol that only a string of the file defines; empty for others."""
    found = (string for name, string in written_as_text(*module.body) if name == target.symbol)
    return next((text_kernel(target.symbol or "", module.text.location(target.path, s.span)) for s in found), "")


def python_target(workspace: Workspace, target: Target) -> PythonTarget:
    """The definition at a target. Raises UserError when the file cannot be read or has no such symbol."""
    module = workspace.modules.module(str(target.path))
    if module is None:
        raise UserError(f"{target.path} cannot be read as Python source")
    if target.symbol is not None:
        wanted = target.symbol.split(".")
        for scope in module.scopes:
            if list(scope.path[-len(wanted) :]) == wanted:
                return PythonTarget(target.path, module, scope)
        if (held := _inherited_method(workspace, target.path, target.symbol)) is not None:
            return held
        raise UserError(_written(module, target) or f"{target.path.name} defines no {target.symbol}")
    if target.offset is not None:
        return PythonTarget(target.path, module, module.scope_at(target.offset))
    return PythonTarget(target.path, module, None)


def function_of(workspace: Workspace, found: PythonTarget) -> PythonTarget:
    """The function a target means: itself, or a class's `forward`, its own or inherited; of several that are chosen
    from when it runs, the first. In a constructor the object that it makes is meant. Raises UserError when there is
    none."""
    scope = found.scope
    if scope is None:
        raise UserError(f"name a function of {found.path.name}: FILE:LINE or FILE::function")
    if isinstance(scope.node, t.FunctionDef):
        return _made(workspace, found, scope) if scope.node.name == "__init__" else found
    methods = {inner.node.name: inner for inner in found.module.scopes if inner.owner is scope.node}
    for name in FORWARDS:
        if name in methods:
            return replace(found, scope=methods[name])
    inherited = next(_inherited(workspace, found.definition), None)
    if inherited is not None:
        return inherited
    for name, method in methods.items():
        if name.startswith(ONE_FORWARD):
            return replace(found, scope=method)
    raise UserError(f"{scope.qualified_name} has no forward method")


def _made(workspace: Workspace, found: PythonTarget, constructor: Scope) -> PythonTarget:
    """The forward of what a constructor makes; itself where there is none."""
    cls = next((scope for scope in found.module.scopes if scope.node is constructor.owner), None)
    try:
        return found if cls is None else function_of(workspace, replace(found, scope=cls))
    except UserError:
        return found


def _inherited(workspace: Workspace, cls: Definition) -> Iterator[PythonTarget]:
    """The forward of a base class of the workspace; one that takes anything only hands it on to another method."""
    for name in FORWARDS:
        found = _of_base(workspace, cls, name)
        if found is not None and any(p.kind not in ("args", "kwargs") for p in _parameters(found)[1:]):
            yield found


def _inherited_method(workspace: Workspace, path: Path, symbol: str) -> PythonTarget | None:
    """What `Class.method` means where a base of the class has the method."""
    holder, _, name = symbol.rpartition(".")
    cls = workspace.modules.definition(str(path), holder) if holder else None
    return _of_base(workspace, cls, name) if cls is not None and is_class(cls) else None


def _of_base(workspace: Workspace, cls: Definition, name: str) -> PythonTarget | None:
    """A method as an object of a class inherits it."""
    held = workspace.classes.attribute(cls, name)
    if not isinstance(held, Definition) or not isinstance(held.node, t.FunctionDef):
        return None
    module = workspace.modules.module(held.path)
    scope = next((scope for scope in module.scopes if scope.node is held.node), None) if module is not None else None
    return PythonTarget(Path(held.path), module, scope, cls) if module is not None and scope is not None else None


def _parameters(found: PythonTarget) -> list[t.Param]:
    node = found.scope.node if found.scope is not None else None
    return node.args if isinstance(node, t.FunctionDef) else []


def class_of(found: PythonTarget) -> Scope:
    """The class a target means: itself, or the one around a method. Raises UserError when there is none."""
    scope = found.scope
    while scope is not None and not isinstance(scope.node, t.ClassDef):
        owner = scope.owner
        scope = next((s for s in found.module.scopes if s.node is owner), None) if owner is not None else None
    if scope is None:
        raise UserError(f"name a class of {found.path.name}: FILE:LINE or FILE::Class")
    return scope
