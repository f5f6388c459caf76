"""How channels are handed on: to functions that take from what they are given, and under other names.

`for item in drained(self.answers)` takes from `answers` where `drained` does; a process that gets `{"inbox": orders}`
takes from `orders` under the name `inbox`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from kernelscope.results import Location
from kernelscope.serving.channels import Channel, Use
from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.guards import last_name, own_calls, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

NAMED = {"q", "qs", "queue", "queues", "pipe", "pipes", "conn", "connection", "chan", "channel", "channels", "sock",
         "socket", "sockets", "event", "events", "barrier", "inbox", "outbox", "mailbox"}  # fmt: skip
"""Words of what may be a channel: of what else is handed on nothing is kept."""
MOST_TAKERS = 6
"""How many uses of one argument are told."""


@dataclass(frozen=True, slots=True)
class Handed:
    """`where` gives what is called `name` to `function` as its argument number `place`."""

    name: str
    function: str
    place: int
    where: str
    location: Location


@dataclass(frozen=True, slots=True)
class Renamed:
    """What is called `name` is called `alias` where it is handed to."""

    name: str
    alias: str


@by_function
def handed(source: PythonSource) -> Iterator[Handed]:
    """What a file gives to functions that may be a channel."""
    if source.aside:
        return
    for scope in source.module.functions():
        for call in own_calls(scope.node):
            function, arguments = _given(call)
            for place, given in enumerate(arguments):
                if name := _channel(given):
                    yield Handed(name, function, place, scope.qualified_name, source.at(call))


def _given(call: t.Call) -> tuple[str, list[t.Expr]]:
    """Whom a call gives its arguments: a process its target, `Clerk.options(…).remote(queue)` the actor's class."""
    keywords = {k.arg: k.value for k in call.keywords}
    match call.func:
        case t.Attribute(value=t.Call(func=t.Attribute(value=made, attr="options")) | made, attr="remote"):
            return last_name(made), call.args
        case _:
            arguments = keywords.get("args")
            if "target" in keywords and isinstance(arguments, t.Tuple | t.List):
                return last_name(keywords["target"]), arguments.elts
            return last_name(call.func), call.args


@by_function
def renamed(source: PythonSource) -> Iterator[Renamed]:
    """Arguments and entries that are called otherwise than what they hold: `inbox=orders`, `{"inbox": orders}`."""
    if source.aside:
        return
    for scope in source.module.functions():
        pairs: list[tuple[str, t.Expr]] = []
        for node in own_of(scope.node, t.Call, t.Dict):
            match node:
                case t.Call(keywords=keywords):
                    pairs += [(k.arg, k.value) for k in keywords if k.arg]
                case t.Dict(keys=keys, values=values):
                    read = ((literal(key), value) for key, value in zip(keys, values, strict=True) if key is not None)
                    pairs += [(key, value) for key, value in read if isinstance(key, str)]
                case _:
                    pass
        for alias, value in pairs:
            name = _channel(value)
            if name and name != alias and NAMED & set(words(alias)):
                yield Renamed(name, alias)


def _channel(node: t.Expr) -> str:
    """The last name of what may be a channel, or one of several."""
    name = last_name(node.value if isinstance(node, t.Subscript) else node)
    return name if NAMED & set(words(name)) else ""


def handed_on(
    opened: Iterable[Channel], used: list[Use], given: Iterable[Handed], names: Iterable[Renamed]
) -> Iterator[Use]:
    """The uses of channels by functions that they are handed to, and under the names that they are handed on by."""
    takers: dict[tuple[str, int], list[Use]] = {}
    for use in used:
        if use.place is not None:
            takers.setdefault((use.made or use.where.rpartition(".")[2], use.place), []).append(use)
    for entry in given:
        for use in takers.get((entry.function, entry.place), ())[:MOST_TAKERS]:
            if use.made:
                yield replace(use, name=entry.name)
            else:
                yield Use(entry.name, use.sends, entry.where, entry.location)
    channels = {channel.name for channel in opened}
    by_name: dict[str, list[Use]] = {}
    for use in used:
        by_name.setdefault(use.name, []).append(use)
    for entry in dict.fromkeys(names):
        if entry.name in channels and entry.alias not in channels:
            yield from (replace(use, name=entry.name) for use in by_name.get(entry.alias, ()))
