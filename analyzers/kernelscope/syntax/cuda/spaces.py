"""The namespaces of a C++ file: which one a place stands in, and which declarations of a name are meant there.

Read from the text by its braces, so that what does not parse loses no namespace. Unnamed and inline namespaces add
nothing to a path, for what stands in them is seen from around them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

Declared = TypeVar("Declared")

LIBRARIES = frozenset(("std", "cuda", "thrust", "cub", "nvcuda", "cooperative_groups", "hip", "hipcub", "rocprim"))
"""Namespaces of libraries that come with the compiler: no workspace declares what stands in them."""
_OPENS = rb"namespace\b(?:\s*\[\[[^\]]*\]\]|\s*__attribute__\s*\(\([^{};]*?\)\))*(?P<%s>[\w:\s]*)\{"
_TOKEN = re.compile(
    rb"\{|\}"
    rb"|n(?<!\wn)" + _OPENS[1:] % b"name" + rb"|i(?<!\wi)nline\s+" + _OPENS % b"inline" +
    rb"|n(?<!\wn)amespace\s+(?P<new>\w+)\s*=\s*(?P<old>[\w:\s]+);"
    rb"|u(?<!\wu)sing\s+namespace\s+(?P<opened>[\w:\s]+);"
    rb"|u(?<!\wu)sing\s+(?P<from>(?:::\s*)?(?:\w+\s*::\s*)+)(?P<taken>\w+)\s*;"
    rb"|\"[^\"\\\n]*+(?>(?:\\.[^\"\\\n]*+)*)\"|'(?<!\w')(?>(?:[^'\\\n]|\\.){1,8})'"
)  # fmt: skip
"""Each alternative begins with a letter of its own: such patterns are searched for several times as fast."""
_OF_HIP = frozenset(("hip", "hipcub", "rocprim"))
_ARGUMENTS = re.compile(r"<[^<>]*>")


@dataclass(frozen=True, slots=True)
class Brought:
    """A line that makes names of other namespaces known: all of one, one under a new name, or a single name."""

    kind: Literal["opened", "renamed", "taken"]
    space: str
    """The namespace that the line stands in."""
    target: str
    name: str
    """The new name of a namespace, or the one name that is taken of it."""
    block: tuple[int, int] | None
    """Where it is in force, if a function or a class is around it."""


class Spaces:
    """The namespaces of one text."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._starts, self._paths = [0], [""]
        """Where another namespace begins to be the one around, and which."""
        self._brought: list[Brought] = []

    def at(self, offset: int) -> str:
        """The path of the namespace around a place, empty outside of all."""
        self._read()
        return self._paths[bisect_right(self._starts, offset) - 1]

    @property
    def brought(self) -> Sequence[Brought]:
        """The lines that make known what other namespaces hold."""
        self._read()
        return self._brought

    def _read(self) -> None:
        text, self._text = self._text, b""
        if b"namespace" not in text and b"using" not in text:
            return
        around: list[str | None] = []
        """What each open brace returns to; nothing for braces that open no namespace."""
        lines: list[tuple[int, int, Brought]] = []
        blocks: dict[int, tuple[int, int]] = {}
        opened: list[int] = []
        for match in _TOKEN.finditer(text):
            if match[0] == b"{":
                around.append(None)
                opened.append(match.start())
            elif match[0] == b"}":
                before = around.pop() if around else None
                begin = opened.pop() if opened else 0
                blocks[begin] = begin, match.start()
                if before is not None:
                    self._starts.append(match.end())
                    self._paths.append(before)
            elif match["name"] is not None or match["inline"] is not None:
                around.append(self._paths[-1])
                opened.append(match.start())
                self._starts.append(match.end())
                self._paths.append(joined(self._paths[-1], _path(match["name"]) if match["name"] is not None else ""))
            elif (line := _line(match, self._paths[-1])) is not None:
                lines.append((match.start(), opened[-1] if around and around[-1] is None else -1, line))
        for start, begin, line in lines:
            block = (start, blocks.get(begin, (0, len(text)))[1]) if begin >= 0 else None
            self._brought.append(replace(line, block=block))


def _line(match: re.Match[bytes], space: str) -> Brought | None:
    if match["opened"] is not None:
        return Brought("opened", space, _path(match["opened"]), "", None)
    if match["new"] is not None:
        return Brought("renamed", space, _path(match["old"]), match["new"].decode(), None)
    if match["taken"] is not None:
        return Brought("taken", space, _path(match["from"]), match["taken"].decode(), None)
    return None


