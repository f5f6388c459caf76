"""The CUDA kernels of a workspace with all that is known of each: launches, constants, shared memory, behaviour.

Made for what the user looks at and kept until a file it rests on changes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from kernelscope.dims import Dim
from kernelscope.kernels.cuda.branch_ways import by_branches
from kernelscope.kernels.cuda.branches import ALWAYS
from kernelscope.kernels.cuda.build_logs import Compiled, compiled
from kernelscope.kernels.cuda.constants import Constants
from kernelscope.kernels.cuda.handed_kernels import handed_launches
from kernelscope.kernels.cuda.launch import Launch
from kernelscope.kernels.cuda.launch_callers import as_called, asks_its_callers, qualifier
from kernelscope.kernels.cuda.launches import launches
from kernelscope.kernels.cuda.lookup import functions_meant
from kernelscope.kernels.cuda.operations import Behaviour, behaviour
from kernelscope.kernels.cuda.overloads import may_mean
from kernelscope.kernels.cuda.shared_memory import SharedArray, SharedMemory, shared_memory
from kernelscope.kernels.cuda.units import KEPT_UNITS, Unit, Units
from kernelscope.results import Location, Span
from kernelscope.syntax.cuda.expressions import split_arguments
from kernelscope.syntax.cuda.functions import Function, FunctionKind
from kernelscope.syntax.cuda.macros import closing
from kernelscope.workspace.files import CUDA_SUFFIXES
from kernelscope.workspace.workspace import Workspace

_QUALIFYING_MACRO = re.compile(r"(?<![\w<,:])\s*\b([A-Z][A-Z0-9_]{2,})\s*\(")
MAX_LAUNCH_FILES = 40
KEPT_KERNELS = 200
MAX_INSTANTIATIONS = 8
"""Ways to fill in templates of which each is followed: the kernel and all that it calls, anew."""


@dataclass(frozen=True, slots=True)
class LaunchBounds:
    """`__launch_bounds__(threads, blocks)`, as written."""

    threads: str
    blocks: str
    clusters: str = ""


def number_of(text: str) -> int | None:
    """The number that a template argument is; `true` and `false` are numbers too."""
    text = text.strip()
    if text in ("true", "false"):
        return int(text == "true")
    digits = text.rstrip("uUlL")
    return int(digits) if digits.lstrip("-").isdigit() else None


@dataclass
class KernelFacts:
    """One kernel. Everything is computed when first asked for."""

    unit: Unit
    function: Function
    launches: tuple[Launch, ...]
    """Those of branches that the preprocessor does not take only where there are no others."""
    other_launches: tuple[Launch, ...] = ()
    derived: dict[type, object] = field(default_factory=dict[type, object])
    """What others make of these facts and keep with them, by its type."""

    @property
    def name(self) -> str:
        return self.function.name

    @cached_property
    def path(self) -> Path:
        return Path(self.unit.path)

    def location(self, span: Span) -> Location:
        return self.unit.source.source.location(self.path, span)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Names in the order in which the kernel introduces them, for rendering."""
        return (*(t.name for t in self.function.templates), *(p.name for p in self.function.params))

    @cached_property
    def constants(self) -> Constants:
        """With template parameters as names."""
        return Constants(self.unit, self.function)

    @cached_property
    def _given(self) -> tuple[tuple[Launch, dict[str, str]], ...]:
        """The template parameters with their arguments, for each way each launch is reached."""
        return tuple((launch, bound) for launch in self.launches for bound in launch.template_values(self.function))

    @cached_property
    def behaviour(self) -> Behaviour:
        """With template parameters as names, but for functions that launches give."""
        given = {
            name: text
            for _, bound in self._given
            for name, text in bound.items()
            if self.unit.find(text.lstrip("&").partition("<")[0])
        }
        return behaviour(self.unit, self.function, given, self.numbers)

    @cached_property
    def numbers(self) -> tuple[dict[str, int], ...]:
        """The numbers that launches give template parameters, each set of them once."""
        given = (
            tuple((name, number) for name, text in bound.items() if (number := number_of(text)) is not None)
            for _, bound in self._given
        )
        return tuple(dict(numbers) for numbers in dict.fromkeys(given))

    @cached_property
    def shared(self) -> SharedMemory:
        """With template parameters as names, but without what no launch's arguments bring about."""
        found = shared_memory(self.behaviour)
        if any(array.condition for array in found.static) and 0 < len(self.instantiations) <= MAX_INSTANTIATIONS:
            made = [self.shared_of(constants).static for _, constants in self.instantiations]
            found = replace(found, static=tuple(_of_all(found.static, made)))
        return found

    @cached_property
    def instantiations(self) -> tuple[tuple[Launch, Constants], ...]:
        """The kernel's constants at each launch that gives its template parameters."""
        if not self.function.templates:
            return ()
        made: dict[tuple[tuple[str, str], ...], tuple[Launch, Constants]] = {}
        for launch, bound in self._given:
            if all(t.name in bound for t in self.function.templates):
                made.setdefault(tuple(bound.items()), (launch, Constants(self.unit, self.function, bound)))
        return tuple(made.values())

    def shared_of(self, constants: Constants) -> SharedMemory:
        """Shared memory of one instantiation."""
        bound = dict(constants.bound)
        return shared_memory(behaviour(self.unit, self.function, bound))

    @cached_property
    def launch_bounds(self) -> LaunchBounds | None:
        header = self.function.header
        found = re.search(r"__launch_bounds__\s*\(", header)
        if found is None:
            return None
        close = closing(header.encode("latin-1", "replace"), found.end() - 1)
        parts = split_arguments(header[found.end() : close]) if close is not None else []
        parts += [""] * (3 - len(parts))
        return LaunchBounds(parts[0], parts[1], parts[2]) if parts[0] else None

    @property
    def unknown_qualifier(self) -> str:
        """A macro with arguments among the kernel's qualifiers that nobody defines: it may set launch bounds."""
        head = re.split(rf"\b{re.escape(self.function.name)}\s*\(", self.function.header, maxsplit=1)[0]
        found = _QUALIFYING_MACRO.search(head)
        return found[1] if found is not None else ""

    @cached_property
    def bounded_threads(self) -> Dim | None:
        """The threads of the launch bounds."""
        bounds = self.launch_bounds
        return self.constants.evaluate(bounds.threads, self.function.body.start_byte) if bounds is not None else None

    @cached_property
    def compiled(self) -> tuple[Compiled, ...]:
        """What ptxas said of the kernel in build logs near it."""
        return compiled(self.unit.units.files, self.unit.path, self.name)

    def compiled_for(self, arch: str) -> tuple[Compiled, ...]:
        """The same for one architecture, where the logs have it."""
        return tuple(entry for entry in self.compiled if entry.arch == arch) or self.compiled

    @cached_property
    def block(self) -> tuple[Dim | None, Dim | None, Dim | None] | None:
        """Threads of a block where all launches agree; None where they do not, or where there is none."""
        blocks = {launch.block for launch in self.launches}
        return next(iter(blocks)) if len(blocks) == 1 else None


