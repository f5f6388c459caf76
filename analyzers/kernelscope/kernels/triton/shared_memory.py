"""Shared memory of a kernel under one configuration: buffers of its pipelined loops, operands that stay or are written.

An estimate after the compiler's own rules; scratch space for reductions and layout changes is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kernelscope.dims import Dim
from kernelscope.kernels.triton.call import Access, Product
from kernelscope.kernels.triton.dtypes import BITS
from kernelscope.kernels.triton.product_operands import Operands
from kernelscope.kernels.triton.values import BlockPointer, Descriptor, Tensor
from kernelscope.kernels.triton.work import ASSUMED_BYTES, at_most, block_bytes, told_elements
from kernelscope.results import Span

DEFAULT_STAGES = 3
DEFAULT_WARPS = 4
"""What Triton compiles with on NVIDIA GPUs when neither a configuration nor the launch says."""


def pipelined(accesses: Sequence[Access], products: Sequence[Product]) -> list[Access]:
    """Loads of matrix tiles in the loops that multiply and hold no other loop: what the compiler buffers per stage."""
    inner = {done.around[-1] for done in products if done.around} - _outer(accesses, products)
    return [a for a in accesses if a.kind == "load" and a.around and a.around[-1] in inner and _is_matrix(a)]


def staged(accesses: Sequence[Access], products: Sequence[Product]) -> list[list[Access]]:
    """What is buffered per stage, loop by loop."""
    looped = pipelined(accesses, products)
    return [[a for a in looped if a.loop == loop] for loop in dict.fromkeys(a.loop for a in looped)]


def resident(accesses: Sequence[Access], products: Sequence[Product]) -> list[Access]:
    """Loads of matrix tiles before such loops: operands that stay in shared memory for warp-group products."""
    if not products:
        return []
    outer = _outer(accesses, products)
    loads = (a for a in accesses if a.kind == "load" and _is_matrix(a))
    return [a for a in loads if not a.in_loop or (a.around and a.around[-1] in outer)]


def _outer(accesses: Sequence[Access], products: Sequence[Product]) -> set[Span]:
    """The loops that hold other loops."""
    return {span for one in (*accesses, *products) for span in one.around[:-1]}


def _is_matrix(access: Access) -> bool:
    block = access.block
    if not isinstance(block, Tensor) or block.shape is None or len(block.shape) < 2:
        return False
    wide = [size for size in block.shape if size is None or size.const != 1]
    return len(wide) >= 2 and isinstance(access.pointer, Tensor | BlockPointer | Descriptor)


def shared_bytes(
    accesses: Sequence[Access],
    products: Sequence[Product],
    numbers: Mapping[str, int],
    arch: str,
    elements: Mapping[str, str] | None = None,
    own: Operands | None = None,
) -> int | None:
    """An estimate for one configuration: tiles loaded in loops, buffered for the pipeline, and operands that stay.

    A load that is n stages ahead of its use has n buffers; products of warp groups read their operands from shared
    memory while they run, which takes one more (`triton/lib/Dialect/TritonGPU/Transforms/Pipeliner`), and have there
    what was calculated for them. `elements`: types behind arguments. `own`: where the operands of the kernel's own
    products come from; None where every tile is taken as it was loaded.
    None where a size is not known, and for kernels without looped matrix products, which need only scratch space.
    """
    looped = pipelined(accesses, products)
    if not looped:
        return None
    stages = max(1, numbers.get("num_stages", DEFAULT_STAGES))
    by_groups = by_warp_groups(products, numbers, arch)
    known = {**(elements or {}), **told_elements(products)}
    calculated = [done for done in products if by_groups and _rows_fit(done, numbers)]
    chained = {access.span for access in accesses if own is not None and _is_chained(access, accesses, own)}
    each = [
        _in_loop(loads, calculated, stages, by_groups, numbers, known, own, any(a.span in chained for a in loads))
        for loads in staged(accesses, products)
    ]
    most = None if None in each else max(size for size in each if size is not None)  # loops follow each other
    stays = _number(held(resident(accesses, products), known), numbers)
    return most + stays if most is not None and stays is not None else None


def _in_loop(
    loads: Sequence[Access],
    products: Sequence[Product],
    stages: int,
    by_groups: bool,
    numbers: Mapping[str, int],
    known: Mapping[str, str],
    own: Operands | None,
    chained: bool,
) -> int | None:
    """What one loop holds: its buffers, and the calculated operands of its products. `chained`: whether addresses of
    its loads come from blocks that were loaded in the same round."""
    ahead = max(1, (stages - 1) // (2 if chained else 1))
    helped = own is None or any(done.span not in own.all for done in products)

    def buffered(access: Access) -> Dim | None:
        size = block_bytes(access, known)
        direct = helped or own is None or access.at is not None or access.span in own.direct
        return size * (ahead + (by_groups and direct and stages > 1)) if size is not None else None

    total_bytes = _number(at_most([(access.sides, buffered(access)) for access in loads]), numbers)
    if total_bytes is None or own is None or helped:
        return total_bytes
    inside = [done for done in products if done.around and done.around[-1] == loads[0].around[-1]]
    right = {own.right[done.span]: _tile(done, 1, numbers, known) for done in inside if done.span in own.right}
    left = [_tile(done, 0, numbers, known) for done in inside if done.span in own.left]
    return total_bytes + sum(right.values()) + max(left, default=0)


def _is_chained(access: Access, accesses: Sequence[Access], own: Operands) -> bool:
    """Whether a load's address is made of a block that the same round loads."""
    before = own.indirect.get(access.span, frozenset[Span]()) if access.at is None else frozenset[Span]()
    blocks = (a for a in accesses if a.span in before and isinstance(a.block, Tensor))
    return any(isinstance(a.block, Tensor) and a.block.shape for a in blocks)


def _rows_fit(done: Product, numbers: Mapping[str, int]) -> bool:
    rows = _number(done.sizes[0], numbers)
    return rows is not None and rows % 64 == 0


def _tile(done: Product, side: int, numbers: Mapping[str, int], known: Mapping[str, str]) -> int:
    """Bytes of the left or right operand of a product; 0 where they are not known."""
    rows, columns, inner = (_number(size, numbers) for size in done.sizes)
    elem = done.types[side]
    bits = BITS.get(known.get(elem[2:-1], elem) if elem.startswith("T(") else elem, 8 * ASSUMED_BYTES)
    across = columns if side else rows
    return across * inner * bits // 8 if across is not None and inner is not None else 0


def held(loads: Sequence[Access], elements: Mapping[str, str] | None = None) -> Dim | None:
    """Bytes of the tiles that are held at the same time."""
    return at_most([(access.sides, block_bytes(access, elements)) for access in loads])


def by_warp_groups(products: Sequence[Product], numbers: Mapping[str, int], arch: str) -> bool:
    """Whether products run on whole warp groups (`wgmma`, `tcgen05`): four warps together, 64 rows at a time."""
    if int(arch.removeprefix("sm_")) // 10 not in (9, 10) or numbers.get("num_warps", DEFAULT_WARPS) % 4:
        return False
    rows = [done.sizes[0].evaluate(numbers) for done in products if done.sizes[0] is not None]
    return any(count is not None and count % 64 == 0 for count in rows)


def _number(size: Dim | None, numbers: Mapping[str, int]) -> int | None:
    return size.evaluate(numbers) if size is not None else None
