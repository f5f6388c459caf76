"""In which order requests are served: policies, requeueing and victims of queues, free lists of ids.

Everything follows from the operations that are done on a queue; names are only quoted.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.results import Location
from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.guards import assignments, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.queues import (
    HEAP,
    ON_TOP,
    PUT_BACK,
    PUT_FRONT,
    REQUESTS,
    SORTED,
    TAKE_BACK,
    TAKE_FRONT,
    Queue,
    Use,
    iterated,
)
from kernelscope.serving.sections import hits, words
from kernelscope.syntax.python import tree as t

VICTIMS = {"preempt", "preempted", "victim", "evict", "evicted", "retract", "retracted", "running", "active"}
STOPS = {"pause", "paused", "preempt", "preemption", "evict", "eviction", "victim", "victims", "retract"}
"""Words of functions and files about requests that are to give way: who is first in their order is served last."""
RUNS = {"running", "active"}
"""Those of them by which it may be gone through for any reason."""
ENDS = {"abort", "cancel", "finish", "remove", "drop", "expire", "timeout", "stop", "kill"}
"""Words of methods that end requests wherever they stand."""
MOVED = {"transfer", "transfers", "store", "flush", "offload", "offloading", "load", "copy", "migrate"}
"""Words of jobs that move memory for requests."""
DATA = {"weight", "weights", "safetensors", "checkpoint", "download", "image", "images", "video", "media", "audio"}
"""Words of what reads data piece by piece: what is pending there are no requests."""
CAPTURES = {"capture", "cudagraph", "cudagraphs", "graph", "graphs", "warmup", "compile"}
"""Words of functions that put sizes of batches into an order, to prepare for each."""
RESTS = {"chunk", "chunked", "partial"}
"""Words of a request of which a part is left to compute."""
ARRIVALS = {"append", "add", "put", "enqueue", "submit", "push"}
"""Words of methods that take in what comes."""
PLACES = {"slot", "slots"}
MEMORY = {"kv", "cache", "token", "tokens", "pool", "block", "blocks", "page", "pages", "alloc", "allocator", "swap"}
"""Words of what holds the memory of requests."""
WAITS = {"waiting", "pending", "running", "ready", "swapped", "queue"}
"""Those of them that say so wherever they stand."""
SWAPPED = {"swap", "swapped", "offloaded"}
"""Words of queues of what gave its memory up to come back later."""
_ENDS = {TAKE_FRONT: "front", TAKE_BACK: "back", PUT_BACK: "back", PUT_FRONT: "front"}


@by_function
def orders(source: PythonSource) -> Iterator[Claim]:
    """Where requests are put into an order: `sorted(waiting, key=…)`, `jobs.sort(key=…)`."""
    for scope in source.module.functions():
        cut = set(_first_of(scope.node))
        for node in own_of(scope.node, t.Assign, t.Call, t.For):
            match node:
                case t.Assign(targets=[t.Attribute() as queue], value=rest) if (
                    t.dotted(queue) is not None
                    and t.dotted(queue) == t.dotted(_cut_off(rest))
                    and REQUESTS & set(words(queue.attr))
                ):
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
                case t.For(target=t.Name(id=one), iter=over, body=body):
                    yield from _passed_in_order(source, scope.node, scope.qualified_name, node, one, over, body)
                    continue
                case t.Call(func=t.Name(id="next"), args=[t.Call(func=t.Name(id="iter"), args=[queue, *_])]):
                    said = {*words(source.quote(queue)), *words(scope.qualified_name)}
                    if not REQUESTS & set(words(source.quote(queue))) or _is_looked_at(scope.node, node):
                        continue
                    if MOVED & said:
                        continue
                    if _is_served(source, scope.qualified_name, queue):
                        value = (
                            f"policy FCFS (first come, first served): the first of {source.quote(queue)} is taken, "
                            f"which keeps the order of insertion ({source.quote(node)})"
                        )
                        yield Claim(f"{scope.qualified_name} order", value, (source.at(node), source.at(scope.node)))
                    continue
                case t.Call(func=t.Attribute(value=t.Name(id=name) as queue, attr="popleft")):
                    origin = assignments(scope.node).get(name)
                    if DATA & {*words(scope.qualified_name), *words(source.path.stem)}:
                        continue
                    if _is_only_counted(scope.node, node, name):
                        continue
                    if origin is not None and REQUESTS & {*words(name), *words(source.quote(origin))}:
                        value = (
                            f"policy FCFS (first come, first served, FIFO): {name} = {source.quote(origin)} is taken "
                            f"from the front ({source.quote(node)})"
                        )
                        yield Claim(f"{scope.qualified_name} order", value, (source.at(node), source.at(scope.node)))
                    continue
                case t.Call(func=t.Name(id="sorted"), args=[queue, *_], keywords=keywords):
                    pass
                case t.Call(
                    func=t.Attribute(value=(t.Name() | t.Attribute()) as queue, attr="sort"), keywords=keywords
                ) if not (t.dotted(queue) or "").startswith("self."):  # those are told with their queue
                    pass
                case _:
                    continue
            key = next((k.value for k in keywords if k.arg == "key"), None)
            if key is None or _is_of_places(queue, key) or isinstance(queue, t.List):
                continue
            is_cut = id(node) in cut and bool(hits("serving.scheduling", scope.node.name))
            if not is_cut and not REQUESTS & {*words(source.quote(queue)), *words(source.quote(key))}:
                continue
            of_victims = VICTIMS & set(words(scope.node.name))
            if not of_victims <= RUNS or CAPTURES & set(words(scope.qualified_name)):
                continue
            of_victims |= STOPS & {*words(scope.qualified_name), *words(source.path.stem)}
            if not _is_served(source, scope.qualified_name, queue):
                continue
            backwards = any(k.arg == "reverse" and literal(k.value) is True for k in keywords)
            order = f"{source.quote(queue)} is {{}} in the order of {source.quote(key)}"
            order += ", largest first" if backwards else ", smallest first"
            is_given = any(n.value is node for n in own_of(scope.node, t.Return))
            if of_victims:
                value = f"order: {order.format('given' if is_given else 'gone through')}"
                value += "; of those that are to stop, by the names" if STOPS & of_victims else ""
            elif (taken := _taken_last(scope.node, queue)) is not None:
                value = f"order: {order.format('sorted')}; the last is taken first ({source.quote(taken)})"
            else:
                serves = bool(WAITS & set(words(source.quote(queue))) or hits("serving.scheduling", scope.node.name))
                what = "policy" if serves or not is_given else "order"  # a list may be asked for to other ends
                value = f"{what}: {order.format('given' if is_given else 'served')}"
            yield Claim(f"{scope.qualified_name} order", value, (source.at(node), source.at(scope.node)))


def _taken_last(function: t.FunctionDef | t.ClassDef, queue: t.Expr) -> t.Call | None:
    """`jobs.pop()` in the function that sorts `jobs`: it begins at the other end of the order."""
    for call in own_of(function, t.Call):
        match call:
            case t.Call(func=t.Attribute(value=t.Name(id=name), attr="pop"), args=[]) if name == t.dotted(queue):
                return call
            case _:
                pass
    return None


def _first_of(function: t.FunctionDef | t.ClassDef) -> Iterator[int]:
    """What is put into an order of which the first are taken: `sorted(ids, key=…)[:n]`."""
    for node in own_of(function, t.Subscript):
        match node:
            case t.Subscript(value=t.Call() as ordered, slice=t.Slice(lower=None, upper=upper)) if upper is not None:
                yield id(ordered)
            case _:
                pass


def _cut_off(rest: t.Expr) -> t.Expr:
    """The queue of which what remains is told, without its front: `queue[n:]`, `late + queue[n:]`."""
    match rest:
        case t.BinOp(op="+", right=t.Subscript() as kept) | (t.Subscript() as kept):
            part = kept.slice
            if not isinstance(part, t.Slice) or part.lower is None or part.upper is not None:
                return rest
            return rest if _is_negative(part.lower) else kept.value
        case _:
            return rest


def _is_negative(bound: t.Expr) -> bool:
    """`queue[-4:]` keeps the last ones: nothing is taken off a front."""
    number = literal(bound)
    return isinstance(bound, t.UnaryOp) or (isinstance(number, int) and number < 0)


def _is_of_places(queue: t.Expr, key: t.Expr) -> bool:
    """`sorted(rows, key=lambda x: rows[x])`: the keys of a table by what it holds for them, such as their rows."""
    match key:
        case t.Lambda(body=t.Subscript(value=table)):
            held = queue.func.value if isinstance(queue, t.Call) and isinstance(queue.func, t.Attribute) else queue
            return t.dotted(table) == t.dotted(held) is not None
        case _:
            return False


def _is_looked_at(function: t.FunctionDef | t.ClassDef, first: t.Expr) -> bool:
    """Whether the first of something is only asked for its attributes: it stands for all of them."""
    name = next(
        (t.dotted(n.targets[0]) for n in own_of(function, t.Assign) if n.value is first), None
    )  # fmt: skip
    if name is None:
        return False
    asked = {n.value for n in own_of(function, t.Attribute)}
    used = [n for n in own_of(function, t.Name) if n.id == name and n.span.start > first.span.end]
    called = {c.func.value for c in own_of(function, t.Call) if isinstance(c.func, t.Attribute)}
    return bool(used) and all(n in asked and n not in called for n in used)


def _is_only_counted(function: t.FunctionDef | t.ClassDef, taken: t.Call, name: str) -> bool:
    """Whether what is taken off a copy goes nowhere: a function that works out what would fit serves nobody."""
    dropped = next((s for s in own_of(function, t.ExprStmt) if s.value is taken), None)
    if dropped is None:
        return False
    heads = {
        t.dotted(n.targets[0]) for n in own_of(function, t.Assign)
        if isinstance(n.value, t.Subscript) and t.dotted(n.value.value) == name
    }  # fmt: skip
    block = next((b for b in _blocks(function) if dropped in b), list[t.Stmt]())
    asked = {n.value for n in t.walk(*block) if isinstance(n, t.Attribute)}
    asked |= {target for n in t.walk(*block) if isinstance(n, t.Assign) for target in n.targets}
    return not any(isinstance(n, t.Name) and n.id in heads and n not in asked for n in t.walk(*block))


def _blocks(function: t.FunctionDef | t.ClassDef) -> Iterator[list[t.Stmt]]:
    """The blocks of statements of a function."""
    yield function.body
    for node in own_of(function, t.If, t.While, t.For, t.With, t.Try):
        yield node.body
        yield from ([node.orelse] if isinstance(node, t.If | t.While | t.For) else [])


def _passed_in_order(
    source: PythonSource, function: t.FunctionDef | t.ClassDef, where: str,
    loop: t.Node, one: str, over: t.Expr, body: list[t.Stmt],
) -> Iterator[Claim]:  # fmt: skip
    """`for job in self.pending.copy(): … self.pending.remove(job)`: who waits longest is looked at first."""
    name = iterated(over)
    said = set(words((name or "").rpartition(".")[2]))
    if name is None or "." not in name or not WAITS & said or not REQUESTS & said:
        return
    removed = [
        n for n in t.walk(*body)
        if isinstance(n, t.Call) and t.dotted(n.func) == f"{name}.remove" and [t.dotted(a) for a in n.args] == [one]
    ]  # fmt: skip
    if not removed or (VICTIMS | ENDS) & set(words(where.rpartition(".")[2])):
        return
    value = f"policy FCFS (first come, first served): {name} is gone through in its order, what starts is taken out"
    if any(isinstance(n, t.Continue) for n in t.walk(*body)):
        value += "; what does not fit is passed over, so later ones may start before it"
    yield Claim(f"{where} order", value, (source.at(loop), source.at(removed[0]), source.at(function)))


def _is_served(source: PythonSource, where: str, queue: t.Expr) -> bool:
    """Whether what waits speaks of it, or the function or file of scheduling: the parts of a request have a first, too,
    and requests are also sorted to print or to compare them.
    """
    path = source.path
    return bool(WAITS & set(words(source.quote(queue)))) or any(
        hits(section, name)
        for section in ("serving.scheduling", "serving.batching")
        for name in (where, path.stem, path.parent.name)
    )


def _gone_through(source: PythonSource, function: t.FunctionDef | t.ClassDef) -> list[Location]:
    """Loops of a function over something that waits."""
    loops = own_of(function, t.For)
    return [source.at(n) for n in loops if REQUESTS & {*words(source.quote(n.iter)), *words(source.quote(n.target))}]


def free_list_claims(queue: Queue) -> Iterator[Claim]:
    """The order in which an allocator's ids are taken and come back."""
    taken = queue.of(TAKE_FRONT, TAKE_BACK)
    returned = [use for use in queue.of(PUT_BACK, PUT_FRONT) if use.method != "__init__"]
    if not taken or not returned:
        return
    order = _reuse(taken, returned)
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


