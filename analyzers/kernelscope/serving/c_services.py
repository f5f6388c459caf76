"""What a C++ program runs beside its main thread and shows to others: threads, HTTP routes, metrics.

By the calls that do it: of `std::thread`, of a server's methods that take a path and what serves it, and in the form of
the Prometheus client, also by macros that name a metric's kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.serving.c_functions import CSource, matching
from kernelscope.serving.metrics import Metric
from kernelscope.serving.processes import Started
from kernelscope.serving.routes import Route
from kernelscope.serving.sections import words

LONGEST_BODY = 4_000
"""How far the end of what a thread runs is looked for, in bytes."""
MOST_CALLS = 2
LONGEST_TARGET = 120
"""How far before a metric what keeps it is looked for, in bytes."""
_THREAD = re.compile(
    rb"(?:\bstd::j?thread\s*(?:\w+\s*)?|\bmake_(?:unique|shared)\s*<\s*std::j?thread\s*>\s*"
    rb"|\b\w*[tT]hreads?_?\s*\.\s*(?:emplace_back|push_back)\s*)\("
)
_MEMBER = re.compile(r"(?<!&)&(?!&)\s*(\w+(?:::\w+)+)")
_CALL = re.compile(rb"\b((?:\w+(?:\.|->|::))*\w+)\s*\(")
_ROUTE = re.compile(
    rb"\b(\w+)\s*(?:\.|->)\s*(\w+)\s*\(\s*(?:\"(GET|POST|PUT|DELETE|PATCH)\"\s*,\s*)?\"(/[^\"\n]*)\"\s*,\s*(?=[\[&A-Za-z_])"
)
_MAPPED = re.compile(rb"\"\s*(/?[\w.\-]+(?:/[\w.\-*{}]+)*)\s*=>\s*([A-Za-z_]\w*)\s*,?\s*\"")
_REGISTERS = re.compile(
    r"(?i)^(?:(?P<verb>get|post|put|delete|patch)|(?:register|add|set|on)?_?(?:route|uri|handler|handle|endpoint))$"
)
_METRIC = re.compile(
    rb"\b([A-Z][A-Z0-9_]*?(?:COUNTER|GAUGE|HISTOGRAM|SUMMARY)[A-Z0-9_]*)\s*\(\s*\"?(\w+)\"?\s*,\s*((?:\"[^\"\n]*\"\s*)+)"
)
_BUILT = re.compile(
    rb"\bBuild(Counter|Gauge|Histogram|Summary)\s*\(\s*\)\s*\.\s*Name\s*\(([^\"\n;]{0,80}\"[^\"\n]+\"|[^\"\n;)]{1,80})\s*\)"
    rb"(?:\s*\.\s*Help\s*\(\s*((?:\"[^\"\n]*\"\s*)+)\))?"
)
_KEPT_AS = re.compile(rb"(\w+)\s*=\s*&?\s*(?:\w+::)*\Z")
"""What a family of metrics is kept as."""
_LABEL = re.compile(r'\{\s*"(\w+)"\s*,')
_KIND = re.compile(r"counter|gauge|histogram|summary", re.IGNORECASE)
_TEXT = re.compile(r'"([^"]*)"')
PASSED_OVER = {"lock", "guard", "load", "store", "log", "check", "now", "set", "to", "milliseconds", "seconds", "move",
               "to_string"}  # fmt: skip
"""Words of calls that say nothing of what a thread is for."""

NO_CALLS = {"if", "while", "for", "switch", "return", "sizeof", "catch", "int", "float", "double", "long", "unsigned",
            "bool", "char", "short"}  # fmt: skip
"""What stands before brackets and is called by nobody: statements, and types that something is converted to."""


def c_threads(source: CSource) -> Iterator[Started]:
    """Threads that a file starts, by the function that they run or the first calls of what they are given."""
    if source.aside:
        return
    for match in _THREAD.finditer(source.code):
        function = source.around(match.start())
        if function is None:
            continue
        closed = matching(source.code, match.end() - 1)
        arguments = source.quote(match.end(), closed, LONGEST_BODY) if closed > 0 else ""
        target = _run(source, match.end(), closed, arguments)
        if target:
            guards = " and ".join(source.guards(function, match.start()))
            yield Started("thread", target, "std::thread", function.name, guards, source.at(match.start()))


def _run(source: CSource, start: int, end: int, arguments: str) -> str:
    """`&Server::loop` is that method; a function without a name is told by what it calls."""
    if not arguments.startswith("["):
        if (member := _MEMBER.search(arguments)) is not None:
            return member[1]
        name = arguments.partition(",")[0].strip()
        return name if re.fullmatch(r"[\w:]+", name) and "," in arguments else ""
    calls = [m[1].decode() for m in _CALL.finditer(source.code, source.code.find(b"{", start, end), end)]
    said = [
        c
        for c in calls
        if c.upper() != c and not c.startswith("std::") and not PASSED_OVER & set(words(re.split(r"[.>:]", c)[-1]))
    ]
    kept = [c for c in dict.fromkeys(said) if c not in NO_CALLS and not c.endswith("_t")]
    return f"a function that calls {' and '.join(kept[:MOST_CALLS])}" if kept else ""


def c_routes(source: CSource) -> Iterator[Route]:
    """Paths that a server is told to serve: `server.Post("/v1/completions", handler)`; a client's calls are none."""
    if source.aside:
        return
    for match in _ROUTE.finditer(source.text.data):
        method = _REGISTERS.match(match[2].decode())
        if method is None or {"client", "cli", "req", "request"} & set(words(match[1].decode())):
            continue
        if source.code[match.start() : match.end(2)] != source.text.data[match.start() : match.end(2)]:
            continue  # in a comment
        closed = matching(source.code, source.code.find(b"(", match.end(2)))
        handler = source.quote(match.end(), closed, 200) if closed > 0 else ""
        is_last = source.code[match.end() : match.end() + 1] in b"[" or "," not in handler
        if handler and is_last and (method["verb"] is None or handler.startswith(("[", "&"))):
            verb = (match[3] or (method["verb"] or "any").encode()).decode().upper()
            shown = "a function in place" if handler.startswith("[") else handler.lstrip("&")
            yield Route(verb, match[4].decode("utf-8", "replace"), shown, source.at(match.start(4)))


