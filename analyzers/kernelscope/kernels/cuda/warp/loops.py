"""Loops: variables that change by the same amount each round are linear in the round's number.

A body is followed once, for a round in the middle. Where it is not plain from the text how a variable changes, the
body is tried once without counting its accesses, and what differs after it tells. Inside of such a trial nothing counts
but what variables become: there an inner loop's own trial stands for its round.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kernelscope.dims import Dim, dim
from kernelscope.dims.monomial import Opaque
from kernelscope.kernels.cuda.warp.departures import Departures
from kernelscope.kernels.cuda.warp.expressions import evaluate, evaluate_base, truth
from kernelscope.kernels.cuda.warp.loop_text import loop_text, stays, step_of
from kernelscope.kernels.cuda.warp.machine import Exhausted, Machine
from kernelscope.kernels.cuda.warp.names import Names
from kernelscope.kernels.cuda.warp.statements import End, Returned, run, statement
from kernelscope.kernels.cuda.warp.trials import decisive
from kernelscope.kernels.cuda.warp.types import INT, Array, PointerTo, Type
from kernelscope.kernels.cuda.warp.values import Cell, Data, InMemory, Int, Pointer, Record, Symbol, Value
from kernelscope.syntax.cuda import tree as t

MAX_TRIED_DEPTH = 3
TRIAL_SHARE = 4
"""The part of the steps left that a trial of a round may take, as a divisor."""
MAX_ROUNDS = 64
MAX_HALVINGS = 12


@dataclass(slots=True)
class _Changed:
    """A variable that a loop changes: its steps, if they are plain to see, and its value before."""

    name: str
    cell: Cell
    before: Value
    steps: list[tuple[str, t.Expr]]
    plain: bool


@dataclass(slots=True)
class _Trial:
    """What a round that was tried gave variables."""

    after: dict[Cell, Value]
    left: Departures
    """The paths that left it early."""
    untold: frozenset[Cell]
    """Variables of which it does not tell."""


def loop(m: Machine, node: t.For | t.While, names: Names, returned: Returned) -> End:
    """Follow one round in the middle, then go on after the loop."""
    inner = Names(names)
    if isinstance(node, t.For):
        for part in node.setup:
            statement(m, part, inner, returned)
    test = node.test
    changed = list(_changed(m, node, inner))
    first = _quiet_truth(m, test, inner) if test is not None else dim(1)
    if m.known(first).const == 0 and not (isinstance(node, t.While) and node.after):
        return End.THROUGH
    round_number = m.symbols.new("k", Symbol("", 0, counter=True))
    open_ones = [c for c in changed if not _made_linear(m, c, node, round_number, inner)]
    _note_strides(m, node, changed, round_number)  # at once: what follows may be too large to be followed
    left = _try_round(m, node, open_ones, round_number, inner, returned) if open_ones else None
    _note_strides(m, node, open_ones, round_number)
    _note_range(m, node, changed, round_number, inner)
    if left is not None:
        _leave(m, node, changed, first, round_number, left)
        return End.THROUGH
    before = len(m.conditions)
    m.loops += 1
    if test is not None and not (isinstance(node, t.While) and node.after):
        m.conditions.append(truth(m, test, inner))
    m.rounds.append(round_number.name or "")
    left = _round(m, node, inner, returned)
    m.rounds.pop()
    del m.conditions[before:]
    m.loops -= 1
    _leave(m, node, changed, first, round_number, left)
    return End.THROUGH


def _round(m: Machine, node: t.For | t.While, names: Names, returned: Returned) -> Departures:
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


def _quiet_truth(m: Machine, test: t.Expr, names: Names) -> Dim:
    m.quiet += 1
    m.logs.append({})
    try:
        return truth(m, test, names)
    finally:
        m.reverted()
        m.quiet -= 1


# -- what changes ------------------------------------------------------------------------------------------------


def _changed(m: Machine, node: t.For | t.While, names: Names) -> Iterator[_Changed]:
    """Variables from outside the body that the loop gives new values."""
    found: dict[Cell, _Changed] = {}
    text = loop_text(node)
    for change in text.changes:
        target = change.target if isinstance(change, t.Assign) else change.operand
        for name, cell in _targets(m, target, names):
            if name in text.declared and names.variable(name) is None:
                continue
            entry = found.setdefault(cell, _Changed(name, cell, cell.value, [], True))
            step = step_of(change, name)
            if step is None or change not in text.always:
                entry.plain = False
            else:
                entry.steps.append(step)
    yield from found.values()


def _targets(m: Machine, target: t.Expr, names: Names) -> Iterator[tuple[str, Cell]]:
    """The variable that is assigned; stores into a local array make what it holds unknown."""
    if isinstance(target, t.Name):
        place = names.variable(target.id)
        if place is None and (this := names.object()) is not None and target.id in this.members:
            place = this.members[target.id]
        if isinstance(place, Cell):
            yield target.id, place
    elif isinstance(target, t.Member) and isinstance(target.value, t.Name):
        place = names.variable(target.value.id)
        if isinstance(place, Cell) and not isinstance(place.value, Data | Int):
            m.quiet += 1
            value = evaluate_base(m, target.value, names)
            m.quiet -= 1
            if isinstance(value, Record):
                yield target.name, m.member(value, target.name)
    elif isinstance(target, t.Subscript):
        root, depth = target.value, 1
        while isinstance(root, t.Subscript):
            root, depth = root.value, depth + 1
        place = names.variable(root.id) if isinstance(root, t.Name) else None
        if isinstance(place, Cell) and isinstance(place.value, Pointer) and isinstance(place.kind, Array):
            if not _is_behind_pointers(place.kind, depth):
                place.value.memory.forget()
        elif isinstance(root, t.Member):
            m.quiet += 1
            array = evaluate_base(m, root, names)
            m.quiet -= 1
            if isinstance(array, Pointer) and array.memory.space == "local":
                array.memory.forget()


def _is_behind_pointers(kind: Type, depth: int) -> bool:
    """Whether an element of an element … lies where a pointer in the array points to."""
    while depth and isinstance(kind, Array):
        kind, depth = kind.element, depth - 1
    return depth > 0 and isinstance(kind, PointerTo)


def _made_linear(m: Machine, changed: _Changed, node: t.For | t.While, rounds: Dim, names: Names) -> bool:
    """Give the variable its value in round `rounds`, if its steps do not depend on the loop."""
    if not changed.plain or not isinstance(changed.before, Int | Pointer):
        return False
    moving = loop_text(node).assigned
    total = dim(0)
    for sign, amount in changed.steps:
        if not all(stays(inner, moving) for inner in t.walk(amount)):
            return False
        m.quiet += 1
        number = m.integer(evaluate(m, amount, names))
        m.quiet -= 1
        if number is None:
            return False
        total = total + number if sign == "+" else total - number
    m.assign(changed.cell, _advanced(m, changed.before, total, rounds))
    return True


def _advanced(m: Machine, before: Value, step: Dim, rounds: Dim) -> Value:
    if isinstance(before, Pointer):
        return m.moved(before, step * rounds)
    assert isinstance(before, Int)
    try:
        return Int(before.d + step * rounds)
    except ArithmeticError:
        return Int(m.too_large(before.d, step))


def _try_round(
    m: Machine, node: t.For | t.While, changed: list[_Changed], rounds: Dim, names: Names, returned: Returned
) -> Departures | None:
    """Run the body once on names for the unknown values, and conclude from what they become.

    Where that was all that is wanted of a round, the paths that left it: variables are as at its end.
    """
    heads: list[tuple[_Changed, Dim | None]] = []
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
    m: Machine, node: t.For | t.While, changed: list[_Changed], names: Names, returned: Returned
) -> _Trial | None:
    """Follow a round without counting what it does. One that is long is followed as far as it decides indices: of other
    variables it is only asked whether they differ by lane, which they are then taken to do."""
    cells = {entry.cell for entry in changed}
    if m.quiet:
        return _followed_quietly(m, node, names, returned, frozenset())  # what variables become is all that is wanted
    if node not in m.long:
        whole, _ = decisive(m, node, cells, names)
        trial = _followed_quietly(m, whole, names, returned, frozenset())
        if trial is not None:
            return trial
        m.long.add(node)
    indices = {entry.cell for entry in changed if isinstance(entry.before, Int | Pointer)}
    part, told = decisive(m, node, indices, names)
    return _followed_quietly(m, part, names, returned, frozenset(cells - told))


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
        m.limit = m.steps + (limit - m.steps) // TRIAL_SHARE
    left: Departures | None = None
    try:
        left = _round(m, node, names, Returned(returned.reference, returned.before))
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


def _concluded(m: Machine, entry: _Changed, head: Dim | None, after: Value, rounds: Dim, tried: bool) -> Value:
    before = entry.before
    if head is None:
        why = m.varying(before) or (m.varying(after) if tried else "a loop")
        if isinstance(before, Data) and not why:
            return replace(before, unset=False)  # a round may find what an earlier one set
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
                return _at(before, start + moved * rounds)
            return _at(before, start + m.symbols.new(entry.name, Symbol()))
        if not m.symbols.varying(start) and not m.symbols.varying(end):
            return _at(before, m.symbols.new(entry.name, _geometric(m, start, head, end, rounds)))
    return _at(before, m.symbols.new(entry.name, Symbol(varying)))


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


def _at(before: Int | Pointer, offset: Dim) -> Value:
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


# -- ranges and what comes after ---------------------------------------------------------------------------------


def _note_range(m: Machine, node: t.For | t.While, changed: list[_Changed], rounds: Dim, names: Names) -> None:
    """How many rounds there are, where that is a number; what the loop's variable is, for the reader."""
    if not isinstance(node, t.For) or rounds.name is None:
        return
    for entry in changed:
        value = entry.cell.value
        for part in node.setup:
            if isinstance(part, t.Declare) and part.name == entry.name:
                m.note(part.name + " ", part.name_span, value, entry.cell.kind)
                if not m.calls and not m.quiet:
                    m.variables[part.name_span] = (part.name, value, entry.cell.kind)
    count = _rounds(m, node, changed, rounds, names)
    if count is not None and 0 < count <= MAX_ROUNDS:
        m.symbols.known[rounds.name].values = range(count)
        m.symbols.known[rounds.name].high = dim(count)


