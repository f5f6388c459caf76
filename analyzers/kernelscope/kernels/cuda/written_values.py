"""Expressions as they are written, with the values of a function's own variables in their place."""

from __future__ import annotations

import re

from kernelscope.kernels.cuda.operations import Reached

MAX_STEPS = 6
"""Variables that an expression is led back through."""
MAX_TEXT = 2000
_NAME = re.compile(r"(?<![\w.>:])[A-Za-z_]\w*(?!\w|\s*\()")


def in_full(within: Reached, text: str, offset: int) -> str:
    """An expression with what its variables were declared with, as far back as `MAX_STEPS`. A variable that is changed
    later is taken for what it was first."""
    for _ in range(MAX_STEPS):
        longer = _NAME.sub(lambda name: _value(within, name[0], offset), text)
        if longer == text or len(longer) > MAX_TEXT:
            break
        text = longer
    return text


def _value(within: Reached, name: str, offset: int) -> str:
    declared = within.unit.declarations.at(name, offset)
    is_own = declared is not None and declared.scope[0] >= within.function.body.start_byte
    return f"({declared.value})" if is_own and declared is not None and declared.value else name
