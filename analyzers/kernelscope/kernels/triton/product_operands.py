"""Where the operands of a function's matrix products come from: a load as it is, or values that were calculated.

Products of warp groups read their right operand from shared memory: tiles that were loaded lie there, others are
written there first, as is a left operand that is turned. Loads whose addresses come from other loads are fewer at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kernelscope.kernels.triton.bodies import all_calls, given_in, inlined, loops_in, operation, product_calls
from kernelscope.results import Span
from kernelscope.syntax.of_nodes import kept_of_nodes
from kernelscope.syntax.python import tree as t

TURNING = frozenset(("trans", "permute"))
RESHAPING = frozenset(("reshape", "view", "broadcast_to", "expand_dims", "join", "cat"))
HALVES = frozenset(("float16", "bfloat16"))
"""What tiles for matrix products have in memory: to convert to it may change nothing."""


@dataclass(frozen=True, slots=True)
class Operands:
    """What is known of a function's products; calls are told by their spans."""

    all: frozenset[Span]
    """The products themselves."""
    direct: frozenset[Span]
    """Loads that products get as they are."""
    right: Mapping[Span, str]
    """Products whose right operand was calculated, and by which name or text it goes."""
    left: frozenset[Span]
    """Products whose left operand was calculated, and is turned."""
    indirect: Mapping[Span, frozenset[Span]]
    """Loads in loops with those that their addresses are made of in the same round."""


@kept_of_nodes(16)
def operands(node: t.FunctionDef) -> Operands:
    direct: set[Span] = set()
    right: dict[Span, str] = {}
    left: set[Span] = set()
    for call in product_calls(node):
        given = {k.arg: k.value for k in call.keywords}
        a = call.args[0] if call.args else given.get("input")
        b = call.args[1] if len(call.args) > 1 else given.get("other")
        if a is None or b is None or operation(call) != "dot":
            continue
        loaded = frozenset(_loads(node, a)), frozenset(_loads(node, b))
        direct |= loaded[0] | loaded[1]
        if not loaded[1]:
            right[call.span] = b.id if isinstance(b, t.Name) else f"{b.span.start}"
        if not loaded[0] and _is_turned(node, a):
            left.add(call.span)
    products = frozenset(call.span for call in product_calls(node))
    return Operands(products, frozenset(direct), right, frozenset(left), dict(_indirect(node)))


def _loads(node: t.FunctionDef, operand: t.Expr) -> Iterator[Span]:
    """The calls that give an operand, through names, turns and conversions that may change nothing: loads, and what
    may load; none where it is calculated."""
    made, seen, todo = given_in(node), set[str](), [operand]
    while todo:
        match todo.pop():
            case t.Name(id=name, span=span) if name not in made:
                yield span  # a parameter, of which nothing is known
            case t.Name(id=name) if name not in seen:
                seen.add(name)
                todo += made[name]
            case t.Attribute(value=value, attr="T"):
                todo.append(value)
            case t.Call(func=t.Attribute(value=value, attr="to"), args=[wanted, *_]):
                todo += [value] if _may_keep(wanted) else []
            case t.Call(args=[first, *_]) as call if operation(call) in TURNING | RESHAPING and _is_of_triton(call):
                todo.append(first)
            case t.Call(func=t.Attribute(value=value, attr=name)) if name in TURNING | RESHAPING:
                todo.append(value)
            case t.IfExp(body=body, orelse=other):
                todo += [body, other]
            case t.Call() as call if operation(call) == "load" or not _is_of_triton(call):
                yield call.span
            case _:
                pass


def _may_keep(wanted: t.Expr) -> bool:
    """Whether a conversion may change nothing: to the type of another tile, or to a type of half the width."""
    return isinstance(wanted, t.Attribute) and wanted.attr in {"dtype", "element_ty", *HALVES}


def _is_of_triton(call: t.Call) -> bool:
    return (t.dotted(call.func) or "").partition(".")[0] in ("tl", "triton")


def _is_turned(node: t.FunctionDef, operand: t.Expr | None) -> bool:
    match operand:
        case t.Attribute(attr="T"):
            return True
        case t.Call():
            return operation(operand) in TURNING
        case t.Name(id=name):
            made = given_in(node).get(name, ())
            return any(isinstance(value, t.Call | t.Attribute) and _is_turned(node, value) for value in made)
        case _:
            return False


def _indirect(node: t.FunctionDef) -> Iterator[tuple[Span, frozenset[Span]]]:
    for loop in loops_in(node):
        made = given_in(loop)
        for name, call in all_calls(loop):
            if name == "load" and call.args:
                found = (n.span for n in inlined(made, call.args[0]) if operation(n) == "load" and n is not call)
                if others := frozenset(found):
                    yield call.span, others
