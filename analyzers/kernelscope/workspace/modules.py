"""Where a name of a Python module leads: through imports, re-exports, stars and lazy tables to its definition.

Lazy: only modules on the way are lowered, and kept while they fit. Evaluates nothing and knows no class attributes
(see `classes`).
"""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from weakref import WeakValueDictionary

from msgspec import Struct, field

from kernelscope.results import LeftOut, Span
from kernelscope.syntax.of_nodes import tree_went
from kernelscope.syntax.python.lower import Module, parse_module
from kernelscope.syntax.python.tree import Assign, ClassDef, FunctionDef, Import, ImportFrom, Stmt, aliased
from kernelscope.workspace.files import Files
from kernelscope.workspace.namespace import Binding, Imported, Namespace, namespace_of
from kernelscope.workspace.packages import ModuleRef, Packages
from kernelscope.workspace.reading import Version

MAX_HOPS = 40
MAX_STARS = 5_000
MAX_LOWERED_BYTES = 1 << 20
"""Larger files are generated: their names are known, their statements are not looked at."""
KEPT_BYTES = 3 << 20
"""Source bytes of the lowered modules that are kept; trees and lowered nodes take thirty times as much."""
KEPT_CHANGES = 200
"""A module that nobody asked for while texts changed so often goes, however much room there is."""
ROOMY_BYTES = 10 << 20
"""The same while a whole system is looked at."""

HANDED_ON = {"triton": "triton", "tl": "triton.language"}
"""Names under which modules about Triton hand on Triton itself."""

_LITERAL_ALL = re.compile(rb"\n__all__ = [\[(]([^\])]*)[\])]")
_HEAD_OF = (
    rb"(?m)^(?:async[ \t]+def|def|class)[ \t]+(%b)\b|^[ \t]*+%b[ \t]*+(?:[,=:]|$)"
    rb"|\b(?:import|as)[ \t][^\n]{0,300}?\b%b\b"
)
"""A name's head at the top level; any other line that may bind it, which has no group."""
_BINDS = rb"(?:^|\n)[ \t]*(?:(?:async )?def |class )?%(name)b\b|import [^\n]*\b%(name)b\b"
"""Bytes of a module that may bind a name: a definition, an assignment or a line of an import list; or an import."""


class Definition(Struct, frozen=True):
    """A statement of the workspace that defines a name: FunctionDef, ClassDef, Assign, AnnAssign, For or With."""

    path: str
    name: str
    node: Stmt
    owner: Definition | None = None
    """The class whose body holds it, for methods and class attributes."""

    @property
    def qualified(self) -> str:
        """`Class.method` or `function`, without the module."""
        return f"{self.owner.qualified}.{self.name}" if self.owner else self.name


class External(Struct, frozen=True):
    """A name that leaves the workspace, spelt out in full: `torch.nn.functional.silu`."""

    dotted: str


class Missing(Struct, frozen=True):
    """A name that leads nowhere, with the reason in words."""

    reason: str


Resolved = Definition | ModuleRef | External | Missing


class _Kept(Struct, eq=False, weakref=True):
    version: Version
    module: Module
    size: int
    names: Namespace | None = None
    asked: int = 0
    """How often texts had changed when it was last asked for."""


class SeenFiles(Struct):
    """The files that one computation looked at, each as it was then."""

    kept: dict[str, _Kept | None] = field(default_factory=dict[str, "_Kept | None"])
    versions: dict[str, Version | None] = field(default_factory=dict[str, "Version | None"])


class SeenOnce(Struct):
    """What a question about a whole system found out, and need not find out again while it lasts."""

    versions: dict[str, Version | None] = field(default_factory=dict[str, "Version | None"])
    orders: dict[ClassDef, tuple[Resolved, ...]] = field(default_factory=dict[ClassDef, "tuple[Resolved, ...]"])
    """The classes that attributes of one are looked for in; forgotten as trees go, which its nodes hold."""


class TooMuchToRead(Exception):
    """An answer needs more files than may be read for it now: see `Modules.sparing`."""


class _Steady(threading.local):
    """Of each thread the computation that it is in the middle of."""

    seen: SeenFiles | None = None
    once: SeenOnce | None = None
    left: int | None = None
    """How many bytes it may still parse; None for any number."""


