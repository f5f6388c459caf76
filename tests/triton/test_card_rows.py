"""Rows of cards where sides of branches, helpers or launches differ."""

from __future__ import annotations

from pathlib import Path

import pytest
from cards import HEAD, card, written
from kernelscope.analysis import Analysis
from kernelscope.explain.render import to_text
from kernelscope.results import Target


def test_blocks_of_both_sides_of_a_branch(tmp_path: Path) -> None:
    rows = card(tmp_path, HEAD + (
        "@triton.jit\ndef add(x, y, TURN: tl.constexpr, SMALL: tl.constexpr, M: tl.constexpr, N: tl.constexpr):\n"
        "    if TURN:\n        total = tl.zeros((N, M), tl.float32)\n"
        "    else:\n        total = tl.zeros((M, N), tl.float32)\n"
        "    v = tl.load(x + tl.arange(0, M))\n"
        "    if SMALL:\n        w = v.to(tl.float8e5)\n    else:\n        w = v.to(tl.float16)\n"
        "    tl.store(y + tl.arange(0, M), w + tl.sum(total))\n"
    ))  # fmt: skip
    blocks = rows["Block tensors"].split("<br>")
    assert "`total` block[N, M] fp32 or block[M, N] fp32" in blocks
    assert "`w` block[M] fp8e5 or block[M] fp16" in blocks


def test_a_kernel_whose_work_its_helpers_do(tmp_path: Path) -> None:
    rows = card(tmp_path, HEAD + (
        "@triton.jit\ndef keep(p, v):\n    tl.store(p, v)\n\n"
        "@triton.jit\ndef inner(x, y, at, n, B: tl.constexpr):\n"
        "    i = at * B + tl.arange(0, B)\n    v = tl.load(x + i, mask=i < n)\n    keep(y + i, v * 2)\n\n"
        "@triton.jit\ndef add(x, y, n, B: tl.constexpr, WIDE: tl.constexpr):\n"
        "    at = tl.program_id(0)\n"
        "    if WIDE:\n        inner(x, y, at, n, B)\n    else:\n        inner(x, y, at, n, B)\n"
    ))  # fmt: skip
    assert "`v` block[B] T(x) in inner" in rows["Block tensors"].split("<br>")
    accesses = rows["Loads / stores"].split("<br>")
    assert sorted(line.rpartition(" · ")[2] for line in accesses) == ["in inner L12"] * 2 + ["in keep L7"] * 2


def test_programs_of_grids_that_differ_by_case(tmp_path: Path) -> None:
    rows = card(tmp_path, HEAD + (
        "@triton.jit\ndef add(x, n, SPLIT: tl.constexpr, B: tl.constexpr):\n"
        "    tl.store(x + tl.program_id(0) * B + tl.arange(0, B), n)\n\n"
        "def launch(x, n, h, SPLIT):\n"
        "    grid = lambda meta: (triton.cdiv(n, meta['B']) if meta['SPLIT'] else 1, h)\n"
        "    add[grid](x, n, SPLIT=SPLIT, B=64)\n"
    ))  # fmt: skip
    first, second = rows["Programs"].split("<br>")
    assert first.endswith("if `meta['SPLIT']`")
    assert second.startswith("`h` if `not ")


def test_programs_of_a_grid_whose_product_is_too_large_an_expression(tmp_path: Path) -> None:
    first, second = ([letter + other for other in "abcdefghijkl"] for letter in "vw")
    rows = card(tmp_path, HEAD + (
        "@triton.jit\ndef add(x, n, B: tl.constexpr):\n"
        "    tl.store(x + tl.program_id(0) * B + tl.arange(0, B), n)\n\n"
        f"def launch(x, {', '.join(first + second)}):\n"
        f"    add[({' + '.join(first)}, {' + '.join(second)})](x, 1, B=64)\n"
    ))  # fmt: skip
    assert rows["Programs"] == f"`({'+'.join(first)})*({'+'.join(second)})`"


