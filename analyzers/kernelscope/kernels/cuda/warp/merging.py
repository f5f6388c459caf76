"""One value out of two that different branches gave: chosen by the condition where it is known, else by a new name.

What is the same in both is kept: pointers into one array stay pointers into it, and a part that differs by lane stays
visible where the two differ only by what is the same in all lanes.
"""

from __future__ import annotations

from math import gcd

from kernelscope.dims import Dim, TooLarge
from kernelscope.kernels.cuda.warp.machine import Machine
from kernelscope.kernels.cuda.warp.values import Data, Int, Memory, Open, Pointer, Record, Symbol, Value

MAX_WEIGHT = 120
MAX_STRIDE = 40
"""Atoms of a distance that is tried beside a number."""


def select(m: Machine, condition: Dim, then: Value, orelse: Value, name: str = "choice") -> Value:
    """`condition ? then : orelse`, where the condition is 0 or 1."""
    if then is orelse or then == orelse:
        return then
    decided = m.known(condition).const
    if decided is not None:
        return then if decided else orelse
    if isinstance(then, Data) and then.unset:
        return orelse
    if isinstance(orelse, Data) and orelse.unset:
        return then
    match then, orelse:
        case Int(d=a), Int(d=b):
            return Int(_stride(m, condition, a, b, name) or _chosen(m, condition, a, b, name))
        case Pointer(), Pointer():
            offset = _chosen(m, condition, then.offset, orelse.offset, name)
            if then.memory is orelse.memory:
                return Pointer(then.memory, offset, then.target)
            return _either(m, condition, then, orelse, offset)
        case Pointer(), Int(d=b) if b.const == 0:
            return then
        case Int(d=a), Pointer() if a.const == 0:
            return orelse
        case Record(), Record() if then.kind == orelse.kind:
            made = Record(then.kind, {}, then.name, then.varying or orelse.varying)
            for member in dict.fromkeys((*then.members, *orelse.members)):
                one, other = m.member(then, member), m.member(orelse, member)
                cell = type(one)(select(m, condition, one.value, other.value, member), one.kind)
                made.members[member] = cell
            return made
        case ((Int() | Open()), (Int() | Open())):
            left, right = m.integer(then), m.integer(orelse)
            if left is not None and right is not None:
                return Int(_chosen(m, condition, left, right, name))
        case _:
            pass
    return Data(m.varying(then) or m.varying(orelse) or m.symbols.varying(condition))


def _either(m: Machine, condition: Dim, then: Pointer, orelse: Pointer, offset: Dim) -> Value:
    """One of two arrays, told with both names; lanes that choose differently lie an unknown distance apart."""
    names = dict.fromkeys((*then.memory.name.split(" or "), *orelse.memory.name.split(" or ")))
    same_space = then.memory.space == orelse.memory.space
    memory = Memory(" or ".join(names), then.memory.space if same_space else "unknown", then.memory.element)
    apart = m.symbols.new(f"&{orelse.memory.name}-&{then.memory.name}", Symbol(size=True))
    try:
        return Pointer(memory, offset + (1 - condition) * apart, then.target)
    except TooLarge:
        return Pointer(memory, m.too_large(offset, condition), then.target)


def _stride(m: Machine, condition: Dim, a: Dim, b: Dim, name: str) -> Dim | None:
    """A number or a length, as `is_column_major ? 1 : width`: both are tried, for neither does for the other."""
    if (a.const is None) == (b.const is None) or a.weight + b.weight > MAX_STRIDE:
        return None
    if any(m.symbols.varying(d) for d in (condition, a, b)):
        return None
    return b + (a - b) * m.symbols.new(name, Symbol(values=(0, 1)))


def _chosen(m: Machine, condition: Dim, a: Dim, b: Dim, name: str) -> Dim:
    if a == b:
        return a
    varying = m.symbols.varying(condition)
    try:
        difference = a - b
        if not varying and difference.const is not None:
            # what both numbers are multiples of stays plain to see
            unit = abs(difference.const) if b.terms else 1
            low, high = sorted((0, difference.const // unit))
            return b + unit * m.symbols.new(name, Symbol(values=(low, high)))
        if not varying and not m.symbols.varying(difference):
            # the part that differs by lane, if any, is the same on both sides; what divides all terms still does
            return b + _common(difference) * m.symbols.new(name, Symbol())
        if condition.weight + difference.weight + b.weight <= MAX_WEIGHT:
            return b + condition * difference
    except TooLarge:
        pass
    return m.symbols.new(name, Symbol(varying or m.symbols.varying(a) or m.symbols.varying(b)))


def _common(d: Dim) -> Dim:
    """What divides all terms."""
    (monomial, factor), *rest = d.terms
    powers = dict(monomial)
    for other, number in rest:
        there = dict(other)
        powers = {atom: min(power, there[atom]) for atom, power in powers.items() if atom in there}
        factor = gcd(factor, number)
    return Dim(((tuple((atom, power) for atom, _ in monomial if (power := powers.get(atom, 0))), abs(factor)),))
