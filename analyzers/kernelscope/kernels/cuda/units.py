"""CUDA files with the workspace headers they include: the macros, functions, variables and types in force in a file.

Headers outside of the workspace are not read. A unit is made anew when its file or one of its headers has changed.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Callable, Container, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from weakref import WeakValueDictionary

from kernelscope.kernels.cuda.arguments import Arguments
from kernelscope.kernels.cuda.assignments import Assignments
from kernelscope.kernels.cuda.choices import Choices
from kernelscope.kernels.cuda.includes import Include, Includes, written_includes
from kernelscope.results import LeftOut
from kernelscope.syntax.cuda.declarations import Declarations
from kernelscope.syntax.cuda.directives import Given, OtherBranch, given, without_strings
from kernelscope.syntax.cuda.functions import Function, FunctionKind, functions
from kernelscope.syntax.cuda.macros import Macro, Macros
from kernelscope.syntax.cuda.outer_names import outer_names
from kernelscope.syntax.cuda.source import CudaSource, parse
from kernelscope.syntax.cuda.spaces import Brought, Spaces
from kernelscope.syntax.of_nodes import tree_went
from kernelscope.workspace.files import CUDA_SUFFIXES
from kernelscope.workspace.reading import Version
from kernelscope.workspace.workspace import Workspace

MAX_HEADERS = 300
MAX_INCLUDERS = 6
MAX_BESIDE = 60
MAX_OUTWARDS = 2
"""Folders around a header's and the one around that, in which files that include it are looked for."""
MAX_OTHERWISE = 3
"""Versions of a file with other branches of its `#if`s."""
MAX_PARSED_BYTES = 4 << 20
KEPT_UNITS = 200
KEPT_CHANGES = 200
"""A file that nobody asked for while texts changed so often goes, however few there are."""
NEVER_DECLARED = frozenset(
    ("bool", "char", "short", "int", "long", "signed", "unsigned", "float", "double", "void", "auto", "const", "true",
     "false", "nullptr", "std")
)  # fmt: skip
"""Words of the language, and the namespace of its library."""
_HANDED = re.compile(rb"[(,=?:&]\s*([A-Za-z_]\w*)(?=\s*[,)<?:;])")
_TRANSLATED = (".cu", ".cpp", ".cc", ".cxx", ".hip")
"""Suffixes of files that are compiled by themselves."""


class Header:
    """What a file gives to those that include it, before it is parsed."""

    def __init__(self, units: Units, path: str, data: bytes) -> None:
        self.units, self.path, self.data = units, path, data

    @cached_property
    def includes(self) -> tuple[str, ...]:
        """The workspace files that it includes itself."""
        found = (self.units.included.file(self.path, include) for include in self.written)
        return tuple(dict.fromkeys(path for path in found if path is not None))

    @cached_property
    def written(self) -> tuple[Include, ...]:
        return written_includes(self.data)

    @cached_property
    def taken(self) -> tuple[str, ...]:
        """Those of its includes that do not stand in a branch for which another one is taken."""
        passed_over = self._given.passed_over
        if not passed_over:
            return self.includes
        others = (include for include in self.written if include.name not in passed_over)
        found = (self.units.included.file(self.path, include) for include in others)
        return tuple(dict.fromkeys(path for path in found if path is not None))

    @property
    def macros(self) -> dict[bytes, list[Macro]]:
        return self._given.macros

    @cached_property
    def _given(self) -> Given:
        return given(self.data, self.path)

    def may_declare(self, name: str) -> bool:
        """Whether others may find a name declared in it; certain only where not."""
        if name in NEVER_DECLARED or not (name[:1].isalpha() or name[:1] in ("_", "~")):
            return False
        return name.encode() in (self._names if name.isidentifier() else self.data)

    @cached_property
    def _names(self) -> frozenset[bytes]:
        return outer_names(self.data)

    @cached_property
    def spaces(self) -> Spaces:
        """Its namespaces as they stand in the text."""
        return Spaces(without_strings(self.data))