def test_what_does_not_fit_by_one_switch_is_not_told(tmp_path: Path) -> None:
    """PLAIN does not compile with TURN: what it would give there, a product of sizes that do not meet, is no shape."""
    path = written(tmp_path, HEAD + (
        "@triton.jit\ndef add(a, b, s, y, n, M: tl.constexpr, N: tl.constexpr, K: tl.constexpr,\n"
        "        TURN: tl.constexpr, PLAIN: tl.constexpr):\n"
        "    m = tl.arange(0, M)\n    c = tl.arange(0, N)\n    k = tl.arange(0, K)\n"
        "    if TURN:\n        x = tl.load(a + k[:, None] * n + m[None, :])\n"
        "        w = tl.load(b + c[:, None] * n + k[None, :])\n        acc = tl.zeros((N, M), tl.float32)\n"
        "    else:\n        x = tl.load(a + m[:, None] * n + k[None, :])\n"
        "        w = tl.load(b + k[:, None] * n + c[None, :])\n        acc = tl.zeros((M, N), tl.float32)\n"
        "    if PLAIN:\n        scale = tl.load(s + c[None, :])\n    else:\n        scale = tl.load(s + c)\n"
        "    for i in range(n):\n"
        "        if PLAIN:\n            acc += tl.dot(x, w)\n"
        "        elif TURN:\n            acc += tl.dot(w, x) * scale[:, None]\n"
        "        else:\n            acc += tl.dot(x, w) * scale[None, :]\n"
        "    if TURN:\n        acc = tl.trans(acc)\n"
        "    if PLAIN:\n        acc = acc * scale\n"
        "    tl.store(y + m[:, None] * n + c[None, :], acc)\n"
    ))  # fmt: skip
    source = path.read_text()
    analysis = Analysis([tmp_path])

    def at(text: str) -> str:
        hover = analysis.hover(path, source.index(text) + len(text) - 1)
        assert hover is not None
        return hover.signature

    assert at("    acc = acc") == "acc: block[M, N] fp32"
    assert at("        if PLAIN:\n            acc") == "acc: block[M, N] fp32"
    assert at("        elif TURN:\n            acc") == "acc: block[N, M] fp32"
    assert card(tmp_path, source)["Work per program"].startswith("2*n*M*N*K FLOPs")


def test_rounds_in_the_kernels_own_words_where_their_number_is_chosen(tmp_path: Path) -> None:
    rows = card(tmp_path, HEAD + (
        "@triton.jit\ndef add(x, y, n, row, B: tl.constexpr, CAUSAL: tl.constexpr):\n"
        "    end = n if not CAUSAL else tl.minimum(tl.load(row), n)\n    i = tl.arange(0, B)\n"
        "    for at in range(0, end, B):\n        tl.store(y + i, tl.load(x + at + i))\n"
        "    for at in range(end):\n        tl.store(y + i, tl.load(x + at + i))\n"
        "    for at in range(end, n):\n        tl.store(y + i, tl.load(x + at + i))\n"
    ))  # fmt: skip
    assert [line.partition(": ")[2] for line in rows["Loops"].split("<br>")] == [
        "`cdiv(end, B)` rounds", "`end` rounds", "as often as `range(end, n)` says"
    ]  # fmt: skip


def test_a_grid_function_that_names_what_it_leaves_alone(tmp_path: Path) -> None:
    rows = card(tmp_path, HEAD + (
        "@triton.jit\ndef add(x, n, B: tl.constexpr):\n"
        "    tl.store(x + tl.program_id(0) * B + tl.arange(0, B), n)\n\n"
        "def launch(x, n):\n    x = x.contiguous()\n\n"
        "    def grid(meta):\n        nonlocal x\n        b = meta['B']\n        return (triton.cdiv(n, b),)\n\n"
        "    add[grid](x, n, B=64)\n"
    ))  # fmt: skip
    assert rows["Grid"].startswith("`(cdiv(n, B),)`")


CHOSEN = HEAD + (
    "@triton.jit\ndef add(x, n, B: tl.constexpr):\n    tl.store(x + tl.program_id(0) * B + tl.arange(0, B), n)\n\n"
    "@triton.jit\ndef wide(x, n, B: tl.constexpr):\n    tl.store(x + tl.program_id(0) * B + tl.arange(0, B), n)\n\n"
    "def pick(n):\n    if n > 8:\n        return wide\n    return add\n\n"
    "def launch(x, n, parts, split):\n"
    "    if split:\n        kernel = wide\n    else:\n        kernel = pick(n)\n\n"
    "    def grid(meta):\n        tiles = triton.cdiv(n, meta['B'])\n"
    "        return (tiles, parts) if split else (tiles,)\n\n"
    "    kernel[grid](x, n, B=64)\n"
)


def test_a_launch_of_what_a_function_picks_has_the_grids_of_its_branch(tmp_path: Path) -> None:
    assert card(tmp_path, CHOSEN)["Grid"].startswith("`(cdiv(n, B),)` at `kernels.py:")
    assert "<br>" not in card(tmp_path, CHOSEN)["Grid"]
    assert len(card(tmp_path, CHOSEN, "wide")["Grid"].split("<br>")) == 2


