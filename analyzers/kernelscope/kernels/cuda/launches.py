"""Where kernels are launched: `<<<>>>`, the launch functions of the CUDA runtime, the driver and HIP.

Read from the text, so that macros around a launch spoil nothing. Expressions are kept as written; what they come to is
found by following host variables, `dim3`s and helper functions, with parameters of the host function as names.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from kernelscope.dims import Dim
from kernelscope.kernels.cuda.host_values import HostValues
from kernelscope.kernels.cuda.units import Unit
from kernelscope.results import Span
from kernelscope.syntax.cuda.directives import without_strings
from kernelscope.syntax.cuda.expressions import split_arguments, template_end
from kernelscope.syntax.cuda.functions import Function
from kernelscope.syntax.cuda.macros import closing
from kernelscope.syntax.cuda.nodes import one_line

MAX_CONFIGURATION = 4_000
MAX_WAYS = 16
MAX_COPIES = 8
MAX_CALLEE = 300
"""Characters of a kernel's name with its namespaces."""
_NAME_BEFORE = re.compile(r"(?:::)?[A-Za-z_]\w*(?:\s*::\s*(?:template\s+)?[A-Za-z_]\w*)*\s*\Z")
_GIVEN = re.compile(
    r"(?<![\w.])(\w+)\s*(?:=|\{)(?=\s*(?:\([^()]*\)\s*)?(?:reinterpret_cast<[^()]*>\(|static_cast<[^()]*>\()?"
    r"&?\s*((?:::)?[A-Za-z_][\w:]*))"
)
"""A variable and the name that it is given, perhaps a kernel's."""
_ENDS = re.compile(r"\s*[;,)}:]")
_CHOSEN = re.compile(r"(?<!:)[?:](?!:)\s*&?\s*((?:::)?[A-Za-z_][\w:]*)")
"""One side of `condition ? first : second`."""
Meaning = tuple[str, tuple[str, ...]]
"""A kernel's name and its template arguments."""


@dataclass(frozen=True, slots=True)
class _Api:
    """Which arguments of a launch function are what; None: not there."""

    kernel: int
    grid: int | None
    block: int | None
    shared: int | None
    stream: int | None
    args: int | None
    config: int | None = None
    scalars: bool = False
    """Grid and block are three numbers each."""


APIS: dict[str, _Api] = {
    "cudaLaunchKernel": _Api(0, 1, 2, 4, 5, None),
    "cudaLaunchCooperativeKernel": _Api(0, 1, 2, 4, 5, None),
    "hipLaunchKernel": _Api(0, 1, 2, 4, 5, None),
    "hipLaunchCooperativeKernel": _Api(0, 1, 2, 4, 5, None),
    "cudaLaunchKernelEx": _Api(1, None, None, None, None, 2, 0),
    "cudaLaunchKernelExC": _Api(1, None, None, None, None, None, 0),
    "hipLaunchKernelGGL": _Api(0, 1, 2, 3, 4, 5),
    "hipLaunchKernelExC": _Api(1, None, None, None, None, None, 0),
    "launch_kernel_on_cluster": _Api(1, None, None, None, None, 2, 0),
    "ClusterLauncher::launch": _Api(5, 0, 2, 3, 4, None),
    "cuLaunchKernel": _Api(0, 1, 4, 7, 8, None, None, True),
    "hipModuleLaunchKernel": _Api(0, 1, 4, 7, 8, None, None, True),
}
"""Launch functions by name (CUDA runtime and driver API, HIP, CUTLASS)."""
_API = re.compile(r"(?<![\w.>])(?:::|cutlass::)?(" + "|".join(APIS) + r")\s*\(")


