"""Which function makes which deliverable: one line per kind of document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from kernelscope.explain.architecture import architecture
from kernelscope.explain.document import Block, Code, Document, Heading
from kernelscope.explain.host_pseudocode import host_code
from kernelscope.explain.targets import PythonTarget, function_of, python_target, text_kernel
from kernelscope.explain.traced import SeenIn, traced
from kernelscope.kernels.triton.recognition import written_as_text
from kernelscope.results import Target, UserError, ViewOptions
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module, Scope
from kernelscope.workspace.files import PYTHON_SUFFIXES

if TYPE_CHECKING:
    from kernelscope.kernels.triton.kernel_facts import KernelFacts
    from kernelscope.kernels.triton.kernel_runs import KernelRuns
    from kernelscope.workspace.workspace import Workspace

Maker = Callable[["KernelRuns", Target, ViewOptions, SeenIn], Document]


def pseudocode(runs: KernelRuns, target: Target, options: ViewOptions, seen_in: SeenIn) -> Document:
    """The pseudocode of a function, of a module's forward, or of every function of a file."""
    found = python_target(runs.workspace, target)
    if found.scope is None:
        scopes = [scope for scope in found.module.functions() if len(scope.path) <= 2]
        if not scopes:
            raise UserError(f"{target.path.name} defines no functions")
    else:
        found = function_of(runs.workspace, found)
        scopes = [scope for scope in (found.scope,) if scope is not None]
    blocks: list[Block] = []
    kernels = set(runs.kernels(str(found.path)))
    for scope in scopes:
        assert isinstance(scope.node, t.FunctionDef)
        where = found.module.text.location(found.path, scope.node.name_span)
        if len(scopes) > 1:
            blocks.append(Heading(scope.qualified_name, location=where))
        if scope.node in kernels:
            blocks.append(kernel_pseudocode(runs, found, scope.node))
        else:
            seen = seen_in(found.path)
            alone = replace(found, scope=scope)  # of a file with one function, that function
            flow = traced(runs.workspace, alone, seen, options) if len(scopes) == 1 else None
            blocks += host_code(scope, found.module, found.path, seen, flow, options.bindings)
    title = f"Pseudocode of {found.title if found.scope is not None else target.path.name}"
    notes = tuple(
        text_kernel(name, found.module.text.location(found.path, string.span))
        for name, string in written_as_text(*(part for scope in scopes for part in _with_strings(found.module, scope)))
    )
    return Document(title, tuple(blocks), "pseudocode", target, notes)


def _with_strings(module: Module, scope: Scope) -> Iterator[t.Node]:
    """A function, and the strings of its file that it names."""
    yield scope.node
    names = {node.id for node in t.walk(scope.node) if isinstance(node, t.Name)}
    for statement in t.flat(module.body):
        match statement:
            case t.Assign(targets=[t.Name(id=name)], value=t.Constant(value=str()) as string) if name in names:
                yield string
            case _:
                pass


def kernel_pseudocode(runs: KernelRuns, found: PythonTarget, kernel: t.FunctionDef) -> Code:
    """A Triton kernel on named tiles, its pointer arithmetic lifted away."""
    from kernelscope.explain.triton_pseudocode import kernel_code
    from kernelscope.kernels.triton.kernel_facts import kernel_facts

    return kernel_code(kernel_facts(runs, found.path, found.module, kernel))[0]


def model_architecture(runs: KernelRuns, target: Target, options: ViewOptions, seen_in: SeenIn) -> Document:
    """The architecture of the models of a file or of one class."""
    return architecture(runs.workspace, python_target(runs.workspace, target), seen_in, options, target)


def triton_facts(runs: KernelRuns, target: Target) -> KernelFacts | None:
    """What is known of the Triton kernel at a target, None where the target is none."""
    from kernelscope.kernels.triton.kernel_facts import kernel_facts

    found = python_target(runs.workspace, target)
    scope = found.scope
    if scope is None or not isinstance(scope.node, t.FunctionDef):
        return None
    if scope.node not in runs.kernels(str(found.path)):
        return None
    return kernel_facts(runs, found.path, found.module, scope.node)


def triton_tiling(runs: KernelRuns, target: Target, options: ViewOptions, seen_in: SeenIn) -> Document:
    """The tiles and the memory movement of a Triton kernel."""
    from kernelscope.explain.tiling import tiling

    facts = triton_facts(runs, target)
    if facts is None:
        raise UserError(f"tiling is of a kernel, and there is none at {target.symbol or target.path.name}")
    return tiling(facts, options)


def execution_timeline(runs: KernelRuns, target: Target, options: ViewOptions, seen_in: SeenIn) -> Document:
    """What runs when: the persistent and pipelined loops of a Triton kernel, the tasks that a scheduler deals, or the
    streams of a function."""
    from kernelscope.explain.kernel_timeline import kernel_timeline
    from kernelscope.explain.schedule import scheduler_timeline
    from kernelscope.explain.stream_timeline import stream_timeline

    facts = triton_facts(runs, target)
    if facts is not None:
        return kernel_timeline(facts, options, target)
    found = python_target(runs.workspace, target)
    try:
        return scheduler_timeline(runs.workspace, found, options, target)
    except UserError:
        return stream_timeline(found, options, target)


def host_timeline(workspace: Workspace, target: Target, options: ViewOptions) -> Document:
    """What runs when in a file of C++: tasks that wait for counters, or the streams of a function."""
    from kernelscope.explain.schedule import counter_timeline
    from kernelscope.explain.stream_timeline import host_stream_timeline

    try:
        return counter_timeline(workspace, target, options)
    except UserError as error:
        try:
            return host_stream_timeline(workspace, target, options)
        except UserError:
            raise error from None


def explain(runs: KernelRuns, target: Target, options: ViewOptions, seen_in: SeenIn) -> Document:
    """A function or class of Python: its architecture where it is a module, and its pseudocode."""
    kernel = triton_facts(runs, target)
    if kernel is not None:
        from kernelscope.explain.triton_kernel import explain_triton_kernel

        return explain_triton_kernel(kernel, options)
    found = python_target(runs.workspace, target)
    if found.scope is None:
        try:
            return architecture(runs.workspace, found, seen_in, options, target)
        except UserError:
            return pseudocode(runs, target, options, seen_in)
    try:
        parts = architecture(runs.workspace, found, seen_in, options, target).blocks
    except UserError:
        parts = ()
    text = pseudocode(runs, target, options, seen_in)
    return Document(found.scope.qualified_name, (*parts, *text.blocks), "explain", target, text.notes)


PYTHON_DOCUMENTS: dict[str, Maker] = {
    "explain": explain,
    "pseudocode": pseudocode,
    "architecture": model_architecture,
    "tiling": triton_tiling,
    "timeline": execution_timeline,
}


def make(kind: str, runs: KernelRuns, target: Target, options: ViewOptions, seen_in: SeenIn) -> Document:
    """The deliverable of a kind. Raises UserError where there is none at the target."""
    if target.path.suffix in PYTHON_SUFFIXES and (maker := PYTHON_DOCUMENTS.get(kind)) is not None:
        return maker(runs, target, options, seen_in)
    if runs.workspace.files.is_folder(str(target.path)):
        raise UserError(f"{kind} is of a file, a class or a function: FILE, FILE:LINE or FILE::symbol")
    raise UserError(f"{target.path.name} is no file of which {kind} can be told")
