"""What moves the tile of a load or store along each of its axes: the program's place in the grid, a loop, or nothing.

Read from index arithmetic in the kernel's own text and in that of the helper that makes an access: `offs_m[:, None]` is
the part along the first axis, and what its definition rests on moves it. An address that goes through data is not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from kernelscope.kernels.triton.bodies import nodes_in, nodes_of
from kernelscope.kernels.triton.call import Access, AccessPlace
from kernelscope.kernels.triton.kernel_runs import KernelRun
from kernelscope.kernels.triton.values import BlockPointer, Descriptor, Tensor
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t

_PLAIN_CALLS = {
    "arange", "cdiv", "minimum", "maximum", "min", "max", "multiple_of", "max_contiguous", "to", "num_programs",
    "program_id", "expand_dims", "cast", "int32", "int64", "zeros", "full", "broadcast_to", "range", "where",
}  # fmt: skip
"""Operations of index arithmetic; a tile whose address comes through others is not told."""


@dataclass(frozen=True, slots=True)
class Motion:
    """What a position depends on: axes of the grid (`program_id(0)`), and variables of loops."""

    programs: frozenset[str] = frozenset()
    loops: frozenset[str] = frozenset()

    def __or__(self, other: Motion) -> Motion:
        return Motion(self.programs | other.programs, self.loops | other.loops)


STILL = Motion()


@dataclass(frozen=True, slots=True)
class TileMotion:
    """The motion of a tile along each of its axes, and of the whole of it through what its axes do not span."""

    axes: tuple[Motion, ...]
    outside: Motion = STILL


@lru_cache(maxsize=16)
def tile_motions(run: KernelRun) -> Mapping[AccessPlace, TileMotion]:
    """The motions of what a kernel and the helpers that it calls itself access; those not told are absent."""
    helpers = {call.function.node.name: call.function.node for call in run.calls}
    reader = _Reader(run.node, helpers)
    calls = _calls(run.node)
    found: dict[AccessPlace, TileMotion] = {}
    for access in run.accesses:
        call, owner = calls.get(access.span), reader
        if access.name and call is not None and access.at is not None:
            helper = helpers.get(_operation(call))
            if helper is None or helper.name != access.name:
                continue
            owner = _Reader(helper, helpers, dict(_given(helper, call)), reader)
            call = _calls(helper).get(access.at)
        motion = owner.motion(call, access) if call is not None else None
        if motion is not None:
            found[access.place] = motion
    return found


def _calls(node: t.FunctionDef) -> dict[Span, t.Call]:
    return {call.span: call for call in nodes_of(node, t.Call)}


def _given(helper: t.FunctionDef, call: t.Call) -> Iterator[tuple[str, t.Expr]]:
    """What a call passes, by parameter."""
    yield from ((param.name, argument) for param, argument in zip(helper.args, call.args, strict=False))
    yield from ((keyword.arg, keyword.value) for keyword in call.keywords if keyword.arg is not None)


class _NotTold(Exception):
    """The address goes through something whose motion is not known."""


@dataclass(slots=True)
class _Step:
    """`name += value` in a loop, or `name = advance(name, value)`."""

    value: t.Expr
    loop: str


@dataclass(slots=True)
class _Parts:
    """The motions that an address is made of."""

    axes: list[Motion]
    outside: Motion = STILL

    def add(self, axis: int, motion: Motion) -> None:
        if axis >= len(self.axes):
            raise _NotTold
        self.axes[axis] |= motion


@dataclass(slots=True)
class _Reader:
    """The definitions of a function's names, and the loops that move them. `given`: what its caller passes."""

    node: t.FunctionDef
    helpers: Mapping[str, t.FunctionDef]
    given: Mapping[str, t.Expr] = field(default_factory=dict[str, "t.Expr"])
    caller: _Reader | None = None
    defined: dict[str, list[t.Expr]] = field(default_factory=dict[str, list[t.Expr]], init=False)
    steps: dict[str, list[_Step]] = field(default_factory=dict[str, list[_Step]], init=False)
    ranged: dict[str, t.Expr] = field(default_factory=dict[str, t.Expr], init=False)
    _blocks: set[str] | None = field(default=None, init=False)
    """Names that are made of ranges of indices, once somebody asked."""

    def __post_init__(self) -> None:
        self._read(self.node.body, "")

    def _read(self, body: list[t.Stmt], loop: str) -> None:
        for statement in t.flat(body):
            match statement:
                case t.Assign(targets=[target], value=value):
                    self._define(target, value, loop)
                case t.AnnAssign(target=target, value=value) if value is not None:
                    self._define(target, value, loop)
                case t.AugAssign(target=t.Name(id=name), value=value):
                    self.steps.setdefault(name, []).append(_Step(value, loop))
                case t.For(target=t.Name(id=name), iter=source, body=inner):
                    self.ranged[name] = source
                    self._read(inner, name)
                case t.For(body=inner) | t.While(body=inner):
                    self._read(inner, "loop")
                case _:
                    pass

    def _define(self, target: t.Expr, value: t.Expr, loop: str) -> None:
        match target, value:
            case t.Name(id=name), t.Call(args=[t.Name(id=moved), by]) if (
                moved == name and _operation(value) == "advance"
            ):
                self.steps.setdefault(name, []).append(_Step(by, loop))
            case t.Name(id=name), t.BinOp(left=t.Name(id=moved), op="+", right=by) if moved == name:
                self.steps.setdefault(name, []).append(_Step(by, loop))
            case t.Name(id=name), _:
                self.defined.setdefault(name, []).append(value)
            case t.Tuple(elts=names), t.Tuple(elts=values) if len(names) == len(values):
                for one, other in zip(names, values, strict=True):
                    self._define(one, other, loop)
            case t.Tuple(elts=names), _:
                for one in names:
                    self._define(one, value, loop)
            case _:
                pass

    def motion(self, call: t.Call, access: Access) -> TileMotion | None:
        shape = getattr(access.block, "shape", None)
        rank = len(shape) if shape is not None else 0
        if not rank:
            return None
        parts = _Parts([STILL] * rank)
        try:
            self._address(call, access, parts)
        except _NotTold:
            return None
        return TileMotion(tuple(parts.axes), parts.outside)

    def _address(self, call: t.Call, access: Access, parts: _Parts) -> None:
        method = call.func.value if isinstance(call.func, t.Attribute) else None
        match access.pointer:
            case Tensor():
                pointer = call.args[0] if call.args else _keyword(call, "pointer")
                if pointer is None:
                    raise _NotTold
                self._pointer(pointer, access.pointer, parts, ())
            case Descriptor() if method is not None and call.args:
                offsets = next((a for a in call.args if isinstance(a, t.List | t.Tuple)), None)
                self._offsets(offsets, parts)
            case BlockPointer() if call.args:
                self._block_pointer(call.args[0], parts)
            case _:
                raise _NotTold

    def _block_pointer(self, pointer: t.Expr, parts: _Parts) -> None:
        """Where it was made, what advances it, and what its base rests on."""
        if not isinstance(pointer, t.Name):
            raise _NotTold
        for made in self.defined.get(pointer.id, []):
            if not isinstance(made, t.Call) or _operation(made) != "make_block_ptr":
                raise _NotTold
            self._offsets(_keyword(made, "offsets") or (made.args[3] if len(made.args) > 3 else None), parts)
            base = _keyword(made, "base") or (made.args[0] if made.args else None)
            if base is not None:
                parts.outside |= self.moves(base)
        for step in self.steps.get(pointer.id, []):
            self._advance(step, parts)
        if pointer.id in self.given and self.caller is not None:
            self.caller._block_pointer(self.given[pointer.id], parts)

    def _offsets(self, offsets: t.Expr | None, parts: _Parts) -> None:
        if not isinstance(offsets, t.List | t.Tuple):
            raise _NotTold
        for axis, offset in enumerate(offsets.elts):
            parts.add(axis, self.moves(offset))

    def _advance(self, step: _Step, parts: _Parts) -> None:
        if not isinstance(step.value, t.List | t.Tuple):
            raise _NotTold
        for axis, offset in enumerate(step.value.elts):
            if not (isinstance(offset, t.Constant) and offset.value == 0):
                parts.add(axis, Motion(loops=frozenset({step.loop})) if step.loop else self.moves(offset))

    def _pointer(self, expr: t.Expr, pointer: Tensor, parts: _Parts, within: tuple[str, ...]) -> None:
        """Follow a sum of terms down to its axes."""
        match expr:
            case t.BinOp(left=left, op="+" | "-", right=right):
                self._pointer(left, pointer, parts, within)
                self._pointer(right, pointer, parts, within)
            case t.BinOp(left=left, op="*", right=right) if len(parts.axes) > 1 and (
                self._is_block(left) or self._is_block(right)
            ):
                for side in (left, right):
                    if self._is_block(side):
                        self._pointer(side, pointer, parts, within)
            case t.Subscript(value=value, slice=t.Tuple(elts=elts)):
                at = [n for n, part in enumerate(elts) if isinstance(part, t.Slice)]
                if len(at) != 1:
                    raise _NotTold
                parts.add(at[0], self.moves(value))
            case t.Name(id=name) if name not in within and (name in self.steps or self._is_block(expr)):
                for made in self.defined.get(name, []):
                    self._pointer(made, pointer, parts, (*within, name))
                for step in self.steps.get(name, []):
                    self._step(step, pointer, parts)
                if name in self.given and self.caller is not None:
                    self.caller._pointer(self.given[name], pointer, parts, ())
            case t.Name(id=name) if name in self.given and self.caller is not None:
                self.caller._pointer(self.given[name], pointer, parts, ())
            case _ if len(parts.axes) == 1:
                self._term(expr, pointer, parts)
            case _ if self._is_block(expr):
                raise _NotTold
            case _:
                parts.outside |= self.moves(expr)

    def _term(self, expr: t.Expr, pointer: Tensor, parts: _Parts) -> None:
        """A term of a one-dimensional address: steps of whole tiles move it along its axis, others to another row."""
        size = pointer.shape[0] if pointer.shape else None
        names = set(size.names()) if size is not None else set[str]()
        if self._is_block(expr):
            if isinstance(expr, t.Call) and _operation(expr) != "arange":
                raise _NotTold
            parts.add(0, self.moves(expr))
        elif names and names & {n.id for n in self._inlined(expr) if isinstance(n, t.Name)}:
            parts.add(0, self.moves(expr))
        else:
            parts.outside |= self.moves(expr)

    def _step(self, step: _Step, pointer: Tensor, parts: _Parts) -> None:
        """`pointer += expr` in a loop moves along the axis whose stride the step is a multiple of; once and for all it
        puts the whole tile elsewhere."""
        if not step.loop:
            if self._is_block(step.value):
                self._pointer(step.value, pointer, parts, ())
            else:
                parts.outside |= self.moves(step.value)
            return
        moved = Motion(loops=frozenset({step.loop}) if step.loop else frozenset())
        names = {n.id for n in t.walk(step.value) if isinstance(n, t.Name)}
        strides = pointer.steps or ()
        if len(strides) != len(parts.axes) or any(stride is None for stride in strides):
            raise _NotTold
        named = [axis for axis, stride in enumerate(strides) if stride is not None and set(stride.names()) & names]
        plain = [axis for axis, stride in enumerate(strides) if stride is not None and stride.const == 1]
        for axis in (named or plain)[:1]:
            parts.add(axis, moved)
        if not named and not plain:
            raise _NotTold

    def moves(self, expr: t.Expr, within: tuple[str, ...] = ()) -> Motion:
        """What a scalar or a range of indices rests on."""
        found = STILL
        for inner in t.walk(expr):
            if isinstance(inner, t.Call):
                operation = _operation(inner)
                if operation == "program_id":
                    axis = inner.args[0] if inner.args else _keyword(inner, "axis")
                    found |= Motion(programs=frozenset({f"program_id({getattr(axis, 'value', '?')})"}))
                elif operation in self.helpers:
                    found |= self._helper(self.helpers[operation])
                elif operation not in _PLAIN_CALLS:
                    raise _NotTold
            elif isinstance(inner, t.Name) and inner.id not in within:
                found |= self._name_moves(inner.id, (*within, inner.id))
        return found

    def _name_moves(self, name: str, within: tuple[str, ...]) -> Motion:
        found = STILL
        if name in self.ranged:
            source = self.ranged[name]
            found |= Motion(loops=frozenset({name}))
            if isinstance(source, t.Call) and len(source.args) > 1:
                found |= self.moves(source.args[0], within)
        if name in self.given and self.caller is not None:
            found |= self.caller.moves(self.given[name])
        for made in self.defined.get(name, []):
            found |= self.moves(made, within)
        for step in self.steps.get(name, []):
            found |= Motion(loops=frozenset({step.loop} if step.loop else ())) | self.moves(step.value, within)
        return found

    def _helper(self, helper: t.FunctionDef) -> Motion:
        """What a function of index arithmetic rests on besides its arguments. Raises _NotTold for others."""
        inner, found = _Reader(helper, {}), STILL
        for statement in nodes_in(helper):
            if isinstance(statement, t.Return) and statement.value is not None:
                found |= inner.moves(statement.value)
        return found

    def _is_block(self, expr: t.Expr) -> bool:
        """Whether a range of indices is part of an expression."""
        if self._blocks is None:
            self._blocks = self._names_of_blocks()
        return _spans_range(expr, self._blocks)

    def _names_of_blocks(self) -> set[str]:
        """The names that are made of a range of indices."""
        found, size = set[str](), -1
        while len(found) > size:
            size = len(found)
            others = ((name, made) for name, made in self.defined.items() if name not in found)
            found |= {name for name, made in others if any(_spans_range(expr, found) for expr in made)}
        return found

    def _inlined(self, expr: t.Expr) -> Iterator[t.Node]:
        """The nodes of an expression and of what its names were made of."""
        todo, seen = [expr], set[str]()
        while todo:
            for inner in t.walk(todo.pop()):
                yield inner
                if isinstance(inner, t.Name) and inner.id not in seen:
                    seen.add(inner.id)
                    todo += self.defined.get(inner.id, [])


def _spans_range(expr: t.Expr, names: set[str]) -> bool:
    """Whether a range of indices, or one of some names, is part of an expression."""
    return any(n.id in names if isinstance(n, t.Name) else _operation(n) == "arange" for n in t.walk(expr))


def _operation(call: t.Node) -> str:
    if not isinstance(call, t.Call):
        return ""
    return call.func.attr if isinstance(call.func, t.Attribute) else getattr(call.func, "id", "")


def _keyword(call: t.Call, name: str) -> t.Expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
