"""Work of one program of a kernel: FLOPs of its matrix products, bytes of its accesses, shared memory per config.

Sizes are symbolic. Element types that depend on arguments count as 2 bytes, of indices as 4, which callers say beside
the figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kernelscope.dims import Dim, ceil_div, maximum, product, total
from kernelscope.dims.monomial import over
from kernelscope.kernels.triton.broadcasting import ONE, numel
from kernelscope.kernels.triton.call import Access, Product, Side
from kernelscope.kernels.triton.dtypes import BITS
from kernelscope.kernels.triton.spacing import ZERO
from kernelscope.kernels.triton.values import BlockPointer, Descriptor, Size, Sizes, Tensor
from kernelscope.results import Span

ASSUMED_BYTES = 2
INDEX_BYTES = 4
"""What integers that addresses are made of count as, where their type is not known: they have 4 or 8 bytes."""
DEFAULT_STAGES = 3
DEFAULT_WARPS = 4
"""What Triton compiles with on NVIDIA GPUs when neither a configuration nor the launch says."""


@dataclass(frozen=True, slots=True)
class Work:
    """`flops` and `moved` bytes of one program at most; None where a block's shape is not known."""

    flops: Dim | None
    moved: Dim | None
    assumed: bool
    """Whether element types were assumed, of others than indices."""
    indices: bool = False
    """Whether those of indices were."""
    flops_at_most: bool = False
    """Whether some products are done in some rounds only, as data say: counted is what every round might do."""
    moved_at_most: bool = False
    """The same of accesses."""


def work(accesses: Sequence[Access], products: Sequence[Product], indices: frozenset[Span] = frozenset[Span]()) -> Work:
    """`indices`: the kernel's own loads that say where something is."""
    known = told_elements(products)
    flops = at_most([(done.sides, _flops(done)) for done in products])
    moved = at_most([(access.sides, _moved(access, known, indices)) for access in accesses])
    unknown = {_assumed_bytes(a, indices) for a in accesses if _element_bytes(a, known) is None}
    assumed, of_indices = ASSUMED_BYTES in unknown, INDEX_BYTES in unknown
    return Work(
        flops,
        moved,
        assumed,
        of_indices,
        any(map(_is_done_sometimes, products)),
        any(map(_is_done_sometimes, accesses)),
    )


def told_elements(products: Sequence[Product]) -> dict[str, str]:
    """The element types behind arguments that the formats of products tell."""
    return {name: elem for done in products for name, elem in done.elements}


def _is_done_sometimes(one: Access | Product) -> bool:
    """Whether a loop does it, on a side on which no switch of the launch decides, nor the end of the function."""
    return one.times != 1 and any(not side.question and not side.is_rest for side in one.sides)


Part = tuple[tuple[Side, ...], Dim | None]
"""An amount, and the sides of branches that it is on."""


def at_most(parts: Sequence[Part], depth: int = 0) -> Dim | None:
    """The sum of what one program can do at most: of the two sides of a branch the greater, and of branches that ask
    the same of a launch what one answer allows. None where a part is not known."""
    if any(part is None for _, part in parts):
        return None
    certain = total(part for sides, part in parts if len(sides) <= depth and part is not None)
    questions: dict[object, list[Part]] = {}
    for part in parts:
        if len(part[0]) > depth:
            side = part[0][depth]
            questions.setdefault(side.question or (side.path, side.start), []).append(part)
    for concerned in questions.values():
        answers = [*dict.fromkeys(sides[depth].answer for sides, _ in concerned), object()]
        sums: list[Dim] = []
        for answer in answers:
            given = [part for part in concerned if (part[0][depth].answer == answer) == part[0][depth].is_so]
            if given and (found := at_most(given, depth + 1)) is not None:
                sums.append(found)
        certain = certain + _greatest(sums)
    return certain


