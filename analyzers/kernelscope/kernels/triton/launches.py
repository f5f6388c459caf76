"""Where kernels are launched, with the grid and the arguments said in the kernel's own words.

`kernel[grid](...)` is followed from the grid's name to its lambda, tuple or caller. What only the host knows keeps
the host's names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kernelscope.dims import Dim, ceil_div, dim, maximum, minimum, product
from kernelscope.dims.monomial import Opaque
from kernelscope.kernels.triton.host_values import (
    META,
    GridFunction,
    HostScope,
    HostValue,
    Plain,
    Thing,
    as_dim,
)
from kernelscope.results import Location
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.workspace import Workspace

MAX_LAUNCHES = 12
MAX_FILES = 40
OPTIONS = frozenset(("num_warps", "num_stages", "num_ctas", "maxnreg", "grid", "warmup", "stream"))


@dataclass(frozen=True, slots=True)
class Launch:
    """One launch. `grid` is None where it could not be followed; `text` is the grid as written.

    `arguments`: what is passed, by parameter, in the host's words; `options`: `num_warps` and its kin where known.
    """

    location: Location
    text: str
    grid: tuple[Dim, ...] | None
    arguments: tuple[tuple[str, HostValue], ...]
    options: tuple[tuple[str, int], ...]
    resolved: bool
    """Whether the grid speaks of the kernel's own parameters only."""
    complete: bool
    """Whether every argument is written out, without `*` and `**`."""
    passed: frozenset[str] = frozenset()
    """Names of what is passed, by position or by keyword."""
    surplus: int = 0
    """Positional arguments beyond the kernel's parameters."""


def launches(workspace: Workspace, path: str, node: t.FunctionDef) -> list[Launch]:
    """Launches of a kernel, of its own file first; those with a grid in the kernel's words come first."""
    found: list[Launch] = []
    for file in _files(workspace, path, node.name):
        for site in _sites(workspace, file, path, node):
            found.append(_launch(workspace, file, site, node))
            if len(found) >= MAX_LAUNCHES:
                break
        if len(found) >= MAX_LAUNCHES or (found and file != path and len(found) > 4):
            break
    return sorted(found, key=lambda launch: (not launch.resolved, launch.grid is None))


@dataclass(frozen=True, slots=True)
class _Site:
    call: t.Call
    grid: t.Expr
    function: t.FunctionDef | None


def _files(workspace: Workspace, path: str, name: str) -> Iterator[str]:
    yield path
    for count, file in enumerate(workspace.usages.files_with(name, b"[", path)):
        if count >= MAX_FILES:
            return
        if file != path:
            yield file


def _sites(workspace: Workspace, file: str, path: str, node: t.FunctionDef) -> Iterator[_Site]:
    """Calls `name[...](...)` of a file whose name means the kernel."""
    module = workspace.modules.module(file)
    if module is None or node.name.encode() not in module.text.data:
        return
    roots: list[tuple[t.FunctionDef | None, list[t.Stmt]]] = [(None, module.body)]
    for scope in module.functions():
        if isinstance(scope.node, t.FunctionDef):
            roots.append((scope.node, scope.node.body))
    for function, body in roots:
        if function is not None and node.name.encode() not in module.text.data[function.span.start : function.span.end]:
            continue
        for inner in _walk(body):
            if not isinstance(inner, t.Call) or not isinstance(inner.func, t.Subscript):
                continue
            name = t.dotted(inner.func.value)
            if name is None or name.rpartition(".")[2] != node.name:
                continue
            if file == path and name == node.name:
                yield _Site(inner, inner.func.slice, function)
                continue
            found = workspace.modules.definition(file, name)
            local = found is None and function is not None and _imports(function, node.name)
            if (found is not None and found.node is node) or local:
                yield _Site(inner, inner.func.slice, function)


def _imports(function: t.FunctionDef, name: str) -> bool:
    return any(
        isinstance(s, t.ImportFrom) and any(alias.bound == name for alias in s.names) for s in t.flat(function.body)
    )


def _walk(body: list[t.Stmt]) -> Iterator[t.Node]:
    """Nodes of a body without those of the definitions inside it."""
    todo: list[t.Node] = list(reversed(body))
    while todo:
        node = todo.pop()
        if isinstance(node, t.FunctionDef | t.ClassDef):
            continue
        yield node
        todo.extend(reversed(list(t.children(node))))


