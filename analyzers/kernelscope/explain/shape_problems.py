"""Certain shape errors of a file as problems: what contradicts what, and where each operand and layer comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from kernelscope.dims.spelling import without_calls
from kernelscope.explain.tensor_hover import describe
from kernelscope.interp.contradictions import Contradiction, contradictions
from kernelscope.interp.findings import Seen
from kernelscope.problems import Problem
from kernelscope.results import Evidence, Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module
from kernelscope.workspace.workspace import Workspace

CODES = {
    "shape": "shape-mismatch", "broadcast": "shape-mismatch", "rank": "rank-mismatch", "view": "impossible-view",
    "split": "shape-mismatch", "pattern": "rank-mismatch", "permute": "bad-argument",
    "documentation": "comment-contradicts-shape",
}  # fmt: skip
"""Contradictions of the operator table by what they are reported as."""
MAX_OPERANDS = 6


def shape_problems(workspace: Workspace, path: Path) -> Iterator[Problem]:
    """What cannot run whatever it is given, in source order."""
    module = workspace.modules.module(str(path))
    if module is None:
        return
    for found in contradictions(workspace, str(path)):
        error, span = found.finding.error, found.finding.span
        if error.code == "dtype":
            continue  # what kind of numbers a tensor holds may be changed where nobody follows
        operands = list(_operands(found, module, path))
        said = "; ".join(operand.text for operand in operands)
        message = f"{error.message}: {said}" if said else error.message
        yield Problem(CODES.get(error.code, "bad-argument"), without_calls(message), span, tuple(operands))


def _operands(found: Contradiction, module: Module, path: Path) -> Iterator[Evidence]:
    """Where the names in a contradictory expression were bound and its layers made, with what they are."""
    expression = next((n for n in t.walk(*found.function.body) if n.span == found.finding.span), None)
    if expression is None:
        return
    names = dict.fromkeys(_spoken(node) for node in t.walk(expression))
    bound = _bindings(found, expression.span)
    for name in [n for n in names if n in bound][:MAX_OPERANDS]:
        source, shown = bound[name]
        where = module.text.location(path, source)
        shown = without_calls(shown)
        if shown != f"int = {name}":
            yield Evidence(where, f"{name} is {shown} (line {where.line})")


def _spoken(node: t.Node) -> str:
    """`x` or `self.layer`."""
    return t.dotted(node) or "" if isinstance(node, t.Name | t.Attribute) else ""


def _bindings(found: Contradiction, before: Span) -> Mapping[str, tuple[Span, str]]:
    """For each name that is bound before a place: where, and what it is; for attributes what the constructor made."""
    bound: dict[str, tuple[Span, str]] = {}
    own = found.function.args[:1] if found.layers else []
    for param in found.function.args[len(own) :]:
        shown = _shown(found.seen, param.name_span)
        if shown is not None:
            bound[param.name] = (param.name_span, shown)
    for node in t.walk(*found.function.body):
        if isinstance(node, t.Assign) and node.span.end <= before.start:
            for target in node.targets:
                for name in t.walk(target):
                    shown = _shown(found.seen, name.span) if isinstance(name, t.Name) else None
                    if isinstance(name, t.Name) and shown is not None:
                        bound[name.id] = (node.span, shown)
    for name, (layer, source) in found.layers.items():
        bound[name] = (source, describe(layer) or "made so")
    return bound


def _shown(seen: Mapping[Span, Seen], span: Span) -> str | None:
    return describe(seen[span].value) if span in seen else None
