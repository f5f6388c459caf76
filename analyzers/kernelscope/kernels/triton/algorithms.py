"""Algorithms recognised in a kernel by the structure of its loops and operations, each with the place that shows it.

Names of functions and variables play no part. What is not certain is not said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kernelscope.kernels.triton.bodies import (
    PRODUCTS,
    all_calls,
    loops_in,
    made_of,
    nodes_of,
    operation,
    product_calls,
)
from kernelscope.kernels.triton.call import Access
from kernelscope.kernels.triton.kernel_runs import KernelRun
from kernelscope.kernels.triton.loop_algorithms import Algorithm, of_loop, summed
from kernelscope.kernels.triton.memory_algorithms import chosen_by_memory
from kernelscope.kernels.triton.norm_algorithms import norm_gradients, normalised, two_passes
from kernelscope.kernels.triton.pair_rotations import pair_rotations
from kernelscope.kernels.triton.scan_algorithms import recurrence, scans
from kernelscope.kernels.triton.softmax_algorithms import softmaxes
from kernelscope.kernels.triton.sorting_algorithms import sorting
from kernelscope.kernels.triton.split_softmax import merges, split_softmaxes
from kernelscope.kernels.triton.stepped_softmax import stepped_softmax
from kernelscope.kernels.triton.tile_motion import TileMotion, tile_motions
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t

MAX_PACKED = 0x7F
"""The mask of the longest integers that are told without a product; those of 8 bits may be a number's exponent."""


def algorithms(run: KernelRun, helpers: Iterable[t.FunctionDef] = ()) -> list[Algorithm]:
    """What the kernel does, in the order of its source; each algorithm once. `helpers`: those of its helpers."""
    bodies = dict.fromkeys((run.node, *(call.function.node for call in run.calls), *helpers))
    found: dict[str, Algorithm] = {}
    for node in bodies:
        own = node is run.node
        for algorithm in _of_function(node, run.called if own else {}):
            place = algorithm if own else Algorithm(algorithm.name, algorithm.text, run.node.name_span)
            found.setdefault(algorithm.name, place)
    for algorithm in (*_split_inner(run), *two_passes(run), *_partial_sums(run), *chosen_by_memory(run)):
        found.setdefault(algorithm.name, algorithm)
    for special, general in (
        ("two-pass normalisation", "row normalisation"),
        ("normalisation in several passes", "row normalisation"),
        ("split-K", "atomic reduction"),
    ):
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
    tiles = [(access, motion) for access in run.accesses if (motion := motions.get(access.place)) is not None]
    summed = frozenset(
        loop for access, motion in tiles if _is_summed(access, motion) for axis in motion.axes for loop in axis.loops
    )
    for access, motion in tiles:
        if access.kind == "load":
            inner = [axis for axis in motion.axes if _is_summed(access, motion) and axis.loops]
            shared |= frozenset(p for axis in inner for p in axis.programs)
            if not motion.outside.loops & summed:  # who reads another matrix has no part of the same sum
                placed |= motion.outside.programs
            placed |= frozenset(p for axis in motion.axes if axis not in inner for p in axis.programs)
        else:
            placed |= frozenset(p for axis in motion.axes for p in axis.programs)
            apart |= motion.outside.programs
    parts = shared - placed
    for access in run.accesses if parts else ():
        if access.kind == "atomic" and "atomic_add" in run.operations:
            text = "programs share the inner dim out among themselves and add their partial products atomically"
            yield Algorithm("split-K", text, access.span)
        elif access.kind == "store" and parts & apart:
            text = "programs share the inner dim out among themselves; partial products are stored apart, to be summed"
            yield Algorithm("split-K", text, access.span)


def _is_summed(access: Access, motion: TileMotion) -> bool:
    """Whether a load takes tiles of a matrix round by round."""
    return access.kind == "load" and access.in_loop and len(motion.axes) > 1


def _partial_sums(run: KernelRun) -> Iterator[Algorithm]:
    """Rows shared out among programs: each adds up blocks of its own rows and stores the sum at a place of its own."""
    if run.products:
        return
    motions, calls = tile_motions(run), {call.span: call for call in nodes_of(run.node, t.Call)}
    for loop in (inner for inner in t.flat(run.node.body) if isinstance(inner, t.For)):
        bounds = {operation(n) for n in made_of(run.node, loop.iter)}
        if "program_id" not in bounds or "load" in bounds:
            continue
        read = (motions.get(a.place) for a in run.accesses if a.kind == "load" and a.loop and a.loop[0] == loop.span)
        by_rows = any(m and m.outside.loops and not any(axis.loops for axis in m.axes) for m in read)
        for access in run.accesses if by_rows else ():
            motion, call = motions.get(access.place), calls.get(access.span)
            if access.kind != "store" or access.span.start < loop.span.end or call is None or motion is None:
                continue
            stored = {n.id for value in call.args[1:2] for n in t.walk(value) if isinstance(n, t.Name)}
            if stored & summed(loop) and motion.outside.programs:
                text = "each program adds up what its rows give and stores the sum at a place of its own, to be summed"
                yield Algorithm("partial sums", text, access.span)
                return


