"""Trees of cached prefixes: nodes with a map of children and a link to their parent, split where keys part.

The links decide: `a.children[key] = b` and `b.parent = a` in one function, whatever the attributes are called.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.results import Location
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
    if joined is None:
        return
    node, down, up = joined
    if split is None:
        yield from _unsplit(source, node, down, up)
        return
    value = (
        f"radix tree: nodes hold their children in `{down}` and their `{up}`; a node is split where keys part "
        f"({split[1]}), so requests with a common beginning share its cache"
    )
    yield Claim(f"{source.path.stem} prefix tree", value, (source.at(split[0]), source.at(node)))


def _unsplit(source: PythonSource, joined: t.Node, down: str, up: str) -> Iterator[Claim]:
    """A tree whose nodes are never split: a key is a whole piece, found by `node.children.get(piece)`."""
    for scope in source.module.functions():
        for node in own(scope.node):
            match node:
                case t.Call(func=t.Attribute(value=t.Attribute(attr=attr), attr="get"), args=[_, *_]) if attr == down:
                    value = (
                        f"prefix tree: nodes hold their children in `{down}` by key and their `{up}`; they are never "
                        f"split, a key is a whole piece of tokens: {scope.qualified_name} looks up {source.quote(node)}"
                    )
                    places = (source.at(joined), source.at(node), source.at(scope.node), *_class_with(source, down, up))
                    yield Claim(f"{source.path.stem} prefix tree", value, places)
                    return
                case _:
                    pass


def _class_with(source: PythonSource, *fields: str) -> list[Location]:
    """The class that declares fields of these names."""
    for scope in source.module.classes():
        declared = {s.target.id for s in scope.node.body if isinstance(s, t.AnnAssign) and isinstance(s.target, t.Name)}
        if declared >= set(fields):
            return [source.at(scope.node)]
    return []
