"""The facade: everything that the server and the command line ask, answered for one set of workspace folders.

Answers are plain data from `results`, `problems` and `explain.document`. Only dispatch lives here: what a shape,
a kernel or a link is belongs to the domain packages, which are imported when first needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from kernelscope.problems import Problem
from kernelscope.results import (
    Call,
    FoundSymbol,
    Hover,
    IndexProgress,
    InlayHint,
    Insertion,
    LeftOut,
    Lens,
    Location,
    Settings,
    Span,
    Symbol,
    Target,
    UserError,
    ViewOptions,
)
from kernelscope.syntax.text import SourceText
from kernelscope.turns import give_way
from kernelscope.workspace.files import WATCHED_SUFFIXES, Files
from kernelscope.workspace.index import Stage
from kernelscope.workspace.languages import is_cuda, is_python, python_module
from kernelscope.workspace.workspace import Workspace

if TYPE_CHECKING:
    from kernelscope.explain.document import Document
    from kernelscope.explain.hovers import Hovers
    from kernelscope.explain.report_kernels import Kernels as KernelRows
    from kernelscope.graph.navigation import Navigation
    from kernelscope.interp.file_runs import FileRuns
    from kernelscope.interp.runs import FileRun
    from kernelscope.kernels.cuda.kernels import Kernels
    from kernelscope.kernels.triton.kernel_runs import KernelRuns
    from kernelscope.serving.readings import Readings
    from kernelscope.syntax.python.lower import Module
    from kernelscope.workspace.reading import Version


HOVERS_NEED = (
    "tensor",
    "ops.registry",
    "interp.values",
    "interp.changes",
    "interp.promised_objects",
    "interp.signs",
    "interp.calls",
    "interp.seeds",
    "interp.function_runs",
    "interp.file_runs",
    "explain.tensor_hover",
    "kernels.triton.values",
    "kernels.triton.arithmetic",
    "kernels.triton.fixed_numbers",
    "kernels.triton.interpretation",
    "kernels.triton.kernel_runs",
)
"""Modules in the order in which they rest on each other: each takes some milliseconds more, none much over ten."""


class Analysis:
    """Questions about the files below `roots`.

    Ask from one thread, or from several that take turns (see `turns`). Offsets are bytes of the file.
    Unknown files, offsets beyond the end and broken code give None or an empty answer, never an exception;
    `document` raises `UserError` where the user has to choose another target.
    """

    suffixes = WATCHED_SUFFIXES
    """Endings of the files whose changes matter."""

    def __init__(self, roots: Sequence[Path], settings: Settings | None = None, cache_dir: Path | None = None) -> None:
        self.roots = tuple(root.absolute() for root in roots)
        self.settings = settings or Settings()
        self.cache_dir = cache_dir
        self.files = Files([str(root) for root in self.roots])
        self.workspace = Workspace(self.files, cache_dir)
        self.beside: Callable[[Callable[[], None]], None] = lambda action: action()
        """How something is done on another thread, where there is one."""
        self._answered: dict[Path, int] = {}
        """The generation of the index with which each file's hovers were answered ahead."""

    @cached_property
    def navigation(self) -> Navigation:
        """Definition, references and call hierarchy; also holds the operator graph."""
        from kernelscope.graph.navigation import Navigation

        return Navigation(self.workspace)

    @cached_property
    def triton(self) -> KernelRuns:
        """The Triton kernels of the workspace, interpreted as they are asked about."""
        from kernelscope.kernels.triton.kernel_runs import KernelRuns

        return KernelRuns(self.workspace)

    @cached_property
    def cuda(self) -> Kernels:
        """The CUDA kernels of the workspace."""
        from kernelscope.kernels.cuda.kernels import Kernels

        return Kernels(self.workspace)

    @cached_property
    def kernel_rows(self) -> KernelRows:
        """What reports say of kernels."""
        from kernelscope.explain.report_kernels import Kernels

        return Kernels(self.workspace, self.triton, self.cuda)

    @cached_property
    def readings(self) -> Readings:
        """What each file says of the system that it belongs to."""
        from kernelscope.serving.readings import Readings

        return Readings(self.workspace)

    # -- inputs ------------------------------------------------------------------------------------------

    def set_text(self, path: Path, data: bytes | None) -> None:
        """The text of an open document, or None once it is closed and the disk counts again."""
        self.files.set_text(str(path), data)

    def concerns(self, path: Path) -> bool:
        """Whether a path that came, changed or went is, or holds, a file that is read; most of a build are none."""
        return self.workspace.index.concerns(str(path))

    def files_changed(self, paths: Sequence[Path]) -> None:
        """Files that the client says were created, changed or deleted."""
        for path in paths:
            self.files.announce(str(path))
        self.workspace.files_changed([str(path) for path in paths])

    def index(
        self,
        progress: Callable[[IndexProgress], None] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
        waited_for: bool = False,
    ) -> bool:
        """Read the whole workspace, beside questions that answer from what is known so far; whether files differed.

        Other programs go first, unless somebody waits for all of it, as who gave a command does.
        """
        differed = self.workspace.build_index(progress, cancelled, waited_for)
        if not cancelled():
            self.navigation.prepare(self.cache_dir, cancelled, waited_for)
            self.navigation.graph()
        return differed

    @property
    def knows_names(self) -> bool:
        """Whether symbols of all files can be found; before, there may be some."""
        return self.workspace.index.knows_names

    @property
    def knows_links(self) -> bool:
        """Whether all files with kernels, launches and registrations have been read."""
        return self.workspace.index.stage >= Stage.OPERATORS

    @property
    def knows_calls(self) -> bool:
        """Whether the calls of all files have been read; before, callers in files that are not open are missing."""
        return self.workspace.index.stage >= Stage.CALLS

    @property
    def is_young(self) -> bool:
        """Whether a large workspace is being read for the first time: hovers do not wait for interpretation then."""
        return self.workspace.index.is_young

    def left_out(self) -> Sequence[LeftOut]:
        """Files that are not analysed, and why."""
        return self.workspace.left_out()

    # -- questions about a place -------------------------------------------------------------------------

    def hover(self, path: Path, offset: int) -> Hover | None:
        """What the thing under the cursor is: its shape or block, else its definition."""
        return self._hovers.hover(path, offset)

    @cached_property
    def _hovers(self) -> Hovers:
        from kernelscope.explain.hovers import Hovers, Parts

        return Hovers(cast(Parts, self))  # cached properties are properties to readers, if not to the type checker

    def inlay_hints(self, path: Path, span: Span) -> Sequence[InlayHint]:
        """Shapes, blocks and ranges behind the names that `span` binds."""
        if is_cuda(path):
            from kernelscope.explain.cuda_hover import shared_hints
            from kernelscope.explain.cuda_threads import range_hints

            return (*shared_hints(self.cuda, path, span), *range_hints(self.cuda, path, span))
        module = self._module(path)
        if module is None:
            return ()
        from kernelscope.explain.tensor_hover import shape_hints
        from kernelscope.explain.triton_hover import block_hints

        shapes = shape_hints(self.runs.exact_at(str(path), span), module, span)
        return (*shapes, *block_hints(self.triton, module, path, span))

    def _module(self, path: Path) -> Module | None:
        return python_module(self.workspace, path)

    @cached_property
    def runs(self) -> FileRuns:
        """The files that were interpreted."""
        from kernelscope.interp.file_runs import FileRuns

        return FileRuns(self.workspace, self.beside)

    @property
    def has_runs(self) -> bool:
        """Whether the interpreter was loaded, which takes a tenth of a second."""
        return "runs" in vars(self)

    def load(self) -> None:
        """Use a pause: import what hovers on tensors need, by steps that nobody has to wait for."""
        for module in HOVERS_NEED:
            import_module(f"kernelscope.{module}")
            give_way()

    def file_run(self, path: Path) -> FileRun:
        """The interpretation of a file as it is now."""
        return self.runs.exact(str(path))

    def catch_up(self, opened: Iterable[Path], edited: bool, cancelled: Callable[[], bool]) -> bool:
        """Use a pause: interpret a file that was opened, or with `edited` one that an edit made old, so that nobody
        waits. Whether there was one.
        """
        return self.runs.catch_up([str(path) for path in opened if is_python(path)], edited, cancelled)

    def basis_of_hovers(self) -> object:
        """Equal while nothing is edited, announced, indexed or set. What is on the disk is another matter."""
        return (self, self.files.changes, self.workspace.index.generation, self.workspace.index.stage, self.settings)

    def state_of_hovers(self, path: Path) -> object | None:
        """The same, once all is known that hovers on a file will ever tell; None before."""
        is_known = is_python(path) and self.has_runs and self.runs.is_done(str(path))
        return self.basis_of_hovers() if is_known and self.navigation.ready_graph() is not None else None

    def read_for_hovers(self, path: Path) -> Mapping[str, Version | None]:
        """The files that the interpretation of one rests on, as they were."""
        return self.runs.read(str(path))

    def answer_ahead(self, path: Path, cancelled: Callable[[], bool], ask: Callable[[int], object]) -> None:
        """Use a pause: `ask` what hovers may ask of a file, once for each state of the index; the answers are kept.

        Not again after an edit: it would be done for every pause in typing.
        """
        module, generation = self._module(path), self.workspace.index.generation
        if module is None or self._answered.get(path) == generation or self.navigation.ready_graph() is None:
            return
        from kernelscope.explain.names_ahead import names_ahead

        for offset in names_ahead(module):
            give_way()
            if cancelled():
                return
            ask(offset)
        self._answered[path] = generation

    def lenses(self, path: Path) -> Sequence[Lens]:
        """Places for lenses; titles come from `resolve_lens`."""
        if is_cuda(path):
            from kernelscope.explain.lenses import counter_lenses, cuda_lenses
            from kernelscope.serving.c_functions import CSource

            data = self.files.read(str(path))
            source = CSource(path, SourceText(data)) if isinstance(data, bytes) else None
            waits = counter_lenses(self.cuda, source, path) if source is not None else ()
            return (*cuda_lenses(self.cuda, path), *waits, *self._host_lenses(path))
        module = self._module(path)
        if module is None:
            return ()
        from kernelscope.explain.lenses import python_lenses, schedule_lenses, triton_lenses

        kernels = triton_lenses(self.triton.kernels(str(path)), path)
        schedules = schedule_lenses(self.workspace, module, path)
        return (*python_lenses(module, path), *kernels, *schedules, *self._host_lenses(path))

    def _host_lenses(self, path: Path) -> Iterator[Lens]:
        from kernelscope.explain.lenses import host_lenses

        facts = self.workspace.index.facts(str(path))
        return host_lenses(facts, path) if facts else iter(())

    def resolve_lens(self, lens: Lens) -> Lens:
        """The lens with its title."""
        from kernelscope.explain.lenses import title_of

        return Lens(lens.span, lens.target, title_of(lens, self.navigation), lens.command)

    def outline(self, path: Path) -> Sequence[Symbol]:
        """The definitions of a file as a tree."""
        return self.workspace.outline(str(path))

    def outline_of(self, path: Path, data: bytes) -> Sequence[Symbol]:
        """The definitions in a large text, parsed by another process; may be asked from any thread."""
        return self.workspace.outline_of(str(path), data)

    def problems(self, path: Path) -> Sequence[Problem]:
        """Certain findings in a file that neither settings nor comments silence."""
        data = self.files.read(str(path))
        if isinstance(data, LeftOut):
            return ()
        from kernelscope.explain.silencing import is_silenced

        text = SourceText(data)
        found = {(p.code, p.span, p.message): p for p in self._problems(path)}
        return tuple(p for p in found.values() if p.code not in self.settings.silenced and not is_silenced(text, p))

    def _problems(self, path: Path) -> Iterator[Problem]:
        from kernelscope.kernels.hardware import generation

        limits = generation(self.settings.gpu) or generation("H100")
        if is_cuda(path):
            from kernelscope.kernels.cuda.findings import cuda_problems
            from kernelscope.kernels.cuda.warp.findings import access_problems

            yield from cuda_problems(self.cuda, path, limits) if limits else ()
            yield from access_problems(self.cuda, path)
        elif (module := self._module(path)) is not None:
            from kernelscope.explain.config_problems import config_problems
            from kernelscope.explain.shape_problems import shape_problems
            from kernelscope.kernels.triton.findings import triton_problems

            yield from triton_problems(self.triton, path, limits)
            yield from shape_problems(self.workspace, path)
            yield from config_problems(module, path)

    def silencing(self, path: Path, span: Span, code: str) -> Insertion | None:
        """The comment that silences a finding at a place, and where to put it; None where none can stand."""
        from kernelscope.explain.silencing import silencing

        data = self.files.read(str(path))
        if isinstance(data, LeftOut):
            return None
        module = self._module(path)
        return silencing(SourceText(data), module, span, code) if module or is_cuda(path) else None

    # -- questions about the workspace -------------------------------------------------------------------

    def find_symbols(self, query: str, limit: int = 200) -> Sequence[FoundSymbol]:
        """Definitions anywhere whose name fits `query`, best first."""
        return self.workspace.find_symbols(query, limit)

    def definition(self, path: Path, offset: int) -> Sequence[Location]:
        """Where the name under the cursor is defined, across languages."""
        return self.navigation.definition(str(path), offset)

    def means_operator(self, path: Path, offset: int) -> bool:
        """Whether the name under the cursor is an operator's."""
        return self.navigation.means_operator(str(path), offset)

    def implementation(self, path: Path, offset: int) -> Sequence[Location]:
        """What runs where the name under the cursor is called."""
        return self.navigation.implementation(str(path), offset)

    def references(self, path: Path, offset: int) -> Sequence[Location]:
        """Where the name under the cursor is used."""
        return self.navigation.references(str(path), offset)

    def incoming_calls(self, path: Path, offset: int) -> Sequence[Call]:
        """Who calls the function under the cursor."""
        return self.navigation.incoming(str(path), offset)

    def outgoing_calls(self, path: Path, offset: int) -> Sequence[Call]:
        """What the function under the cursor calls."""
        return self.navigation.outgoing(str(path), offset)

    # -- deliverables ------------------------------------------------------------------------------------

    def document(self, kind: str, target: Target, options: ViewOptions | None = None) -> Document:
        """A deliverable about `target`.

        `kind`: explain, dataflow, pseudocode, tiling, ops, architecture, path, shapes, why; serving, faq, distributed
        and report are of the system that the target belongs to; diagnostic tells what a kind of finding means.

        Raises `UserError` when there is nothing of the kind at the target.
        """
        if kind == "diagnostic":
            from kernelscope.explain.diagnostics import diagnostic_page

            return diagnostic_page(target)
        from kernelscope.explain.targets import check_readable, syntax_error_line

        check_readable(self.workspace, target.path)
        module = self._module(target.path)
        line = syntax_error_line(module) if module is not None else None
        try:
            document = self._document(kind, target, options or ViewOptions())
        except UserError as error:
            if line is None:
                raise
            raise UserError(f"{error}; it has a syntax error in line {line}") from None
        if line is None:
            return document
        note = f"{target.path.name} has a syntax error in line {line}; what it spoils is left out"
        from dataclasses import replace  # documents are asked for late; see `docs/performance.md` on starts

        return replace(document, notes=(*document.notes, note))

    def _document(self, kind: str, target: Target, options: ViewOptions) -> Document:
        if kind == "path":
            from kernelscope.explain.call_path import call_path, start_node

            graph = self.navigation.graph()
            if target.path.is_dir():
                from kernelscope.explain.operator_ends import operators_document

                return operators_document(graph, target)
            return call_path(graph, start_node(graph, target), options, target)
        if kind == "explain" and target.path.is_dir():
            from kernelscope.explain.overview import overview

            return overview(self.workspace, self.navigation.graph(), self.readings, target.path, options)
        if kind in ("shapes", "why") and is_python(target.path):
            from kernelscope.explain.shapes import shapes
            from kernelscope.explain.why import why

            module = self._module(target.path)
            if module is None:
                raise UserError(f"{target.path.name} cannot be read")
            if kind == "why":
                return why(self.file_run(target.path), module, target.path, target)
            return shapes(self.file_run(target.path), module, target.path, target, options.bindings)
        if kind in ("dataflow", "ops", "memory") and is_python(target.path):
            from kernelscope.explain.flow_documents import flow_document

            return flow_document(kind, self.workspace, target, self.file_run(target.path).values, options)
        if kind in ("explain", "pseudocode", "tiling") and is_cuda(target.path):
            from kernelscope.explain.cuda_kernel import cuda_document

            return cuda_document(self.cuda, kind, target, options)
        if kind == "timeline" and is_cuda(target.path):
            from kernelscope.explain.cuda_pipeline import pipeline_document
            from kernelscope.explain.deliverables import host_timeline

            drawn = pipeline_document(self.cuda, target, options)
            return drawn or host_timeline(self.workspace, target, options)
        if kind == "architecture" and target.path.is_dir():
            from kernelscope.explain.system_architecture import system_architecture
            from kernelscope.explain.system_documents import files_around

            folder, paths = files_around(self.workspace, target.path)
            system = self.readings.system(self.readings.of_the_product(paths), whole=False)
            return system_architecture(self.workspace, self.navigation.graph(), system, folder, target, options)
        if kind in ("serving", "faq", "distributed", "report"):
            from kernelscope.explain.system_documents import system_document

            return system_document(kind, self.workspace, self.readings, self.navigation.graph, target, options)
        from kernelscope.explain.deliverables import make

        return make(kind, self.triton, target, options, lambda path: self.file_run(path).values)

    def graph(self, target: Target | None = None) -> dict[str, object]:
        """The operator and kernel graph as plain data: of the first folder, or around one function or kernel."""
        from kernelscope.explain.call_path import start_node
        from kernelscope.explain.graph_export import graph_export, reached_export

        graph, root = self.navigation.graph(), str(self.roots[0])
        return graph_export(graph, root) if target is None else reached_export(graph, start_node(graph, target), root)

    def report(
        self, focus: Sequence[str] = (), progress: Callable[[IndexProgress], None] | None = None
    ) -> dict[str, object]:
        """The full report of the first folder, by the published schema; `focus` names parts of it."""
        from kernelscope.explain.report import report

        return report(self.workspace, self.readings, self.kernel_rows, self.roots[0], focus, progress)
