"""Functions of C++ that objects put into a table when the program starts, and the functions that look them up there.

`struct Entry { Entry(F f) { TABLE.insert({key, f}); } }; static Entry small(run_small);`, also by way of macros.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.workspace.cuda_findings import Findings
from kernelscope.workspace.cuda_held import parameter_names, without_casts
from kernelscope.workspace.cuda_text import decoded, is_plain_name, split_at_commas
from kernelscope.workspace.facts import TOP, Alternative, DefKind

_KEEPS = re.compile(
    rb"\b(\w++)\s*+(?:(?:\.|->)\s*+(?:insert|insert_or_assign|try_emplace|emplace|emplace_back|push_back)\s*+\("
    rb"|\[[^\];]{0,200}\]\s*+=(?!=))([^;]{0,400});"
)
_WORD = re.compile(rb"[A-Za-z_]\w*")
_OBJECT = re.compile(
    rb"\bstatic\s++(?>(?:(?:const|inline|constexpr)\s++)*)(?>(?:\w++::)*)(\w++)(?:\s*+<[^;{}()]{0,300}>)?\s++"
    rb"[\w#]++\s*+[({]([^;{}()]{1,400})[)}]"
)
_LOOKED_UP = re.compile(rb"(?<![\w.>])(?>(?:\w++::)*)(\w++)\s*+\.\s*+(?:find|at|count|contains)\s*+\(")
_DECLARED = (
    rb"(?m)^[ \t]*+(?>(?:(?:extern|static|inline)\s++)*)[\w:]++(?:<[^;(){}]{0,300}>)?\s++(?:\w++\s*+,\s*+)*%b\s*+[;,={]"
)


def registries(found: Findings) -> Iterator[Alternative]:
    """What tables offer by the classes of their entries, and what these are made with; adds who looks them up."""
    if b"static" in found.with_macros:
        yield from _entries(found)
    if b"insert" in found.text or b"emplace" in found.text or b"push_back" in found.text or b"] =" in found.text:
        yield from _keeping(found)
    if b".find(" in found.text or b".at(" in found.text or b".count(" in found.text or b".contains(" in found.text:
        _lookups(found)


def _keeping(found: Findings) -> Iterator[Alternative]:
    """The constructors that put what they are given into a table: it offers what their class is made with."""
    for definition in found.defs:
        if definition.kind is not DefKind.CUDA_FUNCTION or definition.scope == TOP:
            continue
        owner = found.defs[definition.scope]
        if owner.kind is not DefKind.STRUCT or owner.name != definition.name:
            continue
        opening = found.text.find(b"(", definition.name_start)
        given = parameter_names(found.text, opening)
        for kept in _KEEPS.finditer(found.text, opening, definition.end):
            words = _WORD.findall(kept[2])
            if words and words[-1] in given:  # the key stands before the value
                yield Alternative(decoded(kept[1]), owner.name, definition.start, definition.line)


def _entries(found: Findings) -> Iterator[Alternative]:
    """Static objects that are made with functions; in a macro its text stands for what it defines."""
    for made in _OBJECT.finditer(found.with_macros):
        start, kind = made.start(1), decoded(made[1])
        macro = next((m.name for m in found.macros if m.start <= start < m.end), None)
        names = [macro] if macro else [without_casts(part).lstrip(b"&") for part in split_at_commas(made[2])]
        for name in names:
            if is_plain_name(name):
                yield Alternative(kind, decoded(name), start, found.line_at(start))


def _lookups(found: Findings) -> None:
    """Functions that look something up in a table of the file's top level."""
    tables: dict[bytes, bool] = {}
    for asked in _LOOKED_UP.finditer(found.text):
        table, place = asked[1], asked.start(1)
        if table not in tables:
            declared = re.search(_DECLARED % re.escape(table), found.text)
            tables[table] = declared is not None and found.owner_at(declared.start()) == TOP
        if tables[table] and (scope := found.owner_at(place)) != TOP:
            found.refer(b"", table, place, scope)
