"""Requests that move from one queue to another: where no status field says a request's state, its queue does.

A move takes an element out of a queue and puts the same element into another one in one function, by the operations of
containers (`self.waiting.remove(seq)`, `self.running.append(seq)`) or by methods of one object that say which queue
they mean (`queue.remove_waiting(seq.id)`, `queue.add_running(seq)`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.results import Location
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.guards import (
    Guard,
    assignments,
    calls,
    guards_text,
    last_name,
    own_calls,
    own_of,
    repeated_while,
    statements,
)
from kernelscope.serving.pieces import by_function
from kernelscope.serving.queues import OVER, REQUESTS
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

TAKES = {"pop", "popleft", "get", "get_nowait", "popitem", "heappop"}
PUTS = {"append", "appendleft", "add", "put", "put_nowait", "push", "insert"}
VERBS = {"remove": False, "pop": False, "take": False, "dequeue": False, "add": True, "push": True, "put": True,
         "enqueue": True}  # fmt: skip
"""The first words of methods that say which queue they mean, with whether they put."""
STANDING = REQUESTS | {"queued", "prefilling", "decoding", "generating", "suspended", "paused", "unaccepted"}
"""Words of where a request stands; a weak hint that what moves is one."""
PARTS = {"trans", "transfer", "notify", "message", "msg", "page", "block", "chunk", "worker", "node", "adapter"}
"""Words of what else moves between queues."""
ENDS = {"sync_q", "async_q", "queue", "deque"}
"""Names of the queue within what stands for one."""


@dataclass(frozen=True, slots=True)
class Move:
    """What `where` takes from the queue `source` and puts into `target`, under `condition`."""

    element: str
    source: str
    target: str
    where: str
    condition: str
    location: Location
    taken_at: Location

    @property
    def text(self) -> str:
        guard = f" if {self.condition}" if self.condition else ""
        return f"a request ({self.element}) moves from {self.source} to {self.target} in {self.where}{guard}"


@dataclass(frozen=True, slots=True)
class _Step:
    """An element that is taken from, or put into, a queue of an object."""

    element: str
    queue: str
    guards: tuple[Guard, ...]
    place: int
    node: t.Expr


@by_function
def moves(source: PythonSource) -> Iterator[Move]:
    """The moves of a file, in source order."""
    if source.aside:
        return
    for scope in source.module.functions():
        known = _identifiers(scope.node)
        held = assignments(scope.node)
        handed = _handed_on(scope.node)
        taken: list[_Step] = _gone_through(scope.node)
        put: list[_Step] = []
        for place, (statement, guards) in enumerate(statements(scope.node)):
            taken += _peeked(scope.node, statement, guards, place)
            for call in calls(statement):
                if not isinstance(call.func, t.Attribute):
                    continue
                func = _on_what_it_holds(call.func, held)
                taken += _taken(statement, call, func, known, guards, place)
                put += _put(call, func, known, guards, place, handed)
        bound = _bound(scope.node)
        for last in put:
            before = [
                s for s in taken
                if s.element == last.element and s.place <= last.place and not _is_another(bound, s, last)
            ]  # fmt: skip
            first = next((s for s in reversed(before) if _run_together(s.guards, last.guards)), None)
            if first is not None and first.queue != last.queue and _is_request(first, last):
                loop = repeated_while(scope.node, last.node)
                loops = (loop,) if loop is not None and not _only_asks(source, loop.test, first.queue) else ()
                condition = " and ".join(guards_text(source, (*loops, *last.guards)))
                places = (source.at(last.node), source.at(first.node))
                yield Move(last.element, first.queue, last.queue, scope.qualified_name, condition, *places)


def _only_asks(source: PythonSource, test: t.Expr, queue: str) -> bool:
    """Whether the test of a loop asks no more than whether a queue holds anything."""
    return source.quote(test) in (queue, f"len({queue}) > 0", f"len({queue}) != 0", f"not {queue}.empty()")


def _bound(function: t.FunctionDef | t.ClassDef) -> dict[str, list[int]]:
    """Where a function binds each name, but for bindings that make it from itself."""
    found: dict[str, list[int]] = {}
    for node in own_of(function, t.Assign, t.For):
        match node:
            case t.For(target=t.Name(id=name), iter=gone_through):
                found.setdefault(name, []).append(gone_through.span.end)
            case t.Assign(targets=[t.Name(id=name)], value=value):
                if not any(isinstance(n, t.Name) and n.id == name for n in t.walk(value)):
                    found.setdefault(name, []).append(node.span.end)
            case _:
                pass
    return found


def _is_another(bound: dict[str, list[int]], first: _Step, last: _Step) -> bool:
    """Whether the name is bound anew between where an element is taken and where one is put."""
    taken, put = first.node.span.end, last.node.span.start
    return any(taken < place <= put for place in bound.get(last.element, ()) if place > taken + 1)


def _on_what_it_holds(func: t.Attribute, held: dict[str, t.Expr]) -> t.Attribute:
    """`queue.put` where `queue = self.queues[i]` is that queue's method."""
    owner = held.get(func.value.id) if isinstance(func.value, t.Name) else None
    is_queue = isinstance(owner, t.Attribute | t.Subscript)
    return t.Attribute(owner, func.attr, func.attr_span, func.span) if is_queue else func


