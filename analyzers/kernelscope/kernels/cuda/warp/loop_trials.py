"""Rounds of loops that are tried: what names become in a round tells how variables change from one to the next.

Inside of a trial nothing counts but what variables become: there an inner loop's own trial stands for its round.
"""

from __future__ import annotations

from math import gcd

from msgspec import Struct

from kernelscope.dims import Dim
from kernelscope.dims.monomial import Opaque
from kernelscope.kernels.cuda.warp.departures import Departures
from kernelscope.kernels.cuda.warp.expressions import evaluate, truth
from kernelscope.kernels.cuda.warp.loop_text import loop_text
from kernelscope.kernels.cuda.warp.machine import Exhausted, Machine
from kernelscope.kernels.cuda.warp.names import Names
from kernelscope.kernels.cuda.warp.statements import Returned, run
from kernelscope.kernels.cuda.warp.trials import decisive
from kernelscope.kernels.cuda.warp.types import INT
from kernelscope.kernels.cuda.warp.values import Cell, Data, Int, Pointer, Symbol, Value
from kernelscope.syntax.cuda import tree as t

MAX_TRIED_DEPTH = 3

TRIAL_SHARE = 4
"""The part of the steps left that a trial of a round may take, as a divisor."""
MAX_TRIAL = 4_000
"""Steps of a trial: of a longer round only what decides indices is tried."""

MAX_HALVINGS = 12


class Changed(Struct, eq=False):
    """A variable that a loop changes: its steps, if they are plain to see, and its value before."""

    name: str
    cell: Cell
    before: Value
    steps: list[tuple[str, t.Expr]]
    plain: bool


class _Trial(Struct, eq=False):
    """What a round that was tried gave variables."""

    after: dict[Cell, Value]
    left: Departures
    """The paths that left it early."""
    untold: frozenset[Cell]
    """Variables of which it does not tell."""


def follow_round(m: Machine, node: t.For | t.While, names: Names, returned: Returned) -> Departures:
    """Follow the body, the step and a test at the end; the paths that left the round early."""
    left = Departures(m, ("break", "continue"))
    returned.departures.append(left)
    run(m, node.body, Names(names), returned)
    returned.departures.pop()
    left.merge("continue")
    if isinstance(node, t.For) and node.step is not None:
        evaluate(m, node.step, names)
    if isinstance(node, t.While) and node.after:
        truth(m, node.test, names)
    return left


def try_round(
    m: Machine, node: t.For | t.While, changed: list[Changed], rounds: Dim, names: Names, returned: Returned
) -> Departures | None:
    """Run the body once on names for the unknown values, and conclude from what they become.

    Where that was all that is wanted of a round, the paths that left it: variables are as at its end.
    """
    heads: list[tuple[Changed, Dim | None]] = []
    for entry in changed:
        why = m.varying(entry.before)
        if isinstance(entry.before, Int | Pointer):
            head = m.symbols.new(entry.name, Symbol("" if not why else "a loop"))
            value: Value = Int(head) if isinstance(entry.before, Int) else Pointer(
                entry.before.memory, head, entry.before.target
            )  # fmt: skip
            m.assign(entry.cell, value)
            heads.append((entry, head))
        else:
            heads.append((entry, None))
    trial = _trial(m, node, changed, names, returned) if m.loops < MAX_TRIED_DEPTH else None
    after = trial.after if trial is not None else dict[Cell, Value]()
    left = trial.left if trial is not None else None
    began: dict[str, Dim] = {}
    for entry, head in heads:
        value = after.get(entry.cell, entry.cell.value)
        tried = trial is not None and entry.cell not in trial.untold
        concluded = _concluded(m, entry, head, value, rounds, tried)
        m.assign(entry.cell, concluded)
        if head is not None and head.name is not None and isinstance(concluded, Int | Pointer):
            began[head.name] = concluded.d if isinstance(concluded, Int) else concluded.offset
    if left is None or not m.quiet or loop_text(node).returns:
        return None
    for cell, value in after.items():
        m.assign(cell, _with(m, value, began))
    return left


def _trial(
    m: Machine, node: t.For | t.While, changed: list[Changed], names: Names, returned: Returned
) -> _Trial | None:
    """Follow a round without counting what it does. One that is long is followed as far as it decides indices: of other
    variables it is only asked whether they differ by lane, which they are then taken to do."""
    cells = {entry.cell for entry in changed if not _differs_anyway(m, entry.before)}
    if m.quiet:
        return _followed_quietly(m, node, names, returned, frozenset())  # what variables become is all that is wanted
    indices = {entry.cell for entry in changed if isinstance(entry.before, Int | Pointer)}
    if node not in m.long:
        whole, _ = decisive(m, node, cells, names)
        trial = _followed_quietly(m, whole, names, returned, frozenset())
        if trial is not None:
            return trial
        m.long.add(node)
        if indices == cells:
            return None  # less of it decides nothing
    part, told = decisive(m, node, indices, names)
    return _followed_quietly(m, part, names, returned, frozenset(cells - told))


