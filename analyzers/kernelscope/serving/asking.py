"""Who asks the routes that a system serves: addresses with a path behind them, and calls of stubs of remote procedures.

`requests.post(self.desk + "/letters")`, `client.get("/letters")`, `LettersStub(channel).Send(…)`; which program serves
that path is found when all files are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from kernelscope.results import Location
from kernelscope.serving.channels import Channel, Link
from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.guards import last_name, own_calls, own_of, whole
from kernelscope.serving.pieces import by_function, mentions
from kernelscope.serving.routes import ADDS, Route
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

ASKS = {"post", "get", "put", "delete", "request", "requests", "stream", "fetch", "remote", "urlopen", "send"}
"""Words of calls that ask over HTTP."""
METHODS = {"post", "get", "put", "delete", "patch"}
VERBS = METHODS | {"request", "stream", "fetch", "open", "urlopen", "ws_connect"}
"""Methods of clients that are given an address or a path."""
CLIENTS = {"client", "session", "http", "httpx", "requests", "aiohttp", "api", "server", "sess"}
"""Words of what asks, where all that it is given is a path."""
STUB = "Stub"
"""How gRPC's compiler ends the names of the classes that call a service."""
MOST_SIDES = 4
_PATH = re.compile(r"(?:/[\w{}.-]+)+/?")
_FILLED_IN = re.compile(r"\{[^{}]*\}|<[^<>]*>")


@dataclass(frozen=True, slots=True)
class Asked:
    """A path that a function asks some address for; `transport` is HTTP or gRPC."""

    path: str
    where: str
    location: Location
    transport: str = "HTTP"
    method: str = ""
    """`POST` where the function asks in one way only."""


@by_function
def asked(source: PythonSource) -> Iterator[Asked]:
    """The paths that the functions of a file ask for, and the remote procedures that they call."""
    if source.aside:
        return
    for scope in source.module.functions():
        calls = own_calls(scope.node)
        found: dict[str, t.Node] = {}
        if any(ASKS & set(words(last_name(call.func))) for call in calls):
            for node in own_of(scope.node, t.BinOp, t.JoinedStr, t.Constant):
                _add(found, _path_behind(source, node), node)
        for call in calls:
            _add(found, _path_alone(source, call), call)
        verbs = {last_name(call.func) for call in calls} & METHODS
        method = next(iter(verbs)).upper() if len(verbs) == 1 else ""
        for path, node in found.items():
            yield Asked(path, scope.qualified_name, source.at(node), method=method)


@by_function
def called(source: PythonSource) -> Iterator[Asked]:
    """Calls of stubs: `stub = LettersStub(channel)`, then `stub.Send(letter)` asks for `Letters/Send`."""
    if source.aside or not mentions(source, STUB):
        return
    stubs = _stubs(source)
    for scope in source.module.functions() if stubs else ():
        yield from _called_by(source, scope, stubs)


def _called_by(source: PythonSource, scope: Scope, stubs: dict[str, str]) -> Iterator[Asked]:
    for call in own_calls(scope.node):
        match call.func:
            case t.Attribute(value=t.Call(func=made), attr=attr) if last_name(made).endswith(STUB):
                service = last_name(made).removesuffix(STUB)
            case t.Attribute(value=held, attr=attr):
                service = stubs.get(t.dotted(held) or "", "")
            case _:
                continue
        if service and attr[:1].isupper():
            yield Asked(f"{service}/{attr}", scope.qualified_name, source.at(call), "gRPC")


def _stubs(source: PythonSource) -> dict[str, str]:
    """Names that a file binds to stubs, with their services; not those that stand for several."""
    found: dict[str, set[str]] = {}
    for node in whole(source.module):
        match node:
            case t.Assign(targets=[target], value=t.Call(func=made)) if last_name(made).endswith(STUB):
                found.setdefault(t.dotted(target) or "", set()).add(last_name(made).removesuffix(STUB))
            case _:
                pass
    return {name: next(iter(services)) for name, services in found.items() if len(services) == 1 and name}


