"""Defaults of a file's configuration that contradict what stands beside them, as problems."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kernelscope.problems import TABLE, Problem
from kernelscope.results import Evidence, Location, Span
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.constraints import constraints
from kernelscope.serving.contradictions import contradictions
from kernelscope.serving.parameters import parameters
from kernelscope.serving.stores import overridden, stored
from kernelscope.syntax.python.lower import Module
from kernelscope.syntax.text import SourceText


def config_problems(module: Module, path: Path) -> Iterator[Problem]:
    """What a Python file says of its own parameters and denies itself."""
    source = PythonSource(path, module, False)
    declared = overridden(parameters(source), stored(source))
    for found in contradictions(declared, constraints(source)):
        if found.code in TABLE:
            place, *others = found.evidence
            against = tuple(Evidence(other, "what it contradicts") for other in others)
            yield Problem(found.code, found.message, _line(module.text, place), against)


def _line(text: SourceText, place: Location) -> Span:
    """The line of a claim, without its indentation."""
    start, line = text.line_start(place.line), text.line_bytes(place.line)
    return Span(start + len(line) - len(line.lstrip()), start + len(line.rstrip()))
