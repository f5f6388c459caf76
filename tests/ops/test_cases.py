"""The operator table against torch and JAX: every recorded call gives the same result, with numbers and with names.

Coverage is enforced: each entry has a recorded call that succeeds, and one that fails if it can fail.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import cast

import pytest
from kernelscope.dims import Dim, dim
from kernelscope.ops import ShapeError, all_ops
from kernelscope.tensor import Several, Shape, Tensor, Unknown
from opcalls import Case, evaluate, read_cases, told

RECORDED = list(read_cases())
GOOD = [case for case in RECORDED if case.result != "error"]
BAD = [case for case in RECORDED if case.result == "error"]
NOT_RECORDED = {
    "flash_attn_func": "needs a GPU",
    "flash_attn_varlen_func": "needs a GPU",
    "flash_attn_qkvpacked_func": "needs a GPU",
    "flash_attn_with_kvcache": "needs a GPU",
    "layer_norm_fn": "needs a GPU",
    "unpad_input": "needs a GPU",
    "pad_input": "needs a GPU",
    "apply_rotary_emb": "needs a GPU",
    "causal_conv1d_fn": "needs a GPU",
    "causal_conv1d_update": "needs a GPU",
    "npu_rms_norm": "needs an NPU",
    "cuda": "needs a GPU",
    "xpu": "needs a GPU",
    "pin_memory": "needs a GPU",
    "get_device": "needs a GPU",
    "all_reduce": "needs several processes",
    "functional_all_reduce": "needs several processes",
    "all_gather_tensor": "needs several processes",
    "reduce_scatter_tensor": "needs several processes",
    "get_world_size": "needs several processes",
    "get_rank": "needs several processes",
    "get_model_parallel_world_size": "needs several processes",
    "fairscale.nn.model_parallel.layers.ColumnParallelLinear": "needs several processes",
    "fairscale.nn.model_parallel.layers.RowParallelLinear": "needs several processes",
    "fairscale.nn.model_parallel.layers.ParallelEmbedding": "needs several processes",
    "fairscale.nn.model_parallel.layers.VocabParallelEmbedding": "needs several processes",
    "nn.SyncBatchNorm": "needs a GPU",
    "_scaled_mm": "needs a GPU",
    "lax.psum": "needs several devices",
    "lax.axis_index": "needs several devices",
    "jr.key": "its dtype is JAX's own",
}
"""Entries that torch or JAX on one CPU cannot be asked about."""


MIDDLE = {
    "...": r"(?:\d+(?:, \d+)*)?",
    "..., ": r"(?:\d+, )*",
    ", ...": r"(?:, \d+)*",
    ", ..., ": r"(?:, \d+)*, ",
}
"""What `...` stands for between, before and behind commas."""


def matches(found: str, recorded: str) -> bool:
    """Whether a result says nothing that the recorded one contradicts.

    `?` is any size between square brackets and anything elsewhere; `...` any sizes; `x …` a tuple of one or more `x`.
    """
    pattern, depth = "", 0
    for token in re.findall(r"(?:, )?\.\.\.(?:, )?|.", found.removesuffix(" …")):
        depth += (token == "[") - (token == "]")
        if token == "?":
            pattern += r"\d+" if depth else ".*"
        else:
            pattern += MIDDLE.get(token) or re.escape(str(token))
    if found.endswith(" …"):
        pattern = rf"\((?:{pattern}, )*.*\)"
    return re.fullmatch(pattern, recorded) is not None


TRUSTED = {
    "torch.chunk(f32(10, 3), 3)": "a name is taken to be divisible",
    "torch.chunk(f32(2, 5), 4, 1)": "a name is taken to be divisible",
    "at(f32(4, 5, 6))[100:]": "a name is taken to be at least 100",
}
"""Calls whose names are taken to be what the code needs."""


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.id)
def test_numbers_agree_with_torch(case: Case) -> None:
    found = told(evaluate(case.call, set()))
    assert matches(found, case.result), f"{case.call}: {found}, torch says {case.result}"


def named(sizes: tuple[int, ...]) -> Shape:
    """A name for each size, the same one for the same number."""
    return Shape.of(*(f"n{size}" if size > 1 else size for size in sizes))


LOST = Unknown("a test")
FORGETTING: dict[str, Callable[[tuple[int, ...]], Shape]] = {
    "sizes": lambda sizes: Shape((LOST,) * len(sizes)),
    "every other size": lambda sizes: Shape.of(*(LOST if i % 2 else size for i, size in enumerate(sizes))),
    "the rank": lambda sizes: Shape.unknown("a test"),
    "all but the last size": lambda sizes: Shape((), tuple(map(dim, sizes[-1:]))),
    "all but the first size": lambda sizes: Shape(tuple(map(dim, sizes[:1])), ()),
    "the middle": lambda sizes: Shape(
        tuple(map(dim, sizes[: len(sizes) // 2])), tuple(map(dim, sizes[len(sizes) // 2 :]))
    ),
}
"""What may be unknown of the operands."""


def numbered(value: object) -> object:
    """A result with the numbers put back."""
    if isinstance(value, Dim):
        return value.subs({name: int(name[1:]) for name in value.names() if name[1:].isdigit()})
    if isinstance(value, Several):
        return replace(value, element=cast(Tensor, numbered(value.element)))
    if isinstance(value, Tensor):
        return value.with_shape(value.shape.subs({name: int(name[1:]) for name in value.shape.names()}))
    if isinstance(value, (tuple, list)):
        return tuple(numbered(v) for v in tuple[object, ...](value))
    if isinstance(value, dict):
        return {k: numbered(v) for k, v in dict[str, object](value).items()}
    return value


@pytest.mark.parametrize("case", [c for c in GOOD if c.call not in TRUSTED], ids=lambda case: case.id)
def test_names_agree_with_numbers(case: Case) -> None:
    found = told(numbered(evaluate(case.call, set(), named)))
    assert matches(found, case.result), f"{case.call}: {found}, torch says {case.result}"


@pytest.mark.parametrize("forget", FORGETTING.values(), ids=FORGETTING)
def test_less_knowledge_gives_less_but_nothing_wrong(forget: Callable[[tuple[int, ...]], Shape]) -> None:
    wrong: list[str] = []
    for case in GOOD:
        if case.call in TRUSTED:
            continue
        try:
            found = told(evaluate(case.call, set(), forget))
        except ShapeError as error:
            found = str(error)
        if not matches(found, case.result):
            wrong.append(f"{case.call}: {found}, torch says {case.result}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.id)
def test_contradictions_are_found(case: Case) -> None:
    with pytest.raises(ShapeError):
        pytest.fail(f"{case.call} gave {told(evaluate(case.call, set()))}")


@cache
def _used(good: bool) -> frozenset[str]:
    used: set[str] = set()
    for case in GOOD if good else BAD:
        try:
            evaluate(case.call, used)
        except ShapeError:
            continue
    return frozenset(used)


def test_every_entry_has_a_recorded_call() -> None:
    missing = [op.name for op in all_ops() if op.name not in _used(True) and op.name not in NOT_RECORDED]
    assert not missing, " ".join(missing)


def test_every_entry_that_can_fail_has_a_recorded_failure() -> None:
    """`unchecked.txt` lists the entries that have nothing to check; a new entry fails here until it is sorted in."""
    missing = {op.name for op in all_ops() if op.name not in _used(False) and op.name not in NOT_RECORDED}
    listed = set((Path(__file__).parent / "unchecked.txt").read_text(encoding="utf-8").split("\n\n", 1)[1].split())
    assert missing == listed
