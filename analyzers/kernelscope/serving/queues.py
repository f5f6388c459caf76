"""What classes keep in queues and how they move it: order of service, requeueing, victims, free lists.

Everything follows from the container's own operations (`popleft`, `append`, `heappush`); names are only quoted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from kernelscope.results import Location
from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.guards import assignments, calls, held_names, inside, last_name, own
from kernelscope.serving.sections import hits, words
from kernelscope.syntax.python import tree as t

TAKE_FRONT, TAKE_BACK, PUT_BACK, PUT_FRONT = "take front", "take back", "put back", "put front"
SORTED = "sort"
OPERATIONS = {"popleft": TAKE_FRONT, "append": PUT_BACK, "extend": PUT_BACK, "appendleft": PUT_FRONT,
              "extendleft": PUT_FRONT, "put": PUT_BACK, "put_nowait": PUT_BACK, "get": TAKE_FRONT,
              "get_nowait": TAKE_FRONT}  # fmt: skip
VICTIMS = {"preempt", "preempted", "victim", "evict", "evicted", "retract", "retracted", "running", "active"}
REQUESTS = {"waiting", "pending", "running", "ready", "active", "swapped", "prefill", "prefills", "decode", "todo",
            "job", "jobs", "req", "reqs", "request", "requests", "seq", "seqs", "sequence", "sequences",
            "preempted"}  # fmt: skip
"""Words of what waits for its turn; a weak hint beside elements that move from queue to queue."""
OVER = {"finished", "completed", "done", "free", "freed", "frees", "ack", "notif", "notifs", "event", "events", "dump",
        "log", "failed", "results", "history"}  # fmt: skip
"""Words of what is over: its order serves nobody."""
WAITS = {"waiting", "pending", "running", "ready", "swapped", "queue"}
"""Those of them that say so wherever they stand."""
ITSELF = "self"
"""The name of a queue that is the object of the class."""
CONTAINERS = {"deque", "list", "Queue", "PriorityQueue", "SimpleQueue"}
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
        for method in scope.node.methods():
            given = _receivers(method)
            held = _Held(made, held_names(method, scope.node))
            for node in inside(method):
                _record(source, node, method, held, given)
        for queue in made.values():
            if queue.uses:
                queue.holds_requests = _holds_requests(queue, made.values())
                if queue.of(*HEAP.values()):
                    queue.rank, queue.ranked_at = _rank(source)
                yield queue


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
        is_element = isinstance(node, t.Subscript)
        queue = self._made.get(_attribute(node.value if isinstance(node, t.Subscript) else node))
        return queue if queue is not None and queue.is_many == is_element else None


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
                said = [n.value for n in own(method) if isinstance(n, t.Return) and n.value is not None]
                found += [(source.quote(value), (source.at(value),)) for value in said[:1]]
    return found[0] if len(found) == 1 else ("", ())


def _is_compared(value: t.Expr | None) -> bool:
    given = value.keywords if isinstance(value, t.Call) else []
    return not any(k.arg == "compare" and literal(k.value) is False for k in given)


def _holds_requests(queue: Queue, others: Iterable[Queue]) -> bool:
    """Whether what is taken from the queue is put into another one in the same method, or names speak of requests."""
    named = words(queue.owner if queue.name == ITSELF else queue.name)
    if OVER & set(named):
        return False
    if (REQUESTS | {"task", "tasks"} if queue.of(*HEAP.values()) else REQUESTS) & {
        *named, *(w for use in queue.uses for w in words(use.element))
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
            annotation = source.quote(statement.annotation)
            if annotation.split("[")[0].rpartition(".")[2].lower() in ("list", "deque", "queue"):
                name = statement.target.id
                found.setdefault(name, Queue(cls.name, name, source.quote(statement.value), source.at(statement)))
    for name in _filled_by_numbers(cls):
        if name in found:
            found[name].holds_ids = True
    return found


def _filled_by_numbers(cls: t.ClassDef) -> Iterator[str]:
    """Attributes that the constructor fills in a loop over a range: one element a block, page or slot."""
    for method in cls.methods():
        if method.name != "__init__":
            continue
        for loop in own(method):
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
    if last == "insert" and len(node.args) == 2 and literal(node.args[0]) == 0:
        queue.uses.append(Use(PUT_FRONT, method.name, source.quote(node.args[1]), source.at(node)))
        return
    if last == "sort" and (key := next((k.value for k in node.keywords if k.arg == "key"), None)) is not None:
        queue.uses.append(Use(SORTED, method.name, source.quote(key), source.at(node)))
        return
    if last == "pop":
        position = literal(node.args[0]) if node.args else -1
        if position not in (0, -1):
            return
        operation = TAKE_FRONT if position == 0 else TAKE_BACK
        queue.uses.append(Use(operation, method.name, "", source.at(node), given.get(node, ""), last))
    elif last in OPERATIONS:
        operation = OPERATIONS[last]
        if queue.made.partition("(")[0].rpartition(".")[2] == "PriorityQueue":
            operation = HEAP["heappush"] if operation == PUT_BACK else HEAP["heappop"]
        queue.uses.append(Use(operation, method.name, element, source.at(node), how=last))


def _record_slice(source: PythonSource, node: t.Assign | t.AugAssign, method: t.FunctionDef, held: _Held) -> None:
    """`free = free[n:]` takes from the front of a free list, `free[:-n]` from its back, `free += ids` gives back."""
    match node:
        case t.Assign(targets=[t.Attribute() as target], value=t.Subscript(value=cut, slice=t.Slice() as part)) if (
            t.dotted(target) == t.dotted(cut)
        ):
            if part.upper is None and part.lower is not None:
                operation = TAKE_FRONT
            elif part.lower is None and isinstance(part.upper, t.UnaryOp):
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


def orders(source: PythonSource) -> Iterator[Claim]:
    """Where requests are put into an order: `sorted(waiting, key=…)`, `jobs.sort(key=…)`."""
    for scope in source.module.functions():
        for node in own(scope.node):
            match node:
                case t.Assign(
                    targets=[t.Attribute() as queue],
                    value=t.Subscript(value=t.Attribute() as cut, slice=t.Slice(lower=t.Name(), upper=None)),
                ) if t.dotted(queue) == t.dotted(cut) and REQUESTS & set(words(queue.attr)):
                    passes = _gone_through(source, scope.node)
                    if not passes:
                        continue
                    value = (
                        f"policy FCFS (first come, first served): {source.quote(queue)} is gone through in its order "
                        f"and what was taken is cut off its front ({source.quote(node)})"
                    )
                    places = (source.at(node), source.at(scope.node), *passes)
                    yield Claim(f"{scope.qualified_name} order", value, places)
                    continue
                case t.Call(func=t.Name(id="next"), args=[t.Call(func=t.Name(id="iter"), args=[queue, *_])]):
                    if REQUESTS & set(words(source.quote(queue))):
                        value = (
                            f"policy FCFS (first come, first served): the first of {source.quote(queue)} is taken, "
                            f"which keeps the order of insertion ({source.quote(node)})"
                        )
                        yield Claim(f"{scope.qualified_name} order", value, (source.at(node), source.at(scope.node)))
                    continue
                case t.Call(func=t.Attribute(value=t.Name(id=name) as queue, attr="popleft")):
                    origin = assignments(scope.node).get(name)
                    if origin is not None and REQUESTS & {*words(name), *words(source.quote(origin))}:
                        value = (
                            f"policy FCFS (first come, first served, FIFO): {name} = {source.quote(origin)} is taken "
                            f"from the front ({source.quote(node)})"
                        )
                        yield Claim(f"{scope.qualified_name} order", value, (source.at(node), source.at(scope.node)))
                    continue
                case t.Call(func=t.Name(id="sorted"), args=[queue, *_], keywords=keywords):
                    pass
                case t.Call(func=t.Attribute(value=t.Name() as queue, attr="sort"), keywords=keywords):
                    pass
                case _:
                    continue
            key = next((k.value for k in keywords if k.arg == "key"), None)
            if key is None or not REQUESTS & {*words(source.quote(queue)), *words(source.quote(key))}:
                continue
            if not WAITS & set(words(source.quote(queue))) and not _schedules(source, scope.qualified_name):
                continue
            backwards = any(k.arg == "reverse" and literal(k.value) is True for k in keywords)
            value = f"policy: {source.quote(queue)} is served in the order of {source.quote(key)}"
            value += ", largest first" if backwards else ", smallest first"
            yield Claim(f"{scope.qualified_name} order", value, (source.at(node), source.at(scope.node)))


def _schedules(source: PythonSource, *names: str) -> bool:
    """Whether names or the file speak of scheduling: requests are also sorted to print or to compare them."""
    path = source.path
    return any(
        hits(section, name)
        for section in ("serving.scheduling", "serving.batching")
        for name in (*names, path.stem, path.parent.name)
    )


def _gone_through(source: PythonSource, function: t.FunctionDef | t.ClassDef) -> list[Location]:
    """Loops of a function over something that waits."""
    loops = (n for n in own(function) if isinstance(n, t.For))
    return [source.at(n) for n in loops if REQUESTS & {*words(source.quote(n.iter)), *words(source.quote(n.target))}]


def free_list_claims(queue: Queue) -> Iterator[Claim]:
    """The order in which an allocator's ids are taken and come back."""
    taken = queue.of(TAKE_FRONT, TAKE_BACK)
    returned = [use for use in queue.of(PUT_BACK, PUT_FRONT) if use.method != "__init__"]
    if not taken or not returned:
        return
    front, back = queue.of(TAKE_FRONT), [use for use in returned if use.operation == PUT_BACK]
    if front and back:
        how = front[0].how
        order = f"FIFO: taken from the front ({how}), returned to the back: the least recently freed is reused first"
    elif queue.of(TAKE_BACK) and back:
        how = queue.of(TAKE_BACK)[0].how
        order = f"LIFO: taken from the back ({how}) and returned there: the most recently freed is reused first"
    else:
        order = "mixed ends"
    takers = list(dict.fromkeys(use.method for use in taken))
    givers = list(dict.fromkeys(use.method for use in sorted(returned, key=lambda use: use.method in takers)))
    evidence = (taken[0].location, returned[0].location, queue.location)
    yield Claim(
        queue.shown, order, evidence,
        f"free list of {queue.owner}: allocated in {_listed(takers)}, returned in {_listed(givers)}",
    )  # fmt: skip
    if "slots" in words(queue.name) and "Queue" in queue.made:
        value = (
            f"continuous batching by slots: a request takes one in {_listed(takers)}; it is put back in "
            f"{_listed(givers)}, so the next request joins while the rest of the batch goes on; made by {queue.made}"
        )
        yield Claim(f"{queue.shown} admission", value, evidence)


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def service_claims(queue: Queue) -> Iterator[Claim]:
    """How a waiting or running queue is served: policy, requeueing and who is evicted first."""
    if not queue.holds_requests:
        return
    front, back, put, requeued = (queue.of(o) for o in (TAKE_FRONT, TAKE_BACK, PUT_BACK, PUT_FRONT))
    where = queue.shown
    for use in queue.of(SORTED):
        if not hits("serving.scheduling", f"{queue.owner}.{use.method}"):
            continue
        value = f"served in the order of {use.element}: {queue.name} is sorted by it"
        yield Claim(f"{where} policy", value, (use.location,), f"in {use.method}")
    serves = {use.method for use in front} | {use.method for use in put}
    if front and put and len(serves) > 1 and not queue.of(SORTED):
        evidence = (front[0].location, put[0].location)
        policy = "FCFS (first come, first served): elements are put at the back and taken from the front"
        takers, givers = ([*dict.fromkeys(use.method for use in uses)][:3] for uses in (front, put))
        yield Claim(f"{where} policy", policy, evidence, f"taken in {_listed(takers)}, put in {_listed(givers)}")
    if heap := queue.of(*HEAP.values()):
        value = "by priority (heap): the least element is taken first"
        value += f"; elements compare by {queue.rank}" if queue.rank else ""
        yield Claim(f"{where} policy", value, (*(use.location for use in heap[:4]), *queue.ranked_at), "")
    for use in requeued:
        value = f"{use.element} goes back to the front (head) of the queue (appendleft)"
        yield Claim(f"{where} requeue", value, (use.location,), f"in {use.method}")
    for use in back:
        if not VICTIMS & {*words(queue.name), *words(use.method), *words(use.given)}:
            continue
        value = f"the last (newest) element is taken: {queue.name}.pop()"
        yield Claim(f"{where} victim", value, (use.location,), f"in {use.method}")
