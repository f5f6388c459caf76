"""Switches of a function that are turned off again: under which conditions something that was asked for is not done."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import guards_text, statements
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import ranked, words
from kernelscope.syntax.python import tree as t

FEATURES = {"chunking", "chunked", "prefix", "caching", "overlap", "speculative", "speculation", "graph", "graphs",
            "cudagraph", "preemption", "offload"}  # fmt: skip
"""Words of what an engine can do or leave."""
SECTIONS = {"serving.batching", "serving.scheduling", "serving.prefix_cache", "serving.kv_cache"}
MOST = 6


@by_function
def switched_off_locally(source: PythonSource) -> Iterator[tuple[str, Claim]]:
    """`if drafts != 0: chunking = False` of a name that the function had from its caller or bound before."""
    if source.aside:
        return
    for scope in source.module.functions():
        if not isinstance(scope.node, t.FunctionDef):
            continue
        given = {p.name for p in scope.node.args}
        found: dict[str, list[tuple[t.Assign, str]]] = {}
        for statement, guards in statements(scope.node):
            match statement:
                case t.Assign(targets=[t.Name(id=name)], value=t.Constant(value=False)) if name in given:
                    said = [text for text in guards_text(source, guards) if text != name]
                    if said and FEATURES & set(words(name)):
                        found.setdefault(name, []).append((statement, " and ".join(said)))
                case _:
                    pass
        for name, turned in found.items():
            section = next((s for _, s in ranked(name, scope.qualified_name, source.path.stem) if s in SECTIONS), "")
            if not section:
                continue
            value = f"{name} is turned off if {'; or if '.join(when for _, when in turned[:MOST])}"
            places = (*(source.at(statement) for statement, _ in turned[:MOST]), source.at(scope.node))
            yield section, Claim(f"{scope.qualified_name} {name}", value, places)
