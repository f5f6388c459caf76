"""What is worked out of nodes again and again, kept until trees go: one node holds the whole tree of its file.

Who asks holds a node of a tree that is there; what was worked out of others nobody finds any more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import ParamSpec, TypeVar, cast

Asked = ParamSpec("Asked")
Made = TypeVar("Made")

FEW_TREES = 16
"""So many may be held for nothing: what is kept is worth more than these."""


class _Keeping:
    def __init__(self) -> None:
        self.forgetting: list[Callable[[], None]] = []
        self.gone = 0


_keeping = _Keeping()


def kept_of_nodes(most: int) -> Callable[[Callable[Asked, Made]], Callable[Asked, Made]]:
    """Keeps the answers of a function of nodes to the questions that were asked last, at most so many."""

    def keeping(make: Callable[Asked, Made]) -> Callable[Asked, Made]:
        kept = lru_cache(maxsize=most)(make)
        _keeping.forgetting.append(kept.cache_clear)
        return cast(Callable[Asked, Made], kept)  # which also tells how much it holds

    return keeping


def tree_went() -> None:
    """A file changed, or nobody asked for it for long: now and then, what holds the trees of such files is let go."""
    _keeping.gone += 1
    if _keeping.gone >= FEW_TREES:
        _keeping.gone = 0
        for forget in _keeping.forgetting:
            forget()
