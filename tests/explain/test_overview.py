"""A folder on one page: kernels with where they start, settings and constraints, each told once."""

from __future__ import annotations

from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.explain.render import to_text
from kernelscope.results import Target

TRITON = """
import triton
import triton.language as tl

@triton.jit
def _inner(x):
    return x * 2

@triton.jit
def scale(x_ptr, BLOCK: tl.constexpr):
    at = x_ptr + tl.arange(0, BLOCK)
    tl.store(at, _inner(tl.load(at)))

def run(x):
    scale[(1,)](x, BLOCK=64)
"""
CUDA = """
template <int N>
__global__ void widen(float *x) {
    static_assert(N % 4 == 0, "whole vectors");
    static_assert(N != N, "not this one");
    x[threadIdx.x * N] = 1.0f;
}

void run(float *x) {
    auto kernel = widen<4>;
    kernel<<<1, 32>>>(x);
}
"""
SCRIPT = """
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--heads", type=int, default=8)
"""


def told(folder: Path, files: dict[str, str]) -> list[str]:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    analysis = Analysis([folder])
    analysis.index()
    return to_text(analysis.document("explain", Target(folder))).text.splitlines()


def cells(lines: list[str], first: str) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    return [row for row in rows if row[0] == first]


def test_kernels_of_one_name_each_have_their_own_launches(tmp_path: Path) -> None:
    lines = told(tmp_path, {"near.py": TRITON, "far.py": TRITON})
    assert [row[2:] for row in cells(lines, "scale")] == [["far.py", "1 × far.py:15"], ["near.py", "1 × near.py:15"]]


def test_what_kernels_call_is_no_kernel_of_its_own(tmp_path: Path) -> None:
    assert not cells(told(tmp_path, {"near.py": TRITON}), "_inner")


def test_a_launch_through_a_name_is_the_kernel_s(tmp_path: Path) -> None:
    assert cells(told(tmp_path, {"wide.cu": CUDA}), "widen") == [["widen", "CUDA", "wide.cu", "1 × wide.cu:11"]]


def test_kernels_of_the_product_come_before_those_of_its_tests(tmp_path: Path) -> None:
    lines = told(tmp_path, {"a/tests/test_one.py": TRITON, "product.py": TRITON})
    assert [row[2] for row in cells(lines, "scale")] == ["product.py", "a/tests/test_one.py"]


def test_an_option_of_several_scripts_is_told_once(tmp_path: Path) -> None:
    lines = told(tmp_path, {"one.py": SCRIPT, "two.py": SCRIPT, "three.py": SCRIPT.replace("8", "4")})
    assert [row[1:3] for row in cells(lines, "--heads")] == [
        ["command line of 2 scripts", "8"],
        ["command line of three.py", "4"],
    ]


def test_a_check_that_always_fails_demands_nothing(tmp_path: Path) -> None:
    lines = told(tmp_path, {"wide.cu": CUDA})
    assert "N % 4 == 0  (divisibility, static_assert)  wide.cu:4" in lines
    assert not any("N != N" in line for line in lines)
