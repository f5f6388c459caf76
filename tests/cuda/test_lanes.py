"""Lanes, sectors and banks against plain enumeration: the symbolic answer is that of every warp with real numbers."""

from __future__ import annotations

from collections import defaultdict
from math import factorial
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from kernelscope.dims import Dim, bit_xor, dim, less
from kernelscope.kernels.cuda.warp.banks import conflict
from kernelscope.kernels.cuda.warp.lanes import UNIT, Lanes, NeedsCases, Undecided
from kernelscope.kernels.cuda.warp.sectors import Class, threads, traffic

THREADS = ["threadIdx.x", "threadIdx.y"]
SIZES = ["K", "N", "blockIdx.x"]
Tree = Any
leaf = st.sampled_from([*THREADS, *THREADS, *SIZES]) | st.integers(0, 9)
trees = st.recursive(
    leaf,
    lambda t: (
        st.tuples(st.sampled_from(["+", "*"]), t, t)
        | st.tuples(st.sampled_from(["//", "%", "^"]), t, st.integers(1, 33) | st.sampled_from(["K", "N"]))
        | st.tuples(st.just("<"), t, st.integers(0, 40))
    ),
    max_leaves=8,
)
shapes = st.sampled_from([(32, 1, 1), (256, 1, 1), (16, 16, 1), (8, 8, 1), (4, 4, 4), (5, 7, 1), (48, 2, 1)])


def symbolic(tree: Tree) -> Dim:
    if not isinstance(tree, tuple):
        return dim(tree)
    op, a, b = tree[0], symbolic(tree[1]), symbolic(tree[2])
    return {"+": Dim.__add__, "*": Dim.__mul__, "//": Dim.__floordiv__, "%": Dim.__mod__, "^": bit_xor, "<": less}[op](
        a, b
    )


@settings(max_examples=500, deadline=None)
@example(("//", ("+", "threadIdx.x", ("%", 1, "K")), 2), (32, 1, 1), 0, 1, 1, 0)
@example(("//", ("+", "threadIdx.x", ("//", "K", "N")), 2), (32, 1, 1), 0, 3, 1, 0)
@given(trees, shapes, st.integers(0, 3), st.integers(1, 50), st.integers(1, 50), st.integers(0, 50))
def test_lanes_hold_what_each_thread_computes(
    tree: Tree, shape: tuple[int, int, int], warp: int, k: int, n: int, block: int
) -> None:
    assume(warp * 32 < shape[0] * shape[1] * shape[2])
    d = symbolic(tree)
    lanes = Lanes(threads(shape, warp), is_size=lambda name: name != "blockIdx.x")
    try:
        spread = lanes.spread(d)
    except (Undecided, NeedsCases):
        return
    sizes = {"K": k, "N": n, "blockIdx.x": block}
    if lanes.assumed or has_symbolic_comparison(tree):
        # what was taken for granted: rows are long, and whole warps fit into them
        sizes = {name: value * factorial(33) for name, value in sizes.items()}
        assume(not has_symbolic_comparison(tree))
    for lane in range(lanes.count):
        env = {**sizes, **{axis: numbers[lane] for axis, numbers in lanes.threads.items()}}
        got = sum(numbers[lane] * (Dim(((monomial, 1),)).evaluate(env) or 0) for monomial, numbers in spread.items())
        assert got == d.evaluate(env)


def has_symbolic_comparison(tree: Tree) -> bool:
    """Whether a comparison is decided as in the middle of the data."""
    if not isinstance(tree, tuple):
        return False
    symbols = {name for name in symbolic(tree).names() if name in SIZES}
    return (tree[0] == "<" and bool(symbols)) or any(has_symbolic_comparison(part) for part in tree[1:])


numbers = st.lists(st.integers(0, 4096), min_size=32, max_size=32)
widths = st.sampled_from([1, 2, 4, 8, 16])
masks = st.lists(st.booleans(), min_size=32, max_size=32).filter(any)


@settings(max_examples=200, deadline=None)
@given(numbers, widths, masks)
def test_banks_by_definition(words: list[int], width: int, mask: list[bool]) -> None:
    offsets = [n * width for n in words]
    at_once = 32 if width <= 4 else 128 // width
    worst = 0
    for start in range(0, 32, at_once):
        banks: dict[int, set[int]] = defaultdict(set)
        for lane in range(start, start + at_once):
            for byte in range(offsets[lane], offsets[lane] + width) if mask[lane] else ():
                banks[byte // 4 % 32].add(byte // 4)
        worst = max(worst, *(len(words) for words in banks.values()), 0)
    assert conflict({UNIT: tuple(offsets)}, width, tuple(map(int, mask))).degree == worst


@settings(max_examples=200, deadline=None)
@given(numbers, widths, masks)
def test_sectors_by_definition(words: list[int], width: int, mask: list[bool]) -> None:
    used = {n * width + byte for n, on in zip(words, mask, strict=True) if on for byte in range(width)}
    found = traffic({UNIT: tuple(n * width for n in words)}, width, tuple(map(int, mask)))
    assert found.sectors == len({byte // 32 for byte in used})
    assert found.bytes_used == len(used)
    if found.kind is Class.COALESCED:
        assert found.sectors == -(-len(used) // 32)
    if found.kind is Class.BROADCAST:
        assert len(used) == width


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 64), st.integers(1, 32), st.integers(8, 400))
def test_rows_at_unknown_distance_are_those_at_a_large_one(columns: int, rows: int, stride: int) -> None:
    """`(tx / columns) * K + tx % columns` with K unknown costs what it costs with a large multiple of a sector."""
    x, k = dim("threadIdx.x"), dim("K")
    lanes = Lanes(threads((256, 1, 1)))
    address = 4 * (x // columns * rows * k + x % columns)
    unknown = traffic(lanes.spread(address), 4)
    known = traffic(lanes.spread(address.subs({"K": stride * 8})), 4)
    if columns <= stride * 8 * rows:
        assert unknown.sectors == known.sectors
