"""Template arguments of a function that is followed: as written, then as its arguments' types say, then by default."""

from __future__ import annotations

from collections.abc import Sequence

from kernelscope.kernels.cuda.warp.machine import Machine
from kernelscope.kernels.cuda.warp.names import Names
from kernelscope.kernels.cuda.warp.overloads import Argument, type_of
from kernelscope.kernels.cuda.warp.resolution import bind
from kernelscope.kernels.cuda.warp.types import NO_TYPE, Array, Opaque, PointerTo, StructType, Type
from kernelscope.syntax.cuda import tree as t


def bind_template(
    m: Machine,
    function: t.Function,
    arguments: list[Argument],
    given: Sequence[t.Expr | t.TypeName],
    caller: Names,
    names: Names,
) -> None:
    """Template arguments as written, then as the arguments' types say, then by default."""
    for i, param in enumerate(function.template):
        if param.pack:
            break
        if i < len(given):
            value = m.resolver.argument(param, given[i], caller)
            if value is not None:
                bind(names, ((param.name, value),))
    wanted = {p.name: p for p in function.template if p.name not in names.types and p.name not in names.variables}
    if wanted:
        for param, argument in zip(function.params, arguments, strict=False):
            _deduce(param.type, type_of(argument), wanted, names)
    for param in wanted.values():
        if param.name not in names.types and param.name not in names.variables and param.default is not None:
            value = m.resolver.argument(param, param.default, names)
            if value is not None:
                bind(names, ((param.name, value),))


def _deduce(pattern: t.TypeName, given: Type, wanted: dict[str, t.TemplateParam], names: Names) -> None:
    """`T` against `float`, `T*` against `float*`, `Vec<T, N>` against `Vec<half, 8>`."""
    for layer in pattern.layers:
        if (layer == "*" and isinstance(given, PointerTo)) or (
            isinstance(layer, t.ArrayOf) and isinstance(given, PointerTo)
        ):
            given = given.target
        elif isinstance(layer, t.ArrayOf) and isinstance(given, Array):
            size = layer.size
            if isinstance(size, t.Name) and size.id in wanted and given.count is not None:
                bind(names, ((size.id, given.count),))
            given = given.element
        elif layer != "&":
            return
    if pattern.base in wanted and not pattern.arguments:
        if given != NO_TYPE and not (isinstance(given, Opaque) and given.name == "auto"):
            names.types.setdefault(pattern.base, given)
        return
    if isinstance(given, StructType) and given.struct.name == pattern.base:
        known = dict(given.arguments)
        for argument, param in zip(pattern.arguments, given.struct.template, strict=False):
            inner = argument.base if isinstance(argument, t.TypeName) else argument.id if isinstance(
                argument, t.Name
            ) else ""  # fmt: skip
            if inner in wanted and param.name in known:
                bind(names, ((inner, known[param.name]),))
