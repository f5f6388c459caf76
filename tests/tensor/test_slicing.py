"""Lengths of slices: exact with numbers, never wrong with names that are as long as the code needs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from kernelscope.dims import Dim, Facts, dim
from kernelscope.tensor import Unknown
from kernelscope.tensor.slicing import sliced

bound = st.none() | st.integers(-12, 12)
S, T, P = map(dim, ("S", "T", "P"))


@given(st.integers(0, 10), bound, bound, st.none() | st.integers(1, 4))
def test_numbers_are_exact(size: int, start: int | None, stop: int | None, step: int | None) -> None:
    assert sliced(dim(size), start, stop, step) == len(range(size)[start:stop:step])


@given(st.integers(13, 40), bound, bound, st.none() | st.integers(1, 4))
def test_names_agree_where_the_axis_is_long_enough(
    size: int, start: int | None, stop: int | None, step: int | None
) -> None:
    length = len(range(size)[start:stop])
    if length:
        found = sliced(S, start, stop, step)
        assert isinstance(found, Dim)
        assert found.evaluate({"S": size}) == -(-length // (step or 1)), str(found)


@given(st.integers(1, 40), st.integers(-4, -1))
def test_backwards_there_are_as_many(size: int, step: int) -> None:
    """As numpy and JAX slice: `x[::-1]` is as long as `x`; where it begins and ends otherwise is not followed."""
    found = sliced(S, None, None, step)
    assert isinstance(found, Dim)
    assert found.evaluate({"S": size}) == len(range(size)[::step])
    assert isinstance(sliced(S, 5, None, step), Unknown)


def test_symbolic_bounds_read_as_written() -> None:
    assert str(sliced(S, None, -1, None)) == "S-1"
    assert str(sliced(S, -1, None, None)) == "1"
    assert str(sliced(S, T, None, None)) == "S-T"
    assert str(sliced(S, None, T, None)) == "min(S, T)"
    assert str(sliced(S, -T, None, None)) == "min(S, T)"
    assert sliced(S, None, S // 2, None) == S // 2
    assert sliced(S, S // 2, None, None) == S - S // 2
    assert sliced(S + P, P, None, None) == S
    assert sliced(S + P, -S, None, None) == S
    assert sliced(S + P, P, P + S, None) == S
    assert str(sliced(dim("limit"), P, P + S, None)) == "min(limit-P, S)"
    assert str(sliced(S, None, None, 2)) == "cdiv(S, 2)"
    assert sliced(S + P - 1, None, 1 - P, None) == S
    assert sliced(S + P - 1, 1 - P, None, None) == P - 1


def test_what_a_convolution_adds_is_cut_off_again() -> None:
    usual = Facts(as_usual=True)
    assert sliced(S + P - 1, None, S, None, usual) == S
    assert str(sliced(S + P - 1, None, S, None)) == "min(P+S-1, S)"
    assert str(sliced(S + P - 2, None, S, None, usual)) == "min(P+S-2, S)"


def test_unknown_sizes_stay_unknown_but_for_single_elements() -> None:
    lost = Unknown("a test")
    assert sliced(lost, 1, None, None) == lost
    assert sliced(lost, None, 1, None) == 1
    assert sliced(S, None, lost, None) == lost
