"""Which keys a query sees, as the code that builds the mask tells: only earlier ones, only near ones.

Comparisons of positions and triangles of ones are looked at; a mask that a caller gives says nothing.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kernelscope.interp.values import as_size
from kernelscope.patterns.flow import Node, words
from kernelscope.patterns.paths import back

COMPARISONS = words("lt le gt ge")
TRIANGLES = words("tril triu")
CAUSAL = "causal"
WINDOW = "sliding window"


def mask_traits(masks: Iterable[Node]) -> Iterator[str]:
    """`causal` and `sliding window`, of a mask that is made where it can be seen."""
    steps = list(_made_of(masks))
    triangles = frozenset(node.operator for node in steps if node.operator in TRIANGLES)
    kinds = {_kind(node) for node in steps if node.operator in COMPARISONS}
    if len(triangles) == 1 or CAUSAL in kinds or triangles == TRIANGLES:
        yield CAUSAL
    if WINDOW in kinds or triangles == TRIANGLES:
        yield WINDOW


def _made_of(masks: Iterable[Node]) -> Iterator[Node]:
    """The steps that make a mask, up to what comes from outside."""
    todo, seen = list(masks), set[Node]()
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            yield node
            todo += [origin for use in node.uses for origin in use.nodes]


def _kind(comparison: Node) -> str:
    """`i >= j` lets a query see earlier keys; a distance, `i - j < w` or `j > i - w`, only near ones."""
    if len(comparison.uses) == 1:  # with a number
        distance = any(node.operator in ("sub", "abs") for node in back(comparison.uses[0].nodes))
        return "" if not distance else CAUSAL if any(_is_zero(value) for value in comparison.step.args) else WINDOW
    sides = [list(back(use.nodes)) for use in comparison.uses]
    if any(node.operator == "sub" for side in sides for node in side):
        return WINDOW
    return CAUSAL if all(any(_is_position(node) for node in side) for side in sides) else ""


def _is_position(node: Node) -> bool:
    return node.is_creation and node.step.name.endswith("arange")


def _is_zero(value: object) -> bool:
    return as_size(value) == 0