class Units:
    """The CUDA files of a workspace, parsed as they are asked for."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.files = workspace.files
        self._headers: dict[str, tuple[Version | None, Header]] = {}
        self._units: dict[str, tuple[Unit, int]] = {}
        """Those asked for last, which are kept, in this order; and how often texts had changed then."""
        self._alive: WeakValueDictionary[str, Unit] = WeakValueDictionary()
        """These and what they hold as headers, which would be held twice if it were parsed again."""
        self.included = Includes(workspace)
        self.on_old: Callable[[str], None] = lambda path: None
        """Told of each that nobody asked for for long."""

    def unit(self, path: str) -> Unit | None:
        """The unit of a file; None when it is no C++ or CUDA file that can be read."""
        if not path.endswith(CUDA_SUFFIXES):
            return None
        known = self._alive.get(path)
        if known is not None and known.versions == self._versions(known):
            self._keep(known)
            return known
        own = self.header(path)
        if own is None or len(own.data) > MAX_PARSED_BYTES:
            return None
        headers = {header.path: header for header in self.closure(path) if header.path != path}
        macros: dict[bytes, list[Macro]] = {}
        for header in self.taken(path):
            for name, found in header.macros.items() if header.path != path else ():
                macros.setdefault(name, []).extend(found)
        includers = tuple(self._includers(path, headers))
        for name, agreed in self._agreed(includers, {**macros, **own.macros}).items():
            macros[name] = agreed
        unit = Unit(self, path, parse(own.data, macros, path), headers, includers)
        unit.given = macros
        unit.versions = self._versions(unit)
        self._keep(unit)
        return unit

    def _keep(self, unit: Unit) -> None:
        now = self.files.changes
        kept = self._units.get(unit.path)
        if kept is not None and kept[0] is unit and kept[1] == now:
            return
        if kept is not None and kept[0] is not unit:
            tree_went()
        self._units.pop(unit.path, None)
        self._units[unit.path] = (unit, now)
        self._alive[unit.path] = unit
        while len(self._units) > KEPT_UNITS:
            self._units.pop(next(iter(self._units)))
        while self._units[path := next(iter(self._units))][1] < now - KEPT_CHANGES:
            del self._units[path]
            tree_went()
            self._headers.pop(path, None)
            self.on_old(path)

    def _versions(self, unit: Unit) -> tuple[Version | None, ...]:
        return tuple(self.files.version(path) for path in (unit.path, *unit.headers, *unit.includers))

    def header(self, path: str) -> Header | None:
        """What one file says by itself."""
        version = self.files.version(path)
        kept = self._headers.get(path)
        if kept is not None and kept[0] == version:
            return kept[1]
        data = self.files.read(path)
        if isinstance(data, LeftOut):
            return None
        header = Header(self, path, data)
        self._headers[path] = (version, header)
        return header

    def closure(self, path: str) -> Iterator[Header]:
        """A file's headers and theirs, each after those it includes itself; the file comes last."""
        return self._below(path, lambda header: header.includes)

    def taken(self, path: str) -> Iterator[Header]:
        """The same without headers for which others are taken: their macros are not in force."""
        return self._below(path, lambda header: header.taken)

    def _below(self, path: str, includes: Callable[[Header], tuple[str, ...]]) -> Iterator[Header]:
        seen = {path}
        todo: list[tuple[str, Header | None]] = [(path, None)]
        while todo:
            current, done = todo.pop()
            if done is not None:
                yield done
                continue
            header = self.header(current)
            if header is None:
                continue
            todo.append((current, header))
            for include in reversed(includes(header)):
                if include not in seen and len(seen) <= MAX_HEADERS:
                    seen.add(include)
                    todo.append((include, None))

    def includes(self, path: str, other: str) -> bool:
        """Whether a file itself includes another one; says no without a look at the disk where names differ."""
        header, name = self.header(path), os.path.basename(other)
        if header is None or not any(os.path.basename(written.name) == name for written in header.written):
            return False
        return other in header.includes

    def _includers(self, path: str, closure: Container[str]) -> Iterator[str]:
        """Files near a header that include it: what they define before is in force in it. A source file that includes
        nothing itself may be part of one beside it."""
        if path.endswith(_TRANSLATED):
            own = self.header(path)
            if own is not None and not own.written:
                beside = self.files.beside(os.path.dirname(path), CUDA_SUFFIXES)[:MAX_BESIDE]
                found = [p for p in beside if p != path and self.includes(p, path)]
                compiled = [p for p in found if p.endswith(_TRANSLATED)]  # what a header sees alone is compiled nowhere
                yield from (compiled or found)[:MAX_INCLUDERS]
            return
        for folders in self._outwards(os.path.dirname(path)):
            beside = [p for p in self.workspace.index.paths_in(folders) if p.endswith(CUDA_SUFFIXES) and p != path]
            found = (
                candidate
                for candidate in sorted(beside, key=lambda p: (not p.endswith(_TRANSLATED), p))
                if candidate not in closure and self.includes(candidate, path)
            )
            nearest = list(islice(found, MAX_INCLUDERS))
            if nearest:
                yield from nearest
                return

    def _outwards(self, folder: str) -> Iterator[tuple[str, ...]]:
        """A folder with the one around it, then those further out, as long as they belong to the workspace."""
        yield folder, os.path.dirname(folder)
        for _ in range(MAX_OUTWARDS):
            folder = os.path.dirname(folder)
            if self.files.root_of(folder) is None:
                return
            yield (os.path.dirname(folder),)

    def _agreed(self, includers: tuple[str, ...], own: dict[bytes, list[Macro]]) -> dict[bytes, list[Macro]]:
        """Macros that a header does not see by itself, and on which all files that include it agree."""
        seen: list[dict[bytes, list[Macro]]] = []
        for includer in includers:
            known: dict[bytes, list[Macro]] = {}
            for header in self.taken(includer):
                for name, macros in header.macros.items():
                    if name not in own:
                        known[name] = macros
            seen.append(known)
        return {
            name: macros
            for name, macros in (seen[0] if seen else {}).items()
            if all(name in other and other[name][-1].body == macros[-1].body for other in seen)
        }


