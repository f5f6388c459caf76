"""Statements: assignments, branches joined, loops run to a fixpoint of their shapes, returns collected."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from kernelscope.dims import Dim, Facts
from kernelscope.interp.agreement import OF_SOME_RANK
from kernelscope.interp.annotations import NUMBERS, as_number, promised
from kernelscope.interp.called_after import called, may_count
from kernelscope.interp.circles import apart
from kernelscope.interp.conditions import condition, is_as_made, ranks_asked_for_besides
from kernelscope.interp.expressions import conditional, evaluate
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.joins import Join
from kernelscope.interp.loops import any_number_of_rounds, go_through, is_of_other_length
from kernelscope.interp.operators import binary
from kernelscope.interp.other_layers import keep_other, keep_others
from kernelscope.interp.otherwise import leave_open, name_numbers
from kernelscope.interp.proven_ranks import of_assertion, of_unpacking
from kernelscope.interp.remarks import believe_comment
from kernelscope.interp.several_kinds import of_several_kinds
from kernelscope.interp.sizes_asked import of_targets
from kernelscope.interp.targets import assign
from kernelscope.interp.untaken import untaken
from kernelscope.interp.uses import asked_for_dims
from kernelscope.interp.values import Alike, Function, Instance, Maybe, Scope, Test, Value, as_size, present
from kernelscope.interp.ways import Way, differ, differing, meet, take, with_facts_of
from kernelscope.ops import ShapeError
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.at_once import at_once
from kernelscope.tensor import Shape, Tensor, Unknown
from kernelscope.workspace.modules import Definition

ENDED, GOES_ON = True, False


class Returns:
    """The values that a function returned so far, joined."""

    def __init__(self, run: Interpreter, scope: Scope) -> None:
        self.value: Value = None
        self.any = False
        self.added = 0
        """How many returns were reached."""
        self.outcomes: list[Value] = []
        """Values that have too little in common to be told as one."""
        self.facts: Facts | None = None
        """What is known of sizes wherever the function returns."""
        self.join = Join(run.symbols, scope)
        self.name = scope.function.definition.name if scope.function is not None else "result"
        self.of_ranks = 0
        """Among how many ways for different numbers of dims it is."""
        self.begun: set[Span] | None = None
        """The statements that were begun, if anybody asks."""

    def add(self, value: Value, facts: Facts) -> None:
        self.join.facts = (facts if self.facts is None else self.facts, facts)
        self.facts = facts if self.facts is None else self.facts.common(facts)
        self.value = self.join.values(self.name, self.value, value) if self.any else value
        self.any = True
        self.added += 1
        for index, other in enumerate(self.outcomes):
            if not differ(other, value):
                self.outcomes[index] = self.join.values(self.name, other, value)
                return
        self.outcomes.append(value)


def execute(run: Interpreter, scope: Scope, body: list[t.Stmt], returns: Returns) -> bool:
    """Run a block; True when every way through it returns, raises, breaks or continues."""
    for index, statement in enumerate(body):
        run.step()
        if returns.begun is not None:
            returns.begun.add(statement.span)
        if (either := _either_assignment(statement)) is not None:
            statement = either
        if isinstance(statement, t.If):
            ended, is_done = _branch(run, scope, statement, returns, body[index + 1 :])
            if ended or is_done:
                return ended
        elif isinstance(statement, t.Assign) and isinstance(statement.value, t.Call):
            of_targets(run, scope, statement.targets[0], statement.value)
            value = evaluate(run, scope, statement.value)
            outcomes = _as_taken_apart(statement.targets[0], run.outcomes_of(value) or [])
            rest = body[index + 1 :]
            if len(outcomes) == 1:
                if run.trace is not None:
                    run.trace.turned_out(value, outcomes[0])
                value = outcomes[0]
            if len(outcomes) > 1 and rest and run.may_fork():
                return _apart(run, scope, statement, outcomes, returns, rest)
            _assign_all(run, scope, statement, value, outcomes)
        elif _statement(run, scope, statement, returns):
            return ENDED
    return GOES_ON


def _as_taken_apart(target: t.Expr, outcomes: list[Value]) -> list[Value]:
    """What a call may give where it is bound: with two names on the left, the pairs among it if there are any."""
    if not isinstance(target, t.Tuple) or any(isinstance(part, t.Starred) for part in target.elts):
        return outcomes
    fitting = [o for o in outcomes if isinstance(o, tuple) and len(o) == len(target.elts)]
    return fitting or outcomes


def _as_it_must_be(scope: Scope, name: str, target: t.Tuple, value: Value) -> Value:
    """`y, last = y` where `y` may be a pair: only there is it taken apart."""
    fitting = _as_taken_apart(target, scope.outcomes.get(name, []))
    return fitting[0] if len(fitting) == 1 and not isinstance(present(value), tuple) else value


def _way(
    run: Interpreter,
    scope: Scope,
    returns: Returns,
    body: list[t.Stmt],
    mark: int,
    start: Callable[[], object] = lambda: None,
    is_apart: bool = False,
) -> tuple[Way, bool]:
    """The state behind a block, and whether every way through it ended; objects are put back to what they held."""

    def go() -> bool:
        start()
        return execute(run, scope, body, returns)

    return take(run, scope, mark, go, is_apart)


def _assign_all(
    run: Interpreter, scope: Scope, node: t.Assign, value: Value, outcomes: list[Value] | None = None
) -> None:
    for target in node.targets:
        held = called(run, scope, target, value) if may_count(run, target, node.value) else value
        assign(run, scope, target, held)
        if isinstance(target, t.Name) and outcomes:
            scope.outcomes[target.id] = outcomes
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
            start = partial(_assign_all, run, scope, node, value, outcomes)
            with run.another_time():
                end, ended = _way(run, scope, returns, rest, mark, start, is_apart=True)
            if not ended:
                ways.append(end)
    finally:
        run.forks -= 1
    if not ways:
        return ENDED
    met = ways[0]
    for other in ways[1:]:
        meet(run, scope, met, other, Join(run.symbols, scope), known)
        contents = run.changes.since(mark)
        met = Way(scope.names, run.known, contents, run.changes.undo(mark))
    met.enter(run, scope)
    return GOES_ON


def _statement(run: Interpreter, scope: Scope, node: t.Stmt, returns: Returns) -> bool:
    match node:
        case t.Assign():
            if isinstance(target := node.targets[0], t.Tuple):
                of_unpacking(run, scope, target.elts, node.value)
            of_targets(run, scope, target, node.value)
            if isinstance(node.value, t.IfExp):
                value = conditional(run, scope, node.value, (t.dotted(target) or "").rpartition(".")[2])
                keep_other(run, scope, target, node.value, value)
            else:
                value = evaluate(run, scope, node.value)
            if isinstance(node.value, t.Name) and isinstance(target, t.Tuple):
                value = _as_it_must_be(scope, node.value.id, target, value)
            _assign_all(run, scope, node, value)
        case t.AnnAssign():
            if node.value is not None:
                assign(run, scope, node.target, _declared(run, scope, node, evaluate(run, scope, node.value)))
        case t.AugAssign():
            current = _unrecorded(run, scope, node.target)
            result = binary(run, node.op, current, evaluate(run, scope, node.value), node.span)
            value = _in_place(current, result)
            if run.trace is not None and not run.quiet:
                is_written = isinstance(current, Tensor) and run.tensors() == "torch.Tensor"
                run.trace.replaced(current, run.trace.same(value, result), node.span if is_written else None)
            if isinstance(current, list) and isinstance(value, list):
                run.changes.before(current)
                current[:] = [apart(current, part) for part in value]
            assign(run, scope, node.target, value)
        case t.ExprStmt():
            if run.trace is not None:
                run.trace.effect = node.value.span
            if not _lengthened(run, scope, node.value):
                evaluate(run, scope, node.value)
        case t.Return(value=t.IfExp() as value) if isinstance(value.body, t.Tuple) != isinstance(value.orelse, t.Tuple):
            return _branch(run, scope, _either_return(value, node.span), returns, [])[0]
        case t.Return():
            value = evaluate(run, scope, node.value) if node.value is not None else None
            for outcome in run.outcomes_of(value) or [value]:
                returns.add(_of_some_rank(outcome) if returns.of_ranks else outcome, run.known.facts)
            return ENDED
        case t.For():
            _for(run, scope, node, returns)
        case t.While():
            evaluate(run, scope, node.test)
            with run.loop("loop", node.span):
                any_number_of_rounds(run, scope, lambda: execute(run, scope, node.body, returns))
        case t.With():
            for item in node.items:
                value = evaluate(run, scope, item.context_expr)
                if item.optional_vars is not None:
                    assign(run, scope, item.optional_vars, _entered(run, value, item.context_expr))
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
            of_assertion(run, scope, node.test)
            test = condition(run, scope, node.test)
            if test.known is None:
                test.assume(True)
            elif not test.known and run.strict and _asks_for_dims(node.test):
                raise ShapeError("assert", "an assertion does not hold")
        case t.FunctionDef():
            module = run.workspace.modules.module(scope.path) if node.decorator_list else None
            if module is not None and (run_here := at_once(node, module.text.data)) is not None:
                run.record(scope.path, node.name_span, None)
                return execute(run, scope, [run_here], returns)
            _define(scope, node)
        case t.Import() | t.ImportFrom():
            _import(run, scope, node)
        case t.Match():
            _match(run, scope, node, returns)
        case _:
            pass
    return GOES_ON


def _lengthened(run: Interpreter, scope: Scope, node: t.Expr) -> bool:
    """`values.append(x)` on a list of unknown length: where `x` is unlike its elements, it becomes a list of either."""
    match node:
        case t.Call(func=t.Attribute(value=t.Name(id=name), attr="append"), args=[argument]):
            values = scope.names.get(name)
            if not isinstance(values, Alike):
                return False
            added = evaluate(run, scope, argument)
            count = as_size(values.count)
            element = values.element
            if run.trace is not None:
                run.trace.collected(element, added)
            elif repr(added) != repr(element):
                element = Join(run.symbols, scope).values(name, element, added)
            scope.names[name] = Alike(element, count + 1 if isinstance(count, Dim) else None)
            return True
        case _:
            return False


def _either_return(value: t.IfExp, span: Span) -> t.If:
    """`return x if flag else (x, y)` as a statement: results of different kinds are told apart."""
    return t.If(value.test, [t.Return(value.body, value.body.span)], [t.Return(value.orelse, value.orelse.span)], span)


def _either_assignment(node: t.Stmt) -> t.If | None:
    """`x = x if flag else [*before, x]` as a statement: what goes on with a list of it is told apart."""
    match node:
        case t.Assign(value=t.IfExp(body=t.Name(id=name), orelse=t.List() | t.Tuple() as several) as value):
            pass
        case t.Assign(value=t.IfExp(body=t.List() | t.Tuple() as several, orelse=t.Name(id=name)) as value):
            pass
        case _:
            return None
    if not any(isinstance(part, t.Name) and part.id == name for part in several.elts):
        return None
    ways = [[t.Assign(node.targets, way, node.span)] for way in (value.body, value.orelse)]
    return t.If(value.test, [*ways[0]], [*ways[1]], node.span)


def _of_some_rank(value: Value) -> Value:
    """What one of several ways for different numbers of dims gives: if it is not followed, those of others are not
    its."""
    match value:
        case Unknown():
            return Unknown(OF_SOME_RANK)
        case Tensor(shape=Shape(dims=None, least_rank=0)):
            return value.with_shape(Shape.unknown(OF_SOME_RANK))
        case _:
            return value


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
    """What an attribute holds that starts as None and is declared to be a layer at times; and what is not known and
    declared to be a number, which changes no tensor's shape."""
    if type(value) is Unknown and isinstance(node.annotation, t.Name) and node.annotation.id in NUMBERS:
        return as_number(called(run, scope, node.target, value), node.annotation.id)
    if value is not None or not isinstance(node.target, t.Attribute):
        return value
    layer = promised(run, scope.path, node.annotation)
    return value if layer is None else Maybe(layer, f"self.{node.target.attr}")


