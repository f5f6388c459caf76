"""Pictures of code of which a part is not known: no line may end, or begin, where the source does not."""

from __future__ import annotations

from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.explain import document as d
from kernelscope.explain.render import to_text
from kernelscope.results import Target


def picture(tmp_path: Path, source: str, symbol: str) -> tuple[set[tuple[str, str]], str]:
    """The joined boxes by their first lines, and the whole text."""
    path = tmp_path / "model.py"
    path.write_text(source)
    found = Analysis([tmp_path]).document("dataflow", Target(path, None, symbol))
    joined: set[tuple[str, str]] = set()
    for block in found.blocks:
        if isinstance(block, d.Diagram):
            lines = {box.key: box.lines[0] for box in block.graph.boxes}
            joined |= {
                (lines[e.source], lines[e.target]) for e in block.graph.edges if {e.source, e.target} <= {*lines}
            }
    return joined, to_text(found).text


RECURRENT = """
from torch import nn
import torch.nn.functional as F
from fast_ops import scan


def combined(x, dt, lengths=None):
    out, _, states = scan(x, dt)
    if lengths is not None:
        return out, states
    return out


class Recurrent(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.proj = nn.Linear(dim, 2 * dim)

    def forward(self, x, lengths):
        z, dt = self.proj(x).chunk(2, -1)
        y = combined(z, dt, lengths=lengths)
        if hasattr(self, "cache"):
            y, states = y
            self.cache.states.copy_(states)
        y = y.view(z.shape)
        return y * F.silu(z)
"""


def test_what_is_a_tensor_or_a_tuple_stays_what_it_came_from(tmp_path: Path) -> None:
    joined, _ = picture(tmp_path, RECURRENT, "Recurrent")
    assert {("Linear", "combined"), ("Linear", "SiLU"), ("combined", "×"), ("SiLU", "×")} <= joined


def test_a_state_that_is_written_takes_what_is_written_and_gives_nothing(tmp_path: Path) -> None:
    joined, text = picture(tmp_path, RECURRENT, "Recurrent")
    assert ("combined", "cache.states.copy_") in joined
    assert not [pair for pair in joined if pair[0] == "cache.states.copy_"]
    assert '← if hasattr(self, "cache")' in text


DECODER = """
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, wide, dim):
        super().__init__()
        self.in_channels = wide
        self.proj = nn.Linear(wide, dim)

    def forward(self, x):
        return self.proj(x)


class Decoder(nn.Module):
    def __init__(self, dim, levels):
        super().__init__()
        self.parts = nn.ModuleDict()
        for i in range(levels):
            self.parts[f"{i}_block"] = Block(2 * dim, dim)
            self.parts[f"{i}_norm"] = nn.GroupNorm(8, dim)
            self.parts[f"{i}_out"] = nn.Linear(dim, dim)

    def forward(self, x, skips):
        first = torch.tanh(x)
        aux, tmp = None, None
        x = first
        for name, part in self.parts.items():
            if "norm" in name:
                tmp = part(x)
            elif "out" in name:
                tmp = part(torch.relu(tmp))
                aux = tmp if aux is None else tmp + aux
            else:
                if x.shape[1] != part.in_channels:
                    x = torch.cat([x, skips.pop()], dim=1)
                x = part(torch.sigmoid(x))
        return aux
"""


def test_what_one_kind_of_round_leaves_to_another_kind_is_a_line(tmp_path: Path) -> None:
    joined, text = picture(tmp_path, DECODER, "Decoder")
    assert {
        ("tanh", "part"),
        ("part", "ReLU"),
        ("tanh", "concat"),
        ("concat", "sigmoid"),
        ("sigmoid", "part"),
    } <= joined
    assert "aux of the last round" in text
    assert "source that is lost" not in text


QUANTISER = """
import torch
from torch import nn


class Level(nn.Module):
    def __init__(self, dim, size):
        super().__init__()
        self.book = nn.Parameter(torch.randn(size, dim))

    def forward(self, x):
        index = torch.cdist(x, self.book).argmin(-1)
        return torch.tanh(x) * self.book[index], index


class Quantiser(nn.Module):
    def __init__(self, dim, size, levels):
        super().__init__()
        self.levels = nn.ModuleList()
        for _ in range(levels):
            self.levels.append(Level(dim, size))

    def forward(self, x):
        total, residual = 0.0, torch.relu(x)
        for level in self.levels:
            part, _ = level(residual)
            residual = residual - part
            total = total + part
        return total
"""


def test_what_a_round_leaves_to_many_of_the_next_is_a_note(tmp_path: Path) -> None:
    joined, text = picture(tmp_path, QUANTISER, "Quantiser")
    assert "← residual for the next" in text and "← total of the last" in text
    assert not [pair for pair in joined if pair[0] == "−"]
    assert "for level in levels (×levels)" in text, "one is appended in each round"


