"""Objects of other processes that are called as one's own: who serves them, what they offer, and who connects.

RPyC's services: a class whose `exposed_` methods may be called, a server that is given one, connections to its port.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import guards_text, last_name, own_of, statements
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

LIBRARY = "rpyc"
SERVERS = {"ThreadedServer", "ThreadPoolServer", "ForkingServer", "OneShotServer", "GeventServer"}
CONNECTS = {"connect", "unix_connect", "ssl_connect", "connect_by_service", "connect_thread", "connect_stream"}
OFFERED = "exposed_"
MOST_METHODS = 12


def remote_objects(source: PythonSource) -> Iterator[Claim]:
    """What one file serves to other processes, and to what it connects."""
    if source.aside or LIBRARY.encode() not in source.text.data:
        return
    for scope in source.module.classes():
        assert isinstance(scope.node, t.ClassDef)
        offered = [m for m in scope.node.methods() if m.name.startswith(OFFERED)]
        if offered and any(last_name(base) == "Service" for base in scope.node.bases):
            names = ", ".join(m.name.removeprefix(OFFERED) for m in offered[:MOST_METHODS])
            value = f"remote object (RPyC): {scope.qualified_name} may be called by other processes: {names}"
            where = (source.at(scope.node), *map(source.at, offered[:MOST_METHODS]))
            yield Claim(f"{scope.qualified_name} remote object", value, where)
    for scope in source.module.functions():
        yield from _served(source, scope)


def _served(source: PythonSource, scope: Scope) -> Iterator[Claim]:
    """`ThreadedServer(Desk(), port=port)` and `connection = rpyc.connect(host, port)`."""
    for node in own_of(scope.node, t.Call):
        name = last_name(node.func)
        if name in SERVERS and node.args:
            served = node.args[0].func if isinstance(node.args[0], t.Call) else node.args[0]
            port = next((source.quote(k.value) for k in node.keywords if k.arg in ("port", "socket_path")), "")
            at = f" at {port}" if port else ""
            value = (
                f"RPC server (RPyC): {scope.qualified_name} serves {source.quote(served)}{at} ({source.quote(node)})"
            )
            yield Claim(f"{scope.qualified_name} serves", value, (source.at(node), source.at(scope.node)))
    for statement, guards in statements(scope.node):
        match statement:
            case t.Assign(value=t.Call(func=func) as call) if last_name(func) in CONNECTS and _is_of_library(
                func, source
            ):
                when = " and ".join(guards_text(source, guards))
                value = f"RPC connection (RPyC): {scope.qualified_name} connects to {source.quote(call)}"
                value += f" if {when}" if when else ""
                yield Claim(f"{scope.qualified_name} connects", value, (source.at(call), source.at(scope.node)))
            case _:
                pass


def _is_of_library(called: t.Expr, source: PythonSource) -> bool:
    """`rpyc.connect`, or a name that the file imports from the library."""
    name = t.dotted(called) or ""
    if name.partition(".")[0] == LIBRARY:
        return True
    return any(
        isinstance(s, t.ImportFrom) and s.module.partition(".")[0] == LIBRARY and name in {a.bound for a in s.names}
        for s in t.flat(source.module.body)
    )
