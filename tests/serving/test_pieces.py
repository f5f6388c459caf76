"""A file that is edited is read in pieces: what an edit left is not looked at again, and nothing else differs."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from kernelscope import serving
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.pieces import Pieces, Watch, by_function, watched
from kernelscope.serving.reading import Reading, read_python
from kernelscope.syntax.python.lower import parse_module

ROOT = Path(__file__).parents[1]
DESK = (ROOT / "workspaces/service/service/scheduler.py").read_bytes()
TOWN = b"""
import threading
from collections import deque

LONGEST_WAIT = 30


class Letter:
    def __init__(self, text):
        self.text = text
        self.stamps = 0
        self.ref_count = 0


class Desk:
    def __init__(self, size=8):
        self.size = size
        self.waiting = deque()
        self.running = []
        self.inbox = threading.Queue()

    def add(self, letter):
        if len(letter.text) > self.size:
            raise ValueError(f"longer than {self.size}")
        self.waiting.append(letter)

    def step(self):
        budget = self.size
        while self.waiting and budget > 0:
            letter = self.waiting.popleft()
            budget -= 1
            letter.ref_count += 1
            self.running.append(letter)
        for letter in list(self.running):
            if letter.stamps >= LONGEST_WAIT:
                self.running.remove(letter)
                self.release(letter)

    def release(self, letter):
        letter.ref_count -= 1
        if letter.ref_count == 0:
            self.inbox.put(letter)

    def serve(self):
        def ring():
            while True:
                self.step()

        threading.Thread(target=ring, name="ring").start()


def main():
    desk = Desk()
    desk.serve()
"""


def _records(reading: Reading) -> dict[str, object]:
    return {f.name: getattr(reading, f.name) for f in fields(reading)}


def _read(data: bytes, before: Pieces | None) -> tuple[Reading, Watch]:
    module = parse_module(data)
    watch = Watch(module, before)
    with watched(watch):
        return read_python(PythonSource(Path("/w/desk.py"), module)), watch


def _cold(data: bytes) -> Reading:
    return read_python(PythonSource(Path("/w/desk.py"), parse_module(data)))


def _edited(data: bytes, chance: random.Random) -> bytes:
    """The text with a line gone, doubled, replaced by another, or with a name changed."""
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[chance.randrange(len(lines))])
        case 2:
            lines[at] = lines[chance.randrange(len(lines))]
        case _:
            lines[at] = lines[at].replace(b"self.", b"self.my_", 1).replace(b"if ", b"while ", 1)
    return b"\n".join(lines)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("text", [DESK, TOWN], ids=["scheduler", "town"])
def test_after_any_edit_a_file_tells_what_it_tells_when_it_is_read_anew(text: bytes, seed: int) -> None:
    chance, data, known = random.Random(seed), text, None
    for _ in range(25):
        reading, watch = _read(data, known)
        assert _records(reading) == _records(_cold(data)), data.decode()
        known = watch.pieces or known
        data = _edited(data, chance) if chance.randrange(6) else text


def test_functions_that_an_edit_left_as_they_were_are_not_asked_again() -> None:
    asked: list[str] = []

    @by_function
    def finder(source: PythonSource) -> Iterator[str]:
        for scope in source.module.functions():
            asked.append(scope.qualified_name)
            yield scope.qualified_name

    def told(data: bytes, known: Pieces | None) -> tuple[list[str], Pieces | None]:
        module = parse_module(data)
        watch = Watch(module, known)
        with watched(watch):
            return list(finder(PythonSource(Path("/w/desk.py"), module))), watch.pieces

    first, known = told(TOWN, None)
    assert asked == first
    asked.clear()
    second, _ = told(TOWN.replace(b"budget -= 1", b"budget -= 2\n            letter.stamps += 1"), known)
    assert (asked, second) == (["Desk.step"], first)


def test_places_behind_an_edit_are_where_they_are_now() -> None:
    before, watch = _read(TOWN, None)
    after, _ = _read(TOWN.replace(b"        budget = self.size\n", b"        budget = self.size\n\n\n"), watch.pieces)
    assert [s.location.line + 2 for s in before.started] == [s.location.line for s in after.started] != []


def test_a_block_that_is_being_typed_costs_nothing() -> None:
    assert not _cold(TOWN.replace(b"            raise ValueError", b"            # raise ValueError")).faults


def _finders() -> Iterator[tuple[str, ast.FunctionDef]]:
    """The recognisers that tell something of each function by itself."""
    for module in iter_modules(serving.__path__):
        found = import_module(f"kernelscope.serving.{module.name}")
        for node in ast.parse(Path(str(found.__file__)).read_text()).body:
            if isinstance(node, ast.FunctionDef) and any(ast.unparse(d) == "by_function" for d in node.decorator_list):
                yield module.name, node


def _leaves(body: list[ast.stmt]) -> bool:
    """Whether a loop is left early."""
    for statement in body:
        if isinstance(statement, ast.Return | ast.Break):
            return True
        parts = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
        parts += [part.body for name in ("handlers", "cases") for part in getattr(statement, name, [])]
        if isinstance(statement, ast.For | ast.While):
            parts = [[s for s in ast.walk(statement) if isinstance(s, ast.Return)], statement.orelse]
        if any(_leaves(part) for part in parts):
            return True
    return False


def test_recognisers_that_tell_of_each_function_by_itself_remember_nothing_of_others() -> None:
    found = list(_finders())
    assert len(found) > 60
    for module, function in found:
        *before, loop = function.body
        assert isinstance(loop, ast.For) and "source.module.functions()" in ast.unparse(loop.iter), (
            module,
            function.name,
        )
        assert not _leaves(loop.body), (module, function.name)
        bound = {n.id for s in before for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        inside = ast.unparse(loop)
        changed = {n.id for n in ast.walk(loop) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        assert not bound & changed, (module, function.name)
        for name in bound:
            assert not any(f"{name}.{verb}(" in inside for verb in ("add", "append", "update", "setdefault", "pop")), (
                name
            )
            assert f"{name}[" not in inside or f"{name}[" not in "".join(
                ast.unparse(t) for n in ast.walk(loop) if isinstance(n, ast.Assign) for t in n.targets
            ), (module, function.name)
