"""Python's other ways into native code: loaders of sources and libraries, and calls by the name of a target.

`module.f(x)` where `module` was loaded from `.cu`, `.cpp` or `.so`, by whatever loader; `ffi_call("target")`. What the
native side defines is found by name; which build produced it is not known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from kernelscope.graph.kinds import Edge, EdgeKind, Node, NodeKind
from kernelscope.graph.native_holders import Held, NativeHolders, assigned, returned
from kernelscope.syntax.python.tree import Attribute, Call, Constant, Expr, FunctionDef, Name, dotted, walk
from kernelscope.workspace.classes import Classes
from kernelscope.workspace.modules import Definition, External, Modules

MAX_HOPS = 4
MAX_FOUND = 4
_NATIVE_PATH = re.compile(r"[\w./-]+\.(?:cuh?|cpp|cc|cxx|hip|so|dll|dylib)\b")
_SOURCE = re.compile(r"[\w./-]+\.(?:cu|cpp|cc|cxx)\Z")
_INCLUDED = re.compile(r"#include\s*+[<\"][^<>\"\n]*+")
"""In code that is handed over as text."""
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
    sources: tuple[str, ...] = ()
    """Files that are named around the call and not in it."""


class NativeModules:
    """Follows receivers of calls to the place that loads them."""

    def __init__(
        self,
        modules: Modules,
        classes: Classes,
        functions: NativeFunctions,
        node: Callable[[Definition], Node | None],
    ) -> None:
        self._modules = modules
        self._functions = functions
        self._holders = NativeHolders(modules, classes)
        self._node = node

    def edges(self, source: Node, function: Definition, called: str, line: int) -> Iterator[Edge]:
        """Edges of a call `module.f(...)` or `f(...)` in a function, when it leads into a native module."""
        receiver, _, name = called.rpartition(".")
        if receiver == "?":
            for made_by in _receivers(function, name):
                yield from self._through(source, Held(function.path, made_by, function), name, line, is_sure=False)
            return
        if not receiver:
            value = assigned(function).get(name)
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
        held = self._holders.values(function.path, function, receiver)
        for one in held:
            found = self._through(source, one, name, line, is_sure=len(held) == 1 and "." not in receiver)
            yield from (replace(e, certain=False) if len(held) > 1 and e.source == source else e for e in found)

    def _through(
        self, source: Node, held: Held, name: str, line: int, is_sure: bool = True, hops: int = MAX_HOPS
    ) -> Iterator[Edge]:
        """Edges to what a value has under a name, if it is a native module or a namespace of its functions."""
        if (loaded := self._made(held.path, held.value, held.around)) is not None:
            yield from self._member(source, loaded if is_sure else replace(loaded, is_sure=False), name, line)
            return
        match self._holders.given(held, name) if hops else None:
            case Definition() as inner:
                if (target := self._node(inner)) is not None and target != source:
                    yield Edge(EdgeKind.CALLS, source, target, source.path, line)
            case Held(path, Attribute(value=Name(id=receiver), attr=attr), around):
                for one in self._holders.values(path, around, receiver):
                    yield from self._through(source, one, attr, line, False, hops - 1)
            case _:
                pass

    def _given_member(self, path: str, made_by: Call) -> Iterator[tuple[_Loaded, str]]:
        """What a function gives that returns one of a module's functions: `return load(...).scale`."""
        name = dotted(made_by.func)
        maker = self._modules.definition(path, name) if name else None
        for given in returned(maker) if maker is not None and isinstance(maker.node, FunctionDef) else ():
            if maker is not None and isinstance(given, Attribute):
                value = given.value
                value = assigned(maker).get(value.id) if isinstance(value, Name) else value
                if (loaded := self._made(maker.path, value, maker)) is not None:
                    yield loaded, given.attr

    def members(self, path: str, function: Definition | None, receiver: str, name: str) -> list[Node]:
        """What the native module behind a variable of a function, or of a file, has under a name."""
        for held in self._holders.values(path, function, receiver):
            if (loaded := self._made(held.path, held.value, held.around)) is not None:
                return self._under(loaded, name)[2]
        return []

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
        yield from self._bound(binding, target, found)

    def _bound(self, binding: Node, name: str, found: list[Node]) -> Iterator[Edge]:
        for node in found:
            yield Edge(EdgeKind.BINDS, binding, node, binding.path, binding.line, len(found) == 1)
        if not found:
            count = len(self._functions(name.rpartition("::")[2]))
            text = f"no definition of {name} among the C++ and CUDA files of the workspace"
            text = f"{count} functions are exported as {name}: which is this module's is not known" if count else text
            yield Edge(EdgeKind.BINDS, binding, Node(NodeKind.MISSING, text), binding.path, binding.line)

    def _under(self, loaded: _Loaded, name: str) -> tuple[list[str], str, list[Node]]:
        """The files that a native module is made of, the C++ name behind one of Python's, and what is defined so."""
        module = self._modules.module(loaded.path)
        text = module.text.slice(loaded.call.span) if module else ""
        files = sorted({*_NATIVE_PATH.findall(_INCLUDED.sub("", text)), *loaded.sources})
        paired = re.search(_MEMBER % re.escape(name), text)
        target = re.sub(r"<.*>|\s", "", paired[1]) if paired else name
        return files, target, self._defined(target, bool(paired), files)

    def handed(self, source: Node, function: Definition) -> Iterator[Edge]:
        """Edges to functions of a native module that a call is given: `run(module.scale, x)`."""
        local = assigned(function)
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
        yield from self._bound(binding, target, self._defined(target, False, []))

    def _defined(self, name: str, paired: bool, files: list[str]) -> list[Node]:
        """What C++ defines under a name: `Owner::f` in that struct or namespace, of several those in loaded files."""
        owner, _, tail = name.rpartition("::")
        found = self._functions(tail)
        if paired and owner:
            owner = owner.rpartition("::")[2]
            inside = [node for node in found if node.name.startswith(f"{owner}::")]
            found = inside or [node for node in found if not owner.isidentifier() or "::" not in node.name]
        loaded = [node for node in found if node.path.endswith(tuple(f"/{file.lstrip('./')}" for file in files))]
        if not loaded and len(found) > MAX_FOUND:
            return []  # many modules have such a function, and which is this one's is not known
        return (loaded or found)[:MAX_FOUND]

    # -- receivers ------------------------------------------------------------------------------------------

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
        called = self._holders.called(Held(path, value, around))
        if len(called) > 1:  # a table of functions
            each = (
                self._made(maker.path, given, maker, hops - 1, False) for maker in called for given in returned(maker)
            )
            return next(filter(None, each), None)
        if not called:
            return None
        made_by = called[0]
        if isinstance(made_by.node, FunctionDef):
            found = (self._made(made_by.path, given, made_by, hops - 1, is_sure) for given in returned(made_by))
            return next(filter(None, found), None) or _by_sources(made_by)
        given = value.args[0] if value.args else None  # an object around the library that it is given
        if isinstance(given, Name):
            given = assigned(around).get(given.id) if around is not None else None
        return self._made(path, given, around, hops - 1, False)

    def _is_loader(self, path: str, call: Call) -> bool:
        name = dotted(call.func) or ""
        if name.rpartition(".")[2] in _LOADERS and isinstance(self._modules.resolve(path, name), External):
            return True
        return any(
            isinstance(part, Constant)
            and isinstance(part.value, str)
            and _NATIVE_PATH.search(_INCLUDED.sub("", part.value))
            for argument in (*call.args, *(keyword.value for keyword in call.keywords))
            for part in walk(argument)
        )


def _by_sources(maker: Definition) -> _Loaded | None:
    """The call that a function returns which puts together the sources of a module: `[base / n for n in ("a.cu",)]`."""
    texts = (n.value for n in walk(maker.node) if isinstance(n, Constant) and isinstance(n.value, str))
    sources = tuple(sorted({text for text in texts if _SOURCE.match(text)}))
    call = next((value for value in returned(maker) if isinstance(value, Call)), None)
    return _Loaded(maker.path, call, False, sources) if sources and call is not None else None


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
