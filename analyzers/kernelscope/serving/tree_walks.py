"""Trees of prefixes that are gone down piece by piece, whatever file makes their nodes.

`if key not in node.below: break`, `child = node.below[key]`, `node = child`, with a key that stands for tokens.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.results import Location
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import own_of
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

SHARED = {"prefix", "prefixes", "radix", "cache"}
"""Words of functions and files of such a tree; tries of words have tokens, too."""
BLOCKS = {"hash", "block", "page"}
PIECES = {"token", "tokens", "ids", "key", "keys"}
"""Words of what a level of such a tree stands for."""


def tree_walks(source: PythonSource) -> Iterator[Claim]:
    """The first function of a file about prefixes that goes down a tree as far as it can."""
    for scope in source.module.functions():
        about = {*words(scope.qualified_name), *words(source.path.stem), *words(source.path.parent.name)}
        if not (SHARED | {"trie"}) & about:
            continue
        for loop in own_of(scope.node, t.For, t.While):
            if (found := _gone_down(loop)) is None:
                continue
            step, below, key = found
            said = {*words(source.quote(key)), *_made_of(source, loop, key)}
            if not BLOCKS & said and not (SHARED & about and PIECES & said):
                continue
            value = (
                f"prefix tree (trie): nodes hold their children in `{below}` by {source.quote(key)}"
                f"{_told_of(source, loop, key)}; {scope.qualified_name} goes down ({source.quote(step)}) and stops at "
                f"the first that no child has: the longest common prefix is the hit"
            )
            yield Claim(f"{source.path.stem} prefix tree", value, _places(source, scope, step, loop))
            return


def _places(source: PythonSource, scope: Scope, *nodes: t.Node) -> tuple[Location, ...]:
    owner = [source.at(scope.owner)] if scope.owner is not None else []
    return (*(source.at(node) for node in nodes), source.at(scope.node), *owner)


def _gone_down(loop: t.For | t.While) -> tuple[t.Assign, str, t.Expr] | None:
    """The step that takes a child, in what attribute children are, and the key; the loop ends where there is none."""
    below: dict[str, tuple[t.Assign, str, str, t.Expr]] = {}
    for statement in t.flat(loop.body):
        match statement:
            case t.Assign(
                targets=[t.Name(id=child)],
                value=(
                    t.Subscript(value=t.Attribute(value=t.Name(id=node), attr=attr), slice=key)
                    | t.Call(
                        func=t.Attribute(value=t.Attribute(value=t.Name(id=node), attr=attr), attr="get"),
                        args=[key, *_],
                    )
                ),
            ):
                below[child] = (statement, node, attr, key)
            case t.Assign(targets=[t.Name(id=node)], value=t.Name(id=child)) if child in below:
                step, of, attr, key = below[child]
                if of == node and _ends_without(loop, child, attr):
                    return step, attr, key
            case _:
                pass
    return None


def _ends_without(loop: t.For | t.While, child: str, attr: str) -> bool:
    """`if key not in node.below: break`, `if child is None: break`."""
    for branch in (s for s in t.flat(loop.body) if isinstance(s, t.If)):
        if not branch.body or not isinstance(branch.body[-1], t.Break):
            continue
        for node in t.walk(branch.test):
            match node:
                case t.Compare(ops=["not in"], comparators=[t.Attribute(attr=held)]) if held == attr:
                    return True
                case t.Compare(left=t.Name(id=asked), ops=["is"], comparators=[t.Constant(value=None)]):
                    if asked == child:
                        return True
                case t.UnaryOp(op="not", operand=t.Name(id=asked)) if asked == child:
                    return True
                case _:
                    pass
    return False


def _bound(loop: t.For | t.While, key: t.Expr) -> t.Expr | None:
    """What a loop binds to the name of a key."""
    for statement in t.flat(loop.body) if isinstance(key, t.Name) else ():
        match statement:
            case t.Assign(targets=[t.Name(id=name)], value=value) if isinstance(key, t.Name) and name == key.id:
                return value
            case _:
                pass
    return None


def _made_of(source: PythonSource, loop: t.For | t.While, key: t.Expr) -> set[str]:
    value = _bound(loop, key)
    return set(words(source.quote(value))) if value is not None else set()


def _told_of(source: PythonSource, loop: t.For | t.While, key: t.Expr) -> str:
    value = _bound(loop, key)
    return f" (= {source.quote(value)})" if value is not None else ""
