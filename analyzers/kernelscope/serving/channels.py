"""Channels of a program: sockets, queues, pipes, events and shared memory, who opens them and who sends and receives.

Kinds come from the libraries' own constructors. The ends of a socket meet at an address; those of a queue are found by
the name that the program hands it on under.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kernelscope.results import Location
from kernelscope.serving import messages
from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.guards import (
    Guard,
    all_guards_text,
    assignments,
    calls,
    guards_text,
    held_names,
    inlined,
    inside,
    last_name,
    own_of,
    statements,
    whole,
)
from kernelscope.serving.pieces import by_function, mentions
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

SOCKETS = {"PUSH", "PULL", "PUB", "SUB", "REQ", "REP", "ROUTER", "DEALER", "PAIR", "XPUB", "XSUB"}
PARTNERS = {"PUSH": "PULL", "PUB": "SUB", "REQ": "REP", "DEALER": "ROUTER", "XPUB": "XSUB", "PAIR": "PAIR"}
"""Socket kinds that send, with the kind that receives from them."""
TWO_WAY = {"DEALER", "PAIR"}
"""Kinds of these whose other end may be the first to send."""
QUEUES = {"Queue": "queue", "SimpleQueue": "queue", "JoinableQueue": "queue", "Pipe": "pipe",
          "SharedMemory": "shared memory", "Event": "event", "Barrier": "barrier"}  # fmt: skip
NO_CHANNEL = ""
"""The transport of what a class holds under a name that may be that of a channel elsewhere: an event of a device."""
CONCURRENT = ("multiprocessing", "torch.multiprocessing", "queue", "threading", "asyncio", "ray.util.queue")
ADDRESSED = {"bind", "connect", "bind_to_random_port"}
SENDS = {"put", "put_nowait", "set"}
RECEIVES = {"get", "get_nowait", "wait"}
MOST_ENDS = 4
MOST_PARTNERS = 3
_ONE_OF = re.compile(r"\[\w+\]$")
"""The index behind what is one of several."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One end of a channel, or a whole queue: transport, socket type, and address in the source's words."""

    transport: str
    pattern: str
    address: str
    where: str
    location: Location
    name: str = ""
    """The variable or attribute that holds it."""
    condition: str = ""
    size: str = ""
    """How many bytes it holds, in the source's words."""
    most: str = ""
    """How many elements a queue holds at most, in the source's words."""


@dataclass(frozen=True, slots=True)
class Use:
    """Something that is put into, or taken from, what a variable or attribute of this name holds."""

    name: str
    sends: bool
    where: str
    location: Location
    place: int | None = None
    """Which argument of the function holds it, where one does."""
    messages: tuple[str, ...] = ()
    """The classes of what goes through."""
    made: str = ""
    """The class whose constructor is meant by `place`, where it keeps that argument."""


@dataclass(frozen=True, slots=True)
class Link:
    """A channel with its two sides; either may be unknown."""

    channel: Channel
    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    pattern: str
    evidence: tuple[Location, ...]
    messages: tuple[str, ...] = ()
    only_opened: tuple[str, ...] = ()
    """`sends` or `receives` where nobody is seen to do so: the side is who opens that end."""
    said: str = ""
    """What is said of it, where that is not put together from its sides."""

    @property
    def text(self) -> str:
        if self.said:
            return self.said
        c = self.channel
        name = c.address or c.name
        named = "" if name == c.transport else name
        said = " ".join(f"{c.transport} {self.pattern} {named} opened in {c.where}".split())
        said += f" if {c.condition}" if c.condition else ""
        size, _, where = c.size.partition(", where ")
        said += f"; it holds {size} bytes" + (f", where {where}" if where else "") if size else ""
        said += f"; it holds at most {c.most} {'element' if c.most == '1' else 'elements'}" if c.most else ""
        for ends, one, several in ((self.senders, "sends", "send"), (self.receivers, "receives", "receive")):
            named = [end.removesuffix(f" (if {c.condition})") for end in ends]
            if one in self.only_opened:
                end = "the other end" if self.pattern.partition(" ")[0] in TWO_WAY else f"the end that {one}"
                said += f"; {', '.join(named)} opens {end}" if named != [c.where] else ""
            elif named and c.transport == "barrier":
                said += f"; {', '.join(named)} {'waits' if len(named) == 1 else 'wait'} there for the others"
            elif named:
                said += f"; {', '.join(named)} {one if len(named) == 1 else several}"
        said += f"; messages: {', '.join(self.messages)}" if self.messages else ""
        return said + " (≈ ends found by its name)" if self.is_by_name else said

    @property
    def is_by_name(self) -> bool:
        """Whether nothing but its name ties a side to what was opened elsewhere; several programs may serve a path."""
        if self.said:
            return len(self.receivers) > 1
        opened = owner_of(self.channel.where)
        return not self.pattern and any(owner_of(end) != opened for end in (*self.senders, *self.receivers))


