"""Which parts of a flow are boxes of its picture: calls that are opened and calls that stay shut, operators that count.

Views, copies and bookkeeping are no boxes; what they do shows in the shapes on the edges. Nothing is drawn here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set

from kernelscope.explain.flow_expressions import Expression, expressions
from kernelscope.interp.values import Function, Instance
from kernelscope.ops import Module
from kernelscope.patterns.attention import FUSED
from kernelscope.patterns.flow import Flow, Node, Use, dependencies, words
from kernelscope.patterns.norms import LIBRARY
from kernelscope.patterns.paths import ELEMENTWISE, LINEARS, MATRIX_PRODUCTS, is_scaling, number
from kernelscope.patterns.pattern import Pattern
from kernelscope.patterns.ways import ways
from kernelscope.tensor import DType, Tensor

SCALING = ELEMENTWISE | words("mean sum var rms_norm layer_norm norm")
WITH_WEIGHTS = ("linear", "conv1d", "conv2d", "conv3d", "embedding")
COMPARISONS = words("eq ne lt le gt ge isin isnan")
TESTS = words("isnan isinf isfinite any all")
"""Operators whose answer steers what is done with the data: `clamp_value = where(isinf(x).any(), least, most)`."""
MASK = "mask"
"""How parameters of layers end that take no data: `key_padding_mask`."""
MASKING = -1000
"""What is multiplied by such a number is a mask: `(1 - mask) * -10000`."""
MOST_WAYS = 2
"""A call that takes one of more ways stays shut."""
MAX_BOXES = 34
"""Calls are opened as long as the picture has no more boxes than this."""


class Boxes:
    """The choice of boxes for one flow. `patterns` are calls that are known for what they are and stay shut."""

    def __init__(
        self,
        flow: Flow,
        patterns: Mapping[Node, Pattern],
        depth: int = 8,
        limit: int = MAX_BOXES,
        by_operator: bool = False,
        of_first: bool = False,
        of_views: bool = False,
    ) -> None:
        """`by_operator` keeps the operators of an expression apart; `of_first` leaves it to notes to tell of other
        inputs than the first; `of_views` are for what does nothing but arrange what it is given."""
        self.flow = flow
        self.of_first = of_first
        self._of_views = of_views
        self.patterns = patterns
        self.limit = limit
        self.live = flow.live()
        self._depth = depth
        self._by_operator = by_operator
        self.take(())

    def take(self, inputs: Iterable[Node]) -> None:
        """Chooses the boxes, where these inputs are data besides those that are told to be by what is done with them:
        what is made of them is drawn, too."""
        self.main = self._main(inputs)
        self.opened: set[Node] = {self.flow.root}
        self.expressions: dict[Node, Expression] = {}
        self._within: dict[Node, Node] = {}
        self._main_calls = {outer for node in self.main for outer in node.ancestors()}
        self._open(self._depth)
        if not self._by_operator:
            self.expressions = expressions(self.boxes())
            self._within = {n: top for top, found in self.expressions.items() for n in found.nodes if n is not top}
        self.drawn = set(self.boxes())

    # -- what counts -------------------------------------------------------------------------------------

    def _main(self, inputs: Iterable[Node]) -> set[Node]:
        """What depends on the data itself; the rest are masks, positions, tables and weights."""
        found = {*self._main_inputs(), *inputs}
        found |= self._made_of(found)
        return found | self._made_of(found)  # of what a round leaves for the next, too

    def _made_of(self, given: Set[Node]) -> set[Node]:
        """What is made of data, in the order of the code."""
        found = set(given)
        for node in sorted(self.flow.nodes, key=lambda n: n.number):
            if node.is_creation or _is_mask(node) or _is_test(node):
                continue
            inner = list(node.walk()) if node.is_atomic else [node]
            uses = [use for part in inner for use in _numbers(part)]
            if any(origin in found for use in uses for origin in (*use.nodes, *use.carried)):
                found.add(node)
        return found

    def _main_inputs(self) -> Iterable[Node]:
        inputs = sorted((n for n in self.flow.nodes if n.step.kind == "input" and n in self.live), key=_place)
        if not inputs:
            return [n for n in self.flow.nodes if n.step.kind in ("weight", "object") or n.is_creation]
        is_method = any(n.step.kind in ("weight", "layer") or isinstance(n.step.target, Instance) for n in self.live)
        known = [n for n in inputs if isinstance(n.step.result, Tensor)]
        first = (known or inputs)[0]
        return [n for n in inputs if n is first or (not self.of_first and self._is_data(n, is_method))]

    def _is_data(self, node: Node, is_method: bool) -> bool:
        """Whether an input is multiplied by weights, or is an operand of a function that has none.

        What a call that is not followed takes may be data as well; what becomes a mask anywhere is none.
        """
        todo, seen, alike, is_data = list(node.users), set[Node](), {node}, False
        while todo:
            user = todo.pop()
            if user in seen:
                continue
            seen.add(user)
            if is_scaling(user) and (number(user) or 0) <= MASKING:
                return False
            if user.operator == "add":
                alike.update(n for n in _origins(user) if n.step.kind == "input")
            is_moved = user.is_view or user.operator == "cat" or user.step.kind == "store"
            if is_moved or self._is_scaled(alike, user):
                todo += user.users
                is_data = is_data or _takes_data(user, seen | {node})
            else:
                is_data = is_data or _takes_data(user, seen | {node}) or _may_take_data(user, node)
                is_data = is_data or user.operator in WITH_WEIGHTS or _is_projection(user)
                is_data = is_data or (bool(user.operator) and not is_method)
        return is_data

    def _is_scaled(self, alike: Set[Node], user: Node) -> bool:
        """Whether a step works on inputs with weights and themselves only, as norms and activations do."""
        if user.operator not in SCALING:
            return False
        return all(n in alike or n.step.kind == "weight" for n in dependencies([user]) if n.is_source)

    def is_drawn(self, node: Node) -> bool:
        """Whether a node that is not inside a shut call is a box."""
        if node not in self.live and not self._has_live(node):
            return False
        if node.is_source or node.is_creation or self._is_aside(node):
            return False
        if node.step.kind == "loop":
            return False
        if node.step.kind in ("op", "store", "unfollowed") and node not in self.main:
            return False
        return node.is_atomic or self._has_drawn(node)

    def _has_live(self, node: Node) -> bool:
        return any(leaf in self.live for leaf in node.leaves())

    def _has_drawn(self, node: Node) -> bool:
        """Whether a call does more than arrange what it is given."""
        return any(
            leaf in self.live and not (self._is_aside(leaf) or leaf.is_creation or leaf.is_source)
            for leaf in node.leaves()
        )

    def _is_aside(self, node: Node) -> bool:
        """Whether a step only arranges what it is given, which shapes on the lines tell."""
        return node.is_view and not self._of_views

    # -- opening calls -----------------------------------------------------------------------------------

    def _open(self, depth: int) -> None:
        """Calls are opened level by level, all of one kind together or none, while there is room, or no other box."""
        level = [self.flow.root]
        for _ in range(depth):
            kinds: dict[object, list[Node]] = {}
            for child in self._inside(level):
                if self._may_open(child) and not self._is_dispatch(child):
                    kinds.setdefault(_kind(child), []).append(child)
            level = list[Node]()
            for alike in kinds.values():
                is_all = len(self.boxes()) == 1 and self.limit >= MAX_BOXES
                self.opened.update(alike)
                if len(self.boxes()) > self.limit and not is_all:
                    self.opened.difference_update(alike)
                else:
                    level += alike
            if not level:
                return
        for _ in self._inside(level):
            pass  # loops of the innermost level are open, too

    def _inside(self, level: Iterable[Node]) -> Iterator[Node]:
        """What is right inside some nodes, through what must be opened anyway."""
        for node in level:
            for child in node.children:
                if self._must_open(child):
                    self.opened.add(child)
                    yield from self._inside([child])
                else:
                    yield child

    def _must_open(self, node: Node) -> bool:
        """Loops, and calls that only arrange what they are given or only pass it on to one other."""
        if node.step.kind == "loop":
            return True
        if node.is_atomic or node in self.patterns or not self._has_live(node):
            return False
        drawn = [child for child in node.children if self.is_drawn(child) or child.step.kind == "loop"]
        if len(drawn) == 1 and drawn[0].step.kind == "loop" and self.limit < MAX_BOXES:
            return False  # where there is little room a call stays shut if what it goes through is all that it does
        if len(drawn) == 1 and isinstance(node.step.target, Function) and self._may_open(drawn[0]):
            return True
        return not drawn or (len(drawn) == 1 and _is_part(drawn[0]))

    def _may_open(self, node: Node) -> bool:
        if node.is_atomic or node in self.patterns or node not in self._main_calls:
            return False
        if isinstance(node.step.target, Function) and not any(_is_work(inner) for inner in node.walk()):
            return False
        return sum(child.step.kind == "loop" or self.is_drawn(child) for child in node.children) > 1

    def _is_dispatch(self, node: Node) -> bool:
        """Whether a call takes one of many ways, or one of several that are not followed: beside each other they would
        look as if all were taken."""
        if self.limit > MAX_BOXES or len(self.boxes()) <= 1:
            return False
        count = ways(self.flow.trace, node.step.result)
        is_followed = any(c.step.kind != "unfollowed" for c in node.children if self.is_drawn(c))
        return count > MOST_WAYS or (count > 1 and not is_followed)

    def box_of(self, node: Node) -> Node:
        """The box that shows a node: the outermost shut call around it, or itself."""
        shown = node
        for outer in node.ancestors():
            if outer not in self.opened:
                shown = outer
        return self._within.get(shown, shown)

    def boxes(self) -> list[Node]:
        """The boxes in the order in which the code reaches them."""
        found: list[Node] = []

        def visit(node: Node) -> None:
            for child in node.children:
                if child in self.opened:
                    visit(child)
                elif child not in self._within and self.is_drawn(child):
                    found.append(child)

        visit(self.flow.root)
        return found

    def uses(self, box: Node) -> list[Use]:
        """What a box takes from outside itself; a call's values as they are given to it."""
        expression = self.expressions.get(box)
        inside = set(box.walk()) if expression is None else set(expression.nodes)
        parts = inside if box.is_atomic else {leaf for leaf in box.leaves() if leaf in self.live}
        ordered = sorted(parts if expression is not None else parts - {box}, key=lambda n: n.number)
        consumed = [use for part in ordered for use in part.uses if any(n not in inside for n in use.nodes)]
        if expression is not None:
            return list(dict.fromkeys(consumed))
        wanted = {n for use in consumed for n in use.nodes if n not in inside}
        uses = [use for use in box.uses if box.is_atomic or any(n in wanted for n in use.nodes)]
        covered = {n for use in uses for n in use.nodes}
        return [*uses, *(use for use in consumed if any(n not in inside | covered for n in use.nodes))]


