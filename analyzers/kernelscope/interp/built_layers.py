"""Layers that a configuration builds: `self.norm = norm_config.build(width)`, where its class says what it gives.

What is built is of the class that the method is annotated to return, made with what the method is given under the names
of that class's parameters; the others it takes from the configuration.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from kernelscope.interp.annotations import class_of
from kernelscope.interp.declared_fields import field_type
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.values import (
    MAX_CHOICES,
    Arguments,
    Choice,
    Keywords,
    Opaque,
    Scope,
    Unpacked,
    Value,
    present,
)
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.declarations import is_declared_only
from kernelscope.workspace.modules import Definition


def built_layer(run: Interpreter, target: Opaque, args: Arguments, kwargs: Keywords) -> Value | None:
    """The layer that a method of a configuration object gives; None where its class does not say so."""
    from kernelscope.interp.instances import construct

    holder, _, name = target.name.rpartition(".")
    if run.certain or not holder or not run.running or any(isinstance(arg, Unpacked) for arg in args):
        return None
    config = _class_of_named(run, run.running[-1], holder)
    method = None if config is None else run.classes.attribute(config, name)
    if config is None or not isinstance(method, Definition) or not isinstance(method.node, t.FunctionDef):
        return None
    made = class_of(run, method.path, method.node.returns)
    if made is None or not run.classes.is_module(made):
        return None
    given = {**dict(zip((param.name for param in method.node.args[1:]), args, strict=False)), **kwargs}
    kinds = _kinds(run, made)
    built = [construct(run, kind, [], _arguments(run, kind, holder, given)) for kind in kinds]
    return None if not built else built[0] if len(built) == 1 else Choice(built)


def _kinds(run: Interpreter, made: Definition) -> list[Definition]:
    """The class and those that derive from it, which a configuration may choose from; the class alone where there are
    more of them than can be told, and but for explanations: others may not look through the workspace."""
    found = [made, *(run.workspace.usages.subclasses(made) if run.trace is not None else ())]
    able = [kind for kind in found if not _is_abstract(run, kind)]
    return able if len(able) <= MAX_CHOICES else [kind for kind in able if kind is made]


def _is_abstract(run: Interpreter, kind: Definition) -> bool:
    """Whether objects are of classes below only: `forward` is abstract, or there is none."""
    forward = run.classes.attribute(kind, "forward")
    if not isinstance(forward, Definition) or not isinstance(forward.node, t.FunctionDef):
        return not isinstance(forward, Definition)
    return is_declared_only(forward.node)


def _arguments(run: Interpreter, made: Definition, holder: str, given: Keywords) -> Keywords:
    """What a layer is made with: what the method was given, and what the configuration holds of what it must get."""
    init = run.classes.attribute(made, "__init__")
    if not isinstance(init, Definition) or not isinstance(init.node, t.FunctionDef):
        return {}
    taken = {param.name: param for param in init.node.args[1:] if param.kind not in ("args", "kwargs")}
    asked = {name: Opaque(f"{holder}.{name}") for name, param in taken.items() if param.default is None}
    return {**asked, **{name: value for name, value in given.items() if name in taken}}


def _class_of_named(run: Interpreter, scope: Scope, name: str) -> Definition | None:
    """The class of an object that goes by a name: that of a parameter, or of what its object is declared to hold."""
    function = scope.function
    node = None if function is None else function.definition.node
    if not isinstance(node, t.FunctionDef):
        return None
    for param in node.args:
        held = present(scope.names.get(param.name))
        if not isinstance(held, Opaque) or not f"{name}.".startswith(f"{held.name}."):
            continue
        cls = class_of(run, scope.path, param.annotation)
        for part in filter(None, name[len(held.name) :].split(".")):
            found = None if cls is None else field_type(run, cls, part)
            cls = None if found is None else class_of(run, *found)
        if cls is not None:
            return cls
    return None