@by_function
def channels(source: PythonSource) -> Iterator[Channel]:
    """Ends of channels that a file opens: sockets, queues, pipes, shared memory."""
    if not mentions(source, *SOCKETS, *QUEUES):
        return
    for scope in source.module.functions():
        yield from _shown(source, scope)
        for statement, guards in statements(scope.node):
            passing = {n.value for n in t.walk(statement) if isinstance(n, t.Attribute)}
            for call in calls(statement):
                name = t.dotted(call.func) or (call.func.attr if isinstance(call.func, t.Attribute) else "")
                last = name.rpartition(".")[2]
                kinds = [kind for a in call.args if (kind := _socket_kind(a, scope))]
                if (not kinds and last not in QUEUES) or call in passing:
                    continue  # `Event().wait()`: nothing holds it
                held = _held(statement)
                condition = " and ".join(guards_text(source, guards))
                if kinds:
                    address = _address(source, scope.node, call) or _bound_to(source, scope, held, guards)
                    yield Channel("ZeroMQ", kinds[0], address, scope.qualified_name, source.at(call), held, condition)
                elif _is_concurrent(source, name):
                    address = next((source.quote(k.value) for k in call.keywords if k.arg == "name"), "")
                    where, size = scope.qualified_name, _size(source, call)
                    kind, most = QUEUES[last], _most(source, call) if QUEUES[last] == "queue" else ""
                    yield Channel(kind, "", address, where, source.at(call), _last(held), condition, size, most)
                elif held.startswith("self."):
                    yield Channel(NO_CHANNEL, "", "", scope.qualified_name, source.at(call), _last(held))


def _size(source: PythonSource, call: t.Call) -> str:
    """How much memory a call makes, with what the file's own constants in it are."""
    size = next((k.value for k in call.keywords if k.arg == "size"), None)
    if size is None:
        return ""
    fixed = {
        s.targets[0].id: s.value for s in source.module.body
        if isinstance(s, t.Assign) and isinstance(s.targets[0], t.Name) and s.targets[0].id.isupper()
    }  # fmt: skip
    return inlined(source, size, fixed)


def _most(source: PythonSource, call: t.Call) -> str:
    """`Queue(8)`, `Queue(maxsize=n)`: no more than that wait in it; 0 and less are no bound."""
    given = next((k.value for k in call.keywords if k.arg == "maxsize"), None) or next(iter(call.args), None)
    number = literal(given)
    if given is None or isinstance(given, t.Starred) or (isinstance(given, t.Constant) and given.value is None):
        return ""
    return "" if isinstance(number, int) and number <= 0 else source.quote(given)


def _shown(source: PythonSource, scope: Scope) -> Iterator[Channel]:
    """A property that hands out what another object holds under the same name: in this class it is that one."""
    match scope.node:
        case t.FunctionDef(name=name, decorator_list=[t.Name(id="property")], body=[*_, t.Return(value=value)]):
            if isinstance(value, t.Attribute) and value.attr == name:
                yield Channel(NO_CHANNEL, "", "", scope.qualified_name, source.at(scope.node), name)
        case _:
            pass


def _address(source: PythonSource, function: t.FunctionDef | t.ClassDef, call: t.Call) -> str:
    """The address that a socket is opened with: what follows its kind, or precedes it and is no context of sockets."""
    place = next((i for i, a in enumerate(call.args) if _is_socket(a)), 0)
    given = [*call.args[place + 1 :], *call.args[:place]]
    address = next((a for a in given if not _is_socket(a) and not _is_context(a)), None)
    return source.quote(_looped_over(function, address)) if address is not None else ""


def _looped_over(function: t.FunctionDef | t.ClassDef, node: t.Expr) -> t.Expr:
    """What a name goes through: `addresses` of `open(addr) for addr in addresses`, one socket for each."""
    if isinstance(node, t.Name):
        for around in inside(function):
            match around:
                case (
                    t.For(target=t.Name(id=node.id), iter=several)
                    | t.Comprehension(target=t.Name(id=node.id), iter=several)
                ):
                    return several
                case _:
                    pass
    return node


def _is_context(node: t.Expr) -> bool:
    return bool({"context", "ctx"} & set(words(last_name(node))))


def _held(statement: t.Stmt) -> str:
    """What a statement binds its value to."""
    match statement:
        case t.Assign(targets=[t.Subscript(value=target)]) | t.Assign(targets=[target]) | t.AnnAssign(target=target):
            return t.dotted(target) or ""
        case _:
            return ""


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _bound_to(source: PythonSource, scope: Scope, held: str, guards: tuple[Guard, ...]) -> str:
    """The address that a socket is bound or connected to under the same conditions."""
    wanted = all_guards_text(source, guards)
    for statement, others in statements(scope.node):
        for call in calls(statement):
            match call:
                case t.Call(func=t.Attribute(value=socket, attr=attr), args=[address, *_]) if attr in ADDRESSED:
                    if t.dotted(socket) == held and held and all_guards_text(source, others) == wanted:
                        return source.quote(address)
                case _:
                    pass
    return ""