def _of_function(node: t.FunctionDef, called: Mapping[Span, t.FunctionDef]) -> Iterator[Algorithm]:
    """What one function does. `called`: the helpers behind its calls, as far as they are known."""
    loops = loops_in(node)
    for loop in loops:
        if merges(node, loop):
            text = (
                "what is stored is weighted by exp(its score - maximum so far) and added up; what was added before is"
                " scaled whenever the maximum grows, as partial softmaxes are merged"
            )
            yield Algorithm("softmax-weighted sum", text, loop.span)
        elif (more := stepped_softmax(loop, called) or recurrence(node, loop)) is not None:
            yield more
            yield from (found for found in of_loop(node, loop) if found.name != "tiled matrix product")
        else:
            yield from of_loop(node, loop)
    yield from scans(node, loops)
    yield from _locked(node)
    yield from _unpacked(node)
    added = next((call for name, call in all_calls(node) if name == "atomic_add" and _is_partial(node, call)), None)
    if added is not None:
        text = "each program adds its partial result to memory atomically: the order of additions varies"
        yield Algorithm("atomic reduction", text, added.span)
    if not any(product_calls(loop) for loop in loops):
        yield from normalised(node)
        yield from norm_gradients(node)
    yield from sorting(node)
    yield from pair_rotations(node)
    yield from softmaxes(node, loops)
    yield from split_softmaxes(node)
    grouped = _grouped_order(node)
    if grouped is not None:
        text = "programs are numbered in groups of rows, so that neighbours share tiles in the L2 cache"
        yield Algorithm("grouped ordering", text, grouped)


def _is_partial(node: t.FunctionDef, call: t.Call) -> bool:
    """Whether what is added is made of a product, or of a sum over a block or the rounds of a loop: it is no count."""
    value = next((k.value for k in call.keywords if k.arg == "val"), call.args[1] if len(call.args) > 1 else None)
    if value is None:
        return False
    carried = {name for loop in nodes_of(node, t.For) for name in summed(loop)}
    return any(
        n.id in carried if isinstance(n, t.Name) else operation(n) in ("sum", *PRODUCTS) for n in made_of(node, value)
    )


def _locked(node: t.FunctionDef) -> Iterator[Algorithm]:
    """`while atomic_cas(lock, 0, 1) == 1: pass` … `atomic_xchg(lock, 0)`."""
    for inner in nodes_of(node, t.While):
        if any(operation(n) == "atomic_cas" for n in t.walk(inner.test)):
            calls = all_calls(node)
            released = any(name == "atomic_xchg" and call.span.start > inner.span.end for name, call in calls)
            text = "a program waits until it holds a lock in memory" + (
                ", adds its part to what others have added, and gives the lock back" if released else ""
            )
            yield Algorithm("sum under a lock", text, inner.span)
            return


def _unpacked(node: t.FunctionDef) -> Iterator[Algorithm]:
    """`(packed >> shift) & mask` of what was loaded, for a matrix product, or times a scale that was loaded too."""
    multiplied = bool(product_calls(node))
    for inner in nodes_of(node, t.BinOp):
        if inner.op != "&" or not isinstance(inner.right, t.Constant):
            continue
        shifted = inner.left
        mask = inner.right.value
        if not isinstance(shifted, t.BinOp) or shifted.op != ">>" or not isinstance(mask, int) or mask & (mask + 1):
            continue
        is_loaded = any(operation(n) == "load" for n in made_of(node, shifted.left))
        if is_loaded and (multiplied or (mask < MAX_PACKED and _is_scaled(node, inner))):
            text = f"integers of {mask.bit_length()} bits are taken out of packed words by shifts and a mask"
            yield Algorithm("dequantisation", text, inner.span)
            return


def _is_scaled(node: t.FunctionDef, unpacked: t.BinOp) -> bool:
    """Whether what a shift and a mask give is a factor of a product with something that was loaded."""
    for product in nodes_of(node, t.BinOp):
        if product.op != "*":
            continue
        sides = [list(made_of(node, side)) for side in (product.left, product.right)]
        holds = [any(n is unpacked for n in side) for side in sides]
        scales = [any(operation(n) == "load" for n in side) for side in sides]
        if (holds[0] and not holds[1] and scales[1]) or (holds[1] and not holds[0] and scales[0]):
            return True
    return False


def grouped_order(run: KernelRun) -> Span | None:
    """Where a kernel, or the helper that it calls, numbers its programs in groups."""
    for node in dict.fromkeys((run.node, *(call.function.node for call in run.calls))):
        found = _grouped_order(node)
        if found is not None:
            return found if node is run.node else run.node.name_span
    return None


def _grouped_order(node: t.FunctionDef) -> Span | None:
    """`min(tiles - first, GROUP)` and then `%` and `//` by it."""
    for inner in nodes_of(node, t.Assign):
        if not isinstance(inner.value, t.Call) or len(inner.targets) != 1:
            continue
        name = inner.value.func.attr if isinstance(inner.value.func, t.Attribute) else t.dotted(inner.value.func)
        target = inner.targets[0]
        if name not in ("min", "minimum") or not isinstance(target, t.Name):
            continue
        uses = {
            other.op
            for other in nodes_of(node, t.BinOp)
            if isinstance(other.right, t.Name) and other.right.id == target.id
        }
        if {"%", "//"} <= uses:
            return inner.span
    return None
