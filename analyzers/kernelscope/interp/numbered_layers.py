"""Layers that a model makes by number, some of another kind than the others: `[Layer(config, i) for i in range(n)]`.

Where the user gives the sizes it is known which are which: the first three of a model are dense and 58 have experts.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Hashable
from itertools import groupby

from kernelscope.dims import Dim, dim
from kernelscope.interp.expressions import evaluate
from kernelscope.interp.held_layers import layers_of
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.targets import assign
from kernelscope.interp.values import Alike, Instance, Scope, Unpacked, Value, as_size
from kernelscope.syntax.python import tree as t

MAX_LAYERS = 256
MAX_KINDS = 16


def by_kinds(run: Interpreter, scope: Scope, clause: t.Comprehension, element: t.Expr, alike: Alike) -> Value:
    """Layers that are made in a loop over their numbers, those of one kind that follow each other as any of them; as
    they are where one does for all."""
    count, one = as_size(alike.count), alike.element
    number = count.const if isinstance(count, Dim) else None
    if number is None or not 1 < number <= MAX_LAYERS or not isinstance(one, Instance) or not one.is_module:
        return alike
    if not _is_open(layers_of(run, one)):
        return alike
    inner = Scope(scope.path, scope.function, {}, scope, scope.frame)
    made: list[tuple[Hashable, Value]] = []
    for index in range(number):
        assign(run, inner, clause.target, dim(index))
        layer = evaluate(run, inner, element)
        made.append((layers_of(run, layer), layer))
    groups = [[layer for _, layer in group] for _, group in groupby(made, lambda each: each[0])]
    if not 1 < len(groups) <= MAX_KINDS:
        return alike
    return [Unpacked(Alike(group[0], dim(len(group)))) if len(group) > 1 else group[0] for group in groups]


def _is_open(layers: Hashable) -> bool:
    """Whether it is not decided which layers an object holds."""
    if isinstance(layers, tuple):
        return layers[:1] == ("perhaps",) or any(map(_is_open, layers))
    return isinstance(layers, frozenset)
