"""Cards, grids, configurations and recognised algorithms of small kernels."""

from __future__ import annotations

from pathlib import Path

import pytest
from cards import ADD, HEAD, card, pseudocode, written
from kernelscope.analysis import Analysis
from kernelscope.explain.document import Code, Heading, Paragraph
from kernelscope.results import Target, UserError

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.mark.parametrize(
    ("host", "grid"),
    [
        ("def f(x, y):\n    n = x.numel()\n    add[(triton.cdiv(n, 64),)](x, y, n, BLOCK=64)\n", "(cdiv(n, 64),)"),
        ("def f(x, y):\n    size = x.numel()\n    grid = lambda m: (triton.cdiv(size, m['BLOCK']),)\n"
         "    add[grid](x, y, size, BLOCK=64)\n", "(cdiv(n, BLOCK),)"),
        ("def f(x, y, grid):\n    add[grid](x, y, len(x), BLOCK=64)\n"
         "def g(x, y):\n    f(x, y, (len(x) // 64,))\n", "(n//64,)"),
        ("def f(x, y):\n    B, S = x.shape\n    add[(x.shape[-1], B)](x, y, S, BLOCK=64)\n", "(n, x.shape[0])"),
        ("def f(x, y, n):\n    add[(2 * n,)](x, y, 4 * n, BLOCK=64)\n", "(2*f.n,)"),
        ("def f(x, y):\n    B, S, T = *x.shape, y.shape[0]\n    add[(S, T)](x, y, S, BLOCK=64)\n", "(n, y.shape[0])"),
        ("def run(kernel, x, y):\n    kernel[(len(x),)](x, y, len(x), BLOCK=64)\n"
         "def f(x, y):\n    run(add, x, y)\n", "(n,)"),
        ("def f(x, y, ends):\n    add[(len(ends), ends.max().item())](x, y, len(x), BLOCK=64)\n",
         "(ends.shape[0], ends.max().item())"),
        ("def f(x, y, fast):\n    kernel = add if fast else None\n    kernel[(len(x),)](x, y, len(x), BLOCK=64)\n",
         "(n,)"),
        ("def f(x, y, P):\n    given = {'x': x, 'y': y, 'n': P, 'BLOCK': 64}\n    add[(P,)](**given)\n", "(n,)"),
        ("def f(x, y, P):\n    given = dict(x=x, y=y, n=P, BLOCK=64)\n    given.update({'BLOCK': 32})\n"
         "    add[(P,)](**given)\n", "(n,)"),
        ("def f(x, y, P):\n    given = {'x': x, 'y': y, 'n': P, 'BLOCK': 64}\n    given['n'] = P + 1\n"
         "    add[(P,)](**given)\n", "(P,)"),
        ("def f(x, y, P):\n    given = {'x': x, 'y': y, 'n': P, 'BLOCK': 64}\n    given.pop('n')\n"
         "    add[(P,)](n=1, **given)\n", "(P,)"),
        ("def f(x, y, P, wide):\n    given = (x, y, P)\n    if wide:\n        given += (64,)\n    else:\n"
         "        given += (128,)\n    add[(P,)](*given)\n", "(n,)"),
    ],
)  # fmt: skip
def test_grids_are_said_in_the_kernels_words(tmp_path: Path, host: str, grid: str) -> None:
    assert f"`{grid}`" in card(tmp_path, ADD + host)["Grid"]


def test_another_library_may_hand_on_triton(tmp_path: Path) -> None:
    launch = "def f(x, y, n):\n    add[(triton.cdiv(n, 64),)](x, y, n, BLOCK=64)\n"
    handed_on = "from engine.triton_utils import tl, triton\n\n\n"
    rows = card(tmp_path, ADD.replace(HEAD, handed_on) + launch)
    assert "`(cdiv(n, 64),)`" in rows["Grid"]
    assert "masked" in rows["Loads / stores"]


def test_a_name_that_holds_another_kernel_by_then_launches_nothing(tmp_path: Path) -> None:
    rows = card(
        tmp_path,
        ADD + "def f(x, y, n, wide, other):\n    if wide:\n        kernel = other\n        kernel[(7,)](x, y, n, 64)\n"
        "    else:\n        kernel = add\n        kernel[(n,)](x, y, n, 64)\n"
        "    kernel = other\n    kernel[(9,)](x, y, n, 64)\n",
    )
    assert rows["Grid"].count("at `") == 1
    assert "`(n,)`" in rows["Grid"]


def test_defaults_are_not_told_where_a_launch_may_pass_others(tmp_path: Path) -> None:
    kernel = ADD.replace("BLOCK: tl.constexpr", "BLOCK: tl.constexpr = 32")
    assert kernel != ADD
    assert card(tmp_path, kernel + "def f(x, y, n):\n    add[(n,)](x, y, n)\n")["Constexprs"] == "BLOCK = 32"
    hidden = card(tmp_path, kernel + "def f(x, y, n, more):\n    add[(n,)](x, y, n, **more)\n")
    assert hidden["Constexprs"] == "BLOCK"


def test_configurations_of_a_kernel_that_a_function_builds(tmp_path: Path) -> None:
    rows = card(tmp_path, (FIXTURES / "kernels_in_functions.py").read_text(), "scaled")
    assert rows["Configs"] == "2 autotune configs; ROWS ∈ {16, 64} · num_warps ∈ {4}; key: n"


def test_kernels_that_a_module_tunes_under_another_name(tmp_path: Path) -> None:
    """The file that launches it extends its search path, so that the import leads nowhere that can be seen."""
    source = ADD + (
        "tuned = triton.autotune([triton.Config({'BLOCK': 64}), triton.Config({'BLOCK': 128})], key=['n'])(add)\n"
    )
    (tmp_path / "deep" / "parts").mkdir(parents=True)
    (tmp_path / "deep" / "parts" / "kernels.py").write_text(source)
    (tmp_path / "launch.py").write_text(
        "import triton\nfrom parts.kernels import add, tuned\n\ndef run(x, y, tune):\n    n = len(x)\n"
        "    kernel = tuned if tune else add\n    kernel[lambda m: (triton.cdiv(n, m['BLOCK']),)](x, y, n)\n"
    )
    path = tmp_path / "deep" / "parts" / "kernels.py"
    hover = Analysis([tmp_path]).hover(path, source.encode().index(b"def add(") + 4)
    assert hover is not None
    rows = dict(hover.table)
    assert rows["Grid"] == "`(cdiv(n, BLOCK),)` at `launch.py:7`"
    assert rows["Configs"] == "as `tuned`: 2 autotune configs; BLOCK ∈ {64, 128}; key: n"
    own = source + "\ndef run(x, y):\n    tuned[(4,)](x, y, len(x))\n"
    assert card(tmp_path, own)["Grid"] == "`(4,)` at `kernels.py:13`"


