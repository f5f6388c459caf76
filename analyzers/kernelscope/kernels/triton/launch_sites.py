"""Where the launches of one kernel stand: by its name, by names given to it, in functions that get it as an argument.

What a launch passes is told in `launches`.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from kernelscope.kernels.triton.host_bindings import Binding, Branch, bindings, reaching
from kernelscope.kernels.triton.surroundings import functions_around
from kernelscope.syntax.of_nodes import kept_of_nodes
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module
from kernelscope.workspace.modules import Definition, External
from kernelscope.workspace.usages import CallSite
from kernelscope.workspace.workspace import Workspace

MAX_FILES = 40


@dataclass(frozen=True, slots=True)
class LaunchSite:
    """One launch in one function; `caller` is the call that hands the kernel to the function, where one does."""

    file: str
    call: t.Call
    grid: t.Expr
    function: t.FunctionDef | None
    caller: CallSite | None = None
    branches: tuple[Branch, ...] = ()
    """Where the launched name is given the kernel: the launch is of another one elsewhere."""


def launching_files(workspace: Workspace, path: str, name: str) -> Iterator[str]:
    """The file of a kernel, then those that launch something of its name, the nearest first."""
    yield path
    yield from (file for file in workspace.usages.files_with(name, b"[", path)[:MAX_FILES] if file != path)


def naming_files(workspace: Workspace, path: str, name: str, tried: Container[str]) -> Iterator[str]:
    """Other files that speak of a kernel: they may launch it by another name."""
    yield from (file for file in workspace.usages.files_naming(name, path)[:MAX_FILES] if file not in tried)


class _Given:
    """What names of a body are given, read when first asked for."""

    def __init__(self, body: list[t.Stmt]) -> None:
        self.body = body
        self._bindings: dict[str, list[Binding]] | None = None

    def of(self, name: str) -> list[Binding]:
        if self._bindings is None:
            self._bindings = bindings(self.body)
        return self._bindings.get(name, [])

    def held(self, name: str, at: int) -> list[Binding]:
        """What a name may hold at a place."""
        return reaching(self.of(name), at)


class LaunchSites:
    """Finds the launches `kernel[grid](...)` of one kernel in a file: by its name, by names given to it, and in
    functions that get it as an argument."""

    def __init__(self, workspace: Workspace, file: str, path: str, node: t.FunctionDef) -> None:
        self.workspace = workspace
        self.modules = workspace.modules
        self.file = file
        self.path = path
        self.kernel = node
        self.home = functions_around(self.modules, path, node.span.start, node)
        """The functions that the kernel stands in: only they know it by its name."""
        self.known_as = frozenset((node.name,))
        """What the file calls the kernel: its name, and those that imports give it."""
        self.choosers: frozenset[str] = frozenset()
        """Functions of the kernel's own file that return it, or another."""

    def found(self) -> Iterator[LaunchSite]:
        module = self.modules.module(self.file)
        name = self.kernel.name.encode()
        if module is None or name not in module.text.data or not self._may_launch(module.text.data):
            return
        renamed = re.findall(rb"\b%b\s+as\s+(\w+)" % re.escape(name), module.text.data)
        self.known_as |= {other.decode() for other in renamed}
        around: dict[t.FunctionDef, None] = {}
        if self.file == self.path and not self.home:
            self.choosers = frozenset(_choosers(module, self.kernel.name))
        choosers = (chooser.encode() for chooser in self.choosers)
        names = b"|".join(map(re.escape, (name, *renamed, *self._wrappers(module), *choosers)))
        for match in re.finditer(rb"\b(?:%b)\b" % names, module.text.data):
            scopes = [scope.node for scope in module.scopes_around(match.start())]
            around |= dict.fromkeys(node for node in scopes if isinstance(node, t.FunctionDef))
        yield from self._in(None, module.body, _calls(module))
        for function in sorted(around.keys() - {self.kernel}, key=lambda node: node.span.start):
            yield from self._in(function, function.body, _calls(function))

    def _may_launch(self, data: bytes) -> bool:
        """Whether a file can know the kernel at all, before its functions are looked into."""
        name = self.kernel.name
        if self.file == self.path or self.modules.definition(self.file, name) is not None:
            return bool(self.home) or self._is_kernel(name, None)
        told = rb"\bimport\b[^\n]*\b%b\b|\.%b\s*\[|\b%b\s+as\s" % ((re.escape(name).encode(),) * 3)
        return re.search(told, data) is not None

    def _in(self, function: t.FunctionDef | None, body: list[t.Stmt], calls: Iterable[t.Call]) -> Iterator[LaunchSite]:
        given = _Given(body)
        for inner in calls:
            if isinstance(inner.func, t.Subscript):
                if self._means(inner.func.value, function, given):
                    branches = self._branches(inner.func.value, function, given)
                    yield LaunchSite(self.file, inner, inner.func.slice, function, branches=branches)
            elif (kernel := _given_as(inner, "kernel")) is not None and self._means(kernel, function, given):
                grids = [grid for grid in _grids_given(inner, given) if grid is not None]
                yield from (LaunchSite(self.file, inner, grid, function) for grid in grids[:1])
            else:
                yield from self._handed_over(inner, function)

    def _means(self, node: t.Expr, function: t.FunctionDef | None, given: _Given, depth: int = 0) -> bool:
        """Whether an expression is the kernel: its name, a name that was given it, or something that wraps it."""
        if depth > 3:
            return False
        match node:
            case t.Name() | t.Attribute():
                name = t.dotted(node)
                if name is None:
                    return False
                if name.rpartition(".")[2] in self.known_as:
                    return self._is_kernel(name, function)
                values = [b.value for b in given.held(name, node.span.start) if b.value is not None and b.index is None]
                if not values and isinstance(node, t.Name):
                    return self._is_wrapper(name)
                return any(self._means(value, function, given, depth + 1) for value in values)
            case t.IfExp():
                return any(self._means(part, function, given, depth + 1) for part in (node.body, node.orelse))
            case t.Call(func=t.Name(id=name)) if name in self.choosers:
                return True
            case t.Call():
                return any(self._means(part, function, given, depth + 1) for part in node.args[:2])
            case t.Subscript(value=t.Dict() as table):
                return any(self._means(part, function, given, depth + 1) for part in table.values)
            case t.Subscript(value=t.Name(id=name)):
                tables = [b.value for b in given.of(name) if isinstance(b.value, t.Dict)]
                return any(self._means(part, function, given, depth + 1) for table in tables for part in table.values)
            case _:
                return False

    def _branches(self, node: t.Expr, function: t.FunctionDef | None, given: _Given) -> tuple[Branch, ...]:
        """The sides of branches on which a name is given the kernel, where it is given it once."""
        held = given.held(node.id, node.span.start) if isinstance(node, t.Name) else []
        made = [b for b in held if b.value is not None and b.index is None and self._means(b.value, function, given)]
        return made[0].branches if len(made) == 1 else ()

    def _is_kernel(self, name: str, function: t.FunctionDef | None) -> bool:
        if self.file == self.path and name == self.kernel.name:
            return self._in_sight(function)
        if self.home:
            return False
        found = self.modules.definition(self.file, name)
        if found is None and self._is_behind_import(name):
            return True
        local = found is None and function is not None and _imports(function, name.rpartition(".")[2])
        return (found is not None and found.node is self.kernel) or local

    def _is_behind_import(self, name: str) -> bool:
        """Whether an import that leads out of the workspace ends in the kernel's own file: code that extends its search
        path imports so."""
        found = self.modules.resolve(self.file, name)
        if not isinstance(found, External):
            return False
        module, _, last = found.dotted.rpartition(".")
        return last == self.kernel.name and "." in module and self.path.endswith(f"/{module.replace('.', '/')}.py")

    def _wrappers(self, module: Module) -> Iterator[bytes]:
        """The names that the kernel's own file gives to what it makes of the kernel: `tuned = autotune(…)(kernel)`."""
        for statement in t.flat(module.body) if self.file == self.path else ():
            match statement:
                case t.Assign(targets=[t.Name(id=name)], value=made) if wraps(made, self.kernel.name):
                    yield name.encode()
                case _:
                    pass

    def _is_wrapper(self, name: str) -> bool:
        """Whether a name of this file is what the kernel's own file makes of the kernel."""
        found = self.modules.resolve(self.file, name)
        return (
            isinstance(found, Definition)
            and found.path == self.path
            and isinstance(found.node, t.Assign)
            and wraps(found.node.value, self.kernel.name)
        )

    def _in_sight(self, function: t.FunctionDef | None) -> bool:
        """Whether the kernel's name means the kernel in a function of its file: not where the kernel stands in another
        function, and not where a definition nearer by has that name."""
        around = functions_around(self.modules, self.path, function.span.start) if function is not None else ()
        if any(home not in around for home in self.home):
            return False
        nearer = around[: len(around) - len(self.home)]
        return not any(
            isinstance(inner, t.FunctionDef) and inner.name == self.kernel.name and inner is not self.kernel
            for scope in nearer
            for inner in t.flat(scope.body)
        )

    def _handed_over(self, call: t.Call, function: t.FunctionDef | None) -> Iterator[LaunchSite]:
        """Launches in the function that a call hands the kernel to."""
        passed: list[tuple[int | str, t.Expr]] = [*enumerate(call.args)]
        passed += [(k.arg, k.value) for k in call.keywords if k.arg is not None]
        for place, argument in passed:
            if not isinstance(argument, t.Name) or argument.id != self.kernel.name:
                continue
            name = t.dotted(call.func)
            found = self.modules.resolve(self.file, name) if name else None
            if not isinstance(found, Definition) or not isinstance(found.node, t.FunctionDef):
                return
            params = found.node.args
            param = place if isinstance(place, str) else params[place].name if place < len(params) else None
            caller = CallSite(self.file, call, function, None)
            for inner in _walk(found.node.body):
                if isinstance(inner, t.Call) and isinstance(inner.func, t.Subscript):
                    head = inner.func.value
                    if isinstance(head, t.Name) and head.id == param:
                        yield LaunchSite(found.path, inner, inner.func.slice, found.node, caller)


