"""Expressions with other expressions in place of some of their names; spans stay those of the source.

What holds no such name is the same node. What binds names of its own, a lambda or a comprehension, is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from msgspec.structs import replace

from kernelscope.syntax.python import tree as t

_Part = t.Expr | t.Keyword
CLOSED = (t.Lambda, t.ListComp, t.SetComp, t.DictComp, t.GeneratorExp)


def substituted(node: t.Expr, known: Callable[[t.Name], t.Expr | None]) -> t.Expr:
    """`known` tells what stands for a name, or None where the name stays."""
    return cast(t.Expr, _changed(node, known))


def _changed(node: _Part, known: Callable[[t.Name], t.Expr | None]) -> _Part:
    if isinstance(node, t.Name):
        return known(node) or node
    if isinstance(node, CLOSED):
        return node
    below = {id(child) for child in t.children(node)}
    changes: dict[str, object] = {}
    for name in node.__struct_fields__ if below else ():
        value: object = getattr(node, name)
        if isinstance(value, list):
            items = cast("list[object]", value)
            changed = [_changed(cast(_Part, i), known) if id(i) in below else i for i in items]
            if any(one is not other for one, other in zip(items, changed, strict=True)):
                changes[name] = changed
        elif id(value) in below and (one := _changed(cast(_Part, value), known)) is not value:
            changes[name] = one
    return replace(node, **changes) if changes else node
