"""What a hover tells: a shape or a block where there is one, else the definition; and how long it waits for that.

What a hover rests on is loaded when one needs it, interpretation last.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kernelscope.results import Hover, Settings, Span
from kernelscope.turns import is_alone
from kernelscope.workspace.languages import is_cuda, python_module

if TYPE_CHECKING:
    from kernelscope.graph.cursor import Cursor
    from kernelscope.graph.navigation import Navigation
    from kernelscope.interp.file_runs import FileRuns
    from kernelscope.interp.runs import FileRun
    from kernelscope.kernels.cuda.kernels import Kernels
    from kernelscope.kernels.triton.kernel_runs import KernelRuns
    from kernelscope.syntax.python.lower import Module
    from kernelscope.syntax.python.tree import FunctionDef
    from kernelscope.workspace.workspace import Workspace

MOST_READ_WHILE_YOUNG = 50_000
"""Bytes of files that are parsed for one hover while a large workspace is being read: some milliseconds."""
MOST_WANTED = 4
_BINDS = (
    rb"\b%(name)b\s{0,9}(?:=(?!=)|:|\+=|,[^\n()=]{0,99}=(?!=))"
    rb"|\b(?:for|as|import|global|def|class)[ \t][^\n]{0,200}?\b%(name)b\b"
)
"""What may make a name a function's own."""
UNREAD = "defined in a file that is not read yet: ask again in a moment"


class Parts(Protocol):
    """The parts of an analysis, each made when it is first asked for."""

    settings: Settings
    workspace: Workspace
    beside: Callable[[Callable[[], None]], None]

    @property
    def navigation(self) -> Navigation: ...
    @property
    def triton(self) -> KernelRuns: ...
    @property
    def cuda(self) -> Kernels: ...
    @property
    def runs(self) -> FileRuns: ...
    @property
    def has_runs(self) -> bool: ...
    @property
    def is_young(self) -> bool: ...
    def load(self) -> None: ...


