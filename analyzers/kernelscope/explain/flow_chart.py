"""The boxes and lines of a dataflow picture: what each box takes from where, and the frames around boxes.

Which parts are boxes is decided in `flow_boxes`, what they are called in `box_labels`; here they are joined.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property

from kernelscope.diagrams.model import Border, Box, Edge, Graph, Group
from kernelscope.diagrams.parts import FROM, TO
from kernelscope.dims import Dim
from kernelscope.explain.alternatives import told_once
from kernelscope.explain.box_labels import BoxLabels, Condition, changed_dtype, conditions_of
from kernelscope.explain.dim_names import DimNames, usual_letters
from kernelscope.explain.flow_boxes import MAX_BOXES, Boxes
from kernelscope.explain.flow_links import NOTHING, Link, Origin
from kernelscope.explain.loop_carries import for_next_rounds, left_by_last_round, own_of_last_round
from kernelscope.explain.source_order import names_in_file
from kernelscope.interp.steps import is_any_of, tensors_in
from kernelscope.interp.values import Choice, Value, as_size
from kernelscope.ops import Module
from kernelscope.patterns.flow import Flow, Node, Use, dependencies
from kernelscope.patterns.pattern import Pattern
from kernelscope.patterns.recognition import recognise
from kernelscope.results import Location, ViewOptions
from kernelscope.tensor import Shape, Tensor, Unknown
from kernelscope.workspace.workspace import Workspace

MAX_SIDE_NOTES = 5
MAX_OUTPUTS = 4
MAX_NAMES = 4
"""Values that go the same way are named up to so many."""
FRAMED = 3
"""A condition of as many boxes is a frame around them; of fewer a note beside each."""
Frame = Node | Condition
NO_LIMIT = 10_000
NONE: frozenset[Node] = frozenset()


class Chart:
    """The boxes and edges of one flow."""

    def __init__(
        self,
        workspace: Workspace,
        flow: Flow,
        options: ViewOptions,
        limit: int = MAX_BOXES,
        by_operator: bool = False,
        of_first: bool = False,
        of_views: bool = False,
    ) -> None:
        """`by_operator` keeps the operators of an expression apart, `of_first` draws the first input only, `of_views`
        also what arranges numbers only."""
        self.flow = flow
        self.patterns: dict[Node, Pattern] = recognise(flow)
        whole = {node: pattern for node, pattern in self.patterns.items() if pattern.is_whole}
        if options.depth:  # what is asked for is opened, whatever it is and however many boxes there are
            self.choice = Boxes(flow, {}, options.depth - 1, NO_LIMIT, by_operator)
        else:
            self.choice = Boxes(flow, whole, limit=limit, by_operator=by_operator, of_first=of_first, of_views=of_views)
        self.boxes = self.choice.boxes()
        self.boxes_live = self.choice.live
        nodes = dict.fromkeys((*self.boxes, *flow.nodes))  # what is shown has the first choice of letters
        shapes = [v.shape for node in nodes for v in _tensors(node)]
        shapes += [v.shape for node in nodes for v in tensors_in(node.step.result) if isinstance(v, Tensor)]
        shapes += [output.value.shape for output in flow.outputs if isinstance(output.value, Tensor)]
        if by_operator:  # weights and rounds are counted, too
            shapes += [part for p in flow.trace.parameters for part in (p.tensor.shape, _rounds(p.count))]
            shapes += [_rounds(node.step.count) for node in flow.nodes if node.step.kind == "loop"]
        order, trace = names_in_file(workspace, flow), flow.trace
        self.names = DimNames(shapes, order, options.bindings, trace.sizes, trace.known, self._letters())
        self.named = {node: pattern for node, pattern in self.patterns.items() if not pattern.is_part}
        """What calls are called by what they do."""
        self.labels = BoxLabels(workspace, self.choice, self.names, self.named)
        self.keys: dict[str, Node] = {}
        self._key_of: dict[Node, str] = {}
        self.texts: list[str] = []
        self._frames: dict[tuple[Frame, ...], int] = {}

    def _letters(self) -> dict[str, str]:
        """Usual letters for the sizes of the first input."""
        inputs = [node for node in self.flow.nodes if node.step.kind == "input" and node in self.choice.main]
        first = min(inputs, key=lambda node: node.step.span, default=None)
        value = first.step.result if first is not None else None
        return usual_letters(value.shape, self.flow.trace.sizes) if isinstance(value, Tensor) else {}

    def places(self) -> dict[str, Location]:
        """Where in the source the boxes and frames are, also as ends of lines in the picture of a part."""
        found = {key: place for key, node in self.keys.items() if (place := self.labels.place(node)) is not None}
        for path, number in self._frames.items():
            if isinstance(frame := path[-1], Condition) and (place := self.labels.place_of(frame.test)) is not None:
                found[f"g{number}"] = place
        return found | {word + key: place for key, place in found.items() for word in (FROM, TO)}

    def graph(self) -> Graph:
        """The picture's graph: inputs, boxes in the order of the code, outputs."""
        takes = self.connected()
        inputs = self._inputs(takes)
        for number, node in enumerate([*inputs, *self.boxes]):
            self._key_of[node] = f"n{number}"
            self.keys[f"n{number}"] = node
        direct = {
            box: {o.node for _, origins in taken for o in origins if not o.is_note} for box, taken in takes.items()
        }
        before = self._before(direct)
        edges: list[Link] = []
        notes: dict[Node, list[str]] = {box: [] for box in self.boxes}
        for box, taken in takes.items():
            for use, origins in taken:
                kept = origins if self._is_of_each(box, use) else self._latest(origins, box, before, direct)
                edges += [Link(o, box, use) for o in kept if not o.is_note]
                notes[box] += [self.labels.side_note(o.node, use) for o in origins if _is_told(o, origins, box)]
                notes[box] += self._either(box, use, kept)
            notes[box] += own_of_last_round(self.choice, box)
        for left, links in for_next_rounds(self, takes, {edge.origin.node for edge in edges}).items():
            if len(links) == 1:
                edges += links
            else:  # as many lines up would hide what a round does
                notes[left].append(f"{left.step.bound or 'result'} for the next round")
        for box, taken in takes.items():
            linked = {edge.origin.node for edge in edges if edge.user is box}
            for use, origins in taken:
                notes[box] += left_by_last_round(self.choice, box, use, origins, linked)
        groups = self._groups()
        drawn = [self._input_box(node) for node in inputs]
        drawn += [self._box(box, notes[box]) for box in self.boxes]
        lines = self._edges(edges)
        drawn += self._outputs(lines, before, direct)
        self.texts += [text for box in drawn for text in (*box.lines, *box.notes)] + [e.label for e in lines]
        return Graph(tuple(drawn), tuple(dict.fromkeys(lines)), tuple(groups))

    # -- what boxes take ---------------------------------------------------------------------------------

    def connected(self) -> dict[Node, list[tuple[Use, list[Origin]]]]:
        """What the boxes take; boxes that take nothing and that nothing takes of are left away."""
        takes = {box: self._takes(box) for box in self.boxes}
        grounds = [n for found in takes.values() for n in _grounds(found)]
        grounds += [n for found in takes.values() for _, origins in found for n in self._instead(origins)]
        grounds += [n for origins in self.returned() for n in _made_of(origins)]
        grounds += [n for box in self.boxes if box not in self._taken(takes) for n in self._made_next(box)]
        if grounds := [n for n in grounds if n not in self.choice.main]:
            self.choice.take(grounds)
            self.boxes = self.choice.boxes()
            takes = {box: self._takes(box) for box in self.boxes}
        taken = self._taken(takes)
        kept = {
            box: found
            for box, found in takes.items()
            if box in taken or any(not o.is_note for _, origins in found for o in origins)
        }
        self.boxes = [box for box in self.boxes if box in kept]
        return kept

    def _taken(self, takes: Mapping[Node, list[tuple[Use, list[Origin]]]]) -> set[Node]:
        """What boxes, or those who call, take."""
        found = {o.node for taken in takes.values() for _, origins in taken for o in origins}
        return found | {o.node for origins in self.returned() for o in origins}

    def _made_next(self, box: Node) -> Iterator[Node]:
        """What is computed of a box's result without being drawn: of learned queries that a layer goes over, a sum with
        a table of positions. The line from the box would end there."""
        inside = set(box.walk())
        todo, seen = [user for node in inside for user in node.users if user not in inside], set[Node]()
        while todo:
            node = todo.pop()
            if node in seen or node not in self.choice.live:
                continue
            seen.add(node)
            if node.is_view:
                todo += node.users
            elif node.step.kind == "op" and not node.is_creation:
                yield node

    def _instead(self, origins: list[Origin]) -> list[Node]:
        """Inputs that may be given instead of what is computed: `inputs_embeds` where no tokens are embedded."""
        if self.choice.of_first or all(o.is_note for o in origins):
            return []
        return [o.node for o in origins if o.is_note and o.node.step.kind == "input"]

    def _takes(self, box: Node) -> list[tuple[Use, list[Origin]]]:
        found: list[tuple[Use, list[Origin]]] = []
        for use in self.choice.uses(box):
            origins = [o for node in use.nodes for o in self.resolve(node, box, use.value)]
            if not use.nodes and isinstance(use.value, Tensor):
                continue
            if not all(o.is_note for o in origins):  # what is made where there is nothing else says little
                origins = [o for o in origins if not (o.is_note and o.node.is_creation)]
            found.append((use, list(dict.fromkeys(origins))))
        return found

    def resolve(self, node: Node, box: Node, value: Tensor | Unknown, seen: frozenset[Node] = NONE) -> list[Origin]:
        """Back through views to what is shown: a box, an input of the data, or a side value that becomes a note."""
        if node in seen:
            return []
        if node.is_source:
            return [Origin(node, node not in self.choice.main, value)]
        shown = self.choice.box_of(node)
        if shown is box:
            return []
        if shown in self.choice.drawn:
            return [Origin(shown, False, value)]
        if node.is_view and node.uses:
            use = node.uses[0]
            found = [o for origin in use.nodes for o in self.resolve(origin, box, use.value, seen | {node})]
            if not node.is_part:
                return found
            return [self._part_of(o, node, use.value, value) for o in found]
        return [Origin(node, True, value)]

    def _part_of(self, origin: Origin, view: Node, whole: Tensor | Unknown, part: Tensor | Unknown) -> Origin:
        """What a view takes a part of; of a value that enters a loop, whose rounds take a part each, the whole."""
        if _is_round_of(view, origin.node):
            return replace(origin, entering=whole) if origin.entering is NOTHING else origin
        return replace(origin, is_part=True, part=part if self._name(part) else origin.part)

    def returned(self) -> list[list[Origin]]:
        """Where what is returned comes from."""
        return [
            [o for node in output.nodes for o in self.resolve(node, self.flow.root, output.value)]
            for output in self.flow.outputs
        ]

    def _inputs(self, takes: Mapping[Node, list[tuple[Use, list[Origin]]]]) -> list[Node]:
        found = [origins for taken in takes.values() for _, origins in taken] + self.returned()
        origins = [o.node for part in found for o in part if not o.is_note]
        return sorted({n for n in origins if n.is_source}, key=lambda n: (n.step.span, n.step.name))

    def _before(self, direct: Mapping[Node, set[Node]]) -> dict[Node, set[Node]]:
        """For each box all that it depends on; `direct` is what it takes."""
        found: dict[Node, set[Node]] = {}

        def visit(node: Node) -> set[Node]:
            if node not in found:
                found[node] = set()
                found[node] = direct.get(node, set()).union(*(visit(n) for n in direct.get(node, set())))
            return found[node]

        for node in [*self._key_of, *direct]:
            visit(node)
        return found

    def _latest(
        self, origins: list[Origin], user: Node, before: Mapping[Node, set[Node]], direct: Mapping[Node, set[Node]]
    ) -> list[Origin]:
        """Of what a value may come from what no other of them is made of: a loop is drawn as if it ran at least once,
        and what a condition holds for as what is passed by where it does not hold."""
        kept = [o for o in origins if not o.is_note]
        return [
            o
            for o in kept
            if not any(
                o.node in before[other.node] and self._passes(other.node, o.node, user, direct)
                for other in kept
                if other.node is not o.node
            )
        ]

    def _either(self, box: Node, use: Use, kept: list[Origin]) -> Iterator[str]:
        """Which inputs, one of which a box takes, where nothing on the lines tells that it takes but one of them."""
        given = list(dict.fromkeys(o.node for o in kept if not o.is_note))
        is_open = any(self.labels.conditions(node) for node in given) or self._is_of_each(box, use)
        if len(given) > 1 and not is_open and any(node.step.kind == "input" for node in given):
            names = [node.step.name if node.step.kind == "input" else self.labels.lines(node)[-1] for node in given]
            yield " or ".join(names)

    def _is_of_each(self, box: Node, use: Use) -> bool:
        """Whether a box takes any number of tensors: what a list holds that a loop fills, all of it."""
        expression = self.choice.expressions.get(box)
        steps = [node.step for node in (expression.nodes if expression is not None else (box,))]
        return any(is_any_of(use.value, [*step.args, *step.kwargs.values()]) for step in steps)

    def _passes(self, made: Node, given: Node, user: Node, direct: Mapping[Node, set[Node]]) -> bool:
        """Whether without the conditional boxes that lead to `made` the line to its user would come from `given`."""
        around = set(user.ancestors())
        if any(n.step.kind == "loop" and n not in around for n in made.ancestors()):
            return True
        held = set(self.labels.conditions(user))
        tests = set(self.labels.conditions(made)) - held
        todo, seen = [made], {made}
        while todo:
            node = todo.pop()
            for origin in direct.get(node, set()) - seen:
                if origin is given:
                    return True
                seen.add(origin)
                if tests & set(self.labels.conditions(origin)):
                    todo.append(origin)
        return not tests

    # -- boxes and edges ---------------------------------------------------------------------------------

    def _input_box(self, node: Node) -> Box:
        return Box(self._key_of[node], (node.step.name,), border=Border.SINGLE, kind="input")

    def _box(self, box: Node, notes: list[str]) -> Box:
        lines = self.labels.lines(box)
        told = list(dict.fromkeys(note for note in (*self.labels.notes(box, self._path(box)), *notes) if note))
        if isinstance(box.step.target, Choice):
            told = told_once(told)
        if len(told) > MAX_SIDE_NOTES + 1:
            told = [*told[:MAX_SIDE_NOTES], f"{len(told) - MAX_SIDE_NOTES} more"]
        group = self._group_key(self._path(box))
        border = Border.DOUBLE if self.labels.is_collective(box) else Border.SINGLE
        return Box(self._key_of[box], lines, tuple(told), border, group, self.labels.kind(box))

    def _path(self, box: Node) -> tuple[Frame, ...]:
        """The frames around a box, outermost first: loops, and conditions that several boxes share."""
        found: list[Frame] = []
        outer = [n for n in box.ancestors() if n in self.choice.opened and n is not self.flow.root]
        for node in reversed([box, *outer]):
            found += [c for c in conditions_of(node) if self._sharing[c] >= FRAMED and c not in found]
            if node.step.kind == "loop" and (node.is_apart or node.rounds != 1):
                found.append(node)
        return tuple(found)

    @cached_property
    def _sharing(self) -> Counter[Condition]:
        """How many boxes each condition holds for."""
        return Counter(condition for box in self.boxes for condition in self.labels.conditions(box))

    def _group_key(self, path: tuple[Frame, ...]) -> str:
        return f"g{self._frames.setdefault(path, len(self._frames))}" if path else ""

    def _groups(self) -> list[Group]:
        paths = dict.fromkeys(path[: n + 1] for path in map(self._path, self.boxes) for n in range(len(path)))
        found: list[Group] = []
        for path in paths:
            key, frame = self._group_key(path), path[-1]
            if isinstance(frame, Node):
                self.keys[key] = frame
                title, repeat = self.labels.loop(frame)
            else:
                title, repeat = self.labels.test(frame.test), ""
            found.append(Group(key, title, self._group_key(path[:-1]), repeat))
        return found

    def _edges(self, links: list[Link]) -> list[Edge]:
        """One label for a value however it is viewed, unless all who take it view it alike; parts have their own.

        Values that go the same ways together, such as a scale and its shift, are one line.
        """
        views: dict[tuple[Node, str, str], set[str]] = {}
        values: dict[Node, set[str]] = {}
        for link in links:
            views.setdefault(self._value(link), set()).add(self._shape(link.use.value))
            part = self._part(link) if link.origin.is_part else ""
            values.setdefault(link.origin.node, set()).add(self._called(link.origin) + part)
        users: dict[tuple[str, str, str], dict[str, None]] = {}
        for link in links:
            origin = link.origin
            alike = len(views[self._value(link)]) == 1
            shown = link.use.value if alike or origin.is_part else origin.value
            if len(link.use.nodes) > 1 and not origin.is_part and _is_direct(link):
                shown = link.whole  # not what it and the others have in common
            if origin.entering is not NOTHING:
                shown = origin.entering
            name = self._part(link) if origin.is_part else self._called(origin)
            several = len(values[origin.node]) > 1 and not (origin.node.is_source and not origin.is_part)
            dtype = changed_dtype(origin.node.step.result, link.use.value)
            kind = " ".join(filter(None, (self._shape(shown), dtype)))
            value = (self._key_of[origin.node], name if several else "", kind)
            users.setdefault(value, {}).setdefault(self._key_of[link.user])
        together: dict[tuple[str, str, frozenset[str]], list[str]] = {}
        for (source, name, kind), targets in users.items():
            together.setdefault((source, kind, frozenset(targets)), []).append(name)
        return [
            Edge(source, target, " ".join(filter(None, (_listed(together[source, kind, frozenset(targets)]), kind))))
            for (source, _, kind), targets in users.items()
            for target in targets
        ]

    def _value(self, link: Link) -> tuple[Node, str, str]:
        return link.origin.node, self._called(link.origin), self._shape(link.origin.value)

    def _called(self, origin: Origin) -> str:
        """What tells a value from others that leave the same box; all variables that hold the only one are one."""
        return "" if isinstance(origin.node.step.result, Tensor) else self._name(origin.value)

    def _part(self, link: Link) -> str:
        return self._name(link.use.value) or self._name(link.origin.part)

    def _name(self, value: Tensor | Unknown) -> str:
        return self.flow.trace.name_of(value)

    def _shape(self, value: Tensor | Unknown) -> str:
        text = self.names.tensor(value)
        return "" if text in ("?", "[...]") else text

    def _outputs(
        self, lines: list[Edge], before: Mapping[Node, set[Node]], direct: Mapping[Node, set[Node]]
    ) -> list[Box]:
        """A box for each output; the last one stands for all the others where there are many."""
        named: list[tuple[str, dict[Node, None], str, tuple[str, ...]]] = []
        for output, origins in zip(self.flow.outputs, self.returned(), strict=True):
            kept = origins if output.is_of_each else self._latest(origins, self.flow.root, before, direct)
            shown = [o.node for o in kept if o.node in self._key_of and not o.is_note]
            if shown:
                name = output.name or (self._name(output.value) if len(self.flow.outputs) > 1 else "")
                named.append((name, dict.fromkeys(shown), self._shape(output.value), tuple(self._others(origins))))
        apart = named if len(named) <= MAX_OUTPUTS else named[: MAX_OUTPUTS - 1]
        boxes: list[Box] = []
        for number, (name, shown, shape, others) in enumerate(named):
            key = f"out{min(number, len(apart))}"
            lines += [Edge(self._key_of[node], key, shape) for node in shown]
            if number < len(apart):
                boxes.append(Box(key, (f"output: {name}" if name else "output",), others, kind="output"))
        if rest := [name for name, *_ in named[len(apart) :]]:
            told = (_listed(rest),) if all(rest) else ()
            boxes.append(Box(f"out{len(apart)}", (f"{len(rest)} more outputs", *told), kind="output"))
        return boxes

    def _others(self, origins: list[Origin]) -> Iterator[str]:
        """Weights that are returned where nothing is computed."""
        weights = {o.node: self._shape(o.value) for o in origins if o.is_note and o.node.step.kind == "weight"}
        return (f"or {node.step.name}{shape and f': {shape}'}" for node, shape in weights.items())


