"""Which keys a query sees, as the code that builds the mask tells: only earlier ones, only near ones.

Comparisons of positions and triangles of ones are looked at; a mask that a caller gives says nothing.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kernelscope.dims import Dim
from kernelscope.interp.values import as_size
from kernelscope.patterns.flow import Node, words
from kernelscope.patterns.paths import LINEARS, MATRIX_PRODUCTS, back, given

COMPARISONS = words("lt le gt ge")
TRIANGLE = "tril"
"""The operator of both triangles, the lower and the upper one."""
CAUSAL = "causal"
WINDOW = "sliding window"


def mask_traits(masks: Iterable[Node]) -> Iterator[str]:
    """`causal` and `sliding window`, of a mask that is made where it can be seen."""
    steps = list(_made_of(masks))
    triangles = [node for node in steps if node.operator == TRIANGLE]
    both = len({_is_lower(node) for node in triangles}) > 1
    kinds = {_kind(node) for node in steps if node.operator in COMPARISONS}
    if CAUSAL in kinds or any(_ends_at_the_diagonal(node, certainly=both) for node in triangles):
        yield CAUSAL
    if WINDOW in kinds or both:
        yield WINDOW


def _made_of(masks: Iterable[Node]) -> Iterator[Node]:
    """The steps that make a mask, up to what comes from outside and what is computed with weights or is scored."""
    todo, seen = list(masks), set[Node]()
    while todo:
        node = todo.pop()
        if node not in seen and node.operator not in MATRIX_PRODUCTS and node.operator not in LINEARS:
            seen.add(node)
            yield node
            todo += [origin for use in node.uses for origin in use.nodes]


def _is_lower(triangle: Node) -> bool:
    return triangle.step.name.rpartition(".")[2].startswith("tril")


def _ends_at_the_diagonal(triangle: Node, *, certainly: bool) -> bool:
    """Whether a triangle keeps no later keys, or takes only those out; what moves it by an unknown length is a past."""
    step = triangle.step
    moved = as_size(step.kwargs.get("diagonal", step.args[1] if len(step.args) > 1 else 0))
    number = moved if isinstance(moved, int) else moved.const if isinstance(moved, Dim) else None
    if number is None:
        return not certainly
    return number <= 0 if _is_lower(triangle) else number >= (1 if certainly else 0)


def _kind(comparison: Node) -> str:
    """`i >= j` lets a query see earlier keys; a distance, `i - j < w` or `j > i - w`, only near ones."""
    sides = [list(back(use.nodes)) for use in comparison.uses]
    if any(_is_distance(node) for side in sides for node in side):
        has_zero = len(sides) == 1 and any(as_size(value) == 0 for value in comparison.step.args)
        return CAUSAL if has_zero else WINDOW
    if len(sides) < 2 or not all(any(_is_position(node) for node in side) for side in sides):
        return ""
    return WINDOW if any(node.operator == "sub" for side in sides for node in side) else CAUSAL


def _is_distance(node: Node) -> bool:
    """A difference of positions, or the size of one."""
    if node.operator == "abs":
        return any(_is_distance(origin) for origin in back(given(node)))
    return (
        node.operator == "sub"
        and len(node.uses) > 1
        and all(any(_is_position(origin) for origin in back(use.nodes)) for use in node.uses)
    )


def _is_position(node: Node) -> bool:
    """A row of numbers, perhaps moved by a number."""
    if node.operator in ("add", "sub"):
        return any(_is_position(origin) for use in node.uses for origin in back(use.nodes))
    return node.is_creation and node.step.name.endswith("arange")
