"""Which replica a request goes to: the least loaded one, the next in turn, one at random, one by a hash.

Told of functions that dispatch and of collections that hold replicas, by their names; how one of them is chosen is what
the code does with them.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.affinity import kept_together
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.growing_names import made_of
from kernelscope.serving.guards import assignments, last_name, own, own_calls, own_of
from kernelscope.serving.least_loaded import counts_replicas, first_of_sorted, from_heaps, kept_least, shortest
from kernelscope.serving.pieces import by_function
from kernelscope.serving.replicas import ASKED, CANDIDATES, DISPATCHES, LOADS, OTHERS, REPLICAS, are_replicas
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

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
        ways: dict[str, t.Node] = {**dict(from_heaps(source, scope)), **dict(_counted_round(source, scope))}
        for node in own_of(scope.node, t.Assign, t.Call, t.BinOp, t.For):
            found = shortest(source, node) or _indexed(source, scope, node) or first_of_sorted(source, scope, node)
            found = found or _by_remainder(source, scope, node)
            found = found or (_chosen(source, scope, node) if dispatches else None)
            if found := found or (_weighed(source, scope, node) if dispatches or is_of_routing else None):
                ways.setdefault(*found)
        if dispatches:
            kept = kept_together(source, scope)
            ways |= {text: node for text, node in kept if text not in ways}
        if ways:
            value = f"load balancing: {'; or '.join(list(ways)[:MOST_WAYS])} (≈ replicas by their names)"
            where = (*(source.at(place) for place in list(ways.values())[:MOST_WAYS]), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} balancing", value, where, confidence="heuristic")


def _chosen(source: PythonSource, scope: Scope, node: t.Node) -> tuple[str, t.Node] | None:
    match node:
        case t.Call(
            func=t.Name(id="min" | "max" as which), args=[over], keywords=[t.Keyword(arg="key", value=key)]
        ) if are_replicas(source, over) or counts_replicas(source, over, key):
            size = "smallest" if which == "min" else "largest"
            return f"the one of {source.quote(over)} with the {size} {source.quote(key)}", node
        case t.Call(func=t.Attribute(value=over, attr="index"), args=[t.Call(func=t.Name(id="min"), args=[least])]) if (
            t.dotted(over) is not None and t.dotted(over) == t.dotted(least) and LOADS & set(words(last_name(over)))
        ):
            return f"the one with the smallest of {source.quote(over)} ({source.quote(node)})", node
        case t.BinOp(op="%", left=left, right=t.Call(func=t.Name(id="len"), args=[over])) if are_replicas(
            source, _origin(scope, over)
        ):
            if any(isinstance(n, t.Call) and "hash" in words(last_name(n.func)) for n in t.walk(left)):
                return f"by a hash: the same key goes to the same of {source.quote(over)} ({source.quote(node)})", node
            return f"round robin: {source.quote(over)} take turns ({source.quote(node)})", node
        case t.Call(func=func, args=[over, *_]) if t.dotted(func) in (
            "random.choice",
            "random.choices",
            "random.sample",
        ) and are_replicas(source, over):
            return f"one of {source.quote(over)} at random", node
        case t.Call(func=t.Name(id="next"), args=[turns]) if _is_cycle(scope, turns):
            return f"round robin: {source.quote(turns)} goes round", node
        case t.For():
            return kept_least(source, node)
        case _:
            pass
    return None


def _origin(scope: Scope, over: t.Expr) -> t.Expr:
    """What a local name stands for: `active = self.active_workers`."""
    return assignments(scope.node).get(over.id, over) if isinstance(over, t.Name) else over


def _by_remainder(source: PythonSource, scope: Scope, node: t.Node) -> tuple[str, t.Node] | None:
    """`at = request.room % len(self.workers)` and `send(self.workers[at], request)`: by what a request says itself."""
    match node:
        case t.Assign(
            targets=[t.Name(id=at)],
            value=t.BinOp(
                op="%",
                left=t.Attribute(value=t.Name(id=given)) as key,
                right=t.Call(func=t.Name(id="len"), args=[over]),
            ) as turned,
        ) if isinstance(scope.node, t.FunctionDef) and given != "self" and given in {p.name for p in scope.node.args}:
            pass
        case _:
            return None
    if not ASKED & set(words(t.dotted(over) or "")):
        return None
    for call in own_calls(scope.node):
        held = [call.func.value] if isinstance(call.func, t.Attribute) else []
        for part in (*held, *call.args):
            match part:
                case t.Subscript(value=taken, slice=t.Name(id=index)) if index == at and t.dotted(taken) == t.dotted(
                    over
                ):
                    text = f"by {source.quote(key)}: those with the same one go to the same of {source.quote(over)}"
                    return f"{text} ({source.quote(turned)})", node
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
    if weights is None or not (CANDIDATES & set(words(source.quote(over))) or are_replicas(source, over)):
        return None
    made = made_of(source, scope, weights, node)
    return f"one of {source.quote(over)} at random, by the weights {source.quote(weights)}{made}", node


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
            case t.Subscript(value=over, slice=t.Name(id=index)) if index == at and are_replicas(source, over):
                if weights is not None:
                    return f"one of {source.quote(over)} at random, by the weights {source.quote(weights)}", call
                return f"the one of {source.quote(over)} with the smallest of {source.quote(given)}", call
            case _:
                pass
    return None


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