def _is_round_of(view: Node, origin: Node) -> bool:
    """Whether a view is taken in each round of a loop of what was there before it."""
    outer = set(origin.ancestors())
    return any(n.step.kind == "loop" and n.rounds != 1 and n not in outer for n in view.ancestors())


def _is_told(origin: Origin, origins: list[Origin], user: Node) -> bool:
    """Whether a value that has no box is noted: not where a loop begins with it whose result is taken, since a loop is
    drawn as if it ran at least once."""
    if not origin.is_note:
        return False
    around = set(user.ancestors())
    ends = [o.node for o in origins if not o.is_note]
    ends = [n for n in ends if any(outer.step.kind == "loop" and outer not in around for outer in n.ancestors())]
    return origin.node not in dependencies(ends)


def _is_direct(link: Link) -> bool:
    """Whether a box takes a value as it leaves its origin, not a view of it."""
    origin = link.origin.node
    return any(node is origin or origin in node.ancestors() for node in link.use.nodes)


def _grounds(taken: list[tuple[Use, list[Origin]]]) -> list[Node]:
    """The inputs that a box is made of which takes nothing else but notes: it stands on something."""
    origins = [o for _, found in taken for o in found]
    return [o.node for o in origins if o.node.step.kind == "input"] if all(o.is_note for o in origins) else []


def _made_of(origins: list[Origin]) -> list[Node]:
    """The inputs that something returned is computed of where nothing of it is shown."""
    computed = [o.node for o in origins if not (o.node.is_source or o.node.is_creation)]
    if not all(o.is_note for o in origins):
        return []
    return [n for n in dependencies(computed) if n.step.kind == "input"]


def _listed(names: list[str]) -> str:
    """The names of some values, as far as there is room for them."""
    shown = names if len(names) <= MAX_NAMES else [*names[: MAX_NAMES - 1], f"{len(names) - MAX_NAMES + 1} more"]
    return ", ".join(filter(None, shown))


def _tensors(node: Node) -> Iterator[Tensor]:
    for use in node.uses:
        if isinstance(use.value, Tensor):
            yield use.value
    if isinstance(node.step.target, Module):
        yield from node.step.target.parameters.values()


def _rounds(count: Value) -> Shape:
    """How often something is there or runs, as far as a size says it."""
    size = as_size(count)
    return Shape((size,)) if isinstance(size, Dim) else Shape()
