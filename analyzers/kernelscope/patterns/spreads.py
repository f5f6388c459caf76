"""Divisions by how far the numbers of a row spread: by the root of their mean square, of their sum, or a deviation.

What is divided is the row itself, or its distance from its mean; over which axes, `axes` tells where the code does.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from dataclasses import dataclass

from kernelscope.interp.values import as_size
from kernelscope.patterns.flow import Node, words
from kernelscope.patterns.paths import back, forward, given, is_scaling, number
from kernelscope.patterns.pattern import Clue
from kernelscope.tensor import Tensor

LENGTHS = words("norm vector_norm")
VARIANCES = words("var jnp.var var_mean")
SUMS = words("mean sum")
ROOTS = {"rsqrt": -0.5, "sqrt": 0.5}
OF_WEIGHTS = words("mul div")
"""How a row may be weighted before it is divided."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A row divided by a root: `centred` is what subtracts its mean, `taken` what is taken over its axes."""

    root: Node
    taken: Node
    is_mean: bool
    """Whether the numbers of the row are averaged, not summed up."""
    centred: Node | None
    squares: Node | None

    def clues(self) -> tuple[Clue, ...]:
        """What shows it."""
        if self.squares is None and self.centred is not None:
            return Clue(self.taken, f"variance over {_told(axes(self.taken))}"), Clue(self.root, "its root")
        if self.squares is None:
            return (Clue(self.root, "length of the row"),)
        if self.centred is not None:
            first = Clue(self.centred, "the mean is subtracted")
            return first, Clue(self.squares, "squares"), Clue(self.root, "root of their mean")
        how = "mean" if self.is_mean else "sum"
        nothing = Clue(self.taken, f"their {how}, nothing subtracted")
        return Clue(self.squares, "squares"), nothing, Clue(self.root, "its root")


def spread(leaf: Node) -> Spread | None:
    """What is divided by the root that a step takes, if it is a row by its own spread."""
    if leaf.operator in LENGTHS:
        divided = _divided(leaf) if _is_square_root(leaf) else None
        row = set(back(given(leaf)))
        return Spread(leaf, leaf, False, None, None) if divided is not None and row & divided else None
    if _is_deviation(leaf):
        return _of_variance(leaf, leaf)
    if leaf.operator not in ROOTS and not (leaf.operator == "pow" and number(leaf) in ROOTS.values()):
        return None
    behind = list(back(given(leaf), _moves))
    for taken in behind:
        if taken.operator in VARIANCES and not _is_deviation(taken):
            return _of_variance(leaf, taken)
        if taken.operator in SUMS:
            return _of_squares(leaf, taken, [n for n in behind if is_scaling(n)])
        if taken.operator == "sub" and len(taken.uses) == 2:
            return _of_moments(leaf, taken)
    return None


def axes(taken: Node) -> tuple[int, ...] | None:
    """Over which axes something is taken, none for all of them; nothing where that is not known."""
    step, at = taken.step, 2 if taken.operator in LENGTHS else 1
    told = step.kwargs.get("dim", step.kwargs.get("axis", step.args[at] if len(step.args) > at else None))
    if told is None or isinstance(told, bool):
        return ()
    sizes = [as_size(part) for part in (told if isinstance(told, tuple | list) else (told,))]
    numbers = [getattr(size, "const", size) for size in sizes]
    return tuple(n for n in numbers if isinstance(n, int)) if all(isinstance(n, int) for n in numbers) else None


def is_of_rows(taken: Node) -> bool:
    """Whether something is taken over a row, or all of a sample: not over a batch, nor over a part of the axes."""
    found, value = axes(taken), next((use.value for use in taken.uses), None)
    if found is None:
        return True
    rank = value.shape.rank if isinstance(value, Tensor) else None
    if not found:
        return rank == 1
    if rank is None:
        return 0 not in found and (len(found) == 1 or {-1, -2, -3} <= {*found})
    over = {axis % rank for axis in found}
    return rank == 1 or (0 not in over and len(over) in (1, rank - 1))


def _of_variance(root: Node, taken: Node) -> Spread | None:
    row = set(back(given(taken)))
    for node in _divided(root) or ():
        if _is_centred(node) and (row & set(back(given(node))) or node in row):
            return Spread(root, taken, True, node, None)
    return None


