"""Where a program listens and by which addresses its parts meet: host and port defaults, ipc:// and tcp:// strings.

A host and a port that one class or command declares belong together; addresses keep the name of what holds them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from kernelscope.results import Location
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import calls, inside, last_name, own_calls, own_of
from kernelscope.serving.parameter import Parameter
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

_SCHEME = re.compile(r"^(ipc|tcp|inproc|unix|udp|grpc|etcd|redis)://")
TRANSPORTS = {"ipc": "ZeroMQ ipc", "tcp": "tcp", "inproc": "ZeroMQ inproc"}
SERVERS = {"run", "serve", "run_app", "start_server", "create_server", "Config"}
"""Last names of calls that make a server listen, where they are given a port."""
PORTS = {"add_insecure_port", "add_secure_port"}
"""Methods of a server of gRPC."""


def endpoints(parameters: Iterable[Parameter]) -> Iterator[Claim]:
    """Host and port that one owner declares, with their defaults."""
    owners: dict[tuple[str, str], list[Parameter]] = {}
    for p in parameters:
        if {"host", "port"} & set(words(p.name.lstrip("-"))):
            owners.setdefault((p.owner, str(p.location.path)), []).append(p)
    for (owner, _), group in owners.items():
        hosts = [p for p in group if "host" in words(p.name) and (isinstance(p.value, str) or not p.expression)]
        ports = [p for p in group if "port" in words(p.name) and isinstance(p.value, int) and p.value]
        for port in ports:
            rest = set(words(port.name)) - {"port"}
            host = next((h for h in hosts if set(words(h.name)) - {"host"} == rest), None)
            if host is None:
                continue
            where: tuple[Location, ...] = (port.location, host.location)
            address = f"{host.value}:{port.value}" if host.value else f"port {port.value}"
            value = f"listens on {address} by default ({owner}.{host.name} and {owner}.{port.name})"
            yield Claim(f"{owner} host and port", value, where)


@by_function
def addresses(source: PythonSource) -> Iterator[Claim]:
    """Address strings with what returns or holds them."""
    for scope in source.module.functions():
        nodes = inside(scope.node)
        parts = {part for node in nodes if isinstance(node, t.JoinedStr) for part in node.values}
        longer: dict[t.Node, t.Node] = {n.left: n for n in nodes if isinstance(n, t.BinOp) and n.op == "+"}
        for node in nodes:
            match = _SCHEME.match(_text(node))
            if (
                match is None
                or node in parts
                or (isinstance(node, t.Constant) and _text(node).endswith("/") and node not in longer)
            ):
                continue  # the beginning of addresses, where nobody meets
            transport = TRANSPORTS.get(match[1], match[1])
            address = f"{source.quote(longer.get(node, node))} ({transport})"
            value = f"{scope.qualified_name} gives the address {address}: who uses it meets there"
            yield Claim(f"{scope.qualified_name} {match[1]} address", value, (source.at(node), source.at(scope.node)))


def listening(source: PythonSource) -> Iterator[Claim]:
    """`uvicorn.run(app, host="0.0.0.0", port=8000)`: where a call lets a server listen."""
    for scope in source.module.functions():
        yield from _remote_calls(source, scope)
    functions = ((s.qualified_name, own_calls(s.node)) for s in source.module.functions())
    script = (s for s in source.module.body if not isinstance(s, t.FunctionDef | t.ClassDef))
    for where, found in (*functions, (f"the script {source.path.name}", [c for s in script for c in calls(s)])):
        for call in found:
            given = {k.arg: source.quote(k.value) for k in call.keywords if k.arg in ("host", "port")}
            if "port" not in given or last_name(call.func) not in SERVERS or not call.args:
                continue  # a server is given what it serves
            place = ", ".join(f"{name} {value}" for name, value in given.items())
            value = f"{where} lets a server listen on {place} (≈ {source.quote(call.func)} by its name)"
            yield Claim(f"{where} listens", value, (source.at(call),), confidence="heuristic")


def _remote_calls(source: PythonSource, scope: Scope) -> Iterator[Claim]:
    """`server.add_insecure_port(address)` of gRPC, with the service that the same function gives the server."""
    added = [c for c in own_calls(scope.node) if last_name(c.func) in PORTS and c.args]
    if not added:
        return
    served = [
        c for c in own_calls(scope.node)
        if last_name(c.func).startswith("add_") and last_name(c.func).endswith("Servicer_to_server") and c.args
    ]  # fmt: skip
    services = [last_name(c.func).removeprefix("add_").removesuffix("Servicer_to_server") for c in served]
    for call in added[:2]:
        meant = [n.value for n in own_of(scope.node, t.Assign) if t.dotted(n.targets[0]) == t.dotted(call.args[0])]
        address = " or ".join(source.quote(v) for v in meant[:3]) or source.quote(call.args[0])
        value = f"{scope.qualified_name} lets a gRPC server listen on {address} ({source.quote(call)})"
        value += f"; it serves {', '.join(dict.fromkeys(services))}" if services else ""
        yield Claim(f"{scope.qualified_name} listens", value, (source.at(call), *map(source.at, served[:3])))


def _text(node: t.Node) -> str:
    match node:
        case t.Constant(value=str() as text):
            return text
        case t.JoinedStr(values=[t.Constant(value=str() as text), *_]):
            return text
        case _:
            return ""
