"""Offsets of pointers taken apart: addends, each a product of an index and a stride, as where the address was made.

Works on the text of one function. Knows nothing of pointers or blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

from kernelscope.kernels.triton.assignments import Assignments, Given, Place, Tests, Text
from kernelscope.kernels.triton.bodies import all_calls, made_of, nodes_of
from kernelscope.kernels.triton.parameters import is_constexpr
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.substitution import substituted

MAX_HOPS = 12
MAX_INLINED = 60
"""How long the text of a definition may be that stands for a name which holds something else by now."""


@dataclass(frozen=True, slots=True)
class Term:
    """An addend of an offset, where it was written, by the number of which round it counts, and the tests that it is
    behind."""

    node: t.Expr
    place: Place
    times: str = ""
    behind: Tests = frozenset()
    minus: bool = False
    """Whether it is taken away."""


class Offsets:
    """The offsets of one function's pointers. `text`: how an expression is written."""

    def __init__(self, node: t.FunctionDef, assigned: Assignments, text: Text) -> None:
        self.text = text
        self.assigned = assigned
        self.constexprs = {p.name for p in node.args if is_constexpr(p.annotation)}
        self.lengths = self.constexprs & _counts(node)
        """The compiler's constants that blocks and loops are as long as; others may be strides of what is none."""
        self.params = {p.name for p in node.args}

    def terms(self, node: t.Expr, place: Place, hops: int = 0) -> Iterator[Term]:
        """The addends of an offset; a name that holds a sum of products with strides is taken apart."""
        for term in operands(node, "+"):
            inner, spread = _unspread(term)
            made = self._sum_behind(inner, place) if hops < MAX_HOPS else None
            if made is not None:
                value, there = _uncast(made.value), Place(made.value.span.start, made.loops)
                yield from self.terms(self.spread(value, spread), there, hops + 1)
            elif spread and isinstance(inner, t.BinOp) and inner.op in ("+", "*") and self._has_stride(inner):
                yield from self.terms(self.spread(inner, spread), place, hops + 1)
            else:
                yield Term(term, place)

    def spread(self, node: t.Expr, slices: list[t.Expr]) -> t.Expr:
        """`(a * s + b)[:, None]` as `a[:, None] * s + b[:, None]`: what is spread out are indices, not strides."""
        if not slices or self._is_size(node) or isinstance(node, t.Constant):
            return node
        if isinstance(node, t.BinOp) and node.op in ("+", "*"):
            left, right = self.spread(node.left, slices), self.spread(node.right, slices)
            return t.BinOp(left, node.op, right, node.span)
        for part in reversed(slices):
            node = t.Subscript(node, part, node.span)
        return node

    def _sum_behind(self, term: t.Expr, place: Place) -> Given | None:
        """The assignment of a name that holds products with strides, where it holds them still."""
        made = self.assigned.last(term.id, place.at) if isinstance(term, t.Name) else None
        if made is None or not isinstance(term, t.Name) or not self._has_stride(made.value):
            return None
        return None if self.assigned.outdated(term.id, Place(made.end, made.loops), place) else made

    def _has_stride(self, node: t.Expr) -> bool:
        """Whether one of the addends is a product with a stride; what it is of the length of a range beside it is not:
        `tile * B + arange(0, B)` is one index."""
        terms = list(operands(_uncast(node), "+"))
        ranges = (call for call in map(bare, terms) if isinstance(call, t.Call) and called(call) == "arange")
        lengths = {self.text(call.args[-1]) for call in ranges if call.args}
        return any(
            len(factors) > 1
            and lengths.isdisjoint(map(self.text, factors))
            and any(self._is_stride(factor, self._fixed(factors)) for factor in factors)
            for factors in (list(operands(term, "*")) for term in terms)
        )

    def split(self, term: t.Expr, others: Set[str] = frozenset()) -> tuple[str, str]:
        """(stride, index) of one addend: a factor that is an argument of the kernel is the stride, with the numbers
        and those of the strides of `others` that stand beside it, unless it is such a stride by itself."""
        strides, rest = self._sides(term)
        if not strides:
            return "1", self.text(bare(term))
        stride = self._product(strides)
        if others and stride not in others:
            wide = [f for f in rest if isinstance(f, t.Constant) or (self._is_size(f) and self.text(f) in others)]
            if len(wide) < len(rest):
                strides = [f for f in operands(term, "*") if f in strides or f in wide]
                return self._product(strides), self._product([bare(f) for f in rest if f not in wide])
        return stride, self._product([bare(f) for f in rest])

    def _product(self, factors: list[t.Expr]) -> str:
        return "*".join(tight(self.text(factor)) for factor in factors)

    def _sides(self, term: t.Expr) -> tuple[list[t.Expr], list[t.Expr]]:
        """The factors of one addend that are its stride, and those that are the index; no stride where it is 1."""
        factors = list(operands(term, "*"))
        if len(factors) == 1:
            return [], factors
        fixed = self._fixed(factors)
        strides: list[t.Expr] = [f for f in factors if isinstance(f, t.Name) and f.id in self.params - fixed]
        if not strides or len(strides) == len(factors):
            strides = [f for f in factors if self._is_stride(f, fixed)][-1:]
        if not strides and not all(map(self._is_size, factors)):
            strides = [f for f in factors if self._is_size(f)][-1:]
        if not strides or len(strides) == len(factors):
            return [], factors
        return strides, [f for f in factors if f not in strides]

    def split_by(self, strides: Set[str], term: Term, used: Place) -> tuple[str, str] | None:
        """(stride, index) of an addend whose last factor is one of these strides, though a compiler's constant."""
        *rest, last = operands(self.as_of(term.node, term.place, used, 0), "*")
        stride = tight(self.text(last))
        if not rest or stride not in strides or stride == "1":
            return None
        return stride, self._product([bare(factor) for factor in rest])

    def _is_size(self, node: t.Expr) -> bool:
        """Whether a factor is made of arguments only: the same for every program and element."""
        if isinstance(node, t.Name):
            return node.id in self.params and node.id not in self.assigned.given
        names = [inner.id for inner in t.walk(node) if isinstance(inner, t.Name)]
        return bool(names) and all(name in self.params and name not in self.assigned.given for name in names)

    def _fixed(self, factors: list[t.Expr]) -> set[str]:
        """The constants of the compiler that are no strides in a product."""
        return self.constexprs if all(map(self._is_size, factors)) else self.lengths

    def _is_stride(self, node: t.Expr, fixed: Set[str]) -> bool:
        """Whether a factor is a size that not only such constants make."""
        if isinstance(node, t.Name):
            return self._is_size(node) and node.id not in fixed
        return self._is_size(node) and any(isinstance(n, t.Name) and n.id not in fixed for n in t.walk(node))

    def as_of(self, node: t.Expr, made: Place, used: Place, hops: int) -> t.Expr:
        """An index as it was when the address was made, for a reader at another place: names that hold something else
        there give way to their definitions."""

        def known(name: t.Name) -> t.Expr | None:
            if not self.assigned.outdated(name.id, made, used):
                return None
            last = self.assigned.last(name.id, made.at)
            moved = any(added.end <= made.at for added in self.assigned.added(name.id, made.at))
            if last is not None and hops < MAX_HOPS and not moved:
                there = Place(last.value.span.start, last.loops)
                inner = self.as_of(_unhinted(last.value), there, used, hops + 1)
                if len(self.text(inner)) <= MAX_INLINED:
                    return inner
            return t.Name(f"earlier {name.id}", name.span)

        return substituted(node, known)


