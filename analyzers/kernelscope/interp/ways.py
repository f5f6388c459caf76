"""Ways through the code: what holds at the end of each, and what those that go on have in common."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass

from msgspec.structs import replace

from kernelscope.dims import Facts
from kernelscope.interp.changes import Contents, as_left
from kernelscope.interp.conditions import known_either_way
from kernelscope.interp.findings import Known
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.joins import Join
from kernelscope.interp.limits import NoSuchWay
from kernelscope.interp.values import Scope, Value, has_unknown_length, present
from kernelscope.ops import ShapeError
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Tensor


@dataclass(slots=True)
class Way:
    """The state at the end of one way through the code: names, what objects hold, what is known."""

    names: dict[str, Value]
    known: Known
    contents: Contents
    before: Contents

    def enter(self, run: Interpreter, scope: Scope) -> None:
        """Go on from this state."""
        scope.names, run.known = dict(self.names), self.known
        run.changes.enter(self.contents)


def take(run: Interpreter, scope: Scope, mark: int, go: Callable[[], bool], is_apart: bool = False) -> tuple[Way, bool]:
    """Go one way, then put objects back to what they held at `mark`; whether every way through it ended.

    So it did where it turns out that there is no such way; what was seen on it is forgotten if it was gone apart.
    """
    scope.names, loops = dict(scope.names), len(scope.loops)
    try:
        ended = go()
    except NoSuchWay:
        ended = True
        del scope.loops[loops:]
        if is_apart:
            run.forget_since(run.moment)
    except ShapeError:
        trial = run.symbols.trial
        if trial is None or not trial.may_avoid:
            raise
        ended = True
        del scope.loops[loops:]
    contents = run.changes.since(mark)
    return Way(scope.names, run.known, contents, run.changes.undo(mark)), ended


def meet(run: Interpreter, scope: Scope, one: Way, other: Way, join: Join, known: Known) -> None:
    """Go on from what two ways have in common."""
    facts = known_either_way(run, scope, (one.names, one.known.facts), (other.names, other.known.facts))
    join.facts = (one.known.facts, other.known.facts)
    with as_left({**_made_on(one, other), **_made_on(other, one)}):
        scope.names = join.names(one.names, other.names)
    run.changes.join({**one.before, **other.before}, one.contents, other.contents, join)
    for kept, replaced in join.equal:
        facts = facts.with_equal(kept, replaced)
    if join.since is not None:
        meant = {name for size in join.pairs.values() for name in size.names()}
        for way in (one, other):
            facts = with_facts_of(run, scope, facts, way, join.since, meant)
    run.known = replace(known, facts=facts)


def _made_on(way: Way, other: Way) -> Contents:
    """What containers hold at the end of a way that changed there only, but for those that the other way names."""
    named = {id(value) for value in other.names.values()}
    return {key: held for key, held in way.contents.items() if key not in other.contents and key not in named}


def with_facts_of(
    run: Interpreter, scope: Scope, facts: Facts, way: Way, since: int, but: Set[str] = frozenset()
) -> Facts:
    """What one way found equal to symbols that it made itself holds wherever they mean something: nowhere else.

    Only hovers of the function that is looked at show them.
    """
    if scope.frame != run.root_frame or way.known.facts.equal is facts.equal:
        return facts
    for name, value in way.known.facts.equal.items():
        if name in facts.equal or not but.isdisjoint((name, *value.names())):
            continue
        if run.symbols.is_of_way(scope, name, since):
            facts = facts.with_equal(value, name)
        elif value.name is not None and run.symbols.is_of_way(scope, value.name, since):
            facts = facts.with_equal(name, value)
    return facts


def differing(one: dict[str, Value], other: dict[str, Value], rest: list[t.Stmt]) -> set[str]:
    """Names used in `rest` whose values in two ways have nothing in common that a join could keep."""
    found = {n for n in one if n in other and one[n] is not other[n] and _clash(one[n], other[n])}
    if not found:
        return found
    used = {node.id for node in t.walk(*rest) if isinstance(node, t.Name)}
    return found & used


def differ(one: Value, other: Value) -> bool:
    """Whether two results of a function have so little in common that who calls it follows them apart."""
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        flags = any(isinstance(a, bool) and isinstance(b, bool) and a != b for a, b in zip(one, other, strict=True))
        return flags or _clash(one, other)
    return _clash(one, other)


def _clash(one: Value, other: Value) -> bool:
    one, other = present(one), present(other)
    match one, other:
        case (Tensor(), Tensor()):
            return None not in (one.rank, other.rank) and one.rank != other.rank
        case (tuple(), tuple()) if has_unknown_length(one) or has_unknown_length(other):
            return False
        case (tuple(), tuple()):
            return len(one) != len(other) or any(_clash(a, b) for a, b in zip(one, other, strict=True))
        case (Tensor(), tuple() | list()) | (tuple() | list(), Tensor()):
            return True
        case (str(), str()):
            return one != other
        case _:
            return False
