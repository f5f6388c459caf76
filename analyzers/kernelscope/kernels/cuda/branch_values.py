"""What the branches around a place of host code say of variables: `case 128:` of a switch over one, `if (n == 128)`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from kernelscope.kernels.cuda.constants import Constants
from kernelscope.kernels.cuda.units import Unit

_VARIABLE = re.compile(r"\(?\s*([A-Za-z_]\w*)\s*\)?")
_EQUALS = re.compile(r"\(?\s*([A-Za-z_]\w*)\s*==\s*([^()&|=<>!?]+?)\s*\)?")
_ENDS = frozenset(("break_statement", "return_statement", "continue_statement", "goto_statement", "throw_statement"))
MAX_BRANCHES = 24


@dataclass(frozen=True, slots=True)
class BranchValue:
    """What a variable holds where a branch begins."""

    number: int
    begin: int


def branch_values(unit: Unit, offset: int) -> dict[str, BranchValue]:
    """Variables whose values the branches around a place say; of several branches the innermost."""
    found: dict[str, BranchValue] = {}
    if b"switch" in unit.source.expanded or b"==" in unit.source.expanded:
        node = unit.source.root.descendant_for_byte_range(offset, offset + 1)
        for name, text, begin in _said(unit, node):
            value = Constants(unit).evaluate(text, offset) if name not in found else None
            if value is not None and value.const is not None:
                found[name] = BranchValue(value.const, begin)
    return found


def _said(unit: Unit, node: Node | None) -> Iterator[tuple[str, str, int]]:
    """Variables, the texts of what they equal, and from where on; up to the function around a node."""
    for _ in range(MAX_BRANCHES):
        outer = node.parent if node is not None else None
        if node is None or outer is None or outer.type == "function_definition":
            return
        said = _case(unit, node) if node.type == "case_statement" else _test(unit, outer, node)
        if said is not None:
            yield *said, node.start_byte
        node = outer


def _case(unit: Unit, node: Node) -> tuple[str, str] | None:
    """What the label of a case says that is reached by it alone."""
    before = node.prev_named_sibling
    while before is not None and before.type == "comment":
        before = before.prev_named_sibling
    value, block = node.child_by_field_name("value"), node.parent
    switch = block.parent if block is not None else None
    condition = switch.child_by_field_name("condition") if switch is not None else None
    if value is None or condition is None or (before is not None and not _is_left(before)):
        return None
    variable = _VARIABLE.fullmatch(unit.source.text(condition))
    return (variable[1], unit.source.text(value)) if variable is not None else None


def _is_left(node: Node) -> bool:
    """Whether nothing runs on behind a statement."""
    inner = [child for child in node.named_children if child.type != "comment"]
    if node.type in ("case_statement", "compound_statement"):
        return bool(inner) and _is_left(inner[-1])
    return node.type in _ENDS


def _test(unit: Unit, outer: Node, node: Node) -> tuple[str, str] | None:
    condition = outer.child_by_field_name("condition") if outer.type == "if_statement" else None
    if condition is None or outer.child_by_field_name("consequence") != node:
        return None
    found = _EQUALS.fullmatch(unit.source.text(condition))
    return (found[1], found[2]) if found is not None else None