def test_a_helper_is_told_as_each_side_of_a_switch_calls_it() -> None:
    path = FIXTURES / "local_constants.py"
    hover = Analysis([FIXTURES]).hover(path, path.read_bytes().index(b"total ="))
    assert hover is not None
    assert (hover.signature, hover.notes[-1]) == ("total: block[1] T(x)", "for other callers: block[ROWS] T(x)")


def test_grids_that_a_test_of_the_host_chooses_are_told_with_it(tmp_path: Path) -> None:
    host = (
        "def f(x, y, starts=None):\n    n = len(x)\n    if starts is not None:\n        count = len(starts)\n"
        "    else:\n        count = triton.cdiv(n, 64)\n    add[(count,)](x, y, n, BLOCK=64)\n"
    )
    row = card(tmp_path, ADD + host)["Grid"]
    assert row.startswith("`(cdiv(n, 64),)` at `kernels.py:16` if `starts is None`")
    assert "`(starts.shape[0],)` at `kernels.py:16` if `starts is not None`" in row


def test_what_a_launch_passes_needs_no_tests_of_the_host(tmp_path: Path) -> None:
    host = (
        "def f(x, y, k):\n    n = len(x)\n    if n < 1024:\n        size = 256\n    else:\n        size = 1024\n"
        "    if size < k:\n        size = k\n    chunks = triton.cdiv(n, size)\n"
        "    add[(chunks,)](x, y, n, BLOCK=size)\n"
    )
    assert card(tmp_path, ADD + host)["Grid"] == "`(cdiv(n, BLOCK),)` at `kernels.py:19`"
    hidden = card(tmp_path, ADD + host.replace("BLOCK=size", "BLOCK=n"))["Grid"]
    assert "`(cdiv(n, 256),)` at `kernels.py:19` if `not (size < k) and n < 1024`" in hidden
    assert "`(cdiv(n, 1024),)` at `kernels.py:19` if `not (size < k) and not (n < 1024)`" in hidden


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("        if hook is not None:\n            hook.fill(m['BLOCK'])\n        return (blocks,)\n",
         "`(cdiv(n, BLOCK),)` at `kernels.py:16`"),
        ("        if wide:\n            return (n,)\n        return (blocks,)\n",
         "`(n,)` at `kernels.py:16` if `wide`<br>`(cdiv(n, BLOCK),)` at `kernels.py:16` if `not (wide)`"),
        ("        if wide:\n            blocks = n\n        return (blocks,)\n",
         "`(n,)` at `kernels.py:16` if `wide`<br>`(cdiv(n, BLOCK),)` at `kernels.py:16` if `not (wide)`"),
        ("        for _ in hook:\n            blocks += 1\n        return (blocks,)\n",
         "not followed: `grid` at `kernels.py:16`"),
    ],
)  # fmt: skip
def test_grid_functions_of_several_statements(tmp_path: Path, body: str, told: str) -> None:
    host = (
        "def f(x, y, n, wide, hook):\n    def grid(m):\n        blocks = triton.cdiv(n, m['BLOCK'])\n"
        f"{body}    add[grid](x, y, n, BLOCK=64)\n"
    )
    assert card(tmp_path, ADD + host)["Grid"] == told


def test_sizes_that_a_test_of_the_host_chooses_are_all_told(tmp_path: Path) -> None:
    host = (
        "def f(x, y, few):\n    block = 128\n    if len(x) <= few:\n        block = 64\n"
        "    add[(triton.cdiv(len(x), block),)](x, y, len(x), BLOCK=block)\n"
    )
    rows = card(tmp_path, ADD + host)
    assert rows["Grid"] == "`(cdiv(n, BLOCK),)` at `kernels.py:14`"
    assert rows["Constexprs"] == "BLOCK ∈ {64, 128}"


def test_a_grid_function_may_name_what_it_computes(tmp_path: Path) -> None:
    host = (
        "def f(x, y):\n    n = len(x)\n    def grid(META):\n        block = META['BLOCK']\n"
        "        return (triton.cdiv(n, block),)\n    add[grid](x, y, n, BLOCK=64)\n"
    )
    assert card(tmp_path, ADD + host)["Grid"].startswith("`(cdiv(n, BLOCK),)`")


@pytest.mark.parametrize(
    ("line", "told", "otherwise"),
    [
        ("v = tl.load(p)", "v: block[B] T(x)", "scalar T(x) unless ROWS"),
        ("q) + v", "q: block_ptr[B] T(x)", "block[B] *T(x) unless BLOCKS"),
    ],
)
def test_what_a_switch_makes_another_kind_of_thing(tmp_path: Path, line: str, told: str, otherwise: str) -> None:
    source = HEAD + (
        "@triton.jit\ndef pick(x, y, n, B: tl.constexpr, ROWS: tl.constexpr, BLOCKS: tl.constexpr):\n"
        "    i = tl.arange(0, B)\n    p = x\n    if ROWS:\n        p += i\n    v = tl.load(p)\n"
        "    q = x + i\n    if BLOCKS:\n        q = tl.make_block_ptr(x, (n,), (1,), (0,), (B,), (0,))\n"
        "    tl.store(y + i, tl.load(q) + v)\n"
    )
    path = written(tmp_path, source)
    hover = Analysis([tmp_path]).hover(path, source.encode().index(line.encode()))
    assert hover is not None
    assert hover.signature == told
    assert hover.notes[0] == otherwise


