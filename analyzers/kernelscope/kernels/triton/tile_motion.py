"""What moves the tile of a load or store along each of its axes: the program's place in the grid, a loop, or nothing.

Read from index arithmetic in the kernel's own text and in that of the helper that makes an access: `offs_m[:, None]` is
the part along the first axis, and what its definition rests on moves it. Data may choose the matrix that a tile is of,
not its place there: that is not told.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from kernelscope.dims import Dim
from kernelscope.kernels.triton.bodies import inlined, nodes_of, operation
from kernelscope.kernels.triton.call import Access, AccessPlace
from kernelscope.kernels.triton.index_motion import STILL, Indices, Motion, NotTold, Step, is_negative, keyword
from kernelscope.kernels.triton.kernel_runs import KernelRun
from kernelscope.kernels.triton.offsets import operands
from kernelscope.kernels.triton.values import BlockPointer, Descriptor, Tensor
from kernelscope.results import Span
from kernelscope.syntax.of_nodes import kept_of_nodes
from kernelscope.syntax.python import tree as t


@dataclass(frozen=True, slots=True)
class TileMotion:
    """The motion of a tile along each of its axes, and of the whole of it through what its axes do not span."""

    axes: tuple[Motion, ...]
    outside: Motion = STILL


@kept_of_nodes(16)
def tile_motions(run: KernelRun) -> Mapping[AccessPlace, TileMotion]:
    """The motions of what a kernel and the helpers that it calls itself access; those not told are absent."""
    calls = _calls(run.node)
    helpers = {call.function.node.name: call.function.node for call in run.calls}
    helpers |= {operation(calls[span]): helper for span, helper in run.called.items() if span in calls}
    tiles = _Tiles(Indices(run.node, helpers))
    found: dict[AccessPlace, TileMotion] = {}
    for access in run.accesses:
        call, owner = calls.get(access.span), tiles
        if access.name and call is not None and access.at is not None:
            helper = run.called.get(call.span)
            if helper is None or helper.name != access.name:
                continue
            owner = _Tiles(Indices(helper, helpers, dict(_given(helper, call)), tiles.indices), tiles, call.span.start)
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


@dataclass(slots=True)
class _Parts:
    """The motions that an address is made of."""

    axes: list[Motion]
    at: int
    """Where the address is used, in the function whose names it is told by."""
    outside: Motion = STILL

    def add(self, axis: int, motion: Motion) -> None:
        if axis >= len(self.axes) or motion.by_memory:
            raise NotTold
        self.axes[axis] |= motion


@dataclass(frozen=True, slots=True)
class _Tiles:
    """The tiles that a function accesses, by its `indices` and what its caller passes."""

    indices: Indices
    caller: _Tiles | None = None
    called_at: int = 0
    """Where the caller calls it."""

    def motion(self, call: t.Call, access: Access) -> TileMotion | None:
        shape = getattr(access.block, "shape", None)
        rank = len(shape) if shape is not None else 0
        if not rank:
            return None
        parts = _Parts([STILL] * rank, call.span.start)
        try:
            self._address(call, access, parts)
        except NotTold:
            return None
        return TileMotion(tuple(parts.axes), parts.outside)

    def _address(self, call: t.Call, access: Access, parts: _Parts) -> None:
        method = call.func.value if isinstance(call.func, t.Attribute) else None
        match access.pointer:
            case Tensor():
                pointer = call.args[0] if call.args else keyword(call, "pointer")
                if pointer is None:
                    raise NotTold
                self._pointer(pointer, access.pointer, parts, ())
            case Descriptor() if method is not None and call.args:
                offsets = next((a for a in call.args if isinstance(a, t.List | t.Tuple)), None)
                self._offsets(offsets, parts)
                self._described(method, parts)
            case BlockPointer() if call.args:
                self._block_pointer(call.args[0], parts)
            case _:
                raise NotTold

    @contextmanager
    def _there(self, parts: _Parts) -> Generator[None]:
        """What the caller passes is told by its own names, where it calls."""
        here, parts.at = parts.at, self.called_at
        yield
        parts.at = here

    def _described(self, descriptor: t.Expr | None, parts: _Parts) -> None:
        """What the base of a descriptor that the kernel makes rests on."""
        for made in self.indices.before(descriptor.id, parts.at) if isinstance(descriptor, t.Name) else []:
            if isinstance(made, t.Call) and operation(made) == "make_tensor_descriptor":
                base = keyword(made, "base") or (made.args[0] if made.args else None)
                parts.outside |= self.indices.moves(base) if base is not None else STILL

    def _block_pointer(self, pointer: t.Expr, parts: _Parts) -> None:
        """Where it was made, what advances it, and what its base rests on."""
        if not isinstance(pointer, t.Name):
            raise NotTold
        for made in self.indices.before(pointer.id, parts.at):
            if not isinstance(made, t.Call) or operation(made) != "make_block_ptr":
                raise NotTold
            self._offsets(keyword(made, "offsets") or (made.args[3] if len(made.args) > 3 else None), parts)
            base = keyword(made, "base") or (made.args[0] if made.args else None)
            if base is not None:
                parts.outside |= self.indices.moves(base)
        for step in self.indices.steps_at(pointer.id, parts.at):
            self._advance(step, parts)
        if pointer.id in self.indices.given and self.caller is not None:
            with self._there(parts):
                self.caller._block_pointer(self.indices.given[pointer.id], parts)

    def _offsets(self, offsets: t.Expr | None, parts: _Parts) -> None:
        if not isinstance(offsets, t.List | t.Tuple):
            raise NotTold
        for axis, offset in enumerate(offsets.elts):
            parts.add(axis, self.indices.moves(offset))

    def _advance(self, step: Step, parts: _Parts) -> None:
        if not isinstance(step.value, t.List | t.Tuple):
            raise NotTold
        for axis, offset in enumerate(step.value.elts):
            if not (isinstance(offset, t.Constant) and offset.value == 0):
                by_loop = replace(step, back=is_negative(offset)).motion
                parts.add(axis, by_loop if step.loop else self.indices.moves(offset))

    def _pointer(self, expr: t.Expr, pointer: Tensor, parts: _Parts, within: tuple[str, ...]) -> None:
        """Follow a sum of terms down to its axes."""
        match expr:
            case t.Name(id=name) if name in within:
                return  # what it was before: `p = p + row * D + cols`
            case t.BinOp(left=left, op="+" | "-", right=right):
                self._pointer(left, pointer, parts, within)
                self._pointer(right, pointer, parts, within)
            case t.BinOp(left=left, op="*", right=right) if len(parts.axes) > 1 and (
                self.indices.is_block(left) or self.indices.is_block(right)
            ):
                for side in (left, right):
                    if self.indices.is_block(side):
                        self._factor(side, pointer, parts, within)
            case t.Subscript(value=value, slice=t.Tuple(elts=elts)):
                at = [n for n, part in enumerate(elts) if isinstance(part, t.Slice)]
                if len(at) != 1:
                    raise NotTold
                parts.add(at[0], self.indices.moves(value))
            case t.Name(id=name) if name in self.indices.steps or self.indices.is_block(expr):
                for made in self.indices.before(name, parts.at):
                    self._pointer(made, pointer, parts, (*within, name))
                for step in self.indices.steps_at(name, parts.at):
                    self._step(step, pointer, parts)
                if name in self.indices.given and self.caller is not None:
                    with self._there(parts):
                        self.caller._pointer(self.indices.given[name], pointer, parts, ())
            case t.Name(id=name) if name in self.indices.given and self.caller is not None:
                with self._there(parts):
                    self.caller._pointer(self.indices.given[name], pointer, parts, ())
            case _ if len(parts.axes) == 1:
                self._term(expr, pointer, parts)
            case _ if self.indices.is_block(expr):
                raise NotTold
            case _:
                self._same_for_all(expr, pointer, parts)

    def _factor(self, expr: t.Expr, pointer: Tensor, parts: _Parts, within: tuple[str, ...]) -> None:
        """What is multiplied by a stride: all of `(start + rows[:, None])` lies along one axis."""
        spread = [n.slice.elts for n in t.walk(expr) if isinstance(n, t.Subscript) and isinstance(n.slice, t.Tuple)]
        along = {place for elts in spread for place, part in enumerate(elts) if isinstance(part, t.Slice)}
        if len(along) == 1:
            parts.add(along.pop(), self.indices.moves(expr))
        else:
            self._pointer(expr, pointer, parts, within)

    def _term(self, expr: t.Expr, pointer: Tensor, parts: _Parts) -> None:
        """A term of a one-dimensional address: steps of whole tiles move it along its axis, others to another row."""
        if self.indices.is_block(expr):
            if isinstance(expr, t.Call) and operation(expr) != "arange":
                raise NotTold
            parts.add(0, self.indices.moves(expr))
        else:
            self._same_for_all(expr, pointer, parts)

    def _same_for_all(self, expr: t.Expr, pointer: Tensor, parts: _Parts) -> None:
        """A term that is the same for all of a tile: `at * stride` moves it along the axis of that stride, whole tiles
        along the axis where neighbours lie together; others put it elsewhere."""
        if isinstance(expr, t.BinOp) and expr.op in ("+", "-"):
            for side in (expr.left, expr.right):
                self._same_for_all(side, pointer, parts)
            return
        moved = self.indices.moves(expr)
        strides = pointer.steps or ()
        along = [axis for axis, stride in enumerate(strides) if stride is not None and self._is_index(expr, stride)]
        if not along:
            along = [
                axis
                for axis, stride in enumerate(strides)
                if len(strides) == 1 or (stride is not None and stride.const == 1)
                if self._is_of_size(expr, pointer, axis)
            ]
        if len(along) == 1 and len(strides) == len(parts.axes):
            parts.add(along[0], moved)
        else:
            parts.outside |= moved

    def _is_index(self, expr: t.Expr, stride: Dim) -> bool:
        """Whether an expression is the product of a stride and an index, not that of a number of rows as well."""
        if not isinstance(expr, t.BinOp) or expr.op != "*":
            return False
        for factor, index in ((expr.left, expr.right), (expr.right, expr.left)):
            if isinstance(factor, t.Name) and factor.id == stride.name:
                factors = operands(index, "*")
                return all(isinstance(one, t.Constant) or self.indices.moves(one) != STILL for one in factors)
        return False

    def _step(self, step: Step, pointer: Tensor, parts: _Parts) -> None:
        """`pointer += expr` in a loop moves along the axis whose stride the step is a multiple of; once and for all it
        puts the whole tile elsewhere, or by whole tiles along the axis whose stride and size are in it."""
        if not step.loop:
            named = {n.id for n in t.walk(step.value) if isinstance(n, t.Name)}
            tiles = [
                axis
                for axis, stride in enumerate(pointer.steps or ())
                if stride is not None and set(stride.names()) & named and self._is_of_size(step.value, pointer, axis)
            ]
            if self.indices.is_block(step.value):
                self._pointer(step.value, pointer, parts, ())
            elif len(tiles) == 1 and len(pointer.steps or ()) == len(parts.axes):
                parts.add(tiles[0], self.indices.moves(step.value))
            else:
                self._same_for_all(step.value, pointer, parts)
            return
        moved = step.motion
        names = {n.id for n in t.walk(step.value) if isinstance(n, t.Name)}
        strides = pointer.steps or ()
        if len(strides) != len(parts.axes) or any(stride is None for stride in strides):
            raise NotTold
        named = [axis for axis, stride in enumerate(strides) if stride is not None and set(stride.names()) & names]
        plain = [axis for axis, stride in enumerate(strides) if stride is not None and stride.const == 1]
        if named:
            parts.add(named[0], moved)
        elif not plain:
            raise NotTold
        elif not names or self._is_of_size(step.value, pointer, plain[0]):
            parts.add(plain[0], moved)
        else:  # by a stride of no axis: to another row, or matrix
            parts.outside |= moved

    def _is_of_size(self, expr: t.Expr, pointer: Tensor, axis: int) -> bool:
        """Whether an expression is made of the tile's own size along an axis."""
        size = pointer.shape[axis] if pointer.shape else None
        names = set(size.names()) if size is not None else set[str]()
        made_of = {n.id for n in inlined(self.indices.defined, expr) if isinstance(n, t.Name)}
        counted = (self.indices.ranged[name] for name in made_of & self.indices.ranged.keys())
        steps = [source.args[2] for source in counted if isinstance(source, t.Call) and len(source.args) > 2]
        return bool(names & (made_of | {n.id for n in t.walk(*steps) if isinstance(n, t.Name)}))
