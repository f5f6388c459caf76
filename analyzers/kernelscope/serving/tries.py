"""Trees of prefixes whose nodes are never split and know no parent: a level for each piece, one map in each node.

`if piece not in node.below: node.below[piece] = Node()`, then `node = node.below[piece]`; a lookup goes down as long as
`node.below.get(piece)` gives one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import guarded, own_of
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

SHARED = {"prefix", "prefixes", "match", "matches", "radix", "cache"}
"""Words of functions and files by which a trie is one of requests: words to stop at and names stand in tries, too."""


class _Down(NamedTuple):
    """Where a loop goes a level down: in what attribute, by which piece."""

    where: str
    loop: t.For
    step: t.Stmt
    below: str
    piece: str


def tries(source: PythonSource) -> Iterator[Claim]:
    """The trie of a file: one function makes what is missing of it, another goes down as far as it can."""
    made: _Down | None = None
    followed: _Down | None = None
    for scope in source.module.functions():
        for loop in own_of(scope.node, t.For):
            found = _down(loop, scope.qualified_name)
            if found is None:
                continue
            if _makes(loop, found):
                made = made or found
            elif _ends(loop, found):
                followed = followed or found
    if made is None or followed is None or made.below != followed.below:
        return
    if not SHARED & {*words(made.where), *words(followed.where), *words(source.path.stem)}:
        return
    value = (
        f"prefix tree (trie): nodes hold their children in `{made.below}`, a level for each of "
        f"{source.quote(made.loop.iter)}: {made.where} makes what is missing; {followed.where} goes down "
        f"({source.quote(followed.step)}) as long as there is a child: the longest common prefix is the hit"
    )
    places = (source.at(followed.step), source.at(followed.loop), source.at(made.step), source.at(made.loop))
    yield Claim(f"{source.path.stem} prefix tree", value, places)


def _down(loop: t.For, where: str) -> _Down | None:
    """`node = node.below[piece]` or `node = node.below.get(piece)` in a loop over pieces."""
    if not isinstance(loop.target, t.Name):
        return None
    piece = loop.target.id
    for statement, _ in guarded(loop.body):
        match statement:
            case t.Assign(
                targets=[t.Name(id=at)],
                value=(
                    t.Subscript(value=t.Attribute(value=t.Name(id=same), attr=below), slice=t.Name(id=key))
                    | t.Call(
                        func=t.Attribute(value=t.Attribute(value=t.Name(id=same), attr=below), attr="get"),
                        args=[t.Name(id=key), *_],
                    )
                ),
            ) if at == same and key == piece:
                return _Down(where, loop, statement, below, piece)
            case _:
                pass
    return None


def _makes(loop: t.For, down: _Down) -> bool:
    """Whether the loop puts a new node where there is none."""
    for statement, guards in guarded(loop.body):
        match statement:
            case t.Assign(
                targets=[t.Subscript(value=t.Attribute(attr=below), slice=t.Name(id=key))], value=t.Call()
            ) if below == down.below and key == down.piece:
                return bool(guards)
            case t.Assign(value=t.Call(func=t.Attribute(value=t.Attribute(attr=below), attr="setdefault"))):
                if below == down.below:
                    return True
            case _:
                pass
    return False


def _ends(loop: t.For, down: _Down) -> bool:
    """Whether the loop is left where there is no child."""
    assert isinstance(down.step, t.Assign)
    at = t.dotted(down.step.targets[0])
    for statement, guards in guarded(loop.body):
        if not isinstance(statement, t.Break | t.Return) or not guards:
            continue
        match guards[-1].test:
            case t.UnaryOp(op="not", operand=operand) if t.dotted(operand) == at:
                return True
            case t.Compare(left=left, ops=["is"], comparators=[t.Constant(value=None)]) if t.dotted(left) == at:
                return True
            case t.Compare(left=t.Name(id=key), ops=["not in"], comparators=[t.Attribute(attr=below)]):
                if key == down.piece and below == down.below:
                    return True
            case _:
                pass
    return False
