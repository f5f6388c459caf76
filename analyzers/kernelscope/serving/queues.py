"""What classes keep in queues and how they move it: which ends they take from and put to, and what elements compare by.

Everything follows from the container's own operations (`popleft`, `append`, `heappush`); names are only quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from kernelscope.results import Location
from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.guards import calls, held_names, inside, last_name, own_of
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

TAKE_FRONT, TAKE_BACK, PUT_BACK, PUT_FRONT = "take front", "take back", "put back", "put front"
SORTED = "sort"
OPERATIONS = {"popleft": TAKE_FRONT, "append": PUT_BACK, "extend": PUT_BACK, "appendleft": PUT_FRONT,
              "extendleft": PUT_FRONT, "put": PUT_BACK, "put_nowait": PUT_BACK, "get": TAKE_FRONT,
              "get_nowait": TAKE_FRONT}  # fmt: skip
REQUESTS = {"waiting", "pending", "running", "ready", "active", "swapped", "prefill", "prefills", "decode", "todo",
            "job", "jobs", "req", "reqs", "request", "requests", "seq", "seqs", "sequence", "sequences",
            "preempted"}  # fmt: skip
"""Words of what waits for its turn; a weak hint beside elements that move from queue to queue."""
OVER = {"finished", "completed", "done", "free", "freed", "frees", "ack", "notif", "notifs", "event", "events", "dump",
        "log", "failed", "results", "history", "stopped", "ignored", "infeasible", "abort", "aborted"}  # fmt: skip
"""Words of what is over: its order serves nobody."""
ITERATION = {"__iter__", "__next__", "__aiter__", "__anext__"}
"""Methods by which a caller gets one answer after the other: what they take waits for no turn."""
STREAMS = {"stream", "streams", "event", "events"}
"""Words of a device's own things that are handed out and come back as ids do, and hold no memory of requests."""
ITSELF = "self"
"""The name of a queue that is the object of the class."""
SIDES = {"sync_q", "async_q"}
"""The two sides of a queue between threads and coroutines (janus)."""
CONTAINERS = {"deque", "list", "Queue", "PriorityQueue", "SimpleQueue"}
_NAMED = re.compile(r"[\w.]*")
"""An element that is a name: what is made for the queue alone is no request."""
ON_TOP = "top"
"""How a queue gives elements that has an order of its own: the one on top."""
HEAP = {"heappush": "put by priority", "heappop": "take least", "heapify": "order by priority"}


@dataclass(frozen=True, slots=True)
class Use:
    """One operation on a queue: what it does, in which method, on what element."""

    operation: str
    method: str
    element: str
    location: Location
    given: str = ""
    """The function that a taken element is given to."""
    how: str = ""
    """The method or slice that does it."""


@dataclass(slots=True)
class Queue:
    """An attribute of a class that holds elements in order; `made` is the source of its initial value."""

    owner: str
    name: str
    made: str
    location: Location
    holds_ids: bool = False
    is_many: bool = False
    """Whether the attribute holds several such queues: `[Queue() for worker in workers]`."""
    holds_requests: bool = False
    """Whether its elements wait for their turn: they move on to another queue of the class, or their name says so."""
    uses: list[Use] = field(default_factory=list[Use])
    rank: str = ""
    """What the elements of a heap compare by."""
    ranked_at: tuple[Location, ...] = ()

    @property
    def shown(self) -> str:
        """The queue with its class: `Engine.waiting`, `Engine.rows[…]`, or the class that is one."""
        own = f".{self.name}" if self.name != ITSELF else ""
        return f"{self.owner}{own}[…]" if self.is_many else f"{self.owner}{own}"

    def of(self, *operations: str) -> list[Use]:
        return [use for use in self.uses if use.operation in operations]


