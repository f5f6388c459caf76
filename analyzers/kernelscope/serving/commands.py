"""Commands whose options are the arguments of a function (Typer), and the choices that an enum of the file gives.

A command is a function below `@app.command()` whose arguments have types: what has a default is an option, and an enum
as its type says what it may be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.guards import last_name
from kernelscope.serving.parameters import Parameter, parameters
from kernelscope.serving.pieces import by_function
from kernelscope.serving.registries import ENUM_BASES
from kernelscope.syntax.python import tree as t


def settable(source: PythonSource) -> list[Parameter]:
    """The parameters of a file and the options of its commands, in source order, with the choices of enums."""
    options = list(_options(source))
    told = {p.location for p in options}
    found = [*(p for p in parameters(source) if p.location not in told), *options]
    members = _members(source)
    if members:
        found = [replace(p, choices=_chosen(p.annotation, members)) if not p.choices else p for p in found]
    return sorted(found, key=lambda parameter: parameter.location)


@by_function
def _options(source: PythonSource) -> Iterator[Parameter]:
    for scope in source.module.functions():
        if not isinstance(scope.node, t.FunctionDef) or not any(map(_makes_command, scope.node.decorator_list)):
            continue
        for param in scope.node.args:
            if param.annotation is None:
                continue
            name = param.name.replace("_", "-")
            default = source.quote(param.default) if param.default is not None else ""
            yield Parameter(
                f"--{name}" if default else name, "command line", "option", default,
                source.text.location(source.path, param.span), literal(param.default), source.quote(param.annotation),
            )  # fmt: skip


def _makes_command(decorator: t.Expr) -> bool:
    """`@app.command()`."""
    match decorator:
        case t.Call(func=t.Attribute(attr="command")):
            return True
        case _:
            return False


def _members(source: PythonSource) -> dict[str, tuple[str, ...]]:
    """What the members of each enum of a file are."""
    found: dict[str, tuple[str, ...]] = {}
    for scope in source.module.classes():
        if isinstance(scope.node, t.ClassDef) and any(last_name(base) in ENUM_BASES for base in scope.node.bases):
            values = (s.value for s in scope.node.body if isinstance(s, t.Assign))
            found[scope.node.name] = tuple(v for value in values if isinstance(v := literal(value), str))
    return found


def _chosen(annotation: str, members: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The members of the enum that an annotation names: `Optional[Way]`, `Way | None`."""
    bare = annotation.removeprefix("Optional[").removesuffix("]").removesuffix("| None").strip()
    return members.get(bare, ())
