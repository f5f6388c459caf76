"""The architecture of the sample's model: a picture from afar, the tree of its parts, the table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain.document import Diagram, Picture
from kernelscope.explain.render import to_mermaid, to_text
from kernelscope.results import Target, UserError, ViewOptions

SAMPLE = Path(__file__).parents[1] / "workspaces" / "sample" / "tinyllm"
GOLDEN = Path(__file__).parent / "goldens" / "architecture_model.txt"


def test_architecture(golden: Callable[[Path, str], None]) -> None:
    document = Analysis([SAMPLE]).document("architecture", Target(SAMPLE / "model.py"), ViewOptions())
    rendered = to_text(document)
    golden(GOLDEN, rendered.text)
    rows = rendered.text.split("\n")
    assert max(map(len, rows)) <= 100
    linked = {rows[link.row][link.column : link.end_column].strip() for link in rendered.links}
    assert {"TinyLLM", "Attention", "Embedding"} <= linked


def test_the_picture_is_exported_with_its_frames() -> None:
    document = Analysis([SAMPLE]).document("architecture", Target(SAMPLE / "model.py"), ViewOptions())
    diagram = next(block for block in document.blocks if isinstance(block, Diagram))
    layers = next(group for group in diagram.graph.groups if group.repeat)
    assert layers.title == "DecoderLayer"
    assert f'subgraph g1["DecoderLayer (×{layers.repeat})"]' in to_mermaid(document)


BUILT = """
from copy import deepcopy
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

class Empty(nn.Identity):
    pass

