"""Every tensor of a file with its shape: one table per function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from kernelscope.explain.document import Block, Document, Heading, Line, Table
from kernelscope.explain.numbers import in_numbers
from kernelscope.explain.tensor_hover import (
    BY_KIN,
    BY_LAYER,
    BY_NAME,
    UNTAKEN,
    bound_in,
    describe,
    names_in_order,
    reason,
)
from kernelscope.interp.findings import Seen
from kernelscope.interp.runs import FileRun
from kernelscope.results import Span, Target, UserError
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module, Scope
from kernelscope.tensor import Tensor


def shapes(run: FileRun, module: Module, path: Path, target: Target, bindings: Mapping[str, int]) -> Document:
    """Shapes of the names that functions bind, of one function or class where the target names it.

    Sizes that are bound stand in a column of their own, as numbers.
    """
    only = target.symbol
    blocks: list[Block] = []
    known = total = 0
    aside, guessed, kept, alike = list[str](), list[str](), list[str](), list[str]()
    header = ["Line", "Name", "Shape", *(["With sizes"] if bindings else []), "Unknown because"]
    for scope in module.functions():
        if only is not None and only not in (scope.qualified_name, scope.path[0]):
            continue
        rows = _rows(run, module, path, scope, bindings)
        if not rows:
            continue
        total += len(rows)
        aside += _lines(run, module, scope, lambda seen: seen.untaken)
        guessed += _lines(run, module, scope, lambda seen: seen.by_name)
        kept += _lines(run, module, scope, lambda seen: seen.by_layer)
        alike += _lines(run, module, scope, lambda seen: seen.by_kin)
        known += sum("?" not in row[2].text and "..." not in row[2].text for row in rows)
        blocks.append(Heading(scope.qualified_name, location=module.text.location(path, scope.node.name_span)))
        blocks.append(_table(header, rows))
    if not blocks:
        raise UserError(f"{path.name} binds no tensors" + (f" in {only}" if only else ""))
    notes = [f"{known} of {total} tensors are known in every dim"]
    notes += [
        f"line{'s' * (len(at) > 1)} {', '.join(at)}: {said}"
        for at, said in ((aside, UNTAKEN), (guessed, BY_NAME), (kept, BY_LAYER), (alike, BY_KIN))
        if at
    ]
    return Document(f"Shapes in {path.name}", tuple(blocks), "shapes", target, tuple(notes))


def _table(header: list[str], rows: list[tuple[Line, ...]]) -> Table:
    """The rows, without the reasons where all is known."""
    if any(row[-1].text for row in rows):
        return Table(tuple(header), tuple(rows))
    return Table(tuple(header[:-1]), tuple(row[:-1] for row in rows))


def _rows(
    run: FileRun, module: Module, path: Path, scope: Scope, bindings: Mapping[str, int]
) -> list[tuple[Line, ...]]:
    order = names_in_order(module, scope.node.name_span.start)
    rows: list[tuple[Line, ...]] = []
    for span, seen in _tensors(run, scope):
        where = module.text.location(path, span)
        text = (describe(seen.value, order) or "").removeprefix("Tensor")
        row = [Line(str(where.line), where), Line(module.text.slice(span)), Line(text)]
        if bindings:
            row.append(Line(in_numbers(seen.value, bindings, order) or ""))
        rows.append((*row, Line(reason(seen.value.shape))))
    return rows


def _tensors(run: FileRun, scope: Scope) -> Iterator[tuple[Span, Seen]]:
    """The tensors that a function binds to names."""
    assert isinstance(scope.node, t.FunctionDef)
    for span in dict.fromkeys(bound_in(scope.node)):
        seen = run.values.get(span)
        if seen is not None and isinstance(seen.value, Tensor):
            yield span, seen


def _lines(run: FileRun, module: Module, scope: Scope, are_meant: Callable[[Seen], bool]) -> list[str]:
    """The lines of a function that bind certain tensors."""
    lines = [module.text.line_of(span.start) for span, seen in _tensors(run, scope) if are_meant(seen)]
    return [str(line) for line in dict.fromkeys(lines)]
