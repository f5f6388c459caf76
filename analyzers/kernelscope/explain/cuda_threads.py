"""How threads of a CUDA kernel map to data: formulas of index variables, their ranges, and what runs along what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from kernelscope.dims import NO_FACTS, Dim, Facts, dim, render
from kernelscope.dims.compare import bounds
from kernelscope.explain.cuda_accesses import unprimed
from kernelscope.kernels.cuda.kernels import KernelFacts, Kernels
from kernelscope.kernels.cuda.warp.accesses import Verdict
from kernelscope.kernels.cuda.warp.kernel_run import Run
from kernelscope.kernels.cuda.warp.kernel_warp import KernelWarp, kernel_warp
from kernelscope.kernels.cuda.warp.sectors import AXES, Class, Traffic
from kernelscope.kernels.cuda.warp.values import Int
from kernelscope.results import Hover, InlayHint, Span

MAX_VARIABLES = 8
MAX_FORMULA = 120
_COMPARES = re.compile(r" (?:==|<) ")
"""Choices and truths make formulas that nobody reads."""
_STEPS = re.compile(rb"\s*(?:\+\+|--|(?:[-+*/%&|^]|<<|>>)=)")
_UNNAMED = frozenset(("choice", "result", "rounds", "condition"))
"""What following a kernel calls values that the code has no name for."""
BUILTIN = ("blockIdx.x", "blockIdx.y", "blockIdx.z", "threadIdx.x", "threadIdx.y", "threadIdx.z")


def formula(d: Dim, order: tuple[str, ...] = ()) -> str:
    """An index as C++ writes it: blocks first, then threads, then the rest in the source's order."""
    return unprimed(render(d, (*BUILTIN, *order))).replace("//", "/")


COUNTERS = ("k", "round", "round_number", "loop_round")
"""What the rounds of a loop are counted by; the first name that the kernel does not use."""
_WORD = re.compile(r"[A-Za-z_]\w*")


def index_variables(warp: KernelWarp) -> Iterator[tuple[str, Span, Dim]]:
    """Integer variables that depend on the thread or the block, as the kernel first gives them."""
    run = warp.run
    for span, (name, value, _) in run.variables.items() if run is not None else ():
        if isinstance(value, Int) and any(n.startswith(("threadIdx.", "blockIdx.")) for n in value.d.names()):
            yield name, span, value.d


def index_formulas(warp: KernelWarp) -> list[str]:
    """Formulas of the kernel's index variables, in the kernel's own words."""
    order = warp.facts.order
    told: dict[str, str] = {}
    variables = list(index_variables(warp))
    single = _single_axes(warp.facts)
    unnamed = _UNNAMED.difference(name for name, _, _ in variables)
    counters = counter_names(warp)
    for name, span, d in variables:
        if _is_of_the_next_round(warp, span, d):
            continue
        d = d.subs(counters) if d.name is None else d
        if any(inner.rstrip("′") in unnamed for inner in d.names()):
            continue
        text = formula(d, order)
        if len(text) > MAX_FORMULA:
            text = formula(d.subs(single), order)
        if name not in told and len(text) <= MAX_FORMULA and not d.name and not _COMPARES.search(text):
            told[name] = f"`{name} = {text}`"
    return list(told.values())[:MAX_VARIABLES]


def _is_of_the_next_round(warp: KernelWarp, span: Span, d: Dim) -> bool:
    """Whether a variable is given what the next round of a loop has: `i += blockDim.x;` where a round has used it."""
    known = warp.run.symbols.known if warp.run is not None else {}
    if not any((symbol := known.get(name)) is not None and symbol.counter for name in d.names()):
        return False
    return _STEPS.match(warp.facts.unit.source.expanded, span.end) is not None


def counter_names(warp: KernelWarp) -> dict[str, str]:
    """Counters of rounds with the loop variables that are nothing else: `for (int d = 0; d < D; ++d)`, all others with
    a name that the kernel does not use for anything."""
    run = warp.run
    found: dict[str, str] = {}
    for name, value, _ in run.variables.values() if run is not None else ():
        symbol = run.symbols.known.get(value.d.name or "") if run is not None and isinstance(value, Int) else None
        if isinstance(value, Int) and symbol is not None and symbol.counter and value.d.name is not None:
            found.setdefault(value.d.name, name)
    function = warp.facts.function
    used = set(_WORD.findall(f"{function.header} {warp.facts.unit.source.text(function.body)}"))
    free = next((name for name in COUNTERS if name not in used), "")
    for name, symbol in run.symbols.known.items() if run is not None and free and free != COUNTERS[0] else ():
        if symbol.counter and name.rstrip("′") == COUNTERS[0]:
            found.setdefault(name, name.replace(COUNTERS[0], free))
    return found


def _single_axes(kernel: KernelFacts) -> dict[str, int]:
    """Places and sizes along axes in which no launch has more than one block or thread."""
    found: dict[str, int] = {}
    for place, size, extents in (
        ("blockIdx", "gridDim", [launch.grid for launch in kernel.launches]),
        ("threadIdx", "blockDim", [launch.block for launch in kernel.launches]),
    ):
        for i, axis in enumerate("xyz"):
            if extents and all(extent[i] == 1 for extent in extents):
                found |= {f"{place}.{axis}": 0, f"{size}.{axis}": 1}
    return found