def _of_squares(root: Node, taken: Node, scalings: list[Node]) -> Spread | None:
    squares = next((n for n in back(given(taken)) if _is_square(n)), None)
    divided = _divided(root)
    if squares is None or divided is None or not all(_is_count(n, taken) for n in scalings):
        return None
    is_mean, row = taken.operator == "mean" or bool(scalings), set(back(given(squares)))
    centred = next((n for n in row if _is_centred(n)), None)
    if centred is not None:
        of_both = (n for n in divided if n is centred or (_is_centred(n) and _is_of_the_same(n, centred)))
        return Spread(root, taken, is_mean, centred, squares) if next(of_both, None) is not None else None
    return Spread(root, taken, is_mean, None, squares) if row & divided else None


def _of_moments(root: Node, variance: Node) -> Spread | None:
    """`mean(x²) - mean(x)²`."""
    mean = next((n for n in back(given(variance)) if n.operator == "mean"), None)
    second = next((n for n in back(given(variance, 1)) if _is_square(n)), None)
    squares = next((n for n in back(given(mean)) if _is_square(n)), None) if mean is not None else None
    if mean is None or second is None or squares is None or not _is_mean(second):
        return None
    row = set(back(given(squares)))
    for node in _divided(root) or ():
        if _is_centred(node) and row & set(back(given(node))):
            return Spread(root, mean, True, node, squares)
    return None


def _divided(root: Node) -> set[Node] | None:
    """What made the numbers that are divided by a root, or multiplied by its inverse; weights before that are seen
    through."""
    inverse = root.operator == "rsqrt" or (root.operator == "pow" and number(root) == ROOTS["rsqrt"])
    behind = {root, *forward(root, _moves)}
    for user in (root, *behind):
        for by in user.users:
            if by.operator not in OF_WEIGHTS or len(by.uses) != 2:
                continue
            sides = [{*use.nodes, *back(use.nodes)} for use in by.uses]
            below = [bool(side & behind) for side in sides]
            if (
                any(below)
                and not all(below)
                and (below[1] or by.operator == "mul")
                and (inverse or by.operator == "div" or any(n.operator == "reciprocal" for n in behind))
            ):
                return set(back(by.uses[0 if below[1] else 1].nodes, lambda n: n.operator in OF_WEIGHTS))
    return None


def _moves(node: Node) -> bool:
    """`+ ε`, a clamp from below, times a number, one over it."""
    adds = node.operator in ("add", "clamp", "clamp_min", "clip", "maximum", "reciprocal") and len(node.uses) == 1
    return adds or is_scaling(node)


def _is_deviation(node: Node) -> bool:
    return node.operator in VARIANCES and node.step.name.rpartition(".")[2].startswith("std")


def _is_square_root(length: Node) -> bool:
    """Whether a length is the root of a sum of squares."""
    step = length.step
    power = step.kwargs.get("p", step.kwargs.get("ord", step.args[1] if len(step.args) > 1 else None))
    size = as_size(power)
    return power is None or power in ("fro", 2.0) or getattr(size, "const", size) == 2


def _is_count(scaling: Node, taken: Node) -> bool:
    """Whether what divides a sum is how many numbers are summed up."""
    value, found = next((use.value for use in taken.uses), None), axes(taken)
    dims = value.shape.dims if isinstance(value, Tensor) else None
    if taken.operator != "sum" or scaling.operator != "div" or dims is None or found is None or len(found) != 1:
        return False
    return -len(dims) <= found[0] < len(dims) and as_size(scaling.step.args[1]) == dims[found[0]]


def _is_centred(node: Node) -> bool:
    """`x - mean(x)`."""
    if node.operator != "sub" or len(node.uses) != 2:
        return False
    row = set(back(given(node)))
    means = (n for n in back(given(node, 1)) if n.operator in ("mean", "var_mean"))
    return any(row & set(back(given(mean))) for mean in means)


def _is_of_the_same(one: Node, other: Node) -> bool:
    return bool(set(back(given(one))) & set(back(given(other))))


def _is_mean(square: Node) -> bool:
    return any(n.operator == "mean" for n in back(given(square)))


def _is_square(node: Node) -> bool:
    if node.operator == "square":
        return True
    if node.operator == "pow":
        return number(node) == 2.0
    return node.operator == "mul" and len(node.uses) == 2 and set(back(given(node, 0))) == set(back(given(node, 1)))


def _told(over: tuple[int, ...] | None) -> str:
    if over is None:
        return "its axes"
    return "the last axis" if over == (-1,) else f"axis {over[0]}" if len(over) == 1 else "all but the first axis"
