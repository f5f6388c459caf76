"""Documents about the system that a file belongs to: how it serves, its technical FAQ, its distribution, the report.

Which files are the system is told by the folder: all of the workspace's root while they are few, else the nearest
package around the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from kernelscope.explain.cache_pictures import batch_timeline, block_table, radix_tree
from kernelscope.explain.document import Block, Document, Heading, Line, Paragraph, Table
from kernelscope.explain.faq import QUESTIONS, Question, answer_of, groups_of
from kernelscope.explain.section_settings import declared
from kernelscope.explain.system_architecture import system_pictures
from kernelscope.explain.system_components import parts_of
from kernelscope.explain.system_pictures import sharding_map, state_diagram, topology
from kernelscope.faults import part
from kernelscope.graph.operator_graph import OperatorGraph
from kernelscope.results import Location, Target, UserError, ViewOptions
from kernelscope.serving.claims import Claim
from kernelscope.serving.parallel import WORDS
from kernelscope.serving.parameter import Parameter
from kernelscope.serving.readings import Readings
from kernelscope.serving.system import System
from kernelscope.workspace.workspace import Workspace

MOST_FILES = 1_200
"""Files of one system; a larger folder is narrowed to the package around the target."""
MOST_DRAWN = 400
"""Files of a system whose parts and calls are drawn; those of a larger one have a document of their own."""
MOST_CLAIMS = 14
MOST_ROWS = 40


def system_document(
    kind: str,
    workspace: Workspace,
    readings: Readings,
    graph: Callable[[], OperatorGraph],
    target: Target,
    options: ViewOptions,
) -> Document:
    """The document of a kind. Raises UserError where the folder holds nothing to tell."""
    folder, paths = files_around(workspace, target.path)
    if not paths:
        raise UserError(f"{folder} holds no Python, Triton or CUDA source")
    system = readings.system(paths)
    title, make = DOCUMENTS[kind]
    blocks = list(make(system, options))
    if kind == "serving" and blocks and len(paths) <= MOST_DRAWN:
        blocks[:0] = whole("architecture", _drawn(workspace, graph(), system, options.width), system)
    if not blocks:
        raise UserError(f"nothing that a {title.lower()} tells of was found in {len(paths)} files of {folder.name}")
    notes = (f"from {len(paths)} source files below {folder}", *_not_read(workspace, folder))
    return Document(f"{title} of {folder.name}", tuple(blocks), kind, target, notes)


def _drawn(workspace: Workspace, graph: OperatorGraph, system: System, width: int) -> Iterator[Block]:
    """Who takes requests, who schedules them, and what runs them, where these call each other."""
    pictures = system_pictures(workspace, system, parts_of(workspace, graph, system), width)
    if pictures:
        yield Heading("Architecture")
        yield from pictures


def _not_read(workspace: Workspace, folder: Path) -> Iterator[str]:
    """What a reader must know of "not found": parts in languages that nothing was read of."""
    others = workspace.files.other_languages(str(folder))
    if others:
        counted = ", ".join(f"{count} of {language}" for language, count in others.items())
        yield f"not read: files in other languages ({counted}), so what they do is missing here"


def files_around(workspace: Workspace, path: Path) -> tuple[Path, list[str]]:
    """The folder whose system a file belongs to, and its source files."""
    if workspace.files.is_folder(str(path)):
        return path, [e.path for e in workspace.files.walk() if Path(e.path).is_relative_to(path)]
    root = Path(workspace.files.root_of(str(path)) or path.parent)
    paths = [entry.path for entry in workspace.files.walk()]
    folder = root
    for name in path.parent.relative_to(root).parts if path.is_relative_to(root) else ():
        if len(paths) <= MOST_FILES:
            break
        folder = folder / name
        paths = [p for p in paths if p.startswith(str(folder) + os.sep)]
    return folder, paths


# -- serving -------------------------------------------------------------------------------------------------


def serving_blocks(system: System, options: ViewOptions) -> Iterator[Block]:
    """Topology, request states, scheduling, batching, caches, metrics: pictures, then what shows them."""
    yield from whole("topology", _topology(system), system)
    yield from whole("request lifecycle", _lifecycle(system), system)
    for title, name in SECTIONS:
        yield from whole(title, _section(system, title, name), system)
    yield from whole("metrics", _metrics(system), system)


def whole(name: str, blocks: Iterable[Block], system: System) -> Iterator[Block]:
    """The blocks of a part, up to a fault, which is told after them."""
    found: list[Block] = []
    before = len(system.faults)
    with part(name, system.faults):
        found.extend(blocks)
    yield from found
    yield from (Paragraph((Line(fault.text),)) for fault in system.faults[before:])


def _section(system: System, title: str, name: str) -> Iterator[Block]:
    claims = system.about(f"serving.{name}")
    settings = declared(system, name)
    if not claims and not settings:
        return
    yield Heading(title)
    if name in PICTURES and (picture := PICTURES[name](system)) is not None:
        yield picture
    if claims:
        yield _claims(claims)
    if settings:
        yield _settings(settings)


def _metrics(system: System) -> Iterator[Block]:
    metrics = list(system.metrics)[:MOST_ROWS]
    if metrics:
        yield Heading("Metrics")
        rows = tuple((Line(m.name, m.location), Line(m.kind), Line(m.measures)) for m in metrics)
        yield Table(("Metric", "Type", "Measures"), rows)


PICTURES = {"kv_cache": block_table, "prefix_cache": radix_tree, "batching": batch_timeline}
SECTIONS = (
    ("Scheduling", "scheduling"),
    ("Batching", "batching"),
    ("KV cache", "kv_cache"),
    ("Prefix cache", "prefix_cache"),
)


def _topology(system: System) -> Iterator[Block]:
    picture = topology(system)
    if picture is not None:
        yield Heading("Topology")
        yield picture
    rows = [
        (Line(f"{r.method} {r.path}", r.location), Line(r.handler))
        for r in system.routes
        if not system.is_aside(r.location.path)
    ][:MOST_ROWS]
    addresses = system.about("serving.topology.addresses")
    if addresses:
        yield Heading("Addresses", 3)
        yield _claims(addresses)
    if rows:
        yield Heading("HTTP routes", 3)
        yield Table(("Route", "Served by"), tuple(rows))


def _lifecycle(system: System) -> Iterator[Block]:
    picture = state_diagram(system)
    if picture is None:
        return
    yield Heading("Request lifecycle")
    yield picture
    rows = [
        (Line(x.state, x.location), Line(x.where), Line(x.condition or "always"))
        for x in system.transitions[:MOST_ROWS]
    ] or [
        (Line(f"{move.source} → {move.target}", move.location), Line(move.where), Line(move.condition or "always"))
        for move in system.moves[:MOST_ROWS]
    ]
    yield Table(("Becomes", "In", "When"), tuple(rows))


def _claims(claims: Iterable[Claim], most: int = MOST_CLAIMS) -> Paragraph:
    unique = list({(c.name, c.value): c for c in claims}.values())
    lines = [Line(f"• {claim.text}", claim.evidence[0]) for claim in unique[:most]]
    if len(unique) > most:
        lines.append(Line(f"{len(unique) - most} more in the full report"))
    return Paragraph(tuple(lines))


def _settings(parameters: list[Parameter]) -> Table:
    rows = [
        (Line(p.name, p.location), Line(p.owner or "module"), Line(p.expression[:48] or "none"), Line(p.doc[:70]))
        for p in parameters[:MOST_CLAIMS]
    ]
    return Table(("Parameter", "Owner", "Default", "Meaning"), tuple(rows))


# -- distribution --------------------------------------------------------------------------------------------


def distributed_blocks(system: System, options: ViewOptions) -> Iterator[Block]:
    """Sharded layers as a map, collectives as a table, groups and plans."""
    yield from whole("sharded layers", _sharded(system), system)
    yield from whole("collectives", _collectives(system), system)
    yield from whole("plans and groups", _plans(system), system)


def _sharded(system: System) -> Iterator[Block]:
    picture = sharding_map(system)
    if picture is not None:
        yield Heading("Sharded layers")
        yield picture
        yield Table(
            ("Layer", "Sharding", "Divided", "Joined by"),
            tuple(
                (
                    Line(layer.name, layer.location),
                    Line(WORDS[layer.style].partition(" (")[0]),
                    Line(layer.divided),
                    Line(layer.joined.primitive, layer.joined.location) if layer.joined else Line("nothing"),
                )
                for layer in system.layers[:MOST_ROWS]
            ),
        )


def _collectives(system: System) -> Iterator[Block]:
    collectives = [c for c in system.collectives if not system.is_aside(c.location.path)]
    if collectives:
        yield Heading("Collectives")
        rows = [
            (
                Line(c.primitive, c.location),
                Line(c.tensor),
                Line(c.after or c.where),
                Line(c.condition or "always"),
                Line(c.overlapped or ("asynchronous" if c.is_async else "no")),
            )
            for c in collectives[:MOST_ROWS]
        ]
        yield Table(("Collective", "Tensor", "After", "Condition", "Overlap"), tuple(rows))


def _plans(system: System) -> Iterator[Block]:
    for title, section in (("Plans", "distributed.sharding"), ("Process groups", "distributed.groups")):
        claims = [c for c in system.about(section) if section.endswith("groups") or c.name == "TP plan"]
        if claims:
            yield Heading(title)
            yield _claims(claims)


# -- the FAQ and the report ----------------------------------------------------------------------------------


def faq_blocks(system: System, options: ViewOptions) -> Iterator[Block]:
    """Every question with its answer, or with what was searched."""
    topics: dict[str, list[Question]] = {}
    for question in QUESTIONS:
        topics.setdefault(question.topic, []).append(question)
    for topic, questions in topics.items():
        yield Heading(topic.replace("_", " ").capitalize())
        for question in questions:
            lines = [Line(question.text)]
            claims = answer_of(question, system)
            for group in groups_of(claims)[:1]:
                lines += [Line(f"  • {claim.value}", _place(claim)) for claim in group]
            if not claims:
                lines.append(Line(f"  not found: no {question.searched}"))
            yield Paragraph(tuple(lines))


def _place(claim: Claim) -> Location | None:
    return claim.evidence[0] if claim.evidence else None


def report_blocks(system: System, options: ViewOptions) -> Iterator[Block]:
    """Configuration, constraints, serving, distribution, order and synchronisation, and the FAQ on one page."""
    yield from whole("configuration", _configuration(system), system)
    yield from whole("constraints", _constraints(system), system)
    yield from serving_blocks(system, options)
    yield from distributed_blocks(system, options)
    for title, section in REPORTED:
        claims = system.about(section)
        if claims:
            yield Heading(title)
            yield _claims(claims)
    yield Heading("Technical FAQ")
    yield from faq_blocks(system, options)


def _configuration(system: System) -> Iterator[Block]:
    settings = [p for p in system.parameters if p.kind in ("field", "option", "environment") and p.expression]
    if settings:
        yield Heading("Configuration")
        yield Table(
            ("Parameter", "Owner", "Default", "Becomes"),
            tuple(
                (Line(p.name, p.location), Line(p.owner), Line(p.expression[:48]), Line(_override(p)))
                for p in settings[: 2 * MOST_ROWS]
            ),
        )


def _constraints(system: System) -> Iterator[Block]:
    constraints = [c for c in system.constraints if not system.is_aside(c.location.path)][:MOST_ROWS]
    if constraints:
        yield Heading("Constraints")
        rows = (
            Line(f"• {c.condition} ({c.kind}, {c.enforced_by} in {c.where or 'the file'})", c.location)
            for c in constraints
        )
        yield Paragraph(tuple(rows))


REPORTED = (
    ("Execution", "topology.execution"),
    ("Order of steps", "dependencies.order"),
    ("Synchronisation", "dependencies.sync"),
    ("Fusion", "faq.fusion"),
    ("Precision", "faq.precision"),
)


def _override(p: Parameter) -> str:
    return "; ".join(f"{o.value} if {o.condition}" if o.condition else o.value for o in p.overrides[:2])


Maker = Callable[[System, ViewOptions], Iterator[Block]]
DOCUMENTS: dict[str, tuple[str, Maker]] = {
    "serving": ("Serving system", serving_blocks),
    "faq": ("Technical FAQ", faq_blocks),
    "distributed": ("Distributed map", distributed_blocks),
    "report": ("Report", report_blocks),
}
