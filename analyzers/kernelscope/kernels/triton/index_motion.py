"""What the indices of a kernel rest on: the program's place in the grid, variables of loops, or nothing that moves.

Read from the text of one function, and of those that call it; an index that is loaded rests on where it is loaded from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from kernelscope.kernels.triton.assignments import Assignments, structure
from kernelscope.kernels.triton.bodies import nodes_in, operation
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t

PLAIN_CALLS = {
    "arange", "cdiv", "minimum", "maximum", "min", "max", "multiple_of", "max_contiguous", "to", "num_programs",
    "program_id", "expand_dims", "cast", "int32", "int64", "zeros", "full", "broadcast_to", "range", "where",
}  # fmt: skip
"""Operations of index arithmetic; a tile whose address comes through others is not told."""
MAX_DEPTH = 8
"""Definitions of names that are followed for the way an index goes."""
PROMISES = frozenset(("multiple_of", "max_contiguous", "max_constancy"))
"""Calls that give what they get, with a promise to the compiler."""


@dataclass(frozen=True, slots=True)
class Motion:
    """What a position depends on: axes of the grid (`program_id(0)`), and variables of loops."""

    programs: frozenset[str] = frozenset()
    loops: frozenset[str] = frozenset()
    falling: frozenset[str] = frozenset()
    """Loops whose later rounds come before."""
    by_memory: bool = False
    """Whether it is read from memory at a place that depends on these."""

    def __or__(self, other: Motion) -> Motion:
        rising = (self.loops - self.falling) | (other.loops - other.falling)
        falling = (self.falling | other.falling) - rising
        by_memory = self.by_memory or other.by_memory
        return Motion(self.programs | other.programs, self.loops | other.loops, falling, by_memory)


STILL = Motion()


class NotTold(Exception):
    """The address goes through something whose motion is not known."""


@dataclass(slots=True)
class Step:
    """`name += value` in a loop, or `name = advance(name, value)`."""

    value: t.Expr
    loop: str
    back: bool = False
    """Whether it is `name -= value`."""
    within: Span | None = None
    """The body of that loop."""

    @property
    def motion(self) -> Motion:
        loops = frozenset({self.loop} if self.loop else ())
        return Motion(loops=loops, falling=loops if self.back else frozenset())


@dataclass(slots=True)
class Indices:
    """The definitions of a function's names, and the loops that move them. `given`: what its caller passes."""

    node: t.FunctionDef
    helpers: Mapping[str, t.FunctionDef]
    given: Mapping[str, t.Expr] = field(default_factory=dict[str, "t.Expr"])
    caller: Indices | None = None
    defined: dict[str, list[t.Expr]] = field(default_factory=dict[str, list[t.Expr]], init=False)
    steps: dict[str, list[Step]] = field(default_factory=dict[str, list[Step]], init=False)
    ranged: dict[str, t.Expr] = field(default_factory=dict[str, t.Expr], init=False)
    carried: dict[str, str] = field(default_factory=dict[str, str], init=False)
    """Names that a round makes of what the last one left in them, with the loop: `k = where(k < last, k + 1, 0)`."""
    _kept: dict[t.Expr, Motion | None] = field(default_factory=dict[t.Expr, "Motion | None"], init=False)
    """What was asked before."""
    _names: dict[str, Motion] = field(default_factory=dict[str, Motion], init=False)
    _circles: int = field(default=0, init=False)
    """How often a name was met that rests on itself."""
    _assigned: Assignments | None = field(default=None, init=False)
    """The tests that definitions are behind, once somebody asked."""
    _blocks: set[str] | None = field(default=None, init=False)
    """Names that are made of ranges of indices, once somebody asked."""

    def __post_init__(self) -> None:
        self._read(self.node.body, "")

    def _read(self, body: list[t.Stmt], loop: str) -> None:
        own: set[str] = set()
        within = Span(body[0].span.start, body[-1].span.end) if loop and body else None  # it may be half typed
        for statement in t.flat(body):
            match statement:
                case t.Assign(targets=[target], value=value):
                    self._define(target, value, loop, within)
                    self._carry(target, value, loop, own)
                case t.AnnAssign(target=target, value=value) if value is not None:
                    self._define(target, value, loop, within)
                    self._carry(target, value, loop, own)
                case t.AugAssign(target=t.Name(id=name), op=op, value=value):
                    self.steps.setdefault(name, []).append(Step(value, loop, op == "-", within))
                case t.For(target=t.Name(id=name), iter=source, body=inner):
                    self.ranged[name] = source
                    self._read(inner, name)
                case t.For(body=inner) | t.While(body=inner):
                    self._read(inner, "loop")
                case _:
                    pass

    def _define(self, target: t.Expr, value: t.Expr, loop: str, within: Span | None) -> None:
        match target, value:
            case t.Name(id=name), t.Call(args=[t.Name(id=moved), by]) if (
                moved == name and operation(value) == "advance"
            ):
                self.steps.setdefault(name, []).append(Step(by, loop, within=within))
            case t.Name(id=name), t.BinOp(left=t.Name(id=moved), op="+" | "-" as op, right=by) if moved == name:
                self.steps.setdefault(name, []).append(Step(by, loop, op == "-", within))
            case t.Name(id=name), t.Call(args=[t.Name(id=same), *_]) if same == name and operation(value) in PROMISES:
                pass
            case t.Name(id=name), _:
                self.defined.setdefault(name, []).append(value)
            case t.Tuple(elts=names), t.Tuple(elts=values) if len(names) == len(values):
                for one, other in zip(names, values, strict=True):
                    self._define(one, other, loop, within)
            case t.Tuple(elts=names), _:
                for one in names:
                    self._define(one, value, loop, within)
            case _:
                pass

    def _carry(self, target: t.Expr, value: t.Expr, loop: str, own: set[str]) -> None:
        """`own`: what this round has given names before."""
        if loop and isinstance(target, t.Name):
            made_of = {n.id for n in t.walk(value) if isinstance(n, t.Name)}
            is_promise = isinstance(value, t.Call) and operation(value) in PROMISES
            if target.id in made_of - own and target.id != loop and not is_promise:
                self.carried[target.id] = loop
            own.add(target.id)

    def moves(self, expr: t.Expr) -> Motion:
        """What a scalar or a range of indices rests on. Raises NotTold."""
        if expr not in self._kept:
            try:
                self._kept[expr] = self._moves(expr, ())
            except NotTold:
                self._kept[expr] = None
        kept = self._kept[expr]
        if kept is None:
            raise NotTold
        return kept

    def _moves(self, expr: t.Expr, within: tuple[str, ...]) -> Motion:
        found = STILL
        for inner in t.walk(expr):
            if isinstance(inner, t.Call):
                name = operation(inner)
                if name == "program_id":
                    axis = inner.args[0] if inner.args else keyword(inner, "axis")
                    found |= Motion(programs=frozenset({f"program_id({getattr(axis, 'value', '?')})"}))
                elif name in self.helpers:
                    found |= self._helper(self.helpers[name])
                elif name == "load":
                    found |= Motion(by_memory=True)
                elif name not in PLAIN_CALLS:
                    raise NotTold
            elif isinstance(inner, t.Name):
                found |= self._named(inner.id, within)
        if not within:
            back = frozenset(loop for loop in found.loops if loop in self.ranged and self._slope(expr, loop) == -1)
            found = replace(found, falling=found.falling | back)
        return found

    def _named(self, name: str, within: tuple[str, ...]) -> Motion:
        """What a name rests on; what was asked before is kept, where nothing in it came back to a name around it."""
        if name in self._names:
            return self._names[name]
        if name in within:
            self._circles += 1
            return STILL
        circles = self._circles
        found = self._name_moves(name, (*within, name))
        if circles == self._circles or not within:
            self._names[name] = found
        return found

    def _slope(self, expr: t.Expr, loop: str, depth: int = 0) -> int | None:
        """Which way an index goes as the rounds of a loop go on: 1 up, -1 down, 0 nowhere, None not known."""
        match expr:
            case t.Name(id=name) if name == loop:
                return -1 if _counts_down(self.ranged[loop]) else 1
            case t.Name(id=name):
                made = self.defined.get(name, [])
                if len(made) != 1 or depth > MAX_DEPTH:
                    return None if made else 0
                return self._slope(made[0], loop, depth + 1)
            case t.BinOp(op="+" | "-" as op, left=left, right=right):
                a, b = self._slope(left, loop, depth), self._slope(right, loop, depth)
                b = -b if b is not None and op == "-" else b
                return a if b in (0, a) else b if a == 0 else None
            case t.BinOp(op="*", left=left, right=right) if not (is_negative(left) or is_negative(right)):
                a, b = self._slope(left, loop, depth), self._slope(right, loop, depth)
                return a if b == 0 else b if a == 0 else None
            case t.BinOp(op="//", left=left) | t.Subscript(value=left):
                return self._slope(left, loop, depth)
            case t.Call(args=[first, *_]) if operation(expr) in PROMISES | {"cast", "int32", "int64"}:
                return self._slope(first, loop, depth)
            case t.Call(func=t.Attribute(value=value, attr="to")):
                return self._slope(value, loop, depth)
            case t.Call() | t.Constant():
                names = {n.id for n in t.walk(expr) if isinstance(n, t.Name)}
                return 0 if names.isdisjoint((loop, *self.defined)) else None
            case _:
                return None

    def _name_moves(self, name: str, within: tuple[str, ...]) -> Motion:
        found = STILL
        if name in self.ranged:
            source = self.ranged[name]
            found |= Motion(loops=frozenset({name}))
            if isinstance(source, t.Call) and len(source.args) > 1:
                found |= self._moves(source.args[0], within)
        if name in self.given and self.caller is not None:
            found |= self.caller.moves(self.given[name])
        if name in self.carried:
            found |= Motion(loops=frozenset({self.carried[name]}))
        for made in self.defined.get(name, []):
            found |= self._moves(made, within)
        for step in self.steps.get(name, []):
            found |= step.motion | self._moves(step.value, within)
        return found

    def _helper(self, helper: t.FunctionDef) -> Motion:
        """What a function of index arithmetic rests on besides its arguments. Raises NotTold for others."""
        inner, found = Indices(helper, {}), STILL
        for statement in nodes_in(helper):
            if isinstance(statement, t.Return) and statement.value is not None:
                found |= inner.moves(statement.value)
        return found

    def before(self, name: str, at: int) -> list[t.Expr]:
        """What a name is given where a run that passes a place may pass."""
        made = self.defined.get(name, [])
        if len(made) < 2:
            return made
        if self._assigned is None:
            self._assigned = Assignments(self.node, structure)
        assigned = self._assigned
        return [one for one in made if assigned.meet(one.span.start, at)]

    def steps_at(self, name: str, at: int) -> list[Step]:
        """What is added to a name in the rounds around a place, or before it once and for all."""
        return [
            step
            for step in self.steps.get(name, [])
            if (at in step.within if step.within is not None else step.value.span.start < at)
        ]

    def is_block(self, expr: t.Expr) -> bool:
        """Whether a range of indices is part of an expression."""
        if self._blocks is None:
            self._blocks = self._names_of_blocks()
        names = self._blocks
        return any(n.id in names if isinstance(n, t.Name) else operation(n) == "arange" for n in t.walk(expr))

    def _names_of_blocks(self) -> set[str]:
        """The names that are made of a range of indices."""
        made_of = {name: [n for expr in made for n in t.walk(expr)] for name, made in self.defined.items()}
        found = {name for name, nodes in made_of.items() if any(operation(n) == "arange" for n in nodes)}
        if self.caller is not None:
            found |= {name for name, given in self.given.items() if self.caller.is_block(given)}
        names = {name: {n.id for n in nodes if isinstance(n, t.Name)} for name, nodes in made_of.items()}
        size = -1
        while len(found) > size:
            size = len(found)
            found |= {name for name, used in names.items() if not found.isdisjoint(used)}
        return found


def _counts_down(source: t.Expr) -> bool:
    """Whether a loop runs over `range(…, …, -1)`."""
    step = source.args[2] if isinstance(source, t.Call) and len(source.args) > 2 else None
    return step is not None and is_negative(step)


def is_negative(expr: t.Expr) -> bool:
    """Whether an expression is written with a minus before it."""
    number = expr.value if isinstance(expr, t.Constant) else None
    return (isinstance(expr, t.UnaryOp) and expr.op == "-") or (isinstance(number, int) and number < 0)


def keyword(call: t.Call, name: str) -> t.Expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
