"""How far an interpretation goes: steps, calls within calls, branches followed apart; and what ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

FUNCTION_STEPS = 60_000
"""The most that one function, with all that it calls, is followed: about 1.5 s. Steps, so that no clock decides."""

STEPS_IN_A_TURN = 16
"""Some milliseconds, after which a more urgent question is answered first."""

OBJECT_STEPS = 60_000
"""The most that one constructor is followed for the sake of all methods of its object."""

LOADING_STEPS = 6_000
"""The most that a method of a class elsewhere is followed that is given nothing to compute with: it makes an object or
loads one, and what comes behind it matters more."""

HEAVY_STEPS = 12_000
"""The most that a call is followed of a function that has ended another one: its callers come to what stands behind."""

GUARD_SECONDS = 60.0
"""Ends what steps do not measure. Far out: only a function that would never end reaches it."""

MAX_CALLS = 24

MAX_QUIET_CALLS = 8

MAX_HELPERS = 3
"""How deep other functions than constructors go while an object is built: its sizes are near the surface, its
plumbing is not."""

MAX_COUNTING = 6
"""The same for functions that are given nothing but numbers, texts and classes: they choose and size a layer."""

MAX_FORKS = 3
"""How many branches are followed apart at a time."""

MAX_NESTED = 140
"""Depth of evaluation inside one call, so that Python's own stack is never exhausted."""

MAX_ANEW = 12
"""How often a file's top level may give a name anew, each time of what it was: `model = model.eval()`."""


class OutOfBudget(Exception):
    """The function takes too many steps; what is known so far is kept."""


class NoSuchWay(Exception):
    """What is followed apart cannot be: a pair is asked for what tensors have, or taken apart into three."""
