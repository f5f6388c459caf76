"""The rows of a kernel's card that tell what it does: barriers, warp operations, tensor cores, copies.

Operations of functions that it calls are told with these.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.dims import render
from kernelscope.explain.cuda_operations import MAX_LINES, MAX_PLACES, by_name, first_of, places_of
from kernelscope.explain.document import Line
from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.intrinsics import GROUP_OF_COPIES, Kind
from kernelscope.kernels.cuda.kernels import KernelFacts
from kernelscope.kernels.cuda.loop_kinds import loop_kind
from kernelscope.kernels.cuda.operations import Operation, functions_text, kind_of_object
from kernelscope.kernels.cuda.pipeline_waits import groups_in_flight
from kernelscope.kernels.cuda.resources import vector_width
from kernelscope.kernels.cuda.warp.accesses import Verdict
from kernelscope.kernels.cuda.warp.kernel_warp import KernelWarp, kernel_warp
from kernelscope.kernels.cuda.warp.sectors import Traffic
from kernelscope.kernels.cuda.warp.types import Number, PointerTo, StructType, TypeParameter, Vector
from kernelscope.kernels.cuda.warp_roles import warp_roles
from kernelscope.syntax.cuda.functions import Function, FunctionKind

OF_BLOCK = ("__syncthreads", "__syncthreads_count", "__syncthreads_and", "__syncthreads_or")
MAX_HELPERS = 3
WIDEST = 16
"""Bytes of the widest access that a lane makes by itself: no number alone has as many."""
_APART = {Kind.ASYNC: "async copies", Kind.TENSOR: "tensor cores", Kind.BARRIER: "named barriers"}
"""What warps do apart, in words."""


def vector_lines(facts: KernelFacts) -> Iterator[Line]:
    reached = facts.behaviour.reached
    if _moves_numbers(facts):
        reached = [one for one in reached if not (one.function.is_specialisation or _is_whole(one.function))]
    found, given = vector_width(reached), _given_vector(facts)
    if (found is None and given is None) or (found is not None and (found.width is None or found.width < WIDEST)):
        warp = kernel_warp(facts)
        least = WIDEST if found is not None and found.width is not None else WIDEST // 2
        told = [v for v in warp.verdicts if v.width is not None and isinstance(v.outcome, Traffic)]
        told = [v for v in told if v.width is not None and v.width <= (v.access.aligned or WIDEST)]
        wide = [v for v in told if isinstance(v.access.target, StructType | Vector) and v.width in (least, WIDEST)]
        widest = max(wide or (v for v in told if v.width == WIDEST), key=lambda v: v.width or 0, default=None)
        if widest is not None:
            where = f"`{widest.access.memory.name}` L{warp.line(widest)} {widest.access.kind}"
            launch = warp.launch if warp.differs_by_launch else None
            when = f" as launched at L{launch.line}" if launch is not None else ""
            yield Line(f"{widest.width} B ({where}){when}", facts.location(warp.span(widest.access.span)))
            return
        unsure = next((v for v in warp.verdicts if v.outcome is None and _has_open_width(v)), None)
        if unsure is not None and found is None and given is None:
            yield Line(f"not known: {unsure.reason}", facts.location(warp.span(unsure.access.span)))
            return
    if given is not None and (found is None or (found.width is not None and given[0] > found.width)):
        width, name, line = given
        yield Line(f"{width} B ({name}) as launched at L{line}")
    elif found is not None and found.width is None:
        yield Line(f"not known: `{found.type}` is as wide as its template arguments say")
    elif found is not None:
        yield Line(f"{found.width} B ({found.type})")


def _has_open_width(verdict: Verdict) -> bool:
    """Whether the type that an access moves is a struct of a size that is not known: it may be a vector."""
    width, space = verdict.access.width, verdict.access.memory.space
    return (
        space != "unknown"
        and width is not None
        and width.const is None
        and not isinstance(verdict.access.target, TypeParameter)
    )


def _is_whole(function: Function) -> bool:
    """Whether one run sees all that a function may do: a kernel without template parameters."""
    return function.kind is FunctionKind.KERNEL and not function.templates


def _moves_numbers(facts: KernelFacts) -> bool:
    """Whether every access was followed, and is of one number or of what the launch gives for a type parameter."""
    warp = kernel_warp(facts)
    targets = [verdict.access.target for verdict in warp.verdicts]
    followed = warp.run is not None and warp.run.is_followed
    return followed and all(isinstance(target, Number | TypeParameter | PointerTo) for target in targets)


def _given_vector(facts: KernelFacts) -> tuple[int, str, int] | None:
    """The widest vector that a launch makes of what a parameter points to: bytes, type and the launch's line."""
    pointed = {types.bare(p.type).removesuffix("*").strip() for p in facts.function.params if "*" in p.type}
    names = [t.name for t in facts.function.templates if not t.type and t.name in pointed]
    found: list[tuple[int, str, int]] = []
    for launch, constants in facts.instantiations if names else ():
        for name in names:
            text = types.bare(constants.bound.get(name, ""))
            vector = types.vector(text)
            if vector is not None and vector[0] != 3:  # three elements move one by one
                found.append((vector[0] * vector[1], text, launch.line))
    return max(found, key=lambda vector: vector[0], default=None)


