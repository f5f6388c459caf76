"""Every tensor of a file with its shape: one table per function."""

from __future__ import annotations

from pathlib import Path

from kernelscope.explain.document import Block, Document, Heading, Line, Table
from kernelscope.explain.tensor_hover import describe
from kernelscope.interp.runs import FileRun
from kernelscope.results import Span, Target, UserError
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module, Scope
from kernelscope.tensor import Shape, Tensor, Unknown


def shapes(run: FileRun, module: Module, path: Path, target: Target, only: str | None = None) -> Document:
    """Shapes of the names that functions bind; `only` names one function or class."""
    blocks: list[Block] = []
    known = total = 0
    for scope in module.functions():
        if only is not None and only not in (scope.qualified_name, scope.path[0]):
            continue
        rows = _rows(run, module, path, scope)
        if not rows:
            continue
        total += len(rows)
        known += sum("?" not in row[2].text and "..." not in row[2].text for row in rows)
        blocks.append(Heading(scope.qualified_name, location=module.text.location(path, scope.node.name_span)))
        blocks.append(Table(("Line", "Name", "Shape", "Unknown because"), tuple(rows)))
    if not blocks:
        raise UserError(f"{path.name} binds no tensors" + (f" in {only}" if only else ""))
    notes = (f"{known} of {total} tensors are known in every dim",)
    return Document(f"Shapes in {path.name}", tuple(blocks), "shapes", target, notes)


def _rows(run: FileRun, module: Module, path: Path, scope: Scope) -> list[tuple[Line, ...]]:
    assert isinstance(scope.node, t.FunctionDef)
    spans: list[Span] = [param.name_span for param in scope.node.args]
    for node in t.walk(*scope.node.body):
        if isinstance(node, t.Assign):
            spans += [n.span for target in node.targets for n in t.walk(target) if isinstance(n, t.Name)]
    named = (n for n in t.walk(*scope.node.body) if isinstance(n, t.Name | t.Attribute))
    order = tuple(dict.fromkeys(t.dotted(n) or "" for n in named))
    rows: list[tuple[Line, ...]] = []
    for span in dict.fromkeys(spans):
        seen = run.values.get(span)
        if seen is None or not isinstance(seen.value, Tensor):
            continue
        where = module.text.location(path, span)
        text = (describe(seen.value, order) or "").removeprefix("Tensor")
        rows.append((Line(str(where.line), where), Line(module.text.slice(span)), Line(text), Line(reason(seen.value))))
    return rows


def reason(value: Tensor) -> str:
    """Why a shape is not fully known, or an empty text."""
    shape: Shape = value.shape
    if shape.tail is not None and shape.reason:
        return shape.reason
    return next((s.reason for s in (*shape.head, *(shape.tail or ())) if isinstance(s, Unknown)), "")
