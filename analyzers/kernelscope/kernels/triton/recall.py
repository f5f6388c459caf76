"""What expressions gave before: where the names in one hold the same again, its value and reports are told once more.

A kernel is followed round by round and once per way through its switches, and most of its text sees the same values
each time. Rules only report to the interpretation and never ask it anything, so that the names decide all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from kernelscope.kernels.triton.values import Const, Items, Value
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t

MAX_KEPT = 8
"""Combinations of values for which one expression is kept."""
ASKS = (t.IfExp, t.NamedExpr, t.ListComp, t.GeneratorExp, t.Lambda)
"""Forms that ask which way is followed, or bind names."""

Held = tuple[Value | None, ...]
"""What the names in an expression hold; None for those from outside."""


class Report(NamedTuple):
    """Something that an operation told its interpretation, and the calls that it belongs to."""

    tell: Callable[..., None]
    arguments: tuple[object, ...]
    outer: Span | None
    inner: Span | None


@dataclass(slots=True, eq=False)
class Trial:
    """One evaluation that is being written down."""

    seen: dict[Span, Value] = field(default_factory=dict[Span, Value])
    reports: list[Report] = field(default_factory=list[Report])
    depends: bool = False
    """Whether it rests on more than its names: a helper was followed, or a name without a value was read."""


@dataclass(slots=True, eq=False)
class Kept:
    """What an expression gave while its names held these values."""

    held: Held
    value: Value
    trial: Trial
    steps: int
    inner: Span | None


class Recall:
    """The expressions of the functions that are interpreted together."""

    def __init__(self) -> None:
        self._names: dict[t.Expr, tuple[str, ...] | None] = {}
        self._kept: dict[tuple[t.Expr, bool], list[Kept]] = {}
        self.switches: dict[t.Expr, tuple[str, bool] | None] = {}
        """Which tests are switches: their text, and whether they are meant as it stands."""

    def names(self, node: t.Expr) -> tuple[str, ...] | None:
        """The names in an expression; None for one that is not kept."""
        if node not in self._names:
            self._names[node] = _names(node)
        return self._names[node]

    def known(self, node: t.Expr, on_top: bool, held: Held) -> Kept | None:
        """`on_top`: whether it stands in the outermost function, for which more is written down."""
        for kept in self._kept.get((node, on_top), ()):
            if all(map(_same, kept.held, held)):
                return kept
        return None

    def keep(self, node: t.Expr, on_top: bool, kept: Kept) -> None:
        if kept.trial.depends:
            self._names[node] = None
            return
        known = self._kept.setdefault((node, on_top), [])
        known.insert(0, kept)
        del known[MAX_KEPT:]


def _names(node: t.Expr) -> tuple[str, ...] | None:
    if isinstance(node, t.Name | t.Constant | t.Attribute):
        return None
    names: dict[str, None] = {}
    for inner in t.walk(node):
        if isinstance(inner, ASKS):
            return None
        if isinstance(inner, t.Name):
            names[inner.id] = None
    return tuple(names)


def _same(a: Value | None, b: Value | None) -> bool:
    """Whether two values are alike in every respect: `1` is not `True` here."""
    if a is b:
        return True
    if a.__class__ is not b.__class__:
        return False
    if isinstance(a, Const) and isinstance(b, Const):
        return a.value.__class__ is b.value.__class__ and a == b
    if isinstance(a, Items) and isinstance(b, Items):
        return len(a.items) == len(b.items) and all(map(_same, a.items, b.items))
    return a == b
