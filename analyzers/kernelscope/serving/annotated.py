"""Weights that are divided by annotation: JAX layers whose initialisers or arguments name the axes of a mesh.

The compiler adds the communication, so nothing else in the code tells how the parts are joined.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import last_name, own_of
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

PARTITIONS = {"with_partitioning", "with_logical_partitioning"}
"""Flax's functions that annotate what an initialiser makes."""
SPECS = {"P", "PartitionSpec"}
AXES = {"axes", "sharding", "spec", "partition"}
"""Words of arguments that annotate a layer themselves."""
MOST_PARTS = 24


def annotated(source: PythonSource) -> Iterator[Claim]:
    """One claim for each class whose parts are annotated, with what is divided over which axis."""
    if source.aside or not _imports_jax(source):
        return
    for scope in source.module.classes():
        parts: dict[str, t.Node] = {}
        for method in scope.node.methods() if isinstance(scope.node, t.ClassDef) else ():
            for node in own_of(method, t.Assign):
                match node:
                    case t.Assign(targets=[t.Attribute(value=t.Name(id="self"), attr=name)], value=t.Call() as made):
                        given = next(((axes, by) for axes, by in _annotations(made) if any(map(_is_axis, axes))), None)
                    case _:
                        continue
                if given is not None:
                    parts.setdefault(f"{name}: {_divided(source, made, *given)}", node)
        if parts:
            listed = "; ".join([*parts][:MOST_PARTS])
            value = f"{scope.node.name} is sharded by annotation over axes of the mesh: {listed}"
            places = (*(source.at(node) for node in [*parts.values()][:7]), source.at(scope.node))
            yield Claim(f"{scope.node.name} sharding", value, places)


def _imports_jax(source: PythonSource) -> bool:
    """Whether a file uses JAX or a library on top of it."""
    for statement in t.flat(source.module.body):
        match statement:
            case t.Import(names=names):
                modules = [alias.name for alias in names]
            case t.ImportFrom(module=module):
                modules = [module]
            case _:
                continue
        if any(module.partition(".")[0] in ("jax", "flax") for module in modules):
            return True
    return False


def _annotations(made: t.Call) -> Iterator[tuple[list[t.Expr], str]]:
    """The axes of each dim that a layer is given, by an initialiser or, with its name, by an argument."""
    for keyword in made.keywords:
        match keyword.value:
            case t.Call(func=func, args=[_, spec, *_]) if last_name(func) in PARTITIONS:
                yield from ((axes, "") for axes in _entries(spec))
            case spec if keyword.arg is not None and AXES & set(words(keyword.arg)):
                yield from ((axes, keyword.arg) for axes in _entries(spec) if any(map(_is_said, axes)))
            case _:
                pass


def _is_said(entry: t.Expr) -> bool:
    """An axis that is written out or an attribute; a bare name may be anything."""
    return _is_axis(entry) and not isinstance(entry, t.Name)


def _entries(spec: t.Expr) -> Iterator[list[t.Expr]]:
    match spec:
        case t.Tuple(elts=axes) | t.List(elts=axes):
            yield axes
        case t.Call(func=func, args=axes) if last_name(func) in SPECS:
            yield axes
        case _:
            pass


def _is_axis(entry: t.Expr) -> bool:
    match entry:
        case t.Constant(value=value):
            return isinstance(value, str)
        case t.Tuple(elts=axes):
            return any(map(_is_axis, axes))
        case _:
            return t.dotted(entry) is not None


def _divided(source: PythonSource, made: t.Call, axes: list[t.Expr], given_as: str) -> str:
    """What is divided: the input or output of a linear layer, whose weight is `[in, out]`, else dims by their place."""
    named = [(place, source.quote(axis)) for place, axis in enumerate(axes) if _is_axis(axis)]
    if {"linear", "dense"} & set(words(last_name(made.func))) and len(axes) == 2 and len(named) == 1 and not given_as:
        (place, axis), *_ = named
        style = "column-parallel, its output" if place else "row-parallel, its input"
        return f"{style} is divided over {axis}"
    dims = ", ".join(f"dim {place} over {axis}" for place, axis in named)
    return f"{last_name(made.func)} with {dims} of {len(axes)}{f' as {given_as}' if given_as else ''}"
