"""Methods that a class leaves to those that derive from it: what is called is the one of one of them.

`def attend(self, q, k, v): raise NotImplementedError` of a plain class, such as one of backends, of which a program
holds one by the name of that class.
"""

from __future__ import annotations

from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.values import MAX_CHOICES, Choice, Function, Instance
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.declarations import is_declared_only
from kernelscope.workspace.modules import Definition

MAX_DEPTH = 3
"""Classes that derive from one another."""


def overridden(run: Interpreter, instance: Instance, method: object) -> Choice | Function | None:
    """What stands in for a method that says nothing, in the classes that derive from its object's class: they keep what
    it promises, so that one tells what all give. Only for explanations: others may not look through the workspace."""
    from kernelscope.interp.receivers import seeded_instance

    if run.trace is None or run.certain or instance.is_module or not isinstance(method, Definition):
        return None
    if not isinstance(method.node, t.FunctionDef) or not is_declared_only(method.node):
        return None
    found = list(_overriding(run, instance.cls, method.name, MAX_DEPTH))[:MAX_CHOICES]
    ways = [Function(own, seeded_instance(run, own.owner), True) for own in found if own.owner is not None]
    return ways[0] if len(ways) == 1 else Choice([*ways], is_of_table=True) if ways else None


def _overriding(run: Interpreter, cls: Definition, name: str, depth: int) -> list[Definition]:
    """The methods of this name in the classes that derive from a class, the nearest first."""
    found: list[Definition] = []
    for derived in run.workspace.usages.subclasses(cls) if depth else ():
        own = run.classes.attribute(derived, name)
        if not isinstance(own, Definition) or not isinstance(own.node, t.FunctionDef):
            continue
        if not is_declared_only(own.node) and own.owner is not None and own.owner.node is derived.node:
            found.append(own)
        elif is_declared_only(own.node):
            found += _overriding(run, derived, name, depth - 1)
    return found
