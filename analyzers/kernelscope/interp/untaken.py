"""Branches that are not taken on what is given: what they would compute, for who reads them.

A function is interpreted on what its callers and its object's defaults give. Code behind a switch that is off is run
once more afterwards, on an object whose switch is on. What it does leaves no trace but the values of its variables.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from dataclasses import dataclass

from kernelscope.dims import Dim
from kernelscope.interp.expressions import evaluate
from kernelscope.interp.findings import Known
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.limits import OutOfBudget
from kernelscope.interp.symbols import over_sizes
from kernelscope.interp.values import Instance, Maybe, Scope, Value, present
from kernelscope.ops import ShapeError
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape

BRANCH_STEPS = 4_000
REST_STEPS = 16_000
"""The same for a branch with which all that follows in the function is not taken either."""
FUNCTION_BRANCHES = 24
MOST_NAMES = 3
"""A test may be called by a name, and that by another, so often."""
FILE_STEPS = 50_000
"""How far such branches are followed in one file."""
EXPRESSIONS_STEPS = 10_000
"""From there on no more that are one expression: branches of statements bind what is read further on."""


@dataclass(slots=True)
class Untaken:
    """One such branch, with what the names in it mean where it begins."""

    test: t.Expr
    holds: bool
    body: list[t.Stmt]
    names: dict[str, Value]
    known: Known
    with_rest: bool = False
    """Whether what follows in the block belongs to it, because the branch that is taken ends the function."""


def untaken(run: Interpreter, scope: Scope, test: t.Expr, holds: bool, body: list[t.Stmt]) -> Untaken | None:
    """Note the branch of a test that is not taken, if it belongs to the function that is looked at."""
    function = scope.function
    if run.quiet or run.certain or run.trace is not None or function is None or scope.outer is not None:
        return None
    if function.definition.node is not run.contexts.root or len(run.untaken) >= FUNCTION_BRANCHES:
        return None
    run.untaken.append(found := Untaken(test, holds, list(body), dict(scope.names), run.known))
    return found


def untaken_call(run: Interpreter, scope: Scope, test: t.Expr, holds: bool, other: t.Expr) -> None:
    """Note what a test chooses if it comes out otherwise, where that calls something: what is called is given this."""
    if run.spent_aside < EXPRESSIONS_STEPS and any(isinstance(node, t.Call) for node in t.walk(other)):
        untaken(run, scope, test, holds, [t.ExprStmt(other, other.span)])


def follow_untaken(run: Interpreter, scope: Scope) -> None:
    """Run the branches that were not taken, and those inside them."""
    known, frame, names = run.known, run.symbols.frame, scope.names
    before, doubts = len(run.findings), run.doubts
    bound: dict[str, dict[str, Value]] = {}
    """What such branches bind, by their test: one behind the same test may use it."""
    run.aside, run.symbols.frame = True, scope.frame
    run.running.append(scope)
    try:
        while run.untaken and run.spent_aside < FILE_STEPS:
            branch = run.untaken.pop(0)
            if branch.body and not _is_seen(run, branch.body):
                same = bound.setdefault(_text(run, scope, branch), {})
                names_before = {**same, **branch.names}
                _follow(run, scope, branch, names_before)
                same.update({n: v for n, v in scope.names.items() if names_before.get(n) is not v})
    finally:
        run.running.pop()
        run.aside = False
        run.known, run.symbols.frame, scope.names, run.doubts = known, frame, names, doubts
        del run.findings[before:]


def _is_seen(run: Interpreter, body: list[t.Stmt]) -> bool:
    """Whether another way through the function led here."""
    start, end = body[0].span.start, body[-1].span.end
    return any(start <= span.start < end for span in run.seen)


def _text(run: Interpreter, scope: Scope, branch: Untaken) -> str:
    module = run.workspace.modules.module(scope.path)
    return f"{branch.holds} {module.text.slice(branch.test.span)}" if module is not None else ""


def _follow(run: Interpreter, scope: Scope, branch: Untaken, names: dict[str, Value]) -> None:
    from kernelscope.interp.conditions import narrow
    from kernelscope.interp.flow import Returns, execute

    start, mark, calls = run.steps, run.changes.mark(), run.calls
    known_before = set(run.unlikely)
    scope.names, run.known = dict(names), branch.known
    scope.loops.append([])
    run.calls, run.nested = 1, 0
    try:
        with run.budget(REST_STEPS if branch.with_rest else BRANCH_STEPS):
            make_true(run, scope, branch)
            narrow(run, scope, branch.test, branch.holds)
            if not _is_ruled_out(run, scope, branch):
                execute(run, scope, branch.body, Returns(run, scope))
    except (ShapeError, OutOfBudget, RecursionError, ArithmeticError):
        pass
    finally:
        scope.loops.pop()
        run.changes.undo(mark)
        run.calls, run.nested, run.quiet, run.forks, run.contexts.within = calls, 0, 0, 0, 0
        run.spent_aside += run.steps - start
    for span in run.unlikely.keys() - known_before:
        seen = run.unlikely[span]
        seen.value = over_sizes(seen.value, run.known.facts.rewrite)


def _is_ruled_out(run: Interpreter, scope: Scope, branch: Untaken) -> bool:
    """Whether the sizes at hand still say that the branch is not taken: what it computes of them would be wrong."""
    from kernelscope.interp.conditions import condition

    run.quiet += 1
    try:
        if condition(run, scope, branch.test).known is not (not branch.holds):
            return False
        if _calls_another_class(branch):
            return True
        parts = [n for n in _said_in_full(scope, branch.test) if isinstance(n, t.Name | t.Attribute | t.Call)]
        return any(isinstance(present(evaluate(run, scope, part)), Dim | Shape) for part in parts)
    finally:
        run.quiet -= 1


def _calls_another_class(branch: Untaken) -> bool:
    """Whether a branch for a layer of another class calls the one that is there."""
    asked = {t.dotted(layer) for layer in asked_for_class(branch.test)}
    return bool(asked) and any(isinstance(n, t.Call) and t.dotted(n.func) in asked for n in t.walk(*branch.body))


def asked_for_class(test: t.Expr) -> list[t.Expr]:
    """Those of which a test asks whether they are of a class."""
    found: list[t.Expr] = []
    for node in t.walk(test):
        match node:
            case t.Call(func=t.Name(id="isinstance"), args=[asked, _]):
                found.append(asked)
            case _:
                pass
    return found


def _said_in_full(scope: Scope, test: t.Expr) -> list[t.Node]:
    """The nodes of a test, and of what the names in it were bound to before: `is_image = x.ndim == 4`."""
    assert scope.function is not None
    around = scope.function.definition.node
    bound: dict[str, t.Expr] = {}
    for node in t.inside(around) if isinstance(around, t.FunctionDef) else ():
        match node:
            case t.Assign(targets=[t.Name(id=name)], value=value) if node.span.end <= test.span.start:
                bound[name] = value
            case _:
                pass
    nodes = list(t.walk(test))
    for _ in range(MOST_NAMES):
        told = [bound.pop(n.id) for n in nodes if isinstance(n, t.Name) and n.id in bound and _is_test(bound[n.id])]
        nodes += [n for value in told for n in t.walk(value)]
    return nodes


def _is_test(value: t.Expr) -> bool:
    return isinstance(value, t.Compare | t.BoolOp | t.Name) or (isinstance(value, t.UnaryOp) and value.op == "not")


def make_true(run: Interpreter, scope: Scope, branch: Untaken) -> None:
    """Let the test of a branch come out so that the branch is taken, as far as one can tell how."""
    from kernelscope.interp.receivers import variant
    from kernelscope.interp.seeds import seed

    function = scope.function
    assert function is not None
    node = function.definition.node
    assert isinstance(node, t.FunctionDef)
    parameters = {p.name for p in node.args}
    used = {n.id for n in t.walk(branch.test) if isinstance(n, t.Name)}
    absent = [n for n in used & parameters if scope.names.get(n, n) is None]
    if absent:
        alone = Scope(scope.path, function)
        seed(run, function, alone)
        for name in absent:
            value = alone.names.get(name)
            scope.names[name] = value.value if isinstance(value, Maybe) else value
    own = node.args[0].name if function.is_bound and node.args else ""
    receiver = scope.names.get(own)
    if isinstance(receiver, Instance) and (other := variant(run, receiver, own, branch.test)) is not None:
        scope.names[own] = other
