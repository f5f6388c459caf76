"""How a kernel walks over its work: threads or blocks a grid apart, tiles that a scheduler deals, or one tile a block.

Strides are those of the followed warp, wherever the loop stands; schedulers are told by what a loop asks each round.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tree_sitter import Node

from kernelscope.dims import render
from kernelscope.dims.monomial import Atom
from kernelscope.kernels.cuda.operations import Reached
from kernelscope.kernels.cuda.warp.kernel_run import Run
from kernelscope.kernels.cuda.warp.machine import Stride
from kernelscope.kernels.cuda.warp.values import Int
from kernelscope.kernels.cuda.written_values import in_full
from kernelscope.results import Span
from kernelscope.syntax.cuda.nodes import called_names
from kernelscope.syntax.cuda.source import LOOPS, of_kinds

_PLACE_OF_BLOCK = re.compile(r"\b(?:blockIdx|gridDim)\b")
_TAKEN = re.compile(r"(?:=|\breturn\b)\s*atomic(?:Add|Inc)\s*\(\s*[&(]*\s*(\w+)")
_ENDLESS = ("", "true", "1")
_BOUND = re.compile(r"\s*(\w+)\s*<=?\s*(.+)\Z", re.DOTALL)
_START = re.compile(r"(\w+)\s*=\s*(.+?);?\s*\Z", re.DOTALL)
_STEP = re.compile(r"\s*(\w+)\s*\+=\s*(.+)\Z", re.DOTALL)
_ASKED = re.compile(r"\s*\w+\s*=\s*(\w+)\s*\.\s*(?:template\s+)?(\w+)\s*[(<]")
_OF_BLOCK = re.compile(r"\[[^\[\]]*\bblockIdx\b[^\[\]]*\]")
_MADE = re.compile(r"[\w:]+")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class LoopKind:
    """How a kernel walks over its work, and where it says so."""

    text: str
    span: Span | None = None
    """In the prepared text of the kernel's file."""


def loop_kind(reached: Sequence[Reached], run: Run | None, shared: frozenset[str]) -> LoopKind:
    """Told by the first loop that takes a block, or its threads, from one piece of work to another; the kernel's own
    loops come before those of functions that it calls. Without one by a share of the work that the grid decides.

    `shared` are names of shared arrays: counters there deal work to the threads of one block.
    """
    strides = sorted(run.strides if run is not None else (), key=lambda stride: bool(stride.through))
    for stride in strides:
        if stride.by is not None:
            continue
        through = f" in `{stride.through}`" if stride.through else ""
        if any(name.startswith("threadIdx.") for name in stride.start.names()):
            return LoopKind(f"grid-stride{through}", stride.span)
        return LoopKind(f"persistent: blocks take tiles a grid apart{through}", stride.span)
    loops = [node for nodes in of_kinds(reached[0].function.body, LOOPS).values() for node in nodes]
    loops.sort(key=lambda node: node.start_byte)
    found = next(_scheduled(reached, loops, shared), None) or next(_shares(run), None)
    found = found or next(_runs(reached[0], loops), None) or next(_apart(reached[0], loops), None)
    found = found or next(_over_objects(reached[0], loops), None) or next(_by_names(reached[0], strides), None)
    return found or LoopKind("one tile per block")


def _shares(run: Run | None) -> Iterator[LoopKind]:
    """Numbers that are a size divided by the number of blocks: how much each of them does."""
    for span, (name, value, _) in run.variables.items() if run is not None else ():
        if isinstance(value, Int) and any(map(_is_share, value.d.atoms())):
            yield LoopKind(f"one share per block: `{name}` divides the work by their number", span)


def _is_share(atom: Atom) -> bool:
    if isinstance(atom, str) or atom.op not in ("//", "cdiv"):
        return False
    number, divisor = atom.args
    sizes = [n for n in number.names() if not n.startswith(("gridDim.", "blockIdx.", "threadIdx.", "blockDim."))]
    return bool(sizes) and any(name.startswith("gridDim.") for name in divisor.names())


def _runs(kernel: Reached, loops: Sequence[Node]) -> Iterator[LoopKind]:
    """Loops whose two ends are read from memory at a place that the block's own number gives."""
    for node in loops:
        initial, condition = (node.child_by_field_name(part) for part in ("initializer", "condition"))
        if node.type != "for_statement" or initial is None or condition is None:
            continue
        bound = _BOUND.match(kernel.unit.source.text(condition))
        declared = kernel.unit.declarations.within(node)
        start = next((one for one in declared if bound is not None and one.name == bound[1]), None)
        if bound is None or start is None or start.value is None:
            continue
        ends = [in_full(kernel, text, node.start_byte) for text in (start.value, bound[2])]
        if all(map(_OF_BLOCK.search, ends)) and not any("threadIdx" in end for end in ends):
            yield LoopKind(f"one run per block: memory says where its `{bound[1]}` begins and ends", _span(node))


