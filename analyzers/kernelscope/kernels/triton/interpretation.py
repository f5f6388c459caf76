"""One interpretation of a kernel: the values of its names by span, its accesses, what its arguments turned out to be.

Holds what is learnt and the limits; statements and expressions are evaluated in their own modules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from kernelscope.dims import Dim, dim, product
from kernelscope.kernels.triton.bodies import assigned_names
from kernelscope.kernels.triton.call import Access, AccessKind, Product, Side
from kernelscope.kernels.triton.outer_names import outer_value
from kernelscope.kernels.triton.parted_names import PartedNames
from kernelscope.kernels.triton.recall import Kept, Recall, Report, Trial
from kernelscope.kernels.triton.switches import Answers, decided, is_fixed, plain_test
from kernelscope.kernels.triton.values import Const, JitFunction, Size, Tensor, Value
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.text import SourceText
from kernelscope.workspace.modules import Modules

MAX_DEPTH = 12
"""Helpers inside helpers."""
MAX_STEPS = 60_000
"""Expressions that one interpretation evaluates."""
MAX_ROUNDS = 5
"""Rounds of a loop until its values no longer change; lattices of block types are shallow."""


Via = tuple[Span, ...]
"""The calls of helpers that are being followed, the outermost first."""
Place = tuple[Span, str, Span, Via]
"""Where something happens: in the outermost function, and within a helper the file and place there, by which calls."""


class OutOfSteps(Exception):
    """The kernel is too large to be interpreted in full."""


@dataclass(frozen=True, slots=True)
class HelperCall:
    """A helper as one caller uses it: its arguments, in the caller's words."""

    function: JitFunction
    arguments: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A contradiction that an operation met."""

    code: str
    message: str
    span: Span
    conditional: bool = False
    """Whether a branch that nothing decides leads there."""


@dataclass(frozen=True, slots=True)
class Otherwise:
    """What a place holds under a condition that makes it another kind of thing."""

    condition: str
    value: Value


@dataclass(slots=True)
class Facts:
    """What accesses and arithmetic said of a kernel's arguments."""

    pointers: set[str] = field(default_factory=set[str])
    integers: set[str] = field(default_factory=set[str])
    floats: set[str] = field(default_factory=set[str])
    descriptors: set[str] = field(default_factory=set[str])

    def told(self) -> tuple[int, int, int]:
        """How many arguments are known to be pointers, integers and descriptors; what is a pointer is no integer."""
        self.integers -= self.pointers
        return len(self.pointers), len(self.integers), len(self.descriptors)


class Frame:
    """One function being evaluated."""

    __slots__ = ("around", "depth", "names", "node", "path", "returns")

    def __init__(
        self, path: str, node: t.FunctionDef, depth: int, around: Sequence[t.FunctionDef] | None = None
    ) -> None:
        self.path = path
        self.node = node
        self.depth = depth
        self.around = around
        """The functions that it stands in, the innermost first; None until somebody asks."""
        self.names: dict[str, Value] = {}
        self.returns: list[Value] = []

    def assigned(self) -> frozenset[str]:
        """Names that the body gives values to."""
        return assigned_names(self.node)


