"""Namespaces of C++: where a place stands, and which declarations of a name are meant there."""

from __future__ import annotations

import pytest
from kernelscope.syntax.cuda.spaces import Spaces, meant

TEXT = b"""
int x;
namespace a { int x; namespace { int y; } inline namespace v1 { int z; } namespace b::c { int x; } }
namespace __attribute__((visibility("hidden"))) d { void f() { { int here; } } }
namespace short_name = a::b;
namespace e { using namespace a; using d::y; void g() { using d::z; char brace = '{'; } }
int last;
"""


@pytest.mark.parametrize(
    ("place", "space"),
    [(b"int x;", ""), (b"int y", "a"), (b"int z", "a"), (b"int here", "d"), (b"char brace", "e"), (b"int last", "")],
)
def test_the_namespace_around_a_place(place: bytes, space: str) -> None:
    assert Spaces(TEXT).at(TEXT.index(place)) == space


def test_the_namespace_of_a_path() -> None:
    assert Spaces(TEXT).at(TEXT.rindex(b"int x")) == "a::b::c"


def test_what_a_block_brings_ends_with_it() -> None:
    blocks = {(line.kind, line.target): line.block is not None for line in Spaces(TEXT).brought}
    assert blocks == {("renamed", "a::b"): False, ("opened", "a"): False, ("taken", "d"): True}


@pytest.mark.parametrize(
    ("spaces", "name", "around", "found"),
    [
        (("", "a"), "x", "a::b", "a"),
        (("", "a"), "x", "d", ""),
        (("", "a"), "::x", "a", ""),
        (("a", "d"), "x", "", None),
        (("a", "d"), "x", "e", "a"),
        (("a", "d"), "y", "e", "d"),
        (("a::b::c", "d"), "short_name::c::x", "", "a::b::c"),
        (("a", "d"), "e::x", "", "a"),
        (("a",), "std::x", "", None),
        (("a",), "x", "", "a"),
    ],
)
def test_what_a_name_means(spaces: tuple[str, ...], name: str, around: str, found: str | None) -> None:
    qualifier, _, last = name.rpartition("::")
    if name.startswith("::"):
        qualifier = "::"
    lines = [line for line in Spaces(TEXT).brought if line.block is None or line.name == "y"]
    told = meant(spaces, lambda space: (space,), last, qualifier, around, lambda: lines)
    assert told == ([] if found is None else [found])
