"""The card of a CUDA kernel: every row of it, with `none` written out, and what is not known said with its reason.

Rows are gathered from the kernel's facts; each line links to the source that it rests on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from kernelscope.dims import Dim, product, render
from kernelscope.explain.cuda_accesses import access_lines
from kernelscope.explain.cuda_threads import mapping_lines
from kernelscope.explain.document import Card, CardRow, Line
from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.build_logs import Compiled
from kernelscope.kernels.cuda.constants import Constants
from kernelscope.kernels.cuda.intrinsics import Kind
from kernelscope.kernels.cuda.kernels import KernelFacts
from kernelscope.kernels.cuda.launch import Launch
from kernelscope.kernels.cuda.operations import Operation, functions_text, kind_of_object
from kernelscope.kernels.cuda.resources import cluster_dims, loop_kind, vector_width
from kernelscope.kernels.cuda.shared_memory import SharedArray, SharedMemory
from kernelscope.kernels.cuda.warp.accesses import Verdict
from kernelscope.kernels.cuda.warp.kernel_warp import KernelWarp, kernel_warp
from kernelscope.kernels.hardware import GPUS, Generation, Gpu, generation
from kernelscope.kernels.occupancy import Occupancy, occupancy, waves
from kernelscope.results import Hover, Link, Location, Span, Target

MAX_SIGNATURE = 160
MAX_LAUNCHES = 12
MAX_LINES = 8
MAX_PLACES = 4
MAX_INSTANTIATIONS = 8
"""Ways to fill in templates of which each is followed: the kernel and all that it calls, anew."""


def kernel_card(facts: KernelFacts, gpu: str = "H100") -> Card:
    """Every row of the card."""
    warp = kernel_warp(facts)
    limits = generation(gpu)
    built = facts.compiled_for(limits.arch if limits is not None else "")
    rows: tuple[tuple[str, Callable[[], Iterator[Line]]], ...] = (
        ("Launch", lambda: _launches(facts)),
        ("Grid", lambda: _extents(facts, "grid")),
        ("Block", lambda: _extents(facts, "block")),
        ("Launch bounds", lambda: _bounds(facts)),
        ("Thread mapping", lambda: _mapping(warp)),
        ("Shared memory (static)", lambda: _static(facts)),
        ("Shared memory (dynamic)", lambda: _dynamic(facts)),
        ("Global access", lambda: _accesses(warp, "global")),
        ("Shared access", lambda: _accesses(warp, "shared")),
        ("Vector width", lambda: _vector(facts)),
        ("Barriers", lambda: _barriers(facts)),
        ("Warp ops", lambda: _counted(facts, Kind.WARP)),
        ("Atomics", lambda: _atomics(facts, warp)),
        ("Tensor cores", lambda: _counted(facts, Kind.TENSOR)),
        ("Async copy", lambda: _async(facts)),
        ("Loop", lambda: _loop(facts)),
        ("Warp specialisation", lambda: _specialisation(facts)),
        ("Registers", lambda: _registers(built)),
        ("Occupancy", lambda: _occupancy(facts, limits, built, GPUS.get(gpu))),
    )
    told = tuple(CardRow(name, tuple(lines()) or (Line(_nothing(facts, name)),)) for name, lines in rows)
    return Card((CardRow("Cut off", tuple(_cut(facts))), *told) if facts.function.cut else told)


def _nothing(facts: KernelFacts, row: str) -> str:
    """What an empty row says: of what functions do only as far as they were followed."""
    followed = facts.behaviour.complete or row not in ("Barriers", "Warp ops", "Atomics", "Tensor cores", "Async copy")
    return "none" if followed else "none in what was followed: it calls too many functions"


def _cut(facts: KernelFacts) -> Iterator[Line]:
    """That nothing closes the body: what is told holds of the part that is there."""
    place = facts.location(facts.function.span)
    yield Line(f"the body that begins at L{place.line} is not closed: what follows is of the part that is there", place)


def kernel_hover(facts: KernelFacts, span: Span, gpu: str = "H100") -> Hover:
    """The hover of a kernel's name: the card as a table."""
    rows = tuple(
        (row.name, "<br>".join(line.text.replace("|", "\\|") for line in row.lines))
        for row in kernel_card(facts, gpu).rows
    )
    links = (Link("Explain kernel", command="kernelscope.explainKernel", target=Target(facts.path, span.start)),)
    return Hover(span, f"__global__ void {facts.name}{_signature(facts)}", "cuda-cpp", (), rows, links)


