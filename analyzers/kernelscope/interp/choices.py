"""Calls of one of several callables: what they have in common, and which of them a trace follows.

Which one is called is not known here; one that contradicts itself with these sizes is not the one.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from msgspec.structs import replace

from kernelscope.dims import Dim, Facts
from kernelscope.interp.agreement import OTHER_RANKS, agreed, joined
from kernelscope.interp.calls import MAX_OUTCOMES, call
from kernelscope.interp.findings import OF_ITS_KIN
from kernelscope.interp.held_layers import layers_of
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.named_layers import as_guessed
from kernelscope.interp.prepared_objects import prepare
from kernelscope.interp.records import is_record
from kernelscope.interp.sequences import is_callable
from kernelscope.interp.trace import Attempt, Trace
from kernelscope.interp.values import (
    MAX_CHOICES,
    Arguments,
    Choice,
    Function,
    Instance,
    Keywords,
    LambdaValue,
    Maybe,
    Partial,
    Value,
)
from kernelscope.interp.ways import differ
from kernelscope.interp.windows import are_for_any_axes
from kernelscope.ops import Module, ShapeError
from kernelscope.ops.arguments import WITHOUT_BATCH
from kernelscope.tensor import Shape, Tensor, Unknown
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.modules import External as OutsideName

_Found = tuple[Attempt, Value, list[Value]]
"""The steps of one entry, what it gives, and of which kinds that may be."""
IDENTITY = "torch.nn.Identity"
MAX_WAYS = 2
"""Functions that do one thing, of which so many are called."""


def is_one_thing(choice: Choice) -> bool:
    """Whether a choice is between functions that do one thing in several ways, or between objects of one class."""
    if choice.is_of_table:
        return False
    if all(isinstance(entry, Function | Partial) for entry in choice.entries):
        return True
    classes = [entry.cls.node for entry in choice.entries if isinstance(entry, Instance)]
    return len(classes) == len(choice.entries) and len(set(classes)) == 1


def without_stand_ins(run: Interpreter, choice: Choice) -> tuple[Value, str]:
    """A choice without the objects that only hand on what they are given, and what those are called: where a layer is
    another process's, one of a class that derives from torch's `Identity` keeps its place."""
    entries = [entry for entry in choice.entries if not _is_stand_in(run, entry)]
    others = [e.cls.name for e in choice.entries if isinstance(e, Instance) and _is_stand_in(run, e)]
    if not entries or not others:
        return choice, ""
    one = Choice(entries, choice.is_of_table, choice.is_guess) if len(entries) > 1 else entries[0]
    return one, " or ".join(dict.fromkeys(others))


def _is_stand_in(run: Interpreter, value: Value) -> bool:
    bases = run.classes.mro(value.cls) if isinstance(value, Instance) and value.is_module else ()
    return any(isinstance(base, OutsideName) and base.dotted == IDENTITY for base in bases)


def different_things(run: Interpreter, choice: Choice) -> int:
    """How many different things the callables of a choice do: functions by their code, objects of one class by the
    layers that they hold."""
    targets = [entry.target if isinstance(entry, Partial) else entry for entry in choice.entries]
    functions = {id(each.definition.node) for each in targets if isinstance(each, Function)}
    if len(functions) > 1:
        return len(choice.entries)
    held = {layers_of(run, each) for each in targets if isinstance(each, Instance) and each.is_module}
    return max(len(functions), len(held))


def call_choice(run: Interpreter, choice: Choice, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """What a call gives whichever of the callables is chosen. Raises ShapeError where each contradicts itself."""
    kept, _ = without_stand_ins(run, choice)
    if not isinstance(kept, Choice):
        return call(run, kept, args, kwargs, span)
    choice = kept
    found = _of_each(run, choice, args, kwargs, span, None)
    if choice.is_guess:
        found = [(attempt, as_guessed(result), list(map(as_guessed, ways))) for attempt, result, ways in found]
    results = [result for _, result, _ in found]
    if (record := _common_record(run, choice, results, results[0])) is not None:
        return record
    if all(is_callable(r) for r in results):
        return Choice([*results, *choice.entries[MAX_CHOICES:]], choice.is_of_table, choice.is_guess)
    result, kinds = _chosen(run, choice, results), _kinds(run, choice, found)
    if run.trace is None and len(kinds) < len(results):  # what is seen by the way is not worth following each
        kinds = kinds[:1]
    if choice.is_of_table and isinstance(result, Tensor):
        kinds = kinds[:1]  # others of the table give a tensor, whatever else one of them may give
    if are_for_any_axes(choice.entries):
        kinds = kinds[:1]  # one layer, for data of any number of dims
    run.outcomes = (result, kinds) if 1 < len(kinds) <= MAX_OUTCOMES else None
    return result


def _common_record(run: Interpreter, choice: Choice, results: list[Value], one: Value) -> Instance | None:
    """What records of one class have in common, which all of the callables give: what `one` of them holds, each field
    as far as the others agree."""
    records = [result for result in results if isinstance(result, Instance) and not result.is_module]
    if not isinstance(one, Instance) or len(records) != len(results) or len({id(r.cls.node) for r in records}) != 1:
        return None
    if not is_record(run, one.cls):
        return None
    for record in records:
        prepare(run, record)
    columns = {name: [r.attributes.get(name) for r in records] for name in one.attributes}
    held = {name: column[0] if len(column) == 1 else _chosen(run, choice, column) for name, column in columns.items()}
    return Instance(one.cls, held, True, made_with=one.made_with)


def _kinds(run: Interpreter, choice: Choice, found: list[_Found]) -> list[Value]:
    """What each kind of result is, such as a tensor and a pair of tensors."""
    kinds: list[Value] = []
    for result in (outcome for _, _, outcomes in found for outcome in outcomes):
        alike = next((i for i, kind in enumerate(kinds) if not differ(kind, result)), len(kinds))
        kinds[alike:] = [_chosen(run, choice, [*kinds[alike : alike + 1], result]), *kinds[alike + 1 :]]
    return kinds


def traced_choice(
    run: Interpreter, trace: Trace, choice: Choice, args: Arguments, kwargs: Keywords, span: Any
) -> Value:
    """The same for what does one thing; the steps that are kept are those of the entry that is followed best."""
    found = _of_each(run, choice, args, kwargs, span, trace)
    results, ways = [result for _, result, _ in found], different_things(run, choice)
    hold_others = ways > 1 and isinstance(choice.entries[0], Instance)  # then the one that does most tells most
    attempt, own, _ = min(found, key=lambda entry: -entry[0].length if hold_others else entry[0].lost)
    if isinstance(own, Instance) and (record := _common_record(run, choice, results, own)) is not None:
        held = {name: trace.as_of(value, own.attributes[name]) for name, value in record.attributes.items()}
        return trace.settled(attempt, ways, Instance(record.cls, held, True, made_with=record.made_with), own)
    if all(is_callable(r) for r in results):
        return trace.settled(attempt, ways, Choice(results), own)
    result = trace.settled(attempt, ways, _chosen(run, choice, results), own)
    kinds = [trace.as_of(kind, result) for kind in _kinds(run, choice, found)]
    run.outcomes = (result, kinds) if 1 < len(kinds) <= MAX_OUTCOMES else None
    return result


def _of_each(
    run: Interpreter, choice: Choice, args: Arguments, kwargs: Keywords, span: Any, trace: Trace | None
) -> list[_Found]:
    """What the entries give, with their steps if they are traced; what they say of sizes holds afterwards only if each
    says so."""
    known = run.known
    found: list[_Found] = []
    ends: list[Facts] = []
    errors: list[ShapeError] = []
    apart = run.aside and not is_one_thing(choice)  # in a branch not taken nobody knows that each is given this
    run.contexts.within += apart
    is_for_any_axes = are_for_any_axes(choice.entries)
    if is_for_any_axes and run.symbols.trial is not None and args and isinstance(args[0], Tensor):
        run.symbols.trial.slid(args[0].shape)
    batched = WITHOUT_BATCH.set(WITHOUT_BATCH.get() and not is_for_any_axes)
    for entry in choice.entries[:MAX_CHOICES]:
        run.known = known
        with nullcontext(Attempt()) if trace is None else trace.attempt() as attempt:
            result = _tried(run, entry, args, kwargs, span)
        if isinstance(result, ShapeError):
            errors.append(result)
            continue
        found.append((attempt, result, run.outcomes_of(result) or [result]))
        ends.append(run.known.facts)
        is_harmless = not errors and run.known.facts == known.facts and not is_callable(result)
        if choice.is_of_table and is_harmless and not _is_lost(entry, result):
            break  # the first that is followed stands for all where it demands nothing of what it is given
        if not attempt.lost and _is_enough(choice, [result for _, result, _ in found]):
            break
    WITHOUT_BATCH.reset(batched)
    run.contexts.within -= apart
    if not found:
        run.known = known
        raise errors[0].bare()
    facts = ends[0]
    for other in ends[1:]:
        facts = facts.common(other)
    run.known = replace(known, facts=facts)
    return found


def _tried(run: Interpreter, entry: Value, args: Arguments, kwargs: Keywords, span: Any) -> Value | ShapeError:
    """What one of several callables gives, or how it contradicts itself."""
    before = len(run.findings)
    try:
        result = call(run, entry, args, kwargs, span)
    except ShapeError as error:
        return error.bare()
    if len(run.findings) > before:
        error = run.findings[before].error
        del run.findings[before:]
        return error
    return result


def _is_enough(choice: Choice, results: list[Value]) -> bool:
    """Whether another way to the same need not be looked at: one tells every size, or two tell what they can.

    Objects of one class may be made with other sizes, and methods of several objects do what those do: each is asked.
    """
    if not is_one_thing(choice) or any(isinstance(entry, Instance) for entry in choice.entries):
        return False
    if len({id(entry.receiver) for entry in choice.entries if isinstance(entry, Function)}) > 1:
        return False
    return _tells(results[-1], True) or sum(_tells(result, False) for result in results) >= MAX_WAYS


def _tells(value: Value, in_full: bool) -> bool:
    """Whether a result is a tensor, or tensors; in full with every size."""
    match value:
        case Tensor():
            return not in_full or (value.shape.dims is not None and all(isinstance(s, Dim) for s in value.shape.dims))
        case tuple():
            return bool(value) and all(_tells(part, in_full) for part in value)
        case Maybe():
            return _tells(value.value, in_full)
        case _:
            return False


def _chosen(run: Interpreter, choice: Choice, results: list[Value]) -> Value:
    """What the results have in common; one that is not followed says nothing, nor does a size that is not, where all
    do one thing: that of a convolution which stands in for nothing at all may be another one, and so may that of a
    function for which nothing at all stands in."""
    if choice.is_of_table:  # what they do to shapes, those say that are followed
        told = [result for result in results if result is not None and not isinstance(result, Unknown)]
        results = list(filter(_is_followed, told)) or told or results
    results = _as_their_kin(run, choice, results)
    found, is_one = results[0], is_one_thing(choice)
    stands_in, of_blocks = _stands_in(choice) or are_for_any_axes(choice.entries), _is_of_blocks(choice)
    for other in results[1:]:
        both = stands_in or (_is_followed(found) and _is_followed(other))
        if of_blocks and not both:
            found = _of_other_sizes(found, other)
        else:
            found = joined(found, other) if both and not is_one else agreed(found, other)
    return found


def _as_their_kin(run: Interpreter, choice: Choice, results: list[Value]) -> list[Value]:
    """The results without those that are not followed, where several are that are alike and all objects are of classes
    with a base of their own: one kind of rotary embedding of eight that is not followed is taken to give what the
    others give, which is marked as a guess."""
    followed = [result for result in results if _is_whole(result)]
    if not 1 < len(followed) < len(results) or not _are_kin(run, choice):
        return results
    common = followed[0]
    for other in followed[1:]:
        common = joined(common, other)
    return [as_guessed(result, OF_ITS_KIN) for result in followed] if _is_whole(common) else results


def _is_whole(result: Value) -> bool:
    """Whether the rank of a tensor, or of each of some, is known."""
    parts = result if isinstance(result, tuple) else (result,)
    return bool(parts) and all(isinstance(part, Tensor) and part.rank is not None for part in parts)


def _are_kin(run: Interpreter, choice: Choice) -> bool:
    """Whether objects are layers whose classes derive from one of the workspace that computes something itself."""
    classes = [entry.cls for entry in choice.entries if isinstance(entry, Instance) and entry.is_module]
    if len(classes) < len(choice.entries) or choice.is_of_table:
        return False
    bases = [[c for c in run.classes.mro(cls) if isinstance(c, Definition)] for cls in classes]
    shared = [base for base in bases[0] if all(base in others for others in bases[1:])]
    return any(isinstance(run.classes.attribute(base, "forward"), Definition) for base in shared)


def _of_other_sizes(found: Value, other: Value) -> Value:
    """What blocks of several kinds give of which one is not followed: what follows in the list takes as many dims, and
    no block mixes the batch; every other size may be another one."""
    known = agreed(found, other)
    if not isinstance(known, Tensor) or not known.rank:
        return joined(found, other)
    lost = Unknown("a block of the list is not followed")
    return Tensor(Shape((known.shape.head[0], *[lost] * (known.rank - 1))), known.dtype)


def _stands_in(choice: Choice) -> bool:
    """Whether a layer that does nothing may be there in place of a function, as of one that encodes positions, or of an
    object of the workspace, as of a shortcut that is made of layers."""
    does_nothing = any(isinstance(entry, Module) and entry.name.endswith(".Identity") for entry in choice.entries)
    return does_nothing and any(
        isinstance(entry, Function | LambdaValue | Partial | Instance) for entry in choice.entries
    )


def _is_of_blocks(choice: Choice) -> bool:
    """Whether objects of several classes of the workspace stand in one list: each does something else."""
    blocks = all(isinstance(entry, Instance) and entry.is_module for entry in choice.entries)
    return blocks and not choice.is_of_table and not is_one_thing(choice)


def _is_lost(entry: Value, result: Value) -> bool:
    """Whether nothing is known of what an entry gives; one that only hands on to what is not followed demands nothing,
    where others of its kind tell how many dims they take."""
    if isinstance(result, Tensor):
        return isinstance(entry, Function) and not _is_followed(result)
    return result is None or isinstance(result, Unknown)


def _is_followed(result: Value) -> bool:
    return isinstance(result, Tensor) and (result.rank is not None or result.shape.reason == OTHER_RANKS)
