"""Addresses as they are written: which argument, and which index along which stride.

Pointer expressions are taken apart by their syntax, through the names that were given parts of them; steps that a loop
adds count by its rounds. What is written in another way keeps its own text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from kernelscope.dims import render
from kernelscope.kernels.triton.assignments import Assignments, Given, Loops, Place, Text, substituted
from kernelscope.kernels.triton.statements import is_constexpr
from kernelscope.kernels.triton.values import BlockPointer, Descriptor, Tensor, Value
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t

MAX_HOPS = 12
MAX_INLINED = 60
"""How long the text of a definition may be that stands for a name which holds something else by now."""
BLOCKS = {"make_block_ptr": "offsets", "make_tensor_descriptor": ""}
"""What makes blocks with a shape, and the argument that says where they begin."""
CASTS = frozenset(("to", "cast"))


@dataclass(frozen=True, slots=True)
class Address:
    """`base[indices]`: `axes` are (stride, index) pairs, in the order of the source; stride "1" comes last.

    `strides` and `bounds`: of a block pointer or descriptor, whose indices stand for ranges.
    """

    base: str
    axes: tuple[tuple[str, str], ...]
    strides: tuple[str, ...] = ()
    bounds: tuple[str, ...] = ()
    """Where the data end along each axis, by the shape that the block pointer or descriptor was made with."""

    def element(self) -> str:
        """`A[row, column]`."""
        return f"{self.base}[{', '.join(index for _, index in self.axes)}]" if self.axes else f"{self.base}[0]"

    def form(self) -> str:
        """`A + row·stride + column`; of a block the range of each dim, and the strides."""
        if self.strides:
            return f"{self.element()} by strides ({', '.join(self.strides)})"
        if any(not stride for stride, _ in self.axes):
            return self.element()
        parts = [index if stride == "1" else f"{_tight(index)}·{_tight(stride)}" for stride, index in self.axes]
        return " + ".join([self.base, *parts])


def _tight(text: str) -> str:
    return f"({text})" if " " in text else text


@dataclass(frozen=True, slots=True)
class _Term:
    """An addend of an offset, where it was written, and by the number of which round it counts."""

    node: t.Expr
    place: Place
    times: str = ""


class _NotTold(Exception):
    """The address is made in a way that is not followed."""


class Addresses:
    """The addresses of one function. `values`: what its expressions are; `text`: how an expression is written."""

    def __init__(self, node: t.FunctionDef, values: Mapping[Span, tuple[Value, ...]], text: Text) -> None:
        self.values = values
        self.text = text
        self.constexprs = {p.name for p in node.args if is_constexpr(p.annotation)}
        self.params = {p.name for p in node.args}
        self.assigned = Assignments(node, text)

    def is_address(self, node: t.Expr) -> bool:
        """Whether an expression is a pointer, a block of them, a block pointer or a descriptor."""
        value = self._value(node)
        return isinstance(value, BlockPointer | Descriptor) or (isinstance(value, Tensor) and value.pointer)

    def is_named(self, node: t.Expr) -> bool:
        """Whether an expression is a name for an address that the function makes itself."""
        return isinstance(node, t.Name) and node.id in self.assigned.given and self.is_address(node)

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
        terms: list[_Term] = []
        base = self._base(pointer, used, terms, 0)
        axes: dict[str, list[str]] = {}
        for term in terms:
            stride, index = self._split(self._as_of(term.node, term.place, used, 0))
            if term.times and stride == "1" and index in self.params - self.constexprs:
                stride, index = index, "1"
            count = f"{term.times}*{_tight(index)}" if term.times and index != "1" else term.times or index
            indices = axes.setdefault(stride, [])
            indices.insert(0 if term.times else len(indices), count)
        ordered = [(stride, " + ".join(indices)) for stride, indices in axes.items() if stride != "1"]
        if "1" in axes:
            ordered.append(("1", " + ".join(axes["1"])))
        return Address(base, tuple(ordered))

    # -- pointers ----------------------------------------------------------------------------------------

    def _base(self, node: t.Expr, here: Place, terms: list[_Term], hops: int) -> str:
        """The argument behind a pointer; the offsets on the way are added to `terms`. Raises _NotTold."""
        if hops > MAX_HOPS:
            raise _NotTold
        match node:
            case t.BinOp(op="+"):
                first, second = (node.left, node.right) if self._leads(node.left) else (node.right, node.left)
                base = self._base(first, here, terms, hops + 1)
                terms.extend(self._terms(second, here))
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
                return self._base(node.value, here, terms, hops + 1)
            case _:
                raise _NotTold

    def _leads(self, node: t.Expr) -> bool:
        """Whether the pointer is on this side of a sum."""
        match node:
            case t.BinOp(op="+"):
                return self._leads(node.left) or self._leads(node.right)
            case t.Call() if isinstance(node.func, t.Attribute):
                return self._leads(node.func.value) or any(map(self._leads, node.args))
            case t.Subscript():
                return self._leads(node.value)
            case _:
                return self.is_address(node)

    def _named(self, name: str, here: Place, terms: list[_Term], hops: int) -> str:
        """What a name was given last, and what was added to it since or is added in each round. Raises _NotTold."""
        last = self.assigned.last(name, here.at)
        before = any(not given.adds and given.end <= here.at for given in self.assigned.given[name])
        if last is None and (name not in self.params or before):
            raise _NotTold
        base = name
        if last is not None and not (isinstance(last.value, t.Name) and last.value.id == name):
            base = self._base(last.value, Place(last.value.span.start, last.loops), terms, hops + 1)
        for added in self.assigned.added(name, here.at):
            loop = self._rounds(added, last, here.loops)
            if loop is not None:
                if any(self.assigned.counts(loop, n.id) for n in t.walk(added.value) if isinstance(n, t.Name)):
                    raise _NotTold  # each round adds something else
                place = Place(added.value.span.start, added.loops)
                terms.extend(_Term(term, place, _round(loop, self.text)) for term in _sum(added.value))
            elif (last.end if last else 0) <= added.end <= here.at and not set(added.loops) - set(here.loops):
                terms.extend(self._terms(added.value, Place(added.value.span.start, added.loops)))
        return base

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
            told = Address(made.id, tuple(("", f"0 : +{size}") for size in self._sizes(pointer)))
        elif isinstance(made, t.Call) and _called(made) == "advance" and len(made.args) == 2:
            told = self._block(made.args[0], last.loops if last is not None else loops)
            told = self._moved_by(told, [(step, "") for step in map(self.text, _items(made.args[1]))])
        elif isinstance(made, t.Call) and _called(made) in BLOCKS:
            told = self._made(made, Place(made.span.start, last.loops if last is not None else loops), pointer, loops)
        else:
            raise _NotTold
        return self._moved(pointer, last, loops, told)

    def _made(self, call: t.Call, place: Place, pointer: t.Expr, loops: Loops) -> Address:
        """A block where it was made, told at the place of its use. Raises _NotTold."""
        names = ("base", "shape", "strides", "offsets", "block_shape", "order")
        if BLOCKS[_called(call)] == "":
            names = ("base", "shape", "strides", "block_shape")
        given = dict(zip(names, call.args, strict=False)) | {k.arg: k.value for k in call.keywords if k.arg}
        base, sizes = given.get("base"), _items(given.get("block_shape"))
        if base is None or not sizes:
            raise _NotTold
        used = Place(pointer.span.start, loops)

        def now(node: t.Expr) -> str:
            return self.text(self._as_of(node, place, used, 0))

        starts = _items(given.get("offsets")) or [t.Constant(0, call.span)] * len(sizes)
        ranges = tuple(("", f"{now(start)} : +{self.text(size)}") for start, size in zip(starts, sizes, strict=False))
        start = self._element(base, place)
        strides = tuple(map(self.text, _items(given.get("strides"))))
        named = start.element() if start.axes else start.base
        return Address(named, ranges, strides, tuple(map(now, _items(given.get("shape")))))

    def _sizes(self, pointer: t.Expr) -> list[str]:
        """The block behind a parameter, from where the caller let it point."""
        value = self._value(pointer)
        sizes = value.shape if isinstance(value, BlockPointer | Descriptor) else None
        return [render(size, tuple(self.params)) if size is not None else "?" for size in sizes or ()]

    def _moved(self, pointer: t.Expr, last: Given | None, loops: Loops, told: Address) -> Address:
        """A block moved on by what was advanced before and by rounds of loops. Raises _NotTold."""
        at = pointer.span.start
        for added in self.assigned.added(pointer.id, at) if isinstance(pointer, t.Name) else iter(()):
            loop = self._rounds(added, last, loops)
            if loop is None and not (last.end if last else 0) <= added.end <= at:
                continue
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
                moved = f"{often}*{_tight(step)}" if often else step
                start = moved if start == "0" else f"{start} + {moved}"
            axes.append((stride, f"{start} : +{size}"))
        return replace(told, axes=tuple(axes))

    # -- offsets -----------------------------------------------------------------------------------------

    def _terms(self, node: t.Expr, place: Place, hops: int = 0) -> Iterator[_Term]:
        """The addends of an offset; a name that holds a sum of products with strides is taken apart."""
        for term in _sum(node):
            made = self._sum_behind(term, place) if hops < MAX_HOPS else None
            if made is not None:
                yield from self._terms(_uncast(made.value), Place(made.value.span.start, made.loops), hops + 1)
            else:
                yield _Term(term, place)

    def _sum_behind(self, term: t.Expr, place: Place) -> Given | None:
        """The assignment of a name that holds products with strides, where it holds them still."""
        made = self.assigned.last(term.id, place.at) if isinstance(term, t.Name) else None
        if made is None or not isinstance(term, t.Name) or not self._has_stride(made.value):
            return None
        return None if self.assigned.outdated(term.id, Place(made.end, made.loops), place) else made

    def _has_stride(self, node: t.Expr) -> bool:
        """Whether one of the addends is a product with a stride."""
        return any(
            len(factors) > 1 and any(map(self._is_stride, factors))
            for factors in (list(_factors(term)) for term in _sum(_uncast(node)))
        )

    def _split(self, term: t.Expr) -> tuple[str, str]:
        """(stride, index) of one addend: a factor that is an argument of the kernel is the stride."""
        factors = list(_factors(term))
        if len(factors) == 1:
            return "1", self.text(bare(factors[0]))
        strides = [f for f in factors if isinstance(f, t.Name) and f.id in self.params - self.constexprs]
        if not strides or len(strides) == len(factors):
            strides = [f for f in factors if self._is_stride(f)][-1:]
        if not strides and not all(map(self._is_size, factors)):
            strides = [f for f in factors if self._is_size(f)][-1:]
        if not strides or len(strides) == len(factors):
            return "1", self.text(bare(term))
        rest = [f for f in factors if f not in strides]
        return "*".join(_tight(self.text(f)) for f in strides), "*".join(_tight(self.text(bare(f))) for f in rest)

    def _is_size(self, node: t.Expr) -> bool:
        """Whether a factor is made of arguments only: the same for every program and element."""
        if isinstance(node, t.Name):
            return node.id in self.params and node.id not in self.assigned.given
        names = [inner.id for inner in t.walk(node) if isinstance(inner, t.Name)]
        return bool(names) and all(name in self.params and name not in self.assigned.given for name in names)

    def _is_stride(self, node: t.Expr) -> bool:
        """Whether a factor is a size that not only the compiler's constants make."""
        if isinstance(node, t.Name):
            return self._is_size(node) and node.id not in self.constexprs
        return self._is_size(node) and any(isinstance(n, t.Name) and n.id not in self.constexprs for n in t.walk(node))

    def _as_of(self, node: t.Expr, made: Place, used: Place, hops: int) -> t.Expr:
        """An index as it was when the address was made, for a reader at another place: names that hold something else
        there give way to their definitions."""

        def known(name: t.Name) -> t.Expr | None:
            if not self.assigned.outdated(name.id, made, used):
                return None
            last = self.assigned.last(name.id, made.at)
            moved = any(added.end <= made.at for added in self.assigned.added(name.id, made.at))
            if last is not None and hops < MAX_HOPS and not moved:
                there = Place(last.value.span.start, last.loops)
                inner = self._as_of(_unhinted(last.value), there, used, hops + 1)
                if len(self.text(inner)) <= MAX_INLINED:
                    return inner
            return t.Name(f"earlier {name.id}", name.span)

        return substituted(node, known)