def test_an_import_may_give_a_kernel_another_name(tmp_path: Path) -> None:
    """The file that launches it is no neighbour of another kernel that has the name."""
    path = written(tmp_path, ADD)
    (tmp_path / "host.py").write_text(
        "import torch\nimport triton\nfrom kernels import (\n    add as quick_add,\n)\n\n"
        "def run(x, y):\n    n = x.numel()\n"
        "    grid = lambda META: (triton.cdiv(n, META['BLOCK']),)\n    quick_add[grid](x, y, n, BLOCK=64)\n\n"
        "def run_here(x, y):\n    from kernels import add as other_add\n    other_add[(1,)](x, y, x.numel(), BLOCK=8)\n"
    )
    hover = Analysis([tmp_path]).hover(path, ADD.index("def add(") + 4)
    assert hover is not None
    grids = dict(hover.table)["Grid"]
    assert "`(cdiv(n, BLOCK),)` at `host.py:10`" in grids
    assert "`(1,)` at `host.py:14`" in grids


def test_a_kernel_nobody_launches_says_so(tmp_path: Path) -> None:
    assert card(tmp_path, ADD)["Grid"] == "no launch found in the workspace"


def test_access_rows_tell_masks_and_contiguity(tmp_path: Path) -> None:
    row = card(tmp_path, ADD)["Loads / stores"]
    assert "`x` L8 load: block[BLOCK] T(x) · masked · contiguous along dim 0 (stride 1) · coalesced" in row


@pytest.mark.parametrize(
    ("host", "told"),
    [
        (
            "a = a.contiguous()\n    m, k = a.shape",
            "contiguous along dim 1 (stride 1) · stride sm along dim 0 · coalesced",
        ),
        ("assert a.is_contiguous() and n > 0\n    m, k = a.shape", "contiguous along dim 1 (stride 1)"),
        ("a = torch.empty((n, n))", "contiguous along dim 1 (stride 1)"),
        ("m, k = a.shape", "stride sm along dim 0 · stride sk along dim 1 · coalesced if sm or sk is 1"),
    ],
)
def test_strides_come_from_how_the_host_lays_tensors_out(tmp_path: Path, host: str, told: str) -> None:
    source = HEAD + (
        "@triton.jit\ndef copy(a, out, sm, sk, M: tl.constexpr, K: tl.constexpr):\n"
        "    rows, columns = tl.arange(0, M), tl.arange(0, K)\n"
        "    rows = tl.where(rows < 7, rows, 0)\n"
        "    v = tl.load(a + rows[:, None] * sm + columns[None, :] * sk)\n"
        "    tl.store(out + columns, tl.sum(v, 0))\n\n"
        f"def run(a, out, n):\n    {host}\n    copy[(1,)](a, out, a.stride(0), a.stride(1), M=16, K=64)\n"
    )  # fmt: skip
    assert told in card(tmp_path, source, "copy")["Loads / stores"]


def test_only_the_innermost_loop_is_pipelined(tmp_path: Path) -> None:
    source = HEAD + (
        "@triton.jit\ndef add(x, y, n, B: tl.constexpr):\n"
        "    i = tl.arange(0, B)\n    at = i[:, None] * n + i[None, :]\n"
        "    for j in range(n):\n"
        "        a = tl.load(x + at + j)\n        total = tl.zeros((B, B), tl.float32)\n"
        "        for k in range(n):\n            total = tl.dot(a, tl.load(y + at + k), total)\n"
        "        tl.store(x + at + j, total)\n"
    )
    assert card(tmp_path, source)["Shared memory"].startswith("2*B*B bytes per pipeline stage")


def test_rows_that_data_choose_are_still_contiguous(tmp_path: Path) -> None:
    source = HEAD + (
        "@triton.jit\ndef rows(x, at, y, s, c, B: tl.constexpr, D: tl.constexpr):\n"
        "    i, j = tl.arange(0, B), tl.arange(0, D)\n"
        "    picked = tl.load(at + i) // 2\n"
        "    v = tl.load(x + picked[:, None] * s + j[None, :])\n"
        "    v += tl.load(x + picked[:, None] * s + j[None, :] * c)\n"
        "    tl.store(y + picked, tl.sum(v, 1))\n"
    )
    _, near, apart, stored = card(tmp_path, source, "rows")["Loads / stores"].split("<br>")
    unordered = "spacing not known (by data, division or wrap-around)"
    assert f"contiguous along dim 1 (stride 1) · {unordered} along dim 0 · coalesced" in near
    assert f"stride c along dim 1 · {unordered} along dim 0 · coalesced if c is 1" in apart
    assert f"not masked · {unordered}" in stored


def test_vectors_are_as_wide_as_types_and_strides_allow(tmp_path: Path) -> None:
    source = HEAD + (
        "@triton.jit\ndef widths(x, y, s, n, B: tl.constexpr):\n"
        "    i = tl.arange(0, B)\n"
        "    words = x.to(tl.pointer_type(tl.float32))\n"
        "    v = tl.load(words + i[:, None] * s + i[None, :])\n"
        "    w = tl.load(words + i[:, None] * 64 + tl.arange(0, 2)[None, :])\n"
        "    tl.store(y + i, tl.sum(v, 1) + tl.sum(w, 1))\n"
    )  # fmt: skip
    row = card(tmp_path, source, "widths")["Loads / stores"]
    assert "vectors of up to 16 B (4 fp32) if s is a multiple of 4" in row
    assert "vectors of up to 8 B (2 fp32)" in row
    assert row.endswith("vectors of up to 16 B")


def test_the_card_of_an_autotuned_product() -> None:
    path = FIXTURES / "matmul.py"
    hover = Analysis([FIXTURES]).hover(path, path.read_bytes().index(b"def product(") + 4)
    assert hover is not None
    table = dict(hover.table)
    assert "(cdiv(rows, TILE_M)*cdiv(columns, TILE_N),)" in table["Grid"]
    assert table["Configs"].startswith("4 autotune configs; TILE_M ∈ {64, 128}")
    assert "2*cdiv(inner, TILE_K)*TILE_M*TILE_N*TILE_K FLOPs" in table["Work per program"]
    assert "≈ 48 KiB for TILE_M=128, TILE_N=64, TILE_K=32, num_warps=4, num_stages=4" in table["Shared memory"]
    assert "tensor cores" in table["Features"]


