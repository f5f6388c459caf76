"""Dataflow pictures: goldens beside their sources, and what no picture may get wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain import document as d
from kernelscope.explain.render import to_text
from kernelscope.results import Target, UserError, ViewOptions

HERE = Path(__file__).parent
FIXTURES = HERE / "fixtures"
GOLDENS = HERE / "goldens" / "dataflow"
SAMPLE = HERE.parent / "workspaces" / "sample"
CASES = (
    (FIXTURES / "branches.py", "Branches"),
    (FIXTURES / "branches.py", "Chosen"),
    (FIXTURES / "branches.py", "Staged"),
    (FIXTURES / "branches.py", "Either"),
    (FIXTURES / "branches.py", "Asking"),
    (FIXTURES / "branches.py", "Cached"),
    (FIXTURES / "decoder.py", "Layer"),
    (FIXTURES / "decoder.py", "Decoder"),
    (FIXTURES / "decoder.py", "place"),
    (FIXTURES / "elements.py", "Mixed"),
    (FIXTURES / "elements.py", "Steps"),
    (FIXTURES / "elements.py", "Grouped"),
    (FIXTURES / "elements.py", "Sum"),
    (FIXTURES / "elements.py", "Kept"),
    (FIXTURES / "elements.py", "OwnChains"),
    (FIXTURES / "elements.py", "Pyramid"),
    (FIXTURES / "elements.py", "Injected"),
    (FIXTURES / "holders.py", "Detector"),
    (FIXTURES / "holders.py", "Reader"),
    (FIXTURES / "holders.py", "HandedOn"),
    (FIXTURES / "holders.py", "LengthFirst"),
    (FIXTURES / "modulation.py", "Block"),
    (FIXTURES / "modulation.py", "Mixer"),
    (FIXTURES / "modulation.py", "Denoiser"),
    (FIXTURES / "serving.py", "ServedLayer"),
    (FIXTURES / "serving.py", "Experts"),
    (FIXTURES / "packed.py", "PackedLayer"),
    (FIXTURES / "packed.py", "PackedModel"),
    (SAMPLE / "tinyllm" / "model.py", "DecoderLayer"),
)


def dataflow(path: Path, symbol: str, **options: int) -> d.Document:
    root = SAMPLE if SAMPLE in path.parents else path.parent
    return Analysis([root]).document("dataflow", Target(path, None, symbol), ViewOptions(bindings=options))


@pytest.mark.parametrize(("path", "symbol"), CASES, ids=lambda part: part if isinstance(part, str) else part.stem)
def test_goldens(path: Path, symbol: str, golden: Callable[[Path, str], None]) -> None:
    golden(GOLDENS / f"{path.stem}.{symbol}.txt", to_text(dataflow(path, symbol)).text)


def test_boxes_lead_to_the_source() -> None:
    text = to_text(dataflow(FIXTURES / "decoder.py", "Layer"))
    source = (FIXTURES / "decoder.py").read_text().splitlines()
    rows = text.text.split("\n")
    below = {
        rows[x.row + 1][max(0, x.column - 2) : x.end_column + 2].strip("│ "): source[x.location.line - 1]
        for x in text.links
    }
    assert "self.to_q(x)" in below["to_q"]
    assert "self.down(" in below["down"]


def test_in_a_constructor_what_it_makes_is_meant() -> None:
    path = FIXTURES / "decoder.py"
    source = path.read_text()
    offset = source.index("self.to_q = ")
    document = Analysis([FIXTURES]).document("dataflow", Target(path, offset), ViewOptions())
    assert document.title == dataflow(path, "Heads").title == "Dataflow of Heads.forward"


def test_numbers_where_sizes_are_bound() -> None:
    text = to_text(dataflow(FIXTURES / "decoder.py", "Layer", hidden_size=4096, B=2, S=128)).text
    assert "[2, 128, 4096]" in text
    assert "H = config.hidden_size" not in text


def test_what_is_not_followed_keeps_its_lines_and_is_told() -> None:
    document = dataflow(FIXTURES / "serving.py", "ServedLayer")
    graph = next(block.graph for block in document.blocks if isinstance(block, d.Diagram))
    taking, given = {e.target for e in graph.edges}, {e.source for e in graph.edges}
    assert [b.lines for b in graph.boxes if b.kind != "input" and b.key not in taking] == []
    assert [b.lines for b in graph.boxes if b.kind != "output" and b.key not in given] == []
    said = to_text(document).text.partition("Not followed")[2]
    assert "engine_ops.rotate is not in the workspace" in said
    assert "lost" not in said


CONTRADICTION = """
import torch
from torch import nn

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.outer = nn.Linear(4, 5), nn.Linear(3, 2)

    def forward(self, x):
        return self.outer(torch.matmul(self.inner(x), torch.zeros(7, 3)))
