"""What a folder holds, on one page: its models as trees, its kernels with who reaches them, its configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from kernelscope.explain.architecture import part_tree, top_models
from kernelscope.explain.document import Block, Document, Heading, Line, Paragraph, Table
from kernelscope.explain.execution_model import execution_model
from kernelscope.explain.report_config import alike_constraints
from kernelscope.explain.section_settings import importance, is_offered
from kernelscope.explain.targets import python_target
from kernelscope.graph.kinds import Edge, EdgeKind, Node, NodeKind
from kernelscope.graph.module_tree import Part
from kernelscope.graph.operator_graph import OperatorGraph
from kernelscope.results import Target, UserError, ViewOptions
from kernelscope.serving.constraints import Constraint
from kernelscope.serving.parameter import Parameter
from kernelscope.serving.readings import Readings
from kernelscope.serving.system import System
from kernelscope.workspace.facts import DefKind
from kernelscope.workspace.workspace import Workspace

MAX_MODELS = 6
MAX_ROWS = 40
MAX_DEFAULT, MAX_DOC = 40, 60
"""Characters of a default and of what a setting is for."""
_MARKS = re.compile("jit|kernel|prim_func")
"""In decorators of Python functions that may be kernels: of Triton, TileLang, CuTe, Numba and their kin."""
SHOWN_FILES = 400
"""Above this many files the configuration is left to the report."""


def overview(
    workspace: Workspace, graph: OperatorGraph, readings: Readings, folder: Path, options: ViewOptions
) -> Document:
    """The overview of the files below `folder`. Raises UserError when there is nothing to read."""
    paths = [entry.path for entry in workspace.files.walk() if Path(entry.path).is_relative_to(folder)]
    left_out = [entry for entry in workspace.files.left_out() if entry.path.is_relative_to(folder)]
    if not paths:
        reasons = [f"; {entry.path.name} was left out: {entry.reason}" for entry in left_out[:1]]
        raise UserError(f"{folder} holds no Python, Triton or CUDA source" + "".join(reasons))
    product = frozenset(readings.of_the_product(paths))
    blocks: list[Block] = [*_models(workspace, folder, paths, options), *_kernels(graph, folder, paths, product)]
    notes = ["1 source file" if len(paths) == 1 else f"{len(paths)} source files"]
    if left_out:
        more = f" and {len(left_out) - 1} others" if len(left_out) > 1 else ""
        notes.append(f"not read: {left_out[0].path.name} ({left_out[0].reason}){more}")
    if len(paths) <= SHOWN_FILES:
        system = readings.system(paths)
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


def _kernels(graph: OperatorGraph, folder: Path, paths: list[str], product: Collection[str]) -> Iterator[Block]:
    """Kernels of Triton and CUDA with the places that launch them; those of the product before those of its tests."""
    kernels: list[Node] = []
    for path in sorted(paths, key=lambda path: path not in product):
        facts = graph.facts(path)
        for index, entry in enumerate(facts.defs if facts is not None else ()):
            if facts is not None and (entry.kind is DefKind.CUDA_KERNEL or _MARKS.search(entry.detail)):
                node = graph.function(path, facts, index)
                kernels += [node] if node.kind is NodeKind.KERNEL else []
    rows: list[tuple[Line, ...]] = []
    more = 0
    for node in kernels:
        edges = graph.in_edges(node)
        launches = [edge for edge in edges if edge.kind is EdgeKind.LAUNCHES]
        if not launches and any(edge.source.kind is NodeKind.KERNEL and edge.source != node for edge in edges):
            continue  # a part of other kernels: `@triton.jit` marks both
        if len(rows) == MAX_ROWS:
            more += 1
            continue
        file = Line(os.path.relpath(node.path, folder))
        rows.append((Line(node.name, node.location), Line(node.detail), file, _launched(node, launches)))
    if rows:
        yield Heading("Kernels")
        yield Table(("Kernel", "Language", "File", "Launched"), tuple(rows))
    if more:
        yield Paragraph((Line(f"{more} more kernels: `kernelscope index`"),))


def _launched(kernel: Node, launches: list[Edge]) -> Line:
    """Where a kernel is started: how many places, and the first of them."""
    if not launches:
        return Line("not launched here")
    places = list(dict.fromkeys(edge.location for edge in launches if edge.location is not None))
    first = min(places, key=lambda place: (str(place.path) != kernel.path, place.path, place.line))
    return Line(f"{len(places)} × {first}", first)


def _system(system: System, folder: Path) -> Iterator[Block]:
    """Configuration and the claims about serving."""
    settings = _settings(system)
    if settings:
        yield Heading("Configuration")
        yield Table(("Parameter", "Owner", "Default", "Meaning"), tuple(map(_setting, settings[:MAX_ROWS])))
        if len(settings) > MAX_ROWS:
            yield Paragraph((Line(f"{len(settings) - MAX_ROWS} more settings: `kernelscope report`"),))
    constraints = alike_constraints(system)
    if constraints:
        yield Heading("Constraints")
        yield Paragraph(tuple(map(_constraint, constraints[:MAX_ROWS])))
        if len(constraints) > MAX_ROWS:
            yield Paragraph((Line(f"{len(constraints) - MAX_ROWS} more constraints: `kernelscope report`"),))
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


def _settings(system: System) -> list[list[Parameter]]:
    """Fields and options with a default, what matters most first; an option that several scripts take alike is one."""
    shown = [p for p in system.declared if p.kind in ("field", "option") and p.expression]
    shown = shown or [p for p in system.parameters if p.kind in ("field", "option") and p.expression]
    alike: dict[tuple[str, str, str], list[Parameter]] = {}
    for p in sorted(shown, key=lambda p: (importance(p), not is_offered(p), -system.weight(p.location.path))):
        alike.setdefault((p.name, p.owner, p.expression), []).append(p)
    return list(alike.values())


def _setting(alike: list[Parameter]) -> tuple[Line, ...]:
    p = alike[0]
    files = list(dict.fromkeys(other.location.path for other in alike))
    owner = p.owner
    if p.kind == "option":
        owner += f" of {files[0].name}" if len(files) == 1 else f" of {len(files)} scripts"
    return (Line(p.name, p.location), Line(owner), Line(p.expression[:MAX_DEFAULT]), Line(p.doc[:MAX_DOC]))


def _constraint(alike: list[Constraint]) -> Line:
    """What is demanded, of which kind, by what, and in how many places."""
    c = alike[0]
    by = c.enforced_by if c.enforced_by != "check_macro" else "check macro"
    said = [c.kind if c.kind != "other" else "", by, f"in {len(alike)} places" if len(alike) > 1 else ""]
    return Line(f"{c.condition}  ({', '.join(filter(None, said))})", c.location)
