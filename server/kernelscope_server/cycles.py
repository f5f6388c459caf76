"""When memory is taken back that answers and edits leave in cycles: a little of it whenever nobody waits.

What is young is looked at after each answer, as it is little then; in the middle of an answer it would take as long as
a tenth of a second. All of it is looked at once much has grown old, or much more is there than last time: a client that
makes no pause would have the server grow with every tree that is parsed.
"""

from __future__ import annotations

import gc
import sys

YOUNG = 50_000
"""New objects after which the youngest are looked at, also in the middle of an answer."""
YOUNG_ENOUGH = YOUNG // 10
"""New objects for which the youngest are looked at while nobody waits: else the next answer pays for this one's."""
YOUNGER = 20
"""Such looks after which all that came since the last idle time is looked at, if none comes."""
OLD = 10
"""Idle times with something to look at after which all objects are."""

LEAST_BLOCKS = 1_000_000
"""So much is never looked at for being there: 60 MB or so, of which half are code and classes."""


def set_limits() -> None:
    """Trees and values are many small objects that live long: looking at all of them often is a fifth of the time."""
    gc.set_threshold(YOUNG, YOUNGER, 2 * OLD)


def take_back() -> None:
    """Take back what is left in cycles while nobody waits; what is in cycles, as trees are, goes in no other way."""
    young, younger, old = gc.get_count()
    if old >= OLD:
        gc.collect()
    elif younger:
        gc.collect(1)
    elif young >= YOUNG_ENOUGH:
        gc.collect(0)


class Growth:
    """How much there is, and when that is so much that all of it is to be looked at, pause or not."""

    def __init__(self) -> None:
        self._limit = LEAST_BLOCKS
        self._younger = 0

    def take_back(self) -> None:
        """Between two answers. Counting takes some hundredths of a millisecond, so only when much is new."""
        younger = gc.get_count()[1]
        if younger == self._younger:
            return
        self._younger = younger
        if sys.getallocatedblocks() > self._limit:
            gc.collect()
            self._limit = max(LEAST_BLOCKS, sys.getallocatedblocks() * 5 // 4)
