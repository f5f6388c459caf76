"""Tests of branches: known, or known by a name, and what they say about the names in them."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import itertools
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from msgspec.structs import replace

from kernelscope.dims import Dim, Facts
from kernelscope.interp.annotations import is_of_sequences, layer_of
from kernelscope.interp.expressions import evaluate
from kernelscope.interp.findings import Known
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.operators import truth
from kernelscope.interp.proven_ranks import of_counting, of_equal_shapes, of_number, sizes_of_shape
from kernelscope.interp.symbols import sizes_in
from kernelscope.interp.uses import asked_for_dims
from kernelscope.interp.values import (
    Alike,
    Choice,
    Class,
    External,
    Flag,
    Instance,
    Maybe,
    Opaque,
    Scope,
    Value,
    as_size,
    present,
)
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Tensor, Unknown


@dataclass(slots=True)
class Condition:
    """A test: `known` when it is decided, else with the `name` under which it is the same wherever it is asked."""

    run: Interpreter
    scope: Scope
    test: t.Expr
    value: Value
    known: bool | None
    name: str = ""

    @contextmanager
    def holding(self, holds: bool) -> Generator[None]:
        """Inside, the test is known to hold or not, and the names in it are narrowed."""
        kept = self.scope.names
        self.scope.names = dict(kept)
        known = self.assume(holds)
        try:
            with self.run.where(self.test.span, holds):
                yield
        finally:
            self.run.known = known
            self.scope.names = kept

    def assume(self, holds: bool) -> Known:
        """Know from here on whether the test holds; gives what was known before."""
        before = self.run.known
        narrow(self.run, self.scope, self.test, holds)
        if self.name:
            plain, negated = without_not(self.name)
            _narrow_optional(self.scope, plain, holds != negated)
            self.run.known = replace(self.run.known, conditions={**before.conditions, plain: holds != negated})
        return before


def condition(run: Interpreter, scope: Scope, test: t.Expr) -> Condition:
    """Evaluate the test of a branch."""
    value = evaluate(run, scope, test)
    return Condition(run, scope, test, value, decided(run, value), name_of(value))


def is_as_made(run: Interpreter, scope: Scope, test: t.Expr, holds: list[t.Node], fails: list[t.Node]) -> bool | None:
    """How a test comes out that asks whether there is a layer at all: `Linear(n, k) if k > 0 else Identity()`.

    What a layer is made with is a size, and a model has the layers that it can have unless it is told otherwise; where
    either way stores attributes of its own, both are its layers.
    """
    size, positive = _asked_for_positive(test)
    if size is None or run.certain:
        return None
    there, not_there = (holds, fails) if positive else (fails, holds)
    if not _stored_by(not_there) <= _stored_by(there):
        return None
    name = t.dotted(size)
    for call in t.walk(*there):
        if isinstance(call, t.Call) and any(t.dotted(arg) == name for arg in call.args):
            target = _unnoted(run, scope, call.func)
            is_layer = isinstance(target, External) and target.name.startswith("torch.nn.")
            if is_layer or (isinstance(target, Class) and run.classes.is_module(target.definition)):
                return positive if isinstance(as_size(_unnoted(run, scope, size)), Dim) else None
    return None


def ranks_asked_for_besides(test: t.Expr) -> set[str]:
    """The tensors of which a test asks for the number of dims, and for something that has nothing to do with them:
    where it does not hold, they may have that number of dims as well."""
    if not isinstance(test, t.BoolOp) or test.op != "and":
        return set()
    asked = [{name for node in t.walk(part) if (name := _ranked(node)) is not None} for part in test.values]
    others = [{node.id for node in t.walk(part) if isinstance(node, t.Name)} for part in test.values]
    names = set[str]().union(*asked)
    return {name for name in names if any(name not in used for used in others)}


def _ranked(node: t.Node) -> str | None:
    match node:
        case t.Compare(left=left, ops=["=="]):
            return asked_for_dims(left)
        case _:
            return None


def _stored_by(nodes: list[t.Node]) -> set[str]:
    """The attributes that statements store."""
    targets = (target for node in t.walk(*nodes) if isinstance(node, t.Assign) for target in node.targets)
    return {target.attr for target in targets if isinstance(target, t.Attribute)}


def _asked_for_positive(test: t.Expr) -> tuple[t.Name | t.Attribute | None, bool]:
    """The number that a test asks for whether it is more than 0, and whether it holds if it is."""
    match test:
        case t.Compare(left=t.Name() | t.Attribute() as size, ops=[op], comparators=[t.Constant(value=0)]):
            return (size, op in (">", "!=")) if op in (">", "!=", "<=", "==") else (None, False)
        case t.UnaryOp(op="not", operand=t.Name() | t.Attribute() as size):
            return size, False
        case t.Name() | t.Attribute():
            return test, True
        case _:
            return None, False


def _unnoted(run: Interpreter, scope: Scope, node: t.Expr) -> Value:
    run.quiet += 1
    try:
        return evaluate(run, scope, node)
    finally:
        run.quiet -= 1


def decided(run: Interpreter, value: Value) -> bool | None:
    """Whether a value is true, also by what the branch that we are in says."""
    known = truth(value)
    if known is None and (name := name_of(value)):
        plain, negated = without_not(name)
        run.asked.add(plain)
        assumed = run.known.conditions.get(plain)
        return None if assumed is None else assumed != negated
    return known


def name_of(value: Value) -> str:
    """The name under which a condition that is not known is the same wherever it is asked."""
    match value:
        case Flag():
            return value.name
        case Opaque():
            return f"{value.name} is true"
        case Maybe() if value.name and truth(value.value) is True:
            return f"not {value.name} is None"
        case _:
            return ""


def without_not(name: str) -> tuple[str, bool]:
    """A condition's name without `not`, and whether there was one."""
    return (name.removeprefix("not "), True) if name.startswith("not ") else (name, False)


