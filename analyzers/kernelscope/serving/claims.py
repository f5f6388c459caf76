"""A claim: one thing said about a system, with the lines that show it.

Claims are plain data; what they mean and where they stand in a report is decided by who makes and who collects them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernelscope.results import Location, Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module
from kernelscope.syntax.text import SourceText

MAX_SOURCE = 200
"""Longest piece of source, in characters, that a claim quotes."""


@dataclass(frozen=True, slots=True)
class Claim:
    """`name` says what about, `value` what; `detail` is prose, `condition` when it holds.

    `confidence`: literal (written there), derived (follows by rule) or heuristic (says so to the reader).
    """

    name: str
    value: str
    evidence: tuple[Location, ...]
    detail: str = ""
    condition: str = ""
    confidence: str = "derived"

    @property
    def text(self) -> str:
        """Name and value as one sentence, without saying twice what both begin with."""
        subject, _, about = self.name.partition(" ")
        if about and self.value.startswith(f"{subject} ") and f" {about}" in self.value:
            return self.value
        value = self.value.removeprefix(f"{about}: ") if about else self.value
        return f"{self.name}: {value}"


@dataclass(frozen=True, slots=True)
class PythonSource:
    """A lowered module with the path that its claims cite."""

    path: Path
    module: Module
    aside: bool = False
    """Whether the file belongs to tests, benchmarks, examples or experiments."""

    @property
    def text(self) -> SourceText:
        return self.module.text

    def at(self, node: t.Node) -> Location:
        """Where a node stands; definitions by their name."""
        span = node.name_span if isinstance(node, t.FunctionDef | t.ClassDef) else node.span
        return self.text.location(self.path, span)

    def quote(self, node: t.Node, longest: int = MAX_SOURCE) -> str:
        """The source of a node on one line, without comments in it, cut at `longest` characters."""
        text = self.text.slice(node.span)
        if "#" in text and "\n" in text:
            text = self._without_comments(node)
        text = " ".join(text.replace("\\\n", "\n").split())
        return text if len(text) <= longest else text[: longest - 1] + "…"

    def _without_comments(self, node: t.Node) -> str:
        comments, parts, start = self.module.comments, list[str](), node.span.start
        first = self.text.location(self.path, node.span).line
        for line in range(first, first + self.text.slice(node.span).count("\n") + 1):
            comment = comments.get(line)
            if comment is not None and start <= comment.span.start < node.span.end:
                parts.append(self.text.slice(Span(start, comment.span.start)))
                start = comment.span.end
        return " ".join([*parts, self.text.slice(Span(start, max(start, node.span.end)))])


Literal = str | int | float | bool | None | list[Any]
"""What a literal expression evaluates to; None also for what is no literal. Lists hold literals."""


def literal(node: t.Expr | None) -> Literal:
    """The value of a literal expression (numbers, strings, lists of them, simple arithmetic), else None."""
    match node:
        case t.Constant(value=value):
            return value if isinstance(value, str | int | float) else None
        case t.List() | t.Tuple():
            values = [literal(e) for e in node.elts]
            return None if any(v is None for v in values) else values
        case t.BinOp(left=left, op=op, right=right):
            return _arithmetic(literal(left), op, literal(right))
        case t.UnaryOp(op="-", operand=operand):
            value = literal(operand)
            return -value if isinstance(value, int | float) else None
        case _:
            return None


def _arithmetic(left: Literal, op: str, right: Literal) -> Literal:
    if not isinstance(left, int | float) or not isinstance(right, int | float):
        return None
    if op in ("**", "<<"):
        if not isinstance(left, int) or not isinstance(right, int) or abs(left) > 1 << 16 or not 0 <= right <= 64:
            return None
        return left * 2**right if op == "<<" else left**right
    if op in ("/", "//", "%") and right == 0:
        return None
    match op:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left / right
        case "//":
            return left // right
        case "%":
            return left % right
        case _:
            return None
