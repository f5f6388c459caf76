"""Work of one program of a kernel: FLOPs of its matrix products, bytes of its accesses.

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
from kernelscope.kernels.triton.values import Size, Sizes, Tensor
from kernelscope.results import Span

ASSUMED_BYTES = 2
INDEX_BYTES = 4
"""What integers that addresses are made of count as, where their type is not known: they have 4 or 8 bytes."""


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