def queues(source: PythonSource) -> Iterator[Queue]:
    """The queues of every class of a file that are both filled and taken from."""
    for scope in source.module.classes():
        if not isinstance(scope.node, t.ClassDef):
            continue
        made = _containers(source, scope.node)
        for method in scope.node.methods() if made else ():
            given = _receivers(method)
            held = _Held(made, held_names(method, scope.node))
            for node in inside(method):
                _record(source, node, method, held, given)
            copied = _copies(method)
            for queue in made.values() if copied else ():
                queue.uses = [u for u in queue.uses if u.method != method.name or u.element not in copied]
        for queue in made.values():
            if queue.uses:
                queue.holds_requests = _holds_requests(queue, made.values())
                if queue.of(*HEAP.values()):
                    queue.rank, queue.ranked_at = _rank(source)
                yield queue


def _copies(method: t.FunctionDef) -> set[str]:
    """Names of copies: the rest of a request that waits again is not the request itself."""
    return {
        node.targets[0].id for node in inside(method)
        if isinstance(node, t.Assign) and isinstance(node.targets[0], t.Name) and isinstance(node.value, t.Call)
        and last_name(node.value.func) in ("copy", "deepcopy")
    }  # fmt: skip


class _Held:
    """Which queue of the class an expression of one method is: `self.jobs`, `self.jobs[i]`, or a name bound to one."""

    def __init__(self, made: dict[str, Queue], bound: dict[str, t.Expr]) -> None:
        self._made = made
        self._bound = bound

    def get(self, node: t.Expr) -> Queue | None:
        if isinstance(node, t.Name):
            if node.id == "self":
                return self._made.get(ITSELF)
            node = self._bound.get(node.id, node)
        if isinstance(node, t.Attribute) and node.attr in SIDES:
            node = node.value
        is_element = isinstance(node, t.Subscript)
        queue = self._made.get(_attribute(node.value if isinstance(node, t.Subscript) else node))
        return queue if queue is not None and queue.is_many == is_element else None


def iterated(iterated: t.Expr) -> str | None:
    """The queue that a loop goes through, also by a copy: `self.q`, `self.q.copy()`, `list(self.q)`, `self.q[:]`."""
    match iterated:
        case t.Call(func=t.Attribute(value=queue, attr="copy"), args=[]):
            return t.dotted(queue)
        case t.Call(func=t.Name(id="list" | "tuple"), args=[queue]):
            return t.dotted(queue)
        case t.Subscript(value=queue, slice=t.Slice(lower=None, upper=None)):
            return t.dotted(queue)
        case _:
            return t.dotted(iterated)


def _rank(source: PythonSource) -> tuple[str, tuple[Location, ...]]:
    """What instances of the only class of the file that has an order compare by: `__lt__`, `dataclass(order=True)`."""
    found: list[tuple[str, tuple[Location, ...]]] = []
    for scope in source.module.classes():
        for decorator in scope.node.decorator_list:
            match decorator:
                case t.Call(keywords=keywords) if any(k.arg == "order" and literal(k.value) is True for k in keywords):
                    fields = [s for s in scope.node.body if isinstance(s, t.AnnAssign) and _is_compared(s.value)]
                    names = ", then ".join(source.quote(s.target) for s in fields)
                    found.append((f"the {names} of {scope.node.name}", tuple(source.at(s) for s in fields[:4])))
                case _:
                    pass
        for method in scope.node.body:
            if isinstance(method, t.FunctionDef) and method.name == "__lt__":
                said = [n.value for n in own_of(method, t.Return) if n.value is not None]
                found += [(source.quote(value), (source.at(value),)) for value in said[:1]]
    return found[0] if len(found) == 1 else ("", ())


def _is_compared(value: t.Expr | None) -> bool:
    given = value.keywords if isinstance(value, t.Call) else []
    return not any(k.arg == "compare" and literal(k.value) is False for k in given)


BARE = {"queue", "queues", "q", "items", "data", "list", "deque"}
"""Words of names that say no more than that something is kept: its class says what."""


