"""Hovers and inlay hints inside Triton kernels: the block type of a name, in the wording that the card uses too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from kernelscope.dims import Dim, render
from kernelscope.kernels.triton.bodies import nodes_in, nodes_of
from kernelscope.kernels.triton.broadcasting import numel
from kernelscope.kernels.triton.dtypes import BITS
from kernelscope.kernels.triton.kernel_runs import KernelRun, KernelRuns
from kernelscope.kernels.triton.values import (
    BlockPointer,
    Const,
    Descriptor,
    ElementType,
    Items,
    JitFunction,
    Sizes,
    Tensor,
    Undecided,
    Unknown,
    Value,
)
from kernelscope.results import Hover, InlayHint, Link, Location, Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module
from kernelscope.syntax.text import identifier_at

MAX_HINT = 48


def triton_hover(runs: KernelRuns, module: Module, path: Path, offset: int, gpu: str = "H100") -> Hover | None:
    """The hover of a name inside a kernel; None outside of kernels and where nothing is known."""
    node = runs.at(str(path), offset)
    span = identifier_at(module.text.data, offset)
    if node is None or span is None:
        return None
    if span == node.name_span:
        return _card(runs, module, path, node, span, gpu)
    run = runs.run(str(path), node)
    values = run.values.get(span, ())
    order = tuple(param.name for param in node.args)
    for value in sorted(values, key=vagueness):
        shown = describe(value, order)
        if shown is not None:
            name = module.text.slice(span)
            notes = [*_otherwise(run, span, order), *_supposed(run, span), *_notes(value, values, run, order)]
            return Hover(span, f"{name}: {shown}", "python", tuple(notes))
    return None


def named_kernel_hover(
    runs: KernelRuns, places: Sequence[Location], data: bytes, offset: int, gpu: str = "H100"
) -> Hover | None:
    """The card of the kernel that a name at `offset` of `data` stands for, where it is launched or handed on; None for
    names of anything else. `places`: what the name is defined at."""
    span = identifier_at(data, offset)
    path = places[0].path
    module = runs.modules.module(str(path))
    if span is None or module is None:
        return None
    start = module.text.line_start(places[0].line) + places[0].column
    node = runs.at(str(path), start)
    if node is None or node.name_span.start != start:
        return None
    found = _card(runs, module, path, node, span, gpu)
    return replace(found, links=(*found.links, Link(str(places[0]), places[0])))


def _card(runs: KernelRuns, module: Module, path: Path, node: t.FunctionDef, span: Span, gpu: str) -> Hover:
    from kernelscope.explain.triton_card import kernel_hover
    from kernelscope.kernels.triton.kernel_facts import kernel_facts

    return kernel_hover(kernel_facts(runs, path, module, node), span, gpu)


def vagueness(value: Value) -> int:
    """Blocks with all their sizes first, then other blocks, then the rest."""
    if isinstance(value, Tensor):
        if value.shape is None:
            return 3
        return 0 if value.shape and None not in value.shape else 1
    return 4 if isinstance(value, Unknown) else 2


def describe(value: Value, order: Sequence[str] = ()) -> str | None:
    """A value as the first line of a hover tells it; None where nothing is known."""
    match value:
        case Tensor(shape=None) | Unknown() | JitFunction():
            return None
        case Tensor(shape=(), pointer=True):
            return "pointer" if value.elem not in BITS else f"pointer<{value.elem}>"
        case Tensor(shape=()):
            return f"scalar {value.elem}".rstrip()
        case Tensor():
            star = "*" if value.pointer else ""
            return f"block{_sizes(value.shape, order)} {star}{value.elem}".rstrip()
        case BlockPointer(shape=sizes) if sizes is not None:
            return f"block_ptr{_sizes(sizes, order)} {value.elem}".rstrip()
        case Descriptor(shape=sizes) if sizes is not None:
            return f"tensor_descriptor{_sizes(sizes, order)} {value.elem}".rstrip()
        case Const():
            return _constant(value)
        case ElementType():
            return f"constexpr = {value.elem}" if value.elem else "constexpr"
        case Items():
            parts = [describe(item, order) or "?" for item in value.items]
            return f"({', '.join(parts)})"
        case _:
            return None


def _constant(value: Const) -> str:
    match value.value:
        case Undecided():
            return "constexpr"
        case Dim() as number if value.known is not None and number.name is not None:
            return f"constexpr = {value.known}"
        case Dim() as number if number.name is not None:
            return "constexpr"
        case Dim() as number:
            return f"constexpr = {render(number)}"
        case other:
            return f"constexpr = {other!r}"


def _sizes(sizes: Sizes | None, order: Sequence[str]) -> str:
    if sizes is None:
        return "[...]"
    return "[" + ", ".join(render(size, order) if size is not None else "?" for size in sizes) + "]"


def _otherwise(run: KernelRun, span: Span, order: Sequence[str]) -> Iterator[str]:
    """What a switch makes of it in other launches."""
    other = run.otherwise.get(span)
    if other is not None and (shown := describe(other.value, order)) is not None:
        yield f"{shown} {other.condition}"


def _supposed(run: KernelRun, span: Span) -> Iterator[str]:
    """That a product's type is one of floating-point operands, where theirs is not known."""
    for statement in nodes_of(run.node, t.Assign):
        if any(target.span == span for target in statement.targets):
            if any(done.supposed and done.span == statement.value.span for done in run.products):
                yield "of floating-point operands; of integers it would be int32, of fp64 it would be fp64"
            return


def _notes(value: Value, values: tuple[Value, ...], run: KernelRun, order: Sequence[str]) -> Iterator[str]:
    if isinstance(value, Tensor) and value.shape:
        count = numel(value.shape)
        if count is not None:
            yield f"elements: {render(count, order)}"
            bits = 64 if value.pointer else BITS.get(value.elem)
            if bits is not None and bits >= 8:
                yield f"bytes: {render(count * (bits // 8), order)}"
    others = [describe(other, order) for other in values if other is not value]
    told = [other for other in dict.fromkeys(others) if other is not None and other != describe(value, order)]
    if told:
        yield "for other callers: " + " · ".join(told[:4])
    if run.incomplete:
        yield "the kernel is too large: not every path was followed"


def block_hints(runs: KernelRuns, module: Module, path: Path, span: Span) -> Iterator[InlayHint]:
    """Block types behind the names that kernels assign inside `span`."""
    for node in runs.kernels(str(path)):
        if node.span.end <= span.start or node.span.start >= span.end:
            continue
        run = runs.run(str(path), node)
        order = tuple(param.name for param in node.args)
        for target in _targets(node):
            values = run.values.get(target, ())
            if not (span.start <= target.start < span.end) or not values:
                continue
            value = min(values, key=vagueness)
            if not isinstance(value, Tensor | BlockPointer | Descriptor) or not value.shape:
                continue
            text = f": {_sizes(value.shape, order)}"
            if len(text) > MAX_HINT:
                text = text[: MAX_HINT - 1] + "…"
            tooltip = f"```python\n{module.text.slice(target)}: {describe(value, order)}\n```"
            yield InlayHint(target.end, text, tooltip, len(values) == 1 and None not in value.shape)


def _targets(node: t.FunctionDef) -> Iterator[Span]:
    for statement in nodes_in(node):
        if isinstance(statement, t.Assign):
            for target in statement.targets:
                for found in t.walk(target):
                    if isinstance(found, t.Name):
                        yield found.span
