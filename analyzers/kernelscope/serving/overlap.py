"""Overlap of one step's host work with another step's device work, and the switches that choose a main loop.

A result that is carried from one iteration to the next and handled after the next launch is what makes overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import calls, last_name, last_of, own, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

WAITS, LAUNCHES = {"wait", "synchronize", "sync", "join"}, {"run", "launch", "start", "execute", "submit", "async"}
"""Words of calls that wait for a device, and of those that give it work."""
SENDS = {"prefetch", "send", "launch", "schedule", "submit", "dispatch", "enqueue", "prepare"}
RESULTS, TAKES = {"output", "outputs", "result", "results"}, {"get", "wait", "recv", "receive", "collect", "fetch"}
"""Words of what has the next batch under way, and of what asks for the results of this one."""


@by_function
def overlaps(source: PythonSource) -> Iterator[Claim]:
    """Loops whose results are handled one iteration later."""
    for scope in source.module.functions():
        assert isinstance(scope.node, t.FunctionDef)
        yield from _queued(source, scope.qualified_name, scope.node)
        yield from _awaited_late(source, scope.qualified_name, scope.node)
        yield from _sent_before(source, scope.qualified_name, scope.node)
        for loop in own_of(scope.node, t.While):
            if _is_endless(loop.test):
                yield from _carried(source, scope.qualified_name, scope.owner, loop)
                yield from _remembered(source, scope.qualified_name, loop)


def _is_endless(test: t.Expr) -> bool:
    return isinstance(test, t.Constant) and bool(test.value)


def _carried(source: PythonSource, where: str, owner: t.ClassDef | None, loop: t.While) -> Iterator[Claim]:
    """`data = self.step(data)` where `step` launches new work before it handles its argument."""
    for statement in loop.body:
        match statement:
            case t.Assign(targets=[t.Name(id=name)], value=t.Call(func=func, args=[t.Name(id=given)])) if name == given:
                pass
            case _:
                continue
        method = next((m for m in owner.methods() if m.name == last_name(func)), None) if owner else None
        if method is None or len(method.args) < 2:
            continue
        parameter = method.args[1].name
        handled = [c for c in _calls(method) if any(t.dotted(a) == parameter for a in c.args)]
        returned = {t.dotted(n.value) for n in own_of(method, t.Return) if n.value is not None}
        launched = [
            n for n in own_of(method, t.Assign)
            if t.dotted(n.targets[0]) in returned and calls(n.value)
        ]  # fmt: skip
        if not handled or not launched or launched[-1].span.start > handled[-1].span.start:
            continue
        value = (
            f"overlap scheduling: {method.name} first launches the next batch ({source.quote(launched[-1].value)}), "
            f"and only then handles the results of the last batch ({source.quote(handled[-1])}), so host work runs "
            f"while the device computes"
        )
        streams = [source.quote(n.context_expr) for n in own_of(method, t.WithItem)]
        if streams:
            value += f"; the batch runs on a stream of its own ({', '.join(streams)})"
        waits = [
            source.quote(c) for c in _calls(method) if last_name(c.func) in ("wait_stream", "wait_event", "record")
        ]
        if waits:
            value += f", ordered by {', '.join(waits[:3])}"
        places = (source.at(method), source.at(launched[-1]), source.at(handled[-1]), source.at(statement))
        yield Claim(f"{where} overlap", value, places)


def _queued(source: PythonSource, where: str, function: t.FunctionDef) -> Iterator[Claim]:
    """`steps.append(launch())`, `if len(steps) < most: return`, then `steps.popleft().result()`: several under way."""
    for put in _calls(function):
        match put:
            case t.Call(func=t.Attribute(value=queue, attr="append" | "appendleft" as into), args=[_]):
                name = t.dotted(queue)
            case _:
                continue
        goes_on = next((n for n in own(function) if _leaves_room(n, name) and n.span.start > put.span.start), None)
        taken = next((c for c in _calls(function) if _takes(c, name, into) and c.span.start > put.span.start), None)
        if name is None or goes_on is None or taken is None or goes_on.span.start > taken.span.start:
            continue
        got = {n.id for s in own_of(function, t.Assign) if s.value is taken for n in _names(s.targets)}
        waits = (
            c for c in _calls(function)
            if isinstance(c.func, t.Attribute) and c.func.attr in ("result", "wait") and last_name(c.func.value) in got
        )  # fmt: skip
        waited = next(waits, None)
        if waited is None:
            continue
        value = (
            f"overlap scheduling: {where} launches a step and keeps its future ({source.quote(put)}); if "
            f"{source.quote(goes_on.test)} it returns to schedule the next one, else it waits for the oldest "
            f"({source.quote(taken)}, {source.quote(waited)}): several steps are under way at a time"
        )
        places = (source.at(put), source.at(goes_on), source.at(taken), source.at(function))
        yield Claim(f"{where} overlap", value, places)
        return


def _awaited_late(source: PythonSource, where: str, function: t.FunctionDef) -> Iterator[Claim]:
    """`if self.under_way: device.wait()`, then `device.run()` and `self.under_way = True`: waits one step later."""
    set_at = {
        t.dotted(n.targets[0]): n for n in own_of(function, t.Assign)
        if isinstance(n.value, t.Constant) and n.value.value is True
    }  # fmt: skip
    for branch in own_of(function, t.If):
        flag = t.dotted(branch.test)
        begun = set_at.get(flag)
        waited = next((c for s in branch.body for c in calls(s) if WAITS & set(words(last_name(c.func)))), None)
        if flag is None or not flag.startswith("self.") or begun is None or waited is None:
            continue
        if begun.span.start < branch.span.end or not isinstance(waited.func, t.Attribute):
            continue
        device = t.dotted(waited.func.value)
        launched = next((
            c for c in _calls(function)
            if isinstance(c.func, t.Attribute) and t.dotted(c.func.value) == device
            and branch.span.end <= c.span.start < begun.span.start and LAUNCHES & set(words(c.func.attr))
        ), None)  # fmt: skip
        if launched is not None:
            value = (
                f"overlap scheduling: {where} prepares a step while the last one still runs: it waits for that "
                f"({source.quote(waited)} if {flag}) only before it launches its own ({source.quote(launched)}) and "
                f"does not wait for it"
            )
            places = (source.at(waited), source.at(launched), source.at(begun), source.at(function))
            yield Claim(f"{where} overlap", value, places)


def _sent_before(source: PythonSource, where: str, function: t.FunctionDef) -> Iterator[Claim]:
    """`following = await self.send_next()`, then `out = await device.get_output()`, and `following` is returned."""
    returned = {n.id for r in own_of(function, t.Return) if r.value for n in t.walk(r.value) if isinstance(n, t.Name)}
    sent: t.Assign | None = None
    for statement in function.body:
        match statement:
            case t.Assign(value=t.Await(value=t.Call(func=func)) | t.Call(func=func)):
                said = set(words(last_name(func)))
            case _:
                continue
        if "next" in said and SENDS & said and {n.id for n in _names(statement.targets)} & returned:
            sent = statement
        elif sent is not None and isinstance(statement.value, t.Await) and RESULTS & said and TAKES & said:
            value = (
                f"overlap: {where} has the next batch prepared and sent ({source.quote(sent.value)}) before it awaits "
                f"the results of this one ({source.quote(statement.value)}), so host work runs while the device "
                f"computes (≈ by their names)"
            )
            places = (source.at(sent), source.at(statement), source.at(function))
            yield Claim(f"{where} overlap", value, places, confidence="heuristic")
            return


def _names(targets: list[t.Expr]) -> Iterator[t.Name]:
    return (n for target in targets for n in t.walk(target) if isinstance(n, t.Name))


def _leaves_room(node: t.Node, queue: str | None) -> TypeGuard[t.If]:
    """`if len(queue) < most …: return`."""
    if not isinstance(node, t.If) or not isinstance(last_of(node.body), t.Return):
        return False
    test = node.test.values[0] if isinstance(node.test, t.BoolOp) and node.test.op == "and" else node.test
    match test:
        case t.Compare(left=t.Call(func=t.Name(id="len"), args=[counted]), ops=["<" | "<="]):
            return t.dotted(counted) == queue
        case _:
            return False


def _takes(call: t.Call, queue: str | None, into: str) -> bool:
    """Whether a call takes the oldest element of a queue that is filled by `into`."""
    match call:
        case t.Call(func=t.Attribute(value=held, attr="popleft"), args=[]):
            return into == "append" and t.dotted(held) == queue
        case t.Call(func=t.Attribute(value=held, attr="pop"), args=[]):
            return into == "appendleft" and t.dotted(held) == queue
        case t.Call(func=t.Attribute(value=held, attr="pop"), args=[t.Constant(value=0)]):
            return into == "append" and t.dotted(held) == queue
        case _:
            return False


def _calls(method: t.FunctionDef) -> list[t.Call]:
    return list(own_of(method, t.Call))


def _remembered(source: PythonSource, where: str, loop: t.While) -> Iterator[Claim]:
    """`self.last = batch` at the end of an iteration, and `if self.last:` with work before that."""
    for statement in loop.body:
        if not isinstance(statement, t.Assign) or len(statement.targets) != 1:
            continue
        kept, value = t.dotted(statement.targets[0]), t.dotted(statement.value)
        if kept is None or value is None or "." not in kept or "." in value:
            continue
        made = [s for s in t.flat(loop.body) if isinstance(s, t.Assign) and t.dotted(s.targets[0]) == value]
        guarded = [
            s for s in loop.body
            if isinstance(s, t.If) and s.span.start < statement.span.start
            and any(t.dotted(n) == kept for n in t.walk(s.test)) and calls(s)
        ]  # fmt: skip
        if not made or not guarded or made[0].span.start > guarded[0].span.start:
            continue
        done = "; ".join(source.quote(c) for s in guarded[0].body for c in calls(s)[:1])
        text = (
            f"overlap scheduling: each iteration launches `{value}` and then handles the results of the last batch, "
            f"kept in {kept} (`if {source.quote(guarded[0].test)}`: {done})"
        )
        yield Claim(f"{where} overlap", text, (source.at(guarded[0]), source.at(statement), source.at(loop)))


@by_function
def switches(source: PythonSource) -> Iterator[Claim]:
    """`if x: one loop, else: another`: what chooses how the program runs."""
    for scope in source.module.functions():
        chosen: list[tuple[str, str, t.Node]] = []
        seen: set[int] = set()
        for node in own_of(scope.node, t.If):
            if not node.orelse or node.span.start in seen:
                continue
            while True:
                seen.add(node.span.start)
                if loops := _loops(source, node.body):
                    chosen.append((f"if {source.quote(node.test)}", loops, node))
                rest = node.orelse
                if len(rest) == 1 and isinstance(rest[0], t.If):
                    node = rest[0]
                    continue
                if loops := _loops(source, rest):
                    chosen.append(("else", loops, rest[0]))
                break
        if len(chosen) >= 2 and len({loops for _, loops, _ in chosen}) > 1:
            text = ", ".join(f"{test}: {loops}" for test, loops, _ in chosen[:8])
            value = f"the main loop of {scope.qualified_name} is chosen by a switch: {text}"
            yield Claim(f"{scope.qualified_name} main loop", value, tuple(source.at(n) for _, _, n in chosen[:8]))


def _loops(source: PythonSource, body: list[t.Stmt]) -> str:
    """What a branch runs for ever: calls in an endless loop, or of a function named a loop."""
    found: dict[str, None] = {}
    for statement in body:
        for node in t.walk(statement):
            if isinstance(node, t.While) and _is_endless(node.test):
                if any(last_name(c.func) == "input" for s in node.body for c in calls(s)):
                    continue  # asks somebody until the answer will do
                if any(isinstance(n, t.ExceptHandler) and _says(n.type, "StopIteration") for n in t.walk(*node.body)):
                    continue  # goes through what a generator gives
                found.update((source.quote(c.func), None) for s in node.body for c in calls(s)[:2])
            elif isinstance(node, t.Call) and _runs_for_ever(last_name(node.func)):
                found[source.quote(node.func)] = None
    return ", ".join(found)


def _says(node: t.Expr | None, name: str) -> bool:
    return node is not None and any(t.dotted(n) == name for n in t.walk(node))


def _runs_for_ever(name: str) -> bool:
    """Whether a function is named a loop; one that gives the loop of somebody else runs none."""
    said = words(name)
    return bool({"loop", "forever"} & set(said)) and not {"get", "new", "set", "running", "create"} & set(said)
