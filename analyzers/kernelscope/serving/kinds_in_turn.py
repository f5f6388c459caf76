"""Kinds of requests or messages that are handled one kind after the other, in the order of a list of an enum's members.

`self.order = [Kind.STOP, Kind.ADD, Kind.END]`, and `for kind in self.order: …`.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import own_of
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

LEAST = 3
KINDS = {"request", "requests", "message", "messages", "command", "commands", "event", "events", "task", "tasks",
         "job", "jobs"}  # fmt: skip
"""Words of enums of what comes in."""


def kinds_in_turn(source: PythonSource) -> Iterator[Claim]:
    """One claim for each list of kinds that a method of its class goes through."""
    if source.aside:
        return
    for cls in source.module.classes():
        assert isinstance(cls.node, t.ClassDef)
        listed = dict(_listed(cls.node))
        for method in cls.node.methods() if listed else ():
            for loop in own_of(method, t.For):
                name = t.dotted(loop.iter) or ""
                if name in listed:
                    members, statement = listed.pop(name)
                    value = (
                        f"order by kind: {cls.node.name}.{method.name} handles what came in one kind after the other, "
                        f"in the order of {name}: {', '.join(members)}"
                    )
                    places = (source.at(statement), source.at(loop), source.at(method))
                    yield Claim(f"{cls.node.name}.{method.name} order of kinds", value, places)


def _listed(cls: t.ClassDef) -> Iterator[tuple[str, tuple[list[str], t.Stmt]]]:
    """Attributes that hold members of one enum in a list."""
    for method in cls.methods():
        for node in own_of(method, t.Assign, t.AnnAssign):
            target = node.targets[0] if isinstance(node, t.Assign) else node.target
            match node.value:
                case t.List(elts=elements) | t.Tuple(elts=elements):
                    members = [t.dotted(e) or "" for e in elements]
                case _:
                    continue
            enums = {member.rpartition(".")[0] for member in members}
            of = enums.pop().rpartition(".")[2] if len(enums) == 1 else ""
            are_members = all(member.rpartition(".")[2].isupper() for member in members)
            if len(members) >= LEAST and are_members and KINDS & set(words(of)):
                yield t.dotted(target) or "", (members, node)