def _taken(
    statement: t.Stmt, call: t.Call, func: t.Attribute, known: dict[str, str], guards: tuple[Guard, ...], place: int
) -> Iterator[_Step]:
    meant = _meant(func, puts=False)
    if func.attr in TAKES and isinstance(statement, t.Assign) and statement.value is call:
        element, queue = t.dotted(statement.targets[0]), _kept(func.value)
    elif func.attr == "remove" and call.args:
        element, queue = _element(call.args[0], known), _kept(func.value)
    elif meant and call.args:
        element, queue = _element(call.args[0], known), meant
    else:
        return
    if element and queue:
        yield _Step(element, queue, guards, place, call)


def _put(
    call: t.Call, func: t.Attribute, known: dict[str, str], guards: tuple[Guard, ...], place: int,
    handed: dict[str, str],
) -> Iterator[_Step]:  # fmt: skip
    if not call.args:
        return
    given = call.args[-1]
    if func.attr in PUTS:  # a list of identifiers only tells of requests
        queue = _kept(func.value) or handed.get(t.dotted(func.value) or "", "")
        element = t.dotted(given) if _element(given, known) == t.dotted(given) else ""
    else:
        queue, element = _meant(func, puts=True), _element(given, known)
    if element and queue:
        yield _Step(element, queue, guards, place, call)


def _handed_on(function: t.FunctionDef | t.ClassDef) -> dict[str, str]:
    """Lists of a function whose elements all go into one queue of an object: `self.running.extend(chosen)`."""
    found: dict[str, set[str]] = {}
    for call in own_calls(function):
        match call:
            case t.Call(func=t.Attribute(value=queue, attr="extend" | "extendleft"), args=[t.Name(id=name)]):
                found.setdefault(name, set()).add(_kept(queue))
            case _:
                pass
    return {name: next(iter(queues)) for name, queues in found.items() if len(queues) == 1}


def _kept(node: t.Expr) -> str:
    """The queue of an object: `self.waiting`, or one of several: `self.batches[i]`, `self.batch.requests`."""
    is_one = isinstance(node, t.Subscript)
    name = t.dotted(node.value if isinstance(node, t.Subscript) else node) or ""
    return (f"{name}[…]" if is_one else name) if "." in name else ""


