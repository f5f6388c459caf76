"""Of which classes expressions are instances: each line of the function ends in what is known of its value."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from kernelscope.syntax.python.tree import Assign, FunctionDef, walk
from kernelscope.workspace.files import Files
from kernelscope.workspace.instances import Scope
from kernelscope.workspace.workspace import Workspace

SOURCE = """
from __future__ import annotations
from typing import Callable, Optional, Self, Union
import typing
class A:
    def me(self) -> Self: ...
    def make(self): return B()
    @classmethod
    def built(cls): return cls()
class B(A):
    a: A
    pair: tuple[int, A]
    many: dict[str, list[A]]
    maker: type[A]
    hook: Callable[[int], A | None]
Either = Union[A, B]
def local(): return A()
def ask(one: A, other: "Optional[B]", either: Either, b: B, plain, number: int):
    out = one  #: A declared
    out = other  #: B declared
    out = either  #: A declared, B declared
    out = A()  #: A exact
    out = A  #: A class
    out = b.a  #: A declared
    out = b.pair[1]  #: A declared
    _, second = b.pair
    out = second  #: A declared
    out = b.many["x"][0]  #: A declared
    out = b.maker()  #: A declared
    out = b.hook(1)  #: A declared
    out = b.make()  #: B exact
    out = b.me().make()  #: B exact
    out = A.built()  #: A declared
    out = (a := A())  #: A exact
    out = A() if number else B()  #: A exact, B exact
    out = plain or A()  #: A exact
    out = local()  #: A exact
    out = [A()][0]  #: A exact
    out = [B() for _ in number][1]  #: B exact
    out = plain  #:
    if isinstance(plain, A) and number:
        out = plain  #: A declared
    elif isinstance(plain, (A, B)):
        out = plain.a  #: A declared
    else:
        out = plain  #:
    for _ in number:
        if not isinstance(plain, B):
            continue
        out = plain  #: B declared
        plain = number
        out = plain  #:
    out = plain  #:
    out = number + 1  #:
    out = plain.a  #:
    out = missing()  #:
    itself = itself
    out = itself  #:
    loop = around
    around = loop
    out = loop  #:
"""
LINES = [(number, line) for number, line in enumerate(SOURCE.splitlines(), 1) if "#:" in line]


@pytest.mark.parametrize("number, line", LINES, ids=[line.strip() for _, line in LINES])
def test_types_of_values(number: int, line: str, workspace: Callable[[str], Files]) -> None:
    files = workspace(f"## m.py{SOURCE}")
    made = Workspace(files)
    path = str(Path(files.roots[0]) / "m.py")
    module = made.modules.module(path)
    assert module is not None
    function = next(node for node in module.body if isinstance(node, FunctionDef) and node.name == "ask")
    values = [
        statement.value
        for statement in walk(*function.body)
        if isinstance(statement, Assign) and module.text.line_of(statement.span.start) == number - 1
    ]
    found = made.instances.types(Scope(path, (function,)), values[0])
    shown = [f"{t.cls.name} {'class' if t.is_class else 'exact' if t.is_exact else 'declared'}" for t in found if t.cls]
    assert ", ".join(shown) == line.partition("#:")[2].strip()


def test_names_that_are_made_of_each_other_are_followed_once(workspace: Callable[[str], Files]) -> None:
    turns = "    a, b, c = b, c, a\n" * 9
    text = f"\n## model.py\nclass A: ...\ndef ask(one: A, two: A):\n    a, b, c = one, two, one\n{turns}    out = a\n"
    files = workspace(text)
    found = Workspace(files)
    path = str(Path(files.roots[0]) / "model.py")
    module = found.modules.module(path)
    assert module is not None
    ask = next(scope.node for scope in module.functions())
    assert isinstance(ask, FunctionDef)
    out = next(n for n in walk(*ask.body) if isinstance(n, Assign) and module.text.slice(n.span).startswith("out"))
    (known,) = found.instances.types(Scope(path, (ask,)), out.value)
    assert known.cls is not None and known.cls.name == "A"


def test_threads_that_ask_at_once_get_what_one_gets(workspace: Callable[[str], Files]) -> None:
    """What is remembered while one question is answered is not another's."""
    names = [f"n{i}" for i in range(8)]
    body = "\n".join(f"    {name} = {before}" for before, name in pairwise(names))
    files = workspace(f"\n## model.py\nclass A: ...\ndef ask():\n    n0 = A()\n{body}\n")
    found = Workspace(files)
    path = str(Path(files.roots[0]) / "model.py")
    module = found.modules.module(path)
    assert module is not None
    (function,) = (scope.node for scope in module.functions())
    assert isinstance(function, FunctionDef)
    values = [node.value for node in walk(*function.body) if isinstance(node, Assign)]
    scope = Scope(path, (function,))

    def answers() -> list[int]:
        return [len(found.instances.types(scope, value)) for _ in range(40) for value in values]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            several = [task.result() for task in [pool.submit(answers) for _ in range(4)]]
    finally:
        sys.setswitchinterval(interval)
    assert several == [answers()] * 4
