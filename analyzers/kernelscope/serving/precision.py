"""Numeric precision: where values are raised to float32, what is computed there, and where they are cast back.

Casts of the frameworks only: `.float()`, `.to(dtype)`, `astype`, `dtype=`; what a kernel accumulates in by its keyword.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import get_args

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import last_name, own, own_calls, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

_WIDE = re.compile(r"(?:^|\.)(?:float32|fp32|float64|float)$")
COLLECTS = {"dict", "partial", "update", "replace"}
"""What only hands its arguments on."""
PRODUCTS = {"dot", "dot_general", "matmul"}
_MULTIPLIES = re.compile(r"dot|matmul|mma|gemm")
"""Calls that add a product to what they are given."""
STARTS = {"zeros", "full"}
"""What an accumulator begins as, if something is added to it later."""
ADDS = {"add_", "index_add_", "scatter_add_", "addmm_", "baddbmm_"}
STATEMENTS = get_args(t.Stmt)
STATISTICS = {"rsqrt", "softmax", "log_softmax", "logsumexp", "var", "mean", "exp", "norm", "cumsum", "sum"}


@by_function
def precisions(source: PythonSource) -> Iterator[Claim]:
    """Functions that compute in float32 what comes in another type, and single calls with a wide dtype."""
    for scope in source.module.functions():
        raised = _raised(source, scope)
        name = scope.qualified_name
        for node, given in _with_wide_dtype(source, scope.node):
            called = last_name(node.func)
            if called in STATISTICS:
                back = _cast_after(source, scope.node, node)
                value = f"{name}: {called} is computed in {_width(given)} ({given}){back}"
                yield Claim(f"{name} {called} precision", value, (source.at(node), source.at(scope.node)))
            elif _accumulates(scope.node, node, given):
                width = "float32 (fp32)" if _width(given) == "float32" else _width(given)
                value = f"{name}: {source.quote(node.func)} accumulates in {width}: {given}"
                yield Claim(f"{name} accumulation precision", value, (source.at(node), source.at(scope.node)))
        if raised.up and raised.statistics:
            first = raised.up[0]
            cast = source.quote(first)
            value = f"{name} computes in {_width(cast)} ({cast}): {', '.join(raised.statistics)}"
            if raised.down:
                last = raised.down[-1]
                value += f"; cast back to the input dtype by {source.quote(last)}{_order(source, scope.node, last)}"
            places = (source.at(first), *(source.at(d) for d in raised.down[-1:]), source.at(scope.node))
            yield Claim(f"{name} precision", value, places)


def _with_wide_dtype(source: PythonSource, function: t.FunctionDef | t.ClassDef) -> Iterator[tuple[t.Call, str]]:
    """Calls that are told to compute or to store in float32."""
    for call in own_calls(function):
        for keyword in call.keywords:
            text = source.quote(keyword.value)
            if keyword.arg and "dtype" in keyword.arg and _WIDE.search(text):
                yield call, f"{keyword.arg}={text}"


@dataclass(slots=True)
class _Raised:
    """What a function raises to float32, what it computes of that, and where it casts it back."""

    up: list[t.Call] = field(default_factory=list[t.Call])
    down: list[t.Call] = field(default_factory=list[t.Call])
    statistics: dict[str, t.Call] = field(default_factory=dict[str, t.Call])


def _raised(source: PythonSource, scope: Scope) -> _Raised:
    """One pass through a function, in source order, by what holds a value that was raised."""
    found = _Raised()
    casts = {call: kind for call in own_calls(scope.node) if (kind := _cast(source, call))}
    if "up" not in casts.values():
        return found
    wide: set[str] = set()

    def is_wide(value: t.Node) -> bool:
        if isinstance(value, t.Call) and value in casts:
            return casts[value] == "up"
        return t.dotted(value) in wide or any(map(is_wide, t.children(value)))

    for statement in (node for node in own(scope.node) if isinstance(node, STATEMENTS)):
        for call in (n for e in _expressions(statement) for n in t.walk(e) if isinstance(n, t.Call)):
            kind, held = casts.get(call), call.func.value if isinstance(call.func, t.Attribute) else None
            if kind == "up":
                found.up.append(call)
            elif kind == "down" and held is not None and is_wide(held):
                found.down.append(call)
            elif last_name(call.func) in STATISTICS and is_wide(call):
                found.statistics.setdefault(last_name(call.func), call)
        match statement:
            case t.Assign(value=value, targets=targets):
                names = {name for target in targets for part in _parts(target) if (name := t.dotted(part)) is not None}
                wide = wide | names if is_wide(value) else wide - names
            case t.AnnAssign(value=value, target=target) if value is not None and (name := t.dotted(target)):
                wide = wide | {name} if is_wide(value) else wide - {name}
            case _:
                pass
    if not found.statistics:
        found.statistics = _by_helper(scope, found.up)
    return found


def _expressions(statement: t.Node) -> Iterator[t.Node]:
    """What a statement evaluates itself, without the statements in it."""
    for child in t.children(statement):
        if isinstance(child, t.WithItem):
            yield child.context_expr
        elif not isinstance(child, STATEMENTS):
            yield child


def _parts(target: t.Expr) -> list[t.Expr]:
    return target.elts if isinstance(target, t.Tuple | t.List) else [target]


def _accumulates(function: t.FunctionDef | t.ClassDef, call: t.Call, given: str) -> bool:
    """Whether a call with a wide dtype adds up in it, or makes what is added to later."""
    called = last_name(call.func)
    if called in PRODUCTS or (called in STARTS and _is_added_to(function, call)):
        return True
    return "acc" in given and called not in COLLECTS


def _is_added_to(function: t.FunctionDef | t.ClassDef, start: t.Call) -> bool:
    """Whether what a call makes has a name that something is added to: `a += x`, `a = a * s + x`, `a = dot(…, a)`."""
    bound = next((n for n in own_of(function, t.AnnAssign, t.Assign) if n.value is start), None)
    target = bound.targets[0] if isinstance(bound, t.Assign) else bound.target if bound is not None else None
    name = t.dotted(target) if target is not None else None
    if name is None:
        return False
    for node in own_of(function, t.Assign, t.AugAssign, t.Call):
        match node:
            case t.AugAssign(target=changed, op="+"):
                changed = changed.value if isinstance(changed, t.Subscript) else changed
                if t.dotted(changed) == name:
                    return True
            case t.Assign(targets=[changed], value=value) if node is not bound and t.dotted(changed) == name:
                if any(_adds_to(n, name) for n in t.walk(value)):
                    return True
            case t.Call(func=t.Attribute(value=held, attr=attr)) if attr in ADDS:
                if t.dotted(held) == name:
                    return True
            case _:
                pass
    return False


def _adds_to(node: t.Node, name: str) -> bool:
    """Whether a part of an expression adds to a name: `a * s + x`, `dot(…, a)`, `a.at[i].add(x)`."""
    match node:
        case t.BinOp(op="+", left=left, right=right):
            return _mentions(left, name) or _mentions(right, name)
        case t.Call(func=t.Attribute(value=held, attr="add")):
            return _mentions(held, name)
        case t.Call() if _MULTIPLIES.search(last_name(node.func)):
            return any(_mentions(given, name) for given in (*node.args, *(k.value for k in node.keywords)))
        case _:
            return False


def _mentions(expr: t.Expr, name: str) -> bool:
    return any(t.dotted(n) == name for n in t.walk(expr) if isinstance(n, t.Name | t.Attribute))


@by_function
def default_dtypes(source: PythonSource) -> Iterator[Claim]:
    """`torch.set_default_dtype(x)`, `torch.autocast(dtype=x)`: in which type tensors are made or computed."""
    for scope in source.module.functions():
        for call in own_calls(scope.node):
            name, given = last_name(call.func), {k.arg: k.value for k in call.keywords}
            dtype = given.get("dtype") or (call.args[0] if name == "set_default_dtype" and call.args else None)
            if name not in ("set_default_dtype", "autocast") or dtype is None:
                continue
            value = f"{scope.qualified_name} sets the dtype of tensors: {source.quote(call)}"
            yield Claim(f"{scope.qualified_name} dtype", value, (source.at(call), source.at(scope.node)))


def _by_helper(scope: Scope, up: list[t.Call]) -> dict[str, t.Call]:
    """What methods of the class compute of values that are raised as they are given: `self._norm(x.float())`."""
    methods = {m.name: m for m in scope.owner.methods()} if scope.owner is not None else {}
    found: dict[str, t.Call] = {}
    for node in own_of(scope.node, t.Call):
        if any(a is cast for a in node.args for cast in up):
            helper = methods.get((t.dotted(node.func) or "").removeprefix("self."))
            for call in own(helper) if helper is not None else ():
                if isinstance(call, t.Call) and last_name(call.func) in STATISTICS:
                    found.setdefault(last_name(call.func), call)
    return found


def _cast(source: PythonSource, call: t.Call) -> str:
    name = last_name(call.func)
    if not isinstance(call.func, t.Attribute):
        return ""
    if name == "float" and not call.args:
        return "" if _is_test(call.func.value) else "up"
    if name in ("to", "astype", "type") and (call.args or call.keywords):
        given = source.quote(call.args[0] if call.args else call.keywords[0].value)
        if given == "float":
            return ""  # Python's own, of 64 bits
        if _WIDE.search(given):
            return "up"
        return "down" if "dtype" in given or re.search(r"bfloat16|float16|half", given) else ""
    return "down" if name in ("half", "bfloat16", "type_as") else ""


def _width(said: str) -> str:
    """Which of the wide types a cast or a keyword names."""
    return "float64" if "float64" in said else "float32"


def _is_test(value: t.Expr) -> bool:
    """A comparison, or a mask by its name: as numbers they are ones and zeros in any precision."""
    while isinstance(value, t.Call) and isinstance(value.func, t.Attribute):
        value = value.func.value
    return isinstance(value, t.Compare) or "mask" in words(last_name(value))


def _order(source: PythonSource, function: t.FunctionDef | t.ClassDef, down: t.Call) -> str:
    """Whether the cast comes before or after a product with a weight."""
    for node in own_of(function, t.BinOp):
        if node.op == "*":
            sides = (source.quote(node.left), source.quote(node.right))
            if any("weight" in side for side in sides):
                inside = any(found is down for side in (node.left, node.right) for found in t.walk(side))
                if inside:
                    return f", before the product with the weight ({source.quote(node)})"
                if down.span.start > node.span.start or any(found is node for found in t.walk(down)):
                    return f", after the product with the weight ({source.quote(node)})"
                return f", before the product with the weight ({source.quote(node)})"
    for node in own_of(function, t.Call):
        if last_name(node.func) == "mul_" and "weight" in source.quote(node):
            return f", before the product with the weight ({source.quote(node)})"
    return ""


def _cast_after(source: PythonSource, function: t.FunctionDef | t.ClassDef, call: t.Call) -> str:
    for node in own_of(function, t.Call):
        if node is not call and any(found is call for found in t.walk(node.func)):
            if _cast(source, node) != "down":
                continue
            return f", then cast back: {source.quote(node)}"
    return ""
