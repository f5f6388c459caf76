"""Methods of base classes that store nothing and work on no tensors: they change no shape."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.values import (
    Class,
    Function,
    Instance,
)
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition

LIBRARIES = {"torch", "nn", "F", "np", "numpy", "jnp", "jax", "einsum", "rearrange", "repeat", "reduce"}
"""Names of libraries of tensors as they are imported."""


def is_administration(run: Interpreter, function: Function) -> bool:
    """Whether a method of a base class elsewhere stores nothing and works on no tensors: it changes no shape. Nor does
    one by which code of other files makes settings: a class method of what is no layer."""
    node, receiver = function.definition.node, function.receiver
    assert isinstance(node, t.FunctionDef)
    if not _is_elsewhere(run, function) or not node.args:
        return False
    if node not in run.administration:
        own = node.args[0].name
        run.administration[node] = not any(
            _does_something(found, own) or (isinstance(receiver, Instance) and _gives_method(run, receiver, found, own))
            for found in t.walk(*node.body)
        )
    return run.administration[node]


def _is_elsewhere(run: Interpreter, function: Function) -> bool:
    path, looked_at = function.definition.path, run.contexts.path
    match function.receiver:
        case Instance(cls=cls):
            return path != cls.path
        case Class(definition=cls):
            is_asked_here = path == looked_at or not run.running or run.running[-1].path == looked_at
            return not is_asked_here and not run.classes.is_module(cls)
        case _:
            return False


def _does_something(node: t.Node, receiver: str) -> bool:
    match node:
        case t.Name(id=name):
            return name in LIBRARIES
        case t.Assign(targets=targets):
            return any(isinstance(target, t.Attribute) and _is_of(target, receiver) for target in targets)
        case t.AnnAssign(target=target) | t.AugAssign(target=target):
            return isinstance(target, t.Attribute) and _is_of(target, receiver)
        case t.Call(func=t.Attribute(attr=name) as func):
            return name.startswith(("register_", "add_module")) and _is_of(func, receiver)
        case _:
            return False


def _gives_method(run: Interpreter, receiver: Instance, node: t.Node, own: str) -> bool:
    """Whether a statement chooses one of the object's methods: `return self.forward_native`."""
    if not isinstance(node, t.Return) or not isinstance(node.value, t.Attribute) or not _is_of(node.value, own):
        return False
    found = run.classes.attribute(receiver.cls, node.value.attr)
    return isinstance(found, Definition) and isinstance(found.node, t.FunctionDef)


def _is_of(target: t.Attribute, receiver: str) -> bool:
    return isinstance(target.value, t.Name) and target.value.id == receiver
