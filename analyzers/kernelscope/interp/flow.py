"""Statements: assignments, branches joined, loops run to a fixpoint of their shapes, returns collected."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass, replace
from functools import partial

from kernelscope.dims import Dim, Facts, dim
from kernelscope.interp import records
from kernelscope.interp.annotations import promised
from kernelscope.interp.changes import Contents
from kernelscope.interp.conditions import condition, is_as_made, known_either_way
from kernelscope.interp.expressions import evaluate, index_of
from kernelscope.interp.interpreter import Interpreter, Known
from kernelscope.interp.joins import Join
from kernelscope.interp.operators import binary
from kernelscope.interp.proven_ranks import of_unpacking
from kernelscope.interp.remarks import believe_comment
from kernelscope.interp.sequences import any_of, iterated, sequence
from kernelscope.interp.untaken import untaken
from kernelscope.interp.values import Alike, Function, Instance, Maybe, Opaque, Scope, Unpacked, Value, present
from kernelscope.ops import Module, ShapeError
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Several, Shape, Tensor, Unknown

MAX_UNROLLED = 8
ENDED, GOES_ON = True, False


class Returns:
    """The values that a function returned so far, joined."""

    def __init__(self, run: Interpreter, scope: Scope) -> None:
        self.value: Value = None
        self.any = False
        self.outcomes: list[Value] = []
        """Values that have too little in common to be told as one."""
        self.facts: Facts | None = None
        """What is known of sizes wherever the function returns."""
        self.join = Join(run.symbols, scope)
        self.name = scope.function.definition.name if scope.function is not None else "result"

    def add(self, value: Value, facts: Facts) -> None:
        self.join.facts = (facts if self.facts is None else self.facts, facts)
        self.facts = facts if self.facts is None else self.facts.common(facts)
        self.value = self.join.values(self.name, self.value, value) if self.any else value
        self.any = True
        for index, other in enumerate(self.outcomes):
            if not _differ(other, value):
                self.outcomes[index] = self.join.values(self.name, other, value)
                return
        self.outcomes.append(value)


def execute(run: Interpreter, scope: Scope, body: list[t.Stmt], returns: Returns) -> bool:
    """Run a block; True when every way through it returns, raises, breaks or continues."""
    for index, statement in enumerate(body):
        run.step()
        if isinstance(statement, t.If):
            ended, is_done = _branch(run, scope, statement, returns, body[index + 1 :])
            if ended or is_done:
                return ended
        elif isinstance(statement, t.Assign) and isinstance(statement.value, t.Call):
            value = evaluate(run, scope, statement.value)
            outcomes = run.outcomes_of(value)
            rest = body[index + 1 :]
            if outcomes and rest and run.may_fork():
                return _apart(run, scope, statement, outcomes, returns, rest)
            _assign_all(run, scope, statement, value)
        elif _statement(run, scope, statement, returns):
            return ENDED
    return GOES_ON


def _assign_all(run: Interpreter, scope: Scope, node: t.Assign, value: Value) -> None:
    for target in node.targets:
        assign(run, scope, target, value)
        if scope.usual and isinstance(target, t.Name):
            follows = isinstance(value, bool | str) and scope.is_usual(node.value)
            (scope.usual.add if follows else scope.usual.discard)(target.id)
    believe_comment(run, scope, node)


def _apart(
    run: Interpreter, scope: Scope, node: t.Assign, outcomes: list[Value], returns: Returns, rest: list[t.Stmt]
) -> bool:
    """Follow what a call may give apart, to the end of the block; whether every way ended."""
    mark, known, names = run.changes.mark(), run.known, scope.names
    run.forks += 1
    ways: list[Way] = []
    try:
        for value in outcomes:
            scope.names, run.known = names, known
            start = partial(_assign_all, run, scope, node, value)
            with run.another_time():
                end, ended = _way(run, scope, returns, rest, mark, start)
            if not ended:
                ways.append(end)
    finally:
        run.forks -= 1
    if not ways:
        return ENDED
    met = ways[0]
    for other in ways[1:]:
        _meet(run, scope, met, other, Join(run.symbols, scope), known)
        contents = run.changes.since(mark)
        met = Way(scope.names, run.known, contents, run.changes.undo(mark))
    met.enter(run, scope)
    return GOES_ON


def _statement(run: Interpreter, scope: Scope, node: t.Stmt, returns: Returns) -> bool:
    match node:
        case t.Assign():
            if isinstance(target := node.targets[0], t.Tuple):
                of_unpacking(run, scope, target.elts, node.value)
            _assign_all(run, scope, node, evaluate(run, scope, node.value))
        case t.AnnAssign():
            if node.value is not None:
                assign(run, scope, node.target, _declared(run, scope, node, evaluate(run, scope, node.value)))
        case t.AugAssign():
            current = _unrecorded(run, scope, node.target)
            value = _in_place(current, binary(run, node.op, current, evaluate(run, scope, node.value), node.span))
            if run.trace is not None and not run.quiet:
                run.trace.replaced(current, value)
            if isinstance(current, list) and isinstance(value, list):
                run.changes.before(current)
                current[:] = value
            assign(run, scope, node.target, value)
        case t.ExprStmt():
            if run.trace is not None:
                run.trace.effect = node.value.span
            evaluate(run, scope, node.value)
        case t.Return():
            value = evaluate(run, scope, node.value) if node.value is not None else None
            for outcome in run.outcomes_of(value) or [value]:
                returns.add(outcome, run.known.facts)
            return ENDED
        case t.For():
            _for(run, scope, node, returns)
        case t.While():
            evaluate(run, scope, node.test)
            with run.loop("loop", node.span):
                _loop(run, scope, node.body, returns)
        case t.With():
            for item in node.items:
                value = evaluate(run, scope, item.context_expr)
                if item.optional_vars is not None:
                    assign(run, scope, item.optional_vars, value)
            return execute(run, scope, node.body, returns)
        case t.Try():
            ended = execute(run, scope, node.body, returns)
            if not ended:
                execute(run, scope, node.orelse, returns)
            execute(run, scope, node.finalbody, returns)
            return ended and bool(node.handlers)
        case t.Raise():
            return ENDED
        case t.Break() | t.Continue():
            if scope.loops:
                scope.loops[-1].append(dict(scope.names))
            return ENDED
        case t.Assert():
            test = condition(run, scope, node.test)
            if test.known is None:
                test.assume(True)
            elif not test.known and run.strict and _asks_for_dims(node.test):
                raise ShapeError("assert", "an assertion does not hold")
        case t.FunctionDef():
            _define(scope, node)
        case t.Import() | t.ImportFrom():
            _import(run, scope, node)
        case t.Match():
            _match(run, scope, node, returns)
        case _:
            pass
    return GOES_ON


def _asks_for_dims(test: t.Expr) -> bool:
    """Whether a test is about the number of dims of a tensor, or their sizes."""
    return any(isinstance(node, t.Attribute) and node.attr in ("shape", "ndim", "dim", "size") for node in t.walk(test))


def _unrecorded(run: Interpreter, scope: Scope, target: t.Expr) -> Value:
    """What a name holds that is about to be bound to something else: its hover is of the latter."""
    known = run.seen.get(target.span)
    before = None if known is None else known.value
    value = evaluate(run, scope, target)
    if known is not None:
        known.value = before
    else:
        run.seen.pop(target.span, None)
    return value


def _in_place(current: Value, value: Value) -> Value:
    """A tensor that an operator changed where it lies keeps its shape, whatever is broadcast to it."""
    if not isinstance(current, Tensor) or not isinstance(value, Tensor) or current.shape.dims is None:
        return value
    if value.shape.dims is None or value.rank != current.rank:
        return value
    sizes = [
        old if isinstance(old, Dim) and isinstance(new, Dim) and new.const is None else new
        for old, new in zip(current.shape.dims, value.shape.dims, strict=True)
    ]
    return value if tuple(sizes) == value.shape.dims else replace(value, shape=Shape(tuple(sizes)))


def _declared(run: Interpreter, scope: Scope, node: t.AnnAssign, value: Value) -> Value:
    """What an attribute holds that starts as None and is declared to be a layer at times."""
    if value is not None or not isinstance(node.target, t.Attribute):
        return value
    layer = promised(run, scope.path, node.annotation)
    return value if layer is None else Maybe(layer, f"self.{node.target.attr}")


def _define(scope: Scope, node: t.FunctionDef) -> None:
    from kernelscope.workspace.modules import Definition

    scope.names[node.name] = Function(Definition(scope.path, node.name, node), closure=scope)


def _import(run: Interpreter, scope: Scope, node: t.Import | t.ImportFrom) -> None:
    from kernelscope.interp.interpreter import external
    from kernelscope.workspace.modules import Definition, External, ModuleRef

    for alias in node.names:
        found = run.workspace.modules.imported(scope.path, node, alias.bound)
        match found:
            case Definition():
                scope.names[alias.bound] = run.module_name(found.path, found.name)
            case External():
                scope.names[alias.bound] = external(found.dotted)
            case ModuleRef():
                scope.names[alias.bound] = found
            case _:
                scope.names[alias.bound] = Unknown(f"{alias.name} is not found", node.span)


# -- targets ---------------------------------------------------------------------------------------------


def assign(run: Interpreter, scope: Scope, target: t.Expr, value: Value) -> None:
    """Bind a value to a name, an attribute of `self`, an element, or the parts of a pattern."""
    match target:
        case t.Name():
            value = run.symbols.named(scope, value, target.id)
            if run.trace is not None:
                run.trace.bound(value, target.id)
            scope.names[target.id] = value
            run.record(scope.path, target.span, value)
        case t.Tuple() | t.List():
            _unpack(run, scope, target.elts, value, target.span)
        case t.Starred():
            assign(run, scope, target.value, value)
        case t.Attribute():
            holder = evaluate(run, scope, target.value)
            if isinstance(holder, Instance):
                setter = run.setter(holder.cls, target.attr)
                if setter is not None:
                    from kernelscope.interp.calls import call_function

                    call_function(run, Function(setter, holder, True), [value], {}, target.span)
                    return
                if holder.is_module and holder.is_ready:
                    run.changes.lasting.held[id(holder.attributes)] = holder.attributes
                run.changes.before(holder.attributes)
                holder.attributes[target.attr] = run.symbols.named(scope, value, f"self.{target.attr}")
            elif isinstance(holder, Module) and target.attr in holder.parameters and isinstance(value, Tensor):
                run.changes.lasting.held[id(holder.parameters)] = holder.parameters
                run.changes.before(holder.parameters)
                holder.parameters[target.attr] = value  # two layers share a weight
            elif isinstance(holder, dict):  # an object without a class of its own
                run.changes.before(holder)
                holder[target.attr] = run.symbols.named(scope, value, target.attr)
            run.record(scope.path, target.attr_span, value)
        case t.Subscript():
            holder = evaluate(run, scope, target.value)
            index = index_of(run, scope, target.slice)
            if isinstance(holder, dict) and isinstance(index, str):
                run.changes.before(holder)
                holder[index] = value
            elif isinstance(holder, list):
                run.changes.before(holder)
                _put(holder, index, value, target.span)
            elif run.trace is not None and not run.quiet:
                run.trace.store(holder, index, value, target.span)
        case _:
            pass


def _put(values: list[Value], index: Value, value: Value, span: Span) -> None:
    """`values[index] = value`: any element may be another one where the index is not known."""
    number = index.const if isinstance(index, Dim) else None
    if number is not None and -len(values) <= number < len(values):
        values[number] = value
    else:
        values[:] = [Unknown("an element", span)] * len(values)


def _unpack(run: Interpreter, scope: Scope, targets: list[t.Expr], value: Value, span: Span) -> None:
    whole = value = present(value)
    if isinstance(value, Tensor) and value.rank:
        parts = iterated(run, value)
        value = parts if isinstance(parts, Alike) else value
    values = records.elements(run, value) if isinstance(value, Instance) else sequence(value)
    starred = [i for i, target in enumerate(targets) if isinstance(target, t.Starred)]
    if values is not None and any(isinstance(v, Unpacked) for v in values):
        values = None
    if values is None:
        if run.symbols.trial is not None and isinstance(value, Tensor | Shape):
            run.symbols.trial.unpacked()
        element = value.element if isinstance(value, Alike | Several) else _part_of(value, span)
        for index, target in enumerate(targets):
            part = Unknown("some of the values") if isinstance(target, t.Starred) else element
            if isinstance(value, Opaque) and starred and not isinstance(target, t.Starred):
                part = value.element(index if index < starred[0] else index - len(targets))
            if run.trace is not None and isinstance(value, Opaque) and isinstance(target, t.Name):
                part = run.trace.source("input", target.id, target.span, replace(part))
            elif run.trace is not None:
                part = run.trace.part(whole, part)
            assign(run, scope, target, part)
        return
    if starred and len(values) >= len(targets) - 1:
        first = starred[0]
        after = len(targets) - first - 1
        middle = values[first : len(values) - after]
        values = [*values[:first], middle, *values[len(values) - after :]]
    if len(values) != len(targets):
        if run.strict:
            raise ShapeError("rank", f"{len(values)} values for {len(targets)} names")
        run.doubts += 1
        values = [Unknown("as many values as names were expected", span)] * len(targets)
    for target, part in zip(targets, values, strict=True):
        assign(run, scope, target, part)


def _part_of(value: Value, span: Span) -> Value:
    return value if isinstance(value, Unknown) else Unknown("a part of something that is not known", span)


# -- branches and loops ----------------------------------------------------------------------------------


def _branch(run: Interpreter, scope: Scope, node: t.If, returns: Returns, rest: list[t.Stmt]) -> tuple[bool, bool]:
    """Whether every way ended, and whether `rest`, what follows in the block, has been run already.

    Ways that leave values of different kinds are followed apart to the end of the block.
    """
    test = condition(run, scope, node.test)
    if test.known is None:
        test.known = is_as_made(run, scope, node.test, [*node.body], [*node.orelse])
    if test.known is not None:
        start = untaken(run, scope, node, not test.known)
        ended = execute(run, scope, node.body if test.known else node.orelse, returns)
        if start is not None and ended:
            start.body += rest
        return ended, False
    mark, known, since = run.changes.mark(), run.known, len(run.symbols.reasons)
    names = scope.names
    with run.where(node.test.span, True):
        first, first_ended = _way(run, scope, returns, node.body, mark, lambda: test.assume(True))
    scope.names, run.known = names, known
    with run.where(node.test.span, False):
        second, second_ended = _way(run, scope, returns, node.orelse, mark, lambda: test.assume(False))
    if first_ended or second_ended:
        gone, way = (first, second) if first_ended else (second, first)
        way.enter(run, scope)
        run.learn(_with_facts_of(run, scope, way.known.facts, gone, since))
        return first_ended and second_ended, False
    join = Join(run.symbols, scope, test.name, since=since, facts=(first.known.facts, second.known.facts))
    apart = _differing(first.names, second.names, rest) if rest else set[str]()
    if not apart or not run.may_fork():
        _meet(run, scope, first, second, join, known)
        return GOES_ON, False
    shared = join.names(first.names, second.names)
    run.forks += 1
    ends: list[Way] = []
    try:
        for way, holds in ((first, True), (second, False)):
            way.names = {**shared, **{name: way.names[name] for name in apart}}
            way.enter(run, scope)
            with run.where(node.test.span, holds), run.another_time():
                end, ended = _way(run, scope, returns, rest, mark)
            if not ended:
                ends.append(end)
    finally:
        run.forks -= 1
    if len(ends) == 2:
        _meet(run, scope, ends[0], ends[1], Join(run.symbols, scope, test.name, since=since), known)
    elif ends:
        ends[0].enter(run, scope)
    return not ends, True


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


def _way(
    run: Interpreter,
    scope: Scope,
    returns: Returns,
    body: list[t.Stmt],
    mark: int,
    start: Callable[[], object] = lambda: None,
) -> tuple[Way, bool]:
    """Run a block, then put objects back to what they held at `mark`; whether every way through it ended."""
    scope.names = dict(scope.names)
    start()
    ended = execute(run, scope, body, returns)
    contents = run.changes.since(mark)
    return Way(scope.names, run.known, contents, run.changes.undo(mark)), ended


def _meet(run: Interpreter, scope: Scope, one: Way, other: Way, join: Join, known: Known) -> None:
    """Go on from what two ways have in common."""
    facts = known_either_way(run, scope, (one.names, one.known.facts), (other.names, other.known.facts))
    join.facts = (one.known.facts, other.known.facts)
    scope.names = join.names(one.names, other.names)
    run.changes.join({**one.before, **other.before}, one.contents, other.contents, join)
    for kept, replaced in join.equal:
        facts = facts.with_equal(kept, replaced)
    if join.since is not None:
        meant = {name for size in join.pairs.values() for name in size.names()}
        for way in (one, other):
            facts = _with_facts_of(run, scope, facts, way, join.since, meant)
    run.known = replace(known, facts=facts)


def _with_facts_of(
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


def _differing(one: dict[str, Value], other: dict[str, Value], rest: list[t.Stmt]) -> set[str]:
    """Names used in `rest` whose values in two ways have nothing in common that a join could keep."""
    found = {n for n in one if n in other and one[n] is not other[n] and _clash(one[n], other[n])}
    if not found:
        return found
    used = {node.id for node in t.walk(*rest) if isinstance(node, t.Name)}
    return found & used


def _differ(one: Value, other: Value) -> bool:
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
        case (tuple(), tuple()):
            return len(one) != len(other) or any(_clash(a, b) for a, b in zip(one, other, strict=True))
        case (Tensor(), tuple() | list()) | (tuple() | list(), Tensor()):
            return True
        case (str(), str()):
            return one != other
        case _:
            return False


def _for(run: Interpreter, scope: Scope, node: t.For, returns: Returns) -> None:
    items = iterated(run, evaluate(run, scope, node.iter))
    if isinstance(items, list) and len(items) <= MAX_UNROLLED:
        with run.loop("loop", node.span, dim(len(items))):
            for item in items:
                with run.another_time():
                    assign(run, scope, node.target, item)
                    with run.loop("round", node.span):
                        _round(run, scope, node.body, returns, Join(run.symbols, scope))
    else:
        element = items.element if isinstance(items, Alike) else any_of(items)
        count = items.count if isinstance(items, Alike) else dim(len(items))
        with run.loop("loop", node.span, count):
            _loop(run, scope, node.body, returns, lambda: assign(run, scope, node.target, element))
    execute(run, scope, node.orelse, returns)


def _loop(
    run: Interpreter, scope: Scope, body: list[t.Stmt], returns: Returns, start: Callable[[], None] = lambda: None
) -> None:
    """A loop that may run any number of times: one round finds what changes, the next sees it as any round does.

    What the first round says of sizes holds at the start only, so it is not kept.
    """
    join = Join(run.symbols, scope)
    known = run.known
    for number in range(2):
        before, mark, findings = dict(scope.names), run.changes.mark(), len(run.findings)
        lengths = {name: len(value) for name, value in before.items() if isinstance(value, list)}
        run.quiet += number == 0
        try:
            start()
            _round(run, scope, body, returns, join)
        finally:
            if number == 0:
                run.quiet -= 1
                run.known = known
                del run.findings[findings:]
        for name, value in list(scope.names.items()):
            if isinstance(value, list) and name in lengths and len(value) != lengths[name]:
                scope.names[name] = Alike(join.any_of(name, value))
            elif name in before and before[name] is not value:
                scope.names[name] = join.values(name, before[name], value)
        contents = run.changes.since(mark)
        run.changes.join(run.changes.undo(mark), {}, contents, join)


def _round(run: Interpreter, scope: Scope, body: list[t.Stmt], returns: Returns, join: Join) -> None:
    """One round of a loop, with the ways that leave it early."""
    scope.loops.append([])
    ended = execute(run, scope, body, returns)
    early = scope.loops.pop()
    if ended and early:
        scope.names = early.pop()
    for names in early:
        scope.names = join.names(scope.names, names)


def _match(run: Interpreter, scope: Scope, node: t.Match, returns: Returns) -> None:
    evaluate(run, scope, node.subject)
    before = dict(scope.names)
    outcomes: list[dict[str, Value]] = [before]
    for case in node.cases:
        scope.names = dict(before)
        if not execute(run, scope, case.body, returns):
            outcomes.append(scope.names)
    merged = outcomes[-1]
    for outcome in outcomes[1:-1]:
        merged = Join(run.symbols, scope).names(merged, outcome)
    scope.names = merged