"""


def test_what_contradicts_itself_keeps_its_lines(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(CONTRADICTION)
    document = Analysis([tmp_path]).document("dataflow", Target(tmp_path / "model.py", None, "Model"))
    graph = next(block.graph for block in document.blocks if isinstance(block, d.Diagram))
    titles = {box.key: " ".join(box.lines) for box in graph.boxes}
    lines = [(titles[edge.source], titles[edge.target]) for edge in graph.edges]
    assert ("Linear inner", "matmul torch") in lines and ("matmul torch", "Linear outer") in lines
    assert "7" in to_text(document).text.partition("Not followed")[2]


TABLES = """
from torch import nn

class Smooth(nn.Module):
    def forward(self, x):
        return nn.functional.gelu(x)

class Wide(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.up, self.down = nn.Linear(config.size, config.inner), nn.Linear(config.inner, config.size)
        self.act = {"smooth": Smooth, "sharp": nn.ReLU}[config.activation]()

    def forward(self, x):
        return self.down(self.act(self.up(x)))

class Narrow(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.only = nn.Linear(config.size, config.size)

    def forward(self, x):
        return self.only(x)

class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm = nn.LayerNorm(config.size)
        self.mlp = {"wide": Wide, "narrow": Narrow}[config.kind](config)

    def forward(self, x):
        return x + self.mlp(self.norm(x))
"""


def test_what_a_table_gives_is_not_called_its_first_entry(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(TABLES)
    document = Analysis([tmp_path]).document("dataflow", Target(tmp_path / "model.py", None, "Layer"))
    graph = next(block.graph for block in document.blocks if isinstance(block, d.Diagram))
    activation = next(box for box in graph.boxes if "act" in box.lines)
    assert (activation.lines, activation.notes) == (("act",), ("Smooth or ReLU",))
    assert "mlp is Wide or Narrow: Wide is drawn" in to_text(document).text.partition("Not followed")[2]


SEVERAL = """
import torch
from torch import nn

class Few(nn.Module):
    def __init__(self, config, ranks):
        super().__init__()
        self.out = nn.Linear(config.size, config.size // ranks.size())

    def forward(self, states, mask):
        return {"states": self.out(states).repeat(1, 1, 2), "mask": mask}

class Many(nn.Module):
    def __init__(self, config, ranks):
        super().__init__()
        self.out = nn.Linear(config.size, config.size)

    def forward(self, states, mask):
        return {"states": self.out(states).flatten(0, 1).unsqueeze(0), "mask": mask}

class Layer(nn.Module):
    def __init__(self, config, ranks):
        super().__init__()
        if config.few:
            self.mix = Few(config, ranks)
        else:
            self.mix = Many(config, ranks)
        self.norm = nn.LayerNorm(config.size)

    def forward(self, states, mask):
        B, S, _ = states.shape
        mixed = self.mix(states=self.norm(states), mask=mask)
        if self.training:
            states = nn.functional.dropout(mixed["states"], 0.1) + states
        else:
            states = mixed["states"] + states
        return {"states": self.norm(states), "mask": mixed["mask"]}
"""


def test_what_one_of_several_gives_by_name_keeps_its_lines(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(SEVERAL)
    document = Analysis([tmp_path]).document("dataflow", Target(tmp_path / "model.py", None, "Layer"))
    graph = next(block.graph for block in document.blocks if isinstance(block, d.Diagram))
    titles = {box.key: " ".join(box.lines) for box in graph.boxes}
    lines = {(titles[e.source], e.label, titles[e.target]) for e in graph.edges}
    assert ("LayerNorm norm", "[B, S, size]", "mix") in lines
    assert ("+ residual", "[B, S, size]", "LayerNorm norm") in lines, "what was added to has the size of what was added"
    assert {b.lines for b in graph.boxes if b.kind == "output"} == {("output: states",)}
    assert "Not followed" not in to_text(document).text


def layer_as(options: ViewOptions) -> d.Document:
    return Analysis([FIXTURES]).document("dataflow", Target(FIXTURES / "decoder.py", None, "Layer"), options)


def boxes_of(document: d.Document) -> list[str]:
    graph = next(block.graph for block in document.blocks if isinstance(block, d.Diagram))
    return [" ".join(box.lines) for box in graph.boxes if box.kind not in ("input", "output")]


def test_modules_are_opened_as_deep_as_asked() -> None:
    shut, opened = (boxes_of(layer_as(ViewOptions(depth=depth))) for depth in (1, 2))
    assert shut == [
        "RMSNorm before", "Attention heads", "+ residual", "RMSNorm between", "gated MLP (SwiGLU) mlp", "+ residual",
    ]  # fmt: skip
    assert len(opened) > len(shut)
    assert "softmax" in opened, "what is recognised as a whole is opened, too"


def test_modules_stay_shut_where_the_picture_is_too_wide_with_them_open() -> None:
    wide, narrow = layer_as(ViewOptions()), layer_as(ViewOptions(width=36))
    assert not any("stay shut" in note for note in wide.notes)
    assert any("stay shut" in note for note in narrow.notes)
    assert len(boxes_of(narrow)) < len(boxes_of(wide))
    asked = layer_as(ViewOptions(width=36, depth=2))
    assert boxes_of(asked) == boxes_of(layer_as(ViewOptions(depth=2))), "what is asked for is drawn, however wide"


def test_a_function_without_tensors_has_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "plain.py"
    path.write_text("def greet(name):\n    return 'hello ' + name\n")
    with pytest.raises(UserError, match="no tensor operation"):
        Analysis([tmp_path]).document("dataflow", Target(path, None, "greet"))


def test_only_the_first_input_is_drawn_where_there_is_no_room_for_all(tmp_path: Path) -> None:
    kinds = ("attention_mask", "cosines", "sines", "lengths", "cached_keys", "values", "context", "bias", "tables")
    names = [name for kind in kinds for name in (kind, f"padding_of_{kind}")]
    (tmp_path / "m.py").write_text(
        "import torch\nfrom torch import nn\nfrom elsewhere import Part\n\n\n"
        "class Wide(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.part = Part()\n\n"
        f"    def forward(self, hidden: torch.Tensor, {', '.join(f'{n}: torch.Tensor' for n in names)}):\n"
        f"        return self.part(hidden, {', '.join(names)})\n"
    )
    document = dataflow(tmp_path / "m.py", "Wide")
    text = to_text(document).text
    assert "hidden" in text and max(map(len, text.splitlines())) <= 100
    assert any("only the first input is drawn" in note for note in document.notes)


BASES = """
import torch
from torch import nn

class Layer(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.inner = self.made(size)

    def made(self, size):
        return nn.Linear(size, size)

    def forward(self, x: torch.Tensor):
        return x + self.inner(x)

class Chosen(nn.Module):
    def __init__(self):
        super().__init__()
        self.run = self.forward_native

    def forward(self, *args, **kwargs):
        return self.run(*args, **kwargs)
"""
HEIRS = """
import torch
from torch import nn
from bases import Chosen, Layer

class Normed(Layer):
    def made(self, size):
        return nn.LayerNorm(size)

class Activation(Chosen):
    def forward_native(self, x: torch.Tensor):
        return torch.relu(x) ** 2

    def forward_cuda(self, x: torch.Tensor):
        return torch.relu(x) ** 2

class Nothing(nn.Module):
    pass
"""


@pytest.mark.parametrize("kind", ["dataflow", "ops", "memory", "pseudocode"])
def test_a_class_that_inherits_its_forward_is_told_with_its_own_parts(tmp_path: Path, kind: str) -> None:
    (tmp_path / "bases.py").write_text(BASES)
    (tmp_path / "heirs.py").write_text(HEIRS)
    analysis = Analysis([tmp_path])
    text = to_text(analysis.document(kind, Target(tmp_path / "heirs.py", None, "Normed"))).text
    assert "Normed.forward" in text.splitlines()[0]
    assert "LayerNorm" in text or kind == "pseudocode"
    chosen = to_text(analysis.document(kind, Target(tmp_path / "heirs.py", None, "Activation"))).text
    assert "Activation.forward_native" in chosen.splitlines()[0], "the base's forward takes anything: it only chooses"
    with pytest.raises(UserError, match="Nothing has no forward"):
        analysis.document(kind, Target(tmp_path / "heirs.py", None, "Nothing"))


def test_what_is_noted_for_gradients_and_what_holds_results_together_is_no_box(tmp_path: Path) -> None:
    path = tmp_path / "scaled.py"
    path.write_text(
        "from collections import namedtuple\n\n"
        "import torch\n\n\n"
        "class Scaled(torch.autograd.Function):\n"
        "    @staticmethod\n"
        "    def forward(ctx, x: torch.Tensor, w: torch.Tensor):\n"
        "        y = x * w\n"
        "        ctx.save_for_backward(x, w)\n"
        "        return y\n\n\n"
        "def scaled(x: torch.Tensor, w: torch.Tensor):\n"
        '    Output = namedtuple("Output", ["scaled", "given"])\n'
        "    return Output(scaled=Scaled.apply(x, w), given=torch.relu(x))\n"
    )
    found = dataflow(path, "scaled", depth=2)
    boxes = boxes_of(found)
    assert not [box for box in boxes if "save_for_backward" in box or "namedtuple" in box]
    assert [box for box in boxes if "relu" in box.lower()]
    assert not [b for b in found.blocks if isinstance(b, d.Heading) and "followed" in b.text.lower()]


def test_a_tensor_that_is_given_data_is_what_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "viewless.py"
    path.write_text(
        "import torch\n\n\n"
        "def with_data_of(given):\n"
        "    made = torch.empty((1,), dtype=torch.float16, device=given.device)\n"
        "    made.data = given\n"
        "    return made\n\n\n"
        "def f(x: torch.Tensor, norm):\n"
        "    y = with_data_of(norm(x))\n"
        "    z = with_data_of(torch.relu(x))\n"
        "    return y, z\n"
    )
    text = to_text(dataflow(path, "f")).text
    assert "[1]" not in text and "empty" not in text
    graph = next(block.graph for block in dataflow(path, "f").blocks if isinstance(block, d.Diagram))
    lines = {box.key: box.lines[0] for box in graph.boxes}
    joined = {(lines[edge.source], lines[edge.target]) for edge in graph.edges}
    assert joined == {("x", "norm"), ("x", "ReLU"), ("norm", "output: y"), ("ReLU", "output: z")}
