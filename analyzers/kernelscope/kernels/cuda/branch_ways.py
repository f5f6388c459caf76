"""Launches behind branches of host code that set their grid or block: one for each way through these branches.

Only branches that are over before the launch are looked at, and only where they decide a size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from tree_sitter import Node

from kernelscope.kernels.cuda.launch import Launch
from kernelscope.kernels.cuda.units import Unit
from kernelscope.kernels.cuda.ways import Branch
from kernelscope.syntax.cuda.nodes import one_line

MAX_WAYS = 6
_WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class _Way:
    """One branch of an `if`, or none where it has no `else`."""

    branches: tuple[Branch, ...]
    when: str


def by_branches(launch: Launch) -> tuple[Launch, ...]:
    """The launch for each way through the branches that set its grid or block; one where they tell nothing more."""
    if launch.function is None or launch.wrapper is not None:
        return (launch,)
    sizes = (*launch.grid, *launch.block)
    words = {word for part in launch.configuration[:2] for word in _WORD.findall(part)}
    open_names = {name for size in sizes if size is not None for name in size.names()}
    asked = {name for name in words | open_names if _is_local(launch.unit, name, launch.offset)}
    if None not in sizes and not open_names & asked:
        return (launch,)
    choices = [list(_ways(launch.unit, node)) for node in _deciding(launch, asked)]
    count = 1
    for ways in choices:
        count *= len(ways)
    if not choices or count > MAX_WAYS:
        return (launch,)
    found: list[Launch] = []
    for ways in product(*choices):
        chosen = tuple(branch for way in ways for branch in way.branches)
        found.append(replace(launch, chosen=chosen, when=" and ".join(way.when for way in ways)))
    told = {(one.grid, one.block) for one in found}
    if len(told) == 1:
        return (replace(found[0], when=""),) if told != {(launch.grid, launch.block)} else (launch,)
    return tuple(found)


def _is_local(unit: Unit, name: str, offset: int) -> bool:
    declared = unit.declarations.at(name, offset)
    return declared is not None and declared.scope[0] > 0


def _deciding(launch: Launch, asked: set[str]) -> Iterator[Node]:
    """The outermost `if`s before a launch in which one of some variables is set."""
    if launch.function is None:
        return
    last = 0
    for node in launch.unit.source.branches(launch.function.body):
        if node.start_byte < last or node.end_byte > launch.offset or not _is_reached_from(node, launch):
            continue
        if any(_is_set(launch.unit, name, node) for name in asked):
            last = node.end_byte
            yield node


def _is_reached_from(node: Node, launch: Launch) -> bool:
    """Whether the block that a statement is in is around the launch, too."""
    block = node.parent
    return block is not None and block.start_byte <= launch.offset < block.end_byte


def _is_set(unit: Unit, name: str, node: Node) -> bool:
    between = unit.assignments.between
    return any(between(name, node.start_byte, node.end_byte, member) for member in ("", "x", "y", "z"))


def _ways(unit: Unit, node: Node) -> Iterator[_Way]:
    """The ways through an `if` with all its `else if`s."""
    branches: list[Node] = []
    conditions: list[str] = []
    last: Node | None = node
    while last is not None and last.type == "if_statement":
        condition, then = last.child_by_field_name("condition"), last.child_by_field_name("consequence")
        if condition is None or then is None:
            return
        conditions.append(one_line(unit.source.text(condition)).removeprefix("(").removesuffix(")"))
        branches.append(then)
        other = last.child_by_field_name("alternative")
        if other is not None and other.type == "else_clause":
            other = next((child for child in other.named_children if child.type != "comment"), None)
        last = other
    bodies = [*branches, *([last] if last is not None else [])]
    for i in range(len(branches) + 1):
        spans = [Branch(body.start_byte, body.end_byte, j == i, node.end_byte) for j, body in enumerate(bodies)]
        before = " or ".join(f"`{condition}`" for condition in conditions[:i])
        when = [f"if `{conditions[i]}`"] if i < len(branches) else []
        yield _Way(tuple(spans), " and ".join([*([f"unless {before}"] if before else []), *when]))
