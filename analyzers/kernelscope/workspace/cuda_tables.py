"""Tables of kernels in C++: which kernels stand in an array whose elements are launched.

Entries are names and macros of the file that stand for one name, which they may paste together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kernelscope.workspace.cuda_macros import Macro
from kernelscope.workspace.cuda_text import KEYWORDS, closing, launches, split_at_commas

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
_STANDS_FOR = re.compile(rb"\s*+&?((?>(?:\w++::)*)[A-Za-z_]\w*+)\s*+(?:<[^;{}#]*>|\(\s*+\))?\s*+\Z")
_WORD = re.compile(rb"\w++")
_PASTED = re.compile(rb"\s*+##\s*+")


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


def entries(text: bytes, table: bytes, macros: Sequence[Macro]) -> Iterator[tuple[bytes, int]]:
    """The names in the initialiser of a table, each with its place; `macros` are those of the file."""
    head = re.compile(
        rb"\b%b\s*(?:\[[^\];]*\]\s*)*(?:\)\s*\([^(){};]*\)\s*)?=?\s*(?:(?:std::)?array\s*(?:<[^;{}]*>)?\s*)?\{" % table
    )
    for found in head.finditer(text):
        end = closing(text, found.end() - 1, MAX_TABLE_BYTES)
        count = 0
        for match in _ENTRY.finditer(text, found.end(), end + 1 if end else found.end()):
            if match[1] in KEYWORDS or count >= MAX_ENTRIES:
                continue
            before = [macro for macro in macros if macro.name == match[1] and macro.name_start < match.start()]
            name = _stands_for(before[-1], text, match.end()) if before else match[1]
            if name is not None:
                count += 1
                yield name, match.start()


def _stands_for(macro: Macro, text: bytes, opening: int) -> bytes | None:
    """The name that a use of a macro stands for: of an instance, or of a function that is called without arguments."""
    body = macro.body
    close = closing(text, opening) if b"##" in body and text[opening : opening + 1] == b"(" else None
    if close is not None:
        written = split_at_commas(text[opening + 1 : close])
        given = dict(zip(macro.parameters, (part.strip() for part in written), strict=False))
        body = _WORD.sub(lambda word: given.get(word[0], word[0]), body)
        body = _PASTED.sub(b"", body)
    meant = _STANDS_FOR.match(body)
    return meant[1] if meant else None