def _holds_requests(queue: Queue, others: Iterable[Queue]) -> bool:
    """Whether what is taken from the queue is put into another one in the same method, or names speak of requests."""
    if any(use.method in ITERATION for use in queue.of(TAKE_FRONT, TAKE_BACK)):
        return False
    named = words(queue.owner if queue.name == ITSELF or {*words(queue.name)} <= BARE else queue.name)
    if OVER & set(named):
        return False
    serves = bool({"server", "scheduler", "engine"} & set(words(queue.owner)))
    if (REQUESTS | {"task", "tasks"} if serves or queue.of(*HEAP.values()) else REQUESTS) & {
        *named, *(w for use in queue.uses if _NAMED.fullmatch(use.element) for w in words(use.element))
    }:  # fmt: skip
        return True
    taken = {(use.method, use.given) for use in queue.of(TAKE_FRONT, TAKE_BACK) if use.given}
    return any(
        other is not queue and (use.method, use.element) in taken
        for other in others
        for use in other.of(PUT_BACK, PUT_FRONT)
    )


def _containers(source: PythonSource, cls: t.ClassDef) -> dict[str, Queue]:
    """Attributes that the class initialises with a list, deque, queue or heap; itself where it derives from one."""
    found: dict[str, Queue] = {}
    for base in cls.bases:
        kind = base.value if isinstance(base, t.Subscript) else base
        if (t.dotted(kind) or "").rpartition(".")[2] == "deque":
            found[ITSELF] = Queue(cls.name, ITSELF, source.quote(base), source.at(cls))
    for method in cls.methods():
        for node in inside(method):
            match node:
                case t.Assign(targets=[t.Attribute(value=t.Name(id="self"), attr=name)], value=value):
                    pass
                case t.AnnAssign(target=t.Attribute(value=t.Name(id="self"), attr=name), value=value):
                    pass
                case _:
                    continue
            if value is None or name in found:
                continue
            if (element := _element(value)) is not None:
                found[name] = Queue(cls.name, name, source.quote(element), source.at(node), is_many=True)
            elif _is_container(value):
                ids = any(isinstance(n, t.Name) and n.id in ("range", "arange") for n in t.walk(value))
                found[name] = Queue(cls.name, name, source.quote(value), source.at(node), ids)
    for statement in cls.body:
        if isinstance(statement, t.AnnAssign) and isinstance(statement.target, t.Name) and statement.value is not None:
            annotation = t.dotted(statement.annotation) or source.quote(statement.annotation)
            if annotation.split("[")[0].rpartition(".")[2].lower() in ("list", "deque", "queue"):
                name = statement.target.id
                found.setdefault(name, Queue(cls.name, name, source.quote(statement.value), source.at(statement)))
    for name in _filled_by_numbers(cls):
        if name in found and not STREAMS & set(words(name)):
            found[name].holds_ids = True
    return found


def _filled_by_numbers(cls: t.ClassDef) -> Iterator[str]:
    """Attributes that the constructor fills in a loop over a range: one element a block, page or slot."""
    for method in cls.methods():
        if method.name != "__init__":
            continue
        for loop in own_of(method, t.For, t.ListComp):
            match loop:
                case t.For(iter=t.Call(func=t.Name(id="range")), target=number, body=body):
                    filled = [c for s in body for c in calls(s)]
                case t.ListComp(generators=[t.Comprehension(iter=t.Call(func=t.Name(id="range")), target=number)]):
                    filled = calls(loop)
                case _:
                    continue
            for c in filled:
                match c:
                    case t.Call(func=t.Attribute(value=held, attr="append")):
                        yield _attribute(held)
                    case t.Call(func=t.Attribute(value=held, attr="put"), args=[given]) if t.dotted(given) == t.dotted(
                        number
                    ):
                        yield _attribute(held.value if isinstance(held, t.Subscript) else held)
                    case _:
                        pass


def _element(value: t.Expr) -> t.Expr | None:
    """The queue that a list or dictionary holds several of."""
    match value:
        case t.ListComp(elt=element) | t.DictComp(value=element) if _is_container(element):
            return element
        case _:
            return None


def _is_container(value: t.Expr) -> bool:
    match value:
        case t.List() | t.ListComp():
            return True
        case t.Call(func=func):
            return (t.dotted(func) or "").rpartition(".")[2] in CONTAINERS
        case _:
            return False


