"""Classes that differ in what they rank by: strategies of eviction, policies of scheduling, one key each.

Classes with one base, of which each answers the same method with one expression; a heap or a sort asks that method.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import last_name, statements
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

RANKS = {"priority", "score", "rank", "key", "order", "cost", "weight", "value"}
"""Words of methods that say what comes first."""
SECTIONS = {"evict": "serving.kv_cache", "eviction": "serving.kv_cache", "replacement": "serving.kv_cache",
            "schedule": "serving.scheduling", "scheduler": "serving.scheduling", "scheduling": "serving.scheduling",
            "policy": "serving.scheduling"}  # fmt: skip
"""Where a family of classes belongs, by a word of its base or its file; the first that is said."""


def rankings(source: PythonSource) -> Iterator[tuple[str, Claim]]:
    """One claim for each family of such classes, with its section."""
    families: dict[tuple[str, str], list[tuple[t.ClassDef, t.FunctionDef, t.Expr]]] = {}
    for scope in source.module.classes():
        if not isinstance(scope.node, t.ClassDef):
            continue
        for base in scope.node.bases:
            for method in scope.node.methods():
                if RANKS & set(words(method.name)) and (key := _only_answer(method)) is not None:
                    families.setdefault((last_name(base), method.name), []).append((scope.node, method, key))
    for (base, method), members in families.items():
        said = (*words(base), *words(source.path.stem))
        section = next((section for word, section in SECTIONS.items() if word in said), None)
        if section is None or len(members) < 2:
            continue
        keys = ", ".join(f"{cls.name} by {source.quote(key)}" for cls, _, key in members)
        ways = "what is evicted first" if section == "serving.kv_cache" else "what is served first"
        value = f"{ways} is chosen by {base}.{method}, which its classes answer differently: {keys}"
        places = (source.at(cls) for cls, _, _ in members)
        yield section, Claim(f"{base} strategies of order (policy)", value, tuple(places))


def _only_answer(method: t.FunctionDef) -> t.Expr | None:
    """What a method returns, where that is all it does."""
    done = [s for s, _ in statements(method) if not (isinstance(s, t.ExprStmt) and isinstance(s.value, t.Constant))]
    match done:
        case [t.Return(value=value)] if value is not None and not isinstance(value, t.Constant):
            return value
        case _:
            return None
