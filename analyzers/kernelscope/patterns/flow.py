"""The flow of tensors through a function: a node for each place of the code in one chain of calls, joined by use.

What was run several times at one place (rounds of a loop, the ways after a branch) is one node. Nothing here decides
what is shown of it.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from kernelscope import ops
from kernelscope.dims import Dim, dim
from kernelscope.interp.steps import Step, is_any_of, is_in_place, tensors_in
from kernelscope.interp.trace import Trace
from kernelscope.interp.values import Choice, Instance, Test, Value, as_size
from kernelscope.ops import Module
from kernelscope.patterns.ways import alternatives, is_of_layer
from kernelscope.results import Span
from kernelscope.tensor import Size, Tensor, Unknown

SOURCES = ("input", "weight", "object")
CALL_NUMBER = re.compile("(_[0-9]+)?·[0-9]+")
"""What tells the symbol of one call, or round, from that of another."""
CREATIONS = frozenset(
    ("zeros", "ones", "empty", "full", "arange", "rand", "randn", "randint", "eye", "linspace", "tensor")
)
PARTS = frozenset(
    ("index", "chunk", "split", "split_with_sizes", "tensor_split", "unbind", "select", "narrow", "diagonal")
)
"""Views that give a part of what they were given."""


def words(text: str) -> frozenset[str]:
    """Names written with blanks between them."""
    return frozenset(text.split())


COPIES = words(
    "clone contiguous detach pin_memory requires_grad_ cuda cpu xpu float half bfloat16 double long int short char "
    "byte bool to type type_as dropout alpha_dropout feature_alpha_dropout dropout1d dropout2d dropout3d nn.Dropout "
    "nn.Dropout1d nn.Dropout2d nn.Dropout3d nn.AlphaDropout nn.Identity conj resolve_conj resolve_neg A.astype "
    "flax.linen.Dropout flax.nnx.Dropout equinox.nn.Dropout"
)
"""Operators that give what they were given: the same numbers, in another place, dtype or only while training."""


UNITS = {"mul": dim(1), "div": dim(1), "add": dim(0), "sub": dim(0)}
"""Operators that change nothing with this number."""


@dataclass(eq=False, slots=True)
class Use:
    """A value that a node was given, and the nodes that it may come from."""

    name: str
    value: Tensor | Unknown
    nodes: list[Node]
    carried: list[Node] = field(default_factory=list["Node"])
    """Those that a round of a loop leaves for its next round, perhaps the node itself, which then adds up."""


@dataclass(eq=False, slots=True)
class Node:
    """One place of the code in one chain of calls."""

    step: Step
    parent: Node | None
    number: int
    """The order in which places were first reached."""
    children: list[Node] = field(default_factory=list["Node"])
    uses: list[Use] = field(default_factory=list["Use"])
    users: list[Node] = field(default_factory=list["Node"])
    steps: list[Step] = field(default_factory=list[Step])
    times: int = 1
    """How many rounds of a loop, or parts of a sequence, it stands for beside a loop's own count."""
    is_apart: bool = False
    """Of a loop: whether its rounds do different things, each of which is inside as often as it is done."""
    is_learned: bool = False
    """Of a weight: whether it is a parameter, and no table that an object keeps."""

    @property
    def operator(self) -> str:
        """The operator's name in the table, or an empty text."""
        found = self.step.operator
        return found.name if found is not None else ""

    @property
    def is_atomic(self) -> bool:
        """Whether its result is its own: an operator, a source, or a call whose inside does not tell."""
        return self.step.kind not in ("call", "loop") or (self.step.kind == "call" and self.step.own_result)

    @property
    def rounds(self) -> Size:
        """Of a loop: how often what is inside is done for one run of what is around it."""
        count = dim(1) if self.is_apart else as_size(self.step.count)
        return count * self.times if isinstance(count, Dim) else Unknown("how often a loop runs is not known")

    @property
    def is_source(self) -> bool:
        return self.step.kind in SOURCES

    @property
    def is_view(self) -> bool:
        """Whether it gives the numbers that it was given: as they are, arranged otherwise, or in another dtype."""
        operator = self.step.operator
        if operator is None:
            target = self.step.target  # `self.drop = nn.Dropout(p) if p > 0 else nn.Identity()`
            return isinstance(target, Choice) and all(map(_is_copying, target.entries))
        if operator.name == "index":
            return len(self.uses) == 1
        if operator.name in UNITS and len(self.uses) == 1:
            return any(as_size(value) == UNITS[operator.name] for value in self.step.args)
        return operator.kind in ("view", "result") or operator.name in COPIES

    @property
    def is_part(self) -> bool:
        """Whether it is a view of a part only."""
        return self.operator in PARTS

    @property
    def is_creation(self) -> bool:
        """Whether it makes a tensor of no other, but perhaps of its shape."""
        name = self.step.name.rpartition(".")[2]
        made = name in CREATIONS or name.endswith("_like") or name.startswith("new_")
        return self.step.kind == "op" and (not self.uses or made)

    @property
    def tests(self) -> tuple[Test, ...]:
        """What must hold here, besides what must hold for the call around it."""
        outer = self.parent.all_tests if self.parent is not None else ()
        return tuple(t for t in self.all_tests if t not in outer)

    @property
    def all_tests(self) -> tuple[Test, ...]:
        """What must hold here whichever of its steps is taken."""
        return tuple(t for t in self.steps[0].tests if all(t in s.tests for s in self.steps))

    def walk(self) -> Iterator[Node]:
        """This node and those inside it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def leaves(self) -> Iterator[Node]:
        """The nodes inside that compute; what an atomic call does inside is its own affair."""
        if self.is_atomic:
            yield self
        else:
            for child in self.children:
                yield from child.leaves()

    def ancestors(self) -> Iterator[Node]:
        """The calls and loops around it, innermost first."""
        current = self.parent
        while current is not None:
            yield current
            current = current.parent


@dataclass(frozen=True, slots=True)
class Output:
    """A tensor that the function returns."""

    name: str
    value: Tensor | Unknown
    nodes: tuple[Node, ...]
    is_of_each: bool = False
    """Whether it stands for any number of tensors, which come from all of the nodes."""


class Flow:
    """The graph of one trace."""

    def __init__(self, trace: Trace, names: Sequence[Sequence[str]] = ()) -> None:
        """`names` are what the function calls the values that it returns, where it says, for each number of them."""
        self.trace = trace
        self.nodes: list[Node] = []
        self._of: dict[Step, Node] = {}
        self._keys: dict[tuple[object, ...], Node] = {}
        self._learned = {id(parameter.tensor) for parameter in trace.parameters}
        self.root = self._node(trace.root, None, ())
        self._children(trace.root.body, self.root)
        for node in list(self.nodes):
            node.uses = self._uses(node)
        self.outputs = tuple(self._outputs(trace.root.result, names))
        for node in self.nodes:
            for use in node.uses:
                for origin in use.nodes:
                    origin.users.append(node)

    # -- building ----------------------------------------------------------------------------------------

    def _node(self, step: Step, parent: Node | None, key: tuple[object, ...]) -> Node:
        is_learned = step.kind == "weight" and id(step.result) in self._learned
        node = Node(step, parent, len(self.nodes), steps=[step], is_learned=is_learned)
        self.nodes.append(node)
        self._of[step] = node
        if key:
            self._keys[key] = node
        if parent is not None:
            parent.children.append(node)
        return node

    def _children(self, steps: Sequence[Step], parent: Node, group: object = 0, around: Span | None = None) -> None:
        """Boxes of steps; what is done at the place of the call `around` them is told by it, wherever that call is."""
        targets: dict[tuple[object, ...], list[int]] = {}
        keys: dict[Step, tuple[object, ...]] = {}
        for step in steps:
            if step.kind == "round":
                continue
            place = (*((step.path, step.span) if step.span != around else ("", None)), step.name, step.element)
            known = targets.setdefault(place, [])
            target = id(step.target) if isinstance(step.target, Module | Instance) else 0
            if target not in known:
                known.append(target)
            keys[step] = (id(parent), group, *place, known.index(target))
        others = alternatives(keys)
        while keys:
            step = next(iter(keys))
            same = [step, *(s for s in others.get(step, ()) if s in keys and self._is_same(step, s))]
            node = next((self._keys[keys[s]] for s in same if keys[s] in self._keys), None)
            same.sort(key=lambda s: -len(s.body))
            for one in same:
                key = keys.pop(one)
                if node is None:
                    node = self._node(one, parent, key)
                else:
                    self._again(node, one)
                self._keys[key] = node
            for one in same:
                assert node is not None
                self._children(one.body, node, around=one.span)
        self._rounds([step for step in steps if step.kind == "round"], parent)

    def _is_same(self, step: Step, other: Step) -> bool:
        """Whether a step of another way is the same box: all that it is given was there before, and operators and
        functions are given what they are given here."""
        if not all(o in self._of or o.kind in SOURCES for given in other.given for o in given.origins):
            return False
        return is_of_layer(step) or self._work(step) == self._work(other)

    def _work(self, step: Step) -> object:
        """What an operator or function does: with which tensors, settings and shapes of what it gives."""
        shapes = [v.shape if isinstance(v, Tensor) else None for v in tensors_in(step.result)]
        return [(g.name, self._kept(g.origins)) for g in step.given], shapes, _settings(step)

    def _kept(self, origins: Iterable[Step]) -> set[Node | Step]:
        """Where numbers come from, whatever copies there are of them."""
        found: set[Node | Step] = set()
        for origin in origins:
            while origin.operator is not None and origin.operator.name in COPIES and len(origin.given) == 1:
                if len(origin.given[0].origins) != 1:
                    break
                (origin,) = origin.given[0].origins
            found.add(self._of.get(origin, origin))
        return found

    def _rounds(self, rounds: list[Step], parent: Node) -> None:
        """Rounds that do the same are one; the loop's count is theirs if all are."""
        shapes = [_signature(step) for step in rounds]
        group = 0
        for index, step in enumerate(rounds):
            if index and shapes[index] != shapes[index - 1]:
                group += 1
            self._of[step] = parent
            self._children(step.body, parent, group)
        if group:
            parent.is_apart = True
            for child in parent.children:
                child.times = max(Counter(step.span for step in child.steps).values())

    def _again(self, node: Node, step: Step) -> None:
        """A place is reached again; the step that knows most of its result stands for it."""
        self._of[step] = node
        if _knowledge(step.result) > _knowledge(node.step.result):
            node.step = step
        node.steps.append(step)

    def _uses(self, node: Node) -> list[Use]:
        found = [Use(g.name, g.value, self._known(g.origins)) for g in node.step.given]
        for step in node.steps:
            if step is node.step:
                continue
            for use, given in zip(found, step.given, strict=False):
                use.nodes += [n for n in self._known(given.origins) if n not in use.nodes]
            if step.span != node.step.span:  # the same call with more arguments
                found += [Use(g.name, g.value, self._known(g.origins)) for g in step.given[len(found) :]]
        for use in found:
            use.nodes += [n for n in self._known(self._carried(use.value)) if n not in use.nodes]
        for use in found:  # what a loop carries from its last round comes from before the loop as well
            use.nodes = [n for n in use.nodes if n.is_source or n.number < node.number] or use.nodes[:0]
            loops = [step for outer in node.ancestors() for step in outer.steps if step.kind == "loop"]
            left = [made for step in loops for first, made in step.carried if first is use.value]
            carried = [n for made in left for n in self._known(made)]
            use.nodes += [n for n in carried if n.number < node.number and n not in use.nodes and _excludes(n, node)]
            use.carried = [n for n in carried if n.number >= node.number]
        return found

    def _outputs(self, result: Value, names: Sequence[Sequence[str]]) -> Iterator[Output]:
        for name, part in _named(result, names):
            for value in tensors_in(part):
                if isinstance(value, Tensor) or self.trace.origins(value):
                    origins = [*self.trace.origins(value)]
                    if is_of_each := is_any_of(value, part):
                        origins += self._carried(value)
                    yield Output(name, value, tuple(self._known(origins)), is_of_each)

    def _carried(self, value: Tensor | Unknown) -> Iterator[Step]:
        """What rounds leave for the next, where it is put into the list that a value stands for the elements of."""
        parts = {id(part) for part in self.trace.parts_of(value) if part is not value}
        loops = (step for node in self.nodes for step in node.steps if step.kind == "loop") if parts else ()
        return (made for step in loops for first, last in step.carried if id(first) in parts for made in last)

    def _known(self, origins: Iterable[Step]) -> list[Node]:
        found: list[Node] = []
        for step in origins:
            node = self._of.get(step)
            if node is None and step.kind in SOURCES:
                node = self._node(step, None, ())
            if node is not None and node not in found:
                found.append(node)
        return found

    # -- questions ---------------------------------------------------------------------------------------

    def live(self) -> set[Node]:
        """Nodes that what is returned depends on, and those that change what outlives the call."""
        found: set[Node] = set()
        todo = [n for output in self.outputs for n in output.nodes]
        todo += [n for n in self.nodes if n.is_atomic and changes_more(n)]
        if not self.trace.complete or not any(output.nodes for output in self.outputs):
            ends = (n for n in self.nodes if n.is_atomic and not n.users)  # what became of it is not known
            todo += [n for n in ends if not n.step.is_for_backward]
        while todo:
            node = todo.pop()
            if node in found:
                continue
            found.add(node)
            for inner in node.walk():
                todo += [n for use in inner.uses for n in (*use.nodes, *use.carried)] if node.is_atomic else []
        return found


