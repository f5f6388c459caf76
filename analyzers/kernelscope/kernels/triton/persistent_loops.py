"""Loops in which a fixed number of programs runs through all tiles: each begins at its own number and takes every n-th.

Told by the structure of the loop: what it counts, from where, and in which steps. Grids play no part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.kernels.triton.bodies import all_calls, definitions, loops_in, made_of, nodes_of, operation
from kernelscope.syntax.python import tree as t

PLAIN = frozenset(("min", "max", "abs", "int", "float", "bool", "range", "len"))
"""Functions of Python itself, which write nothing."""


@dataclass(frozen=True, slots=True)
class PersistentLoop:
    """`for tile in range(first, tiles, step)`, or a loop that adds `step` to a name which held the program's number."""

    loop: t.For | t.While
    tile: str
    """The name that holds the number of the tile."""
    first: t.Expr
    tiles: t.Expr | None
    """How many tiles there are, where the loop compares with it."""
    step: t.Expr
    each_round: bool = True
    """Whether every round takes the next tile: else only those in which a test holds do."""

    @property
    def head(self) -> t.Expr:
        """The range or test that says how long it runs."""
        return self.loop.iter if isinstance(self.loop, t.For) else self.loop.test


def persistent_loops(node: t.FunctionDef) -> list[PersistentLoop]:
    """The loops in which a program takes one tile after the other, as many apart as there are programs."""
    found = (_counted(node, loop) or _moved_on(node, loop) for loop in loops_in(node) if _may_finish(node, loop))
    return [loop for loop in found if loop is not None]


def _may_finish(node: t.FunctionDef, loop: t.For | t.While) -> bool:
    """Whether a round writes what it made of its tile, or a helper may that is given an argument of the kernel: where
    none does, programs share out an inner dim."""
    params = {param.name for param in node.args}
    for call in nodes_of(loop, t.Call):
        name = operation(call)
        if name.endswith(("store", "scatter")) or name.startswith("atomic_"):
            return True
        is_helper = isinstance(call.func, t.Name) and call.func.id not in PLAIN
        if is_helper and any(isinstance(n, t.Name) and n.id in params for n in t.walk(*call.args)):
            return True
    return False


def _counted(node: t.FunctionDef, loop: t.For | t.While) -> PersistentLoop | None:
    """`range(pid, tiles, programs)`: it begins at the program's number, and its step is no length of a tile."""
    source = loop.iter if isinstance(loop, t.For) else None
    if not isinstance(loop, t.For) or not isinstance(source, t.Call) or len(source.args) < 3:
        return None
    first, tiles, step = source.args[:3]
    if _is_program_count(node, step):
        begins = not isinstance(first, t.Constant)
    else:
        begins = _may_count_programs(node, step) and _is_program(node, first, step)
    name = loop.target.id if isinstance(loop.target, t.Name) else ""
    return PersistentLoop(loop, name, first, tiles, step) if begins else None


def _moved_on(node: t.FunctionDef, loop: t.For | t.While) -> PersistentLoop | None:
    """`tile = pid` and, in each round, `tile += programs`: while it is below the number of tiles, or where rows and
    columns of tiles are told by it."""
    taken = {given.value for given in nodes_of(node, t.AugAssign) if given.op == "-"}  # tiles of groups that are over
    for name, step in _steps(loop):
        others = [given for given in definitions(node).get(name, ()) if given is not step and given not in taken]
        if len(others) != 1 or others[0].span.start in loop.span or not _is_program(node, others[0], step):
            continue
        tiles = _bound(loop.test, name) if isinstance(loop, t.While) else None
        counts = _is_program_count(node, step)
        if (isinstance(loop, t.While) and tiles is not None) or (isinstance(loop, t.For) and _is_split(loop, name)):
            counts = counts or _may_count_programs(node, step)
        else:
            continue
        if counts:
            each = any(isinstance(given, t.AugAssign) and given.value is step for given in loop.body)
            return PersistentLoop(loop, name, others[0], tiles, step, each)
    return None


def _steps(loop: t.For | t.While) -> Iterator[tuple[str, t.Expr]]:
    """What rounds of a loop itself add to names."""
    inner = [*nodes_of(loop, t.For), *nodes_of(loop, t.While)]
    for given in nodes_of(loop, t.AugAssign):
        is_own = not any(given.span.start in one.span for one in inner)
        if is_own and given.op == "+" and isinstance(given.target, t.Name):
            yield given.target.id, given.value


def _bound(test: t.Expr, name: str) -> t.Expr | None:
    """What a test wants a name to be below."""
    for inner in t.walk(test):
        match inner:
            case t.Compare(left=t.Name(id=left), ops=["<"], comparators=[end]) if left == name:
                return end
            case t.Compare(left=end, ops=[">"], comparators=[t.Name(id=right)]) if right == name:
                return end
            case _:
                pass
    return None


def _is_split(loop: t.For, name: str) -> bool:
    """Whether a number is divided in a body, as rows and columns of tiles are told by the number of a tile."""
    divided = (n.left for n in nodes_of(loop, t.BinOp) if n.op in ("//", "%"))
    return any(isinstance(left, t.Name) and left.id == name for left in divided)


def _is_program_count(node: t.FunctionDef, step: t.Expr) -> bool:
    return any(isinstance(n, t.Attribute) and n.attr == "num_programs" for n in made_of(node, step))


def _may_count_programs(node: t.FunctionDef, step: t.Expr) -> bool:
    """Whether a step is a name that is no length of a tile."""
    if not isinstance(step, t.Name):
        return False
    lengths = (call.args[1] for name, call in all_calls(node) if name == "arange" and len(call.args) == 2)
    return not any(isinstance(n, t.Name) and n.id == step.id for length in lengths for n in t.walk(length))


def _is_program(node: t.FunctionDef, first: t.Expr, step: t.Expr) -> bool:
    """Whether an expression is the number of the program itself, or one step before it."""
    while True:
        match first:
            case t.Name(id=name):
                made = definitions(node).get(name, [])
                if len(made) != 1:
                    return False
                first = made[0]
            case t.Call(func=t.Attribute(attr="to", value=value)):
                first = value
            case t.BinOp(op="-", left=left, right=t.Name(id=back)) if isinstance(step, t.Name) and back == step.id:
                first = left
            case _:
                return (
                    isinstance(first, t.Call)
                    and isinstance(first.func, t.Attribute)
                    and (first.func.attr == "program_id")
                )