@pytest.mark.parametrize(
    ("line", "is_said"),
    [
        ("s = tl.dot(a, b)", True),
        ("s = tl.dot(a.to(tl.float16), b)", False),
        ("s = tl.dot(a, b, out_dtype=tl.float32)", False),
        ("s = tl.dot(a, b, acc)", False),
    ],
)
def test_the_type_of_a_product_of_unknown_operands_is_told_as_supposed(
    tmp_path: Path, line: str, is_said: bool
) -> None:
    source = HEAD + (
        "@triton.jit\ndef product(x, y, out, B: tl.constexpr):\n    i = tl.arange(0, B)\n"
        "    at = i[:, None] * B + i[None, :]\n    a = tl.load(x + at)\n    b = tl.load(y + at)\n"
        f"    acc = tl.zeros((B, B), tl.float32)\n    {line}\n    tl.store(out + at, s)\n"
    )
    hover = Analysis([tmp_path]).hover(written(tmp_path, source), source.index(line))
    assert hover is not None
    assert hover.signature == "s: block[B, B] fp32"
    told = "of floating-point operands; of integers it would be int32, of fp64 it would be fp64"
    assert (told in hover.notes) == is_said


def test_explain_names_algorithms_and_links_every_line() -> None:
    path = FIXTURES / "matmul.py"
    document = Analysis([FIXTURES]).document("explain", Target(path, None, "product"))
    said = [line.text for block in document.blocks if isinstance(block, Paragraph) for line in block.lines]
    assert any(text.startswith("tiled matrix product") for text in said)
    assert any(text.startswith("grouped ordering") for text in said)
    code = next(block for block in document.blocks if isinstance(block, Code))
    assert all(line.location is not None for line in code.lines)
    assert any("block[TILE_M, TILE_N] fp32" in line.text for line in code.lines)
    assert [b.text for b in document.blocks if isinstance(b, Heading)][:2] == ["What it does", "Tiles"]


def test_what_a_scan_is_made_with_is_told_in_its_pseudocode() -> None:
    lines = pseudocode(FIXTURES / "algorithms.py", "scanned_in_blocks")
    assert "total, kept = associative_scan((value, gate), axis=0, combine_fn=chained)" in lines
    document = Analysis([FIXTURES]).document("explain", Target(FIXTURES / "algorithms.py", symbol="sums_of_all_blocks"))
    told = next(block for block in document.blocks if isinstance(block, Paragraph)).lines[0].text
    assert told.startswith("scan from block to block: running sums along an axis, from the last to the first; ")


def test_loops_that_wait_have_a_body_and_promises_no_lines(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + (
        "@triton.jit\ndef wait(x, lock, n, B: tl.constexpr):\n"
        "    p = x + tl.arange(0, B)\n    tl.multiple_of(p, 16)\n"
        "    while tl.atomic_cas(lock, 0, 1) == 1:\n        pass\n"
        "    tl.store(p, n)\n"
    ))  # fmt: skip
    assert pseudocode(path, "wait")[-3:] == ["while atomic_cas(lock, 0, 1) == 1:", "pass", "x[[0..B)] = n"]


def test_pseudocode_lifts_pointers_away() -> None:
    lines = pseudocode(FIXTURES / "matmul.py", "product")
    assert any(line.startswith("left = a_ptr[offs_m, k*TILE_K + offs_k] where offs_k < inner") for line in lines)
    assert "acc = acc + left @ right" in lines
    assert "c_ptr[offs_m, offs_n] = acc as float16 where mask" in lines
    assert not any(line.startswith(("a = ", "b += ")) for line in lines)


def test_pseudocode_of_what_is_stepped_behind_a_part_of_the_test(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + (
        "@triton.jit\ndef gated(x, z, s, n, GATE: tl.constexpr, LATE: tl.constexpr, B: tl.constexpr):\n"
        "    i = tl.arange(0, B)\n"
        "    for row in range(n):\n"
        "        if GATE and not LATE:\n            v = tl.load(z + i)\n            tl.store(x + i, v)\n"
        "        if not LATE:\n            z += s\n        x += s\n"
    ))  # fmt: skip
    assert "v = z[row, i]" in pseudocode(path, "gated")


def test_pseudocode_of_a_pointer_that_a_round_puts_elsewhere_for_the_next(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + (
        "@triton.jit\ndef back(x, y, s, n, B: tl.constexpr):\n"
        "    last = x + n * s\n"
        "    for row in range(n):\n"
        "        tl.store(y + row, tl.load(last))\n        last -= s\n"
    ))  # fmt: skip
    lines = pseudocode(path, "back")
    assert "y[row] = *last" in lines
    assert "last = x + (n * s)" in lines


def test_pseudocode_of_helpers_block_pointers_and_atomics(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + (
        "@triton.jit\ndef inner(tiles, total, n, B: tl.constexpr):\n"
        "    for i in range(0, n, B):\n        total += tl.load(tiles)\n        tiles = tl.advance(tiles, (0, B))\n"
        "    return total\n\n"
        "@triton.jit\ndef outer(x, y, n, B: tl.constexpr):\n"
        "    row = tl.program_id(0)\n"
        "    tiles = tl.make_block_ptr(x, (n, n), (n, 1), (row * B, 0), (B, B), (1, 0))\n"
        "    total = inner(tiles, tl.zeros((B, B), tl.float32), n, B)\n"
        "    y += row * n\n"
        "    tl.atomic_add(y + tl.arange(0, B), tl.sum(total, 0), mask=tl.arange(0, B) < n)\n"
    ))  # fmt: skip
    lines = pseudocode(path, "outer")
    assert "total = inner(&x[row * B : +B, 0 : +B], zeros((B, B), float32), n, B)" in lines
    assert "y[row, [0..B)] += sum(total, 0) where [0..B) < n  atomically" in lines
    assert "total += tiles[0 : +B, round*B : +B]" in lines


