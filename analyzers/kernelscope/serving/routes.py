"""HTTP routes and remote procedures that a program serves: method, path and handler.

Decorators and calls of routers (FastAPI, Flask, Starlette, aiohttp), `do_POST` of Python's own http.server, and classes
that derive from a servicer of gRPC.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.results import Location
from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.guards import last_name, own_calls, own_of
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

DECORATORS = {"get", "post", "put", "delete", "patch", "websocket", "route", "api_route"}
ADDS = {"add_api_route": "", "add_route": "", "add_url_rule": "", "add_get": "GET", "add_post": "POST",
        "add_put": "PUT", "add_delete": "DELETE", "add_api_websocket_route": "WEBSOCKET",
        "add_websocket_route": "WEBSOCKET"}  # fmt: skip
"""Methods of routers that are given a path and a handler, with the method that they mean."""
PATHS = {"path", "route", "endpoint", "url"}
"""Words of attributes that hold the path of a route."""
SERVICER = "Servicer"
"""How gRPC's compiler ends the names of the classes that a service derives from."""


@dataclass(frozen=True, slots=True)
class Route:
    """An HTTP route or a remote procedure: method, path and handler."""

    method: str
    path: str
    handler: str
    location: Location


def routes(source: PythonSource) -> Iterator[Route]:
    """The routes that a Python file declares, in source order."""
    for scope in source.module.functions():
        for decorator in scope.node.decorator_list:
            if not isinstance(decorator, t.Call) or not isinstance(decorator.func, t.Attribute) or not decorator.args:
                continue
            path = _said(source, decorator.args[0])
            if decorator.func.attr in DECORATORS and path:
                method = _methods(decorator) or decorator.func.attr.upper()
                yield Route(method, path, scope.qualified_name, source.at(decorator))
        yield from _added(source, scope.node)
        if scope.owner is not None and scope.node.name.startswith("do_") and scope.node.name[3:].isupper():
            yield from _asked_for(source, scope.node, scope.node.name[3:])
    for statement in t.flat(source.module.body):
        if isinstance(statement, t.ExprStmt) and isinstance(statement.value, t.Call):
            yield from _added_by(source, statement.value)
    yield from _procedures(source)


def _said(source: PythonSource, path: t.Expr) -> str:
    """The path of a route: a literal, one below a prefix (`{prefix}/models`), or an attribute of this name."""
    match path:
        case t.JoinedStr(values=values):
            parts = [literal(v) if isinstance(v, t.Constant) else f"{{{source.quote(v)}}}" for v in values]
        case t.Attribute(attr=attr) if PATHS & set(words(attr)):
            return f"{{{source.quote(path)}}}"
        case t.BinOp(left=t.Name() | t.Attribute() as prefix, op="+", right=rest):
            parts = [f"{{{source.quote(prefix)}}}", literal(rest)]
        case _:
            parts = [literal(path)]
    text = "".join(str(part) for part in parts if part is not None)
    rest = text[text.find("}") + 1 :] if text.startswith("{") else text
    return text if rest.startswith("/") else ""


def _methods(call: t.Call) -> str:
    """The methods that a route says itself: `methods=["POST"]`."""
    given = literal(next((k.value for k in call.keywords if k.arg == "methods"), None))
    return ", ".join(str(method) for method in given) if isinstance(given, list) else ""


def _added(source: PythonSource, function: t.FunctionDef | t.ClassDef) -> Iterator[Route]:
    for call in own_calls(function):
        yield from _added_by(source, call)


def _added_by(source: PythonSource, call: t.Call) -> Iterator[Route]:
    """`router.add_api_route("/path", handler, methods=["POST"])`, `app.router.add_post("/path", handler)`."""
    match call:
        case t.Call(func=t.Attribute(attr=attr), args=[path, *rest]) if attr in ADDS:
            said = _said(source, path)
            given = [a for a in (*rest, *(k.value for k in call.keywords if k.arg != "methods")) if t.dotted(a)]
            if said and given:
                method = _methods(call) or ADDS[attr] or "GET"
                yield Route(method, said, source.quote(given[-1]), source.at(call))
        case t.Call(func=t.Call(func=t.Attribute(attr=attr), args=[path, *_]) as made, args=[handler]) if (
            attr in DECORATORS
        ):
            said = _said(source, path)
            if said:
                yield Route(_methods(made) or attr.upper(), said, source.quote(handler), source.at(call))
        case _:
            pass


def _asked_for(source: PythonSource, function: t.FunctionDef | t.ClassDef, method: str) -> Iterator[Route]:
    """What a handler of http.server compares the path with, or looks it up in: `self.path == "/health"`."""
    for node in own_of(function, t.Dict, t.If):
        match node:
            case t.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if _is_path(key) and t.dotted(value):
                        yield Route(method, str(literal(key)), source.quote(value), source.at(value))
            case t.If(test=test, body=body):
                for path, place in _compared(source, test):
                    yield Route(method, path, _first_called(source, body), place)
            case _:
                pass


def _is_path(node: t.Expr | None) -> bool:
    said = literal(node)
    return isinstance(said, str) and said.startswith("/")


def _compared(source: PythonSource, test: t.Expr) -> Iterator[tuple[str, Location]]:
    """The paths that a test lets through: `path == "/a"`, `path.startswith("/a")`, `path in ("/a", "/b")`."""
    for node in t.walk(test):
        match node:
            case t.Compare(left=left, ops=["=="], comparators=[other]) if last_name(left) == "path" and _is_path(other):
                yield str(literal(other)), source.at(node)
            case t.Compare(left=left, ops=["in"], comparators=[t.Tuple() | t.List() | t.Set() as others]) if (
                last_name(left) == "path"
            ):
                yield from ((str(literal(e)), source.at(e)) for e in others.elts if _is_path(e))
            case t.Call(func=t.Attribute(value=value, attr="startswith"), args=[other]) if last_name(
                value
            ) == "path" and _is_path(other):
                yield f"{literal(other)}…", source.at(node)
            case _:
                pass


def _first_called(source: PythonSource, body: list[t.Stmt]) -> str:
    """The function that a branch hands the request to."""
    called = (n for statement in body for n in t.walk(statement) if isinstance(n, t.Call))
    first = next(called, None)
    return source.quote(first.func) if first is not None else "the branch itself"


def _procedures(source: PythonSource) -> Iterator[Route]:
    """Methods of classes that derive from a servicer, or from one that does: each is a remote procedure."""
    if source.path.stem.endswith("_pb2_grpc"):
        return
    classes = {scope.node.name: scope.node for scope in source.module.classes() if isinstance(scope.node, t.ClassDef)}
    for scope in source.module.classes():
        cls = scope.node
        service = _service(cls, classes) if isinstance(cls, t.ClassDef) else ""
        for method in cls.methods() if isinstance(cls, t.ClassDef) and service else ():
            if method.name[:1].isupper() and len(method.args) >= 3:
                path = f"{service}/{method.name}"
                yield Route("gRPC", path, f"{scope.qualified_name}.{method.name}", source.at(method))


def _service(cls: t.ClassDef, classes: dict[str, t.ClassDef]) -> str:
    """The service that a class serves, by its bases in the file."""
    todo, seen = [cls], {cls.name}
    while todo:
        bases = [last_name(base) for base in todo.pop(0).bases]
        service = next((name.removesuffix(SERVICER) for name in bases if name.endswith(SERVICER)), "")
        if service:
            return service
        todo += [classes[name] for name in bases if name in classes and name not in seen]
        seen.update(bases)
    return ""
