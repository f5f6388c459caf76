"""What of a loop's body decides what some variables become: all that a trial of the body has to follow.

Everything else, such as what is computed and stored along the way, is left out. Statements stay in their order, and a
statement stays in doubt: one that is handed a variable may change it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kernelscope.kernels.cuda.warp.intrinsics import INTRINSICS
from kernelscope.kernels.cuda.warp.loop_text import root_of
from kernelscope.kernels.cuda.warp.machine import Machine
from kernelscope.kernels.cuda.warp.names import Names
from kernelscope.kernels.cuda.warp.overloads import functions_named, methods_of
from kernelscope.kernels.cuda.warp.types import Array, StructType
from kernelscope.kernels.cuda.warp.values import Cell, Closure, Pointer, Record
from kernelscope.syntax.cuda import tree as t
from kernelscope.syntax.of_nodes import kept_of_nodes

_CHANGING = frozenset((t.Declare, t.Bindings, t.Assign, t.Step, t.Unary, t.Call, t.Asm))
_TAKE_VALUES = frozenset(INTRINSICS) - {"memcpy", "load_matrix_sync"}
Loop = t.For | t.While


@dataclass(frozen=True, slots=True)
class Callees:
    """What is known of the functions and lambdas that a loop calls."""

    closures: frozenset[tuple[str, frozenset[str]]]
    """Lambdas by their names, with all names in their bodies."""
    references: frozenset[tuple[str, frozenset[int]]]
    """Functions that are at hand, with the parameters by which they may change what they are given itself."""
    arrays: frozenset[str]
    """Local arrays, which a function may change that is given their address."""


def decisive(m: Machine, node: Loop, cells: set[Cell], names: Names) -> tuple[Loop, set[Cell]]:
    """The part of a loop that decides what variables become, and all of them that it tells; the whole loop where others
    may be the same under another name."""
    this = names.object()
    if this is not None and any(cell in cells for cell in this.members.values()):
        return node, cells
    reached: dict[str, set[Cell]] = {}
    closures: dict[str, frozenset[str]] = {}
    references: dict[str, frozenset[int]] = {}
    todo = list(mentioned(node))
    while todo:
        name = todo.pop()
        place = names.variable(name)
        if not isinstance(place, Cell):
            continue
        value = place.value
        reached[name] = {place}
        if isinstance(value, Closure) and name not in closures:
            closures[name] = frozenset[str]().union(*(mentioned(part) for part in value.node.body))
            references[name] = _references(value.node.params)
            todo += closures[name]
        elif isinstance(value, Record):
            reached[name] |= set(value.members.values())
        elif isinstance(value, Pointer) and value.memory.cell is not None:
            reached[name].add(value.memory.cell)
    wanted = frozenset(name for name, places in reached.items() if places & cells)
    for inner in t.parts(node):
        if inner.__class__ is t.Call and isinstance(inner, t.Call) and (name := called(inner)) not in references:
            functions = _functions(m, inner.func, names)
            if functions:
                references[name] = frozenset[int]().union(*(_references(f.params) for f in functions))
    arrays = frozenset(
        name for name, places in reached.items() if any(isinstance(place.kind, Array) for place in places)
    )
    callees = Callees(frozenset(closures.items()), frozenset(references.items()), arrays)
    part, told = deciding(node, wanted, callees)
    return part, cells.union(*(reached[name] for name in told if name in reached))


def _functions(m: Machine, func: t.Expr, names: Names) -> list[t.Function]:
    """The functions that a call may mean, where they are at hand."""
    if isinstance(func, t.Name):
        return functions_named(m, func, names)
    place = names.variable(func.value.id) if isinstance(func, t.Member) and isinstance(func.value, t.Name) else None
    value = place.value if isinstance(place, Cell) else None
    if isinstance(func, t.Member) and isinstance(value, Record) and isinstance(value.kind, StructType):
        return methods_of(m, value.kind, func.name)
    return []


def _references(params: Sequence[t.Param]) -> frozenset[int]:
    """The parameters that stand for what is given for them."""
    return frozenset(i for i, p in enumerate(params) if p.type.layers and p.type.layers[0] == "&")


@kept_of_nodes(1024)
def mentioned(node: t.Node) -> frozenset[str]:
    """All names in a statement or expression, those of lambdas' bodies too."""
    return frozenset(inner.id for inner in t.parts(node) if inner.__class__ is t.Name and isinstance(inner, t.Name))


@kept_of_nodes(1024)
def deciding(node: Loop, wanted: frozenset[str], callees: Callees) -> tuple[Loop, frozenset[str]]:
    """The loop with what of its body decides the wanted names, and all names that it is right for."""
    part = _Part(dict(callees.closures), dict(callees.references), callees.arrays, set(wanted))
    part.mention(*(n for n in (node.test, node.step if isinstance(node, t.For) else None) if n is not None))
    while True:
        count = len(part.names)
        body = part.kept(node.body, leaving=True)
        if count == len(part.names):
            return replace(node, body=body), frozenset(part.names)