def _note_strides(m: Machine, node: t.For | t.While, changed: list[_Changed], rounds: Dim) -> None:
    """Variables that go on by a multiple of the grid, which is how blocks or threads share out work."""
    for entry in changed:
        value = entry.cell.value
        if isinstance(value, Int) and rounds.name is not None and rounds.name in value.d.names():
            start = value.d.subs({rounds.name: 0})
            if any(name.startswith("gridDim.") for name in (value.d - start).names()):
                m.strides_over_grid(start, node.span)


def _rounds(m: Machine, node: t.For, changed: list[_Changed], rounds: Dim, names: Names) -> int | None:
    """The number of rounds of `for (i = a; i < b; i += c)` with numbers, the same in all lanes."""
    if node.test is None:
        return None
    test = m.known(_quiet_truth(m, node.test, names))
    limit = _upper(test, rounds)
    return limit if limit is not None and not m.symbols.varying(test) else None


def _upper(test: Dim, rounds: Dim) -> int | None:
    """The first round in which a test of the round's number alone fails."""
    if set(test.names()) != set(rounds.names()):
        return None
    name = rounds.name
    assert name is not None
    if (first := _crossing(test, name)) is not None:
        return first if first <= MAX_ROUNDS else None
    for i in range(MAX_ROUNDS + 1):
        if test.subs({name: i}).const == 0:
            return i
    return None


