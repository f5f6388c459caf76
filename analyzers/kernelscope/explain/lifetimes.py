"""The tensors of a function from birth to last use: who makes each, who reads it, views, and what is held step by step.

Memory is counted as if each tensor were freed after its last use, in the order in which the code runs; allocators,
autograd and fusion keep or save more.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from kernelscope.explain.amounts import Amounts, counted_at
from kernelscope.explain.document import Block, Document, Heading, Line, Table
from kernelscope.explain.flow_chart import Chart
from kernelscope.explain.flow_links import Origin
from kernelscope.explain.numbers import memory
from kernelscope.explain.targets import PythonTarget, function_of
from kernelscope.explain.traced import guesses, traced
from kernelscope.explain.work import ELEMENT_BYTES, size_of
from kernelscope.interp.findings import Seen
from kernelscope.interp.steps import Step, is_in_place, tensors_in
from kernelscope.patterns.flow import Node, Use
from kernelscope.results import Span, Target, UserError, ViewOptions
from kernelscope.tensor import Size, Tensor, Unknown
from kernelscope.workspace.workspace import Workspace

MAX_TENSORS = 150
MAX_NAMES = 4


@dataclass(slots=True)
class Life:
    """One tensor in memory, or what may be one: the step that made it, its views, and the steps that use it."""

    name: str
    value: Tensor | Unknown
    maker: Node
    born: int
    size: Size
    users: list[Node] = field(default_factory=list[Node])
    views: list[str] = field(default_factory=list[str])
    changed: list[Node] = field(default_factory=list[Node])
    ends: int = 0
    is_returned: bool = False


def lifetimes(
    workspace: Workspace, found: PythonTarget, callers: Mapping[Span, Seen], options: ViewOptions, target: Target
) -> Document:
    """Raises UserError when no tensor is made."""
    found = function_of(workspace, found)
    flow = traced(workspace, found, callers, options)
    chart = Chart(workspace, flow, options, MAX_TENSORS, by_operator=True)
    lives = Lives(chart, options)
    if not lives.all:
        raise UserError(f"no tensor is made in {found.title}")
    tensors = Table(("Step", "Tensor", "Shape", "Bytes", "Made by", "Used by", "Held until"), tuple(lives.rows()))
    steps = Table(("Step", "Operator", "Held", "New", "Freed after"), tuple(lives.steps()))
    blocks: list[Block] = [tensors, Heading("Memory by step"), steps]
    blocks += chart.names.legend_of(tensors, texts=lives.amounts.formulas)
    notes = (
        counted_at(lives.element_bytes),
        "each tensor is taken to be freed after its last use; while training, autograd keeps more",
        *lives.peak_note(),
        *guesses(flow),
    )
    return Document(f"Tensors of {found.title}", tuple(blocks), "memory", target, notes)


class Lives:
    """The tensors of one flow, box by box."""

    def __init__(self, chart: Chart, options: ViewOptions) -> None:
        self.chart = chart
        self.amounts = Amounts(chart.names, options.bindings)
        self.element_bytes = options.bindings.get("bytes", ELEMENT_BYTES)
        self.takes = chart.connected()
        self.number = {box: index for index, box in enumerate(chart.boxes, 1)}
        self._written = {box: written for box in chart.boxes if (written := self._holder(box)) is not None}
        """Of steps that write into a tensor that is there: what made that."""
        self.all = list(self._lives())

    def _lives(self) -> Iterator[Life]:
        taken = [o for found in self.takes.values() for _, origins in found for o in origins]
        inputs = sorted({o.node for o in taken if o.node.is_source and not o.is_note}, key=lambda n: n.step.span)
        returned = {o.node for origins in self.chart.returned() for o in origins}
        returned |= {self._written[node] for node in returned if node in self._written}
        empty = sorted({o.node for o in taken if self._is_made_empty(o.node)}, key=lambda n: n.number)
        made = [*empty, *(box for box in self.chart.boxes if box not in self._written)]
        for maker in [*inputs, *sorted(made, key=self._born)]:
            values = list(tensors_in(maker.step.result))
            for value in values[:MAX_NAMES]:
                name = self.chart.flow.trace.name_of(value) or maker.step.bound
                if maker.is_source and (len(values) == 1 or not name):
                    name = maker.step.name  # whatever else it is called later
                life = Life(name, value, maker, self._born(maker), size_of(value, self.element_bytes))
                self._use(life)
                life.is_returned = maker in returned
                if not isinstance(value, Tensor) and (maker.is_source or not (life.users or life.is_returned)):
                    continue  # nobody takes it for a tensor
                last = max((self._needed(life, user) for user in life.users), default=life.born)
                life.ends = len(self.number) if life.is_returned else last
                yield life

    def _is_made_empty(self, node: Node) -> bool:
        """Whether a tensor is made of nothing, such as zeros that others are added to: no box of its own."""
        return node.is_creation and node not in self.number and not node.is_source

    def _born(self, maker: Node) -> int:
        """The step at which a tensor is there first: the one behind what makes it of nothing."""
        if not self._is_made_empty(maker):
            return self.number.get(maker, 0)
        return min((n for box, n in self.number.items() if box.number > maker.number), default=len(self.number))

    def _needed(self, life: Life, user: Node) -> int:
        """The last step of the code that needs a tensor for one of its users: where every round of a loop reads what
        was there before it, the last of the loop."""
        found = self.number[user]
        inside = {life.maker, *life.maker.ancestors()}
        for loop in (outer for outer in user.ancestors() if outer.step.kind == "loop" and outer not in inside):
            uses = [use for use, origins in self.takes[user] if self._is_of(life, origins)]
            if any(not _is_left_by(loop, use) for use in uses):
                found = max(found, *(n for box, n in self.number.items() if loop in box.ancestors()))
        return found

    def _is_of(self, life: Life, origins: Iterable[Origin]) -> bool:
        return any(self._written.get(o.node, o.node) is life.maker for o in origins)

    def _use(self, life: Life) -> None:
        made = list(tensors_in(life.maker.step.result))
        names = {self._named(value) for value in made} | {life.name}
        for box, found in self.takes.items():
            for use, origins in found:
                mine = [o for o in origins if self._written.get(o.node, o.node) is life.maker]
                own = any(o.value is life.value or self._named(o.value) == life.name for o in mine)
                told = any(any(o.value is value for value in made) or self._named(o.value) in names for o in mine)
                if len(made) > 1 and told and not own:
                    continue  # else two ways met, and it may be any of them
                if mine and box not in life.users:
                    life.users.append(box)
                view = self._named(use.value)
                if mine and view and view != life.name and view not in life.views:
                    life.views.append(view)

    def _holder(self, box: Node) -> Node | None:
        """What made the tensor that a step writes into and gives back; None where it gives one of its own."""
        node = box
        while node.is_view or _writes(node.step):
            if not node.uses or not node.uses[0].nodes:
                return None
            node = node.uses[0].nodes[0]
        return self.chart.choice.box_of(node) if node is not box else None

    def _named(self, value: Tensor | Unknown) -> str:
        return self.chart.flow.trace.name_of(value)

    def _title(self, node: Node) -> str:
        return node.step.name if node.is_source else " ".join(self.chart.labels.lines(node))

    def rows(self) -> Iterator[tuple[Line, ...]]:
        for life in self.all:
            place = self.chart.labels.place(life.maker)
            views = f", viewed as {', '.join(life.views[:MAX_NAMES])}" if life.views else ""
            users = ", ".join(f"{self.number[u]} {self._title(u)}" for u in life.users) or (
                "returned" if life.is_returned else "nothing"
            )
            yield (
                Line("input" if not life.born else str(life.born)),
                Line((life.name or self._title(life.maker)) + views, place),
                Line(self.chart.names.tensor(life.value)),
                Line(self._bytes(life.size)),
                Line("the caller" if life.maker.is_source else self._title(life.maker), place),
                Line(users),
                Line("returned" if life.is_returned else str(life.ends)),
            )

    def held(self, step: int) -> list[Life]:
        """What is in memory while a step runs: what it reads, what it makes, and what later steps need."""
        return [life for life in self.all if life.born <= step <= life.ends]

    def steps(self) -> Iterator[tuple[Line, ...]]:
        for box, step in self.number.items():
            fresh = [life for life in self.all if life.born == step]
            freed = [life for life in self.held(step) if life.ends == step and not life.is_returned]
            yield (
                Line(str(step)),
                Line(self._title(box), self.chart.labels.place(box)),
                Line(self._bytes(self._sum(self.held(step)))),
                Line(self._bytes(self._sum(fresh))),
                Line(", ".join(life.name or self._title(life.maker) for life in freed)),
            )

    def _sum(self, lives: list[Life]) -> Size:
        total, unknown = self.amounts.total(life.size for life in lives)
        return Unknown("a size is not known") if unknown else total

    def _bytes(self, size: Size) -> str:
        return self.amounts.text(size, "B")

    def peak_note(self) -> tuple[str, ...]:
        """The step at which most is held, where the numbers are known."""
        amounts = [(self.amounts.number(self._sum(self.held(step))), step, box) for box, step in self.number.items()]
        known = [(amount, step, box) for amount, step, box in amounts if amount is not None]
        if not known:
            return ("bind the sizes to see the peak",)
        amount, step, box = max(known, key=lambda entry: (entry[0], -entry[1]))
        lost = f"; {len(amounts) - len(known)} steps hold tensors of unknown size" if len(known) < len(amounts) else ""
        return (f"the peak is {memory(amount)} at step {step}, {self._title(box)}{lost}",)


def _is_left_by(loop: Node, use: Use) -> bool:
    """Whether a use in a loop is of what the round before left: what was there before the loop is read once."""
    todo, seen = [use], set[Node]()
    while todo:
        current = todo.pop()
        if current.carried or any(loop in node.ancestors() and not node.is_view for node in current.nodes):
            return True
        views = [node for node in current.nodes if node.is_view and node.uses and node not in seen]
        seen.update(views)
        todo += [node.uses[0] for node in views]
    return False


def _writes(step: Step) -> bool:
    """Whether a step writes into the first tensor that it is given, and gives that back."""
    return step.kind == "store" or step.is_augmented or (step.operator is not None and is_in_place(step.name))