def _reuse(taken: list[Use], returned: list[Use]) -> str:
    """Which of the freed ids are taken again first, by the ends that are taken from and given back to."""
    takes, puts = {use.operation for use in taken}, {use.operation for use in returned}
    if len(takes) > 1 or len(puts) > 1:
        return f"taken from the {_ends(takes)}, returned to the {_ends(puts)}"
    how = taken[0].how
    (end,), (given,) = sorted(_ENDS[o] for o in takes), sorted(_ENDS[o] for o in puts)
    if end == given:
        return f"LIFO: taken from the {end} ({how}) and returned there: the most recently freed is reused first"
    return f"FIFO: taken from the {end} ({how}), returned to the {given}: the least recently freed is reused first"


def _ends(operations: set[str]) -> str:
    return " and the ".join(sorted(_ENDS[operation] for operation in operations))


def is_of_batches(queue: Queue) -> bool:
    """Whether ids are places in a batch or names of requests, and no memory, by what holds them."""
    said = {*words(queue.owner), *words(queue.name)}
    return bool(PLACES & {*words(queue.name)} or {"request", "requests"} & said) and not MEMORY & said


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
    if front and put and back and requeued and {"queue", "deque"} & set(words(queue.owner)):
        value = "a queue with two ends: elements are put at the back or the front, and taken from the front or the back"
        places = tuple(uses[0].location for uses in (put, requeued, front, back))
        yield Claim(f"{where} ends", f"{value}, as who holds it asks", places)
        return
    if front and put and len(serves) > 1 and not queue.of(SORTED):
        evidence = (front[0].location, put[0].location)
        policy = "FCFS (first come, first served): elements are put at the back and taken from the front"
        takers, givers = ([*dict.fromkeys(use.method for use in uses)][:3] for uses in (front, put))
        yield Claim(f"{where} policy", policy, evidence, f"taken in {_listed(takers)}, put in {_listed(givers)}")
    if heap := queue.of(*HEAP.values()):
        first = "the element that its comparison puts on top" if heap[0].how == ON_TOP else "the least element"
        value = f"by priority (heap): {first} is taken first"
        value += f"; elements compare by {queue.rank}" if queue.rank else ""
        yield Claim(f"{where} policy", value, (*(use.location for use in heap[:4]), *queue.ranked_at), "")
    for use in requeued:
        if not use.element.replace(".", "").isidentifier():
            continue
        if ARRIVALS & set(words(use.method)) and not put:
            value = f"LIFO (last come, first served): {use.element} is put at the front when it comes"
            yield Claim(f"{where} policy", value, (use.location,), f"in {use.method}")
            continue
        if RESTS & set(words(use.element)):
            value = f"chunked prefill: {use.element}, of which a part was computed, is put at the front ({use.how})"
            yield Claim(f"{where} chunked prefill", value, (use.location,), f"in {use.method}")
            continue
        if any(taken.method == use.method and taken.given == use.element for taken in front):
            value = f"{use.element} is put back at the front (head) of the queue that it was taken from ({use.how})"
            yield Claim(f"{where} order when one does not fit", value, (use.location,), f"in {use.method}")
            continue
        if SWAPPED & set(words(queue.name)):
            value = f"{use.element} goes to the front (head) of what is swapped out, by its name ({use.how})"
            yield Claim(f"{where} preemption", value, (use.location,), f"in {use.method}", confidence="heuristic")
            continue
        value = f"{use.element} goes back to the front (head) of the queue ({use.how})"
        yield Claim(f"{where} requeue", value, (use.location,), f"in {use.method}")
    for use in back:
        if not VICTIMS & {*words(queue.name), *words(use.method), *words(use.given)}:
            continue
        value = f"the last (newest) element is taken: {queue.name}.{use.how}()"
        yield Claim(f"{where} victim", value, (use.location,), f"in {use.method}")
