"""Metrics that a program exports: constructor calls in the form of the Prometheus client, through aliases.

The client's interface decides: a name, a `documentation` (or a second text), and one of its four kinds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kernelscope.results import Location
from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.guards import inside, last_name, own_calls
from kernelscope.syntax.python import tree as t

_KIND = re.compile(r"counter|gauge|histogram|summary", re.IGNORECASE)
LABELS = {"labelnames", "labels", "label_names", "tag_keys"}
"""How a function names what it hands on as the labels of a metric."""
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
"""Names that Prometheus takes (https://prometheus.io/docs/concepts/data_model/)."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One exported metric."""

    name: str
    kind: str
    measures: str
    labels: str
    where: str
    location: Location


def metrics(source: PythonSource) -> Iterator[Metric]:
    """The metrics that one file constructs itself or by a function of its own, in source order."""
    yield from _by_wrapper(source)
    for where, found in _places(source):
        nodes = tuple(found)
        for node in nodes:
            if not isinstance(node, t.Call):
                continue
            name = t.dotted(node.func) or ""
            kind = _KIND.search(name.rpartition(".")[2])
            if kind is None:
                continue
            keywords = {k.arg: k.value for k in node.keywords}
            title = literal(keywords.get("name") or (node.args[0] if node.args else None))
            described = keywords.get("documentation") or (node.args[1] if len(node.args) > 1 else None)
            text = literal(described)
            if isinstance(title, str) and isinstance(text, str) and _METRIC.fullmatch(title):
                named = keywords.get("labelnames") or (node.args[2] if len(node.args) > 2 else None)
                labels = _labels(source, named, nodes) if named is not None else ""
                yield Metric(title, kind[0].lower(), text, labels, where, source.at(node))


def _labels(source: PythonSource, named: t.Expr, nodes: Iterable[t.Node]) -> str:
    """The labels of a metric: a list that has a name in the function is told with what it holds."""
    made = {
        node.targets[0].id: node.value for node in nodes
        if isinstance(node, t.Assign) and isinstance(node.targets[0], t.Name) and isinstance(literal(node.value), list)
    }  # fmt: skip
    held = [node.id for node in t.walk(named) if isinstance(node, t.Name) and node.id in made]
    said = source.quote(named)
    if isinstance(named, t.Name) and held:
        return source.quote(made[named.id])
    return said + "".join(f", where {name} = {source.quote(made[name])}" for name in dict.fromkeys(held))


def _places(source: PythonSource) -> Iterator[tuple[str, Iterable[t.Node]]]:
    """The functions of a file, and what it does when it is imported, classes included."""
    for scope in source.module.functions():
        yield scope.qualified_name, inside(scope.node)
    bodies = [source.module.body, *(s.body for s in source.module.body if isinstance(s, t.ClassDef))]
    at_once = [s for body in bodies for s in body if not isinstance(s, t.FunctionDef | t.ClassDef)]
    yield f"the module {source.path.stem}", t.walk(*at_once)


def _by_wrapper(source: PythonSource) -> Iterator[Metric]:
    """Calls of functions of the file that construct a metric under the name they are given."""
    wrappers: dict[str, tuple[str, t.Expr | None]] = {}
    for scope in source.module.functions():
        assert isinstance(scope.node, t.FunctionDef)
        names = [p.name for p in scope.node.args if p.name not in ("self", "cls")]
        for call in own_calls(scope.node):
            kind = _KIND.search(last_name(call.func))
            given = next((k.value for k in call.keywords if k.arg == "name"), call.args[0] if call.args else None)
            if kind is not None and names and isinstance(given, t.Name) and given.id == names[0]:
                wrappers[scope.node.name] = (kind[0].lower(), call.args[1] if len(call.args) > 1 else None)
    if not wrappers:
        return
    texts = _described(source)
    for scope in source.module.functions():
        for call in own_calls(scope.node):
            wrapper = wrappers.get(last_name(call.func))
            title = literal(call.args[0]) if call.args else None
            if wrapper is not None and isinstance(title, str):
                labels = next((k.value for k in call.keywords if k.arg in LABELS), None)
                said = source.quote(labels) if labels is not None else ""
                yield Metric(title, wrapper[0], texts.get(title, ""), said, scope.qualified_name, source.at(call))


def _described(source: PythonSource) -> dict[str, str]:
    """Texts that tables of the module hold for names."""
    found: dict[str, str] = {}
    for statement in source.module.body:
        if isinstance(statement, t.Assign) and isinstance(statement.value, t.Dict):
            for key, value in zip(statement.value.keys, statement.value.values, strict=True):
                name, text = literal(key), literal(value)
                if isinstance(name, str) and isinstance(text, str):
                    found[name] = text
    return found