def _excludes(one: Node, other: Node) -> bool:
    """Whether a round of a loop takes one way or the other: what one gives to the other it gives to a later round."""
    opposite = {(test.path, test.span, not test.holds) for test in one.all_tests}
    return any((test.path, test.span, test.holds) in opposite for test in other.all_tests)


def _is_copying(target: Value) -> bool:
    """Whether a layer gives what it is given."""
    operator = ops.find(f"{target.name}.forward") if isinstance(target, Module) else None
    return operator is not None and operator.name in COPIES


def _named(result: Value, names: Sequence[Sequence[str]]) -> list[tuple[str, Value]]:
    """What is returned, part by part, with the names of the fields of a result object or of the variables."""
    if isinstance(result, Instance) and not result.is_module:
        return [(name, value) for name, value in result.attributes.items() if not isinstance(value, Instance)]
    if isinstance(result, tuple):
        called = next((of_all for of_all in names if len(of_all) == len(result)), None)
        return list(zip(called, result, strict=True)) if called is not None else [("", result)]
    if isinstance(result, dict):
        return [(str(key), value) for key, value in result.items()]
    return [("", result)]


def changes_more(node: Node) -> bool:
    """Whether a node has an effect beside its result: on a tensor from outside, on other ranks, or unknown."""
    step = node.step
    if step.is_for_backward:
        return False
    if step.kind == "unfollowed" and not node.users:
        return any((isinstance(use.value, Tensor) or step.changes_its_object) and use.nodes for use in node.uses)
    operator = step.operator
    if operator is not None and operator.kind == "communication":
        return True
    in_place = step.kind == "store" or is_in_place(step.name)
    return in_place and bool(node.uses) and any(outlives(n) for n in node.uses[0].nodes)


