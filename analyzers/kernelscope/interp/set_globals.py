"""What functions set the names of a file to that start as None: `global _GROUP`, `_GROUP = Group(ranks)`.

Of the function that sets one so much is followed as the object is made of, on sizes of its own for its parameters.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kernelscope.dims import Dim
from kernelscope.interp.annotations import is_global
from kernelscope.interp.expressions import evaluate
from kernelscope.interp.flow import Returns, execute
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.later_stores import GIVEN, aside, given_by_nobody
from kernelscope.interp.limits import OutOfBudget
from kernelscope.interp.receivers import alone
from kernelscope.interp.values import Instance, Maybe, Scope, present
from kernelscope.ops import ShapeError
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module
from kernelscope.workspace.modules import Definition

GLOBAL = b"global "
GROWING = {"append", "extend", "insert", "add", "update"}
"""Methods by which a list gets what it holds."""
Setting = tuple[t.FunctionDef, t.Expr, list[t.Stmt]]
"""A function that sets a name, to what, and the statements that this is made of."""


def set_by_function(run: Interpreter, name: Definition) -> Maybe | None:
    """The object that the only function sets a name of its file to that sets it to anything; None where none does.

    Before that function is called the name holds None."""
    module = run.workspace.modules.module(name.path)
    if run.certain or module is None or GLOBAL not in module.text.data:
        return None
    setting = _without_exchanges(list(_setting(module, name.name)))
    if len(setting) != 1:
        return None
    node, value, before = setting[0]
    definition = Definition(name.path, node.name, node)
    frame = Scope(name.path, alone(run, definition))

    def named(parameter: str) -> Dim:
        return run.symbols.lasting(parameter, GIVEN)  # it is called once, so that this is the same for everybody

    with aside(run):
        frame.names |= {param.name: given_by_nobody(param, named) for param in node.args}
        try:
            execute(run, frame, before, Returns(run, frame))
            found = present(evaluate(run, frame, value))
        except (ShapeError, OutOfBudget, ArithmeticError, RecursionError):
            return None
    return Maybe(found, name.name) if isinstance(found, Instance) else None


def _without_exchanges(setting: list[Setting]) -> list[Setting]:
    """What makes an object, where other functions only put one that they are given in its place for a while."""
    makers = {node for node, value, _ in setting if not isinstance(value, t.Name)}
    return [(node, value, before) for node, value, before in setting if len(makers) != 1 or node in makers]


def _setting(module: Module, name: str) -> Iterator[Setting]:
    """The functions that set a name of the file to something, with what, and the statements that this is made of."""
    for scope in module.functions():
        node = scope.node
        if not isinstance(node, t.FunctionDef) or not is_global(node, name):
            continue
        for value, before in _stored(node.body, name, []):
            if not (isinstance(value, t.Constant) and value.value is None):
                yield node, value, needed(before, value)


def _stored(body: Sequence[t.Stmt], name: str, before: list[t.Stmt]) -> Iterator[tuple[t.Expr, list[t.Stmt]]]:
    """What a block stores under a name, with all statements before that on the way there."""
    for index, statement in enumerate(body):
        passed = [*before, *body[:index]]
        match statement:
            case t.Assign(targets=[t.Name(id=stored)], value=value) if stored == name:
                yield value, passed
            case t.If(test=test, body=then, orelse=orelse):
                in_general = list(_stored(orelse, name, passed))
                if not in_general or not _is_another(test, then, name):
                    yield from _stored(then, name, passed)
                yield from in_general
            case t.With(body=inner):
                yield from _stored(inner, name, passed)
            case _:
                pass


def _is_another(test: t.Expr, then: Sequence[t.Stmt], name: str) -> bool:
    """Whether all that a block does is to use another object where two sizes are equal: what is made where they are not
    would be like it: `_PAIRS = _ALL if pairs == all else make(pairs)`, in statements."""
    match test, then:
        case t.Compare(ops=["=="]), [t.Assign(targets=[t.Name(id=stored)], value=t.Name())]:
            return stored == name
        case _:
            return False


def needed(before: Sequence[t.Stmt], value: t.Expr) -> list[t.Stmt]:
    """The statements before an expression that bind what it reads, or what those read in turn, in their order."""
    wanted, found = _read(value), list[t.Stmt]()
    for statement in reversed(before):
        if not wanted.isdisjoint(_bound(statement)):
            found.append(statement)
            wanted |= _read(statement)
    return found[::-1]


def _read(*nodes: t.Node) -> set[str]:
    return {node.id for node in t.walk(*nodes) if isinstance(node, t.Name)}


def _bound(statement: t.Stmt) -> set[str]:
    """The names that a statement binds, or fills."""
    found: set[str] = set()
    for node in t.walk(statement):
        match node:
            case t.Assign(targets=targets):
                found |= _read(*targets)
            case t.AugAssign(target=target) | t.AnnAssign(target=target) | t.For(target=target):
                found |= _read(target)
            case t.Call(func=t.Attribute(value=t.Name(id=holder), attr=attr)) if attr in GROWING:
                found.add(holder)
            case _:
                pass
    return found
