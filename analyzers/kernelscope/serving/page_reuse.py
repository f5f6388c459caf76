"""Pages that are found again by their hashes, all of them in turn: `for h in hashes: page = self.used.get(h)`.

Loops that end at the first miss are told by `prefixes`; here each hash is looked up, whatever the others gave.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import last_name, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

HASHES = {"hash", "hashes"}
PAGES = {"page", "pages", "block", "blocks", "slot", "slots", "chunk", "chunks", "kv"}
MOST_TABLES = 3


@by_function
def reused_pages(source: PythonSource) -> Iterator[Claim]:
    """One claim for each loop over hashes that looks every one of them up in tables of pages."""
    if source.aside:
        return
    for scope in source.module.functions():
        for loop in own_of(scope.node, t.For):
            over = loop.iter
            if isinstance(over, t.Call) and last_name(over.func) == "enumerate" and over.args:
                over = over.args[0]
            if not HASHES & set(words(last_name(over))):
                continue
            if any(isinstance(n, t.Break | t.Return) for n in t.flat(loop.body)):
                continue
            keys = {n.id for n in t.walk(loop.target) if isinstance(n, t.Name)}
            tables = dict(_tables(loop, keys))
            if not tables or not PAGES & set(words(" ".join(tables))):
                continue
            shown = list(tables)[:MOST_TABLES]
            value = (
                f"prefix lookup in {scope.qualified_name}: each of {source.quote(over)} is looked up by its hash in "
                f"{', then in '.join(shown)}; what is found there is used again"
            )
            places = (source.at(loop), *(source.at(tables[name]) for name in shown), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} hash hit", value, places)


def _tables(loop: t.For, keys: set[str]) -> Iterator[tuple[str, t.Node]]:
    """The maps of an object of which something is asked by a key and kept, in the order of the code; each once."""
    seen: set[str] = set()
    for bound in t.walk(*loop.body):
        node = bound.value if isinstance(bound, t.Assign | t.NamedExpr) else None
        match node:
            case t.Call(func=t.Attribute(value=table, attr="get"), args=[t.Name(id=key), *_]) if key in keys:
                name = t.dotted(table) or ""
            case _:
                continue
        if "." in name and name not in seen:
            seen.add(name)
            yield name, node
