"""Families of classes: a base that leaves a method open and those that fill it in, and which of them an object takes.

Told of policies of schedulers and caches: what is chosen there is how requests are served or evicted.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import last_name, own_of, statements
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import of_file, ranked, words
from kernelscope.syntax.python import tree as t

SECTIONS = {"serving.scheduling", "serving.batching", "serving.kv_cache", "serving.prefix_cache"}
POLICIES = {"policy", "policies", "strategy", "strategies"}
KEEPS = {"serving.kv_cache", "serving.prefix_cache"}
KEPT = {"cache", "caches", "storage", "pool", "allocator", "kv", "prefix"}
"""Words of what keeps keys and values, of which there may be several kinds."""
OPERATORS = {"op", "ops", "rope", "kernel", "kernels"}
LEAST, MOST = 2, 16
"""How many classes are a family, and how many of them are told."""
LONGEST_ANSWER = 120
_OPEN = (b"NotImplemented", b"abstractmethod", b"Protocol")


def families(source: PythonSource) -> Iterator[tuple[str, Claim]]:
    """Classes of a file that fill in what their common base leaves open, each with what it gives back."""
    if source.aside or not any(mark in source.text.data for mark in _OPEN):
        return
    classes = {s.node.name: s.node for s in source.module.classes() if isinstance(s.node, t.ClassDef)}
    members: dict[str, list[t.ClassDef]] = {}
    for cls in classes.values():
        for base in cls.bases:
            if last_name(base) in classes:
                members.setdefault(last_name(base), []).append(cls)
    for name, derived in members.items():
        base = classes[name]
        left_open = next((m for m in base.methods() if not m.name.startswith("__") and _is_open(m)), None)
        if left_open is None or OPERATORS & set(words(name)):
            continue
        section = next((s for _, s in ranked(name, left_open.name, source.path.stem) if s in SECTIONS), "")
        section = section or next((s for s in of_file(source.path.stem) if s in KEEPS), "")
        is_policy = bool(POLICIES & {*words(name), *words(source.path.stem)})
        if not section or not (is_policy or (section in KEEPS and KEPT & {*words(name), *words(source.path.stem)})):
            continue
        filled = [(c, m) for c in derived for m in c.methods() if m.name == left_open.name and not _is_open(m)]
        if len(filled) < LEAST:
            continue
        said = "; ".join(_member(source, cls, method) for cls, method in filled[:MOST])
        value = f"{name} leaves {left_open.name} to {len(filled)} classes: {said}"
        yield section, Claim(f"{name} implementations", value, tuple(source.at(c) for c in (base, *derived[:MOST])))


def _is_open(method: t.FunctionDef) -> bool:
    """Whether a method does nothing: it raises, or has no body but its documentation."""
    if any(last_name(d) == "abstractmethod" for d in method.decorator_list):
        return True
    body = [s for s in method.body if not (isinstance(s, t.ExprStmt) and isinstance(s.value, t.Constant))]
    match body:
        case [t.Raise()]:
            return True
        case []:
            return bool(method.body)
        case [t.Pass()]:
            return method.name != "__init__"
        case _:
            return False


def _member(source: PythonSource, cls: t.ClassDef, method: t.FunctionDef) -> str:
    returned = [n.value for n in own_of(method, t.Return) if n.value is not None]
    tells = len(returned) == 1 and any(isinstance(n, t.Attribute | t.Call) for n in t.walk(returned[0]))
    text = source.quote(returned[0], LONGEST_ANSWER) if tells else ""
    return f"{cls.name} ({text})" if text else cls.name


@by_function
def taken(source: PythonSource) -> Iterator[Claim]:
    """`self.pause_strategy = Fcfs()`: which policy an object works by, where nothing but its constructor says so."""
    for scope in source.module.functions():
        if scope.node.name != "__init__" or scope.owner is None or source.aside:
            continue
        made: dict[str, list[tuple[t.Assign, str]]] = {}
        for statement, guards in statements(scope.node):
            match statement:
                case t.Assign(
                    targets=[t.Attribute(value=t.Name(id="self"), attr=name)],
                    value=t.Call(func=func, args=[], keywords=[]),
                ) if POLICIES & set(words(name)) and last_name(func)[:1].isupper():
                    made.setdefault(name, []).append((statement, last_name(func) if not guards else ""))
                case _:
                    pass
        for name, found in made.items():
            if len(found) == 1 and found[0][1]:
                value = f"policy: {scope.owner.name} works by {found[0][1]} ({source.quote(found[0][0])})"
                yield Claim(f"{scope.owner.name} {name}", value, (source.at(found[0][0]), source.at(scope.owner)))
