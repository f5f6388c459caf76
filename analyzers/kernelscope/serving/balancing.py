"""Which replica a request goes to: the least loaded one, the next in turn, one at random, one by a hash.

Told of functions that dispatch and of collections that hold replicas, by their names; how one of them is chosen is what
the code does with them.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.affinity import kept_together
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.growing_names import made_of
from kernelscope.serving.guards import last_name, own, own_calls, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

REPLICAS = {"replica", "replicas", "instance", "instances", "engine", "engines", "worker", "workers", "server",
            "servers", "node", "nodes", "backend", "backends", "endpoint", "endpoints", "url", "urls", "clients",
            "peers", "address", "addresses", "addrs", "hosts"}  # fmt: skip
ASKED = REPLICAS | {
    "actors",
    "channels",
    "devices",
    "pools",
    "processes",
    "queues",
    "ranks",
    "rpcs",
    "sockets",
    "stubs",
}
"""Words of collections of what may be asked for something."""
DISPATCHES = {"dispatch", "dispatcher", "dispatching", "route", "router", "routing", "balance", "balancer",
              "balanced", "balancing", "lb", "select", "pick", "choose", "assign", "proxy", "load", "request",
              "forward"}  # fmt: skip
OTHERS = {"expert", "experts", "eplb", "dataset", "dataloader", "sampler", "layer", "layers", "shard", "checkpoint",
          "download", "scale", "migration", "migrate", "autoscaler"}  # fmt: skip
"""Words of what is dealt out too, but is no request."""
CANDIDATES = {"candidate", "candidates"}
LOADS = {"count", "counts", "load", "loads", "pending", "running", "queue", "queued", "inflight", "flight", "waiting",
         "tasks", "requests", "outstanding"}  # fmt: skip
"""Words of how much a replica has to do."""
MOST_WAYS = 3


@by_function
def balancing(source: PythonSource) -> Iterator[Claim]:
    """Claims about the choice of a replica, from one file."""
    if source.aside:
        return
    for scope in source.module.functions():
        said = {*words(scope.qualified_name), *words(source.path.stem)}
        if OTHERS & said:
            continue
        if words(scope.node.name)[:1] == ("load",):
            said.discard("load")  # what a function loads is no load of replicas
        dispatches = bool(DISPATCHES & said)
        is_of_routing = bool(DISPATCHES & set(words(source.path.parent.name)))
        ways: dict[str, t.Node] = {**dict(_from_heaps(source, scope)), **dict(_counted_round(source, scope))}
        for node in own_of(scope.node, t.Assign, t.Call, t.BinOp, t.For):
            found = _shortest(source, node) or _indexed(source, scope, node) or _first_of_sorted(source, scope, node)
            found = found or (_chosen(source, scope, node) if dispatches else None)
            if found := found or (_weighed(source, scope, node) if dispatches or is_of_routing else None):
                ways.setdefault(*found)
        if dispatches:
            ways |= {text: node for text, node in kept_together(source, scope) if text not in ways}
        if ways:
            value = f"load balancing: {'; or '.join(list(ways)[:MOST_WAYS])} (≈ replicas by their names)"
            where = (*(source.at(place) for place in list(ways.values())[:MOST_WAYS]), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} balancing", value, where, confidence="heuristic")


def _chosen(source: PythonSource, scope: Scope, node: t.Node) -> tuple[str, t.Node] | None:
    match node:
        case t.Call(
            func=t.Name(id="min" | "max" as which), args=[over], keywords=[t.Keyword(arg="key", value=key)]
        ) if _are_replicas(source, over):
            size = "smallest" if which == "min" else "largest"
            return f"the one of {source.quote(over)} with the {size} {source.quote(key)}", node
        case t.BinOp(op="%", left=left, right=t.Call(func=t.Name(id="len"), args=[over])) if _are_replicas(
            source, over
        ):
            if any(isinstance(n, t.Call) and "hash" in words(last_name(n.func)) for n in t.walk(left)):
                return f"by a hash: the same key goes to the same of {source.quote(over)} ({source.quote(node)})", node
            return f"round robin: {source.quote(over)} take turns ({source.quote(node)})", node
        case t.Call(func=func, args=[over, *_]) if t.dotted(func) in (
            "random.choice",
            "random.choices",
            "random.sample",
        ) and _are_replicas(source, over):
            return f"one of {source.quote(over)} at random", node
        case t.Call(func=t.Name(id="next"), args=[turns]) if _is_cycle(scope, turns):
            return f"round robin: {source.quote(turns)} goes round", node
        case t.For():
            return _kept_least(source, node)
        case _:
            pass
    return None


def _weighed(source: PythonSource, scope: Scope, node: t.Node) -> tuple[str, t.Node] | None:
    """`np.random.choice(candidates, p=weights)`, with what the weights are made of."""
    match node:
        case t.Call(func=func, args=[over, *_], keywords=keywords) if (t.dotted(func) or "").endswith("random.choice"):
            weights = next((k.value for k in keywords if k.arg == "p"), None)
        case _:
            return None
    if weights is None or not (CANDIDATES & set(words(source.quote(over))) or _are_replicas(source, over)):
        return None
    made = made_of(source, scope, weights, node)
    return f"one of {source.quote(over)} at random, by the weights {source.quote(weights)}{made}", node


def _shortest(source: PythonSource, node: t.Node) -> tuple[str, t.Node] | None:
    """`min(queues, key=lambda q: q.qsize())`: the queue that holds least."""
    match node:
        case t.Call(func=t.Name(id="min"), args=[over], keywords=[t.Keyword(arg="key", value=t.Lambda(body=size))]):
            counts = isinstance(size, t.Call) and last_name(size.func) == "qsize"
            return (
                (f"the queue of {source.quote(over)} that holds least ({source.quote(size)})", node) if counts else None
            )
        case _:
            return None


def _first_of_sorted(source: PythonSource, scope: Scope, node: t.Node) -> tuple[str, t.Node] | None:
    """`by_load = sorted(instances, key=lambda i: counts[i])`, and `by_load[0]` or the first in a loop that will do."""
    match node:
        case t.Call(func=t.Name(id="sorted"), args=[over], keywords=[t.Keyword(arg="key", value=t.Lambda(body=size))]):
            pass
        case _:
            return None
    if not LOADS & set(words(source.quote(size))):
        return None
    for user in own_of(scope.node, t.Assign, t.For):
        match user:
            case t.Assign(targets=[t.Name(id=name)], value=value) if value is node:
                is_first = any(
                    t.dotted(s.value) == name and isinstance(s.slice, t.Constant) and s.slice.value == 0
                    for s in own_of(scope.node, t.Subscript)
                )
                if is_first and REPLICAS & {*words(name), *words(source.quote(over))}:
                    return f"the first of {source.quote(over)} sorted by {source.quote(size)}: the smallest", node
            case t.For(iter=value, body=body) if value is node:
                if any(isinstance(s, t.Return) for s in t.flat(body)) and DISPATCHES & set(words(scope.qualified_name)):
                    return f"the first that will do of {source.quote(over)} sorted by {source.quote(size)}", node
            case _:
                pass
    return None


def _indexed(source: PythonSource, scope: Scope, node: t.Node) -> tuple[str, t.Node] | None:
    """`at = np.argmin(loads)` or `at = np.random.choice(…, p=weights)`, and `workers[at]`."""
    match node:
        case t.Assign(targets=[t.Name(id=at)], value=t.Call(func=func, args=[given, *_], keywords=keywords) as call):
            pass
        case _:
            return None
    weights = next((k.value for k in keywords if k.arg == "p"), None)
    name = last_name(func)
    if name != "argmin" and (name != "choice" or weights is None):
        return None
    for taken in own_of(scope.node, t.Subscript):
        match taken:
            case t.Subscript(value=over, slice=t.Name(id=index)) if index == at and _are_replicas(source, over):
                if weights is not None:
                    return f"one of {source.quote(over)} at random, by the weights {source.quote(weights)}", call
                return f"the one of {source.quote(over)} with the smallest of {source.quote(given)}", call
            case _:
                pass
    return None


def _from_heaps(source: PythonSource, scope: Scope) -> Iterator[tuple[str, t.Node]]:
    """`load, at = heappop(heap)`, `heappush(heap, (load + n, at))`, with the heap made of replicas' loads.

    Which of them is taken is the first of what the heap holds: the least loaded.
    """
    bound = {t.dotted(n.targets[0]): n.value for n in own_of(scope.node, t.Assign)}
    popped: dict[str, tuple[str, t.Node]] = {}
    for node in own_of(scope.node, t.Assign, t.Call):
        match node:
            case t.Assign(
                targets=[t.Tuple(elts=[t.Name(id=load), t.Name(), *_])],
                value=t.Call(func=func, args=[t.Name(id=heap)]),
            ) if last_name(func) == "heappop":
                popped[heap] = (load, node)
            case t.Call(func=func, args=[t.Name(id=heap), t.Tuple(elts=[raised, *_])]) if (
                last_name(func) == "heappush" and heap in popped
            ):
                load, taken = popped[heap]
                made = bound.get(heap)
                counted = made.generators[0].iter if isinstance(made, t.ListComp) else made
                if counted is None:
                    continue
                named = [n.id for n in t.walk(counted) if isinstance(n, t.Name) and n.id in bound]
                if not any(_are_replicas(source, found) for found in (counted, *(bound[name] for name in named))):
                    continue
                where = f", where {named[0]} = {source.quote(bound[named[0]])}" if named else ""
                if load in {n.id for n in t.walk(raised) if isinstance(n, t.Name)}:
                    yield (
                        (
                            f"the one with the smallest load of the heap {heap} ({source.quote(taken)}), whose load "
                            f"becomes {source.quote(raised)}{where}"
                        ),
                        taken,
                    )
            case _:
                pass


def _counted_round(source: PythonSource, scope: Scope) -> Iterator[tuple[str, t.Node]]:
    """`self.desks[self.at].send(x)` and `self.at = (self.at + 1) % n`: each call goes to the next one."""
    counted: dict[str, t.Node] = {}
    for node in own_of(scope.node, t.Assign):
        match node:
            case t.Assign(
                targets=[target],
                value=t.BinOp(left=t.BinOp(left=before, op="+", right=t.Constant(value=1)), op="%") as turned,
            ) if (name := t.dotted(target)) is not None and t.dotted(before) == name:
                counted[name] = turned
            case _:
                pass
    for call in own_calls(scope.node) if counted else ():
        held = call.func
        while isinstance(held, t.Attribute):
            held = held.value
        match held:
            case t.Subscript(value=over, slice=at) if t.dotted(at) in counted and ASKED & set(
                words(t.dotted(over) or "")
            ):
                turned = counted[t.dotted(at) or ""]
                yield f"round robin: {source.quote(over)} take turns ({source.quote(turned)})", call
            case _:
                pass


def _are_replicas(source: PythonSource, over: t.Expr) -> bool:
    said = set(words(source.quote(over)))
    return bool(REPLICAS & said) and not OTHERS & said


def _is_cycle(scope: Scope, turns: t.Expr) -> bool:
    """Whether an attribute is bound to `itertools.cycle(replicas)` in its class."""
    name = t.dotted(turns)
    if name is None or scope.owner is None:
        return False
    for node in (n for method in scope.owner.methods() for n in own(method)):
        match node:
            case t.Assign(targets=[target], value=t.Call(func=func, args=[over])) if t.dotted(target) == name:
                said = {*words(t.dotted(over) or ""), *words(name)}
                return last_name(func) == "cycle" and bool(REPLICAS & said)
            case _:
                pass
    return False


def _kept_least(source: PythonSource, loop: t.For) -> tuple[str, t.Node] | None:
    """`for i, e in enumerate(engines): score = …; if score < best: best, chosen = score, i`."""
    bound: dict[str, str] = {}
    for node in t.walk(*loop.body):
        match node:
            case (
                t.Assign(targets=[t.Name(id=name)], value=value) | t.AnnAssign(target=t.Name(id=name), value=value)
            ) if value is not None:
                bound[name] = f"{name} = {source.quote(value)}"
            case t.AugAssign(target=t.Name(id=name)) if name in bound:
                bound[name] += f", {source.quote(node)}"
            case _:
                pass
    for node in t.walk(*loop.body):
        match node:
            case t.If(test=t.Compare(left=left, ops=["<"], comparators=[t.Name(id=best)]), body=body):
                score = source.quote(left)
            case _:
                continue
        kept = {last_name(target): s.value for s in body if isinstance(s, t.Assign) for target in s.targets}
        value = kept.pop(best, None)
        if value is None or source.quote(value) != score:
            continue
        chosen = next((name for name in kept if name), "")
        if not chosen or not REPLICAS & {*words(source.quote(loop.iter)), *words(chosen)}:
            continue
        return f"the one of {source.quote(loop.iter)} with the smallest {bound.get(score, score)}", node
    return None
