"""Short names for the dims of one picture, with a legend: `H` for `config.hidden_size`.

A name of up to four characters stays as it is. Which shapes are shown is the caller's choice.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from kernelscope.dims import NO_FACTS, Dim, DimLike, Facts, dim, maximum, product, render, total
from kernelscope.dims.monomial import Atom, Opaque
from kernelscope.dims.polynomial import apply
from kernelscope.dims.spelling import SEPARATOR, is_of_dim, spelled
from kernelscope.explain.document import Block, Line, Paragraph, Table
from kernelscope.tensor import DType, Shape, Size, Tensor, Unknown

PLAIN_LENGTH = 4
NAMELESS = re.compile(r"^(.+?)_(?:dim|size)([0-9]+)((?:_[0-9]+)*)$")
"""Sizes that the source does not name are called after the variable and the axis."""
NUMBERED = re.compile(r"(?:(?<=[a-z])|(?<=[a-z]_[0-9]))_[0-9]+$")
WEAK_WORDS = {"num", "n", "number", "of", "size", "dim", "total", "max"}
"""Words of a name that say little: a letter for them only where it is needed to tell names apart."""
LENGTHS = {"sequence_length", "seq_length", "sequence_len", "seq_len", "seqlen"}
"""Names of the length of a sequence, for which everybody writes `S`."""
MOST_INITIALS = 3
LONGEST_NAME = 8
"""A name of up to so many characters is written out before letters get numbers."""
BATCHES = {"b", "bs", "bsz", "batch", "batch_size"}
"""Names of a batch: where one stands at another axis, the first is none."""


USUAL = {"B": BATCHES | {"batched"}, "S": {"s", "seq", "sequence", "seqlen", "steps", "samples"}}
"""Letters that everybody reads as a batch and a length: no other sizes are called so, such as `n_state`."""


class DimNames:
    """Shapes as texts: numbers for what is bound, letters for long names, one name for sizes that are equal."""

    def __init__(
        self,
        shapes: Iterable[Shape],
        order: Sequence[str] = (),
        bindings: Mapping[str, int] | None = None,
        called: Mapping[str, str] | None = None,
        known: Facts = NO_FACTS,
        letters: Mapping[str, str] | None = None,
    ) -> None:
        """`called` are variables that hold sizes which have no name of their own, `letters` what to write for some."""
        bindings, self._called, letters = bindings or {}, called or {}, letters or {}
        self._known = replace(known, equal={n: v for n, v in known.equal.items() if "." not in n or is_of_dim(n)})
        names = dict.fromkeys(name for shape in shapes for name in self.settled_shape(shape).names())
        self.numbers: dict[str, DimLike] = dict(spelled(names, bindings))
        self.short: dict[str, str] = {}
        self._order = order
        taken = {n for n in names if len(n) <= PLAIN_LENGTH}
        claimed = {self._word(name) for name in names}
        own = {word for word in claimed if len(word) <= PLAIN_LENGTH}
        """Words of the source, which stand for no other: what it calls `H` leaves `heads` another letter."""
        for name in sorted(names, key=is_of_dim):  # names of the source first
            if name not in self.numbers and len(name) > PLAIN_LENGTH:
                word = self._word(name)
                letter = letters.get(name) or ("S" if word.rpartition(".")[2] in LENGTHS else "")
                if (base := without_number(word)) not in claimed:  # the number tells it from nothing that is here
                    claimed.add(base)
                    word = base
                is_plain = len(word) <= PLAIN_LENGTH and word not in taken
                is_usual = letter and not is_plain and letter not in taken | own
                self.short[name] = word if is_plain else letter if is_usual else _abbreviation(word, taken | own)
                taken.add(self.short[name])
        self.numbers |= {name: bindings[s] for name, s in self.short.items() if s in bindings}
        self.renamed: dict[str, DimLike] = {n: dim(s) for n, s in self.short.items()} | self.numbers
        ranks = {name: index for index, name in enumerate(order)}
        by_rank = sorted(names, key=lambda n: ranks.get(n, -1 if len(n) <= PLAIN_LENGTH else len(ranks)))
        self.ranked = tuple(self.short.get(n, n) for n in by_rank)

    def _word(self, name: str) -> str:
        """What a size is called in the source: its name, or the variable that holds it."""
        return self._called.get(name) or name.partition(SEPARATOR)[0]

    def size(self, size: Dim | Unknown) -> str:
        """One size."""
        if isinstance(size, Unknown):
            return "?"
        size = self.settled(size)
        return render(size.subs(self._names(size.names())), self.ranked)

    def in_full(self, size: Dim) -> str:
        """One size where no legend stands by: `hit.shape[0]` for one that has no name of its own."""
        return re.sub(r"[A-Za-z_][\w.]*", lambda found: _spelled_out(found[0], ()), self.size(size))

    def settled(self, size: Dim) -> Dim:
        """A size as it is told: equal ones alike, without the doubt of `settled`."""
        return settled(self._known.rewrite(size))

    def settled_shape(self, shape: Shape) -> Shape:
        """The same of all sizes of a shape."""

        def settle(sizes: tuple[Size, ...]) -> tuple[Size, ...]:
            return tuple(self.settled(s) if isinstance(s, Dim) else s for s in sizes)

        return Shape(settle(shape.head), None if shape.tail is None else settle(shape.tail), shape.reason)

    def shape(self, shape: Shape) -> str:
        """`[B, S, H]`."""
        try:
            shape = self.settled_shape(shape)
            return shape.subs(self._names(shape.names())).render(self.ranked)
        except ArithmeticError:
            return shape.render(self._order)

    def _names(self, names: Iterable[str]) -> dict[str, DimLike]:
        """What is written for names; one that was not among the shapes at first is written without its call."""
        new = {n: dim(n.partition(SEPARATOR)[0]) for n in names if SEPARATOR in n and n not in self.renamed}
        return {**self.renamed, **new}

    def tensor(self, value: Tensor | Unknown, with_dtype: bool = False) -> str:
        """`[B, S, H]`, `[B, S] int64`; `?` for what may not even be a tensor."""
        if isinstance(value, Unknown):
            return "?"
        dtype = f" {value.dtype}" if with_dtype and isinstance(value.dtype, DType) else ""
        return ("[...]" if value.shape.dims is None and not value.shape.least_rank else self.shape(value.shape)) + dtype

    def legend(self, texts: Iterable[str]) -> list[str]:
        """`H = config.hidden_size`, for the letters that occur in the texts."""
        used = {word for text in texts for word in re.findall(r"[A-Za-z_]\w*", text)}
        words = {short: self._word(name) for name, short in self.short.items()}
        bases = Counter(without_number(word) for short, word in words.items() if short in used)
        held = {*words.values(), *(base for base, count in bases.items() if count > 1)}
        long = {short: _spelled_out(word, held) for short, word in words.items() if short in used}
        return [f"{short} = {name}" for short, name in long.items() if short != name]

    def legend_of(self, *tables: Table, texts: Iterable[str] = ()) -> list[Block]:
        """The legend of what tables and other texts hold, as the line below; nothing where no letter occurs."""
        cells = [cell.text for table in tables for row in table.rows for cell in row]
        legend = self.legend([*cells, *texts])
        return [Paragraph((Line(" · ".join(legend)),))] if legend else []


def usual_letters(shape: Shape, called: Mapping[str, str]) -> dict[str, str]:
    """What one writes for the sizes of a function's first input that the source has no name for: `B` and `S` before
    features, `B`, `H` and `W` around channels. `called` are variables that hold sizes."""
    if any(called.get(name, name).lower() in BATCHES for name in shape.names()):
        return {}
    usual = [(size.name, letter) for size, letter in _usual(shape)]
    return {name: letter for name, letter in usual if name is not None and is_of_dim(name) and name not in called}


def _usual(shape: Shape) -> Iterator[tuple[Dim, str]]:
    match shape.dims:
        case (Dim() as batch, Dim() as length, Dim() as features) if not is_of_dim(features.name or ""):
            yield from ((batch, "B"), (length, "S"))
        case (Dim() as batch, _, Dim() as height, Dim() as width):
            yield from ((batch, "B"), (height, "H"), (width, "W"))
        case (Dim() as batch, _, _):
            yield batch, "B"
        case _:
            pass


def settled(size: Dim) -> Dim:
    """Where operands broadcast, a size without a name of its own agrees with one that has a name, or is 1."""
    if not any(isinstance(atom, Opaque) for atom in size.atoms()):
        return size
    return total(product((coefficient, *(_settled_atom(a) ** e for a, e in m))) for m, coefficient in size.terms)


def _settled_atom(atom: Atom) -> Dim:
    if isinstance(atom, str):
        return dim(atom)
    args = tuple(settled(arg) for arg in atom.args)
    named = [arg for arg in args if not any(NAMELESS.search(name) for name in arg.names())]
    if atom.op == "max" and named and len(named) < len(args):
        return maximum(*named)
    return apply(atom.op, args)


def without_number(name: str) -> str:
    """A name without the number that tells it from others of its kind."""
    nameless = NAMELESS.search(name)
    return NUMBERED.sub("", name) if nameless is None else name.removesuffix(nameless[3])


def _spelled_out(name: str, others: Container[str]) -> str:
    """`x.shape[1]` for the size that is called `x_dim1` for want of a name; a number that tells a name from others is
    left away where these others are not there."""
    nameless, base = NAMELESS.search(name), without_number(name)
    if nameless is None:
        return name if base in others else base
    return f"{nameless[1]}.shape[{nameless[2]}]"


def _abbreviation(name: str, taken: set[str]) -> str:
    """The first letters of a name's words, as few as tell it from those that are taken."""
    last = name.rpartition(".")[2] or name
    words = [w for w in re.split(r"[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z])", last) if w]
    if (nameless := NAMELESS.search(last)) is not None:
        short = _initials(nameless[1].split("_")[-MOST_INITIALS:]).lower() + nameless[2] + nameless[3]
        return _untaken([short], taken, "_")
    strong = [w for w in words if w.lower() not in WEAK_WORDS and not w.isdigit()] or words
    plain = [last] if len(last) <= LONGEST_NAME else []
    meant = {letter for letter, said in USUAL.items() if words and words[0].lower() not in said}
    initials = [_initials(strong), _initials(words)]
    pairs = "".join(w[:2].capitalize() for w in strong)
    choices = [*initials, last, pairs] if len(last) <= PLAIN_LENGTH else [*initials, pairs, *plain]
    return _untaken([choice for choice in choices if choice not in meant] or choices, taken)


def _untaken(choices: list[str], taken: set[str], before_number: str = "") -> str:
    plain = next((choice for choice in choices if choice and choice not in taken and choice[0].isalpha()), None)
    if plain is not None:
        return plain
    base, number = choices[0] or "N", 2
    while f"{base}{before_number}{number}" in taken:
        number += 1
    return f"{base}{before_number}{number}"


def _initials(words: list[str]) -> str:
    return "".join(w if w.isdigit() else w[0].upper() for w in words if w)
