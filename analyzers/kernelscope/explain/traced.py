"""The flow of tensors through a function, traced with what its callers give and with the sizes that the user gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from kernelscope.explain.targets import PythonTarget
from kernelscope.interp.configuration import Configuration
from kernelscope.interp.findings import Seen
from kernelscope.interp.traced_runs import trace_function
from kernelscope.patterns.flow import Flow
from kernelscope.results import Span, ViewOptions
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.workspace import Workspace

SeenIn = Callable[[Path], Mapping[Span, Seen]]
"""The values that a file's names have, interpreted when they are asked for."""


def traced(workspace: Workspace, found: PythonTarget, callers: Mapping[Span, Seen], options: ViewOptions) -> Flow:
    """The flow of one function; what it returns is called as the function calls it.

    `callers` tells of the file that was asked for, in which an inherited function does not stand.
    """
    scope = found.scope
    assert scope is not None and isinstance(scope.node, t.FunctionDef)
    given = options.bindings or options.config
    configuration = Configuration(options.bindings, options.config) if given else None
    seen: Mapping[Span, Seen] = callers if found.receiver is None else {}
    trace = trace_function(workspace, str(found.path), scope, seen, configuration, found.receiver)
    return Flow(trace, _returned(scope.node))


def guesses(flow: Flow) -> tuple[str, ...]:
    """What is to be said where nothing but the names of inputs tells their sizes."""
    names = ", ".join(flow.trace.guessed)
    return (f"≈ rank and sizes of {names} rest on the names of inputs: the code does not tell them",) if names else ()


def _returned(function: t.FunctionDef) -> tuple[tuple[str, ...], ...]:
    """What a function calls the values that it returns, for each number of them: `return hidden, residual`; what its
    ways call differently has no name."""
    found: dict[int, list[tuple[str, ...]]] = {}
    for node in t.walk(*function.body):
        if isinstance(node, t.Return) and (names := _names(node.value)):
            found.setdefault(len(names), []).append(names)
    return tuple(
        tuple(of_all.pop() if len(of_all := set(told)) == 1 else "" for told in zip(*ways, strict=True))
        for ways in found.values()
    )


def _names(value: t.Expr | None) -> tuple[str, ...]:
    parts = value.elts if isinstance(value, t.Tuple) else []
    return tuple(part.id if isinstance(part, t.Name) else "" for part in parts)