def test_blocks_advanced_where_they_are_used_and_the_edges_of_the_data(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + (
        "@triton.jit\ndef some(x, at, y, n, m, step, B: tl.constexpr):\n"
        "    tiles = tl.make_block_ptr(x, (n, m), (m, 1), (0, 0), (B, B), (1, 0))\n"
        "    total = tl.zeros((B, B), tl.float32)\n"
        "    for i in range(n):\n"
        "        row = tl.load(at)\n"
        "        total += tl.load(tl.advance(tiles, (row, 0)), boundary_check=(0,), padding_option='zero')\n"
        "        at += step\n"
        "    i = tl.arange(0, B)\n"
        "    tl.store(y + i, tl.sum(total, 0), mask=(i < n) & ((i > 0) | (i < m)))\n"
    ))  # fmt: skip
    lines = pseudocode(path, "some")
    assert "row = at[i]" in lines
    assert "total += x[row : +B, 0 : +B] within (n, …) else 0" in lines
    assert "y[i] = sum(total, 0) where i < n and (i > 0 or i < m)" in lines


def test_an_index_given_anew_in_a_loop_is_not_the_one_that_made_the_address(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + (
        "@triton.jit\ndef walk(x, y, step, n, B: tl.constexpr, PARTS: tl.constexpr):\n"
        "    offs = tl.program_id(0) * B + tl.arange(0, B)\n"
        "    x_ptrs = x + offs * step\n    y_ptrs = y + offs\n"
        "    for i in range(n):\n"
        "        v = tl.load(x_ptrs, mask=offs < n)\n"
        "        tl.store(y_ptrs, v)\n        tl.store(y + offs, v)\n"
        "        offs += B * PARTS\n        x_ptrs += B * PARTS * step\n        y_ptrs += offs\n"
    ))  # fmt: skip
    lines = pseudocode(path, "walk")
    assert "v = x[i*B*PARTS + ((program_id(0) * B) + [0..B))] where offs < n" in lines
    assert "*y_ptrs = v" in lines and "y_ptrs += offs" in lines, "what each round adds varies"
    assert "x_ptrs += B * PARTS * step" not in lines
    assert "y[offs] = v" in lines


def test_descriptors_are_told_by_what_they_describe(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + (
        "@triton.jit\ndef copy(x, y, n, expert, s, M: tl.constexpr, B: tl.constexpr):\n"
        "    x_desc = tl.make_tensor_descriptor(x + expert * s, shape=[n, n], strides=[n, 1], block_shape=[M, B])\n"
        "    at = tl.multiple_of(tl.program_id(0) * M, M)\n"
        "    at = tl.multiple_of(at, 8)\n"
        "    v = x_desc.load([at, 0])\n"
        "    v = tl.dot(v, v.T, out_dtype=tl.float16)\n"
        "    x_desc.store([at, B], v)\n"
    ))  # fmt: skip
    lines = pseudocode(path, "copy")
    assert "v = x[expert][at : +M, 0 : +B] within (n, n) else 0" in lines
    assert "v = (v @ v.T with out_dtype=float16)" in lines
    assert "x[expert][at : +M, B : +B] = v within (n, n)" in lines
    assert lines.count("at = program_id(0) * M") == 1 and "at = at" not in lines


def test_pointers_of_branches_belong_to_the_same_branches(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + (
        "@triton.jit\ndef either(x, y, s, B: tl.constexpr, T: tl.constexpr):\n"
        "    i = tl.arange(0, B)\n"
        "    if T:\n        p = x + i * s\n    else:\n        p = x + i\n"
        "    if T:\n        v = tl.load(p)\n    else:\n        v = tl.load(p) * 2\n"
        "    tl.store(y + i, v)\n"
    ))  # fmt: skip
    lines = pseudocode(path, "either")
    assert lines[2:6] == ["if T:", "v = x[i]", "else:", "v = (x[i]) * 2"]
    assert [line for line in lines if "p =" in line] == []


@pytest.mark.parametrize("cut", range(0, 2400, 61))
def test_half_typed_kernels_never_raise(tmp_path: Path, cut: int) -> None:
    source = (FIXTURES / "matmul.py").read_bytes()
    path = tmp_path / "cut.py"
    analysis = Analysis([tmp_path])
    analysis.set_text(path, source[:cut])
    for offset in range(0, cut, 97):
        analysis.hover(path, offset)
    analysis.problems(path)


def test_launches_with_wrong_arguments_are_found(tmp_path: Path) -> None:
    source = ADD + "def f(x, y):\n    add[(1,)](x, y, BLOCKS=64)\n"
    path = written(tmp_path, source)
    (problem,) = Analysis([tmp_path]).problems(path)
    assert problem.code == "launch-arguments"
    assert "n, BLOCK are not passed" in problem.message
    assert "BLOCKS" in problem.message


def test_an_address_behind_branches_on_loaded_data_keeps_its_name(tmp_path: Path) -> None:
    source = HEAD + (
        "@triton.jit\ndef pick(x, y, BLOCK: tl.constexpr):\n    i = tl.arange(0, BLOCK)\n"
        "    if tl.load(x) > 0:\n        at = y + i\n    else:\n        at = y - i\n"
        "    if tl.load(at) > 0:\n        at = at + 1\n    tl.store(at, i)\n"
    )
    path = written(tmp_path, source)
    document = Analysis([tmp_path]).document("explain", Target(path, symbol="pick"))
    code = next(block for block in document.blocks if isinstance(block, Code))
    assert any("*at = i" in line.text for line in code.lines)