def outlives(node: Node) -> bool:
    """Whether a tensor was there before the call."""
    seen = {node}
    while not node.is_source:
        if not node.uses or not node.uses[0].nodes or not (node.is_view or node.step.kind in ("store", "unfollowed")):
            return False
        node = node.uses[0].nodes[0]
        if node in seen:
            return False
        seen.add(node)
    return True


def _knowledge(value: Value) -> int:
    """How much is known of a result."""
    score = 0
    for tensor in tensors_in(value):
        if isinstance(tensor, Tensor):
            score += 1
            if tensor.shape.dims is not None:
                score += 1 + 2 * sum(isinstance(size, Dim) for size in tensor.shape.dims)
    return score


def _signature(step: Step) -> tuple[object, ...]:
    """What a round does: its places in order, with the shapes of what it gives."""
    result = CALL_NUMBER.sub("", repr(step.result))
    count = repr(as_size(step.count))
    return (step.kind, step.path, step.span, step.name, count, result, *(_signature(inner) for inner in step.body))


def _settings(step: Step) -> list[tuple[str, object]]:
    """What an operator or function is told besides tensors."""
    named = [*((str(index), value) for index, value in enumerate(step.args)), *sorted(step.kwargs.items())]
    return [(name, _told(value)) for name, value in named if next(tensors_in(value), None) is None]


def _told(value: Value) -> object:
    """A setting, to be compared; an object is itself only."""
    if isinstance(value, tuple | list):
        return [_told(part) for part in value]
    return (type(value), value) if isinstance(value, Dim | str | bool | int | float | None) else id(value)


def dependencies(nodes: Iterable[Node]) -> set[Node]:
    """All that the numbers of nodes depend on; `zeros_like(x)` has none of `x`."""
    todo, found = list(nodes), set[Node]()
    while todo:
        node = todo.pop()
        for use in node.uses if not node.is_creation else ():
            for origin in use.nodes:
                if origin not in found:
                    found.add(origin)
                    todo.append(origin)
    return found