LENGTHS = frozenset(("arange", "zeros", "full", "range", "static_range", "cdiv", "make_block_ptr", "broadcast_to"))
"""What is given how many elements or rounds there are."""


def _counts(node: t.FunctionDef) -> set[str]:
    """The names that lengths of blocks and loops are made of."""
    given = (value for name, call in all_calls(node) if name in LENGTHS for value in call.args)
    looped = (loop.iter for loop in nodes_of(node, t.For))
    found = (n.id for value in (*given, *looped) for n in made_of(node, value) if isinstance(n, t.Name))
    return set(found)


def _unspread(node: t.Expr) -> tuple[t.Expr, list[t.Expr]]:
    """What is under `[:, None]`s that only spread it, and those, the outermost first."""
    slices: list[t.Expr] = []
    while isinstance(node, t.Subscript) and spread_along(node.slice) is not None:
        slices.append(node.slice)
        node = node.value
    return node, slices


def spread_along(index: t.Expr) -> tuple[int, ...] | None:
    """The axes that an index which only spreads a block lays it along: (1,) of `[None, :]`; None of others."""
    parts = index.elts if isinstance(index, t.Tuple) else [index]
    if not all(isinstance(p, t.Slice) or (isinstance(p, t.Constant) and p.value is None) for p in parts):
        return None
    return tuple(axis for axis, part in enumerate(parts) if isinstance(part, t.Slice))


