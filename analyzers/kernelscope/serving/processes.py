"""Processes, channels and routes of a program: what is started, what they talk through, and what is served.

Kinds come from the libraries' own constructors (multiprocessing, threading, ZeroMQ, Ray, FastAPI-like routers).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.results import Location
from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.guards import own_calls
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

STARTERS = {"Process": "process", "Thread": "thread", "ProcessPoolExecutor": "process pool",
            "ThreadPoolExecutor": "thread pool", "Popen": "process"}  # fmt: skip
ACTS = {"start", "run", "process", "main", "serve", "loop", "launch", "worker", "manager", "server"}
"""Words of functions that processes run."""
SOCKETS = {"PUSH", "PULL", "PUB", "SUB", "REQ", "REP", "ROUTER", "DEALER", "PAIR", "XPUB", "XSUB"}
QUEUES = {"Queue": "queue", "SimpleQueue": "queue", "JoinableQueue": "queue", "Pipe": "pipe",
          "SharedMemory": "shared memory", "Event": "event", "Barrier": "barrier"}  # fmt: skip
CONCURRENT = ("multiprocessing", "torch.multiprocessing", "queue", "threading", "asyncio")
ROUTE_METHODS = {"get", "post", "put", "delete", "patch", "websocket", "route", "api_route"}


@dataclass(frozen=True, slots=True)
class Started:
    """A process or thread that the program starts: its kind, its target, and how it is started."""

    kind: str
    target: str
    how: str
    where: str
    condition: str
    location: Location


@dataclass(frozen=True, slots=True)
class Channel:
    """One end of a channel: transport, pattern (socket type), and the address or name in the source's words."""

    transport: str
    pattern: str
    address: str
    where: str
    location: Location


@dataclass(frozen=True, slots=True)
class Route:
    """An HTTP route: method, path and handler."""

    method: str
    path: str
    handler: str
    location: Location


def started(source: PythonSource) -> Iterator[Started]:
    """Processes and threads that a file starts, and the start method that it forces."""
    for scope in source.module.functions():
        for call in own_calls(scope.node):
            name = t.dotted(call.func) or ""
            last = name.rpartition(".")[2]
            keywords = {k.arg: k.value for k in call.keywords}
            if last in STARTERS and ("target" in keywords or last.endswith("Executor")):
                target = source.quote(keywords["target"]) if "target" in keywords else ""
                if "name" in keywords:
                    target = f"{target} named {source.quote(keywords['name'])}"
                yield Started(STARTERS[last], target, name, scope.qualified_name, "", source.at(call))
            elif last in ("set_start_method", "get_context") and call.args:
                method = literal(call.args[0])
                if isinstance(method, str):
                    yield Started("start method", method, name, scope.qualified_name, "", source.at(call))
            elif {"process", "processes", "subprocess", "subprocesses"} & set(words(last)):
                for target in _handed(call):
                    yield Started("process", source.quote(target), name, scope.qualified_name, "", source.at(target))
            elif last == "remote" and name.count(".") >= 1:
                yield Started("actor", name.rpartition(".")[0], name, scope.qualified_name, "", source.at(call))


def _handed(call: t.Call) -> Iterator[t.Expr]:
    """Functions that a call hands over in a list, as launchers of several processes take them."""
    for given in (*call.args, *(k.value for k in call.keywords)):
        if isinstance(given, t.List | t.Tuple) and all(isinstance(e, t.Name | t.Attribute) for e in given.elts):
            yield from (e for e in given.elts if ACTS & set(words(t.dotted(e) or "")))


def channels(source: PythonSource) -> Iterator[Channel]:
    """Ends of channels that a file opens: sockets, queues, pipes, shared memory."""
    for scope in source.module.functions():
        for call in own_calls(scope.node):
            name = t.dotted(call.func) or (call.func.attr if isinstance(call.func, t.Attribute) else "")
            last = name.rpartition(".")[2]
            kinds = [a.attr for a in call.args if isinstance(a, t.Attribute) and a.attr in SOCKETS]
            if kinds:
                address = next((source.quote(a) for a in call.args if not _is_socket(a)), "")
                yield Channel("ZeroMQ", kinds[0], address, scope.qualified_name, source.at(call))
            elif last in QUEUES and _is_concurrent(source, name):
                address = next((source.quote(k.value) for k in call.keywords if k.arg == "name"), "")
                yield Channel(QUEUES[last], "", address, scope.qualified_name, source.at(call))


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
        for node in t.walk(*source.module.body)
        if isinstance(node, t.Assign) and isinstance(node.value, t.Call)
        and (t.dotted(node.value.func) or "").endswith("get_context")
        for target in node.targets
        if isinstance(target, t.Name)
    }  # fmt: skip
    return first in contexts


def routes(source: PythonSource) -> Iterator[Route]:
    """HTTP routes declared by decorators such as `@app.post("/path")`."""
    for scope in source.module.functions():
        for decorator in scope.node.decorator_list:
            if not isinstance(decorator, t.Call) or not isinstance(decorator.func, t.Attribute) or not decorator.args:
                continue
            path = literal(decorator.args[0])
            if decorator.func.attr in ROUTE_METHODS and isinstance(path, str) and path.startswith("/"):
                method = decorator.func.attr.upper()
                yield Route(method, path, scope.qualified_name, source.at(decorator))
