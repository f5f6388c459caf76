"""Warps of a block that run apart: a branch on the number of a warp whose sides each copy or multiply on their own.

What a side does is counted with the functions that it calls. A branch that only guards one side, as for a descriptor
that is prefetched, makes no roles.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tree_sitter import Node

from kernelscope.dims import NO_FACTS, Dim, dim
from kernelscope.kernels.cuda.intrinsics import Kind
from kernelscope.kernels.cuda.operations import Behaviour, Reached
from kernelscope.kernels.cuda.warp.sectors import WARP
from kernelscope.kernels.cuda.written_values import in_full
from kernelscope.results import Location
from kernelscope.syntax.cuda.nodes import called_names, one_line, walk

WARP_BITS = 5
_NUMBER = re.compile(r"\bcanonical_warp(?:_?group)?_idx\w*\s*\(|%warpid")
_DIVIDED = re.compile(r"\bthreadIdx\s*\.\s*x\s*(/|>>)\s*([\w:.]+|\([^()]*\))")
_BOUND = re.compile(r"\bthreadIdx\s*\.\s*x\s*(?:<|>=)\s*([^&|)]+)")
_WORK = (Kind.ASYNC, Kind.TENSOR, Kind.BARRIER, Kind.REGISTERS)
_ALL_WAIT = "__syncthreads"


@dataclass(frozen=True, slots=True)
class Role:
    """What the warps of one side of a branch do."""

    condition: str
    """As it is written; empty for the rest."""
    location: Location
    kinds: tuple[Kind, ...]


def warp_roles(found: Behaviour) -> tuple[Role, ...]:
    """The roles that the first branch on warps deals out; none where all warps run the same."""
    if not found.of(Kind.TENSOR):
        return ()
    work = _Work(found)
    for one in found.reached:
        for branch in walk(one.function.body):
            if branch.type != "if_statement" or _is_else_if(branch):
                continue
            roles = tuple(work.roles(one, branch))
            busy = [role for role in roles if role.kinds]
            if len(busy) > 1 and any(Kind.TENSOR in role.kinds for role in busy):
                return tuple(busy)
    return ()


class _Work:
    """What functions do, with all that they call."""

    def __init__(self, found: Behaviour) -> None:
        self.operations = [
            operation
            for operation in found.operations
            if operation.kind in _WORK and not operation.effect.text.startswith(_ALL_WAIT)
        ]
        self.own: dict[str, set[Kind]] = {}
        for operation in self.operations:
            self.own.setdefault(operation.function.name, set()).add(operation.kind)
        self.calls = {one.function.name: set(called_names(one.function.body)) for one in found.reached[1:]}

    def roles(self, one: Reached, branch: Node) -> Iterator[Role]:
        """The sides of a branch on warps; nothing where it asks for something else."""
        sides = list(_sides(one, branch))
        if not sides or not _asks_for_warp(one, sides[0][0], branch.start_byte):
            return
        for condition, nodes in sides:
            source = one.unit.source
            places = [source.source.location(Path(one.unit.path), source.span(node)) for node in nodes]
            kinds = set[Kind]().union(*(self._done(node, place) for node, place in zip(nodes, places, strict=True)))
            yield Role(condition, places[0], tuple(kind for kind in _WORK if kind in kinds))

    def _done(self, node: Node, place: Location) -> set[Kind]:
        kinds = {operation.kind for operation in self.operations if _is_within(operation.location, place)}
        seen: set[str] = set()
        todo = list(called_names(node))
        while todo:
            name = todo.pop()
            if name in seen or name not in self.calls:
                continue
            seen.add(name)
            kinds |= self.own.get(name, set())
            todo += self.calls[name]
        return kinds


def _sides(one: Reached, branch: Node) -> Iterator[tuple[str, list[Node]]]:
    """The condition and the statements of each side; what follows a side that returns is the other."""
    node: Node | None = branch
    while node is not None and node.type == "if_statement":
        condition, consequence = node.child_by_field_name("condition"), node.child_by_field_name("consequence")
        if condition is None or consequence is None:
            return
        yield one_line(one.unit.source.text(condition)).removeprefix("(").removesuffix(")"), [consequence]
        alternative = node.child_by_field_name("alternative")
        if alternative is None:
            if consequence.named_children and consequence.named_children[-1].type == "return_statement":
                rest: list[Node] = []
                following = branch.next_named_sibling
                while following is not None:
                    rest.append(following)
                    following = following.next_named_sibling
                if rest:
                    yield "", rest
            return
        node = next(iter(alternative.named_children), None)
        if node is not None and node.type != "if_statement":
            yield "", [node]


def _is_else_if(branch: Node) -> bool:
    return branch.parent is not None and branch.parent.type == "else_clause"


def _asks_for_warp(one: Reached, condition: str, offset: int) -> bool:
    """Whether the threads of a warp go one way: the condition is made of a warp's number, or cuts between warps."""
    text = in_full(one, condition, offset)
    if _NUMBER.search(text):
        return True
    for divided in _DIVIDED.finditer(text):
        if "warp" in divided[2].lower():
            return True
        size = _number(one, divided[2], offset)
        if size is not None and size.const is not None:
            return size.const >= WARP_BITS if divided[1] == ">>" else NO_FACTS.divides(dim(WARP), size)
    bound = _BOUND.search(text)
    limit = _number(one, bound[1], offset) if bound is not None else None
    return limit is not None and NO_FACTS.divides(dim(WARP), limit)


def _number(one: Reached, text: str, offset: int) -> Dim | None:
    return one.constants.evaluate(text.strip(), offset)


def _is_within(inner: Location, outer: Location) -> bool:
    return inner.path == outer.path and (
        (outer.line, outer.column) <= (inner.line, inner.column) <= (outer.end_line, outer.end_column)
    )