def _of_all(static: Iterable[SharedArray], made: Sequence[Sequence[SharedArray]]) -> Iterator[SharedArray]:
    """The arrays that some instance has; what they rest on is only told of those that not all have."""
    for array in static:
        having = [next((a for a in arrays if (a.path, a.span) == (array.path, array.span)), None) for arrays in made]
        if all(one is not None and not one.condition for one in having):
            yield replace(array, only_if=ALWAYS)
        elif any(one is not None for one in having):
            yield array


class Kernels:
    """Questions about kernels by place."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.units = Units(workspace)
        self.units.on_old = self._forget
        self._launches: dict[str, tuple[Unit, tuple[Launch, ...]]] = {}
        self._launches_by_name: dict[str, tuple[tuple[Launch, ...], dict[str, list[Launch]]]] = {}
        self._handed_over: dict[tuple[str, str], tuple[Unit, tuple[Launch, ...]]] = {}
        self._called: dict[int, tuple[Launch, tuple[Unit, ...], tuple[Launch, ...]]] = {}
        self._facts: dict[tuple[str, int], tuple[tuple[object, ...], KernelFacts]] = {}

    def at(self, path: str, offset: int) -> KernelFacts | None:
        """The kernel whose head or body holds an offset of a file."""
        unit = self.units.unit(path)
        kernel = unit.kernel_at(offset) if unit is not None else None
        return self.facts(unit, kernel) if unit is not None and kernel is not None else None

    def named(self, path: str, name: str, offset: int | None = None) -> KernelFacts | None:
        """The kernel of this name in a file; of specialisations, which share a name, the one that holds an offset."""
        placed = self.at(path, offset) if offset is not None else None
        if placed is not None and placed.name == name:
            return placed
        unit = self.units.unit(path)
        for kernel in unit.kernels if unit is not None else ():
            if kernel.name == name and unit is not None:
                return self.facts(unit, kernel)
        return None

    def in_file(self, path: str) -> Iterator[KernelFacts]:
        """All kernels of a file, in source order."""
        unit = self.units.unit(path)
        for kernel in unit.kernels if unit is not None else ():
            if unit is not None:
                yield self.facts(unit, kernel)

    def launches_in(self, path: str) -> tuple[Launch, ...]:
        """The launches of a file."""
        unit = self.units.unit(path)
        if unit is None:
            return ()
        kept = self._launches.get(path)
        if kept is None or kept[0] is not unit:
            self._forget(path)
            while len(self._launches) >= KEPT_UNITS:
                self._forget(next(iter(self._launches)))
            self._launches[path] = kept = (unit, launches(unit))
        return kept[1]

    def _forget(self, path: str) -> None:
        """Let go of what was found in a file as it was: an edit makes another unit of it, with launches of its own."""
        kept = self._launches.pop(path, None)
        if kept is None:
            return
        self._launches_by_name.pop(path, None)
        old = kept[0]
        self._called = {key: held for key, held in self._called.items() if all(unit is not old for unit in held[1])}
        self._handed_over = {key: held for key, held in self._handed_over.items() if held[0] is not old}
        self._facts = {key: held for key, held in self._facts.items() if held[0][0] is not old}

    def _launches_by(self, path: str, name: str) -> list[Launch]:
        """The launches of a file that say this name."""
        found = self.launches_in(path)
        kept = self._launches_by_name.get(path)
        if kept is None or kept[0] is not found:
            by_name: dict[str, list[Launch]] = {}
            for launch in found:
                by_name.setdefault(launch.kernel, []).append(launch)
            self._launches_by_name[path] = kept = (found, by_name)
        return kept[1].get(name, [])

    def facts(self, unit: Unit, kernel: Function) -> KernelFacts:
        found = tuple(self._launches_of(unit, kernel))
        key = (unit.path, kernel.body.start_byte)
        state: tuple[object, ...] = (unit, *found)
        kept = self._facts.get(key)
        if kept is not None and len(kept[0]) == len(state) and all(a is b for a, b in zip(kept[0], state, strict=True)):
            return kept[1]
        while len(self._facts) >= KEPT_KERNELS:
            self._facts.pop(next(iter(self._facts)))
        taken = tuple(launch for launch in found if not launch.branch)
        others = tuple(launch for launch in found if launch.branch)
        facts = KernelFacts(unit, kernel, taken, others) if taken else KernelFacts(unit, kernel, others)
        self._facts[key] = (state, facts)
        return facts

    def _launches_of(self, unit: Unit, kernel: Function) -> Iterator[Launch]:
        """Launches of a kernel: those of its file and headers first, then of the files that mention its name."""
        paths = [unit.path, *unit.headers]
        callers = self.workspace.index.native_callers(kernel.name)
        if callers is None:
            callers = list(self._near(unit.path))
        paths += [path for path in callers if path not in paths][:MAX_LAUNCH_FILES]
        for path in paths:
            header = self.units.header(path)
            if header is None or (path != unit.path and kernel.name.encode() not in header.data):
                continue
            for launch in (*self._launches_by(path, kernel.name), *self._handed(path, kernel.name)):
                if self._means(launch, unit, kernel):
                    yield from self._as_called(launch)

    def _as_called(self, launch: Launch) -> tuple[Launch, ...]:
        """A launch that has grid and block from its function's parameters, for each call of that function; each of
        them for every way through the branches that set them."""
        if launch.function is None:
            return (launch,)
        units = self._callers(launch, launch.function) if asks_its_callers(launch) else ()
        kept = self._called.get(id(launch))
        if kept is None or kept[0] is not launch or kept[1] != (launch.unit, *units):
            found = as_called(launch, units) if units else (launch,)
            found = tuple(way for one in found for way in by_branches(one))
            self._called[id(launch)] = kept = (launch, (launch.unit, *units), found)
        return kept[2]

    def _callers(self, launch: Launch, host: Function) -> tuple[Unit, ...]:
        """The files that may call the function of a launch, its own first."""
        name = host.name
        elsewhere = set(self.workspace.index.definers(name) or ()) - {launch.unit.path, *launch.unit.headers}
        only = not elsewhere or bool(qualifier(host))
        others = (self.workspace.index.native_callers(name) or ()) if only else ()
        paths = [launch.unit.path, *(path for path in others if path != launch.unit.path)][:MAX_LAUNCH_FILES]
        return tuple(unit for path in paths if (unit := self.units.unit(path)) is not None)

    def _handed(self, path: str, kernel: str) -> tuple[Launch, ...]:
        """The launches that a file brings about by handing a kernel to a function."""
        unit = self.units.unit(path)
        if unit is None:
            return ()
        kept = self._handed_over.get((path, kernel))
        if kept is None or kept[0] is not unit:
            kept = (unit, tuple(handed_launches(unit, kernel, self.launches_in)))
            self._handed_over[path, kernel] = kept
        return kept[1]

    def _near(self, path: str) -> Iterator[str]:
        """Files beside a kernel's and in the folder above, where its launch is looked for while the index is made."""
        folder = os.path.dirname(path)
        yield from self.workspace.files.beside(folder, CUDA_SUFFIXES)
        if self.workspace.files.root_of(os.path.dirname(folder)) is not None:
            yield from self.workspace.files.beside(os.path.dirname(folder), CUDA_SUFFIXES)

    def _means(self, launch: Launch, unit: Unit, kernel: Function) -> bool:
        """Whether a launch of this name is of this very kernel: what its file sees under that name decides."""
        if launch.names_a_parameter:
            return False
        seen = [f for f in launch.unit.find(kernel.name) if f[1].kind is FunctionKind.KERNEL]
        if not seen:
            return may_mean(launch, kernel, [kernel]) and self._is_linked(launch, unit, kernel)
        path = launch.path or kernel.name
        mine = [f for f in functions_meant(launch.unit, seen, path, launch.offset) if f[0].path == unit.path]
        if not any(function.body.start_byte == kernel.body.start_byte for _, function in mine):
            return False
        return may_mean(launch, kernel, [function for _, function in mine])

    def _is_linked(self, launch: Launch, unit: Unit, kernel: Function) -> bool:
        """Whether a launch whose file sees no kernel of this name may mean one elsewhere: the only one that there is,
        else one that the file declares or that those that include it see."""
        elsewhere = set(self.workspace.index.definers(kernel.name) or ()) - {unit.path, launch.unit.path}
        headers = (self.units.header(path) for path in elsewhere if path.endswith(CUDA_SUFFIXES))
        if not any(header is not None and header.may_declare(kernel.name) for header in headers):
            return True
        return launch.unit.declares_kernel(kernel.name) or unit in launch.unit.around(kernel.name)
