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
from kernelscope.interp.values import Instance, Maybe, Scope, Value, present
from kernelscope.ops import Module
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Tensor, Unknown


@dataclass(frozen=True, slots=True)
class Substitute:
    """Where `name` is None, it is what `layer` makes of `instead_of`."""

    name: str
    instead_of: str
    layer: t.Expr


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
        table = _table(run, scope, found.layer) if isinstance(own, Tensor) else None
        if table is None:
            continue
        value = _with_sizes(run, own, other, table)
        if value is not own:
            value = value if run.trace is None else run.trace.same(value, given.value)
            scope.names[found.name] = replace(given, value=value)


def _with_sizes(run: Interpreter, given: Tensor, other: Tensor, table: Module) -> Tensor:
    """A tensor with the sizes of another in front of its last: those that are known are equal from here on."""
    rank = len(other.shape.head) + 1
    if given.rank is None and given.shape.least_rank <= 1:
        last = table.size("embedding_dim")
        return Tensor(Shape((*other.shape.head, last)), given.dtype, given.place)
    if given.rank != rank:
        return given
    sizes = list(given.shape.head)
    for index, size in enumerate(other.shape.head):
        own = sizes[index]
        if isinstance(own, Unknown):
            sizes[index] = size
        elif isinstance(size, Dim) and own.const is None and size.const is None:
            run.learn(run.known.facts.with_same(size, own))
    return given if tuple(sizes) == given.shape.head else Tensor(Shape(tuple(sizes)), given.dtype, given.place)


def _table(run: Interpreter, scope: Scope, layer: t.Expr) -> Module | None:
    """The layer, if it is one that embeds."""
    run.quiet += 1
    try:
        value: Value = present(evaluate(run, scope, layer))
    finally:
        run.quiet -= 1
    base = value.layer if isinstance(value, Instance) else value
    return base if isinstance(base, Module) and base.name == "torch.nn.Embedding" else None


def _substitutes(node: t.FunctionDef) -> Iterator[Substitute]:
    optional = {p.name for p in node.args if isinstance(p.default, t.Constant) and p.default.value is None}
    others = {p.name for p in node.args}
    for found in t.walk(*node.body) if optional else ():
        match found:
            case t.If(test=t.Compare(left=t.Name(id=name), ops=["is"], comparators=[t.Constant(value=None)])):
                for statement in found.body if name in optional else ():
                    yield from _made(name, others - {name}, statement)
            case _:
                pass


def _made(name: str, others: set[str], statement: t.Stmt) -> Iterator[Substitute]:
    """What a statement binds the name to, if it is made of another parameter."""
    match statement:
        case t.Assign(targets=[t.Name(id=target)], value=value) | t.AnnAssign(target=t.Name(id=target), value=value):
            for call in t.walk(value) if target == name and value is not None else ():
                match call:
                    case t.Call(func=func, args=[t.Name(id=other), *_]) if other in others:
                        yield Substitute(name, other, func)
                    case _:
                        pass
        case _:
            pass
