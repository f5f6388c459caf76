"""Configurations of autotuned kernels: read from the code that lists them, for each way that the host may go."""

from __future__ import annotations

from pathlib import Path

import pytest
from cards import ADD, HEAD, card, written
from kernelscope.analysis import Analysis
from kernelscope.explain.document import Paragraph
from kernelscope.results import Target

KERNEL = ADD.removeprefix(HEAD)
SQUARES = (
    "@triton.jit\ndef add(x, y, n, B: tl.constexpr):\n    i = tl.arange(0, B)\n"
    "    at = i[:, None] * B + i[None, :]\n    acc = tl.zeros((B, B), tl.float32)\n"
    "    for k in range(n):\n        acc += tl.dot(tl.load(x + k + at), tl.load(y + k + at))\n"
    "    tl.store(y + at, acc)\n"
)
CONFIGS = "def config(size, **more):\n    return triton.Config({'BLOCK': size})\n\n"


def told(folder: Path, before: str, configs: str, after: str = "") -> str:
    """The row of a kernel that is tuned with `configs`, in a module with code before and after it."""
    tuned = f"@triton.autotune({configs}, ['n'])\n{KERNEL}"
    return card(folder, HEAD + "import os\nimport torch\n" + before + tuned + after)["Configs"]


@pytest.mark.parametrize(
    ("before", "configs", "row"),
    [
        ("from itertools import product\n",
         "[triton.Config({'BLOCK': b}, num_warps=w) for b, w in product([32, 64], range(2, 4))]",
         "4 autotune configs; BLOCK ∈ {32, 64} · num_warps ∈ {2, 3}; key: n"),
        ("", "[triton.Config({'BLOCK': 2**i}) for i in range(5, 8)]",
         "3 autotune configs; BLOCK ∈ {32, 64, 128}; key: n"),
        ("", "[triton.Config({'BLOCK': 32}, 8, 3)]",
         "1 autotune config; BLOCK ∈ {32} · num_warps ∈ {8} · num_stages ∈ {3}; key: n"),
        ("def appended():\n    found = [triton.Config({'BLOCK': 16})]\n    for b in (32, 64):\n"
         "        for w in [2, 4]:\n            if b * w > 128:\n                continue\n"
         "            found.append(triton.Config({'BLOCK': b}, num_warps=w))\n    return found\n\n",
         "appended()", "4 autotune configs; BLOCK ∈ {16, 32, 64} · num_warps ∈ {2, 4}; key: n"),
        ("sizes = [16]\nsizes += [32]\nsizes.extend((64, 128))\n",
         "[triton.Config({'BLOCK': b}) for b in sizes if b > 16]", "3 autotune configs; BLOCK ∈ {32, 64, 128}; key: n"),
        ("every = [triton.Config({'BLOCK': b}, num_warps=b // 16) for b in (16, 32, 64)]\n"
         "def keep(c):\n    return c.kwargs['BLOCK'] > 16 and c.num_warps != 4\n",
         "list(filter(keep, every))", "1 autotune config; BLOCK ∈ {32} · num_warps ∈ {2}; key: n"),
        (CONFIGS, "[config(s) for s in (32, 64)]", "2 autotune configs; BLOCK ∈ {32, 64}; key: n"),
        ("def made(wide=False):\n    return [triton.Config({'BLOCK': 64 if wide else 32})]\n", "made(wide=True)",
         "1 autotune config; BLOCK ∈ {64}; key: n"),
        ("", "[triton.Config({'BLOCK': b}) for b in asked()]", "autotuned, configs built by code; key: n"),
        ("def made(wide):\n    return [triton.Config({'BLOCK': 64})] if wide else []\n", "made(triton.next(1))",
         "autotuned, configs built by code; BLOCK ∈ {64}; key: n"),
    ],
)  # fmt: skip
def test_configurations_are_read_from_what_builds_them(tmp_path: Path, before: str, configs: str, row: str) -> None:
    assert told(tmp_path, before, configs) == row


def test_a_list_is_what_it_was_where_the_kernel_stands(tmp_path: Path) -> None:
    before = "sizes = [32]\nconfigs = [triton.Config({'BLOCK': b}) for b in sizes]\n"
    row = told(tmp_path, before, "configs", after="\nconfigs = []\nsizes = [1]\n")
    assert row == "1 autotune config; BLOCK ∈ {32}; key: n"


