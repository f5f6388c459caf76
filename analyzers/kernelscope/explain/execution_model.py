"""How a system runs its model: eagerly, compiled, as CUDA graphs, by persistent kernels or by one megakernel.

Each model is said with what shows it; eager is what is left where nothing else is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from kernelscope.explain.document import Block, Heading, Line, Paragraph
from kernelscope.kernels.triton.persistent_loops import persistent_loops
from kernelscope.results import Span
from kernelscope.serving.c_functions import CFunction, CSource
from kernelscope.serving.claims import Claim
from kernelscope.serving.system import System
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.text import SourceText
from kernelscope.workspace.facts import DefKind
from kernelscope.workspace.files import CUDA_SUFFIXES
from kernelscope.workspace.workspace import Workspace

MAX_LINES = 4
KINDS_OF_WORK = 3
"""So many cases of a switch over a task's kind make a kernel that loops over tasks a megakernel."""
_OVER_BLOCKS = re.compile(rb"\bfor\s*\([^;]*=\s*blockIdx\.x\s*;[^;]*;[^;{)]*\+=\s*gridDim\.x\s*\)")
_GRID_APART = re.compile(rb"\+=\s*gridDim\.x")
"""The step of such a loop."""
_GRID = (b"blockIdx", b"gridDim")
_NUMBERS = (b"program_id", b"num_programs")
_PROGRAMS = (b"triton", b"program_id")
_SWITCH = re.compile(rb"\bswitch\s*\(")
_CASE = re.compile(rb"\bcase\b[^:;]*:")


def execution_model(workspace: Workspace, system: System, paths: list[str]) -> list[Block]:
    """One paragraph for each way of running that is seen, with its evidence."""
    kernels, claims = list(_kernels(workspace, paths)), system.about("topology.execution")
    found = {
        "CUDA graphs": [_line(c) for c in claims if "graph" in c.name.lower()],
        "Compiled graph": [_line(c) for c in claims if " fused by " in c.name or " compile " in c.name],
        "Persistent kernels": [line for kind, line in kernels if kind == "persistent"],
        "Megakernel": [line for kind, line in kernels if kind == "mega"],
    }
    lines = [Line(f"{name}: {line.text}", line.location) for name, lines in found.items() for line in lines[:MAX_LINES]]
    if not lines:
        lines = [Line("Eager: no captured graph, no compiled code and no kernel that loops over its work was found")]
    return [Heading("Execution model"), Paragraph(tuple(lines))]


def _line(claim: Claim) -> Line:
    return Line(claim.value, next(iter(claim.evidence), None))


def _kernels(workspace: Workspace, paths: list[str]) -> Iterator[tuple[str, Line]]:
    """Kernels whose blocks take one piece of work after the other."""
    for path in paths:
        data = workspace.files.read(path)
        if not isinstance(data, bytes) or not any(all(word in data for word in words) for words in (_GRID, _PROGRAMS)):
            continue  # the facts of five thousand files would take twelve seconds
        facts = workspace.index.facts(path)
        defs = facts.defs if facts is not None else ()
        triton = [d for d in defs if d.kind is DefKind.FUNCTION and "jit" in d.detail and "triton" in d.detail]
        if triton:
            names = {d.name for d in triton if _may_take_tiles(data[d.start : d.end])}
            yield from _triton(workspace, path, names) if names else ()
        elif not _GRID_APART.search(data):
            continue
        elif any(d.kind is DefKind.CUDA_KERNEL for d in defs) and Path(path).suffix in CUDA_SUFFIXES:
            source = CSource(Path(path), SourceText(data))
            yield from (found for f in source.functions if f.is_kernel for found in _cuda(source, f))


def _may_take_tiles(text: bytes) -> bool:
    """Whether a kernel loops and asks for its number, or how many there are: else its file need not be parsed."""
    return any(word in text for word in (b"for ", b"while")) and any(word in text for word in _NUMBERS)


def _triton(workspace: Workspace, path: str, kernels: set[str]) -> Iterator[tuple[str, Line]]:
    module = workspace.modules.module(path)
    for scope in module.functions() if module is not None else ():
        if module is None or not isinstance(scope.node, t.FunctionDef) or scope.node.name not in kernels:
            continue
        for loop in persistent_loops(scope.node):
            text = f"{scope.qualified_name} takes tiles by {module.text.slice(loop.head.span)}"
            yield "persistent", Line(text, module.text.location(Path(path), loop.head.span))


def loop_over_tasks(source: CSource, kernel: CFunction) -> Span | None:
    """The head of the loop in which a block of a megakernel takes tasks of several kinds, a grid apart."""
    loop = _OVER_BLOCKS.search(source.code, kernel.start, kernel.end)
    return Span(*loop.span()) if loop is not None and _kinds(source, kernel, loop.end()) >= KINDS_OF_WORK else None


def _kinds(source: CSource, kernel: CFunction, start: int) -> int:
    """How many cases the switch has that a loop makes in every round."""
    switch = _SWITCH.search(source.code, start, kernel.end)
    return len(_CASE.findall(source.code, switch.end(), kernel.end)) if switch is not None else 0


def _cuda(source: CSource, kernel: CFunction) -> Iterator[tuple[str, Line]]:
    loop = _OVER_BLOCKS.search(source.code, kernel.start, kernel.end)
    if loop is None:
        return
    kinds, where = _kinds(source, kernel, loop.end()), source.at(loop.start())
    if kinds >= KINDS_OF_WORK:
        yield "mega", Line(f"{kernel.name} loops over tasks and runs each of {kinds} kinds", where)
    else:
        yield "persistent", Line(f"{kernel.name}: {source.quote(loop.start(), loop.end(), 90)}", where)
