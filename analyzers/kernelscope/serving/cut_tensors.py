"""Weights of which each rank keeps its part: a slice between bounds that are worked out of the rank.

`weight[:, n * rank : n * (rank + 1)]` with `n = weight.shape[1] // world_size`, also with bounds that have names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import assignments, last_name, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.serving.sharding import is_world
from kernelscope.syntax.python import tree as t

MOST_STEPS = 3
"""Names that are followed from a bound to what it is worked out of."""


@by_function
def cut_tensors(source: PythonSource) -> Iterator[Claim]:
    """The tensors that functions cut by ranks, with the axis and the size of a part."""
    if source.aside or b"rank" not in source.text.data:
        return
    for scope in source.module.functions():
        if not isinstance(scope.node, t.FunctionDef):
            continue
        bound = assignments(scope.node)
        told: set[str] = set()
        for node in own_of(scope.node, t.Subscript):
            parts = node.slice.elts if isinstance(node.slice, t.Tuple) else [node.slice]
            for axis, part in enumerate(parts):
                if not isinstance(part, t.Slice) or part.lower is None or part.upper is None:
                    continue
                reached = [_reached(end, bound) for end in (part.lower, part.upper)]
                divided = next((n for nodes in reached for n in nodes if _is_share(n)), None)
                if divided is None or not all(any(map(_is_rank, nodes)) for nodes in reached):
                    continue
                name = source.quote(node.value)
                if name in told:
                    continue
                told.add(name)
                shown = f"axis {axis}" if not _is_behind_dots(parts, axis) else f"axis {axis - len(parts)}"
                named = next((n for n, value in bound.items() if value is divided), "")
                size = f"{named} = {source.quote(divided)}" if named else source.quote(divided)
                value = (
                    f"{scope.qualified_name} cuts {name} along {shown} into one part for each rank: "
                    f"{source.quote(node)}, where a part has {size}"
                )
                yield Claim(f"{scope.qualified_name} part of {name}", value, (source.at(node), source.at(divided)))


def _is_behind_dots(parts: Sequence[t.Expr], axis: int) -> bool:
    return any(isinstance(p, t.Constant) and p.value is ... for p in parts[:axis])


def _reached(end: t.Expr, bound: dict[str, t.Expr]) -> list[t.Expr]:
    """What a bound is worked out of, through names that are bound once."""
    found: list[t.Expr] = []
    todo, seen = [(end, 0)], set[str]()
    while todo:
        node, steps = todo.pop()
        for part in t.walk(node):
            if isinstance(part, t.Expr):
                found.append(part)
            if isinstance(part, t.Name) and part.id in bound and part.id not in seen and steps < MOST_STEPS:
                seen.add(part.id)
                todo.append((bound[part.id], steps + 1))
    return found


def _is_share(node: t.Expr) -> bool:
    """`size // world_size` of something that has several entries."""
    return isinstance(node, t.BinOp) and node.op == "//" and is_world(node.right)


def _is_rank(node: t.Expr) -> bool:
    return isinstance(node, t.Name | t.Attribute) and "rank" in words(last_name(node))
