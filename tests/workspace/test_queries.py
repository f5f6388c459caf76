"""Memoised questions: reuse, early cut-off, cancellation, circles."""

from __future__ import annotations

from collections.abc import Hashable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernelscope.queries import Cancelled, Circle, Queries, Question

computed: list[str] = []


def _words(queries: Queries, key: Hashable) -> tuple[str, ...]:
    computed.append(f"words {key}")
    return tuple(str(queries.read("text", key) or "").split())


def _count(queries: Queries, key: Hashable) -> int:
    computed.append(f"count {key}")
    return len(queries.ask(WORDS, key))


def _sum(queries: Queries, key: Hashable) -> int:
    computed.append("sum")
    assert isinstance(key, tuple)
    return sum(queries.ask(COUNT, name) for name in key)


def _loop(queries: Queries, key: Hashable) -> int:
    return queries.ask(LOOP, key)


WORDS: Question[tuple[str, ...]] = Question("words", _words)
COUNT: Question[int] = Question("count", _count)
SUM: Question[int] = Question("sum", _sum)
LOOP: Question[int] = Question("loop", _loop)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    computed.clear()


def test_an_answer_is_computed_once() -> None:
    queries = Queries()
    queries.set("text", "a", "one two")
    assert [queries.ask(COUNT, "a"), queries.ask(COUNT, "a")] == [2, 2]
    assert computed == ["count a", "words a"]


def test_only_what_read_a_changed_input_is_computed_again() -> None:
    queries = Queries()
    queries.set("text", "a", "one")
    queries.set("text", "b", "two")
    assert queries.ask(SUM, ("a", "b")) == 2
    computed.clear()
    queries.set("text", "b", "two three")
    assert queries.ask(SUM, ("a", "b")) == 3
    assert computed == ["words b", "count b", "sum"]


def test_an_equal_answer_cuts_off_what_depends_on_it() -> None:
    queries = Queries()
    queries.set("text", "a", "one two")
    queries.ask(SUM, ("a",))
    computed.clear()
    queries.set("text", "a", "three four")
    assert queries.ask(SUM, ("a",)) == 2
    assert computed == ["words a", "count a"]


def test_setting_an_equal_input_changes_nothing() -> None:
    queries = Queries()
    queries.set("text", "a", "one")
    queries.ask(COUNT, "a")
    computed.clear()
    queries.set("text", "a", "one")
    queries.ask(COUNT, "a")
    assert computed == []


def test_cancelling_leaves_no_half_answer() -> None:
    queries = Queries()
    queries.set("text", "a", "one")
    with pytest.raises(Cancelled):
        queries.ask(SUM, ("a",), cancelled=lambda: "sum" in computed)
    assert queries.ask(SUM, ("a",)) == 1


def test_a_circle_is_named() -> None:
    with pytest.raises(Circle, match="loop"):
        Queries().ask(LOOP, 1)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text("x ", max_size=4)), max_size=20))
def test_answers_equal_those_computed_from_scratch(edits: list[tuple[str, str]]) -> None:
    queries = Queries()
    texts: dict[str, str] = {}
    for name, text in edits:
        queries.set("text", name, text)
        texts[name] = text
        assert queries.ask(SUM, ("a", "b", "c")) == sum(len(t.split()) for t in texts.values())
