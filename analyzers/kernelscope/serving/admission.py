"""How requests join a batch: admission from a waiting queue, what ends it, fairness, or one batch to its end.

A loop that moves elements of one queue into another is an admission; names are only quoted.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.results import Location
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import (
    EXITS,
    MAX_TEST,
    Guard,
    all_guards_text,
    calls,
    denied,
    guarded,
    kept_of,
    last_name,
    last_of,
    own_calls,
    own_of,
)
from kernelscope.serving.moves import Move, last_part, moves
from kernelscope.serving.pieces import by_function
from kernelscope.serving.preemption import swaps_out
from kernelscope.serving.queues import OVER, REQUESTS, iterated
from kernelscope.serving.sections import words
from kernelscope.syntax.of_nodes import kept_of_nodes
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

TAKES = {"popleft", "pop", "pop_request", "peek_request", "heappop", "get_nowait"}
REMOVES = {"popleft", "pop", "pop_request", "heappop", "get_nowait", "remove"}
WAITING = {"waiting", "queued", "pending", "queue", "inbox", "backlog", "todo"}
"""Words of where a request is before it runs."""
RUNNING = {"running", "active", "inflight"}
ADMINISTERS = {"get", "list", "load", "unload", "launch", "terminate", "describe", "find", "fetch", "register", "set",
               "create", "delete", "update", "check", "cancel", "download"}  # fmt: skip
"""Words of calls that do something about models and run none."""
PARTS = {"token", "tokens"}
RUNS = {"run", "prefill", "prefills", "execute", "forward", "infer"}
"""Words of calls that are given a batch to run it."""
IDS = {"free", "block", "blocks", "page", "pages", "slot", "slots", "ids"}
PUTS = {"append", "add", "appendleft"}


def continuous(source: PythonSource) -> Iterator[Claim]:
    """Loops that move requests from one queue of an object into another under limits, step after step."""
    movers = {move.where.rpartition(".")[2]: move for move in moves(source) if WAITING & set(words(move.source))}
    for scope in source.module.functions():
        if movers and any(_moved(loop, _outliving(scope.node)) for loop in own_of(scope.node, t.While, t.For)):
            movers.pop(scope.node.name, None)  # it says itself how it admits
    for scope in source.module.functions():
        for loop in own_of(scope.node, t.For, t.While):
            yield from _by_mover(source, scope, loop, movers)
            cut = _cut_after(scope.node, loop)
            if not cut and not _removing(loop):
                continue
            moved = _moved(loop, _outliving(scope.node), _putters(scope.node), cut)
            limits = list(dict.fromkeys(_limits(source, scope, loop))) if moved is not None else []
            if moved is None or not limits:
                continue
            source_queue, target = moved
            if (RUNNING | PARTS | IDS) & set(words(last_part(source_queue))):
                continue  # what runs already is gone through, and tokens and blocks are no requests
            if (served := _served_out(scope.node, loop, target)) is not None:
                yield _batch_to_its_end(source, scope, source_queue, target, *served)
                continue
            if not target.startswith("self."):
                if not _are_requests(scope, source_queue, target, limits):
                    continue
                is_given = isinstance(scope.node, t.FunctionDef) and target in {p.name for p in scope.node.args}
                run = _run(scope.node, target)
                goes = f"it hands to {source.quote(run.func)}" if run is not None else "it returns"
                value = (
                    f"{scope.qualified_name} takes requests from {source_queue} into {target}, "
                    f"which {'its caller gave' if is_given else goes}"
                )
                if not is_given and not (scope.owner is not None and "queue" in words(scope.owner.name)):
                    value = f"a batch is formed anew at every step: {value}"
            else:
                value = (
                    f"continuous batching: {scope.qualified_name} admits requests from {source_queue} into {target} at "
                    f"every step; both queues outlive it, so new requests join between steps"
                )
            value += f"; it stops when {' or '.join(limits[:6])}"
            places = (source.at(loop), source.at(scope.node), *_places_asked(source, scope, loop))
            yield Claim(f"{scope.qualified_name} admission", value, places)


def _places_asked(source: PythonSource, scope: Scope, loop: t.While | t.For) -> Iterator[Location]:
    """Where the functions are that decide when a loop ends."""
    for statement in t.flat(loop.body):
        if isinstance(statement, t.If):
            yield from (source.at(function) for function in _askers(scope, statement.test))


def _are_requests(scope: Scope, queue: str, target: str, limits: list[str]) -> bool:
    """Whether names say that what leaves a queue are requests, or the limits that it is measured in tokens."""
    named = {*words(queue), *words(target), *words(scope.owner.name if scope.owner is not None else "")}
    return bool((REQUESTS | WAITING - {"queue"}) & named) or any(PARTS & set(words(limit)) for limit in limits)


def _by_mover(source: PythonSource, scope: Scope, loop: t.While | t.For, movers: dict[str, Move]) -> Iterator[Claim]:
    """A loop under limits that calls a function which moves a waiting request to what runs."""
    if not movers:
        return
    called = [c for statement in loop.body for c in calls(statement) if last_name(c.func) in movers]
    limits = list(dict.fromkeys(_limits(source, scope, loop))) if called else []
    if called and limits:
        move = movers[last_name(called[0].func)]
        value = (
            f"continuous batching: {scope.qualified_name} admits requests, {move.where} moves them from "
            f"{move.source} to {move.target}; both queues outlive it, so new requests join between steps; it stops "
            f"when {' or '.join(limits[:6])}"
        )
        places = (source.at(loop), source.at(called[0]), source.at(scope.node), move.location)
        yield Claim(f"{scope.qualified_name} admission", value, places)


def _served_out(
    function: t.FunctionDef | t.ClassDef, admission: t.While | t.For, running: str
) -> tuple[t.If, tuple[Guard, ...]] | None:
    """The exit before an admission that is taken as long as anything of the running queue was chosen for this step.

    `for r in self.running: chosen.append(r)` and then `if chosen: return`: nobody joins a batch that runs. With it,
    under which tests an element is chosen.
    """
    chosen: dict[str, tuple[Guard, ...]] = {}
    for statement in function.body:
        if statement is admission:
            return None
        match statement:
            case t.For(iter=queue, body=body) if iterated(queue) == running:
                for inner, guards in guarded(body):
                    for call in calls(inner):
                        match call.func:
                            case t.Attribute(value=t.Name(id=name), attr="append"):
                                chosen.setdefault(name, guards)
                            case _:
                                pass
            case t.If(test=t.Name(id=name), body=[*_, t.Return()]) if name in chosen:
                return statement, chosen[name]
            case t.If(test=test, body=[*_, t.Return()]) if t.dotted(test) == running:
                return statement, ()
            case _:
                pass
    return None


def _batch_to_its_end(
    source: PythonSource, scope: Scope, waiting: str, running: str, ends: t.If, guards: tuple[Guard, ...]
) -> Claim:
    """Where only some of what runs is chosen, a request may join in a step in which none is: that is said."""
    tests = " and ".join(all_guards_text(source, guards))
    some = f"{running} with {tests} is there" if tests else f"{running} runs"
    value = (
        f"static batching: {scope.qualified_name} returns if {source.quote(ends.test)}, before {waiting} is looked at: "
        f"no request joins while anything of {some}{'' if tests else ' (no continuous batching)'}"
    )
    return Claim(f"{scope.qualified_name} batching", value, (source.at(ends), source.at(scope.node)))


@kept_of
def _outliving(function: t.FunctionDef | t.ClassDef) -> dict[str, str]:
    """Names of a function that it stores in its object, with the attribute, that it returns or that it is given.

    `self.running = running`, `self.running.extend(chosen)`, `return batch`, also within what it returns.
    """
    returned = {n.value.id for n in own_of(function, t.Return) if isinstance(n.value, t.Name)}
    packed: list[t.Call] = []
    found = {p.name: "" for p in function.args if p.name != "self"} if isinstance(function, t.FunctionDef) else {}
    for node in own_of(function, t.Assign, t.Call, t.Return):
        match node:
            case t.Call(func=t.Attribute(value=kept, attr="extend"), args=[t.Name(id=name)]) if (
                t.dotted(kept) or ""
            ).startswith("self."):
                found[name] = t.dotted(kept) or ""
            case t.Call(func=func, args=[t.Name(id=name), *_]) if RUNS & set(words(last_name(func))):
                found.setdefault(name, "")
            case t.Assign(targets=[t.Attribute(value=t.Name(id="self"), attr=attr)], value=t.Name(id=name)):
                found[name] = f"self.{attr}"
            case t.Return(value=t.Name(id=name)):
                found.setdefault(name, "")
            case t.Return(value=t.BinOp(left=t.Name(id=one), op="+", right=t.Name(id=other))):
                found.setdefault(one, "")
                found.setdefault(other, "")
            case t.Return(value=t.Tuple(elts=parts)):
                found.update((n.id, found.get(n.id, "")) for n in parts if isinstance(n, t.Name))
            case t.Return(value=t.Call(func=func) as made) if last_name(func)[:1].isupper():
                packed.append(made)
            case t.Assign(targets=[t.Name(id=name)], value=t.Call(func=func) as made) if (
                last_name(func)[:1].isupper() and name in returned
            ):
                packed.append(made)
            case _:
                pass
    for keyword in (k for made in packed for k in made.keywords):
        if isinstance(keyword.value, t.Name):
            found.setdefault(keyword.value.id, "")
    return found


def _run(function: t.FunctionDef | t.ClassDef, batch: str) -> t.Call | None:
    """The call that runs a batch: `self.prefill(batch)`."""
    found = (c for c in own_calls(function) if RUNS & set(words(last_name(c.func))) and c.args)
    return next((c for c in found if t.dotted(c.args[0]) == batch), None)


@kept_of
def _putters(function: t.FunctionDef | t.ClassDef) -> dict[str, tuple[int, str]]:
    """Functions inside that put one of their arguments into a list of the function around: its place, and the list."""
    found: dict[str, tuple[int, str]] = {}
    for inner in (s for s in function.body if isinstance(s, t.FunctionDef)):
        names = [p.name for p in inner.args]
        for call in own_calls(inner):
            match call:
                case t.Call(func=t.Attribute(value=t.Name(id=kept), attr="append"), args=[t.Name(id=given)]):
                    if given in names and kept not in names:
                        found[inner.name] = (names.index(given), kept)
                case _:
                    pass
    return found


def _moved(
    loop: t.While | t.For, outliving: dict[str, str] | None = None, putters: dict[str, tuple[int, str]] | None = None,
    cut: set[str] | None = None,
) -> tuple[str, str] | None:  # fmt: skip
    """The queue whose elements a loop takes, and what of the object it puts the same elements into."""
    removed = _removing(loop) | (cut or set())
    if not removed:
        return None
    elements: dict[str, str] = {}
    if isinstance(loop, t.For) and isinstance(loop.target, t.Name) and (name := iterated(loop.iter)) is not None:
        elements[loop.target.id] = name
    for node in t.inside(loop):
        match node:
            case (
                t.Assign(targets=[t.Name(id=element)], value=value)
                | t.AnnAssign(target=t.Name(id=element), value=value)
            ):
                pass
            case _:
                continue
        match value:
            case t.Call(func=t.Attribute(value=queue, attr=attr)) if attr in TAKES:
                name = t.dotted(queue)
            case t.Subscript(value=queue, slice=t.Constant(value=0)):
                name = t.dotted(queue)
            case _:
                continue
        if name is not None:
            elements[element] = name
    for node in t.inside(loop):  # what is made of an element stands for it
        match node:
            case t.NamedExpr(target=t.Name(id=name), value=t.Call(args=[given, *_])):
                if (queue := elements.get(t.dotted(given) or "")) is not None:
                    elements.setdefault(name, queue)
            case _:
                pass
    found: list[tuple[str, str]] = []
    for node in t.inside(loop):
        match node:
            case t.Assign(
                targets=[t.Subscript(value=t.Attribute() as kept)],
                value=t.Name(id=name) | t.Tuple(elts=[t.Name(id=name), *_]),
            ):
                origin, target = elements.get(name), t.dotted(kept) or ""
                if origin in removed and target.startswith("self.") and RUNNING & set(words(last_part(target))):
                    found.append((origin, target))
            case _:
                pass
    made = [c for statement in loop.body for c in calls(statement)]
    given_up = {name for name in elements if any(swaps_out(c, name) for c in made)}
    for call in made:
        place, kept = (putters or {}).get(last_name(call.func), (0, ""))
        if kept and isinstance(call.func, t.Name) and place < len(call.args) and kept in (outliving or {}):
            taken = elements.get(t.dotted(call.args[place]) or "", "")
            if taken in removed:
                found.append((taken, (outliving or {})[kept] or kept))
        if not isinstance(call.func, t.Attribute) or len(call.args) != 1:
            continue
        if call.func.attr not in PUTS and words(call.func.attr)[:1] != ("add",):
            continue
        target = _kept_in(call.func.value)
        if OVER & set(words(last_part(target))):
            continue
        origin = next((elements[name] for name in _put(call.args[0]) if name in elements), _taken(call.args[0]))
        kept = target if target.startswith("self.") else (outliving or {}).get(target)
        if given_up & set(_put(call.args[0])):
            continue
        if origin in removed and kept is not None and kept != origin:
            found.append((origin, kept or target))
    return min(found, key=lambda m: (not m[1].startswith("self."), "running" not in words(m[1])), default=None)


def _taken(given: t.Expr) -> str | None:
    """The queue of `batch.append(queue.popleft())` and `batch.append(queue[0])`."""
    match given:
        case t.Subscript(value=queue, slice=t.Constant(value=0)):
            return t.dotted(queue)
        case t.Call(func=t.Attribute(value=queue, attr=attr), args=[]) if attr in TAKES:
            return t.dotted(queue)
        case _:
            return None


def _put(given: t.Expr) -> list[str]:
    """The names of what is put into a queue, also in an object that is made of it: `Chosen(group=group, tokens=n)`."""
    parts = [given]
    if isinstance(given, t.Call) and last_name(given.func)[:1].isupper():
        parts = [*given.args, *(k.value for k in given.keywords)]
    return [name for part in parts if (name := t.dotted(part)) is not None]


def _kept_in(node: t.Expr) -> str:
    """The name of a queue; one of several by the name of all: `self.batches[i]` is `self.batches[…]`."""
    if isinstance(node, t.Subscript):
        name = t.dotted(node.value)
        return f"{name}[…]" if name is not None else ""
    return t.dotted(node) or ""


@kept_of_nodes(64)
def _removing(loop: t.While | t.For) -> set[str]:
    """Queues that the loop itself makes shorter."""
    found = (c for statement in loop.body for c in calls(statement))
    return {
        name for c in found
        if isinstance(c.func, t.Attribute) and c.func.attr in REMOVES and (name := t.dotted(c.func.value)) is not None
    }  # fmt: skip


def _cut_after(function: t.FunctionDef | t.ClassDef, loop: t.While | t.For) -> set[str]:
    """Queues off whose front a function cuts what a loop took: `self.waiting = self.waiting[len(chosen):]`."""
    found = set[str]()
    for node in own_of(function, t.Assign):
        match node:
            case t.Assign(targets=[t.Attribute() as queue], value=value) if loop.span.end <= node.span.start:
                part = value.right if isinstance(value, t.BinOp) and value.op == "+" else value
                match part:
                    case t.Subscript(value=rest, slice=t.Slice(lower=t.Call(func=t.Name(id="len")), upper=None)):
                        if t.dotted(rest) == t.dotted(queue) is not None:
                            found.add(t.dotted(queue) or "")
                    case _:
                        pass
            case _:
                pass
    return found


def _limits(source: PythonSource, scope: Scope, loop: t.While | t.For) -> Iterator[str]:
    """Why the loop ends: the negation of its own comparisons, and tests of exits in it; what it skips is said so."""
    if isinstance(loop, t.While):
        tests = loop.test.values if isinstance(loop.test, t.BoolOp) and loop.test.op == "and" else [loop.test]
        for test in tests:
            if isinstance(test, t.Compare):
                yield denied(source, test, MAX_TEST)
    for statement in t.flat(loop.body):
        if not isinstance(statement, t.If) or not statement.body:
            continue
        if isinstance(last_of(statement.body), t.Continue):
            if isinstance(loop, t.For):
                yield f"the loop is through, passing over one if {source.quote(statement.test)}"
        elif isinstance(last_of(statement.body), t.Return | t.Break):
            yield source.quote(statement.test, MAX_TEST)
        elif (
            statement.orelse
            and isinstance(statement.orelse[-1], EXITS)
            and not isinstance(statement.orelse[-1], t.Raise)
        ):
            yield f"{denied(source, statement.test, MAX_TEST)}{_asked(source, scope, statement.test)}"


def _askers(scope: Scope, test: t.Expr) -> Iterator[t.FunctionDef]:
    """The method of the object, or the function inside, that a test only calls."""
    name = (t.dotted(test.func) or "") if isinstance(test, t.Call) else ""
    methods = scope.owner.methods() if scope.owner is not None and name.startswith("self.") else ()
    inner = (s for s in scope.node.body if isinstance(s, t.FunctionDef))
    yield from (f for f in (*methods, *inner) if name and f.name == name.rpartition(".")[2])


def _asked(source: PythonSource, scope: Scope, test: t.Expr) -> str:
    """What a test that only calls a function asks: what that returns."""
    for function in _askers(scope, test):
        returned = [n.value for n in own_of(function, t.Return) if n.value is not None]
        if len(returned) == 1:
            whole = returned[0]
            parts, op = (whole.values, whole.op) if isinstance(whole, t.BoolOp) else ([whole], "")
            said = (f"({text})" if isinstance(p, t.BoolOp) else text for p in parts[:5] if (text := source.quote(p)))
            return f", which asks {f' {op} '.join(said)}"
    return ""


@by_function
def passed_over(source: PythonSource) -> Iterator[Claim]:
    """Loops that may pass a request over only so often: a counter raised at each skip is compared with a limit."""
    for scope in source.module.functions():
        raised: dict[str, t.AugAssign] = {}
        limits: list[tuple[t.If, t.Compare]] = []
        for node in own_of(scope.node, t.AugAssign, t.If):
            match node:
                case t.AugAssign(target=t.Attribute(attr=attr), op="+", value=t.Constant(value=1)):
                    raised.setdefault(attr, node)
                case t.If(test=t.Compare(left=t.Attribute(), ops=[">=" | ">"]) as test, body=[*_, last]):
                    if isinstance(last, t.Return | t.Break):
                        limits.append((node, test))
                case _:
                    pass
        for branch, test in limits:
            assert isinstance(test.left, t.Attribute)
            counter = raised.get(test.left.attr)
            if counter is not None and _moves_requests(scope.node):
                value = (
                    f"fairness: a request may be passed over by later ones only so often: {source.quote(counter)} at "
                    f"each skip, and nothing more is admitted once {source.quote(test)}"
                )
                places = (source.at(branch), source.at(counter), source.at(scope.node))
                yield Claim(f"{scope.qualified_name} fairness", value, places)


def _moves_requests(function: t.FunctionDef | t.ClassDef) -> bool:
    return any(_moved(loop) is not None for loop in own_of(function, t.For, t.While))


@by_function
def static(source: PythonSource) -> Iterator[Claim]:
    """Loops that run one batch until all of it is finished: `if done.all(): break`, and take nothing in between."""
    for scope in source.module.functions():
        for loop in own_of(scope.node, t.For, t.While):
            if _moved(loop) is not None:
                continue
            if any(not PARTS & set(words(last_part(queue))) for queue in _removing(loop)):
                continue  # it may take requests; tokens that wait to be written are none
            ends = next((n for n in loop.body if isinstance(n, t.If) and _all_done(n)), None)
            if ends is None or not any(isinstance(c, t.Call) and _is_model(c) for c in t.walk(*loop.body)):
                continue
            value = (
                f"static batching: {scope.qualified_name} runs one batch to its end, the loop stops when "
                f"{source.quote(ends.test)}; no request joins in between (no continuous batching)"
            )
            yield Claim(
                f"{scope.qualified_name} batching", value, (source.at(ends), source.at(loop), source.at(scope.node))
            )


def _all_done(branch: t.If) -> bool:
    """`if finished.all(): break`, `if all(row.done for row in rows): break`."""
    if not isinstance(last_of(branch.body), t.Break | t.Return):
        return False
    match branch.test:
        case t.Call(func=t.Attribute(attr="all"), args=[]) | t.Call(func=t.Name(id="all"), args=[_]):
            return True
        case _:
            return False


def _is_model(call: t.Call) -> bool:
    said = words(last_name(call.func))
    return last_name(call.func) in ("forward", "generate_next") or ("model" in said and not ADMINISTERS & {*said})
