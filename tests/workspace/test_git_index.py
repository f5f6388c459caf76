"""Names in git's index: whole ones in order, also of one that is cut or damaged."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st
from kernelscope.workspace.git_index import names_in

NAMES = st.lists(st.from_regex(r"[a-z]{1,9}(/[a-zé]{1,30}){0,3}\.py", fullmatch=True), max_size=8, unique=True)


def index_of(names: list[str]) -> bytes:
    """An index of version 2 as the format's description has it."""
    out = struct.pack(">4sII", b"DIRC", 2, len(names))
    for name in names:
        raw = name.encode()
        entry = bytes(24) + struct.pack(">I", 0o100644) + bytes(32) + struct.pack(">H", len(raw)) + raw
        out += entry + bytes(8 - len(entry) % 8)
    return out


@given(NAMES)
def test_names_are_read_in_order(names: list[str]) -> None:
    assert list(names_in(index_of(names))) == names


@given(NAMES, st.integers(0, 900))
def test_an_index_that_is_cut_gives_the_whole_names_before(names: list[str], end: int) -> None:
    found = list(names_in(index_of(names)[:end]))
    assert found == names[: len(found)]


@given(NAMES, st.integers(0, 900), st.binary(max_size=9))
def test_a_damaged_index_raises_nothing(names: list[str], at: int, junk: bytes) -> None:
    data = index_of(names)
    assert all(len(name) < 5_000 for name in names_in(data[:at] + junk + data[at + len(junk) :]))
