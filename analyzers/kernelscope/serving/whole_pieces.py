"""Prefixes that are kept and found in whole pieces: lengths that are cut to a multiple of a page, block or chunk."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import last_name, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

PREFIXES = {"prefix", "prefixes", "radix", "trie"}
PIECES = {"page", "block", "chunk"}
DOWN = {("round", "down"), ("align", "down"), ("floor", "to")}
"""First words of functions that cut a number to a multiple of another."""


@by_function
def whole_pieces(source: PythonSource) -> Iterator[Claim]:
    """`n = n // page_size * page_size`, `n -= n % page_size` and the like, by what looks for prefixes or keeps them."""
    if source.aside:
        return
    for scope in source.module.functions():
        if not PREFIXES & {*words(scope.qualified_name), *words(source.path.stem)}:
            continue
        told: set[str] = set()
        for node in own_of(scope.node, t.BinOp, t.AugAssign, t.Call):
            size = _size(source, node)
            if size is None or not PIECES & set(words(last_name(size))) or source.quote(size) in told:
                continue
            told.add(source.quote(size))
            value = f"prefixes in whole pieces: only multiples of {source.quote(size)} tokens count: "
            value += source.quote(_shown(scope, node))
            less = _less_of_all(scope, size)
            if less is not None:
                value += f"; {source.quote(less.body[0])} if {source.quote(less.test)}: something is left to compute"
            places = (source.at(node), *((source.at(less),) if less is not None else ()), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} whole pieces", value, places)


def _size(source: PythonSource, node: t.Node) -> t.Expr | None:
    """What a number is cut to a multiple of."""
    divides = ("//",) if source.path.suffix == ".py" else ("//", "/")
    match node:
        case t.BinOp(left=t.BinOp(left=number, op=op, right=size), op="*", right=other) if op in divides:
            return size if _same(size, other) and not isinstance(number, t.BinOp) else None
        case t.BinOp(left=number, op="-", right=t.BinOp(left=same, op="%", right=size)):
            return size if _same(number, same) else None
        case t.AugAssign(target=number, op="-", value=t.BinOp(left=same, op="%", right=size)):
            return size if _same(number, same) else None
        case t.Call(func=func, args=[_, size]) if words(last_name(func))[:2] in DOWN:
            return size
        case _:
            return None


def _same(one: t.Expr, other: t.Expr) -> bool:
    return t.dotted(one) is not None and t.dotted(one) == t.dotted(other)


def _shown(scope: Scope, node: t.Node) -> t.Node:
    """The statement that binds a number where it does nothing else."""
    return next((s for s in own_of(scope.node, t.Assign) if s.value is node), node)


def _less_of_all(scope: Scope, size: t.Expr) -> t.If | None:
    """`if n == len(tokens): n -= page_size`: a prompt that is found as a whole."""
    for branch in own_of(scope.node, t.If):
        match branch:
            case t.If(
                test=t.Compare(left=asked, ops=["=="], comparators=[t.Call(func=t.Name(id="len"))]),
                body=[t.AugAssign(target=target, op="-", value=less), *_],
            ) if _same(asked, target) and _same(less, size):
                return branch
            case _:
                pass
    return None