def _add(found: dict[str, t.Node], path: str, node: t.Node) -> None:
    """Paths that hold a word: what is only filled in may be any."""
    if path and _PATH.fullmatch(path) and re.search(r"\w", path):
        found.setdefault(path, node)


def _path_behind(source: PythonSource, node: t.Expr) -> str:
    """The path behind an address: `desk + "/letters"`, `f"{desk}/letters/{name}"`, `"http://desk:80/letters"`."""
    match node:
        case t.BinOp(op="+", left=t.Name() | t.Attribute(), right=right):
            said = literal(right)
            return said if isinstance(said, str) else ""
        case t.JoinedStr(values=[first, *_]):
            said = _template(source, node)
            if isinstance(first, t.Constant) and not said.startswith(("http://", "https://")):
                return ""
        case t.Constant(value=str() as said) if said.startswith(("http://", "https://")):
            pass
        case _:
            return ""
    return _of_address(said)


def _of_address(said: str) -> str:
    """What follows the host: `{}/letters`, `http://{}:{}/letters`."""
    _, _, rest = said.rpartition("://")
    _, slash, path = rest.partition("/")
    return urlsplit(f"{slash}{path}").path


def _template(source: PythonSource, node: t.JoinedStr) -> str:
    """A text with `{}` for what is filled in."""
    return "".join(str(literal(v)) if isinstance(v, t.Constant) else "{}" for v in node.values)


def _path_alone(source: PythonSource, call: t.Call) -> str:
    """`client.get("/letters")`, `urljoin(desk, "/letters")`: a client knows the address."""
    match call:
        case t.Call(func=func, args=[_, path, *_]) if last_name(func) == "urljoin":
            said = literal(path)
            return f"/{said.lstrip('/')}" if isinstance(said, str) else ""
        case t.Call(func=t.Attribute(value=held, attr=verb), args=args, keywords=keywords) if (
            verb in VERBS and verb not in ADDS and CLIENTS & set(words(source.quote(held)))
        ):
            given = [*args[:2], *(k.value for k in keywords if k.arg in ("url", "path", "endpoint"))]
            for value in given:
                said = _template(source, value) if isinstance(value, t.JoinedStr) else literal(value)
                if isinstance(said, str) and said.startswith("/"):
                    return said
            return ""
        case _:
            return ""


def plain(path: str) -> str:
    """A path by which askers and routes are joined: what is filled in has no name, the last slash says nothing."""
    return _FILLED_IN.sub("{}", path).rstrip("/") or "/"


def requests(asked: Iterable[Asked], routes: Iterable[Route]) -> list[Link]:
    """For each path that is served and asked for, a link from who asks to who serves it."""
    served: dict[str, list[Route]] = {}
    for route in routes:
        served.setdefault(plain(route.path), []).append(route)
    askers: dict[tuple[str, str], list[Asked]] = {}
    for entry in asked:
        path = plain(entry.path)
        if path in served:
            is_told = any(entry.method in route.method for route in served[path])
            askers.setdefault((path, entry.method if is_told else ""), []).append(entry)
    return [_request([r for r in served[path] if way in r.method], found) for (path, way), found in askers.items()]


def _request(served: list[Route], found: list[Asked]) -> Link:
    first, path = found[0], served[0].path
    channel = Channel(first.transport, "", path, first.where, first.location)
    senders = tuple(dict.fromkeys(entry.where for entry in found))[:MOST_SIDES]
    receivers = tuple(dict.fromkeys(route.handler for route in served))[:MOST_SIDES]
    places = (first.location, served[0].location, *(entry.location for entry in found[1:MOST_SIDES]))
    way = f"{first.transport} {first.method}".strip() if first.method in served[0].method else first.transport
    said = f"{way} {path}: asked for by {', '.join(senders)}, served by {' or '.join(receivers)}"
    return Link(channel, senders, receivers, path, places, said=said)
