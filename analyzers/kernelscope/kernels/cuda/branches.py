"""Branches of a kernel's functions that constants decide: those that no instance takes, and what the others rest on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tree_sitter import Node

from kernelscope.kernels.cuda.constants import Constants
from kernelscope.syntax.cuda.expressions import (
    Binary,
    Cast,
    Expr,
    Name,
    Number,
    SizeOf,
    Unary,
    parse_expression,
)
from kernelscope.syntax.cuda.nodes import one_line
from kernelscope.syntax.cuda.source import CudaSource

_TOKENS = re.compile(r"[()]|&&|\|\||\band\b")


@dataclass(frozen=True, slots=True, order=True)
class Condition:
    """What an `if` over constants asks, as written, and the answer for which a branch is there."""

    text: str
    holds: bool = True

    @property
    def told(self) -> str:
        if self.holds:
            return self.text
        return f"!{self.text}" if self.text.replace("::", "").isidentifier() else f"!({self.text})"

    def told_in(self, others: bool) -> str:
        """The same beside others that have to hold too."""
        return f"({self.text})" if others and self.holds and "||" in self.text else self.told


Way = tuple[Condition, ...]
"""Conditions that hold together."""
Ways = tuple[Way, ...]
"""Ways of which one is enough."""
ALWAYS: Ways = ((),)


def either(ways: Iterable[Way]) -> Ways:
    """Ways of which one is enough, without those that others make needless, and with both answers to one question as
    none."""
    found = list(dict.fromkeys(ways))
    for a in found:
        for b in found:
            apart = set(a) ^ set(b)
            if len(apart) == 2 and len({one.text for one in apart}) == 1 and len(a) == len(b):
                return either([*(w for w in found if w not in (a, b)), tuple(one for one in a if one in b)])
    return tuple(way for way in found if not any(set(other) < set(way) for other in found))


class Branches:
    """The branches of one function, for the instances of a kernel that run it."""

    def __init__(self, source: CudaSource, constants: Constants, instances: Sequence[Constants]) -> None:
        self.source, self.constants, self.instances = source, constants, instances
        self._taken: dict[int, bool | None] = {}
        """By `if`: whether its condition always holds."""

    def is_dead(self, around: Sequence[Node], offset: int) -> bool:
        """Whether a place stands in a branch that no instance takes; `around` are the statements it stands in."""
        for outer in reversed(around):
            always = self._always(outer) if outer.type == "if_statement" else None
            if always is not None and _side(outer, offset) is not always and _side(outer, offset) is not None:
                return True
        return False

    def is_open(self, node: Node) -> bool:
        """Whether a statement is an `if constexpr` that not every instance is known to take or to pass by; not one with
        an `else`, of whose branches every instance takes one."""
        is_constant = node.type == "if_statement" and any(child.type == "constexpr" for child in node.children)
        return is_constant and node.child_by_field_name("alternative") is None and self._always(node) is None

    def conditions(self, node: Node, body: Node) -> tuple[Condition, ...] | None:
        """What a place in a function's body rests on, the outermost first; None where no instance reaches it."""
        found: list[Condition] = []
        inner, outer = node, node.parent
        while outer is not None and inner.start_byte > body.start_byte:
            if outer.type == "if_statement" and (side := _side(outer, node.start_byte)) is not None:
                always = self._always(outer)
                if always is not None and always is not side:
                    return None
                if always is None:
                    found = [*self._asked(outer, side), *found]
            inner, outer = outer, outer.parent
        return tuple(dict.fromkeys(found))

    def _always(self, node: Node) -> bool | None:
        if node.start_byte not in self._taken:
            self._taken[node.start_byte] = self._agreed(node)
        return self._taken[node.start_byte]

    def _agreed(self, node: Node) -> bool | None:
        condition = node.child_by_field_name("condition")
        return self._answer(self._text(condition), condition.start_byte) if condition is not None else None

    def _answer(self, text: str, offset: int) -> bool | None:
        """What an expression comes to in every instance; None where they differ, or one leaves it open."""
        answers: set[bool] = set()
        for constants in self.instances:
            value = constants.evaluate(text, offset)
            if value is None or value.const is None:
                return None
            answers.add(bool(value.const))
        return answers.pop() if len(answers) == 1 else None

    def _asked(self, node: Node, side: bool) -> Iterator[Condition]:
        """The part of a condition that is decided when the kernel is compiled; nothing of what the run decides."""
        condition = node.child_by_field_name("condition")
        if condition is None:
            return
        text, offset = self._text(condition), condition.start_byte
        if any(child.type == "constexpr" for child in node.children) or self._is_constant(text, offset):
            yield Condition(one_line(text), side)
        elif side:
            parts = (part for part in _all_of(text) if self._is_constant(part, offset))
            yield from (Condition(one_line(part)) for part in parts if self._answer(part, offset) is not True)

    def _is_constant(self, text: str, offset: int) -> bool:
        """Whether template arguments decide an expression."""
        value = self.constants.evaluate(text, offset)
        return (value is None or value.const is None) and self._is_of_constants(parse_expression(text), offset)

    def _is_of_constants(self, expression: Expr, offset: int) -> bool:
        match expression:
            case Number() | SizeOf():
                return True
            case Name(text=name):
                return self.constants.evaluate(name, offset) is not None
            case Unary(operand=operand) | Cast(operand=operand):
                return self._is_of_constants(operand, offset)
            case Binary(left=left, right=right):
                return self._is_of_constants(left, offset) and self._is_of_constants(right, offset)
            case _:
                return False

    def _text(self, condition: Node) -> str:
        return self.source.text(condition).strip().removeprefix("(").removesuffix(")")


def _side(node: Node, offset: int) -> bool | None:
    """In which branch of an `if` a place stands; None for its condition."""
    for side, name in ((True, "consequence"), (False, "alternative")):
        branch = node.child_by_field_name(name)
        if branch is not None and branch.start_byte <= offset < branch.end_byte:
            return side
    return None


def _all_of(text: str) -> list[str]:
    """The parts of `a && b`; none where an `||` stands beside them."""
    parts, depth, begin = [""], 0, 0
    for found in _TOKENS.finditer(text):
        depth += (found[0] == "(") - (found[0] == ")")
        if depth == 0 and found[0] == "||":
            return []
        if depth == 0 and found[0] in ("&&", "and"):
            parts[-1] = text[begin : found.start()].strip()
            parts.append("")
            begin = found.end()
    parts[-1] = text[begin:].strip()
    return parts
