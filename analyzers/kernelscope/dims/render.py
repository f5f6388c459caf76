"""A Dim as text that evaluates to the same number: `num_heads*head_dim`, `(H-1)//2 + 1`, `cdiv(M, BLOCK_M)`.

Factors and terms come in the order in which `order` names them, normally that of the enclosing function's source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from kernelscope.dims.bits import BIT_OPERATIONS
from kernelscope.dims.monomial import Atom, Monomial, Opaque, times
from kernelscope.dims.polynomial import Dim

_PLAIN = re.compile(r"[^\W\d][\w.]*\Z")
_LOOSE, _SUM, _PRODUCT, _PRIMARY = range(4)
_CALLS = {"max": "max", "min": "min", "cdiv": "cdiv"}


def render(d: Dim, order: Sequence[str] = ()) -> str:
    """The text of a Dim; names that `order` lacks come last, alphabetically."""
    number = d.const
    if number is not None:
        return str(number)
    return _text(d, {name: i for i, name in enumerate(reversed(order), 1)}, outer=True)[0]


Terms = tuple[tuple[Monomial, int], ...]
Ranks = dict[str, int]
"""How early a name comes: higher is earlier, 0 for unknown names."""


def _text(d: Dim, ranks: Ranks, outer: bool) -> tuple[str, int]:
    """The text and how tightly it binds."""
    if not d.terms:
        return "0", _PRIMARY
    terms = sorted(_rounded_up(d.terms), key=lambda term: _term_order(term, ranks))
    text, level = _term(*terms[0], ranks)
    if len(terms) == 1:
        return text, level
    if level == _LOOSE:
        text = f"({text})"
    gap = " " if outer and any(isinstance(atom, Opaque) for atom in d.atoms()) else ""
    for monomial, coefficient in terms[1:]:
        sign = "-" if coefficient < 0 else "+"
        term, level = _term(monomial, abs(coefficient), ranks)
        text += f"{gap}{sign}{gap}{term if level > _LOOSE else f'({term})'}"
    return text, _SUM


def _rounded_up(terms: Terms) -> Terms:
    """The terms with `cdiv(a, b)` for `(a-1)//b + 1`, also `b*cdiv(a, b)` for `b*((a-1)//b) + b`.

    That is what rounds up by a size, which is positive; what is divided by a number stays as it is mostly written.
    """
    sums = dict(terms)
    while len(sums) > 1 and (pair := next(_ceilings(sums), None)) is not None:
        floor, one, ceiling = pair
        coefficient = sums.pop(floor)
        del sums[one]
        sums[ceiling] = sums.get(ceiling, 0) + coefficient
    return tuple(sums.items())


def _ceilings(sums: dict[Monomial, int]) -> Iterator[tuple[Monomial, Monomial, Monomial]]:
    """Terms `x*((a-1)//b)` and `x` of one coefficient, with `x*cdiv(a, b)`."""
    for monomial, coefficient in sums.items():
        for place, (atom, exponent) in enumerate(monomial):
            if not isinstance(atom, Opaque) or atom.op != "//" or exponent != 1 or atom.args[1].const is not None:
                continue
            others = (*monomial[:place], *monomial[place + 1 :])
            upper = dict(atom.args[0].terms)
            if upper.pop((), 0) == -1 and upper and sums.get(others) == coefficient:
                up = Opaque("cdiv", (Dim(tuple(upper.items())), atom.args[1]))
                yield monomial, others, times(others, ((up, 1),))


def _term(monomial: Monomial, coefficient: int, ranks: Ranks) -> tuple[str, int]:
    factors = [f"{abs(coefficient)}"] if abs(coefficient) != 1 or not monomial else []
    alone = coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1
    level = _PRIMARY
    for atom, exponent in sorted(monomial, key=lambda factor: _atom_order(factor[0], ranks)):
        text, level = _atom(atom, ranks)
        if not alone and level < _PRIMARY:
            text = f"({text})"
        if exponent > 2:
            factors.append(f"{text}**{exponent}")
        else:
            factors += [text] * exponent
    if coefficient < 0:
        return "-" + "*".join(factors), _SUM
    if alone:
        return factors[0], level
    return "*".join(factors), _PRIMARY if len(factors) == 1 and not monomial else _PRODUCT


def _atom(atom: Atom, ranks: Ranks) -> tuple[str, int]:
    if isinstance(atom, str):
        return atom, _PRIMARY if is_primary(atom) else _LOOSE
    if atom.op in _CALLS:
        args = sorted(atom.args, key=lambda d: _dim_order(d, ranks)) if atom.op != "cdiv" else atom.args
        return f"{_CALLS[atom.op]}({', '.join(_text(arg, ranks, outer=False)[0] for arg in args)})", _PRIMARY
    if atom.op in BIT_OPERATIONS:
        sides = [_text(arg, ranks, outer=False) for arg in atom.args]
        texts = [text if level == _PRIMARY else f"({text})" for text, level in sides]
        return f" {atom.op} ".join(texts), _LOOSE
    left, level = _text(atom.args[0], ranks, outer=False)
    # A product on the left needs no brackets before `//`: `a*b//c` is `(a*b)//c`; before `%` it is left-to-right too.
    if level < _PRODUCT:
        left = f"({left})"
    right, level = _text(atom.args[1], ranks, outer=False)
    if level < _PRIMARY:
        right = f"({right})"
    return f"{left}{atom.op}{right}", _PRODUCT


def _term_order(term: tuple[Monomial, int], ranks: Ranks) -> tuple[object, ...]:
    monomial, coefficient = term
    early = max((_rank(atom, ranks) for atom, _ in monomial), default=0)
    degree = sum(e for _, e in monomial)
    return (coefficient < 0, not monomial, -degree, -early, [_atom_order(a, ranks) for a, _ in monomial])


def _atom_order(atom: Atom, ranks: Ranks) -> tuple[object, ...]:
    return (-_rank(atom, ranks), (0, atom) if isinstance(atom, str) else atom.key)


def _dim_order(d: Dim, ranks: Ranks) -> tuple[object, ...]:
    number = d.const
    return (number is not None, -max((_rank(atom, ranks) for atom in d.atoms()), default=0), d.key)


def _rank(atom: Atom, ranks: Ranks) -> int:
    if isinstance(atom, str):
        return ranks.get(atom, 0)
    return max((ranks.get(name, 0) for arg in atom.args for name in arg.names()), default=0)


@lru_cache(4096)
def is_primary(name: str) -> bool:
    """Whether a name binds as tightly as an identifier: dotted names, calls and subscripts do, `a or b` does not."""
    if _PLAIN.match(name):
        return True
    depth = 0
    for i, char in enumerate(name):
        if char in "([":
            if not i:
                return False
            depth += 1
        elif char in ")]":
            depth -= 1
            if depth < 0:
                return False
        elif not depth and not (char.isalnum() or char in "_."):
            return False
    return depth == 0 and bool(name) and not name[0].isdigit()
