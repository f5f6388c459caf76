"""Loops: variables that change by the same amount each round are linear in the round's number.

A body is followed once, for a round in the middle. Where it is not plain from the text how a variable changes, the
body is tried once without counting its accesses, and what differs after it tells (`loop_trials`).
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.dims import Dim, dim
from kernelscope.dims.monomial import Opaque
from kernelscope.kernels.cuda.warp.departures import Departures
from kernelscope.kernels.cuda.warp.expressions import evaluate, evaluate_base, truth
from kernelscope.kernels.cuda.warp.loop_text import loop_text, stays, step_of
from kernelscope.kernels.cuda.warp.loop_trials import Changed, follow_round, moved_to, try_round
from kernelscope.kernels.cuda.warp.machine import Machine
from kernelscope.kernels.cuda.warp.names import Names
from kernelscope.kernels.cuda.warp.statements import End, Returned, statement
from kernelscope.kernels.cuda.warp.types import Array, PointerTo, Type
from kernelscope.kernels.cuda.warp.values import Cell, Data, Int, Pointer, Record, Symbol, Value
from kernelscope.syntax.cuda import tree as t

MAX_ROUNDS = 64


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
    left = try_round(m, node, open_ones, round_number, inner, returned) if open_ones else None
    _note_strides(m, node, open_ones, round_number)
    _note_range(m, node, changed, round_number, inner)
    if left is not None:
        _leave(m, node, changed, first, round_number, left)
        return End.THROUGH
    before = len(m.conditions)
    m.loops += 1
    if test is not None and not (isinstance(node, t.While) and node.after):
        m.conditions.append(truth(m, test, inner))
    m.rounds.append("" if loop_text(node).leaves else round_number.name or "")
    left = follow_round(m, node, inner, returned)
    m.rounds.pop()
    del m.conditions[before:]
    m.loops -= 1
    _leave(m, node, changed, first, round_number, left)
    return End.THROUGH


def _quiet_truth(m: Machine, test: t.Expr, names: Names) -> Dim:
    m.quiet += 1
    m.logs.append({})
    try:
        return truth(m, test, names)
    finally:
        m.reverted()
        m.quiet -= 1


# -- what changes ------------------------------------------------------------------------------------------------


def _changed(m: Machine, node: t.For | t.While, names: Names) -> Iterator[Changed]:
    """Variables from outside the body that the loop gives new values."""
    found: dict[Cell, Changed] = {}
    text = loop_text(node)
    for change in text.changes:
        target = change.target if isinstance(change, t.Assign) else change.operand
        for name, cell in _targets(m, target, names):
            if name in text.declared and names.variable(name) is None:
                continue
            entry = found.setdefault(cell, Changed(name, cell, cell.value, [], True))
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


def _made_linear(m: Machine, changed: Changed, node: t.For | t.While, rounds: Dim, names: Names) -> bool:
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


# -- ranges and what comes after ---------------------------------------------------------------------------------


def _note_range(m: Machine, node: t.For | t.While, changed: list[Changed], rounds: Dim, names: Names) -> None:
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


def _note_strides(m: Machine, node: t.For | t.While, changed: list[Changed], rounds: Dim) -> None:
    """Variables that go on by a multiple of the grid, which is how blocks or threads share out work."""
    for entry in changed:
        value = entry.cell.value
        if isinstance(value, Int) and rounds.name is not None and rounds.name in value.d.names():
            start = value.d.subs({rounds.name: 0})
            step = value.d - start
            if any(name.startswith("gridDim.") for name in step.names()):
                m.strides_over_grid(start, node.span)
            elif (blocks := _blocks_apart(start, step.subs({rounds.name: 1}))) is not None:
                m.strides_over_grid(start, node.span, blocks)


def _blocks_apart(start: Dim, step: Dim) -> Dim | None:
    """The blocks that lie between what a block takes in one round and in the next, where names say how many."""
    of_block = [name for name in start.names() if name.startswith("blockIdx.")]
    if len(of_block) != 1:
        return None
    apart = start.subs({of_block[0]: 1}) - start.subs({of_block[0]: 0})  # from one block to its neighbour
    blocks = step.exact_div(apart) if apart and of_block[0] not in apart.names() else None
    return blocks if blocks is not None and blocks.const is None else None


def _rounds(m: Machine, node: t.For, changed: list[Changed], rounds: Dim, names: Names) -> int | None:
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
    m: Machine, node: t.For | t.While, changed: list[Changed], first: Dim, rounds: Dim, left: Departures
) -> None:
    """After the loop a variable is what it was before plus whole steps, or what a path that left the loop gave it;
    how many steps is the same in all lanes or not."""
    _let_run_out(m, node, changed, first, rounds, left)
    left.merge("break", {entry.cell: entry.name for entry in changed})


def _let_run_out(
    m: Machine, node: t.For | t.While, changed: list[Changed], first: Dim, rounds: Dim, left: Departures
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
                m.assign(entry.cell, moved_to(before, offset.subs({name: last - 1})))
                continue
            if offset == start:
                continue
            if not m.symbols.varying(offset - start):
                m.assign(entry.cell, moved_to(before, start + m.symbols.new(entry.name, Symbol())))
                continue
        elif isinstance(before, Data) and isinstance(value, Data):
            m.assign(entry.cell, Data(before.varying or value.varying, value.kind))
            continue
        why = "" if uniform and not m.varying(value) and not m.varying(before) else "a loop that lanes leave apart"
        m.assign(entry.cell, m.unknown(entry.cell.kind, entry.name, why))
