"""What a function has done on which CUDA stream, in which order, and what waits for what: streams, events, collectives.

Calls go to the stream that is current where they are made; which of them only work on the host is not asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase

from kernelscope.results import Span
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.device_calls import calls_of, label_of, own_nodes, works
from kernelscope.serving.guards import EXITS, last_name
from kernelscope.syntax.python import tree as t

MAIN = "current stream"
HOST = "host"
LINK = "collectives"
"""Where what was begun with `async_op=True` runs."""
SWITCHES = {"stream", "StreamContext"}
BEGUN = {"isend", "irecv"}
ROUNDS = 2
MOST_AROUND = 2
"""Calls on the main stream before and after everything else that are told."""
MOST_LABEL = 24
MOST_STEPS = 60


@dataclass(frozen=True, slots=True)
class Act:
    """Something done on a stream, or a wait on one, from one moment to another of an order that is no time."""

    stream: str
    label: str
    span: Span
    start: int
    end: int
    waits: bool = False
    name: str = ""
    """The label in full where letters stand for labels."""


@dataclass(slots=True)
class Order:
    """What runs on which stream."""

    acts: list[Act] = field(default_factory=list[Act])
    conditions: list[tuple[t.Expr, bool]] = field(default_factory=list["tuple[t.Expr, bool]"])
    """Tests that must hold for what is told, or must not."""
    loops: list[t.For | t.While] = field(default_factory=list["t.For | t.While"])
    """Loops of which two rounds are told."""

    @property
    def streams(self) -> list[str]:
        """The streams in the order in which something is done on them, the main one first."""
        found = dict.fromkeys(act.stream for act in self.acts)
        return sorted(found, key=lambda stream: (stream != MAIN, stream == HOST))

    @property
    def tells(self) -> bool:
        """Whether things run beside each other."""
        return len({act.stream for act in self.acts if not act.waits and act.stream != HOST}) > 1


def order_of(source: PythonSource, function: t.FunctionDef, lettered: bool = False) -> Order:
    """What one function does; nothing is told where all runs on one stream. Each act takes as long as its label is
    wide, or, `lettered`, all the same."""
    walk = Walk(source, range(MOST_STEPS), lettered)
    if not walk.names_streams(function.body):
        return Order()
    whole = walk.run(function)
    beside = [number for number, act in enumerate(whole.acts) if act.waits or act.stream != MAIN]
    if not beside:
        return whole
    return Walk(source, range(beside[0] - MOST_AROUND, beside[-1] + 1 + MOST_AROUND), lettered).run(function)


class Walk:
    """One way through a function, with a clock for each stream."""

    def __init__(self, source: PythonSource, told: range, lettered: bool) -> None:
        """`told` are the numbers of the acts that are told."""
        self.source = source
        self.told = told
        self.number = 0
        self.letters: dict[str, str] | None = {} if lettered else None
        self.found = Order()
        self.current = MAIN
        self.clocks: dict[str, int] = {}
        self.host = 0
        """The host waited so long: what it launches later begins no earlier."""
        self.events: dict[str, int] = {}
        self.aliases: dict[str, str] = {}
        self.rounds: tuple[int, ...] = ()

    def names_streams(self, body: Sequence[t.Stmt]) -> bool:
        """Whether something is put on another stream, or begun without being waited for."""
        return _names_streams(body)

    def works(self, body: Sequence[t.Stmt]) -> bool:
        """Whether something is called that may run on a device."""
        return works(body)

    def run(self, function: t.FunctionDef) -> Order:
        self._body(function.body)
        return self.found

    def _body(self, body: Sequence[t.Stmt]) -> None:
        for statement in body:
            if self.number >= self.told.stop:
                return
            self._statement(statement)

    def _statement(self, statement: t.Stmt) -> None:
        match statement:
            case t.FunctionDef() | t.ClassDef() | t.Assert() | t.Raise():
                pass
            case t.If(test=test, body=body, orelse=orelse):
                self._branch(test, body, orelse)
            case t.For(body=body) | t.While(body=body):
                self._loop(statement, body)
            case t.With(items=items, body=body):
                outer = self.current
                for item in items:
                    if (switched := self._switched(item.context_expr)) is not None:
                        self.current = switched
                self._body(body)
                self.current = outer
            case t.Try(body=body, finalbody=last):
                self._body(body)
                self._body(last)
            case _:
                self._simple(statement)

    def _branch(self, test: t.Expr, body: Sequence[t.Stmt], orelse: Sequence[t.Stmt]) -> None:
        """The way on which something runs beside the rest, else the one that goes on; told with its condition where the
        other does something, too."""
        named, named_else = self.names_streams(body), self.names_streams(orelse)
        ends = bool(body) and isinstance(body[-1], EXITS)
        holds = named or not (named_else or ends)
        taken, other = (body, orelse) if holds else (orelse, body)
        if (named or named_else or self.works(other)) and not ends and (test, holds) not in self.found.conditions:
            self.found.conditions.append((test, holds))
        self._body(taken)

    def _loop(self, loop: t.For | t.While, body: Sequence[t.Stmt]) -> None:
        if isinstance(loop, t.For) and (held := self.events.get(self._text(loop.iter))) is not None:
            self.events[self._text(loop.target)] = held  # all that were kept in a list are waited for
        if not self.names_streams(body):
            self._body(body)
            return
        if loop not in self.found.loops:
            self.found.loops.append(loop)
        outer = self.rounds
        for number in range(ROUNDS):
            self.rounds = (*outer, number)
            self._body(body)
        self.rounds = outer

    def _simple(self, statement: t.Stmt) -> None:
        match statement:
            case t.Assign(targets=[target], value=value) if (stream := self._stream(value)) is not None:
                self.aliases[self._text(target)] = stream
                return
            case t.Assign(targets=[target], value=t.Call() as call) if self._begins(call):
                self._act(LINK, label_of(call, self.source), call.span, begins=self._now(self.current))
                self.events[self._text(target)] = self._now(LINK)
                return
            case t.Assign(targets=[target], value=t.Call(func=t.Attribute(value=of, attr="record_event"), args=[])):
                self.events[self._text(target)] = self._now(self._named(of))
                return
            case t.ExprStmt(value=t.Call(func=t.Attribute(value=held, attr="append"), args=[kept])) if self._text(
                kept
            ) in self.events or (isinstance(kept, t.Call) and self._begins(kept)):
                if isinstance(kept, t.Call):
                    self._act(LINK, label_of(kept, self.source), kept.span, begins=self._now(self.current))
                    self.events[self._text(kept)] = self._now(LINK)
                self.events[self._text(held)] = max(self.events.get(self._text(held), 0), self.events[self._text(kept)])
                return
            case _:
                pass
        for call in calls_of(statement):
            if not self._meets(call):
                self._work(call)

    def _work(self, call: t.Call) -> None:
        if _sets_stream(call):
            self.current = self._named(call.args[0])
            return
        self._act(self.current, label_of(call, self.source), call.span)

    def _act(self, stream: str, label: str, span: Span, begins: int = 0) -> None:
        self._add(stream, label, span, max(self._now(stream), begins), 0, False)

    def _add(self, stream: str, name: str, span: Span, start: int, until: int, waits: bool) -> None:
        number, self.number = self.number, self.number + 1
        if number not in self.told:
            return
        label = name if len(name) <= MOST_LABEL else name[: MOST_LABEL - 1] + "…"
        if not waits:
            of_round = "".join(f" {number}" for number in self.rounds)
            name, label = name + of_round, label + of_round
        if self.letters is not None:
            label = "·" if waits else self.letters.setdefault(name, _letter(len(self.letters)))
        self.clocks[stream] = end = max(until, start + len(label) + 2)
        self.found.acts.append(Act(stream, label, span, start, end, waits, name))

    # -- streams and events -------------------------------------------------------------------------------

    def _meets(self, call: t.Call) -> bool:
        """Records and waits."""
        if not isinstance(call.func, t.Attribute):
            return False
        of, args = call.func.value, call.args
        match call.func.attr, args:
            case "wait_stream", [other]:
                self._wait(self._named(of), self._now(self._named(other)), self._named(other), call.span)
            case "wait_event", [event]:
                self._wait_for_event(self._named(of), event, call.span)
            case "record_event", [event]:
                self.events[self._text(event)] = self._now(self._named(of))
            case "record", [] | [_]:
                self.events[self._text(of)] = self._now(self._named(args[0]) if args else self.current)
            case "wait", ([] | [_]) if self._is_event(of) or self._text(of) in self.events:
                self._wait_for_event(self._named(args[0]) if args else self.current, of, call.span)
            case "synchronize", [] if self._text(of) in self.events or self._is_event(of):
                self._wait(HOST, self.events.get(self._text(of), 0), self._text(of), call.span)
            case "synchronize", _:
                everything = self._text(of).rpartition(".")[2] in ("cuda", "npu", "xpu", "accelerator")
                until = max(self.clocks.values(), default=0) if everything else self._now(self._named(of))
                self._wait(HOST, until, "all" if everything else self._named(of), call.span)
            case _:
                return False
        return True

    def _wait_for_event(self, stream: str, event: t.Expr, span: Span) -> None:
        self._wait(stream, self.events.get(self._text(event), 0), self._text(event), span)

    def _wait(self, stream: str, until: int, name: str, span: Span) -> None:
        """A stream goes on when something else has come so far; a wait is told also where that is long past."""
        name = name.removeprefix("self.")
        self._add(stream, name, span, self._now(stream), until, True)
        if stream == HOST:
            self.host = self.clocks.get(HOST, 0)

    def _now(self, stream: str) -> int:
        return max(self.clocks.get(stream, 0), self.host)

    def _is_event(self, node: t.Expr) -> bool:
        return "event" in self._text(node).lower() or self._text(node) in self.events

    def _begins(self, call: t.Call) -> bool:
        """Whether a collective goes on while the function does."""
        is_async = any(
            k.arg == "async_op" and isinstance(k.value, t.Constant) and k.value.value is True for k in call.keywords
        )
        return is_async or last_name(call.func) in BEGUN

    def _switched(self, context: t.Expr) -> str | None:
        """The stream that a `with` makes the current one."""
        match context:
            case t.Call(func=func, args=[stream, *_]) if last_name(func) in SWITCHES:
                return None if isinstance(stream, t.Constant) else self._named(stream)
            case _:
                return None

    def _stream(self, value: t.Expr) -> str | None:
        """The stream that a name is given to."""
        match value:
            case t.Call(func=func) if last_name(func) in ("current_stream", "default_stream"):
                return self.current if last_name(func) == "current_stream" else MAIN
            case t.Name() | t.Attribute() if "stream" in self._text(value).lower():
                return self._named(value)
            case _:
                return None

    def _named(self, node: t.Expr) -> str:
        """The lane of a stream: of `current_stream()` the current one, else as the source calls it."""
        if isinstance(node, t.Call) and (stream := self._stream(node)) is not None:
            return stream
        text = self._text(node)
        return self.aliases.get(text, text.removeprefix("self."))

    def _text(self, node: t.Node) -> str:
        return self.source.quote(node, MOST_LABEL * 2)


def _names_streams(body: Sequence[t.Stmt]) -> bool:
    """Whether something is put on another stream, or begun without being waited for."""
    for node in own_nodes(body):
        match node:
            case t.Call(func=func, args=[_, *_]) if last_name(func) in SWITCHES or last_name(func) == "wait_stream":
                return True
            case t.Call() if _sets_stream(node):
                return True
            case t.Call(func=t.Attribute(attr="wait_event" | "record_event")):
                return True
            case t.Keyword(arg="async_op", value=t.Constant(value=True)):
                return True
            case t.Call(func=func) if last_name(func) in BEGUN:
                return True
            case _:
                pass
    return False


def _sets_stream(call: t.Call) -> bool:
    """`torch.cuda.set_stream(s)`; an object's method of that name only notes one."""
    of = t.dotted(call.func) or ""
    return last_name(call.func) == "set_stream" and bool(call.args) and not of.startswith("self.")


def _letter(number: int) -> str:
    """A, B … Z, A1, B1 …"""
    turn, place = divmod(number, len(ascii_uppercase))
    return ascii_uppercase[place] + (str(turn) if turn else "")