def bare(node: t.Expr) -> t.Expr:
    """An index without the `[:, None]` that only spreads it."""
    node, _ = _unspread(node)
    if isinstance(node, t.BinOp):
        return t.BinOp(bare(node.left), node.op, bare(node.right), node.span)
    return node


def chosen(indices: list[tuple[str, Tests]]) -> str:
    """The sum of indices, those that are behind tests as `(a if test else b)`."""
    parts: list[str] = []
    left = list(indices)
    while left:
        index, behind = left.pop(0)
        if not behind:
            parts.append(index)
            continue
        other = next((one for one in left if _is_other_side(behind, one[1])), None)
        if other is not None:
            left.remove(other)
        otherwise = other[0] if other is not None else "0"
        parts.append(f"({index} if {_condition(behind)} else {otherwise})" if index != otherwise else index)
    return " + ".join(parts).replace("+ -", "- ")


def _is_other_side(a: Tests, b: Tests) -> bool:
    """Whether of two places behind tests a run passes one or the other."""
    return len(a) == 1 == len(b) and b == frozenset((test, not holds) for test, holds in a)


def _condition(behind: Tests) -> str:
    written = [test if holds and len(behind) == 1 else tight(test) for test, holds in sorted(behind)]
    sides = zip(written, (holds for _, holds in sorted(behind)), strict=True)
    return " and ".join(text if holds else f"not {text}" for text, holds in sides)


def tight(text: str) -> str:
    """In brackets where it is more than one word."""
    return f"({text})" if " " in text and not _is_bracketed(text) else text


def _is_bracketed(text: str) -> bool:
    """Whether one pair of brackets stands around it all."""
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign in "([") - (sign in ")]")
        if depth == 0:
            return place == len(text) - 1 and text[0] == "("
    return False


def called(call: t.Call) -> str:
    return call.func.attr if isinstance(call.func, t.Attribute) else (t.dotted(call.func) or "")


def _uncast(node: t.Expr) -> t.Expr:
    """A sum without the cast around it."""
    while isinstance(node, t.Call) and isinstance(node.func, t.Attribute) and node.func.attr == "to":
        node = node.func.value
    return node


def _unhinted(node: t.Expr) -> t.Expr:
    """A definition without the promises to the compiler around it."""
    while isinstance(node, t.Call) and called(node) in ("multiple_of", "max_contiguous", "max_constancy") and node.args:
        node = node.args[0]
    return node


def operands(node: t.Expr, op: str) -> Iterator[t.Expr]:
    """What one operator joins, one after the other: a, b and c of `a + b + c`."""
    if isinstance(node, t.BinOp) and node.op == op:
        yield from operands(node.left, op)
        yield from operands(node.right, op)
    else:
        yield node