def _differs_anyway(m: Machine, before: Value) -> bool:
    """Whether lanes have values of their own already, and whatever a round makes of them is no index."""
    return not isinstance(before, Int | Pointer) and bool(m.varying(before))


def _followed_quietly(
    m: Machine, node: t.For | t.While, names: Names, returned: Returned, untold: frozenset[Cell]
) -> _Trial | None:
    """None where that takes too long; then nothing has happened."""
    quiet, loops, limit, logs, conditions = m.quiet, m.loops, m.limit, len(m.logs), len(m.conditions)
    rounds = len(m.rounds)
    m.quiet += 1
    m.loops += 1
    m.logs.append({})
    if not quiet:
        m.limit = m.steps + min(MAX_TRIAL, (limit - m.steps) // TRIAL_SHARE)
    left: Departures | None = None
    try:
        left = follow_round(m, node, names, Returned(returned.reference, returned.before))
    except Exhausted:
        if quiet or m.limit == limit:
            raise
    while len(m.logs) > logs + 1:
        m.reverted()
    after = m.reverted()
    del m.conditions[conditions:]
    del m.rounds[rounds:]
    m.quiet, m.loops, m.limit = quiet, loops, limit
    return _Trial(after, left, untold) if left is not None else None


def _with(m: Machine, value: Value, began: dict[str, Dim]) -> Value:
    """What a round made of names, when it began with these values."""
    try:
        match value:
            case Int(d=d):
                return Int(d.subs(began))
            case Pointer(offset=offset):
                return Pointer(value.memory, offset.subs(began), value.target)
            case _:
                return value
    except ArithmeticError:
        return m.unknown(INT, "value", m.varying(value)) if isinstance(value, Int) else value


def _concluded(m: Machine, entry: Changed, head: Dim | None, after: Value, rounds: Dim, tried: bool) -> Value:
    before = entry.before
    if head is None:
        why = m.varying(before) or (m.varying(after) if tried else "a loop")
        if isinstance(before, Data) and not why:
            return Data(before.varying, before.kind)  # a round may find what an earlier one set
        return m.unknown(entry.cell.kind, entry.name, why)
    assert isinstance(before, Int | Pointer)
    start = before.d if isinstance(before, Int) else before.offset
    end = _end(before, after)
    how = "in a loop in a way that differs by lane" if tried else "in a loop that is too long to be followed"
    varying = f"`{entry.name}` changes {how}"
    if end is not None and tried:
        if end == start:
            return before  # every round gives it back what it was
        moved = end - head
        if not (set(moved.names()) & set(head.names())) and not m.symbols.varying(moved):
            invariant = all(name in m.constants or _is_size(m, name) for name in moved.names())
            if moved.const is not None or invariant:
                return moved_to(before, start + moved * rounds)
            unit = gcd(*(factor for _, factor in moved.terms))  # of which all steps are multiples
            return moved_to(before, start + unit * m.symbols.new(entry.name, Symbol()))
        if not m.symbols.varying(start) and not m.symbols.varying(end):
            return moved_to(before, m.symbols.new(entry.name, _geometric(m, start, head, end, rounds)))
    return moved_to(before, m.symbols.new(entry.name, Symbol(varying)))


def _end(before: Int | Pointer, after: Value) -> Dim | None:
    """The number that a round leaves, when it is one of the same kind as before."""
    if isinstance(after, Int) and isinstance(before, Int):
        return after.d
    if isinstance(after, Pointer) and isinstance(before, Pointer) and after.memory is before.memory:
        return after.offset
    return None


def _is_size(m: Machine, name: str) -> bool:
    known = m.symbols.known.get(name)
    return (known is not None and known.size) or name.startswith(("blockDim.", "gridDim."))


def moved_to(before: Int | Pointer, offset: Dim) -> Value:
    return Int(offset) if isinstance(before, Int) else Pointer(before.memory, offset, before.target)


def _geometric(m: Machine, start: Dim, head: Dim, end: Dim, rounds: Dim) -> Symbol:
    """What a number is, round by round, that is halved or doubled."""
    first = m.known(start).const
    if first is None or first <= 0:
        return Symbol()
    name = head.name
    values: list[int] = []
    if len(end.terms) == 1:
        (monomial, factor), value = end.terms[0], first
        if monomial == ((name, 1),) and factor > 1:
            values = [value * factor**i for i in range(MAX_HALVINGS) if value * factor**i <= 1024]
        elif factor == 1 and len(monomial) == 1 and isinstance(monomial[0][0], Opaque) and monomial[0][0].op == "//":
            number, divisor = monomial[0][0].args
            by = divisor.const
            if number == head and by is not None and by > 1:
                while value > 0 and len(values) < MAX_HALVINGS:
                    values.append(value)
                    value //= by
    return Symbol("", 0, values=tuple(values), rounds=rounds.name or "" if values else "")
