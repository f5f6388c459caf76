"""What a round of a loop leaves for the next one: lines back up, or notes where a line would say less."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import TYPE_CHECKING

from kernelscope.explain.flow_boxes import Boxes
from kernelscope.explain.flow_links import Link, Origin
from kernelscope.patterns.flow import Node, Use

if TYPE_CHECKING:
    from kernelscope.explain.flow_chart import Chart

Takes = Mapping[Node, list[tuple[Use, list[Origin]]]]
"""What each box takes, and where it comes from."""


def for_next_rounds(chart: Chart, takes: Takes, taken: Set[Node]) -> dict[Node, list[Link]]:
    """For each box whose result goes to nothing but the next round, the lines to those that take it there."""
    taken = taken | {o.node for origins in chart.returned() for o in origins}
    found: dict[Node, dict[Node, Link]] = {}
    for box, used in takes.items():
        for use, _ in used:
            for origin in (o for node in _carried(chart.choice, use) for o in chart.resolve(node, box, use.value)):
                if not origin.is_note and origin.node not in taken and not origin.node.is_source:
                    found.setdefault(origin.node, {}).setdefault(box, Link(origin, box, use))
    return {left: list(links.values()) for left, links in found.items()}


def own_of_last_round(choice: Boxes, box: Node) -> list[str]:
    """What a box goes on from where nothing else is known of it: `total + part` adds to the `total` so far."""
    own = [n for use in choice.uses(box) if not use.nodes for n in use.carried if choice.box_of(n) is box]
    return [f"{node.step.bound or 'result'} of the last round" for node in dict.fromkeys(own)]


def left_by_last_round(choice: Boxes, box: Node, use: Use, origins: list[Origin], linked: Set[Node]) -> list[str]:
    """What a box goes on from, besides what notes tell of the first round: what it or others left in the last round."""
    if any(not origin.is_note for origin in origins):
        return []
    others = [n for n in _carried(choice, use) if use.nodes or choice.box_of(n) is not box]
    left = [n for n in others if choice.box_of(n) not in linked or choice.box_of(n) is box]
    return [f"{node.step.bound or 'result'} of the last round" for node in dict.fromkeys(left)]


def _carried(choice: Boxes, use: Use) -> Iterator[Node]:
    """What a loop's last round leaves for a value, also for what it is a view of."""
    yield from use.carried
    for node in use.nodes:
        if node.is_view and node.uses and choice.box_of(node) not in choice.drawn:
            yield from _carried(choice, node.uses[0])
