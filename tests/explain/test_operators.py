"""Operator tables: rows with their costs, and totals that agree with what is published of such models."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain import document as d
from kernelscope.explain.render import to_text
from kernelscope.results import Target, ViewOptions

FIXTURES = Path(__file__).parent / "fixtures"
UNITS = {"": 1, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
LLAMA_8B = {
    "hidden_size": 4096, "num_heads": 32, "num_kv_heads": 8, "head_dim": 128, "ffn_size": 14336, "vocab_size": 128256,
    "num_layers": 32,
}  # fmt: skip
PUBLISHED_8B = 8_030_261_248
"""Parameters of Llama 3 8B as its card and its checkpoint have them."""


class Found:
    """What a document of operators says: its two tables as columns of texts, and its totals."""

    def __init__(self, document: d.Document) -> None:
        self.document = document
        tables = [block for block in document.blocks if isinstance(block, d.Table)]
        self.columns = {
            title: [row[at].text for row in table.rows] for table in tables for at, title in enumerate(table.columns)
        }
        card = next(block for block in document.blocks if isinstance(block, d.Card))
        self.totals = {row.name: row.lines[0].text for row in card.rows}

    def of(self, operator: str, column: str) -> str:
        return self.columns[column][self.columns["Operator"].index(operator)]


def operators_in(path: Path, symbol: str, **bindings: int) -> Found:
    options = ViewOptions(bindings=bindings)
    return Found(Analysis([path.parent]).document("ops", Target(path, None, symbol), options))


def operators(symbol: str, **bindings: int) -> Found:
    return operators_in(FIXTURES / "decoder.py", symbol, **bindings)


def number(text: str) -> float:
    """The first amount of a text: `8.03 G · …` is 8.03e9."""
    value, _, rest = text.partition(" ")
    return float(value) * UNITS[rest.split(" ")[0].rstrip(",") if rest.split(" ")[0].rstrip(",") in UNITS else ""]


def test_parameters_and_work_agree_with_published_figures() -> None:
    tokens = 512
    totals = operators("Decoder", **LLAMA_8B, B=1, S=tokens).totals
    assert number(totals["Parameters"]) == pytest.approx(PUBLISHED_8B, rel=0.005)
    weights = PUBLISHED_8B - LLAMA_8B["vocab_size"] * LLAMA_8B["hidden_size"]  # the embedding is looked up
    attention = 4 * 32 * tokens * tokens * LLAMA_8B["hidden_size"]  # scores and values of every layer
    assert number(totals["FLOPs"]) == pytest.approx(2 * weights * tokens + attention, rel=0.005)


def test_a_token_in_the_cache() -> None:
    totals = operators("Layer", **LLAMA_8B).totals
    assert totals["KV cache"] == "4 KiB per token"  # 2 tensors of 8 heads of 128, 2 bytes each


def test_rows_name_what_they_depend_on() -> None:
    columns = operators("Gated").columns
    assert columns["Operator"] == ["Linear gate", "SiLU", "Linear up", "×", "Linear down"]
    assert columns["After"] == ["input", "1", "input", "2, 3", "4"]


def test_columns_that_say_nothing_are_left_away() -> None:
    found = operators("Gated")
    assert not {"Kernel", "Times", "FLOP/B"} & found.columns.keys()
    assert found.of("Linear gate", "Weights") == "[F, H]"
    assert "FLOP/B" in operators("Gated", **LLAMA_8B, B=1, S=512).columns


def test_formulas_where_nothing_is_bound() -> None:
    found = operators("Layer")
    assert found.of("Linear gate", "FLOPs") == "2*B*S*H*F"
    assert found.totals["Parameters"].startswith("2*NH*HD*H + 2*KH*HD*H + 3*H*F + 2*H ")


def test_of_a_table_only_the_rows_are_read_that_are_looked_up() -> None:
    found = operators("Decoder", **LLAMA_8B, B=1, S=512)
    assert found.of("Embedding embed", "Bytes") == "8.004 MiB"  # 512 indices of 8 bytes, 4096 numbers read and written


def test_a_formula_of_many_terms_is_cut(tmp_path: Path) -> None:
    path, names = tmp_path / "many.py", "abcdefghijkl"
    lines = [f"    {n}0, {n}1 = {n}.shape\n    total += {n}.relu().sum()\n" for n in names]
    path.write_text(f"def many({', '.join(names)}):\n    total = 0\n{''.join(lines)}    return total\n")
    assert operators_in(path, "many").totals["FLOPs"].endswith(" more terms")


def test_what_is_not_counted_is_said(tmp_path: Path) -> None:
    path = tmp_path / "encoder.py"
    path.write_text(
        "from torch import nn\n"
        "class Encoder(nn.Module):\n"
        "    def __init__(self, width: int, heads: int, first: bool):\n"
        "        super().__init__()\n"
        "        self.attention, self.norm = nn.MultiheadAttention(width, heads), nn.LayerNorm(width)\n"
        "        self.first = first\n"
        "    def forward(self, x):\n"
        "        length, batch, width = x.shape\n"
        "        if self.first:\n"
        "            x = self.norm(x)\n"
        "        return x + self.attention(x, x, x)[0]\n"
    )
    found = operators_in(path, "Encoder")
    assert found.of("MultiheadAttention attention", "FLOPs") == "?"
    assert found.totals["FLOPs"].endswith("1 operator whose work is not known")
    assert (
        "1 operator runs only under a condition, which the dataflow names; the totals count all of them"
        in found.document.notes
    )


TIED = """
from dataclasses import dataclass
from torch import nn

