"""One kind of work fills a batch only where the other left it empty or room in it.

`chosen = [t for t in tasks if is_prefill(t)][:n]`, and `if not chosen: chosen = [t for t in tasks if is_decode(t)]`.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import MAX_TEST
from kernelscope.serving.pieces import by_function
from kernelscope.serving.preferences import NEW, OLD
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

ADDS = {"extend", "append", "update"}
KINDS = {"prefill": NEW, "decode": OLD}


@by_function
def filled_up(source: PythonSource) -> Iterator[Claim]:
    """The functions of a file that take one kind of work first and the other for what is left."""
    if source.aside:
        return
    for scope in source.module.functions():
        body = scope.node.body
        made = _bound(body)
        for branch in body:
            if not isinstance(branch, t.If) or (name := _found_empty(branch.test)) not in made:
                continue
            first = _kind(made[name], made)
            added = next(iter(_added(branch.body, name)), None)
            if added is None:
                continue
            others = {known: value for known, value in (made | _bound(branch.body)).items() if known != name}
            other = _kind(added, others)
            if not first or not other or first == other:
                continue
            value = (
                f"{first} comes first: {scope.qualified_name} takes {name} = {source.quote(made[name])}, and adds "
                f"{other} ({source.quote(added)}) only if {source.quote(branch.test, MAX_TEST)} (≈ by their names)"
            )
            places = (source.at(branch), source.at(made[name]), source.at(added), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} policy", value, places, confidence="heuristic")
            break


def _bound(body: list[t.Stmt]) -> dict[str, t.Expr]:
    """Names with what they are bound to first."""
    found: dict[str, t.Expr] = {}
    for statement in body:
        match statement:
            case t.Assign(targets=[t.Name(id=name)], value=value):
                found.setdefault(name, value)
            case _:
                pass
    return found


def _found_empty(test: t.Expr) -> str:
    """The list that a test finds empty, also beside other reasons: `not chosen`, `len(chosen) == 0 or …`."""
    match test:
        case t.BoolOp(op="or", values=[first, *_]):
            return _found_empty(first)
        case t.UnaryOp(op="not", operand=t.Name(id=name)):
            return name
        case t.Compare(
            left=t.Call(func=t.Name(id="len"), args=[t.Name(id=name)]), ops=["=="], comparators=[t.Constant(value=0)]
        ):
            return name
        case _:
            return ""


def _added(body: list[t.Stmt], name: str) -> Iterator[t.Expr]:
    """What a list is bound to anew, or what is added to it."""
    for statement in t.flat(body):
        match statement:
            case t.Assign(targets=[t.Name(id=target)], value=value) if target == name:
                yield value
            case t.ExprStmt(value=t.Call(func=t.Attribute(value=t.Name(id=target), attr=attr), args=[given])):
                if target == name and attr in ADDS:
                    yield given
            case _:
                pass


def _kind(value: t.Expr, made: dict[str, t.Expr]) -> str:
    """The only kind of work that an expression names, itself or by what its names are bound to."""
    used = {n.id for n in t.walk(value) if isinstance(n, t.Name)}
    parts = [value, *(made[name] for name in used if name in made)]
    said = {word for part in parts for n in t.walk(part) for word in words(_name(n))}
    kinds = [kind for kind, names in KINDS.items() if names & said]
    return kinds[0] if len(kinds) == 1 else ""


def _name(node: t.Node) -> str:
    return node.id if isinstance(node, t.Name) else node.attr if isinstance(node, t.Attribute) else ""