def test_what_tuning_does_to_arguments_between_its_runs(tmp_path: Path) -> None:
    rows = card(tmp_path, HEAD + (
        "@triton.autotune(configs=[triton.Config({'B': 64})], key=['n'], reset_to_zero=['y'], restore_value=['x'])\n"
        "@triton.jit\ndef add(x, y, n, B: tl.constexpr):\n"
        "    i = tl.program_id(0) * B + tl.arange(0, B)\n"
        "    tl.atomic_add(y + i, tl.load(x + i))\n    tl.store(x + i, n)\n"
    ))  # fmt: skip
    assert rows["Configs"].endswith("key: n; set to zero before each run: y; put back after each trial: x")


def test_a_call_that_gets_the_kernel_and_its_grid(tmp_path: Path) -> None:
    kernel = HEAD + (
        "@triton.jit\ndef add(x, y, n, B: tl.constexpr):\n"
        "    i = tl.program_id(0) * B + tl.arange(0, B)\n    tl.store(y + i, tl.load(x + i), mask=i < n)\n\n"
    )
    plain = kernel + (
        "def run(x, n):\n    return triton_call(x, kernel=add, out_shape=x, grid=(triton.cdiv(n, 64), 2), n=n, B=64)\n"
    )
    assert card(tmp_path, plain)["Grid"].startswith("`(cdiv(n, 64), 2)`")
    gathered = kernel + (
        "def run(x, n):\n    def grid(meta):\n        return (triton.cdiv(n, meta['B']),)\n\n"
        "    options = dict(grid=grid, n=n, B=64)\n    return triton_call(x, kernel=add, out_shape=x, **options)\n"
    )
    assert card(tmp_path, gathered)["Grid"].startswith("`(cdiv(n, B),)`")


def test_a_function_that_a_decorator_builds_kernels_of(tmp_path: Path) -> None:
    twice = "@triton.jit\ndef {}(x):\n    return x * 2\n\n"
    text = HEAD + "from made import pointwise\n\n@pointwise(out=1)\n" + twice.format("wrapped")
    wrapped = card(tmp_path, text, "wrapped")["Grid"]
    assert wrapped.startswith("none of its own: `pointwise` (L7) is handed this function")
    alone = card(tmp_path, HEAD + "@triton.heuristics({})\n" + twice.format("alone"), "alone")["Grid"]
    assert alone.startswith("none: a helper that nobody is seen to call")


def test_a_function_without_accesses_has_no_empty_tables(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + "@triton.jit\ndef twice(x):\n    return x * 2\n")
    text = to_text(Analysis([tmp_path]).document("explain", Target(path, None, "twice"))).text
    assert "It loads and stores nothing itself." in text
    assert "address" not in text
    assert "global memory" not in text


def test_accesses_to_one_of_several_arguments(tmp_path: Path) -> None:
    rows = card(tmp_path, HEAD + (
        "@triton.jit\ndef add(a, b, c, d, out, n, B: tl.constexpr):\n"
        "    i = tl.arange(0, B)\n    pid = tl.program_id(0)\n"
        "    if pid < n:\n        to = a\n    else:\n        to = b\n"
        "    x = tl.load(to + i)\n"
        "    y = tl.load(tl.where(pid == 0, b, tl.where(pid == 1, c, d)) + i)\n"
        "    tl.store(out + i, x + y)\n"
    ))  # fmt: skip
    told = [line.partition(":")[0] for line in rows["Loads / stores"].split("<br>")]
    assert told == ["`a or b` L13 load", "`b or c or d` L14 load", "`out` L15 store"]


@pytest.mark.parametrize(("asserted", "is_told"), [("x.numel() % 64 == 0", False), ("x.is_contiguous()", True)])
def test_nothing_needs_to_stop_an_access_where_the_launch_sees_to_it_that_blocks_divide_the_size(
    tmp_path: Path, asserted: str, is_told: bool
) -> None:
    rows = card(tmp_path, HEAD + (
        "@triton.jit\ndef add(x, n, B: tl.constexpr):\n"
        "    i = tl.program_id(0) * B + tl.arange(0, B)\n    tl.store(x + i, i)\n\n"
        f"def launch(x):\n    assert {asserted}\n    add[(triton.cdiv(x.numel(), 64),)](x, x.numel(), B=64)\n"
    ))  # fmt: skip
    assert ("nothing stops it" in rows["Loads / stores"]) is is_told