class Modules:
    """Resolves names of workspace modules. Safe to use from several threads."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.packages = Packages(files)
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._kept_bytes = 0
        self._room = KEPT_BYTES
        self._alive: WeakValueDictionary[str, _Kept] = WeakValueDictionary()
        """Those, and what computations hold that were left in the middle: no file is parsed again for another one."""
        self._lock = threading.RLock()
        self._steady = _Steady()

    # -- modules -----------------------------------------------------------------------------------------

    def module(self, path: str) -> Module | None:
        """The lowered module of a file at its present version; None when it cannot be read or is too large for it."""
        kept = self._keep(path)
        return kept.module if kept else None

    def holds_version(self, path: str, version: Version | None) -> bool:
        """Whether the tree of a version of a file is there, so that its nodes are those that anybody gets."""
        kept = self._alive.get(path)
        return kept is not None and kept.version == version

    def holds(self, path: str, module: Module) -> bool:
        """Whether this is the tree of a file that anybody gets."""
        kept = self._alive.get(path)
        return kept is not None and kept.module is module

    def namespace(self, path: str) -> Namespace | None:
        """What the file binds at its top level."""
        kept = self._keep(path)
        if kept is None:
            return None
        if kept.names is None:
            kept.names = namespace_of(kept.module.body)
        return kept.names

    def is_of_jax(self, path: str) -> bool:
        """Whether a file imports JAX, or a library on it, and not torch."""
        names = self.namespace(path)
        imported = [] if names is None else [b.target for found in names.bindings.values() for b in found if b.target]
        packages = {target.module.partition(".")[0] for target in imported if not target.level}
        return bool(packages & {"jax", "flax", "equinox"}) and "torch" not in packages

    @contextmanager
    def steady(self, seen: SeenFiles | None = None) -> Generator[None]:
        """Inside, this thread sees one tree of each file, whatever else is asked or edited meanwhile.

        With `seen` of an earlier time these are the trees that were seen then: a computation goes on.
        """
        outer = self._steady.seen
        self._steady.seen = seen or outer or SeenFiles()
        try:
            yield
        finally:
            self._steady.seen = outer

    @contextmanager
    def sparing(self, most: int) -> Generator[None]:
        """Inside, this thread parses so many bytes of files that were not parsed before; what wants more ends with
        `TooMuchToRead`, from which nothing is kept."""
        outer = self._steady.left
        self._steady.left = most
        try:
            yield
        finally:
            self._steady.left = outer

    def files_changed(self) -> None:
        """Files came or went: forget which folders hold what. (Changed content is noticed by itself.)"""
        self.packages.forget()

    def _keep(self, path: str) -> _Kept | None:
        seen = self._steady.seen
        if seen is None:
            return self._current(path)
        if path not in seen.kept:
            kept = seen.kept[path] = self._current(path)
            seen.versions[path] = kept.version if kept is not None else self.files.version(path)
        return seen.kept[path]

    @property
    def orders(self) -> dict[ClassDef, tuple[Resolved, ...]] | None:
        """Where orders of classes are kept meanwhile; nowhere but in the middle of a question about a whole system."""
        return self._steady.once.orders if self._steady.once is not None else None

    def _version(self, path: str) -> Version | None:
        once = self._steady.once
        if once is None:
            return self.files.version(path)
        if path not in once.versions:
            once.versions[path] = self.files.version(path)
        return once.versions[path]

    def _current(self, path: str) -> _Kept | None:
        version = self._version(path)
        if version is None or version.size > MAX_LOWERED_BYTES:
            return None
        with self._lock:
            kept = self._alive.get(path)
        if kept is None or kept.version != version:
            if kept is None and (left := self._steady.left) is not None:
                if version.size > left:
                    raise TooMuchToRead
                self._steady.left = left - version.size
            data = self.files.read(path)
            if isinstance(data, LeftOut):
                return None
            kept = _Kept(version, parse_module(data, kept.module if kept else None), len(data))
        with self._lock:
            if self._kept.get(path) is kept and kept.asked == self.files.changes:
                self._kept.move_to_end(path)
                return kept
            if old := self._kept.pop(path, None):
                self._kept_bytes -= old.size
                if old is not kept:
                    tree_went()
            self._kept[path] = self._alive[path] = kept
            kept.asked = self.files.changes
            self._kept_bytes += kept.size
            self._make_room()
        return kept

    def _make_room(self) -> None:
        old = self.files.changes - KEPT_CHANGES
        while len(self._kept) > 1:
            path, longest_ago = next(iter(self._kept.items()))
            if self._kept_bytes <= self._room and longest_ago.asked >= old:
                break
            self._kept_bytes -= self._kept.pop(path).size
            tree_went()
            if (orders := self.orders) is not None:
                orders.clear()

    @contextmanager
    def roomy(self) -> Generator[None]:
        """Keeps more modules meanwhile, and looks once at each file for whether it changed: for questions that go to
        and fro between the files of a whole system."""
        self._room, self._steady.once = ROOMY_BYTES, SeenOnce()
        try:
            yield
        finally:
            self._steady.once = None
            with self._lock:
                self._room = KEPT_BYTES
                self._make_room()

    # -- names -------------------------------------------------------------------------------------------

    def resolve(self, path: str, name: str, before: int | None = None) -> Resolved:
        """What `name` (dotted: `pkg.mod.Class`) means at the top level of the file; the likeliest of `resolve_all`.

        `before` asks for the meaning at that offset, as in `f = compile(f)`. Attributes of classes are not followed.
        """
        return self.resolve_all(path, name, before)[0]

    def resolve_all(self, path: str, name: str, before: int | None = None) -> tuple[Resolved, ...]:
        """All that `name` may mean, likeliest first: the branches of `try`/`except` and `if`/`else` differ."""
        first, _, rest = name.partition(".")
        found = self._lookup(path, first, before, _Trail())
        return _ranked([self._member(result, rest) for result in found])

    def imported(self, path: str, statement: Import | ImportFrom, bound: str) -> Resolved:
        """What an import statement (at any level, such as inside a function) binds to the name `bound`."""
        for alias in statement.names:
            if alias.bound == bound and alias.name != "*":
                if isinstance(statement, Import):
                    target = Imported(0, alias.name if alias.asname else alias.bound, None)
                else:
                    target = Imported(statement.level, statement.module, alias.name)
                return _ranked(self._follow(path, target, _Trail()))[0]
        return Missing(f"{bound} is not bound by this import")

    def follow(self, path: str, target: Imported) -> Resolved:
        """Where an import written anywhere in the file leads."""
        return _ranked(self._follow(path, target, _Trail()))[0]

    def in_module(self, module: ModuleRef, name: str) -> Resolved:
        """What `name` means as an attribute of a module."""
        first, _, rest = name.partition(".")
        return _ranked([self._member(found, rest) for found in self._attribute(module, first, _Trail())])[0]

    def definition(self, path: str, name: str) -> Definition | None:
        """The function or class that `name` means, also through aliases such as `Attention = FlashAttention`."""
        for found in self.resolve_all(path, name):
            for _ in range(MAX_HOPS):
                if not isinstance(found, Definition):
                    break
                if isinstance(found.node, (FunctionDef, ClassDef)):
                    return found
                following = self.alias_target(found)
                if following is None:
                    break
                found = following
        return None

    def alias_target(self, definition: Definition) -> Resolved | None:
        """What `b` means in `a = b`; None when the value is not a plain name."""
        node = definition.node
        name = aliased(node.value) if isinstance(node, Assign) else None
        return self.resolve(definition.path, name, before=node.span.start) if name else None

    def find_module(self, name: str, importer: str) -> ModuleRef | None:
        """The module that `import name` reaches from a file; None when it lies outside the workspace."""
        return self.packages.find(name, importer)

    def _member(self, found: Resolved, rest: str) -> Resolved:
        """`rest` as attributes of what was found, as far as modules and external names go."""
        while rest:
            if isinstance(found, External):
                return External(f"{found.dotted}.{rest}")
            if not isinstance(found, ModuleRef):
                break
            first, _, rest = rest.partition(".")
            found = _ranked(self._attribute(found, first, _Trail()))[0]
        if rest and isinstance(found, Definition):
            return Missing(f"attribute {rest} of {found.qualified}")
        return found

    def _lookup(self, path: str, name: str, before: int | None, trail: _Trail) -> list[Resolved]:
        """All meanings of a top-level name of a file, in order of likelihood."""
        if not trail.enter(path, name):
            return [Missing(f"{name} is imported in a circle")]
        names = self.namespace(path)
        if names is None:
            return [Missing(f"{path} cannot be read")]
        found: list[Resolved] = []
        for binding in names.candidates(name, before):
            found.extend(self._bound(path, binding, trail))
        if not _any_definite(found):
            found.extend(self._from_stars(path, name, names, trail))
        if not _any_definite(found):
            for target in names.lazy.get(name, []):
                found.extend(self._follow(path, target, trail))
        return found or [Missing(f"{name} is not defined in {self.packages.name_of(path)}")]

    def _bound(self, path: str, binding: Binding, trail: _Trail) -> list[Resolved]:
        if binding.target is None:
            return [Definition(path, binding.name, binding.node)]
        return self._follow(path, binding.target, trail)

    def imported_place(self, path: str, name: str) -> tuple[str, Span] | None:
        """Where the only function or class stands that a file imports under a name: its file and its name in it.

        Read off the text of that file, which is not parsed; None where anything else may be meant.
        """
        names = self.namespace(path)
        candidates = names.candidates(name, None) if names is not None else []
        target = candidates[0].target if len(candidates) == 1 else None
        module = self._module_of(path, target) if target is not None and target.name else None
        if target is None or not isinstance(module, ModuleRef) or module.path is None:
            return None
        data = self.files.read(module.path)
        if isinstance(data, LeftOut):
            return None
        called = re.escape((target.name or "").encode())
        found = list(re.finditer(_HEAD_OF % (called, called, called), data))
        return (module.path, Span(*found[0].span(1))) if len(found) == 1 and found[0][1] else None

    def _from_stars(self, path: str, name: str, names: Namespace, trail: _Trail) -> list[Resolved]:
        """What star imports bind to the name; a module of that name inside the package spares looking further."""
        if name.startswith("__") or not names.stars:
            return []
        stars = names.stars[::-1]
        own = [star for star in stars if star.module.rpartition(".")[2] == name]
        found = self._through(path, name, own, trail)
        if found or self._submodule(path, name):
            return found
        return self._through(path, name, stars, trail)

    def _through(self, path: str, name: str, stars: list[Imported], trail: _Trail) -> list[Resolved]:
        for star in stars:
            module = self._module_of(path, star)
            if not isinstance(module, ModuleRef) or not module.path or not self._may_offer(module.path, name, trail):
                continue
            inner = self.namespace(module.path)
            if inner is None or (inner.exported is None and name.startswith("_")):
                continue
            if inner.exported is not None and name not in inner.exported:
                continue
            found = self._lookup(module.path, name, None, trail)
            if _any_definite(found):
                return found
        return []

    def _may_offer(self, path: str, name: str, trail: _Trail) -> bool:
        """A look at the bytes spares the parse of most modules behind stars."""
        trail.stars += 1
        if trail.stars > MAX_STARS or (path, name) in trail.seen:
            return False
        data = self.files.read(path)
        if isinstance(data, LeftOut):
            return False
        if b"import *" in data:
            return True
        if name.encode() not in data:
            return False
        exported = _LITERAL_ALL.search(data)
        if exported and b"__all__ +=" not in data and not re.search(rb"[\"']%b[\"']" % name.encode(), exported[1]):
            return False
        return re.search(_BINDS % {b"name": re.escape(name.encode())}, data) is not None

    def _submodule(self, path: str, name: str) -> ModuleRef | None:
        """The module `name` inside the package whose `__init__` is `path`."""
        folder, file = os.path.split(path)
        return self.packages.below(folder, name, self.packages.name_of(path)) if file.startswith("__init__.") else None

    def _follow(self, path: str, target: Imported, trail: _Trail) -> list[Resolved]:
        """Where an import written in the file `path` leads."""
        module = self._module_of(path, target)
        if isinstance(module, External):
            return [External(_handed_on(module.dotted, target.name) if target.name else module.dotted)]
        if isinstance(module, Missing) or target.name is None:
            return [module]
        return self._attribute(module, target.name, trail)

    def _module_of(self, path: str, target: Imported) -> ModuleRef | External | Missing:
        if target.level == 0:
            return self.packages.find(target.module, path) or External(target.module)
        if target.level < 0:  # an entry of a lazy table without dots: inside the package, else from the top
            inside = self.packages.relative(1, target.module, path)
            found = inside or self.packages.find(target.module, path)
            return found or Missing(f"no module {target.module} in the package")
        found = self.packages.relative(target.level, target.module, path)
        return found or Missing(f"no module {'.' * target.level}{target.module} in the workspace")

    def _attribute(self, module: ModuleRef, name: str, trail: _Trail) -> list[Resolved]:
        """A name of a module, else a submodule of that name."""
        found: list[Resolved] = []
        if module.path is not None and (module.path, name) not in trail.seen:
            found = self._lookup(module.path, name, None, trail)
        if not _any_definite(found) and module.folder is not None:
            submodule = self.packages.below(module.folder, name, module.name)
            if submodule is not None:
                return [submodule]
        if not _any_definite(found) and self.packages.is_described(module):
            return [External(f"{module.name}.{name}")]
        return found or [Missing(f"{name} is not defined in {module.name}")]


class _Trail:
    """What one lookup has passed, so that circles end."""

    __slots__ = ("seen", "stars")

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()
        self.stars = 0

    def enter(self, path: str, name: str) -> bool:
        if (path, name) in self.seen or len(self.seen) > 50 * MAX_HOPS:
            return False
        self.seen.add((path, name))
        return True


def _handed_on(library: str, name: str) -> str:
    """What a library calls itself that another one hands on: `triton` of `engine.triton_utils`, which puts something in
    its place where it is not installed."""
    is_of_another = "triton" in library and library.partition(".")[0] != "triton"
    return HANDED_ON.get(name, f"{library}.{name}") if is_of_another else f"{library}.{name}"


def _any_definite(found: list[Resolved]) -> bool:
    return any(not isinstance(result, Missing) for result in found)


def _ranked(found: list[Resolved]) -> tuple[Resolved, ...]:
    """Without repetitions, what leads nowhere last."""
    unique = list(dict.fromkeys(found))
    unique.sort(key=lambda result: isinstance(result, Missing))
    return tuple(unique) or (Missing("nothing was found"),)