def _given_as(call: t.Call, name: str) -> t.Expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _grids_given(call: t.Call, given: _Given) -> Iterator[t.Expr | None]:
    """The grid of a call that gets the kernel too, as `triton_call(x, kernel=k, grid=g, BLOCK=64)` of JAX, also in the
    dictionary that holds its keywords."""
    yield _given_as(call, "grid")
    for keyword in call.keywords:
        if keyword.arg is None and isinstance(keyword.value, t.Name):
            for held in given.held(keyword.value.id, call.span.start):
                match held.value:
                    case t.Call(func=t.Name(id="dict")) as made:
                        yield _given_as(made, "grid")
                    case t.Dict(keys=keys, values=values):
                        pairs = zip(keys, values, strict=False)
                        yield next((v for k, v in pairs if isinstance(k, t.Constant) and k.value == "grid"), None)
                    case _:
                        pass


def _choosers(module: Module, kernel: str) -> Iterator[str]:
    """The functions of a file that return a kernel on one of their ways."""
    for match in re.finditer(rb"\breturn\b[^\n]*\b%b\b" % re.escape(kernel.encode()), module.text.data):
        for scope in module.scopes_around(match.start())[:1]:
            node = scope.node
            if isinstance(node, t.FunctionDef) and any(_returns(s, kernel) for s in _walk(node.body)):
                yield node.name


