"""Macros of C++: what their text heads, launches, and calls of the arguments that they are given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.workspace.cuda_text import is_plain_name

_DEFINE = re.compile(rb"(?m)^[ \t]*#[ \t]*define[ \t]+(\w+)\([ \t]*(\w*)([^\n\\]*+(?>(?:\\(?:\r?\n|.)[^\n\\]*+)*))")
_STATEMENTS = re.compile(rb"(?m)^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]([^\n\\]*+(?>(?:\\(?:\r?\n|.)[^\n\\]*+)*))")
_FUNCTION_HEAD = re.compile(rb"[^()]*\)\s*(?:[\w:<>*&]+\s+)+\w+\s*\([^;{}]*\)\s*\Z")
"""The rest of `#define ENTRY(fn) void fn(PARAMETERS)` behind its first parameter."""


@dataclass(frozen=True, slots=True)
class Macro:
    """A `#define NAME(first, …) …`: its place, and its text behind the first parameter with the place of that."""

    name: bytes
    name_start: int
    start: int
    end: int
    first: bytes
    rest: bytes
    rest_start: int

    @property
    def is_kernel_head(self) -> bool:
        """Whether its text heads a kernel that its first argument names."""
        return b"__global__" in self.rest and self._uses_first_as_function

    @property
    def is_function_head(self) -> bool:
        """Whether its text is the head of a function that its first argument names."""
        return _FUNCTION_HEAD.match(self.rest) is not None and self._uses_first_as_function

    @property
    def _uses_first_as_function(self) -> bool:
        return re.search(rb"\b%b\s*\(" % self.first, self.rest) is not None

    @property
    def body(self) -> bytes:
        """What it stands for, behind its parameters."""
        return self.rest.partition(b")")[2].replace(b"\\\n", b" ")

    @property
    def parameters(self) -> tuple[bytes, ...]:
        """What stands for arguments in it; a kernel of the same name is not meant."""
        names, _, _ = (self.first + self.rest).partition(b")")
        return () if b"(" in names else tuple(name.strip() for name in names.split(b","))

    def called_parameters(self) -> tuple[int, ...]:
        """Which parameters it calls: the arguments in their places are functions."""
        _, _, body = (self.first + self.rest).partition(b")")
        names = self.parameters
        called = [is_plain_name(name) and re.search(rb"(?<![\w#])%b\s*\(" % name, body) for name in names]
        return tuple(place for place, is_called in enumerate(called) if is_called)


def macros_of(text: bytes) -> Iterator[Macro]:
    """The macros with parameters that a text without strings and comments defines."""
    for match in _DEFINE.finditer(text):
        yield Macro(match[1], match.start(1), match.start(), match.end(), match[2], match[3], match.start(3))


def launching_statements(text: bytes) -> Iterator[re.Match[bytes]]:
    """The macros without parameters whose text launches something: name and text of each."""
    return (match for match in _STATEMENTS.finditer(text) if b"<<<" in match[2]) if b"<<<" in text else iter(())
