"""Loops: rounds one by one, or any number of them run to a fixpoint of their shapes."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

from kernelscope.dims import Dim, dim
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.joins import Join
from kernelscope.interp.sequences import any_of, are_of_kinds, is_callable, iterated, kinds_of_layers
from kernelscope.interp.values import Alike, Maybe, Scope, Unpacked, Value, as_size, present
from kernelscope.results import Span
from kernelscope.tensor import Tensor

MAX_UNROLLED = 8

MAX_LAYERS = 48
"""The same where layers of several kinds are gone through: each of them has the shapes that the one before it gives."""


def go_through(
    run: Interpreter, scope: Scope, span: Span, values: Value, go: Callable[[Value], bool], is_whole: bool
) -> None:
    """`for item in values`: a few elements one by one, others as any of them; `go` runs the body with one.

    Of a list of layers in which some stand for any number of their kind each kind has its rounds, in their order.
    `is_whole` says that no round ends before the body does.
    """

    def alike(items: Alike) -> None:
        with run.loop("loop", span, items.count):
            any_number_of_rounds(run, scope, partial(go, items.element), items.count if is_whole else None)

    items = iterated(run, values)
    parts = kinds_of_layers(run, values) if isinstance(items, Alike) else items
    if parts is None or len(parts) > (MAX_LAYERS if are_of_kinds(parts) else MAX_UNROLLED):
        alike(items if isinstance(items, Alike) else Alike(any_of(items), dim(len(items))))
        return
    with run.loop("loop", span, items.count if isinstance(items, Alike) else dim(len(items))):
        for part in parts:
            with run.another_time(), run.loop("round", span):
                if isinstance(part, Unpacked) and isinstance(part.value, Alike):
                    alike(part.value)
                else:
                    test = part.test if isinstance(part, Maybe) else None
                    item = part if test is None else part.value
                    with nullcontext() if test is None else run.only_where(test):
                        one_round(run, scope, partial(go, item), Join(run.symbols, scope))


def any_number_of_rounds(run: Interpreter, scope: Scope, go: Callable[[], bool], count: Value = None) -> None:
    """A loop that may run any number of times: one round finds what changes, the next sees it as any round does.

    What the first round says of sizes holds at the start only, so it is not kept; nor is what the second says if it is
    the first that finds what was None before the loop: `cache = None`, which every round makes longer. A list that is
    one longer behind a round has as many more elements as there are rounds, if there are `count` and none is cut short.
    """
    known, outside = run.known, run.outside
    join = Join(run.symbols, scope, facts=(known.facts, known.facts), is_of_rounds=True)
    at_first: dict[int, int] = {}
    """How long what objects hold was before the loop."""
    at_start: dict[str, int] = {}
    """How long the lists of layers were that have names."""
    behind: dict[str, Value] = {}
    """How long lists are behind the loop that grow in it."""
    number, last = 0, 1
    while number <= last:
        before, mark, findings = dict(scope.names), run.changes.mark(), len(run.findings)
        lengths = {name: len(value) for name, value in before.items() if isinstance(value, list)}
        run.quiet += number < last
        if run.trace is not None and number < last and run.quiet == 1:  # a picture shows what is far down, too
            run.outside = run.calls
        try:
            with run.changes.one_round() as made:
                one_round(run, scope, go, join)
        finally:
            if number < last:
                run.quiet, run.outside = run.quiet - 1, outside
                run.known = known
                run.doubtful_rounds += len(run.findings) > findings
                del run.findings[findings:]
        for name, value in list(scope.names.items()):
            if isinstance(value, list) and len(value) > lengths.get(name, len(value)) and all(map(_is_layer, value)):
                first = at_start.setdefault(name, lengths[name])  # what comes before and after runs before and after
                total = None if id(value) in run.changes.uneven else count
                scope.names[name] = [*value[:first], _any_number_of(value[lengths[name] :], join, total)]
            elif isinstance(value, list) and name in lengths and len(value) != lengths[name]:
                is_one_each = len(value) == lengths[name] + 1 and id(value) not in run.changes.uneven
                grown = as_size(count) if is_one_each else None
                total = grown + lengths[name] if isinstance(grown, Dim) else None
                behind[name] = total
                scope.names[name] = Alike(_any_of(run, join, name, value))
            elif isinstance(begun := before.get(name), tuple) and _is_continued(begun, value):
                behind[name] = _grown(dim(len(begun)), dim(len(value)), count)
                scope.names[name] = Alike(_any_of(run, join, name, list(value)))
            elif isinstance(value, Alike) and isinstance(begun, Alike) and begun is not value:
                behind.setdefault(name, _grown(begun.count, value.count, count))
                scope.names[name] = Alike(join.any_of(name, [begun.element, value.element]))
            elif name in before and before[name] is not value:
                if run.trace is not None and not run.quiet:
                    run.trace.carries(before[name], value)
                scope.names[name] = (
                    value if is_of_other_length(before[name], value) else join.values(name, before[name], value)
                )
        contents = run.changes.since(mark)
        begun = run.changes.undo(mark)
        uneven = dict(run.changes.uneven)  # by what happens in a round: that a round makes them longer is told below
        run.changes.join(begun, {}, contents, join)
        run.changes.uneven = uneven
        for key, (held, was) in begun.items():
            first = at_first.setdefault(key, len(was))
            if isinstance(held, list) and len(held) > len(was) and key not in made:
                total = None if key in run.changes.uneven else count
                held[first:] = [_any_number_of(held[len(was) :], join, total)]
        if number == 0 and any(before.get(name, 0) is None and _is_tensor(v) for name, v in scope.names.items()):
            last = 2
        number += 1
    for name, total in behind.items():  # in a round nobody knows how many there were
        if isinstance(grown := scope.names.get(name), Alike):
            scope.names[name] = Alike(grown.element, total)


def _grown(before: Value, behind: Value, rounds: Value) -> Value:
    """How long a list is behind a loop that was so long before it and behind one round, if each round adds as many."""
    first, last, count = as_size(before), as_size(behind), as_size(rounds)
    if not isinstance(first, Dim) or not isinstance(last, Dim):
        return None
    return first if first == last else first + count * (last - first) if isinstance(count, Dim) else None


def is_of_other_length(before: Value, value: Value) -> bool:
    """Whether a round makes of several values another number of them: `args = layer(*args)`. What follows takes what
    some round gave, for there is one."""
    return type(before) is tuple and type(value) is tuple and len(before) != len(value)


def _any_of(run: Interpreter, join: Join, name: str, values: list[Value]) -> Value:
    """What stands for any of the elements that a list has behind a round."""
    element = join.any_of(name, values)
    return element if run.trace is None else run.trace.any_of(element, values)


def _is_continued(before: tuple[Value, ...], value: Value) -> bool:
    """Whether a round puts more behind what a tuple holds: `states = states + (x,)`."""
    if type(value) is not tuple or len(value) <= len(before):
        return False
    return all(one is other for one, other in zip(before, value, strict=False))


def _is_tensor(value: Value) -> bool:
    return isinstance(present(value), Tensor)


def _is_layer(part: Value) -> bool:
    held = part.value.element if isinstance(part, Unpacked) and isinstance(part.value, Alike) else part
    return is_callable(held)


def _any_number_of(parts: list[Value], join: Join, count: Value) -> Unpacked:
    """What stands in a list that an object holds for what every round puts there, as the last one did."""
    is_one = len(parts) == 1 and not isinstance(parts[0], Unpacked) and isinstance(as_size(count), Dim)
    return Unpacked(Alike(join.any_of("part", parts), count if is_one else None))


def one_round(run: Interpreter, scope: Scope, go: Callable[[], bool], join: Join) -> None:
    """One round of a loop, with the ways that leave it early."""
    scope.loops.append([])
    ended = go()
    early = scope.loops.pop()
    if ended and early:
        scope.names = early.pop()
    for names in early:
        scope.names = join.names(scope.names, names)