VENDORS = [
    "torch.version.hip",
    "torch.version.hip is not None",
    "not torch.version.cuda",
    "triton.runtime.driver.active.get_current_target().backend == 'hip'",
    "is_hip()",
    "platform != 'cuda'",
]


@pytest.mark.parametrize("is_amd", VENDORS)
def test_configurations_of_two_vendors_are_told_apart(tmp_path: Path, is_amd: str) -> None:
    before = (
        "def is_hip():\n    try:\n        target = triton.runtime.driver.active.get_current_target()\n"
        "        return target.backend == 'hip'\n    except RuntimeError:\n        return False\n"
        "platform = triton.runtime.driver.active.get_current_target().backend\n"
        f"def made():\n    if {is_amd}:\n        return [triton.Config({{'BLOCK': 1024}})]\n"
        "    return [triton.Config({'BLOCK': b}) for b in (32, 64)]\n"
    )
    assert told(tmp_path, before, "made()").split("<br>") == [
        "2 autotune configs on NVIDIA; BLOCK ∈ {32, 64}",
        "1 autotune config on AMD; BLOCK ∈ {1024}; key: n",
    ]


def test_what_only_the_other_vendors_gpus_try_is_not_held_against_this_one(tmp_path: Path) -> None:
    lists = "[triton.Config({'B': 256}, num_stages=8)] if torch.version.hip else [triton.Config({'B': 16})]"
    source = f"{HEAD}import torch\n@triton.autotune(configs={lists}, key=['n'])\n{SQUARES}"
    assert "227 KiB" in card(tmp_path, source)["Shared memory"]
    assert "B=256" not in card(tmp_path, source)["Shared memory"]


def test_one_test_decides_alike_wherever_it_is_met(tmp_path: Path) -> None:
    before = "big = fits('sm_90')\n"
    sizes, warps = "[64, 128] if big else [32]", "[8] if big else [2]"
    configs = f"[triton.Config({{'BLOCK': b}}, num_warps=w) for b in ({sizes}) for w in ({warps})]"
    assert told(tmp_path, before, configs).split("<br>") == [
        "2 autotune configs if `big`; BLOCK ∈ {64, 128} · num_warps ∈ {8}",
        "1 autotune config if not `big`; BLOCK ∈ {32} · num_warps ∈ {2}; key: n",
    ]


def test_what_hangs_on_an_import_is_a_test_of_the_host(tmp_path: Path) -> None:
    before = "try:\n    import special\n    HAS = True\nexcept ImportError:\n    HAS = False\n"
    row = told(tmp_path, before, "[triton.Config({'BLOCK': 64 if HAS else 32})]")
    assert row.split("<br>") == [
        "1 autotune config if `HAS`; BLOCK ∈ {64}",
        "1 autotune config if not `HAS`; BLOCK ∈ {32}; key: n",
    ]


def test_what_functions_set_is_a_test_of_the_host(tmp_path: Path) -> None:
    before = "HAS = None\ndef look():\n    global OTHER, HAS\n    HAS = triton.has()\nlook()\n"
    row = told(tmp_path, before, "[triton.Config({'BLOCK': 64 if HAS else 32})]")
    assert row.split("<br>") == [
        "1 autotune config if `HAS`; BLOCK ∈ {64}",
        "1 autotune config if not `HAS`; BLOCK ∈ {32}; key: n",
    ]


def test_a_test_without_consequence_is_not_told(tmp_path: Path) -> None:
    row = told(tmp_path, "size = 64 if os.environ.get('A') else 64\n", "[triton.Config({'BLOCK': size})]")
    assert row == "1 autotune config; BLOCK ∈ {64}; key: n"


def test_many_tests_are_summed_up(tmp_path: Path) -> None:
    sizes = ", ".join(f"{i} if has('{i}') else {i + 100}" for i in range(1, 5))
    row = told(tmp_path, "", f"[triton.Config({{'BLOCK': b}}) for b in [{sizes}]]")
    assert (
        row
        == "at most 4 autotune configs by several tests of the host; BLOCK ∈ {1, 2, 3, 4, 101, 102, 103, 104}; key: n"
    )
    tests = ", ".join(f"{i} if has('{i}') else {i + 100}" for i in range(1, 9))
    row = told(tmp_path, "", f"[triton.Config({{'BLOCK': b}}) for b in [{tests}]]")
    assert row.startswith("autotuned, configs built by code; BLOCK ∈ {1, 2")


