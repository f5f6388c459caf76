"""Synchronisation in Python: spin loops and the signals that end them, atomics, barriers, streams and their events.

A loop that only reads one place until it holds a value is a wait; a store with release order, an atomic or a plain
store to the same table is its signal. Also read in source that programs generate as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.results import Location, Span
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.guards import all_guards_text, calls, last_name, own, own_of, statements
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

BARRIERS = {"__syncthreads", "syncthreads", "debug_barrier", "barrier_all", "barrier", "__syncwarp", "grid_sync"}
ORDERS = ("acquire", "release", "acq_rel", "relaxed")
_ORDERED = "orders two streams"
EVENTS = {"wait_stream": _ORDERED, "wait_event": _ORDERED, "record_event": _ORDERED,
          "record_stream": "keeps the memory from being used again before the stream is done with it"}  # fmt: skip
"""Methods of streams and tensors with one operand at most; requests record events of their life with more."""
ADDS = {"add", "sub", "max", "min", "and", "or", "xor", "store", "xchg", "exch"}
"""Words of atomics that work out a result together with others."""
COUNTERS = {"bar", "barrier", "barriers", "sem", "semaphore", "semaphores", "flag", "flags", "counter", "counters",
            "signal", "signals", "ready", "lock", "locks", "scoreboard"}  # fmt: skip
"""Words of what is waited on."""


@dataclass(frozen=True, slots=True)
class Sync:
    """One synchronisation: `kind` of the schema, what is said, and the place that is waited on or signalled."""

    kind: str
    role: str
    text: str
    where: str
    location: Location
    also: tuple[Location, ...] = ()
    expected: str = ""
    """What a counter must have reached, as written."""


def syncs(source: PythonSource) -> Iterator[Sync]:
    """The synchronisation of one Python file: device code, host streams and generated source."""
    if source.aside:
        return
    yield from _in_functions(source)
    yield from _generated(source)


@by_function
def _in_functions(source: PythonSource) -> Iterator[Sync]:
    for scope in source.module.functions():
        name = scope.qualified_name
        here = source.at(scope.node)
        for node in own_of(scope.node, t.While):
            if _only_waits(node):
                yield Sync(
                    "scoreboard", "wait", _wait_text(source, name, scope.node, node), name, source.at(node), (here,)
                )
        yield from _signals(source, name, scope.node, here)
        yield from _streams(source, name, scope.node, here)


def _only_waits(loop: t.While) -> bool:
    """A loop whose test reads memory and whose body does nothing."""
    reads = any(isinstance(n, t.Call) and _reads(last_name(n.func)) for n in t.walk(loop.test))
    return reads and all(isinstance(s, t.Pass) for s in loop.body)


def _reads(name: str) -> bool:
    """Whether a function reads memory by its name; `stream.read(n)` goes on in a file."""
    return name != "read" and bool({"ld", "load", "cas", "acquire", "wait", "poll", "test", "read"} & set(words(name)))


def _wait_text(source: PythonSource, where: str, function: t.FunctionDef | t.ClassDef, loop: t.While) -> str:
    around = [source.quote(n.iter) for n in own_of(function, t.For) if _holds(n, loop)]
    text = f"{where} waits by spinning: while {source.quote(loop.test)}"
    order = next((o for o in ORDERS if o in source.quote(loop.test)), "")
    if order:
        text += f", read with {order} order"
    if around:
        text += f", for each of {'; '.join(around)}"
    barrier = [last_name(c.func) for c in calls_in(function) if last_name(c.func) in BARRIERS]
    return text + (f"; then {barrier[-1]}()" if barrier else "")


def _holds(outer: t.Node, inner: t.Node) -> bool:
    return outer.span.start <= inner.span.start and inner.span.end <= outer.span.end


def calls_in(function: t.FunctionDef | t.ClassDef) -> list[t.Call]:
    return list(own_of(function, t.Call))


def _signals(source: PythonSource, where: str, function: t.FunctionDef | t.ClassDef, here: Location) -> Iterator[Sync]:
    """Stores and atomics with release order: what is published, by whom, between which barriers."""
    found = calls_in(function)
    barriers = [c for c in found if last_name(c.func) in BARRIERS]
    for statement, guards in statements(function):
        for call in calls(statement):
            name, text = last_name(call.func), source.quote(call)
            if not {"st", "store", "add", "atomic", "notify", "signal", "set", "red"} & set(words(name)):
                continue
            is_atomic = "atomic" in words(name) and not name[:1].isupper()
            is_notice = bool({"notify", "signal"} & set(words(name)[:1])) and not name[:1].isupper()
            if not is_atomic and not is_notice and (name[:1].isupper() or not _is_release(call)):
                continue
            if not call.args or t.dotted(call.func) == "signal.signal":
                continue
            if is_notice and t.dotted(call.func) == f"self.{name}":
                continue  # a method that tells others of the object: what it does is told of itself
            guard = " and ".join(all_guards_text(source, guards))
            is_sum = is_atomic and ADDS & set(words(name)) and not _is_release(call) and not _is_counter(source, call)
            said = f"{where} {'works out a result with others by' if is_sum else 'signals with'} {text}"
            said += (
                f", done by a single thread ({guard})"
                if guard and _is_thread(guard)
                else f", if {guard}"
                if guard
                else ""
            )
            before = [b for b in barriers if b.span.start < call.span.start]
            after = [b for b in barriers if b.span.start > call.span.start]
            if before:
                said += f", after {last_name(before[-1].func)}() so that all stores are done"
            if after:
                said += f", followed by {last_name(after[0].func)}()"
            kind = "atomic" if is_atomic else "scoreboard"
            yield Sync(kind, "signal", said, where, source.at(call), (here,))


def _is_counter(source: PythonSource, call: t.Call) -> bool:
    return bool(COUNTERS & set(words(source.quote(call.args[0]))))


def _is_release(call: t.Call) -> bool:
    """Whether a store has release order, by its name or by an argument that says so."""
    given = (*call.args, *(k.value for k in call.keywords))
    orders = {str(a.value) for a in given if isinstance(a, t.Constant)} | {last_name(a) for a in given}
    by_order = any(words(said)[-1:] == ("release",) for said in orders if " " not in said)
    return by_order or "release" in words(last_name(call.func))


def _is_thread(guard: str) -> bool:
    return bool(re.search(r"thread|tid|lane|elect|leader", guard)) and "== 0" in guard


def _streams(source: PythonSource, where: str, function: t.FunctionDef | t.ClassDef, here: Location) -> Iterator[Sync]:
    for call in calls_in(function):
        name = last_name(call.func)
        if name == "synchronize" and isinstance(call.func, t.Attribute):
            until = "what was recorded" if "event" in words(last_name(call.func.value)) else "the device"
            text = f"{where}: {source.quote(call)}: the host waits until {until} is done"
            yield Sync("stream_event", "wait", text, where, source.at(call), (here,))
        if name == "wait" and len(call.args) == 1 and _is_stream(call.args[0]):
            text = f"{where}: {source.quote(call)}: the stream goes on after the event"
            yield Sync("stream_event", "wait", text, where, source.at(call), (here,))
        if name in EVENTS and len(call.args) + len(call.keywords) <= 1 and not any(map(_is_member, call.args)):
            text = f"{where}: {source.quote(call)} {EVENTS[name]}"
            yield Sync("stream_event", "wait", text, where, source.at(call), (here,))


def _is_stream(given: t.Expr) -> bool:
    """`torch.cuda.current_stream()`, `self.copy_stream`."""
    name = last_name(given.func) if isinstance(given, t.Call) else last_name(given)
    return "stream" in words(name)


def _is_member(given: t.Expr) -> bool:
    """`Kind.QUEUED`: what happened to a request, and no event of a device."""
    owner = t.dotted(given.value) if isinstance(given, t.Attribute) else None
    return owner is not None and owner.rpartition(".")[2][:1].isupper()


FETCH = re.compile(
    r"\b(\w+)\s*=\s*(?:\w+(?:\.|::))*(atomic_?add|atomicAdd|fetch_add)\s*\(\s*&?([\w.\[\]>-]+)\s*,\s*(?!0\s*[,)])(\w+)[^)\n]*\)"
)


@by_function
def _generated(source: PythonSource) -> Iterator[Sync]:
    """Atomics in strings that hold source: a kernel that fetches its next piece of work."""
    for scope in source.module.functions():
        for node in own(scope.node):
            if not isinstance(node, t.JoinedStr) and not (isinstance(node, t.Constant) and isinstance(node.value, str)):
                continue
            raw = source.text.slice(node.span)
            if "atomic" not in raw:
                continue
            condition = _condition_in(raw)
            matches = list(FETCH.finditer(raw))
            if not matches:
                continue
            match = matches[0]
            offsets = [node.span.start + len(raw[: m.start()].encode()) for m in matches]
            where, *others = [source.text.location(source.path, Span(o, o)) for o in offsets[:6]]
            text = (
                f"generated kernel in {scope.qualified_name}: the next task index is fetched dynamically at run time "
                f"by {match[0]}: an atomic counter hands out work"
            )
            yield Sync(
                "atomic", "fetch", text + condition, scope.qualified_name, where, (*others, source.at(scope.node))
            )
            break


def _condition_in(raw: str) -> str:
    match = re.search(r"if\s+(\w+)\s+else", raw)
    return f" (if {match[1]})" if match else ""
