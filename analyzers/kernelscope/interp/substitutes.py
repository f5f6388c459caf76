"""Optional arguments that are given in place of another, which would be embedded: `inputs_embeds` for `input_ids`.

Only one of the two is there, so the sizes of either are those of the input, and one word will do for both.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kernelscope.dims import Dim
from kernelscope.interp.agreement import NOT_TOLD
from kernelscope.interp.expressions import evaluate
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.values import Choice, Function, Instance, Maybe, Scope, Value, present
from kernelscope.ops import Module, ShapeError
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Size, Tensor, Unknown


@dataclass(frozen=True, slots=True)
class Substitute:
    """Where `name` is None, it is what `layer` makes of `instead_of`."""

    name: str
    instead_of: str
    call: t.Call


NOT_TOLD_YET = Tensor(Shape.unknown(NOT_TOLD), Unknown("the dtype of an argument"))


def settle_substitutes(run: Interpreter, scope: Scope, node: t.FunctionDef) -> None:
    """Give arguments that stand for others the sizes of those, behind the parameters' binding."""
    if node not in run.substitutes:
        run.substitutes[node] = list(_substitutes(node))
    for found in run.substitutes[node]:
        given, other = scope.names.get(found.name), present(scope.names.get(found.instead_of))
        if not isinstance(given, Maybe) or not isinstance(other, Tensor) or other.rank is None:
            continue
        own = NOT_TOLD_YET if isinstance(given.value, Unknown) else given.value
        width = _width(run, scope, found.call, other) if isinstance(own, Tensor) else None
        if width is None:
            continue
        value = _with_sizes(run, own, other, width)
        if value is not own:
            value = value if run.trace is None else run.trace.same(value, given.value)
            scope.names[found.name] = replace(given, value=value)


def _with_sizes(run: Interpreter, given: Tensor, other: Tensor, width: Size) -> Tensor:
    """A tensor with the sizes of another in front of its last: those that are known are equal from here on. One that
    only its name tells to be as wide as it is is as wide as what it stands for."""
    rank = len(other.shape.head) + 1
    if given.rank is None and given.shape.least_rank <= 1:
        return Tensor(Shape((*other.shape.head, width)), given.dtype, given.place)
    if given.rank != rank:
        return given
    sizes = list(given.shape.head)
    for index, size in enumerate(other.shape.head):
        own = sizes[index]
        if isinstance(own, Unknown):
            sizes[index] = size
        elif isinstance(size, Dim) and own.const is None and size.const is None:
            run.learn(run.known.facts.with_same(size, own))
    if isinstance(sizes[-1], Dim) and sizes[-1].name in run.symbols.widths:
        sizes[-1] = width
    return given if tuple(sizes) == given.shape.head else Tensor(Shape(tuple(sizes)), given.dtype, given.place)


def _width(run: Interpreter, scope: Scope, call: t.Call, other: Tensor) -> Size | None:
    """How wide the vectors are that a call makes of indices, if it is one that embeds: a table, or what gives another
    axis behind those of the indices."""
    run.quiet += 1
    try:
        layer: Value = present(evaluate(run, scope, call.func))
        base = layer.layer if isinstance(layer, Instance) else layer
        if isinstance(base, Module) and base.name == "torch.nn.Embedding":
            return base.size("embedding_dim")
        if run.running or not isinstance(layer, Instance | Function | Choice):
            return None  # it is followed once more where the function runs for its own sake, not in every call
        made = evaluate(run, scope, call)
    except ShapeError:
        return None
    finally:
        run.quiet -= 1
    is_embedded = isinstance(made, Tensor) and made.shape.dims is not None and made.shape.head[:-1] == other.shape.head
    return made.shape.head[-1] if is_embedded else None


def _substitutes(node: t.FunctionDef) -> Iterator[Substitute]:
    optional = {p.name for p in node.args if isinstance(p.default, t.Constant) and p.default.value is None}
    others = {p.name for p in node.args}
    for found in t.walk(*node.body) if optional else ():
        match found:
            case t.If(test=t.Compare(left=t.Name(id=name), ops=[op], comparators=[t.Constant(value=None)])) if (
                name in optional and op in ("is", "is not")
            ):
                absent, there = (found.body, found.orelse) if op == "is" else (found.orelse, found.body)
                targets = {name, *_renamed(name, there)}
                for statement in absent:
                    yield from _made(name, targets, others - {name}, statement)
            case _:
                pass


def _renamed(name: str, statements: list[t.Stmt]) -> Iterator[str]:
    """What a name is called from here on: `hidden_states = inputs_embeds`."""
    for statement in statements:
        match statement:
            case t.Assign(targets=[t.Name(id=target)], value=t.Name(id=bound)) if bound == name:
                yield target
            case _:
                pass


def _made(name: str, targets: set[str], others: set[str], statement: t.Stmt) -> Iterator[Substitute]:
    """What a statement binds the name to, if it is made of another parameter."""
    match statement:
        case t.Assign(targets=[t.Name(id=target)], value=value) | t.AnnAssign(target=t.Name(id=target), value=value):
            for call in t.walk(value) if target in targets and value is not None else ():
                match call:
                    case t.Call(args=[t.Name(id=other), *_]) if other in others:
                        yield Substitute(name, other, call)
                    case _:
                        pass
        case _:
            pass
