"""Presets: keys that choose the numbers of a configuration, in chains of tests and in tables.

`if name == "small": return Shape(width=768, depth=12)` and `{"small": dict(width=768), …}`: one claim a key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.guards import inside, last_name
from kernelscope.syntax.python import tree as t

MIN_PRESETS = 2
MOST_PRESETS = 60
MAX_PRESET = 400
"""Longest preset that is quoted, in characters."""
Row = tuple[str, t.Expr, t.Node]
"""A key, what it chooses, and the branch or entry."""


def presets(source: PythonSource) -> Iterator[Claim]:
    """The presets of a file, each with its branch or its entry."""
    if source.aside:
        return
    for scope in source.module.functions():
        groups: dict[str, list[Row]] = {}
        for node in inside(scope.node):
            if isinstance(node, t.If) and (chosen := _chosen(source, node)) is not None:
                groups.setdefault(chosen[0], []).append(chosen[1])
        for subject, rows in groups.items():
            yield from _told(source, f"{scope.qualified_name} by {subject}", rows)
    classes = (s for s in t.flat(source.module.body) if isinstance(s, t.ClassDef))
    held = (s for c in classes for s in c.body if isinstance(s, t.Assign | t.AnnAssign) and isinstance(s.value, t.Dict))
    for statement in (*t.flat(source.module.body), *held):
        match statement:
            case t.Assign(targets=[t.Name(id=name)], value=t.Dict() as table):
                pass
            case t.AnnAssign(target=t.Name(id=name), value=t.Dict() as table):
                pass
            case t.Assign(targets=[t.Name(id=name)], value=t.Call(func=func) as made) if last_name(func)[
                :1
            ].isupper() and _numbers(made):
                value = f"{name} is {source.quote(made, MAX_PRESET)}"
                yield Claim(f"{name} of the file", value, (source.at(statement), source.at(made)))
                continue
            case _:
                continue
        pairs = zip(table.keys, table.values, strict=True)
        rows = [(source.quote(key), value, value) for key, value in pairs if key is not None and _numbers(value)]
        yield from _told(source, name, rows)


def _chosen(source: PythonSource, branch: t.If) -> tuple[str, Row] | None:
    """`if x == "key":` whose body makes one thing from literals: the subject, and the row."""
    match branch.test:
        case t.Compare(left=subject, ops=["=="], comparators=[t.Constant(value=str() | int()) as key]):
            pass
        case _:
            return None
    for statement in branch.body:
        match statement:
            case t.Assign(value=(t.Call() | t.Dict()) as made) | t.Return(value=(t.Call() | t.Dict()) as made):
                if _numbers(made):
                    return source.quote(subject), (source.quote(key), made, branch.test)
            case _:
                pass
    return None


def _numbers(made: t.Expr) -> bool:
    """Whether something is made from at least two named numbers."""
    match made:
        case t.Call(keywords=keywords):
            given = [k.value for k in keywords]
        case t.Dict(values=given):
            pass
        case _:
            return False
    return sum(isinstance(literal(value), int | float) for value in given) >= MIN_PRESETS


def _told(source: PythonSource, where: str, rows: Sequence[Row]) -> Iterator[Claim]:
    made = {last_name(value.func) if isinstance(value, t.Call) else "" for _, value, _ in rows}
    if len(rows) < MIN_PRESETS or len(made) > 1:
        return
    for key, value, node in rows[:MOST_PRESETS]:
        text = f"preset {key} of {where}: {source.quote(value, MAX_PRESET)}"
        yield Claim(f"{where}: {key}", text, (source.at(node), source.at(value)))
