"""The operators of a folder on one page: what implements each, which kernels it comes to, or where its calls end.

An operator is one that a file of the folder registers: a schema, an implementation, an export to Python. One that is
called only is none of them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kernelscope.explain.call_path import instead
from kernelscope.explain.document import Block, Document, Heading, Line, Paragraph, Table
from kernelscope.graph.gaps import CPU, HOST, TORCH, Gap, Rank, ends, gaps
from kernelscope.graph.kinds import Edge, EdgeKind, Node, NodeKind
from kernelscope.graph.operator_graph import OperatorGraph
from kernelscope.graph.paths import Reached, kernels_from
from kernelscope.graph.registrations import ANY_LIBRARY
from kernelscope.ops.registry import computes
from kernelscope.results import Location, Target, UserError

DOUBT = "? "
MOST_KERNELS = 2
"""Kernels named in a row; of the rest it says how many there are."""


@dataclass(frozen=True, slots=True)
class OperatorEnd:
    """An operator with what implements it and what it leads to; `missing` says why that is no kernel."""

    operator: Node
    bindings: tuple[Node, ...]
    implementations: tuple[Node, ...]
    reached: Reached
    missing: tuple[Gap, ...]

    @property
    def group(self) -> str:
        """The kind of end in a word or two, by which operators are counted and listed together."""
        if self.reached.kernels():
            return KERNEL
        if self.reached.libraries():
            return LIBRARY
        if not self.implementations:
            return UNBOUND
        met = ends(list(self.missing), self.reached)
        if CPU in met:
            return ON_CPU
        if met == [HOST]:
            return ON_HOST
        ranks = [gap.rank for gap in self.missing]
        if self.reached.missing() or Rank.OUTSIDE in ranks:
            return OUTSIDE
        if set(met) - {TORCH} and Rank.COPIES not in ranks:
            return OUTSIDE
        if Rank.COPIES in ranks:
            return COPIES
        if any(node.kind is NodeKind.COLLECTIVE for node in self.reached.via):
            return COLLECTIVE
        return PYTORCH if met else NOTHING


KERNEL = "Come to a kernel"
LIBRARY = "Come to a kernel of a library"
OUTSIDE = "End outside of the workspace"
ON_CPU = "Run on the CPU"
ON_HOST = "Run on the host, as far as their calls can be followed"
COPIES = "Copy or fill memory by the runtime"
COLLECTIVE = "Communicate only"
PYTORCH = "End in PyTorch's own operators"
NOTHING = "Come to no kernel that could be found"
UNBOUND = "Have no implementation in the workspace"
GROUPS = (KERNEL, LIBRARY, OUTSIDE, ON_CPU, ON_HOST, COPIES, COLLECTIVE, PYTORCH, NOTHING, UNBOUND)
"""The order in which they are listed."""


def operator_ends(graph: OperatorGraph, folder: Path) -> list[OperatorEnd]:
    """Every operator that a file below `folder` registers, by name."""
    below = str(folder).rstrip(os.sep) + os.sep
    found: list[OperatorEnd] = []
    for op in graph.every_operator():
        registered = [edge.target for edge in graph.out_edges(op) if edge.kind is EdgeKind.REGISTERS]
        bindings = tuple(node for node in registered if node.kind is NodeKind.BINDING)
        if not any(node.path.startswith(below) for node in bindings):
            continue
        reached = kernels_from(graph, op)
        implementations = [node for node in graph.implementations(op) if _computes(reached.via[node])]
        found.append(OperatorEnd(op, bindings, tuple(implementations), reached, tuple(gaps(graph, reached, computes))))
    return found


def operators_document(graph: OperatorGraph, target: Target) -> Document:
    """The operators of a folder as tables. Raises `UserError` where it registers none."""
    found = operator_ends(graph, target.path)
    if not found:
        raise UserError(
            f"{target.path.name} registers no operator; name a function or kernel as FILE::symbol or FILE:LINE"
        )
    groups: dict[str, list[OperatorEnd]] = {group: [] for group in GROUPS}
    for end in found:
        groups[end.group].append(end)
    blocks: list[Block] = [Paragraph(tuple(_summary(found, groups)))]
    notes: list[str] = []
    for group, members in groups.items():
        if members:
            blocks.append(Heading(f"{group} ({len(members)})"))
            columns = ("Operator", "Implemented by", "Comes to" if group is KERNEL else "Ends in")
            rows = tuple(_row(end) for end in members)
            table = Table(columns, rows).without("Implemented by", "")
            if group in (ON_CPU, ON_HOST):  # the heading says it, where that is all
                table = table.without("Ends in", rows[0][-1].text)
            blocks.append(table)
            if not notes and any(DOUBT in row[-1].text for row in rows):
                notes.append("? marks an end that lies behind a hop with several possible targets")
    if cut := sum(not end.reached.complete for end in found):
        notes.append(f"the search met its bound for {cut} of them; there may be more behind these")
    if any(end.operator.name.startswith(f"{ANY_LIBRARY}::") for end in found):
        notes.append(f"{ANY_LIBRARY} is a library whose name the build sets")
    if not graph.complete:
        notes.append("the index is still being built; links may be missing")
    return Document(f"Operators of {target.path.name}", tuple(blocks), "path", target, tuple(notes))


def _summary(found: list[OperatorEnd], groups: dict[str, list[OperatorEnd]]) -> Iterator[Line]:
    bound = len(found) - len(groups[UNBOUND])
    yield Line(f"{_share(bound, len(found))} operators have an implementation in the workspace.")
    to_kernels = len(groups[KERNEL]) + len(groups[LIBRARY])
    of_device = bound - len(groups[ON_CPU]) - len(groups[ON_HOST])
    share = (
        f" Of the {of_device} that run neither on the CPU nor on the host these are {_percent(to_kernels, of_device)}."
    )
    yield Line(f"{_share(to_kernels, bound)} of them come to a kernel." + (share if of_device < bound else ""))
    if outside := len(groups[OUTSIDE]):
        inside = of_device - outside
        rest = f" Of the other {inside} {_percent(to_kernels, inside)} come to one." if inside else ""
        yield Line(f"The calls of {outside} lead out of the workspace before any kernel.{rest}")
    packages = Counter(
        library for end in groups[OUTSIDE] for library in ends(list(end.missing), end.reached) if library != TORCH
    )
    if packages:
        counted = ", ".join(f"{name} {count}" for name, count in packages.most_common(6))
        yield Line(f"Packages outside of the workspace in which others end: {counted}.")


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}" + (f" ({_percent(part, whole)})" if whole else "")


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "none"


def _row(end: OperatorEnd) -> tuple[Line, ...]:
    return (Line(end.operator.name.removeprefix("::"), _place(end)), _implementation(end), _end(end))


def _place(end: OperatorEnd) -> Location | None:
    """The schema where there is one, else the first registration."""
    defined = [node for node in end.bindings if node.detail.startswith("define")]
    return (defined or end.bindings)[0].location


def _implementation(end: OperatorEnd) -> Line:
    if not end.implementations:
        return Line("")
    first = end.implementations[0]
    others = len(end.implementations) - 1
    return Line(first.name + (f" +{others}" if others else ""), first.location)


def _end(end: OperatorEnd) -> Line:
    reached = end.reached
    found = [*reached.kernels(), *reached.libraries()]
    if found:
        missing = f"; {end.missing[0].edge.target.name}" if end.missing else ""
        named = list(dict.fromkeys(_named(reached, node) for node in found))
        others = f" +{len(named) - MOST_KERNELS}" if len(named) > MOST_KERNELS else ""
        return Line(", ".join(named[:MOST_KERNELS]) + others + missing, found[0].location)
    if end.group in (NOTHING, OUTSIDE, COPIES, PYTORCH, UNBOUND) and (
        missing := [gap.edge for gap in end.missing] or _hops(reached)
    ):
        return Line(missing[0].target.name, missing[0].location)
    return Line(instead(reached, list(end.missing)))


def _named(reached: Reached, kernel: Node) -> str:
    """A kernel's name, with its library if it is of one, marked where a hop to it is not certain."""
    name = kernel.name if kernel.kind is NodeKind.KERNEL else f"{kernel.detail}: {kernel.name}"
    return name if all(edge.certain for edge in reached.path(kernel)) else f"{DOUBT}{name}"


def _hops(reached: Reached) -> list[Edge]:
    """The edges that lead to what the workspace does not show."""
    return [reached.via[node] for node in reached.missing()]


def _computes(bound: Edge) -> bool:
    """Whether a registration names what runs: a fake tells shapes only."""
    return not bound.source.detail.startswith("fake")