def _socket_kind(node: t.Expr, scope: Scope) -> str:
    """The kind of socket that an argument is: `zmq.PULL`, or a name that is bound to it once."""
    if isinstance(node, t.Name) and isinstance(scope.node, t.FunctionDef):
        node = assignments(scope.node).get(node.id, node)
    return node.attr if isinstance(node, t.Attribute) and node.attr in SOCKETS else ""


def _is_socket(node: t.Expr) -> bool:
    return isinstance(node, t.Attribute) and node.attr in SOCKETS


def _is_concurrent(source: PythonSource, name: str) -> bool:
    """Whether a constructor comes from a module of processes or threads, by the file's imports."""
    first = name.partition(".")[0]
    for statement in t.flat(source.module.body):
        if isinstance(statement, t.Import):
            for alias in statement.names:
                if alias.bound == first:
                    return alias.name.startswith(CONCURRENT)
        elif isinstance(statement, t.ImportFrom):
            for alias in statement.names:
                if alias.bound == first:
                    return f"{statement.module}.{alias.name}".startswith(CONCURRENT)
    contexts = {
        target.id
        for node in whole(source.module)
        if isinstance(node, t.Assign) and isinstance(node.value, t.Call)
        and (t.dotted(node.value.func) or "").endswith("get_context")
        for target in node.targets
        if isinstance(target, t.Name)
    }  # fmt: skip
    return first in contexts


@by_function
def uses(source: PythonSource) -> Iterator[Use]:
    """What functions put into or take from something that may be a channel."""
    if source.aside:
        return
    for scope in source.module.functions():
        known: dict[str, t.Expr] | None = None
        for node in own_of(scope.node, t.Call, t.Subscript):
            match node:
                case t.Call(func=t.Attribute(value=held, attr=verb), args=args):
                    sends = verb in SENDS or verb.startswith("send")
                    takes = verb in RECEIVES or verb.startswith("recv")
                    may_have_flags = verb.startswith("recv") or verb in ("set", "send")
                    if not (sends or takes) or (bool(args) != sends and not may_have_flags):
                        continue
                case t.Subscript(value=t.Attribute(value=held, attr="buf")):
                    sends = any(isinstance(n, t.Assign) and node in n.targets for n in inside(scope.node))
                case _:
                    continue
            if known is None:
                known = held_names(scope.node, scope.owner) if isinstance(scope.node, t.FunctionDef) else {}
            if isinstance(held, t.Name) and isinstance(bound := known.get(held.id), t.Attribute | t.Subscript):
                held = bound
            held = held.value if isinstance(held, t.Subscript) else held
            if (name := _last(t.dotted(held) or "")) and name != "self":
                place = _place(scope.node, held)
                call = node if isinstance(node, t.Call) else None
                kinds = messages.sent(call, known) if call and sends else messages.taken(scope.node, node)
                yield Use(name, sends, scope.qualified_name, source.at(node), place, kinds)
                if scope.owner is not None and t.dotted(held) == f"self.{name}":
                    for place, given in _stored_as(scope.owner, name):
                        made = scope.owner.name
                        yield Use(given, sends, scope.qualified_name, source.at(node), place, kinds, made)


def _stored_as(cls: t.ClassDef, attribute: str) -> Iterator[tuple[int, str]]:
    """The argument of a constructor that an attribute is: its number and its name."""
    made = next((method for method in cls.methods() if method.name == "__init__"), None)
    if made is None:
        return
    names = [p.name for p in made.args if p.name != "self"]
    for node in own_of(made, t.Assign):
        match node:
            case t.Assign(targets=[target], value=t.Name(id=given)) if (
                given in names and t.dotted(target) == f"self.{attribute}"
            ):
                yield names.index(given), given
            case _:
                pass


def _place(function: t.FunctionDef | t.ClassDef, held: t.Expr) -> int | None:
    """The number of the argument that a name is."""
    names = [p.name for p in function.args if p.name != "self"] if isinstance(function, t.FunctionDef) else []
    return names.index(held.id) if isinstance(held, t.Name) and held.id in names else None


