"""Preemption: a running request that gives its cache back and waits again, and which request that is.

Cancellation frees too, but does not queue again; a request that is only moved between queues keeps its cache.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.guards import (
    MAX_TEST,
    assignments,
    calls,
    last_name,
    own_calls,
    own_of,
    repeated_while,
    statements,
)
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

FREES = {"free", "dealloc", "deallocate", "release", "evict", "recycle"}
SWAPS = {"swap", "offload", "backup", "host"}
GIVES_UP = {"retract", "preempt", "preempted", "retracted", "recompute", "evicted"}
REMOVES = {"remove", "discard", "pop"}
"""First words of methods that take something out."""
FRONT = {"appendleft", "extendleft", "prepend", "push", "head", "front"}
BACK = {"append", "extend", "add", "put", "heappush"}


def preemptions(source: PythonSource) -> Iterator[Claim]:
    """Methods that free what a request holds and put the same request back into a queue."""
    for scope in source.module.functions():
        assert isinstance(scope.node, t.FunctionDef)
        for queued, element, front in requeued(scope.node):
            name = _original(scope.node, t.dotted(element.args[-1]))
            if name is None or not _leaves(scope.node, name, queued):
                continue
            on_the_way = _on_the_way(scope.node, queued if front is None else element)
            freed = [c for s in on_the_way for c in calls(s) if FREES & set(words(last_name(c.func)))]
            gives_back = [c for c in freed if any(root(a) == name for a in c.args) or receiver(c) == name]
            whose = None if GIVES_UP & set(words(scope.node.name)) else name
            resets = [s for s in on_the_way if resets_count(s, whose)]
            moved_out = [c for s in on_the_way for c in calls(s) if swaps_out(c, name)]
            if not (gives_back or resets or moved_out):
                continue
            swaps = moved_out or [c for c in own_calls(scope.node) if SWAPS & set(words(last_name(c.func)))]
            kind = "swap: its cache is copied out" if swaps else "recompute: its cache is freed and prefilled again"
            written = source.text.slice(queued.func.attr_span) if isinstance(queued.func, t.Attribute) else ""
            end = "at the front (head) of the queue" if front else "at the back of the queue"
            if front is None:
                end = f"by {last_name(queued.func)}, whose own code says at which end"
            elif last_name(queued.func) == "heappush":
                end = "by its priority"
            elif not front and written == "push":  # where that puts it is for the queue to say
                end = "in the queue"
            steps = [source.quote(n) for n in (*gives_back[:2], *moved_out[:1], *resets[:3])]
            value = (
                f"preempted by {kind} ({'; '.join(steps)}), then it re-queues {end}: "
                f"{source.quote(queued)}{_taken_from(source, scope.node, name, queued)}"
            )
            loop = repeated_while(scope.node, queued)
            value += f", while {source.quote(loop.test, MAX_TEST)}" if loop is not None else ""
            places = [source.at(n) for n in (scope.node, queued, *gives_back[:2], *moved_out[:1], *resets[:2])]
            yield Claim(f"{scope.qualified_name} preemption", value, tuple(places))


def swaps_out(call: t.Call, name: str) -> bool:
    """`swap_out([request])`: a call that moves what a request holds elsewhere, and not back."""
    spoken = set(words(last_name(call.func)))
    given = {t.dotted(n) for a in call.args for n in t.walk(a)}
    return bool(SWAPS & spoken) and "in" not in spoken and name in given


def _taken_from(source: PythonSource, function: t.FunctionDef, name: str, queued: t.Call) -> str:
    """Which request it is, where the function takes it from a queue: what the name was bound to last before."""
    bound = [n for n in own_of(function, t.Assign) if t.dotted(n.targets[0]) == name]
    before = [n for n in bound if n.span.start < queued.span.start]
    for node in [*reversed(before), *(n for n in bound if n not in before)]:
        end = end_taken(node.value)
        if isinstance(node.value, t.Subscript) and _popped(function, node.value) is not None:
            end = "first" if literal(node.value.slice) == 0 else "last"
        if end:
            return f"; the victim is the {end} of its queue ({source.quote(node)})"
    return _taken_with_others(source, function, name)


def _taken_with_others(source: PythonSource, function: t.FunctionDef, name: str) -> str:
    """`job, batch = ordered[0]`: the first of a list, with what that is."""
    for node in own_of(function, t.Assign):
        match node:
            case t.Assign(targets=[t.Tuple(elts=elts)], value=t.Subscript(value=t.Name(id=held), slice=place)):
                end = {0: "first", -1: "last"}.get(number) if isinstance(number := literal(place), int) else None
            case _:
                continue
        if end is None or name not in [t.dotted(e) for e in elts]:
            continue
        made = assignments(function).get(held)
        where = f", where {held} = {source.quote(made)}" if made is not None else ""
        return f"; the victim is the {end} of {held} ({source.quote(node)}{where})"
    return ""


def end_taken(value: t.Expr) -> str:
    """Which end of a queue a call takes from."""
    match value:
        case t.Call(func=t.Attribute(attr="popleft"), args=[]):
            return "first"
        case t.Call(func=t.Attribute(attr="pop"), args=args) if len(args) <= 1:
            position = literal(args[0]) if args else -1
            return "first" if position == 0 else "last" if position == -1 else ""
        case _:
            return ""


def _on_the_way(function: t.FunctionDef, queued: t.Call) -> list[t.Stmt]:
    """The statements that always run with a call: none of their conditions is foreign to it."""
    held = next((guards for s, guards in statements(function) if queued in calls(s)), ())
    around = {(g.test, g.holds) for g in held}
    return [s for s, guards in statements(function) if {(g.test, g.holds) for g in guards if not g.early} <= around]


def requeued(function: t.FunctionDef) -> Iterator[tuple[t.Call, t.Call, bool | None]]:
    """Calls that put requests into a queue that outlives the method, and whether at its front, where they tell.

    With each the call that names a request: itself, or the `append` to the list that it puts there.
    """
    for call in own_calls(function):
        name = last_name(call.func)
        if not call.args or not isinstance(call.func, t.Attribute):
            continue
        if _says_so(name) and (given := _one_given(call)) is not None:
            yield call, given, None
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


def _says_so(name: str) -> bool:
    """`requeue`, `back_to_waiting`, `put_back_in_queue`: a method of a queue that takes back what came from it."""
    said = set(words(name))
    return "requeue" in said or ("back" in said and bool({"wait", "waiting", "queue", "pending"} & said))


def _one_given(call: t.Call) -> t.Call | None:
    """The call with the one request that it is given, alone or in a list."""
    match call.args:
        case [t.Name()]:
            return call
        case [t.List(elts=[t.Name() as only])]:
            return t.Call(call.func, [only], [], call.span)
        case _:
            return None


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
    if any(p.name == name for p in function.args) or removed(function, name):
        return True
    for node in own_of(function, t.Assign):
        match node:
            case t.Assign(targets=[target], value=t.Call(func=func) as call) if t.dotted(target) == name:
                return last_name(func) in ("pop", "popleft") and call is not queued and not _goes_back(call, queued)
            case t.Assign(targets=[target], value=t.Subscript() as seen) if t.dotted(target) == name:
                return _popped(function, seen) is not None
            case _:
                pass
    return False


def _goes_back(taken: t.Call, put: t.Call) -> bool:
    """Whether an element goes back to where it was, such as a free block: no request that runs gives way."""
    queues = [t.dotted(c.func.value) for c in (taken, put) if isinstance(c.func, t.Attribute)]
    return len(queues) == 2 and queues[0] is not None and queues[0] == queues[1]


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


def removed(function: t.FunctionDef | t.ClassDef, name: str) -> t.Call | None:
    """`self.running.remove(name)`, `batch.pop_request(name.id)`."""
    found = (c for c in own_calls(function) if REMOVES & set(words(last_name(c.func))[:1]) and c.args)
    return next((c for c in found if name in (t.dotted(c.args[0]), _owner_of_id(c.args[0]))), None)


def _owner_of_id(node: t.Expr) -> str | None:
    """`job` of `job.id`, `job.request_id`."""
    return t.dotted(node.value) if isinstance(node, t.Attribute) and words(node.attr)[-1:] == ("id",) else None


def resets_count(node: t.Node, name: str | None) -> bool:
    """`request.computed = 0`: what was computed counts no more; of anything where no name is given."""
    match node:
        case (
            t.Assign(targets=[t.Attribute(value=owner, attr=attr)], value=t.Constant(value=0))
            | t.Assign(
                targets=[t.Subscript(value=t.Attribute(value=owner, attr=attr), slice=t.Slice())],
                value=t.Constant(value=0),
            )
        ):
            counts = {"computed", "cached", "prefilled", "processed", "filled", "kv"} & set(words(attr))
            return bool(counts) and (name is None or t.dotted(owner) == name)
        case _:
            return False


def root(node: t.Expr) -> str | None:
    return (t.dotted(node) or "").partition(".")[0] or None


def receiver(call: t.Call) -> str | None:
    return root(call.func)
