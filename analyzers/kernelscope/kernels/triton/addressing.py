"""Addresses as they are written: which argument, and which index along which stride.

Pointer expressions are taken apart by their syntax, through the names that were given parts of them; steps that a loop
adds count by its rounds. What is written in another way keeps its own text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from kernelscope.dims import render
from kernelscope.kernels.triton.statements import is_constexpr
from kernelscope.kernels.triton.values import BlockPointer, Descriptor, Tensor, Value
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t

MAX_HOPS = 12
Text = Callable[[t.Expr], str]


@dataclass(frozen=True, slots=True)
class Address:
    """`base[indices]`: `axes` are (stride, index) pairs, in the order of the source; stride "1" comes last."""

    base: str
    axes: tuple[tuple[str, str], ...]

    def element(self) -> str:
        """`A[row, column]`."""
        return f"{self.base}[{', '.join(index for _, index in self.axes)}]" if self.axes else f"{self.base}[0]"

    def form(self) -> str:
        """`A + row·stride + column`."""
        if any(not stride for stride, _ in self.axes):
            return self.element()
        parts = [index if stride == "1" else f"{_tight(index)}·{_tight(stride)}" for stride, index in self.axes]
        return " + ".join([self.base, *parts])


def _tight(text: str) -> str:
    return f"({text})" if " " in text else text


@dataclass(frozen=True, slots=True)
class _Given:
    """An assignment of a name: where it ends, the loops around it, whether it adds to what was there."""

    value: t.Expr
    end: int
    loops: tuple[t.For | t.While, ...]
    adds: bool


class Addresses:
    """The addresses of one function. `values`: what its expressions are; `text`: how an expression is written."""

    def __init__(self, node: t.FunctionDef, values: Mapping[Span, tuple[Value, ...]], text: Text) -> None:
        self.node = node
        self.values = values
        self.text = text
        self.constexprs = {p.name for p in node.args if is_constexpr(p.annotation)}
        self.params = {p.name for p in node.args}
        self.given: dict[str, list[_Given]] = {}
        for name, given in _assignments(node.body, ()):
            self.given.setdefault(name, []).append(given)
        self.sides = [
            (Span(side[0].span.start, side[-1].span.end), inner.test, holds)
            for inner in t.inside(node)
            if isinstance(inner, t.If)
            for side, holds in ((inner.body, True), (inner.orelse, False))
            if side
        ]

    def is_address(self, node: t.Expr) -> bool:
        """Whether an expression is a pointer, a block of them, a block pointer or a descriptor."""
        value = self._value(node)
        return isinstance(value, BlockPointer | Descriptor) or (isinstance(value, Tensor) and value.pointer)

    def _value(self, node: t.Expr) -> Value | None:
        found = self.values.get(node.attr_span if isinstance(node, t.Attribute) else node.span, ())
        return found[0] if found else None

    def address(self, pointer: t.Expr, loops: tuple[t.For | t.While, ...] = ()) -> Address | None:
        """What a load or store through `pointer` touches, inside `loops`."""
        if isinstance(self._value(pointer), BlockPointer):
            return self._block(pointer, loops)
        terms: list[tuple[t.Expr, str]] = []
        base = self._base(pointer, pointer.span.start, loops, terms, 0)
        if base is None:
            return None
        axes: dict[str, list[str]] = {}
        for term, times in terms:
            stride, index = self._split(term)
            axes.setdefault(stride, []).append(f"{times}*{_tight(index)}" if times and index != "1" else times or index)
        ordered = [(stride, " + ".join(indices)) for stride, indices in axes.items() if stride != "1"]
        if "1" in axes:
            ordered.append(("1", " + ".join(axes["1"])))
        return Address(base, tuple(ordered))

    # -- pointers ----------------------------------------------------------------------------------------

    def _base(
        self, node: t.Expr, at: int, loops: tuple[t.For | t.While, ...], terms: list[tuple[t.Expr, str]], hops: int
    ) -> str | None:
        """The argument behind a pointer; the offsets on the way are added to `terms`."""
        if hops > MAX_HOPS:
            return None
        match node:
            case t.BinOp(op="+"):
                first, second = (node.left, node.right) if self._leads(node.left) else (node.right, node.left)
                base = self._base(first, at, loops, terms, hops + 1)
                terms.extend((term, "") for term in self._terms(second))
                return base
            case t.Name() if node.id in self.given:
                return self._named(node.id, at, loops, terms, hops)
            case t.Name():
                return node.id
            case t.Call() if isinstance(node.func, t.Attribute) and node.func.attr in ("to", "cast"):
                return self._base(node.func.value, at, loops, terms, hops + 1)
            case t.Call() if node.args and self.is_address(node.args[0]):  # multiple_of and its kin
                return self._base(node.args[0], at, loops, terms, hops + 1)
            case t.Subscript():
                return self._base(node.value, at, loops, terms, hops + 1)
            case _:
                return None

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

    def _named(
        self,
        name: str,
        at: int,
        loops: tuple[t.For | t.While, ...],
        terms: list[tuple[t.Expr, str]],
        hops: int,
    ) -> str | None:
        """What a name was given last, and what was added to it since or is added in each round."""
        given = self.given[name]
        last = self._last(name, at)
        if last is None and (name not in self.params or any(not g.adds and g.end <= at for g in given)):
            return None
        here = self._tests(at)
        for added in (g for g in given if g.adds and not _contradict(self._tests(g.end - 1), here)):
            rounds = self._rounds(added, last, loops)
            if rounds is not None:
                terms.extend((term, _round(rounds, self.text)) for term in _sum(added.value))
            elif (last.end if last else 0) <= added.end <= at and not set(added.loops) - set(loops):
                terms.extend((term, "") for term in _sum(added.value))
        if last is None or (isinstance(last.value, t.Name) and last.value.id == name):
            return name
        return self._base(last.value, last.value.span.start, last.loops, terms, hops + 1)

    def _last(self, name: str, at: int) -> _Given | None:
        """What a name was given last before a place; None where it was given nothing, or branches gave it."""
        here = self._tests(at)
        whole = [g for g in self.given.get(name, ()) if not g.adds and g.end <= at]
        for given in reversed(whole):
            tests = self._tests(given.end - 1)
            if _contradict(tests, here):
                continue
            return given if tests <= here or len(whole) == 1 else None
        return None

    def _tests(self, at: int) -> frozenset[tuple[str, bool]]:
        """The tests that hold or fail where a place is reached."""
        return frozenset((self.text(test), holds) for span, test, holds in self.sides if at in span)

    def _rounds(self, added: _Given, last: _Given | None, loops: tuple[t.For | t.While, ...]) -> t.For | t.While | None:
        """The loop around a place whose rounds add to what was given before it."""
        before = last.loops if last is not None else ()
        return next((loop for loop in reversed(added.loops) if loop in loops and loop not in before), None)

    # -- block pointers ----------------------------------------------------------------------------------

    def _block(self, pointer: t.Expr, loops: tuple[t.For | t.While, ...]) -> Address | None:
        """Through `make_block_ptr`: `base[offset : +size, ...]`, moved on by `advance`."""
        last = self._last(pointer.id, pointer.span.start) if isinstance(pointer, t.Name) else None
        made = last.value if last is not None else pointer
        if isinstance(made, t.Name) and made.id in self.params:
            return self._moved(pointer, last, loops, made.id, self._shape(pointer))
        if not isinstance(made, t.Call) or not isinstance(made.func, t.Attribute) or made.func.attr != "make_block_ptr":
            return None
        names = ("base", "shape", "strides", "offsets", "block_shape", "order")
        given = dict(zip(names, made.args, strict=False)) | {k.arg: k.value for k in made.keywords if k.arg}
        base, offsets, sizes = given.get("base"), given.get("offsets"), given.get("block_shape")
        if base is None or not isinstance(offsets, t.Tuple | t.List) or not isinstance(sizes, t.Tuple | t.List):
            return None
        parts = [(self.text(o), self.text(n)) for o, n in zip(offsets.elts, sizes.elts, strict=False)]
        start = self.address(base, last.loops if last is not None else loops)
        named = start.element() if start is not None and start.axes else _tight(self.text(base))
        return self._moved(pointer, last, loops, named, parts)

    def _shape(self, pointer: t.Expr) -> list[tuple[str, str]]:
        """The block behind a parameter, from where the caller let it point."""
        value = self._value(pointer)
        sizes = value.shape if isinstance(value, BlockPointer) else None
        return [("0", render(size, tuple(self.params)) if size is not None else "?") for size in sizes or ()]

    def _moved(
        self,
        pointer: t.Expr,
        last: _Given | None,
        loops: tuple[t.For | t.While, ...],
        base: str,
        parts: list[tuple[str, str]],
    ) -> Address:
        """A block with its (start, size) per dim, moved on by what rounds of loops advance it."""
        starts = [start for start, _ in parts]
        for added in self.given.get(pointer.id, ()) if isinstance(pointer, t.Name) else ():
            loop = self._rounds(added, last, loops) if added.adds else None
            steps = added.value.args[-1] if isinstance(added.value, t.Call) and added.value.args else None
            if loop is None or not isinstance(steps, t.Tuple | t.List):
                continue
            for axis, step in enumerate(steps.elts[: len(starts)]):
                if not (isinstance(step, t.Constant) and step.value == 0):
                    moved = f"{_round(loop, self.text)}*{_tight(self.text(step))}"
                    starts[axis] = moved if starts[axis] == "0" else f"{starts[axis]} + {moved}"
        return Address(base, tuple(("", f"{start} : +{size}") for start, (_, size) in zip(starts, parts, strict=True)))

    def _terms(self, node: t.Expr, hops: int = 0) -> Iterator[t.Expr]:
        """The addends of an offset; a name that holds a sum of products with strides is taken apart."""
        for term in _sum(node):
            given = self.given.get(term.id, []) if isinstance(term, t.Name) else []
            if len(given) == 1 and not given[0].adds and hops < MAX_HOPS and self._has_stride(given[0].value):
                yield from self._terms(given[0].value, hops + 1)
            else:
                yield term

    def _has_stride(self, node: t.Expr) -> bool:
        """Whether one of the addends is a product with an argument that is no constant."""
        strides = self.params - self.constexprs
        return any(
            len(factors) > 1 and any(isinstance(f, t.Name) and f.id in strides for f in factors)
            for factors in (list(_factors(term)) for term in _sum(node))
        )

    # -- offsets -----------------------------------------------------------------------------------------

    def _split(self, term: t.Expr) -> tuple[str, str]:
        """(stride, index) of one addend: a factor that is an argument of the kernel is the stride."""
        factors = list(_factors(term))
        if len(factors) == 1:
            return "1", self.text(bare(factors[0]))
        strides = [f for f in factors if isinstance(f, t.Name) and f.id in self.params - self.constexprs]
        if not strides or len(strides) == len(factors):
            strides = [f for f in factors if self._is_size(f)][-1:]
        if not strides or len(strides) == len(factors):
            return "1", self.text(bare(term))
        rest = [f for f in factors if f not in strides]
        return "*".join(map(self.text, strides)), "*".join(_tight(self.text(bare(f))) for f in rest)

    def _is_size(self, node: t.Expr) -> bool:
        """Whether a factor is made of arguments only: the same for every program and element."""
        names = [inner.id for inner in t.walk(node) if isinstance(inner, t.Name)]
        return bool(names) and all(name in self.params and name not in self.given for name in names)


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


def _contradict(a: frozenset[tuple[str, bool]], b: frozenset[tuple[str, bool]]) -> bool:
    """Whether no run passes both places."""
    return any((test, not holds) in b for test, holds in a)


def _assignments(body: list[t.Stmt], loops: tuple[t.For | t.While, ...]) -> Iterator[tuple[str, _Given]]:
    for statement in body:
        end = statement.span.end
        match statement:
            case t.Assign(targets=[t.Name(id=name)], value=t.BinOp(left=t.Name(id=same), op="+", right=added)) if (
                same == name
            ):
                yield name, _Given(added, end, loops, True)
            case t.Assign(targets=[t.Name(id=name)], value=t.Call(args=[t.Name(id=same), *_]) as call) if (
                same == name and isinstance(call.func, t.Attribute) and call.func.attr == "advance"
            ):
                yield name, _Given(call, end, loops, True)
            case t.Assign(targets=[t.Name(id=name)]):
                yield name, _Given(statement.value, end, loops, False)
            case t.Assign():
                for target in statement.targets:
                    for inner in t.walk(target):
                        if isinstance(inner, t.Name):
                            yield inner.id, _Given(inner, end, loops, False)
            case t.AnnAssign(target=t.Name(id=name), value=value) if value is not None:
                yield name, _Given(value, end, loops, False)
            case t.AugAssign(target=t.Name(id=name)):
                yield name, _Given(statement.value, end, loops, statement.op == "+")
            case t.For() | t.While():
                yield from _assignments(statement.body, (*loops, statement))
            case t.If():
                yield from _assignments(statement.body, loops)
                yield from _assignments(statement.orelse, loops)
            case t.With():
                yield from _assignments(statement.body, loops)
            case _:
                pass
