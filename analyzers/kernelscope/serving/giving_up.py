"""Requests that are given up where no queue says so: what they computed is forgotten, or they are paused until all fit.

Who frees a cache and queues its request again in one function is told by `preemption`.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import calls, last_name, own_calls, own_of, statements
from kernelscope.serving.pieces import by_function
from kernelscope.serving.preemption import FREES, GIVES_UP, receiver, requeued, resets_count, root
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

PAUSES = {"pause", "paused", "suspend", "suspended", "swap"}
"""Words of functions that let requests wait, which give up what these hold only where the code does."""
HELD = {"computed", "cached", "cache", "prefix", "prefilled", "extend", "kv", "indices", "processed", "filled", "node"}
"""Words of what a request holds of its computation."""


def given_up(source: PythonSource) -> Iterator[Claim]:
    """What functions and methods of requests do for those that have to wait again."""
    yield from _set_waiting(source)
    yield from _forgotten(source)
    yield from _set_back(source)
    yield from _until_they_fit(source)


@by_function
def _set_waiting(source: PythonSource) -> Iterator[Claim]:
    """Functions that give up one of their arguments: its cache is freed, and a method of it says that it waits."""
    for scope in source.module.functions():
        if not isinstance(scope.node, t.FunctionDef) or not GIVES_UP & set(words(scope.node.name)):
            continue
        given = {p.name for p in scope.node.args if p.name != "self"}
        made = own_calls(scope.node)
        waits = [c for c in made if receiver(c) in given and not c.args and {"waiting", "wait"} & set(_said(c)[1:])]
        freed = [c for c in made if FREES & set(_said(c)) and c.args]
        if waits and freed:
            value = (
                f"preempted by recompute: {scope.qualified_name} frees what {receiver(waits[0])} holds "
                f"({source.quote(freed[0])}) and lets it wait again ({source.quote(waits[0])}); it is prefilled again"
            )
            places = (source.at(scope.node), source.at(freed[0]), source.at(waits[0]))
            yield Claim(f"{scope.qualified_name} preemption", value, places)


def _said(call: t.Call) -> list[str]:
    return list(words(last_name(call.func)))


@by_function
def _forgotten(source: PythonSource) -> Iterator[Claim]:
    """Methods of a request for when it is given up: counts and caches of its own that are set back to nothing."""
    for scope in source.module.functions():
        if scope.owner is None or not GIVES_UP & set(words(scope.node.name)):
            continue
        resets = [
            s for s, _ in statements(scope.node)
            if isinstance(s, t.Assign) and isinstance(s.targets[0], t.Attribute)
            and t.dotted(s.targets[0].value) == "self" and _is_nothing(s.value)
            and HELD & set(words(s.targets[0].attr))
        ]  # fmt: skip
        if len(resets) >= 2:
            steps = "; ".join(source.quote(s) for s in resets[:4])
            value = (
                f"preempted by recompute: {scope.qualified_name} forgets what was computed ({steps}), so it is "
                f"prefilled again (re-prefill)"
            )
            places = (source.at(scope.node), *(source.at(s) for s in resets[:4]))
            yield Claim(f"{scope.qualified_name} preemption", value, places)


@by_function
def _set_back(source: PythonSource) -> Iterator[Claim]:
    """`for r in paused: self.free_memory_of(r); r.computed = 0` in a function that lets requests wait."""
    for scope in source.module.functions():
        if not isinstance(scope.node, t.FunctionDef) or not (GIVES_UP | PAUSES) & set(words(scope.node.name)):
            continue
        for reset, _ in statements(scope.node):
            if not resets_count(reset, None) or not isinstance(reset, t.Assign):
                continue
            held = reset.targets[0]
            name = t.dotted(held.value) if isinstance(held, t.Attribute) else None
            freed = [c for c in own_calls(scope.node) if FREES & set(_said(c)) and name in {*map(root, c.args)}]
            if name is None or name == "self" or not freed or any(requeued(scope.node)):
                continue
            value = (
                f"preempted by recompute: {scope.qualified_name} frees what {name} holds ({source.quote(freed[0])}) "
                f"and forgets what was computed ({source.quote(reset)}), so it is prefilled again"
            )
            places = (source.at(scope.node), source.at(reset), source.at(freed[0]))
            yield Claim(f"{scope.qualified_name} preemption", value, places)
            break


@by_function
def _until_they_fit(source: PythonSource) -> Iterator[Claim]:
    """`while not self.fits(batch): … self.pause(some)`, with what the method that is asked returns."""
    for scope in source.module.functions():
        for loop in own_of(scope.node, t.While):
            match loop.test:
                case t.UnaryOp(op="not", operand=t.Call(func=func)):
                    asked = _function(source, last_name(func))
                case _:
                    continue
            gives_up = next(
                (c for s in loop.body for c in calls(s) if (GIVES_UP | PAUSES) & set(words(last_name(c.func)))), None
            )
            returns = [n.value for n in own_of(asked, t.Return) if n.value is not None] if asked is not None else []
            fits = next((r for r in reversed(returns) if isinstance(r, t.Compare)), None)
            if gives_up is None or asked is None or fits is None:
                continue
            value = (
                f"preempted while what runs does not fit: {source.quote(gives_up)} until "
                f"{source.quote(loop.test.operand)}, which asks whether {source.quote(fits)}"
            )
            first = _tried_first(loop, gives_up)
            value += f"; {source.quote(first.test)} is tried first, as long as that helps" if first is not None else ""
            tried = (source.at(first),) if first is not None else ()
            places = (source.at(loop), source.at(gives_up), *tried, source.at(fits), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} preemption", value, places)


def _tried_first(loop: t.While, gives_up: t.Call) -> t.If | None:
    """`if self.cache.free_some(): continue` before a request is given up."""
    for statement in loop.body:
        match statement:
            case t.If(test=t.Call(), body=[t.Continue()]) if statement.span.end <= gives_up.span.start:
                return statement
            case _:
                pass
    return None


def _function(source: PythonSource, name: str) -> t.FunctionDef | t.ClassDef | None:
    """The function of a file that has a name."""
    return next((scope.node for scope in source.module.functions() if scope.node.name == name), None)


def _is_nothing(value: t.Expr) -> bool:
    match value:
        case t.Constant(value=None | 0):
            return True
        case t.List(elts=[]):
            return True
        case t.Call(func=func, args=args):
            return last_name(func) in ("empty", "zeros", "tensor") and bool(args)
        case _:
            return False
