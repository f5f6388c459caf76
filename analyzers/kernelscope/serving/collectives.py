"""Where a program communicates: collectives of torch.distributed, JAX and NCCL, with tensor, group and guard.

Only calls of the libraries' own primitives count, and methods of the workspace that reach one, with the path to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kernelscope.results import Location, Span
from kernelscope.serving.claims import PythonSource, literal
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.text import SourceText

PRIMITIVES: dict[str, str] = {
    "all_reduce": "all_reduce",
    "all_gather": "all_gather",
    "all_gather_into_tensor": "all_gather",
    "all_gather_object": "all_gather",
    "_all_gather_base": "all_gather",
    "reduce_scatter": "reduce_scatter",
    "reduce_scatter_tensor": "reduce_scatter",
    "_reduce_scatter_base": "reduce_scatter",
    "all_to_all": "all_to_all",
    "all_to_all_single": "all_to_all",
    "broadcast": "broadcast",
    "broadcast_object_list": "broadcast",
    "gather": "gather",
    "scatter": "scatter",
    "send": "send",
    "isend": "send",
    "recv": "recv",
    "irecv": "recv",
    "barrier": "barrier",
    "psum": "all_reduce",
    "pmean": "all_reduce",
    "pmax": "all_reduce",
    "psum_scatter": "reduce_scatter",
    "ppermute": "permute",
}
PACKAGES = ("torch.distributed", "dist", "jax.lax", "lax", "torch.distributed.nn.functional", "funcol")
NCCL: dict[str, str] = {
    "ncclAllReduce": "all_reduce",
    "ncclReduceScatter": "reduce_scatter",
    "ncclAllGather": "all_gather",
    "ncclBroadcast": "broadcast",
    "ncclBcast": "broadcast",
    "ncclReduce": "all_reduce",
    "ncclSend": "send",
    "ncclRecv": "recv",
}
_NCCL = re.compile(rb"\b(" + b"|".join(name.encode() for name in NCCL) + rb")\s*\(([^;]*?)\)\s*[;)]")


@dataclass(frozen=True, slots=True)
class Collective:
    """One call of a primitive. `where` is the function around it; `condition` the tests that guard it."""

    primitive: str
    tensor: str
    group: str
    where: str
    condition: str
    is_async: bool
    phase: str
    location: Location
    call: str


def collectives(source: PythonSource) -> Iterator[Collective]:
    """The collectives that a Python file calls itself, in source order."""
    aliases = _aliases(source)
    for scope in source.module.functions():
        assert isinstance(scope.node, t.FunctionDef)
        for call, guards in _guarded_calls(source, scope.node):
            primitive = _primitive(call, aliases)
            if primitive is None:
                continue
            keywords = {k.arg: k.value for k in call.keywords}
            tensor = call.args[0] if call.args else keywords.get("tensor") or keywords.get("input")
            group = keywords.get("group") or keywords.get("axis_name")
            phase = "backward" if scope.node.name == "backward" else "init" if "init" in scope.node.name else "forward"
            yield Collective(
                primitive=primitive,
                tensor=source.quote(tensor) if tensor is not None else "",
                group=source.quote(group) if group is not None else "default group",
                where=scope.qualified_name,
                condition=" and ".join(guards),
                is_async=literal(keywords.get("async_op")) is True,
                phase="control" if primitive == "barrier" else phase,
                location=source.at(call),
                call=source.quote(call.func),
            )


def wrapped_collectives(source: PythonSource, wrappers: frozenset[str]) -> Iterator[Collective]:
    """Calls of the program's own methods that are named like a primitive and reach one (`wrappers`)."""
    aliases = _aliases(source)
    for scope in source.module.functions():
        assert isinstance(scope.node, t.FunctionDef)
        for call, guards in _guarded_calls(source, scope.node):
            last = call.func.attr if isinstance(call.func, t.Attribute) else (t.dotted(call.func) or "")
            if last not in wrappers or last not in PRIMITIVES or _primitive(call, aliases) is not None:
                continue
            if scope.node.name == last:
                continue
            tensor = source.quote(call.args[0]) if call.args else ""
            yield Collective(
                PRIMITIVES[last], tensor, "the wrapper's group", scope.qualified_name, " and ".join(guards), False,
                "backward" if scope.node.name == "backward" else "forward", source.at(call), source.quote(call.func),
            )  # fmt: skip


def _aliases(source: PythonSource) -> dict[str, str]:
    """What names of the file stand for in the libraries that communicate."""
    found: dict[str, str] = {}
    for node in t.walk(*source.module.body):
        if isinstance(node, t.Import):
            for alias in node.names:
                found[alias.bound] = alias.name if alias.asname else alias.bound
        elif isinstance(node, t.ImportFrom) and node.level == 0:
            for alias in node.names:
                found[alias.bound] = f"{node.module}.{alias.name}"
    return found


def _primitive(call: t.Call, aliases: dict[str, str]) -> str | None:
    name = t.dotted(call.func)
    if name is None:
        return None
    first, _, rest = name.partition(".")
    full = aliases.get(first, first) + (f".{rest}" if rest else "")
    package, _, last = full.rpartition(".")
    if package in PACKAGES or package.startswith("torch.distributed"):
        return PRIMITIVES.get(last)
    return None


def _guarded_calls(source: PythonSource, function: t.FunctionDef) -> Iterator[tuple[t.Call, list[str]]]:
    """Calls of a function with the tests they stand under; an early `return` guards what follows it."""
    todo: list[tuple[list[t.Stmt], list[str]]] = [(function.body, [])]
    while todo:
        block, guards = todo.pop(0)
        guards = list(guards)
        for statement in block:
            match statement:
                case t.FunctionDef() | t.ClassDef():
                    continue
                case t.If():
                    test = source.quote(statement.test)
                    yield from ((c, guards) for c in _calls(statement.test))
                    todo.append((statement.body, [*guards, test]))
                    todo.append((statement.orelse, [*guards, f"not ({test})"]))
                    if statement.body and isinstance(statement.body[-1], t.Return) and not statement.orelse:
                        guards = [*guards, f"not ({test})"]
                case t.For() | t.While() | t.With():
                    todo.append((statement.body, guards))
                case t.Try():
                    todo.append((statement.body + statement.finalbody, guards))
                case _:
                    yield from ((c, list(guards)) for c in _calls(statement))


def _calls(node: t.Node) -> list[t.Call]:
    return [found for found in t.walk(node) if isinstance(found, t.Call)]


def nccl_collectives(path: Path, text: SourceText) -> Iterator[Collective]:
    """NCCL calls of a C++ or CUDA file."""
    for match in _NCCL.finditer(text.data):
        name = match[1].decode()
        arguments = " ".join(match[2].decode("utf-8", "replace").split())
        tensor = arguments.split(",")[0].strip()
        where = text.location(path, Span(match.start(1), match.end(1)))
        yield Collective(NCCL[name], tensor, "", "", "", False, "forward", where, name)