def directions(warp: KernelWarp) -> Iterator[str]:
    """Which arrays neighbouring lanes walk element by element, and which by rows."""
    groups: dict[str, dict[str, None]] = {}
    for verdict in warp.verdicts:
        if isinstance(verdict.outcome, Traffic) and verdict.outcome.lanes > 1:
            groups.setdefault(_direction(verdict, verdict.outcome), {})[f"`{verdict.access.memory.name}`"] = None
    for text, names in groups.items():
        if text:
            yield f"{text} {', '.join(names)}"


def _direction(verdict: Verdict, outcome: Traffic) -> str:
    if outcome.kind is Class.BROADCAST:
        return "neighbouring threads share one element of"
    if outcome.kind is Class.STRIDED:
        if any(isinstance(other, Traffic) and other.kind is not Class.STRIDED for other in verdict.others):
            return ""  # it depends on the size of a type, or on the round of a loop
        if len(verdict.sizes) > 1:
            return "neighbouring threads skip elements of"
        who = "neighbouring threads" if outcome.group == 1 else f"groups of {outcome.group} neighbouring threads"
        stride = outcome.stride
        if stride is not None and stride.const is not None:
            stride = dim(abs(stride.const))
        return f"{who} are {formula(stride)} bytes apart in" if stride is not None else ""
    return "neighbouring threads run along consecutive elements of"


def facts_of(kernel: KernelFacts, run: Run) -> Facts:
    """What the launch says of `threadIdx` and `blockIdx`, and the loops of their counters."""
    found = NO_FACTS
    for axis, size in zip("xyz", run.setting.block, strict=True):
        found = found.with_bounds(f"threadIdx.{axis}", 0, size - 1 if size is not None else None)
    grids = {launch.grid for launch in kernel.launches}
    if len(grids) == 1:
        for axis, extent in zip("xyz", next(iter(grids)), strict=True):
            number = extent.const if extent is not None else None
            found = found.with_bounds(f"blockIdx.{axis}", 0, number - 1 if number is not None else None)
    for name, symbol in run.symbols.known.items():
        if symbol.values:
            found = found.with_bounds(name, min(symbol.values), max(symbol.values))
    return found


def value_range(kernel: KernelFacts, run: Run, d: Dim) -> tuple[int | None, int | None]:
    """The smallest and largest value of an index; None where it is not known."""
    varying = run.symbols.varying_names
    known = d.subs(run.setting.constants())
    if any(name in varying or not _has_range(run, name) for name in known.names()):
        low, _ = bounds(known, facts_of(kernel, run)) if not any(n in varying for n in known.names()) else (None, None)
        return low, None
    return bounds(known, facts_of(kernel, run))


def _has_range(run: Run, name: str) -> bool:
    return name in AXES or name.startswith("blockIdx.") or bool(
        (symbol := run.symbols.known.get(name)) is not None and symbol.values
    )  # fmt: skip


def range_text(kernel: KernelFacts, run: Run, d: Dim) -> str:
    """`0 … 255`; empty when the upper end is not known."""
    low, high = value_range(kernel, run, d)
    return f"{low} … {high}" if low is not None and high is not None else ""


def variable_hover(kernel: KernelFacts, span: Span) -> Hover | None:
    """The hover of an index variable: its formula and the values that it takes."""
    warp = kernel_warp(kernel)
    run = warp.run
    data = kernel.unit.source.source.data
    name = data[span.start : span.end].decode("utf-8", "replace")
    if run is None or not name.isidentifier() or data[max(0, span.start - 1) : span.start] in (b".", b">"):
        return None
    before = [
        (place.start, d)
        for known, prepared, d in index_variables(warp)
        if known == name and (place := warp.span(prepared)).start <= span.start
    ]
    if not before:
        return None
    d = max(before, key=lambda item: item[0])[1]
    text = range_text(kernel, run, d)
    notes = [f"values: {text}"] if text else []
    counters = counter_names(warp)
    for counter in d.names():
        symbol = run.symbols.known.get(counter)
        if symbol is not None and symbol.counter:
            notes.append(f"{unprimed(counters.get(counter, counter))} counts the rounds of the loop")
            break
    return Hover(span, f"int {name} = {formula(d.subs(counters), kernel.order)}", "cuda-cpp", tuple(notes))


def range_hints(kernels: Kernels, path: Path, span: Span) -> Iterator[InlayHint]:
    """The values that index variables take, behind their names where they are declared."""
    for kernel in kernels.in_file(str(path)):
        if kernel.function.span.end <= span.start or kernel.function.span.start >= span.end:
            continue
        warp = kernel_warp(kernel)
        counters = counter_names(warp)
        for name, prepared, d in index_variables(warp):
            place = warp.span(prepared)
            text = range_text(kernel, warp.run, d) if warp.run is not None else ""
            declared = kernel.unit.source.source.slice(place) == name
            if text and declared and span.start <= place.end < span.end:
                tooltip = f"```cuda-cpp\nint {name} = {formula(d.subs(counters), kernel.order)}\n```"
                yield InlayHint(place.end, f": {text}", tooltip)