def _numbers(node: Node) -> list[Use]:
    """What a step takes the numbers of; of the others a view takes the form: `mask.type_as(x)`."""
    return node.uses[:1] if node.is_view else node.uses


def _is_mask(node: Node) -> bool:
    """Whether a step only asks of an input itself which of its elements are meant: `tokens != padding`."""
    return node.operator in COMPARISONS and all(origin.step.kind == "input" for origin in _origins(node))


def _is_test(node: Node) -> bool:
    """Whether a step only asks something of the data, and somebody goes by the answer."""
    return node.operator in TESTS and any(user.operator not in TESTS or _is_test(user) for user in node.users)


def _takes_data(user: Node, given: Set[Node]) -> bool:
    """Whether a step is a layer with weights that takes one of some values, and not as a mask, or a norm: neither masks
    nor positions are normalised."""
    if user.operator in LIBRARY:
        return True
    layer = user.step.target
    is_layer = user.step.kind == "layer" and isinstance(layer, Module) and bool(layer.parameters)
    return is_layer and any(not use.name.endswith(MASK) and not given.isdisjoint(use.nodes) for use in user.uses)


def _is_projection(user: Node) -> bool:
    """Whether a step multiplies something by a matrix of weights."""
    is_product = user.operator in MATRIX_PRODUCTS or user.operator in LINEARS
    return is_product and any(origin.step.kind == "weight" for origin in _origins(user))