def _path(text: bytes) -> str:
    words = text.decode("utf-8", "replace").replace("::", " ").split()
    if "inline" in words:
        words = words[: words.index("inline")] + words[words.index("inline") + 2 :]
    return "::".join(words)


def joined(*parts: str) -> str:
    return "::".join(part for part in parts if part)


def enclosing(path: str) -> Iterator[str]:
    """A namespace and those around it, the innermost first, ending with the empty path of the file."""
    while path:
        yield path
        path = path.rpartition("::")[0]
    yield ""


def plain_path(written: str) -> str:
    """A qualifier without template arguments: `a::Block` of `a::Block<T, Pair<int>>`."""
    while (bare := _ARGUMENTS.sub("", written)) != written:
        written = bare
    return "::".join(part.strip() for part in written.split("::") if part.strip())


def unrenamed(written: str, lines: Iterable[Brought]) -> str:
    """A qualified name with the namespace itself where lines of the file give that a new name: `namespace c = cub;`."""
    first, _, rest = written.removeprefix("::").partition("::")
    targets = {line.target for line in lines if line.kind == "renamed" and line.name == first}
    if len(targets) > 1:  # branches for other hardware do the same with its libraries
        targets -= _OF_HIP
    return joined(targets.pop(), rest) if len(targets) == 1 else written


def names_path(written: str, around: str, path: str) -> bool:
    """Whether a qualifier that is written in a namespace may be this path."""
    plain = plain_path(written)
    return any(joined(outer, plain) == path for outer in enclosing(around))


def meant(
    found: Sequence[Declared],
    paths: Callable[[Declared], Sequence[str]],
    name: str,
    qualifier: str,
    around: str,
    brought: Callable[[], Iterable[Brought]],
) -> list[Declared]:
    """Those declarations of a name that code in the namespace `around` means by it, all of one namespace.

    `paths` gives the namespaces of a declaration, the one that it stands in first, `brought` the lines in force. None
    of them are meant where several may be, or where the name is qualified by a namespace that none stands in.
    """
    if not found:
        return []
    alone = len({paths(one)[0] for one in found}) == 1
    if alone and not qualifier:
        return list(found)
    wanted = plain_path(qualifier)
    outers = [""] if qualifier.startswith("::") else list(enclosing(around))
    lines = list(brought())
    taken = [line for line in lines if line.kind == "taken" and line.name == name and not wanted]
    sought = [{path for line in taken if line.block is not None for path in _meanings(line.target, line.space, lines)}]
    for outer in outers:
        own = {path for line in taken if line.space == outer for path in _meanings(line.target, outer, lines)}
        sought.append({joined(outer, wanted), *own, *_renamed(wanted, outer, lines)})
    sought.append({path for line in lines if line.kind == "opened" for path in _opened(line, wanted, outers, lines)})
    for level in sought:
        chosen = [one for one in found if not level.isdisjoint(paths(one))]
        if chosen:
            return chosen if len({paths(one)[0] for one in chosen}) == 1 else []
    if not alone or wanted.partition("::")[0] in LIBRARIES:
        return []
    return list(found)


def _meanings(target: str, space: str, lines: Sequence[Brought]) -> Iterator[str]:
    """The namespaces that a path may be which is written in another one."""
    for outer in enclosing(space):
        yield joined(outer, target)
        yield from _renamed(target, outer, lines)


def _renamed(path: str, space: str, lines: Sequence[Brought]) -> Iterator[str]:
    """What a path stands for whose first part is a new name that a namespace gives another one."""
    first, _, rest = path.partition("::")
    for line in lines:
        if line.kind == "renamed" and line.name == first and line.space == space:
            yield from (joined(outer, line.target, rest) for outer in enclosing(space))


def _opened(line: Brought, wanted: str, outers: Sequence[str], lines: Sequence[Brought]) -> Iterator[str]:
    """The namespaces in which a qualified name is looked for too because of `using namespace`."""
    if line.space in outers:
        yield from (joined(path, wanted) for path in _meanings(line.target, line.space, lines))
    if wanted and line.space in (joined(outer, wanted) for outer in outers):
        yield from _meanings(line.target, line.space, lines)
