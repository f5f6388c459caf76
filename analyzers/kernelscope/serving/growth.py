"""Caches that grow: an object's keys or values joined with new ones, so that they lie in one piece, not in blocks."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import assignments, last_name, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

JOINS = {"cat", "concatenate", "concat"}
FRESH = {"zeros", "empty", "zeros_like", "empty_like", "new_zeros", "new_empty"}
CACHED = {"cache", "kv"}
HELD = {"k", "v", "key", "keys", "value", "values", "cache", "kv"}
"""Words of what a cache holds."""


@by_function
def growth(source: PythonSource) -> Iterator[Claim]:
    """`self.keys = torch.cat([self.keys, new], dim=-2)` in a class that is a cache."""
    for scope in source.module.functions():
        if scope.owner is None or not CACHED & set(words(scope.owner.name)):
            continue
        known = assignments(scope.node)
        grown = [node for node in own_of(scope.node, t.Assign) if _grows(source, node)]
        if not grown:
            continue
        names = " and ".join(dict.fromkeys(source.quote(node.targets[0]) for node in grown))
        how = "room for more positions is joined" if _is_room(grown[0], known) else "the new positions are joined"
        value = (
            f"contiguous: {names} grow: {how} ({source.quote(grown[0])}), which copies what was there; every sequence "
            f"lies in one piece, not paged"
        )
        places = (*(source.at(node) for node in grown), source.at(scope.node))
        yield Claim(f"{scope.qualified_name} growth", value, places)


def _grows(source: PythonSource, node: t.Assign) -> bool:
    match node.value:
        case t.Call(args=[t.List(elts=[first, _]) | t.Tuple(elts=[first, _]), *_], func=func) if (
            last_name(func) in JOINS
        ):
            target = node.targets[0]
            held = target.value if isinstance(target, t.Subscript) else target
            name = source.quote(target)
            return name.startswith("self.") and source.quote(first) == name and bool(HELD & set(words(last_name(held))))
        case _:
            return False


def _is_room(node: t.Assign, known: dict[str, t.Expr]) -> bool:
    """Whether what is joined was just made and holds nothing yet."""
    match node.value:
        case t.Call(args=[t.List(elts=[_, added]) | t.Tuple(elts=[_, added]), *_]):
            made = known.get(added.id) if isinstance(added, t.Name) else added
            return isinstance(made, t.Call) and last_name(made.func) in FRESH
        case _:
            return False
