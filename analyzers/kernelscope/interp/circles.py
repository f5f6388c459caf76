"""Lists and dicts that a program puts into themselves: values here hold no circle, so that every walk ends."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

from kernelscope.interp.values import Alike, Maybe, Unpacked, Value
from kernelscope.tensor import Several, Unknown

MAX_PARTS = 256
"""A value of more parts is taken to hold others than where it is put."""


def apart(container: list[Any] | dict[Any, Any], value: Value) -> Value:
    """What is put into a list or dict; nothing that is known where it holds that itself."""
    todo = [value]
    for part in todo:  # which grows
        if part is container:
            return Unknown("a list or dict that holds itself")
        match part:
            case list() | tuple():
                todo.extend(part)
            case dict():
                todo.extend(part.values())
            case Alike() | Several():
                todo.append(part.element)
            case Maybe() | Unpacked():
                todo.append(part.value)
            case _:
                pass
        if len(todo) > MAX_PARTS:
            break
    return value
