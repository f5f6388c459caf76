"""Operators that a file registers with torch itself: `torch.ops.library.name` gives what the registered function gives.

The function that only tells shapes (`fake`, `meta`) is asked first. Only the file that calls the operator is looked
into; operators that C++ registers are not known here.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.values import Arguments, Function, Keywords, Value
from kernelscope.ops import ShapeError
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Unknown
from kernelscope.workspace.modules import Definition

Registered = dict[str, list[tuple[bool, Function]]]
NAMESPACE = "torch.ops."
TELLS_SHAPES = ("fake", "meta", "abstract")
"""Words in what registers a function that computes nothing but shapes."""


def registered(run: Interpreter, name: str, args: Arguments, kwargs: Keywords, span: Any) -> Value | None:
    """What an operator of the running file gives; None where the file registers none of that name."""
    from kernelscope.interp.calls import call_function

    if not name.startswith(NAMESPACE) or not run.running:
        return None
    result: Value | None = None
    run.quiet += 1
    try:
        for function in _functions(run, run.running[-1].path, name.removeprefix(NAMESPACE)):
            try:
                result = call_function(run, function, args, kwargs, span)
            except ShapeError as error:
                result = Unknown(error.message, span)
            if not isinstance(result, Unknown):
                return result
    finally:
        run.quiet -= 1
    return result


def _functions(run: Interpreter, path: str, name: str) -> list[Function]:
    """The functions that a file registers for `library.name`, those that tell shapes first."""
    if path not in run.registered:
        module = run.workspace.modules.module(path)
        run.registered[path] = _registrations(run, path, module.body) if module is not None else {}
    library, _, rest = name.partition(".")
    short = rest.partition(".")[0]
    held = run.registered[path]
    found = [*held.get(f"{library}::{short}", ()), *held.get(short, ())]
    return [function for _, function in sorted(found, key=lambda pair: not pair[0])]


def _registrations(run: Interpreter, path: str, body: list[t.Stmt]) -> Registered:
    """For each text that calls at the top of a file are given, the functions given with it or decorated so.

    Each comes with whether it only tells shapes.
    """
    found: Registered = {}
    texts_of: dict[str, list[str]] = {}

    def note(texts: list[str], head: str, definition: Definition | None) -> None:
        if definition is not None and isinstance(definition.node, t.FunctionDef):
            told = any(word in head for word in TELLS_SHAPES)
            for text in texts:
                found.setdefault(text, []).append((told, Function(definition)))

    for statement in t.flat(body):
        match statement:
            case t.FunctionDef(name=function, decorator_list=decorators):
                for decorator in decorators:
                    called = decorator.func if isinstance(decorator, t.Call) else decorator
                    head = t.dotted(called) or ""
                    texts = _texts(decorator) if isinstance(decorator, t.Call) else []
                    texts_of.setdefault(function, []).extend(texts)
                    texts = texts or texts_of.get(head.partition(".")[0], [])
                    note(texts, head, Definition(path, function, statement))
            case t.ExprStmt(value=t.Call() as call):
                head = t.dotted(call.func) or ""
                given = [("", arg) for arg in call.args] + [(k.arg or "", k.value) for k in call.keywords]
                for keyword, value in given:
                    if isinstance(value, t.Name):
                        definition = run.workspace.modules.definition(path, value.id)
                        note(_texts(call), f"{head} {keyword}", definition)
            case _:
                pass
    return found


def _texts(call: t.Call) -> list[str]:
    """Texts among the arguments of a call."""
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    return [value.value for value in given if isinstance(value, t.Constant) and isinstance(value.value, str)]
