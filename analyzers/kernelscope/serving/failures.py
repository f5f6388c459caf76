"""What is done when something fails: it is tried again, something is shut down, memory that ran out is answered for.

Handlers that only log, pass a fault on or give a default say nothing of how a system fails.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.condensing import SILENT
from kernelscope.serving.guards import calls, guarded, guards_text, last_name, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

ENDS = {"shutdown", "terminate", "kill", "exit", "abort", "restart", "unhealthy", "evict", "fail", "failed", "cancel"}
"""Words of calls that end something, or say that it is over."""
PARSES = {"parser", "argparse", "pytest"}
"""Words of what ends a script that is called wrongly."""
MISSING = {"import", "module"}
"""Words of faults that only say that something is not installed."""
MEMORY = {"memory", "oom"}
WAITS = {"sleep", "wait"}
EMPTY = {"empty"}


@by_function
def failures(source: PythonSource) -> Iterator[Claim]:
    """Claims about the handlers of a file."""
    if source.aside:
        return
    for scope in source.module.functions():
        loops = list(own_of(scope.node, t.For, t.While))
        for node in own_of(scope.node, t.Try):
            around = [loop for loop in loops if loop.span.start < node.span.start < loop.span.end]
            again = _again(source, scope, around[-1], node) if around else None
            if again is not None:
                yield again
                continue
            for handler in node.handlers:
                if (claim := _ended(source, scope, handler)) is not None:
                    yield claim


def _again(source: PythonSource, scope: Scope, loop: t.For | t.While, node: t.Try) -> Claim | None:
    """A loop that is left when nothing fails, and goes round again when something does."""
    match loop:
        case t.For(iter=t.Call(func=t.Name(id="range"), args=[*_, times])):
            many = f"up to {source.quote(times)} times"
        case t.While(test=t.Constant()):
            if not _is_left(loop.body) and not _is_left([*node.body, *node.orelse]):
                return None  # an endless loop that lives through faults
            many = "until it succeeds"
        case t.While():
            many = f"while {source.quote(loop.test)}"
        case _:
            return None
    tries = [*node.body, *node.orelse]
    leaves = any(isinstance(s, t.Return) for s, _ in guarded(tries))
    leaves = leaves or any(isinstance(s, t.Break) for s in t.flat(tries))  # not of a loop inside
    if any(EMPTY & set(words(_kind(source, handler))) for handler in node.handlers):
        return None  # who looks into a queue again and again waits for work
    leaves = leaves or (loop.body[-1:] != [node] and any(isinstance(s, t.Return | t.Break) for s in loop.body))
    staying = [h for h in node.handlers if h.body and not isinstance(h.body[-1], t.Return | t.Break | t.Raise)]
    if not leaves or not staying:
        return None
    tried = _tried(node.body)
    waits = [c for s in loop.body for c in calls(s) if WAITS & set(words(last_name(c.func)))]
    kinds = " or ".join(dict.fromkeys(_kind(source, handler) for handler in staying))
    value = f"{scope.qualified_name} tries again {many} on {kinds}"
    value += f": {source.quote(tried[0], 80)}" if tried else ""
    value += " and what follows it" if len(tried) > 1 else ""
    ends = [" and ".join(guards_text(source, g)) for h in staying for s, g in guarded(h.body) if isinstance(s, t.Raise)]
    value += f"; it gives up if {ends[0]}" if ends and ends[0] else ""
    value += f"; between the tries it waits ({source.quote(waits[0])})" if waits else ""
    return Claim(f"{scope.qualified_name} retries", value, (source.at(node), source.at(loop), source.at(scope.node)))


def _is_left(body: list[t.Stmt]) -> bool:
    """Whether a block ends by leaving the loop or function, perhaps after a last test; no `elif` or `else` goes on."""
    match body[-1:]:
        case [t.Return() | t.Break()]:
            return True
        case [t.With(body=inner)] | [t.If(body=inner, orelse=[])]:
            return _is_left(inner)
        case [t.If(body=inner, orelse=other)]:
            return _is_left(inner) and _is_left(other)
        case [t.Try(body=inner)]:
            return _is_left(inner)
        case _:
            return False


def _tried(body: list[t.Stmt]) -> list[t.Call]:
    """The calls that a block consists of; of a lock or file that is held around others, those others."""
    found: list[t.Call] = []
    for statement in body:
        if isinstance(statement, t.With):
            found += _tried(statement.body) or list(calls(statement))
            continue
        value = getattr(statement, "value", None)
        value = value.value if isinstance(value, t.Await) else value
        if isinstance(value, t.Call) and not _is_silent(value):
            found.append(value)
    return found or [c for s in body for c in calls(s) if not _is_silent(c)][:1]


def _ended(source: PythonSource, scope: Scope, handler: t.ExceptHandler) -> Claim | None:
    """A handler that ends something, with the condition; and what is done when memory runs out."""
    kind = _kind(source, handler)
    if MISSING & set(words(kind)):
        return None
    for statement, guards in guarded(handler.body):
        for call in calls(statement):
            name = last_name(call.func)
            if name[:1].isupper() and name != "SystemExit":
                continue  # what only says that it is over
            if not ENDS & set(words(name)) or PARSES & set(words(source.quote(call.func))):
                continue
            test = " and ".join(guards_text(source, guards))
            does = "raises" if name == "SystemExit" and isinstance(statement, t.Raise) else "calls"
            value = f"{scope.qualified_name}: on {kind} it {does} {source.quote(call, 120)}"
            value += f" if {test}" if test else ""
            return _claim(source, scope, value, call, handler)
    answered = [s for s in handler.body if not (isinstance(s, t.ExprStmt) and _is_silent(s.value))]
    if MEMORY & set(words(kind)) and answered:
        value = f"{scope.qualified_name}: when memory runs out ({kind}): {source.quote(answered[-1])}"
        return _claim(source, scope, value, answered[-1], handler)
    return None


def _is_silent(node: t.Expr) -> bool:
    """A call that only logs."""
    said = (t.dotted(node.func) or "").split(".") if isinstance(node, t.Call) else []
    return bool(SILENT & {*said}) or any("log" in words(part) for part in said)


def _claim(source: PythonSource, scope: Scope, value: str, *places: t.Node) -> Claim:
    return Claim(f"{scope.qualified_name} failure", value, tuple(map(source.at, (*places, scope.node))))


def _kind(source: PythonSource, handler: t.ExceptHandler) -> str:
    return source.quote(handler.type) if handler.type is not None else "any fault"
