"""How many template arguments calls of C++ give and functions take."""

from __future__ import annotations

import pytest
from kernelscope.workspace.cuda_templates import ANY, fits, given_arguments, taken_arguments


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("void f(int n)", (0, 0)),
        ("template <typename T> void f(T *x)", (0, 1)),
        ("template <typename T, int N> void f(int n)", (2, 2)),
        ("template <typename T, int N = 4> void f(int n)", (1, 2)),
        ("template <int N, typename T> void f(T x)", (1, 2)),
        ("template <int N, typename... Ts> void f()", (1, ANY)),
        ("template <typename T, bool B = (sizeof(T) > 4)> void f()", (1, 2)),
        ("template <typename T> void Norm<T>::run()", (0, 1)),
        ("template <typename T> template <int N> void Norm<T>::run()", (1, 1)),
        ("template <typename A, typename = enable_if_t<is_same<A, int>::value>> void f()", (1, 2)),
        ("template <template <int> class P> void f()", (1, 1)),
        ("template <> void f<float, 4>(float x)", (0, ANY)),
        ("API template <int N> void f()", (0, ANY)),
        ("template <int N void f()", (0, ANY)),
    ],
)
def test_what_a_function_takes(header: str, taken: tuple[int, int]) -> None:
    assert taken_arguments(header.encode()) == taken


@pytest.mark.parametrize(
    ("written", "given"),
    [("", 0), ("T", 1), ("A<int, 4>, f(1, 2), (N > 1)", 3), ("T, Ts...", ANY), ("&Owner::run, &a->b", 2)],
)
def test_what_a_call_gives(written: str, given: int) -> None:
    assert given_arguments(written.encode()) == given


def test_what_nobody_can_tell_fits() -> None:
    assert fits(2, (1, 2)) and fits(2, (1, ANY)) and fits(ANY, (1, 1))
    assert not fits(0, (1, 2)) and not fits(3, (1, 2))
