"""Continuous batching by whole batches: a new one is merged into the one that runs, what is done is taken out.

Where batches are objects with their tensors, no queue holds what runs: `running.merge(new)`, `running.filter(done)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import Guard, calls, guards_text, last_name, statements
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

BATCHES = {"batch", "batches"}
MERGES = {"merge", "concatenate", "concat", "extend", "join"}
LEAVES = {"filter", "prune", "split", "shrink", "compact"}
TRAINS = {"loss", "train", "trainer", "dataset", "loader", "collate", "collator", "sampler"}
"""Words of where batches are of samples, not of requests."""


MOST_WAYS = 3
"""In how many places of one function a batch is merged that are told."""


@dataclass(frozen=True, slots=True)
class _Step:
    """A call that changes which requests a batch holds."""

    call: t.Call
    guards: tuple[Guard, ...]
    where: str
    function: t.FunctionDef | t.ClassDef


def merged_batches(source: PythonSource) -> Iterator[Claim]:
    """One claim a file in which a batch is merged into another that outlives the step, and requests leave batches."""
    if source.aside or TRAINS & set(words(source.path.stem)):
        return
    joins: list[_Step] = []
    leaves: list[_Step] = []
    for scope in source.module.functions():
        for statement, guards in statements(scope.node):
            for call in calls(statement):
                step = _Step(call, guards, scope.qualified_name, scope.node)
                if _changes_batch(call, LEAVES):
                    leaves.append(step)
                elif _changes_batch(call, MERGES) and _takes_batch(source, call):
                    joins.append(step)
    if not joins or not leaves:
        return
    join, leave = min(joins, key=lambda step: not _runs(step.call)), leaves[0]
    ways = [step for step in joins if step.where == join.where and _runs(step.call) == _runs(join.call)][:MOST_WAYS]
    conditions = (" and ".join(guards_text(source, way.guards)) for way in ways)
    said = [
        f"{source.quote(way.call)}{f' if {condition}' if condition else ''}"
        for way, condition in zip(ways, conditions, strict=True)
    ]
    value = (
        f"continuous batching: {join.where} merges another batch into the one that runs ({'; '.join(said)})"
        f"; requests leave it by {source.quote(leave.call)} in {leave.where}, "
        f"so they join and leave between steps (≈ batches by their names)"
    )
    places = (*(source.at(way.call) for way in ways), source.at(leave.call), source.at(join.function))
    yield Claim(f"{join.where} admission", value, places, confidence="heuristic")


def _changes_batch(call: t.Call, verbs: set[str]) -> bool:
    """Whether a call is a method of something called a batch, by its first word."""
    match call.func:
        case t.Attribute(value=held, attr=attr):
            said = words(attr)
            return (
                bool(said)
                and said[0] in verbs
                and bool(BATCHES & set(words(last_name(held))))
                and bool(call.args or call.keywords or "filter" in said)
            )
        case _:
            return False


def _runs(call: t.Call) -> bool:
    """Whether a batch is merged into one that is called the running one."""
    match call.func:
        case t.Attribute(value=held):
            return bool({"running", "active", "current", "cur"} & set(words(last_name(held))))
        case _:
            return False


def _takes_batch(source: PythonSource, call: t.Call) -> bool:
    """Whether what is merged is called a batch, too, or made by what is called so."""
    given = (*call.args, *(k.value for k in call.keywords))
    return any(
        isinstance(n, t.Name | t.Attribute) and BATCHES & set(words(last_name(n)))
        for argument in given
        for n in t.walk(argument)
    )