@dataclass
class Settings:
    width: int = 8
    words: int = 100
    tie_word_embeddings: bool = True

class Base(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config

class Speaker(Base):
    _tied_weights_keys = {"head.weight": "body.words.weight"}

    def __init__(self, config):
        super().__init__(config)
        self.body = nn.ModuleDict({"words": nn.Embedding(config.words, config.width)})
        self.head = nn.Linear(config.width, config.words, bias=False)

    def forward(self, tokens):
        return self.head(self.body["words"](tokens))
"""


@pytest.mark.parametrize(("tied", "count"), [(True, "40"), (False, "80")])
def test_a_weight_that_is_declared_to_be_another_is_counted_once(tmp_path: Path, tied: bool, count: str) -> None:
    path = tmp_path / "speaker.py"
    path.write_text(TIED)
    options = ViewOptions(config={"width": 4, "words": 10, "tie_word_embeddings": tied})
    document = Analysis([tmp_path]).document("ops", Target(path, None, "Speaker"), options)
    card = next(block for block in document.blocks if isinstance(block, d.Card))
    assert next(r for r in card.rows if r.name == "Parameters").lines[0].text.split()[0] == count


TWO_WAYS = """
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self, is_fast):
        super().__init__()
        self.is_fast, self.fast, self.slow, self.last = is_fast, nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor):
        B, D = x.shape
        y = self.fast(x) if self.is_fast else self.slow(x)
        return self.last(y)
"""


def test_of_ways_that_exclude_each_other_totals_count_one(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(TWO_WAYS)
    found = operators_in(tmp_path / "model.py", "Block", B=4)
    assert found.columns["Operator"][:3] == ["Linear fast", "Linear slow", "Linear last"]
    one = number(found.of("Linear last", "FLOPs"))
    assert number(found.totals["FLOPs"]) == 2 * one
    assert any("the totals count the first of ways that exclude each other" in note for note in found.document.notes)


CHOOSING = """
import torch
from torch import nn

class Settings:
    def __init__(self, width=8, words=100, crossed=False):
        self.width, self.words, self.crossed = width, words, crossed

class Speaker(nn.Module):
    def __init__(self, config: Settings):
        super().__init__()
        if config.crossed:
            self.cross = nn.Linear(config.width, config.width)
        self.words = nn.Embedding(config.words, config.width)
        self.head = nn.Linear(config.width, config.words, bias=False)

    def forward(self, input_ids, other: torch.Tensor | None = None, last: int = 0):
        x = self.words(input_ids)
        if other is not None:
            if not hasattr(self, "cross"):
                raise ValueError("no layer for it")
            x = x + self.cross(other).mean()
        x = x[:, -last:, :]
        kept = x[x.sum(-1) > 0]
        return self.head(x).softmax(-1), self.head(kept)
