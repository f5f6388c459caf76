"""Hovers in CUDA files: the card on a kernel's name, where it is defined and where it is launched, shared arrays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from kernelscope.dims import product, render
from kernelscope.explain.cuda_accesses import access_lines
from kernelscope.explain.cuda_builtins import builtin_hover
from kernelscope.explain.cuda_card import kernel_hover
from kernelscope.explain.cuda_shared_rows import bytes_text
from kernelscope.explain.cuda_threads import variable_hover
from kernelscope.kernels.cuda.host_values import Extent
from kernelscope.kernels.cuda.kernels import KernelFacts, Kernels
from kernelscope.kernels.cuda.launch import Launch
from kernelscope.kernels.cuda.lookup import functions_meant
from kernelscope.kernels.cuda.shared_memory import SharedArray
from kernelscope.kernels.cuda.warp.kernel_warp import kernel_warp
from kernelscope.kernels.hardware import GPUS
from kernelscope.results import Hover, InlayHint, LeftOut, Link, Span
from kernelscope.syntax.text import identifier_at

MAX_ACCESSES = 6
MAX_BEFORE = 400
"""Bytes that template arguments may take between a kernel's name and its configuration."""
_BOUND = re.compile(rb"\s*\[[^\[\]]*\]")


def cuda_hover(kernels: Kernels, path: Path, offset: int, gpu: str = "H100") -> Hover | None:
    """The hover of a name in a CUDA file; None where nothing is known."""
    data = kernels.workspace.files.read(str(path))
    if isinstance(data, LeftOut) or (span := identifier_at(data, offset)) is None:
        return None
    facts = kernels.at(str(path), span.start)
    if facts is not None and facts.function.name_span.touches(offset):
        return kernel_hover(facts, span, gpu)
    if facts is not None and (hover := variable_hover(facts, span)) is not None:
        return hover
    if facts is not None and (hover := shared_hover(facts, span)) is not None:
        return hover
    if (hover := launch_hover(kernels, path, span, gpu)) is not None:
        return hover
    unit = kernels.units.unit(str(path))
    name = data[span.start : span.end].decode("utf-8", "replace")
    return builtin_hover(facts, data, span) if unit is not None and not unit.find(name) else None


def shared_hover(facts: KernelFacts, span: Span) -> Hover | None:
    """The hover of a shared array in its kernel: bytes, and how a warp reads and writes it."""
    data = facts.unit.source.source.data
    name = data[span.start : span.end].decode("utf-8", "replace")
    of_kernel = (*(a for a in facts.shared.static if a.direct), *facts.shared.dynamic)
    array = next((array for array in of_kernel if array.name == name), None)
    if array is None or data[max(0, span.start - 2) : span.start].endswith((b".", b"->", b"::")):
        return None
    warp = kernel_warp(facts)
    own = [verdict for verdict in warp.verdicts if verdict.access.memory.name == name]
    lines = dict.fromkeys(text for text, _ in access_lines(own, "shared", warp.line))
    rows = [("Bytes", bytes_text(facts, array))]
    rows += [_row(text.removeprefix(f"`{name}` ")) for text in list(lines)[:MAX_ACCESSES]]
    if len(lines) > MAX_ACCESSES:
        rows.append(("…", f"{len(lines) - MAX_ACCESSES} more in the card"))
    dynamic = "extern " if array in facts.shared.dynamic else ""
    return Hover(span, f"{dynamic}__shared__ {array.type} {name}{_bounds(array)}", "cuda-cpp", (), tuple(rows))


def _bounds(array: SharedArray) -> str:
    return "".join(f"[{bound}]" for bound in array.bounds)


def _row(text: str) -> tuple[str, str]:
    """An access as a row: where it is, and what it costs."""
    place, _, cost = text.partition(": ")
    return place, cost


def launch_hover(kernels: Kernels, path: Path, span: Span, gpu: str = "H100") -> Hover | None:
    """The hover of a kernel's name at a launch: grid, block, bytes, and how the grid fills the GPU."""
    unit = kernels.units.unit(str(path))
    launch = next((found for found in kernels.launches_in(str(path)) if _names(found, span)), None)
    if unit is None or launch is None:
        return None
    rows = [(name, _sizes(extent)) for name, extent in (("Grid", launch.grid), ("Block", launch.block))]
    if len(launch.written) > 2:
        size = launch.shared
        rows.append(("Shared memory (dynamic)", f"{render(size)} B" if size is not None else launch.written[2]))
    if launch.branch:
        rows.append(("Branch", f"not taken, {launch.branch}"))
    blocks = _count(launch.grid)
    device = GPUS.get(gpu)
    if blocks is not None and device is not None:
        rows.append(("Blocks", f"{blocks} on {device.sms} SMs of {device.name}: {blocks / device.sms:.3g} an SM"))
    definitions = functions_meant(unit, unit.find(launch.kernel), launch.path or launch.kernel, launch.offset)
    links = tuple(
        Link(f"{function.name} {place}", place)
        for owner, function in definitions[:2]
        for place in (owner.source.source.location(Path(owner.path), function.name_span),)
    )
    text = f"{launch.callee}<<<{', '.join(launch.written)}>>>"
    return Hover(span, text, "cuda-cpp", (), tuple(rows), links)


def _names(launch: Launch, span: Span) -> bool:
    """Whether a span is the kernel's name of a launch: it stands right before the configuration, or in the call."""
    data = launch.unit.source.source.data
    if data[span.start : span.end].decode("utf-8", "replace") not in (launch.kernel, launch.callee):
        return False
    before = (
        launch.span.start - MAX_BEFORE <= span.start <= launch.span.start
        and b";" not in data[span.end : launch.span.start]
    )
    return before or (launch.mechanism != "<<<>>>" and launch.span.start <= span.start < launch.span.end)


def _sizes(extent: Extent) -> str:
    return f"({', '.join(render(size) if size is not None else '?' for size in extent)})"


def _count(extent: Extent) -> int | None:
    return product(size for size in extent if size is not None).const if None not in extent else None


def shared_hints(kernels: Kernels, path: Path, span: Span) -> Iterator[InlayHint]:
    """The bytes of shared arrays behind their declarations."""
    told: set[int] = set()
    for facts in kernels.in_file(str(path)):
        if facts.function.span.end <= span.start or facts.function.span.start >= span.end:
            continue
        for array in facts.shared.static:
            if array.path != str(path) or array.size is None or not array.direct:
                continue
            end = _declared_end(facts.unit.source.source.data, array.span.end)
            if end not in told and span.start <= end < span.end:
                told.add(end)
                size = f"{render(array.size, facts.order)} B"
                yield InlayHint(end, f" {size}", f"`{array.name}` {array.declared}: {size} of shared memory")


def _declared_end(data: bytes, offset: int) -> int:
    """Behind the bounds of an array whose name ends at an offset."""
    while (found := _BOUND.match(data, offset)) is not None:
        offset = found.end()
    return offset