def _signature(facts: KernelFacts) -> str:
    """As declared; names only where the types would not fit one line."""
    templates = ", ".join(t.name for t in facts.function.templates)
    typed = ", ".join(f"{p.type} {p.name}".replace(" *", "*") for p in facts.function.params)
    params = typed if len(typed) <= MAX_SIGNATURE else ", ".join(p.name for p in facts.function.params)
    text = f"{f'<{templates}>' if templates else ''}({params})"
    return text if len(text) <= MAX_SIGNATURE else f"{text[: MAX_SIGNATURE - 1]}…"


# -- launches -------------------------------------------------------------------------------------------------


def _place(launch: Launch) -> Location:
    return launch.unit.source.source.location(Path(launch.unit.path), launch.span)


def _launches(facts: KernelFacts) -> Iterator[Line]:
    told: dict[str, Line] = {}
    for launch in facts.launches:
        parts = ", ".join(launch.configuration)
        templates = f" with <{', '.join(launch.templates)}>" if launch.templates else ""
        how = "" if launch.mechanism == "<<<>>>" else f" by {launch.mechanism}"
        text = f"`<<<{parts}>>>` L{launch.line} `{Path(launch.unit.path).name}`{templates}{how}"
        told.setdefault(text, Line(text, _place(launch)))
    yield from list(told.values())[:MAX_LAUNCHES]
    if not told:
        yield Line("not known: no launch found in the workspace")
    elif len(told) > MAX_LAUNCHES:
        yield Line(f"and {len(told) - MAX_LAUNCHES} more")


def _extents(facts: KernelFacts, which: str) -> Iterator[Line]:
    told: set[str] = set()
    for launch in facts.launches:
        extent = launch.grid if which == "grid" else launch.block
        if None in extent:
            written = launch.configuration[0 if which == "grid" else 1] if len(launch.configuration) > 1 else "?"
            text = f"not known: `{written}` cannot be followed"
        else:
            sizes = [render(size, ()) for size in extent if size is not None]
            text = f"`({', '.join(sizes)})`{_threads(extent) if which == 'block' else ''}"
        if text not in told and len(told) < MAX_LINES:
            told.add(text)
            yield Line(text, _place(launch))
    if not facts.launches:
        bounds = facts.launch_bounds
        yield Line(
            f"not known: no launch found in the workspace; at most {bounds.threads} threads by its launch bounds"
            if bounds is not None and which == "block"
            else "not known: no launch found in the workspace"
        )


