"""Rows of a Triton kernel's card that count: programs and waves, FLOPs and bytes of a program, shared memory.

What a figure rests on stands beside it; what cannot be counted says why.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from kernelscope.dims import Dim, render
from kernelscope.dims.monomial import Opaque
from kernelscope.explain.document import Line
from kernelscope.kernels.hardware import GPUS, generation
from kernelscope.kernels.occupancy import occupancy, waves
from kernelscope.kernels.triton.bodies import PRODUCTS
from kernelscope.kernels.triton.import_values import Config
from kernelscope.kernels.triton.index_loads import index_loads
from kernelscope.kernels.triton.kernel_facts import KernelFacts, shared_estimates
from kernelscope.kernels.triton.shared_memory import DEFAULT_WARPS, held, pipelined, staged
from kernelscope.kernels.triton.work import INDEX_BYTES, told_elements, work

MAX_GRIDS = 4
"""How many different grids of a kernel are told."""
LONG = 1 << 20
"""What the one unknown length counts as where only its growth matters."""


def programs_rows(facts: KernelFacts, gpu: str) -> Iterator[Line]:
    """The product of the grid, as a number where the launch's sizes are known, and the waves that it takes."""
    if not facts.run.is_helper and (not facts.launches or facts.launches[0].grid is None):
        yield Line("not known")
    told: set[str] = set()
    for launch in facts.launches:
        if launch.grid is None or len(told) == MAX_GRIDS:
            continue
        sizes = [size.evaluate(facts.fixed) for size in launch.grid]
        known = [size for size in sizes if size is not None]
        number = math.prod(known) if len(known) == len(sizes) else None
        if number is None:
            factors = [size for size in launch.grid if size.const != 1]
            one = len(factors) == 1
            text = render(factors[0], facts.order) if one else "*".join(_factor(s, facts) for s in factors)
            text = f"`{text}`"
        else:
            text = f"{number:,}".replace(",", " ")
        text += f" if `{launch.when}`" if launch.when else ""
        if text in told:
            continue
        told.add(text)
        yield Line(text, launch.location)
        if number is not None:
            yield from _waves(facts, number, gpu)


def _factor(size: Dim, facts: KernelFacts) -> str:
    """A size as a factor of a product."""
    atoms = [atom for monomial, _ in size.terms for atom, _ in monomial]
    loose = len(size.terms) > 1 or any(isinstance(atom, Opaque) and atom.op in ("//", "%") for atom in atoms)
    return f"({render(size, facts.order)})" if loose else render(size, facts.order)


def _waves(facts: KernelFacts, programs: int, gpu: str) -> Iterator[Line]:
    """How often all multiprocessors are filled, and how full the last time; registers are not known and not counted."""
    chip = GPUS.get(gpu)
    if chip is None or programs <= 0:
        return
    limits = chip.generation
    sizes = shared_estimates(facts, limits.arch)
    warps = {dict(config.options).get("num_warps", DEFAULT_WARPS) for config in facts.tuning.of_nvidia} or {
        dict(launch.options).get("num_warps", DEFAULT_WARPS) for launch in facts.launches
    }
    if len(warps) != 1 or len({size for size, _ in sizes}) > 1:
        yield Line("waves: they differ by configuration")
        return
    fits = occupancy(limits, 32 * warps.pop(), 0, sizes[0][0] if sizes else 0)
    if fits.blocks_per_sm:
        count, tail = waves(programs, fits.blocks_per_sm, chip.sms)
        yield Line(
            f"≥ {count:.3g} waves on {chip.name} ({chip.sms} SMs of ≤ {fits.blocks_per_sm} programs), the last "
            f"one {tail:.0%} full, if registers allow it"
        )


