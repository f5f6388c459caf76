"""Recurrences recognised in a kernel: scans along an axis, also from block to block, and states that rounds scale.

Names of functions and variables play no part. What is not certain is not said.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.kernels.triton.bodies import all_calls, assignments, given_in, inlined, nodes_of, operation
from kernelscope.kernels.triton.index_motion import keyword
from kernelscope.kernels.triton.loop_algorithms import Algorithm, is_online
from kernelscope.syntax.python import tree as t

Loop = t.For | t.While

SCANS = {"cumsum": "running sums", "cumprod": "running products", "associative_scan": ""}
BEGINNINGS = frozenset(("zeros", "zeros_like", "full", "load"))
"""What makes the state of a recurrence before the first round."""
REDUCTIONS = frozenset(("sum", "reduce", "max", "min", "gather"))


def scans(node: t.FunctionDef, loops: list[Loop]) -> Iterator[Algorithm]:
    """The first scan whose blocks are joined from round to round, else the first one with a function of its own."""
    found: Algorithm | None = None
    for name, call in all_calls(node):
        if name not in SCANS or t.dotted(call.func) not in (f"tl.{name}", f"triton.language.{name}"):
            continue
        what = (SCANS[name] or f"each element joined with all before it by {_combined_by(call)}") + " along an axis"
        turned = keyword(call, "reverse")
        if isinstance(turned, t.Constant) and turned.value is True:
            what = f"{what}, from the last to the first"
        around = [loop for loop in loops if loop.span.covers(call.span)]
        if around and _is_carried(node, around[-1], call):
            yield Algorithm(
                "scan from block to block", f"{what}; a round adds what the blocks before it left", call.span
            )
            return
        if name == "associative_scan" and found is None:
            found = Algorithm("scan", f"{what} of a block", call.span)
    if found is not None:
        yield found


def _combined_by(call: t.Call) -> str:
    function = keyword(call, "combine_fn") or (call.args[2] if len(call.args) > 2 else None)
    return (t.dotted(function) if function is not None else None) or "a function"


def _is_carried(node: t.FunctionDef, loop: Loop, scan: t.Call) -> bool:
    """Whether what a scan gives is joined with a name whose next value is made of a reduction, or of the scan's last
    element."""
    made = given_in(loop)
    joined: set[str] = set()
    stored = ((list[str](), call) for name, call in all_calls(loop) if name == "store")
    for target, value in (*assignments(loop), *stored):
        used = {n.id for n in t.walk(value) if isinstance(n, t.Name)}
        parts = [value, *(other for name in target for other in made[name])]  # `out = scan`, `out += carried`
        if any(n is scan for part in parts for n in inlined(made, part)):
            joined |= used - set(target)
    before = {name for target, value in assignments(node) if value.span.start < loop.span.start for name in target}
    carried = joined & before & made.keys()
    return any(operation(n) in REDUCTIONS for name in carried for value in made[name] for n in inlined(made, value))


def recurrence(node: t.FunctionDef, loop: Loop) -> Algorithm | None:
    """`state = state * decay + new`, of a block that has a beginning and is not begun anew by the round: no sum that a
    growing maximum scales."""
    if is_online(loop):
        return None
    made = given_in(loop)
    parts = [value for names, value in assignments(loop) if len(names) > 1]
    started = {
        name
        for target, value in assignments(node)
        if value.span.start < loop.span.start and any(operation(n) in BEGINNINGS for n in t.walk(value))
        for name in target
    }
    for name in made:
        factors = list(_factors(loop, name))
        chosen = any(isinstance(factor, t.UnaryOp) for factor in factors)  # `(~found) * old + found * new`
        if name not in started or not factors or chosen or not _is_added_to(loop, name) or _is_begun(loop, name):
            continue
        if not any(_is_of_a_maximum(n, parts) for factor in factors for n in inlined(made, factor)):
            text = "a state goes from round to round: multiplied by a factor, then what the round gives is added"
            return Algorithm("linear recurrence", text, loop.span)
    return None


def _factors(loop: Loop, name: str) -> Iterator[t.Expr]:
    """What rounds multiply a name by before they give it its next value."""
    for inner in nodes_of(loop, t.AugAssign):
        if inner.op == "*" and _is(inner.target, name):
            yield inner.value
    for inner in nodes_of(loop, t.Assign):
        if any(_is(target, name) for target in inner.targets):
            for term in _terms(inner.value):
                if isinstance(term, t.BinOp) and term.op == "*":
                    yield from (b for a, b in ((term.left, term.right), (term.right, term.left)) if _is(a, name))


def _is_added_to(loop: Loop, name: str) -> bool:
    if any(inner.op == "+" and _is(inner.target, name) for inner in nodes_of(loop, t.AugAssign)):
        return True
    sums = [list(_terms(n.value)) for n in nodes_of(loop, t.Assign) if any(_is(target, name) for target in n.targets)]
    return any(len(terms) > 1 and any(_is(n, name) for term in terms for n in t.walk(term)) for terms in sums)


def _is_begun(loop: Loop, name: str) -> bool:
    """Whether rounds give a name something that is not made of what it was."""
    return any(
        not any(_is(n, name) for n in t.walk(inner.value))
        for inner in nodes_of(loop, t.Assign)
        if any(_is(target, name) for target in inner.targets)
    )


def _is_of_a_maximum(node: t.Node, parts: list[t.Expr]) -> bool:
    """Whether a node is a maximum, or a call of several results, of which one may be scaled by a maximum."""
    return operation(node) in ("max", "maximum") or (isinstance(node, t.Call) and any(node is part for part in parts))


def _terms(value: t.Expr) -> Iterator[t.Expr]:
    if isinstance(value, t.BinOp) and value.op == "+":
        yield from _terms(value.left)
        yield from _terms(value.right)
    else:
        yield value


def _is(node: t.Node, name: str) -> bool:
    return isinstance(node, t.Name) and node.id == name
