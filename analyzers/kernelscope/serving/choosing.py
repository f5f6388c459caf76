"""Which request is chosen next where arrival does not say it: the least of what waits, or queues in levels.

What levels are is said by how they are gone through, not by their names; who is moved between them by its own calls.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import assignments, guards_text, last_name, own, own_calls, own_of, statements
from kernelscope.serving.pieces import by_function
from kernelscope.serving.preemption import removed
from kernelscope.serving.queues import REQUESTS
from kernelscope.serving.sections import hits, words
from kernelscope.serving.victims import chosen, is_given_up
from kernelscope.syntax.python import tree as t

TAKES = {"pop", "popleft", "pop_front", "pop_first", "get", "get_nowait", "dequeue", "take"}
LEVELS = {"priority", "level"}
"""Words of what says in which of several queues a request stands."""
CHOOSES = {"choose", "select", "kind", "type", "pick"}
MOST_CHOSEN = 8
TIMES = {"time", "now", "age", "wait", "waited", "waiting", "elapsed", "step", "starvation", "quantum", "deadline"}


def choices(source: PythonSource) -> Iterator[Claim]:
    """What one file says of the request that is chosen next, and of those that are moved to another level."""
    if source.aside:
        return
    yield from _least(source)
    yield from _policies(source)
    yield from _levels(source)
    yield from _gone_through_by_level(source)
    yield from _moved_between_levels(source)


@by_function
def _least(source: PythonSource) -> Iterator[Claim]:
    """`first = min(self.inbox, key=…)`, taken out of the queue and returned or handed on."""
    for scope in source.module.functions():
        known = assignments(scope.node)
        for name, call, at_most in chosen(scope.node):
            key = next((k.value for k in call.keywords if k.arg == "key"), None)
            taken = removed(scope.node, name) if key is not None else None
            if key is None or taken is None or not call.args or is_given_up(scope, name):
                continue
            queue = call.args[0]
            origin = known.get(queue.id, queue) if isinstance(queue, t.Name) else queue
            said = source.quote(origin)
            is_queue = bool((REQUESTS | {"queue", "queues"}) & set(words(said)))
            if not is_queue or not hits("serving.scheduling", f"{source.path.parent.name} {source.path.stem}"):
                continue
            order = "largest" if at_most else "smallest"
            value = (
                f"policy by rank, not by arrival: of {said} the element with the {order} {source.quote(key)} is taken "
                f"next ({source.quote(call)})"
            )
            yield Claim(f"{scope.qualified_name} order", value, (source.at(call), source.at(taken)))


@by_function
def _policies(source: PythonSource) -> Iterator[Claim]:
    """`if self.policy == P.LPM and len(queue) > 128: return P.FCFS`: which policy is in force when."""
    if not hits("serving.scheduling", source.path.stem):
        return
    for scope in source.module.functions():
        name = set(words(scope.qualified_name.rpartition(".")[2]))
        if not ({"policy", "policies"} & name or ("scheduler" in name and CHOOSES & name)):
            continue
        given = [
            (s.value, guards) for s, guards in statements(scope.node)
            if isinstance(s, t.Return) and isinstance(s.value, t.Attribute | t.Name)
        ]  # fmt: skip
        under = [(value, guards_text(source, guards)) for value, guards in given]
        chosen = [f"{source.quote(value)} if {' and '.join(tests)}" for value, tests in under if tests]
        if chosen and len({t.dotted(value) for value, _ in given}) > 1:
            rest = [source.quote(value) for value, tests in under if not tests]
            said = f"policy by {scope.qualified_name}: {'; '.join(chosen[:MOST_CHOSEN])}"
            said += f"; else {rest[-1]}" if rest else ""
            places = (*(source.at(v) for v, _ in given[:MOST_CHOSEN]), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} policy", said, places)


@by_function
def _levels(source: PythonSource) -> Iterator[Claim]:
    """`for level in range(len(self.queues)): if len(self.queues[level]) > 0: return self.queues[level].popleft()`."""
    for scope in source.module.functions():
        for loop in own_of(scope.node, t.For):
            if (found := _first_filled(loop)) is None:
                continue
            queues, taken = found
            put = _put_by_level(scope.owner or scope.node, queues)
            value = (
                f"policy: {queues} holds several queues, one a level; the first that is not empty is served first "
                f"({source.quote(taken)})"
            )
            value += f"; an element joins the level that it says itself ({source.quote(put)})" if put else ""
            places = (source.at(loop), source.at(taken), *((source.at(put),) if put else ()))
            yield Claim(f"{scope.qualified_name} order", value, places)


@by_function
def _gone_through_by_level(source: PythonSource) -> Iterator[Claim]:
    """`for queue in reversed(self.queues): if queue: …`, where an element joins the queue at an index of its own."""
    for scope in source.module.functions():
        for loop in own(scope.node) if scope.owner is not None else ():
            match loop:
                case t.For(iter=t.Call(func=t.Name(id="reversed"), args=[many])):
                    order = "from the last to the first"
                case t.For(iter=t.Attribute() as many):
                    order = "from the first on"
                case _:
                    continue
            queues = t.dotted(many) or ""
            put = _put_by_level(scope.owner or scope.node, queues)
            asks = any(isinstance(s, t.If) and _asks_for_any(s.test, loop.target) for s in loop.body)
            if put is None or not asks or not REQUESTS & set(words(queues)):
                continue
            assert isinstance(put.func, t.Attribute) and isinstance(put.func.value, t.Subscript)
            value = (
                f"policy: {queues} holds several queues, one a level, that {scope.qualified_name} goes through "
                f"{order}; an element joins level {source.quote(put.func.value.slice)} ({source.quote(put)})"
            )
            yield Claim(
                f"{scope.qualified_name} order", value, (source.at(put), source.at(loop), source.at(scope.node))
            )


def _first_filled(loop: t.For) -> tuple[str, t.Call] | None:
    """The queues that a loop goes through from the first on, and the call that takes of the first that is not empty."""
    match loop:
        case t.For(
            target=t.Name(id=name),
            iter=t.Call(func=t.Name(id="range"), args=[t.Call(func=t.Name(id="len"), args=[many])]),
            body=[t.If(test=test, body=[t.Return(value=t.Call(func=t.Attribute(value=held, attr=attr)) as taken)])],
        ) if attr in TAKES:
            is_level = isinstance(held, t.Subscript) and t.dotted(held.slice) == name
            queues = t.dotted(held.value) if isinstance(held, t.Subscript) and is_level else None
            return (queues, taken) if queues and queues == t.dotted(many) and _asks_for_any(test, held) else None
        case t.For(
            target=t.Name(id=name),
            iter=many,
            body=[t.If(test=test, body=[t.Return(value=t.Call(func=t.Attribute(value=held, attr=attr)) as taken)])],
        ) if attr in TAKES and t.dotted(held) == name and _asks_for_any(test, held):
            queues = t.dotted(many)
            return (queues, taken) if queues is not None and "." in queues else None
        case _:
            return None


def _asks_for_any(test: t.Expr, queue: t.Expr) -> bool:
    """`queue`, `len(queue)`, `len(queue) > 0`."""
    asked = test.left if isinstance(test, t.Compare) else test
    if isinstance(asked, t.Call) and t.dotted(asked.func) == "len" and asked.args:
        asked = asked.args[0]
    if isinstance(asked, t.Subscript) and isinstance(queue, t.Subscript):
        return t.dotted(asked.value) == t.dotted(queue.value) and t.dotted(asked.slice) == t.dotted(queue.slice)
    return t.dotted(asked) is not None and t.dotted(asked) == t.dotted(queue)


def _put_by_level(around: t.ClassDef | t.FunctionDef, queues: str) -> t.Call | None:
    """`self.queues[letter.level].append(letter)`: the element itself says where it goes."""
    functions = around.methods() if isinstance(around, t.ClassDef) else [around]
    for call in (c for f in functions for c in own_calls(f)):
        match call:
            case t.Call(func=t.Attribute(value=t.Subscript(value=held, slice=level)), args=[given]):
                said = (n for n in t.walk(level) if isinstance(n, t.Name))
                if t.dotted(held) == queues and any(n.id == t.dotted(given) for n in said):
                    return call
            case _:
                pass
    return None


@by_function
def _moved_between_levels(source: PythonSource) -> Iterator[Claim]:
    """`letter.set_level(letter.level + 1)` under a test of time, and `letter.set_level(0)` of those that waited."""
    for scope in source.module.functions():
        taken = {c.span.start for c in own_calls(scope.node) if last_name(c.func) in TAKES}
        asked = [n for n in own_of(scope.node, t.Compare) if TIMES & set(words(source.quote(n)))]
        for statement, guards in statements(scope.node):
            if not (step := _level_of(statement)):
                continue
            timed = [g.test for g in guards if TIMES & set(words(source.quote(g.test)))]
            if step == "next" and timed:
                value = (
                    f"order in levels: a request that ran too long is moved to the next one "
                    f"({source.quote(statement)}) if {source.quote(timed[-1])}"
                )
                places = (source.at(statement), source.at(timed[-1]), source.at(scope.node))
                yield Claim(f"{scope.qualified_name} order", value, places)
            elif step == "first" and taken and asked:
                value = (
                    f"fairness: against starvation, a request for which {source.quote(asked[0])} is moved to the first "
                    f"level again ({source.quote(statement)})"
                )
                places = (source.at(statement), source.at(asked[0]), source.at(scope.node))
                yield Claim(f"{scope.qualified_name} fairness", value, places)


def _level_of(statement: t.Stmt) -> str:
    """Where a statement moves a request: to the `next` level, to the `first`, or nowhere."""
    match statement:
        case t.AugAssign(target=t.Attribute(attr=name), op="+", value=t.Constant(value=1)):
            return "next" if LEVELS & set(words(name)) else ""
        case t.Assign(targets=[t.Attribute(value=owner, attr=name)], value=given) if t.dotted(owner) != "self":
            pass
        case t.ExprStmt(value=t.Call(func=t.Attribute(attr=name), args=[given])) if name.startswith("set"):
            pass
        case _:
            return ""
    if not LEVELS & set(words(name)):
        return ""
    match given:
        case t.Constant(value=0):
            return "first"
        case t.BinOp(left=before, op="+", right=t.Constant(value=1)):
            said = before.func if isinstance(before, t.Call) else before
            return "next" if LEVELS & set(words(last_name(said))) else ""
        case _:
            return ""