def _returns(statement: t.Node, kernel: str) -> bool:
    match statement:
        case t.Return(value=t.Name(id=name)):
            return name == kernel
        case t.Return(value=t.IfExp(body=t.Name(id=one), orelse=t.Name(id=other))):
            return kernel in (one, other)
        case _:
            return False


def wraps(made: t.Expr, kernel: str) -> bool:
    """Whether an expression is a call that is given the kernel of a name."""
    return isinstance(made, t.Call) and any(
        (isinstance(part, t.Name) and part.id == kernel) or wraps(part, kernel) for part in made.args
    )


def _imports(function: t.FunctionDef, name: str) -> bool:
    return any(
        isinstance(s, t.ImportFrom) and any(alias.bound == name for alias in s.names) for s in t.flat(function.body)
    )


@kept_of_nodes(64)
def _calls(holder: Module | t.FunctionDef) -> tuple[t.Call, ...]:
    """The calls that a function, or a module outside of its functions, makes itself."""
    return tuple(node for node in _walk(holder.body) if isinstance(node, t.Call))


def _walk(body: list[t.Stmt]) -> Iterator[t.Node]:
    """Nodes of a body without those of the definitions inside it."""
    todo: list[t.Node] = list(reversed(body))
    while todo:
        node = todo.pop()
        if isinstance(node, t.FunctionDef | t.ClassDef):
            continue
        yield node
        todo.extend(reversed(list(t.children(node))))
