"""Sizes and scales that a class computes from others in its methods: `self.groups = heads // kv_heads`.

Quoted, not evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import last_name, own, own_of
from kernelscope.serving.parallel import strategy
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import hits, words
from kernelscope.syntax.python import tree as t

CACHES = {"kv", "cache", "page", "paged"}
COUNTS = {"bytes", "nbytes", "blocks", "pages", "slots"}
"""Words of classes that hold keys and values, and of what they count."""
LIMITS = {"limit", "max", "budget", "capacity"}
AMOUNTS = {"tokens", "token", "len", "length", "seqs", "batch", "prompt", "prefill", "requests", "reqs", "running"}
"""Words of what limits bound, and of what is bounded."""
OTHERS = {"pattern", "attention", "feature", "weight", "impl"}
"""Words of classes that only use a cache, or keep something else."""


def sizes_of_caches(source: PythonSource) -> Iterator[Claim]:
    """Those of classes that hold keys and values, as far as they say how many bytes or blocks there are."""
    for claim in derived_sizes(source):
        owner, _, attr = claim.name.partition(" ")
        if CACHES & set(words(owner)) and not OTHERS & set(words(owner)) and COUNTS & set(words(attr)):
            yield claim


@by_function
def limits(source: PythonSource) -> Iterator[Claim]:
    """`self.prompt_limit = min(a, b)`: the least of several limits."""
    if source.aside or not (hits("serving.scheduling", source.path.stem) or hits("serving.batching", source.path.stem)):
        return
    for scope in source.module.functions():
        for node in own(scope.node) if scope.owner is not None else ():
            match node:
                case t.Assign(
                    targets=[t.Attribute(value=t.Name(id="self"), attr=attr)],
                    value=t.Call(func=t.Name(id="min"), args=[_, _, *_]) as value,
                ) if LIMITS & set(words(attr)) and AMOUNTS & set(words(attr)):
                    assert scope.owner is not None
                    text = f"{scope.owner.name}.{attr} is the least of several limits: {source.quote(value)}"
                    yield Claim(f"{scope.owner.name} {attr}", text, (source.at(node), source.at(scope.node)))
                case _:
                    pass


@by_function
def derived_sizes(source: PythonSource) -> Iterator[Claim]:
    """Attributes that are arithmetic on other values."""
    if source.aside:
        return
    for scope in source.module.functions():
        if scope.owner is None:
            continue
        for node in own_of(scope.node, t.Assign):
            match node:
                case t.Assign(targets=[t.Attribute(value=t.Name(id="self"), attr=attr)], value=t.BinOp() as value):
                    text = f"{scope.owner.name}.{attr} = {source.quote(value)}"
                    yield Claim(f"{scope.owner.name} {attr}", text, (source.at(node),))
                case _:
                    pass


@by_function
def sizes_of_worlds(source: PythonSource) -> Iterator[Claim]:
    """`self.world_size = tensor_parallel_size * pipeline_parallel_size`: of how many ranks a system is made."""
    if source.aside:
        return
    for scope in source.module.functions():
        for node in own_of(scope.node, t.Assign):
            factors = _factors(node.value)
            kinds = [strategy(last_name(factor)) for factor in factors]
            name = last_name(node.targets[0])
            if len(factors) > 1 and None not in kinds and len(set(kinds)) == len(kinds) and name:
                value = f"product of parallel sizes: {source.quote(node)} ({' × '.join(map(str, kinds))})"
                yield Claim(f"{scope.qualified_name} {name}", value, (source.at(node), source.at(scope.node)))


def _factors(node: t.Expr) -> list[t.Expr]:
    if isinstance(node, t.BinOp) and node.op == "*":
        return [*_factors(node.left), *_factors(node.right)]
    return [node]
