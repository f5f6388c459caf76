"""Rows of cards where sides of branches, helpers or launches differ."""

from __future__ import annotations

from pathlib import Path

from cards import HEAD, card


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
