"""What is read of a Python file without a parse is what a parse finds."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from kernelscope.workspace.facts import called_names, decode_facts, rows
from kernelscope.workspace.files import Files
from kernelscope.workspace.index import Index
from kernelscope.workspace.python_mentions import python_mentions
from kernelscope.workspace.scan import facts_of, names_of_facts

OURS = sorted(Path(__file__).parents[2].glob("analyzers/**/*.py"))


def _words(called: bytes) -> set[bytes]:
    return {word for word in called.split(b"\n") if word}


def _of_parse(data: bytes) -> tuple[object, set[bytes]]:
    facts = facts_of("a.py", data)
    return names_of_facts(facts, data), _words(called_names(facts))


def test_our_own_source_reads_as_a_parse_reads_it() -> None:
    read = 0
    for path in OURS:
        data = path.read_bytes()
        if (found := python_mentions(data)) is None:
            continue
        read += 1
        names, called = _of_parse(data)
        assert rows(found.names) == names, path
        missing = called - _words(found.called)
        missing -= {b"in", b"body"}  # tree-sitter takes `in (1, 2)` for a call in two places
        assert not {word for word in missing if not word.startswith(b"(")}, path  # a parse takes decorators for bases
    assert read > 0.8 * len(OURS)


@pytest.mark.parametrize(
    "source",
    [
        'x = f"{outer(1)} {table[key](2)}"\n',
        "from k import kernel\n\ndef run(x):\n    kernel[(1, (2, a[3]))](x)\n    wrap(kernel)[grid](x)\n",
        'def f():\n    """\n    def not_one(): pass\n    X = call(me)\n    """\n    return made()\n',
        "def f():\n    pass\n\nif True:\n    def g():\n        pass\n",
        "def f(\n    a=[1\nfor b in c],\n):\n    def g(): pass\n",
        "class A(Base[int], pkg.Other, metaclass=Meta):\n    x: int\n    y: str = one()\n    def f(self, z: int):\n"
        "        w: int = 3\n    if True:\n        v: int = 4\n    match: int = 0\n",
        "class A:\n    # first\n\n    'text'\n    a: int\nclass B(A): pass\nB.c = D(\nE=1,\n)\n_F = 2\nG: int = 3\n",
        "async def f():\n    async def g(): await h (1)\n    async with a:\n        def i(): pass\n",
        "@deco(1)\n@other.deco\ndef f(): return g\\\n(2)\n",
        "class A[T](Base[T]):\n    def f[U](self): return self.g[U](1)\n",
        "class Ä(Base):\n    ö: int = für(1)\n",
    ],
)
def test_what_stands_in_odd_places_is_found_or_left_to_a_parse(source: str) -> None:
    data = source.encode()
    found = python_mentions(data)
    if found is not None:
        names, called = _of_parse(data)
        assert rows(found.names) == names
        assert called <= _words(found.called)


@pytest.mark.parametrize("source", ["a = 1; b = 2\n", "x = 'open\n", "f(\n", "library.define('f() -> ()')\n"])
def test_what_only_a_parse_can_tell_is_left_to_it(source: str) -> None:
    assert python_mentions(source.encode()) is None


def test_calls_are_not_looked_for_in_strings_and_heads() -> None:
    found = python_mentions(b"# no(1)\nclass C(Base):\n    def method(self):\n        return yes('never(2)')\n")
    assert found is not None
    assert _words(found.called) == {b"yes", b"(Base"}


@pytest.mark.parametrize(
    "source",
    [b"[" * 300_000, b"f(" * 200_000, b"a[b](" * 100_000, b"class A(" * 50_000, b"x = (\nif y\ndef f(): 1\n" * 20_000],
)
def test_nothing_takes_long(source: bytes) -> None:
    begun = time.process_time()
    python_mentions(source)
    assert time.process_time() - begun < 3


def test_facts_are_made_when_asked_for_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "w" / "plain.py"
    path.parent.mkdir()
    path.write_text("def one():\n    return two(3)\n")
    index = Index(Files([str(path.parent)]), tmp_path / "cache")
    index.run()
    assert index.callers("two") == [str(path)]
    kept = index.store().facts(str(path))
    assert kept is not None and kept[2] == b""
    facts = index.facts(str(path))
    assert facts is not None and [call.name for call in facts.calls] == ["two"]
    index.close()
    again = Index(Files([str(path.parent)]), tmp_path / "cache")
    kept = again.store().facts(str(path))
    assert kept is not None and decode_facts(kept[2]) == facts
    again.close()
