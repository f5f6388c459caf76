"""Sizes and scales that a class computes from others in its methods: `self.groups = heads // kv_heads`.

Quoted, not evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import own
from kernelscope.syntax.python import tree as t


def derived_sizes(source: PythonSource) -> Iterator[Claim]:
    """Attributes that are arithmetic on other values."""
    if source.aside:
        return
    for scope in source.module.functions():
        if scope.owner is None:
            continue
        for node in own(scope.node):
            match node:
                case t.Assign(targets=[t.Attribute(value=t.Name(id="self"), attr=attr)], value=t.BinOp() as value):
                    text = f"{scope.owner.name}.{attr} = {source.quote(value)}"
                    yield Claim(f"{scope.owner.name} {attr}", text, (source.at(node),))
                case _:
                    pass
