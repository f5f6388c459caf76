"""Tables of kernels in C++: which kernels stand in an array whose elements are launched.

Entries are names and macros that stand for one name; names that a macro pastes together are not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.workspace.cuda_text import KEYWORDS, closing, launches

MAX_TABLE_BYTES = 60_000
MAX_ENTRIES = 400
_LAUNCHED_ELEMENT = re.compile(
    rb"\b(\w++)\s*+(?:\[[^\[\];]*\]\s*){1,3}(?:<<<|\(\s*\)\s*<<<)"
    rb"|\b(?:cuda|hip)Launch\w*\s*\(\s*(?:&\w+\s*,\s*)?(?:\((?:const )?void ?\*\)\s*)?"
    rb"(\w+)\s*(?:\[[^\[\];]*\]\s*){1,3},"
)
_TAKEN_ELEMENT = re.compile(rb"\b(\w++)\s*+=\s*(?:\((?:const )?void ?\*\)\s*)?(\w+)\s*(?:\[[^\[\];]*\]\s*){1,3};")
_ARRAY = re.compile(
    rb"\b(\w++)\s*+(?:\[[^\[\];]{0,99}\]\s*){1,3}(?:\)\s*\([^(){};]{0,999}\)\s*)?=\s*\{"
    rb"|\b(\w++)\s*+=\s*(?:std::)?array\s*(?:<[^;{}]{0,200}>)?\s*\{"
)
_ENTRY = re.compile(rb"(?<![\w:.])((?:\w+::)*[A-Za-z_]\w*)\s*(?=[<,}(])")
_STANDS_FOR = re.compile(rb"\s*&?((?:\w+::)*[A-Za-z_]\w*)\s*<[^;{}#]*>\s*\Z")


def elements_taken(text: bytes, launched: frozenset[bytes]) -> Iterator[tuple[bytes, bytes, int]]:
    """Variables that are launched and given an element of a table: variable, table and place."""
    for match in _TAKEN_ELEMENT.finditer(text) if launched else ():
        if match[1] in launched:
            yield match[1], match[2], match.start()


def launched_tables(text: bytes) -> frozenset[bytes]:
    """Arrays whose elements are launched where they stand: `table[i]<<<…>>>`."""
    found = _LAUNCHED_ELEMENT.findall(text) if launches(text) else []
    return frozenset(name for pair in found for name in pair if name)


def arrays(text: bytes) -> frozenset[bytes]:
    """Arrays with an initialiser."""
    return frozenset(name for pair in _ARRAY.findall(text) for name in pair if name)


def entries(text: bytes, table: bytes, macros: list[tuple[int, bytes, bytes]]) -> Iterator[tuple[bytes, int]]:
    """The names in the initialiser of a table, each with its place; `macros` are places, names and texts."""
    head = re.compile(
        rb"\b%b\s*(?:\[[^\];]*\]\s*)*(?:\)\s*\([^(){};]*\)\s*)?=?\s*(?:(?:std::)?array\s*(?:<[^;{}]*>)?\s*)?\{" % table
    )
    for found in head.finditer(text):
        end = closing(text, found.end() - 1, MAX_TABLE_BYTES)
        count = 0
        for match in _ENTRY.finditer(text, found.end(), end + 1 if end else found.end()):
            if match[1] in KEYWORDS or count >= MAX_ENTRIES:
                continue
            before = [body for place, name, body in macros if name == match[1] and place < match.start()]
            meant = _STANDS_FOR.match(before[-1]) if before else None
            if before and meant is None:
                continue
            count += 1
            yield (meant[1] if meant else match[1]), match.start()
