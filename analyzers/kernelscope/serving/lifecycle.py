"""States of requests and the transitions between them: enum members stored in an attribute, with the guards around.

An enum is a request's state when its members are assigned to an attribute of an object in some method.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kernelscope.results import Location
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.guards import Guard, calls, guards_text, kept_of, last_name, own_calls, own_of, statements
from kernelscope.serving.pieces import by_function
from kernelscope.serving.registries import Registry
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

REQUESTS = {"request", "req", "sequence", "seq", "job", "task", "query", "generation", "session", "stream"}
SURELY = {"request", "req", "sequence", "seq"}
"""Those of them that nothing else is called: texts are parsed as streams and sessions, too."""
OTHERS = {"adapter", "lora", "model", "weight", "weights", "worker", "server", "node", "engine", "connection", "client",
          "replica", "health", "cluster", "device", "download", "service", "actor", "checkpoint", "layer", "expert",
          "instance", "pod", "link", "transport", "attention", "attn", "kernel"}  # fmt: skip
"""Words of what has states, too, but is no request."""
LIVES = {"waiting", "running", "finished", "queued", "pending", "prefill", "decode", "preempted", "aborted", "swapped",
         "done", "active", "processing", "generating", "ready", "complete", "completed", "scheduled",
         "cancelled"}  # fmt: skip
"""Words of the states that a request goes through."""
SETS = {"set", "update", "transition", "change", "mark"}
"""Words of methods that set a state."""
ATOMIC = {"store", "exchange"}
STATUS = {"status", "state", "states", "stage", "phase"}


@dataclass(frozen=True, slots=True)
class Transition:
    """`subject.attribute` becomes `state` (an `Enum.MEMBER`) in `where`, under `condition`."""

    subject: str
    state: str
    where: str
    condition: str
    location: Location
    queue: str = ""
    """The queue that the object was taken from in the same function."""

    @property
    def is_from_state(self) -> bool:
        """Whether what changes is told as the state that it was in: that of the class whose method it is."""
        return "." in self.state and self.subject.rpartition(".")[0] == self.state.rpartition(".")[0]

    @property
    def enum(self) -> str:
        return self.state.rpartition(".")[0].rpartition(".")[2]


@by_function
def transitions(source: PythonSource) -> Iterator[Transition]:
    """Stores of `Class.MEMBER` into attributes, in source order: states where the class is an enum."""
    for scope in source.module.functions():
        taken: dict[str, str] | None = None
        for statement, guards in statements(scope.node):
            if isinstance(statement, t.ExprStmt):
                yield from _given_states(source, statement, guards, scope)
            if not isinstance(statement, t.Assign):
                continue
            state = t.dotted(statement.value) or ""
            owner = state.rpartition(".")[0].rpartition(".")[2]
            target = statement.targets[0]
            if owner[:1].isupper() and isinstance(target, t.Attribute):
                condition = " and ".join(guards_text(source, guards))
                where = scope.qualified_name
                taken = {**_given(scope), **_taken(scope.node)} if taken is None else taken
                queue = taken.get(t.dotted(target.value) or "", "")
                yield Transition(source.quote(target), state, where, condition, source.at(statement), queue)


def bare_states(source: PythonSource, enums: Iterable[Registry]) -> Iterator[Transition]:
    """`slot.state = IDLE` in C++, where an enum of the file has that member without its name."""
    members = {entry.key: enum.name for enum in enums if enum.kind == "enum" for entry in enum.entries}
    setters = set(_setters(source)) if members else set[str]()
    for scope in source.module.functions():
        for statement, guards in statements(scope.node):
            match statement:
                case t.Assign(targets=[t.Attribute(attr=attr) as target], value=t.Name(id=state)) if (
                    state in members and STATUS & set(words(attr))
                ):
                    subject = source.quote(target)
                case t.ExprStmt(value=t.Call(func=t.Attribute(value=held, attr=setter), args=[given])) if (
                    setter in setters and (state := last_name(given)) in members
                ):
                    itself = isinstance(held, t.Name) and held.id == "self"
                    subject = f"its state (by {setter})" if itself else f"{source.quote(held)} (by {setter})"
                    is_named = members[state] in (t.dotted(given) or "").split(".")
                    if is_named and isinstance(given, t.Attribute) and SETS & set(words(setter)):
                        continue  # told as any call of a method that is called so
                case _:
                    continue
            condition = " and ".join(guards_text(source, guards))
            name = f"{members[state]}.{state}"
            yield Transition(subject, name, scope.qualified_name, condition, source.at(statement))


def _setters(source: PythonSource) -> Iterator[str]:
    """Methods that store their only argument as the state: `void to_status(Status to) { …; status = to; }`."""
    for scope in source.module.functions():
        if not isinstance(scope.node, t.FunctionDef) or scope.owner is None:
            continue
        match [p.name for p in scope.node.args if p.name != "self"]:
            case [only]:
                pass
            case _:
                continue
        for node in own_of(scope.node, t.Assign):
            match node:
                case t.Assign(targets=[t.Attribute(value=t.Name(id="self"), attr=attr)], value=t.Name(id=stored)) if (
                    stored == only and STATUS & set(words(attr))
                ):
                    yield scope.node.name
                    break
                case _:
                    pass


def state_classes(source: PythonSource) -> Iterator[Transition]:
    """States that are classes: each tells its member in a field, and its methods hand on the class that comes next."""
    members: dict[str, str] = {}
    for scope in source.module.classes():
        for statement in scope.node.body:
            match statement:
                case t.Assign(targets=[t.Name(id=field)], value=t.Attribute() as value) if STATUS & set(words(field)):
                    members.setdefault(scope.node.name, t.dotted(value) or "")
                case _:
                    pass
    for scope in source.module.functions():
        own = members.get(scope.owner.name, "") if scope.owner is not None else ""
        if not own.rpartition(".")[0].rpartition(".")[2][:1].isupper():
            continue
        for statement, guards in statements(scope.node):
            named = (a.id for call in calls(statement) for a in call.args if isinstance(a, t.Name))
            for state in dict.fromkeys(members[name] for name in named if name in members):
                condition = " and ".join(guards_text(source, guards))
                yield Transition(own, state, scope.qualified_name, condition, source.at(statement))


def _given_states(
    source: PythonSource, statement: t.ExprStmt, guards: tuple[Guard, ...], scope: Scope
) -> Iterator[Transition]:
    """`request.set_status(Status.RUNNING)`: a method of one argument that sets a state."""
    match statement.value:
        case t.Call(func=t.Attribute(value=subject, attr=attr), args=[t.Attribute() as given, *order]):
            state = t.dotted(given) or ""
            is_setter = not order and SETS & set(words(attr))
            if attr in ATOMIC and STATUS & set(words(last_name(subject))):
                is_setter = True  # std::atomic, which takes the order of memory, too
            if is_setter and state.rpartition(".")[0].rpartition(".")[2][:1].isupper():
                condition = " and ".join(guards_text(source, guards))
                where = f"{source.quote(subject)} (by {attr})"
                yield Transition(where, state, scope.qualified_name, condition, source.at(statement))
        case _:
            pass


@kept_of
def _taken(function: t.FunctionDef | t.ClassDef) -> dict[str, str]:
    """Names bound to an element of a queue of the object: `seq = self.waiting.popleft()`, `seq = self.waiting[0]`."""
    found: dict[str, str] = {}
    for statement, _ in statements(function):
        match statement:
            case t.Assign(
                targets=[t.Name(id=name)], value=t.Call(func=t.Attribute(value=t.Attribute() as queue) as func)
            ):
                if func.attr in ("pop", "popleft", "pop_request", "peek_request", "get_nowait"):
                    found.setdefault(name, queue.attr)
            case t.Assign(targets=[t.Name(id=name)], value=t.Subscript(value=t.Attribute(attr=queue))):
                found.setdefault(name, queue)
            case t.ExprStmt(value=t.Call(func=t.Attribute(value=t.Attribute(attr=queue), attr="remove"), args=[one])):
                found.setdefault(t.dotted(one) or "", queue)
            case _:
                pass
    return found


def _given(scope: Scope) -> dict[str, str]:
    """Arguments that all callers in the class take from one queue: `self.preempt(self.running.pop())`."""
    if scope.owner is None or not isinstance(scope.node, t.FunctionDef):
        return {}
    found: dict[str, set[str]] = {}
    names = [p.name for p in scope.node.args][1:]
    for method in scope.owner.methods():
        taken = _taken(method)
        for call in own_calls(method):
            if t.dotted(call.func) != f"self.{scope.node.name}":
                continue
            for name, argument in zip(names, call.args, strict=False):
                match argument:
                    case t.Call(func=t.Attribute(value=t.Attribute(attr=queue), attr="pop" | "popleft")):
                        found.setdefault(name, set()).add(queue)
                    case _:
                        found.setdefault(name, set()).add(taken.get(t.dotted(argument) or "", ""))
    return {name: next(iter(queues)) for name, queues in found.items() if len(queues) == 1 and "" not in queues}


def initial_states(source: PythonSource) -> Iterator[Transition]:
    """Defaults of class fields that are `Class.MEMBER`."""
    for scope in source.module.classes():
        for statement in scope.node.body:
            if not isinstance(statement, t.AnnAssign) or statement.value is None:
                continue
            state = t.dotted(statement.value) or ""
            if state.rpartition(".")[0].rpartition(".")[2][:1].isupper():
                yield Transition(source.quote(statement.target), state, scope.node.name, "", source.at(statement))


def states_only(transitions: list[Transition]) -> list[Transition]:
    """Transitions of enums that are states: called so, or else stored with several of their members.

    Where some speak of requests, only those, whatever they are called; else not those that speak of something else.
    """
    stored: dict[str, set[str]] = {}
    for x in transitions:
        stored.setdefault(x.enum, set()).add(x.state)
    named = {x.enum for x in transitions if STATUS & {*words(x.enum), *words(x.subject.rpartition(".")[2])}}
    several = {enum for enum, states in stored.items() if len(states) > 1}
    kept = named or several
    requests = {
        enum for enum in named | several
        if (said := REQUESTS & set(words(enum))) and ((enum in kept and said & SURELY) or _are_lives(stored[enum]))
    }  # fmt: skip
    foreign = {enum for enum in stored if all(_is_of_another(x) for x in transitions if x.enum == enum)}
    kept = requests or {e for e in kept - foreign if not OTHERS & set(words(e)) and _are_lives(stored[e])}
    return [x for x in transitions if x.enum in kept]


def _is_of_another(x: Transition) -> bool:
    """Whether an object that is no request changes its own state: `self.status = Status.READY` of a worker."""
    owner = x.subject.rpartition(".")[0]
    return owner in ("", "self") and bool(OTHERS & set(words(x.where.partition(".")[0])))


def of_requests(enums: Iterable[Registry]) -> list[Registry]:
    """Of several enums of one name those whose members are such as requests go through, where there are any."""
    alike: dict[str, list[Registry]] = {}
    for enum in enums:
        alike.setdefault(enum.name.rpartition(".")[2], []).append(enum)
    found: list[Registry] = []
    for same in alike.values():
        lives = [r for r in same if _are_lives({entry.key for entry in r.entries})] if len(same) > 1 else same
        found += lives or same
    return found


def _are_lives(states: set[str]) -> bool:
    """Whether at least half of the states are such as requests go through: what else is done has one of them."""
    lives = sum(bool(LIVES & set(words(state.rpartition(".")[2]))) for state in states)
    return lives * 2 >= len(states) and lives > 0
