"""Arguments bound to parameters as Python does."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from kernelscope.dims import Dim
from kernelscope.interp.expressions import evaluate
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.values import (
    Alike,
    Arguments,
    Function,
    Keywords,
    Maybe,
    Number,
    Opaque,
    Open,
    Scope,
    Unpacked,
    Value,
    present,
)
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Unknown

SMALLEST_SIZE = 16
"""Smaller numbers are windows, steps and factors, which say what is done."""


def bind(run: Interpreter, scope: Scope, function: Function, args: Arguments, kwargs: Keywords) -> bool:
    """Bind arguments to parameters as Python does; what is missing gets its default, else is unknown.

    Where more may be given than is known, a number that is missing is called what the parameter is called.
    False where Python would refuse the call: there is no default for what is missing.
    """
    node = function.definition.node
    assert isinstance(node, t.FunctionDef)
    given = [function.receiver, *args] if function.is_bound else list(args)
    return bind_to(run, scope, node.args, given, kwargs)


def bind_to(run: Interpreter, scope: Scope, parameters: list[t.Param], given: list[Value], kwargs: Keywords) -> bool:
    """The same for the parameters of a function or a lambda, in the scope that its body runs in."""
    names, rest = scope.names, dict(kwargs)
    is_open = isinstance(kwargs, Open)
    unknown_from = next((i for i, a in enumerate(given) if isinstance(a, Unpacked)), None)
    positional = [p for p in parameters if p.kind in ("positional", "normal")]
    is_whole = True
    for index, param in enumerate(positional):
        if unknown_from is not None and index >= unknown_from and param.name not in rest:
            names[param.name] = lost = Unknown("an argument of `*` that is not known")
            if run.trace is not None and index == unknown_from:  # the data, as a rule
                run.trace.passed_through(given[unknown_from], param.name, param.name_span, lost, scope.path)
        elif index < len(given):
            names[param.name] = _promised(param, given[index])
        elif param.name in rest:
            names[param.name] = _promised(param, rest.pop(param.name))
        else:
            names[param.name] = _default(run, scope, param, is_open)
            is_whole = is_whole and (is_open or param.default is not None)
    for param in parameters:
        match param.kind:
            case "args":
                names[param.name] = _rest(given[len(positional) :], unknown_from is None)
            case "keyword":
                known = param.name in rest
                given_here = _promised(param, rest.pop(param.name)) if known else None
                names[param.name] = given_here if known else _default(run, scope, param, is_open)
                is_whole = is_whole and (known or is_open or param.default is not None)
            case "kwargs":
                more = {k: v for k, v in rest.items() if not any(p.name == k for p in positional)}
                names[param.name] = Open(more) if is_open else more
            case _:
                pass
    return is_whole


def _rest(given: list[Value], is_known: bool) -> Value:
    """What `*args` holds: some number of things that are alike, if nothing else is given, as in
    `Chain(*[Block() for _ in range(depth)])`."""
    match given:
        case _ if is_known:
            return tuple(given)
        case [Unpacked(value=Alike() as alike)]:
            return alike
        case [first, *_] if not isinstance(first, Unpacked):
            return tuple(given)  # what comes first is known
        case _:
            return Unknown("arguments")


def _promised(param: t.Param, value: Value) -> Value:
    """What a parameter that is annotated as a tensor is given is there; what a `float` is given for is a number,
    also where nothing else is known of it: added to a tensor it keeps its shape."""
    if isinstance(value, Unknown) and isinstance(param.annotation, t.Name) and param.annotation.id == "float":
        return Number(value.reason)
    if not isinstance(value, Maybe) or param.default is not None:
        return value
    from kernelscope.interp.annotations import is_optional, is_tensor

    is_there = is_tensor(param.annotation) and not is_optional(param.annotation)
    return present(value) if is_there else value


def _default(run: Interpreter, scope: Scope, param: t.Param, is_open: bool) -> Value:
    if param.default is None:
        return Opaque(param.name)
    run.quiet += 1
    try:
        value = evaluate(run, Scope(scope.path, outer=scope.outer), param.default)
    finally:
        run.quiet -= 1
    return _as_example(param.name, value) if is_open else value


def _as_example(name: str, value: Value) -> Value:
    """A default where others may be given: a number, or sizes in a list, of which small numbers say what is done."""
    match value:
        case Dim():
            return Opaque(name, value.const)
        case tuple() | list() if all(isinstance(v, Dim) for v in value):
            large = [(v.const or 0) >= SMALLEST_SIZE for v in value]
            parts = [Opaque(f"{name}[{i}]", v.const) if large[i] else v for i, v in enumerate(value)]
            return tuple(parts) if isinstance(value, tuple) else parts
        case _:
            return value
