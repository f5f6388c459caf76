"""Metrics that a program exports: constructor calls in the form of the Prometheus client, through aliases.

The client's interface decides: a name, a `documentation` (or a second text), and one of its four kinds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.results import Location
from kernelscope.serving.claims import PythonSource, literal
from kernelscope.syntax.python import tree as t

_KIND = re.compile(r"counter|gauge|histogram|summary", re.IGNORECASE)


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
    """The metrics that one file constructs, in source order."""
    for scope in source.module.functions():
        for node in t.walk(*scope.node.body):
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
            if isinstance(title, str) and isinstance(text, str):
                labels = source.quote(keywords["labelnames"]) if "labelnames" in keywords else ""
                yield Metric(title, kind[0].lower(), text, labels, scope.qualified_name, source.at(node))