def barrier_lines(facts: KernelFacts) -> Iterator[Line]:
    found = facts.behaviour.of(Kind.BARRIER)
    for name, operations in by_name([o for o in found if o.direct]).items():
        places = first_of([_where(operation) for operation in operations], MAX_LINES)
        yield Line(f"{len(operations)} × `{name}` ({places})", operations[0].location)
    for name, operations in by_name([o for o in found if not o.direct]).items():
        helpers = sorted({f"`{operation.function.name}`" for operation in operations})
        count = len({operation.location for operation in operations})
        told = f"`{name}` ×{count} in {first_of(helpers, MAX_PLACES)}{_only(operations)}"
        yield Line(told, operations[0].location)
    yield from _without_some(facts, [o for o in found if o.direct and o.effect.text in OF_BLOCK])
    warp = facts.behaviour.of(Kind.WARP_BARRIER)
    if not found and warp:
        yield Line(f"none of the block; {len(warp)} × `{warp[0].effect.text}`", warp[0].location)


def _without_some(facts: KernelFacts, barriers: list[Operation]) -> Iterator[Line]:
    """The barriers of the block that stand behind places where some of its threads have returned."""
    warp = kernel_warp(facts) if barriers and "return" in facts.unit.source.text(facts.function.body) else None
    run = warp.run if warp is not None else None
    left = [facts.location(warp.span(span)) for span in run.left] if warp is not None and run is not None else []
    first = min((place.line for place in left), default=0)
    behind = [operation.location.line for operation in barriers if left and operation.location.line > first]
    if behind:
        lines = first_of([f"L{line}" for line in dict.fromkeys(behind)], MAX_PLACES)
        returns = first_of([f"L{place.line}" for place in left], MAX_PLACES)
        yield Line(f"at {lines} without the threads that return at {returns}", left[0])


def _only(operations: list[Operation]) -> str:
    """That constants decide whether the code is there at all."""
    return " where `if constexpr` takes them" if all(operation.open for operation in operations) else ""


def _where(operation: Operation) -> str:
    loop = " in loop" if operation.in_loop else ""
    branch = " in branch" if operation.in_branch else ""
    return f"L{operation.location.line}{loop}{branch}"


def counted_lines(facts: KernelFacts, kind: Kind) -> Iterator[Line]:
    return _counted(facts, by_name(facts.behaviour.of(kind)))


def _counted(facts: KernelFacts, by_name: dict[str, list[Operation]]) -> Iterator[Line]:
    for name, operations in list(by_name.items())[:MAX_LINES]:
        helpers = sorted({f"`{o.function.name}`" for o in operations if not o.direct})
        inside = f" in {first_of(helpers, MAX_HELPERS)}" if helpers else ""
        count = len({operation.location for operation in operations})  # once for all instances of a function
        told = f"`{name}` ×{count} ({places_of(facts, operations)}){inside}{_only(operations)}"
        yield Line(told, operations[0].location)


def tensor_lines(facts: KernelFacts) -> Iterator[Line]:
    """The instructions, and those that bring operands from shared memory in the layout that they want."""
    found = list(counted_lines(facts, Kind.TENSOR))
    yield from found
    for line in counted_lines(facts, Kind.FRAGMENT) if found else ():
        yield Line(f"operands by {line.text}", line.location)


def async_lines(facts: KernelFacts) -> Iterator[Line]:
    """Copies in the background; those that signal their end at barriers in shared memory say so."""
    signals = _signals(facts)
    named = by_name(facts.behaviour.of(Kind.ASYNC))
    if any(name.startswith("cp.async") for name in named if name != GROUP_OF_COPIES.text):
        named.pop(GROUP_OF_COPIES.text, None)
    for line in _counted(facts, named):
        yield Line(f"{line.text} + mbarrier{signals}", line.location) if signals and "TMA" in line.text else line
    waits = [render(count, facts.order) for count in groups_in_flight(facts.behaviour.reached)]
    if waits:
        yield Line(f"waits until at most {' or '.join(f'`{count}`' for count in waits)} groups of copies are in flight")


def _signals(facts: KernelFacts) -> str:
    """The barriers in shared memory that a kernel waits at, with how many there are of each."""
    arrays = [array for array in facts.shared.static if kind_of_object(facts.unit, array.type) == "barrier"]
    if arrays:
        return ": " + ", ".join(f"`{array.name}` {array.declared}" for array in arrays)
    return " " if any("mbarrier." in text for text in functions_text(facts.behaviour.reached)) else ""


def loop_lines(facts: KernelFacts, warp: KernelWarp) -> Iterator[Line]:
    shared = frozenset(array.name for array in (*facts.shared.static, *facts.shared.dynamic))
    found = loop_kind(facts.behaviour.reached, warp.run, shared)
    if found.span is None:
        yield Line(found.text)
        return
    place = facts.location(warp.span(found.span))
    yield Line(f"{found.text} (L{place.line})", place)


def specialisation_lines(facts: KernelFacts) -> Iterator[Line]:
    for role in warp_roles(facts.behaviour):
        who = f"`{role.condition}`" if role.condition else "otherwise"
        work = ", ".join(_APART[kind] for kind in role.kinds if kind in _APART)
        yield Line(f"{who} (L{role.location.line}): {work or 'a number of registers of its own'}", role.location)
    found = by_name(facts.behaviour.of(Kind.REGISTERS))
    if found:
        first = next(iter(found.values()))[0]
        yield Line(f"by warpgroup: {', '.join(f'`{name}`' for name in found)} (L{first.location.line})", first.location)
