"""What becomes a box of a dataflow picture and what does not, on small modules written for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.diagrams.model import Box, Graph
from kernelscope.explain import document as d
from kernelscope.explain.render import to_text
from kernelscope.interp import traced_runs
from kernelscope.results import Target, ViewOptions

HEAD = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n\n"


def graph_of(folder: Path, source: str, symbol: str, options: ViewOptions | None = None) -> Graph:
    (folder / "model.py").write_text(HEAD + source)
    document = Analysis([folder]).document("dataflow", Target(folder / "model.py", None, symbol), options)
    return next(block.graph for block in document.blocks if isinstance(block, d.Diagram))


def box(graph: Graph, *lines: str) -> Box:
    """The box with these lines; there is one only."""
    (found,) = (b for b in graph.boxes if b.lines == lines)
    return found


CLAMPED = """
class Block(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.up = nn.Linear(size, size)

    def forward(self, x: torch.Tensor):
        x = x + self.up(x)
        if x.dtype == torch.float16:
            bound = torch.where(torch.isinf(x).any(), 6e4, 6.5e4)
            x = torch.clamp(x, min=-bound, max=bound)
        return x

class Check(nn.Module):
    def forward(self, x: torch.Tensor):
        return torch.isinf(x).any()
"""


def test_what_only_asks_of_the_data_is_a_note(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, CLAMPED, "Block")
    assert [b.lines for b in graph.boxes if not b.kind.endswith("put")] == [
        ("Linear", "up"),
        ("+ residual",),
        ("clamp",),
    ]
    assert box(graph, "clamp").notes == ("if x.dtype == torch.float16", "-bound: []", "bound: []")
    assert [b.lines for b in graph_of(tmp_path, CLAMPED, "Check").boxes][-2:] == [("any",), ("output",)]


NORMED = """
class Block(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.norm = nn.LayerNorm(size, elementwise_affine=False)
        self.mix = nn.Linear(size, 3 * size)

    def forward(self, states: torch.Tensor, context: torch.Tensor, emb: torch.Tensor):
        scale, shift, gate = self.mix(emb).chunk(3, dim=1)
        context = self.norm(context) * (1 + scale[:, None]) + shift[:, None]
        return states + gate[:, None] * context
"""


def test_what_is_normalised_is_data_without_weights_too(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, NORMED, "Block")
    assert {b.lines for b in graph.boxes if b.kind == "input"} == {("states",), ("context",), ("emb",)}


ADDED_IN_PLACE = """
class Scores(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.q, self.k = nn.Linear(size, size), nn.Linear(size, size)
        self.register_buffer("held", torch.zeros(64, 512, size))

    def forward(self, x: torch.Tensor, start: int, mask: torch.Tensor):
        batch, length, size = x.shape
        self.held[:batch, start : start + length] = self.k(x)
        scores = torch.einsum("bsc,btc->bst", self.q(x), self.held[:batch, : start + length])
        scores += mask
        return scores.softmax(-1)

class Model(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.scores = Scores(size)

    def forward(self, x: torch.Tensor, start: int):
        batch, length, size = x.shape
        return self.scores(x, start, torch.full((length, length), float("-inf")).triu(1))
"""


def test_what_is_added_in_place_is_a_box_whatever_the_mask_is_as_long_as(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, ADDED_IN_PLACE, "Scores")
    added = box(graph, "+")
    assert added.notes == ("mask: [L, L]",)
    assert any(edge.source == added.key for edge in graph.edges)


SHORTCUT = """
class Block(nn.Module):
    def __init__(self, size, given):
        super().__init__()
        self.norm, self.mix, self.proj = nn.LayerNorm(size), nn.Linear(size, given), nn.Linear(size, given)
        self.size, self.given = size, given

    def forward(self, x: torch.Tensor):
        shortcut = x
        y = self.norm(x)
        if self.size != self.given:
            shortcut = self.proj(y)
        return shortcut + self.mix(y)

class Plain(Block):
    def forward(self, x: torch.Tensor):
        y = self.norm(x)
        shortcut = y
        if self.size != self.given:
            shortcut = self.proj(y)
        return shortcut + self.mix(y)
"""


@pytest.mark.parametrize(("symbol", "given"), [("Block", ("x",)), ("Plain", ())])
def test_what_goes_round_a_condition_keeps_its_line(tmp_path: Path, symbol: str, given: tuple[str, ...]) -> None:
    graph = graph_of(tmp_path, SHORTCUT, symbol)
    added = next(b for b in graph.boxes if b.lines[0].startswith("+"))
    lines = {b.key: b.lines for b in graph.boxes}
    taken = {lines[edge.source] for edge in graph.edges if edge.target == added.key}
    assert taken == {("Linear", "proj"), ("Linear", "mix"), *((name,) for name in given)}


MODULATED = """
class Block(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.modulation = nn.Parameter(torch.zeros(1, 2, size))
        self.up = nn.Linear(size, size)

    def forward(self, x: torch.Tensor, shifts: torch.Tensor):
        return self.up(x) * torch.nn.functional.silu(self.modulation + shifts).chunk(2, dim=1)[0] + x
"""


def test_what_is_made_of_an_input_and_a_weight_is_called_by_the_input(tmp_path: Path) -> None:
    notes = [note for b in graph_of(tmp_path, MODULATED, "Block").boxes for note in b.notes]
    assert any(note.startswith("from shifts") for note in notes)


PROJECTED = """
class Projection(nn.Module):
    def __init__(self, size, taken):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(taken, size))

    def forward(self, x):
        return torch.matmul(x.view(-1, x.size(-1)), self.weight).view(*x.shape[:-1], -1)

class Cross(nn.Module):
    def __init__(self, size, taken):
        super().__init__()
        self.q, self.k = Projection(size, size), Projection(size, taken)

    def forward(self, x: torch.Tensor, memory: torch.Tensor):
        return F.scaled_dot_product_attention(self.q(x), self.k(memory), self.k(memory))
"""


def test_what_is_multiplied_by_weights_is_data(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, PROJECTED, "Cross")
    assert {b.lines for b in graph.boxes if b.kind == "input"} == {("x",), ("memory",)}


LOOPED = """
class Block(nn.Module):
    def __init__(self, size, depth):
        super().__init__()
        self.mixers = nn.ModuleList([nn.Linear(size, size) for _ in range(depth)])
        self.norms = nn.ModuleList([nn.LayerNorm(size) for _ in range(depth)])

    def forward(self, x: torch.Tensor):
        for mix, norm in zip(self.mixers, self.norms[1:]):
            x = x + mix(norm(x))
        return x
"""


def test_a_loop_over_a_slice_is_called_as_it_is_written(tmp_path: Path) -> None:
    assert [g.title for g in graph_of(tmp_path, LOOPED, "Block").groups] == ["for mix, norm in zip(mixers, norms[1:])"]


DISPATCH = """
class Gate(nn.Module):
    def __init__(self, size, experts, mode):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(experts, size))
        self.mode = mode

    def forward(self, x):
        if self.mode == "fast":
            return torch.ops.engine.fast_gate(x, self.weight)
        if self.mode == "exact":
            return torch.matmul(x.float(), self.weight.t().float())
        if x.is_cuda:
            return torch.ops.engine.gate(x, self.weight)
        return F.linear(x, self.weight)

class Layer(nn.Module):
    def __init__(self, size, experts, mode):
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.gate = Gate(size, experts, mode)

    def forward(self, x: torch.Tensor):
        return self.gate(self.norm(x)).softmax(dim=-1)
"""


def test_a_call_that_takes_one_of_many_ways_stays_shut(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, DISPATCH, "Layer")
    assert "one of 4 ways" in box(graph, "Gate", "gate").notes
    assert len([b for b in graph.boxes if not b.kind.endswith("put")]) == 3
    asked = graph_of(tmp_path, DISPATCH, "Layer", ViewOptions(depth=2))
    assert ("matmul",) in [b.lines for b in asked.boxes], "what is asked for is opened"
    assert len(graph_of(tmp_path, DISPATCH, "Gate").boxes) > 4, "and so is what the picture is of"


EARLY = """
class Drop(nn.Module):
    def __init__(self, size, rate):
        super().__init__()
        self.rate = rate
        self.out = nn.Linear(size, size)

    def forward(self, x: torch.Tensor):
        if not self.training:
            return x
        keep = torch.rand(x.shape[0], 1)
        return self.out(x * keep)
"""


def test_what_follows_a_return_happens_where_there_is_none(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, EARLY, "Drop")
    assert "if self.training" in box(graph, "Linear", "out").notes


BRANCHED = """
class Norm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x, residual=None):
        if residual is not None:
            x = x + residual
            residual = x
        y = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight
        return y if residual is None else (y, residual)

class Layer(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.norm, self.up, self.down = Norm(size), nn.Linear(size, 4 * size), nn.Linear(4 * size, size)

    def forward(self, x: torch.Tensor, residual: torch.Tensor | None = None):
        if residual is None:
            residual = x
            x = self.norm(x)
        else:
            x, residual = self.norm(x, residual)
        return self.down(F.silu(self.up(x))), residual

class Prepared(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.norm, self.pre = nn.LayerNorm(size), nn.Linear(size, size)

    def forward(self, x: torch.Tensor, flag: bool, other: bool):
        if flag:
            x = self.norm(x)
        else:
            x = self.norm(self.pre(x))
        if other:
            x = self.norm(x)
        return self.pre(x)
"""


def test_a_layer_that_both_branches_call_is_one_box(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, BRANCHED, "Layer")
    norm = box(graph, "RMSNorm", "norm")
    assert not any(note.startswith("if ") for note in norm.notes)
    keys = {b.key: " ".join(b.lines) for b in graph.boxes}
    assert {keys[e.source] for e in graph.edges if e.target == norm.key} == {"x", "residual"}
    assert {keys[e.target] for e in graph.edges if e.source == norm.key} == {"Linear up", "output: residual"}


def test_what_only_one_branch_does_before_a_shared_layer_keeps_its_line(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, BRANCHED, "Prepared")
    norms = [b for b in graph.boxes if b.lines == ("LayerNorm", "norm")]
    assert [b.notes[-1] for b in norms] == ["if flag", "if not flag", "if other"]
    before = next(b for b in graph.boxes if b.lines == ("Linear", "pre") and "if not flag" in b.notes)
    assert [e.target for e in graph.edges if e.source == before.key] == [norms[1].key]


def test_a_layer_that_both_branches_call_is_counted_once(tmp_path: Path) -> None:
    graph_of(tmp_path, BRANCHED, "Layer")
    table = Analysis([tmp_path]).document("ops", Target(tmp_path / "model.py", None, "Layer"))
    rows = next(block.rows for block in table.blocks if isinstance(block, d.Table))
    assert [row[1].text for row in rows] == ["RMSNorm norm", "Linear up", "SiLU", "Linear down"]


SCALED = """
class Block(nn.Module):
    def __init__(self, size, start=None):
        super().__init__()
        self.mix = nn.Linear(size, size)
        self.gamma = nn.Parameter(start * torch.ones(size)) if start is not None else None

    def forward(self, x: torch.Tensor):
        y = self.mix(x)
        if self.gamma is not None:
            y = self.gamma * y
        return x + y
"""


def test_a_weight_that_may_not_be_there_is_a_weight(tmp_path: Path) -> None:
    assert box(graph_of(tmp_path, SCALED, "Block"), "×").notes == ("if self.gamma is not None", "gamma: [size]")


DROPPED = """
class Drop(nn.Module):
    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, x):
        if self.rate == 0.0 or not self.training:
            return x
        if self.rate == 1.0:
            return torch.zeros_like(x)
        return torch.relu(x) / (1 - self.rate)

class Block(nn.Module):
    def __init__(self, size, rate):
        super().__init__()
        self.first, self.second, self.drop = nn.Linear(size, size), nn.Linear(size, size), Drop(rate)

    def forward(self, x: torch.Tensor):
        x = x + self.drop(self.first(x))
        y = x + self.drop(self.second(x))
        return y
"""


def test_a_test_is_another_one_in_another_call(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, DROPPED, "Block")
    assert not graph.groups, "two calls of one function share no frame"
    assert not any("x" in b.notes or "zeros_like" in b.notes for b in graph.boxes)


RESTED = """
class Norm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.project = MISSING(size)

    def forward(self, x):
        return self.project(x)

class Heads(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.before, self.q, self.k = nn.LayerNorm(size), Norm(size), Norm(size)
        self.v, self.q_norm, self.k_norm = nn.Linear(size, size), nn.LayerNorm(size), nn.LayerNorm(size)

    def forward(self, x: torch.Tensor):
        x = self.before(x)
        return self.attend(self.q(x), self.k(x), self.v(x))

    def attend(self, q, k, v):
        return torch.softmax(q @ k.transpose(-1, -2), dim=-1) @ v

class Normed(Heads):
    def forward(self, x: torch.Tensor):
        x = self.before(x)
        return self.attend(self.q_norm(self.q(x)), self.k_norm(self.k(x)), self.v(x))
"""


def test_a_norm_before_a_projection_norms_no_queries(tmp_path: Path) -> None:
    for symbol, expected in (("Heads", False), ("Normed", True)):
        (tmp_path / "model.py").write_text(HEAD + RESTED)
        document = Analysis([tmp_path]).document("dataflow", Target(tmp_path / "model.py", None, symbol))
        said = [line.text for block in document.blocks if isinstance(block, d.Paragraph) for line in block.lines]
        assert any("normed queries and keys" in line for line in said) == expected, symbol


MADE_IN_PLACE = """
class Block(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.size = size

    def forward(self, x: torch.Tensor):
        return nn.Linear(self.size, self.size)(nn.LayerNorm(self.size)(x)).relu()
"""


def test_a_layer_made_where_it_is_called_is_called_by_its_class(tmp_path: Path) -> None:
    titles = [b.lines for b in graph_of(tmp_path, MADE_IN_PLACE, "Block").boxes]
    assert titles == [("x",), ("LayerNorm",), ("Linear",), ("ReLU",), ("output",)]


COSTLY = """
class Costly(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.mix = nn.Linear(size, size)

    def forward(self, x):
        y = self.mix(x)
        for a in (1, 2, 3, 4, 5, 6, 7, 8):
            for b in (1, 2, 3, 4, 5, 6, 7, 8):
                y = y + torch.sin(y * a) * torch.cos(y + b)
        return y

class Block(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.before, self.costly, self.after = nn.LayerNorm(size), Costly(size), nn.Linear(size, size)

    def forward(self, x: torch.Tensor):
        return x + self.after(self.costly(self.before(x)))
"""


def test_a_costly_call_stays_shut_and_what_follows_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traced_runs, "TRACE_STEPS", 600)
    monkeypatch.setattr(traced_runs, "SHARED_STEPS", 400)
    (tmp_path / "model.py").write_text(HEAD + COSTLY)
    document = Analysis([tmp_path]).document("dataflow", Target(tmp_path / "model.py", None, "Block"))
    graph = next(block.graph for block in document.blocks if isinstance(block, d.Diagram))
    assert [b.lines for b in graph.boxes] == [
        ("x",), ("LayerNorm", "before"), ("Costly", "costly"), ("Linear", "after"), ("+ residual",), ("output",),
    ]  # fmt: skip
    assert "it takes too many steps" in to_text(document).text
    assert not document.notes


PACKED = """
class Heads(nn.Module):
    def __init__(self, size, heads):
        super().__init__()
        self.qkv, self.out, self.size, self.heads = nn.Linear(size, 3 * size), nn.Linear(size, size), size, heads

    def forward(self, x):
        q, k, v = self.qkv(x).split(self.size, dim=-1)
        context = torch.empty((q.shape[0], self.size))
        q = q.view(-1, self.heads, self.size // self.heads)
        torch.ops.engine.attend(q, k, v, context.view(-1, self.heads, self.size // self.heads))
        return self.out(context)

class Layer(nn.Module):
    def __init__(self, size, heads):
        super().__init__()
        self.norm, self.heads = nn.LayerNorm(size), Heads(size, heads)

    def forward(self, hidden_states: torch.Tensor):
        return hidden_states + self.heads(self.norm(hidden_states))

class Placed(nn.Module):
    def __init__(self, size, longest):
        super().__init__()
        self.places, self.up = nn.Embedding(longest, size), nn.Linear(size, size)

    def forward(self, hidden_states: torch.Tensor):
        places = torch.arange(hidden_states.shape[1])
        return self.up(hidden_states + self.places(places))
"""


def test_tokens_are_packed_where_a_batch_would_be_lost(tmp_path: Path) -> None:
    labels = {edge.label for edge in graph_of(tmp_path, PACKED, "Layer").edges}
    assert "[T, size]" in labels and not any("B" in label for label in labels)
    placed = {edge.label for edge in graph_of(tmp_path, PACKED, "Placed").edges}
    assert "[B, S, D]" in placed, "what is not made of the batch is added to every sequence"


MASKED = """
class Block(nn.Module):
    def __init__(self, size, mixer):
        super().__init__()
        self.up, self.mixer = nn.Linear(size, size), mixer

    def forward(self, x: torch.Tensor, mask: torch.Tensor, context: torch.Tensor):
        if mask.ndim == 2:
            mask = (1 - mask.to(x.dtype)) * -10000.0
            mask = mask.unsqueeze(1)
        return x + self.mixer(self.up(x), mask, context)
"""


def test_what_becomes_a_mask_is_no_data(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, MASKED, "Block")
    assert {b.lines for b in graph.boxes if b.kind == "input"} == {("x",), ("context",)}


FORWARDED = """
class Norm(nn.Module):
    def __init__(self, size, forced=None):
        super().__init__()
        self.forced, self.methods = forced, PLATFORM.methods()

    def forward(self, x):
        if self.forced is not None:
            return getattr(self, self.forced)(x)
        return self.methods[x.device.type](x)

class Block(nn.Module):
    def __init__(self, size, forced):
        super().__init__()
        self.norm, self.up = Norm(size, forced), nn.Linear(size, size)

    def forward(self, x: torch.Tensor):
        return x + self.up(self.norm(x))
"""


def test_a_layer_that_hands_on_its_work_stays_shut(tmp_path: Path) -> None:
    titles = [b.lines for b in graph_of(tmp_path, FORWARDED, "Block").boxes]
    assert titles == [("x",), ("Norm", "norm"), ("Linear", "up"), ("+ residual",), ("output",)]


STAGES = """
class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x, residual=None):
        if residual is not None:
            x = x + residual
            residual = x
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True)) * self.weight
        return x if residual is None else (x, residual)

class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = Norm(width)
        self.mlp = nn.Linear(width, width)

    def forward(self, positions, hidden_states, residual):
        if residual is None:
            residual = hidden_states
            hidden_states = self.norm(hidden_states)
        else:
            hidden_states, residual = self.norm(hidden_states, residual)
        return self.mlp(hidden_states), residual

class Stage(nn.Module):
    def __init__(self, vocab, width, count):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.layers = nn.ModuleList([Layer(width) for _ in range(count)])
        self.norm = Norm(width)

    def forward(self, input_ids: torch.Tensor, positions: torch.Tensor, received: Received | None = None):
        if is_first():
            hidden_states = self.embed(input_ids)
            residual = None
        else:
            hidden_states = received["hidden_states"]
            residual = received["residual"]
        for layer in self.layers:
            hidden_states, residual = layer(positions, hidden_states, residual)
        hidden_states, _ = self.norm(hidden_states, residual)
        return hidden_states

class Later(Stage):
    def forward(self, input_ids: torch.Tensor, positions: torch.Tensor, received: Received | None = None):
        return super().forward(input_ids, positions, received)
"""


@pytest.mark.parametrize("symbol", ["Stage", "Later"])
def test_items_that_are_called_as_inputs_are_like_them(tmp_path: Path, symbol: str) -> None:
    graph = graph_of(tmp_path, STAGES, f"{symbol}.forward")
    labels = {edge.label for edge in graph.edges if edge.source == box(graph, "Linear", "mlp").key}
    assert labels == {"[T, W]"}
    assert all("..." not in edge.label for edge in graph.edges)


BUILT = """
class Table(nn.Module):
    def __init__(self, heads, size, are_apart):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(heads, size, size))
        turned = torch.empty(8, size)
        if not are_apart:
            self.cache = torch.einsum("td,de->te", turned, self.weight)

    def forward(self, positions, x):
        return x + positions.unsqueeze(-1)

class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.up = nn.Linear(width, width)
        self.table = Table(heads, width, False)

    def forward(self, positions: torch.Tensor, hidden_states: torch.Tensor):
        return self.table(positions, self.up(hidden_states))
"""


def test_how_an_object_is_made_says_nothing_of_what_it_is_given(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, BUILT, "Block")
    assert {edge.label for edge in graph.edges if edge.source == box(graph, "Linear", "up").key} == {"[T, W]"}


BELIEVED = """
class Crossed(nn.Module):
    def __init__(self, width, other):
        super().__init__()
        self.up = nn.Linear(width, width)
        self.other = nn.Linear(other, width)

    def forward(self, hidden_states: torch.Tensor, encoder_hidden_states: torch.Tensor):
        hidden_states = hidden_states + hidden_states.transpose(0, 1)
        return self.up(hidden_states), self.other(encoder_hidden_states)

class Broken(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up = nn.Linear(width, width)

    def forward(self, hidden_states: torch.Tensor, mask: torch.Tensor | None = None):
        if mask is not None:
            mask = torch.cat((torch.zeros(2, 3), torch.zeros(2)))
        return self.up(hidden_states)

class Inner(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up = nn.Linear(width, width)

    def forward(self, hidden_states: torch.Tensor):
        return self.up(hidden_states)

class Outer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(width, width)
        self.inner = Inner(width)

    def forward(self, given: torch.Tensor):
        return self.inner(self.first(given))
"""


@pytest.mark.parametrize(
    ("symbol", "layer", "label"),
    [
        ("Crossed", "other", "[B, SE, W]"),  # one name that misleads does not speak against the other
        ("Broken", "up", "[B, S, W]"),  # what is wrong whatever is believed speaks against nothing
        ("Inner", "up", "[B, S, W]"),  # a caller that does not know the rank does not deny it
    ],
)
def test_names_of_inputs_are_believed_as_long_as_nothing_denies_them(
    tmp_path: Path, symbol: str, layer: str, label: str
) -> None:
    graph = graph_of(tmp_path, BELIEVED, symbol)
    labels = {edge.label for edge in graph.edges if edge.source == box(graph, "Linear", layer).key}
    assert labels == {label}


CARRIED = """
class Wave(nn.Module):
    def __init__(self, width, count):
        super().__init__()
        self.first = nn.ModuleList([nn.Conv1d(width, width, 3, padding=1) for _ in range(count)])
        self.second = nn.ModuleList([nn.Conv1d(width, 2 * width, 1) for _ in range(count)])
        self.width = width

    def forward(self, x: torch.Tensor):
        skipped = torch.zeros_like(x)
        for i in range(len(self.first)):
            both = self.second[i](torch.tanh(self.first[i](x)))
            x = x + both[:, : self.width]
            skipped = skipped + both[:, self.width :]
        return skipped
"""


def test_what_a_round_leaves_to_the_next_one_only_is_drawn(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, CARRIED, "Wave")
    first, last = box(graph, "Conv1d 3", "first[i]"), box(graph, "+ residual")
    assert (last.key, first.key) in {(edge.source, edge.target) for edge in graph.edges}
    assert last.group == first.group


UNTYPED = """
def turned(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin

class Attention(nn.Module):
    def __init__(self, size, heads):
        super().__init__()
        self.heads, self.each = heads, size // heads
        self.q, self.k, self.v = nn.Linear(size, size), nn.Linear(size, size), nn.Linear(size, size)

    def forward(self, x: torch.Tensor, cos, sin, mask, dropout):
        B, S, D = x.shape
        q = turned(self.q(x).view(B, S, self.heads, self.each).transpose(1, 2), cos, sin)
        k = turned(self.k(x).view(B, S, self.heads, self.each).transpose(1, 2), cos, sin)
        v = self.v(x).view(B, S, self.heads, self.each).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
        return y.transpose(1, 2).reshape(B, S, D)
"""


def test_inputs_without_a_type_are_noted_where_they_are_taken_for_tensors(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, UNTYPED, "Attention")
    notes = {b.lines: b.notes for b in graph.boxes}
    assert notes["Attention (SDPA)",] == ("mask",), "what is no tensor whatever it is given as is none"
    assert notes["RoPE", "turned"] == ("half-split", "cos", "sin")


PRODUCTS = """
class Expand(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.each = nn.Linear(config.width_of_head, config.width_of_head)
        self.up = nn.Linear(config.size, config.number_of_heads * config.width_of_head)
        self.down = nn.Linear(config.number_of_heads * config.width_of_head, config.ratio * config.size)

    def forward(self, x: torch.Tensor):
        return self.down(self.up(x))

class Pictures(nn.Module):
    def __init__(self, channels, heads):
        super().__init__()
        self.mix, self.heads = nn.Conv2d(channels, heads, 1), heads

    def forward(self, x: torch.Tensor):
        B, C, H, W = x.shape
        return self.mix(x), x
"""


def test_products_read_as_they_are_written(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, PRODUCTS, "Expand")
    assert box(graph, "Linear", "up").notes == ("[H*WH, size]",)
    assert box(graph, "Linear", "down").notes == ("[R*size, H*WH]",)


def test_what_the_source_calls_by_a_letter_keeps_it(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, PRODUCTS, "Pictures")
    assert "[B, C, H, W]" in {e.label for e in graph.edges}
    assert {b.lines for b in graph.boxes if b.kind == "output"} == {("output",), ("output: x",)}


ALTERNATIVES = """
class Norm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        y = x.to(torch.float32)
        return self.weight * (y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-6)).to(x.dtype)

class Block(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.norm, self.up = Norm(size), nn.Linear(size, size)

    def forward(self, x):
        residual = x
        return residual + self.up(self.norm(x))

class Model(nn.Module):
    def __init__(self, words, size, depth):
        super().__init__()
        self.embed = nn.Embedding(words, size)
        self.layers = nn.ModuleList([Block(size) for _ in range(depth)])
        self.norm = Norm(size)

    def forward(self, tokens: torch.LongTensor, embedded: torch.FloatTensor = None):
        if embedded is None:
            embedded = self.embed(tokens)
        x = embedded
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)
"""


def test_what_may_be_given_instead_of_what_is_computed_is_an_input(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, ALTERNATIVES, "Model")
    keys = {b.key: b.lines for b in graph.boxes}
    lines = {(keys[e.source], keys[e.target]) for e in graph.edges}
    assert ("embedded",) in keys.values()
    assert (("embedded",), ("+ residual",)) in lines, "past the embedding"
    assert not any(box.key in keys and "embedded" in box.notes for box in graph.boxes), "no note at every box"
    assert all(not note.startswith("embedded") for b in graph.boxes for note in b.notes)
    assert not any("residual" in e.label for e in graph.edges), "a second variable for a value is no other value"


PAIRS = """
class Layer(nn.Module):
    def __init__(self, size, parts):
        super().__init__()
        self.inner, self.mix = parts.inner(size), parts.mix
        self.out = nn.Linear(size, size)

    def forward(self, x: torch.Tensor):
        y, bias = self.inner(x)
        y = y + bias
        y = self.mix(self.training, True)(y, x)
        x = x + torch.zeros_like(self.out(x))
        return x + self.out(y + x)
"""


def test_a_residual_is_added_to_what_was_made_of_it(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, PAIRS, "Layer")
    lines = [b.lines for b in graph.boxes]
    assert lines.count(("+",)) == 3, "neither two parts of one result are a residual, nor zeros"
    assert ("mix",) in lines, "a handler is called what it is, not what it is made with"
    titles = {b.key: b.lines[0] for b in graph.boxes}
    residual = {titles[e.source] for e in graph.edges if titles[e.target] == "+ residual"}
    assert residual == {"+", "Linear"}, "what has the shape of a value is not made of it, what is projected of it is"


GATES = """
class Same(nn.Module):
    def forward(self, x):
        return x

class Held:
    def __init__(self, tensor):
        self.tensor = tensor

    def __enter__(self):
        return self.tensor

    def __exit__(self, *problem):
        return None

class Layer(nn.Module):
    def __init__(self, config, parts):
        super().__init__()
        self.norm = parts.norm(config.size)
        self.again = False
        if config.recompute:
            if not isinstance(self.norm, Same):
                self.again = True
        self.out = nn.Linear(config.size, config.size)

    def forward(self, x: torch.Tensor):
        with Held(x) as held:
            y = self.norm(held)
        return x + self.out(y)
"""


def test_what_a_manager_gives_and_a_layer_asked_for_its_kind_are_not_lost(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, GATES, "Layer")
    titles = {b.key: b.lines[0] for b in graph.boxes}
    lines = {(titles[e.source], titles[e.target]) for e in graph.edges}
    assert ("x", "norm") in lines, "what `with` binds is what the manager gives"
    assert ("norm", "Linear") in lines, "a test for a kind of layer makes it none of that kind"


OWN_OBJECTS = """
from kernel_library import fused_add_norm

class Linear:
    def __init__(self, size):
        self.weight = torch.empty(size, size)

    def forward(self, x):
        return F.linear(x, self.weight)

class Norm:
    def __init__(self, size):
        self.weight = torch.empty(size)

    def forward(self, x, residual):
        fused_add_norm(x, residual, self.weight)
        return x, residual

class Layer:
    def __init__(self, size):
        self.norm, self.up, self.down = Norm(size), Linear(size), Linear(size)

    def forward(self, x: torch.Tensor, residual: torch.Tensor):
        x, residual = self.norm.forward(x, residual)
        return self.down.forward(F.silu(self.up.forward(x))), residual
"""


def test_layers_that_are_no_modules_of_torch_are_layers_all_the_same(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, OWN_OBJECTS, "Layer")
    assert [b.lines for b in graph.boxes if b.kind == "input"] == [("x",), ("residual",)], "weights are no inputs"
    norm, up = box(graph, "Norm", "norm"), box(graph, "Linear", "up")
    assert up.notes == ("weight: [size, size]",)
    titles = {b.key: b.lines[0] for b in graph.boxes}
    lines = {(e.source, titles[e.target]) for e in graph.edges}
    assert {(norm.key, "Linear"), (norm.key, "output: residual")} <= lines, "the kernel changes what it is given"


MASKED_ATTENTION = """
class Layer(nn.Module):
    def __init__(self, size, heads):
        super().__init__()
        self.attention, self.out = nn.MultiheadAttention(size, heads), nn.Linear(size, size)

    def forward(self, x: torch.Tensor, memory: torch.Tensor, mask: torch.Tensor, padding: torch.Tensor):
        y = self.attention(x, memory, memory, attn_mask=mask, key_padding_mask=padding)[0]
        return self.out(x + y)
"""


def test_masks_that_a_layer_takes_are_notes(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, MASKED_ATTENTION, "Layer")
    assert [b.lines for b in graph.boxes if b.kind == "input"] == [("x",), ("memory",)]
    notes = box(graph, "MultiheadAttention", "attention").notes
    assert [note.partition(":")[0] for note in notes] == ["4 weights", "mask", "padding"]


WRAPPED = """
def again(function, inputs, flag):
    return function(*inputs) if flag else function(*inputs)

class Block(nn.Module):
    def __init__(self, size, flag=False):
        super().__init__()
        self.norm, self.up, self.flag = nn.LayerNorm(size), nn.Linear(size, size), flag

    def forward(self, x: torch.Tensor):
        return again(self.work, (x,), self.flag)

    def work(self, x):
        return x + self.up(self.norm(x))
"""


def test_a_call_that_only_has_another_run_is_open(tmp_path: Path) -> None:
    lines = [b.lines for b in graph_of(tmp_path, WRAPPED, "Block").boxes]
    assert lines == [("x",), ("LayerNorm", "norm"), ("Linear", "up"), ("+ residual",), ("output",)]


ONE_RULE = """
import torch.distributed as dist

def moved(x: torch.Tensor, part: torch.Tensor):
    x = torch.roll(x, 1, 0).flip(0)
    dist.reduce_scatter_tensor(part, x)
    return torch.triu(part).relu_()
"""


def test_operators_of_one_rule_keep_their_names(tmp_path: Path) -> None:
    lines = [b.lines for b in graph_of(tmp_path, ONE_RULE, "moved").boxes if not b.kind.endswith("put")]
    assert lines == [("roll",), ("flip",), ("reduce_scatter_tensor",), ("triu",), ("ReLU",)]


WINDOWS = """
from elsewhere import window

class Convolved(nn.Module):
    def __init__(self, size, settings):
        super().__init__()
        self.first = nn.Conv1d(size, size, 3, stride=2)
        self.second = nn.Conv1d(size, size, window(settings))

    def forward(self, x: torch.Tensor):
        return self.second(self.first(x))
"""


def test_a_window_that_is_not_known_is_left_out(tmp_path: Path) -> None:
    lines = [b.lines for b in graph_of(tmp_path, WINDOWS, "Convolved").boxes]
    assert lines[1:3] == [("Conv1d 3 s2", "first"), ("Conv1d", "second")]


BRACKETED = """
class Scores(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.scale = size**-0.5

    def forward(self, q: torch.Tensor, k: torch.Tensor, p: torch.Tensor):
        return (q @ k + q @ p) * self.scale
"""


def test_what_a_sum_in_brackets_is_multiplied_by_is_named(tmp_path: Path) -> None:
    assert box(graph_of(tmp_path, BRACKETED, "Scores"), "× self.scale")


STARRED = """
from einops.layers.torch import Rearrange

class Attention(nn.Module):
    def __init__(self, dim, heads=8, dim_head=64):
        super().__init__()
        split = Rearrange("b n (two h d) -> two b h n d", two=2, h=heads)
        self.to_qk = nn.Sequential(nn.Linear(dim, 2 * heads * dim_head), split)
        self.to_v = nn.Sequential(nn.Linear(dim, heads * dim_head), Rearrange("b n (h d) -> b h n d", h=heads))

    def forward(self, x: torch.Tensor):
        q, k, v = (*self.to_qk(x), self.to_v(x))
        return F.scaled_dot_product_attention(q.sigmoid(), k.tanh(), v.exp())
"""


def test_what_a_star_gives_comes_from_what_is_starred(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, STARRED, "Attention")
    titles = {b.key: b.lines for b in graph.boxes}
    after = {(titles[e.source][-1], titles[e.target][-1]): e.label for e in graph.edges}
    assert {("to_qk", "sigmoid"), ("to_qk", "tanh"), ("to_v", "exp")} <= after.keys()
    assert ("to_v", "sigmoid") not in after
    assert after["to_qk", "sigmoid"].startswith("[B, H, S") or after["to_qk", "tanh"].startswith("[B, H, S")


DISTANCES = """
class Codes(nn.Module):
    def __init__(self, many, size):
        super().__init__()
        self.table = nn.Embedding(many, size)

    def forward(self, x: torch.Tensor):
        # x: [N, size]
        far = (x**2).sum(1, keepdim=True) + (self.table.weight**2).sum(1) - 2 * (x @ self.table.weight.t())
        nearest = far.argmin(1)
        code = self.table(nearest)
        return code, (code - x).pow(2).mean(), far, nearest, x + (code - x).detach()
"""


def test_no_box_takes_what_it_gives_itself_through_another(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, DISTANCES, "Codes")
    after: dict[str, set[str]] = {}
    for edge in graph.edges:
        after.setdefault(edge.source, set()).add(edge.target)
    for start in (b.key for b in graph.boxes):
        seen, todo = set[str](), list(after.get(start, ()))
        while todo:
            seen.add(key := todo.pop())
            todo += after.get(key, set()) - seen
        assert start not in seen


def test_many_outputs_share_the_last_box(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, DISTANCES, "Codes")
    outputs = [b.lines[0] for b in graph.boxes if b.kind == "output"]
    assert len(outputs) == 4
    assert outputs[-1] == "2 more outputs"


SCANNED = """
import somewhere

class Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, keep=False):
        out, last = run_scan(x, w)
        ctx.save_for_backward(out, x, w)
        return out if not keep else (out, last)

def run_scan(x, w):
    return somewhere.scan(x, w)

class Block(nn.Module):
    def __init__(self, size, drop=0.0):
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.drop = nn.Dropout(drop) if drop > 0.0 else nn.Identity()
        self.w = nn.Parameter(torch.ones(size))

    def forward(self, x: torch.Tensor, state=None):
        y = Scan.apply(x, self.w, state is not None)
        if state is not None:
            y, last = y
            state.copy_(last)
        return self.drop(self.norm(y))
"""


def test_what_is_noted_for_gradients_and_what_gives_what_it_was_given_is_no_box(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, SCANNED, "Block")
    lines = {b.key: " ".join(b.lines) for b in graph.boxes}
    assert not any("save_for_backward" in text or "drop" in text for text in lines.values())
    into = {lines[e.source] for e in graph.edges if lines[e.target] == "LayerNorm norm"}
    assert len(into) == 1
    assert {lines[e.target] for e in graph.edges if lines[e.source] == "LayerNorm norm"} == {"output"}


PROMPTED = """
class Prompts(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.width = width
        self.register_buffer("waves", torch.randn(2, width))
        self.here = nn.Embedding(1, width)
        self.down = nn.Conv2d(1, width, 2, stride=2)
        self.nothing = nn.Embedding(1, width)

    def places(self, where):
        where = where.clone()
        where[:, :, 0] = where[:, :, 0] / 7
        found = torch.sin(where.to(torch.float) @ self.waves)
        return found + self.here.weight

    def forward(self, points, boxes, masks=None):
        told = torch.empty((2, 0, self.width))
        if points is not None:
            where, labels = points
            told = torch.cat([told, self.places(where)], dim=1)
        if boxes is not None:
            told = torch.cat([told, self.places(boxes.reshape(-1, 2, 2))], dim=1)
        if masks is not None:
            dense = self.down(masks)
        else:
            dense = self.nothing.weight.reshape(1, -1, 1, 1).expand(2, -1, 4, 4)
        return told, dense
"""


def test_places_that_are_written_and_multiplied_by_weights_are_data(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, PROMPTED, "Prompts")
    titles = {b.key: b.lines for b in graph.boxes}
    above: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for edge in graph.edges:
        above.setdefault(titles[edge.target], set()).add(titles[edge.source])
    assert ("concat",) in above["output: told",]
    todo: list[tuple[str, ...]] = [("output: told",)]
    seen = set[tuple[str, ...]]()
    while todo:
        for line in above.get(todo.pop(), set()) - seen:
            seen.add(line)
            todo.append(line)
    assert {("points",), ("boxes",)} <= seen, "both are part of what is told"
    assert box(graph, "output: dense").notes == ("or weight: [1, W]",), "what is returned where there are no masks"


CROSSED = """
class Cross(nn.Module):
    def __init__(self, width: int, other: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)

    def attend(self, x, xa=None):
        return self.query(x), self.key(x if xa is None else xa)

    def forward(self, x: torch.Tensor, xa: torch.Tensor | None = None):
        batch, length, width = x.shape
        return self.attend(self.norm(x), xa)
"""


def test_what_one_of_two_values_is_has_the_shape_that_it_has_where_it_is_made(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, CROSSED, "Cross")
    titles = {b.key: b.lines for b in graph.boxes}
    labels = {(titles[e.source], titles[e.target]): e.label for e in graph.edges}
    norm = ("LayerNorm", "norm")
    assert labels[norm, ("Linear", "key")] == labels[norm, ("Linear", "query")] != ""
    assert (("xa",), ("Linear", "key")) in labels


TIMED = """
class Waves(nn.Module):
    def forward(self, when):
        return torch.stack([torch.sin(when), torch.cos(when)], dim=-1)

class Timed(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.up, self.waves = nn.Linear(width, width), Waves()

    def forward(self, x: torch.Tensor, when):
        return self.up(x), self.waves(when) * 2
"""


def test_what_is_made_of_an_input_that_turns_out_to_be_data_is_drawn_too(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, TIMED, "Timed")
    titles = {b.key: b.lines[0] for b in graph.boxes}
    lines = {(titles[e.source], titles[e.target]) for e in graph.edges}
    assert {("when", "sin"), ("when", "cos"), ("stack", "× 2")} <= lines
    assert titles[next(e.target for e in graph.edges if titles[e.source] == "× 2")].startswith("output")


TWO_ENDS = """
class Ends(nn.Module):
    def __init__(self, width: int, more: bool = False):
        super().__init__()
        self.up, self.more = nn.Linear(width, width), more

    def widen(self, masks):
        return self.up(masks)

    def forward(self, masks: torch.Tensor):
        masks, scores = self.widen(masks), torch.sigmoid(masks)
        wide = self.widen(masks)
        if self.more:
            areas = wide.sum(-1)
            return wide, scores, areas, masks
        return wide, scores, masks
"""


def test_outputs_are_called_as_the_return_with_so_many_calls_them(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, TWO_ENDS, "Ends")
    told = [b.lines[0].removeprefix("output: ") for b in graph.boxes if b.kind == "output"]
    assert told == ["wide", "scores", "masks"]


HELD = """
class Held:
    def __init__(self, tensors, mask: torch.Tensor | None):
        self.tensors, self.mask = tensors, mask

class Places(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.rows = nn.Embedding(50, width)

    def forward(self, held: Held):
        x = held.tensors
        h, w = x.shape[-2:]
        return self.rows(torch.arange(w)).unsqueeze(0).repeat(h, 1, 1)
"""


def test_the_last_sizes_of_what_an_object_holds_have_names(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, HELD, "Places")
    assert [edge.label for edge in graph.edges][-1] == "[h, w, W]"


LEARNED = """
class Pooler(nn.Module):
    def __init__(self, width: int, count: int):
        super().__init__()
        self.queries = nn.Parameter(torch.empty(count, width))
        self.places = nn.Parameter(data=torch.empty(count, width))
        self.norm = nn.LayerNorm(width)
        self.attend = nn.MultiheadAttention(width, 4)

    def forward(self, x: torch.Tensor):
        queries = self.norm(self.queries).unsqueeze(1).repeat(1, x.shape[1], 1)
        return self.attend(queries + self.places.unsqueeze(1), x, x)[0]
"""


def test_what_a_layer_makes_of_weights_reaches_the_box_that_takes_it(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, LEARNED, "Pooler")
    names = {b.key: b.lines[0] for b in graph.boxes}
    lines = {(names[e.source], names[e.target]) for e in graph.edges}
    assert {("LayerNorm", "repeat"), ("repeat", "+"), ("+", "MultiheadAttention"), ("x", "MultiheadAttention")} <= lines
    assert "places: [C, 1, W]" in box(graph, "+").notes


BUILT_BY_CONFIGURATION = """
class Norm(nn.Module):
    def __init__(self, size: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return x * self.weight

class CenteredNorm(Norm):
    def forward(self, x):
        return (x - x.mean(-1, keepdim=True)) * self.weight

class NormConfig:
    def build(self, size: int) -> Norm:
        return KINDS[self.kind](size)

class Block(nn.Module):
    def __init__(self, width: int, norm: NormConfig):
        super().__init__()
        self.norm = norm.build(width)
        self.up = nn.Linear(width, width)

    def forward(self, x: torch.Tensor):
        B, S, W = x.shape
        return self.up(self.norm(x))
"""


def test_a_layer_that_a_configuration_builds_is_one_of_its_kind(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, BUILT_BY_CONFIGURATION, "Block")
    made = next(b for b in graph.boxes if "norm" in b.lines)
    assert any(note.startswith("Norm or CenteredNorm") for note in made.notes)
    assert {edge.label for edge in graph.edges if edge.source == made.key} == {"[B, S, W]"}


TEMPLATE = """
from functools import partial
from settings import arguments

class Template(nn.Module):
    def run(self, x: torch.Tensor):
        return self.attend(self.proj(x))

class Layer(Template):
    def __init__(self, size):
        super().__init__()
        self.proj = nn.Linear(size, size)
        if arguments().fast:
            self.attend = partial(Layer.fast, self)
        else:
            self.attend = self.slow

    def fast(self, x):
        return x.relu()

    def slow(self, x):
        return x.sigmoid()
"""


def test_a_method_that_a_class_inherits_runs_on_its_object(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, TEMPLATE, "Layer.run")
    assert [b.lines for b in graph.boxes if not b.kind.endswith("put")] == [("Linear", "proj"), ("fast",)]


def test_which_of_several_methods_is_drawn_is_said_where_some_are_partials(tmp_path: Path) -> None:
    assert box(graph_of(tmp_path, TEMPLATE, "Layer.run"), "fast").notes == ("one of 2",)


ROTARY = """
class Short(nn.Module):
    def __init__(self, size, length):
        super().__init__()
        self.register_buffer("table", torch.zeros(length, size))

    def forward(self, places: torch.Tensor, x: torch.Tensor):
        return torch.sigmoid(self.table[places]) * x

class Long(Short):
    def __init__(self, size, length):
        super().__init__(size, 4 * length)

class Scaled(Short):
    def __init__(self, size, length):
        super().__init__(size, 2 * length)

def make(kind, size, length):
    if kind == "long":
        return Long(size, length)
    elif kind == "scaled":
        return Scaled(size, length)
    return Short(size, length)

class Block(nn.Module):
    def __init__(self, kind, size, length):
        super().__init__()
        self.rotary = make(kind, size, length)
        self.out = nn.Linear(size, size)

    def forward(self, places: torch.Tensor, x: torch.Tensor):
        B, S, D = x.shape
        return self.out(self.rotary(places, x))
"""


def test_what_each_of_several_layers_has_is_told_once(tmp_path: Path) -> None:
    """Five tables of which one is there, each with sizes of its own, hid what the box does."""
    graph = graph_of(tmp_path, ROTARY, "Block")
    (rotary,) = (b for b in graph.boxes if "rotary" in b.lines)
    assert [note for note in rotary.notes if note.startswith("table")] == ["table: one of 3 shapes"]


FAR = """
class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * self.weight

class Block(nn.Module):
    def __init__(self, engine):
        super().__init__()
        self.norm = Norm(engine.options.model.width)
        self.up = nn.Linear(engine.options.model.width, 4)

    def forward(self, x: torch.Tensor):
        return self.up(self.norm(x))

class Model(nn.Module):
    def __init__(self, engine):
        super().__init__()
        self.embed = nn.Embedding(100, engine.options.model.width)
        self.block = Block(engine)

    def forward(self, ids: torch.Tensor):
        B, S = ids.shape
        return self.block(self.embed(ids))
"""


def test_a_setting_far_away_is_one_size_wherever_it_comes_from(tmp_path: Path) -> None:
    """Hovers call it by the end of its way; what callers gave and what the weights have was drawn as two sizes."""
    graph = graph_of(tmp_path, FAR, "Block")
    (up,) = (b for b in graph.boxes if "up" in b.lines)
    edges = {edge.label for edge in graph.edges if edge.label}
    letters = {letter for text in (*edges, *up.notes) for letter in re.findall(r"[A-Za-z]\w*", text)}
    assert letters - {"B", "S"} == {"W"}
