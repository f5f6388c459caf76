"""Projections that are one matrix: weights of several names that one layer loads together.

Found by the names of the weights, which checkpoints fix: `[f"{prefix}.q_proj", f"{prefix}.k_proj", …]` given to one
call, `{"qkv_proj": ["q_proj", "k_proj", "v_proj"]}`.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.guards import own_calls, own_of
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

PARTS = ({"q", "k", "v", "query", "key", "value", "wq", "wk", "wv"}, {"gate", "up", "w1", "w3", "wi"})
"""What belongs together: the inputs of attention, and the two halves of a gated MLP."""


def merged_projections(source: PythonSource) -> Iterator[Claim]:
    """Claims about the weights that a file loads as one."""
    if source.aside:
        return
    for scope in source.module.functions():
        for call in own_calls(scope.node):
            for given in (*call.args, *(k.value for k in call.keywords)):
                if isinstance(given, t.List | t.Tuple) and (names := _together(given.elts)):
                    value = (
                        f"{scope.qualified_name} loads {', '.join(names)} as one matrix (fused projection): "
                        f"{source.quote(call.func)}({source.quote(given)})"
                    )
                    where = (source.at(given), source.at(call), source.at(scope.node))
                    yield Claim(f"{scope.qualified_name} fused projection", value, where)
    for scope in source.module.classes():
        for node in own_of(scope.node, t.Dict):
            for key, held in zip(node.keys, node.values, strict=True):
                one = literal(key)
                if isinstance(one, str) and isinstance(held, t.List | t.Tuple) and (names := _together(held.elts)):
                    value = f"{scope.qualified_name}: {one} is {', '.join(names)} in one matrix (fused projection)"
                    yield Claim(f"{scope.qualified_name} fused {one}", value, (source.at(held), source.at(scope.node)))


def _together(elements: list[t.Expr]) -> list[str]:
    """The names of weights that belong together, by their last parts."""
    names = [_last(e) for e in elements]
    for parts in PARTS:
        if len(names) > 1 and all(parts & set(words(name)) for name in names) and len(set(names)) == len(names):
            return names
    return []


def _last(node: t.Expr) -> str:
    """`q_proj` of `"q_proj"` and of `f"{prefix}.q_proj"`."""
    match node:
        case t.Constant(value=str() as text):
            pass
        case t.JoinedStr(values=[*_, t.Constant(value=str() as text)]):
            pass
        case _:
            return ""
    return text.removesuffix(".weight").rpartition(".")[2]
