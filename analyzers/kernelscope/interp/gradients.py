"""The gradients of an autograd function: `backward` gets what `forward` kept, and one gradient for each output.

A gradient is as large as the output that it is of, and of its kind.
Source: https://docs.pytorch.org/docs/stable/notes/extending.html#extending-torch-autograd.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from kernelscope.dims import Dim
from kernelscope.interp import autograd
from kernelscope.interp.argument_binding import bind
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.records import derives
from kernelscope.interp.uses import Uses
from kernelscope.interp.values import Copied, Function, Maybe, Opaque, Scope, Value
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Tensor, Unknown
from kernelscope.workspace.modules import Definition


def give_context(run: Interpreter, frame: Scope, node: t.FunctionDef) -> Copied | None:
    """Let the `forward` of an autograd function have a context to keep things in; None where it is of none."""
    owner = None if frame.function is None else frame.function.definition.owner
    if node.name != autograd.FORWARD or owner is None or not node.args or not derives(run, owner, autograd.FUNCTIONS):
        return None
    if isinstance(run.classes.attribute(owner, autograd.APART), Definition):
        return None
    name = node.args[0].name
    kept = frame.names[name] = Copied(Opaque(name))
    return kept


def ask_for_gradients(run: Interpreter, frame: Scope, kept: Copied, outputs: Value) -> None:
    """Call the `backward` of the class whose `forward` gave these outputs, as a caller of which it is to be told."""
    assert frame.function is not None
    owner = frame.function.definition.owner
    backward = None if owner is None else run.classes.attribute(owner, autograd.BACKWARD)
    if not isinstance(backward, Definition) or not isinstance(backward.node, t.FunctionDef):
        return
    if not run.contexts.holds(backward.path, backward.node):
        return
    each = outputs if type(outputs) is tuple else (outputs,)
    scope = Scope(backward.path, Function(backward))
    if not bind(run, scope, Function(backward), [kept, *map(_gradient, each)], {}):
        return
    facts = run.known.facts

    def told(size: Dim) -> Dim:
        return run.symbols.in_words(facts.rewrite(size))

    run.contexts.edges.add((frame.function.definition.node, backward.node))
    run.contexts.note(backward.node, scope.names, None, facts, run.symbols.ones, told, run.guessed_sizes)


def kept_for(uses: Uses, context: Value) -> list[tuple[str, Value]]:
    """The tensors that a context kept, by the names that the body has for them."""
    kept = context.get(autograd.SAVED) if isinstance(context, Copied) else None
    return list(zip(uses.saved, kept, strict=True)) if type(kept) is tuple and len(kept) == len(uses.saved) else []


def _gradient(output: Value) -> Value:
    match output:
        case Tensor():
            return Tensor(output.shape, output.dtype, output.place)
        case Maybe():
            return _gradient(output.value)
        case _:
            return Unknown("the gradient of what is not known")
