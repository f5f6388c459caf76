"""How many dims a tensor has that nobody is seen to give: the rank with which the function can run.

The body is tried with several ranks; those that lead to a contradiction are out. What is tried leaves no trace.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from kernelscope.dims import dim
from kernelscope.interp.agreement import DIFFERENT_RANKS, NOT_TOLD
from kernelscope.interp.flow import Returns, execute
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.limits import OutOfBudget
from kernelscope.interp.shape_texts import LEFT_OUT, SEVERAL_RANKS
from kernelscope.interp.symbols import sizes_in
from kernelscope.interp.tensors_by_name import Item, open_items, with_items
from kernelscope.interp.trials import Trial
from kernelscope.interp.uses import asked_for_dims
from kernelscope.interp.values import Maybe, Scope, Value, present
from kernelscope.interp.wants import wanted
from kernelscope.ops import ShapeError
from kernelscope.ops.arguments import WITHOUT_BATCH
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Size, Tensor

LIKELY = (3, 2, 4, 1)
"""Ranks in the order in which they are tried."""
MORE = (5, 6)
"""Ranks that are tried if the largest of the likely ones would do."""
MOST = max(MORE)
"""A function that runs with so many dims runs with any number."""
MOST_SURPRISES = 10_000
FIRST_STEPS = 1_500
"""So far every rank is followed at first: nearly all that cannot be fail sooner, and one left alone need not go on."""
TRIAL_STEPS = 12_000
FUNCTION_STEPS = 30_000
"""How far ranks are tried in one function."""
ALL_STEPS = 100_000
"""How far ranks are tried in one file."""
OUTSIDE_STEPS = 12_000
"""How far they are tried in functions of other files that call those of the file."""
MAX_PARAMETERS = 5
NO_WORDS: Mapping[str, str] = {}
MASK = "mask"
"""What is called so may be there once for all heads or channels; between the first and the last axis nothing tells."""
GUESSED = 3
"""Names that promise a sequence of vectors are also given to images; other names promise what they say."""


def settle_ranks(run: Interpreter, scope: Scope, node: t.FunctionDef, guessed: Set[str] = frozenset()) -> None:
    """Give the parameters of unknown rank the one that the body needs, as far as it needs one.

    A shape that was `guessed` is forgotten if the body cannot run with it.
    """
    most = OUTSIDE_STEPS if run.contexts.outside else ALL_STEPS
    for name in sorted(guessed):
        value = scope.names[name]
        trial = Trial((), frozenset(), NO_WORDS, MOST_SURPRISES)
        is_tried = run.tried < most and present(value).rank == GUESSED
        if is_tried and (_runs(run, scope, node, {name: value}, trial) is False or trial.is_for_any_axes):
            unknown = Tensor(Shape.unknown(NOT_TOLD), present(value).dtype)
            scope.names[name] = Maybe(unknown, value.name) if isinstance(value, Maybe) else unknown
    names = [p.name for p in node.args if _is_open(scope.names.get(p.name))]
    several = [name for name in names if present(scope.names[name]).shape.reason == DIFFERENT_RANKS]
    if any(_has_any_number_in_front(scope.names[name]) for name in names):
        return  # so what is given beside it has no certain rank either
    trials = _Trials(run, scope, node, min(most, run.tried + FUNCTION_STEPS))
    names = [name for name in names if name in several or not trials.take_proven(name)]
    names = [name for name in names if name not in run.uses(node).asked]
    items = open_items(run, scope, node)
    scope.names |= {item.place: scope.names[item.holder][item.key] for item in items}
    trials.items = {item.place: item for item in items}
    names += trials.items
    names.sort(key=lambda name: _is_of_any_rank(scope.names[name]))
    if names:
        trials.settle(names[:MAX_PARAMETERS])
    scope.names = with_items(scope.names, items)
    run.symbols.spoken = sizes_in(scope.names.values())


@dataclass(slots=True)
class _Candidates:
    """The ranks that one parameter may have, as far as they were tried."""

    left: Mapping[int, int]
    """Those that were not followed to the end, and what was odd so far."""
    surprises: dict[int, int] = field(default_factory=dict[int, int])
    """What was odd about those that were."""
    words: dict[int, Mapping[str, str]] = field(default_factory=dict[int, Mapping[str, str]])
    """What the function calls the sizes with those that were."""
    is_for_many: bool = False
    """Whether it meets other tensors in arithmetic, or a layer takes its rows: a vector goes with all of that, so that
    nothing odd about it says little where it may have more dims."""
    is_of_several: bool = False
    """Whether callers are seen to give several ranks: only one that all ways through the body need is then its."""
    is_for_any_axes: bool = False
    """Whether layers slide over it whatever rank it has."""
    may_lack_batch: bool = False
    """Whether layers may get it without a batch: only if nothing else can be."""

    def is_none_left(self) -> bool:
        """Whether with no rank the function goes on, as long as what layers get has a batch."""
        return not (self.left or self.surprises or self.may_lack_batch)

    def are_told_apart_no_more(self) -> bool:
        """Whether so many will do that no single one is found."""
        return list(self.surprises.values()).count(0) > 1 or (self.is_of_several and len(self.surprises) > 1)

    def best(self) -> int | None:
        """The only rank with the fewest surprises; where all others cannot be, one that many tensors have."""
        if self.is_for_any_axes:
            return None
        if self.is_of_several:
            return next(iter(self.surprises)) if len(self.surprises) == 1 and not self.left else None
        if not self.surprises and len(self.left) == 1:
            rank = next(iter(self.left))
            return rank if rank in LIKELY else None
        fewest = min(self.surprises.values(), default=0)
        best = [rank for rank, count in self.surprises.items() if count == fewest]
        is_open = any(odd <= fewest for odd in self.left.values())
        is_vague = best == [1] and self.is_for_many and len(self.surprises) > 1
        return best[0] if len(best) == 1 and best != [MOST] and not is_open and not is_vague else None


@dataclass(slots=True)
class _Trials:
    """Trials of the parameters of one function; `most` is how far all trials of the file may have gone behind them."""

    run: Interpreter
    scope: Scope
    node: t.FunctionDef
    most: int
    prefixes: list[str] = field(default_factory=list[str])
    """How the sizes begin that were tried."""
    found: dict[str, str] = field(default_factory=dict[str, str])
    """What those were called that have words of the function now."""
    items: Mapping[str, Item] = field(default_factory=dict[str, Item])
    """What is tried that is in a dictionary, by its place."""

    def settle(self, names: list[str]) -> None:
        """Give the parameters their ranks."""
        added = _computed_with(self.node)
        rows = {name for name in names if present(self.scope.names[name]).shape.tail}
        candidates = {
            name: _Candidates(
                dict.fromkeys(LIKELY, 0),
                is_for_many=name in added | rows,
                is_of_several=present(self.scope.names[name]).shape.reason == DIFFERENT_RANKS,
            )
            for name in names
        }
        for steps in (FIRST_STEPS, TRIAL_STEPS):  # all a little before one is tried far: what is found helps the others
            for name in list(candidates):
                called = self.called(name)
                rank = self.rank(name, called, candidates[name], steps)
                if rank is None and candidates[name].is_none_left() and not candidates[name].is_of_several:
                    candidates[name].left, candidates[name].may_lack_batch = dict.fromkeys(LIKELY, 0), True
                    rank = self.rank(name, called, candidates[name], steps)
                if rank is not None:
                    words = self.own_words(candidates[name].words.get(rank, {}))
                    self.found |= {word: size for size, word in words.items()}
                    del candidates[name]
                    self.scope.names[name] = _with_rank(self.scope.names[name], called, rank, words)
                    if MASK in name:
                        made = (f"{called}_size{i}" for i in range(1, rank - 1))
                        self.run.symbols.ones.update(words.get(size, size) for size in made)

    def take_proven(self, name: str) -> bool:
        """Give a parameter the only rank with which the function, or one that it is given on to, goes on at all.

        Beside another tensor it may be there once for all of a batch. False where nothing is proven.
        """
        uses, value = self.run.uses(self.node), self.scope.names[name]
        shape = None if name in uses.ranks else wanted(self.run, self.scope, uses, name)
        rank = uses.ranks.get(name) if shape is None else shape.rank
        if rank is None or rank < present(value).shape.least_rank:
            return False
        called = self.called(name)
        self.scope.names[name] = _with_rank(value, called, rank)
        before = itertools.takewhile(lambda other: other != name, (param.name for param in self.node.args))
        if any(isinstance(present(self.scope.names.get(other)), Tensor) for other in before):
            self.run.symbols.ones.add(f"{called}_size0")
        return True

    def _is_met(self, name: str, begun: Set[Span]) -> bool:
        """Whether one of the statements that were begun has to do with a parameter."""
        met = self.items[name].holder if name in self.items else name
        uses = [node.span.start for node in t.inside(self.node) if isinstance(node, t.Name) and node.id == met]
        return any(span.start <= use < span.end for span in begun for use in uses)

    def own_words(self, words: Mapping[str, str]) -> dict[str, str]:
        """What the function calls sizes that were tried, as far as nothing else is ever called so."""
        bound, taken = self.run.uses(self.node).bindings, sizes_in(self.scope.names.values())
        found: dict[str, str] = {}
        for size, word in words.items():
            if bound.get(word) == 1 and word.strip("_") and word not in taken and word not in found.values():
                found[size] = word
        return found

    def called(self, name: str) -> str:
        """What the sizes of a parameter are called after: its name, but no name that others use."""
        taken = sizes_in(self.scope.names.values())
        name = self.items[name].called if name in self.items else name
        while any(f"{name}_size{i}" in taken for i in range(MOST)):
            name += "_"
        return name

    def rank(self, name: str, called: str, candidates: _Candidates, steps: int) -> int | None:
        """The rank with which the body meets no contradiction and the fewest surprises, if it is the only one.

        Each is followed so many `steps`.
        """
        self.prefixes.append(f"{called}_size")
        run, value, surprises = self.run, self.scope.names[name], candidates.surprises
        shape = present(value).shape
        has_more = bool(shape.head) and not shape.tail and shape.reason != SEVERAL_RANKS
        told = shape.least_rank + has_more  # dots behind what is told stand for some axis
        least = max(1, told, _without_batch(self.node, name))
        given = sizes_in(self.scope.names.values())
        ranks = sorted((rank for rank in candidates.left if rank >= least), key=lambda rank: candidates.left[rank])
        left: dict[int, int] = {}
        while ranks and run.tried <= self.most and not candidates.are_told_apart_no_more():
            rank = ranks.pop(0)
            limit = MOST_SURPRISES if candidates.is_of_several else min(surprises.values(), default=MOST_SURPRISES)
            if candidates.left.get(rank, 0) > limit:
                continue
            trial = Trial(tuple(self.prefixes), given, self.found, limit, candidates.is_of_several)
            begun: set[Span] = set()
            values = {name: _with_rank(value, called, rank)}
            items, lone = self.items.values(), candidates.may_lack_batch
            runs = _runs(run, self.scope, self.node, values, trial, steps, begun, items, lone)
            candidates.is_for_any_axes |= trial.is_for_any_axes
            if runs is None:
                left[rank] = trial.surprises
                if steps == TRIAL_STEPS:
                    break  # the body is too long to tell
                if not self._is_met(name, begun):  # so far every other rank does the same
                    left |= dict.fromkeys((*ranks, *MORE), trial.surprises)
                    ranks = []
            elif runs:
                surprises[rank] = trial.surprises
                candidates.words[rank] = trial.words
            if rank == max(LIKELY) and runs is not False and steps < TRIAL_STEPS:
                ranks += MORE
        candidates.left = {**left, **{rank: candidates.left.get(rank, 0) for rank in ranks}}
        return candidates.best()


def _computed_with(node: t.FunctionDef) -> set[str]:
    """The parameters that sums and products are made of as they are given, by themselves or by a second name."""
    found: set[str] = set()
    second: dict[str, str] = {}
    ends: dict[str, int] = {}
    """Where a name is first bound anew."""
    for inner in t.walk(*node.body):
        for target in inner.targets if isinstance(inner, t.Assign) else ():
            for bound in t.walk(target):
                if isinstance(bound, t.Name):
                    ends[bound.id] = min(ends.get(bound.id, inner.span.end), inner.span.end)
    for inner in t.walk(*node.body):
        match inner:
            case t.Assign(targets=[t.Name(id=name)], value=t.Name(id=first)) if _is_as_given(inner.value, ends):
                second[name] = first
            case t.BinOp(left=t.Constant()) | t.BinOp(right=t.Constant()):
                pass
            case t.BinOp(left=left, right=right):
                sides = [side for side in (left, right) if isinstance(side, t.Name)]
                found |= {side.id for side in sides if _is_as_given(side, ends)}
                found |= {second[side.id] for side in sides if side.id in second}
            case _:
                pass
    return found


def _is_as_given(name: t.Expr, ends: Mapping[str, int]) -> bool:
    return isinstance(name, t.Name) and name.span.end <= ends.get(name.id, name.span.end)


def _without_batch(node: t.FunctionDef, name: str) -> int:
    """With how many dims a parameter gets another axis in front; with fewer it never comes. 0 where it gets none."""
    counts: list[int] = []
    for found in t.walk(*node.body):
        match found:
            case t.IfExp(test=test, body=given):
                behind: tuple[t.Node, ...] = (given,)
            case t.If(test=test, body=body):
                behind = tuple(body)
            case _:
                continue
        match test:
            case t.Compare(left=left, ops=["=="], comparators=[t.Constant(value=int() as count)]) if (
                asked_for_dims(left) == name
            ):
                calls = {t.dotted(call.func) for call in t.walk(*behind) if isinstance(call, t.Call)}
                if f"{name}.unsqueeze" in calls:
                    counts.append(count)
            case _:
                pass
    return min(counts, default=0)


def _is_open(value: Value) -> bool:
    value = present(value)
    return isinstance(value, Tensor) and value.rank is None


def _is_of_any_rank(value: Value) -> bool:
    """Whether a tensor is documented to have any number of dims."""
    return present(value).shape.reason == LEFT_OUT


def _has_any_number_in_front(value: Value) -> bool:
    """Whether a tensor is documented to have any number of dims before those that are told."""
    shape = present(value).shape
    return _is_of_any_rank(value) and not shape.head and bool(shape.tail)


def _runs(
    run: Interpreter,
    scope: Scope,
    node: t.FunctionDef,
    values: Mapping[str, Value],
    trial: Trial | None = None,
    steps: int = TRIAL_STEPS,
    begun: set[Span] | None = None,
    items: Iterable[Item] = (),
    may_lack_batch: bool = False,
) -> bool | None:
    """Whether a call with these values meets no contradiction; None if that takes more steps.

    `begun` gets the statements that were followed.
    """
    frame = Scope(scope.path, scope.function, with_items({**scope.names, **values}, items), scope.outer)
    start = run.steps
    known, outer, mark, before, met = run.known, run.symbols.frame, run.changes.mark(), len(run.findings), len(run.met)
    batched = WITHOUT_BATCH.set(may_lack_batch)
    run.quiet += 1
    run.contexts.within += 1
    run.strict += 1
    run.frames += 1
    frame.frame = run.symbols.frame = run.frames
    if trial is not None:
        trial.frame = frame.frame
    run.calls, calls = 1, run.calls
    run.symbols.trial = trial
    try:
        returns = Returns(run, frame)
        returns.begun = begun
        with run.budget(steps):
            return not (execute(run, frame, node.body, returns) and not returns.any)
    except ShapeError:
        return False
    except OutOfBudget:
        return None
    except (RecursionError, ArithmeticError):
        return True
    finally:
        WITHOUT_BATCH.reset(batched)
        run.changes.undo(mark)
        run.strict -= 1
        run.contexts.within -= 1
        run.quiet -= 1
        run.symbols.trial = None
        run.known, run.symbols.frame, run.calls, run.nested = known, outer, calls, 0
        run.tried += run.steps - start
        del run.findings[before:], run.met[met:]


def _with_rank(value: Value, called: str, rank: int, words: Mapping[str, str] = NO_WORDS) -> Value:
    """A tensor of this rank, unknown sizes of it called by their words, or after the parameter."""
    if isinstance(value, Maybe):
        return Maybe(_with_rank(value.value, called, rank, words), value.name)
    head, tail = value.shape.head, value.shape.tail or ()
    made = [f"{called}_size{i}" for i in range(len(head), rank - len(tail))]
    sizes: tuple[Size, ...] = (*head, *(dim(words.get(name, name)) for name in made), *tail)
    return Tensor(Shape(sizes), value.dtype, value.place)
