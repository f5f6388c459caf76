"""The operator table of a module, layer or function: what each operator takes, gives and costs, with totals."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kernelscope.dims import Dim, DimLike, dim, render
from kernelscope.explain.box_labels import launched
from kernelscope.explain.dim_names import settled
from kernelscope.explain.document import Block, Card, CardRow, Document, Line, Table
from kernelscope.explain.flow_chart import Chart
from kernelscope.explain.numbers import memory
from kernelscope.explain.targets import PythonTarget, function_of
from kernelscope.explain.traced import traced
from kernelscope.explain.work import ELEMENT_BYTES, Work, numeric, parameter_count, size_of, work
from kernelscope.interp.interpreter import Seen
from kernelscope.interp.steps import tensors_in
from kernelscope.interp.values import as_size
from kernelscope.patterns.flow import Node
from kernelscope.results import Span, Target, UserError, ViewOptions
from kernelscope.tensor import Size, Tensor, Unknown
from kernelscope.workspace.workspace import Workspace

MAX_ROWS = 120
MAX_CELL_TENSORS = 4
COLUMNS = ("#", "Operator", "Takes", "Gives", "FLOPs", "Bytes", "FLOP/B", "After", "Kernel", "Source")


def operator_table(
    workspace: Workspace, found: PythonTarget, callers: Mapping[Span, Seen], options: ViewOptions, target: Target
) -> Document:
    """Raises UserError when no tensor operation is found."""
    scope = function_of(found)
    flow = traced(workspace, str(found.path), scope, callers, options)
    chart = Chart(workspace, flow, options, MAX_ROWS, by_operator=True)
    rows = OperatorRows(chart, options)
    if not rows.boxes:
        raise UserError(f"no tensor operation is found in {scope.qualified_name}")
    table = Table(COLUMNS, tuple(rows.rows()))
    blocks: list[Block] = [table, Card(tuple(rows.totals())), *chart.names.legend_of(table)]
    notes = [
        "a multiply-add is two FLOPs; every operand, weight and result is counted once",
        f"floating-point elements are counted at {rows.element_bytes} bytes; bind bytes=4 for float32",
    ]
    guarded = sum(bool(chart.labels.conditions(box)) for box in rows.boxes)
    if guarded:
        run = "1 operator runs" if guarded == 1 else f"{guarded} operators run"
        notes.append(f"{run} only under a condition, which the dataflow names; the totals count all of them")
    return Document(f"Operators of {scope.qualified_name}", tuple(blocks), "ops", target, tuple(notes))


class OperatorRows:
    """Rows and totals for the boxes of one flow."""

    def __init__(self, chart: Chart, options: ViewOptions) -> None:
        self.chart = chart
        self.bindings = options.bindings
        self.element_bytes = options.bindings.get("bytes", ELEMENT_BYTES)
        self.takes = chart.connected()
        self.boxes = chart.boxes
        self.works: dict[Node, Work] = {
            box: work(box, [n for n in box.leaves() if n in chart.choice.live], self.element_bytes)
            for box in self.boxes
        }

    def rows(self) -> Iterator[tuple[Line, ...]]:
        numbers = {box: index for index, box in enumerate(self.boxes, 1)}
        for box, number in numbers.items():
            origins = [o.node for _, found in self.takes[box] for o in found if not o.is_note]
            after = sorted({numbers[n] for n in origins if n in numbers})
            cost, place = self.works[box], self.chart.labels.place(box)
            title = " ".join(self.chart.labels.lines(box))
            repeat = cost.times
            if not isinstance(repeat, Unknown) and repeat != dim(1):
                title += f" ×{self.chart.names.size(repeat)}"
            kernels = dict.fromkeys(k for inner in box.walk() if (k := launched(inner.step)))
            cells = (
                Line(str(number)),
                Line(title, place),
                Line(self._tensors([use.value for use, _ in self.takes[box]])),
                Line(self._tensors(list(tensors_in(box.step.result)))),
                Line(self.amount(cost.total(cost.flops), "")),
                Line(self.amount(cost.total(cost.moved), "B")),
                Line(self._intensity(cost)),
                Line(", ".join(map(str, after)) or "input"),
                Line(", ".join(kernels) or "library"),
                Line(str(place) if place is not None else "", place),
            )
            yield cells

    def _tensors(self, values: list[Tensor | Unknown]) -> str:
        texts = list(dict.fromkeys(self.chart.names.tensor(v) for v in values))
        more = " …" if len(texts) > MAX_CELL_TENSORS else ""
        return " ".join(texts[:MAX_CELL_TENSORS]) + more

    def amount(self, size: Size, unit: str) -> str:
        """A number where it is known, else the formula."""
        number = numeric(size, self.bindings)
        if number is not None:
            return memory(number) if unit == "B" else thousands(number)
        if isinstance(size, Unknown):
            return "?"
        return render(self._short(size), self.chart.names.ranked)

    def _short(self, size: Dim) -> Dim:
        names: dict[str, DimLike] = self.chart.names.renamed
        return settled(size).subs(names)

    def _intensity(self, cost: Work) -> str:
        flops, moved = numeric(cost.flops, self.bindings), numeric(cost.moved, self.bindings)
        if flops is None or not moved:
            return "?" if flops != 0 else "0"
        return f"{flops / moved:.3g}"

    def totals(self) -> Iterator[CardRow]:
        """Sums over all operators, the weights, and what a token leaves in the cache."""
        flops: Size = dim(0)
        moved = dim(0)
        lost = [box for box in self.boxes if isinstance(self.works[box].total(self.works[box].flops), Unknown)]
        uncounted = 0
        for box in self.boxes:
            cost = self.works[box]
            if box not in lost:
                total = cost.total(cost.flops)
                assert not isinstance(flops, Unknown) and not isinstance(total, Unknown)
                flops = flops + total
            total_moved = cost.total(cost.moved)
            if isinstance(total_moved, Unknown):
                uncounted += 1
            else:
                moved = moved + total_moved
        yield CardRow("FLOPs", (Line(self.amount(flops, "") + _without(len(lost), "work is")),))
        yield CardRow("Bytes moved", (Line(self.amount(moved, "B") + _without(uncounted, "bytes are")),))
        weights = parameter_count(self.chart.flow.trace.parameters)
        if weights != dim(0):
            held = weights if isinstance(weights, Unknown) else weights * self.element_bytes
            yield CardRow("Parameters", (Line(f"{self.amount(weights, '')} · {self.amount(held, 'B')}"),))
        activations: Size = dim(0)
        for box in self.boxes:
            for value in tensors_in(box.step.result):
                size = size_of(value, self.element_bytes)
                if not isinstance(size, Unknown) and not isinstance(activations, Unknown):
                    activations = activations + size
        yield CardRow("Activations", (Line(f"{self.amount(activations, 'B')} if all results of one round are kept"),))
        cached = self.cache_bytes()
        if cached is not None:
            yield CardRow("KV cache", (Line(f"{self.amount(cached, 'B')} per token"),))

    def cache_bytes(self) -> Size | None:
        """Bytes that one token of one sequence leaves in the caches that are updated."""
        one_token: dict[str, DimLike] = {name: dim(1) for name in self._token_dims()}
        found: Size | None = None
        for node, pattern in self.chart.patterns.items():
            if pattern.kind != "cache":
                continue
            outer = [n for n in node.ancestors() if n.step.kind == "loop"]
            for use in node.uses:
                if use.nodes and all(n in self.chart.choice.main for n in use.nodes) and isinstance(use.value, Tensor):
                    size = size_of(use.value.with_shape(use.value.shape.subs(one_token)), self.element_bytes)
                    for loop in outer:
                        count = as_size(loop.step.count)
                        size = size * count if isinstance(count, Dim) and not isinstance(size, Unknown) else size
                    found = size if found is None else found + size
        return found

    def _token_dims(self) -> list[str]:
        """Names of the batch and length of the first input: all its dims but a last one of features."""
        inputs = [n for n in self.chart.flow.nodes if n.step.kind == "input" and n in self.chart.choice.main]
        first = min(inputs, key=lambda n: n.step.span, default=None)
        value = first.step.result if first is not None else None
        dims = value.shape.dims if isinstance(value, Tensor) else None
        return [name for size in (dims or ())[:2] if isinstance(size, Dim) for name in size.names()]


def _without(count: int, what: str) -> str:
    """What a sum leaves out."""
    return f", without {count} operator{'s' if count != 1 else ''} whose {what} not known" if count else ""


def thousands(number: int) -> str:
    """`4.3 T`, `640 M`, `12`."""
    amount: float = number
    for unit in ("", " K", " M", " G", " T"):
        if abs(amount) < 1000:
            return f"{amount:.4g}{unit}"
        amount /= 1000
    return f"{amount:.4g} P"