def _record(source: PythonSource, node: t.Node, method: t.FunctionDef, held: _Held, given: dict[t.Node, str]) -> None:
    if isinstance(node, t.Assign | t.AugAssign):
        _record_slice(source, node, method, held)
    if not isinstance(node, t.Call):
        return
    last = last_name(node.func)
    if last in HEAP and node.args and (queue := held.get(node.args[0])) is not None:
        element = source.quote(node.args[1]) if len(node.args) > 1 else ""
        queue.uses.append(Use(HEAP[last], method.name, element, source.at(node)))
        return
    if not isinstance(node.func, t.Attribute) or (queue := held.get(node.func.value)) is None:
        return
    element = source.quote(node.args[0]) if node.args else ""
    if last in HEAP:
        queue.uses.append(Use(HEAP[last], method.name, element, source.at(node), how=ON_TOP))
        return
    if last == "insert" and len(node.args) == 2 and literal(node.args[0]) == 0:
        queue.uses.append(Use(PUT_FRONT, method.name, source.quote(node.args[1]), source.at(node), how=last))
        return
    if last == "sort" and (key := next((k.value for k in node.keywords if k.arg == "key"), None)) is not None:
        queue.uses.append(Use(SORTED, method.name, source.quote(key), source.at(node)))
        return
    if last == "pop":
        position = literal(node.args[0]) if node.args else -1
        if position not in (0, -1):
            return
        operation = TAKE_FRONT if position == 0 else TAKE_BACK
        written = source.text.slice(node.func.attr_span)
        queue.uses.append(Use(operation, method.name, "", source.at(node), given.get(node, ""), written))
    elif last in OPERATIONS:
        operation = OPERATIONS[last]
        if queue.made.partition("(")[0].rpartition(".")[2] == "PriorityQueue":
            operation = HEAP["heappush"] if operation == PUT_BACK else HEAP["heappop"]
        written = source.text.slice(node.func.attr_span)
        queue.uses.append(Use(operation, method.name, element, source.at(node), given.get(node, ""), written))


def _record_slice(source: PythonSource, node: t.Assign | t.AugAssign, method: t.FunctionDef, held: _Held) -> None:
    """`free = free[n:]` takes from the front of a free list, `free[:-n]` from its back, `free += ids` gives back."""
    match node:
        case t.Assign(targets=[t.Attribute() as target], value=t.Subscript(value=cut, slice=t.Slice() as part)) if (
            t.dotted(target) == t.dotted(cut)
        ):
            if part.upper is None and part.lower is not None:
                operation = TAKE_FRONT
            elif part.lower is None and (isinstance(part.upper, t.UnaryOp) or _rest_taken(method, cut, part.upper)):
                operation = TAKE_BACK
            else:
                return
            how = source.quote(node.value)
        case t.AugAssign(target=t.Attribute() as target, op="+"):
            operation, how = PUT_BACK, f"+= {source.quote(node.value)}"
        case _:
            return
    queue = held.get(target)
    if queue is not None and queue.holds_ids:
        queue.uses.append(Use(operation, method.name, "", source.at(node), how=how))


def _rest_taken(method: t.FunctionDef, cut: t.Expr, at: t.Expr | None) -> bool:
    """Whether what stands behind a place is taken elsewhere: `taken = free[i:]` beside `free = free[:i]`."""
    return isinstance(at, t.Name) and any(
        isinstance(n, t.Subscript)
        and t.dotted(n.value) == t.dotted(cut)
        and isinstance(n.slice, t.Slice)
        and n.slice.upper is None
        and t.dotted(n.slice.lower or n) == at.id
        for n in inside(method)
    )


def _receivers(method: t.FunctionDef) -> dict[t.Node, str]:
    """What takes the result of a call: the name that it is bound to, or the function that it is given to."""
    found: dict[t.Node, str] = {}
    for node in inside(method):
        match node:
            case t.Assign(targets=[target], value=t.Call() as value):
                found[value] = t.dotted(target) or ""
            case t.Call(func=func, args=args):
                found.update((a, t.dotted(func) or "") for a in args if isinstance(a, t.Call))
            case _:
                pass
    return found


def _attribute(node: t.Expr) -> str:
    return node.attr if isinstance(node, t.Attribute) and t.dotted(node.value) == "self" else ""
