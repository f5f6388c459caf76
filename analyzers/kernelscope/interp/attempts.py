"""One function of a file, run on what its callers give; again with less belief where that led to a contradiction."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from kernelscope.dims import Dim
from kernelscope.dims.spelling import SEPARATOR
from kernelscope.faults import part
from kernelscope.interp.borrowed_words import set_apart
from kernelscope.interp.brevity import brief, shorten_ways
from kernelscope.interp.contexts import Context
from kernelscope.interp.findings import Finding, Seen
from kernelscope.interp.function_runs import run_function
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.limits import FUNCTION_STEPS, OutOfBudget
from kernelscope.interp.numbering import number_anew
from kernelscope.interp.ranks import ALL_STEPS
from kernelscope.interp.rounds import Rounds
from kernelscope.interp.seeds import EVERYTHING, Beliefs, Seeded
from kernelscope.interp.symbols import over_sizes
from kernelscope.interp.vagueness import best_known
from kernelscope.interp.values import Scope, Value
from kernelscope.ops import ShapeError
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope as SourceScope
from kernelscope.tensor import Tensor

CALLERS_STEPS = 20_000
"""How far one function of another file is followed for the calls that it makes."""
MAX_DOUBTED = 5
"""Parameters whose documentation is tried to be wrong."""
DOUBTS_STEPS = 60_000
"""How far that is tried in one file."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """One run of a function with what was believed of its parameters."""

    beliefs: Beliefs
    done: bool
    seeded: Seeded
    seen: dict[Span, Seen]
    findings: list[Finding]
    calls: dict[t.FunctionDef, list[Context]]
    """The calls of functions of the file that it makes."""
    doubts: int
    steps: int

    @property
    def is_odd(self) -> bool:
        """Whether something is contradicted, or what is told can hardly be."""
        return bool(self.findings or self.doubts or self.seeded.merged)

    def is_better(self, other: _Outcome) -> bool:
        """Whether less is contradicted than in another run, or nothing is odd any more."""
        own, others = (len(self.findings), len(self.seeded.merged)), (len(other.findings), len(other.seeded.merged))
        return own < others or (own == others and other.doubts > self.doubts == 0)

    def suspects(self) -> list[str]:
        """The documented parameters: those first that what is odd speaks of, most of whose sizes it names and fewest of
        which it leaves out; then what is likely to be wrong."""
        told, said = self.seeded.told, " ".join(finding.error.message for finding in self.findings)
        words = set(re.findall(r"\w+", said))
        named = {name: len(words & self.seeded.words[name]) for name in told}
        touched = [name for name in told if name in self.seeded.merged or named[name]]
        touched.sort(key=lambda name: (-named[name], len(self.seeded.words[name])))
        return list(dict.fromkeys((*touched, *self.likely(), *told)))

    def told_alike(self, name: str) -> list[str]:
        """The parameters that are told to have the same sizes: what is wrong of one of them is wrong of all."""
        words, told = self.seeded.words[name], self.seeded.told
        return [
            other
            for other in told
            if other == name or (told[name] and len(words) > 1 and self.seeded.words[other] == words)
        ]

    def likely(self) -> list[str]:
        """The one that is least like the others, what documents many functions alike, and there the last."""
        told, oddest = self.seeded.told, self.seeded.oddest
        return [name for name in told if name == oddest] + [name for name in reversed([*told]) if not told[name]]


def attempt(
    run: Interpreter, path: str, scope: SourceScope, beliefs: Beliefs = EVERYTHING, steps: int = FUNCTION_STEPS
) -> bool:
    """Run one function; again with less belief in names and documentation if those led to a contradiction.

    False: out of budget.
    """
    before, noted, tried = len(run.findings), run.contexts.counts(), run.tried

    def outcome(beliefs: Beliefs) -> _Outcome:
        run.tried = tried  # ranks are tried as far as they were when the function was run first
        del run.findings[before:]
        run.contexts.forget(noted)
        start = run.steps
        done, seeded = _fresh(run, path, scope, beliefs, steps)
        findings, calls = run.findings[before:], run.contexts.since(noted)
        return _Outcome(beliefs, done, seeded, run.seen, findings, calls, run.doubts, run.steps - start)

    best = outcome(beliefs)
    if (best.findings or best.seeded.is_odd) and best.seeded.guessed:
        is_tried = run.tried < ALL_STEPS  # a second guess that cannot be tried is no better than the first
        for less in (Beliefs(other_layout=True), Beliefs(by_name=False))[not is_tried :]:
            other = outcome(less)
            if not other.findings and not other.seeded.is_odd:
                best = other
                break
    if best.is_odd and best.seeded.told:
        best = _less_told(run, best, outcome)
        run.contexts.forget(noted)
        run.contexts.add(best.calls)
    run.seen = best.seen
    run.findings[before:] = best.findings
    return best.done


def _less_told(run: Interpreter, found: _Outcome, outcome: Callable[[Beliefs], _Outcome]) -> _Outcome:
    """The function without the documentation that is wrong: that of one parameter after the other gives way, as long as
    less is odd without it; that of all where something is contradicted and nobody knows by what.

    Of a caller in another file only its calls are of interest, for which it is not tried again and again."""
    best = found
    for _ in range(0 if run.contexts.outside else MAX_DOUBTED):
        without = _wrongly_told(run, best, outcome) if best.is_odd else {}
        if len(without) == 1:
            best = next(iter(without.values()))
        elif without:  # of these nobody knows which is right
            doubted = {*best.beliefs.doubted, *(other for name in without for other in best.told_alike(name))}
            best = outcome(replace(best.beliefs, doubted=doubted))
        else:
            break
    if best.findings and best.done:
        less = outcome(replace(best.beliefs, doubted={*best.beliefs.doubted, *best.seeded.told}))
        best = best if less.findings else less
    return best


def _wrongly_told(run: Interpreter, found: _Outcome, outcome: Callable[[Beliefs], _Outcome]) -> dict[str, _Outcome]:
    """Parameters without whose documentation least is odd, each with how the function runs then."""
    likely = found.likely()
    better: dict[str, _Outcome] = {}
    for number, name in enumerate(found.suspects()):
        if number == MAX_DOUBTED or (number and run.doubting + found.steps > DOUBTS_STEPS):
            break
        less = outcome(replace(found.beliefs, doubted={*found.beliefs.doubted, *found.told_alike(name)}))
        run.doubting += less.steps
        if less.is_better(found) and (less.done or not found.done):
            if name in likely and not less.is_odd:
                return {name: less}
            better[name] = less
    return {name: less for name, less in better.items() if not any(other.is_better(less) for other in better.values())}


def _fresh(run: Interpreter, path: str, scope: SourceScope, beliefs: Beliefs, steps: int) -> tuple[bool, Seeded]:
    """One run into an empty `seen`: whether it was finished, and what its parameters were taken from."""
    node = scope.node
    assert isinstance(node, t.FunctionDef)
    run.seen = {}
    run.start(CALLERS_STEPS if run.contexts.outside else steps)
    run.contexts.root = node
    run.root_frame = 0
    run.contexts.within = 0
    run.quiet = 0
    before = run.contexts.counts()
    try:
        with part(f"shapes of {scope.qualified_name} in {path}", []):
            try:
                seeded = run_function(run, path, scope, beliefs)
                return seeded.is_whole, seeded
            except (OutOfBudget, RecursionError, ArithmeticError):
                return False, Seeded()
            except ShapeError:
                return True, Seeded()
        return False, Seeded()
    finally:
        if not run.contexts.outside:  # there only the calls are of interest
            _settle(run, before)
        run.changes.undo(0)


def _or_instead(run: Interpreter, value: Value) -> Value:
    """An optional argument of which nothing else is known is, where it is given, like what is made in its place."""
    found = run.symbols.instead.get((id(value), run.root_frame))
    if found is None:
        return value
    return found[1] if run.trace is None else run.trace.same(found[1], value)


def _settle(run: Interpreter, before: dict[t.FunctionDef, int]) -> None:
    """Sizes that turned out to be equal on every way through the function are written as one, by their plain names."""
    known = run.symbols.with_decided(run.known.facts)
    facts = best_known(run.symbols.with_words(known, run.root_frame))
    run.symbols.frame = run.root_frame

    told_before: dict[Dim, Dim] = {}

    def told(size: Dim) -> Dim:
        if size not in told_before:
            told_before[size] = facts.folded(facts.rewrite(size))
        return told_before[size]

    run.contexts.settle(before, facts)
    for span, unlikely in run.unlikely.items():
        run.seen.setdefault(span, unlikely)
    module = run.workspace.modules.module(run.contexts.path)
    numbers = {span: seen.value for span, seen in run.seen.items() if isinstance(seen.value, Dim)}
    words = {span: module.text.slice(span) for span in numbers} if module is not None else {}
    named = {span: (number.name or "").partition(SEPARATOR)[0] for span, number in numbers.items()}
    run.symbols.held |= {word for span, word in words.items() if named[span] != word}
    asked = run.uses(run.contexts.root).asked if run.contexts.root is not None else set[str]()
    if run.contexts.root is not None:
        run.symbols.held |= run.uses(run.contexts.root).bindings.keys() - set(named.values())
    rounds = Rounds(run.symbols, Scope(run.contexts.path, frame=run.root_frame))
    for span in sorted(run.seen, key=lambda span: span.start):
        seen = run.seen[span]
        name = "" if module is None else module.text.slice(span)
        seen.value = over_sizes(seen.value if name in asked else _or_instead(run, seen.value), told)
        if run.guessed_sizes and isinstance(seen.value, Tensor):
            seen.by_name = not run.guessed_sizes.isdisjoint(seen.value.shape.names())
        seen.before = [(moment, over_sizes(value, told)) for moment, value in seen.before]
        seen.value = run.symbols.shown(rounds.settle(name if name.isidentifier() else "size", seen))
    brief(run)
    set_apart(run)
    for span, value in number_anew({span: seen.value for span, seen in run.seen.items()}, run.symbols).items():
        run.seen[span].value = value
    shorten_ways(run)