def narrow(run: Interpreter, scope: Scope, test: t.Expr, holds: bool) -> None:
    """What a test says about the names in it where it holds, or where it does not."""
    if isinstance(test, t.Compare) and (asked := asked_for_dims(test.left)) is not None:
        of_counting(run, scope, asked)
    if (rest := _rest_asked_for(test)) is not None:
        _with_rest(run, scope, *rest, holds)
    match test:
        case t.Compare(left=t.Name(id=name), ops=[op], comparators=[t.Constant(value=None)]) if op in ("is", "is not"):
            _narrow_name(run, scope, name, (op == "is") == holds)
        case t.Compare(left=left, ops=["!="], comparators=[right]) if not holds:
            _equal(run, scope, left, right)
        case t.Compare(left=left, ops=ops, comparators=others) if holds and all(op == "==" for op in ops):
            for one, other in itertools.pairwise((left, *others)):
                _equal(run, scope, one, other)
        case t.Call(func=t.Name(id="isinstance"), args=[t.Name() | t.Attribute() as subject, kind]):
            if isinstance(subject, t.Name) and isinstance(held := run.lookup(scope, subject.id, None), Choice):
                scope.names[subject.id] = _of_kind(run, held, evaluate(run, scope, kind), holds)
            elif holds:
                _narrow_kind(run, scope, subject, kind)
        case t.Name(id=name):
            if isinstance(run.lookup(scope, name, None), Flag):
                scope.names[name] = holds
            elif holds:
                _narrow_name(run, scope, name, False)
        case t.UnaryOp(op="not", operand=operand):
            narrow(run, scope, operand, not holds)
        case t.BoolOp(op=op, values=values) if (op == "and") == holds:
            for value in values:
                narrow(run, scope, value, holds)
        case _:
            pass


def _rest_asked_for(test: t.Expr) -> tuple[t.BinOp, bool] | None:
    """A division of which a test asks whether it leaves something, and whether it does where the test holds: `n % 2`,
    `n % 2 == 1` and `n % 2 != 0`."""
    match test:
        case t.BinOp(op="%"):
            return test, True
        case t.Compare(left=t.BinOp(op="%") as division, ops=["==" | "!=" as op], comparators=[t.Constant(value=0)]):
            return division, op == "!="
        case t.Compare(
            left=t.BinOp(op="%", right=t.Constant(value=2)) as division,
            ops=["==" | "!=" as op],
            comparators=[t.Constant(value=1)],
        ):
            return division, op == "=="
        case _:
            return None


def _with_rest(run: Interpreter, scope: Scope, division: t.BinOp, leaves_some: bool, holds: bool) -> None:
    """A size is a multiple of another; of what is odd, the number before it is even."""
    run.quiet += 1
    try:
        number, divisor = (as_size(evaluate(run, scope, part)) for part in (division.left, division.right))
    finally:
        run.quiet -= 1
    if not isinstance(number, Dim) or not isinstance(divisor, Dim):
        return
    if leaves_some != holds:
        run.learn(run.known.facts.with_divisible(number, divisor))
    elif divisor == 2:
        run.learn(run.known.facts.with_divisible(number - 1, divisor))


