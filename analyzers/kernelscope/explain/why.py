"""How the shape under the cursor came about: each step of its statement, and where its inputs were bound."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from kernelscope.dims.spelling import without_calls
from kernelscope.explain.document import Code, Document, Heading, Line, Paragraph
from kernelscope.explain.tensor_hover import describe
from kernelscope.interp.findings import Seen
from kernelscope.interp.runs import FileRun
from kernelscope.results import Location, Span, Target, UserError
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module, Scope
from kernelscope.tensor import Unknown

MAX_STEPS = 40
MAX_INPUTS = 12
LONGEST = 52
"""Columns of the source that are shown of one step."""
GAP = 2


class Row(NamedTuple):
    """A part of the source, what is known of it, and where it stands."""

    text: str
    shown: str
    place: Location

    def line(self, width: int) -> Line:
        return Line(f"{self.text:<{width}}{self.shown}", self.place)


def why(run: FileRun, module: Module, path: Path, target: Target) -> Document:
    """The derivation of the value that the statement at the target binds. Raises UserError where nothing is bound."""
    offset = target.offset
    scope = module.scope_at(offset) if offset is not None else None
    found = _statement(scope, offset) if scope is not None and offset is not None else None
    if found is None:
        raise UserError("place the cursor on an assignment, a parameter or a return: FILE:LINE")
    statement, value = found
    title = " ".join(module.text.slice(statement.span).split())[:80]
    steps = [row for span in _spans(value) if (row := _step(run, module, path, span)) is not None]
    inputs = [row for name in _names(value) if (row := _bound(run, module, path, scope, name, statement)) is not None]
    steps, inputs = steps[:MAX_STEPS], inputs[:MAX_INPUTS]
    width = max((len(row.text) for row in (*steps, *inputs)), default=0) + GAP
    blocks = [
        Paragraph((Line(title, module.text.location(path, statement.span)),)),
        Heading("Step by step"),
        Code(tuple(row.line(width) for row in steps) or (Line("nothing of it is followed"),)),
    ]
    if inputs:
        blocks += [Heading("Where its inputs were bound"), Code(tuple(row.line(width) for row in inputs))]
    return Document(f"Why: {title}", tuple(blocks), "why", target)


def _statement(scope: Scope | None, offset: int) -> tuple[t.Stmt, t.Expr] | None:
    """The innermost statement at an offset that has a value."""
    if scope is None:
        return None
    held: tuple[t.Stmt, t.Expr] | None = None
    for node in t.walk(*scope.node.body):
        if isinstance(node, t.Assign | t.AugAssign | t.Return | t.ExprStmt | t.AnnAssign):
            value = node.value
            if value is not None and node.span.start <= offset <= node.span.end:
                held = (node, value)
    return held


def _spans(value: t.Expr) -> list[Span]:
    """Parts of an expression in the order in which they are evaluated: inner ones first."""
    kept = t.Call | t.BinOp | t.Subscript | t.Name | t.Attribute
    spans = [n.attr_span if isinstance(n, t.Attribute) else n.span for n in t.walk(value) if isinstance(n, kept)]
    return sorted(dict.fromkeys(spans), key=lambda span: (span.end, -span.start))


def _step(run: FileRun, module: Module, path: Path, span: Span) -> Row | None:
    seen = run.values.get(span)
    if seen is None:
        return None
    text = " ".join(module.text.slice(span).split())
    shown = describe(seen.value)
    if shown is None and isinstance(seen.value, Unknown) and "(" in text:
        shown = f"unknown because {without_calls(seen.value.reason)}"
    if shown is None:
        return None
    return Row(_cut(text), f"{shown}{_mark(seen)}", module.text.location(path, span))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _mark(seen: Seen) -> str:
    if seen.by_name:
        return "  ≈ by the name of an input"
    return "  ≈ by the name of a layer" if seen.by_layer else "  ≈ by the other kinds of a layer" if seen.by_kin else ""


def _names(value: t.Expr) -> list[str]:
    return list(dict.fromkeys(n.id for n in t.walk(value) if isinstance(n, t.Name)))


def _bound(run: FileRun, module: Module, path: Path, scope: Scope | None, name: str, before: t.Stmt) -> Row | None:
    """The last binding of a name before a statement, or its parameter."""
    if scope is None or not isinstance(scope.node, t.FunctionDef):
        return None
    last: Span | None = next((p.name_span for p in scope.node.args if p.name == name and name != "self"), None)
    source = last
    for node in t.walk(*scope.node.body):
        if isinstance(node, t.Assign) and node.span.end <= before.span.start:
            for target in node.targets:
                for found in t.walk(target):
                    if isinstance(found, t.Name) and found.id == name:
                        last, source = found.span, node.span
    seen = run.values.get(last) if last is not None else None
    if last is None or source is None or seen is None:
        return None
    text = _cut(" ".join(module.text.slice(source).split()))
    return Row(text, f"{describe(seen.value) or '?'}{_mark(seen)}", module.text.location(path, source))
