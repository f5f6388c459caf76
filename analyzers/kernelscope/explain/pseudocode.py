"""Statements and expressions of Python as pseudocode: the mathematics and the control flow, each line linked.

Works on the tree alone. Shapes come from whoever knows them, as a function from a node to a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from pathlib import Path

from kernelscope.explain.document import Line
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.at_once import at_once
from kernelscope.syntax.text import SourceText

MAX_LINE = 92
COMMENT_COLUMN = 52
INDENT = "    "
ShapeOf = Callable[[t.Expr], str]
"""The shape of the value bound at a target, as `[B, S, H]`, or an empty text."""

SILENT_ROOTS = {"logger", "logging", "warnings", "print", "log", "nvtx", "profiler"}
VIEWS = {"contiguous", "clone", "detach", "cuda", "cpu", "requires_grad_", "pin_memory"}
"""Methods that change where or how a tensor lies, not what it is."""
INFIX = {
    "matmul": "@", "bmm": "@", "mm": "@", "mul": "*", "multiply": "*", "add": "+", "sub": "-", "div": "/",
    "__and__": "&", "__or__": "|", "__xor__": "^", "__lshift__": "<<", "__rshift__": ">>",
}  # fmt: skip
NAMESPACES = ("torch.nn.functional.", "nn.functional.", "torch.", "F.", "tl.", "jnp.", "jax.nn.", "np.", "math.")
CASTS = {"float", "half", "bfloat16", "double", "long", "int", "bool"}
COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def parameters(function: t.FunctionDef, writer: CodeWriter) -> str:
    """The parameters of a function but for its receiver, with their defaults."""
    return ", ".join(_parameter(p, writer) for p in function.args if p.name != writer.receiver)


def _parameter(param: t.Param, writer: CodeWriter) -> str:
    star = {"args": "*", "kwargs": "**"}.get(param.kind, "")
    default = f"={writer.expr(param.default)}" if param.default is not None else ""
    return f"{star}{param.name}{default}"


def wrapped(text: str, width: int) -> list[str]:
    """A long line in parts, broken behind commas or between words, else behind a bracket."""
    width = max(width, 40)
    parts: list[str] = []
    while len(text) > width:
        cut = max(text.rfind(", ", 20, width - 1) + 1, text.rfind(" ", 20, width))
        cut = cut if cut > 0 else text.rfind("(", 20, width) + 1
        if cut <= 0:
            break
        parts.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*parts, text]


class CodeWriter:
    """Collects lines; expressions become texts with the namespaces and the receiver taken away."""

    def __init__(self, text: SourceText, path: Path, shape_of: ShapeOf) -> None:
        self.text = text
        self.path = path
        self.shape_of = shape_of
        self.receiver = ""
        self.taken: Set[str] = frozenset()
        """Variables of the function: what the receiver holds under such a name is another thing."""
        self.lines: list[Line] = []

    def line(self, indent: int, text: str, node: t.Node, comment: str = "") -> None:
        span = node.name_span if isinstance(node, t.FunctionDef | t.ClassDef) else node.span
        shown = INDENT * indent + text
        if len(shown) > MAX_LINE:
            shown = shown[: MAX_LINE - 1] + "…"
        if comment:
            has_room = max(COMMENT_COLUMN, len(shown)) + len(f"  # {comment}") <= MAX_LINE
            shown = f"{shown:<{COMMENT_COLUMN if has_room else 0}}  # {comment}"
        self.lines.append(Line(shown, self.text.location(self.path, span)))

    # -- statements --------------------------------------------------------------------------------------

    def block(self, body: list[t.Stmt], indent: int) -> None:
        for statement in body:
            self.statement(statement, indent)

    def statement(self, node: t.Stmt, indent: int) -> None:
        match node:
            case t.Assign():
                targets = " = ".join(self.bare(target) for target in node.targets)
                self.line(indent, f"{targets} = {self.expr(node.value)}", node, self.shapes(node.targets[0]))
            case t.AnnAssign() if node.value is not None:
                text = f"{self.expr(node.target)} = {self.expr(node.value)}"
                self.line(indent, text, node, self.shapes(node.target))
            case t.AugAssign():
                text = f"{self.expr(node.target)} {node.op}= {self.expr(node.value)}"
                self.line(indent, text, node, self.shapes(node.target))
            case t.Return():
                value = f" {self.bare(node.value)}" if node.value is not None else ""
                self.line(indent, f"return{value}", node)
            case t.ExprStmt():
                if not self.silent(node.value):
                    self.line(indent, self.expr(node.value), node)
            case t.If():
                self.branch(node, indent, "if")
            case t.For():
                self.line(indent, f"for {self.bare(node.target)} in {self.expr(node.iter)}:", node)
                self.block(node.body, indent + 1)
            case t.While():
                self.line(indent, f"while {self.expr(node.test)}:", node)
                written = len(self.lines)
                self.block(node.body, indent + 1)
                if len(self.lines) == written:  # it waits
                    self.line(indent + 1, "pass", node)
            case t.With():
                items = ", ".join(self.expr(item.context_expr) for item in node.items)
                self.line(indent, f"with {items}:", node)
                self.block(node.body, indent + 1)
            case t.Try():
                self.block(node.body, indent)
            case t.Raise():
                self.line(indent, f"raise {self.expr(node.exc)}" if node.exc is not None else "raise", node)
            case t.Break():
                self.line(indent, "break", node)
            case t.Continue():
                self.line(indent, "continue", node)
            case t.Match():
                for case in node.cases:
                    text = f"case {self.expr(node.subject)} is {self.expr(case.pattern)}:"
                    self.line(indent, text, case)
                    self.block(case.body, indent + 1)
            case t.FunctionDef() if (run_here := at_once(node, self.text.data)) is not None:
                self.statement(run_here, indent)
            case t.FunctionDef():
                self.line(indent, f"def {node.name}({', '.join(p.name for p in node.args)}):", node)
                self.block(node.body, indent + 1)
            case t.Broken():
                self.line(indent, f"… {node.reason}", node)
            case _:
                pass

    def branch(self, node: t.If, indent: int, word: str) -> None:
        """An `if` with its `elif`s; checks that only raise or log are bookkeeping."""
        while True:
            if self.matters(node.body) or self.matters(node.orelse):
                self.line(indent, f"{word} {self.expr(node.test)}:", node)
                self.block(node.body, indent + 1)
                if not self.matters(node.body):
                    self.line(indent + 1, "…", node)
            rest = node.orelse
            if len(rest) == 1 and isinstance(rest[0], t.If):
                node, word = rest[0], "elif"
                continue
            if self.matters(rest):
                self.line(indent, "else:", rest[0])
                self.block(rest, indent + 1)
            return

    def matters(self, body: list[t.Stmt]) -> bool:
        """Whether a block does something besides raising, logging and passing."""
        return any(
            not isinstance(s, t.Raise | t.Pass | t.Assert | t.Import | t.ImportFrom | t.Delete)
            and not (isinstance(s, t.ExprStmt) and self.silent(s.value))
            for s in body
        )

    def silent(self, value: t.Expr) -> bool:
        if isinstance(value, t.Constant):
            return True
        return isinstance(value, t.Call) and (t.dotted(value.func) or "").partition(".")[0] in SILENT_ROOTS

    def shapes(self, target: t.Expr) -> str:
        if isinstance(target, t.Tuple | t.List):
            found = [self.shape_of(entry) for entry in target.elts]
            return " · ".join(found) if all(found) else ""
        return self.shape_of(target)

    # -- expressions -------------------------------------------------------------------------------------

    def expr(self, node: t.Expr | None) -> str:
        match node:
            case None:
                return ""
            case t.Name():
                return node.id
            case t.Constant():
                return "…" if node.value is ... else repr(node.value)
            case t.Attribute():
                return self.attribute(node)
            case t.Call():
                return self.call(node)
            case t.Subscript():
                return f"{self.owner(node.value)}[{self.index(node.slice)}]"
            case t.Tuple():
                return f"({', '.join(map(self.expr, node.elts))}{',' if len(node.elts) == 1 else ''})"
            case t.List():
                return f"[{', '.join(map(self.expr, node.elts))}]"
            case t.Set():
                return f"{{{', '.join(map(self.expr, node.elts))}}}"
            case t.Dict():
                pairs = zip(node.keys, node.values, strict=True)
                entries = (f"{self.expr(k)}: {self.expr(v)}" if k else f"**{self.expr(v)}" for k, v in pairs)
                return f"{{{', '.join(entries)}}}"
            case t.BinOp():
                return f"{self.operand(node.left, node.op)} {node.op} {self.operand(node.right)}"
            case t.UnaryOp():
                return f"{node.op}{' ' if node.op == 'not' else ''}{self.tight(node.operand)}"
            case t.BoolOp():
                return f" {node.op} ".join(self.tight(value) for value in node.values)
            case t.Compare():
                parts = zip(node.ops, node.comparators, strict=True)
                return self.operand(node.left) + "".join(f" {op} {self.operand(value)}" for op, value in parts)
            case t.IfExp():
                body, test = (self.tight(n) if isinstance(n, t.IfExp) else self.expr(n) for n in (node.body, node.test))
                return f"{body} if {test} else {self.expr(node.orelse)}"
            case t.Starred():
                return f"*{self.expr(node.value)}"
            case t.Slice():
                return self.index(node)
            case t.Lambda():
                return f"({', '.join(p.name for p in node.args)}) -> {self.expr(node.body)}"
            case t.ListComp() | t.SetComp() | t.GeneratorExp():
                return f"[{self.expr(node.elt)}{''.join(self.generators(node.generators))}]"
            case t.DictComp():
                return f"{{{self.expr(node.key)}: {self.expr(node.value)}{''.join(self.generators(node.generators))}}}"
            case t.NamedExpr():
                return f"({node.target.id} := {self.expr(node.value)})"
            case t.Await():
                return self.expr(node.value)
            case t.Yield():
                return f"yield {self.expr(node.value)}"
            case t.Broken():
                return f"… {node.reason}"
            case t.JoinedStr():
                return " ".join(self.text.slice(node.span).split())

    def generators(self, generators: list[t.Comprehension]) -> Iterator[str]:
        for generator in generators:
            yield f" for {self.bare(generator.target)} in {self.expr(generator.iter)}"
            yield from (f" if {self.expr(test)}" for test in generator.ifs)

    def bare(self, node: t.Expr) -> str:
        """A tuple without its parentheses, as targets and results are written."""
        if isinstance(node, t.Tuple) and len(node.elts) > 1:
            return ", ".join(map(self.expr, node.elts))
        return self.expr(node)

    def tight(self, node: t.Expr) -> str:
        """An operand, in parentheses where it binds less than what is around it."""
        text = self.expr(node)
        loose = isinstance(node, t.BinOp | t.BoolOp | t.Compare | t.IfExp | t.Lambda) or (
            isinstance(node, t.Call) and (_operands(node) is not None or _is_cast(node))
        )
        return f"({text})" if loose else text

    def operand(self, node: t.Expr, of: str = "") -> str:
        """An operand of an operator that binds more than `not`, and as a power's base more than a sign."""
        is_loose = isinstance(node, t.UnaryOp) and (node.op == "not" or of == "**")
        return f"({self.expr(node)})" if is_loose else self.tight(node)

    def owner(self, node: t.Expr) -> str:
        """What is indexed, called or asked for an attribute, which binds more than any sign."""
        return f"({self.expr(node)})" if isinstance(node, t.UnaryOp) else self.tight(node)

    def attribute(self, node: t.Attribute) -> str:
        name = t.dotted(node)
        if name is not None:
            if self.receiver and name.startswith(f"{self.receiver}."):
                held = name.removeprefix(f"{self.receiver}.")
                return name if held.partition(".")[0] in self.taken else held
            for namespace in NAMESPACES:
                if name.startswith(namespace):
                    return name.removeprefix(namespace)
            return name
        return f"{self.owner(node.value)}.{node.attr}"

    def infix(self, node: t.Call) -> str | None:
        """`torch.matmul(a, b)` and `a.mul(b)` as operators."""
        found = _operands(node)
        if found is None:
            return None
        operator, left, right = found
        return f"{self.tight(left)} {operator} {self.tight(right)}"

    def cast(self, node: t.Call) -> str | None:
        """`x.to(dtype)` and `x.float()` as `x as dtype`."""
        if not _is_cast(node) or not isinstance(node.func, t.Attribute):
            return None
        inner, method = self.tight(node.func.value), node.func.attr
        if method != "to":
            return f"{inner} as {method}"
        kinds = [*node.args, *(k.value for k in node.keywords if k.arg in ("dtype", "device"))]
        how = [f"{k.arg}={self.expr(k.value)}" for k in node.keywords if k.arg not in ("dtype", "device")]
        kind = ", ".join(map(self.expr, kinds)) + (f" ({', '.join(how)})" if how else "")
        return f"{inner} as {kind}" if kind else inner

    def call(self, node: t.Call) -> str:
        if (text := self.infix(node) or self.cast(node)) is not None:
            return text
        if isinstance(node.func, t.Attribute) and node.func.attr in VIEWS and not node.args:
            return self.expr(node.func.value)
        return f"{self.tight(node.func)}({self.arguments(node)})"

    def arguments(self, node: t.Call) -> str:
        parts = [self.expr(arg) for arg in node.args]
        parts += [f"{k.arg}={self.expr(k.value)}" if k.arg else f"**{self.expr(k.value)}" for k in node.keywords]
        return ", ".join(parts)

    def index(self, node: t.Expr) -> str:
        match node:
            case t.Tuple():
                return ", ".join(self.index(entry) for entry in node.elts)
            case t.Slice():
                step = f":{self.expr(node.step)}" if node.step is not None else ""
                return f"{self.expr(node.lower)}:{self.expr(node.upper)}{step}"
            case _:
                return self.expr(node)


def _operands(node: t.Call) -> tuple[str, t.Expr, t.Expr] | None:
    """The operator that a call stands for, and what it is applied to."""
    if not isinstance(node.func, t.Attribute) or node.keywords:
        return None
    operator = INFIX.get(node.func.attr) or COMPARISONS.get(node.func.attr)
    if operator is None:
        return None
    is_function = (t.dotted(node.func) or "").startswith(NAMESPACES)
    operands = node.args if is_function else [node.func.value, *node.args]
    return (operator, operands[0], operands[1]) if len(operands) == 2 else None


def _is_cast(node: t.Call) -> bool:
    """Whether a call gives its receiver in another type."""
    if not isinstance(node.func, t.Attribute) or (t.dotted(node.func) or "").startswith(NAMESPACES):
        return False
    return node.func.attr == "to" or (node.func.attr in CASTS and not node.args)
