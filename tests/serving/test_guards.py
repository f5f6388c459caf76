"""What is asked of a function's nodes, by kind."""

from __future__ import annotations

from collections.abc import Callable

from kernelscope.serving.claims import PythonSource
from kernelscope.serving.guards import guards_text, own, own_of, statements
from kernelscope.syntax.python import tree as t

Source = Callable[[str], PythonSource]


def test_nodes_of_some_kinds_are_those_of_all_in_their_order(source: Source) -> None:
    text = """
        def f(x):
            while x:
                for y in x:
                    x = y
            for z in x:
                return [z for z in x]
            def g():
                for hidden in x:
                    pass
    """
    (scope,) = (s for s in source(text).module.functions() if s.node.name == "f")
    loops = [n for n in own(scope.node) if isinstance(n, t.For | t.While)]
    assert list(own_of(scope.node, t.For, t.While)) == loops
    assert [type(n).__name__ for n in own_of(scope.node, t.While, t.For)] == ["While", "For", "For"]
    assert list(own_of(scope.node, t.Try)) == []


def test_the_last_limit_of_a_long_test_is_quoted(source: Source) -> None:
    limits = " and ".join(f"len(self.letters_that_wait_for_desk_{i}) < self.most_letters" for i in range(5))
    file = source(f"def admit(self):\n    if {limits}:\n        self.take()\n")
    (scope,) = file.module.functions()
    ((_, guards),) = statements(scope.node)
    assert guards_text(file, guards) == [limits]


def test_conditions_that_are_joined_keep_their_meaning(source: Source) -> None:
    text = """
        def f(a, b, c):
            if a or b:
                if not (a and c):
                    pass
                else:
                    a = c
    """
    file = source(text)
    (scope,) = file.module.functions()
    (_, guards), *_ = reversed(statements(scope.node))
    assert guards_text(file, guards) == ["(a or b)", "a and c"]
    file = source("def f(a, b, c):\n    if a or b:\n        c = 1\n")
    (scope,) = file.module.functions()
    ((_, guards),) = statements(scope.node)
    assert guards_text(file, guards) == ["a or b"]
