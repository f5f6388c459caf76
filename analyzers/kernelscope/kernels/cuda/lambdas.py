"""Lambdas of host functions, called by the variable that holds them: `auto launch = [&](auto kernel) { ... };`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kernelscope.kernels.cuda.arguments import Argument
from kernelscope.kernels.cuda.units import Unit
from kernelscope.syntax.cuda.expressions import split_arguments
from kernelscope.syntax.cuda.functions import Function
from kernelscope.syntax.cuda.macros import closing

_NAME = re.compile(r"([A-Za-z_]\w*)\s*(?:=.*)?\Z", re.DOTALL)
_BEFORE_BODY = re.compile(rb"\s*(?:mutable\b|noexcept\b|->[^{;]*)*\s*\{")


@dataclass(frozen=True, slots=True)
class Called:
    """A call of a lambda."""

    name: str
    parameters: tuple[str, ...]
    parameter: str
    """The one that the argument is for."""
    body: tuple[int, int]
    """In the prepared text."""


def lambda_called(unit: Unit, caller: Function, argument: Argument) -> Called | None:
    """The lambda of the same function that a call which is passed an argument runs."""
    callee, text = unit.arguments.callee(argument), unit.source.expanded
    if not callee.isidentifier():
        return None
    name = callee.encode()  # a pattern that begins with letters of its own is searched for several times as fast
    made = re.compile(rb"%s(?<!\w%s)\s*=\s*\[[^\[\]]*\]\s*\(" % (name, name))
    found = list(made.finditer(text, caller.body.start_byte, argument.start))
    close = closing(text, found[-1].end() - 1) if found else None
    opening = _BEFORE_BODY.match(text, close + 1) if close is not None else None
    end = closing(text, opening.end() - 1) if opening is not None else None
    if close is None or opening is None or end is None:
        return None
    written = split_arguments(text[found[-1].end() : close].decode("utf-8", "replace"))
    names = tuple(name[1] if (name := _NAME.search(part)) is not None else "" for part in written)
    position = unit.arguments.position(argument)
    if position >= len(names) or not names[position]:
        return None
    return Called(callee, names, names[position], (opening.end(), end))