@pytest.mark.parametrize(
    "configs",
    [
        "[triton.Config({'BLOCK': a}) for a in range(10**12) for b in range(10**12) for c in range(10**12)]",
        "again()",
        "[triton.Config({'BLOCK': 9**9**9**9})]",
        "[triton.Config({'BLOCK': 1 << (1 << 60)})]",
        "doubled([triton.Config({'BLOCK': 1})])",
        "[triton.Config({'BLOCK': squared()})]",
        "[triton.Config({'BLOCK': (-8) ** 0.5})]",
        "nested0(1)",
    ],
)
def test_code_without_end_is_left(tmp_path: Path, configs: str) -> None:
    before = (
        "def again(n=1):\n    return again(n + 1)\n"
        "def doubled(x):\n    for i in range(100):\n        x = x + x\n    return x\n"
        "def squared(x=3):\n    for i in range(100):\n        x *= x\n    return x\n"
    )
    for i in range(12):  # each as deep as expressions and blocks are read
        blocks = "".join(f"{' ' * (depth + 1)}if n > {depth - 100}:\n" for depth in range(50))
        before += f"def nested{i}(n):\n{blocks}{' ' * 51}return nested{i + 1}(n{' - (n' * 50}{')' * 50})\n"
    assert "built by code" in told(tmp_path, before, configs)


def test_configurations_that_the_host_may_drop_are_told_so(tmp_path: Path) -> None:
    source = (
        HEAD
        + (
            "def fitting(configs, args, **kwargs):\n    return configs[:1]\n\n"
            "@triton.autotune(configs=[triton.Config({'B': 256}, num_stages=8)], key=['n']{pruned})\n"
        )
        + SQUARES
    )
    pruned = card(tmp_path, source.replace("{pruned}", ", prune_configs_by={'early_config_prune': fitting}"))
    assert pruned["Configs"].endswith("key: n; the host may drop some before they are tried")
    assert "over the 227 KiB of sm_90, unless the host drops this configuration before" in pruned["Shared memory"]
    every = card(tmp_path, source.replace("{pruned}", ""))
    assert "drop" not in every["Configs"] + every["Shared memory"]


def test_hooks_of_configurations_that_a_function_lists_give_descriptors_their_blocks(tmp_path: Path) -> None:
    source = HEAD + (
        "def give(args):\n    args['d'].block_shape = [args['BLOCK'], 16]\n"
        "def made(hook):\n    found = [triton.Config({'BLOCK': 64}, pre_hook=hook)]\n    return found\n\n"
        "@triton.autotune(made(give), ['n'])\n@triton.jit\n"
        "def add(d, y, n, BLOCK: tl.constexpr):\n    x = d.load([0, 0])\n    tl.store(y, x)\n"
    )
    assert "`x` block[BLOCK, 16]" in card(tmp_path, source)["Block tensors"]


@pytest.mark.parametrize(("parts", "told_so"), [((1,), True), ((1, 4), False)])
def test_a_split_that_has_one_part_whenever_it_is_tried_is_told_so(
    tmp_path: Path, parts: tuple[int, ...], told_so: bool
) -> None:
    kernel = (Path(__file__).parent / "fixtures" / "algorithms.py").read_text().split("\n\n")[2]
    assert "def splitk(" in kernel
    lists = f"[triton.Config({{'PARTS': parts}}) for parts in {parts}]"
    launch = (
        "def f(a, b, c, M, N, K):\n    grid = lambda m: (triton.cdiv(M, 64), triton.cdiv(N, 64), m['PARTS'])\n"
        "    splitk[grid](a, b, c, M, N, K, BM=64, BN=64, BK=32)\n"
    )
    path = written(tmp_path, f"{HEAD}@triton.autotune({lists}, ['K'])\n{kernel}\n\n{launch}")
    document = Analysis([tmp_path]).document("explain", Target(path, symbol="splitk"))
    told = next(block for block in document.blocks if isinstance(block, Paragraph))
    split = next(line.text for line in told.lines if line.text.startswith("split-K"))
    assert ("PARTS is 1 whenever it is launched, so that there is one part" in split) == told_so
