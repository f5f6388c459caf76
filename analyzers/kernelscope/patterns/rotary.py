"""Rotary position embedding: pairs of a vector's elements turned by an angle, halves apart or neighbours.

What is learned is no table of angles: a product with complex weights turns pairs, too, and stretches them.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Hashable

from kernelscope.dims import Dim
from kernelscope.patterns.attention import FUSED
from kernelscope.patterns.flow import Node, Use, words
from kernelscope.patterns.paths import back, given
from kernelscope.patterns.pattern import Clue, Pattern

JOINS = ("cat", "stack")
HALVES = words("chunk split tensor_split")
TURNS = words("transpose permute movedim moveaxis swapaxes swapdims mT T")
RESHAPES = words("reshape view unflatten")
OTHER_WORK = FUSED | words("matmul softmax outer cos sin einsum")


def rotary(call: Node) -> Pattern | None:
    """The rotation that a call does, if it does nothing else."""
    leaves = list(call.leaves())
    if any(n.step.kind in ("layer", "unfollowed", "choice") for n in leaves):
        return None
    if any(n.operator in OTHER_WORK for n in leaves):
        return None
    for leaf in leaves:
        found = _turned_sum(leaf) or _turned_parts(leaf) or _complex(leaf)
        if found is not None:
            return found
    return None


def _turned_sum(leaf: Node) -> Pattern | None:
    """`x * cos + turn(x) * sin` with `turn(x) = cat(-x2, x1)`; the other way round the second is subtracted."""
    if leaf.operator not in ("add", "sub") or len(leaf.uses) != 2:
        return None
    products = [n for use in leaf.uses for n in back(use.nodes) if n.operator == "mul"]
    if len(products) != 2:
        return None
    for plain, other in (products, reversed(products)):
        whole = [n for use in plain.uses for n in back(use.nodes)]
        for turned in (n for use in other.uses for n in back(use.nodes) if n.operator in JOINS):
            parts = [n for use in turned.uses for n in back(use.nodes)]
            negated = [n for n in parts if n.operator == "neg"]
            kept = [n for n in parts if n.operator != "neg"]
            roots = {root for n in negated for root in back(given(n))}
            if len(negated) != 1 or not roots or roots != set(kept) or not roots & set(whole):
                continue
            turning = {turned, *roots}
            tables = [[use for use in of.uses if turning.isdisjoint(back(use.nodes))] for of in (plain, other)]
            one, two = ({f for use in table for f in _factors(use)} for table in tables)
            if (one != two or not one) and not any(map(_is_learned, (*plain.uses, *other.uses))):
                clues = (Clue(plain, "x times one table"), Clue(turned, "x turned: halves exchanged, one negated"),
                         Clue(leaf, f"x·cos {'+' if leaf.operator == 'add' else '−'} turned·sin"))  # fmt: skip
                return Pattern("rotary", "RoPE", clues, (_layout(negated[0], turned),), True)
    return None


def _turned_parts(leaf: Node) -> Pattern | None:
    """`cat(x1 * cos - x2 * sin, x2 * cos + x1 * sin)`; turned the other way, with a factor negated, it is one too."""
    if leaf.operator not in JOINS or len(leaf.uses) != 2:
        return None
    parts = [[n for n in back(use.nodes) if n.operator in ("sub", "add")] for use in leaf.uses]
    if any(len(part) != 1 for part in parts):
        return None
    products = [[n for use in part.uses for n in back(use.nodes) if n.operator == "mul"] for (part,) in parts]
    if any(len(two) != 2 for two in products) or any(_is_learned(u) for two in products for n in two for u in n.uses):
        return None
    signs = [
        (part.operator == "sub") != (sum(_is_negated(use) for product in two for use in product.uses) % 2 == 1)
        for (part,), two in zip(parts, products, strict=True)
    ]
    factors = [frozenset(f for use in product.uses for f in _factors(use)) for two in products for product in two]
    if signs[0] == signs[1] or len(set(factors)) != 4 or len({f for pair in factors for f in pair}) != 4:
        return None
    (first,), (second,) = parts
    told = ("x1·cos − x2·sin", "x2·cos + x1·sin") if signs[0] else ("x1·cos + x2·sin", "x2·cos − x1·sin")
    clues = (Clue(first, told[0]), Clue(second, told[1]), Clue(leaf, "joined again"))
    return Pattern("rotary", "RoPE", clues, (_layout(products[0][0], leaf),), True)


def _is_learned(use: Use) -> bool:
    """Whether a factor is a parameter as it stands."""
    return any(node.is_learned for node in back(use.nodes))


def _is_negated(use: Use) -> bool:
    """Whether a factor is the negative of something."""
    return any(node.operator == "neg" for node in back(use.nodes))


def _complex(leaf: Node) -> Pattern | None:
    """Pairs as complex numbers, times numbers of length one."""
    if leaf.operator != "mul" or any(map(_is_learned, leaf.uses)):
        return None
    sides = [[n for n in _views(use.nodes) if n.operator == "view_as_complex"] for use in leaf.uses]
    if not any(sides):
        return None
    clue = next(n for side in sides for n in side)
    clues = (Clue(clue, "pairs as complex numbers"), Clue(leaf, "turned by a product"))
    return Pattern("rotary", "RoPE", clues, _paired(clue), True)


def _paired(pairs: Node) -> tuple[str, ...]:
    """Which elements are the two parts of a complex number: neighbours, or halves that are stacked."""
    for node in _views(given(pairs)):
        if node.operator == "stack":
            parts = _parts([n for use in node.uses for n in use.nodes])
            if any(n.operator in HALVES for n in parts):
                return ("half-split",)
            return ("interleaved",) if any(_takes_neighbours(n) for n in parts) else ()
        if node.operator in TURNS:
            return ()
        if node.operator in RESHAPES:
            return ("interleaved",)
    return ()


def _views(nodes: list[Node]) -> list[Node]:
    """The nodes themselves and the views behind them."""
    found: list[Node] = []
    todo = list(nodes)
    while todo:
        node = todo.pop()
        if node not in found:
            found.append(node)
            if node.is_view:
                todo += given(node)
    return found


def _factors(use: Use) -> list[Hashable]:
    """What a product is made of: parts of a tensor are told apart from each other, other views and signs are looked
    through. `x[..., 0]` is the same wherever it is written."""
    found: list[Hashable] = []
    todo = [use]
    while todo:
        current = todo.pop()
        for node in current.nodes:
            if (node.operator == "neg" or (node.is_view and not node.is_part)) and node.uses:
                todo.append(node.uses[0])
            elif (item := _taken(node)) is not None:
                found.append((frozenset(_factors(node.uses[0])), item))
            else:
                found.append((node, id(current.value)))
    return found


def _taken(node: Node) -> Hashable | None:
    """Which part an index takes, if numbers say it all."""
    if node.operator != "index" or len(node.uses) != 1:
        return None
    told = tuple(_told(item) for item in _items(node))
    return None if None in told else told


def _told(item: object) -> Hashable | None:
    if isinstance(item, slice):
        return "slice", item.start, item.stop, item.step
    return item if isinstance(item, Dim) else "..." if item is Ellipsis else None


def _layout(start: Node, join: Node) -> str:
    """Halves apart, or neighbours: by steps of two, or by an axis of two."""
    if join.operator == "stack":
        return "interleaved"
    parts = _parts([n for use in start.uses for n in use.nodes])
    return "interleaved" if any(_takes_neighbours(node) for node in parts) else "half-split"


def _parts(nodes: list[Node]) -> list[Node]:
    """The last views before some values that take a part; what those are taken of may be a part itself."""
    found: list[Node] = []
    todo, seen = list(nodes), set[Node]()
    while todo:
        node = todo.pop()
        if node.is_part:
            found.append(node)
        elif node.is_view and node not in seen:
            seen.add(node)
            todo += given(node)
    return found


def _takes_neighbours(node: Node) -> bool:
    """Whether every second element is taken: by steps of two, or of an axis of two."""
    if node.operator == "index":
        return any(_steps_by_two(item) for item in _items(node))
    return node.operator in ("unbind", "select")


def _items(node: Node) -> tuple[object, ...]:
    index = node.step.args[1] if len(node.step.args) > 1 else ()
    return index if isinstance(index, tuple) else (index,)


def _steps_by_two(item: object) -> bool:
    return isinstance(item, slice) and isinstance(item.step, Dim) and item.step.const == 2
