"""What a folder holds, on one page: its models as trees, its kernels with who reaches them, its configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from kernelscope.explain.architecture import part_tree, top_models
from kernelscope.explain.document import Block, Document, Heading, Line, Paragraph, Table
from kernelscope.explain.execution_model import execution_model
from kernelscope.explain.targets import python_target
from kernelscope.graph.module_tree import Part
from kernelscope.results import Location, Target, UserError, ViewOptions
from kernelscope.serving.readings import Readings
from kernelscope.serving.system import System
from kernelscope.syntax.text import SourceText
from kernelscope.workspace.facts import DefKind
from kernelscope.workspace.workspace import Workspace

MAX_MODELS = 6
MAX_ROWS = 40
SHOWN_FILES = 400
"""Above this many files the configuration is left to the report."""


def overview(workspace: Workspace, folder: Path, options: ViewOptions) -> Document:
    """The overview of the files below `folder`. Raises UserError when there is nothing to read."""
    paths = [entry.path for entry in workspace.files.walk() if Path(entry.path).is_relative_to(folder)]
    left_out = [entry for entry in workspace.files.left_out() if entry.path.is_relative_to(folder)]
    if not paths:
        reasons = [f"; {entry.path.name} was left out: {entry.reason}" for entry in left_out[:1]]
        raise UserError(f"{folder} holds no Python, Triton or CUDA source" + "".join(reasons))
    blocks: list[Block] = [*_models(workspace, folder, paths, options), *_kernels(workspace, folder, paths)]
    notes = ["1 source file" if len(paths) == 1 else f"{len(paths)} source files"]
    if left_out:
        more = f" and {len(left_out) - 1} others" if len(left_out) > 1 else ""
        notes.append(f"not read: {left_out[0].path.name} ({left_out[0].reason}){more}")
    if len(paths) <= SHOWN_FILES:
        system = Readings(workspace).system(paths)
        blocks += [*(execution_model(workspace, system, paths) if blocks else ()), *_system(system, folder)]
    else:
        notes.append("configuration and serving: `kernelscope report`, with --focus for parts of a large folder")
    if not blocks:
        notes.append("no models, kernels or configuration were recognised in them")
    return Document(f"Overview of {folder.name}", tuple(blocks), "explain", Target(folder), tuple(notes))


def _models(workspace: Workspace, folder: Path, paths: list[str], options: ViewOptions) -> Iterator[Block]:
    """The largest models first; a model that another file's model contains is not repeated."""
    found: list[tuple[str, Part]] = []
    for path in paths:
        if path.endswith(".py") and b"nn" in _head(workspace, path):
            found += [(path, root) for root in top_models(workspace, python_target(workspace, Target(Path(path))))]
    inside = {part.definition.node for _, root in found for part in _below(root) if part.definition is not None}
    roots = [(path, root) for path, root in found if root.definition is None or root.definition.node not in inside]
    roots.sort(key=lambda entry: (-sum(1 for _ in _below(entry[1])), entry[0]))
    for path, root in roots[:MAX_MODELS]:
        yield Heading(f"Model {root.class_name} ({os.path.relpath(path, folder)})", location=root.location)
        yield part_tree(root, options.width)
    if len(roots) > MAX_MODELS:
        yield Paragraph((Line(f"{len(roots) - MAX_MODELS} more models: `kernelscope architecture FILE`"),))


def _below(part: Part) -> Iterator[Part]:
    for child in part.children:
        yield child
        yield from _below(child)


def _head(workspace: Workspace, path: str) -> bytes:
    data = workspace.files.read(path)
    return data if isinstance(data, bytes) else b""


def _kernels(workspace: Workspace, folder: Path, paths: list[str]) -> Iterator[Block]:
    """Kernels of Triton and CUDA with the places that launch them."""
    launches: dict[str, list[Location]] = {}
    rows: list[tuple[Line, ...]] = []
    kernels: list[tuple[str, str, Location]] = []
    for path in paths:
        facts = workspace.index.facts(path)
        if facts is None:
            continue
        text = SourceText(_head(workspace, path))
        for launch in facts.launches:
            name = launch.kernel.rpartition(".")[2].partition("<")[0]
            launches.setdefault(name, []).append(Location(Path(path), launch.line))
        for entry in facts.defs:
            where = Location(Path(path), text.line_of(entry.name_start))
            if entry.kind is DefKind.CUDA_KERNEL:
                kernels.append((entry.name, "CUDA", where))
            elif entry.kind is DefKind.FUNCTION and "jit" in entry.detail and "triton" in entry.detail:
                kernels.append((entry.name, "Triton", where))
    for name, language, where in kernels[:MAX_ROWS]:
        places = launches.get(name, [])
        launched = Line(f"{len(places)} × {places[0]}", places[0]) if places else Line("not launched here")
        rows.append((Line(name, where), Line(language), Line(os.path.relpath(where.path, folder)), launched))
    if rows:
        yield Heading("Kernels")
        yield Table(("Kernel", "Language", "File", "Launched"), tuple(rows))
    if len(kernels) > MAX_ROWS:
        yield Paragraph((Line(f"{len(kernels) - MAX_ROWS} more kernels: `kernelscope index`"),))


def _system(system: System, folder: Path) -> Iterator[Block]:
    """Configuration and the claims about serving."""
    fields = [p for p in system.parameters if p.kind in ("field", "option") and p.expression]
    if fields:
        yield Heading("Configuration")
        rows = [
            (Line(p.name, p.location), Line(p.owner), Line(p.expression[:40]), Line(p.doc[:60]))
            for p in fields[:MAX_ROWS]
        ]
        yield Table(("Parameter", "Owner", "Default", "Meaning"), tuple(rows))
    constraints = list(system.constraints)[:MAX_ROWS]
    if constraints:
        yield Heading("Constraints")
        lines = [Line(f"{c.condition}  ({c.kind}, {c.enforced_by})", c.location) for c in constraints]
        yield Paragraph(tuple(lines))
    parts = ("scheduling", "batching", "kv_cache", "prefix_cache")
    claims = [c for part in parts for c in system.about(f"serving.{part}")]
    if claims:
        yield Heading("Serving")
        yield Paragraph(tuple(Line(f"{c.name}: {c.value}", c.evidence[0]) for c in claims[:MAX_ROWS]))
    if system.collectives:
        yield Heading("Communication")
        shown = [
            Line(f"{c.primitive} of {c.tensor} in {c.where}{f' if {c.condition}' if c.condition else ''}", c.location)
            for c in system.collectives[:MAX_ROWS]
        ]
        yield Paragraph(tuple(shown))
