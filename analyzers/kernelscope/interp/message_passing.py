"""Messages along the edges of a graph: what `propagate` of a base class gives to the hooks of the class that derives.

A hook's parameters choose what it is given: `x_j` is the argument `x` picked for the source of each edge, `x_i` for its
target. Messages of all edges are summed up, one row for each node. Bases that hold these hooks say so by their names.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kernelscope.dims import Dim, dim
from kernelscope.interp.attributes import instance_attribute
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.values import Arguments, Function, Instance, Keywords, Maybe, TensorMethod, Value, present
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import DTYPES, Shape, Size, Tensor, Unknown
from kernelscope.workspace.modules import Definition

HOOKS: Mapping[str, tuple[str, ...]] = {
    "propagate": ("message", "aggregate", "update"),
    "edge_updater": ("edge_update",),
}
"""What calls hooks, and which, in their order."""
NODE_AXIS = -2
"""The axis of the nodes, unless the object holds another one."""
ENDS = {"_i", "_j"}
FROM_SOURCE = {"_j": 0, "_i": 1}
"""Which row of the edges holds the nodes that an argument is picked for, where messages go from source to target."""
BACKWARDS = "target_to_source"


def exchanged(run: Interpreter, function: Function, args: Arguments, kwargs: Keywords, span: Any) -> Value | None:
    """The result of a method that has messages exchanged; None where it is none, or where its hooks are not there."""
    node, owner = function.definition.node, function.receiver
    if run.certain or not isinstance(node, t.FunctionDef) or node.name not in HOOKS or not isinstance(owner, Instance):
        return None
    if not any(param.kind == "kwargs" for param in node.args) or not (args or "edge_index" in kwargs):
        return None
    hooks = [run.classes.attribute(owner.cls, name) for name in HOOKS[node.name]]
    found = [Function(hook, owner, True) for hook in hooks if isinstance(hook, Definition)]
    if len(found) != len(hooks) or any(not isinstance(hook.definition.node, t.FunctionDef) for hook in found):
        return None
    given = dict(kwargs)
    edges = args[0] if args else given.pop("edge_index")
    size = args[1] if len(args) > 1 else given.pop("size", None)
    exchange = _Exchange(run, owner, function.definition.owner, edges, given, span)
    if type(size) is tuple and len(size) == 2:
        exchange.sizes = [one if isinstance(one, Dim) else None for one in map(present, size)]
    return exchange.of(found)


@dataclass(slots=True)
class _Exchange:
    """One call; `base` is the class that makes it, whose own way to aggregate is to reduce along the axis of nodes."""

    run: Interpreter
    owner: Instance
    base: Definition | None
    edges: Value
    given: Mapping[str, Value]
    span: Any
    sizes: list[Dim | None] = field(default_factory=lambda: [None, None])
    """How many nodes messages come from and go to, as far as something told it."""

    def of(self, hooks: list[Function]) -> Value:
        """What the hooks give, each on the result of the one before."""
        from kernelscope.interp.calls import call

        collected = [self._collected(hook, skipped=index) for index, hook in enumerate(hooks)]
        result = call(self.run, hooks[0], [], collected[0], self.span)
        for hook, arguments in zip(hooks[1:], collected[1:], strict=True):
            if hook.definition.owner is not None and not self._is_of_base(hook.definition.owner):
                result = call(self.run, hook, [result], arguments, self.span)
            elif hook.definition.name == "aggregate":
                result = self._reduced(result)
        return result

    def _is_of_base(self, cls: Definition) -> bool:
        return self.base is not None and cls.node is self.base.node

    @property
    def _axis(self) -> int:
        held = instance_attribute(self.run, self.owner, "node_dim")
        return held.const if isinstance(held, Dim) and held.const is not None else NODE_AXIS

    def _row(self, end: str) -> int:
        """Which row of the edges an argument with this end is picked by."""
        is_turned = instance_attribute(self.run, self.owner, "flow") == BACKWARDS
        return 1 - FROM_SOURCE[end] if is_turned else FROM_SOURCE[end]

    def _index(self) -> Tensor:
        """One end of every edge."""
        edges = present(self.edges)
        count: Size = Unknown("how many edges there are is not known")
        if isinstance(edges, Tensor) and edges.rank == 2:
            count = edges.shape.size(1)
        return Tensor(Shape((count,)), DTYPES["int64"])

    def _collected(self, hook: Function, skipped: int) -> Keywords:
        """What a hook is given by the names of its parameters, of which the result before takes the first."""
        node = hook.definition.node
        assert isinstance(node, t.FunctionDef)
        found: Keywords = {}
        for param in node.args[1 + min(skipped, 1) :]:
            if param.kind in ("args", "kwargs"):
                continue
            name = param.name
            if name in ("index", "edge_index_i", "edge_index_j"):
                found[name] = self._index()
            elif name == "edge_index":
                found[name] = self.edges
            elif name in ("size_i", "dim_size", "size_j"):
                number = self._nodes(self._row("_j" if name == "size_j" else "_i"))
                found[name] = number
            elif name in ("ptr", "adj_t"):
                found[name] = None
            elif name[-2:] in ENDS and name[:-2] in self.given:
                found[name] = self._picked(self.given[name[:-2]], self._row(name[-2:]))
            elif name in self.given:
                found[name] = self.given[name]
        return found

    def _picked(self, data: Value, row: int) -> Value:
        """The rows of an argument for one end of every edge; of a pair, those of that side."""
        if isinstance(data, Maybe):
            picked = self._picked(data.value, row)
            return Maybe(picked, data.name) if isinstance(picked, Tensor) else picked
        if isinstance(data, tuple | list) and len(data) == 2:
            self._count(data[1 - row], 1 - row)
            return self._picked(data[row], row)
        if not isinstance(data, Tensor):
            return data
        from kernelscope.interp.calls import call

        self._count(data, row)
        return call(self.run, TensorMethod(data, "index_select"), [dim(self._axis), self._index()], {}, self.span)

    def _count(self, data: Value, row: int) -> None:
        data = present(data)
        if self.sizes[row] is None and isinstance(data, Tensor) and data.shape.least_rank:
            size = data.shape.size(self._axis) if data.rank is None or -data.rank <= self._axis < data.rank else None
            self.sizes[row] = size if isinstance(size, Dim) else None

    def _nodes(self, row: int) -> Size:
        """How many nodes there are on one side; on both as many, where only one is known."""
        own, other = self.sizes[row], self.sizes[1 - row]
        return own or other or Unknown("how many nodes there are is not known")

    def _reduced(self, messages: Value) -> Value:
        """Messages of edges reduced to one row for each node that gets any."""
        messages = present(messages)
        if not isinstance(messages, Tensor):
            return messages
        nodes = self._nodes(self._row("_i"))
        several = isinstance(instance_attribute(self.run, self.owner, "aggr"), list | tuple)
        if messages.rank is not None and not -messages.rank <= self._axis < messages.rank:
            return Tensor(Shape.unknown("messages have no axis of nodes"), messages.dtype)
        shape = messages.shape.with_size(self._axis, nodes)
        if several:  # what several reductions give is put side by side, or reduced once more
            shape = shape.replace_last(1, Unknown("several reductions of messages"))
        result = Tensor(shape, messages.dtype, messages.place)
        arguments = [messages, dim(self._axis), self._index(), messages]
        return self.run.operated("torch.Tensor.index_add", arguments, {}, self.span, result)
