"""Addresses as they are written: which argument, and which index along which stride.

Pointer expressions are taken apart by their syntax, through the names that were given parts of them; steps that a loop
adds count by its rounds. What is written in another way keeps its own text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from kernelscope.dims import render
from kernelscope.kernels.triton.address import Address
from kernelscope.kernels.triton.assignments import Assignments, Given, Loops, Place, Tests, Text
from kernelscope.kernels.triton.broadcasting import ONE
from kernelscope.kernels.triton.offsets import MAX_HOPS, Offsets, Term, called, chosen, operands, spread_along, tight
from kernelscope.kernels.triton.values import BlockPointer, Const, Descriptor, Tensor, Value
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t

BLOCKS = {"make_block_ptr": "offsets", "make_tensor_descriptor": ""}
"""What makes blocks with a shape, and the argument that says where they begin."""
CASTS = frozenset(("to", "cast"))


@dataclass(slots=True)
class _Axis:
    """The indices along one stride, with the tests that they are behind, and the axes of the block that they differ
    along."""

    indices: list[tuple[str, Tests]] = field(default_factory=list[tuple[str, Tests]])
    along: set[int] = field(default_factory=set[int])


class _NotTold(Exception):
    """The address is made in a way that is not followed."""


class Addresses:
    """The addresses of one function. `values`: what its expressions are; `text`: how an expression is written."""

    def __init__(self, node: t.FunctionDef, values: Mapping[Span, tuple[Value, ...]], text: Text) -> None:
        self.values = values
        self.text = text
        self.params = {p.name for p in node.args}
        self.assigned = Assignments(node, text)
        self.offsets = Offsets(node, self.assigned, text)

    def is_address(self, node: t.Expr) -> bool:
        """Whether an expression is a pointer, a block of them, a block pointer or a descriptor."""
        value = self._value(node)
        return isinstance(value, BlockPointer | Descriptor) or (isinstance(value, Tensor) and value.pointer)

    def is_named(self, node: t.Expr) -> bool:
        """Whether an expression is a name for an address that the function makes itself."""
        return isinstance(node, t.Name) and node.id in self.assigned.given and self.is_address(node)

    def made_of(self, pointer: t.Expr) -> set[str]:
        """The names for addresses that a pointer is made of, each with those that it is made of."""
        found: set[str] = set()
        todo = [pointer]
        while todo:
            for node in t.walk(todo.pop()):
                if isinstance(node, t.Name) and node.id not in found and self.is_named(node):
                    found.add(node.id)
                    todo += [given.value for given in self.assigned.given[node.id]]
        return found

    def _value(self, node: t.Expr) -> Value | None:
        named = node.func if isinstance(node, t.Call) else node  # what a call gives is kept at its operation's name
        found = self.values.get(named.attr_span if isinstance(named, t.Attribute) else named.span, ())
        return found[0] if found else None

    def address(self, pointer: t.Expr, loops: Loops = ()) -> Address | None:
        """What a load or store through `pointer` touches, inside `loops`; None where that is not told."""
        try:
            if isinstance(self._value(pointer), BlockPointer | Descriptor):
                return self._block(pointer, loops)
            return self._element(pointer, Place(pointer.span.start, loops))
        except _NotTold:
            return None

    def at_offsets(self, descriptor: t.Expr, offsets: t.Expr, loops: Loops = ()) -> Address | None:
        """What a load or store through a descriptor touches: `base[offset : +size, ...]`."""
        found = self.address(descriptor, loops)
        starts = offsets.elts if isinstance(offsets, t.List | t.Tuple) else []
        if found is None or len(starts) != len(found.axes):
            return None
        sizes = [index.rpartition(": +")[2] for _, index in found.axes]
        axes = tuple(("", f"{self.text(start)} : +{size}") for start, size in zip(starts, sizes, strict=True))
        return replace(found, axes=axes)

    def _element(self, pointer: t.Expr, used: Place) -> Address:
        """Raises _NotTold."""
        terms: list[Term] = []
        base = self._base(pointer, used, terms, 0)
        axes = self._axes(terms, used)
        ordered = sorted(axes, key="1".__eq__)
        told = tuple((stride, chosen(axes[stride].indices)) for stride in ordered)
        value = self._value(pointer)
        is_block = not ordered and isinstance(value, Tensor) and bool(value.shape)
        return Address(base, told, is_block=is_block, along=_directions([axes[stride] for stride in ordered]))

    def _axes(self, terms: list[Term], used: Place) -> dict[str, _Axis]:
        """The indices along each stride, with the tests that they are behind."""
        written = [self.offsets.as_of(term.node, term.place, used, 0) for term in terms]
        strides = [self.offsets.split(node)[0] for node in written]
        parts = [
            (term, *self.offsets.split(node, {*strides[:place], *strides[place + 1 :]}))
            for place, (term, node) in enumerate(zip(terms, written, strict=True))
        ]
        for place, (term, stride, index) in enumerate(parts):
            stride, index = (stride == "1" and self.offsets.split_by(set(strides), term, used)) or (stride, index)
            parts[place] = term, stride, index
        forward = {stride for term, stride, _ in parts if not term.minus}
        axes: dict[str, _Axis] = {}
        for term, stride, index in parts:
            if stride == "1" and (index in strides or (term.times and index in self.params - self.offsets.constexprs)):
                stride, index = index, "1"
            if term.minus and stride not in forward and "1" in forward:  # no axis is walked backwards
                stride, index = "1", f"{tight(index)}*{stride}"
            count = f"{term.times}*{tight(index)}" if term.times and index != "1" else term.times or index
            count = f"-{tight(count)}" if term.minus else count
            axis = axes.setdefault(stride, _Axis())
            axis.indices.insert(0 if term.times else len(axis.indices), (count, term.behind))
            axis.along |= self._along(term.node)
        return axes

    def _along(self, node: t.Expr) -> set[int]:
        """The axes of the block that an index differs along, from the last, which is -1; 0 where that is not told."""
        match node:
            case t.Constant():
                return set()
            case t.BinOp():
                return self._along(node.left) | self._along(node.right)
            case t.Subscript() if (axes := spread_along(node.slice)) is not None:
                rank = len(node.slice.elts) if isinstance(node.slice, t.Tuple) else 1
                inner = self._along(node.value)
                return {axes[i] - rank if i and -i <= len(axes) else 0 for i in inner}
            case t.Call() if called(node) == "arange":
                return {-1}
            case _:
                value = self._value(node)
                if isinstance(value, Tensor) and value.shape is not None:
                    return {i - len(value.shape) for i, size in enumerate(value.shape) if size != ONE}
                return set() if isinstance(value, Const) else {0}

    # -- pointers ----------------------------------------------------------------------------------------

    def _base(self, node: t.Expr, here: Place, terms: list[Term], hops: int) -> str:
        """The argument behind a pointer; the offsets on the way are added to `terms`. Raises _NotTold."""
        if hops > MAX_HOPS:
            raise _NotTold
        match node:
            case t.BinOp(op="+"):
                first, second = (node.left, node.right) if self._leads(node.left) else (node.right, node.left)
                base = self._base(first, here, terms, hops + 1)
                terms.extend(self.offsets.terms(second, here))
                return base
            case t.BinOp(op="-") if self._leads(node.left):
                base = self._base(node.left, here, terms, hops + 1)
                terms.extend(replace(term, minus=True) for term in self.offsets.terms(node.right, here))
                return base
            case t.Name() if node.id in self.assigned.given:
                return self._named(node.id, here, terms, hops)
            case t.Name():
                return node.id
            case t.Call() if isinstance(node.func, t.Attribute) and node.func.attr in CASTS:
                return self._base(node.func.value, here, terms, hops + 1)
            case t.Call() if node.args and self.is_address(node.args[0]):  # multiple_of and its kin
                return self._base(node.args[0], here, terms, hops + 1)
            case t.Subscript():
                inner: list[Term] = []
                base = self._base(node.value, here, inner, hops + 1)
                terms.extend(replace(term, node=self.offsets.spread(term.node, [node.slice])) for term in inner)
                return base
            case _:
                raise _NotTold

    def _leads(self, node: t.Expr) -> bool:
        """Whether the pointer is on this side of a sum."""
        match node:
            case t.BinOp(op="+" | "-"):
                return self._leads(node.left) or self._leads(node.right)
            case t.Call() if isinstance(node.func, t.Attribute):
                return self._leads(node.func.value) or any(map(self._leads, node.args))
            case t.Subscript():
                return self._leads(node.value)
            case _:
                return self.is_address(node)

    def _named(self, name: str, here: Place, terms: list[Term], hops: int) -> str:
        """What a name was given last, and what was added to it since or is added in each round. Raises _NotTold."""
        last = self.assigned.last(name, here.at)
        before = any(not given.adds and given.end <= here.at for given in self.assigned.given[name])
        if (last is None and (name not in self.params or before)) or self.assigned.is_given_later(name, last, here):
            raise _NotTold
        base = name
        if last is not None and not (isinstance(last.value, t.Name) and last.value.id == name):
            base = self._base(last.value, Place(last.value.span.start, last.loops), terms, hops + 1)
        for added in self.assigned.added(name, here.at):
            loop = self._rounds(added, last, here.loops)
            behind = self.assigned.tests_beyond(added, here.at)
            place = Place(added.value.span.start, added.loops)
            if loop is not None:
                names = (n.id for n in t.walk(added.value) if isinstance(n, t.Name))
                if behind or any(self.assigned.counts(loop, name) for name in names):
                    raise _NotTold  # not every round adds, or each something else
                terms.extend(Term(term, place, _round(loop, self.text)) for term in operands(added.value, "+"))
            elif self._is_since(added, last, here.at):
                if set(added.loops) - set(here.loops):
                    raise _NotTold  # by the rounds of a loop that is over
                terms.extend(replace(term, behind=behind) for term in self.offsets.terms(added.value, place))
        return base

    def _is_since(self, added: Given, last: Given | None, at: int) -> bool:
        """Whether an addition is made between what a name was given last and a place."""
        return (last.end if last else 0) <= added.end <= at

    def _rounds(self, added: Given, last: Given | None, loops: Loops) -> t.For | t.While | None:
        """The loop around a place whose rounds add to what was given before it. Raises _NotTold where two do."""
        before = last.loops if last is not None else ()
        found = [loop for loop in added.loops if loop in loops and loop not in before]
        if len(found) > 1:
            raise _NotTold
        return found[0] if found else None

    # -- block pointers and descriptors ------------------------------------------------------------------

    def _block(self, pointer: t.Expr, loops: Loops) -> Address:
        """Through what made it: `base[offset : +size, ...]`, moved on by `advance`. Raises _NotTold."""
        last = self.assigned.last(pointer.id, pointer.span.start) if isinstance(pointer, t.Name) else None
        made = last.value if last is not None else pointer
        if isinstance(made, t.Name) and made.id in self.params:
            told = Address(made.id, tuple(("", f"0 : +{size}") for size in self.sizes(pointer)))
        elif isinstance(made, t.Call) and called(made) == "advance" and len(made.args) == 2:
            told = self._block(made.args[0], last.loops if last is not None else loops)
            told = self._moved_by(told, [(step, "") for step in map(self.text, _items(made.args[1]))])
        elif isinstance(made, t.Call) and called(made) in BLOCKS:
            told = self._made(made, Place(made.span.start, last.loops if last is not None else loops), pointer, loops)
        else:
            raise _NotTold
        return self._moved(pointer, last, loops, told)

    def _made(self, call: t.Call, place: Place, pointer: t.Expr, loops: Loops) -> Address:
        """A block where it was made, told at the place of its use. Raises _NotTold."""
        names = ("base", "shape", "strides", "offsets", "block_shape", "order")
        if BLOCKS[called(call)] == "":
            names = ("base", "shape", "strides", "block_shape")
        given = dict(zip(names, call.args, strict=False)) | {k.arg: k.value for k in call.keywords if k.arg}
        base, sizes = given.get("base"), _items(given.get("block_shape"))
        if base is None or not sizes:
            raise _NotTold
        used = Place(pointer.span.start, loops)

        def now(node: t.Expr) -> str:
            return self.text(self.offsets.as_of(node, place, used, 0))

        starts = _items(given.get("offsets")) or [t.Constant(0, call.span)] * len(sizes)
        widths = [f"({self.text(size)})" if isinstance(size, t.IfExp) else self.text(size) for size in sizes]
        ranges = tuple(("", f"{now(start)} : +{width}") for start, width in zip(starts, widths, strict=False))
        start = self._element(base, place)
        strides = tuple(map(self.text, _items(given.get("strides"))))
        named = start.element() if start.axes else start.base
        return Address(named, ranges, strides, tuple(map(now, _items(given.get("shape")))))

    def sizes(self, node: t.Expr) -> list[str]:
        """How large a block is, or the block behind a parameter, from where the caller let it point."""
        value = self._value(node)
        sizes = value.shape if isinstance(value, BlockPointer | Descriptor | Tensor) else None
        return [render(size, tuple(self.params)) if size is not None else "?" for size in sizes or ()]

    def _moved(self, pointer: t.Expr, last: Given | None, loops: Loops, told: Address) -> Address:
        """A block moved on by what was advanced before and by rounds of loops. Raises _NotTold."""
        at = pointer.span.start
        for added in self.assigned.added(pointer.id, at) if isinstance(pointer, t.Name) else iter(()):
            loop = self._rounds(added, last, loops)
            if loop is None and not self._is_since(added, last, at):
                continue
            if self.assigned.tests_beyond(added, at) or (loop is None and set(added.loops) - set(loops)):
                raise _NotTold
            steps = _items(added.value.args[-1]) if isinstance(added.value, t.Call) and added.value.args else []
            often = _round(loop, self.text) if loop is not None else ""
            told = self._moved_by(told, [(step, often) for step in map(self.text, steps)])
        return told

    def _moved_by(self, told: Address, steps: list[tuple[str, str]]) -> Address:
        """The range of each dim begun further on by (step, number of rounds)."""
        axes: list[tuple[str, str]] = []
        for number, (stride, index) in enumerate(told.axes):
            start, _, size = index.rpartition(" : +")
            step, often = steps[number] if number < len(steps) else ("0", "")
            if step != "0":
                moved = f"{often}*{tight(step)}" if often else step
                start = moved if start == "0" else f"{start} + {moved}"
            axes.append((stride, f"{start} : +{size}"))
        return replace(told, axes=tuple(axes))


def _directions(axes: list[_Axis]) -> tuple[int, ...]:
    """The axis of the block that each index which varies goes along; empty unless each has one of its own."""
    varying = [axis.along for axis in axes if axis.along]
    if any(len(along) > 1 for along in varying):
        return ()
    found = tuple(len(varying) + next(iter(along)) for along in varying)
    return found if sorted(found) == list(range(len(found))) else ()


def _items(node: t.Expr | None) -> list[t.Expr]:
    return node.elts if isinstance(node, t.List | t.Tuple) else []


def _round(loop: t.For | t.While, text: Text) -> str:
    """The number of a round: the counter itself where it counts from nought by one."""
    if isinstance(loop, t.For) and isinstance(loop.target, t.Name) and isinstance(loop.iter, t.Call):
        starts = loop.iter.args[0] if len(loop.iter.args) == 2 else None
        if len(loop.iter.args) == 1 or (isinstance(starts, t.Constant) and starts.value == 0):
            return loop.target.id
    return "round"
