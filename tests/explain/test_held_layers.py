"""Objects of one class that hold different layers: each is told with its own, or it is said that there are several."""

from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.explain.render import to_text
from kernelscope.results import Target

CHAIN = """
import torch
from torch import nn


class Squeeze(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.narrow = nn.Linear(width, width)

    def forward(self, x, context):
        return x + self.narrow(x * context)


class Mix(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.proj = nn.Linear(width, width)
        self.back = nn.Linear(width, width)

    def forward(self, x):
        return self.back(torch.relu(self.proj(x)))


class Chain(nn.Sequential):
    def forward(self, x, context):
        for layer in self:
            x = layer(x, context) if isinstance(layer, Squeeze) else layer(x)
        return x


class Stages(nn.Module):
    def __init__(self, width, depth, mixed{parameter}):
        super().__init__()
        self.blocks = nn.ModuleList([Chain(nn.Embedding(1000, width))])
        now = width
        for level, factor in enumerate({widths}):
            for _ in range(depth):
                layers = [Squeeze(now)]
                if level in mixed:
                    layers.append(Mix(now))
                self.blocks.append(Chain(*layers))
            self.blocks.append(Chain(nn.Linear(now, factor * 2 * width)))
            now = factor * 2 * width

    def forward(self, x, context):
        for block in self.blocks:
            x = block(x, context)
        return x
"""

PICKED = """
from torch import nn


class Act(nn.Module):
    def __init__(self, width, gated):
        super().__init__()
        self.up = nn.Linear(width, width)
        self.gate = nn.Linear(width, width) if gated else nn.Identity()
        self.down = nn.Linear(width, width)

    def forward(self, x):
        return self.down(self.gate(self.up(x)))


class Picks(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.acts = nn.ModuleList([Act(width, {first}), Act(2 * width // 2, {second})])

    def forward(self, x, i):
        return self.acts[i](x)
"""


KNOWN = CHAIN.format(parameter="", widths="(1, 2)")
OPEN = CHAIN.format(parameter=", widths=(1, 2)", widths="widths")


def told(tmp_path: Path, kind: str, source: str, symbol: str) -> str:
    path = tmp_path / "model.py"
    path.write_text(source)
    return to_text(Analysis([tmp_path]).document(kind, Target(path, None, symbol))).text


def test_each_object_of_a_list_is_drawn_with_its_own_layers(tmp_path: Path) -> None:
    text = told(tmp_path, "dataflow", KNOWN, "Stages")
    assert text.count("│ Embedding ") == 1 and text.count("for block in blocks (×depth)") == 2
    assert [text.count(weight) for weight in ("[W, W]", "[2*W, W]", "[2*W, 2*W]", "[4*W, 2*W]")] == [3, 1, 3, 1]
    assert text.index("[2*W, W]") < text.index("[2*W, 2*W]") < text.index("[4*W, 2*W]")
    assert "(×1)" not in text and "hold different layers" not in text


def test_layers_that_a_test_puts_into_a_list_are_drawn_with_it(tmp_path: Path) -> None:
    assert told(tmp_path, "dataflow", KNOWN, "Stages").count("if level in mixed") == 2


def test_the_operator_table_counts_each_object_as_often_as_it_runs(tmp_path: Path) -> None:
    rows = [row.split("│") for row in told(tmp_path, "ops", KNOWN, "Stages").splitlines()]
    times = [
        cells[3].strip()
        for cells in rows
        if len(cells) > 4 and cells[2].strip() in ("Embedding layer", "Linear narrow")
    ]
    assert times[-3:] == ["1", "D", "D"]


def test_pseudocode_counts_all_rounds_of_such_a_loop(tmp_path: Path) -> None:
    assert "×2*depth+3" in told(tmp_path, "pseudocode", KNOWN, "Stages")


def test_that_objects_of_one_class_hold_different_layers_is_said_where_one_is_drawn(tmp_path: Path) -> None:
    said = "objects of {} that hold different layers: one is drawn"
    assert said.format("Chain") in told(tmp_path, "dataflow", OPEN, "Stages")
    assert said.format("Act") in told(tmp_path, "dataflow", PICKED.format(first="True", second="False"), "Picks")
    assert "one of 2" not in told(tmp_path, "dataflow", PICKED.format(first="True", second="True"), "Picks")


EXTENDED = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.enter = nn.Conv2d(channels, width, 3, padding=1)

    def forward(self, x):
        return self.enter(x)


class Refined(Net):
    def __init__(self, channels, width):
        super().__init__(2 * channels, width)

    def forward(self, x, coarse):
        return super().forward(torch.cat([x, coarse], dim=1))
"""


def test_an_object_of_a_class_below_that_does_more_does_not_stand_for_those_of_the_class(tmp_path: Path) -> None:
    assert "[W, C, 3, 3]" in told(tmp_path, "dataflow", EXTENDED, "Net")
    assert "[W, 2*C, 3, 3]" in told(tmp_path, "dataflow", EXTENDED, "Refined")


def test_of_objects_that_hold_different_layers_the_one_that_does_most_is_drawn(tmp_path: Path) -> None:
    assert "narrow" in told(tmp_path, "dataflow", OPEN, "Stages")
