"""Rotary embeddings in source: which elements are rotated together, halves of a head or neighbours.

The slices decide: `x[..., : d // 2]` and `chunk(2)` make halves; `x[..., ::2]`, pairs in a last dim of two and complex
numbers make neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.guards import assignments, last_name, own, own_of
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

EMBEDDINGS = {"rope", "rotary"}
TURNS = {"rotate", "rotated", "rotation"}
ANGLES = {"sin", "cos", "freq", "freqs"}


def rotations(source: PythonSource) -> Iterator[Claim]:
    """Functions named after a rotation, or that multiply by a sine and a cosine, and slice in one of the two ways."""
    in_file = {word for scope in source.module.scopes for word in words(scope.node.name)}
    for scope in source.module.functions():
        spoken = set(words(scope.node.name))
        if not EMBEDDINGS & spoken and not (TURNS & spoken and EMBEDDINGS & in_file) and not _turns(scope.node):
            continue
        stored = {target for n in own_of(scope.node, t.Assign) for target in n.targets}
        read = [n for n in own(scope.node) if n not in stored]
        neighbours = [n for n in read if _pairs(n)]
        halves = [n for n in read if _is_half(n, assignments(scope.node))]
        if bool(neighbours) == bool(halves):
            continue
        shown = (neighbours or halves)[0]
        how = (
            f"interleaved: neighbouring elements are rotated together ({source.quote(shown, 80)})"
            if neighbours
            else f"half-split: the first half is rotated with the second ({source.quote(shown, 80)})"
        )
        value = f"RoPE (rotary embedding) layout in {scope.qualified_name} is {how}"
        yield Claim(f"{scope.qualified_name} rotary layout", value, (source.at(shown), source.at(scope.node)))


def _turns(function: t.FunctionDef | t.ClassDef) -> bool:
    """Whether something is multiplied by a cosine and something by a sine, as their names say: `x * cos`."""
    factors = (side for n in own_of(function, t.BinOp) if n.op == "*" for side in (n.left, n.right))
    return {"sin", "cos"} <= {word for side in factors for word in words(_named(side))}


def _named(factor: t.Expr) -> str:
    """The name under views and slices: `cos` of `self.cos[:, None].to(x)`."""
    while True:
        match factor:
            case t.Subscript(value=value) | t.Call(func=t.Attribute(value=value)):
                factor = value
            case _:
                return last_name(factor)


def _pairs(node: t.Node) -> bool:
    """`x[..., ::2]`, `view(*shape, -1, 2)`, `view_as_complex(x)`."""
    match node:
        case t.Subscript():
            return any(isinstance(s.step, t.Constant) and s.step.value == 2 for s in _slices(node))
        case t.Call(func=func, args=args) if last_name(func) in ("view", "reshape", "unflatten"):
            return [literal(a) for a in _sizes(args)[-2:]] == [-1, 2]
        case t.Call(func=func):
            return last_name(func) in ("view_as_complex", "complex")
        case _:
            return False


def _is_half(node: t.Node, known: dict[str, t.Expr]) -> bool:
    """`x[..., : n // 2]`, `x.chunk(2, dim=-1)`, `reshape(..., 2, -1)`."""
    match node:
        case t.Subscript():
            return any(_ends_halfway(s, known) for s in _slices(node))
        case t.Call(func=func, args=args) if last_name(func) == "chunk":
            return any(literal(a) == 2 for a in args)
        case t.Call(func=func, args=args) if last_name(func) in ("view", "reshape", "unflatten"):
            return [literal(a) for a in _sizes(args)[-2:]] == [2, -1]
        case _:
            return False


def _sizes(args: list[t.Expr]) -> list[t.Expr]:
    """`view(n, -1, 2)`, `unflatten(-1, (-1, 2))`."""
    return args[-1].elts if args and isinstance(args[-1], t.Tuple | t.List) else args


def _slices(node: t.Subscript) -> list[t.Slice]:
    """The slices that are taken of what is rotated: those of `arange(…)`, `freqs` and `cos` make the angles."""
    if isinstance(node.value, t.Call) and last_name(node.value.func) == "arange":
        return []
    if ANGLES & set(words(_named(node.value))):
        return []
    parts = node.slice.elts if isinstance(node.slice, t.Tuple) else [node.slice]
    return [part for part in parts if isinstance(part, t.Slice)]


def _ends_halfway(part: t.Slice, known: dict[str, t.Expr]) -> bool:
    """`: d // 2`, also by a name: `half = d // 2`."""
    upper = known.get(part.upper.id) if isinstance(part.upper, t.Name) else part.upper
    match t.Slice(part.lower, upper, part.step, part.span):
        case t.Slice(lower=None, upper=t.BinOp(op="//", right=t.Constant(value=2)), step=None):
            return True
        case _:
            return False