@pytest.mark.parametrize(
    ("kernel", "names"),
    [
        ("splitk", ["tiled matrix product", "split-K"]),
        ("whole", ["tiled matrix product"]),
        ("norm", ["two-pass normalisation"]),
        ("gradient_of_weights", ["partial sums"]),
        ("mean_of_rows", []),
        ("once", ["row normalisation"]),
        ("attend", ["flash attention"]),
        ("attend_backward", ["backward of flash attention"]),
        ("gated", ["tiled matrix product"]),
        ("locked", ["sum under a lock"]),
        ("unpacked", ["dequantisation"]),
        ("tiles", ["persistent loop"]),
        ("tiles_left", ["persistent loop"]),
        ("tiles_of_groups", ["persistent loop"]),
        ("tiles_of_requests", ["persistent loop"]),
        ("parts_of_tile", ["tiled matrix product", "split-K"]),
        ("tiles_one_by_one", ["persistent loop"]),
        ("rest_of_row", []),
        ("stretch", []),
        ("soft", ["softmax of a row"]),
        ("soft_read_twice", ["softmax of a row"]),
        ("counted", []),
        ("part_of_soft", []),
        ("soft_in_tiles", ["online softmax"]),
        ("merged", ["merge of partial softmaxes"]),
        ("best_few", ["top-k by repeated selection"]),
        ("ordered", ["bitonic sort"]),
        ("shared_rounds", ["stream-K", "tiled matrix product", "atomic reduction"]),
        ("norm_gradient", ["gradient of a row normalisation"]),
        ("added_norm_gradient", ["gradient of a row normalisation"]),
        ("softmax_gradient", []),
        ("shared_window", ["tiled matrix product"]),
        ("largest_product", []),
        ("squares_of_products", []),
        ("norm_of_centred", ["normalisation in several passes"]),
        ("norm_gradient_in_tiles", ["gradient of a row normalisation"]),
        ("attend_to_a_part", ["online softmax", "split softmax"]),
        ("attend_to_a_window", ["online softmax"]),
        ("parts_joined", ["softmax-weighted sum"]),
        ("rows_unpacked", ["dequantisation"]),
        ("flags_unpacked", []),
        ("splitk_with_scales", ["tiled matrix product", "split-K"]),
        ("soft_of_each_group", []),
        ("exponents_taken_out", []),
        ("solved_by_elimination", []),
        ("scanned_in_blocks", ["scan from block to block"]),
        ("sums_of_each_block", []),
        ("sums_of_all_blocks", ["scan from block to block"]),
        ("scanned_once", ["scan"]),
        ("decayed_state", ["linear recurrence"]),
        ("decayed_state_of_chunks", ["linear recurrence"]),
        ("weighted_taps", []),
        ("last_that_fits", []),
        ("attend_by_steps", ["flash attention"]),
        ("sum_of_weights_by_steps", ["online softmax"]),
        ("best_few_first_of_equal", ["top-k by repeated selection"]),
        ("turned_pairs", ["rotation of pairs"]),
        ("gated_pairs", []),
        ("whole_of_scaled", ["tiled matrix product"]),
    ],
)
def test_algorithms_and_what_only_looks_like_them(kernel: str, names: list[str]) -> None:
    path = FIXTURES / "algorithms.py"
    document = Analysis([FIXTURES]).document("explain", Target(path, symbol=kernel))
    headings = [block.text for block in document.blocks if isinstance(block, Heading)]
    told = next(block for block in document.blocks if isinstance(block, Paragraph)) if names else Paragraph(())
    assert [line.text.partition(":")[0] for line in told.lines] == names
    assert ("What it does" in headings) == bool(names)


def test_rounds_of_a_persistent_loop(tmp_path: Path) -> None:
    """The loop that moves the tile on is the persistent one, not those around it."""
    source = (FIXTURES / "algorithms.py").read_text()
    rows = card(tmp_path, source, "tiles_of_requests")["Loops"].split("<br>")
    assert [row.endswith(", one tile of the grid each (persistent)") for row in rows] == [False, True]
    sometimes = source.replace("        tile += PROGRAMS\n", "        if _ == 0:\n            tile += PROGRAMS\n")
    assert card(tmp_path, sometimes, "tiles_one_by_one")["Loops"].endswith("rounds (persistent)")


def test_lines_of_a_helper_say_where_its_calls_differ(tmp_path: Path) -> None:
    source = HEAD + (
        "@triton.jit\ndef twice(v):\n    size: tl.constexpr = v.shape[0]\n    both = v + v\n    return both * size\n\n"
        "@triton.jit\ndef use(x, y, A: tl.constexpr, B: tl.constexpr):\n    a = tl.arange(0, A)\n"
        "    b = tl.arange(0, B)\n    tl.store(y + a, twice(a))\n    tl.store(y + b, twice(b))\n"
    )
    path = written(tmp_path, source)
    document = Analysis([tmp_path]).document("explain", Target(path, symbol="use"))
    lines = [line.text for block in document.blocks if isinstance(block, Code) for line in block.lines]
    size = next(line for line in lines if line.strip().startswith("size ="))
    assert size.endswith("# constexpr")
    assert next(line for line in lines if line.strip().startswith("both =")).endswith("block[A] int32, others by call")


def test_strides_that_are_constants_of_the_compiler_lie_along_the_axis_that_they_are_of() -> None:
    document = Analysis([FIXTURES]).document("explain", Target(FIXTURES / "algorithms.py", symbol="parts_of_tile"))
    code = next(block for block in document.blocks if isinstance(block, Code))
    lines = [line.text for line in code.lines if "x[" in line.text]
    assert len(lines) == 1
    assert "x[((row * B) + lane), round*PARTS*B + lane + part*B]" in lines[0]


def test_a_constant_that_no_block_is_as_long_as_may_be_a_stride(tmp_path: Path) -> None:
    source = HEAD + (
        "@triton.jit\ndef pick(x, y, width: tl.constexpr, of_expert: tl.constexpr, B: tl.constexpr):\n"
        "    expert = tl.program_id(1)\n    start = of_expert * expert\n    lane = tl.arange(0, B)\n"
        "    tl.store(y + expert * B + lane, tl.load(x + start + lane[:, None] * width + lane[None, :]))\n"
    )
    document = Analysis([tmp_path]).document("explain", Target(written(tmp_path, source), symbol="pick"))
    lines = [line.text.strip() for block in document.blocks if isinstance(block, Code) for line in block.lines]
    assert lines[-1].startswith("y[expert, lane] = x[expert, lane, lane]")


