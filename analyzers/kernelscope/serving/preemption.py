"""Preemption: a running request that gives its cache back and waits again, and which request that is.

Cancellation frees too, but does not queue again; a request that is only moved between queues keeps its cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.guards import assignments, calls, last_name, own, own_calls, statements
from kernelscope.serving.queues import REQUESTS
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

FREES = {"free", "dealloc", "deallocate", "release", "evict", "recycle"}
SWAPS = {"swap", "offload", "backup", "host"}
GIVES_UP = {"retract", "preempt", "preempted", "retracted", "recompute", "evicted"}
HELD = {"computed", "cached", "cache", "prefix", "prefilled", "extend", "kv", "indices", "processed", "filled", "node"}
"""Words of what a request holds of its computation."""
FRONT = {"appendleft", "extendleft", "prepend", "push", "head", "front"}
BACK = {"append", "extend", "add", "put", "heappush"}


def preemptions(source: PythonSource) -> Iterator[Claim]:
    """Methods that free what a request holds and put the same request back into a queue."""
    for scope in source.module.functions():
        assert isinstance(scope.node, t.FunctionDef)
        for queued, element, front in _requeued(scope.node):
            name = _original(scope.node, t.dotted(element.args[-1]))
            if name is None or not _leaves(scope.node, name, queued):
                continue
            on_the_way = _on_the_way(scope.node, element)
            freed = [c for s in on_the_way for c in calls(s) if FREES & set(words(last_name(c.func)))]
            gives_back = [c for c in freed if any(_root(a) == name for a in c.args) or _receiver(c) == name]
            whose = None if GIVES_UP & set(words(scope.node.name)) else name
            resets = [s for s in on_the_way if _resets(s, whose)]
            moved_out = [c for s in on_the_way for c in calls(s) if _swaps_out(c, name)]
            if not (gives_back or resets or moved_out):
                continue
            swaps = moved_out or [c for c in own_calls(scope.node) if SWAPS & set(words(last_name(c.func)))]
            kind = "swap: its cache is copied out" if swaps else "recompute: its cache is freed and prefilled again"
            end = "the front (head)" if front else "the back"
            steps = [source.quote(n) for n in (*gives_back[:2], *moved_out[:1], *resets[:3])]
            value = (
                f"preempted by {kind} ({'; '.join(steps)}), then it re-queues at {end} of "
                f"{source.quote(queued)}{_taken_from(source, scope.node, name)}"
            )
            places = [source.at(n) for n in (scope.node, queued, *gives_back[:2], *moved_out[:1], *resets[:2])]
            yield Claim(f"{scope.qualified_name} preemption", value, tuple(places))
    yield from _victims(source)
    yield from _handed_over(source)
    yield from _given_up(source)
    yield from _forgotten(source)


def _swaps_out(call: t.Call, name: str) -> bool:
    """`swap_out([request])`: a call that moves what a request holds elsewhere, and not back."""
    spoken = set(words(last_name(call.func)))
    given = {t.dotted(n) for a in call.args for n in t.walk(a)}
    return bool(SWAPS & spoken) and "in" not in spoken and name in given


def _taken_from(source: PythonSource, function: t.FunctionDef, name: str) -> str:
    """Which request it is, where the function takes it from a queue."""
    for node in own(function):
        if not isinstance(node, t.Assign) or t.dotted(node.targets[0]) != name:
            continue
        end = _end_taken(node.value)
        if isinstance(node.value, t.Subscript) and _popped(function, node.value) is not None:
            end = "first" if literal(node.value.slice) == 0 else "last"
        if end:
            return f"; the victim is the {end} of its queue ({source.quote(node)})"
    return ""


def _end_taken(value: t.Expr) -> str:
    """Which end of a queue a call takes from."""
    match value:
        case t.Call(func=t.Attribute(attr="popleft"), args=[]):
            return "first"
        case t.Call(func=t.Attribute(attr="pop"), args=args) if len(args) <= 1:
            position = literal(args[0]) if args else -1
            return "first" if position == 0 else "last" if position == -1 else ""
        case _:
            return ""


def _handed_over(source: PythonSource) -> Iterator[Claim]:
    """`victim = self.running.pop()` followed by `self.preempt(victim)`: which request is given up."""
    for scope in source.module.functions():
        for body in _bodies(scope.node):
            for node, following in pairwise(body):
                if not isinstance(node, t.Assign) or not (end := _end_taken(node.value)):
                    continue
                match following:
                    case t.ExprStmt(value=t.Call(func=func, args=[given, *_]) as call) if GIVES_UP & set(
                        words(last_name(func))
                    ) and t.dotted(given) == t.dotted(node.targets[0]):
                        taken = f"the {end} of its queue is taken ({source.quote(node)})"
                        value = f"preemption victim: {taken} for {source.quote(call)}"
                        yield Claim(f"{scope.qualified_name} victim", value, (source.at(node), source.at(call)))
                    case _:
                        pass


def _bodies(function: t.FunctionDef | t.ClassDef) -> Iterator[list[t.Stmt]]:
    """The lists of statements of a function."""
    yield function.body
    for node in own(function):
        if isinstance(node, t.If | t.For | t.While | t.With | t.Try):
            yield node.body
        if isinstance(node, t.If | t.For | t.While):
            yield node.orelse


def _given_up(source: PythonSource) -> Iterator[Claim]:
    """Loops that take one of an order of requests and release what it holds, in functions that give requests up."""
    for scope in source.module.functions():
        spoken = set(words(scope.qualified_name))
        is_giving_up = bool((GIVES_UP | {"evict", "eviction"}) & spoken)
        for loop in own(scope.node):
            if not isinstance(loop, t.While):
                continue
            for node in t.flat(loop.body):
                match node:
                    case t.Assign(
                        targets=[t.Name(id=chosen)],
                        value=t.Call(func=t.Attribute(value=order, attr="pop"), args=args) as call,
                    ) if literal(args[0] if args else None) in (None, 0, -1) and (
                        is_giving_up or GIVES_UP & set(words(chosen))
                    ):
                        pass
                    case _:
                        continue
                freed = [
                    c for s in loop.body for c in calls(s)
                    if node.span.end <= c.span.start and FREES & set(words(last_name(c.func)))
                    and (any(_root(a) == chosen for a in c.args) or _receiver(c) == chosen)
                ]  # fmt: skip
                if freed and (GIVES_UP & spoken or (GIVES_UP | REQUESTS) & set(words(chosen))):
                    end = "first" if args and literal(args[0]) == 0 else "last"
                    value = (
                        f"preemption victim: the {end} of {source.quote(order)} is taken ({source.quote(call)}) and "
                        f"what it holds is released ({source.quote(freed[0])}) by {scope.qualified_name}, while "
                        f"{source.quote(loop.test)}"
                    )
                    places = (source.at(node), source.at(freed[0]), source.at(scope.node))
                    yield Claim(f"{scope.qualified_name} victim", value, places)
                    break


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


def _on_the_way(function: t.FunctionDef, queued: t.Call) -> list[t.Stmt]:
    """The statements that always run with a call: none of their conditions is foreign to it."""
    held = next((guards for s, guards in statements(function) if queued in calls(s)), ())
    around = {(g.test, g.holds) for g in held}
    return [s for s, guards in statements(function) if {(g.test, g.holds) for g in guards if not g.early} <= around]


def _requeued(function: t.FunctionDef) -> Iterator[tuple[t.Call, t.Call, bool]]:
    """Calls that put requests into a queue that outlives the method, and whether at its front.

    With each the call that names a request: itself, or the `append` to the list that it puts there.
    """
    for call in own_calls(function):
        name = last_name(call.func)
        if not call.args or not isinstance(call.func, t.Attribute):
            continue
        queue = call.func.value.value if isinstance(call.func.value, t.Subscript) else call.func.value
        if not isinstance(queue, t.Attribute):
            continue
        if FRONT & set(words(name)) or (name == "insert" and literal(call.args[0]) == 0):
            front = True
        elif name in BACK and {"wait", "waiting", "queue", "pending"} & set(words(queue.attr)):
            front = False
        else:
            continue
        gathered = _gathered(function, call.args[-1])
        yield call, gathered or call, front


def _gathered(function: t.FunctionDef, given: t.Expr) -> t.Call | None:
    """The call that puts an element into a local list: `late.append(letter)`."""
    for call in own_calls(function):
        match call:
            case t.Call(func=t.Attribute(value=t.Name() as kept, attr="append"), args=[_]):
                if t.dotted(kept) == t.dotted(given):
                    return call
            case _:
                pass
    return None


def _original(function: t.FunctionDef, name: str | None) -> str | None:
    """The request that another is made anew from: `new = Letter(words=old.words, asked=old.asked)` is `old`."""
    value = assignments(function).get(name or "")
    if not isinstance(value, t.Call) or not last_name(value.func)[:1].isupper():
        return name
    given = [k.value for k in value.keywords if isinstance(k.value, t.Attribute)]
    owners = [t.dotted(g.value) for g in given]
    return owners[0] if len(owners) > 1 and len({*owners}) == 1 and owners[0] != "self" else name


def _leaves(function: t.FunctionDef, name: str, queued: t.Call) -> bool:
    """The request was running: it is an argument of the method, or taken from another queue in it."""
    if any(p.name == name for p in function.args) or _removed(function, name):
        return True
    for node in own(function):
        match node:
            case t.Assign(targets=[target], value=t.Call(func=func) as call) if t.dotted(target) == name:
                return last_name(func) in ("pop", "popleft") and call is not queued
            case t.Assign(targets=[target], value=t.Subscript() as seen) if t.dotted(target) == name:
                return _popped(function, seen) is not None
            case _:
                pass
    return False


def _popped(function: t.FunctionDef | t.ClassDef, seen: t.Subscript) -> t.Call | None:
    """The call that drops the element of a queue that was looked at: `self.running[-1]`, and `self.running.pop()`."""
    end = "popleft" if literal(seen.slice) == 0 else "pop" if literal(seen.slice) == -1 else ""
    queue = t.dotted(seen.value)
    for call in own_calls(function) if queue is not None else ():
        match call:
            case t.Call(func=t.Attribute(value=popped, attr=attr), args=[]) if (
                attr == end and t.dotted(popped) == queue
            ):
                return call
            case _:
                pass
    return None


def _removed(function: t.FunctionDef | t.ClassDef, name: str) -> t.Call | None:
    """`self.running.remove(name)`."""
    found = (c for c in own_calls(function) if last_name(c.func) in ("remove", "discard") and c.args)
    return next((c for c in found if t.dotted(c.args[0]) == name), None)


def _resets(node: t.Node, name: str | None) -> bool:
    """`request.computed = 0`: what was computed counts no more; of anything where no name is given."""
    match node:
        case t.Assign(targets=[t.Attribute(value=owner, attr=attr)], value=t.Constant(value=0)):
            counts = {"computed", "cached", "prefilled", "processed", "filled"} & set(words(attr))
            return bool(counts) and (name is None or t.dotted(owner) == name)
        case _:
            return False


def _root(node: t.Expr) -> str | None:
    return (t.dotted(node) or "").partition(".")[0] or None


def _receiver(call: t.Call) -> str | None:
    return _root(call.func)


def _victims(source: PythonSource) -> Iterator[Claim]:
    """`max(self.running, key=…)`, or the first of `sorted(self.running, key=…)`, with the chosen one removed."""
    for scope in source.module.functions():
        for chosen, call, at_most in _chosen(scope.node):
            key = next((k.value for k in call.keywords if k.arg == "key"), None)
            queue = t.dotted(call.args[0]) if call.args else None
            removed = _removed(scope.node, chosen)
            if queue is None or key is None or removed is None:
                continue
            order = "largest" if at_most else "smallest"
            value = f"the preemption victim is the element of {queue} with the {order} {source.quote(key)}"
            yield Claim(f"{scope.qualified_name} victim", value, (source.at(call), source.at(removed)))


def _chosen(function: t.FunctionDef | t.ClassDef) -> Iterator[tuple[str, t.Call, bool]]:
    """Names that are bound to the greatest or least of something, the call that chooses, and whether the greatest."""
    known = assignments(function)
    for node in own(function):
        match node:
            case t.Assign(targets=[t.Name(id=name)], value=t.Call(func=t.Name(id="max" | "min" as which)) as call):
                yield name, call, which == "max"
            case t.For(target=t.Name(id=name), iter=gone_through):
                call = known.get(t.dotted(gone_through) or "", gone_through)
                if isinstance(call, t.Call) and t.dotted(call.func) == "sorted":
                    yield name, call, any(k.arg == "reverse" and literal(k.value) is True for k in call.keywords)
            case _:
                pass
