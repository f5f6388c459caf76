"""Shapes that documentation tells: in a function's docstring, or in a table beside a decorator that documents them.

Reads text only: "`x` (`Tensor` of shape `(batch, length)`)", and `x = {"shape": "of shape `(…)`"}` in a class's body.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.dims import parse
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.values import Function
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Size
from kernelscope.workspace.modules import Definition

OF_SHAPE = r"\bshape(?:\s+of|\s+is|:)?\s*`*[(\[]([^()\[\]]*)[)\]]"
TIMES = re.compile(r"\s+[xX×]\s+")
ENTRY = r"(?<![\w.])%s`?\s*(?:\([^\n]*?|:[^\n]*?)" + OF_SHAPE
SHAPE_KEY = "shape"


@dataclass(frozen=True, slots=True)
class Told:
    """The shape that documentation gives for a parameter; `is_own` when the function itself is documented so."""

    shape: Shape
    is_own: bool


def documented(run: Interpreter, function: Function, name: str) -> Told | None:
    """What documentation says of a parameter."""
    node = function.definition.node
    assert isinstance(node, t.FunctionDef)
    text = node.docstring
    if text is not None and isinstance(text.value, str):
        match = re.search(ENTRY % re.escape(name), text.value)
        if match is not None:
            own = _sizes(match[1])
            return None if own is None else Told(own, True)
    for table in _tables(run, function, node):
        if (shape := table.get(name)) is not None:
            return Told(shape, False)
    return None


def _sizes(text: str) -> Shape | None:
    parts = TIMES.sub("*", text).split(",") if "," in text else TIMES.split(text)
    parts = [part.strip().strip("`'\"") for part in parts]
    sizes: list[Size] = []
    for part in parts if parts[-1] else parts[:-1]:
        found = parse(part)
        if found is None:
            return None
        sizes.append(found)
    return Shape(tuple(sizes)) if sizes else None


def _tables(run: Interpreter, function: Function, node: t.FunctionDef) -> Iterator[dict[str, Shape]]:
    """Tables of arguments in the modules of a function's decorators."""
    for decorator in node.decorator_list:
        name = t.dotted(decorator.func if isinstance(decorator, t.Call) else decorator)
        if name is None:
            continue
        found = run.workspace.modules.definition(function.definition.path, name)
        if isinstance(found, Definition):
            if found.path not in run.documentation:
                run.documentation[found.path] = _table(run, found.path)
            yield run.documentation[found.path]


def _table(run: Interpreter, path: str) -> dict[str, Shape]:
    """What classes of a module say of arguments by name."""
    module = run.workspace.modules.module(path)
    found: dict[str, Shape] = {}
    for scope in module.classes() if module is not None else ():
        for statement in scope.node.body:
            match statement:
                case t.Assign(targets=[t.Name(id=name)], value=t.Dict() as entry):
                    shape = _entry(entry)
                    if shape is not None:
                        found.setdefault(name, shape)
                case _:
                    pass
    return found


def _entry(entry: t.Dict) -> Shape | None:
    for key, value in zip(entry.keys, entry.values, strict=True):
        match key, value:
            case t.Constant(value=str() as word), t.Constant(value=str() as text) if word == SHAPE_KEY:
                match = re.search(OF_SHAPE, text)
                return None if match is None else _sizes(match[1])
            case _:
                pass
    return None