def bare(node: t.Expr) -> t.Expr:
    """An index without the `[:, None]` that only spreads it."""
    while isinstance(node, t.Subscript):
        parts = node.slice.elts if isinstance(node.slice, t.Tuple) else [node.slice]
        if not all(isinstance(p, t.Slice) or (isinstance(p, t.Constant) and p.value is None) for p in parts):
            break
        node = node.value
    if isinstance(node, t.BinOp):
        return t.BinOp(bare(node.left), node.op, bare(node.right), node.span)
    return node


def _called(call: t.Call) -> str:
    return call.func.attr if isinstance(call.func, t.Attribute) else (t.dotted(call.func) or "")


def _items(node: t.Expr | None) -> list[t.Expr]:
    return node.elts if isinstance(node, t.List | t.Tuple) else []


def _uncast(node: t.Expr) -> t.Expr:
    """A sum without the cast around it."""
    while isinstance(node, t.Call) and isinstance(node.func, t.Attribute) and node.func.attr == "to":
        node = node.func.value
    return node


def _unhinted(node: t.Expr) -> t.Expr:
    """A definition without the promises to the compiler around it."""
    while (
        isinstance(node, t.Call) and _called(node) in ("multiple_of", "max_contiguous", "max_constancy") and node.args
    ):
        node = node.args[0]
    return node


def _sum(node: t.Expr) -> Iterator[t.Expr]:
    if isinstance(node, t.BinOp) and node.op == "+":
        yield from _sum(node.left)
        yield from _sum(node.right)
    else:
        yield node


def _factors(node: t.Expr) -> Iterator[t.Expr]:
    if isinstance(node, t.BinOp) and node.op == "*":
        yield from _factors(node.left)
        yield from _factors(node.right)
    else:
        yield node


def _round(loop: t.For | t.While, text: Text) -> str:
    """The number of a round: the counter itself where it counts from nought by one."""
    if isinstance(loop, t.For) and isinstance(loop.target, t.Name) and isinstance(loop.iter, t.Call):
        starts = loop.iter.args[0] if len(loop.iter.args) == 2 else None
        if len(loop.iter.args) == 1 or (isinstance(starts, t.Constant) and starts.value == 0):
            return loop.target.id
    return "round"
