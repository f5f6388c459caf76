"""Scans one file: bytes to names (tier 1) or to facts (tier 2). Pure, and run in worker processes.

Neither reads files nor resolves names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kernelscope.syntax.text import with_line_feeds
from kernelscope.workspace.definitions import names_of
from kernelscope.workspace.facts import TOP, Def, DefKind, FileFacts, Name
from kernelscope.workspace.files import PYTHON_SUFFIXES

if TYPE_CHECKING:
    from kernelscope.workspace.python_mentions import Mentioned

_OPERATOR_WORDS: tuple[tuple[bytes, tuple[bytes, ...]], ...] = (
    (b"jit", (b"@jit", b"_jit")),
    (b"torch", (b"torch.ops.", b"torch.library", b"custom_op(", b"load_inline", b"cpp_extension")),
    (b"jax", (b"pallas_call", b"ffi_call")),
    (b"CDLL", (b"CDLL",)),
    (b"__global__", (b"__global__",)),
)
"""What makes a file one with operators; each group is only looked for behind a word that all of it needs."""
_HOST_JIT = b"torch.jit"
"""Compiles what runs on the host: a file with no other `.jit` has no kernel for it."""
_FRAMEWORK_WORDS = (b"torch", b"triton", b"jax", b"cuda")
_CUDA_STRING = re.compile(rb"([rR]?)(\"\"\"|''')((?:(?!\2).)*?__global__(?:(?!\2).)*)\2", re.DOTALL)
MAX_CUDA_STRINGS = 20
MAX_SCANNED_AT_ONCE = 1 << 20
"""Larger texts are scanned by worker processes only, from disk: nobody who asks waits for them."""

__all__ = ["facts_of", "mentions_of", "names_of", "priority"]


def priority(path: str, data: bytes) -> int:
    """Which files the graph wants first: 0 C++ and what launches or registers, 1 framework code, 2 the rest."""
    if not path.endswith(PYTHON_SUFFIXES):
        return 0
    if any(first in data and any(word in data for word in words) for first, words in _OPERATOR_WORDS):
        return 0
    if data.count(b".jit") > data.count(_HOST_JIT):
        return 0
    return 1 if any(word in data for word in _FRAMEWORK_WORDS) else 2


def mentions_of(path: str, data: bytes) -> Mentioned | None:
    """The names and calls of a file whose facts can be made at once when they are asked for; None of another."""
    if len(data) > MAX_SCANNED_AT_ONCE or not path.endswith(PYTHON_SUFFIXES):
        return None
    from kernelscope.workspace.python_mentions import python_mentions  # where files are known they are not scanned

    return python_mentions(with_line_feeds(data))


def facts_of(path: str, data: bytes) -> FileFacts:
    """The facts of a file, by its suffix."""
    data = with_line_feeds(data)
    if not path.endswith(PYTHON_SUFFIXES):
        from kernelscope.workspace.cuda_facts import cuda_facts

        return cuda_facts(data)
    from kernelscope.workspace.python_facts import python_facts

    facts = python_facts(data)
    return _with_embedded(facts, data) if b"__global__" in data else facts


def _with_embedded(facts: FileFacts, data: bytes) -> FileFacts:
    """Adds the facts of CUDA source that stands in triple-quoted strings, at its offsets in the file."""
    from kernelscope.workspace.cuda_facts import cuda_facts

    for count, match in enumerate(_CUDA_STRING.finditer(data)):
        if count >= MAX_CUDA_STRINGS:
            break
        start, end = match.span(3)
        blank = re.sub(rb"[^\n]", b" ", data[:start])
        facts = _merged(facts, cuda_facts(blank + data[start:end]))
    return facts


def _merged(one: FileFacts, other: FileFacts) -> FileFacts:
    """Facts of two languages in one file; scopes of the second move behind the definitions of the first."""
    shift = len(one.defs)

    def moved(scope: int) -> int:
        return scope if scope == TOP else scope + shift

    from msgspec.structs import replace

    return FileFacts(
        (*one.defs, *(replace(d, scope=moved(d.scope)) for d in other.defs)),
        one.imports,
        (*one.calls, *(replace(c, scope=moved(c.scope)) for c in other.calls)),
        (*one.launches, *(replace(x, scope=moved(x.scope)) for x in other.launches)),
        (*one.references, *(replace(x, scope=moved(x.scope)) for x in other.references)),
        (*one.registrations, *(replace(x, scope=moved(x.scope)) for x in other.registrations)),
        (*one.namespaces, *other.namespaces),
        (*one.usings, *other.usings),
        (*one.alternatives, *other.alternatives),
        (*one.members, *(replace(m, owner=moved(m.owner)) for m in other.members)),
    )


def names_of_facts(facts: FileFacts, data: bytes) -> tuple[Name, ...]:
    """The symbol table's lines from exact facts, which replace those of tier 1."""
    found: list[Name] = []
    containers: list[str] = []
    for definition in facts.defs:
        container = containers[definition.scope] if definition.scope != TOP else ""
        containers.append(f"{container}.{definition.name}" if container else definition.name)
        if definition.kind is DefKind.LAMBDA or (
            definition.kind is DefKind.VARIABLE and definition.name.startswith("_")
        ):
            continue
        found.append(_name(definition, container, data))
    return tuple(found)


def _name(definition: Def, container: str, data: bytes) -> Name:
    """What C++ defines outside of its class, `C::f`, is found as `f`, as tier 1 finds it."""
    column = definition.name_start - data.rfind(b"\n", 0, definition.name_start) - 1
    around, _, name = definition.name.rpartition("::")
    return Name(name, definition.kind, definition.line, column, container or around)
