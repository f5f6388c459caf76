"""Names that branches on compile-time switches leave with one value or another, told apart where it is asked again.

Between the branches such a name has what holds of both values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from kernelscope.kernels.triton.values import Value
from kernelscope.syntax.python import tree as t

Names = Mapping[str, Value]


class Parted(NamedTuple):
    """What a branch left one name with: joined, where its test holds, and where it fails."""

    joined: Value
    held: Value
    failed: Value


class PartedNames:
    """What one interpretation met. A value is known again by which object it is."""

    def __init__(self) -> None:
        self._kept: dict[t.Expr, dict[str, dict[int, Parted]]] = {}
        """By the test, the name, and the value that it has behind the branch."""

    def part(self, test: t.Expr, joined: Names, body: Names, rest: Names) -> None:
        """Keeps what the sides of a branch gave names."""
        for name, given in body.items():
            other, value = rest.get(name), joined[name]
            if other is not None and value is not given and value is not other:
                self._kept.setdefault(test, {}).setdefault(name, {})[id(value)] = Parted(value, given, other)

    def tell_apart(self, holds: Callable[[t.Expr], bool | None], names: dict[str, Value]) -> None:
        """Gives names what they have where it is known which of the tests hold."""
        for test, kept in reversed(self._kept.items()):  # outer branches part what inner ones left
            answer = holds(test) if any(id(names.get(name)) in parted for name, parted in kept.items()) else None
            for name, parted in kept.items() if answer is not None else ():
                value = names.get(name)
                while (found := parted.get(id(value))) is not None:
                    names[name] = value = found.held if answer else found.failed

    def __bool__(self) -> bool:
        return bool(self._kept)
