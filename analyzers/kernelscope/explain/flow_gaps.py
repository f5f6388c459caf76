"""What a dataflow picture could not follow: calls that stay shut, and values whose source or use is lost.

A picture with a gap says so: a box without a line into it would else be read as taking nothing.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from kernelscope import ops
from kernelscope.dims.spelling import without_calls
from kernelscope.explain.alternatives import alternatives, first_of
from kernelscope.explain.box_labels import launched
from kernelscope.explain.document import Line
from kernelscope.interp.steps import tensors_in
from kernelscope.interp.values import Choice, External, Function, Instance, Opaque
from kernelscope.patterns.flow import Node
from kernelscope.tensor import Tensor, Unknown

if TYPE_CHECKING:
    from kernelscope.explain.flow_chart import Chart

MAX_LINES = 12


def gaps(chart: Chart) -> list[Line]:
    """One line for each call that is not followed and each value that is lost."""
    found = list(dict.fromkeys((*_shut(chart), *_chosen(chart), *_lost_inputs(chart), *_lost_outputs(chart))))
    more = len(found) - MAX_LINES
    return [*islice(found, MAX_LINES), *([Line(f"{more} more")] if more > 0 else [])]


def _shut(chart: Chart) -> Iterator[Line]:
    for box in chart.boxes:
        known = box in chart.named or launched(box.step)
        if box.step.kind in ("unfollowed", "choice") and not known:
            reason = _reason(box)
            if reason:
                told = f"{_title(chart, box)} is not followed: {without_calls(reason)}"
                yield Line(told, chart.labels.place(box))


def _chosen(chart: Chart) -> Iterator[Line]:
    """Calls of one of several callables that are drawn as the first."""
    for node in sorted(chart.choice.opened, key=lambda node: node.number):
        target = node.step.target
        if not any(leaf in chart.boxes_live for leaf in node.leaves()):
            continue
        if isinstance(target, Instance) and node.step.ways > 1:
            held = f"objects of {target.cls.name} that hold different layers"
            which = f"{chart.labels.attribute(node)} is one of {node.step.ways} {held}: one is drawn"
            yield Line(which, chart.labels.place(node))
        if isinstance(target, Function) and target.is_default:
            told = f"{chart.labels.attribute(node)} is {target.definition.name} by default: another may be chosen"
            yield Line(told, chart.labels.place(node))
        if isinstance(target, Choice):
            which = f"{chart.labels.attribute(node)} is {alternatives(target)}: {first_of(target)} is drawn"
            yield Line(which, chart.labels.place(node))


def _reason(box: Node) -> str:
    """Why nothing is known of what a call does; empty where enough is."""
    step = box.step
    lost = [value for value in tensors_in(step.result) if isinstance(value, Unknown)]
    match step.target:
        case External(name=name) if name.startswith("torch.ops."):
            return f"{name} is called by the name that it is registered under"
        case External(name=name) if ops.find(name) is None:
            return f"{name} is not in the workspace"
        case Opaque(name=name):
            return f"what {name} is is not decided here"
        case Unknown(reason=reason):
            return reason
        case _:
            return lost[0].reason if lost else ""


def _lost_inputs(chart: Chart) -> Iterator[Line]:
    for box in chart.boxes:
        for use in chart.choice.uses(box):
            if not use.nodes and not use.carried and isinstance(use.value, Tensor):
                value = f"{use.name} {chart.names.tensor(use.value)}".strip()
                yield Line(f"{_title(chart, box)} takes {value} from a source that is lost", chart.labels.place(box))


def _lost_outputs(chart: Chart) -> Iterator[Line]:
    for number, (output, origins) in enumerate(zip(chart.flow.outputs, chart.returned(), strict=True), 1):
        if not any(not origin.is_note for origin in origins):
            known = next(iter(origins), None)
            if known is not None and known.node.is_source:
                continue  # handed on as it was given
            source = f"comes from {known.node.step.bound or known.node.step.name}" if known is not None else ""
            why = source or (output.value.reason if isinstance(output.value, Unknown) else "its source is lost")
            name = output.name or f"value {number} that is returned"
            yield Line(f"{name} is not drawn: {without_calls(why)}")


def _title(chart: Chart, box: Node) -> str:
    return " ".join(chart.labels.lines(box))
