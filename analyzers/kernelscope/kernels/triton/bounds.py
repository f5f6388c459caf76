"""Where a grid reaches beyond the data, and whether masks keep the accesses there from happening.

An index is `program_id(k)*BLOCK + arange(0, BLOCK)`; a grid of `cdiv(n, BLOCK)` programs takes it past `n` unless BLOCK
divides it. Read from the kernel's own text; an index that is written in another way is not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from kernelscope.dims import Dim, dim
from kernelscope.dims.monomial import Opaque, over
from kernelscope.kernels.triton.bodies import nodes_in, nodes_of
from kernelscope.kernels.triton.call import Access
from kernelscope.kernels.triton.choices import launch_span
from kernelscope.kernels.triton.kernel_facts import KernelFacts
from kernelscope.kernels.triton.launches import Launch
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t

LANE = "lane of "
"""How atoms begin that stand for the elements of a `tl.arange`, one for each axis."""
PROGRAM = "program "
COUNTER = "counter "
"""How atoms begin that stand for what changes from round to round of a loop."""
HINTS = frozenset(("multiple_of", "max_contiguous", "max_constancy"))
MAX_HOPS = 40


@dataclass(frozen=True, slots=True)
class Overshoot:
    """An axis of a tile that the last programs take beyond `size`; `covered`: whether the mask holds it back."""

    named: str
    """Its name in the kernel, in brackets, where it has one."""
    size: Dim
    block: Dim
    covered: bool


def overshoots(facts: KernelFacts, launch: Launch) -> dict[Span, tuple[Overshoot, ...]]:
    """By the span of the access. Accesses of which nothing is told are absent: so are those that no mask covers where
    the code that launches may see to it that blocks divide sizes."""
    if launch.grid is None:
        return {}
    may_divide = _asserts_division(facts, launch)
    reader = _Reader(facts.node, facts.fixed)
    calls = {call.span: call for call in nodes_of(facts.node, t.Call)}
    found: dict[Span, tuple[Overshoot, ...]] = {}
    for access in facts.run.accesses:
        call = calls.get(access.span)
        if call is not None and not access.name and call.args:
            reached = _of_access(reader, call, access, launch.grid)
            told = tuple(one for one in reached if one.covered or not may_divide)
            if told:
                found[access.span] = told
    return found


def _asserts_division(facts: KernelFacts, launch: Launch) -> bool:
    """Whether the code that launches tests a remainder: it may rule overshoot out."""
    if launch.location.path != facts.path:
        return True
    at = launch_span(facts, launch).start
    return any(
        isinstance(inner, t.BinOp) and inner.op == "%"
        for scope in facts.module.functions()
        if isinstance(scope.node, t.FunctionDef) and scope.node.span.start <= at < scope.node.span.end
        for statement in t.walk(*scope.node.body)
        if isinstance(statement, t.Assert | t.If)
        for inner in t.walk(statement.test)
    )


def _of_access(reader: _Reader, call: t.Call, access: Access, grid: tuple[Dim, ...]) -> Iterator[Overshoot]:
    try:
        address = reader.read(call.args[0], call.span.start)
    except _NotTold:
        return
    mask = _mask(call, access)
    try:
        bounds = list(reader.bounds(mask, call.span.start)) if mask is not None else []
    except _NotTold:
        return
    for name in address.names():
        if not name.startswith(LANE):
            continue
        stride = _coefficient(address, name)
        block = dim(reader.lanes[name])
        for axis, programs in enumerate(grid):
            index = dim(f"{PROGRAM}{axis}") * block + dim(name)
            size = _overshot(programs.subs(reader.numbers), block.subs(reader.numbers))
            if size is None or _coefficient(address, f"{PROGRAM}{axis}") != stride * block:
                continue
            covered = any(left == index and right == size for left, right in bounds)
            if not covered and any(name in left.names() and not _stays(left, right, name) for left, right in bounds):
                continue  # bounded in other words
            told = reader.names.get(index)
            yield Overshoot(f" ({told})" if told else "", size, block, covered)


def _stays(left: Dim, right: Dim, lane: str) -> bool:
    """Whether a bound is the same in every program: it cannot hold back the last one alone."""
    return left == dim(lane) and not any(name.startswith((PROGRAM, COUNTER)) for name in right.names())


def _mask(call: t.Call, access: Access) -> t.Expr | None:
    named = next((k.value for k in call.keywords if k.arg == "mask"), None)
    place = 1 if access.kind == "load" else 2
    return named if named is not None else call.args[place] if len(call.args) > place else None


def _overshot(programs: Dim, block: Dim) -> Dim | None:
    """The size that `cdiv(size, block)` programs of `block` elements go beyond."""
    for monomial, _ in programs.terms:
        for atom, _ in monomial:
            if isinstance(atom, Opaque) and atom.op == "cdiv" and atom.args[1] == block:
                return atom.args[0]
    return None


def _coefficient(number: Dim, name: str) -> Dim:
    """What a name is multiplied with in a sum."""
    found = dim(0)
    for monomial, factor in number.terms:
        rest = over(monomial, ((name, 1),))
        if rest is not None:
            found = found + Dim(((rest, factor),))
    return found


class _NotTold(Exception):
    """An index is made in a way that is not followed."""


@dataclass(slots=True)
class _Reader:
    """Index arithmetic of a kernel as sums over programs, lanes and parameters. `numbers` are fixed parameters."""

    node: t.FunctionDef
    numbers: Mapping[str, int]
    given: dict[str, list[t.Expr | None]] = field(default_factory=dict[str, "list[t.Expr | None]"], init=False)
    added: dict[str, list[t.Expr]] = field(default_factory=dict[str, "list[t.Expr]"], init=False)
    """What names are moved on by."""
    counters: set[str] = field(default_factory=set[str], init=False)
    lanes: dict[str, Dim] = field(default_factory=dict[str, Dim], init=False)
    """Lengths of the ranges that lanes are of."""
    names: dict[Dim, str] = field(default_factory=dict[Dim, str], init=False)
    """Names that hold an index."""
    hops: int = 0

    def __post_init__(self) -> None:
        for inner in nodes_in(self.node):
            match inner:
                case t.Assign(targets=[t.Name(id=name)], value=value):
                    self.given.setdefault(name, []).append(value)
                case t.AnnAssign(target=t.Name(id=name), value=value):
                    self.given.setdefault(name, []).append(value)
                case t.Assign(targets=targets):
                    for part in t.walk(*targets):
                        if isinstance(part, t.Name):
                            self.given.setdefault(part.id, []).append(None)
                case t.AugAssign(target=t.Name(id=name), op="+", value=value):
                    self.added.setdefault(name, []).append(value)
                case t.AugAssign(target=t.Name(id=name)):
                    self.given.setdefault(name, []).append(None)
                case t.For(target=t.Name(id=name)):
                    self.counters.add(name)
                case _:
                    pass

    def read(self, node: t.Expr, at: int) -> Dim:
        """Raises _NotTold."""
        self.hops += 1
        if self.hops > MAX_HOPS * 20:
            raise _NotTold
        match node:
            case t.Constant(value=int() as value):
                return dim(value)
            case t.Name(id=name):
                return self._named(name, at)
            case t.BinOp(op="+" | "-" | "*" as op):
                left, right = self.read(node.left, at), self.read(node.right, at)
                return left + right if op == "+" else left - right if op == "-" else left * right
            case t.Subscript():
                return self._placed(self.read(node.value, at), node.slice)
            case t.Call():
                return self._called(node, at)
            case _:
                raise _NotTold

    def _named(self, name: str, at: int) -> Dim:
        given = self.given.get(name)
        if name in self.counters and given is None:
            return dim(f"{COUNTER}{name}")
        if name in self.added:
            return self._moved(name, at)
        if given is None:
            return dim(self.numbers[name]) if name in self.numbers else dim(name)
        value = given[0]
        if len(given) != 1 or value is None or value.span.end > at:
            raise _NotTold
        found = self.read(value, value.span.start)
        self.names.setdefault(found, name)
        return found

    def _moved(self, name: str, at: int) -> Dim:
        """What a name was given once, moved on by steps without lanes."""
        steps = self.added.pop(name)
        try:
            if any(LANE in part for step in steps for part in self.read(step, at).names()):
                raise _NotTold
            return self._named(name, at) + dim(f"{COUNTER}{name}")
        finally:
            self.added[name] = steps

    def _called(self, node: t.Call, at: int) -> Dim:
        operation = node.func.attr if isinstance(node.func, t.Attribute) else t.dotted(node.func) or ""
        if operation == "program_id":
            axis = node.args[0] if node.args else next((k.value for k in node.keywords if k.arg == "axis"), None)
            if isinstance(axis, t.Constant) and isinstance(axis.value, int):
                return dim(f"{PROGRAM}{axis.value}")
        elif operation == "arange" and len(node.args) == 2 and self.read(node.args[0], at) == 0:
            length = self.read(node.args[1], at)
            name = f"{LANE}{length!r}"
            self.lanes[name] = length
            return dim(name)
        elif operation in HINTS and node.args:
            return self.read(node.args[0], at)
        elif isinstance(node.func, t.Attribute) and operation == "to":
            return self.read(node.func.value, at)
        raise _NotTold

    def _placed(self, index: Dim, place: t.Expr) -> Dim:
        """`x[:, None]`: the lanes of one axis are others than those of the next, even in ranges of one length."""
        if not isinstance(place, t.Tuple):
            raise _NotTold
        axes = [i for i, part in enumerate(place.elts) if isinstance(part, t.Slice)]
        lanes = [name for name in index.names() if name.startswith(LANE)]
        if len(axes) != 1 or len(lanes) != 1:
            return index
        behind = len(place.elts) - axes[0]
        moved = f"{lanes[0]} on axis -{behind}"
        self.lanes[moved] = self.lanes[lanes[0]]
        found = index.subs({lanes[0]: moved})
        if index in self.names:
            self.names.setdefault(found, self.names[index])
        return found

    def bounds(self, mask: t.Expr, at: int) -> Iterator[tuple[Dim, Dim]]:
        """The `left < right` that all have to hold. Raises _NotTold."""
        match mask:
            case t.BinOp(op="&"):
                yield from self.bounds(mask.left, at)
                yield from self.bounds(mask.right, at)
            case t.Compare(ops=["<"], comparators=[right]):
                yield self.read(mask.left, at), self.read(right, at)
            case t.Compare(ops=[">"], comparators=[right]):
                yield self.read(right, at), self.read(mask.left, at)
            case t.Name(id=name) if len(self.given.get(name, ())) == 1 and (value := self.given[name][0]) is not None:
                yield from self.bounds(value, at)
            case t.Subscript(slice=place):
                for left, right in self.bounds(mask.value, at):
                    yield self._placed(left, place), right
            case _:
                raise _NotTold
