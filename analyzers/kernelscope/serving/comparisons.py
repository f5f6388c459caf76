"""What an engine in C++ orders requests by: objects that compare two of them, as heaps and sorted sets are given.

`std::priority_queue` and the heaps of `<algorithm>` have on top what the comparison puts last.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import assignments, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.queues import REQUESTS
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

COMPARES = ("operator()", "operator<", "operator>")
RANKS = {"priority", "deadline", "arrival", "created", "submitted"}
"""Words of what requests are ranked by."""


@by_function
def compared(source: PythonSource) -> Iterator[Claim]:
    """`bool operator()(const Job* a, const Job* b) { return a->rank > b->rank; }`, with what decides between equals."""
    for scope in source.module.functions():
        node = scope.node
        if not isinstance(node, t.FunctionDef) or node.name not in COMPARES or scope.owner is None:
            continue
        names = [p.name for p in node.args][-2:]
        known = assignments(node)
        returns = [(n.value, _by(n.value, names, known)) for n in own_of(node, t.Return) if n.value is not None]
        told = [(value, found) for value, found in returns if found is not None]
        if not told or len({way for _, (_, way) in told}) > 1:
            continue
        asked = (_by(n.test, names, known, ("==", "!=")) for n in own_of(node, t.If))
        ties = {found[0] for found in asked if found is not None}
        unknown = [value for value, found in returns if found is None]
        if unknown and not ties.issuperset(field for _, (field, _) in told):
            continue  # what is compared first is not understood
        fields = [field for _, (field, _) in told]
        first = [field for field in fields if field in ties or len(fields) == 1] or fields[-1:]
        rest = [field for field in fields if field not in first]
        head = source.text.slice(node.span).partition("{")[0]
        said = {*words(scope.owner.name), *words(head.replace("*", " ").replace("&", " ")), *map(_last, fields)}
        if not (REQUESTS & said or RANKS & {w for field in fields for w in words(field)}):
            continue
        way = told[0][1][1]
        value = f"{scope.owner.name} compares by {', '.join(first)}"
        value += f", where that is equal by {', '.join(rest)}" if rest else ""
        value += f", else {source.quote(unknown[0])}" if unknown else ""
        value += f" ({'; '.join(source.quote(v) for v, _ in told)}): a heap that it orders has the "
        value += "least on top" if way == ">" else "greatest on top"
        places = (*(source.at(v) for v, _ in told), source.at(node))
        yield Claim(f"{scope.owner.name} priority", value, places)


def _by(
    node: t.Expr | None, names: list[str], known: dict[str, t.Expr], ops: tuple[str, ...] = ("<", ">")
) -> tuple[str, str] | None:
    """The field that a comparison of two elements compares, and which way: `a.rank > b.rank`, `a.rank() > b.rank()`."""
    match node:
        case t.Compare(left=one_side, ops=[op], comparators=[other_side]) if op in ops:
            left, right = _asked(one_side, known), _asked(other_side, known)
            one, _, field = (t.dotted(left) or "").partition(".")
            other, _, same = (t.dotted(right) or "").partition(".")
            return (field, op) if field == same and [one, other] == names else None
        case _:
            return None


def _asked(side: t.Expr, known: dict[str, t.Expr]) -> t.Expr:
    """What a side of a comparison asks of an element, also where a name was given it before."""
    side = known.get(side.id, side) if isinstance(side, t.Name) else side
    return side.func if isinstance(side, t.Call) and not side.args else side


def _last(field: str) -> str:
    return field.rpartition(".")[2]
