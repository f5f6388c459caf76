"""Shapes that documentation tells of a parameter: docstrings, comments, and tables beside documenting decorators.

Such a table is a class with `x = {"shape": "of shape `(…)`"}` in its body.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kernelscope.dims import Dim, dim
from kernelscope.interp.annotations import is_none, is_tensor
from kernelscope.interp.declared_inputs import declared
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.order import ENTRIES
from kernelscope.interp.shape_sections import Taken, taken
from kernelscope.interp.shape_texts import (
    PerhapsOne,
    after_the_word,
    in_comment,
    in_docstring,
    in_place_of_type,
    of_parts,
    of_so_many_dims,
    only_a_shape,
    says_tensor,
    sizes_of_a_shape,
)
from kernelscope.interp.values import Function
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module
from kernelscope.tensor import Shape, Size, Unknown
from kernelscope.workspace.modules import Definition

SHAPE_KEY = "shape"
SHAPES = ("shape", "size", "sizes")
"""What parameters are called that hold several sizes."""
POSITIONAL = ("positional", "normal")
_HAS_SHAPES = re.compile(rb"[\"']shape[\"']")
"""Bytes of a module that may have such a table: most modules of decorators have none."""


@dataclass(frozen=True, slots=True)
class Told:
    """The shape that documentation gives for a parameter; `is_own` when the function itself is documented so."""

    shape: Shape
    is_own: bool


def documented(run: Interpreter, function: Function, name: str) -> Told | None:
    """What documentation says of a parameter; a size for which it has two words may well be 1."""
    node = function.definition.node
    assert isinstance(node, t.FunctionDef)
    own = told_of_parameter(run.workspace.modules.module(function.definition.path), node, name)
    if own is not None:
        return Told(_with_names(run, name, _first_as_called(run, function, node, name, own)), True)
    told = _of_sections(function).get(name)
    if told is not None and not told.is_of_parts:
        return Told(_with_names(run, name, told.shape), False)
    if (shape := _of_layer(function, node, name)) is not None:
        return Told(_with_names(run, name, shape), False)
    for table in _tables(run, function, node):
        if (shape := table.get(name)) is not None:
            return Told(shape, False)
    shape = declared(run, function, name)
    return None if shape is None else Told(_with_names(run, name, shape), False)


def _of_layer(function: Function, node: t.FunctionDef, name: str) -> Shape | None:
    """What the docstring of a layer says of an input of the function that it runs, where a type would stand."""
    owner = function.definition.owner
    if owner is None or node.name not in ENTRIES or not isinstance(owner.node, t.ClassDef):
        return None
    text = owner.node.docstring
    return in_place_of_type(text.value, name) if text is not None and isinstance(text.value, str) else None


def _first_as_called(run: Interpreter, function: Function, node: t.FunctionDef, name: str, shape: Shape) -> Shape:
    """A documented shape in which a size that may be 1 is called as it is where the first parameter has it."""
    if not any(isinstance(size, PerhapsOne) for size in shape.head):
        return shape
    module = run.workspace.modules.module(function.definition.path)
    before = itertools.takewhile(lambda param: param.name != name, node.args)
    told = (told_of_parameter(module, node, param.name) for param in before)
    taken = {size.word for other in told if other is not None for size in other.head if isinstance(size, PerhapsOne)}
    sizes = (
        size.word if isinstance(size, PerhapsOne) and size.word is not None and size.word not in taken else size
        for size in shape.head
    )
    return replace(shape, head=tuple(sizes))


def _with_names(run: Interpreter, name: str, shape: Shape) -> Shape:
    """A documented shape with a symbol for each size that documentation leaves open."""
    sizes = list(shape.head)
    for axis, size in enumerate(sizes):
        if isinstance(size, Unknown):
            sizes[axis] = dim(f"{name}_dim{axis}")
            run.symbols.ones.add(f"{name}_dim{axis}")
    return replace(shape, head=tuple(sizes))


def told_to_be_tensor(function: Function, name: str) -> bool:
    """Whether the function's docstring says that a parameter is a tensor."""
    node = function.definition.node
    text = node.docstring if isinstance(node, t.FunctionDef) else None
    return text is not None and isinstance(text.value, str) and says_tensor(text.value, name)