class Dense(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up = nn.Linear(width, 4 * width)
    def forward(self, x):
        return self.up(x)

class Sparse(Dense):
    pass

class Block(nn.Module):
    def __init__(self, width, sparse):
        super().__init__()
        if sparse:
            self.feed = Sparse(width)
        else:
            self.feed = Dense(width)
        self.skip = nn.Linear(width, width) if sparse else nn.Identity()
        kind = nn.RMSNorm if sparse else nn.LayerNorm
        self.norm = kind(width)
    def forward(self, x):
        return self.skip(self.feed(self.norm(x)))

def stack(count, make, first):
    blocks = nn.ModuleList([Empty() for _ in range(first)] + [make(i) for i in range(first, count)])
    return first, blocks

def tower(block, width, depth):
    layers = []
    for _ in range(depth):
        layer = block(width, False)
        layers.append(layer)
    return nn.Sequential(*layers)

class Net(nn.Module):
    def __init__(self, width, count, first, block_class=Block):
        super().__init__()
        self.first, self.blocks = stack(count, lambda i: block_class(width, i > 2), first)
        self.tower = tower(Dense, width, 3)
        head = weight_norm(nn.Conv1d(width, width, 1))
        self.heads = nn.ModuleList([deepcopy(head) for _ in range(2)])
    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        x = self.tower(x)
        for head in self.heads:
            x = head(x)
        return x
"""
TREE = """\
Net
├─ blocks: Block ×(count - first)(width, i > 2)
│  ├─ norm: RMSNorm(width)  if sparse
│  ├─ norm: LayerNorm(width)  if not (sparse)
│  ├─ feed: Sparse(width)  if sparse
│  │  └─ up: Linear(width, 4 * width)
│  ├─ feed: Dense(width)  if not (sparse)
│  │  └─ up: Linear(width, 4 * width)
│  └─ skip: Linear(width, width)  if sparse
├─ tower: Dense ×depth(width, False)
│  └─ up: Linear(width, 4 * width)
└─ heads: Conv1d ×2(width, width, 1)"""


def test_parts_are_found_behind_functions_that_build_them(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(BUILT)
    document = Analysis([tmp_path]).document("architecture", Target(path), ViewOptions())
    tree = next(block for block in document.blocks if isinstance(block, Picture))
    assert tree.text == TREE


TWO_HEADS = """
from torch import nn

class Body(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)

    def forward(self, hidden: tuple | None):
        return self.up(self.norm(hidden))

class Classifier(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.body = Body(width)
        self.head = nn.Linear(4 * width, classes)

    def forward(self, tokens):
        return self.head(self.body(tokens))

class Tagger(nn.Module):
    def __init__(self, width, tags):
        super().__init__()
        self.body = Body(width)
        self.tags = nn.Linear(4 * width, tags)
        self.more = nn.Linear(4 * width, tags)

    def forward(self, tokens):
        hidden = self.body(tokens)
        return self.tags(hidden) + self.more(hidden)
"""


def test_what_models_have_in_common_is_listed_once(tmp_path: Path) -> None:
    file = tmp_path / "heads.py"
    file.write_text(TWO_HEADS)
    document = Analysis([tmp_path]).document("architecture", Target(file), ViewOptions())
    trees = [block.text.split("\n") for block in document.blocks if isinstance(block, Picture)]
    assert trees[0][1:4] == [
        "├─ body: Body(width)",
        "│  ├─ norm: LayerNorm(width)",
        "│  └─ up: Linear(width, 4 * width)",
    ]
    assert trees[1][1] == "├─ body: Body(width)  (parts as above)"
    assert trees[1][2].startswith(("├─ tags", "└─ head"))


def test_the_picture_of_a_part_has_what_its_model_gives(tmp_path: Path) -> None:
    """An annotation that is not true does not take the input away."""
    file = tmp_path / "heads.py"
    file.write_text(TWO_HEADS)
    document = Analysis([tmp_path]).document("architecture", Target(file, None, "Body"), ViewOptions())
    text = to_text(document).text
    assert text.index("Input: hidden") < text.index("LayerNorm") < text.index("Linear")


HANDED_IN = """
from torch import nn

class Encoder(nn.Module):
    def __init__(self, width, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in zip([width, *widths], widths))
    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

class Decoder(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.out = nn.Linear(width, 3)
    def forward(self, x):
        return self.out(x)

class Settings:
    pass

class Model(nn.Module):
    def __init__(self, encoder: Encoder, decoder: "Decoder | None", other: nn.Module, made: Encoder, second: Encoder,
                 settings: Settings):
        super().__init__()
        self.encoder = encoder
        self.settings = settings
        self.decoder = decoder
        self.other = other
        made = Decoder(2)
        self.made = made
    def forward(self, x):
        return self.made(self.decoder(self.encoder(self.other(x))))
"""


def test_what_a_constructor_is_handed_is_a_part_of_the_class_that_its_annotation_names(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(HANDED_IN)
    document = Analysis([tmp_path]).document("architecture", Target(path), ViewOptions())
    tree = next(block for block in document.blocks if isinstance(block, Picture))
    assert (
        tree.text
        == """\
Model
├─ encoder: Encoder
│  └─ layers: Linear ×len([width, *widths])(i, o)
├─ decoder: Decoder
│  └─ out: Linear(width, 3)
└─ made: Decoder(2)
   └─ out: Linear(width, 3)"""
    )


IN_TABLES = '''
import torch
from hub.models import Pretrained
from torch import nn

class Wide(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up = nn.Linear(width, 4 * width)

    def forward(self, x):
        return self.up(x)

class Thin(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.down = nn.Linear(width, width)

    def forward(self, x):
        return self.down(x)

KINDS = {"wide": Wide, "thin": Thin}
NORMS = {"wide": nn.LayerNorm}

class Model(Pretrained):
    """Of a base class that is not in the workspace."""

    def __init__(self, kind, act, width):
        super().__init__()
        self.register_buffer("scale", torch.ones(width))
        self.part = KINDS[kind](width)
        self.fixed = KINDS["thin"](width)
        self.last = KINDS.get(kind, Thin)(width)
        self.norm = NORMS.get(kind, nn.Identity)(width)
        self.act = {"gelu": nn.GELU, "relu": nn.ReLU}.get(act)()

    def forward(self, x):
        scale = self.scale
        return self.act(self.norm(self.last(self.fixed(self.part(x))))) * scale

class Held(Pretrained):
    def load(self, path):
        return torch.load(path)
'''
OF_TABLES = """\
Model
├─ part: Wide(width)  if kind == 'wide'
│  └─ up: Linear(width, 4 * width)
├─ part: Thin(width)  if kind == 'thin'
│  └─ down: Linear(width, width)
├─ fixed: Thin(width)
│  └─ down: Linear(width, width)
├─ last: Wide(width)  if kind == 'wide'
│  └─ up: Linear(width, 4 * width)
├─ last: Thin(width)  if kind == 'thin' or kind not in KINDS
│  └─ down: Linear(width, width)
├─ norm: LayerNorm(width)  if kind == 'wide'
├─ act: GELU  if act == 'gelu'
└─ act: ReLU  if act == 'relu'"""


def test_parts_are_found_in_tables_of_classes_and_in_layers_of_foreign_bases(tmp_path: Path) -> None:
    """Who writes a `forward` for a class whose base nobody can follow writes a layer."""
    path = tmp_path / "model.py"
    path.write_text(IN_TABLES)
    document = Analysis([tmp_path]).document("architecture", Target(path), ViewOptions())
    tree = next(block for block in document.blocks if isinstance(block, Picture))
    assert tree.text == OF_TABLES
    hover = Analysis([tmp_path]).hover(path, IN_TABLES.index("scale = self"))
    assert hover is not None and hover.signature == "scale: Tensor[width]  float32"
    with pytest.raises(UserError, match="Held is not a module"):
        Analysis([tmp_path]).document("architecture", Target(path, symbol="Held"), ViewOptions())


BACKBONE = """
from torch import nn

class Backbone(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.takes_tokens = config.takes_tokens
        self.embed = nn.Embedding(config.vocab, config.width)
        self.norm = nn.LayerNorm(config.width)

    def forward(self, input_ids):
        x = input_ids
        if self.takes_tokens:
            x = self.embed(x)
        x = self.norm(x)
        hidden = x
        return hidden, x.sum()
"""


def test_a_part_that_runs_under_a_condition_says_so_and_ends_are_called_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "backbone.py").write_text(BACKBONE)
    text = to_text(Analysis([tmp_path]).document("architecture", Target(tmp_path / "backbone.py"))).text
    picture = text[: text.index("├─")]
    assert "← if self.takes_tokens" in picture and picture.count("←") == 1
    assert "Input: input_ids" in picture
    assert "Output: hidden" in picture and "Output: output" not in picture


CHOSEN = """
from torch import nn

class Block(nn.Module):
    def __init__(self, width, deep):
        super().__init__()
        self.up = nn.Linear(width, width)
        self.down = nn.Linear(width, width) if deep else nn.Identity()

    def forward(self, x):
        return self.down(self.up(x))

class Model(nn.Module):
    def __init__(self, width, depth, stages):
        super().__init__()
        self.stages = nn.ModuleList(nn.ModuleList(Block(width, True) for _ in range(depth)) for _ in range(stages))
        self.head = nn.LayerNorm(width)

    def forward(self, x):
        for stage in self.stages:
            for block in stage:
                x = block(x)
        return self.head(x)
"""


def test_parts_are_counted_with_the_lists_around_them(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(CHOSEN)
    text = to_text(Analysis([tmp_path]).document("architecture", Target(tmp_path / "model.py", None, "Model"))).text
    cells = [[cell.strip() for cell in row.split("│")[1:4]] for row in text.split("\n") if row.startswith("│")]
    counted = {name: (places, in_all) for name, places, in_all in (row for row in cells if len(row) == 3)}
    assert counted["LayerNorm"] == ("1", "1")
    assert counted["Linear"] == ("2", "≤ 2 × stages*depth")


TWO_CONFIGURATIONS = """
from torch import nn


class Mlp(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.up = nn.Linear(config.hidden, config.inner)

    def forward(self, x):
        return self.up(x)


class Tower(nn.Module):
    def __init__(self, config, tail):
        super().__init__()
        self.config = config
        self.tail = tail.text
        self.blocks = nn.ModuleList([Mlp(config) for _ in range(config.depth)])
        self.last = Mlp(self.config)
        self.end = Mlp(self.tail)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.end(self.last(x))


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.sight = Tower(config.vision, config)
        self.words = Mlp(config=config.text)
        self.made = Mlp(config.build())

    def forward(self, x):
        return self.made(self.words(self.sight(x)))
"""


def test_objects_that_parts_are_handed_go_by_what_the_model_calls_them(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(TWO_CONFIGURATIONS)
    text = to_text(Analysis([tmp_path]).document("architecture", Target(path, None, "Model"))).text
    built = [line.strip("├└─│ ") for line in text.splitlines() if "up: Linear(" in line or "blocks: " in line]
    assert built == [
        "blocks: Mlp ×config.vision.depth(config.vision)",
        "up: Linear(config.vision.hidden, config.vision.inner)",
        "up: Linear(config.vision.hidden, config.vision.inner)",
        "up: Linear(config.text.hidden, config.text.inner)",
        "up: Linear(config.text.hidden, config.text.inner)",
        "up: Linear(config.hidden, config.inner)",
    ]
