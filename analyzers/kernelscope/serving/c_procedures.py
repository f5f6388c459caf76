"""What C++ and CUDA functions do, condensed: launches and calls in order, what kernels read and write, statements.

Quoted from the source; what follows from it is said in `c_algorithms`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.results import Span
from kernelscope.serving.c_functions import CFunction, CSource
from kernelscope.serving.condensing import Step
from kernelscope.serving.procedures import COMPONENT, MAX_PLACES, NOWHERE, Procedure, cut_off, spread
from kernelscope.serving.sections import nearly_as_fitting, of_file, ranked, spoken_of, words
from kernelscope.serving.stretches import MAX_STEPS, stretches
from kernelscope.syntax.python import tree as t

MIN_BODY = 80
MAX_NAMED = 14
MAX_STEP = 400
"""Longest statement, in characters."""
_POINTER = re.compile(r"([^,]*?)\*\s*(?:__restrict__\s*|const\s+|&\s*)*(\w+)\s*$")
_STORE = (
    r"\b{name}\s*\[[^\]=;]*\](?:\s*\[[^\]=;]*\])*\s*[-+*/|&]?=(?!=)|\b\w*(?:st|store|atomic)\w*\s*\(\s*&?\(?{name}\b"
)
_ALIAS = re.compile(r"\b(\w+)\s*=\s*(?:reinterpret_cast<[^>]*>\()?\(?(\w+)\b[^;]{0,80};")
_MARK = re.compile(rb"[{}();\[\]]")
_CODE = re.compile(rb"\S")
_REQUESTS = re.compile(rb"(?i)(?<![a-z])requests?(?![a-z])")
_MATH = {"exp": r"\b__?expf?\b|\bexp2?f?\s*\(", "log": r"\blogf?\s*\(", "tanh": r"\btanhf?\b", "rsqrt": r"\brsqrtf?\b",
         "max": r"\bfmaxf?\b|\bmax\s*\(", "erf": r"\berff?\s*\("}  # fmt: skip


def c_procedures(source: CSource) -> Iterator[Procedure]:
    """The functions of a file that launch, call or compute something, each in its section."""
    if source.aside:
        return
    for function in source.functions:
        if function.end - function.start < MIN_BODY:
            continue
        places = ranked(function.name, source.owner(function), source.path.stem)
        launches, calls = source.launches(function), source.calls(function)
        weight, section = places[0] if places else (0, NOWHERE)
        runs = bool(launches) or function.is_kernel
        if section == NOWHERE and not runs and _is_of_device(source, function):
            continue
        if section.startswith("serving.") and _is_of_device(source, function) and not _serves(source, function):
            section = COMPONENT  # its pages and queues are those of one kernel
        if runs:
            weight, section = weight + 2, COMPONENT
        parts = [_kernel_facts(source, function)] if function.is_kernel else []
        if launches:
            order = " → ".join(dict.fromkeys(steps_of(source, function)))
            parts.append(f"in order: {order}")
        here, last = source.at(function.name_start), source.at(function.end).line
        said = [f"takes {function.parameters}"] if function.parameters else []
        said += parts
        steps = list(_steps(source, function))
        if section == COMPONENT:
            named = [source.at(offset) for _, offset in (launches or calls)]
            evidence = (here, *spread(named, MAX_PLACES))
            text = "\n".join([*said, *cut_off([s.line for s in steps], MAX_STEPS - sum(map(len, parts)))])
            size = len(calls) + 2 * len(launches)
            yield Procedure(function.name, section, weight, text, size, evidence, "cuda", last)
            continue
        fits = (*nearly_as_fitting(places), *of_file(source.path.stem))
        for number, (lines, nodes) in enumerate(stretches(steps)):
            begin = source.at(nodes[0].span.start) if number and nodes else here
            text = "\n".join(lines if number else [*said, *lines])
            title = f"{function.name} (from line {begin.line})" if number else function.name
            evidence = (begin, *spread([source.at(n.span.start) for n in nodes], MAX_PLACES))
            also = tuple(dict.fromkeys(s for s in (*fits, *spoken_of(text)) if s != section))
            yield Procedure(title, section, weight, text, len(nodes), evidence, "cuda", last, also)


def _is_of_device(source: CSource, function: CFunction) -> bool:
    """Whether a function runs on the GPU only, by what stands before its name."""
    start = max(source.code.rfind(mark, 0, function.name_start) for mark in (b";", b"}", b"{"))
    before = source.code[max(start, 0) : function.name_start]
    return b"__device__" in before and b"__host__" not in before


def _serves(source: CSource, function: CFunction) -> bool:
    """Whether what runs on a GPU deals with requests: persistent kernels admit them themselves."""
    return _REQUESTS.search(source.code, function.start, function.end) is not None


def _steps(source: CSource, function: CFunction) -> Iterator[Step]:
    """The statements of a body and the heads of its blocks, each as deep as its braces."""
    depth = nested = 0
    start, end = function.start + 1, function.end - 1
    for mark in _MARK.finditer(source.code, start, end):
        c, at = mark[0], mark.start()
        nested += (c in b"([") - (c in b")]")
        if nested or c not in b"{};":
            continue
        text = source.quote(start, at + (c != b"}"), MAX_STEP)
        if text and text != ";":
            yield Step(text, (_node(source, start, at),), depth)
        start = at + 1
        depth = max(0, depth + (c == b"{") - (c == b"}"))
    if rest := source.quote(start, end, MAX_STEP):
        yield Step(rest, (_node(source, start, end),), depth)


def _node(source: CSource, start: int, end: int) -> t.Node:
    """Where a statement stands, without the space and the comments before it."""
    begin = _CODE.search(source.code, start, end)
    return t.Pass(Span(begin.start() if begin else start, end))


def steps_of(source: CSource, function: CFunction) -> list[str]:
    """Launches and calls of workspace-like functions of a host function, in order."""
    launched = {offset for _, offset in source.launches(function)}
    known = {f.name for f in source.functions}
    steps = [(offset, f"{name}<<<>>>") for name, offset in source.launches(function)]
    for name, offset in source.calls(function):
        if offset not in launched and (name in known or _computes(name)):
            steps.append((offset, name))
    return [name for _, name in sorted(steps)][:MAX_NAMED]


def _computes(name: str) -> bool:
    """Whether a call's name speaks of mathematics on matrices."""
    return bool({"matmul", "gemm", "forward", "backward", "cublas", "cudnn", "attention"} & set(words(name)))


