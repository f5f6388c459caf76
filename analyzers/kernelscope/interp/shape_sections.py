"""Shapes in sections of a docstring on what a layer takes: `Input shape`, or `Shape: - Input: (N, C, H, W)`.

Reads text only. Formulas are read as far as they name sizes: `:math:`(N, H_{in})`` is `(N, H_in)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from kernelscope.interp.formulas import plain
from kernelscope.interp.shape_texts import SEVERAL, either, shape_in_brackets
from kernelscope.tensor import Shape

HEAD = re.compile(
    r"^(?P<indent>[ \t]*)[*_]*(?P<what>input\s+)?shapes?[*_]*[ \t]*:{0,2}[ \t]*$", re.IGNORECASE | re.MULTILINE
)
BULLET = re.compile(r"[ \t]*[-*+•]\s+")
NAMED = re.compile(r"[*_`]*(?P<name>\w[\w ]*?)[*_`]*\s*:[*_`]*\s")
FIRST = ("input", "inputs")
"""What the first argument is called in such sections."""
MATH = re.compile(r":math:`([^`]*)`")
OR = re.compile(r"\bor\b|[/|]\s*`*$", re.IGNORECASE)
"""What stands between a shape and another one that may be meant as well."""
OF_SHAPE = re.compile(r"\bshapes?\s*:?\s*$", re.IGNORECASE)
KEPT = 256
"""Texts that are read once: each parameter asks."""
PAIRS = {"(": ")", "[": "]"}


@dataclass(frozen=True, slots=True)
class Taken:
    """What a section says of one argument: its shape, or that of each of several tensors in it."""

    shape: Shape
    is_of_parts: bool = False


@lru_cache(KEPT)
def taken(text: str, names: tuple[str, ...]) -> dict[str, Taken]:
    """What the sections of a docstring say of the arguments that a layer is called with, by name."""
    found: dict[str, Taken] = {}
    for head in HEAD.finditer(text):
        entries = _entries(text[head.end() :], len(head["indent"].expandtabs()))
        if head["what"] is not None:
            told = dict(_assigned(entries[0], names, 0)) if len(entries) == 1 else {}
        else:
            told = {name: one for entry in entries for name, one in _of_entry(entry, names)}
        for name, one in told.items():
            found.setdefault(name, one)
    return found


def _entries(text: str, indent: int) -> list[str]:
    """The entries below a head, each on one line: the lines that are indented deeper."""
    lines: list[str] = []
    for line in text.split("\n")[1:]:
        if line.strip() and len(line.expandtabs()) - len(line.expandtabs().lstrip()) <= indent:
            break
        if not line.strip() and lines:
            break
        if line.strip():
            lines.append(line.expandtabs())
    least = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    entries: list[str] = []
    for line in lines:
        bullet = BULLET.match(line)
        if bullet is not None and len(line) - len(line.lstrip()) == least:
            entries.append(line[bullet.end() :])
        elif entries:
            entries[-1] += f" {line.strip()}"
    return entries


def _of_entry(entry: str, names: Sequence[str]) -> Iterator[tuple[str, Taken]]:
    """What an entry says that names the argument, or the input."""
    named = NAMED.match(entry)
    if named is None:
        return
    name, rest = named["name"], entry[named.end() :]
    if name in names:
        yield from list(_assigned(rest, names, names.index(name)))[:1]
    elif name.lower() in FIRST:
        yield from _assigned(rest, names, 0)


def _assigned(text: str, names: Sequence[str], start: int) -> Iterator[tuple[str, Taken]]:
    """The shapes in a text, one for each argument from one on; of what may be a tensor or a pair, the tensor's."""
    text = MATH.sub(lambda found: f"`{plain(found[1])}`", text)
    groups = list(_groups(text))
    if any(text[:begin].endswith("`") for begin, _ in groups):
        groups = [group for group in groups if text[: group[0]].endswith("`")]
    else:
        groups = [group for group in groups[:1] if not text[: group[0]].strip() or OF_SHAPE.search(text[: group[0]])]
    alternatives: list[list[str]] = []
    behind = 0
    for begin, end in groups:
        if alternatives and OR.search(text, behind, begin) is not None:
            alternatives[-1].append(text[begin + 1 : end])
        else:
            alternatives.append([text[begin + 1 : end]])
        behind = end
    several = SEVERAL.search(text, 0, groups[0][0]) is not None if groups else False
    if len(alternatives) > (1 if several else len(names) - start):
        return
    for name, (first, *others) in zip(names[start:], alternatives, strict=False):
        shape = shape_in_brackets(first)
        for other in others:
            if shape is not None and not set(other) & PAIRS.keys():
                shape = either(shape, shape_in_brackets(other))
        if shape is not None:
            yield name, Taken(shape, several)


def _groups(text: str) -> Iterator[tuple[int, int]]:
    """Where brackets open and close that stand in no others."""
    closing: list[str] = []
    begin = 0
    for place, char in enumerate(text):
        if char in PAIRS:
            begin = begin if closing else place
            closing.append(PAIRS[char])
        elif closing and char == closing[-1]:
            closing.pop()
            if not closing:
                yield begin, place