def _define(scope: Scope, node: t.FunctionDef) -> None:
    from kernelscope.workspace.modules import Definition

    scope.names[node.name] = Function(Definition(scope.path, node.name, node), closure=scope)


def _import(run: Interpreter, scope: Scope, node: t.Import | t.ImportFrom) -> None:
    from kernelscope.interp.outside_names import external
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


def _branch(run: Interpreter, scope: Scope, node: t.If, returns: Returns, rest: list[t.Stmt]) -> tuple[bool, bool]:
    """Whether every way ended, and whether `rest`, what follows in the block, has been run already.

    Ways that leave values of different kinds are followed apart to the end of the block.
    """
    test = condition(run, scope, node.test)
    if test.known is None:
        test.known = is_as_made(run, scope, node.test, [*node.body], [*node.orelse])
    if test.known is not None:
        start = untaken(run, scope, node.test, not test.known, node.orelse if test.known else node.body)
        keep_others(run, scope, node.orelse if test.known else node.body)
        before, scope.several = scope.several, scope.several | (of_several_kinds(node.test) if test.known else set())
        ended = execute(run, scope, node.body if test.known else node.orelse, returns)
        scope.several = before
        if start is not None and ended:
            start.body += rest
            start.with_rest = bool(rest)
        elif start is not None:
            leave_open(run, scope, start)
        if not ended:
            name_numbers(run, scope, node, test.known)
        return ended, False
    mark, known, since = run.changes.mark(), run.known, len(run.symbols.reasons)
    names, added = scope.names, returns.added
    ranked = {name for part in t.walk(node.test) if isinstance(part, t.Expr) and (name := asked_for_dims(part))}
    returns.of_ranks += bool(ranked)
    with run.where(node.test.span, True):
        first, first_ended = _way(run, scope, returns, node.body, mark, lambda: test.assume(True))
    scope.names, run.known = names, known
    with run.where(node.test.span, False):
        second, second_ended = _way(run, scope, returns, node.orelse, mark, lambda: test.assume(False))
    returns.of_ranks -= bool(ranked) and not (first_ended or second_ended)
    if first_ended or second_ended:
        gone, way = (first, second) if first_ended else (second, first)
        way.enter(run, scope)
        run.learn(with_facts_of(run, scope, way.known.facts, gone, since))
        if first_ended != second_ended and returns.added > added and run.trace is not None:
            with run.where(node.test.span, second_ended):  # what follows a return happens where there is none
                return execute(run, scope, rest, returns), True
        return first_ended and second_ended, False
    asked = Test(scope.path, node.test.span, True)
    join = Join(
        run.symbols,
        scope,
        test.name,
        since=since,
        facts=(first.known.facts, second.known.facts),
        test=asked,
        of_any_rank=ranks_asked_for_besides(node.test),
        ranked=ranked,
    )
    if scope.loops and not node.orelse:
        second.names |= {n: v for n, v in first.names.items() if is_of_other_length(second.names.get(n), v)}
    apart = differing(first.names, second.names, rest) if rest else set[str]()
    if not apart or not run.may_fork():
        meet(run, scope, first, second, join, known)
        return GOES_ON, False
    shared = join.names(first.names, second.names)
    run.forks += 1
    ends: list[Way] = []
    try:
        for way, holds in ((first, True), (second, False)):
            way.names = {**shared, **{name: way.names[name] for name in apart}}
            way.enter(run, scope)
            with run.where(node.test.span, holds), run.another_time():
                end, ended = _way(run, scope, returns, rest, mark, is_apart=True)
            if not ended:
                ends.append(end)
    finally:
        run.forks -= 1
    if len(ends) == 2:
        meet(run, scope, ends[0], ends[1], Join(run.symbols, scope, test.name, since=since, test=asked), known)
    elif ends:
        ends[0].enter(run, scope)
    return not ends, True


def _for(run: Interpreter, scope: Scope, node: t.For, returns: Returns) -> None:
    def go(item: Value) -> bool:
        assign(run, scope, node.target, item)
        return execute(run, scope, node.body, returns)

    values, is_whole = evaluate(run, scope, node.iter), not _may_be_cut_short(node)
    go_through(run, scope, node.span, values, go, is_whole)
    execute(run, scope, node.orelse, returns)


def _may_be_cut_short(node: t.For) -> bool:
    """Whether a round of a loop may end before its body does."""
    return any(isinstance(inner, t.Break | t.Continue | t.Return) for inner in t.walk(*node.body))


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


def _entered(run: Interpreter, manager: Value, place: t.Expr) -> Value:
    """What `with manager as` binds: what a generator yields, and what the manager's own `__enter__` gives."""
    from kernelscope.interp.attributes import attribute
    from kernelscope.interp.calls import call

    if isinstance(manager, Alike):
        return manager.element
    if isinstance(manager, Instance) and isinstance(run.classes.attribute(manager.cls, "__enter__"), Definition):
        return call(run, attribute(run, manager, "__enter__", place.span), [], {}, place.span)
    return manager