"""


@pytest.fixture
def speaker(tmp_path: Path) -> Path:
    path = tmp_path / "speaker.py"
    path.write_text(CHOOSING)
    return path


def test_numbers_have_their_defaults_where_sizes_are_given(speaker: Path) -> None:
    found = operators_in(speaker, "Speaker", width=8, words=100)
    assert found.of("Linear head", "Takes") == "[B, S, 8]", "the last 0 are all"
    assert operators_in(speaker, "Speaker", last=4).of("Linear head", "Takes") == "[B, min(S, 4), Wi]"


def test_letters_of_the_legend_can_be_bound(speaker: Path) -> None:
    free = operators_in(speaker, "Speaker", width=8, words=100, B=1, S=4)
    assert "FLOPs are a number once k0 is bound, too" in free.document.notes
    found = operators_in(speaker, "Speaker", width=8, words=100, B=1, S=4, k0=3)
    assert number(found.totals["in products"]) == 2 * 8 * 100 * (4 + 3)
    assert not any("bound, too" in note for note in found.document.notes)


def test_what_a_configuration_leaves_out_is_not_counted(speaker: Path) -> None:
    options = ViewOptions(bindings={"width": 8}, config={"width": 8})
    found = Found(Analysis([speaker.parent]).document("ops", Target(speaker, None, "Speaker"), options))
    assert not any("cross" in operator for operator in found.columns["Operator"])
    assert any("cross" in operator for operator in operators_in(speaker, "Speaker").columns["Operator"])


def test_a_weight_that_may_not_be_there_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text(
        "import torch\n"
        "from torch import nn\n"
        "class Scaled(nn.Module):\n"
        "    def __init__(self, dim, start=1e-6, shift=True):\n"
        "        super().__init__()\n"
        "        self.proj = nn.Linear(dim, dim, bias=False)\n"
        "        self.gamma = nn.Parameter(start * torch.ones(dim)) if start > 0 else None\n"
        "        self.beta: nn.Parameter | None = nn.Parameter(torch.zeros(dim)) if shift else None\n"
        "    def forward(self, x):\n"
        "        x = self.proj(x)\n"
        "        if self.gamma is not None:\n"
        "            x = self.gamma * x\n"
        "        return x\n"
    )
    assert operators_in(path, "Scaled").totals["Parameters"].startswith("dim*dim + 2*dim")


def test_weights_that_are_bound_at_once_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text(
        "import torch\n"
        "from torch import nn\n"
        "class Turned(nn.Module):\n"
        "    def __init__(self, dim):\n"
        "        super().__init__()\n"
        "        self.real, self.imaginary = nn.Parameter(torch.ones(dim)), nn.Parameter(torch.ones(dim))\n"
        "        self.wq, self.wk = (nn.Parameter(torch.ones(dim, dim)) for _ in range(2))\n"
        "    def forward(self, x):\n"
        "        return (x @ self.wq) * self.real + (x @ self.wk) * self.imaginary\n"
    )
    assert operators_in(path, "Turned").totals["Parameters"].startswith("2*dim*dim + 2*dim ")


EITHER = """
from torch import nn


class Gated(nn.Module):
    def __init__(self, d, f):
        super().__init__()
        self.up, self.gate, self.down = nn.Linear(d, f), nn.Linear(d, f), nn.Linear(f, d)

    def forward(self, x):
        return self.down(self.up(x) * self.gate(x))


class Plain(nn.Module):
    def __init__(self, d, f):
        super().__init__()
        self.up, self.down = nn.Linear(d, f), nn.Linear(f, d)

    def forward(self, x):
        return self.down(self.up(x))


class Layer(nn.Module):
    def __init__(self, config, d, f):
        super().__init__()
        self.mix = Gated(d, f) if config.gated else Plain(d, f)
        self.act = nn.GELU() if config.smooth else nn.SiLU()

    def forward(self, x):
        return x + self.act(self.mix(x))
"""


@pytest.mark.parametrize(("name", "is_open"), [("Layer", True), ("Plain", False)])
def test_weights_of_one_of_several_layers_are_said_to_be_that(tmp_path: Path, name: str, is_open: bool) -> None:
    (tmp_path / "m.py").write_text(EITHER)
    document = Analysis([tmp_path]).document("ops", Target(tmp_path / "m.py", None, name))
    text = to_text(document).text
    assert ("with the first of several layers that mix may be" in " ".join(text.split())) is is_open
    assert "that act may be" not in text, "activations have no weights"


HIDDEN = """
import torch
from torch import nn
from torch.nn import functional as F
from flash import attend


class Attention(nn.Module):
    def __init__(self, size, backend):
        super().__init__()
        self.q, self.backend = nn.Linear(size, size), backend

    def forward(self, x: torch.Tensor):
        q = self.q(x)
        q = torch.ops.mine.turn(q)
        q = torch.ops.aten.relu(q)
        q = attend(q, x)
        return self.backend.finish(q)
"""


def test_what_calls_run_that_nothing_is_known_of_is_no_kernel_of_a_library(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text(HIDDEN)
    table = operators_in(path, "Attention")
    told = dict(zip(table.columns["Operator"], table.columns["Kernel"], strict=True))
    kernels = {
        next((w for w in ("turn", "attend", "finish", "Linear") if w in name), name): k for name, k in told.items()
    }
    assert {name: kernels[name] for name in ("Linear", "attend")} == {"Linear": "library", "attend": "library"}
    assert {name: kernels[name] for name in ("turn", "finish")} == {"turn": "?", "finish": "?"}