def test_offsets_that_only_addresses_are_made_of_are_no_lines_of_pseudocode(tmp_path: Path) -> None:
    source = HEAD + (
        "@triton.jit\ndef copy(x, y, s, n, FLAG: tl.constexpr, B: tl.constexpr):\n"
        "    lane = tl.arange(0, B)\n    rows = tl.load(s + lane)\n    head = tl.program_id(0)\n"
        "    start = head * n\n    if FLAG:\n        other = n * 2\n    count = tl.atomic_add(s, 1)\n"
        "    tl.store(y + start + lane, tl.load(x + start + lane))\n"
    )
    path = written(tmp_path, source)
    document = Analysis([tmp_path]).document("explain", Target(path, symbol="copy"))
    code = next(block for block in document.blocks if isinstance(block, Code))
    lines = [line.text.partition("#")[0].strip() for line in code.lines]
    assert "y[head, lane] = x[head, lane]" in lines
    assert not any(line.startswith("start") for line in lines)
    assert "rows = s[lane]" in lines  # what reads memory stays, and what changes it
    assert any(line.startswith("count = atomic_add(") for line in lines)
    assert lines[lines.index("if FLAG:") + 1] == "other = n * 2"  # no block is left empty


@pytest.mark.parametrize(("kernel", "told"), [("soft", True), ("soft_read_twice", False)])
def test_a_row_is_read_once_only_where_nothing_loads_it_again(kernel: str, told: bool) -> None:
    document = Analysis([FIXTURES]).document("explain", Target(FIXTURES / "algorithms.py", symbol=kernel))
    first = next(block for block in document.blocks if isinstance(block, Paragraph))
    assert ("a row is read once" in first.lines[0].text) == told


def test_a_mean_is_told_by_what_stands_before_the_root() -> None:
    document = Analysis([FIXTURES]).document("explain", Target(FIXTURES / "algorithms.py", symbol="scaled_thirds"))
    first = next(block for block in document.blocks if isinstance(block, Paragraph))
    assert "the inverse root of the mean of squares" in first.lines[0].text


def test_bits_are_told_by_masks_that_begin_at_the_first(tmp_path: Path) -> None:
    source = HEAD + (
        "@triton.jit\ndef add(x, out, B: tl.constexpr):\n    i = tl.arange(0, B)\n"
        "    packed = tl.load(x + i[:, None] * B + i[None, :])\n    codes = (packed >> 4) & {}\n"
        "    tl.store(out + i[:, None] * B + i[None, :], tl.dot(codes.to(tl.float16), codes.to(tl.float16)))\n"
    )
    for mask, told in (("0x7", "integers of 3 bits"), ("0x70", "")):
        path = written(tmp_path, source.format(mask))
        document = Analysis([tmp_path]).document("explain", Target(path, symbol="add"))
        lines = [line.text for block in document.blocks if isinstance(block, Paragraph) for line in block.lines]
        assert any("dequantisation" in line and told in line for line in lines) == bool(told)


def test_gluon_kernels_say_what_is_not_known(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "from triton.experimental import gluon\nfrom triton.experimental.gluon import language as gl\n\n"
        "@gluon.jit\ndef copy(x, y, n, B: gl.constexpr, layout: gl.constexpr):\n"
        "    i = gl.program_id(0) * B + gl.arange(0, B, layout=layout)\n"
        "    gl.store(y + i, gl.load(x + i, mask=i < n), mask=i < n)\n",
    )
    hover = Analysis([tmp_path]).hover(path, path.read_bytes().index(b"copy"))
    assert hover is not None
    assert hover.signature == "copy: @gluon.jit kernel"
    assert dict(hover.table)["Features"].startswith("Gluon: layouts")


def test_kernels_written_as_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "made.py"
    path.write_text(
        'def build():\n    code = """\n@triton.jit\ndef scale(x, n):\n    tl.store(x, n)\n"""\n    exec(code)\n'
    )
    document = Analysis([tmp_path]).document("explain", Target(path, symbol="build"))
    assert any("`scale` is a Triton kernel written as text (made.py:2)" in note for note in document.notes)


def test_kernels_written_as_text_outside_of_the_function_that_compiles_them(tmp_path: Path) -> None:
    path = tmp_path / "made.py"
    path.write_text(
        'CODE = """\n@triton.jit\ndef scale(x, n):\n    tl.store(x, n)\n"""\n\ndef build():\n    exec(CODE)\n'
    )
    analysis = Analysis([tmp_path])
    document = analysis.document("explain", Target(path, symbol="build"))
    assert any("`scale` is a Triton kernel written as text (made.py:1)" in note for note in document.notes)
    with pytest.raises(UserError, match=r"`scale` is a Triton kernel written as text \(made.py:1\)"):
        analysis.document("explain", Target(path, symbol="scale"))


def test_the_name_of_a_kernel_where_it_is_launched_has_its_card(tmp_path: Path) -> None:
    (tmp_path / "ops.py").write_text(ADD)
    path = tmp_path / "use.py"
    path.write_text(
        "import triton\nfrom ops import add\n\n\ndef run(x, y, n):\n"
        "    add[(triton.cdiv(n, 64),)](x, y, n, BLOCK=64)\n    other(x)\n\n\ndef other(x):\n    return x\n"
    )
    analysis = Analysis([tmp_path])
    source = path.read_text()
    hover = analysis.hover(path, source.index("add[") + 1)
    assert hover is not None
    assert hover.signature == "add: @triton.jit kernel"
    assert dict(hover.table)["Grid"] == "`(cdiv(n, 64),)` at `use.py:6`"
    assert next(str(link.location) for link in hover.links if link.location).startswith("ops.py")
    plain = analysis.hover(path, source.index("other(") + 1)
    assert plain is not None
    assert plain.signature.startswith("def other")


KINDS = {
    "kernelscope.explainKernel": "explain", "kernelscope.showTiling": "tiling", "kernelscope.showTimeline": "timeline",
}  # fmt: skip


def test_lenses_of_kernels_lead_to_documents() -> None:
    sample = Path(__file__).parents[1] / "workspaces" / "sample"
    analysis, told = Analysis([sample]), dict[str, set[str]]()
    for path in sorted((sample / "tinyllm" / "kernels").glob("*.py")):
        for lens in analysis.lenses(path):
            if lens.command in KINDS:
                assert analysis.document(KINDS[lens.command], lens.target).blocks
                told.setdefault(path.stem, set()).add(KINDS[lens.command])
    assert told["flash_attention"] == {"explain", "tiling", "timeline"}
    assert told["rms_norm"] == {"explain", "tiling"}