class Hovers:
    """Hovers on names of any file."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._wanted: deque[tuple[Path, int]] = deque(maxlen=MOST_WANTED)
        """What was asked for and not told, because too much had to be read."""

    def hover(self, path: Path, offset: int) -> Hover | None:
        """What the thing under the cursor is: its shape or block, else its definition.

        While a large workspace is read for the first time files beside its own are parsed up to a bound: what is known
        without is told, and the rest in a pause.
        """
        if not self._parts.is_young or is_alone() or (module := python_module(self._parts.workspace, path)) is None:
            return self._told(path, offset)
        from kernelscope.workspace.modules import TooMuchToRead

        try:
            with self._parts.workspace.modules.sparing(MOST_READ_WHILE_YOUNG):
                return self._told(path, offset)
        except TooMuchToRead:
            self._read_later(path, offset)
            return self._unread(module, path, offset)

    def _told(self, path: Path, offset: int) -> Hover | None:
        return self._value(path, offset) or self._definition(path, offset)

    def _read_later(self, path: Path, offset: int) -> None:
        """In a pause, what the last hovers wanted is read."""
        is_one_more = len(self._wanted) < MOST_WANTED
        self._wanted.append((path, offset))
        if is_one_more:
            self._parts.beside(self._read_last)

    def _read_last(self) -> None:
        if self._wanted:
            self._told(*self._wanted.pop())

    def _unread(self, module: Module, path: Path, offset: int) -> Hover | None:
        """The head of what a name is imported from, which takes no parse; else that it is not read yet."""
        from kernelscope.explain.definition_hover import definition_hover
        from kernelscope.graph.cursor import cursor_at
        from kernelscope.syntax.text import SourceText

        workspace = self._parts.workspace
        if (cursor := cursor_at(module, offset)) is None or (name := cursor.text) is None:
            return None
        is_local = not name.isidentifier() or any(_may_bind(module, function, name) for function in cursor.functions)
        found = workspace.modules.imported_place(str(path), name) if not is_local else None
        if found is not None:
            source = workspace.files.read(found[0])
            if isinstance(source, bytes) and not _may_be_kernel(source, found[1].start):
                place = SourceText(source).location(Path(found[0]), found[1])
                if told := definition_hover(workspace, self._parts.navigation, [place], path, offset):
                    return told
        return Hover(cursor.span, module.text.slice(cursor.span), "python", (UNREAD,))

    def _definition(self, path: Path, offset: int) -> Hover | None:
        from kernelscope.explain.definition_hover import definition_hover
        from kernelscope.kernels.triton.recognition import may_hold_kernels

        workspace, navigation = self._parts.workspace, self._parts.navigation
        places = navigation.definition(str(path), offset, patient=is_alone())
        module = python_module(workspace, path)
        home = python_module(workspace, places[0].path) if len(places) == 1 else None
        if module is not None and home is not None and may_hold_kernels(home):
            from kernelscope.explain.triton_hover import named_kernel_hover

            gpu = self._parts.settings.gpu
            kernel = named_kernel_hover(self._parts.triton, places, module.text.data, offset, gpu)
            if kernel is not None:
                return kernel
        return definition_hover(workspace, navigation, places, path, offset)

    def _value(self, path: Path, offset: int) -> Hover | None:
        gpu = self._parts.settings.gpu
        if is_cuda(path):
            from kernelscope.explain.cuda_hover import cuda_hover

            return cuda_hover(self._parts.cuda, path, offset, gpu)
        module = python_module(self._parts.workspace, path)
        if module is None:
            return None
        from kernelscope.graph.cursor import cursor_at
        from kernelscope.kernels.triton.recognition import may_hold_kernels

        if may_hold_kernels(module) and self._parts.triton.at(str(path), offset) is not None:
            from kernelscope.explain.triton_hover import triton_hover

            return triton_hover(self._parts.triton, module, path, offset, gpu)
        cursor = cursor_at(module, offset)
        if cursor is None or cursor.is_without_value:
            return None
        return self._interpreted(module, path, offset, cursor)

    def _interpreted(self, module: Module, path: Path, offset: int, cursor: Cursor) -> Hover | None:
        """What is known of a name's value. Only one that shows a tensor waits long, and none in a young workspace."""
        from kernelscope.syntax.python.tree import FunctionDef

        head = isinstance(cursor.node, FunctionDef)
        if not (head or cursor.functions):
            return None  # no function holds it
        span = Span(offset, offset)
        if head and not self._parts.has_runs and not is_alone():
            self._parts.beside(lambda: self._interpret(path, span))
            return None  # loading the interpreter takes longer than a head waits for what it returns
        from kernelscope.explain.tensor_hover import awaited_hover, tensor_hover
        from kernelscope.interp.signs import shows_tensor

        self._parts.workspace.index.await_count()
        runs, is_patient = self._parts.runs, not self._parts.is_young
        if head and runs.is_behind(str(path)):
            return None  # it is being typed
        run: FileRun | None
        if head or not runs.waits_for(str(path), span):
            run = runs.soon_at(str(path), span, is_patient)
        elif self._parts.navigation.means_definitions(str(path), cursor):
            return None
        elif shows_tensor(module, cursor.functions[0], cursor.node, cursor.called):
            run = runs.exact_at(str(path), span) if is_patient else runs.soon_at(str(path), span, is_patient)
            if run is None:
                return awaited_hover(module, cursor.span)
        elif (run := runs.soon_at(str(path), span, is_patient)) is None:
            return self._definition(path, offset) or awaited_hover(module, cursor.span)
        return tensor_hover(run, module, path, offset, self._parts.settings.bindings) if run is not None else None

    def _interpret(self, path: Path, span: Span) -> None:
        """Ahead of who asks: the functions that have a part in `span`. Others are answered while it is loaded."""
        self._parts.load()
        self._parts.runs.exact_at(str(path), span)


def _may_be_kernel(source: bytes, start: int) -> bool:
    """Whether a head in a text is one of a function with decorators, of which one may compile it."""
    line_start = source.rfind(b"\n", 0, start) + 1
    before = source[max(0, line_start - 400) : line_start].rstrip()
    return not source.startswith(b"class", line_start) and before.endswith((b")", b"jit")) and b"\n@" in b"\n" + before


def _may_bind(module: Module, function: FunctionDef, name: str) -> bool:
    """Whether a function may have a variable of its own under a name."""
    if any(parameter.name == name for parameter in function.args):
        return True
    text = module.text.data[function.span.start : function.span.end]
    return re.search(_BINDS % {b"name": re.escape(name.encode())}, text) is not None