COUNTED = """
from torch import nn


class Stacks(nn.Module):
    def __init__(self, dim, depth, flag):
        super().__init__()
        self.plain, self.some, self.pairs = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        self.cut, self.longer = nn.ModuleList(), nn.ModuleList([nn.Linear(dim, dim)])
        for i in range(depth):
            self.plain.append(nn.Linear(dim, dim))
            self.pairs.append(nn.Linear(dim, dim))
            self.pairs.append(nn.Linear(dim, dim))
            self.longer.append(nn.Linear(dim, dim))
            if i % 2 == 0:
                self.some.append(nn.Linear(dim, dim))
        for i in range(depth):
            if flag:
                break
            self.cut.append(nn.Linear(dim, dim))

    def forward(self, x):
        for l in self.plain:
            x = l(x)
        for l in self.some:
            x = l(x)
        for l in self.pairs:
            x = l(x)
        for l in self.cut:
            x = l(x)
        for l in self.longer:
            x = l(x)
        return x
"""


def test_layers_that_a_loop_appends_are_counted_where_each_round_appends_one(tmp_path: Path) -> None:
    _, text = picture(tmp_path, COUNTED, "Stacks")
    assert "for l in plain (×depth)" in text and "for l in longer (×depth+1)" in text
    assert not [name for name in ("some", "pairs", "cut") if f"for l in {name} (×" in text]


ENCODER = """
from torch import nn
import torch.nn.functional as F


class Layer(nn.TransformerDecoderLayer):
    def forward(self, x, memory):
        x = x + self._sa_block(self.norm1(x), None, None)
        x = x + self._mha_block(self.norm2(x), memory, None, None)
        return x + self._ff_block(self.norm3(x))


class Stack(nn.Module):
    def __init__(self, dim, gelu=True):
        super().__init__()
        self.layer = Layer(dim, 8, 4 * dim, activation=F.gelu if gelu else F.relu, batch_first=True)

    def forward(self, x, memory):
        return self.layer(x, memory)
"""


def test_blocks_of_torchs_own_layers_are_drawn(tmp_path: Path) -> None:
    joined, text = picture(tmp_path, ENCODER, "Stack")
    assert {("LayerNorm", "Linear"), ("Linear", "GELU"), ("GELU", "Linear"), ("Linear", "+ residual")} <= joined
    assert ("memory", "MultiheadAttention") in joined and "[4*dim, dim]" in text
    assert "source that is lost" not in text


CHECKPOINTED = """
import torch
from torch import nn


class Kept(torch.autograd.Function):
    @staticmethod
    def forward(ctx, function, length, *args):
        ctx.function = function
        ctx.inputs = list(args[:length])
        ctx.params = list(args[length:])
        with torch.no_grad():
            return ctx.function(*ctx.inputs)


def checkpoint(function, inputs, params, flag):
    if flag:
        args = tuple(inputs) + tuple(params)
        return Kept.apply(function, len(inputs), *args)
    return function(*inputs)


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.chain = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, 3 * dim))

    def forward(self, x, emb):
        return checkpoint(self._forward, (x, emb), self.parameters(), True)

    def _forward(self, x, emb):
        return self.chain(x + emb)


class Net(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.block = Block(dim)
        self.blocks = nn.ModuleList([Block(dim) for _ in range(40)])

    def forward(self, x, emb):
        h = self.block(torch.relu(x), torch.tanh(emb))
        return torch.sigmoid(h)
"""


def test_what_is_run_again_for_gradients_is_followed(tmp_path: Path) -> None:
    joined, text = picture(tmp_path, CHECKPOINTED, "Net")
    assert "function" not in text.lower().replace("functional", "")
    assert {("ReLU", "Block"), ("Block", "sigmoid")} <= joined and "Linear: [3*dim, dim]" in text


MIXED = """
from torch import nn


class Scaled(nn.Module):
    def __init__(self, dim, wide):
        super().__init__()
        self.scale = nn.Linear(wide, dim)

    def forward(self, x, style):
        return x * self.scale(style)


class Mixed(nn.Module):
    def __init__(self, dim, wide, depth):
        super().__init__()
        self.parts = nn.ModuleList()
        for _ in range(depth):
            self.parts.append(nn.LSTM(dim, dim, batch_first=True))
            self.parts.append(Scaled(dim, wide))

    def forward(self, x, style):
        for part in self.parts:
            if isinstance(part, Scaled):
                x = part(x, style)
            else:
                x, _ = part(x)
        return x
"""


def test_layers_of_a_list_are_told_apart_by_the_class_that_is_asked_for(tmp_path: Path) -> None:
    joined, text = picture(tmp_path, MIXED, "Mixed")
    assert "not followed" not in text.lower()
    assert "LSTM or" not in text and "[dim, wide]" in text
    assert any(target == "LSTM" for _, target in joined)