def _may_take_data(user: Node, given: Node) -> bool:
    """Whether a step is not followed, and may take what it is given for data."""
    return user.step.kind in ("unfollowed", "choice") and _may_be_data(given)


def _origins(node: Node) -> Iterator[Node]:
    """The nodes that a step takes values of, views looked through."""
    for use in node.uses:
        for origin in use.nodes:
            while origin.is_view and origin.uses and origin.uses[0].nodes:
                origin = origin.uses[0].nodes[0]
            yield origin


def _may_be_data(node: Node) -> bool:
    """Whether an input may hold real numbers; the others are positions, indices and switches."""
    value = node.step.result
    return isinstance(value, Tensor) and (not isinstance(value.dtype, DType) or value.dtype.is_float)


def _is_work(node: Node) -> bool:
    """Whether a step is worth opening a function for: layers, products, collectives, modules, what is not followed."""
    operator = node.step.operator
    if operator is None:
        return node.step.kind == "unfollowed" or isinstance(node.step.target, Instance)
    if node.step.kind == "layer":
        return operator.kind == "compute"
    return operator.kind == "communication" or operator.name in MATRIX_PRODUCTS or operator.name in FUSED


def _is_part(node: Node) -> bool:
    """Whether a node is a module of its own, or a loop of them: a call around nothing else need not be seen."""
    return node.step.kind == "loop" or (node.step.kind == "call" and not isinstance(node.step.target, Function))


def _place(node: Node) -> tuple[int, str]:
    return node.step.span.start, node.step.name


def _kind(node: Node) -> object:
    """Calls of one kind: of one class, or of one function."""
    target = node.step.target
    return target.cls.node if isinstance(target, Instance) else (node.step.name, node.step.path)
