"""Whether host code makes an assignment on its way to a place: always, perhaps or never; and whether a loop repeats it.

Read from the braces around it; conditions are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_HEAD = 300
"""Characters before a brace in which the head of its loop is looked for."""
_ELSE = re.compile(rb"\s*else\b")
_LOOP = re.compile(rb"(?:\b(?:for|while)\s*\([^{}]*\)|\bdo)\s*\Z")


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch of an `if` that stands before a place, for one way through it."""

    begin: int
    end: int
    is_taken: bool
    over: int
    """Where its `if` ends, with all other branches."""


def is_made(text: bytes, assigned: int, offset: int, chosen: Sequence[Branch] = ()) -> bool | None:
    """Whether an assignment is made before a place is reached; None where it may be.

    It is not where the place is in an `else` of the branch that the assignment is in, nor on a way that takes another
    branch.
    """
    around = next((branch for branch in chosen if branch.begin <= assigned < branch.end), None)
    if around is not None:
        if not around.is_taken:
            return False
        is_alone = not text.startswith(b"{", around.begin)
        inside = True if is_alone else is_made(text, assigned, around.end - 1)
        return is_made(text, around.over, offset) if inside else inside
    if text[:assigned].rstrip().endswith((b")", b"else")):
        return None
    depth, is_other = 0, False
    for brace in re.finditer(rb"[{}]", text[assigned:offset]):
        depth += 1 if brace[0] == b"{" else -1
        if depth < 0:
            is_other = _ELSE.match(text, assigned + brace.end()) is not None
            if not is_other:
                return None
    return not is_other


def is_repeated(text: bytes, start: int, assigned: int) -> bool:
    """Whether a loop that begins behind a place is around an assignment."""
    opened: list[int] = []
    for brace in re.finditer(rb"[{}]", text[start:assigned]):
        if brace[0] == b"{":
            opened.append(start + brace.start())
        elif opened:
            opened.pop()
    return any(_LOOP.search(text, max(start, place - MAX_HEAD), place) for place in opened)