def _threads(extent: tuple[Dim | None, ...]) -> str:
    count = product(size for size in extent if size is not None)
    number = count.const
    if number is None:
        return f" = {render(count)} threads"
    warps = -(-number // 32)
    return f" = {number} threads = {warps} warp{'s' if warps != 1 else ''}"


def _bounds(facts: KernelFacts) -> Iterator[Line]:
    bounds = facts.launch_bounds
    cluster = cluster_dims(facts.function.header)
    where = facts.location(facts.function.name_span)
    if bounds is None:
        yield Line("not set" + (f"; cluster of ({cluster}) blocks" if cluster else ""), where)
        return
    text = f"{bounds.threads} threads"
    if bounds.blocks:
        text += f", min {bounds.blocks} block{'s' if bounds.blocks != '1' else ''}/SM"
    value = facts.bounded_threads
    if value is not None and render(value) != bounds.threads:
        text += f"; {bounds.threads} = {render(value, facts.order)}"
    if cluster or bounds.clusters:
        text += f"; cluster of ({cluster or bounds.clusters}) blocks"
    yield Line(text, where)


# -- shared memory --------------------------------------------------------------------------------------------


def _static(facts: KernelFacts) -> Iterator[Line]:
    shared = facts.shared
    if not shared.static:
        return
    size = shared.static_bytes
    if size is not None and size.const is None and (sized := _instantiated(facts)) is not None:
        yield sized
        return
    arrays = ", ".join(_array_text(array, facts) for array in shared.static)
    total = f"{render(size, facts.order)} B" if size is not None else "not known in all"
    yield Line(f"{total}: {arrays}", facts.location(shared.static[0].span) if shared.static[0].direct else None)


def _instantiated(facts: KernelFacts) -> Line | None:
    """Sizes that types decide, at the launches that name the types; None where numbers of the kernel decide."""
    symbolic = facts.shared.static_bytes
    names = symbolic.names() if symbolic is not None else ()
    if all(name.isidentifier() for name in names):
        return None
    sizes: dict[int, tuple[SharedMemory, Constants]] = {}
    for _, constants in facts.instantiations:
        shared = facts.shared_of(constants)
        number = shared.static_bytes.const if shared.static_bytes is not None else None
        if number is None:
            return None
        sizes.setdefault(number, (shared, constants))
    if not sizes:
        return None
    parts: list[str] = []
    for number, (shared, constants) in sizes.items():
        arrays = ", ".join(_array_text(array, facts) for array in shared.static)
        given = f" with {_arguments(constants)}" if len(sizes) > 1 else ""
        parts.append(f"{number} B{given}: {arrays}")
    return Line("; ".join(parts))


def _arguments(constants: Constants) -> str:
    """The template arguments of an instantiation."""
    return f"<{', '.join(constants.bound.values())}>"


def _array_text(array: SharedArray, facts: KernelFacts) -> str:
    size = f"{render(array.size, facts.order)} B" if array.size is not None else f"({array.reason})"
    return f"`{array.name}` {array.declared} {size}"


def _dynamic(facts: KernelFacts) -> Iterator[Line]:
    names = ", ".join(f"`{array.name}`" for array in facts.shared.dynamic)
    if not names:
        return
    sizes: dict[str, Launch] = {}
    for launch in facts.launches:
        size = launch.shared
        written = launch.configuration[2] if len(launch.configuration) > 2 else "0"
        sizes.setdefault(f"{render(size)} B" if size is not None else f"`{written}` B", launch)
    parts = [f"{size} at launch L{launch.line}" for size, launch in list(sizes.items())[:MAX_LINES]]
    where = facts.shared.dynamic[0]
    place = facts.location(where.span) if where.path == facts.unit.path else None
    yield Line(f"{names} extern, {', '.join(parts) or 'sized at the launch'}", place)


# -- threads and accesses -------------------------------------------------------------------------------------


def _mapping(warp: KernelWarp) -> Iterator[Line]:
    for text in mapping_lines(warp):
        yield Line(text, warp.facts.location(warp.facts.function.name_span))


def _accesses(warp: KernelWarp, space: str) -> Iterator[Line]:
    lines = list(access_lines(warp.verdicts, space, warp.line))
    for text, verdict in lines:
        yield Line(text, warp.facts.location(warp.span(verdict.access.span)))
    run = warp.run
    if run is None or not run.complete:
        yield Line("not every path was followed: the kernel is too large")
        return
    if space == "global" and run.unfollowed:
        names = ", ".join(f"`{name}`" for name in run.unfollowed[:MAX_LINES])
        yield Line(f"not followed: pointers are passed on to {names}")
    elif not lines and (held := _held(warp.facts, space)):
        yield Line(f"not known: no access to `{held}` was followed")
    if lines and warp.facts.unit.is_for_amd:
        yield Line("as warps of 32 lanes and NVIDIA's sectors and banks would have it; the code is for AMD's GPUs")
    if lines and warp.launch is not None and warp.differs_by_launch:
        yield Line(f"as launched at L{warp.launch.line} `{Path(warp.launch.unit.path).name}`", _place(warp.launch))
    elif lines and warp.launch is None and warp.setting.numbers:
        given = ", ".join(f"`{name}` = {number}" for name, number in warp.setting.numbers.items())
        yield Line(f"with what the template gives by default: {given}")


def _held(facts: KernelFacts, space: str) -> str:
    """Memory of a kind that the kernel has at hand, and so may use; empty where it has none."""
    if space == "shared":
        return next((array.name for array in (*facts.shared.static, *facts.shared.dynamic)), "")
    return next((p.name for p in facts.function.params if types.bare(p.type).endswith("*")), "")


# -- behaviour ------------------------------------------------------------------------------------------------


def _vector(facts: KernelFacts) -> Iterator[Line]:
    found = vector_width(facts.behaviour.reached)
    if found is not None and found.width is None:
        yield Line(f"not known: `{found.type}` is as wide as its template arguments say")
    elif found is not None:
        yield Line(f"{found.width} B ({found.type})")


def _barriers(facts: KernelFacts) -> Iterator[Line]:
    found = facts.behaviour.of(Kind.BARRIER)
    for name, operations in _by_name([o for o in found if o.direct]).items():
        places = ", ".join(_where(operation) for operation in operations[:MAX_LINES])
        more = ", …" if len(operations) > MAX_LINES else ""
        yield Line(f"{len(operations)} × `{name}` ({places}{more})", operations[0].location)
    for name, operations in _by_name([o for o in found if not o.direct]).items():
        helpers = ", ".join(sorted({f"`{operation.function.name}`" for operation in operations})[:4])
        yield Line(f"`{name}` in {helpers}", operations[0].location)
    warp = facts.behaviour.of(Kind.WARP_BARRIER)
    if not found and warp:
        yield Line(f"none of the block; {len(warp)} × `{warp[0].effect.text}`", warp[0].location)


def _where(operation: Operation) -> str:
    loop = " in loop" if operation.in_loop else ""
    branch = " in branch" if operation.in_branch else ""
    return f"L{operation.location.line}{loop}{branch}"


def _by_name(operations: list[Operation]) -> dict[str, list[Operation]]:
    named: dict[str, list[Operation]] = {}
    for operation in operations:
        named.setdefault(operation.effect.text, []).append(operation)
    return named


def _counted(facts: KernelFacts, kind: Kind) -> Iterator[Line]:
    for name, operations in list(_by_name(facts.behaviour.of(kind)).items())[:MAX_LINES]:
        helpers = sorted({f"`{o.function.name}`" for o in operations if not o.direct})
        inside = f" in {', '.join(helpers[:3])}" if helpers else ""
        yield Line(f"`{name}` ×{len(operations)} ({_places(facts, operations)}){inside}", operations[0].location)


def _places(facts: KernelFacts, operations: list[Operation]) -> str:
    """Where operations stand; of other files with their names."""
    told: dict[str, None] = {}
    for operation in operations[:MAX_PLACES]:
        path = operation.location.path
        told[f"L{operation.location.line}" + ("" if path == facts.path else f" `{path.name}`")] = None
    return ", ".join(told)


def _async(facts: KernelFacts) -> Iterator[Line]:
    """Copies in the background; those that signal their end at barriers in shared memory say so."""
    signals = _signals(facts)
    for line in _counted(facts, Kind.ASYNC):
        yield Line(f"{line.text} + mbarrier{signals}", line.location) if signals and "TMA" in line.text else line


def _signals(facts: KernelFacts) -> str:
    """The barriers in shared memory that a kernel waits at, with how many there are of each."""
    arrays = [array for array in facts.shared.static if kind_of_object(facts.unit, array.type) == "barrier"]
    if arrays:
        return ": " + ", ".join(f"`{array.name}` {array.declared}" for array in arrays)
    return " " if any("mbarrier." in text for text in functions_text(facts.behaviour.reached)) else ""


def _atomics(facts: KernelFacts, warp: KernelWarp) -> Iterator[Line]:
    shared = {array.name for array in (*facts.shared.static, *facts.shared.dynamic)}
    followed = [verdict for verdict in warp.verdicts if verdict.access.kind == "atomic"]
    for name, operations in list(_by_name(facts.behaviour.of(Kind.ATOMIC)).items())[:MAX_LINES]:
        spaces = {space for operation in operations for space in _spaces(operation, shared, warp, followed)}
        places = _places(facts, operations)
        yield Line(f"`{name}` {' and '.join(sorted(spaces))} ×{len(operations)} ({places})", operations[0].location)


def _spaces(operation: Operation, shared: set[str], warp: KernelWarp, followed: Sequence[Verdict]) -> set[str]:
    """The memories that an atomic operation changes, as followed; by the name of its target where it was not."""
    found = {
        verdict.access.memory.space
        for verdict in followed
        if (verdict.access.through == operation.function.name)
        or (operation.direct and not verdict.access.through and warp.line(verdict) == operation.location.line)
    }
    if found and found <= {"shared", "global"}:
        return {str(space) for space in found}
    target = operation.arguments[0].lstrip("&(* ") if operation.arguments else ""
    name = target.split("[")[0].split(".")[0].split("-")[0].strip()
    return {"shared" if name in shared else "global"}


def _loop(facts: KernelFacts) -> Iterator[Line]:
    found = loop_kind(facts.behaviour.reached[0])
    yield Line(f"{found.text} (L{found.line})" if found.line else found.text)


def _specialisation(facts: KernelFacts) -> Iterator[Line]:
    found = _by_name(facts.behaviour.of(Kind.REGISTERS))
    if found:
        first = next(iter(found.values()))[0]
        yield Line(f"by warpgroup: {', '.join(f'`{name}`' for name in found)} (L{first.location.line})", first.location)


# -- registers and occupancy ------------------------------------------------------------------------------------


def _registers(built: tuple[Compiled, ...]) -> Iterator[Line]:
    """The most that any instantiation needs, and the spills."""
    if not built:
        yield Line("not known without ptxas")
        return
    most = max(built, key=lambda entry: (entry.registers, entry.spilled))
    fewest = min(entry.registers for entry in built)
    numbers = f"{most.registers}" if fewest == most.registers else f"{fewest} to {most.registers}"
    times = f" over {len(built)} instantiations" if len(built) > 1 else ""
    spilled = max(entry.spilled for entry in built)
    spills = f", {spilled} bytes spilled" if spilled else ", nothing spilled"
    place = Location(Path(most.path), most.line, 0, most.line, 0)
    text = f"`ptxas` {numbers}{times} on {most.arch}{spills} (L{most.line} `{place.path.name}`)"
    yield Line(text, place)


def _occupancy(
    facts: KernelFacts, limits: Generation | None, built: tuple[Compiled, ...], chip: Gpu | None
) -> Iterator[Line]:
    if facts.unit.is_for_amd:
        yield Line("not known: the code is for AMD's GPUs, whose limits are others")
        return
    threads = _block_threads(facts)
    sizes = _static_sizes(facts)
    if limits is None or threads is None:
        yield Line("not known: the block has no size that is a number")
        return
    if not sizes:
        yield Line("not known: the shared memory depends on template arguments")
        return
    dynamic = _dynamic_bytes(facts)
    if facts.shared.dynamic and dynamic is None:
        yield Line("not known: the dynamic shared memory is sized at run time")
        return
    registers = max((entry.registers for entry in built if entry.arch == limits.arch), default=0)
    at_most, supposed = ("", "") if registers else ("≤ ", ", if registers allow it")
    outcomes: dict[Occupancy, str] = {}
    for static, given in sizes.items():
        outcomes.setdefault(occupancy(limits, threads, registers, static + (dynamic or 0)), given)
    for found, given in outcomes.items():
        yield Line(
            f"{at_most}{found.blocks_per_sm} blocks/SM = {found.warps_per_sm}/{found.max_warps} warps = "
            f"{found.share:.0%} on {limits.arch}, limited by {' and '.join(found.limited_by)}{supposed}"
            + (f"; with {given}" if len(outcomes) > 1 else "")
        )
    per_sm = {found.blocks_per_sm for found in outcomes}
    if chip is not None and len(per_sm) == 1 and 0 not in per_sm:
        yield from _waves(facts, per_sm.pop(), chip, bool(registers))


def _waves(facts: KernelFacts, per_sm: int, chip: Gpu, certain: bool) -> Iterator[Line]:
    """How often a grid of known size fills all multiprocessors, and how full the last time."""
    grids = {launch.grid for launch in facts.launches}
    grid = next(iter(grids)) if len(grids) == 1 else ()
    blocks = product(size for size in grid if size is not None).const if grid and None not in grid else None
    if blocks is None or blocks <= 0:
        return
    count, tail = waves(blocks, per_sm, chip.sms)
    least, supposed = ("", "") if certain else ("≥ ", ", if registers allow it")
    if count < 1:
        full = "under 1%" if tail < 0.01 else f"{tail:.0%}"
        yield Line(f"one wave, {full} full, on {chip.name} ({chip.sms} SMs){supposed}")
        return
    yield Line(f"{least}{count:.3g} waves on {chip.name} ({chip.sms} SMs), the last one {tail:.0%} full{supposed}")


def _block_threads(facts: KernelFacts) -> int | None:
    if facts.block is not None and None not in facts.block:
        count = product(size for size in facts.block if size is not None).const
        if count is not None and count > 0:
            return count
    bounded = facts.bounded_threads
    return bounded.const if bounded is not None and (bounded.const or 0) > 0 else None


def _static_sizes(facts: KernelFacts) -> dict[int, str]:
    """Bytes of the static arrays with template arguments that give them; none where a launch leaves them open."""
    size = facts.shared.static_bytes
    if size is not None and size.const is not None:
        return {size.const: ""}
    if len(facts.instantiations) > MAX_INSTANTIATIONS:
        return {}
    sizes: dict[int, str] = {}
    for _, constants in facts.instantiations:
        found = facts.shared_of(constants).static_bytes
        if found is None or found.const is None:
            return {}
        sizes.setdefault(found.const, _arguments(constants))
    return sizes if len(sizes) <= MAX_LINES else {}


def _dynamic_bytes(facts: KernelFacts) -> int | None:
    sizes = {launch.shared.const if launch.shared is not None else None for launch in facts.launches}
    return next(iter(sizes)) if len(sizes) == 1 else None
