"""Contradictions between shapes that hold whatever callers give and switches are: those that are reported.

Each function is run by itself once more, with nothing believed but the code: no names, no documentation, no callers,
no defaults of switches. What stands in a branch, a loop or behind an early end may not run, and is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kernelscope.faults import part
from kernelscope.interp.calls import run_body
from kernelscope.interp.findings import Finding, Seen
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.limits import OutOfBudget
from kernelscope.interp.order import works_on_tensors
from kernelscope.interp.receivers import alone
from kernelscope.interp.seeds import Beliefs, seed
from kernelscope.interp.untrue_comments import untrue_comments
from kernelscope.interp.values import Scope, Value
from kernelscope.ops import ShapeError
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.blocks import expects_errors, may_end
from kernelscope.syntax.python.lower import Scope as SourceScope
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.workspace import Workspace

FUNCTION_STEPS = 2_500
FILE_STEPS = 20_000
"""Functions behind these are not checked: a file of models that is larger has been checked in its parts."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """One certain contradiction, with what is known around it."""

    finding: Finding
    function: t.FunctionDef
    seen: Mapping[Span, Seen]
    layers: Mapping[str, tuple[Value, Span]]
    """What is stored in the function's object, as the function calls it: `self.up`; and where it is stored."""


def contradictions(workspace: Workspace, path: str) -> list[Contradiction]:
    """The certain contradictions of one file, in source order. Never raises."""
    with workspace.modules.steady():
        module = workspace.modules.module(path)
        if module is None or not any(library in module.text.data for library in (b"torch", b"jax")):
            return []
        run = Interpreter(workspace, certain=True)
        run.contexts.path = path
        found: dict[Span, Contradiction] = {}
        for scope in module.functions():
            if len(scope.path) <= 2 and run.steps < FILE_STEPS and works_on_tensors(scope):
                with part(f"shape errors of {scope.qualified_name} in {path}", []):
                    found |= {one.finding.span: one for one in _of_function(run, path, scope)}
        return [found[span] for span in sorted(found, key=lambda span: span.start)]


def _of_function(run: Interpreter, path: str, scope: SourceScope) -> list[Contradiction]:
    node = scope.node
    assert isinstance(node, t.FunctionDef)
    owner = Definition(path, scope.owner.name, scope.owner) if scope.owner is not None else None
    run.start(FUNCTION_STEPS)
    run.findings, run.seen = [], {}
    run.contexts.root, run.root_frame = node, 0
    try:
        function = alone(run, Definition(path, node.name, node, owner))
        frame = Scope(path, function)
        seed(run, function, frame, Beliefs(by_name=False, only_code=True))
        run_body(run, frame, node)
    except (OutOfBudget, RecursionError, ArithmeticError, ShapeError):
        pass  # what was found until then holds
    found = [finding for finding in run.findings if finding.path == path]
    module = run.workspace.modules.module(path)
    always = _always_run(node) if found or (module is not None and module.comments) or node.docstring else set[Span]()
    found = [finding for finding in found if finding.span in always]
    known = {finding.span for finding in found}
    if module is not None:
        found += [f for f in untrue_comments(module, path, node, run.seen, always) if f.span not in known]
    layers = _layers(run, path, node, owner) if found else {}
    return [Contradiction(finding, node, run.seen, layers) for finding in found]


def _layers(
    run: Interpreter, path: str, node: t.FunctionDef, owner: Definition | None
) -> dict[str, tuple[Value, Span]]:
    """What the constructor stores in the object, where its own file does so."""
    receiver = run.receivers.get(owner.node) if owner is not None else None
    if receiver is None or owner is None or not node.args:
        return {}
    found: dict[str, tuple[Value, Span]] = {}
    for name, value in receiver.attributes.items():
        for stored in run.workspace.classes.stored(owner, name):
            if stored.method.path == path:
                found[f"{node.args[0].name}.{name}"] = (value, stored.statement.span)
    return found


def _always_run(node: t.FunctionDef) -> set[Span]:
    """The calls and operators that every call of a function comes to."""
    found: set[Span] = set()
    pending = list(reversed(node.body))
    while pending:
        statement = pending.pop()
        match statement:
            case t.With():
                if not any(expects_errors(item.context_expr) for item in statement.items):
                    pending += reversed(statement.body)
            case t.Assign() | t.AnnAssign() | t.AugAssign() | t.ExprStmt() | t.Return():
                found |= _evaluated(statement)
            case _ if may_end(statement):
                return found
            case _:
                pass
    return found


def _evaluated(statement: t.Stmt) -> set[Span]:
    """Parts of a statement that are evaluated for certain."""
    found = {statement.span}
    pending: list[t.Node] = [statement]
    while pending:
        node = pending.pop()
        if isinstance(node, t.Call | t.BinOp | t.Subscript):
            found.add(node.span)
        match node:
            case t.Lambda() | t.ListComp() | t.SetComp() | t.DictComp() | t.GeneratorExp():
                continue
            case t.IfExp():
                pending.append(node.test)
            case t.BoolOp():
                pending.append(node.values[0])
            case _:
                pending += t.children(node)
    return found