def _crossing(test: Dim, name: str) -> int | None:
    """Where `a*k + b < c*k + d`, or its opposite, is first false; None for other tests, and where it stays true."""
    opposite = len(test.terms) == 2 and test.terms[-1] == ((), 1)
    (monomial, factor), atom = test.terms[0], next(test.atoms(), "")
    if not isinstance(atom, Opaque) or atom.op != "<" or monomial != ((atom, 1),):
        return None
    if factor != (-1 if opposite else 1) or len(test.terms) > 1 + opposite:
        return None
    below = atom.args[0] - atom.args[1]  # what is below zero where the comparison holds
    start = below.subs({name: 0}).const
    slope = (below - start).exact_div(dim(name)) if start is not None else None
    if start is None or slope is None or slope.const is None:
        return None
    if opposite:
        start, step = -start - 1, -slope.const
    else:
        step = slope.const
    if start >= 0:
        return 0
    return -(start // step) if step > 0 else None


def _leave(
    m: Machine, node: t.For | t.While, changed: list[_Changed], first: Dim, rounds: Dim, left: Departures
) -> None:
    """After the loop a variable is what it was before plus whole steps, or what a path that left the loop gave it;
    how many steps is the same in all lanes or not."""
    _let_run_out(m, node, changed, first, rounds, left)
    left.merge("break", {entry.cell: entry.name for entry in changed})


def _let_run_out(
    m: Machine, node: t.For | t.While, changed: list[_Changed], first: Dim, rounds: Dim, left: Departures
) -> None:
    uniform = not m.symbols.varying(first) and not left.uneven("break")
    count = m.symbols.known[rounds.name].values if rounds.name is not None else ()
    last = dim(len(count)) if count and not loop_text(node).leaves else m.symbols.new("rounds", Symbol())
    for entry in changed:
        value = entry.cell.value
        before = entry.before
        if isinstance(before, Int | Pointer) and isinstance(value, Int | Pointer) and uniform:
            start = before.d if isinstance(before, Int) else before.offset
            offset = value.d if isinstance(value, Int) else value.offset
            name = rounds.name
            if name is not None and name in offset.names():
                # the value at the end of the round that was followed, one round before the last
                m.assign(entry.cell, _at(before, offset.subs({name: last - 1})))
                continue
            if offset == start:
                continue
            if not m.symbols.varying(offset - start):
                m.assign(entry.cell, _at(before, start + m.symbols.new(entry.name, Symbol())))
                continue
        elif isinstance(before, Data) and isinstance(value, Data):
            m.assign(entry.cell, Data(before.varying or value.varying, value.kind))
            continue
        why = "" if uniform and not m.varying(value) and not m.varying(before) else "a loop that lanes leave apart"
        m.assign(entry.cell, m.unknown(entry.cell.kind, entry.name, why))


def each(m: Machine, node: t.ForEach, names: Names, returned: Returned) -> None:
    """A loop over the values of an array or container: one element in the middle."""
    inner = Names(names)
    base = evaluate_base(m, node.values, names)
    kind = m.resolver.type(node.target.type, names)
    rounds = m.symbols.new("k", Symbol("", 0, counter=True))
    if isinstance(base, Pointer):
        element = m.moved(base, rounds)
        inner.variables[node.target.name] = InMemory(element)
    else:
        inner.variables[node.target.name] = Cell(Data(m.varying(base)), kind)
    before = len(m.conditions)
    m.loops += 1
    run(m, node.body, Names(inner), returned)
    m.loops -= 1
    del m.conditions[before:]
