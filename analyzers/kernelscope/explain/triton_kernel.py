"""Explain Kernel for Triton: what the kernel does, its card, its tiles, what lies where, pseudocode on named tiles.

Every line links to its source. Numbers that rest on an assumption say so.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.explain.document import Block, Document, Heading, Line, Paragraph
from kernelscope.explain.pseudocode import ShapeOf, function_code
from kernelscope.explain.tiling import memory_picture, tile_blocks
from kernelscope.explain.triton_card import KernelFacts, kernel_card
from kernelscope.explain.triton_hover import describe, vagueness
from kernelscope.kernels.triton.algorithms import algorithms
from kernelscope.results import Target, ViewOptions
from kernelscope.syntax.python import tree as t


def explain_triton_kernel(facts: KernelFacts, options: ViewOptions | None = None) -> Document:
    """The document about one kernel or helper."""
    options = options or ViewOptions()
    blocks: list[Block] = []
    recognised = algorithms(facts.run)
    if recognised:
        blocks.append(Heading("What it does"))
        lines = tuple(Line(f"{a.name}: {a.text}", facts.location(a.span)) for a in recognised)
        blocks.append(Paragraph(lines))
    blocks.append(kernel_card(facts, options.gpu))
    blocks += tile_blocks(facts, options.width)
    blocks += [Heading("Memory"), memory_picture(facts, options.width)]
    blocks.append(Heading("Pseudocode"))
    blocks.append(function_code(facts.node, facts.module.text, facts.path, _shape_of(facts)))
    for helper in _helpers(facts):
        blocks.append(helper)
    target = Target(facts.path, facts.node.name_span.start, facts.node.name)
    return Document(f"Kernel {facts.node.name}", tuple(blocks), "explain", target, tuple(_notes(facts)))


def _shape_of(facts: KernelFacts) -> ShapeOf:
    def shape(target: t.Expr) -> str:
        if not isinstance(target, t.Name):
            return ""
        values = facts.run.values.get(target.span, ())
        if not values:
            return ""
        return describe(min(values, key=vagueness), facts.order) or ""

    return shape


def _helpers(facts: KernelFacts) -> Iterator[Block]:
    """Helpers that the kernel calls, by name, with what they are given."""
    seen: dict[str, Line] = {}
    for call in facts.run.calls:
        node = call.function.node
        given = ", ".join(f"{name}: {text}" for name, value in call.arguments if (text := describe(value, facts.order)))
        seen.setdefault(node.name, Line(f"{node.name}({given})"))
    if seen:
        yield Heading("Helpers")
        yield Paragraph(tuple(seen.values()))


def _notes(facts: KernelFacts) -> Iterator[str]:
    if facts.run.incomplete:
        yield "The kernel is too large: not every path was followed."
    unknown = sum(1 for values in facts.run.values.values() if describe(min(values, key=vagueness)) is None)
    if unknown:
        yield f"{unknown} of {len(facts.run.values)} names and calls could not be told."