@dataclass(frozen=True)
class Launch:
    """One launch. Texts are as written (or as the macro that wrote them says); `offset` is in the prepared text."""

    unit: Unit
    function: Function | None
    """The host function around it."""
    callee: str
    """The kernel as the launch names it, or the variable that holds it."""
    kernel: str
    """The kernel's name, its namespaces left away."""
    templates: tuple[str, ...]
    configuration: tuple[str, ...]
    """Grid, block, shared bytes and stream."""
    arguments: tuple[str, ...]
    offset: int
    span: Span
    """In the file."""
    mechanism: str
    """`<<<>>>` or the function's name."""

    @cached_property
    def line(self) -> int:
        return self.unit.source.source.line_of(self.span.start)

    @cached_property
    def _host(self) -> HostValues:
        return HostValues(self.unit, self.function)

    def _part(self, index: int) -> str:
        return self.configuration[index] if index < len(self.configuration) else ""

    @cached_property
    def grid(self) -> tuple[Dim | None, Dim | None, Dim | None]:
        """Blocks in x, y and z; None where the expression cannot be followed."""
        return self._host.extent(self._part(0), self.offset)

    @cached_property
    def block(self) -> tuple[Dim | None, Dim | None, Dim | None]:
        """Threads in x, y and z."""
        return self._host.extent(self._part(1), self.offset)

    @cached_property
    def shared(self) -> Dim | None:
        """Dynamic shared memory in bytes."""
        text = self._part(2)
        return self._host.value(text or "0", self.offset)

    def template_values(self, kernel: Function) -> tuple[dict[str, str], ...]:
        """The kernel's template parameters with their arguments, for each way the launch is reached.

        A host function that is a template itself is followed to the places that say its arguments.
        """
        found: list[dict[str, str]] = []
        for given in self._host_templates:
            host = self._host
            bound = {p.name: p.default for p in kernel.templates if p.default}
            for parameter, text in zip(kernel.templates, self.templates, strict=False):
                value = host.value(text, self.offset) if parameter.type else None
                if value is not None and value.const is None:
                    value = value.subs({name: int(number) for name, number in given.items() if number.isdigit()})
                known = str(value.const) if value is not None and value.const is not None else text
                bound[parameter.name] = given.get(known, known)
            if bound not in found:
                found.append(bound)
        return tuple(found)

    @cached_property
    def _host_templates(self) -> tuple[dict[str, str], ...]:
        """What the template parameters of the host function are given where it is called."""
        function = self.function
        if function is None or not function.templates or not self.templates:
            return ({},)
        found: list[dict[str, str]] = []
        names = [parameter.name for parameter in function.templates]
        data = self.unit.source.expanded
        for match in re.finditer(re.escape(function.name.encode()) + rb"\s*(?=<)", data):
            written = data[match.end() : match.end() + MAX_CONFIGURATION].decode("latin-1")
            end = template_end(written, 0)
            if end is None or len(found) >= MAX_WAYS or data[match.start() - 1 : match.start()].isalnum():
                continue
            host = HostValues(self.unit, self.unit.function_at(match.start()))
            bound: dict[str, str] = {}
            for name, text in zip(names, split_arguments(written[1 : end - 1]), strict=False):
                value = host.constants.evaluate(text, match.start())
                bound[name] = str(value.const) if value is not None and value.const is not None else text
            if bound not in found:
                found.append(bound)
        return tuple(found) or ({},)


def launches(unit: Unit) -> tuple[Launch, ...]:
    """Every launch in a file, in source order."""
    return _Finder(unit).run()


