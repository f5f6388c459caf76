"""The statements of a function as lines to be read: conditions, calls, stores, results and what is done about faults.

Logging, docstrings, comments and arguments that are only kept under their own names are left out; nothing is reworded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kernelscope.serving.claims import PythonSource
from kernelscope.serving.guards import MAX_TEST, branches
from kernelscope.syntax.python import tree as t

MAX_STEP = 150
ONE_LINE = 90
"""Longest branch that is written on the line of its test."""
SILENT = {"logger", "logging", "log", "warnings", "print", "nvtx", "super", "traceback"}


@dataclass(frozen=True, slots=True)
class Step:
    """One line, how deep it lies, and the statements that it tells."""

    text: str
    nodes: tuple[t.Node, ...]
    depth: int = 0

    @property
    def line(self) -> str:
        return "  " * self.depth + self.text


class Condenser:
    """Writes statements as steps, a branch of one statement on the line of its test."""

    def __init__(self, source: PythonSource) -> None:
        self.source = source

    def block(self, body: Sequence[t.Stmt]) -> list[Step]:
        returned = {s.value.id for s in body if isinstance(s, t.Return) and isinstance(s.value, t.Name)}
        return [
            step for statement in body for step in (
                self._made(statement) if isinstance(statement, t.FunctionDef) and statement.name in returned
                else self._steps(statement)
            )
        ]  # fmt: skip

    def _made(self, function: t.FunctionDef) -> list[Step]:
        """A function that is given back: what the one around it makes."""
        head = f"def {function.name}({', '.join(p.name for p in function.args)}):"
        return _under(head, function, self.block(function.body))

    def _steps(self, node: t.Stmt) -> list[Step]:
        quote = self.source.quote
        match node:
            case t.If():
                return self._branches(node)
            case t.For():
                return _under(f"for {quote(node.target)} in {quote(node.iter)}:", node, self.block(node.body))
            case t.While():
                return _under(f"while {self._test(node.test, MAX_TEST)}:", node, self.block(node.body))
            case t.With():
                held = ", ".join(quote(item.context_expr) for item in node.items)
                return _under(f"with {held}:", node, self.block(node.body))
            case t.Try():
                return self._tried(node)
            case t.Return(value=t.BoolOp(op=op, values=values)) if len(quote(node)) > MAX_STEP:
                first, *others = (self._operand(value) for value in values)
                return [Step(f"return {first}", (node,)), *(Step(f"{op} {other}", (node,), 1) for other in others)]
            case t.Match():
                cases = [s for c in node.cases for s in _under(f"case {quote(c.pattern)}:", c, self.block(c.body))]
                return [Step(f"match {quote(node.subject)}:", (node,)), *_indented(cases)]
            case _:
                text = self._text(node)
                return [Step(text, (node,))] if text else []

    def _branches(self, node: t.If) -> list[Step]:
        """A condition with what it leads to; nothing where no branch does more than to log."""
        tests, otherwise = branches(node)
        done = [self.block(branch.body) for branch in tests]
        last = self.block(otherwise)
        found = [_under("else:", otherwise[0], last)] if last else []
        for branch, steps in zip(reversed(tests), reversed(done), strict=True):
            if steps or found:
                word = "if" if branch is node else "elif"
                found.append(_under(f"{word} {self._test(branch.test, MAX_TEST)}:", branch, steps))
        return [step for steps in reversed(found) for step in steps]

    def _tried(self, node: t.Try) -> list[Step]:
        """A body with what is done about its faults, where that is more than to pass them on."""
        handled = [step for handler in node.handlers for step in self._handled(handler)]
        if not handled:
            return self.block([*node.body, *node.orelse, *node.finalbody])
        tried = self.block([*node.body, *node.orelse])
        return [*_under("try:", node, tried), *handled, *self.block(node.finalbody)]

    def _handled(self, handler: t.ExceptHandler) -> list[Step]:
        done = self.block(handler.body)
        if not [step for step in done if step.text != "raise"]:
            return []
        of = f" {self.source.quote(handler.type)}" if handler.type is not None else ""
        return _under(f"except{of}:", handler, done)

    def _operand(self, value: t.Expr) -> str:
        """An operand of `and` or `or`, in brackets where it is one itself."""
        text = self._test(value, MAX_STEP)
        return f"({text})" if isinstance(value, t.BoolOp) else text

    def _test(self, test: t.Expr, longest: int) -> str:
        """A test in the source's words; of a long comparison the left side is cut, not what it is compared with."""
        text = self.source.quote(test, longest)
        if not isinstance(test, t.Compare) or len(test.ops) != 1 or not text.endswith("…"):
            return text
        bound = f" {test.ops[0]} {self.source.quote(test.comparators[0], longest // 2)}"
        return f"{self.source.quote(test.left, longest - len(bound))}{bound}"

    def _text(self, node: t.Stmt) -> str:
        quote = self.source.quote
        match node:
            case t.ExprStmt(value=value):
                return "" if self._is_silent(value) else quote(value, MAX_STEP)
            case t.Pass() | t.Import() | t.ImportFrom() | t.FunctionDef() | t.ClassDef() | t.Global() | t.Nonlocal():
                return ""
            case t.Assign(targets=[target], value=value) if _only_keeps(target, value):
                return ""
            case t.Assert():
                return f"assert {quote(node.test)}"
            case _:
                return quote(node, MAX_STEP)

    def _is_silent(self, value: t.Expr) -> bool:
        match value:
            case t.Constant():
                return True
            case t.Call(func=func):
                return (t.dotted(func) or "").partition(".")[0] in SILENT or "log" in (t.dotted(func) or "").split(".")
            case _:
                return False


def _under(head: str, node: t.Node, steps: list[Step]) -> list[Step]:
    """Steps below their head; a single short one stands on its line."""
    if len(steps) == 1 and len(head) + len(steps[0].text) < ONE_LINE:
        return [Step(f"{head} {steps[0].text}", (node, *steps[0].nodes))]
    return [Step(head, (node,)), *_indented(steps or [Step("pass", ())])]


def _only_keeps(target: t.Expr, value: t.Expr) -> bool:
    """Whether an assignment keeps an argument under its own name: `self.size = size`, also of several."""
    match target, value:
        case t.Attribute(value=t.Name(id="self"), attr=name), t.Name(id=given):
            return name.lstrip("_") == given
        case t.Tuple(elts=targets), t.Tuple(elts=values) if len(targets) == len(values):
            return all(map(_only_keeps, targets, values))
        case _:
            return False


def _indented(steps: list[Step]) -> list[Step]:
    return [replace(step, depth=step.depth + 1) for step in steps]
