"""Trees of cached prefixes: nodes with a map of children and a link to their parent, split where keys part.

The links decide: `a.children[key] = b` and `b.parent = a` in one function, whatever the attributes are called.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import own
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

KEYS = {"key", "keys", "token", "tokens", "ids", "value", "values", "prefix", "tokenid"}


def trees(source: PythonSource) -> Iterator[Claim]:
    """The radix tree of a file, with the function that splits its nodes."""
    joined: tuple[t.Node, str, str] | None = None
    split: tuple[t.Node, str] | None = None
    for scope in source.module.functions():
        children: dict[tuple[str | None, str | None], tuple[t.Node, str]] = {}
        parents: dict[tuple[str | None, str | None], str] = {}
        cuts: list[t.Node] = []
        for node in own(scope.node):
            match node:
                case t.Assign(targets=[t.Subscript(value=t.Attribute(value=above, attr=attr))], value=below):
                    children[t.dotted(above), t.dotted(below)] = (node, attr)
                case t.Assign(targets=[t.Attribute(value=below, attr=attr)], value=above):
                    parents[t.dotted(above), t.dotted(below)] = attr
                case t.Subscript(value=t.Name() | t.Attribute() as cut, slice=t.Slice()):
                    if KEYS & set(words(t.dotted(cut) or "")):
                        cuts.append(node)
                case _:
                    pass
        for pair in sorted((p for p in children.keys() & parents.keys() if None not in p), key=str):
            joined = joined or (children[pair][0], children[pair][1], parents[pair])
        if len(cuts) >= 2 and "split" in words(scope.qualified_name):
            split = (scope.node, f"{scope.qualified_name}: {source.quote(cuts[0])} and {source.quote(cuts[-1])}")
    if joined is None or split is None:
        return
    node, down, up = joined
    value = (
        f"radix tree: nodes hold their children in `{down}` and their `{up}`; a node is split where keys part "
        f"({split[1]}), so requests with a common beginning share its cache"
    )
    yield Claim(f"{source.path.stem} prefix tree", value, (source.at(split[0]), source.at(node)))
