"""Which instances do which half of a request: prefill and decode go to replicas of their own.

Told where one function parts the same collection by two conditions and names the parts so, whatever instances are.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import guards_text, last_name, own_of, statements
from kernelscope.serving.pieces import by_function
from kernelscope.serving.replicas import REPLICAS
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

PHASES = {"prefill": ("prefill", "context"), "decode": ("decod", "generation")}
"""How words of the two halves of a request begin."""
HALVES = {"prefill": ("prefill", "context"), "decode": ("decod", "generat")}
"""The same of settings, which name what they are for: `generate_hosts`."""
BACKENDS = {"backend", "backends"}
"""What each half has of its own in one place, too: a backend of attention."""
INSTANCES = REPLICAS - BACKENDS | {"slices", "devices", "gpus", "meshes", "mesh", "addrs", "urls", "ports"}
"""Words of what each half has of its own where they are apart."""


@by_function
def roles(source: PythonSource) -> Iterator[Claim]:
    """Where a file parts its instances into those that prefill and those that decode."""
    if source.aside:
        return
    for scope in source.module.functions():
        for node, said in _switched(source, scope):
            value = f"whether prefill and decode are disaggregated is decided by {said}"
            where = (source.at(node), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} disaggregation", value, where, confidence="heuristic")
        parted = _parted(source, scope)
        if len(parted) < len(PHASES):
            continue
        said = "; ".join(f"{name}: {source.quote(part)}" for name, part, _ in parted.values())
        chosen = _given_back(source, scope, {name for name, _, _ in parted.values()})
        value = f"disaggregated: prefill and decode go to instances of their own: {said}{chosen}"
        places = (*(source.at(statement) for _, _, statement in parted.values()), source.at(scope.node))
        yield Claim(f"{scope.qualified_name} disaggregation", value, places, confidence="heuristic")


def _switched(source: PythonSource, scope: Scope) -> Iterator[tuple[t.Assign, str]]:
    """`together = len(config.prefill_hosts) + len(config.decode_hosts) == 0`: one truth about what both halves have."""
    for node in own_of(scope.node, t.Assign):
        if not isinstance(node.value, t.Compare | t.BoolOp):
            continue
        halves: dict[str, set[str]] = {}
        for part in t.walk(node.value):
            name = last_name(part) if isinstance(part, t.Attribute | t.Name) else ""
            for phase, begins in HALVES.items():
                if any(word.startswith(begins) for word in words(name)):
                    halves.setdefault(phase, set()).add("_".join(w for w in words(name) if not w.startswith(begins)))
        shared = halves.get("prefill", set[str]()) & halves.get("decode", set[str]())
        if any(INSTANCES & set(name.split("_")) for name in shared):
            yield node, source.quote(node)


def _parted(source: PythonSource, scope: Scope) -> dict[str, tuple[str, t.ListComp, t.Assign]]:
    """By phase, the name of the instances that serve it, and how they are picked of all."""
    found: dict[str, tuple[str, t.ListComp, t.Assign]] = {}
    over: set[str] = set()
    for node in own_of(scope.node, t.Assign):
        match node:
            case t.Assign(targets=[t.Name(id=name)], value=t.ListComp(generators=[each]) as part) if each.ifs:
                pass
            case _:
                continue
        all_of_them = source.quote(each.iter)
        if not REPLICAS & {*words(all_of_them), *words(name)}:
            continue
        for phase, begins in PHASES.items():
            if any(word.startswith(begins) for word in words(name)):
                found.setdefault(phase, (name, part, node))
                over.add(all_of_them)
    return found if len(over) == 1 else {}


def _given_back(source: PythonSource, scope: Scope, names: set[str]) -> str:
    """Which of the parts a function gives back, and when."""
    said: list[str] = []
    for statement, guards in statements(scope.node):
        match statement:
            case t.Return(value=value) if value is not None and any(
                isinstance(n, t.Name) and n.id in names for n in t.walk(value)
            ):
                when = " and ".join(guards_text(source, guards))
                said.append(f"{source.quote(value)}{f' if {when}' if when else ''}")
            case _:
                pass
    return f"; it gives back {', '.join(said)}" if said else ""
