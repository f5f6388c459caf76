"""Algorithms recognised in a kernel by the structure of its loops and operations, each with the place that shows it.

Names of functions and variables play no part. What is not certain is not said.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from kernelscope.kernels.triton.accesses import footprint
from kernelscope.kernels.triton.kernel_runs import KernelRun
from kernelscope.kernels.triton.tile_motion import tile_motions
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A recognised algorithm: what it is called, what it does in one sentence, and where it is seen."""

    name: str
    text: str
    span: Span


def algorithms(run: KernelRun) -> list[Algorithm]:
    """What the kernel does, in the order of its source; each algorithm once."""
    bodies = dict.fromkeys((run.node, *(call.function.node for call in run.calls)))
    found: dict[str, Algorithm] = {}
    for node in bodies:
        own = node is run.node
        for algorithm in _of_function(node):
            place = algorithm if own else Algorithm(algorithm.name, algorithm.text, run.node.name_span)
            found.setdefault(algorithm.name, place)
    for algorithm in (*_split_inner(run), *_two_passes(run)):
        found.setdefault(algorithm.name, algorithm)
    for special, general in (("two-pass normalisation", "row normalisation"), ("split-K", "atomic reduction")):
        if special in found:
            found.pop(general, None)
    return sorted(found.values(), key=lambda a: a.span.start)


def _split_inner(run: KernelRun) -> Iterator[Algorithm]:
    """Products whose inner dim is shared out among programs of a grid axis that the output's place does not know: each
    has a part of the sum, which is added atomically or stored apart."""
    if not any(done.times != 1 for done in run.products):
        return
    motions = tile_motions(run)
    shared: frozenset[str] = frozenset()
    placed: frozenset[str] = frozenset()
    apart: frozenset[str] = frozenset()
    for access in run.accesses:
        motion = motions.get(access.span)
        if motion is None:
            continue
        if access.kind == "load" and access.in_loop and len(motion.axes) > 1:
            shared |= frozenset(p for axis in motion.axes if axis.loops for p in axis.programs)
        elif access.kind != "load":
            placed |= frozenset(p for axis in motion.axes for p in axis.programs)
            apart |= motion.outside.programs
    parts = shared - placed
    for access in run.accesses if parts else ():
        if access.kind == "atomic":
            text = "programs share the inner dim out among themselves and add their partial products atomically"
            yield Algorithm("split-K", text, access.span)
        elif access.kind == "store" and parts & apart:
            text = "programs share the inner dim out among themselves; partial products are stored apart, to be summed"
            yield Algorithm("split-K", text, access.span)


def _two_passes(run: KernelRun) -> Iterator[Algorithm]:
    """A row that one loop sums up and a later loop reads again, to store it scaled by an inverse root of the sums."""
    if run.products:
        return
    loops = [inner for inner in t.flat(run.node.body) if isinstance(inner, t.For)]
    roots = [c for n, c in _all_calls(run.node) if n in ("rsqrt", "sqrt", "sqrt_rn")]
    for first, second in itertools.pairwise(loops):
        carried = _summed(first)
        read = [_read_in(run, loop) for loop in (first, second)]
        stores = any(a.kind == "store" and a.loop is not None and a.loop[0] == second.span for a in run.accesses)
        between = [root for root in roots if first.span.end <= root.span.start < second.span.end]
        if carried and read[0] & read[1] and stores and between:
            text = "a first pass over the row sums it up; a second reads it again and stores it scaled by the root"
            yield Algorithm("two-pass normalisation", text, between[0].span)


def _summed(loop: t.For) -> set[str]:
    """Names that each round gives what they were plus something: `total = total + x`, `total += x`."""
    added = (inner.target for inner in t.inside(loop) if isinstance(inner, t.AugAssign))
    return {target.id for target in added if isinstance(target, t.Name)} | {
        target.id
        for inner in t.inside(loop)
        if isinstance(inner, t.Assign) and isinstance(inner.value, t.BinOp) and inner.value.op == "+"
        for target in inner.targets
        if isinstance(target, t.Name) and any(isinstance(n, t.Name) and n.id == target.id for n in t.walk(inner.value))
    }


def _read_in(run: KernelRun, loop: t.For) -> set[str]:
    """The arguments that a loop loads from."""
    inside = [a for a in run.accesses if a.kind == "load" and a.loop is not None and a.loop[0] == loop.span]
    return {base for access in inside if (base := footprint(access).base)}


def _of_function(node: t.FunctionDef) -> Iterator[Algorithm]:
    loops = [inner for inner in t.inside(node) if isinstance(inner, t.For | t.While)]
    for loop in loops:
        yield from _of_loop(loop)
    calls = _calls(node)
    if "atomic_add" in calls and ("sum" in calls or "dot" in calls):
        text = "each program adds its partial result to memory atomically: the order of additions varies"
        yield Algorithm("atomic reduction", text, calls["atomic_add"].span)
    if "rsqrt" in calls or "sqrt" in calls or "sqrt_rn" in calls:
        root = calls.get("rsqrt") or calls.get("sqrt") or calls["sqrt_rn"]
        if "sum" in calls and not any("dot" in _calls(loop) for loop in loops):
            text = "rows are scaled by the inverse root of a mean of squares"
            yield Algorithm("row normalisation", text, root.span)
    if {"max", "exp", "sum"} <= calls.keys() and not any(_online(loop) for loop in loops) and not loops:
        text = "a row is read once: maximum, exponentials of the differences, sum, quotient"
        yield Algorithm("softmax of a row", text, calls["max"].span)
    grouped = _grouped_order(node)
    if grouped is not None:
        text = "programs are numbered in groups of rows, so that neighbours share tiles in the L2 cache"
        yield Algorithm("grouped ordering", text, grouped)


