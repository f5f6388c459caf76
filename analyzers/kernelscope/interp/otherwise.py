"""Sizes behind a branch that a default keeps out: those that would be others if it were taken are left open or named.

`if return_loss: x, labels = x[:, :-1], x[:, 1:]` is not followed while the switch is off, but who turns it on goes on
with a shorter `x`. What is said behind the branch has to hold for both.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from kernelscope.dims import Dim
from kernelscope.interp.expressions import is_kind
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.joins import REASON
from kernelscope.interp.limits import OutOfBudget
from kernelscope.interp.symbols import sizes_in
from kernelscope.interp.untaken import Untaken, asked_for_class, make_true
from kernelscope.interp.uses import bound_names
from kernelscope.interp.values import Instance, Maybe, Opaque, Scope, Value, as_size, present
from kernelscope.ops import ShapeError
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Size, Tensor
from kernelscope.workspace.modules import Definition

BRANCH_STEPS = 3000
"""How far such a branch is followed; one that does more is not followed at all."""


def leave_open(run: Interpreter, scope: Scope, branch: Untaken) -> None:
    """Let the tensors that a branch would bind anew have sizes that hold whether it is taken or not."""
    kept = {name: value for name in _bound(branch) if isinstance(value := present(scope.names.get(name)), Tensor)}
    kept = {name: value for name, value in kept.items() if value.shape.dims}
    if _is_class_by_default(run, scope, branch.test):
        for name, before in branch.names.items():
            if isinstance(before, Tensor) and (now := scope.names.get(name)) is not before:
                scope.names[name] = _of_another_layer(run, scope, name, now, before)
        return
    if not kept or not is_by_default(scope, branch.test):
        return
    before = sizes_in(branch.names.values())

    def is_new(size: Dim) -> bool:
        """Whether a size is told by nothing that was there before the branch."""
        return size.name is not None and size.name not in before and run.symbols.is_free(size.name)

    def is_one(one: Size, two: Size) -> bool:
        """Whether a size is the same on either way; one that is new on both has a name already."""
        if not isinstance(one, Dim) or not isinstance(two, Dim):
            return one == two
        return run.known.facts.rewrite(one) == run.known.facts.rewrite(two) or (is_new(one) and is_new(two))

    for name, other in _taken(run, scope, branch).items():
        if name in kept and isinstance(other := present(other), Tensor):
            given, either = scope.names[name], _either(run, scope, name, (kept[name], other), is_one)
            scope.names[name] = Maybe(either, given.name) if isinstance(given, Maybe) else either


def name_numbers(run: Interpreter, scope: Scope, node: t.If, holds: bool) -> None:
    """Let the numbers that a branch binds be symbols called by their names, where the default alone decides that it is
    taken and the other way binds other numbers: `if depth == 50: width = 64` and `elif depth == 18: width = 32`."""
    if run.certain or not (_is_kind_by_default(run, scope, node.test) or is_by_default(scope, node.test)):
        return
    now, others = (_numbers(way) for way in ((node.body, node.orelse) if holds else (node.orelse, node.body)))
    for name in now.keys() & others.keys():
        number = as_size(scope.names.get(name))
        if isinstance(number, Dim) and number.const in now[name] and others[name] - {number.const}:
            scope.names[name] = Opaque(name, number.const)


def _is_kind_by_default(run: Interpreter, scope: Scope, test: t.Expr) -> bool:
    """Whether a test asks for one of the kinds that a number with a default tells apart."""
    if not isinstance(test, t.Compare) or not isinstance(test.left, t.Name) or not is_kind(run, scope, test):
        return False
    value = scope.names.get(test.left.id)
    return isinstance(value, Opaque) and value.default is not None


def _is_class_by_default(run: Interpreter, scope: Scope, test: t.Expr) -> bool:
    """Whether a test asks for the class of one of the object's own layers, and a text that is as it is by default chose
    it: `if kind == "conv2d": self.embed = Subsampling(…)` and `else: self.embed = nn.Linear(…)`."""
    node = scope.function.definition.node if scope.function is not None else None
    own = scope.names.get(node.args[0].name) if isinstance(node, t.FunctionDef) and node.args else None
    asked = {a.attr for a in asked_for_class(test) if isinstance(a, t.Attribute)}
    init = run.classes.attribute(own.cls, "__init__") if asked and isinstance(own, Instance) and own.usual else None
    if not isinstance(own, Instance) or not isinstance(init, Definition) or not isinstance(init.node, t.FunctionDef):
        return False
    texts = {p.name for p in init.node.args if isinstance(p.default, t.Constant) and isinstance(p.default.value, str)}
    for choice in t.walk(*init.node.body):
        if isinstance(choice, t.If) and _names(choice.test) & texts & own.usual:
            bound = (n.targets[0] for n in t.walk(*choice.body, *choice.orelse) if isinstance(n, t.Assign))
            if any(isinstance(target, t.Attribute) and target.attr in asked for target in bound):
                return True
    return False


def _names(node: t.Node) -> set[str]:
    return {found.id for found in t.walk(node) if isinstance(found, t.Name)}


def _of_another_layer(run: Interpreter, scope: Scope, name: str, now: Value, before: Tensor) -> Value:
    """What a layer gives that may be of another class: what it makes of the sizes of what it is given is open; sizes
    that the object is made with are those of whatever comes behind."""
    if type(now) is tuple:
        return tuple(_of_another_layer(run, scope, name, part, before) for part in now)
    if not isinstance(now, Tensor) or now.rank is None or before.rank != now.rank:
        return now
    old = {n for size in before.shape.head if isinstance(size, Dim) for n in size.names() if run.symbols.is_free(n)}
    sizes: list[Size] = [
        run.symbols.new(scope, f"{name}_dim{axis}", REASON)
        if isinstance(size, Dim) and size not in before.shape.head and not old.isdisjoint(size.names())
        else size
        for axis, size in enumerate(now.shape.head)
    ]
    result = replace(now, shape=replace(now.shape, head=tuple(sizes)))
    return result if run.trace is None else run.trace.same(result, now)


def _numbers(body: Sequence[t.Stmt]) -> dict[str, set[int]]:
    """The whole numbers that statements bind to names, 0 and 1 aside: those are no sizes by chance."""
    found: dict[str, set[int]] = {}
    for node in t.walk(*body):
        match node:
            case t.Assign(targets=[t.Name(id=name)], value=t.Constant(value=int() as number)) if number > 1:
                found.setdefault(name, set()).add(number)
            case t.Assign(targets=[t.Tuple(elts=targets)], value=t.Tuple(elts=values)):
                for target, value in zip(targets, values, strict=False):
                    match target, value:
                        case t.Name(id=name), t.Constant(value=int() as number) if number > 1:
                            found.setdefault(name, set()).add(number)
                        case _:
                            pass
            case _:
                pass
    return found


def _bound(branch: Untaken) -> list[str]:
    """The names that the branch itself binds."""
    bound = (name for s in branch.body if isinstance(s, t.Assign | t.AugAssign) for name in bound_names(s))
    return list(dict.fromkeys(bound))


def is_by_default(scope: Scope, test: t.Expr) -> bool:
    """Whether an expression is what it is because of a switch that is as it is by default."""
    node = scope.function.definition.node if scope.function is not None else None
    if not isinstance(node, t.FunctionDef):
        return False
    switches = {p.name for p in node.args if isinstance(p.default, t.Constant) and isinstance(p.default.value, bool)}
    receiver = node.args[0].name if node.args else ""
    own = scope.names.get(receiver)
    usual = own.usual if isinstance(own, Instance) else frozenset[str]()
    for found in t.walk(test):
        match found:
            case t.Name(id=name) if name in switches:
                return True
            case t.Attribute(value=t.Name(id=name), attr=attr) if name == receiver and attr in usual:
                return True
            case _:
                pass
    return scope.is_usual(test)


def _taken(run: Interpreter, scope: Scope, branch: Untaken) -> dict[str, Value]:
    """The names behind the branch if it were taken; none where it does not come to its end."""
    from kernelscope.interp.flow import Returns, execute

    names, known, mark, calls, before = scope.names, run.known, run.changes.mark(), run.calls, len(run.findings)
    scope.names, run.known = dict(branch.names), branch.known
    scope.loops.append([])
    run.quiet += 1
    run.contexts.within += 1
    try:
        with run.budget(BRANCH_STEPS):
            make_true(run, scope, branch)
            returns = Returns(run, scope)
            return {} if execute(run, scope, branch.body, returns) or returns.any else scope.names
    except (ShapeError, OutOfBudget, RecursionError, ArithmeticError):
        return {}
    finally:
        run.contexts.within -= 1
        run.quiet -= 1
        scope.loops.pop()
        run.changes.undo(mark)
        scope.names, run.known, run.calls = names, known, calls
        del run.findings[before:]


def _either(
    run: Interpreter, scope: Scope, name: str, ways: tuple[Tensor, Tensor], is_one: Callable[[Size, Size], bool]
) -> Tensor:
    """A tensor with sizes that hold on either way. An order of axes that is another is put back where it is used."""
    now, other = ways
    dims, others = now.shape.dims, other.shape.dims
    if dims is None or others is None or len(dims) != len(others) or set(dims) == set(others):
        return now
    sizes: list[Size] = [
        one if is_one(one, two) else run.symbols.new(scope, f"{name}_dim{axis}", REASON)
        for axis, (one, two) in enumerate(zip(dims, others, strict=True))
    ]
    result = replace(now, shape=Shape(tuple(sizes)))
    return result if run.trace is None else run.trace.same(result, now)