def _narrow_optional(scope: Scope, condition: str, holds: bool) -> None:
    """The names of a value of which it is known whether it is there: `exists(x)` says that of `x`."""
    subject = condition.removesuffix(" is None")
    for name, value in list(scope.names.items()) if subject != condition else ():
        if isinstance(value, Maybe) and value.name == subject:
            scope.names[name] = None if holds else value.value


def known_either_way(
    run: Interpreter, scope: Scope, one: tuple[dict[str, Value], Facts], other: tuple[dict[str, Value], Facts]
) -> Facts:
    """What is known where two ways meet: what both know, and what one knows of sizes that the other does not have."""
    facts = one[1].common(other[1])
    for (names, known), (without, _) in ((one, other), (other, one)):
        absent = [n for n, v in names.items() if without.get(n, v) is None is not v]
        facts = facts.with_facts_about(_only_of(run, scope, names, absent), known)
    return facts


def _only_of(run: Interpreter, scope: Scope, names: dict[str, Value], absent: list[str]) -> set[str]:
    """Names of sizes that only these variables have: where they are None, what is known of their sizes says nothing."""
    if not absent:
        return set()
    gone = [present(names[n]) for n in absent]
    own = sizes_in(gone) - sizes_in(v for v in names.values() if not any(present(v) is g for g in gone))
    run.sought |= own
    outer = (v for held in run.running if held is not scope for v in held.names.values())
    return own - sizes_in(v for v in outer if not any(present(v) is g for g in gone)) if own else own


def _equal(run: Interpreter, scope: Scope, left: t.Expr, right: t.Expr) -> None:
    """Two sizes are equal: `a == b`."""
    run.quiet += 1
    try:
        of_number(run, scope, left, evaluate(run, scope, right))
        of_equal_shapes(run, scope, left, right)
        for one, other in _equal_sizes(*(evaluate(run, scope, part) for part in (left, right))):
            if isinstance(one, Dim) and isinstance(other, Dim) and one != other:
                run.learn(run.known.facts.with_same(one, other))
    finally:
        run.quiet -= 1


def _equal_sizes(one: Value, other: Value) -> list[tuple[Value, Value]]:
    """The pairs of sizes that are equal where two values are: two sizes, or those of two shapes."""
    sizes, others = sizes_of_shape(one), sizes_of_shape(other)
    if sizes is None or others is None:
        return [(as_size(one), as_size(other))]
    return list(zip(sizes, others, strict=True)) if len(sizes) == len(others) else []


def _of_kind(run: Interpreter, choice: Choice, kind: Value, holds: bool) -> Value:
    """Those of several layers that are of a class, or that are not."""
    from kernelscope.interp.python_functions import is_instance

    meant = [entry for entry in choice.entries if is_instance(run, [entry, kind], {}, None) is not (not holds)]
    if not meant or len(meant) == len(choice.entries):
        return choice
    return meant[0] if len(meant) == 1 else Choice(meant, choice.is_of_table, choice.is_guess)


def _narrow_kind(run: Interpreter, scope: Scope, subject: t.Name | t.Attribute, kind: t.Expr) -> None:
    """An object that is not known is a layer of this class; what is a tensor on the way that is taken is several here.

    Not while a constructor runs: a layer that it holds would be of that class ever after, on every way.
    """
    if isinstance(subject, t.Attribute) and run.symbols.building:
        return
    run.quiet += 1
    try:
        value, of_kind = present(evaluate(run, scope, subject)), evaluate(run, scope, kind)
        layer = layer_of(run, of_kind) if isinstance(value, Unknown | Opaque) else None
        holder = evaluate(run, scope, subject.value) if isinstance(subject, t.Attribute) else None
    finally:
        run.quiet -= 1
    if isinstance(value, Tensor) and isinstance(subject, t.Name) and is_of_sequences(of_kind):
        scope.names[subject.id] = Alike(Unknown("an element of something that is not known"))
    if layer is None:
        return
    if isinstance(subject, t.Name):
        scope.names[subject.id] = layer
    elif isinstance(holder, Instance):
        run.changes.lasting.of_object(holder)
        run.changes.before(holder.attributes)
        holder.attributes[subject.attr] = layer


def _narrow_name(run: Interpreter, scope: Scope, name: str, is_none: bool) -> None:
    value = run.lookup(scope, name, None)
    if is_none:
        scope.names[name] = None
    elif isinstance(value, Maybe):
        scope.names[name] = value.value
