"""Dims against plain integers: any expression, evaluated at random sizes, gives the same number, printed or not."""

from __future__ import annotations

import operator
from math import ceil
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from kernelscope.dims import (
    Dim,
    bit_and,
    bit_or,
    bit_xor,
    ceil_div,
    difference,
    dim,
    equal,
    less,
    maximum,
    minimum,
    normal,
    parse,
    render,
    same,
    shift_left,
    shift_right,
)
from kernelscope.dims.compare import bounds

NAMES = ["B", "S", "num_heads", "config.hidden_size", "len(xs)", "a or b"]
VALUES = {"B": 3, "S": 7, "num_heads": 4, "config.hidden_size": 12, "len(xs)": 5, "a or b": 2}
BINARY = {"+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, "%": operator.mod}
BITS = {
    "&": (operator.and_, bit_and),
    "|": (operator.or_, bit_or),
    "^": (operator.xor, bit_xor),
    "<": (operator.lt, less),
    "==": (operator.eq, equal),
}
CALLS = {**BITS, "max": (max, maximum), "min": (min, minimum), "cdiv": (lambda a, b: -(-a // b), ceil_div)}

leaf = st.sampled_from(NAMES) | st.integers(-4, 9)
divisor = (
    st.sampled_from(NAMES) | st.integers(1, 8) | st.tuples(st.just("*"), st.sampled_from(NAMES), st.integers(1, 4))
)
downwards = st.integers(-8, -1) | st.tuples(st.just("*"), st.sampled_from(NAMES), st.integers(-3, -1))
trees = st.recursive(
    leaf,
    lambda t: (
        st.tuples(st.sampled_from(["+", "-", "*", "max", "min", *BITS]), t, t)
        | st.tuples(st.sampled_from(["//", "%", "cdiv"]), t, divisor)
        | st.tuples(st.sampled_from(["//", "%", "cdiv"]), t, downwards)
    ),
    max_leaves=10,
)
sizes = st.fixed_dictionaries({name: st.integers(1, 40) for name in NAMES})
Tree = Any


def symbolic(tree: Tree) -> Dim:
    if not isinstance(tree, tuple):
        return dim(tree)
    op, a, b = tree
    return BINARY[op](symbolic(a), symbolic(b)) if op in BINARY else CALLS[op][1](symbolic(a), symbolic(b))


def number(tree: Tree, env: dict[str, int]) -> int:
    if not isinstance(tree, tuple):
        return env[tree] if isinstance(tree, str) else tree
    op, a, b = tree
    x, y = number(a, env), number(b, env)
    return BINARY[op](x, y) if op in BINARY else CALLS[op][0](x, y)


class Environment(dict[str, Any]):
    """Lets `eval` read printed names that are expressions themselves."""

    def __init__(self, env: dict[str, int]) -> None:
        class Config:
            hidden_size = env["config.hidden_size"]

        super().__init__(env, config=Config, len=lambda _: env["len(xs)"], xs=None, a=0, b=env["a or b"])
        self.update(cdiv=CALLS["cdiv"][0])


@settings(max_examples=600, deadline=None)
@given(trees, sizes)
def test_value_and_text_agree_with_integers(tree: Tree, env: dict[str, int]) -> None:
    want = number(tree, env)
    d = symbolic(tree)
    assert d.evaluate(env) == want
    for order in ((), NAMES, NAMES[::-1]):
        text = render(d, order)
        assert eval(text, {}, Environment(env)) == want, text


@settings(max_examples=400, deadline=None)
@given(trees, sizes)
def test_normal_form_and_bounds_hold_at_every_point(tree: Tree, env: dict[str, int]) -> None:
    d, want = symbolic(tree), number(tree, env)
    assert normal(d).evaluate(env) == want
    low, high = bounds(d)
    assert (low is None or low <= want) and (high is None or want <= high)


@settings(max_examples=400, deadline=None)
@given(trees, trees, sizes)
def test_algebra_is_commutative_and_comparison_is_never_wrong(a: Tree, b: Tree, env: dict[str, int]) -> None:
    x, y = symbolic(a), symbolic(b)
    assert x + y == y + x
    assert x * y == y * x
    assert x - x == 0
    assert (x + y) * y == x * y + y * y
    verdict = same(x, y)
    if verdict is not None and verdict != (number(a, env) == number(b, env)):
        assert not verdict, "said different, and these sizes make them equal"
        raise AssertionError("said the same, and these sizes tell them apart")


@settings(max_examples=400, deadline=None)
@given(trees, trees, st.integers(-4, 9))
def test_a_difference_is_told_where_it_is_a_number(a: Tree, b: Tree, by: int) -> None:
    left, right = symbolic(a), symbolic(b)
    assert difference(left, right) == (left - right).const
    assert difference(left + by, left) == by


@settings(max_examples=400, deadline=None)
@given(trees, sizes, st.permutations(NAMES))
def test_names_replaced_in_two_steps_are_replaced_at_once(tree: Tree, env: dict[str, int], order: list[str]) -> None:
    one, rest = order[:3], order[3:]
    changed = symbolic(tree).subs({name: dim("k") * env[name] - env[name] for name in one})
    value = changed.evaluate({"k": 2, **{name: env[name] for name in rest}})
    if value is not None:
        assert value == symbolic(tree).evaluate(env)


@settings(max_examples=200, deadline=None)
@given(trees)
@example(("&", "B", ("cdiv", "B", ("*", "B", 2))))
def test_text_is_read_back(tree: Tree) -> None:
    d = symbolic(tree)
    if "a or b" not in d.names():
        back = parse(render(d))
        assert back is not None
        assert same(back, d)


B, S, T, H, n, hd = map(dim, ("B", "S", "T", "H", "num_heads", "head_dim"))


def test_exact_division_comes_first() -> None:
    assert (B * S * n * hd) // n == B * S * hd
    assert ((n + 2) * hd) // hd == n + 2
    assert str((2 * S + 5) // 2) == "S+2"
    assert (S // 2) // 3 == S // 6
    assert (2 * S * n) // (4 * n) == S // 2
    assert S // 2 + (S - S // 2) == S


def test_what_is_divided_downwards_is_written_upwards() -> None:
    assert str(-(-S // T)) == "cdiv(S, T)"
    assert str(S % -5) == "-((-S)%5)"
    assert bounds(S % -5) == (-4, 0)
    assert bounds(ceil_div(S, -5)) == (None, 0)
    assert bounds(S % (T - B)) == (None, None), "what is left over has its divisor's sign"


def test_masks_and_shifts_become_arithmetic() -> None:
    assert bit_and(B, 31) == B % 32
    assert bit_and(B, -8) == B - B % 8
    assert shift_left(B, 3) == 8 * B
    assert shift_right(16 * B + 5, 4) == B
    assert str(shift_left(1, B)) == "1 << B"
    assert shift_right(B, S).evaluate({"B": 37, "S": 2}) == 9
    assert str(bit_xor(B + S, 5)) == "(B+S) ^ 5"
    assert less(S, S + 1) == 1


def test_text_keeps_the_order_of_the_source() -> None:
    assert render(n * hd, ["num_heads", "head_dim"]) == "num_heads*head_dim"
    assert render(n * hd, ["head_dim", "num_heads"]) == "head_dim*num_heads"
    assert render((H - 1) // 2 + 1) == "(H-1)//2 + 1"
    assert render(T + S, ["S", "T"]) == "S+T"
    assert render(4 - S) == "4-S"
    assert render((-1) % B) == "(-1)%B"
    assert render(2 * (H // 3)) == "2*(H//3)"
    assert render(ceil_div(S, 64) * 64) == "64*cdiv(S, 64)"
    assert render(dim("a or b") * 2) == "2*(a or b)"
    assert render(S**3 + S**2) == "S**3+S*S"


def test_what_is_rounded_up_by_a_size_reads_so() -> None:
    assert render((T + S - 1) // S) == "cdiv(T, S)"
    assert render((T * H + S - 1) // S * S + B) == "S*cdiv(H*T, S) + B"
    assert render(((T - 1) // S + 1) * ((B - 1) // H + 1)) == "cdiv(B, H)*cdiv(T, S)"
    assert render((T - 1) // S) == "(T-1)//S"
    assert render((T - 1) // S + 2) == "(T-1)//S + 2"


def test_rounding_up_by_two_minuses_reads_so() -> None:
    a, b = dim("a"), dim("b")
    assert render(-(a // -b) * b) == "b*cdiv(a, b)"
    assert -(a // dim(-256)) == ceil_div(a, 256)


def test_comparison_has_three_answers() -> None:
    assert same(S * n, n * S) is True
    assert same(S, S + 1) is False
    assert same(S, T) is None
    assert same(S + T, S) is None  # T may be 0: an empty cache
    assert same(2 * S, 3) is False
    assert same((H - 1) // 2 + 1, ceil_div(H, 2)) is True
    assert same(((H - 1) // 2 + 1 - 1) // 2 + 1, ceil_div(H, 4)) is True
    assert same(S % 4, S - 4 * (S // 4)) is True
    assert same(S % 4, 4) is False


def test_extremes_decide_what_differs_by_a_number() -> None:
    assert maximum(S, S + 1) == S + 1
    assert minimum(S, T, S - 2) == minimum(S - 2, T)
    assert str(minimum(S, 128)) == "min(S, 128)"
    assert str(minimum(S // 2, ceil_div(S, 2))) == "S//2"
    assert str(minimum(S // T // 2, ceil_div(S // T, 2))) == "S//(2*T)"
    assert str(minimum(ceil_div(S, 2), ceil_div(S + 1, 2))) == "cdiv(S, 2)"
    assert minimum(S, 4 * (S // 4)) == 4 * (S // 4) and maximum(4 * (S // 4), S) == S
    assert str(maximum(S // 2 + 1, ceil_div(S, 2) + 1)) == "cdiv(S, 2) + 1"


def test_extremes_decide_what_rounding_cannot_turn_round() -> None:
    assert minimum(S, S // 2) == S // 2 and maximum(S // 2, S) == S
    assert minimum(S // n, S // (2 * n)) == S // (2 * n)
    assert minimum(S, S - S // 2) == S - S // 2
    assert minimum(n * ((S - 1) // n) + n, S) == S, "a vocabulary that was padded holds its words"
    assert minimum(S, S + T) == S and minimum(S, 2 * S) == S
    assert maximum(S, minimum(S, T)) == S
    assert str(minimum(S // 2, T)) == "min(T, S//2)"
    assert str(minimum(S - 4 * n, S - n * T)) == "min(S-T*num_heads, S-4*num_heads)"


def test_operations_on_names_hold_for_any_text() -> None:
    size = dim("x.shape[0]") * dim("i + 1")
    assert str(size) == "(i + 1)*x.shape[0]"
    assert size.subs({"i + 1": 3}) == 3 * dim("x.shape[0]")


def test_reading_refuses_what_is_not_an_integer_expression() -> None:
    assert parse("num_heads * head_dim") == n * hd
    assert parse("S // 2 + 1") == S // 2 + 1
    assert parse("(a, b)") is None
    assert parse("S / 2") is None
    assert parse("S +") is None
    assert parse("S // 0") is None
    assert parse("(" * 500) is None
    assert parse("-" * 150 + "S") is None


def test_growth_is_bounded() -> None:
    d = S
    try:
        for _ in range(50):
            d = d * d + T // 2
    except ArithmeticError:
        return
    raise AssertionError("nothing stopped it")


def test_rounding_up_matches_math() -> None:
    assert all(ceil_div(a, b) == ceil(a / b) for a in range(20) for b in range(1, 7))


def test_what_is_divided_by_zero_has_no_value_and_raises_nothing() -> None:
    tiles = dim("n") // dim("block")
    assert tiles.subs({"block": 0}).const is None
    assert tiles.subs({"block": 0}).subs({"n": 8}).const is None


def test_what_is_left_of_an_odd_shift_of_two() -> None:
    kernel, length = dim("kernel"), dim("length")
    padded = length + 2 * (kernel // 2) - (kernel + 1) % 2
    assert padded == length + kernel - 1
    assert padded - kernel + 1 == length
    for size in range(1, 9):
        assert ((kernel + 3) % 2).subs({"kernel": size}).const == (size + 3) % 2
        assert ((3 * kernel - 1) % 2).subs({"kernel": size}).const == (3 * size - 1) % 2