def _kernel_facts(source: CSource, function: CFunction) -> str:
    """Which of its pointers a kernel writes and which it only reads, and the functions of mathematics in it."""
    written, read, uses = effects(source, function)
    parts: list[str] = []
    if written:
        parts.append(f"writes {', '.join(written)}")
    if read:
        parts.append(f"reads {', '.join(read)}")
    if uses:
        parts.append(f"computes {', '.join(uses)}")
    return f"one kernel: {', '.join(parts)}" if parts else "one kernel"


def effects(source: CSource, function: CFunction) -> tuple[list[str], list[str], list[str]]:
    """Pointers that a kernel writes, those that it only reads, and the mathematics that it uses."""
    body = source.quote(function.start, function.end, 1 << 20)
    pointers: list[str] = [m[2] for p in _parameters(function) if (m := _POINTER.match(p))]
    aliases: dict[str, str] = {}
    for match in _ALIAS.finditer(body):
        name, origin = str(match[1]), str(match[2])
        root = aliases.get(origin, origin)
        if root in pointers and name not in pointers:
            aliases[name] = root
    written: dict[str, None] = {}
    for name in (*pointers, *aliases):
        if re.search(_STORE.format(name=re.escape(name)), body):
            written[aliases.get(name, name)] = None
    read = [name for name in pointers if name not in written]
    return list(written), read, [name for name, pattern in _MATH.items() if re.search(pattern, body)]


def _parameters(function: CFunction) -> list[str]:
    return [part.strip() for part in re.split(r",(?![^<(]*[>)])", function.parameters)]