class Interpretation:
    """Shared state of one run. Spans are recorded for the outermost function only."""

    def __init__(
        self,
        modules: Modules,
        facts: Facts | None = None,
        undecided: bool = False,
        answers: Answers | None = None,
        max_rounds: int = MAX_ROUNDS,
        outside: dict[tuple[str, str], Value] | None = None,
        recall: Recall | None = None,
        alike_elsewhere: AbstractSet[Place] = frozenset(),
    ) -> None:
        self.modules = modules
        self.facts = facts or Facts()
        self.undecided = undecided
        """Whether numbers behind names are ignored, so that every branch is looked at."""
        self.answers = answers or {}
        """Compile-time switches that this run takes for decided."""
        self.max_rounds = max_rounds
        """How often the body of a loop is evaluated at most."""
        self.alike_elsewhere = alike_elsewhere
        """Products whose operands fit on other ways: on one where they do not, the side that they are on is refused."""
        self.refused = False
        """Whether the way cannot be taken: a name was read that nothing on it gave a value, or an assertion fails."""
        self.switches: dict[str, int] = {}
        """Tests whose branches left names with blocks of different shapes, and how much these differ at most."""
        self.parted = PartedNames()
        self.seen: dict[Span, Value] = {}
        self.otherwise: dict[Span, Otherwise] = {}
        self.accesses: dict[Place, Access] = {}
        self.products: dict[Place, Product] = {}
        self.rounds: dict[Span, Dim | None] = {}
        """How often the loops of the outermost function run each time they are reached; None where it is not known."""
        self.loops: list[tuple[Span, Dim]] = []
        """The loops around what is being evaluated, also of the callers', with their rounds."""
        self.around: tuple[Span, ...] = ()
        """Those of them that are not unrolled."""
        self.sides: list[Side] = []
        """The undecided branches around what is being evaluated, also of the callers'."""
        self.alike: dict[tuple[tuple[str, ...], tuple[str, ...]], None] = {}
        """Candidates for addresses of two sides of a branch, which give one name its value: both are, or neither."""
        self.calls: dict[HelperCall, None] = {}
        self.called: dict[Span, t.FunctionDef] = {}
        """The helpers behind the calls of the outermost function, whatever they are called there."""
        self.found: dict[Found, None] = {}
        self.results: dict[HelperCall, Value] = {}
        self.via: Via = ()
        self.reached: dict[HelperCall, set[Via]] = {}
        """By which calls helpers were followed that move or multiply blocks, which is counted at each place."""
        self.operations: dict[str, int] = {}
        self.steps = 0
        self.frame: Frame | None = None
        self.outer: Span | None = None
        """The node of the outermost function that is being evaluated: where reports are placed."""
        self.inner: Span | None = None
        """The call that is being applied, in whatever function it stands."""
        self.incomplete = ""
        self.outside = outside if outside is not None else {}
        """Names from outside that are known already, by path and name; those of functions with their place."""
        self.recall = recall or Recall()
        self.trial: Trial | None = None
        """The evaluation that is being written down, to be told again."""

    # -- limits ------------------------------------------------------------------------------------------

    def step(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise OutOfSteps

    # -- what is recorded --------------------------------------------------------------------------------

    def record(self, frame: Frame, span: Span, value: Value) -> None:
        if frame.depth == 0:
            self.seen[span] = value
            if self.trial is not None:
                self.trial.seen[span] = value

    def _report(self, tell: Callable[..., None], *arguments: object) -> None:
        """Writes down what an operation tells, where its expression may be told again."""
        if self.trial is not None:
            self.trial.reports.append(Report(tell, arguments, self.outer, self.inner))

    def repeat(self, frame: Frame, kept: Kept) -> None:
        """What an expression told once is told again, at the present place."""
        self.steps += kept.steps - 1
        self.step()
        if kept.trial.seen:
            self.seen.update(kept.trial.seen)
        outer, before, self.frame = self.outer, self.frame, frame
        for report in kept.trial.reports:
            if frame.depth == 0:
                self.outer = report.outer
            self.inner = report.inner
            report.tell(self, *report.arguments)
        self.outer, self.frame = outer, before
        self.inner = kept.inner

    def enter_loop(self, frame: Frame, span: Span, trips: Dim | None) -> None:
        """A loop begins; one of unknown length, of a sum of lengths, or of one in which programs differ, has
        `rounds(L…)` of them, by its line."""
        if frame.depth == 0:
            self.rounds[span] = trips
        if trips is None or len(trips.terms) > 1 or any("program_id(" in name for name in trips.names()):
            module = self.modules.module(frame.path)
            line = module.text.data.count(b"\n", 0, span.start) + 1 if module is not None else 0
            trips = dim(f"rounds(L{line})")
        self.loops.append((span, trips))

    def times(self) -> Dim:
        """How often the present place is passed."""
        return product(rounds for _, rounds in self.loops)

    def product(
        self,
        sizes: tuple[Size, Size, Size],
        batch: Size,
        types: tuple[str, str],
        elements: tuple[tuple[str, str], ...] = (),
        supposed: bool = False,
        unlike: bool = False,
    ) -> None:
        self._report(Interpretation.product, sizes, batch, types, elements, supposed, unlike)
        if self.outer is not None and self.frame is not None:
            sides, place = tuple(self.sides), self._place(self.outer, self.frame)
            done = Product(
                self.outer, sizes, batch, self.times(), sides, self.around, elements, supposed, types, unlike
            )
            self.products[place] = done
            self.refused = self.refused or (unlike and place in self.alike_elsewhere)

    def forget(self, span: Span) -> None:
        """What was seen in a part of the text that the front end refuses on this way is not told."""
        for seen in [seen for seen in self.seen if span.covers(seen)]:
            del self.seen[seen]
        for place in [place for place in self.accesses if span.covers(place[0])]:
            del self.accesses[place]
        for place in [place for place in self.products if span.covers(place[0])]:
            del self.products[place]

    def _place(self, outer: Span, frame: Frame) -> Place:
        if frame.depth and self.inner is not None:
            return outer, frame.path, self.inner, self.via
        return outer, "", outer, ()

    def access(self, kind: AccessKind, pointer: Value, block: Value, masked: bool) -> None:
        self._report(Interpretation.access, kind, pointer, block, masked)
        if self.outer is not None and self.frame is not None:
            helper = self.frame.node.name if self.frame.depth else ""
            at = self.inner if helper else None
            loop = (self.outer if helper else self.loops[-1][0], self.loops[-1][0]) if self.loops else None
            self.accesses[self._place(self.outer, self.frame)] = Access(
                kind, self.outer, pointer, block, masked, loop, helper, self.times(), at, tuple(self.sides), self.around
            )

    def is_pointer(self, names: tuple[str, ...]) -> None:
        """Of several candidates the first that is no known number is the address."""
        self._report(Interpretation.is_pointer, names)
        self._points(names)

    def _points(self, names: tuple[str, ...]) -> None:
        candidates = [name for name in names if name not in self.facts.integers] or list(names)
        if not candidates or any(name in self.facts.pointers for name in names):
            return
        self.facts.pointers.add(candidates[0])
        for one, other in self.alike:
            if (candidates[0] in one) != (candidates[0] in other):
                self._points(other if candidates[0] in one else one)

    def same_kind(self, one: Tensor, other: Tensor) -> None:
        """Of values that stand for each other, on two ways, what is an address on one is an address on the other."""
        self._report(Interpretation.same_kind, one, other)
        points, other_points = self._is_address(one), self._is_address(other)
        if points != other_points:
            self._points(other.bases if points else one.bases)
        elif not points and one.bases != other.bases:
            self.alike[one.bases, other.bases] = None

    def _is_address(self, value: Tensor) -> bool:
        return value.pointer or any(name in self.facts.pointers for name in value.bases)

    def is_integer(self, names: frozenset[str]) -> None:
        self._report(Interpretation.is_integer, names)
        self.facts.integers |= names - self.facts.pointers

    def is_descriptor(self, names: tuple[str, ...]) -> None:
        self._report(Interpretation.is_descriptor, names)
        self.facts.descriptors.update(names)

    def operation(self, name: str) -> None:
        """One more use of an operation."""
        self._report(Interpretation.operation, name)
        self.operations[name] = self.operations.get(name, 0) + 1

    # -- compile-time switches ---------------------------------------------------------------------------

    def switch(self, frame: Frame, test: t.Expr) -> tuple[str, bool] | None:
        """The text of a test that holds or fails for a whole launch, and whether it is meant as it stands."""
        return self.told(frame, test) if not frame.depth else None

    def told(self, frame: Frame, test: t.Expr) -> tuple[str, bool] | None:
        """The same, or that of a test that holds or fails for a whole call of a helper."""
        if test not in self.recall.switches:
            self.recall.switches[test] = self._switch(frame, test)
        return self.recall.switches[test]

    def _switch(self, frame: Frame, test: t.Expr) -> tuple[str, bool] | None:
        inner, positive = plain_test(test)
        params = {p.name for p in frame.node.args}
        numbers = self._numbers(frame, inner, params)
        if not is_fixed(inner, params, frame.assigned(), numbers):
            return None
        module = self.modules.module(frame.path)
        if module is None:
            return None
        text = _written(module.text, inner, numbers)
        return (f"{text} in {frame.node.name}" if frame.depth else text), positive

    def _numbers(self, frame: Frame, test: t.Expr, params: set[str]) -> dict[str, int]:
        """The names in a test that the module gives numbers."""
        names = {node.id for node in t.walk(test) if isinstance(node, t.Name)} - params - frame.names.keys()
        if not names:
            return {}
        values = {name: outer_value(self, frame, name) for name in names}
        return {name: v.number for name, v in values.items() if isinstance(v, Const) and v.number is not None}

    def holds(self, frame: Frame, test: t.Expr, answers: Answers | None = None) -> bool | None:
        """Whether a test holds by the answers to its parts, those of the way that this run follows if no others."""
        answers = self.answers if answers is None else answers
        if not answers:
            return None
        switch = self.told(frame, test)
        answer = decided(switch[0], answers) if switch is not None else None
        if switch is not None and answer is not None:
            return answer == switch[1]
        match test:
            case t.UnaryOp(op="not", operand=operand):
                inner = self.holds(frame, operand, answers)
                return None if inner is None else not inner
            case t.BoolOp(op=op, values=values):
                parts = [self.holds(frame, value, answers) for value in values]
                decisive = op == "or"
                return decisive if decisive in parts else None if None in parts else not decisive
            case _:
                return None

    def problem(self, code: str, message: str) -> None:
        self._report(Interpretation.problem, code, message)
        if self.outer is not None:
            self.found[Found(code, message, self.outer, bool(self.sides))] = None


def _written(text: SourceText, test: t.Expr, numbers: Mapping[str, int]) -> str:
    """A test as it is written, with numbers in place of names that callers may not know."""
    named = [node for node in t.walk(test) if isinstance(node, t.Name) and node.id in numbers]
    parts, at = list[str](), test.span.start
    for node in sorted(named, key=lambda n: n.span.start):
        parts += [text.slice(Span(at, node.span.start)), str(numbers[node.id])]
        at = node.span.end
    return " ".join("".join([*parts, text.slice(Span(at, test.span.end))]).split())
