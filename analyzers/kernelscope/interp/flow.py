"""Statements: assignments, branches joined, loops run to a fixpoint of their shapes, returns collected."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from dataclasses import replace

from kernelscope.dims import Facts
from kernelscope.interp.conditions import condition
from kernelscope.interp.expressions import evaluate, index_of
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.joins import Join
from kernelscope.interp.operators import binary
from kernelscope.interp.sequences import Unpacked, any_of, iterated, sequence
from kernelscope.interp.values import Alike, Instance, Scope, Value, present
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Tensor, Unknown

MAX_UNROLLED = 8
ENDED, GOES_ON = True, False


class Returns:
    """The values that a function returned so far, joined."""

    def __init__(self, run: Interpreter, scope: Scope) -> None:
        self.value: Value = None
        self.any = False
        self.facts: Facts | None = None
        """What is known of sizes wherever the function returns."""
        self.join = Join(run.symbols, scope)
        self.name = scope.function.definition.name if scope.function is not None else "result"

    def add(self, value: Value, facts: Facts) -> None:
        self.facts = facts if self.facts is None else self.facts.common(facts)
        self.value = self.join.values(self.name, self.value, value) if self.any else value
        self.any = True


def execute(run: Interpreter, scope: Scope, body: list[t.Stmt], returns: Returns) -> bool:
    """Run a block; True when every way through it returns, raises, breaks or continues."""
    for statement in body:
        run.step()
        if _statement(run, scope, statement, returns):
            return ENDED
    return GOES_ON


def _statement(run: Interpreter, scope: Scope, node: t.Stmt, returns: Returns) -> bool:
    match node:
        case t.Assign():
            value = evaluate(run, scope, node.value)
            for target in node.targets:
                assign(run, scope, target, value)
        case t.AnnAssign():
            if node.value is not None:
                assign(run, scope, node.target, evaluate(run, scope, node.value))
        case t.AugAssign():
            current = evaluate(run, scope, node.target)
            value = binary(run, node.op, current, evaluate(run, scope, node.value), node.span)
            if isinstance(current, list) and isinstance(value, list):
                current[:] = value
            assign(run, scope, node.target, value)
        case t.ExprStmt():
            evaluate(run, scope, node.value)
        case t.Return():
            value = evaluate(run, scope, node.value) if node.value is not None else None
            returns.add(value, run.known.facts)
            return ENDED
        case t.If():
            return _branch(run, scope, node, returns)
        case t.For():
            _for(run, scope, node, returns)
        case t.While():
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
        case t.Raise() | t.Break() | t.Continue():
            return ENDED
        case t.Assert():
            test = condition(run, scope, node.test)
            if test.known is None:
                test.assume(True)
        case t.FunctionDef():
            _define(scope, node)
        case t.Import() | t.ImportFrom():
            _import(run, scope, node)
        case t.Match():
            _match(run, scope, node, returns)
        case _:
            pass
    return GOES_ON


def _define(scope: Scope, node: t.FunctionDef) -> None:
    from kernelscope.interp.values import Function
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
            scope.names[target.id] = value
            run.record(scope.path, target.span, value)
        case t.Tuple() | t.List():
            _unpack(run, scope, target.elts, value, target.span)
        case t.Starred():
            assign(run, scope, target.value, value)
        case t.Attribute():
            holder = evaluate(run, scope, target.value)
            if isinstance(holder, Instance):
                holder.attributes[target.attr] = run.symbols.named(scope, value, f"self.{target.attr}")
            run.record(scope.path, target.attr_span, value)
        case t.Subscript():
            holder = evaluate(run, scope, target.value)
            index = index_of(run, scope, target.slice)
            if isinstance(holder, dict) and isinstance(index, str):
                holder[index] = value
        case _:
            pass


def _unpack(run: Interpreter, scope: Scope, targets: list[t.Expr], value: Value, span: Span) -> None:
    value = present(value)
    if isinstance(value, Tensor) and value.rank:
        parts = iterated(run, value)
        value = parts if isinstance(parts, Alike) else value
    values = sequence(value)
    starred = [i for i, target in enumerate(targets) if isinstance(target, t.Starred)]
    if values is not None and any(isinstance(v, Unpacked) for v in values):
        values = None
    if values is None:
        element = value.element if isinstance(value, Alike) else _part_of(value, span)
        for target in targets:
            assign(run, scope, target, Unknown("some of the values") if isinstance(target, t.Starred) else element)
        return
    if starred and len(values) >= len(targets) - 1:
        first = starred[0]
        after = len(targets) - first - 1
        middle = values[first : len(values) - after]
        values = [*values[:first], middle, *values[len(values) - after :]]
    if len(values) != len(targets):
        values = [Unknown("as many values as names were expected", span)] * len(targets)
    for target, part in zip(targets, values, strict=True):
        assign(run, scope, target, part)


def _part_of(value: Value, span: Span) -> Value:
    return value if isinstance(value, Unknown) else Unknown("a part of something that is not known", span)


# -- branches and loops ----------------------------------------------------------------------------------


def _branch(run: Interpreter, scope: Scope, node: t.If, returns: Returns) -> bool:
    test = condition(run, scope, node.test)
    if test.known is not None:
        return execute(run, scope, node.body if test.known else node.orelse, returns)
    before = dict(scope.names)
    stored = _stored(scope)
    known = test.assume(True)
    first_ended = execute(run, scope, node.body, returns)
    first, first_stored = scope.names, _stored(scope)
    scope.names = dict(before)
    _restore(scope, stored)
    first_known, run.known = run.known, known
    test.assume(False)
    second_ended = execute(run, scope, node.orelse, returns)
    if first_ended and second_ended:
        return ENDED
    if first_ended:
        return GOES_ON
    if second_ended:
        scope.names, run.known = first, first_known
        _restore(scope, first_stored)
        return GOES_ON
    run.known = replace(known, facts=first_known.facts.common(run.known.facts))
    join = Join(run.symbols, scope, test.name)
    scope.names = join.names(first, scope.names)
    _restore(scope, join.names(first_stored, _stored(scope)))
    return GOES_ON


def _stored(scope: Scope) -> dict[str, Value]:
    receiver = scope.names.get("self")
    return dict(receiver.attributes) if isinstance(receiver, Instance) else {}


def _restore(scope: Scope, attributes: dict[str, Value]) -> None:
    receiver = scope.names.get("self")
    if isinstance(receiver, Instance):
        receiver.attributes = dict(attributes)


def _for(run: Interpreter, scope: Scope, node: t.For, returns: Returns) -> None:
    items = iterated(run, evaluate(run, scope, node.iter))
    if isinstance(items, list) and len(items) <= MAX_UNROLLED:
        for item in items:
            assign(run, scope, node.target, item)
            execute(run, scope, node.body, returns)
    else:
        element = items.element if isinstance(items, Alike) else any_of(items)
        for _ in range(2):
            assign(run, scope, node.target, element)
            _once(run, scope, node.body, returns)
    execute(run, scope, node.orelse, returns)


def _loop(run: Interpreter, scope: Scope, body: list[t.Stmt], returns: Returns) -> None:
    for _ in range(2):
        _once(run, scope, body, returns)


def _once(run: Interpreter, scope: Scope, body: list[t.Stmt], returns: Returns) -> None:
    """One more round of a loop that may run any number of times: what it changes is joined with what was."""
    before = dict(scope.names)
    lengths = {name: len(value) for name, value in before.items() if isinstance(value, list)}
    execute(run, scope, body, returns)
    join = Join(run.symbols, scope)
    for name, value in list(scope.names.items()):
        if isinstance(value, list) and name in lengths and len(value) != lengths[name]:
            scope.names[name] = Alike(any_of(value))
        elif name in before and before[name] is not value:
            scope.names[name] = join.values(name, before[name], value)


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