def _meant(func: t.Attribute, puts: bool) -> str:
    """The queue that a method's name says: `queue.add_running` is `queue.running`, `self.batch.add_request` itself."""
    verb, *rest = func.attr.split("_")
    if not any(rest) or VERBS.get(verb) is not puts:
        return ""
    if {*rest} <= {"request", "req", "sequence", "seq", "job", "task"}:
        return _kept(func.value)
    owner = t.dotted(func.value)
    return f"{owner}.{'_'.join(rest)}" if owner else ""


def _element(node: t.Expr, known: dict[str, str]) -> str:
    """The name of what is moved; its identifier stands for it (`number = seq.id`, `seq.id`)."""
    name = t.dotted(node) or ""
    owner, _, attr = known.get(name, name).rpartition(".")
    return owner if owner and _is_identifier(attr) else name


def _is_identifier(name: str) -> bool:
    return bool({"id", "sid", "rid", "ids"} & set(words(name)))


def _identifiers(function: t.FunctionDef | t.ClassDef) -> dict[str, str]:
    """Names that hold the identifier of something, with it: `number = seq.id`."""
    found: dict[str, set[str]] = {}
    for statement, _ in statements(function):
        match statement:
            case t.Assign(targets=[t.Name(id=name)], value=value):
                found.setdefault(name, set()).add(t.dotted(value) or "")
            case _:
                pass
    return {name: next(iter(held)) for name, held in found.items() if len(held) == 1 and "." in next(iter(held))}


def _peeked(
    function: t.FunctionDef | t.ClassDef, statement: t.Stmt, guards: tuple[Guard, ...], place: int
) -> Iterator[_Step]:
    """`seq = self.waiting[0]`, where the function then drops the first of that queue."""
    match statement:
        case (
            t.Assign(targets=[t.Name(id=element)], value=t.Subscript(value=queue, slice=t.Constant(value=0)) as node)
            | t.AnnAssign(target=t.Name(id=element), value=t.Subscript(value=queue, slice=t.Constant(value=0)) as node)
        ) if any(
            last_name(c.func) in TAKES and isinstance(c.func, t.Attribute) and t.dotted(c.func.value) == t.dotted(queue)
            for c in own_calls(function)
        ):
            if name := _kept(queue):
                yield _Step(element, name, guards, place, node)
        case _:
            pass


def _gone_through(function: t.FunctionDef | t.ClassDef) -> list[_Step]:
    """Elements of a batch that was taken from a queue: `batch = self.sent.popleft()`, `for seq in batch`."""
    found: list[_Step] = []
    batches = {
        name: kept
        for name, value in assignments(function).items()
        if isinstance(value, t.Call) and isinstance(value.func, t.Attribute)
        and value.func.attr in TAKES and (kept := _kept(value.func.value))
    }  # fmt: skip
    for loop in own_of(function, t.For):
        counted = loop.iter.args[0] if isinstance(loop.iter, t.Call) and loop.iter.args else loop.iter
        target = loop.target.elts[-1] if isinstance(loop.target, t.Tuple) and loop.target.elts else loop.target
        if (kept := batches.get(t.dotted(counted) or "")) and (element := t.dotted(target)):
            found.append(_Step(element, kept, (), 0, loop.iter))
    return found


def _run_together(one: tuple[Guard, ...], other: tuple[Guard, ...]) -> bool:
    """Whether the second runs wherever the first did, or asks more only."""
    asked = {(g.test, g.holds) for g in other}
    return all((g.test, g.holds) in asked for g in one if not g.early)


def _is_request(first: _Step, last: _Step) -> bool:
    queues, element = {*words(first.queue), *words(last.queue)}, {*words(last.element)}
    is_other = PARTS & element or "free" in queues or OVER & {*words(last_part(first.queue))}
    return bool(STANDING & (queues | element)) and not is_other


def last_part(queue: str) -> str:
    """`waiting` of `self.queue.waiting[…]`, also of `self.waiting.sync_q`, which is one of its ends."""
    owner, _, last = queue.removesuffix("[…]").rpartition(".")
    return owner.rpartition(".")[2] if last in ENDS and "." in owner else last
