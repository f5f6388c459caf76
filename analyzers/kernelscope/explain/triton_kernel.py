"""Explain Kernel for Triton: what the kernel does, its card, its tiles, what lies where, pseudocode on named tiles.

Every line links to its source. Numbers that rest on an assumption say so.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.dims import dim
from kernelscope.explain.document import Block, Code, Document, Heading, Line, Paragraph
from kernelscope.explain.tiling import memory_blocks, tile_blocks
from kernelscope.explain.triton_card import kernel_card
from kernelscope.explain.triton_pseudocode import all_code
from kernelscope.kernels.triton.algorithms import algorithms
from kernelscope.kernels.triton.kernel_facts import KernelFacts
from kernelscope.kernels.triton.loop_algorithms import Algorithm
from kernelscope.kernels.triton.values import Unknown
from kernelscope.results import Target, ViewOptions


def explain_triton_kernel(facts: KernelFacts, options: ViewOptions | None = None) -> Document:
    """The document about one kernel or helper."""
    options = options or ViewOptions()
    blocks: list[Block] = []
    recognised = algorithms(facts.run, (helper.node for helper in facts.helpers))
    if recognised:
        blocks.append(Heading("What it does"))
        lines = tuple(Line(f"{a.name}: {a.text}{_unused(a, facts)}", facts.location(a.span)) for a in recognised)
        blocks.append(Paragraph(lines))
    blocks.append(kernel_card(facts, options.gpu, most=None))
    code, helpers, addresses = all_code(facts)
    blocks += tile_blocks(facts, addresses, options.width)
    blocks += memory_blocks(facts, options.width)
    blocks.append(Heading("Pseudocode"))
    blocks.append(code)
    for helper, body in helpers:
        where = helper.module.text.location(helper.path, helper.node.name_span)
        blocks += [Heading(f"Helper {helper.node.name}", location=where), body]
    target = Target(facts.path, facts.node.name_span.start, facts.node.name)
    return Document(f"Kernel {facts.node.name}", tuple(blocks), "explain", target, tuple(_notes(facts, code)))


def _unused(algorithm: Algorithm, facts: KernelFacts) -> str:
    """That a split of the inner dim has one part only, where a constexpr of the grid is 1 whenever it is tried."""
    if algorithm.name != "split-K" or not facts.tuning.complete:
        return ""
    axes = {axis for launch in facts.launches for axis in launch.grid or ()}
    sizes = [param.name for param in facts.constexprs if dim(param.name) in axes]
    ones = [name for name in sizes if facts.tuning.choices(name) == (1,) or facts.fixed.get(name) == 1]
    return f"; {ones[0]} is 1 whenever it is launched, so that there is one part" if ones else ""


def _notes(facts: KernelFacts, code: Code) -> Iterator[str]:
    if any("round*" in line.text for line in code.lines):
        yield "`round` is the number of a loop's round, from 0."
    if facts.run.incomplete:
        yield "The kernel is too large: not every path was followed."
    unknown = sum(1 for values in facts.run.values.values() if all(isinstance(value, Unknown) for value in values))
    if unknown:
        yield f"{unknown} of {len(facts.run.values)} names and calls could not be told."
