"""The operator table of a module, layer or function: what each operator takes, gives and costs, with totals."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from kernelscope.dims import Dim, dim, total
from kernelscope.explain.amounts import Amounts, counted_at
from kernelscope.explain.box_labels import launched
from kernelscope.explain.document import Block, Card, CardRow, Document, Heading, Line, Table
from kernelscope.explain.flow_chart import Chart
from kernelscope.explain.flow_links import Origin
from kernelscope.explain.numbers import memory
from kernelscope.explain.targets import PythonTarget, function_of
from kernelscope.explain.traced import guesses, traced
from kernelscope.explain.work import ELEMENT_BYTES, Work, parameter_count, product, size_of, times, work
from kernelscope.interp.findings import Seen
from kernelscope.interp.steps import tensors_in
from kernelscope.interp.values import External
from kernelscope.ops import Module
from kernelscope.patterns.flow import Node
from kernelscope.patterns.ways import together
from kernelscope.results import Span, Target, UserError, ViewOptions
from kernelscope.tensor import DType, Size, Tensor, Unknown
from kernelscope.tensor.size import numel
from kernelscope.workspace.workspace import Workspace

MAX_ROWS = 120
MAX_CELL_TENSORS = 4
TOKEN_AXES = 2
"""The axes of an input that count tokens: a batch and a length."""
TENSORS = ("#", "Operator", "Takes", "Weights", "Gives", "After", "Kernel", "Source")
LIBRARY = "library"
UNKNOWN = "?"
OF_TORCH = ("torch.ops.aten.", "torch.ops.prims.")
COSTS = ("#", "Operator", "Times", "FLOPs", "Bytes", "FLOP/B")


def operator_table(
    workspace: Workspace, found: PythonTarget, callers: Mapping[Span, Seen], options: ViewOptions, target: Target
) -> Document:
    """Raises UserError when no tensor operation is found."""
    found = function_of(workspace, found)
    flow = traced(workspace, found, callers, options)
    chart = Chart(workspace, flow, options, MAX_ROWS, by_operator=True)
    rows = OperatorRows(chart, options)
    if not rows.boxes:
        raise UserError(f"no tensor operation is found in {found.title}")
    tensors = Table(TENSORS, tuple(rows.tensors(found.path))).without("Kernel", LIBRARY).without("Weights", "")
    costs = Table(COSTS, tuple(rows.costs())).without("Times", "1").without("FLOP/B", "0", "?")
    totals = Card(tuple(rows.totals()))
    blocks: list[Block] = [tensors, Heading("Cost of one run"), costs, Heading("In all"), totals]
    blocks += chart.names.legend_of(tensors, texts=rows.amounts.formulas)
    notes = [
        f"lines without a file are those of {found.path.name}",
        "a multiply-add is two FLOPs; every operand, weight and result is counted once",
        counted_at(rows.element_bytes),
    ]
    if options.bindings and (free := rows.free()):
        notes.append(f"FLOPs are a number once {' and '.join(free)} {'is' if len(free) == 1 else 'are'} bound, too")
    guarded = sum(bool(chart.labels.conditions(box)) for box in rows.boxes)
    if guarded:
        run = "1 operator runs" if guarded == 1 else f"{guarded} operators run"
        counted = "all of them" if len(rows.counted) == len(rows.boxes) else "the first of ways that exclude each other"
        notes.append(f"{run} only under a condition, which the dataflow names; the totals count {counted}")
    return Document(f"Operators of {found.title}", tuple(blocks), "ops", target, (*notes, *guesses(flow)))


class OperatorRows:
    """Rows and totals for the boxes of one flow."""

    def __init__(self, chart: Chart, options: ViewOptions) -> None:
        self.chart = chart
        self.amounts = Amounts(chart.names, options.bindings)
        self.element_bytes = options.bindings.get("bytes", ELEMENT_BYTES)
        self.takes = chart.connected()
        self.boxes = chart.boxes
        self.works: dict[Node, Work] = {box: work(box, self._leaves(box), self.element_bytes) for box in self.boxes}
        self.counted = together({box: box.all_tests for box in self.boxes})
        """What totals are of."""

    def _leaves(self, box: Node) -> list[Node]:
        """What a box does in one run."""
        return together({n: n.all_tests for n in box.leaves() if n in self.chart.choice.live})

    def tensors(self, path: Path) -> Iterator[tuple[Line, ...]]:
        """What each operator takes and gives; places in the file at `path` are written as its lines."""
        numbers = {box: index for index, box in enumerate(self.boxes, 1)}
        for box, number in numbers.items():
            origins = [o.node for _, found in self.takes[box] for o in found if not o.is_note]
            after = [str(n) for n in sorted({numbers[n] for n in origins if n in numbers})]
            is_first = not after or any(n.is_source for n in origins)
            kernels = dict.fromkeys(k for inner in box.walk() if (k := launched(inner.step)))
            place = self.chart.labels.place(box)
            source = "" if place is None else f":{place.line}" if place.path == path else str(place)
            yield (
                Line(str(number)),
                Line(self._title(box), place),
                Line(self._written([use.value for use, found in self.takes[box] if not _is_weight(found)])),
                Line(self._written(list(self._weights(box)))),
                Line(self._written(list(tensors_in(box.step.result)))),
                Line(", ".join((["input"] if is_first else []) + after)),
                Line(", ".join(kernels) or (UNKNOWN if any(map(_is_unseen, self._leaves(box))) else LIBRARY)),
                Line(source, place),
            )

    def costs(self) -> Iterator[tuple[Line, ...]]:
        """What one run of each operator costs, and how often it runs."""
        for number, box in enumerate(self.boxes, 1):
            cost, place = self.works[box], self.chart.labels.place(box)
            yield (
                Line(str(number)),
                Line(self._title(box), place),
                Line(self.amounts.text(cost.times)),
                Line(self.amounts.text(cost.flops)),
                Line(self.amounts.text(cost.moved, "B")),
                Line(self._intensity(cost)),
            )

    def _title(self, box: Node) -> str:
        return " ".join(self.chart.labels.lines(box))

    def _weights(self, box: Node) -> Iterator[Tensor | Unknown]:
        for leaf in box.leaves():
            if leaf in self.chart.choice.live and isinstance(leaf.step.target, Module):
                yield from leaf.step.target.parameters.values()
        yield from (use.value for use, found in self.takes[box] if _is_weight(found))

    def _written(self, values: list[Tensor | Unknown]) -> str:
        texts = list(dict.fromkeys(self.chart.names.tensor(v) for v in values))
        more = " …" if len(texts) > MAX_CELL_TENSORS else ""
        return " ".join(texts[:MAX_CELL_TENSORS]) + more

    def _intensity(self, cost: Work) -> str:
        flops, moved = self.amounts.number(cost.flops), self.amounts.number(cost.moved)
        if flops is None or not moved:
            return "?" if flops != 0 else "0"
        return f"{flops / moved:.3g}" if flops < 1000 * moved else f"{flops / moved:.0f}"

    def totals(self) -> Iterator[CardRow]:
        """Sums over all operators, the weights, and what a token leaves in the cache."""
        works = [self.works[box] for box in self.counted]
        flops = self._sum([w.total(w.flops) for w in works], "", "work is")
        yield CardRow("FLOPs", (flops,))
        products = self._sum([w.total(w.products) for w in works], "", "work is")
        if products.text not in ("0", flops.text):
            yield CardRow("in products", (products,))
        yield CardRow("Bytes moved", (self._sum([w.total(w.moved) for w in works], "B", "bytes are"),))
        weights = parameter_count(self.chart.flow.trace.parameters)
        if weights != dim(0):
            number = self.amounts.number(weights)
            held = f"{self.element_bytes} bytes each" if number is None else memory(number * self.element_bytes)
            either = sorted({p.choice.rpartition(".")[2] for p in self.chart.flow.trace.parameters if p.choice})
            told = f", with the first of several layers that {' and '.join(either)} may be" if either else ""
            yield CardRow("Parameters", (Line(f"{self.amounts.text(weights)} · {held}{told}"),))
        results = [size_of(v, self.element_bytes) for box in self.counted for v in tensors_in(box.step.result)]
        kept = self._sum(results, "B", "result is").text
        yield CardRow("Activations", (Line(f"{kept}, if all results of one round are kept"),))
        cached = self.cache_bytes()
        if cached is not None:
            yield CardRow("KV cache", (Line(f"{self.amounts.text(cached, 'B')} per token"),))

    def free(self) -> list[str]:
        """The letters in the sum of FLOPs that nothing is bound to."""
        total, _ = self.amounts.total([self.works[box].total(self.works[box].flops) for box in self.counted])
        names = total.names() if isinstance(total, Dim) else ()
        return sorted(self.chart.names.size(dim(name)) for name in names)

    def _sum(self, sizes: list[Size], unit: str, what: str) -> Line:
        total, unknown = self.amounts.total(sizes)
        return Line(self.amounts.text(total, unit) + _without(unknown, what))

    def cache_bytes(self) -> Size | None:
        """Bytes that one token of one sequence leaves in the caches that are updated, by ways that one run may take."""
        tokens = self._tokens()
        found: list[Size] = []
        updates = {n: n.all_tests for n, pattern in self.chart.patterns.items() if pattern.kind == "cache"}
        for node in together(updates):
            for use in node.uses:
                if use.nodes and all(n in self.chart.choice.main for n in use.nodes) and isinstance(use.value, Tensor):
                    size = _share(size_of(use.value, self.element_bytes), tokens)
                    found.append(product(size, times(node)))
        lost = next((size for size in found if isinstance(size, Unknown)), None)
        return lost or (total(size for size in found if isinstance(size, Dim)) if found else None)

    def _tokens(self) -> Size:
        """How many tokens the first input holds: the batch times the length, what follows are features."""
        inputs = [n for n in self.chart.flow.nodes if n.step.kind == "input" and n in self.chart.choice.main]
        first = min(inputs, key=lambda n: n.step.span, default=None)
        value = first.step.result if first is not None else None
        if not isinstance(value, Tensor) or value.shape.dims is None:
            return Unknown("the shape of the first input is not known")
        is_packed = value.rank == TOKEN_AXES and isinstance(value.dtype, DType) and value.dtype.is_float
        return numel(value.shape.dims[: 1 if is_packed else TOKEN_AXES])


def _share(size: Size, tokens: Size) -> Size:
    """What one of some tokens has of a size, where all have the same."""
    if isinstance(size, Unknown) or isinstance(tokens, Unknown):
        return size if isinstance(size, Unknown) else tokens
    one = size // tokens if tokens != dim(0) else size
    return one if one * tokens == size else Unknown("what is kept is no whole number for each token")


def _is_unseen(node: Node) -> bool:
    """Whether it is not known what a call runs: of an object that nothing is known of, or by the name of an operator
    that somebody registered."""
    if node.step.kind != "unfollowed" or node.step.is_for_backward:
        return False
    target = node.step.target
    dotted = target.name if isinstance(target, External) else ""
    return not dotted or (dotted.startswith("torch.ops.") and not dotted.startswith(OF_TORCH))


def _is_weight(origins: list[Origin]) -> bool:
    """Whether a value is a weight, as it is or viewed otherwise."""
    return bool(origins) and all(o.node.step.kind == "weight" for o in origins)


def _without(count: int, what: str) -> str:
    """What a sum leaves out."""
    return f", without {count} operator{'s' if count != 1 else ''} whose {what} not known" if count else ""
