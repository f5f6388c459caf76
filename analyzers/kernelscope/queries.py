"""Memoised questions: each answer remembers what it was computed from and is reused until that has changed.

Inputs are set from outside; questions are functions of inputs and of other questions. Nothing here knows files.

An answer is checked, not thrown away, when an input changes: if what it read comes out equal again (early cut-off),
it stands. A question may be cancelled between two others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar, cast

from msgspec import Struct, field

Answer = TypeVar("Answer")
MAX_ANSWERS = 2_000


class Cancelled(Exception):
    """The one who asked no longer wants the answer. Only `Queries.ask` with `cancelled` raises it."""


class Circle(Exception):
    """A question needs its own answer; carries the question's name."""


class Question(Struct, Generic[Answer], frozen=True):
    """A named function of one hashable key: `Question("outline", make)` is asked as `queries.ask(OUTLINE, path)`."""

    name: str
    compute: Callable[[Queries, Hashable], Answer]


class _Memo(Struct):
    value: object
    changed_at: int
    """The revision at which the value last became different."""
    verified_at: int
    reads: tuple[tuple[_Key, int], ...] = ()
    """What was read, with the revision of its value at that time."""


_Key = tuple[Question[object] | str, Hashable]


class _Frame(Struct):
    """One question being answered: what it has read so far."""

    key: _Key
    reads: dict[_Key, int] = field(default_factory=dict["_Key", int])


class Queries:
    """Inputs and memoised answers. Safe to use from several threads: one question is answered at a time."""

    def __init__(self) -> None:
        self._revision = 0
        self._inputs: dict[_Key, _Memo] = {}
        self._memos: dict[_Key, _Memo] = {}
        self._stack: list[_Frame] = []
        self._cancelled: Callable[[], bool] = lambda: False
        self._lock = threading.RLock()

    def set(self, name: str, key: Hashable, value: object) -> None:
        """Gives an input its value; an equal value changes nothing."""
        with self._lock:
            memo = self._inputs.get((name, key))
            if memo is not None and memo.value == value:
                return
            self._revision += 1
            self._inputs[name, key] = _Memo(value, self._revision, self._revision)

    def read(self, name: str, key: Hashable) -> object:
        """The value of an input, None when it was never set; the question being answered now depends on it."""
        memo = self._inputs.get((name, key))
        if memo is None:
            memo = self._inputs[name, key] = _Memo(None, self._revision, self._revision)
        self._note((name, key), memo)
        return memo.value

    def ask(self, question: Question[Answer], key: Hashable, cancelled: Callable[[], bool] | None = None) -> Answer:
        """The answer, computed only if nothing remembered still holds.

        Raises `Cancelled` when `cancelled` says so between two steps, and `Circle` when the question needs itself.
        """
        with self._lock:
            outer = self._cancelled
            self._cancelled = cancelled or outer
            try:
                memo = self._answer((cast("Question[object]", question), key))
            finally:
                self._cancelled = outer
            self._note((cast("Question[object]", question), key), memo)
            return cast(Answer, memo.value)

    def _note(self, key: _Key, memo: _Memo) -> None:
        if self._stack:
            self._stack[-1].reads[key] = memo.changed_at

    def _answer(self, key: _Key) -> _Memo:
        memo = self._memos.get(key)
        if memo is not None and self._still_holds(memo):
            return memo
        if any(frame.key == key for frame in self._stack):
            raise Circle(str(key[0].name if isinstance(key[0], Question) else key[0]))
        self._check()
        return self._compute(key, memo)

    def _compute(self, key: _Key, old: _Memo | None) -> _Memo:
        question, argument = key
        assert isinstance(question, Question)
        frame = _Frame(key)
        self._stack.append(frame)
        try:
            value = question.compute(self, argument)
        finally:
            self._stack.pop()
        changed = self._revision if old is None or old.value != value else old.changed_at
        kept = value if old is None or changed == self._revision else old.value
        memo = _Memo(kept, changed, self._revision, tuple(frame.reads.items()))
        while len(self._memos) >= MAX_ANSWERS:
            self._memos.pop(next(iter(self._memos)))
        self._memos[key] = memo
        return memo

    def _still_holds(self, memo: _Memo) -> bool:
        """Whether everything that the answer was computed from is as it was; asks anew where it must."""
        if memo.verified_at == self._revision:
            return True
        for key, seen in memo.reads:
            if isinstance(key[0], Question):
                self._check()
                try:
                    changed_at = self._answer(key).changed_at
                except Circle:
                    return False
            else:
                changed_at = self._inputs[key].changed_at
            if changed_at != seen:
                return False
        memo.verified_at = self._revision
        return True

    def _check(self) -> None:
        if self._cancelled():
            raise Cancelled