def told_of_parts(function: Function, name: str) -> Shape | None:
    """What the function's docstring says of each of several tensors that a parameter holds."""
    node = function.definition.node
    text = node.docstring if isinstance(node, t.FunctionDef) else None
    own = of_parts(text.value, name) if text is not None and isinstance(text.value, str) else None
    if own is not None:
        return own
    told = _of_sections(function).get(name)
    return told.shape if told is not None and told.is_of_parts else None


def told_of_shape(function: Function, name: str) -> tuple[Dim, ...] | None:
    """The sizes that the function's docstring gives for a parameter that is called a shape."""
    node = function.definition.node
    text = node.docstring if isinstance(node, t.FunctionDef) and name.rpartition("_")[2] in SHAPES else None
    return sizes_of_a_shape(text.value, name) if text is not None and isinstance(text.value, str) else None


def _of_sections(function: Function) -> dict[str, Taken]:
    """What sections on shapes say of the arguments, in the docstring of the function or of the layer that it runs."""
    node, owner = function.definition.node, function.definition.owner
    assert isinstance(node, t.FunctionDef)
    documented_by: list[t.FunctionDef | t.ClassDef] = [node]
    if owner is not None and node.name in ENTRIES and isinstance(owner.node, t.ClassDef):
        documented_by.append(owner.node)
    names = tuple(param.name for param in node.args if param.kind in POSITIONAL)[1 if function.is_bound else 0 :]
    found: dict[str, Taken] = {}
    for documented_node in documented_by:
        text = documented_node.docstring
        if text is not None and isinstance(text.value, str):
            found = {**taken(text.value, names), **found}
    return found


def told_of_parameter(module: Module | None, node: t.FunctionDef, name: str) -> Shape | None:
    """The shape in the function's docstring, or in a comment on the parameter or at the head of the body."""
    text = node.docstring
    param = next((param for param in node.args if param.name == name), None)
    annotated = param is not None and is_tensor(param.annotation)
    if text is not None and isinstance(text.value, str):
        shape = in_docstring(text.value, name, annotated)
        may_be_made = param is not None and is_none(param.default)  # then it is as long as what is put in its place
        if shape is None and not may_be_made:
            shape = of_so_many_dims(text.value, name)
        if shape is not None:
            return shape
    if module is None or param is None or not node.body:
        return None
    line_of = module.text.line_of
    own = line_of(param.name_span.start)
    is_alone = all(line_of(other.name_span.start) != own for other in node.args if other is not param)
    for line in range(own, line_of(node.body[0].span.start) + (text is not None)):
        comment = module.comment_on(line)
        if comment is None:
            continue
        shape = in_comment(comment.text, name)
        if shape is None and line == own and is_alone:
            shape = in_comment(comment.text, None) or (only_a_shape(comment.text, name) if annotated else None)
        if shape is not None:
            return shape
    return None


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
    if module is None or not _HAS_SHAPES.search(module.text.data):
        return found
    for scope in module.classes():
        for statement in scope.node.body:
            match statement:
                case t.Assign(targets=[t.Name(id=name)], value=t.Dict() as entry):
                    shape = _entry(entry)
                    if shape is not None:
                        found.setdefault(name, _apart(shape))
                case _:
                    pass
    return found


def _apart(shape: Shape) -> Shape:
    """A shape of a table without equal sides: what it tells of images in general are square ones, and models take
    others as well."""
    sizes: list[Size] = []
    for size in shape.head:
        name = size.name if isinstance(size, Dim) else None
        count = shape.head[: len(sizes)].count(size)
        sizes.append(size if name is None or not count else dim(f"{name}_{count + 1}"))
    return replace(shape, head=tuple(sizes))


def _entry(entry: t.Dict) -> Shape | None:
    for key, value in zip(entry.keys, entry.values, strict=True):
        match key, value:
            case t.Constant(value=str() as word), t.Constant(value=str() as text) if word == SHAPE_KEY:
                return after_the_word(text)
            case _:
                pass
    return None
