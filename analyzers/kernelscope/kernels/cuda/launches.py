"""Where kernels are launched: `<<<>>>`, the launch functions of the CUDA runtime, the driver and HIP.

Read from the text, so that macros around a launch spoil nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kernelscope.kernels.cuda.host_values import HostValues
from kernelscope.kernels.cuda.launch import MAX_CONFIGURATION, Launch
from kernelscope.kernels.cuda.launched_kernels import LaunchedKernels, callee_before, kernel_argument, parted
from kernelscope.kernels.cuda.units import Unit
from kernelscope.results import Span
from kernelscope.syntax.cuda.expressions import split_arguments
from kernelscope.syntax.cuda.macros import closing
from kernelscope.syntax.cuda.nodes import one_line

MAX_COPIES = 24


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
    threads: bool = False
    """The grid is told in threads."""


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
    "hipExtModuleLaunchKernel": _Api(0, 1, 4, 7, 8, None, None, True, True),
}
"""Launch functions by name (CUDA runtime and driver API, HIP, CUTLASS)."""
_API = re.compile(r"(" + "|".join(APIS) + r")\s*\(")
_BEFORE_API = re.compile(r"(?<![\w.>])(?:::|cutlass::)?\Z")


def launches(unit: Unit) -> tuple[Launch, ...]:
    """Every launch in a file, in source order; also those of branches that the preprocessor does not take."""
    found = list(_Finder(unit).run())
    for other, branches in unit.otherwise:
        for launch in _Finder(other).run():
            within = next((branch for branch in branches if launch.span.start in branch.span), None)
            if within is not None:
                found.append(replace(launch, branch=within.written))
    return tuple(sorted(found, key=lambda launch: (launch.span.start, launch.offset)))


class _Finder:
    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.data = unit.source.expanded
        self.plain = unit.source.plain
        self.found: list[Launch] = []
        self.copies: dict[int, int] = {}
        """How often macros that repeat their argument have repeated a launch."""
        self.kernels = LaunchedKernels(unit)

    def run(self) -> tuple[Launch, ...]:
        if b"<<<" in self.plain:
            for match in re.finditer(rb"<<<", self.plain):
                self._chevrons(match.start())
        if b"aunch" in self.plain:
            text = self.plain.decode("latin-1")
            for found in _API.finditer(text):
                before = _BEFORE_API.search(text, max(0, found.start() - len("cutlass::")), found.start())
                if before is not None:
                    self._api(found, before.start())
        self._unused_macros()
        return tuple(self.found)

    def _chevrons(self, mark: int) -> None:
        end = _chevrons_end(self.plain, mark + 3)
        callee = callee_before(self.plain[max(0, mark - 2_000) : mark].decode("latin-1"))
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

    def _api(self, found: re.Match[str], start: int) -> None:
        close = closing(self.data, found.end() - 1)
        if close is None:
            return
        api = APIS[found[1]]
        text = self.data[found.end() : close].decode("latin-1")
        parts = split_arguments(text)
        if len(parts) <= api.kernel:
            return
        written = self._written(found.end(), close)
        callee = kernel_argument(parts[api.kernel])
        if callee is None:
            return
        if api.config is not None:
            config = parts[api.config].lstrip("&( ").rstrip(") ")
            function = self.unit.function_at(start)
            configuration = HostValues(self.unit, function).configuration(config, start)
        elif api.scalars and len(written) > 8:
            sizes = written[1:4]
            if api.threads:
                sizes = tuple(f"({whole}) / ({part})" for whole, part in zip(sizes, written[4:7], strict=True))
            configuration = (f"dim3({', '.join(sizes)})", f"dim3({', '.join(written[4:7])})", *written[7:9])
        else:
            places = [place for place in (api.grid, api.block, api.shared, api.stream) if place is not None]
            configuration = tuple(written[place] for place in places if place < len(written))
        arguments = ", ".join(parts[api.args :]) if api.args is not None else ""
        self._add(callee, configuration, arguments, start, start, close + 1, found[1])

    def _add(
        self, callee: str, configuration: tuple[str, ...], arguments: str, start: int, mark: int, end: int, how: str
    ) -> None:
        span = self.unit.source.prepared.origin(mark, mark + 1)
        copies = self.copies.get(span.start, 0)
        if copies >= MAX_COPIES:
            return
        self.copies[span.start] = copies + 1
        function = self.unit.function_at(mark)
        for path, templates in self.kernels.of(function, callee, mark):
            whole = self.unit.source.prepared.origin(start, end)
            self.found.append(
                Launch(
                    self.unit,
                    function,
                    one_line(callee),
                    path.rpartition("::")[2],
                    templates,
                    configuration,
                    tuple(self._arguments(arguments, span.start)),
                    mark,
                    Span(span.start, max(span.start + 1, whole.end)),
                    how,
                    path=path,
                )
            )

    def _arguments(self, text: str, start: int) -> Iterator[str]:
        """The arguments of a launch; a macro that stands for several of them is that many."""
        for argument in split_arguments(text):
            macros = self.unit.source.macros.get(argument.encode()) or []
            own = [m for m in macros if m.path == self.unit.path and m.span.start < start] or macros[-1:]
            several = own[-1].params is None and b"," in own[-1].body if own else False
            yield from split_arguments(one_line(own[-1].body.decode("utf-8", "replace"))) if several else (argument,)

    def _unused_macros(self) -> None:
        """Launches in macros that this file defines and does not use: read from the macro's body."""
        used = {launch.kernel for launch in self.found}
        for macros in self.unit.source.own_macros.values():
            for macro in macros:
                if b"<<<" not in macro.body:
                    continue
                mark = macro.body.index(b"<<<")
                end = _chevrons_end(macro.body, mark + 3)
                callee = callee_before(macro.body[:mark].decode("latin-1"))
                if end is None or callee is None:
                    continue
                path, templates = parted(callee)
                name = path.rpartition("::")[2]
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