def test_offsets_behind_tests_are_told_with_them(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + (
        "@triton.jit\ndef either(x, y, at, s, r, n, B: tl.constexpr, PICK: tl.constexpr, SKIP: tl.constexpr):\n"
        "    row = tl.program_id(0)\n    i = tl.arange(0, B)\n"
        "    if PICK:\n        picked = tl.load(at + row)\n        x += picked * s + row * r\n"
        "    else:\n        x += row * s + row * r\n"
        "    if SKIP:\n        x += n\n"
        "    p = x + i\n"
        "    v = tl.load(p)\n"
        "    for k in range(n):\n        p += B\n"
        "    tl.store(y + i, v + tl.load(p))\n"
    ))  # fmt: skip
    lines = pseudocode(path, "either")
    assert "v = x[(picked if PICK else row), row, (n if SKIP else 0) + i]" in lines
    assert "p += B" in lines  # a pointer that a loop moved keeps its lines, and those of what it is made of
    assert any(line.startswith("x += ") for line in lines)
    assert any("*p" in line for line in lines)


def test_accesses_through_pointers_to_descriptors(tmp_path: Path) -> None:
    rows = card(tmp_path, HEAD + (
        "@triton.jit\ndef add(x, y, z, n, R: tl.constexpr, C: tl.constexpr):\n"
        "    tile = tl._experimental_descriptor_load(x, [n, 0], [R, C], tl.bfloat16)\n"
        "    tl._experimental_descriptor_store(y, tile, [n, 0])\n"
        "    other = tl.make_tensor_descriptor(z, shape=[n, C], strides=[C, 1], block_shape=[R, C])\n"
        "    tl.store_tensor_descriptor(other, [n, 0], tile)\n"
    ))  # fmt: skip
    told = "bounds checked by the descriptor · contiguous along dim 1 (stride 1) · coalesced"
    assert rows["Loads / stores"].split("<br>") == [
        f"`x` L7 load: block[R, C] bf16 · {told}",
        f"`y` L8 store: block[R, C] bf16 · {told}",
        f"`z` L10 store: block[R, C] T(z) · {told}",
    ]


def test_a_helper_that_another_package_may_offer_is_the_one_that_is_here(tmp_path: Path) -> None:
    (tmp_path / "parts.py").write_text(
        HEAD + "@triton.jit\ndef keep(x, n, B: tl.constexpr):\n    tl.store(x + tl.arange(0, B), n)\n"
    )
    rows = card(tmp_path, HEAD + (
        "try:\n    from inner.parts import keep\nexcept ImportError:\n    from parts import keep\n\n"
        "@triton.jit\ndef add(x, n, B: tl.constexpr):\n    keep(x, n, B)\n"
    ))  # fmt: skip
    assert rows["Loads / stores"].startswith("`x` L12 store: block[B] T(x)")


def test_what_is_taken_away_and_what_descriptors_add_atomically(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + (
        "@triton.jit\ndef before(x, y, desc, s, B: tl.constexpr):\n"
        "    row = tl.program_id(0)\n    i = tl.arange(0, B)\n"
        "    p = x + row * s + i - 1\n"
        "    tl.store(y + i, tl.load(p) + tl.load(x + i - row * s))\n"
        "    desc.atomic_add([row, 0], tl.load(p))\n"
    ))  # fmt: skip
    lines = pseudocode(path, "before")
    assert "y[i] = (x[row, i - 1]) + (x[i - row*s])" in lines
    assert "desc[row, 0] += x[row, i - 1]  atomically" in lines


@pytest.mark.parametrize(
    ("beside", "codes"),
    [
        ("import triton.language.extra.mlu.libdevice as lib\n", []),
        ("from triton.language.extra.cuda import libdevice\n", ["not-a-power-of-two"]),
    ],
)
def test_ranges_of_any_length_where_the_compiler_takes_them(tmp_path: Path, beside: str, codes: list[str]) -> None:
    (tmp_path / "other.py").write_text(beside)
    path = written(tmp_path, HEAD + (
        "@triton.jit\ndef add(x, y):\n    i = tl.program_id(0) * 96 + tl.arange(0, 96)\n"
        "    tl.store(y + i, tl.load(x + i))\n"
    ))  # fmt: skip
    assert [problem.code for problem in Analysis([tmp_path]).problems(path)] == codes


@pytest.mark.parametrize(
    ("number", "offset", "name"),
    [
        ("expert = tl.load(table + m)", "expert * rows", "matrix by its number"),
        ("expert = tl.load(table + m) + m", "expert * rows", ""),
        ("", "tl.load(table + i) * rows", "tiles by a table"),
        ("", "m * rows", ""),
    ],
)
def test_operands_that_memory_chooses(tmp_path: Path, number: str, offset: str, name: str) -> None:
    path = written(tmp_path, HEAD + (
        "@triton.jit\ndef add(x, w, table, y, rows, n, s, B: tl.constexpr):\n"
        "    m = tl.program_id(0)\n    k = tl.arange(0, B)\n    acc = tl.zeros((B, B), tl.float32)\n"
        f"    {number or 'pass'}\n"
        "    for i in range(n):\n"
        "        a = tl.load(x + (m * B + k)[:, None] * s + (i * B + k)[None, :])\n"
        f"        b = tl.load(w + {offset} + ((0 if {'table' in offset} else i) * B + k)[:, None] * s + k[None, :])\n"
        "        acc += tl.dot(a, b)\n"
        "    tl.store(y + (m * B + k)[:, None] * s + k[None, :], acc)\n"
    ))  # fmt: skip
    document = Analysis([tmp_path]).document("explain", Target(path, None, "add"))
    said = next(block for block in document.blocks if isinstance(block, Paragraph))
    told = [line.text.partition(":")[0] for line in said.lines]
    assert [one for one in told if one != "tiled matrix product"] == [name] * bool(name)
