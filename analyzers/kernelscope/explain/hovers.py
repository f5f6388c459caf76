"""What a hover tells: a shape or a block where there is one, else the definition; and how long it waits for that.

What a hover rests on is loaded when one needs it, interpretation last.
"""

from __future__ import annotations

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
    from kernelscope.workspace.workspace import Workspace


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

    def hover(self, path: Path, offset: int) -> Hover | None:
        """What the thing under the cursor is: its shape or block, else its definition."""
        return self._value(path, offset) or self._definition(path, offset)

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
