"""Where a function, class or attribute of the workspace is used: call sites and definitions by name.

Candidates come from the index when it stands, before that from a bounded look at the bytes of the files. Whether a
candidate really means the definition is checked by resolving its name; receivers of methods are not typed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from itertools import takewhile
from typing import TypeGuard

from msgspec import Struct

from kernelscope.results import LeftOut
from kernelscope.syntax.python.lower import Module
from kernelscope.syntax.python.tree import (
    AnnAssign,
    Assign,
    Attribute,
    Call,
    ClassDef,
    For,
    FunctionDef,
    Import,
    ImportFrom,
    Name,
    Node,
    Subscript,
    children,
    dotted,
    flat,
    walk,
)
from kernelscope.turns import give_way
from kernelscope.workspace.files import PYTHON_SUFFIXES
from kernelscope.workspace.modules import Definition, Modules
from kernelscope.workspace.named_bases import NamedBases
from kernelscope.workspace.nearby import MAX_FILES, Nearby, beginning_with
from kernelscope.workspace.word_marks import WordMarks

MAX_SITES = 200
SEARCH_BYTES = 2_000_000
"""The most source text that is parsed for one question, about 0.4 s: bytes, so that no clock decides."""
BYTES_PER_LOOK = 400
"""What costs as much as to look into one file for a word: so many files are looked at for one question."""
MAX_CANDIDATES = 400
FEW_SEARCHES = 8
"""With more it pays to know which words each file holds."""

_NO_VALUE = re.compile(
    rb"\b(?:import|isinstance|issubclass|super|except|raise)\b|#|(?<![\"'])\s*(?::|->)\s*[\w.\[]*$|\w\[$"
)
"""What stands before the name of a class that is not handed on there: an import, a question, an annotation."""


class CallSite(Struct, frozen=True):
    """One call. `function` and `owner` are the innermost function and class around it, None at the top level."""

    path: str
    call: Call
    function: FunctionDef | None
    owner: ClassDef | None


class Found(Struct, frozen=True):
    """Call sites in the order of their files, near ones first. `complete` is False when the search was cut short."""

    sites: tuple[CallSite, ...]
    complete: bool


NameIndex = Callable[[str], Iterable[str] | None]
"""Paths of the files that call (or define) a name; None while the index cannot tell."""


class Usages:
    """Finds uses across the workspace. `callers`, `definers` and `extenders` are indexes by name, when they exist."""

    def __init__(
        self,
        modules: Modules,
        callers: NameIndex = lambda _: None,
        definers: NameIndex = lambda _: None,
        extenders: NameIndex = lambda _: None,
    ) -> None:
        self._modules = modules
        self._callers = callers
        self._definers = definers
        self._extenders = extenders
        self._paths: list[str] | None = None
        self._below: dict[str, list[str]] = {}
        """For folders that were looked into the Python files below them."""
        self._nearest: tuple[str, list[str]] = ("", [])
        """The Python files in the order in which the last search looked at them, and what it was near to."""
        self._marks = WordMarks(modules.files)
        self._searches = 0
        self._bases = NamedBases(modules.files)
        self._families_asked = 0

    def files_changed(self) -> None:
        """Files came or went."""
        self._paths = None
        self._below.clear()
        self._nearest = ("", [])
        self._bases.forget()

    def calls(self, definition: Definition, limit: int = MAX_SITES, most: int = SEARCH_BYTES) -> Found:
        """Call sites of a function, method or class, nearest files first.

        A call by plain or imported name counts when it resolves to the definition; `x.method(...)` counts for a
        method of that name, for the receiver's type is not known here.
        """
        by_receiver = definition.owner is not None
        sites: list[CallSite] = []
        paths, complete = self._candidates(definition.name, definition.path, self._callers, b"(", most)
        near = self._affordable(paths, most)
        for path in near:
            if len(sites) >= limit:
                return Found(tuple(sites[:limit]), False)
            for site in self._calls_in(path, definition.name):
                if by_receiver or self._means(site, definition):
                    sites.append(site)
        return Found(tuple(sites[:limit]), complete and len(near) == len(paths))

    def nearby(self, path: str) -> Nearby:
        """The files around one, for calls that must not depend on time or on what was opened first."""
        opened = [other for other in self._modules.files.open_paths() if self._modules.files.is_indexed(other)]
        python = {other for other in (*self._around(path), *opened) if other.endswith(PYTHON_SUFFIXES)}
        everywhere = partial(self._everywhere, path)
        return Nearby(self._modules.files, by_nearness(sorted(python), path), everywhere)

    def _everywhere(self, path: str) -> list[str]:
        return by_nearness(sorted(self._python_paths()), path)

    def _around(self, path: str) -> list[str]:
        """The Python files of the smallest folder around one that has as many as are looked at; others lie further."""
        root, folder = self._modules.files.root_of(path), os.path.dirname(path)
        while self._paths is None and root is not None and len(folder) > len(root):
            found = self._walked(folder)
            if len(found) >= MAX_FILES:
                return found
            folder = os.path.dirname(folder)
        return self._python_paths()

    def _walked(self, folder: str) -> list[str]:
        if (known := self._below.get(folder)) is not None:
            return known
        found: list[str] = []
        for entry in self._modules.files.walk(within=(folder,)):
            if entry.path.endswith(PYTHON_SUFFIXES):
                found.append(entry.path)
                give_way()
        self._below[folder] = found
        return found

    def calls_in(self, paths: Iterable[str], definition: Definition, limit: int) -> list[CallSite]:
        """Calls of a function, method or class in these files, as `calls` counts them."""
        sites: list[CallSite] = []
        for path in paths:
            found = self._calls_in(path, definition.name)
            sites += [site for site in found if definition.owner is not None or self._means(site, definition)]
            if len(sites) >= limit:
                break
        return sites[:limit]

    def handed_on(self, near: Nearby, cls: Definition) -> dict[str, set[FunctionDef]]:
        """The functions of other files that name a class without making an object of it, by path: `Wide if wide else
        Narrow`, `Stage(Wide, 4)`, `def __init__(self, block=Wide)`."""
        word = cls.name.encode()
        saying = re.compile(rb"\b%b\b(?=[ \t]*(?:[,)\]}\n]|(?:if|else)\b))" % re.escape(word))
        found: dict[str, set[FunctionDef]] = {}
        for path in near.calling(cls.name, saying):
            module = self._modules.module(path) if path != cls.path else None
            if module is None or (named := self._modules.definition(path, cls.name)) is None:
                continue
            if named.node is not cls.node:
                continue
            for match in beginning_with(word, saying, module.text.data):
                begin = module.text.data.rfind(b"\n", 0, match.start()) + 1
                if not _NO_VALUE.search(module.text.data, begin, match.start()):
                    around = (scope.node for scope in module.scopes_around(match.start()))
                    found.setdefault(path, set()).update(n for n in around if isinstance(n, FunctionDef))
        return {path: functions for path, functions in found.items() if functions}

    def instance_calls(self, cls: Definition, limit: int = MAX_SITES, most: int = SEARCH_BYTES) -> Found:
        """Calls of instances of a class that methods keep in `self`: `self.part = Cls()` and then `self.part(x)`.

        Parts kept in lists count when a loop over the list calls its element.
        """
        built = self.calls(cls, limit, most)
        sites: dict[Call, CallSite] = {}
        for site in built.sites:
            attribute = _kept_as(site)
            for method in site.owner.methods() if attribute and site.owner else ():
                for call in _calls_of_part(method, attribute or ""):
                    sites[call] = CallSite(site.path, call, method, site.owner)
        return Found(tuple(sites.values())[:limit], built.complete)

    def definitions(self, name: str, near: str = "", most: int = SEARCH_BYTES) -> tuple[Definition, ...]:
        """Functions, classes and assignments of this name at the top level of any module, nearest first."""
        found: list[Definition] = []
        for path in self._affordable(self._defining(name, near, most), most):
            names = self._modules.namespace(path)
            bindings = names.bindings.get(name, []) if names else []
            found.extend(Definition(path, name, b.node) for b in bindings if b.target is None)
        return tuple(found)

    def methods(self, name: str, near: str = "", most: int = SEARCH_BYTES) -> tuple[Definition, ...]:
        """Methods of this name in any top-level class, nearest first."""
        found: list[Definition] = []
        for path in self._affordable(self._defining(name, near, most), most):
            module = self._modules.module(path)
            for statement in module.body if module else ():
                if isinstance(statement, ClassDef):
                    owner = Definition(path, statement.name, statement)
                    found.extend(Definition(path, name, m, owner) for m in statement.methods() if m.name == name)
        return tuple(found)

    def subclasses(self, cls: Definition, most: int = SEARCH_BYTES) -> tuple[Definition, ...]:
        """Classes whose bases name `cls` directly, nearest first; found by name, checked by resolution."""
        indexed = self._extenders(cls.name)
        if indexed is not None:
            paths = by_nearness((path for path in indexed if path.endswith(PYTHON_SUFFIXES)), cls.path)
        elif self._families_asked < FEW_SEARCHES:
            self._families_asked += 1
            pattern = re.compile(rb"\bclass\s+\w+\s*\([^)]*\b%b\b" % cls.name.encode())
            paths = self._search(pattern, cls.name, cls.path, most)[0]
        else:
            deriving = self._bases.deriving(cls.name, self._python_paths())
            paths = by_nearness((path for path in deriving if path.endswith(PYTHON_SUFFIXES)), cls.path)
        found: list[Definition] = []
        for path in self._affordable(paths, most):
            module = self._modules.module(path)
            for statement in module.body if module else ():
                if isinstance(statement, ClassDef) and self._extends(path, statement, cls):
                    found.append(Definition(path, statement.name, statement))
        return tuple(found)

    def _extends(self, path: str, statement: ClassDef, cls: Definition) -> bool:
        names = [dotted(base) for base in statement.bases]
        return any(
            name and name.endswith(cls.name) and (d := self._modules.definition(path, name)) and d.node is cls.node
            for name in names
        )

    def files_with(self, name: str, suffix: bytes, near: str, most: int = SEARCH_BYTES) -> list[str]:
        """Files that call or launch something of this name, nearest first; before the index stands, by a look at
        their bytes for the name followed by `suffix`."""
        return self._candidates(name, near, self._callers, suffix, most)[0]

    def files_naming(self, name: str, near: str, most: int = SEARCH_BYTES) -> list[str]:
        """Files that speak of something of this name in whatever way, nearest first, by a look at their bytes."""
        return self._search(re.compile(rb"\b%b\b" % re.escape(name.encode())), name, near, most)[0]

    # -- candidates -----------------------------------------------------------------------------------------

    def _affordable(self, paths: list[str], most: int) -> list[str]:
        """As many of the files, the first ones, as have so many bytes; the first in any case."""
        left = most
        for number, path in enumerate(paths):
            if left <= 0:
                return paths[:number]
            data = self._modules.files.read(path)
            left -= 0 if isinstance(data, LeftOut) else len(data)
        return paths

    def _defining(self, name: str, near: str, most: int) -> list[str]:
        indexed = self._definers(name)
        if indexed is not None:
            return by_nearness(indexed, near)[:MAX_CANDIDATES]
        pattern = re.compile(rb"(?:^|\n)[ \t]*(?:(?:async )?def |class )?%b\b" % re.escape(name.encode()))
        return self._search(pattern, name, near, most)[0]

    def _candidates(self, name: str, near: str, index: NameIndex, suffix: bytes, most: int) -> tuple[list[str], bool]:
        indexed = index(name)
        if indexed is not None:
            ordered = by_nearness(indexed, near)
            return ordered[:MAX_CANDIDATES], len(ordered) <= MAX_CANDIDATES
        pattern = re.compile(rb"\b%b\s*%b" % (re.escape(name.encode()), re.escape(suffix)))
        return self._search(pattern, name, near, most)

    def _search(self, pattern: re.Pattern[bytes], name: str, near: str, most: int) -> tuple[list[str], bool]:
        """Files whose bytes match, among as many as may be looked at."""
        found: list[str] = []
        needle = name.encode()
        self._searches += 1
        marks = self._marks if self._searches > FEW_SEARCHES else None
        for number, path in enumerate(self._by_nearness(near)):
            if number * BYTES_PER_LOOK > most or len(found) >= MAX_CANDIDATES:
                return found, False
            if marks is not None and not marks.may_hold(path, needle):
                continue
            data = self._modules.files.read(path)
            if not isinstance(data, LeftOut) and needle in data and pattern.search(data):
                found.append(path)
        return found, True

    def _by_nearness(self, near: str) -> list[str]:
        if not near or self._nearest[0] != near:
            self._nearest = (near, by_nearness(self._python_paths(), near))
        return self._nearest[1]

    def _python_paths(self) -> list[str]:
        if self._paths is None:
            files = self._modules.files
            walked = [entry.path for entry in files.walk() if entry.path.endswith(PYTHON_SUFFIXES)]
            opened = [path for path in files.open_paths() if path.endswith(PYTHON_SUFFIXES)]
            self._paths = list(dict.fromkeys([*opened, *walked]))
        return self._paths

    # -- one file -------------------------------------------------------------------------------------------

    def _calls_in(self, path: str, name: str) -> list[CallSite]:
        module = self._modules.module(path)
        if module is None:
            return []
        sites: list[CallSite] = []
        word = name.encode()
        for match in beginning_with(word, re.compile(rb"\b%b\s*\(" % re.escape(word)), module.text.data):
            site = call_at(path, module, match.start(), name)
            if site is not None:
                sites.append(site)
            if len(sites) >= MAX_SITES:
                break
        return sites

    def _means(self, site: CallSite, definition: Definition) -> bool:
        name = dotted(site.call.func)
        if name is None:
            return False
        first = name.partition(".")[0]
        if site.function and any(param.name == first for param in site.function.args):
            return False
        if site.path == definition.path and name == definition.name:
            return True
        found = self._modules.definition(site.path, name)
        return found.node is definition.node if found else self._imported_inside(site, definition, name)

    def _imported_inside(self, site: CallSite, definition: Definition, name: str) -> bool:
        """The name may come from an import inside the function."""
        first, _, rest = name.partition(".")
        for statement in flat(site.function.body) if site.function else ():
            if isinstance(statement, (Import, ImportFrom)) and any(alias.bound == first for alias in statement.names):
                found = self._modules.imported(site.path, statement, first)
                if isinstance(found, Definition):
                    return not rest and found.node is definition.node
                path = getattr(found, "path", None)
                inner = self._modules.definition(path, rest) if path and rest else None
                return inner is not None and inner.node is definition.node
        return False


def call_at(path: str, module: Module, offset: int, name: str) -> CallSite | None:
    """The call whose function's name stands at a byte offset; lowers only the definitions around it."""
    function: FunctionDef | None = None
    owner: ClassDef | None = None
    found: Call | None = None
    nodes: Iterable[Node] = module.body
    while True:
        inner = next((node for node in nodes if node.span.start <= offset < node.span.end), None)
        if inner is None:
            break
        if isinstance(inner, FunctionDef):
            function = inner
        elif isinstance(inner, ClassDef):
            owner, function = inner, None
        elif isinstance(inner, Call):
            callee = inner.func
            tail = getattr(callee, "attr", None) or getattr(callee, "id", None)
            if tail == name and callee.span.end == offset + len(name.encode()):
                found = inner
        nodes = children(inner)
    return CallSite(path, found, function, owner) if found else None


