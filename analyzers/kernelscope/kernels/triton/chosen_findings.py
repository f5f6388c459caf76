"""What goes wrong with the values of one configuration or launch: ranges of no power of two, blocks that do not fit.

Names may hide both: `BLOCK_M` and `BLOCK_K` may be equal, 128 and 32 are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kernelscope.kernels.triton.choices import Choice
from kernelscope.kernels.triton.kernel_facts import KernelFacts
from kernelscope.kernels.triton.kernel_runs import KernelRuns
from kernelscope.kernels.triton.values import Tensor
from kernelscope.problems import Problem
from kernelscope.results import Evidence, Span
from kernelscope.syntax.python import tree as t

MAX_CHOICES = 8
"""Configurations of other sizes with which a kernel is interpreted."""


def lengths(facts: KernelFacts, chosen: Sequence[Choice]) -> Iterator[Problem]:
    """Ranges that every way through the kernel makes, with the lengths that launches and configurations give."""
    told: set[tuple[str, int]] = set()
    for call in _always_made(facts.node):
        values = facts.run.values.get(call.func.attr_span if isinstance(call.func, t.Attribute) else call.span, ())
        shape = values[0].shape if values and isinstance(values[0], Tensor) else None
        length = shape[0] if shape is not None and len(shape) == 1 else None
        if length is None or length.const is not None:
            continue
        for choice in chosen:
            number = length.evaluate(choice.numbers)
            if number is None or number <= 0 or not number & (number - 1) or (choice.text, number) in told:
                continue
            told.add((choice.text, number))
            where = facts.location(call.span)
            message = (
                f"{choice.text} makes the range in line {where.line} of {facts.node.name} {number} long: "
                "no power of two"
            )
            yield Problem("not-a-power-of-two", message, choice.span, (Evidence(where, "the range"),))


def _always_made(node: t.FunctionDef) -> Iterator[t.Call]:
    """The calls of `arange` outside of branches and loops."""
    for statement in node.body:
        if isinstance(statement, t.Assign | t.AnnAssign | t.ExprStmt):
            for inner in t.walk(statement):
                if isinstance(inner, t.Call) and isinstance(inner.func, t.Attribute) and inner.func.attr == "arange":
                    yield inner


def mismatches(runs: KernelRuns, facts: KernelFacts, chosen: Sequence[Choice]) -> Iterator[Problem]:
    """Blocks that do not fit with the values of a choice; if some may be pruned, all have to fail."""
    others = list({tuple(sorted(_sizes(facts, choice).items())): choice for choice in chosen}.values())[:MAX_CHOICES]
    found: dict[Span, list[tuple[Choice, str]]] = {}
    for choice in others:
        for one in runs.with_values(str(facts.path), facts.node, _sizes(facts, choice)):
            if one.code == "block-mismatch":
                found.setdefault(one.span, []).append((choice, one.message))
    known = {one.span for one in facts.run.found}
    for span, failing in sorted(found.items(), key=lambda item: item[0].start):
        if span not in known and (len(failing) == len(others) or not facts.tuning.pruned):
            choice, message = failing[0]
            story = (Evidence(facts.location(choice.span), choice.text),)
            yield Problem("block-mismatch", f"{message}, by {choice.text}", span, story)


def _sizes(facts: KernelFacts, choice: Choice) -> dict[str, object]:
    """What a choice says of constexprs."""
    names = {param.name for param in facts.constexprs}
    return {name: value for name, value in choice.values.items() if name in names}
