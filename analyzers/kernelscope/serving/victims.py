"""Which request gives way when memory runs out: the end of a queue that is taken, or the greatest or least of it."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.guards import (
    MAX_TEST,
    assignments,
    branches,
    calls,
    inlined,
    last_name,
    own_calls,
    own_of,
    repeated_while,
)
from kernelscope.serving.orderings import orderings
from kernelscope.serving.pieces import by_function
from kernelscope.serving.preemption import BACK, FREES, FRONT, GIVES_UP, end_taken, receiver, removed, root, swaps_out
from kernelscope.serving.queues import REQUESTS
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope


def victims(source: PythonSource) -> Iterator[Claim]:
    """The victims that the functions of a file choose."""
    yield from _ranked(source)
    yield from _handed_over(source)
    yield from _given_up(source)
    yield from _from_the_end(source)
    yield from _turned_round(source)
    yield from _outranked(source)


RUNS = {"running", "active", "decode", "decoding", "live", "batch", "scheduled"}
"""Words of requests that run."""


@by_function
def _handed_over(source: PythonSource) -> Iterator[Claim]:
    """`victim = self.running.pop()` and then `self.preempt(victim)`: which request is given up."""
    for scope in source.module.functions():
        for node, following in _taken_then(scope.node.body):
            end = end_taken(node.value)
            func = node.value.func if isinstance(node.value, t.Call) else node.value
            runs = isinstance(func, t.Attribute) and RUNS & set(words(last_name(func.value)))
            near = following if runs else [s for s in following[:1] if isinstance(s, t.ExprStmt)]
            call = next((c for s in near for c in calls(s) if _gives_up(c, t.dotted(node.targets[0]))), None)
            if not end or call is None:
                continue
            taken = f"the {end} of its queue is taken ({source.quote(node)})"
            loop = repeated_while(scope.node, node)
            value = f"preemption victim: {taken} for {source.quote(call)}"
            value += f", while {source.quote(loop.test, MAX_TEST)}" if loop is not None else ""
            yield Claim(f"{scope.qualified_name} victim", value, (source.at(node), source.at(call)))


def _gives_up(call: t.Call, name: str | None) -> bool:
    """`self.preempt(name, …)`."""
    is_given = bool(call.args) and name is not None and t.dotted(call.args[0]) == name
    return is_given and bool(GIVES_UP & set(words(last_name(call.func))))


def _taken_then(body: list[t.Stmt], after: tuple[t.Stmt, ...] = ()) -> Iterator[tuple[t.Assign, list[t.Stmt]]]:
    """Assignments with what follows: in their block, and behind the branches that they end."""
    for at, statement in enumerate(body):
        rest = [*body[at + 1 :], *after]
        match statement:
            case t.Assign():
                if end_taken(statement.value):
                    yield statement, rest
            case t.If():
                tests, otherwise = branches(statement)
                for inner in (*(branch.body for branch in tests), otherwise):
                    yield from _taken_then(inner, tuple(rest))
            case t.For(body=inner, orelse=other) | t.While(body=inner, orelse=other):
                yield from _taken_then(inner)
                yield from _taken_then(other)
            case t.With(body=inner):
                yield from _taken_then(inner, tuple(rest))
            case t.Try(body=inner):
                yield from _taken_then(inner, tuple(rest))
            case _:
                pass


@by_function
def _given_up(source: PythonSource) -> Iterator[Claim]:
    """Loops that take one of an order of requests and release what it holds, in functions that give requests up."""
    for scope in source.module.functions():
        spoken = set(words(scope.qualified_name))
        is_giving_up = bool((GIVES_UP | {"evict", "eviction"}) & spoken)
        for loop in own_of(scope.node, t.While):
            for node in t.flat(loop.body):
                match node:
                    case t.Assign(
                        targets=[t.Name(id=chosen)],
                        value=t.Call(func=t.Attribute(value=order, attr="pop"), args=args) as call,
                    ) if literal(args[0] if args else None) in (None, 0, -1):
                        pass
                    case _:
                        continue
                after = [c for s in loop.body for c in calls(s) if node.span.end <= c.span.start]
                freed = [
                    c for c in after
                    if FREES & set(words(last_name(c.func)))
                    and (any(root(a) == chosen for a in c.args) or receiver(c) == chosen)
                    and (is_giving_up or GIVES_UP & set(words(chosen)))
                ]  # fmt: skip
                copied = [c for c in after if swaps_out(c, chosen)]
                if copied and any(_queues(c, chosen) for c in after):
                    continue  # a preemption, which says itself whom it takes
                if (freed or copied) and (GIVES_UP & spoken or (GIVES_UP | REQUESTS) & set(words(chosen))):
                    end = "first" if args and literal(args[0]) == 0 else "last"
                    happens = "copied out (swap)" if copied else "released"
                    freed = copied or freed
                    value = (
                        f"{_kind(scope, order)}: the {end} of {source.quote(order)} is taken ({source.quote(call)}) "
                        f"and what it holds is {happens} ({source.quote(freed[0])}) by {scope.qualified_name}, while "
                        f"{source.quote(loop.test)}"
                    )
                    by = orderings(source, scope.node, order.id) if isinstance(order, t.Name) else []
                    value += "".join(f"; it is in the order of {o.text}" for o in by)
                    places = (source.at(node), source.at(freed[0]), *(source.at(o.node) for o in by))
                    places = (*places, source.at(scope.node))
                    yield Claim(f"{scope.qualified_name} victim", value, places)
                    break


def _kind(scope: Scope, order: t.Expr) -> str:
    """What giving up one of an order is called: of what callers hand in nobody knows here whether it runs."""
    given = {p.name for p in scope.node.args} if isinstance(scope.node, t.FunctionDef) else set[str]()
    if isinstance(order, t.Name) and order.id in given and not RUNS & set(words(order.id)):
        return "victim, of those that callers give"
    return "preemption victim"


def _queues(call: t.Call, name: str) -> bool:
    """`self.waiting.append(letter)`."""
    match call:
        case t.Call(func=t.Attribute(value=queue, attr=attr), args=[*_, given]) if (BACK | FRONT) & set(words(attr)):
            return (t.dotted(queue) or "").startswith("self.") and t.dotted(given) == name
        case _:
            return False


@by_function
def _from_the_end(source: PythonSource) -> Iterator[Claim]:
    """`for letter in reversed(self.open): self.swap_out(letter)`: those that came last lose their cache first."""
    for scope in source.module.functions():
        outer: list[t.For] = []
        for loop in own_of(scope.node, t.For):
            outer = [o for o in outer if loop.span.end <= o.span.end] + [loop]
            match loop:
                case t.For(target=t.Name(id=name), iter=t.Call(func=t.Name(id="reversed"), args=[queue])):
                    pass
                case _:
                    continue
            taken = [
                c for s in loop.body for c in calls(s)
                if swaps_out(c, name)
                or (GIVES_UP & set(words(last_name(c.func))) and name in {receiver(c), *map(root, c.args)})
            ]  # fmt: skip
            if not taken or not (REQUESTS | GIVES_UP) & {*words(name), *words(source.quote(queue))}:
                continue
            levels = next((o for o in outer[:-1] if _is_reversed(o.iter)), None)
            value = (
                f"preemption victims: from the end of {source.quote(queue)}, the last first ({source.quote(taken[0])})"
            )
            if levels is not None:
                value += f"; of several queues the last, with the lowest priority, first ({source.quote(levels.iter)})"
            places = (source.at(loop), source.at(taken[0]), *((source.at(levels),) if levels else ()))
            yield Claim(f"{scope.qualified_name} victim", value, (*places, source.at(scope.node)))


@by_function
def _outranked(source: PythonSource) -> Iterator[Claim]:
    """`for r in by_rank: if rank_of(new) - r.rank > least: victims.append(r)`: who gives way to a newcomer."""
    for scope in source.module.functions():
        if not GIVES_UP & set(words(scope.node.name)):
            continue
        for loop in own_of(scope.node, t.For):
            for branch in t.flat(loop.body):
                match branch:
                    case t.If(test=t.Compare(ops=[">" | ">=" | "<" | "<="]) as test, body=body):
                        pass
                    case _:
                        continue
                taken = next((c for s in body for c in calls(s) if _collects(c, t.dotted(loop.target))), None)
                if taken is None:
                    continue
                known = assignments(scope.node)
                value = f"preemption victims: {source.quote(taken)} if {inlined(source, test, known, 1)}, for "
                value += f"{source.quote(loop.target)} in {inlined(source, loop.iter, known, 1)}"
                places = (source.at(branch), source.at(taken), source.at(loop), source.at(scope.node))
                yield Claim(f"{scope.qualified_name} victim", value, places)
                break


def _collects(call: t.Call, name: str | None) -> bool:
    """`preemptible.append(name)`."""
    match call:
        case t.Call(func=t.Attribute(value=kept, attr="append" | "add"), args=[given]):
            said = set(words(last_name(kept)))
            return t.dotted(given) == name and bool((GIVES_UP | {"preemptible", "victim", "victims"}) & said)
        case _:
            return False


ORDERS = {"order", "ordering", "ordered", "rank", "sort", "sorted"}


@by_function
def _turned_round(source: PythonSource) -> Iterator[Claim]:
    """`def ordering(self, jobs): return jobs[::-1]`: those that came last come first."""
    for scope in source.module.functions():
        match scope.node.body[-1:]:
            case [t.Return(value=t.Subscript(value=t.Name(id=queue), slice=t.Slice(step=step)) as turned)] if (
                literal(step) == -1
            ):
                pass
            case [t.Return(value=t.Call(args=[t.Call(func=t.Name(id="reversed"), args=[t.Name(id=queue)])]) as turned)]:
                pass
            case _:
                continue
        if ORDERS & set(words(scope.node.name)) and REQUESTS & {*words(queue), *words(scope.node.name)}:
            value = f"{scope.qualified_name} turns {queue} round ({source.quote(turned)}): the last (newest) first"
            value += _asked_by(source, scope.node.name)
            yield Claim(f"{scope.qualified_name} order", value, (source.at(turned), source.at(scope.node)))


def _asked_by(source: PythonSource, name: str) -> str:
    """Which functions of the file ask for an order."""
    askers = [
        f.node.name
        for f in source.module.functions()
        if f.node.name != name and any(last_name(c.func) == name for c in own_calls(f.node))
    ]
    return f", as {', '.join(askers[:2])} asks for it" if askers else ""


def _is_reversed(gone_through: t.Expr) -> bool:
    return isinstance(gone_through, t.Call) and t.dotted(gone_through.func) == "reversed"


def is_given_up(scope: Scope, name: str) -> bool:
    """Whether names say that the chosen one stops, or something frees or moves what it holds: others are served."""
    if (GIVES_UP | {"evict", "victim", "swap", "abort"}) & {*words(scope.qualified_name), *words(name)}:
        return True
    return any(
        (FREES | GIVES_UP) & set(words(last_name(c.func))) or swaps_out(c, name)
        for c in own_calls(scope.node)
        if name in {receiver(c), *map(root, c.args)} or swaps_out(c, name)
    )


def chosen(function: t.FunctionDef | t.ClassDef) -> Iterator[tuple[str, t.Call, bool]]:
    """Names that are bound to the greatest or least of something, the call that chooses, and whether the greatest."""
    known = assignments(function)
    for node in own_of(function, t.Assign, t.For):
        match node:
            case t.Assign(targets=[t.Name(id=name)], value=t.Call(func=t.Name(id="max" | "min" as which)) as call):
                yield name, call, which == "max"
            case t.For(target=t.Name(id=name), iter=gone_through):
                call = known.get(t.dotted(gone_through) or "", gone_through)
                if isinstance(call, t.Call) and t.dotted(call.func) == "sorted":
                    yield name, call, any(k.arg == "reverse" and literal(k.value) is True for k in call.keywords)
            case _:
                pass


@by_function
def _ranked(source: PythonSource) -> Iterator[Claim]:
    """`max(self.running, key=…)`, or the first of `sorted(self.running, key=…)`, with the chosen one removed."""
    for scope in source.module.functions():
        for name, call, at_most in chosen(scope.node):
            key = next((k.value for k in call.keywords if k.arg == "key"), None)
            queue = t.dotted(call.args[0]) if call.args else None
            taken_out = removed(scope.node, name) if queue is not None and key is not None else None
            if queue is None or key is None or taken_out is None or not is_given_up(scope, name):
                continue
            order = "largest" if at_most else "smallest"
            value = f"the preemption victim is the element of {queue} with the {order} {source.quote(key)}"
            yield Claim(f"{scope.qualified_name} victim", value, (source.at(call), source.at(taken_out)))
