"""Python's other ways into native code: loaders of sources and libraries, and calls by the name of a target.

`module.f(x)` where `module` was loaded from `.cu`, `.cpp` or `.so`, by whatever loader; `ffi_call("target")`. What the
native side defines is found by name; which build produced it is not known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from kernelscope.graph.kinds import Edge, EdgeKind, Node, NodeKind
from kernelscope.syntax.python.tree import (
    Assign,
    Attribute,
    Call,
    Constant,
    Expr,
    FunctionDef,
    Name,
    Return,
    dotted,
    inside,
    walk,
)
from kernelscope.workspace.modules import Definition, External, Modules

MAX_HOPS = 4
MAX_FOUND = 4
_NATIVE_PATH = re.compile(r"[\w./-]+\.(?:cuh?|cpp|cc|cxx|hip|so|dll|dylib)\b")
_LOADERS = frozenset({"load_inline", "CDLL", "PyDLL", "LoadLibrary", "load_module", "load_library"})
"""Loaders of public libraries whose sources may stand in variables; any call that names a native file is one too."""
_GETTERS = frozenset({"get_function", "get_global_func"})
_MEMBER = """["']%s["']\\s*,\\s*[fr]*["']&?([^"'\\n]+)"""
"""A pair of Python's name and the C++ function, among the arguments of a loader."""

HANDED = "handed on here, called where it is passed to"
NativeFunctions = Callable[[str], list[Node]]
"""Exports and C++ functions by their last name, the ones made for Python first."""


class _Loaded(Struct, frozen=True):
    """A place where a native module is made: the file it stands in and the call."""

    path: str
    call: Call
    is_sure: bool = True
    """False where the call may give no module, as `open(file).read()`: only what C++ defines is said of it then."""


class NativeModules:
    """Follows receivers of calls to the place that loads them."""

    def __init__(self, modules: Modules, functions: NativeFunctions) -> None:
        self._modules = modules
        self._functions = functions

    def edges(self, source: Node, function: Definition, called: str, line: int) -> Iterator[Edge]:
        """Edges of a call `module.f(...)` or `f(...)` in a function, when it leads into a native module."""
        receiver, _, name = called.rpartition(".")
        if receiver == "?":
            for made_by in _receivers(function, name):
                loaded = self._made(function.path, made_by)
                yield from self._member(source, loaded and replace(loaded, is_sure=False), name, line)
            return
        if not receiver:
            value = _assigned(function).get(name)
            match value:
                case Attribute(value=Name(id=receiver), attr=name):
                    pass
                case Call(func=Attribute(value=Name(id=receiver), attr=attr), args=[Constant(value=str() as name), *_]):
                    if attr not in _GETTERS:
                        return
                case Call(func=Name()):
                    for loaded, attr in self._given_member(function.path, value):
                        yield from self._member(source, loaded, attr, line)
                    return
                case _:
                    return
        if "." not in receiver:
            yield from self._member(source, self._loaded(function.path, _assigned(function), receiver), name, line)

    def _given_member(self, path: str, made_by: Call) -> Iterator[tuple[_Loaded, str]]:
        """What a function gives that returns one of a module's functions: `return load(...).scale`."""
        name = dotted(made_by.func)
        maker = self._modules.definition(path, name) if name else None
        for given in _returned(maker) if maker is not None and isinstance(maker.node, FunctionDef) else ():
            if maker is not None and isinstance(given, Attribute):
                value = given.value
                value = _assigned(maker).get(value.id) if isinstance(value, Name) else value
                if (loaded := self._made(maker.path, value, maker)) is not None:
                    yield loaded, given.attr

    def members(self, path: str, function: Definition | None, receiver: str, name: str) -> list[Node]:
        """What the native module behind a variable of a function, or of a file, has under a name."""
        loaded = self._loaded(path, _assigned(function) if function is not None else {}, receiver)
        return self._under(loaded, name)[2] if loaded is not None else []

    def _member(self, source: Node, loaded: _Loaded | None, name: str, line: int) -> Iterator[Edge]:
        """Edges to what a native module has under a name."""
        if loaded is None:
            return
        module = self._modules.module(loaded.path)
        place = module.text.line_of(loaded.call.span.start) if module else 0
        files, target, found = self._under(loaded, name)
        detail = "native module" + (f" {', '.join(files[:3])}" if files else "")
        binding = Node(NodeKind.BINDING, name, loaded.path, loaded.call.span.start, place, detail)
        if not loaded.is_sure and not found:
            return
        yield Edge(EdgeKind.CALLS, source, binding, source.path, line)
        yield from _bound(binding, target, found)

    def _under(self, loaded: _Loaded, name: str) -> tuple[list[str], str, list[Node]]:
        """The files that a native module is made of, the C++ name behind one of Python's, and what is defined so."""
        module = self._modules.module(loaded.path)
        text = module.text.slice(loaded.call.span) if module else ""
        files = sorted(set(_NATIVE_PATH.findall(text)))
        paired = re.search(_MEMBER % re.escape(name), text)
        target = re.sub(r"<.*>|\s", "", paired[1]) if paired else name
        return files, target, self._defined(target, bool(paired), files)

    def handed(self, source: Node, function: Definition) -> Iterator[Edge]:
        """Edges to functions of a native module that a call is given: `run(module.scale, x)`."""
        local = _assigned(function)
        for node in walk(function.node):
            if not isinstance(node, Call):
                continue
            for given in (*node.args, *(keyword.value for keyword in node.keywords)):
                match given:
                    case Attribute(value=Name(id=receiver), attr=name) if isinstance(local.get(receiver), Call):
                        loaded = self._made(function.path, local[receiver])
                        module = self._modules.module(function.path) if loaded is not None else None
                        if module is not None and loaded is not None:
                            line = module.text.line_of(given.span.start)
                            member = self._member(source, replace(loaded, is_sure=False), name, line)
                            yield from (
                                replace(e, certain=False, note=HANDED) if e.source == source else e for e in member
                            )
                    case _:
                        pass

    def named(self, source: Node, target: str, line: int) -> Iterator[Edge]:
        """Edges of a call by the name of a registered target: `ffi_call("scale")`."""
        binding = Node(NodeKind.BINDING, target, source.path, -1, line, "foreign function")
        yield Edge(EdgeKind.CALLS, source, binding, source.path, line)
        yield from _bound(binding, target, self._defined(target, False, []))

    def _defined(self, name: str, paired: bool, files: list[str]) -> list[Node]:
        """What C++ defines under a name: `Owner::f` in that struct or namespace, of several those in loaded files."""
        owner, _, tail = name.rpartition("::")
        found = self._functions(tail)
        if paired and owner:
            owner = owner.rpartition("::")[2]
            inside = [node for node in found if node.name.startswith(f"{owner}::")]
            found = inside or [node for node in found if not owner.isidentifier() or "::" not in node.name]
        loaded = [node for node in found if node.path.endswith(tuple(f"/{file.lstrip('./')}" for file in files))]
        return (loaded or found)[:MAX_FOUND]

    # -- receivers ------------------------------------------------------------------------------------------

    def _loaded(self, path: str, local: Mapping[str, Expr], receiver: str) -> _Loaded | None:
        """The call that makes the module behind a name: assigned here, at the top level, or returned by a function."""
        value = local.get(receiver)
        if value is None:
            definition = self._modules.resolve(path, receiver)
            if not isinstance(definition, Definition) or not isinstance(definition.node, Assign):
                return None
            path, value = definition.path, definition.node.value
        return self._made(path, value)

    def _made(
        self,
        path: str,
        value: Expr | None,
        around: Definition | None = None,
        hops: int = MAX_HOPS,
        is_sure: bool = True,
    ) -> _Loaded | None:
        """The loader's call behind a value of the function `around`, through functions that return it and wrappers."""
        if not isinstance(value, Call) or not hops:
            return None
        if self._is_loader(path, value):
            return _Loaded(path, value, is_sure)
        if isinstance(value.func, Attribute) and isinstance(value.func.value, Call):
            return self._made(path, value.func.value, around, hops - 1, False)
        name = dotted(value.func)
        made_by = self._modules.definition(path, name) if name else None
        if made_by is None:
            return None
        if isinstance(made_by.node, FunctionDef):
            found = (self._made(made_by.path, given, made_by, hops - 1, is_sure) for given in _returned(made_by))
            return next(filter(None, found), None)
        given = value.args[0] if value.args else None  # an object around the library that it is given
        if isinstance(given, Name):
            given = _assigned(around).get(given.id) if around is not None else None
        return self._made(path, given, around, hops - 1, False)

    def _is_loader(self, path: str, call: Call) -> bool:
        name = dotted(call.func) or ""
        if name.rpartition(".")[2] in _LOADERS and isinstance(self._modules.resolve(path, name), External):
            return True
        return any(
            isinstance(part, Constant) and isinstance(part.value, str) and _NATIVE_PATH.search(part.value)
            for argument in (*call.args, *(keyword.value for keyword in call.keywords))
            for part in walk(argument)
        )


def _bound(binding: Node, name: str, found: list[Node]) -> Iterator[Edge]:
    for node in found:
        yield Edge(EdgeKind.BINDS, binding, node, binding.path, binding.line, len(found) == 1)
    if not found:
        missing = Node(NodeKind.MISSING, f"no definition of {name} among the C++ and CUDA files of the workspace")
        yield Edge(EdgeKind.BINDS, binding, missing, binding.path, binding.line)


def _receivers(function: Definition, name: str) -> list[Call]:
    """The calls whose result `name` is called of: `module(dtype).name(x)`."""
    return [
        node.func.value
        for node in walk(function.node)
        if isinstance(node, Call)
        and isinstance(node.func, Attribute)
        and node.func.attr == name
        and isinstance(node.func.value, Call)
    ]


def _assigned(function: Definition) -> dict[str, Expr]:
    """What a function assigns to its local names, the last time."""
    nodes = inside(function.node) if isinstance(function.node, FunctionDef) else walk(function.node)
    return {
        target.id: node.value
        for node in nodes
        if isinstance(node, Assign)
        for target in node.targets
        if isinstance(target, Name)
    }


def _returned(function: Definition) -> Iterator[Expr]:
    """What a function returns, each followed through one local name; its own result is none."""
    local = _assigned(function)
    for node in walk(function.node):
        if isinstance(node, Return) and node.value is not None:
            value = local.get(node.value.id) if isinstance(node.value, Name) else node.value
            if value is not None and not (isinstance(value, Call) and dotted(value.func) == function.name):
                yield value