SHARDED = """
import flax.linen as nn
import jax
from jax.experimental.pjit import with_sharding_constraint as constrained


def sharded(x, spec):
    if spec is not None:
        x = constrained(x, spec)
    return x


class Tokens(nn.Module):
    words: int
    dim: int

    def setup(self):
        self.table = nn.Embed(self.words, self.dim)

    def __call__(self, ids, spec):
        return jax.nn.relu(sharded(self.table(ids), spec))
"""


def test_how_an_array_is_sharded_is_no_step_and_an_only_weight_is_told(tmp_path: Path) -> None:
    joined, text = picture(tmp_path, SHARDED, "Tokens")
    assert ("Embed", "ReLU") in joined
    assert "← embedding: [W, dim]" in text


ARRANGED = """
import torch
from torch import nn
from torch.nn import functional as F
from elsewhere import Quantizer


class Squeezes(nn.Module):
    def forward(self, x):
        N, C, H, W = x.size()
        x = x.view(N, C, H // 4, 4, W // 4, 4).permute(0, 3, 5, 1, 2, 4)
        return x.reshape(N, C * 16, H // 4, W // 4)


class Turns(nn.Module):
    def __init__(self, turned):
        super().__init__()
        self.turned, self.quantizer = turned, Quantizer()

    def forward(self, x: torch.Tensor):
        if self.turned:
            x.transpose_(1, 2)
        _, places = self.quantizer(x)
        return places.permute(1, 2, 0, 3)


class Judges(nn.Module):
    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, keys, **kwargs):
        carry, outputs = self.model(**kwargs)
        loss = F.cross_entropy(outputs["logits"], carry.labels)
        return loss + F.relu(outputs["gate"]).sum()
"""


def test_what_only_arranges_its_input_is_drawn_as_that(tmp_path: Path) -> None:
    joined, text = picture(tmp_path, ARRANGED, "Squeezes")
    assert {("x", "view"), ("view", "permute"), ("permute", "reshape"), ("reshape", "output")} <= joined
    assert "[N, 16*C, H//4, W//4]" in text


def test_a_tensor_that_is_turned_where_it_lies_is_not_lost(tmp_path: Path) -> None:
    joined, _ = picture(tmp_path, ARRANGED, "Turns")
    assert joined == {("x", "quantizer"), ("quantizer", "output")}


def test_what_a_model_gives_that_is_handed_all_arguments_is_drawn_on(tmp_path: Path) -> None:
    joined, _ = picture(tmp_path, ARRANGED, "Judges")
    assert {("model", "cross_entropy"), ("model", "ReLU")} <= joined


BOOKS = """
import torch
from torch import nn


class Books(nn.Module):
    def __init__(self, books, words, width):
        super().__init__()
        self.tables = nn.ModuleList([nn.Embedding(words, width) for _ in range(books)])
        self.query = nn.Linear(width, width)

    def forward(self, codes, scaling):
        b, t, n = codes.size()
        parts = [table(codes[:, :, i]).unsqueeze(-1) for i, table in enumerate(self.tables)]
        query = self.query(torch.cat(parts, dim=-1).sum(-1))
        query *= scaling
        return query.softmax(-1)
"""


def test_what_a_comprehension_does_for_each_is_drawn_as_often(tmp_path: Path) -> None:
    _, text = picture(tmp_path, BOOKS, "Books")
    assert "for table in tables (×" in text
    table = to_text(Analysis([tmp_path]).document("ops", Target(tmp_path / "model.py", None, "Books"))).text
    rows = [[cell.strip() for cell in line.split("│")] for line in table.splitlines()]
    assert [row[3:6] for row in rows if len(row) > 5 and row[2] == "Embedding table"][-1] == ["Bo", "0", "4*b*t*Wi"]
    assert [row[5] for row in rows if len(row) > 5 and row[2] == "concat"][-1] == "4*b*t*Wi*Bo"


def test_what_a_statement_multiplies_by_is_named_without_its_sign(tmp_path: Path) -> None:
    _, text = picture(tmp_path, BOOKS, "Books")
    assert "│ × scaling │" in text


LIFTED = """
import flax.linen as nn
from jaxtyping import Array, Float


class Sized(nn.Module):
    heads: int
    size: int
    wide: int

    @nn.compact
    def __call__(self, image: Float[Array, "B H W C"]):
        x = nn.Conv(features=self.wide, kernel_size=(3, 3), use_bias=False)(image)
        x = nn.relu(x)
        x = nn.DenseGeneral(features=(self.heads, self.size))(x)
        x = nn.relu(x)
        x = nn.DenseGeneral(features=self.wide, axis=(-2, -1))(x)
        x = nn.relu(x)
        return nn.Dense(features=self.heads)(x)
"""


def test_layers_that_are_sized_by_their_first_call_show_their_weights(tmp_path: Path) -> None:
    _, text = picture(tmp_path, LIFTED, "Sized")
    shown = ("← weight: [3, 3, C, wide]", "[wide, He, size]", "[He, size, wide]", "← [wide, He]")
    assert [weight for weight in shown if weight not in text] == []