class _Finder:
    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.data = unit.source.expanded
        self.plain = without_strings(self.data)
        self.found: list[Launch] = []
        self.copies: dict[int, int] = {}
        """How often macros that repeat their argument have repeated a launch."""
        self.kernels = {kernel.name for kernel in unit.kernels}
        self.told: dict[tuple[int, str], list[tuple[int, Meaning]]] = {}

    def run(self) -> tuple[Launch, ...]:
        if b"<<<" in self.plain:
            for match in re.finditer(rb"<<<", self.plain):
                self._chevrons(match.start())
        if b"aunch" in self.plain:
            text = self.plain.decode("latin-1")
            for found in _API.finditer(text):
                self._api(found)
        self._unused_macros()
        return tuple(sorted(self.found, key=lambda launch: (launch.span.start, launch.offset)))

    def _chevrons(self, mark: int) -> None:
        end = _chevrons_end(self.plain, mark + 3)
        callee = _callee_before(self.plain[max(0, mark - 2_000) : mark].decode("latin-1"))
        if end is None or callee is None:
            return
        opening = end + 3
        while opening < len(self.plain) and self.plain[opening : opening + 1].isspace():
            opening += 1
        close = closing(self.data, opening) if self.plain[opening : opening + 1] == b"(" else None
        arguments = self.data[opening + 1 : close].decode("utf-8", "replace") if close is not None else ""
        written = self._written(mark + 3, end)
        start = mark - len(callee)
        self._add(callee, written, arguments, start, mark, (close or end + 2) + 1, "<<<>>>")

    def _written(self, start: int, end: int) -> tuple[str, ...]:
        """The parts of a launch configuration as the user wrote them."""
        spans: list[str] = []
        text = self.data[start:end].decode("latin-1")
        at = 0
        for part in split_arguments(text):
            begin = text.index(part, at) if part else at
            at = begin + len(part)
            spans.append(self._as_written(start + begin, start + at))
        return tuple(spans)

    def _as_written(self, start: int, end: int) -> str:
        """What the user wrote there; the expanded text where a macro's body wrote it."""
        prepared = self.data[start:end].decode("utf-8", "replace")
        runs = self.unit.source.prepared
        span = runs.origin(start, end)
        before, after = runs.origin(max(0, start - 1), start), runs.origin(end, min(len(self.data), end + 1))
        inside = span.start > before.start and span.end < after.end
        text = self.unit.source.source.slice(span) if inside and span.start < span.end else prepared
        return one_line(text)

    def _api(self, found: re.Match[str]) -> None:
        close = closing(self.data, found.end() - 1)
        if close is None:
            return
        api = APIS[found[1]]
        text = self.data[found.end() : close].decode("latin-1")
        parts = split_arguments(text)
        if len(parts) <= api.kernel:
            return
        written = self._written(found.end(), close)
        callee = _kernel_argument(parts[api.kernel])
        if callee is None:
            return
        if api.config is not None:
            config = parts[api.config].lstrip("&( ").rstrip(") ")
            function = self.unit.function_at(found.start())
            configuration = HostValues(self.unit, function).configuration(config, found.start())
        elif api.scalars and len(written) > 8:
            configuration = (f"dim3({', '.join(written[1:4])})", f"dim3({', '.join(written[4:7])})", *written[7:9])
        else:
            places = [place for place in (api.grid, api.block, api.shared, api.stream) if place is not None]
            configuration = tuple(written[place] for place in places if place < len(written))
        arguments = ", ".join(parts[api.args :]) if api.args is not None else ""
        self._add(callee, configuration, arguments, found.start(), found.start(), close + 1, found[1])

    def _add(
        self, callee: str, configuration: tuple[str, ...], arguments: str, start: int, mark: int, end: int, how: str
    ) -> None:
        span = self.unit.source.prepared.origin(mark, mark + 1)
        copies = self.copies.get(span.start, 0)
        if copies >= MAX_COPIES:
            return
        self.copies[span.start] = copies + 1
        function = self.unit.function_at(mark)
        for name, templates in self._meanings(function, callee, mark):
            whole = self.unit.source.prepared.origin(start, end)
            self.found.append(
                Launch(
                    self.unit,
                    function,
                    one_line(callee),
                    name,
                    templates,
                    configuration,
                    tuple(split_arguments(arguments)),
                    mark,
                    Span(span.start, max(span.start + 1, whole.end)),
                    how,
                )
            )

    def _meanings(self, function: Function | None, callee: str, offset: int) -> list[Meaning]:
        """The kernels that a launch may mean: itself, or those that a variable was given before."""
        itself = _parted(callee)
        if function is None or itself[0] in self.kernels or not re.fullmatch(r"\w+", one_line(callee).strip()):
            return [itself]
        asked = (function.body.start_byte, itself[0])
        if asked not in self.told:
            self.told[asked] = list(self._kernels_given(function, itself[0]))
        return [meaning for end, meaning in self.told[asked] if end <= offset] or [itself]

    def _kernels_given(self, function: Function, name: str) -> Iterator[tuple[int, Meaning]]:
        """What a function gives a variable: each meaning once, with the end of the name where it is first given."""
        told: set[Meaning] = set()
        starts, given = self._given.get(name, ([], []))
        first = bisect_left(starts, function.body.start_byte)
        for start, end in given[first : bisect_left(starts, function.body.end_byte)]:
            for meaning, stop in self._named(start, end):
                if meaning[0] not in ("nullptr", "NULL") and meaning not in told:
                    told.add(meaning)
                    yield stop, meaning

    def _named(self, start: int, end: int) -> Iterator[tuple[Meaning, int]]:
        """The kernel that a name with its template arguments means, or those of a choice that begins with the name."""
        stop = template_end(self._text, end) if self._text[end : end + 1] == "<" else None
        if stop is not None or _ENDS.match(self._text, end):
            yield _parted(self._text[start : stop or end]), stop or end
            return
        limit = self._text.find(";", end, end + MAX_CONFIGURATION)
        if "?" in self._text[end:limit]:
            for match in _CHOSEN.finditer(self._text, end, limit):
                stop = template_end(self._text, match.end()) if self._text[match.end()] == "<" else None
                yield _parted(self._text[match.start(1) : stop or match.end()]), stop or match.end()

    @cached_property
    def _text(self) -> str:
        return self.data.decode("latin-1")

    @cached_property
    def _given(self) -> dict[str, tuple[list[int], list[tuple[int, int]]]]:
        """By variable: where it is given something, and the span of the name that it is given."""
        found: dict[str, tuple[list[int], list[tuple[int, int]]]] = {}
        for match in _GIVEN.finditer(self._text):
            starts, given = found.setdefault(match[1], ([], []))
            starts.append(match.start())
            given.append(match.span(2))
        return found

    def _unused_macros(self) -> None:
        """Launches in macros that this file defines and does not use: read from the macro's body."""
        used = {launch.kernel for launch in self.found}
        for macros in self.unit.source.own_macros.values():
            for macro in macros:
                if b"<<<" not in macro.body:
                    continue
                mark = macro.body.index(b"<<<")
                end = _chevrons_end(macro.body, mark + 3)
                callee = _callee_before(macro.body[:mark].decode("latin-1"))
                if end is None or callee is None:
                    continue
                name, templates = _parted(callee)
                if name in used:
                    continue
                parts = tuple(map(one_line, split_arguments(macro.body[mark + 3 : end].decode("utf-8", "replace"))))
                at = self.unit.source.source.data.find(b"<<<", macro.span.end)
                span = Span(at, at + 3) if at >= 0 else macro.span
                self.found.append(
                    Launch(self.unit, None, callee, name, templates, parts, (), 0, span, f"macro {macro.name.decode()}")
                )


