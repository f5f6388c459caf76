"""Facts sharpen comparison and spell dims in fewer words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from kernelscope.dims import NO_FACTS, ceil_div, dim, render, same

hidden, heads, S, T, P = map(dim, ("hidden_size", "num_heads", "S", "T", "P"))


def test_divisibility_joins_what_was_split() -> None:
    facts = NO_FACTS.with_divisible(hidden, heads)
    head_dim = hidden // heads
    assert same(heads * head_dim, hidden) is None
    assert same(heads * head_dim, hidden, facts) is True
    assert render(facts.rewrite(S * heads * head_dim)) == "S*hidden_size"
    assert facts.rewrite(hidden % heads) == 0
    assert same(2 * (S // 2), S, NO_FACTS.with_divisible(S, 2)) is True
    assert facts.divides(heads, hidden * S)
    assert not facts.divides(heads, S)


def test_of_what_is_odd_twice_the_half_lacks_one() -> None:
    odd = NO_FACTS.with_divisible(S - 1, 2)
    assert odd.rewrite(2 * (S // 2) + 1) == S
    assert odd.rewrite(6 * T * (S // 2)) == 3 * T * (S - 1)
    assert odd.rewrite(S // 2) == S // 2
    assert NO_FACTS.with_divisible(S, 2).rewrite(2 * (S // 2) + 1) == S + 1


def test_equal_names_become_one() -> None:
    facts = NO_FACTS.with_equal(S, T)
    assert facts.rewrite(T * 2) == 2 * S
    assert same(S, T, facts) is True
    chained = facts.with_equal(P, S + 1)
    assert same(T + 1, P, chained) is True
    assert NO_FACTS.with_equal(S, S + 1) == NO_FACTS
    halved = NO_FACTS.with_equal(hidden, 2 * T)
    assert render(halved.rewrite(T)) == "hidden_size//2"
    assert halved.rewrite(2 * T) == hidden


def test_a_view_that_succeeds_tells_facts() -> None:
    head_dim = hidden // heads
    facts = NO_FACTS.with_same(S * hidden, S * heads * head_dim)
    assert facts.rewrite(heads * head_dim) == hidden
    assert NO_FACTS.with_same(P * S, P * T).rewrite(T) == S
    assert NO_FACTS.with_same(S * 2, T * 3) == NO_FACTS
    assert NO_FACTS.with_same(S, S) == NO_FACTS


def test_what_every_other_one_was_taken_of_was_even() -> None:
    evens, odds = ceil_div(S, 2), ceil_div(S - 1, 2)
    facts = NO_FACTS.with_same(evens, odds)
    assert facts.divides(dim(2), S)
    assert facts.rewrite(evens) == facts.rewrite(odds) == S // 2
    assert NO_FACTS.with_same(2 * evens, S).rewrite(odds) == S // 2


def test_what_is_as_long_as_before_behind_steps_and_back_is_a_multiple_of_them() -> None:
    steps = (S - 1) // 8 + 1
    facts = NO_FACTS.with_same(steps, S // 8)
    assert facts.divides(dim(8), S)
    assert facts.rewrite(steps) == S // 8
    assert NO_FACTS.with_same(4 * ((S - 1) // 4) + 4, S).rewrite(4 * ((S - 1) // 4)) == S - 4
    three_of_four = (S - 1) // 4 + 1, (S + 2) // 4 + (S - 1) // 4 + 1 - S // 4
    assert not NO_FACTS.with_same(*three_of_four).divides(dim(4), S)


def test_halves_that_meet_are_halves() -> None:
    head_dim = hidden // heads
    first, second = head_dim // 2, head_dim - head_dim // 2
    for one, other in ((first, second), (first, ceil_div(head_dim, 2))):
        facts = NO_FACTS.with_alike(one, other)
        assert facts.rewrite(second) == facts.rewrite(ceil_div(head_dim, 2)) == first
        assert facts.rewrite(2 * first) == head_dim
    even = NO_FACTS.with_same(S // 2, S - S // 2)
    assert render(even.rewrite(T + S - S // 2)) == "T + S//2"
    assert even.rewrite(S - S // 3) == S - S // 3


@given(st.integers(0, 40), st.integers(2, 8), st.integers(0, 8))
def test_rounding_up_keeps_the_value(number: int, divisor: int, missing: int) -> None:
    facts = NO_FACTS.with_divisible(S, divisor)
    rounded = ceil_div(S - missing, divisor)
    env = {"S": number * divisor}
    assert facts.rewrite(rounded).evaluate(env) == rounded.evaluate(env)


def test_bounds_tell_sizes_apart() -> None:
    assert same(S + T, S) is None
    assert same(S + T, S, NO_FACTS.with_sizes("T")) is False
    assert same(S, 8, NO_FACTS.with_bounds("S", largest=4)) is False
    assert same(S, 4, NO_FACTS.with_bounds("S", 4, 4)) is True


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 30))
def test_rewriting_keeps_the_value(n: int, k: int, extra: int) -> None:
    facts = NO_FACTS.with_divisible(hidden, heads)
    d = S * heads * (hidden // heads) + hidden % heads + (hidden // heads) * 3
    env = {"hidden_size": n * k, "num_heads": n, "S": extra}
    assert facts.rewrite(d).evaluate(env) == d.evaluate(env)


def test_what_two_ways_know_does_not_depend_on_which_name_gave_way() -> None:
    one = NO_FACTS.with_equal("a", "b").with_equal("a", "c")
    other = NO_FACTS.with_equal("c", "b")
    common = one.common(other)
    assert common.rewrite(dim("b")) == common.rewrite(dim("c")) != common.rewrite(dim("a"))
    assert not one.common(NO_FACTS.with_equal("a", "d")).equal


def test_equal_multiples_of_a_sum() -> None:
    a, b, n, w = map(dim, "abnw")
    assert NO_FACTS.with_same(a * n + b * n + n, a * w + b * w + w).rewrite(n) == NO_FACTS.with_same(n, w).rewrite(n)


def test_as_many_windows_as_fit_are_all_there_is() -> None:
    windows = S // T
    facts = NO_FACTS.with_divisible(S, T)
    assert facts.rewrite(S // windows) == T
    assert facts.rewrite(windows * (S // windows)) == S
    assert NO_FACTS.rewrite(S // windows) != T
    keys = facts.with_divisible(P, windows)
    assert keys.with_same(P // windows, T).rewrite(P) == S
    assert keys.with_same(T, P // windows).rewrite(P) == S
    assert facts.with_same(P // windows, T).rewrite(P) == P
