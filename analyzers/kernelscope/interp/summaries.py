"""What calls of functions gave, so that a call on values of the same form is not followed again.

A call gives the same, in its own words, as an earlier one of the function on the same object, if what it is given
differs in nothing but the calls to which the names of sizes belong. It costs as many steps as the first, so that no
answer depends on it.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

from msgspec.structs import replace

from kernelscope.dims import Dim, Facts, TooLarge, dim
from kernelscope.dims.spelling import SEPARATOR, call_of
from kernelscope.interp.calls import run_body
from kernelscope.interp.changes import PLAIN, Container
from kernelscope.interp.forms import Copy, Form, Unfit
from kernelscope.interp.instances import construct
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.limits import MAX_CALLS, MAX_FORKS, MAX_QUIET_CALLS, OutOfBudget
from kernelscope.interp.symbols import sizes_in
from kernelscope.interp.trials import Trial
from kernelscope.interp.values import Scope, Value, present
from kernelscope.ops import ShapeError
from kernelscope.ops.arguments import WITHOUT_BATCH
from kernelscope.syntax.python import tree as t

WORTHWHILE = 12
"""A call of fewer steps is followed sooner than looked up."""
MAX_SUMMARIES = 8
"""Of calls on values of one form."""


@dataclass(slots=True)
class Effects:
    """What a call gave and changed, in the words of its caller."""

    result: Value
    outcomes: list[Value] | None
    changed: dict[int, Any]
    """By number: what a list, dict or object that was given holds afterwards."""
    equal: list[tuple[Dim, Dim]]
    divisible: list[tuple[Dim, Dim]]
    ones: set[str]
    met: list[tuple[Dim, Dim]]
    """Sizes of the caller that broadcasting took to be equal."""
    stored: list[tuple[dict[Any, Value], dict[Any, Value]]]
    """What layers hold that it was not given itself, with what is stored there anew."""


@dataclass(slots=True)
class Summary:
    """One call that was followed."""

    names: tuple[str, ...]
    """The free names in what was given, in the order in which they are met."""
    spelled: list[Dim]
    """Every size in it, likewise."""
    given: list[Value]
    """The lists, dicts and objects that were given, likewise."""
    kept: object
    """What must live as long as its identity counts."""
    effects: Effects | ShapeError
    asked: dict[str, bool | None]
    """What was known of the conditions that it asked for."""
    sought: dict[int, bool]
    """By number: names of which it asked whether those who wait for the call have such sizes."""
    trial: Hashable
    """Which names were those of a rank that was tried; None where none was."""
    strict: bool
    contradicted: bool
    """Whether a contradiction was met, which ends functions at once where the call is tried only."""
    frame: int
    """The number of the last call before it."""
    frames: int
    steps: int
    doubts: int
    surprises: int
    slides: bool
    """Whether a layer for data of any number of axes was given what was tried."""
    depth: int
    quiet_depth: int
    forks: int
    without_batch: bool
    passed_over: bool
    """Whether calls of functions of the file are made in it that are noted elsewhere."""
    exact: tuple[int, int, bool, int] | None
    """The depth at which it ran, if it went as deep as it could."""

    def fits(self, run: Interpreter, trial: Hashable, names: list[str]) -> bool:
        """Whether a call that is given values of the same form does the same here."""
        if run.symbols.trial is not None and self.trial != trial:
            return False
        if run.strict > 0 and not self.strict and self.doubts:
            return False
        if self.contradicted and self.strict != (run.strict > 0):
            return False
        if run.symbols.trial is not None and run.symbols.trial.is_over(self.surprises):
            return False
        if self.without_batch and not WITHOUT_BATCH.get():
            return False
        if self.passed_over and not run.contexts.within:
            return False
        if not run.strict and isinstance(self.effects, ShapeError):
            return False
        conditions = run.known.conditions
        if any(conditions.get(name) != value for name, value in self.asked.items()):
            return False
        if self.sought and self.sought != _held(run, names, self.sought):
            return False
        if self.exact is not None:
            return self.exact == (run.calls, run.depth, run.quiet > 0, run.forks)
        if self.forks and run.forks + self.forks > MAX_FORKS:
            return False
        quiet = max(self.quiet_depth, self.depth if run.quiet else 0)
        return run.calls + self.depth <= MAX_CALLS and (not quiet or run.depth + quiet <= MAX_QUIET_CALLS)


def followed(run: Interpreter, scope: Scope, node: t.FunctionDef) -> Value:
    """The result of a function whose parameters are bound, and all else that the call does."""
    if _is_of_its_own(run, scope, node) or run.cheap.get(node, WORTHWHILE) < WORTHWHILE:
        return run_body(run, scope, node)
    form = Form(run.known.facts.rewrite, run.symbols.is_free)
    try:
        key = _key(run, scope, node, form)
    except (Unfit, TooLarge):
        return run_body(run, scope, node)
    trial = _tried(run.symbols.trial, form)
    known = run.summaries.setdefault(key, [])
    names = list(form.names)
    for summary in known:
        if summary.fits(run, trial, names):
            return again(run, summary, form)
    summary, result = _first(run, scope, node, form, trial)
    if summary is not None and len(known) < MAX_SUMMARIES:
        known.append(summary)
    if isinstance(result, ShapeError):
        raise result.bare()
    return result


def _held(run: Interpreter, names: list[str], numbers: Collection[int]) -> dict[int, bool]:
    """Whether the functions that are running have sizes of these names."""
    held = sizes_in(value for scope in run.running for value in scope.names.values()) if numbers else set[str]()
    return {number: names[number] in held for number in numbers}


def _tried(trial: Trial | None, form: Form) -> Hashable:
    """Which names are those of a rank that is tried, and which were given; whether what contradicts it is avoided."""
    if trial is None:
        return None
    return trial.may_avoid, tuple((name.startswith(trial.prefixes), name in trial.given) for name in form.names)


def _is_of_its_own(run: Interpreter, scope: Scope, node: t.FunctionDef) -> bool:
    """Whether a call has to be followed itself: it is told step by step, or sees more than it is given."""
    if run.trace is not None or run.certain or run.symbols.building or scope.outer is not None:
        return True
    root = run.contexts.root
    return root is None or root.name == "__init__" or run.contexts.is_part(scope.path, node)


def _key(run: Interpreter, scope: Scope, node: t.FunctionDef, form: Form) -> Hashable:
    """What the result depends on, but for the names of sizes and what `Summary.fits` looks at."""
    assert scope.function is not None
    given = tuple((name, form.of(value)) for name, value in scope.names.items())
    receiver = form.of(scope.function.receiver)
    facts, ones, widths = run.known.facts, run.symbols.ones, run.symbols.widths
    settings = tuple((name, form.size(value)) for name, value in facts.equal.items() if not run.symbols.is_free(name))
    names = form.names
    divisible = tuple(
        (form.size(a), form.size(b))
        for a, b in facts.divisible
        if all(name in names or not run.symbols.is_free(name) for size in (a, b) for name in size.names())
    )
    calls = [call_of(name) for name in names]
    older = sorted(set(calls))
    originals: dict[str, int] = {}
    words = tuple(
        (
            name in ones,
            name in widths,
            name.partition(SEPARATOR)[0],
            call > 0,
            older.index(call),
            originals.setdefault(run.symbols.origins.get(name, name), number),
        )
        for number, (name, call) in enumerate(zip(names, calls, strict=True))
    )
    order = tuple(names[name] for name in sorted(names))  # of sizes that are equal, alphabet tells which gives way
    fixed = tuple((name, names.get(name)) for name in form.fixed)
    return (
        node,
        receiver,
        given,
        settings,
        divisible,
        words,
        order,
        fixed,
        run.changes.lasting.version_for((*scope.names.values(), scope.function.receiver)),
    )


def _first(
    run: Interpreter, scope: Scope, node: t.FunctionDef, form: Form, tried: Hashable
) -> tuple[Summary | None, Value | ShapeError]:
    """Follow a call; what it did, if that can be told to others, and what it gave."""
    known, trial = run.known, run.symbols.trial
    names, kept = tuple(form.names), (list(scope.names.values()), scope.function)
    mark, frame, steps = run.changes.mark(), run.frames, run.steps - run.once
    contradicted, once = run.contradicted, run.once
    findings, doubts, refused, noted = len(run.findings), run.doubts, run.refused, run.contexts.noted
    surprises = trial.surprises if trial is not None else 0
    slid = trial is not None and trial.is_for_any_axes
    if trial is not None:
        trial.is_for_any_axes = False
    met = len(run.met)
    depth, quiet_depth, asked, forks = run.deepest, run.deepest_quiet, run.asked, run.most_forks
    run.deepest = run.deepest_quiet = run.calls
    run.most_forks = run.forks
    sought, run.sought = run.sought, set()
    passed_over = run.contexts.passed_over
    run.asked = set()
    result: Value | ShapeError
    try:
        result = run_body(run, scope, node)
    except ShapeError as error:
        result = error.bare()
    finally:
        below, below_quiet, conditions = run.deepest - run.calls, run.deepest_quiet - run.calls, run.asked
        seeking, run.sought = run.sought, sought | run.sought
        apart = run.most_forks - run.forks
        run.most_forks = max(forks, run.most_forks)
        run.deepest, run.deepest_quiet = max(depth, run.deepest), max(quiet_depth, run.deepest_quiet)
        run.asked = asked | conditions
        slides = trial is not None and trial.is_for_any_axes
        if trial is not None:
            trial.is_for_any_axes = slid or slides
    taken = run.steps - run.once - steps
    run.cheap[node] = max(run.cheap.get(node, 0), taken)
    if (
        taken < WORTHWHILE
        or run.once != once  # what is made once may have told things that nobody hears again
        or len(run.findings) != findings
        or run.contexts.noted != noted
        or (isinstance(result, ShapeError) and not run.strict)
        or (trial is not None and trial.is_over())
    ):
        return None, result
    effects = (
        result
        if isinstance(result, ShapeError)
        else _effects(run, form, known.facts, result, mark, run.met[met:], frame)
    )
    if effects is None:
        return None, result
    return Summary(
        names=names,
        spelled=form.spelled,
        given=form.objects,
        kept=kept,
        effects=effects,
        asked={name: known.conditions.get(name) for name in conditions},
        sought=_held(run, list(names), [i for i, name in enumerate(names) if name in seeking]),
        trial=tried,
        strict=run.strict > 0,
        contradicted=run.contradicted > contradicted,
        frame=frame,
        frames=run.frames - frame,
        steps=taken,
        doubts=run.doubts - doubts,
        surprises=trial.surprises - surprises if trial is not None else 0,
        slides=slides,
        depth=below,
        quiet_depth=below_quiet,
        forks=apart,
        without_batch=WITHOUT_BATCH.get(),
        passed_over=run.contexts.passed_over != passed_over,
        exact=(run.calls, run.depth, run.quiet > 0, run.forks) if run.refused != refused else None,
    ), result


def _effects(
    run: Interpreter,
    form: Form,
    known: Facts,
    result: Value,
    mark: int,
    met: list[tuple[Dim, Dim]],
    frame: int,
) -> Effects | None:
    """What a call gave and changed; None if it is part of the call."""
    symbols, facts, is_free = run.symbols, run.known.facts, run.symbols.is_free
    before = symbols.carried(known, symbols.frame)
    words = {*form.names, *(name for size in form.spelled if (name := size.name) is not None and is_free(name))}
    given = frozenset(words)
    own = f"{SEPARATOR}{symbols.frame}"
    of_origin = {symbols.origins.get(name, name): name for name in sorted(given)}

    def called(name: str) -> str:
        """A size of this call as the caller knows it."""
        origin = symbols.origins.get(name, name)
        word = symbols.renamed.get(f"{origin}{own}", origin)
        return word if word in given else of_origin.get(origin, word)

    def plainly(size: Dim) -> Dim:
        """A size as the caller would write it."""
        others = [n for n in size.names() if n not in given and is_free(n)]
        changes = {n: dim(called(n)) for n in others if n in symbols.origins or (n in of_origin and call_of(n))}
        size = size.subs(changes) if changes else size
        if any(name in known.equal and name not in given for name in size.names()):
            size = known.rewrite(size)
        words.update(filter(is_free, size.names()))
        return size

    def is_told(pair: tuple[Dim, Dim]) -> bool:
        """Whether the call tells that two sizes are equal: of others than it was given or made it knows nothing, and
        what its caller knew before holds there alone."""
        names = {name for size in pair for name in size.names()}
        is_foreign = any(0 < call_of(name) <= frame for name in names - given)
        return not is_foreign and before.rewrite(pair[0]) != before.rewrite(pair[1])

    def is_plain(size: Dim) -> bool:
        """Whether the caller would write a size as the call did: it does not know what else it is called."""
        return plainly(size) == size

    copy = Copy(plainly, {id(value): value for value in form.objects}, partial(construct, run))
    try:
        changed = {
            form.numbers[identity]: copy.contents(container)
            for identity, container in run.changes.containers(mark).items()
            if identity in form.numbers
        }
        stored = [
            (container, copy.contents(_stored(container, before)))
            for identity, (container, before) in run.changes.stored(mark).items()
            if identity not in form.numbers
        ]
        outcomes = run.outcomes_of(result)
        return Effects(
            result=copy.of(result),
            outcomes=None if outcomes is None else [copy.of(outcome) for outcome in outcomes],
            changed=changed,
            equal=[
                pair
                for name, value in _learnt(known, facts, words, is_free)
                if is_told(pair := (plainly(dim(name)), plainly(value)))
            ],
            divisible=[
                pair
                for pair in facts.divisible
                if pair not in known.divisible and _is_about(pair, words, is_free) and all(map(is_plain, pair))
            ],
            ones={name for name in words if name in symbols.ones},
            met=[pair for pair in met if all(name in given for size in pair for name in size.names())],
            stored=[(held, contents) for held, contents in stored if isinstance(held, dict) and contents],
        )
    except (Unfit, TooLarge):
        return None


def _stored(container: Container, before: Container) -> dict[Any, Value]:
    """What a container holds that it did not hold before. Raises Unfit where that is more than sizes and tensors."""
    if not isinstance(container, dict) or not isinstance(before, dict):
        if container != before:
            raise Unfit
        return {}
    if before.keys() - container.keys():
        raise Unfit
    new = {key: value for key, value in container.items() if key not in before or before[key] is not value}
    if not all(map(_is_plain, new.values())):
        raise Unfit
    return new


def _is_plain(value: Value) -> bool:
    if type(value) is tuple:
        return all(map(_is_plain, value))
    return isinstance(present(value), PLAIN)


def _learnt(known: Facts, facts: Facts, words: set[str], is_free: Callable[[str], bool]) -> list[tuple[str, Dim]]:
    """What became known to be equal, as far as it has to do with sizes that are seen outside; these become words."""
    found = {name: value for name, value in facts.equal.items() if known.equal.get(name) != value}
    telling: dict[str, Dim] = {}
    while True:
        more = {
            name: value
            for name, value in found.items()
            if name not in telling and (name in words or not is_free(name) or words.intersection(value.names()))
        }
        if not more:
            return list(telling.items())
        telling |= more
        for name, value in more.items():
            words.update(n for n in (name, *value.names()) if is_free(n))


def _is_about(sizes: tuple[Dim, Dim], words: set[str], is_free: Callable[[str], bool]) -> bool:
    return all(name in words or not is_free(name) for size in sizes for name in size.names())


def again(run: Interpreter, summary: Summary, form: Form) -> Value:
    """Do what an earlier call did, in the words of this one."""
    if run.symbols.trial is not None:
        run.symbols.trial.is_for_any_axes |= summary.slides
        run.symbols.trial.add(summary.surprises)
    run.steps = min(run.steps + summary.steps, run.most + 1)
    if run.steps > run.most:
        raise OutOfBudget
    symbols = run.symbols
    words: dict[str, Dim] = {}
    for old, new in zip(summary.spelled, form.spelled, strict=True):
        if (name := old.name) is not None:
            words.setdefault(name, new)
    for name, called in zip(summary.names, form.names, strict=True):
        words.setdefault(name, dim(called))
    shift = run.frames - summary.frame
    run.frames += summary.frames
    run.doubts += summary.doubts
    run.contradicted += summary.contradicted
    run.refused += summary.exact is not None
    run.deepest = max(run.deepest, run.calls + summary.depth)
    run.deepest_quiet = max(run.deepest_quiet, run.calls + summary.quiet_depth)
    run.most_forks = max(run.most_forks, run.forks + summary.forks)
    run.asked.update(summary.asked)
    run.contexts.passed_over += summary.passed_over
    names = list(form.names)
    run.sought.update(names[number] for number in summary.sought)
    effects = summary.effects
    if isinstance(effects, ShapeError):
        raise effects.bare()

    def word(name: str) -> Dim:
        """A name of the earlier call in this one: a size that is new in each belongs to this one."""
        called = words.get(name)
        if called is None:
            frame = call_of(name)
            plain = name.removesuffix(f"{SEPARATOR}{frame}")
            own = f"{plain}{SEPARATOR}{frame + shift}" if frame > summary.frame else name
            called = words[name] = dim(own)
            if own != name:
                symbols.renew(name, own)
                met = symbols.either.get(name, ())
                if met and all(n in words or not 0 < call_of(n) <= summary.frame for size in met for n in size.names()):
                    symbols.either[own] = (renamed(met[0]), renamed(met[1]))
        return called

    def renamed(size: Dim) -> Dim:
        changes = {
            name: called for name in size.names() if symbols.is_free(name) and (called := word(name)).name != name
        }
        return size.subs(changes) if changes else size

    objects = {id(old): new for old, new in zip(summary.given, form.objects, strict=True)}
    copy = Copy(renamed, objects, partial(construct, run))
    result = copy.of(effects.result)
    run.outcomes = None if effects.outcomes is None else (result, [copy.of(outcome) for outcome in effects.outcomes])
    for number, contents in effects.changed.items():
        container = form.objects[number]
        run.changes.before(container)
        held = copy.contents(contents)
        container.clear()
        container.update(held) if isinstance(container, dict) else container.extend(held)
    for container, contents in effects.stored:
        run.changes.before(container)
        container.update(copy.contents(contents))
    run.met.extend((renamed(one), renamed(other)) for one, other in effects.met)
    symbols.ones.update(called for name in effects.ones if (called := word(name).name) is not None)
    facts = run.known.facts
    for name, value in effects.equal:
        facts = facts.with_equal(renamed(value), renamed(name))
    for number, divisor in effects.divisible:
        facts = facts.with_divisible(renamed(number), renamed(divisor))
    run.known = replace(run.known, facts=symbols.carried(facts, symbols.frame))
    return result
