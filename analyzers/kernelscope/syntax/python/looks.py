"""Who is told of every body that is looked at: one listener for the process, or none.

Bodies are asked for from everywhere; whoever wants to know what an answer rests on listens while it is made.
"""

from __future__ import annotations

from collections.abc import Callable

watching: Callable[[int], None] | None = None
"""Is given the offset at which a definition begins whose body is looked at."""
