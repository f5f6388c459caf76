"""Algorithms recognised in a kernel by the structure of its loops and operations, each with the place that shows it.

Names of functions and variables play no part. What is not certain is not said.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from kernelscope.kernels.triton.accesses import footprint
from kernelscope.kernels.triton.bodies import all_calls, first_calls, loops_in, made_of, nodes_of, operation
from kernelscope.kernels.triton.kernel_runs import KernelRun
from kernelscope.kernels.triton.loop_algorithms import Algorithm, of_loop
from kernelscope.kernels.triton.softmax_algorithms import softmaxes
from kernelscope.kernels.triton.sorting_algorithms import sorting
from kernelscope.kernels.triton.tile_motion import tile_motions
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t

ROOTS = ("rsqrt", "sqrt", "sqrt_rn")


def algorithms(run: KernelRun, helpers: Iterable[t.FunctionDef] = ()) -> list[Algorithm]:
    """What the kernel does, in the order of its source; each algorithm once. `helpers`: those of its helpers."""
    bodies = dict.fromkeys((run.node, *(call.function.node for call in run.calls), *helpers))
    found: dict[str, Algorithm] = {}
    for node in bodies:
        own = node is run.node
        for algorithm in _of_function(node):
            place = algorithm if own else Algorithm(algorithm.name, algorithm.text, run.node.name_span)
            found.setdefault(algorithm.name, place)
    for algorithm in (*_split_inner(run), *_two_passes(run), *_partial_sums(run)):
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
        motion = motions.get(access.place)
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
    roots = [c for n, c in all_calls(run.node) if n in ROOTS]
    for first, second in itertools.pairwise(loops):
        carried = _summed(first)
        read = [_read_in(run, loop) for loop in (first, second)]
        stores = any(a.kind == "store" and a.loop is not None and a.loop[0] == second.span for a in run.accesses)
        between = [root for root in roots if first.span.end <= root.span.start < second.span.end]
        if carried and read[0] & read[1] and stores and between:
            text = "a first pass over the row sums it up; a second reads it again and stores it scaled by the root"
            yield Algorithm("two-pass normalisation", text, between[0].span)


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
            if stored & _summed(loop) and motion.outside.programs:
                text = "each program adds up what its rows give and stores the sum at a place of its own, to be summed"
                yield Algorithm("partial sums", text, access.span)
                return


def _summed(loop: t.For) -> set[str]:
    """Names that each round gives what they were plus something: `total = total + x`, `total += x`."""
    added = (inner.target for inner in nodes_of(loop, t.AugAssign))
    return {target.id for target in added if isinstance(target, t.Name)} | {
        target.id
        for inner in nodes_of(loop, t.Assign)
        if isinstance(inner.value, t.BinOp) and inner.value.op == "+"
        for target in inner.targets
        if isinstance(target, t.Name) and any(isinstance(n, t.Name) and n.id == target.id for n in t.walk(inner.value))
    }


def _read_in(run: KernelRun, loop: t.For) -> set[str]:
    """The arguments that a loop loads from."""
    inside = [a for a in run.accesses if a.kind == "load" and a.loop is not None and a.loop[0] == loop.span]
    return {base for access in inside if (base := footprint(access).base)}


def _of_function(node: t.FunctionDef) -> Iterator[Algorithm]:
    loops = loops_in(node)
    for loop in loops:
        yield from of_loop(node, loop)
    yield from _locked(node)
    yield from _unpacked(node)
    added = next((call for name, call in all_calls(node) if name == "atomic_add" and _is_partial(node, call)), None)
    if added is not None:
        text = "each program adds its partial result to memory atomically: the order of additions varies"
        yield Algorithm("atomic reduction", text, added.span)
    if not any("dot" in first_calls(loop) for loop in loops):
        yield from _normalised(node)
    yield from sorting(node)
    yield from softmaxes(node, loops)
    grouped = _grouped_order(node)
    if grouped is not None:
        text = "programs are numbered in groups of rows, so that neighbours share tiles in the L2 cache"
        yield Algorithm("grouped ordering", text, grouped)


def _is_partial(node: t.FunctionDef, call: t.Call) -> bool:
    """Whether what is added is made of a product, or of a sum over a block or the rounds of a loop: it is no count."""
    value = next((k.value for k in call.keywords if k.arg == "val"), call.args[1] if len(call.args) > 1 else None)
    if value is None:
        return False
    carried = {name for loop in nodes_of(node, t.For) for name in _summed(loop)}
    return any(
        n.id in carried if isinstance(n, t.Name) else operation(n) in ("sum", "dot") for n in made_of(node, value)
    )


def _normalised(node: t.FunctionDef) -> Iterator[Algorithm]:
    """A root of a sum of squares, or of their mean, that other values are scaled by."""
    for name, root in all_calls(node):
        if name not in ROOTS or not root.args:
            continue
        made = list(made_of(node, root.args[0]))
        sums = [n for n in made if isinstance(n, t.Call) and operation(n) == "sum"]
        if sums and any(_is_square(n) for total in sums for n in made_of(node, total)):
            inside = {n.span for total in sums for n in made_of(node, total)}
            outside = [n for n in made if isinstance(n, t.BinOp) and n.op in ("/", "*") and n.span not in inside]
            of = "the mean of squares" if any(n.op == "/" for n in outside) else (
                "a scaled sum of squares" if outside else "the sum of squares"
            )  # fmt: skip
            yield Algorithm("row normalisation", f"rows are scaled by the inverse root of {of}", root.span)
            return


def _is_square(node: t.Node) -> bool:
    """`x * x` or `x ** 2`."""
    if not isinstance(node, t.BinOp):
        return False
    if node.op == "**":
        return isinstance(node.right, t.Constant) and node.right.value == 2
    same = isinstance(node.left, t.Name) and isinstance(node.right, t.Name) and node.left.id == node.right.id
    return node.op == "*" and same


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
    """`(packed >> shift) & mask` of what was loaded, for a matrix product."""
    if "dot" not in first_calls(node):
        return
    for inner in nodes_of(node, t.BinOp):
        if inner.op != "&" or not isinstance(inner.right, t.Constant):
            continue
        shifted = inner.left
        mask = inner.right.value
        if not isinstance(shifted, t.BinOp) or shifted.op != ">>" or not isinstance(mask, int):
            continue
        if any(operation(n) == "load" for n in made_of(node, shifted.left)):
            text = f"integers of {mask.bit_length()} bits are taken out of packed words by shifts and a mask"
            yield Algorithm("dequantisation", text, inner.span)
            return


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
