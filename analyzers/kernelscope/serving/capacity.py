"""What must be free before a request is taken: comparisons with a capacity before an exit that gives nothing."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import (
    MAX_TEST,
    assignments,
    calls,
    guards_text,
    inlined,
    last_name,
    last_of,
    own,
    statements,
)
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

REFUSALS = {"no", "not", "none", "never", "later", "fail", "failed", "failure", "reject", "rejected", "refused", "full",
            "retry", "wait", "other", "exceeded", "insufficient", "empty", "busy"}  # fmt: skip
"""Words of members of enums that say that a request is not taken."""

ANSWERS = {"can", "has", "fits", "is", "may", "enough", "allow", "allowed"}
"""First words of functions that answer whether something may be done."""
TAKEN = {"request", "requests", "req", "seq", "sequence", "prefill", "decode", "schedule", "admit", "add", "allocate",
         "alloc", "append"}  # fmt: skip
"""Words of what such a function is asked about."""
CAPACITIES = {"available", "free", "remaining", "remain", "rem", "capacity", "budget", "max"}
"""Words of counts of what is left, and of maxima."""

MOVES = {"swap", "offload", "onload", "migrate", "restore", "evict"}
"""Words of functions that move what a request holds: what they decline is that, and no request."""


@by_function
def admissions(source: PythonSource) -> Iterator[Claim]:
    """What must be free before a request is taken: comparisons with a capacity before an exit that gives nothing."""
    for scope in source.module.functions():
        if not _is_about_requests(scope.qualified_name):
            continue
        known = assignments(scope.node)
        yield from _returned(source, scope)
        found: list[tuple[t.If, t.Compare]] = []
        for node in own(scope.node):
            if isinstance(node, t.If) and node.body and _gives_nothing(node.body[-1]):
                found += [(node, test) for test in _comparisons(node.test) if _is_capacity(test)]
            elif isinstance(node, t.If) and (claim := _accepted(source, scope.qualified_name, node, known)) is not None:
                yield claim
        if not found:
            continue
        tests = list(
            dict.fromkeys(inlined(source, test, known, 2) + _besides(source, node, test) for node, test in found)
        )
        value = f"admission: {scope.qualified_name} refuses a request when {' or when '.join(tests[:4])}"
        yield Claim(f"{scope.qualified_name} admission", value, tuple(source.at(n) for n, _ in found[:6]))


def _returned(source: PythonSource, scope: Scope) -> Iterator[Claim]:
    """`return used + wanted <= most and self.has_room(wanted)` of what is asked whether a request is taken."""
    match scope.node.body[-1:]:
        case [t.Return(value=t.BoolOp(op="and") as value)]:
            pass
        case _:
            return
    if not ANSWERS & set(words(scope.node.name)[:1]) or not TAKEN & set(words(scope.qualified_name)):
        return
    is_capacity = any(_is_capacity(c) for c in _comparisons(value))
    text = f"admission: {scope.qualified_name} admits a request only if {source.quote(value, MAX_TEST)}"
    text += "".join(f", or where {g}" for g in _taken_anyway(source, scope))
    places = [source.at(value)]
    for call in (c for c in calls(value) if ANSWERS & set(words(last_name(c.func))[:1])):
        asked = [s.node for s in source.module.functions() if s.node.name == last_name(call.func)]
        match asked[0].body[-1:] if len(asked) == 1 else []:
            case [t.Return(value=(t.BoolOp() | t.Compare()) as meant)]:
                text += f"; {last_name(call.func)} is {source.quote(meant, MAX_TEST)}"
                places.append(source.at(meant))
                is_capacity |= any(_is_capacity(c) for c in _comparisons(meant))
            case _:
                pass
    if is_capacity:
        yield Claim(f"{scope.qualified_name} admission", text, (*places, source.at(scope.node)))


def _taken_anyway(source: PythonSource, scope: Scope) -> Iterator[str]:
    """The conditions of `return True` before all else is asked."""
    for statement, guards in statements(scope.node):
        match statement:
            case t.Return(value=t.Constant(value=True)):
                yield " and ".join(guards_text(source, guards)) or "nothing else is asked"
            case _:
                pass


def _besides(source: PythonSource, node: t.If, test: t.Compare) -> str:
    """What must hold beside a comparison for the request to be refused: `full and chosen`."""
    others = node.test.values if isinstance(node.test, t.BoolOp) and node.test.op == "and" else []
    said = [source.quote(other) for other in others if other is not test]
    return f" (and {' and '.join(said)})" if said and len(said) < len(others) else ""


def _accepted(source: PythonSource, where: str, node: t.If, known: dict[str, t.Expr]) -> Claim | None:
    """`if fits and few_enough: return True … else: return False`, with what the names stand for."""
    if not node.orelse or not _refuses(node.orelse[-1]) or not isinstance(last_of(node.body), t.Return):
        return None
    tests = node.test.values if isinstance(node.test, t.BoolOp) and node.test.op == "and" else [node.test]
    meant = [known.get(t.dotted(test) or "", test) for test in tests]
    if not any(_is_capacity(test) for each in meant for test in _comparisons(each)):
        return None
    text = " and ".join(source.quote(each) for each in meant)
    value = f"admission: {where} admits a request only if {text}"
    return Claim(f"{where} admission", value, (*(source.at(each) for each in meant[:4]), source.at(node)))


def _refuses(statement: t.Stmt) -> bool:
    """`return False` or `return False, …`."""
    value = statement.value if isinstance(statement, t.Return) else None
    first = value.elts[0] if isinstance(value, t.Tuple) and value.elts else value
    if isinstance(first, t.Attribute):
        return bool(REFUSALS & set(words(first.attr)))
    return isinstance(first, t.Constant) and first.value is False


def _is_about_requests(name: str) -> bool:
    parts = set(words(name))
    acts = {"allocate", "alloc", "admit", "add", "schedule", "can", "try", "fits"}
    if "scheduler" in parts:
        acts |= {"evaluate"}
    whom = {
        "req",
        "request",
        "requests",
        "seq",
        "sequence",
        "scheduler",
        "manager",
        "adder",
        "prefill",
        "batch",
        "slots",
    }
    return bool(acts & parts and whom & parts) and not MOVES & parts and "decode" not in parts


def _gives_nothing(statement: t.Stmt) -> bool:
    match statement:
        case t.Break():
            return True
        case t.Return(value=value):
            return (
                value is None
                or (isinstance(value, t.Constant) and value.value in (None, False, -1))
                or isinstance(value, t.UnaryOp)
                or (isinstance(value, t.Attribute) and bool(REFUSALS & set(words(value.attr))))
            )
        case _:
            return False


def _comparisons(test: t.Expr) -> Iterator[t.Compare]:
    for node in t.walk(test):
        if isinstance(node, t.Compare) and len(node.ops) == 1 and node.ops[0] in ("<", ">", "<=", ">=", "=="):
            yield node


def _is_capacity(test: t.Compare) -> bool:
    """One side is a count of something free, or a maximum."""
    for side in (test.left, test.comparators[0]):
        for node in t.walk(side):
            name = last_name(node) if isinstance(node, t.Name | t.Attribute) else ""
            if CAPACITIES & set(words(name)):
                return True
    return False
