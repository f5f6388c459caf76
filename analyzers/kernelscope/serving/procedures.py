"""What a function does, condensed to a few lines: conditions, calls, stores and results, in the source's words.

Logging, docstrings and comments are left out; nothing is reworded, so nothing can be claimed that is not written there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kernelscope.results import Location
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.sections import nearly_as_fitting, ranked, spoken_of, words
from kernelscope.syntax.python import tree as t

MAX_STEPS = 1_300
"""Longest text of one procedure, in characters, without what stands before it."""
MAX_STEP = 150
ONE_LINE = 90
"""Longest branch that is written on the line of its test."""
MIN_STATEMENTS = 2
MAX_PLACES = 10
FORWARD = {"forward", "__call__", "call", "setup"}
COMPONENT = "components"
NOWHERE = ""
"""The section of a function whose words fit none: what is claimed of it gives it one."""
SAMPLES = {"sample", "sampler", "sampling", "samplers"}
"""Words of what chooses the next token, which is a part of a model though none of its layers."""
SILENT = {"logger", "logging", "log", "warnings", "print", "nvtx", "super"}
SILENT_FOLDERS = {"test", "tests", "unittest", "unittests", "unit_tests", "bench", "benchmark", "benchmarks",
                  "example", "examples", "docs", "scripts", "dev", "tools", "experimental", "experiments", "evaluation",
                  "third_party", "third-party", "3rdparty", "thirdparty", "vendor", "vendored", "external",
                  "extern", "mock", "mocks"}  # fmt: skip
SERVERS = (("tools", "server"), ("examples", "server"))
"""Folders at the top that hold the server of a library."""
SILENT_NAMES = re.compile(r"test_|mock_|.*(?:_test|_mock|_pb2|_pb2_grpc|[a-z0-9]Tests?|[a-z0-9]Mock)$")
"""Files of tests, and those that a compiler of interfaces writes."""


@dataclass(frozen=True, slots=True)
class Procedure:
    """One function: its name, the section it belongs to with the strength of that hint, and its steps."""

    name: str
    section: str
    weight: int
    steps: str
    size: int
    evidence: tuple[Location, ...]
    language: str = "python"
    last_line: int = 0
    also: tuple[str, ...] = ()
    """Other sections it belongs to: its name fits them nearly as well, or claims of them are made about it."""


def procedures(source: PythonSource) -> Iterator[Procedure]:
    """The functions of a Python file that do more than one thing; who has no section by its words may get one yet."""
    if source.aside:
        return
    for scope in source.module.functions():
        node = scope.node
        assert isinstance(node, t.FunctionDef)
        if node.name.startswith("__") and node.name not in ("__init__", "__post_init__", "__call__"):
            continue
        if _is_abstract(node):
            continue
        owner = ".".join(scope.path[:-1])
        places = ranked(node.name, owner, source.path.stem)
        writer = Condenser(source)
        text = "\n".join(cut_off(writer.block(node.body), MAX_STEPS))
        if not writer.nodes:
            continue
        is_forward = node.name in FORWARD and scope.owner is not None
        evidence = (source.at(node), *spread([source.at(n) for n in writer.nodes], MAX_PLACES))
        is_sampling = bool(SAMPLES & {*words(node.name), *words(owner)}) and node.name not in ("__post_init__",)
        if is_forward or is_sampling or (scope.owner is None and len(scope.path) == 1):
            name = scope.owner.name if is_forward and scope.owner is not None else scope.qualified_name
            weight = 4 if is_forward else 1 if is_sampling else 0
            yield Procedure(name, COMPONENT, weight, text, len(writer.nodes), evidence)
        if len(writer.nodes) >= MIN_STATEMENTS and not is_forward:
            weight, section = places[0] if places else (0, NOWHERE)
            last = source.text.location(source.path, node.span).end_line
            yield Procedure(
                scope.qualified_name, section, weight, text, len(writer.nodes), evidence,
                last_line=last, also=_others(section, nearly_as_fitting(places), spoken_of(text)) if places else (),
            )  # fmt: skip


def _others(section: str, *found: tuple[str, ...]) -> tuple[str, ...]:
    """Each section once that is not the one already chosen."""
    return tuple(dict.fromkeys(name for names in found for name in names if name != section))


def _is_abstract(function: t.FunctionDef) -> bool:
    """Whether a function leaves to others what it should do."""
    match function.body[-1:]:
        case [t.Raise(exc=t.Name(id="NotImplementedError") | t.Call(func=t.Name(id="NotImplementedError")))]:
            return True
        case _:
            return False


def is_aside(path: Path) -> bool:
    """Whether a file, by its path below the root, is of tests, benchmarks, examples or other projects, or generated."""
    folders = path.parts[:-1]
    if folders[:2] in SERVERS:
        folders = folders[2:]
    return bool(SILENT_FOLDERS & set(folders)) or SILENT_NAMES.match(path.stem) is not None


def spread(places: list[Location], count: int) -> list[Location]:
    """At most `count` places, evenly from first to last."""
    if len(places) <= count:
        return places
    return [places[i * (len(places) - 1) // (count - 1)] for i in range(count)]


def cut_off(lines: list[str], longest: int) -> list[str]:
    """As many lines as fit, and a sign that there were more."""
    size = 0
    for count, line in enumerate(lines):
        size += len(line) + 1
        if size > longest:
            return [*lines[:count], "…"]
    return lines


class Condenser:
    """Writes statements as lines, a branch of one statement on the line of its test; `nodes` are what it wrote."""

    def __init__(self, source: PythonSource) -> None:
        self.source = source
        self.nodes: list[t.Stmt] = []

    def block(self, body: list[t.Stmt]) -> list[str]:
        returned = {s.value.id for s in body if isinstance(s, t.Return) and isinstance(s.value, t.Name)}
        return [
            line for statement in body for line in (
                self._made(statement) if isinstance(statement, t.FunctionDef) and statement.name in returned
                else self._lines(statement)
            )
        ]  # fmt: skip

    def _made(self, function: t.FunctionDef) -> list[str]:
        """A function that is given back: what the one around it makes."""
        self.nodes.append(function)
        return self._under(f"def {function.name}({', '.join(p.name for p in function.args)}):", function.body)

    def _lines(self, node: t.Stmt) -> list[str]:
        quote = self.source.quote
        match node:
            case t.If():
                self.nodes.append(node)
                return [*self._under(f"if {quote(node.test)}:", node.body), *self._otherwise(node.orelse)]
            case t.For():
                self.nodes.append(node)
                return self._under(f"for {quote(node.target)} in {quote(node.iter)}:", node.body)
            case t.While():
                self.nodes.append(node)
                return self._under(f"while {quote(node.test)}:", node.body)
            case t.With():
                return self._under(f"with {', '.join(quote(item.context_expr) for item in node.items)}:", node.body)
            case t.Try():
                return self.block(node.body + node.orelse + node.finalbody)
            case t.Return(value=t.BoolOp(op=op, values=values)) if len(quote(node)) > MAX_STEP:
                self.nodes.append(node)
                first, *others = (self._operand(value) for value in values)
                return [f"return {first}", *(f"  {op} {other}" for other in others)]
            case t.Match():
                cases = [line for c in node.cases for line in self._under(f"case {quote(c.pattern)}:", c.body)]
                return [f"match {quote(node.subject)}:", *_indented(cases)]
            case _:
                text = self._text(node)
                if text:
                    self.nodes.append(node)
                return [text] if text else []

    def _operand(self, value: t.Expr) -> str:
        """An operand of `and` or `or`, in brackets where it is one itself."""
        text = self.source.quote(value, MAX_STEP)
        return f"({text})" if isinstance(value, t.BoolOp) else text

    def _otherwise(self, body: list[t.Stmt]) -> list[str]:
        match body:
            case []:
                return []
            case [t.If() as chained]:
                first, *rest = self._lines(chained)
                return [f"el{first}", *rest]
            case _:
                return self._under("else:", body)

    def _under(self, head: str, body: list[t.Stmt]) -> list[str]:
        lines = self.block(body)
        if len(lines) == 1 and len(head) + len(lines[0]) < ONE_LINE:
            return [f"{head} {lines[0]}"]
        return [head, *_indented(lines or ["pass"])]

    def _text(self, node: t.Stmt) -> str:
        quote = self.source.quote
        match node:
            case t.ExprStmt(value=value):
                return "" if self._is_silent(value) else quote(value, MAX_STEP)
            case t.Pass() | t.Import() | t.ImportFrom() | t.FunctionDef() | t.ClassDef() | t.Global() | t.Nonlocal():
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


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]
