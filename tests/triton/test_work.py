"""FLOPs and bytes of one program: branches, helpers, addresses that neighbours share."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cards import HEAD, card, pseudocode
from kernelscope.analysis import Analysis


def test_of_two_sides_of_a_branch_one_is_counted(tmp_path: Path) -> None:
    source = HEAD + (
        "@triton.jit\ndef pick(a, b, out, n, T: tl.constexpr, B: tl.constexpr):\n"
        "    i = tl.arange(0, B)\n"
        "    if n < 0:\n        tl.store(out + i, tl.load(b + i))\n        return\n"
        "    x = tl.load(a + i[:, None] * B + i[None, :])\n"
        "    for k in range(n):\n"
        "        if T:\n            y = tl.dot(x, tl.load(b + i[:, None] * B + i[None, :]))\n"
        "        else:\n            y = tl.dot(x, tl.trans(tl.load(b + i[:, None] * B + i[None, :])))\n"
        "    tl.store(out + i[:, None] * B + i[None, :], y)\n"
    )  # fmt: skip
    rows = card(tmp_path, source, "pick")
    assert "2*n*B**3 FLOPs" in rows["Work per program"]
    assert "2*n*B*B+4*B*B bytes" in rows["Work per program"]
    assert rows["Shared memory"].startswith("2*B*B bytes per pipeline stage")
    assert rows["Loops"] == "`k` L12: n rounds"


def test_each_side_of_a_switch_counts_the_sizes_that_it_chooses(tmp_path: Path) -> None:
    source = HEAD + (
        "@triton.jit\ndef sides(x, y, n, W: tl.constexpr, B: tl.constexpr):\n"
        "    lanes = tl.arange(0, W if W <= 64 else B)\n    rows = tl.arange(0, 16)\n"
        "    at = rows[:, None] * n + lanes[None, :]\n"
        "    if W <= 64:\n        acc = tl.dot(tl.load(x + at), tl.trans(tl.load(y + at)))\n"
        "    else:\n        acc = tl.zeros((16, 16), tl.float32)\n"
        "        for k in range(0, n, B):\n"
        "            acc += tl.dot(tl.load(x + at + k), tl.trans(tl.load(y + at + k)))\n"
        "    tl.store(x + rows[:, None] * n + rows[None, :], acc)\n"
    )  # fmt: skip
    told = card(tmp_path, source, "sides")["Work per program"]
    assert "max(512*cdiv(n, B)*B, 512*W) FLOPs in matrix products" in told
    assert "max(64*cdiv(n, B)*B, 64*W)" in told


def test_what_a_helper_moves_counts_at_every_call(tmp_path: Path) -> None:
    rows = card(tmp_path, HEAD + (
        "@triton.jit\ndef part(x, W: tl.constexpr):\n    return tl.load(x + tl.arange(0, W))\n"
        "@triton.jit\ndef both(x, B: tl.constexpr):\n"
        "    return tl.sum(part(x, B)) + tl.sum(part(x, 2 * B))\n"
        "@triton.jit\ndef add(x, y, n, B: tl.constexpr):\n"
        "    tl.store(y + tl.program_id(0), both(x, B))\n    tl.store(y + n, both(x, B))\n"
    ))  # fmt: skip
    assert rows["Work per program"].startswith("12*B+4 bytes")
    assert rows["Loads / stores"].count("in part") == 4


def test_products_of_blocks_that_are_not_known_are_still_products(tmp_path: Path) -> None:
    rows = card(tmp_path, HEAD + (
        "@triton.jit\ndef add(x, y, n, parts, B: tl.constexpr):\n"
        "    i = tl.arange(0, B)\n    tl.store(y + i[:, None] * B + i[None, :], tl.dot(parts[n], parts[n]))\n"
    ))  # fmt: skip
    assert rows["Work per program"].startswith("FLOPs are not known")
    assert rows["Shared memory"].startswith("not estimated")


@pytest.mark.parametrize(
    ("index", "spacing", "amount"),
    [
        ("(k // 8)[:, None] * N + n[None, :]", "8 neighbours share an address", "2*cdiv(K, 8)*N + 2 bytes"),
        ("(k >> 3)[:, None] * N + n[None, :]", "8 neighbours share an address", "2*cdiv(K, 8)*N + 2 bytes"),
        ("k[:, None] * N + n[None, :] // group", "group neighbours share an address", "2*cdiv(N, group)*K + 2 bytes"),
        (
            "(4 * k // 2)[:, None] - (n // 4)[None, :]",
            "stride 2 along dim 0 · 4 neighbours share",
            "2*K*cdiv(N, 4) + 2 bytes",
        ),
        ("(2 * k // 8)[:, None] * N + n[None, :]", "4 neighbours share an address", "2*cdiv(K, 4)*N + 2 bytes"),
        ("(k[:, None] // 8 + k[:, None] // 2) * N + n[None, :]", "spacing not known", "2*K*N+2 bytes"),
    ],
)
def test_an_address_that_neighbours_share_counts_once(tmp_path: Path, index: str, spacing: str, amount: str) -> None:
    rows = card(tmp_path, HEAD + (
        "@triton.jit\ndef unpack(packed, out, group, K: tl.constexpr, N: tl.constexpr):\n"
        "    k = tl.arange(0, K)\n    n = tl.arange(0, N)\n"
        f"    codes = tl.load(packed + {index})\n"
        "    tl.store(out, tl.sum(codes))\n"
    ), "unpack")  # fmt: skip
    assert spacing in rows["Loads / stores"]
    assert rows["Work per program"].startswith(amount)


def test_branches_that_ask_the_same_of_a_launch_are_not_all_taken(tmp_path: Path) -> None:
    rows = card(tmp_path, HEAD + (
        "@triton.jit\ndef ordered(a, b, out, ORDER: tl.constexpr, TWO: tl.constexpr, B: tl.constexpr):\n"
        "    i = tl.arange(0, B)\n"
        "    if ORDER == 0:\n        x = tl.load(a + i)\n"
        "    y = tl.load(b + i)\n"
        "    if ORDER == 1:\n        x = tl.load(a + i)\n"
        "    if ORDER != 2:\n        y += 1\n"
        "    else:\n        x = tl.load(a + i)\n"
        "    if TWO:\n        y += tl.load(b + B + i)\n"
        "    if not TWO:\n        y += tl.load(b + 2 * B + i)\n"
        "    tl.store(out + i, x + y)\n"
    ), "ordered")  # fmt: skip
    assert rows["Work per program"].startswith("8*B bytes")


def test_rounds_that_are_a_sum_are_told_by_their_loop(tmp_path: Path) -> None:
    rows = card(tmp_path, HEAD + (
        "@triton.jit\ndef some_rows(x, out, M, each, B: tl.constexpr):\n"
        "    first = tl.program_id(0) * each\n    last = tl.minimum(first + each, M)\n"
        "    i = tl.arange(0, B)\n    total = tl.zeros((B,), tl.float32)\n"
        "    for row in range(first, last):\n        total += tl.load(x + row * B + i)\n"
        "    tl.store(out + first + i, total)\n"
    ), "some_rows")  # fmt: skip
    assert rows["Loops"].startswith("`row` L11: min(")
    assert rows["Work per program"].startswith("2*B*rounds(L11)+2*B bytes")


def test_rounds_that_programs_differ_in_are_told_by_their_loop(tmp_path: Path) -> None:
    rows = card(tmp_path, HEAD + (
        "@triton.jit\ndef each_nth(x, y, tiles, COUNT: tl.constexpr, B: tl.constexpr):\n"
        "    for tile in range(tl.program_id(0), tiles, COUNT):\n"
        "        i = tile * B + tl.arange(0, B)\n        tl.store(y + i, tl.load(x + i))\n"
    ), "each_nth")  # fmt: skip
    assert rows["Loops"].startswith("`tile` L7: cdiv(tiles-program_id(0), COUNT) rounds")
    assert rows["Work per program"].startswith("4*B*rounds(L7) bytes")


@pytest.mark.parametrize(
    ("bounds", "rounds"),
    [
        ("part * each, (part + 1) * each", "cdiv(n, 2*B) rounds"),
        ("each * part, each * (1 + part)", "cdiv(n, 2*B) rounds"),
        ("part * each, (part + 1) * each, B", "cdiv(cdiv(n, 2*B), B) rounds"),
        ("part * each, (part + 2) * each", "as often as"),
        ("part * each, (part + 1) * n", "as often as"),
    ],
)
def test_rounds_of_one_part_are_its_length(tmp_path: Path, bounds: str, rounds: str) -> None:
    rows = card(tmp_path, HEAD + (
        "@triton.jit\ndef parted(x, parts, out, n, B: tl.constexpr):\n"
        "    part = tl.load(parts + tl.program_id(0))\n    each = tl.cdiv(n, 2 * B)\n"
        "    i = tl.arange(0, B)\n    total = tl.zeros((B,), tl.float32)\n"
        f"    for k in range({bounds}):\n        total += tl.load(x + k * B + i)\n"
        "    tl.store(out + i, total)\n"
    ), "parted")  # fmt: skip
    assert rows["Loops"].startswith(f"`k` L11: {rounds}")


@pytest.mark.parametrize(("test", "most"), [("k == n - 1", True), ("LAST", False)])
def test_what_only_some_rounds_do_is_counted_as_the_most(tmp_path: Path, test: str, most: bool) -> None:
    rows = card(tmp_path, HEAD + (
        "@triton.jit\ndef late(x, y, n, LAST: tl.constexpr, B: tl.constexpr):\n"
        "    if n == 0:\n        return\n"
        "    i = tl.arange(0, B)\n    at = i[:, None] * B + i[None, :]\n    acc = tl.zeros((B, B), tl.float32)\n"
        "    for k in range(n):\n"
        "        a = tl.load(x + k * B * B + at)\n        acc += tl.dot(a, a)\n"
        f"        if {test}:\n            tl.store(y + at, acc)\n"
    ), "late")  # fmt: skip
    assert ("at most 4*n*B*B bytes" in rows["Work per program"]) == most


SCALED = (
    "@triton.jit\ndef scaled(a, a_scales, b, b_scales, c, n, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):\n"
    "    m = tl.arange(0, BM)\n    k = tl.arange(0, BK // 2)\n    j = tl.arange(0, BN)\n"
    "    s = tl.arange(0, BK // 32)\n    total = tl.zeros((BM, BN), tl.float32)\n"
    "    for i in range(n):\n"
    "        left = tl.load(a + m[:, None] * BK + k[None, :])\n"
    "        right = tl.load(b + {right})\n"
    "        left_scale = tl.load(a_scales + m[:, None] * BK + s[None, :])\n"
    "        right_scale = tl.load(b_scales + j[:, None] * BK + s[None, :])\n"
    "        total = tl.dot_scaled(left, left_scale, 'e2m1', right, right_scale, {formats}, total)\n"
    "    tl.store(c + m[:, None] * BN + j[None, :], total.to(tl.float16))\n"
)


@pytest.mark.parametrize(
    ("right", "written", "stage"),
    [
        ("k[:, None] * BN + j[None, :]", "e2m1", ["BM*(BK//2)", "BM*(BK//32)", "BN*(BK//2)", "BN*(BK//32)"]),
        ("tl.arange(0, BK)[:, None] + j[None, :]", "e5m2", ["BM*(BK//2)", "BM*(BK//32)", "BN*BK", "BN*(BK//32)"]),
        ("tl.arange(0, BK)[:, None] + j[None, :]", "bf16", ["BM*(BK//2)", "BM*(BK//32)", "2*BN*BK", "BN*(BK//32)"]),
    ],
)
def test_scaled_products_count_elements_and_their_bytes_by_format(
    tmp_path: Path, right: str, written: str, stage: list[str]
) -> None:
    source = HEAD + SCALED.format(right=right, formats=f"'{written}'")
    rows = card(tmp_path, source, "scaled")
    assert rows["Work per program"].startswith("4*n*BM*BN*(BK//2) FLOPs in matrix products")
    amount = rows["Shared memory"].partition(" bytes per pipeline stage")[0]
    assert sorted(amount.replace(" ", "").split("+")) == sorted(stage)
    lines = " ".join(pseudocode(tmp_path / "kernels.py", "scaled"))
    assert f"total + (left as e2m1, scaled by left_scale) @ (right as {written}, scaled by right_scale)" in lines


@pytest.mark.parametrize(
    ("use", "amount", "more"),
    [
        ("tl.load(x + row * n + i)", "2*B+2*n*B+4 bytes", ", 4 of indices"),
        ("tl.load(x + i) * row", "2*B+2*n*B+2 bytes", ""),
    ],
)
def test_what_addresses_are_made_of_counts_as_integers(tmp_path: Path, use: str, amount: str, more: str) -> None:
    rows = card(tmp_path, HEAD + (
        "@triton.jit\ndef gathered(rows, x, out, n, B: tl.constexpr):\n    i = tl.arange(0, B)\n"
        "    row = tl.load(rows + tl.program_id(0))\n    total = tl.zeros((B,), tl.float32)\n"
        f"    for k in range(n):\n        total += {use}\n"
        "    tl.store(out + i, total)\n"
    ), "gathered")  # fmt: skip
    told = f"{amount} (if 2 bytes where the type depends on arguments{more})"
    assert _sorted(rows["Work per program"]) == _sorted(told)


def test_bounds_of_loops_count_as_integers(tmp_path: Path) -> None:
    rows = card(tmp_path, HEAD + (
        "@triton.jit\ndef counted(ends, out, B: tl.constexpr):\n    i = tl.arange(0, B)\n"
        "    for k in range(tl.load(ends), tl.load(ends + 1)):\n"
        "        tl.store(out + i, tl.zeros((B,), tl.float32))\n"
    ), "counted")  # fmt: skip
    assert "8" in rows["Work per program"]
    assert "4 of indices" in rows["Work per program"]


def _sorted(amount: str) -> tuple[list[str], str]:
    terms, _, rest = amount.replace(" + ", "+").partition(" bytes")
    return sorted(terms.split("+")), rest


@pytest.mark.parametrize(("kernel", "size"), [("converted", 49152), ("weighted", 65536), ("gathered", 33024)])
def test_shared_memory_is_what_the_compiler_takes(kernel: str, size: int) -> None:
    """Within a hundredth: the places that a round loads take a little, too."""
    path = Path(__file__).parent / "fixtures" / "products.py"
    hover = Analysis([path.parent]).hover(path, path.read_bytes().index(f"def {kernel}(".encode()) + 4)
    assert hover is not None
    told = re.match(r"≈ ([\d.]+) KiB: within", dict(hover.table)["Shared memory"])
    assert told is not None
    assert float(told[1]) * 1024 == pytest.approx(size, rel=0.01)


def test_products_of_what_a_helper_chooses_by_a_constant_are_counted(tmp_path: Path) -> None:
    """A helper's branches on what it is given are told apart where they are asked again; what is not known counts."""
    source = HEAD + (
        "@triton.jit\ndef inner(x, w, b, m, n, KIND: tl.constexpr):\n"
        "    if KIND == 1:\n        p = b + n\n    else:\n        p = b + m[:, None] * 64 + n[None, :]\n"
        "    out = tl.dot(x, w)\n"
        "    if KIND == 1:\n        out += tl.load(p)[None, :]\n"
        "    return tl.dot(out, w)\n\n"
        "@triton.jit\ndef add(x, y, b, K: tl.constexpr, B: tl.constexpr):\n"
        "    m = tl.arange(0, B)\n    n = tl.arange(0, B)\n    at = m[:, None] * B + n[None, :]\n"
        "    v = tl.load(x + at)\n    tl.store(y + at, inner(v, v, b, m, n, K))\n"
    )
    assert card(tmp_path, source)["Work per program"].startswith("4*B**3 FLOPs")
    assert "FLOP/byte" not in card(tmp_path, source)["Work per program"], "blocks do not grow"
    unknown = source.replace("[None, :]\n    return", "[None, :] + tl.load(x_of[0])\n    return")
    assert card(tmp_path, unknown)["Work per program"].startswith("? (a block's shape is not known) FLOPs")