def _launch(workspace: Workspace, file: str, site: _Site, node: t.FunctionDef) -> Launch:
    module = workspace.modules.module(file)
    assert module is not None
    best: Launch | None = None
    for scope in _scopes(workspace, file, site.function):
        at = site.call.span.start
        arguments = _arguments(scope, site.call, node, at)
        grid = _grid(scope.evaluate(site.grid, at), scope, at)
        own: tuple[Dim, ...] | None = None
        resolved = False
        if grid is not None:
            words = _Words(arguments, node, site.function.name if site.function is not None else "host")
            own = tuple(words.own(d) for d in grid)
            resolved = not words.foreign
        options = tuple(
            (k.arg, number.const)
            for k in site.call.keywords
            if k.arg in OPTIONS and (number := as_dim(scope.evaluate(k.value, at))) is not None
            if number.const is not None
        )
        complete = not any(isinstance(a, t.Starred) for a in site.call.args) and all(
            k.arg is not None for k in site.call.keywords
        )
        location = module.text.location(Path(file), site.call.func.span)
        text = module.text.slice(site.grid.span)
        passed = frozenset(p.name for p in node.args[: len(site.call.args)]) | {
            k.arg for k in site.call.keywords if k.arg is not None
        }
        surplus = max(0, len(site.call.args) - len(node.args))
        launch = Launch(location, text, own, tuple(arguments.items()), options, resolved, complete, passed, surplus)
        if launch.resolved:
            return launch
        best = best if best is not None and best.grid is not None else launch
    assert best is not None
    return best


def _scopes(workspace: Workspace, file: str, function: t.FunctionDef | None) -> Iterator[HostScope]:
    """The host function by itself, then as its callers use it: a grid may be its argument."""
    yield HostScope(workspace.modules, file, function)
    if function is None:
        return
    definition = Definition(file, function.name, function)
    for site in workspace.usages.calls(definition, limit=4, seconds=0.1).sites:
        outer = HostScope(workspace.modules, site.path, site.function)
        at = site.call.span.start
        bound = dict(
            zip((p.name for p in function.args), (outer.evaluate(a, at) for a in site.call.args), strict=False)
        )
        bound |= {k.arg: outer.evaluate(k.value, at) for k in site.call.keywords if k.arg is not None}
        known = {name: value for name, value in bound.items() if value is not None}
        yield HostScope(workspace.modules, file, function, known)


def _grid(value: HostValue, scope: HostScope, at: int, depth: int = 0) -> tuple[Dim, ...] | None:
    match value:
        case GridFunction() if depth < 4:
            params = value.params[:1]
            inner = value.scope.evaluate(value.result, value.result.span.end, 0, params)
            if value.scope.path == scope.path and value.scope.node is scope.node:
                inner = scope.evaluate(value.result, at, 0, params)
            return _grid(inner, scope, at, depth + 1)
        case tuple():
            sizes = [as_dim(item) for item in value]
            known = [size for size in sizes if size is not None]
            return tuple(known) if len(known) == len(sizes) and known else None
        case Dim():
            return (value,)
        case _:
            return None


def _arguments(scope: HostScope, call: t.Call, node: t.FunctionDef, at: int) -> dict[str, HostValue]:
    """What is passed, by parameter."""
    found: dict[str, HostValue] = {}
    names = [p.name for p in node.args]
    for name, argument in zip(names, call.args, strict=False):
        if isinstance(argument, t.Starred):
            break
        found[name] = scope.evaluate(argument, at)
    for keyword in call.keywords:
        if keyword.arg in names:
            found[keyword.arg] = scope.evaluate(keyword.value, at)
    return found


class _Words:
    """From the host's sizes to the kernel's parameters."""

    def __init__(self, arguments: dict[str, HostValue], node: t.FunctionDef, host: str) -> None:
        self.params = {p.name for p in node.args}
        self.host = host
        self.foreign: set[str] = set()
        self.exact: dict[Dim, str] = {}
        for name, value in arguments.items():
            if isinstance(value, Thing) and value.shape is not None:
                continue
            number = as_dim(value) if not isinstance(value, Plain) else None
            if number is not None and number.const is None:
                self.exact.setdefault(number, name)

    def own(self, size: Dim) -> Dim:
        """The size in the kernel's words, as far as they reach."""
        if size.const is not None:
            return size
        if size in self.exact:
            return dim(self.exact[size])
        result = dim(0)
        for monomial, coefficient in size.terms:
            term = Dim(((monomial, 1),))
            factors: list[Dim] = [dim(coefficient)]
            for known, name in self.exact.items():
                if len(known.terms) == 1 and (rest := term.exact_div(known)) is not None:
                    factors.append(dim(name))
                    term = rest
            for atom_monomial, c in term.terms:
                factors.append(dim(c))
                for atom, exponent in atom_monomial:
                    factors.append(self._atom(atom) ** exponent)
            result = result + product(factors)
        return result

    def _atom(self, atom: str | Opaque) -> Dim:
        if isinstance(atom, str):
            if atom.startswith(META):
                return dim(atom.removeprefix(META))
            if (known := self.exact.get(dim(atom))) is not None:
                return dim(known)
            plain = atom.replace("′", "")
            self.foreign.add(plain)
            return dim(f"{self.host}.{plain}" if plain in self.params else plain)
        whole = Dim(((((atom, 1),), 1),))
        if whole in self.exact:
            return dim(self.exact[whole])
        parts = tuple(self.own(part) for part in atom.args)
        match atom.op:
            case "//":
                return parts[0] // parts[1]
            case "%":
                return parts[0] % parts[1]
            case "cdiv":
                return ceil_div(*parts)
            case "max":
                return maximum(*parts)
            case _:
                return minimum(*parts)
