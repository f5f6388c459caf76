"""Trees of cached prefixes: nodes with a map of children and a link to their parent, split where keys part.

The links decide: `a.children[key] = b` and `b.parent = a` in one function, whatever the attributes are called; children
may be a set, or a first one with its siblings behind it.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.results import Location
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import last_of, own_of
from kernelscope.serving.sections import words
from kernelscope.serving.tree_walks import tree_walks
from kernelscope.serving.tries import tries
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

KEYS = {"key", "keys", "token", "tokens", "ids", "value", "values", "prefix", "tokenid"}
LENGTHS = {"length", "len", "size"}
CUTS = {"slice", "subspan", "substr", "resize"}
"""Methods that give a part of a key, or leave one."""


def trees(source: PythonSource) -> Iterator[Claim]:
    """The radix tree of a file, with the function that splits its nodes."""
    joined: tuple[t.Node, str, str] | None = None
    split: tuple[list[Location], str] | None = None
    for scope in source.module.functions():
        children: dict[tuple[str | None, str | None], tuple[t.Node, str]] = {}
        parents: dict[tuple[str | None, str | None], str] = {}
        cuts: list[t.Node] = []
        for node in own_of(scope.node, t.Assign, t.Call, t.Subscript):
            match node:
                case t.Assign(
                    targets=[t.Subscript(value=t.Attribute(value=above, attr=attr))], value=t.Call(keywords=given)
                ) if up := next((k.arg for k in given if k.arg and t.dotted(k.value) == t.dotted(above)), None):
                    joined = joined or (node, attr, up)
                case t.Assign(targets=[t.Subscript(value=t.Attribute(value=above, attr=attr))], value=below):
                    children[t.dotted(above), t.dotted(below)] = (node, attr)
                case t.Assign(targets=[t.Attribute(value=below, attr=attr)], value=above):
                    parents[t.dotted(above), t.dotted(below)] = attr
                    if LENGTHS & set(words(attr)):
                        cuts.append(node)
                case t.Call(func=t.Attribute(value=t.Attribute(value=above, attr=attr), attr="add"), args=[below]):
                    children[t.dotted(above), t.dotted(below)] = (node, attr)
                case t.Call(func=t.Attribute(value=cut, attr=attr), args=[_, *_]) if attr in CUTS:
                    if KEYS & set(words(t.dotted(cut) or "")):
                        cuts.append(node)
                case t.Subscript(value=t.Name() | t.Attribute() as cut, slice=t.Slice()):
                    if KEYS & set(words(t.dotted(cut) or "")):
                        cuts.append(node)
                case _:
                    pass
        for pair in sorted((p for p in children.keys() & parents.keys() if None not in p), key=str):
            joined = joined or (children[pair][0], children[pair][1], parents[pair])
        joined = joined or _before_siblings(scope.node)
        if len(cuts) >= 2 and "split" in words(scope.qualified_name):
            split = (
                _cited(source, scope),
                f"{scope.qualified_name}: {source.quote(cuts[0])} and {source.quote(cuts[-1])}",
            )
    if joined is None:
        found = [*_nested(source), *tries(source)]
        yield from found or tree_walks(source)
        return
    node, down, up = joined
    if split is None:
        yield from _unsplit(source, node, down, up)
        return
    value = (
        f"radix tree: nodes hold their children in `{down}` and their `{up}`; a node is split where keys part "
        f"({split[1]}), so requests with a common beginning share its cache"
    )
    yield Claim(f"{source.path.stem} prefix tree", value, (split[0][0], source.at(node), *split[0][1:]))


def _cited(source: PythonSource, scope: Scope) -> list[Location]:
    """A method and the class that it belongs to."""
    return [source.at(node) for node in (scope.node, scope.owner) if node is not None]


def _before_siblings(function: t.FunctionDef | t.ClassDef) -> tuple[t.Node, str, str] | None:
    """`b.parent = a`, `b.next = a.first`, `a.first = b`: one link of a list would be called alike on both sides."""
    stored: dict[str | None, list[t.Attribute]] = {}
    links: list[tuple[t.Attribute, t.Attribute]] = []
    for node in own_of(function, t.Assign):
        match node:
            case t.Assign(targets=[t.Attribute() as target], value=value):
                stored.setdefault(t.dotted(value), []).append(target)
                if isinstance(value, t.Attribute) and value.attr != target.attr:
                    links.append((target, value))
            case _:
                pass
    for sibling, first in links:
        above, below = t.dotted(first.value), t.dotted(sibling.value)
        up = next((p.attr for p in stored.get(above, ()) if t.dotted(p.value) == below), None)
        if up is not None and any(t.dotted(p) == t.dotted(first) for p in stored.get(below, ())):
            return sibling, first.attr, up
    return None


def _unsplit(source: PythonSource, joined: t.Node, down: str, up: str) -> Iterator[Claim]:
    """A tree whose nodes are never split: a key is a whole piece, found by `node.children.get(piece)`, or one token."""
    for scope in source.module.functions():
        if (walk := _walk(scope.node, down)) is not None:
            value = (
                f"prefix tree (trie): nodes hold their children in `{down}` by {source.quote(walk.target)} and their "
                f"`{up}`; {scope.qualified_name} goes down {source.quote(walk.iter)} and stops at the first that no "
                f"child has: the longest common prefix is the hit"
            )
            places = (source.at(joined), source.at(walk), *_cited(source, scope), *_class_with(source, down, up))
            yield Claim(f"{source.path.stem} prefix tree", value, places)
            return
        for node in own_of(scope.node, t.Call):
            match node:
                case t.Call(func=t.Attribute(value=t.Attribute(attr=attr), attr="get"), args=[_, *_]) if attr == down:
                    value = (
                        f"prefix tree: nodes hold their children in `{down}` by key and their `{up}`; they are never "
                        f"split, a key is a whole piece of tokens: {scope.qualified_name} looks up {source.quote(node)}"
                    )
                    places = (
                        source.at(joined),
                        source.at(node),
                        *_cited(source, scope),
                        *_class_with(source, down, up),
                    )
                    yield Claim(f"{source.path.stem} prefix tree", value, places)
                    return
                case _:
                    pass


def _walk(function: t.FunctionDef | t.ClassDef, down: str) -> t.For | None:
    """`for token in key: if token not in node.children: break` and then `node = node.children[token]`."""
    for loop in own_of(function, t.For):
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


def _nested(source: PythonSource) -> Iterator[Claim]:
    """A trie of maps in maps: `at = at[token]` along a key, with a map made where there is none."""
    makes: tuple[str, t.For, t.Stmt] | None = None
    follows: tuple[str, t.While | t.For, t.Assign] | None = None
    for scope in source.module.functions():
        for loop in own_of(scope.node, t.For, t.While):
            for step in loop.body:
                match step:
                    case t.Assign(targets=[t.Name(id=at)], value=t.Subscript(value=t.Name(id=same), slice=key)) if (
                        at == same
                    ):
                        pass
                    case _:
                        continue
                made = next((s for s in loop.body if _makes(source, s, at, source.quote(key))), None)
                if isinstance(loop, t.For) and made is not None and KEYS & set(words(source.quote(loop.iter))):
                    makes = makes or (scope.qualified_name, loop, made)
                elif made is None and _ends_at_missing(source, loop, at, source.quote(key)):
                    follows = follows or (scope.qualified_name, loop, step)
    if makes is None or follows is None:
        return
    where, loop, made = makes
    value = (
        f"prefix tree (trie): maps in maps, a level for each of {source.quote(loop.iter)}: {where} makes what is "
        f"missing ({source.quote(made)}); {follows[0]} goes down ({source.quote(follows[2])}) as long as the next one "
        f"is there: the longest common prefix is the hit"
    )
    places = (source.at(follows[1]), source.at(made), source.at(loop))
    yield Claim(f"{source.path.stem} prefix tree", value, places)


def _makes(source: PythonSource, statement: t.Stmt, at: str, key: str) -> bool:
    """`if key not in at: at[key] = {}`."""
    match statement:
        case t.If(
            test=t.Compare(left=left, ops=["not in"], comparators=[t.Name(id=holder)]),
            body=[t.Assign(targets=[t.Subscript(value=t.Name(id=same), slice=index)], value=t.Dict(keys=[]))],
        ):
            return holder == same == at and source.quote(left) == key == source.quote(index)
        case _:
            return False


def _ends_at_missing(source: PythonSource, loop: t.While | t.For, at: str, key: str) -> bool:
    """`while … and key in at:`, or `if key not in at: break`."""
    tests = [loop.test] if isinstance(loop, t.While) else []
    tests += [s.test for s in loop.body if isinstance(s, t.If) and isinstance(last_of(s.body), t.Break)]
    return any(
        isinstance(n, t.Compare)
        and n.ops in (["in"], ["not in"])
        and source.quote(n.left) == key
        and t.dotted(n.comparators[0]) == at
        for test in tests
        for n in t.walk(test)
    )