def c_mapped_routes(source: CSource) -> Iterator[Route]:
    """Paths by name of the method that serves them, as brpc's services are given them: `"v1/models => Models,"`."""
    if source.aside or b"=>" not in source.text.data:
        return
    for match in _MAPPED.finditer(source.text.data):
        before = source.text.line_bytes(source.text.line_of(match.start())).partition(b"=>")[0]
        if b"//" not in before and not before.lstrip().startswith(b"*"):
            yield Route("any", f"/{match[1].decode().lstrip('/')}", match[2].decode(), source.at(match.start(1)))


def c_metrics(source: CSource) -> Iterator[Metric]:
    """Metrics with a name and a text: `DEFINE_GAUGE(waiting, "…")`, `BuildCounter().Name("…").Help("…")`."""
    if source.aside:
        return
    found = [(m.start(), m[1], m[2], m[3]) for pattern in (_METRIC, _BUILT) for m in pattern.finditer(source.text.data)]
    for start, kind, name, text in sorted(found):
        named = _KIND.search(kind.decode())
        if named is None or source.code[start : start + len(kind)].strip() == b"":
            continue  # in a comment
        around = source.around(start)
        measures = "".join(_TEXT.findall((text or b"").decode("utf-8", "replace")))
        where = around.name if around is not None else ""
        title = _put_together(name.decode("utf-8", "replace").strip())
        if measures and not measures.count(" "):  # no text: what a variable's metric is called outside
            title, measures = measures, ""
        yield Metric(title, named[0].lower(), measures, _labels(source, start), where, source.at(start))


def _put_together(name: str) -> str:
    """A name that is put together, with what it is put together of: `std::string(PREFIX) + "_waiting"`."""
    if '"' not in name:
        return name
    parts = [part.strip().removeprefix("std::string(").rstrip(")") for part in name.split("+")]
    return "".join(part.strip('"') if part.startswith('"') else f"{{{part}}}" for part in parts)


def _labels(source: CSource, start: int) -> str:
    """The labels that the members of a family are added with: `waiting.Add({{"model", name}})`."""
    before = source.text.data[max(0, start - LONGEST_TARGET) : start]
    kept = _KEPT_AS.search(before)
    if kept is None:
        return ""
    added = re.compile(rb"\b%b\s*(?:\.|->)\s*Add\s*\(" % kept[1])
    found: dict[str, None] = {}
    for match in added.finditer(source.code):
        given = source.quote(match.end(), matching(source.code, match.end() - 1), LONGEST_BODY)
        found.update(dict.fromkeys(_LABEL.findall(given)))
    return ", ".join(found)