class Unit:
    """One file with all that its headers declare."""

    def __init__(
        self,
        units: Units,
        path: str,
        source: CudaSource,
        headers: dict[str, Header],
        includers: tuple[str, ...] = (),
    ) -> None:
        self.units = units
        self.path = path
        self.source = source
        self.headers = headers
        """Workspace headers, each after those it includes itself."""
        self.includers = includers
        """Of a header: files that include it."""
        self.given: Macros = {}
        """What the files that it includes define."""
        self.versions: tuple[Version | None, ...] = ()
        """Of its file and those that it rests on, when it was parsed."""
        self._named: dict[str, tuple[tuple[Unit, Function], ...]] = {}
        self._units_with: dict[str, tuple[Unit, ...]] = {}
        self._units_around: dict[str, tuple[Unit, ...]] = {}
        self._parsed: dict[str, Unit | None] = {}

    @cached_property
    def is_for_amd(self) -> bool:
        """Whether it is HIP for AMD's GPUs alone: warps, banks and limits are not NVIDIA's there."""
        included = any(name.startswith("hip/") for name in self.source.includes)
        return included or self.path.endswith(".hip") or b"__builtin_amdgcn_" in self.source.expanded

    @cached_property
    def otherwise(self) -> tuple[tuple[Unit, tuple[OtherBranch, ...]], ...]:
        """The same file with other branches that launch kernels, in place of those that the preprocessor takes."""
        found: list[tuple[Unit, tuple[OtherBranch, ...]]] = []
        for rank in range(MAX_OTHERWISE):
            branches = tuple(branch for branch in self.source.launching if branch.rank == rank)
            if not branches:
                break
            read = {branch.group: branch.span.start for branch in self.source.launching if branch.rank <= rank}
            source = parse(self.source.source.data, self.given, self.path, frozenset(read.values()))
            unit = Unit(self.units, self.path, source, self.headers, self.includers)
            unit.versions = self.versions
            found.append((unit, branches))
        return tuple(found)

    @cached_property
    def file(self) -> Path:
        return Path(self.path)

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        return functions(self.source)

    def brought(self, offset: int | None = None) -> Iterator[Brought]:
        """The lines of the file and of its headers that make known what other namespaces hold: those in force at an
        offset, or all of them."""
        for line in self.source.spaces.brought:
            if line.block is None or offset is None or line.block[0] <= offset < line.block[1]:
                yield line
        for header in self.headers.values():
            yield from (line for line in header.spaces.brought if line.block is None or offset is None)

    @cached_property
    def kernels(self) -> tuple[Function, ...]:
        return tuple(function for function in self.functions if function.kind is FunctionKind.KERNEL)

    @cached_property
    def declarations(self) -> Declarations:
        return Declarations(self.source, [function.body for function in self.functions if function.alone])

    @cached_property
    def assignments(self) -> Assignments:
        return Assignments(self.source.expanded, self.source.plain)

    @cached_property
    def arguments(self) -> Arguments:
        return Arguments(self.source.expanded, self.source.plain)

    @cached_property
    def choices(self) -> Choices:
        return Choices(self.source.expanded, self.source.plain)

    @cached_property
    def handed_names(self) -> frozenset[bytes]:
        """Names that may be arguments or choices, all others are not."""
        return frozenset(_HANDED.findall(self.source.expanded))

    def type_at(self, name: str, function: Function | None, offset: int) -> str | None:
        """The written type of a parameter or variable; None for an array, and for what is no variable's name."""
        if not name.isidentifier():
            return None
        parameter = next((p for p in function.params if p.name == name), None) if function is not None else None
        if parameter is not None:
            return parameter.type
        declared = self.declarations.at(name, offset)
        if declared is None or declared.bounds:
            return None
        return f"{declared.type}*" if declared.pointer else declared.type

    @cached_property
    def _by_name(self) -> dict[str, list[Function]]:
        found: dict[str, list[Function]] = {}
        for function in self.functions:
            found.setdefault(function.name, []).append(function)
        return found

    def with_name(self, name: str) -> tuple[Unit, ...]:
        """This file and those of its headers that may declare a name, nearest first."""
        found = self._units_with.get(name)
        if found is None:
            declaring = [path for path, header in reversed(self.headers.items()) if header.may_declare(name)]
            others = [unit for path in declaring if (unit := self._header_unit(path)) is not None]
            found = self._units_with[name] = (self, *others)
        return found

    def _header_unit(self, path: str) -> Unit | None:
        """A header as a unit of its own, parsed once for as long as this unit stays as it is."""
        if path not in self._parsed:
            self._parsed[path] = self.units.unit(path)
        return self._parsed[path]

    def find(self, name: str) -> tuple[tuple[Unit, Function], ...]:
        """The functions of this name (the last part of it) in this file and its headers, nearest first."""
        tail = name.rpartition("::")[2]
        found = self._named.get(tail)
        if found is None:
            named = ((unit, function) for unit in self.with_name(tail) for function in unit._by_name.get(tail, ()))
            # names that begin so are the compiler's where no function of theirs is compiled
            own = not tail.startswith("__")
            found = tuple((unit, f) for unit, f in named if own or unit.source.is_active(f.span.start))
            self._named[tail] = found
        return found

    def around(self, name: str) -> tuple[Unit, ...]:
        """Files that include this one, and their headers, that may declare a name: what they say is in force here."""
        found = self._units_around.get(name)
        if found is None:
            declaring = (
                path for path, headers in self._including.items() if any(header.may_declare(name) for header in headers)
            )
            includers = (unit for path in declaring if (unit := self._header_unit(path)) is not None)
            units = (unit for includer in includers for unit in includer.with_name(name))
            found = self._units_around[name] = tuple(dict.fromkeys(units))
        return found

    @cached_property
    def _including(self) -> dict[str, tuple[Header, ...]]:
        """What each file that includes this one sees, itself last; of a source file, files beside it may do so."""
        found = self.includers[:MAX_INCLUDERS]
        if not found:
            beside = self.units.files.beside(os.path.dirname(self.path), CUDA_SUFFIXES)[:MAX_BESIDE]
            including = (p for p in beside if p != self.path and self.units.includes(p, self.path))
            found = tuple(islice(including, MAX_INCLUDERS))
        return {path: tuple(self.units.closure(path)) for path in found}

    def declares_kernel(self, name: str) -> bool:
        """Whether this file or one of its headers declares a kernel without its body."""
        declared = re.compile(rb"__global__[^;{}]*\b" + re.escape(name.encode()) + rb"\s*\([^;{}]*\)\s*;")
        texts = (self.source.source.data, *(header.data for header in self.headers.values()))
        return any(declared.search(text) for text in texts if b"__global__" in text)

    def function_at(self, offset: int) -> Function | None:
        """The innermost function whose body holds an offset of the prepared text."""
        places, innermost = self._bodies
        found = bisect_right(places, offset) - 1
        return innermost[found] if found >= 0 else None

    @cached_property
    def _bodies(self) -> tuple[list[int], list[Function | None]]:
        """Where bodies begin and end, and the innermost function from each of these places on."""
        places: list[int] = []
        innermost: list[Function | None] = []
        around: list[Function] = []

        def leave(offset: int) -> None:
            while around and around[-1].body.end_byte <= offset:
                places.append(around.pop().body.end_byte)
                innermost.append(around[-1] if around else None)

        for function in sorted(self.functions, key=lambda function: function.body.start_byte):
            leave(function.body.start_byte)
            around.append(function)
            places.append(function.body.start_byte)
            innermost.append(function)
        leave(len(self.source.prepared.data))
        return places, innermost

    def kernel_at(self, offset: int) -> Function | None:
        """The kernel whose head or body holds an offset of the file."""
        return next((kernel for kernel in self.kernels if kernel.span.touches(offset)), None)