@dataclass(slots=True)
class _Part:
    closures: Mapping[str, frozenset[str]]
    references: Mapping[str, frozenset[int]]
    arrays: frozenset[str]
    names: set[str]
    """Whose values matter; it grows until nothing is missing."""
    sizes: dict[t.Node, tuple[frozenset[str], frozenset[str]]] = field(
        default_factory=dict["t.Node", "tuple[frozenset[str], frozenset[str]]"]
    )
    """What a statement may change, and what it may make another way to."""

    def mention(self, *nodes: t.Node) -> None:
        for node in nodes:
            self.names |= mentioned(node)

    def kept(self, body: list[t.Stmt], leaving: bool) -> list[t.Stmt]:
        """The statements that matter. `leaving` says whether a jump among them does."""
        found: list[t.Stmt] = []
        for node in reversed(body):  # from its uses to what a value is made of
            found.extend(self._kept(node, leaving))
        found.reverse()
        return found

    def _kept(self, node: t.Stmt, leaving: bool) -> tuple[t.Stmt, ...]:
        match node:
            case t.Return():
                return (t.Return(None, node.span),)
            case t.Jump():
                return (node,) if leaving else ()
            case t.Block():
                inner = self.kept(node.body, leaving)
                return (replace(node, body=inner),) if inner else ()
            case t.If():
                return self._branch(node, leaving)
            case t.For() | t.While():
                return self._loop(node)
            case t.Using() | t.Struct() | t.Function() | t.Broken():
                return (node,)
            case _:
                if not self._changes(node):
                    return ()
                self.mention(node)
                return (node,)

    def _branch(self, node: t.If, leaving: bool) -> tuple[t.Stmt, ...]:
        body, orelse = self.kept(node.body, leaving), self.kept(node.orelse, leaving)
        if not body and not orelse and not any(self._changes(part) for part in (*node.setup, node.test)):
            return ()
        self.mention(*node.setup, node.test)
        return (replace(node, body=body, orelse=orelse),)

    def _loop(self, node: Loop) -> tuple[t.Stmt, ...]:
        """An inner loop; what jumps in it matters where anything else does."""
        step = node.step if isinstance(node, t.For) else None
        around = [part for part in (*(node.setup if isinstance(node, t.For) else ()), node.test, step) if part]
        if not self.kept(node.body, leaving=False) and not any(self._changes(part) for part in around):
            return ()
        self.mention(*around)
        return (replace(node, body=self.kept(node.body, leaving=True)),)

    def _changes(self, node: t.Node) -> bool:
        """Whether a statement may change a variable that matters."""
        known = self.sizes.get(node)
        if known is None:
            known = self.sizes[node] = frozenset(self._changed(node)), frozenset(self._led_to(node))
        changed, led_to = known
        if isinstance(node, t.Declare) and not self.names.isdisjoint(led_to):
            self.names.add(node.name)  # what is done to it is done to the variable
            return True
        return not self.names.isdisjoint(changed)

    def _led_to(self, node: t.Node) -> Iterable[str]:
        """The variables to which what is declared may be another way: a reference, an address, a lambda."""
        if not isinstance(node, t.Declare) or node.value is None:
            return ()
        if isinstance(node.value, t.Lambda):
            return self._changed(node.value)
        if node.type.layers and node.type.layers[0] == "&":
            return mentioned(node)
        return addressed(node.value) if node.type.layers or node.type.base == "auto" else ()

    def _changed(self, node: t.Node) -> Iterable[str]:
        for inner in t.parts(node):
            if inner.__class__ not in _CHANGING:  # most are not
                continue
            match inner:
                case t.Declare():
                    yield inner.name
                case t.Bindings():
                    yield from (name.id for name in inner.names)
                case t.Assign():
                    yield root_of(inner.target)
                case t.Step():
                    yield root_of(inner.operand)
                case t.Unary(op="&"):
                    yield root_of(inner.operand)
                case t.Call():
                    yield from self._changed_by_call(inner)
                case t.Asm():
                    yield from (root_of(output) for _, output in inner.outputs)
                case _:
                    pass

    def _changed_by_call(self, node: t.Call) -> Iterable[str]:
        name = called(node)
        given = [root_of(argument) for argument in node.args]
        references = self.references.get(name)
        takes_values = name in _TAKE_VALUES or name.startswith("__")
        if isinstance(node.func, t.Member) or name in self.closures or (references is None and not takes_values):
            yield root_of(node.func)  # an object, or a lambda of the loop's own
        yield from self.closures.get(name, ())
        if references is not None:
            yield from (root for i, root in enumerate(given) if i in references or root in self.arrays)
        elif not takes_values:
            yield from given


def called(node: t.Call) -> str:
    """The name under which a call's function is known: `f`, and `object.f` for a method."""
    func = node.func
    if isinstance(func, t.Member):
        return f"{func.value.id}.{func.name}" if isinstance(func.value, t.Name) else ""
    return func.id if isinstance(func, t.Name) else ""


def addressed(node: t.Expr) -> Iterator[str]:
    """The names whose address may be in a value: not what only counts how far it lies from another one."""
    match node:
        case t.Binary(op="+" | "-" | ",", left=left, right=right):
            yield from addressed(left)
            yield from addressed(right)
        case t.Conditional(body=body, orelse=orelse):
            yield from addressed(body)
            yield from addressed(orelse)
        case t.Subscript(value=inner) | t.Cast(operand=inner):
            yield from addressed(inner)
        case t.Binary() | t.SizeOf():
            pass
        case _:
            yield from mentioned(node)
