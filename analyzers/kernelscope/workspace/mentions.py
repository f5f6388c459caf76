"""What all files call, launch, register and derive from, in memory: who mentions a name.

A search of the store takes ten times as long; what is meant by a name is not known here.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterator, Sequence
from functools import cached_property

from kernelscope.workspace.files import CUDA_SUFFIXES, PYTHON_SUFFIXES

_BASES = re.compile(rb"\n\((\w+)")
"""Base classes among what a file calls."""


class Mentions:
    """The names that files mention, as the store keeps them, in one state of the index."""

    def __init__(self, generation: int, files: Sequence[tuple[str, bytes]]) -> None:
        self.generation = generation
        self._paths = [path for path, _ in files]
        self._text = b"".join(called for _, called in files)
        self._ends = list(itertools.accumulate(len(called) for _, called in files))

    def calling(self, name: str) -> Iterator[str]:
        """The files that call, launch or register this name, each once."""
        word = f"\n{name}\n".encode()
        at = self._text.find(word)
        while at >= 0:
            number = bisect.bisect_right(self._ends, at)
            if at + len(word) <= self._ends[number]:  # else it lies across two files
                yield self._paths[number]
                at = self._text.find(word, self._ends[number])
            else:
                at = self._text.find(word, at + 1)

    @cached_property
    def native(self) -> Mentions:
        """Those of C++ files alone, which are few and much asked for."""
        starts = (0, *self._ends)
        each = zip(self._paths, starts, self._ends, strict=False)
        return Mentions(self.generation, [(p, self._text[a:b]) for p, a, b in each if p.endswith(CUDA_SUFFIXES)])

    def deriving(self, name: str) -> Sequence[str]:
        """The Python files with a class that names this one among its bases."""
        return self._bases.get(name, ())

    @cached_property
    def _bases(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        start = 0
        for path, end in zip(self._paths, self._ends, strict=True):
            for base in _BASES.findall(self._text, start, end) if path.endswith(PYTHON_SUFFIXES) else ():
                found.setdefault(base.decode(), []).append(path)
            start = end
        return found