def _of_loop(loop: t.For | t.While) -> Iterator[Algorithm]:
    calls = _calls(loop)
    if _online(loop):
        text = (
            "running maximum and running sum per row; what was accumulated is scaled by exp(old maximum - new maximum)"
            " whenever the maximum grows"
        )
        yield Algorithm("online softmax", text, loop.span)
    elif "dot" in calls:
        text = "tiles along the inner dim are multiplied and accumulated in registers"
        yield Algorithm("tiled matrix product", text, calls["dot"].span)
    if isinstance(loop, t.For) and _persistent(loop):
        text = "a fixed number of programs runs through all tiles, each taking every n-th"
        yield Algorithm("persistent loop", text, loop.span)
    if _welford(loop):
        text = "mean and sum of squared differences are updated together, element by element"
        yield Algorithm("Welford's algorithm", text, loop.span)


@lru_cache(maxsize=64)
def _calls(block: t.FunctionDef | t.For | t.While) -> Mapping[str, t.Call]:
    """The first call of each operation name in a body, nested blocks included."""
    found: dict[str, t.Call] = {}
    for name, call in _all_calls(block):
        found.setdefault(name, call)
    return found


def _all_calls(block: t.FunctionDef | t.For | t.While) -> Iterator[tuple[str, t.Call]]:
    for inner in t.inside(block):
        if isinstance(inner, t.Call):
            name = inner.func.attr if isinstance(inner.func, t.Attribute) else t.dotted(inner.func)
            if name:
                yield name, inner


def _online(loop: t.For | t.While) -> bool:
    """A carried maximum joined with the maximum of a new tile, then exponentials of differences, then a sum."""
    calls = _calls(loop)
    if not ({"exp", "exp2"} & calls.keys()) or "sum" not in calls:
        return False
    joined = calls.get("maximum")
    if joined is None or "max" not in calls:
        return False
    carried = _carried(loop)
    return any(isinstance(a, t.Name) and a.id in carried for a in joined.args)


def _carried(loop: t.For | t.While) -> set[str]:
    """Names that a body assigns: values of one round that the next may read."""
    names: set[str] = set()
    for inner in t.inside(loop):
        if isinstance(inner, t.Assign):
            names |= {n.id for target in inner.targets for n in t.walk(target) if isinstance(n, t.Name)}
        elif isinstance(inner, t.AugAssign) and isinstance(inner.target, t.Name):
            names.add(inner.target.id)
    return names


def persistent_loops(node: t.FunctionDef) -> list[t.For]:
    """The loops in which a program takes one tile after the other, as many apart as there are programs."""
    return [loop for loop in t.inside(node) if isinstance(loop, t.For) and _persistent(loop)]


def _persistent(loop: t.For) -> bool:
    """`range(pid, tiles, programs)`: three bounds, of which the first is no literal and the step is none either."""
    source = loop.iter
    if not isinstance(source, t.Call) or len(source.args) < 3:
        return False
    start, _, step = source.args[:3]
    names = {n.attr for n in t.walk(step) if isinstance(n, t.Attribute)}
    return not isinstance(start, t.Constant) and ("num_programs" in names or _is_program_count(loop, step))


def _is_program_count(loop: t.For, step: t.Expr) -> bool:
    """The step is a plain name that the body does not use: it counts programs, not elements."""
    if not isinstance(step, t.Name):
        return False
    used = {n.id for n in t.inside(loop) if isinstance(n, t.Name)}
    return step.id not in used and isinstance(loop.iter, t.Call) and isinstance(loop.iter.args[0], t.Name)


def _welford(loop: t.For | t.While) -> bool:
    """`delta = x - mean`, `mean += delta / n`, `m2 += delta * (x - mean)`."""
    differences: dict[str, str] = {}
    for inner in t.inside(loop):
        if isinstance(inner, t.Assign) and isinstance(inner.value, t.BinOp) and inner.value.op == "-":
            right = inner.value.right
            if isinstance(right, t.Name) and len(inner.targets) == 1 and isinstance(inner.targets[0], t.Name):
                differences[inner.targets[0].id] = right.id
    for inner in t.inside(loop):
        if isinstance(inner, t.AugAssign) and isinstance(inner.target, t.Name) and inner.op == "+":
            used = {n.id for n in t.walk(inner.value) if isinstance(n, t.Name)}
            if any(name in used and mean == inner.target.id for name, mean in differences.items()):
                return any(isinstance(n, t.BinOp) and n.op == "/" for n in t.walk(inner.value))
    return False


def _grouped_order(node: t.FunctionDef) -> Span | None:
    """`min(tiles - first, GROUP)` and then `%` and `//` by it."""
    for inner in t.inside(node):
        if not isinstance(inner, t.Assign) or not isinstance(inner.value, t.Call) or len(inner.targets) != 1:
            continue
        name = inner.value.func.attr if isinstance(inner.value.func, t.Attribute) else t.dotted(inner.value.func)
        target = inner.targets[0]
        if name not in ("min", "minimum") or not isinstance(target, t.Name):
            continue
        uses = {
            other.op
            for other in t.inside(node)
            if isinstance(other, t.BinOp) and isinstance(other.right, t.Name) and other.right.id == target.id
        }
        if {"%", "//"} <= uses:
            return inner.span
    return None
