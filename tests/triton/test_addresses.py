"""Loads and stores as elements of arguments: which index goes along which axis, and what is a stride."""

from __future__ import annotations

from pathlib import Path

from cards import HEAD, pseudocode, written


def test_a_block_that_lies_across_its_indices_is_told_transposed(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + (
        "@triton.jit\ndef turn(x, y, z, sm, sk, M: tl.constexpr, K: tl.constexpr):\n"
        "    m = tl.arange(0, M)\n    k = tl.arange(0, K)[:, None]\n    row = tl.program_id(0)\n"
        "    v = tl.load(x + row * 64 + m[None, :] * sm + k * sk)\n"
        "    tl.store(y + m[:, None] * sm + tl.arange(0, K)[None, :] * sk, tl.trans(v))\n"
        "    w = tl.load(z + m[None, None, :] * sm + m[:, None, None] * sk + m[None, :, None])\n"
        "    tl.store(x + m[None, :] + k * sk, v)\n"
    ))  # fmt: skip
    lines = pseudocode(path, "turn")
    assert "v = x[m, k, row * 64].T" in lines
    assert "y[m, [0..K)] = trans(v)" in lines
    assert "w = z[m, m, m].permute(1, 2, 0)" in lines
    assert "x[k, m] = v" in lines


def test_what_is_spread_out_as_a_whole_has_its_own_indices(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + (
        "@triton.jit\ndef paged(x, y, pages, s_page, s_row, s_head, "
        "P: tl.constexpr, D: tl.constexpr, B: tl.constexpr):\n"
        "    n_at = tl.arange(0, B)\n    d = tl.arange(0, D)\n"
        "    page = tl.load(pages + n_at // P)\n"
        "    at = (page * s_page + (n_at % P) * s_row)[:, None] + tl.program_id(0) * s_head + d[None, :]\n"
        "    v = tl.load(x + at)\n"
        "    rows = x + page * s_page\n"
        "    w = tl.load(rows[None, :] + d[:, None])\n"
        "    tl.store(y + n_at, tl.sum(v, 1) + tl.sum(w, 0))\n"
    ))  # fmt: skip
    lines = pseudocode(path, "paged")
    assert "v = x[page, (n_at % P), program_id(0), d]" in lines
    assert "w = x[page, d].T" in lines


def test_numbers_and_lengths_beside_a_stride_belong_to_it(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + (
        "@triton.jit\ndef heads(x, y, rows, columns, M: tl.constexpr, D: tl.constexpr):\n"
        "    head = tl.program_id(0)\n    m = tl.program_id(1) * M + tl.arange(0, M)\n    d = tl.arange(0, D)\n"
        "    v = tl.load(x + head * D * rows + m[:, None] * D + d[None, :])\n"
        "    tl.store(y + 8 * columns * m[:, None] + d[None, :], v)\n"
        "    tl.store(y + head * M * columns + m * columns, 0.0)\n"
    ))  # fmt: skip
    lines = pseudocode(path, "heads")
    assert "v = x[head, m, d]" in lines
    assert "y[m, d] = v" in lines
    assert "y[head*M + m] = 0.0" in lines


def test_descriptors_behind_pointers_and_rows_that_are_gathered(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + (
        "@triton.jit\ndef move(a_desc, c_desc, x, y, at, n, M: tl.constexpr, K: tl.constexpr):\n"
        "    row = tl.program_id(0) * M\n"
        "    a = tl._experimental_descriptor_load(a_desc, [row, 0], [M, K], tl.float16)\n"
        "    tl._experimental_descriptor_store(c_desc, a, [row, K])\n"
        "    x_desc = tl.make_tensor_descriptor(x, shape=[n, K], strides=[K, 1], block_shape=[1, K])\n"
        "    rows = tl.load(at + tl.arange(0, M))\n"
        "    b = x_desc.gather(rows, 8)\n"
        "    y_desc = tl.make_tensor_descriptor(y, shape=[n, K], strides=[K, 1], block_shape=[1, K])\n"
        "    y_desc.scatter(b, rows, 0)\n"
    ))  # fmt: skip
    lines = pseudocode(path, "move")
    assert "a = a_desc[row : +M, 0 : +K]" in lines
    assert "c_desc[row : +M, K : +K] = a" in lines
    assert "b = x[rows, 8 : +K] within (n, K) else 0" in lines
    assert "y[rows, 0 : +K] = b within (n, K)" in lines


def test_products_of_turned_operands(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + (
        "@triton.jit\ndef scores(q, k, out, M: tl.constexpr, N: tl.constexpr, D: tl.constexpr):\n"
        "    d = tl.arange(0, D)\n    n = tl.arange(0, N)\n"
        "    left = tl.load(q + tl.arange(0, M)[:, None] * D + d[None, :])\n"
        "    right = tl.load(k + n[:, None] * D + d[None, :])\n"
        "    qk = tl.dot(left, right, trans_b=True)\n"
        "    tl.store(out + tl.arange(0, M)[:, None] * N + n[None, :], qk)\n"
    ))  # fmt: skip
    assert "qk = left @ right.T" in pseudocode(path, "scores")


def test_a_helper_is_told_by_the_name_that_it_is_written_under(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + (
        "@triton.jit\ndef twice_of_two(v):\n    return v + v\n\ntwice = twice_of_two\n\n"
        "@triton.jit\ndef use(x, y, B: tl.constexpr):\n"
        "    i = tl.arange(0, B)\n    tl.store(y + i, twice(tl.load(x + i)))\n"
    ))  # fmt: skip
    assert "y[i] = twice_of_two(x[i])" in pseudocode(path, "use")


def test_the_number_of_a_tile_that_a_helper_is_given_is_no_stride(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + (
        "@triton.jit\ndef column(bias, y, tile, width, M: tl.constexpr, N: tl.constexpr):\n"
        "    rows = tl.arange(0, M)\n    cols = tile * N + tl.arange(0, N)\n"
        "    at = bias + (rows[:, None] * width + cols[None, :])\n"
        "    tl.store(y + cols, tl.sum(tl.load(at), 0))\n\n"
        "@triton.jit\ndef use(bias, y, width, M: tl.constexpr, N: tl.constexpr):\n"
        "    column(bias, y, tl.program_id(0), width, M, N)\n"
    ))  # fmt: skip
    assert "y[cols] = sum(bias[rows, cols], 0)" in pseudocode(path, "use")
