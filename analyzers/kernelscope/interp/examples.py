"""Examples in documentation as callers: what stands behind `>>>` in the docstring of a class or of a function.

Such an example is a trial like `def test(): Model(dim=16)(torch.rand(2, 8, 16))`: how many dims its tensors have is
meant, their numbers are not.
"""

from __future__ import annotations

import re

from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module, Scope, parse_module

_HEAD = b"def _():"
_LINE = re.compile(rb"^([ \t]*)(?:>>>|\.\.\.)(?: (.*))?$")
"""A line of an example, with what is run on it."""
_BEGUN = b">>>"


def example_in(module: Module, node: t.FunctionDef | t.ClassDef) -> Scope | None:
    """A function without parameters that does what the docstring shows, at the place in the file where it shows it;
    None where it shows nothing."""
    said = node.docstring
    data = module.text.data
    if said is None or _BEGUN not in data[said.span.start : said.span.end]:
        return None
    lines = [b" " * len(line) for line in data[: said.span.start].split(b"\n")]
    text = bytearray(b"\n".join(lines))
    if said.span.start - node.span.start < len(_HEAD):
        return None
    text[node.span.start : node.span.start + len(_HEAD)] = _HEAD
    run = [_run_on(line) for line in data[said.span.start : said.span.end].split(b"\n")]
    functions = parse_module(bytes(text) + b"\n".join(run) + b"\n").functions()
    shown = next(iter(functions), None)
    return None if shown is None else Scope(shown.node, (node.name, "example"), None)


def _run_on(line: bytes) -> bytes:
    """What is run on a line of a docstring, with blanks in place of all else."""
    found = _LINE.match(line.rstrip(b"\r"))
    code = found.group(2) if found is not None else None
    if found is None or code is None:
        return b" " * len(line)
    return (found.group(1) + b"    " + code).ljust(len(line))