def _chevrons_end(text: bytes, start: int) -> int | None:
    """Where the `>>>` of a launch stands: outside of brackets."""
    depth = 0
    for match in re.finditer(rb"[()\[\]{};]|>>>", text[start : start + MAX_CONFIGURATION]):
        token = match[0]
        if token in (b"(", b"[", b"{"):
            depth += 1
        elif token in (b")", b"]", b"}"):
            depth -= 1
        elif token == b">>>" and depth == 0:
            return start + match.start()
        if depth < 0 or (token == b";" and depth == 0):
            return None
    return None


def _callee_before(head: str) -> str | None:
    """The kernel at the end of a text, with its template arguments: `ns::kernel<T, (N > 1)>`."""
    text = head.rstrip()
    if text.endswith(")"):
        return _bracketed(text)
    begin = len(text)
    if text.endswith(">"):
        opening = _template_start(text)
        if opening is None:
            return None
        begin = opening
    found = _NAME_BEFORE.search(text, max(0, begin - MAX_CALLEE), begin)
    return head[found.start() :] if found else None


def _bracketed(text: str) -> str | None:
    """`(kernel<T>)<<<`: the name inside of the brackets."""
    depth = 0
    for i in range(len(text) - 1, -1, -1):
        depth += (text[i] == ")") - (text[i] == "(")
        if depth == 0:
            inner = text[i + 1 : -1].strip().lstrip("*&")
            return inner if re.match(r"[A-Za-z_]", inner) else None
    return None


def _template_start(text: str) -> int | None:
    depth = parens = 0
    for i in range(len(text) - 1, -1, -1):
        char = text[i]
        parens += (char in ")]}") - (char in "([{")
        if parens < 0 or char == ";":
            return None
        if parens:
            continue
        if char == ">" and text[i - 1] != "-":
            depth += 1
        elif char == "<":
            depth -= 1
            if depth == 0:
                return i
    return None


def _parted(callee: str) -> tuple[str, tuple[str, ...]]:
    """A kernel's name without namespaces, and its template arguments."""
    text = one_line(callee).removeprefix("&").strip()
    start = text.find("<")
    if start >= 0 and template_end(text, start) is not None:
        end = template_end(text, start)
        rest = text[end:].strip() if end is not None else ""
        if rest.startswith("::"):
            return _parted(rest.removeprefix("::").removeprefix("template").strip())
        name, inner = text[:start], text[start + 1 : text.rindex(">")]
        return re.sub(r"\s", "", name).rpartition("::")[2], tuple(split_arguments(inner))
    return re.sub(r"\s", "", text).rpartition("::")[2].removeprefix("template"), ()


def _kernel_argument(text: str) -> str | None:
    """The kernel that a launch function is given: casts, `&` and HIP's wrapping macro left away."""
    while True:
        text = text.strip().removeprefix("&").strip()
        cast = re.match(
            r"\(\s*(?:const\s+)?void\s*(?:const\s*)?\*\s*\)|(?:reinterpret|static)_cast<[^()]*>(?=\s*\()", text
        )
        if cast is not None:
            text = text[cast.end() :]
        elif text.startswith("(") and text.endswith(")"):
            text = text[1:-1]
        elif text.startswith("HIP_KERNEL_NAME("):
            text = text.removeprefix("HIP_KERNEL_NAME(").removesuffix(")")
        else:
            return text if re.match(r"(?:::)?[A-Za-z_]", text) else None


def nearest(found: tuple[Launch, ...], offset: int) -> Launch | None:
    """The launch at an offset of the file."""
    starts = [launch.span.start for launch in found]
    at = bisect_left(starts, offset + 1) - 1
    return found[at] if at >= 0 and found[at].span.touches(offset) else None
