"""What other code stores in an object whose constructor leaves it out: `block.attention.cache = Cache(batch, length)`.

The function that stores it is run once, on sizes of its own for its parameters, and what the object is left with is
taken. A function that the object itself is called with, such as `forward`, stores what one of its calls leaves to the
next, of which nothing is known.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

from kernelscope.dims import Dim
from kernelscope.interp.annotations import is_tensor
from kernelscope.interp.calls import run_body
from kernelscope.interp.changes import Changes
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.joins import as_given
from kernelscope.interp.limits import OBJECT_STEPS, OutOfBudget
from kernelscope.interp.order import ENTRIES
from kernelscope.interp.receivers import alone, seeded_instance
from kernelscope.interp.symbols import sizes_in
from kernelscope.interp.values import Class, Flag, Function, Instance, Opaque, Open, Scope, Value, present
from kernelscope.ops import ShapeError
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Tensor
from kernelscope.workspace.modules import Definition

GIVEN = "what sets the object up chooses it"


def stored_later(run: Interpreter, instance: Instance, name: str) -> Instance | Tensor | None:
    """What the only function that stores an attribute of an object stores there: an object or a tensor; else None."""
    if run.certain or run.trace is not None:
        return None
    storing = list(_storing(run, instance.cls, name))
    if len(storing) != 1 or storing[0].node in {s.function.definition.node for s in run.running if s.function}:
        return None
    definition = storing[0]
    is_own = definition.owner is not None and any(
        isinstance(base, Definition) and base.node is definition.owner.node for base in run.classes.mro(instance.cls)
    )
    key = (definition.node, id(instance) if is_own else 0)
    if key not in run.set_up:
        run.set_up[key] = (instance, {})  # it is asked for what it stores itself
        run.set_up[key] = (instance, _stores(run, definition, instance if is_own else None))
    value = run.set_up[key][1].get(name)
    return as_given(value) if isinstance(value, Instance) else value


def some_stored(run: Interpreter, instance: Instance, name: str) -> Instance | None:
    """For a picture some layer of the one class whose objects the only function stores that stores any there."""
    if run.trace is None or run.certain or not instance.is_module:
        return None
    storing = list(_storing(run, instance.cls, name))
    values = [value for definition in storing[:1] for value in _values_stored(definition.node, name)]
    if len(storing) != 1 or len(values) != 1 or not isinstance(values[0], t.Call):
        return None
    made = run.module_name(storing[0].path, t.dotted(values[0].func) or "")
    is_layer = isinstance(made, Class) and run.classes.is_module(made.definition)
    return seeded_instance(run, made.definition) if is_layer else None


def _values_stored(node: t.Stmt, name: str) -> list[t.Expr]:
    """What the assignments of a function give to an attribute."""
    return [
        statement.value
        for statement in t.walk(*(node.body if isinstance(node, t.FunctionDef) else ()))
        if isinstance(statement, t.Assign)
        and any(isinstance(part, t.Attribute) and part.attr == name for part in t.walk(*statement.targets))
    ]


def _storing(run: Interpreter, cls: Definition, name: str) -> Iterator[Definition]:
    """The functions of the class's file that store an attribute under a name, but for those that set it to None.

    What another class stores in its own objects is another attribute.
    """
    module = run.workspace.modules.module(cls.path)
    own = {base.node for base in run.classes.mro(cls) if isinstance(base, Definition)}
    for scope in module.functions() if module is not None else ():
        node = scope.node
        assert isinstance(node, t.FunctionDef)
        stores = [s for s in module.stores.of(node.span) if s.name == name and not s.augmented] if module else []
        is_self = bool(scope.owner and node.args) and all(store.holder == node.args[0].name for store in stores)
        is_elsewhere = is_self and scope.owner is not None and scope.owner not in own
        if not stores or is_elsewhere or (is_self and node.name == "__init__") or _stores_none(node, name):
            continue
        owner = Definition(cls.path, scope.owner.name, scope.owner) if scope.owner is not None else None
        yield Definition(cls.path, node.name, node, owner)


def _stores_none(node: t.FunctionDef, name: str) -> bool:
    """Whether a function only takes away what is stored under a name."""
    return all(isinstance(v, t.Constant) and v.value is None for v in _values_stored(node, name))


def _stores(run: Interpreter, definition: Definition, instance: Instance | None) -> dict[str, Instance | Tensor]:
    """What a function leaves in objects, by attribute."""
    node = definition.node
    assert isinstance(node, t.FunctionDef)
    if node.name in ENTRIES:
        return {}
    function = alone(run, definition) if instance is None else Function(definition, instance, True)
    frame, first = Scope(definition.path, function), len(run.symbols.reasons)
    with aside(run):
        try:
            if not _give(run, frame, node):
                return {}
            run_body(run, frame, node)
            return dict(_left(run, first, is_own=instance is not None))
        except (ShapeError, OutOfBudget, ArithmeticError):
            return {}


@contextmanager
def aside(run: Interpreter) -> Generator[None]:
    """Inside, what happens happens once, for the sake of what is left: nothing of it is seen or known afterwards."""
    changes, run.changes = run.changes, Changes(lasting=run.changes.lasting)
    known, strict = run.known, run.strict
    run.strict = 0
    run.quiet += 1
    run.contexts.within += 1
    run.symbols.building += 1
    try:
        with run.done_once(), run.budget(OBJECT_STEPS):
            yield
    finally:
        run.symbols.building -= 1
        run.contexts.within -= 1
        run.quiet -= 1
        run.known, run.strict = known, strict
        run.changes.undo(0)
        run.changes = changes


def _give(run: Interpreter, frame: Scope, node: t.FunctionDef) -> bool:
    """Bind the parameters to sizes of their own; whether none is a tensor, of which only a caller knows."""
    uses, parameters, function = run.uses(node), list(node.args), frame.function
    if function is not None and function.is_bound and parameters:
        frame.names[parameters.pop(0).name] = function.receiver

    def named(name: str) -> Dim:
        return run.symbols.new(frame, name, GIVEN, may_be_object=True)

    for param in parameters:
        if is_tensor(param.annotation) or param.name in uses.tensors or param.name in uses.unpacked:
            return False
        frame.names[param.name] = given_by_nobody(param, named)
    return True


def given_by_nobody(param: t.Param, named: Callable[[str], Dim]) -> Value:
    """What a parameter of a function that is followed for what it leaves is bound to; `named` gives its size."""
    match param.default:
        case _ if param.kind == "args":
            return ()
        case _ if param.kind == "kwargs":
            return Open()
        case t.Constant(value=bool()):
            return Flag(name=param.name)
        case t.Constant(value=str() as text):
            return text
        case _:
            return Opaque(named(param.name).names()[0])


def _left(run: Interpreter, first: int, is_own: bool) -> Iterator[tuple[str, Instance | Tensor]]:
    """What objects hold now, as far as it tells its sizes in words that mean the same there: those of the object, of a
    configuration, or of the function."""
    for container in run.changes.containers(0).values():
        for name, held in container.items() if isinstance(container, dict) else ():
            value = present(held)
            if isinstance(name, str) and isinstance(value, Instance | Tensor):
                args, kwargs = (value.made_with or ([], {})) if isinstance(value, Instance) else ([value], {})
                names = sizes_in([v.as_dim() if isinstance(v, Opaque) else v for v in (*args, *kwargs.values())])
                if is_own or all("." in n or run.symbols.made.get(n, -1) >= first for n in names):
                    yield name, value