def _apart(kernel: Reached, loops: Sequence[Node]) -> Iterator[LoopKind]:
    """Loops from a place that the block's own number gives to an end that is the same for all, in steps that the host
    passes: other blocks lie between."""
    passed = {param.name for param in kernel.function.params}
    for node in loops:
        initial, condition, update = _head(kernel, node)
        start, bound, step = _START.search(initial), _BOUND.match(condition), _STEP.match(update)
        if start is None or bound is None or step is None or len({start[1], bound[1], step[1]}) > 1:
            continue
        begins, ends = (in_full(kernel, text, node.start_byte) for text in (start[2], bound[2]))
        if "blockIdx" in begins and "blockIdx" not in ends and not passed.isdisjoint(_WORD.findall(step[2])):
            by = " ".join(step[2].split())
            yield LoopKind(f"persistent: a block goes on by `{by}`, which the host passes", _span(node))


def _head(kernel: Reached, node: Node) -> tuple[str, str, str]:
    """How a loop begins, how long it goes on and by what; of one with nothing but a condition, what is given before it
    to the variable that the last statement of its body moves on."""
    text = kernel.unit.source.text
    parts = [node.child_by_field_name(part) for part in ("initializer", "condition", "update")]
    initial, condition, update = (text(part) if part is not None else "" for part in parts)
    body = node.child_by_field_name("body")
    if node.type != "while_statement" or body is None or not body.named_children:
        return initial, condition, update
    condition, update = condition.strip().removeprefix("(").removesuffix(")"), text(body.named_children[-1])
    step = _STEP.match(update.strip().removesuffix(";"))
    declared = kernel.unit.declarations.at(step[1], node.start_byte) if step is not None else None
    begin = f"{declared.name} = {declared.value}" if declared is not None and declared.value is not None else ""
    return begin, condition, update.strip().removesuffix(";")


def _by_names(kernel: Reached, strides: Sequence[Stride]) -> Iterator[LoopKind]:
    """Loops that go on by as many blocks as template parameters say, which may be those of the grid."""
    given = {parameter.name for parameter in kernel.function.templates}
    for stride in strides:
        if stride.by is not None and given.issuperset(stride.by.names()):
            text = f"not known: each round goes on by `{render(stride.by)}`, a grid apart if all blocks take so many"
            yield LoopKind(text, stride.span)


def _over_objects(kernel: Reached, loops: Sequence[Node]) -> Iterator[LoopKind]:
    """Loops over an object that is made for them: its class says what a thread takes next."""
    for node in loops:
        over = node.child_by_field_name("right") if node.type == "for_range_loop" else None
        if over is not None and over.type in ("call_expression", "compound_literal_expression"):
            made = _MADE.match(kernel.unit.source.text(over))
            name = made[0] if made is not None else "an object"
            yield LoopKind(f"not known: `{name}` says in each round what a thread does next", _span(node))


def _span(node: Node) -> Span:
    return Span(node.start_byte, node.end_byte)


def _dealt_by_a_parameter(kernel: Reached, node: Node) -> Iterator[LoopKind]:
    """Loops that ask an object of a class which the launch chooses for what is next."""
    update = node.child_by_field_name("update")
    asked = _ASKED.match(kernel.unit.source.text(update)) if update is not None else None
    declared = kernel.unit.declarations.at(asked[1], node.start_byte) if asked is not None else None
    if asked is not None and declared is not None and any(declared.type == t.name for t in kernel.function.templates):
        text = f"not known: `{asked[2]}` of `{declared.type}`, which the launch chooses, says what a block does next"
        yield LoopKind(text, _span(node))


def _asks_for_block(text: str) -> bool:
    return ("blockIdx" in text or "gridDim" in text) and _PLACE_OF_BLOCK.search(text) is not None


def _scheduled(reached: Sequence[Reached], loops: Sequence[Node], shared: frozenset[str]) -> Iterator[LoopKind]:
    """Loops of the kernel that ask in every round which tile is next."""
    kernel = reached[0]
    source = kernel.unit.source
    dealing = {one.function.name for one in reached[1:] if _asks_for_block(one.unit.source.text(one.function.body))}
    filling = {
        one.function.name
        for one in reached[1:]
        if any(p.type.rstrip().endswith("&") and "const" not in p.type for p in one.function.params)
    }
    for node in loops:
        asked = [part for name in ("condition", "update") if (part := node.child_by_field_name(name)) is not None]
        span = _span(node)
        for part in asked:
            for name in called_names(part):
                if name in dealing:
                    yield LoopKind(f"persistent: `{name}` gives a block its next tile", span)
                elif name in filling:
                    yield LoopKind(f"not known: `{name}` says in each round what a block does next", span)
        yield from _dealt_by_a_parameter(kernel, node)
        texts = [source.text(part) for part in asked]
        condition = node.child_by_field_name("condition")
        if condition is None or source.text(condition).strip("() ") in _ENDLESS:
            body = node.child_by_field_name("body")
            texts += [source.text(body)] if body is not None else []
        if any(taken[1] not in shared for text in texts for taken in _TAKEN.finditer(text)):
            yield LoopKind("persistent: work is taken from a counter by an atomic", span)
