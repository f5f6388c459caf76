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
                case t.Assign(
                    targets=[t.Subscript(value=t.Attribute(value=above, attr=attr))], value=t.Call(keywords=given)
                ) if up := next((k.arg for k in given if k.arg and t.dotted(k.value) == t.dotted(above)), None):
                    joined = joined or (node, attr, up)
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
    """A tree whose nodes are never split: a key is a whole piece, found by `node.children.get(piece)`, or one token."""
    for scope in source.module.functions():
        if (walk := _walk(scope.node, down)) is not None:
            value = (
                f"prefix tree (trie): nodes hold their children in `{down}` by {source.quote(walk.target)} and their "
                f"`{up}`; {scope.qualified_name} goes down {source.quote(walk.iter)} and stops at the first that no "
                f"child has: the longest common prefix is the hit"
            )
            places = (source.at(joined), source.at(walk), source.at(scope.node), *_class_with(source, down, up))
            yield Claim(f"{source.path.stem} prefix tree", value, places)
            return
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


def _walk(function: t.FunctionDef | t.ClassDef, down: str) -> t.For | None:
    """`for token in key: if token not in node.children: break` and then `node = node.children[token]`."""
    for loop in own(function):
        match loop:
            case t.For(
                target=t.Name(id=token),
                body=[t.If(test=t.Compare(left=left, ops=["not in"], comparators=[known]), body=[t.Break()]), *rest],
            ) if t.dotted(left) == token and (t.dotted(known) or "").endswith(f".{down}"):
                gone = (s.value for s in rest if isinstance(s, t.Assign) and isinstance(s.value, t.Subscript))
                if any(t.dotted(g.value) == t.dotted(known) and t.dotted(g.slice) == token for g in gone):
                    return loop
            case _:
                pass
    return None


def _class_with(source: PythonSource, *fields: str) -> list[Location]:
    """The class that declares fields of these names."""
    for scope in source.module.classes():
        declared = {s.target.id for s in scope.node.body if isinstance(s, t.AnnAssign) and isinstance(s.target, t.Name)}
        if declared >= set(fields):
            return [source.at(scope.node)]
    return []