def links(opened: Iterable[Channel], used: Iterable[Use]) -> list[Link]:
    """Channels with both their sides, each pair of sockets once."""
    opened = list(opened)
    here = {(c.name, c.location.path) for c in opened if c.transport != NO_CHANNEL}
    found = [c for c in opened if not (_is_handed_out(c) and (c.name, c.location.path) in here)]
    by_name: dict[str, list[Use]] = {}
    for use in used:
        by_name.setdefault(use.name, []).append(use)
    made: list[Link] = []
    seen: set[tuple[str, str, str]] = set()
    joined: set[Channel] = set()
    for channel in found:
        if channel.pattern:
            for partner in _partners(channel, found):
                joined |= {channel, partner}
                sent, taken = _users(channel, by_name, True), _users(partner, by_name, False)
                places = (channel.location, partner.location, *(use.location for use in (*sent, *taken)))
                ends = (_ends(channel, sent), _ends(partner, taken))
                pattern = f"{channel.pattern} → {partner.pattern}"
                unseen = tuple(does for does, uses in (("sends", sent), ("receives", taken)) if not uses)
                made.append(Link(channel, *ends, pattern, places, _kinds((*sent, *taken)), unseen))
        elif channel.transport == NO_CHANNEL:
            continue
        elif channel.name:
            key = (channel.transport, channel.address or channel.name, channel.where)
            if channel.address and key in seen:
                continue  # the same memory by its name, from another process
            seen.add(key)
            ends = by_name.get(channel.name, [])
            owners = {owner_of(other.where) for other in found if not other.pattern and other.name == channel.name}
            if len(owners) > 1:  # several are called so: only what their own class or file does with them is theirs
                own = [use for use in ends if owner_of(use.where) == owner_of(channel.where)]
                alone = sum(c.name == channel.name and c.location.path == channel.location.path for c in found) == 1
                beside = [use for use in ends if use.location.path == channel.location.path]
                near = [use for use in beside if alone or owner_of(use.where) not in owners]  # of what they derive from
                ends = list(dict.fromkeys((*own, *near)))
            senders = tuple(dict.fromkeys(u.where for u in ends if u.sends))[:MOST_ENDS]
            receivers = tuple(dict.fromkeys(u.where for u in ends if not u.sends))[:MOST_ENDS]
            places = (channel.location, *(u.location for u in ends[: 2 * MOST_ENDS]))
            made.append(Link(channel, senders, receivers, "", places, _kinds(ends)))
        else:
            made.append(Link(channel, (), (), "", (channel.location,)))
    alone = (c for c in found if c.pattern and c not in joined)
    return [*made, *(Link(c, (), (), c.pattern, (c.location,)) for c in alone)]


def _is_handed_out(channel: Channel) -> bool:
    """Whether it is a property, which in the file of the channel hands out that one."""
    return channel.transport == NO_CHANNEL and channel.where.endswith(f".{channel.name}")


def _kinds(uses: Iterable[Use]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(kind for use in uses for kind in use.messages))[: messages.MOST_KINDS]


def _users(channel: Channel, by_name: dict[str, list[Use]], sends: bool) -> list[Use]:
    """Who sends or receives through a socket: methods of the class that keeps it, else the function that opens it."""
    wanted = owner_of(channel.where) if channel.name.startswith("self.") else channel.where
    found = [use for use in by_name.get(_last(channel.name), []) if use.sends == sends]
    return [use for use in found if wanted in (use.where, owner_of(use.where))][:MOST_ENDS]


def _ends(channel: Channel, uses: list[Use]) -> tuple[str, ...]:
    """The ends of a socket by who uses it, or else by who opens it."""
    names = dict.fromkeys(use.where for use in uses) or [channel.where]
    return tuple(f"{name} (if {channel.condition})" if channel.condition else name for name in names)


def _partners(sender: Channel, opened: list[Channel]) -> list[Channel]:
    """The ends that receive from a socket: of the opposite kind at the same address; a local name is one in its file.

    There is one for each class that opens such an end: which of them runs is a matter of configuration.
    """
    wanted = PARTNERS.get(sender.pattern)
    key = _key(sender.address)
    if wanted is None or not key:
        return []
    opposite = (c for c in opened if c.pattern == wanted and c is not sender and _key(c.address) == key)
    is_local = sender.address.isidentifier() and not sender.address.isupper()
    near = (c for c in opposite if not is_local or c.location.path == sender.location.path)
    by_owner: dict[str, Channel] = {}
    for end in near:
        by_owner.setdefault(owner_of(end.where), end)
    return list(by_owner.values())[:MOST_PARTNERS]


def _key(address: str) -> str:
    """`self.config.backend_addr` and `config.backend_addr` are one address, so are two hosts with one port; one of
    several addresses, `config.inputs[0]`, is told by what holds them."""
    written = re.match(r"""[rbf]*["'](?:\w+)://(?:[^:/]*:)?(.+)["']$""", address)
    named = written[1].strip("{}") if written is not None else _ONE_OF.sub("", address)
    return named.rpartition(".")[2].strip("\"'() ")


def owner_of(end: str) -> str:
    """The class or function that an end of a link belongs to."""
    name = end.partition(" ")[0]
    return name.rpartition(".")[0] or name
