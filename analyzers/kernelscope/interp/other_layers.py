"""Layers that a constructor keeps in the place of another where a switch is set otherwise: what they are given.

`self.norm = RMSNorm(width)` behind a switch that is off by default is made by nobody else, as a rule. What is called in
its place tells what it will be called with; that counts for no more than a call in a branch that is not taken.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kernelscope.interp.expressions import evaluate
from kernelscope.interp.findings import Known
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.limits import OutOfBudget
from kernelscope.interp.values import Arguments, Class, Instance, Keywords, Scope, Value, present
from kernelscope.ops import ShapeError
from kernelscope.syntax.python import tree as t

MOST_OTHERS = 3
"""Layers that are kept in mind of those that one attribute may hold."""
MOST_CALLS = 24
"""Calls of one function that others may get as well."""
CALL_STEPS = 600
"""How far each is followed there: what it is given is what matters."""


@dataclass(frozen=True, slots=True)
class OtherCall:
    """A call that an object would get which another setting puts in the place of the one that is called."""

    layer: Instance
    args: Arguments
    kwargs: Keywords
    known: Known


def keep_others(run: Interpreter, scope: Scope, untaken: Sequence[t.Stmt]) -> None:
    """Keep in mind what a branch of a constructor that is not taken would put into its object."""
    made = _being_made(run, scope)
    if made is None:
        return
    for statement in _statements(untaken):
        match statement:
            case t.Assign(targets=[t.Attribute(value=t.Name(id=name), attr=attr)], value=t.Call() as call):
                if scope.names.get(name) is made:
                    _keep(run, scope, made, attr, call)
            case _:
                pass


def keep_other(run: Interpreter, scope: Scope, target: t.Expr, value: t.Expr, taken: Value) -> None:
    """The same for what a conditional expression does not choose: `self.act = Gelu() if is_wide else Identity()`."""
    if not isinstance(value, t.IfExp) or not isinstance(target, t.Attribute):
        return
    made = _being_made(run, scope)
    if made is None or not isinstance(target.value, t.Name) or scope.names.get(target.value.id) is not made:
        return
    for way in (value.body, value.orelse):
        if isinstance(way, t.Call):
            _keep(run, scope, made, target.attr, way, taken)


def note_others(run: Interpreter, scope: Scope, node: t.Call, args: Arguments, kwargs: Keywords) -> None:
    """Note what the layers that may be in the place of the one that is called would be given."""
    if run.quiet or run.aside or run.certain or run.contexts.within or run.trace is not None:
        return
    if not isinstance(node.func, t.Attribute) or not isinstance(node.func.value, t.Name):
        return
    holder = scope.names.get(node.func.value.id)
    if not isinstance(holder, Instance) or node.func.attr not in holder.others:
        return
    for other in holder.others[node.func.attr]:
        if len(run.other_calls) < MOST_CALLS:
            run.other_calls.append(OtherCall(other, [*args], dict(kwargs), run.known))
            run.contexts.noted += 1


def call_others(run: Interpreter) -> None:
    """Give the other layers what was noted, apart from everything else."""
    from kernelscope.interp.instances import call_instance

    known, doubts, before = run.known, run.doubts, len(run.findings)
    run.aside = True
    try:
        while run.other_calls:
            other = run.other_calls.pop(0)
            mark, calls, start = run.changes.mark(), run.calls, run.steps
            run.known, run.calls, run.nested = other.known, 1, 0
            try:
                with run.budget(CALL_STEPS):
                    call_instance(run, other.layer, other.args, other.kwargs, None)
            except (ShapeError, OutOfBudget, RecursionError, ArithmeticError):
                pass
            finally:
                run.changes.undo(mark)
                run.calls, run.nested, run.quiet, run.forks, run.contexts.within = calls, 0, 0, 0, 0
                run.spent_aside += run.steps - start
    finally:
        run.aside = False
        run.known, run.doubts = known, doubts
        del run.findings[before:]


def _being_made(run: Interpreter, scope: Scope) -> Instance | None:
    """The object whose constructor is running."""
    function = scope.function
    if run.certain or run.trace is not None or function is None or function.definition.name != "__init__":
        return None
    receiver = function.receiver
    return receiver if isinstance(receiver, Instance) and receiver.is_being_made else None


def _statements(body: Sequence[t.Stmt]) -> Iterator[t.Stmt]:
    """The statements of a branch, and of the branches in it."""
    for statement in body:
        if isinstance(statement, t.If):
            yield from _statements(statement.body)
            yield from _statements(statement.orelse)
        else:
            yield statement


def _keep(run: Interpreter, scope: Scope, made: Instance, attr: str, call: t.Call, taken: Value = None) -> None:
    others = made.others.get(attr, ())
    if len(others) >= MOST_OTHERS:
        return
    run.quiet += 1
    known = run.known
    try:
        cls = present(evaluate(run, scope, call.func))
        if not isinstance(cls, Class) or not run.classes.is_module(cls.definition):
            return
        if isinstance(taken, Instance) and taken.cls.node is cls.definition.node:
            return
        layer = evaluate(run, scope, call)
        if isinstance(layer, Instance):
            made.others = {**made.others, attr: (*others, layer)}
    except (ShapeError, ArithmeticError):
        pass
    finally:
        run.quiet -= 1
        run.known = known
