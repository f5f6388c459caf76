"""What a function does, condensed to a few lines: conditions, calls, stores and results, in the source's words.

Logging, docstrings and comments are left out; nothing is reworded, so nothing can be claimed that is not written there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from kernelscope.results import Location
from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.condensing import Condenser, Step
from kernelscope.serving.guards import last_name, own_calls
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import nearly_as_fitting, of_file, ranked, spoken_of, words
from kernelscope.serving.stretches import stretches
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.declarations import is_declared_only
from kernelscope.syntax.python.lower import Scope

Place = TypeVar("Place")
MIN_STATEMENTS = 2
MAX_PLACES = 10
MOST_CONSTANTS = 4
MAX_CONSTANT = 60
_CONSTANT = re.compile(r"\b_*[A-Z][A-Z0-9]*_[A-Z0-9_]*\b")
"""Names of numbers and texts that a file fixes."""
_SENTENCE = re.compile(r"\.\s|\n\s*\n")
ORDERED = {"__lt__", "__gt__", "__le__", "__ge__"}
"""Methods by which elements are put into an order."""
SEVERAL = 3
"""How many calls an `or` holds that tries one after the other."""
AFTERWARDS = {"add_task", "add_done_callback"}
"""Calls that leave something to be done when an answer was given."""
DEVICE_SUFFIXES = {".cu", ".cuh"}
FORWARD = {"forward", "__call__", "call", "setup"}
COMPONENT = "components"
NOWHERE = ""
"""The section of a function whose words fit none: what is claimed of it gives it one."""
BUILT = "topology"
_PARSES = re.compile(r"\.add_argument(?:_group)?\(|\bArgumentParser\(")
"""Declarations of options, which are told as such."""
WORK, SERVED = "units_of_work", "serving.scheduling"
"""Functions about tasks and work, which in a server are requests that wait to be served."""
SAMPLES = {"sample", "sampler", "sampling", "samplers"}
"""Words of what chooses the next token, which is a part of a model though none of its layers."""
SILENT_FOLDERS = {"test", "tests", "unittest", "unittests", "unit_tests", "bench", "benchmark", "benchmarks",
                  "eval", "evals", "evaluation", "example", "examples", "docs", "scripts", "dev", "tools",
                  "experiments", "third_party", "third-party", "3rdparty", "thirdparty", "vendor", "vendored",
                  "external", "extern", "mock", "mocks"}  # fmt: skip
DEMOS = {"demo", "demos"}
"""Folders of demonstrations: what has kernels, or is a part of a package, is more than that."""
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

    @property
    def of_function(self) -> str:
        """The function that it is, or is a stretch of."""
        return self.name.partition(" (")[0]


def procedures(source: PythonSource) -> Iterator[Procedure]:
    """The functions of a Python file that do more than one thing; who has no section by its words may get one yet."""
    if source.aside:
        return
    yield from _script(source)
    yield from _of_functions(source)


@by_function
def _of_functions(source: PythonSource) -> Iterator[Procedure]:
    constants = _constants(source)
    for scope in source.module.functions():
        node = scope.node
        assert isinstance(node, t.FunctionDef)
        if node.name.startswith("__") and node.name not in ("__init__", "__post_init__", "__call__", "__lt__"):
            continue
        if is_declared_only(node):
            continue
        owner = ".".join(scope.path[:-1])
        places = ranked(node.name, owner, source.path.stem)
        steps = Condenser(source).block(node.body)
        if not steps:
            continue
        whole = (*_by_form(node), *spoken_of(f"{_purpose(node)} {' '.join(step.text for step in steps)}"))
        size = sum(len(step.nodes) for step in steps)
        is_forward = node.name in FORWARD and scope.owner is not None
        is_sampling = bool(SAMPLES & {*words(node.name), *words(owner)}) and node.name not in ("__post_init__",)
        is_part = is_forward or is_sampling or (scope.owner is None and len(scope.path) == 1)
        for told in _told(source, scope, steps, constants):
            if is_part:
                name = told.name if scope.owner is None or not is_forward else scope.owner.name
                yield replace(told, name=name, section=COMPONENT, weight=4 if is_forward else 1 if is_sampling else 0)
            if (size >= MIN_STATEMENTS or _is_worked_out(node.body[-1])) and not is_forward:
                weight, section = places[0] if places else (0, NOWHERE)
                said = f"{_purpose(node)} {told.steps}"
                beside = (SERVED,) if section == WORK else ()
                file = of_file(source.path.stem)
                also = _others(section, nearly_as_fitting(places), beside, file, spoken_of(said), whole)
                yield replace(told, section=section, weight=weight, also=also)


def _script(source: PythonSource) -> Iterator[Procedure]:
    """What a file does when it is imported or run, where it decides something then."""
    body = [s for s in source.module.body if not isinstance(s, t.FunctionDef | t.ClassDef | t.Try)]
    body = [s for s in body if not _declares(source, s)]
    if not any(isinstance(s, t.If | t.For | t.While) for s in body):
        return
    steps = [step for step in Condenser(source).block(body) if not _PARSES.search(step.text)]
    nodes = [node for step in steps for node in step.nodes]
    if len(nodes) < MIN_STATEMENTS:
        return
    name, first = f"the file {source.path.name}", source.at(nodes[0])
    for number, (lines, told) in enumerate(stretches(steps)):
        text = "\n".join(lines)
        begin = source.at(told[0]) if number and told else first
        also = spoken_of(text)
        section = also[0] if also else BUILT
        title = f"{name} (from line {begin.line})" if number else name
        places = (begin, *map(source.at, spread(told, MAX_PLACES)))
        yield Procedure(title, section, 1, text, len(told), places, also=also[1:])


def _declares(source: PythonSource, statement: t.Stmt) -> bool:
    """A number or text that gets a name, and a test that only says what is imported: of types, of what is installed."""
    if isinstance(statement, t.Assign | t.AnnAssign):
        return statement.value is None or literal(statement.value) is not None
    if not isinstance(statement, t.If):
        return False
    inner = [*statement.body, *statement.orelse]
    return "TYPE_CHECKING" in source.quote(statement.test) or all(
        isinstance(s, t.Import | t.ImportFrom | t.Pass | t.Try | t.Raise | t.FunctionDef | t.ClassDef) for s in inner
    )


def _by_form(function: t.FunctionDef) -> tuple[str, ...]:
    """The sections that the form of a function tells: what comes first of several, what is done after an answer."""
    match function.body[-1]:
        case t.Return(value=t.BoolOp(op="or", values=values)):
            tried = sum(isinstance(value, t.Call) for value in values)
        case _:
            tried = 0
    if function.name in ORDERED or tried >= SEVERAL:
        return (SERVED,)
    return ("serving.lifecycle",) if any(last_name(c.func) in AFTERWARDS for c in own_calls(function)) else ()


def _is_worked_out(statement: t.Stmt) -> bool:
    """Whether what a function gives back or keeps is worked out there: arithmetic, also for a call, a comparison, the
    least, one of two under a comparison, several by which something is ranked.
    """
    match statement:
        case t.Return(value=t.IfExp(test=t.Compare())) | t.Return(value=t.Tuple(elts=[t.Attribute(), *_])):
            return True
        case t.Assign(targets=[t.Attribute()], value=t.Call(func=t.Name(id="min" | "max"))):
            return True
        case t.Return(value=t.BinOp() | t.Compare() | t.BoolOp()):
            return True
        case t.Return(value=t.Call(func=t.Name(id="min" | "max"))):
            return True
        case t.Return(value=t.Call(args=[t.BinOp(), *_])):
            return True
        case _:
            return False


def _told(source: PythonSource, scope: Scope, steps: list[Step], constants: dict[str, t.Stmt]) -> Iterator[Procedure]:
    """What a function does, in as many stretches as it takes; a further one is named by the line it begins at."""
    assert isinstance(scope.node, t.FunctionDef)
    found = stretches(steps)
    begins = [source.at(nodes[0]) if nodes else source.at(scope.node) for _, nodes in found]
    begins[:1] = [source.at(scope.node)]
    last = source.text.location(source.path, scope.node.span).end_line
    ends = [*(max(at.line - 1, before.line) for before, at in pairwise(begins)), last]
    given = _numbers_given(source, scope.node) if scope.node.name != "__init__" else ""
    for number, ((lines, nodes), begin, end) in enumerate(zip(found, begins, ends, strict=True)):
        text = "\n".join([given, *lines] if given and not number else lines)
        named = [name for name in dict.fromkeys(_CONSTANT.findall(text)) if name in constants][:MOST_CONSTANTS]
        if named:
            text += f"\nwhere {'; '.join(source.quote(constants[name], MAX_CONSTANT) for name in named)}"
        places = map(source.at, spread(nodes, MAX_PLACES - len(named)))
        name = f"{scope.qualified_name} (from line {begin.line})" if number else scope.qualified_name
        evidence = (begin, *places, *(source.at(constants[name]) for name in named))
        yield Procedure(name, NOWHERE, 0, text, len(nodes), evidence, last_line=end)


def _purpose(function: t.FunctionDef) -> str:
    """What a function says of itself in the first sentence of its documentation."""
    said = function.docstring.value if function.docstring is not None else ""
    return _SENTENCE.split(said.strip(), 1)[0] if isinstance(said, str) else ""


def _numbers_given(source: PythonSource, function: t.FunctionDef) -> str:
    """The numbers that a function is given by default."""
    defaults = ((p.name, p.default) for p in function.args if p.default is not None)
    given = [f"{name}={source.quote(value)}" for name, value in defaults if _is_amount(value)]
    return f"by default {', '.join(given)}" if given else ""


def _is_amount(value: t.Expr) -> bool:
    """A number, or what is made of nothing but numbers: `timedelta(minutes=5)`."""
    if isinstance(value, t.Call):
        given = [*value.args, *(k.value for k in value.keywords)]
        return bool(given) and all(type(literal(v)) in (int, float) for v in given)
    return type(literal(value)) in (int, float)


def _constants(source: PythonSource) -> dict[str, t.Stmt]:
    """Where a file gives names in capitals to numbers and texts."""
    found: dict[str, t.Stmt] = {}
    for statement in t.flat(source.module.body):
        match statement:
            case t.Assign(targets=[t.Name(id=name)], value=value) | t.AnnAssign(target=t.Name(id=name), value=value):
                if _CONSTANT.fullmatch(name) and literal(value) is not None:
                    found[name] = statement
            case _:
                pass
    return found


def _others(section: str, *found: tuple[str, ...]) -> tuple[str, ...]:
    """Each section once that is not the one already chosen."""
    return tuple(dict.fromkeys(name for names in found for name in names if name != section))


def is_aside(path: Path) -> bool:
    """Whether a file, by its path below the root, is of tests, benchmarks, examples or other projects, or generated."""
    folders = path.parts[:-1]
    if folders[:2] in SERVERS:
        folders = folders[2:]
    if DEMOS & set(folders) and path.suffix not in DEVICE_SUFFIXES and (folders[0] in DEMOS or path.suffix != ".py"):
        return True
    return bool(SILENT_FOLDERS & set(folders)) or SILENT_NAMES.match(path.stem) is not None


def spread(places: list[Place], count: int) -> list[Place]:
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
