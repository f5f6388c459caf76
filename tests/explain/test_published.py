"""Counting agrees with published figures of three families of models, from their configurations alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain import document as d
from kernelscope.results import Configured, Target, ViewOptions

PATH = Path(__file__).parents[1] / "workspaces" / "models" / "dense_and_sparse.py"
UNITS = {"K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "KiB": 2**10, "MiB": 2**20}
DENSE_8B = {"vocab_size": 128256, "hidden_size": 4096, "ffn_size": 14336, "num_layers": 32, "num_heads": 32,
            "num_kv_heads": 8}  # fmt: skip
SPARSE_8X7B = {**DENSE_8B, "vocab_size": 32000, "num_experts": 8, "chosen": 2}
STAGED = {**SPARSE_8X7B, "num_layers": 61, "first_dense": 3}
PLAIN_124M = {"vocab": 50257, "width": 768, "depth": 12, "heads": 12, "context": 1024}
TOKENS = 512
PARAMETERS = {"Dense": 8_030_261_248, "Sparse": 46_702_792_704, "Plain": 124_439_808}
"""As the cards and checkpoints of Llama 3 8B, Mixtral 8x7B and GPT-2 have them."""
ACTIVE = {
    "Dense": PARAMETERS["Dense"] - 128256 * 4096,
    "Sparse": PARAMETERS["Sparse"] - 32000 * 4096 - 32 * 6 * 3 * 4096 * 14336,
    "Plain": PARAMETERS["Plain"] - 1024 * 768,
}
"""Weights that each token is multiplied by: without the embeddings that are looked up and the experts not chosen."""
SCORES = {"Dense": 4 * 32 * TOKENS**2 * 4096, "Sparse": 4 * 32 * TOKENS**2 * 4096, "Plain": 4 * 12 * TOKENS**2 * 768}
CASES = (
    ("Dense", DENSE_8B, {}),
    ("Sparse", SPARSE_8X7B, {"row_dim0": TOKENS * 2 // 8, "slot_dim0": TOKENS * 2 // 8}),
    ("Plain", PLAIN_124M, {}),
)


def totals(symbol: str, config: dict[str, int], **bindings: int) -> dict[str, str]:
    given: dict[str, Configured] = {**config}
    options = ViewOptions(bindings={**config, **bindings}, config=given)
    document = Analysis([PATH.parent]).document("ops", Target(PATH, None, symbol), options)
    card = next(block for block in document.blocks if isinstance(block, d.Card))
    return {row.name: row.lines[0].text for row in card.rows}


def number(text: str) -> float:
    value, unit, *_ = text.replace(",", " ").split(" ")
    return float(value) * UNITS[unit]


@pytest.mark.parametrize(("model", "config", "rows"), CASES, ids=[case[0] for case in CASES])
def test_parameters_and_work(model: str, config: dict[str, int], rows: dict[str, int]) -> None:
    found = totals(model, config, B=1, S=TOKENS, **rows)
    assert number(found["Parameters"]) == pytest.approx(PARAMETERS[model], rel=0.005)
    assert "without" not in found["FLOPs"]
    assert number(found["FLOPs"]) == pytest.approx(2 * ACTIVE[model] * TOKENS + SCORES[model], rel=0.005)


def test_layers_of_two_kinds_in_turn_are_counted_as_many_as_there_are_of_each() -> None:
    """As of DeepSeek V3, whose first three layers of 61 are dense: taken to be all alike it had 704 G for 671 G."""
    found = totals("Staged", STAGED, B=1, S=TOKENS)
    expert, router = 3 * 4096 * 14336, 8 * 4096
    around = 2 * 4096 + 2 * 4096 * 4096 + 2 * 1024 * 4096
    ends = 2 * 32000 * 4096 + 4096
    expected = ends + 61 * around + 3 * expert + 58 * (8 * expert + router)
    assert number(found["Parameters"]) == pytest.approx(expected, rel=0.0005)


@pytest.mark.parametrize("config", [DENSE_8B, SPARSE_8X7B], ids=["Dense", "Sparse"])
def test_a_token_in_the_cache_of_one_layer(config: dict[str, int]) -> None:
    assert totals("GroupedAttention", config)["KV cache"] == "4 KiB per token"  # 2 tensors, 8 heads of 128, 2 bytes
    bound = totals("GroupedAttention", config, B=2, S=TOKENS)
    assert bound["KV cache"] == "4 KiB per token", "also where it is known how many tokens there are"