def _greatest(sums: Sequence[Dim]) -> Dim:
    """The greatest of sums of products of sizes, which are never negative."""
    left = list(dict.fromkeys(sums))
    for one in tuple(left):
        if any(other is not one and _covers(other, one) for other in left):
            left.remove(one)
    return maximum(*left)


def _covers(a: Dim, b: Dim) -> bool:
    """Whether every product in `b` is a part of one in `a`, of its own."""
    left = dict(a.terms)
    for monomial, factor in b.terms:
        larger = next((m for m, f in left.items() if f >= factor and over(m, monomial) is not None), None)
        if larger is None:
            return False
        left[larger] -= factor
    return all(factor >= 0 for factor in left.values())


def _flops(done: Product) -> Dim | None:
    sizes = (*done.sizes, done.batch)
    known = [size for size in sizes if size is not None]
    return 2 * done.times * product(known) if len(known) == len(sizes) else None


def _moved(access: Access, elements: Mapping[str, str], indices: frozenset[Span]) -> Dim | None:
    """Bytes of memory that are read or written: an address that several elements of a block share counts once."""
    count = numel(_addresses(access))
    each = _element_bytes(access, elements) or _assumed_bytes(access, indices)
    return count * each * access.times if count is not None else None


def _assumed_bytes(access: Access, indices: frozenset[Span]) -> int:
    return INDEX_BYTES if access.kind == "load" and access.at is None and access.span in indices else ASSUMED_BYTES


def _addresses(access: Access) -> Sizes | None:
    """How many addresses an access has along each axis; an atomic goes to each of its own."""
    pointer, shape = access.pointer, access.block.shape if isinstance(access.block, Tensor) else None
    if not isinstance(pointer, Tensor) or not pointer.shape or not shape or access.kind == "atomic":
        return shape
    if pointer.steps is None or len(pointer.shape) != len(shape):
        return shape
    runs = pointer.runs or (ONE,) * len(shape)
    return tuple(map(_apart, pointer.shape, shape, pointer.steps, runs))


def _apart(own: Size, size: Size, step: Size, run: Size) -> Size:
    """The addresses along one axis, of a pointer that has `own` elements there, for a block that has `size`."""
    if own == ONE or step == ZERO:
        return ONE
    return size if size is None or run is None or run == ONE else ceil_div(size, run)


def block_bytes(access: Access, elements: Mapping[str, str] | None = None) -> Dim | None:
    """Bytes of the block that one access gives or takes. `elements`: types behind arguments, where they are known."""
    if not isinstance(access.block, Tensor):
        return None
    count = numel(access.block.shape)
    return count * (_element_bytes(access, elements or {}) or ASSUMED_BYTES) if count is not None else None


def _element_bytes(access: Access, elements: Mapping[str, str]) -> int | None:
    elem = access.block.elem if isinstance(access.block, Tensor) else ""
    bits = BITS.get(elements.get(elem[2:-1], elem) if elem.startswith("T(") else elem)
    return max(1, bits // 8) if bits is not None else None


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
) -> int | None:
    """An estimate for one configuration: tiles loaded in loops, buffered for the pipeline, and operands that stay.

    A load that is n stages ahead of its use has n buffers; products of warp groups read shared memory while they run,
    which takes one more (`triton/lib/Dialect/TritonGPU/Transforms/Pipeliner`). `elements`: types behind arguments.
    None where a size is not known, and for kernels without looped matrix products, which need only scratch space.
    """
    looped = pipelined(accesses, products)
    if not looped:
        return None
    stages = max(1, numbers.get("num_stages", DEFAULT_STAGES))
    buffers = stages if by_warp_groups(products, numbers, arch) else max(1, stages - 1)
    known = {**(elements or {}), **told_elements(products)}
    each = [_number(held(loads, known), numbers) for loads in staged(accesses, products)]
    most = None if None in each else max(size for size in each if size is not None)  # loops follow each other
    stays = _number(held(resident(accesses, products), known), numbers)
    return most * buffers + stays if most is not None and stays is not None else None


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
