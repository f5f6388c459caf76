"""Certain findings in CUDA kernels and launches: too much shared memory, too many threads, barriers some threads miss.

What depends on a run-time value is no finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tree_sitter import Node

from kernelscope.dims import dim, product
from kernelscope.kernels.cuda.constants import Constants
from kernelscope.kernels.cuda.intrinsics import EFFECTS, Kind
from kernelscope.kernels.cuda.kernels import KernelFacts, Kernels
from kernelscope.kernels.cuda.launch import Launch
from kernelscope.kernels.cuda.units import Unit
from kernelscope.kernels.hardware import Generation
from kernelscope.problems import Problem
from kernelscope.results import Evidence, Span
from kernelscope.syntax.cuda.nodes import walk

STATIC_LIMIT = 48 * 1024
"""Bytes of static shared memory, and of dynamic without opting in (CUDA C++ Programming Guide, "Shared Memory")."""
MOST_BLOCKS = (2**31 - 1, 65_535, 65_535)
MOST_THREADS = (None, None, 64)
"""Along x, y and z of a grid, and of a block where not all of its threads are too many (CUDA C++ Programming Guide,
"Technical Specifications per Compute Capability")."""
_OPT_IN = re.compile(rb"MaxDynamicSharedMemorySize|MAX_DYNAMIC_SHARED_SIZE_BYTES|max_dynamic_shared")
_THREAD = re.compile(r"\bthreadIdx\s*\.\s*([xyz])")
_CONDITIONAL = frozenset(("if_statement", "for_statement", "while_statement"))
_SIZE = re.compile(r"\bblockDim\s*\.\s*([xyz])")


def cuda_problems(kernels: Kernels, path: Path, limits: Generation) -> Iterator[Problem]:
    """Findings in one file, in source order of its kernels."""
    for facts in kernels.in_file(str(path)):
        if not facts.unit.is_for_amd:
            yield from _shared(facts, limits)
        yield from dict.fromkeys(_launches(facts, limits, path))  # one launch may stand for several calls
        yield from _barriers(facts)


def _shared(facts: KernelFacts, limits: Generation) -> Iterator[Problem]:
    size = facts.shared.static_bytes
    if size is None or size.const is None or size.const <= STATIC_LIMIT:
        return
    largest = max(facts.shared.static, key=lambda a: (a.size.const or 0) if a.size is not None else 0)
    span = largest.span if largest.path == facts.unit.path else facts.function.name_span
    story = tuple(
        Evidence(facts.location(a.span), f"{a.name}: {a.size} B")
        for a in facts.shared.static
        if a.path == facts.unit.path
    )
    yield Problem(
        "shared-memory-limit",
        f"{facts.name} declares {size.const} B of static shared memory; a block has at most {STATIC_LIMIT} B of it "
        f"(up to {limits.block_shared} B on {limits.arch} when it is dynamic)",
        span,
        story,
    )


def _launches(facts: KernelFacts, limits: Generation, path: Path) -> Iterator[Problem]:
    bounded = facts.bounded_threads
    for launch in facts.launches:
        if launch.unit.path != str(path) or launch.chosen:
            continue  # of one way through branches that stand before it nobody knows that it can be gone
        threads = product(s for s in launch.block if s is not None).const if None not in launch.block else None
        if threads is not None and threads > limits.block_threads:
            yield Problem(
                "launch-bounds",
                f"launch of {facts.name} with {threads} threads in a block: at most {limits.block_threads} are allowed",
                launch.span,
            )
        elif threads is not None and bounded is not None and bounded.const is not None and threads > bounded.const:
            where = facts.location(facts.function.name_span)
            yield Problem(
                "launch-bounds",
                f"launch of {facts.name} with {threads} threads in a block: its launch bounds allow {bounded.const}",
                launch.span,
                (Evidence(where, f"__launch_bounds__({facts.launch_bounds.threads if facts.launch_bounds else ''})"),),
            )
        if not facts.unit.is_for_amd:
            yield from _extents(facts, launch)
            yield from _dynamic(facts, launch, limits)


def _extents(facts: KernelFacts, launch: Launch) -> Iterator[Problem]:
    """Axes along which a launch has more blocks or threads than there may be."""
    for what, extent, most in (
        ("blocks", launch.grid, MOST_BLOCKS),
        ("threads of a block", launch.block, MOST_THREADS),
    ):
        for axis, size, limit in zip("xyz", extent, most, strict=True):
            if limit is not None and size is not None and size.const is not None and size.const > limit:
                yield Problem(
                    "launch-bounds",
                    f"launch of {facts.name} with {size.const} {what} along {axis}: at most {limit} are allowed",
                    launch.span,
                )


def _dynamic(facts: KernelFacts, launch: Launch, limits: Generation) -> Iterator[Problem]:
    asked = launch.shared.const if launch.shared is not None and len(launch.configuration) > 2 else None
    if asked is None:
        return
    if asked > limits.block_shared:
        yield Problem(
            "shared-memory-limit",
            f"launch of {facts.name} with {asked} B of dynamic shared memory: {limits.arch} has "
            f"{limits.block_shared} B per block",
            launch.span,
        )
    elif asked > STATIC_LIMIT and not _opts_in(launch.unit):
        yield Problem(
            "dynamic-shared-opt-in",
            f"launch of {facts.name} with {asked} B of dynamic shared memory: above {STATIC_LIMIT} B a kernel has to "
            "opt in by cudaFuncAttributeMaxDynamicSharedMemorySize",
            launch.span,
        )


def _opts_in(unit: Unit) -> bool:
    """Whether a file or one of its headers, whose macros it may call, asks for more shared memory."""
    texts = (unit.source.source.data, *(header.data for header in unit.headers.values()))
    return any(_OPT_IN.search(text) for text in texts)


# -- barriers -------------------------------------------------------------------------------------------------


def _barriers(facts: KernelFacts) -> Iterator[Problem]:
    block = facts.block
    if block is None or any(size is None or size.const is None for size in block):
        return
    sizes = [size.const or 1 for size in block if size is not None]
    source = facts.unit.source
    for node in walk(facts.function.body):
        callee = node.child_by_field_name("function") if node.type == "call_expression" else None
        if callee is None:
            continue
        effect = EFFECTS.get(source.text(callee))
        if effect is None or effect.kind is not Kind.BARRIER:
            continue
        condition = _split(facts, node, sizes)
        if condition is not None:
            span = source.span(node)
            where = facts.location(source.span(condition))
            yield Problem(
                "divergent-barrier",
                f"{effect.text} is reached by some threads of the block only: `{source.written(condition)}` differs "
                f"between them with {' × '.join(map(str, sizes))} threads",
                Span(span.start, span.end),
                (Evidence(where, "the condition"),),
            )


def _split(facts: KernelFacts, node: Node, sizes: list[int]) -> Node | None:
    """The condition around a node that is true for some threads of a block and false for others."""
    parent = node.parent
    while parent is not None and parent.start_byte > facts.function.body.start_byte:
        if parent.type in _CONDITIONAL:
            condition, body = parent.child_by_field_name("condition"), parent.child_by_field_name("body")
            inside = body is None or body.start_byte <= node.start_byte < body.end_byte
            if condition is not None and inside and _differs(facts, condition, sizes, _first_round(facts, parent)):
                return condition
        parent = parent.parent
    return None


def _first_round(facts: KernelFacts, loop: Node) -> dict[str, str]:
    """What the variable of a loop is when it begins: who does not pass the first round never gets in."""
    initial = loop.child_by_field_name("initializer")
    declared = initial.child_by_field_name("declarator") if initial is not None else None
    name = declared.child_by_field_name("declarator") if declared is not None else None
    value = declared.child_by_field_name("value") if declared is not None else None
    if name is None or value is None or name.type != "identifier":
        return {}
    return {facts.unit.source.text(name): facts.unit.source.text(value)}


def _differs(facts: KernelFacts, condition: Node, sizes: list[int], first: Mapping[str, str]) -> bool:
    text = facts.unit.source.text(condition).strip()
    text = text[1:-1] if text.startswith("(") and text.endswith(")") else text
    for name, value in first.items():
        text = re.sub(rf"(?<![\w.>]){re.escape(name)}\b", lambda _, value=value: f"({value})", text)
    for _ in range(4):
        text, changed = _inlined(facts, text, condition.start_byte)
        if not changed:
            break
    if not _THREAD.search(text):
        return False
    text = _SIZE.sub(lambda m: str(sizes["xyz".index(m[1])]), _THREAD.sub(r"thread_\1", text))
    outcomes: set[bool] = set()
    constants = Constants(facts.unit, facts.function)
    for z in range(sizes[2]):
        for y in range(sizes[1]):
            for x in range(sizes[0]):
                constants.values = {"thread_x": dim(x), "thread_y": dim(y), "thread_z": dim(z)}
                value = constants.evaluate(text, condition.start_byte)
                if value is None or value.const is None:
                    return False
                outcomes.add(bool(value.const))
                if len(outcomes) == 2:
                    return True
    return False


def _inlined(facts: KernelFacts, text: str, offset: int) -> tuple[str, bool]:
    """Names of integers that are set once, with what they are set to."""
    changed = False

    def value(match: re.Match[str]) -> str:
        nonlocal changed
        declared = facts.unit.declarations.at(match[0], offset)
        body = facts.function.body
        if (
            declared is None
            or declared.value is None
            or not body.start_byte <= declared.node.start_byte < body.end_byte
        ):
            return match[0]
        after = facts.unit.source.expanded[declared.node.end_byte : body.end_byte].decode("latin-1")
        word = re.escape(match[0])
        first = after.index("=") + 1
        if re.search(
            rf"\b{word}\s*(?:[-+*/%&|^]|<<|>>)?=(?!=)|(?:\+\+|--)\s*{word}\b|\b{word}\s*(?:\+\+|--)", after[first:]
        ):
            return match[0]
        changed = True
        return f"({declared.value})"

    return re.sub(r"(?<![\w.])[A-Za-z_]\w*(?!\s*[.(\w:])", value, text), changed