def _kept_as(site: CallSite) -> str | None:
    """The attribute of `self` whose assignment holds the call."""
    function = site.function
    if function is None or not function.args:
        return None
    for node in walk(*function.body):
        if isinstance(node, (Assign, AnnAssign)) and node.span.covers(site.call.span):
            target = node.targets[0] if isinstance(node, Assign) else node.target
            if _is_part(target, function.args[0].name):
                return target.attr
    return None


def _is_part(node: Node, receiver: str, attribute: str | None = None) -> TypeGuard[Attribute]:
    """`self.attribute`, or any attribute of `self`."""
    return (
        isinstance(node, Attribute)
        and isinstance(node.value, Name)
        and node.value.id == receiver
        and attribute in (None, node.attr)
    )


def _calls_of_part(method: FunctionDef, attribute: str) -> Iterator[Call]:
    """`self.part(...)`, `self.parts[i](...)`, and calls of the variable of a loop over `self.parts`."""
    if not method.args:
        return
    receiver = method.args[0].name
    elements: set[str] = set()
    for node in walk(*method.body):
        if isinstance(node, For) and any(_is_part(part, receiver, attribute) for part in walk(node.iter)):
            elements.update(name.id for name in walk(node.target) if isinstance(name, Name))
        if isinstance(node, Call):
            callee = node.func.value if isinstance(node.func, Subscript) else node.func
            if _is_part(callee, receiver, attribute) or (isinstance(callee, Name) and callee.id in elements):
                yield node


def by_nearness(paths: Iterable[str], near: str) -> list[str]:
    """The file itself, its folder, then by shared leading folders; otherwise in the order given, tests last."""
    if not near:
        return list(paths)
    parts = near.split(os.sep)

    @cache
    def shared(folder: str) -> int:
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(folder.split(os.sep), parts, strict=False))
        return sum(1 for _ in alike)

    def distance(path: str) -> tuple[int, bool]:
        folder, _, name = path.rpartition(os.sep)
        return -shared(folder) - (path == near), "test" in name

    return sorted(paths, key=distance)