def work_rows(facts: KernelFacts) -> Iterator[Line]:
    done = work(facts.run.accesses, facts.run.products, index_loads(facts.node))
    supposed = ["2 bytes where the type depends on arguments"] if done.assumed else []
    supposed += [f"{INDEX_BYTES} of indices" if done.assumed else f"{INDEX_BYTES} bytes of indices"] * done.indices
    assumed = f" (if {', '.join(supposed)})" if supposed else ""
    if _has_sizes(facts):
        yield Line(f"{_most(done.flops_at_most)}{_amount(done.flops, facts)} FLOPs in matrix products")
    elif _multiplies(facts):
        yield Line("FLOPs are not known: neither are the blocks that are multiplied")
    if facts.run.accesses:
        yield Line(f"{_most(done.moved_at_most)}{_amount(done.moved, facts)} bytes{assumed}")
    if (
        facts.run.products
        and not (done.flops_at_most or done.moved_at_most)
        and done.flops is not None
        and done.moved is not None
    ):
        yield from _intensity(facts, done.flops, done.moved)


def _most(at_most: bool) -> str:
    return "at most " if at_most else ""


def _multiplies(facts: KernelFacts) -> bool:
    """Whether there are matrix products, be their sizes known or not."""
    return not facts.run.operations.keys().isdisjoint(PRODUCTS)


def _has_sizes(facts: KernelFacts) -> bool:
    """Whether anything is known of what is multiplied."""
    return any(size is not None for product in facts.run.products for size in product.sizes)


def _intensity(facts: KernelFacts, flops: Dim, moved: Dim) -> Iterator[Line]:
    """FLOPs per byte under the first configuration, with an unknown loop or length taken as long: what remains when
    both grow together. What the compiler has to know, as the sizes of blocks, does not grow."""
    for config in facts.tuning.of_nvidia[:1] or (Config((), ()),):
        numbers = {**facts.fixed} | config.numbers()
        free = sorted({*flops.names(), *moved.names()} - numbers.keys())
        unknown = dict.fromkeys(free, LONG)
        a, b = flops.evaluate(numbers | unknown), moved.evaluate(numbers | unknown)
        if a and b and len(free) <= 1 and not any(param.name in free for param in facts.constexprs):
            named = f" for {', '.join(f'{n}={v}' for n, v in config.values)}" if config.values else ""
            grows = f" as {free[0]} grows" if free else ""
            yield Line(f"≈ {a / b:.3g} FLOP/byte{named}{grows}, before reuse in the L2 cache")


def _amount(size: Dim | None, facts: KernelFacts) -> str:
    return render(size, facts.order) if size is not None else "? (a block's shape is not known)"


def shared_rows(facts: KernelFacts, gpu: str) -> Iterator[Line]:
    """An estimate per configuration, the largest first, against the limit of the chosen GPU."""
    limits = generation(gpu)
    if limits is None or not pipelined(facts.run.accesses, facts.run.products):
        if _multiplies(facts) and not _has_sizes(facts):
            yield Line("not estimated: the blocks that are multiplied are not known")
        elif not facts.run.products:
            yield Line("no pipelined tiles: at most scratch space for reductions and layout changes")
        else:
            yield Line("not estimated: no matrix product in a loop")
        return
    estimates = shared_estimates(facts, limits.arch)
    if not estimates:
        known = told_elements(facts.run.products)
        tiles = [held(loads, known) for loads in staged(facts.run.accesses, facts.run.products)]
        sums = dict.fromkeys(render(size, facts.order) for size in tiles if size is not None)
        if sums and None not in tiles:
            yield Line(f"{' or '.join(sums)} bytes per pipeline stage (if elements have 2 bytes where not known)")
        else:
            yield Line("not estimated: sizes depend on the launch")
        return
    for size, named in estimates[:3]:
        is_over = size > limits.block_shared
        where = f" for {named}" if named else ""
        limit = f"{'over' if is_over else 'within'} the {limits.block_shared // 1024} KiB of {limits.arch}"
        limit += ", unless the host drops this configuration before" if is_over and facts.tuning.by_host else ""
        yield Line(f"≈ {size / 1024:.4g} KiB{where}: {limit} (if elements have 2 bytes where not known)")
