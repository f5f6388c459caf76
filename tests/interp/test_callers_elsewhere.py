"""What callers in other files give tells ranks and names; what they leave out may be given by others.

What one function is told depends on nothing that was asked before.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from interp.expectations import shapes_of
from kernelscope.analysis import Analysis
from kernelscope.explain.render import to_text
from kernelscope.interp.handed_parts import is_handed_parts
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.runs import run_file
from kernelscope.results import Target
from kernelscope.tensor import Tensor
from kernelscope.workspace import nearby, usages
from kernelscope.workspace.files import Files
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.workspace import Workspace

LAYER = """
import torch
from torch import nn

class Mixer(nn.Module):
    def forward(self, x, cache{}):
        if cache is not None:
            x = torch.cat([cache, x], 1)
        y = x * 2
        return y
"""
MODEL = """
from layer import Mixer
from torch import nn

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = Mixer()

    def forward(self, x):
        B, S, H = x.shape
        return self.mix(x{})
"""


@pytest.mark.parametrize(("default", "given", "shape"), [("=None", "", "[B, x_dim1, H]"), ("", ", None", "[B, S, H]")])
def test_an_optional_argument_that_callers_elsewhere_leave_out_may_be_given(
    tmp_path: Path, default: str, given: str, shape: str
) -> None:
    (tmp_path / "layer.py").write_text(LAYER.format(default))
    (tmp_path / "model.py").write_text(MODEL.format(given))
    shape_on = shapes_of(tmp_path / "layer.py")
    assert shape_on(6).startswith("[B, S, H]")
    assert shape_on(9) == shape


OWN = """
from torch import nn

class Scale(nn.Module):
    def forward(self, x):
        return x * 2

class Block(nn.Module):
    def forward(self, x):
        y = x * 2
        return y

class Wrapper(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block()

    def forward(self, x):
        B, S, H = x.shape
        return self.block(x)
"""
OTHER = """
from layer import Block, Scale
from torch import nn

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale, self.block = Scale(), Block()

    def forward(self, x, z):
        return self.block(self.block(self.block(z))) + self.scale(x)
"""


def test_callers_elsewhere_take_nothing_from_what_the_callers_of_the_file_tell(tmp_path: Path) -> None:
    (tmp_path / "layer.py").write_text(OWN)
    (tmp_path / "model.py").write_text(OTHER)
    shape_on = shapes_of(tmp_path / "layer.py")
    assert shape_on(10) == "[B, S, H]"


ROWS = """
import torch
from torch import nn

class Angles(nn.Module):
    def forward(self, x, offset=0):
        B, S, H = x.shape
        steps = torch.arange(S + offset)
        return steps
"""


def test_a_number_that_callers_elsewhere_leave_out_may_be_another(tmp_path: Path) -> None:
    (tmp_path / "layer.py").write_text(ROWS)
    (tmp_path / "model.py").write_text(
        MODEL.format("").replace("Mixer", "Angles").replace("self.mix(x)", "self.mix(x), self.mix(x)")
    )
    shape_on = shapes_of(tmp_path / "layer.py")
    assert shape_on(8) == "[S+offset]"


GENERATE = """
import torch

def generate(prompt, steps=128, block=128):
    canvas = torch.zeros(prompt.shape[0], block, steps)
    return canvas
{}
"""
DEMO = """
def main():
    return generate(torch.zeros(3, 5), block=32)
"""


def test_a_number_that_a_script_sets_otherwise_than_it_is_by_default_may_be_any(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(GENERATE.format(DEMO))
    assert shapes_of(tmp_path / "own.py")(5) == "[prompt_dim0, block, steps]"
    (tmp_path / "generate.py").write_text(GENERATE.format(""))
    (tmp_path / "demo.py").write_text(f"from generate import generate\n{DEMO}")
    assert shapes_of(tmp_path / "generate.py")(5) == "[prompt_dim0, block, steps]"


ANEW = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.out = nn.Linear(width, 10)

    def forward(self, x):
        y = self.out(x)
        return y

net = Net(32)
net = net.to("cuda").eval()
net = torch.compile(net)

def double(x):
    y = x.repeat(1, 2)
    return y

double = torch.compile(double)

def run(batch):
    y = net(torch.zeros(batch, 32))
    z = double(y)
    return z
"""


def test_what_a_file_gives_a_name_anew_is_what_it_was_before_and_its_calls_tell(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(ANEW)
    shape_on = shapes_of(tmp_path / "script.py")
    assert shape_on(11) == "[batch, 10]"
    assert shape_on(19) == shape_on(26) == "[batch, 20]"


@pytest.mark.parametrize(("rounds", "is_followed"), [(3, True), (3000, False)])
def test_a_name_that_a_file_gives_anew_is_followed_back_a_few_times(
    tmp_path: Path, rounds: int, is_followed: bool
) -> None:
    made = "import torch\nx = torch.zeros(2, 3)\n" + "x = x + 1\n" * rounds
    (tmp_path / "made.py").write_text(f"{made}def f():\n    y = x * 2\n    return y\n")
    found = run_file(Workspace(Files([str(tmp_path)])), str(tmp_path / "made.py"))
    values = [seen.value for seen in found.values.values() if isinstance(seen.value, Tensor)]
    assert [str(value.shape) for value in values].count("[2, 3]") == len(values)
    assert bool(values) == is_followed


SWITCHED = """
from torch import nn

class Wide(nn.Module):
    def __init__(self, width, twice=True):
        super().__init__()
        self.proj = nn.Linear(width, 2 * width if twice else width)

    def forward(self, x):
        y = self.proj(x)
        return y
"""


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        ("", "[..., 2*width]"),
        (", False", "[..., width_2]"),
        (", twice=wide", "[..., width_2]"),
        (", twice=True", "[..., 2*width]"),
    ],
)
def test_a_switch_that_a_place_elsewhere_may_set_otherwise_is_open(tmp_path: Path, given: str, shape: str) -> None:
    (tmp_path / "layer.py").write_text(SWITCHED)
    (tmp_path / "model.py").write_text(
        f"from layer import Wide\n\ndef build(width, wide):\n    return Wide(width{given})\n"
    )
    shape_on = shapes_of(tmp_path / "layer.py")
    assert shape_on(10) == shape


PART = """
class {name}(nn.Module):
    def forward(self, x):
        {name}_y = x * 2
        return {name}_y
"""
USER = """
from parts import {names}
from torch import nn

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.Sequential({parts})

    def forward(self, x):
        B, S, {width} = x.shape
        return self.parts(x)
"""
PARTS = ("First", "Second", "Third", "Fourth", "Fifth", "Sixth")


@pytest.mark.parametrize("step", [1, -1, 5])
def test_the_order_of_questions_decides_nothing_of_what_callers_elsewhere_tell(tmp_path: Path, step: int) -> None:
    """Each class is called in a file of its own, the first two together in one more that lies further away."""
    code = "from torch import nn\n" + "".join(PART.format(name=name) for name in PARTS)
    path = tmp_path / "parts.py"
    path.write_text(code)
    for name in PARTS:
        user = USER.format(names=name, parts=f"{name}()", width=f"{name}_width")
        (tmp_path / f"{name.lower()}_model.py").write_text(user)
    (tmp_path / "further").mkdir()
    both = USER.format(names="First, Second", parts="First(), Second()", width="W")
    (tmp_path / "further" / "model.py").write_text(both)
    analysis = Analysis([tmp_path])
    found: dict[str, str] = {}
    for i in range(len(PARTS)):
        name = PARTS[i * step % len(PARTS)]
        hover = analysis.hover(path, code.index(f"{name}_y = "))
        found[name] = "" if hover is None else hover.signature
    told = {name: f"{name}_y: Tensor[B, S, {name}_width]" for name in PARTS[2:]}
    assert found == {name: f"{name}_y: Tensor[B, S, x_dim2]" for name in PARTS[:2]} | told


LAYERS = """
import torch
from torch import nn

class Attention(nn.Module):
    def __init__(self, width, heads=8, head_dim=64):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, heads * head_dim)

    def forward(self, x):
        B, S, W = x.shape
        q = self.q(x).view(B, S, self.heads, -1)
        return q

class Layers(nn.Module):
    def __init__(self, width, heads=8, **more):
        super().__init__()
        self.attention = Attention(width, heads=heads, **more)

    def forward(self, x):
        return self.attention(x)

class Encoder(Layers):
    def __init__(self, **options):
        super().__init__(**options)

class Wrapper(nn.Module):
    def __init__(self, *, words, layers):
        super().__init__()
        self.embed = nn.Embedding(words, layers.attention.q.in_features)
        self.layers = layers

    def forward(self, tokens):
        return self.layers(self.embed(tokens))
"""


def test_a_layer_that_a_place_elsewhere_gives_is_an_example(tmp_path: Path) -> None:
    (tmp_path / "parts.py").write_text(LAYERS)
    (tmp_path / "model.py").write_text(
        "from parts import Encoder, Wrapper\nfrom torch import nn\n\n"
        "class Model(nn.Module):\n    def __init__(self, width):\n        super().__init__()\n"
        "        self.inner = Wrapper(words=100, layers=Encoder(width=width))\n\n"
        "    def forward(self, tokens):\n        B, S = tokens.shape\n        return self.inner(tokens)\n"
    )
    shape_on = shapes_of(tmp_path / "parts.py")
    assert shape_on(13) == "[B, S, heads, head_dim]"


TURNED = """
from torch import nn

class Stage(nn.Module):
    def __init__(self, make):
        super().__init__()
        self.part = make()

    def forward(self, hidden_states):
        turned = hidden_states.t()
        return self.part(turned)
"""


STAGES = """
import torch
from torch import nn

class Stages(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1) for width in widths])

    def forward(self, hidden_states: torch.Tensor):
        for conv in self.convs:
            hidden_states = conv(hidden_states)
        return hidden_states
"""


OF_FOUR_DIMS = "[hidden_states_size0, hidden_states_size1, hidden_states_size2, hidden_states_size3]"


@pytest.mark.parametrize(
    ("text", "line", "shape"), [(TURNED, 9, "[...]"), (STAGES, 10, OF_FOUR_DIMS)], ids=["turned", "in a loop"]
)
def test_where_ranks_cannot_be_tried_any_more_names_promise_none_with_which_the_code_cannot_run(
    text: str, line: int, shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernelscope.interp.ranks.ALL_STEPS", -1)
    monkeypatch.setattr("kernelscope.interp.attempts.ALL_STEPS", -1, raising=False)
    (tmp_path / "stage.py").write_text(text)
    shape_on = shapes_of(tmp_path / "stage.py")
    assert shape_on(line) == shape


TAKES_LAYERS = """
from torch import nn

class Attention(nn.Module):
    def __init__(self, dim: int, heads: int, size: int, query: nn.Module, key: nn.Module, out: nn.Module):
        super().__init__()
        self.heads, self.size = heads, size
        self.query = query
        self.key = key
        self.out = out

    def forward(self, x):
        B, T, _ = x.shape
        q = self.query(x)
        k = self.key(x)
        return self.out(q), k
"""
GIVES_LAYERS = """
from layer import Attention
from torch import nn

def small(width, n, size):
    out = nn.Linear(n * size, width)
    return Attention(dim=width, heads=n, size=size, query=nn.Linear(width, n * size), key=nn.Linear(width, n), out=out)

def large(width, n, size, keys):
    return Attention(width, n, size, nn.Linear(width, n * size, bias=False), nn.Linear(width, keys), nn.Identity())
"""


def test_torch_layers_that_are_given_are_told_in_the_words_of_the_object(tmp_path: Path) -> None:
    (tmp_path / "layer.py").write_text(TAKES_LAYERS)
    (tmp_path / "model.py").write_text(GIVES_LAYERS)
    shape_on = shapes_of(tmp_path / "layer.py")
    lines = TAKES_LAYERS.split("\n")
    told = [shape_on(lines.index(line) + 1) for line in lines if line.startswith(("        q =", "        k ="))]
    assert told == ["[B, T, heads*size]", "[B, T, k_dim2]"]  # keys are of different widths


SPLINE = """
def spline(inputs, widths):
    y = inputs * widths.sum(-1)
    return y

def transform(inputs, widths):
    return spline(inputs=inputs, widths=widths)
"""
FLOW = """
from layer import transform
from torch import nn

class Flow(nn.Module):
    def forward(self, x):
        B, C, T = x.shape
        return transform(x, x.reshape(B, C, T, 1))
"""


def test_what_is_only_given_on_is_what_callers_elsewhere_give(tmp_path: Path) -> None:
    (tmp_path / "layer.py").write_text(SPLINE)
    (tmp_path / "model.py").write_text(FLOW)
    shape_on = shapes_of(tmp_path / "layer.py")
    assert shape_on(3) == "[B, C, T]"


TOLD = '''
import torch
from torch import nn

class Masked(nn.Module):
    def forward(self, x: torch.Tensor, mask: torch.Tensor, weight: torch.Tensor, other: torch.Tensor):
        """
        Args:
            x (torch.Tensor): of shape (batch, time, width)
            mask (torch.Tensor): of shape (batch,)
            weight (torch.Tensor): of shape (batch, time{})
        """
        m = mask * 1
        w = weight * 1
        n = weight.shape[2]
        return x, m, w, n, other
'''
TELLING = """
import torch
from masked import Masked
from torch import nn

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.masked = Masked()

    def forward(self, x, lens):
        B, S, H = x.shape
        return self.masked(x, torch.zeros(B, S), lens, lens)
"""


def test_documentation_that_callers_elsewhere_contradict_is_not_believed(tmp_path: Path) -> None:
    """Nor is what the code contradicts, though callers elsewhere leave it open."""
    path = tmp_path / "masked.py"
    (tmp_path / "model.py").write_text(TELLING)
    for more, weight in ((", heads", "[batch, time, heads]"), ("", "[...]")):
        path.write_text(TOLD.format(more))
        shape_on = shapes_of(path)
        assert shape_on(13) == "[B, S]"
        assert shape_on(14) == weight


DOUBTFUL = '''
from layer import Mixer
from torch import nn

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = Mixer()

    def forward(self, x, mask, bias, scale):
        """
        Args:
            x: of shape `(batch, length, width)`
            mask: of shape `(batch, heads)`
            bias: of shape `(groups, rest)`
            scale: of shape `(inner, outer)`
        """
        x = x + mask
        x = x * bias
        x = x - scale.squeeze(4)
        return self.mix(x, None)
'''


def test_a_caller_elsewhere_is_not_followed_once_for_each_of_its_documented_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is told of it may contradict itself: of all that is told then, or of nothing."""
    from kernelscope.interp import attempts

    (tmp_path / "layer.py").write_text(LAYER.format(""))
    (tmp_path / "model.py").write_text(DOUBTFUL)
    followed: list[str] = []
    run_function = attempts.run_function

    def counted(*args: Any) -> Any:
        followed.append(Path(args[1]).name)
        return run_function(*args)

    monkeypatch.setattr(attempts, "run_function", counted)
    run_file(Workspace(Files([str(tmp_path)])), str(tmp_path / "layer.py"))
    assert followed.count("model.py") == 2


PARTED = '''
import torch

def parted(pairs, axis=-1):
    """
    Args:
        pairs (torch.Tensor): of shape (batch, places, 4)
    """
    first, second = pairs.chunk(2, {axis})
    return torch.cat([second, first], axis)
'''


@pytest.mark.parametrize("argument", ["axis", "dim=axis"])
@pytest.mark.parametrize(
    ("given", "shape"), [("", "[batch, places, 2]"), (", axis=-1", "[batch, places, 2]"), (", axis=1", "?")]
)
def test_documentation_holds_for_the_axis_that_is_usual(tmp_path: Path, argument: str, given: str, shape: str) -> None:
    """Who chooses another one gives another layout."""
    path = tmp_path / "layer.py"
    path.write_text(PARTED.format(axis=argument))
    (tmp_path / "model.py").write_text(
        f"from layer import parted\n\ndef decode(pairs):\n    return parted(pairs{given})\n"
    )
    shape_on = shapes_of(path)
    assert shape_on(9) == shape


ONCE = """
from torch import nn

class Mix(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.proj = nn.Linear(width, width * width)

    def forward(self, x):
        y = self.proj(x)
        return y

class Wrapper(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = Mix(width=64)

    def forward(self, x):
        B, S, H = x.shape
        return self.mix(x)
"""
AGAIN = """
from layer import Mix
from torch import nn

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = Mix(width={})

    def forward(self, x):
        {} = x.shape
        return self.mix(x)
"""


@pytest.mark.parametrize(
    ("width", "sizes", "shape"),
    [
        ("", "", "[B, S, 4096]"),
        ("64", "A, B, C", "[x_dim0, x_dim1, width*width]"),
        ("128", "A, B, C", "[x_dim0, x_dim1, width*width]"),
        ("128", "A, B", "[..., width*width]"),
    ],
)
def test_one_caller_of_many_is_an_example(tmp_path: Path, width: str, sizes: str, shape: str) -> None:
    """Its numbers and ranks are those of one place; where others call as well they are not told as those of all."""
    path = tmp_path / "layer.py"
    path.write_text(ONCE)
    if width:
        (tmp_path / "model.py").write_text(AGAIN.format(width, sizes))
    shape_on = shapes_of(path)
    assert shape_on(10) == shape


STAGES = """
from torch import nn

class Stages(nn.Module):
    def __init__(self, widths=(4, 8)):
        super().__init__()
        self.parts = nn.ModuleList([nn.Conv2d(a, a, 3, 2) for a in widths])
        self.proj = nn.Conv2d(widths[0], widths[0], 1)

    def forward(self, x):
        y = self.proj(x)
        return y

class Wrapper(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.stages = Stages(widths)

    def forward(self, x):
        B, C, H, W = x.shape
        return self.stages(x)
"""


def test_an_example_does_not_tell_how_many_there_are_where_another_call_leaves_it_open(tmp_path: Path) -> None:
    path = tmp_path / "layer.py"
    path.write_text(STAGES)
    more = AGAIN.replace("Mix(width={})", "Stages()").replace("Mix", "Stages").format("A, B, C, D")
    (tmp_path / "model.py").write_text(more)
    shape_on = shapes_of(path)
    assert shape_on(11) == "[x_dim0, widths[0], x_dim2, x_dim3]"


DENOISE = """
from torch import Tensor

def denoise(model, img: Tensor, ids: Tensor, steps):
    for step in steps:
        moved = img + step * model(img, ids)
    return moved
"""
SCRIPT = """
import torch
from denoise import denoise

def prepare(size: int):
    return {"img": torch.zeros(2, size, 64), "ids": torch.zeros(2, size, 3)}

def main(model, size: int):
    return denoise(model, **prepare(size), steps=[1.0])
"""


def test_a_function_of_a_script_that_nothing_calls_tells_what_it_gives(tmp_path: Path) -> None:
    """Without it `img` were taken for a picture of four dims, by its name."""
    (tmp_path / "denoise.py").write_text(DENOISE)
    (tmp_path / "script.py").write_text(SCRIPT)
    shape_on = shapes_of(tmp_path / "denoise.py")
    assert shape_on(6) == "[img_dim0, size, img_dim2]"


NESTED = """
import torch
from torch import nn

class Out(nn.Module):
    def forward(self, x):
        scaled = x * 2
        return scaled

class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = Out()

    def forward(self, x):
        return self.out(x)

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.mlp = Mlp()
        self.out = Out()

    def forward(self, x):
        B, S, H = x.shape
        rows = self.mlp(x{})
        return self.mlp(x), rows, self.out(x)
"""


@pytest.mark.parametrize(("rows", "shape"), [(".view(-1, H)", "[..., H]"), ("", "[B, S, H]")])
def test_a_caller_that_is_given_different_ranks_gives_different_ranks(tmp_path: Path, rows: str, shape: str) -> None:
    (tmp_path / "model.py").write_text(NESTED.format(rows))
    shape_on = shapes_of(tmp_path / "model.py")
    assert shape_on(7) == shape


SCALED = """
def scaled(x, by):
    y = x.contiguous() * by
    return y
"""
HELPED = """
from scaled import scaled
from torch import nn

def helped(x):
    return scaled(x, 2)

class Model(nn.Module):
    def forward(self, x):
        B, S, H = x.shape
        return helped(x)
"""


def test_a_function_to_which_a_model_leads_says_nothing_by_itself(tmp_path: Path) -> None:
    (tmp_path / "scaled.py").write_text(SCALED)
    (tmp_path / "model.py").write_text(HELPED)
    shape_on = shapes_of(tmp_path / "scaled.py")
    assert shape_on(3) == "[B, S, H]"


CHOSEN = """
from torch import nn

class Plain(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, x):
        for layer in self.layers:
            x = x + layer(x)
        return x
"""
CHOOSING = """
from chosen import Plain
from torch import nn
{}
class Model(nn.Module):
    def __init__(self, width, is_odd=False):
        super().__init__()
        {}

    def forward(self, tokens):
        B, S, H = tokens.shape
        return self.net(tokens)
"""


@pytest.mark.parametrize(
    ("before", "made", "is_told"),
    [
        (
            "",
            "kind = Odd if is_odd else Plain\n        self.net = kind(nn.ModuleList([nn.Linear(width, width)]))",
            True,
        ),
        (
            "def build(kind, width):\n    return kind(nn.ModuleList([nn.Linear(width, width)]))\n",
            "self.net = build(Plain, width)",
            True,
        ),
        ("", "self.net = is_odd\n        assert not isinstance(is_odd, Plain)", False),
    ],
)
def test_a_class_that_is_named_elsewhere_is_made_there(tmp_path: Path, before: str, made: str, is_told: bool) -> None:
    (tmp_path / "chosen.py").write_text(CHOSEN)
    (tmp_path / "model.py").write_text(CHOOSING.format(before, made))
    assert (shapes_of(tmp_path / "chosen.py")(9) == "[B, S, width]") is is_told


SHOWN = '''
import torch
from torch import nn

class Summed(nn.Module):
    """
    >>> Summed()(torch.rand(5, 100, 50))
    """

    def forward(self, x):
        y = x * 2
        return y.sum(1)
'''
UNTELLING = """
import torch
from shown import Summed
from torch import nn

class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        self.summed = Summed()

    def forward(self, x: torch.Tensor, sizes):
        return self.summed(x.view(*sizes))
"""


def test_an_example_tells_how_many_dims_beside_callers_that_do_not(tmp_path: Path) -> None:
    (tmp_path / "shown.py").write_text(SHOWN)
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(UNTELLING)
    assert shapes_of(tmp_path / "shown.py")(11) == "[x_dim0, x_dim1, x_dim2]"


HANDED = """
from dataclasses import dataclass

import torch
from torch import nn

@dataclass
class Parts:
    norm: nn.Module
    down: nn.Module | None

class Mix(nn.Module):
    def __init__(self, width: int, parts: Parts):
        super().__init__()
        self.norm = parts.norm
        self.down = parts.down

    def forward(self, positions: torch.Tensor, hidden_states: torch.Tensor) -> torch.Tensor:
        h = self.norm(hidden_states)
        y = self.down(h)
        return y
"""
MADE_OF_PARTS = """
from layers.mix import Mix, Parts
from torch import nn

class Block(nn.Module):
    def __init__(self, width: int, rank: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.down = nn.Linear(width, rank)
        parts = Parts(norm=self.norm, down=self.down)
        self.mix = Mix(width, parts)

    def forward(self, positions, hidden_states):
        return self.mix(positions, hidden_states)
"""


def test_layers_in_a_record_that_others_hand_on_are_what_those_give_however_far_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (nearby, usages):
        monkeypatch.setattr(module, "MAX_FILES", 2)
    for folder in ("layers", "models"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text("")
    (tmp_path / "layers" / "other.py").write_text("x = 1\n")
    (tmp_path / "layers" / "mix.py").write_text(HANDED)
    (tmp_path / "models" / "block.py").write_text(MADE_OF_PARTS)
    document = Analysis([tmp_path]).document("dataflow", Target(tmp_path / "layers" / "mix.py", None, "Mix.forward"))
    text = to_text(document).text
    assert "Linear" in text and "rank" in text
    assert "is not followed" not in text


def test_only_layers_in_a_record_are_looked_for_far_away(tmp_path: Path) -> None:
    by_itself = HANDED.replace("parts: Parts", "norm: nn.Module, down: nn.Module").replace("= parts.", "= ")
    found: list[bool] = []
    for name, text in (("record", HANDED), ("layer", by_itself)):
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        run = Interpreter(Workspace(Files([str(tmp_path)])))
        cls = run.workspace.modules.resolve(str(path), "Mix")
        assert isinstance(cls, Definition)
        found.append(is_handed_parts(run, cls))
    assert found == [True, False]


INNERMOST = """
from torch import nn

class Norm(nn.Module):
    def __init__(self, size, heads):
        super().__init__()
        self.size = size

    def forward(self, x, mask=None):
        y = x - x.mean(-1, keepdim=True)
        return y
"""
BETWEEN = """
from innermost import Norm
from torch import nn

class Block(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.norm = Norm(size, heads={})

    def forward(self, x, mask):
        return self.norm(x, mask=mask)
"""
OUTERMOST = """
import torch
from between import Block
from torch import nn

class Model(nn.Module):
    def __init__(self, words, size):
        super().__init__()
        self.table, self.block = nn.Embedding(words, size), Block(size)

    def forward(self, tokens):
        B, S = tokens.shape
        return self.block(self.table(tokens), tokens[:, None] > 0)
"""


@pytest.mark.parametrize(("heads", "shape"), [("4", "[B, S, size]"), ("1", "[...]")])
def test_who_calls_those_that_call_tells_what_these_do_not_know(tmp_path: Path, heads: str, shape: str) -> None:
    (tmp_path / "innermost.py").write_text(INNERMOST)
    (tmp_path / "between.py").write_text(BETWEEN.format(heads))
    (tmp_path / "outermost.py").write_text(OUTERMOST)
    assert shapes_of(tmp_path / "innermost.py")(10) == shape  # one head is a special case, not what everybody has


BACKENDS = """
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

class Backend(ABC):
    def attend(self, q, k, v, layer):
        return self.decode(q, k, v, layer) if layer.decodes else self.extend(q, k, v, layer)

    def decode(self, q, k, v, layer):
        raise NotImplementedError()

    @abstractmethod
    def extend(self, q, k, v, layer):
        ...

class Plain(Backend):
    def decode(self, q, k, v, layer):
        return torch.softmax(q * k, -1) * v

    def extend(self, q, k, v, layer):
        return torch.sigmoid(q * k) * v

@dataclass
class Batch:
    seq_lens: torch.Tensor
    backend: Backend = None
"""
ATTENDING = """
import torch
from backends import Batch
from torch import nn

class Attention(nn.Module):
    def __init__(self, heads: int, width: int):
        super().__init__()
        self.heads, self.width = heads, width
        self.qkv = nn.Linear(heads * width, 3 * heads * width)
        self.out = nn.Linear(heads * width, heads * width)

    def forward(self, positions: torch.Tensor, hidden_states: torch.Tensor, batch: Batch):
        q, k, v = self.qkv(hidden_states).chunk(3, -1)
        o = batch.backend.attend(q, k, v, self)
        return self.out(o)
"""


def test_methods_that_a_class_leaves_to_others_are_what_those_do(tmp_path: Path) -> None:
    (tmp_path / "backends.py").write_text(BACKENDS)
    (tmp_path / "attention.py").write_text(ATTENDING)
    document = Analysis([tmp_path]).document("dataflow", Target(tmp_path / "attention.py", None, "Attention.forward"))
    text = to_text(document).text
    assert text.count("[T, H*W]") == 4
    assert "is not followed" not in text


JUDGED = """
import torch
from torch import nn

class Judged(nn.Module):
    def __init__(self, judge, scale=None):
        super().__init__()
        self.judge = judge

    def forward(self, x):
        loss = self.judge(x)
        return loss
"""


def test_a_function_that_one_place_elsewhere_gives_is_not_that_of_all(tmp_path: Path) -> None:
    (tmp_path / "judged.py").write_text(JUDGED)
    (tmp_path / "chain.py").write_text(
        "from judged import Judged\nfrom torch import nn\n\n"
        "def rows(x):\n    return x.sum(-1)\n\n"
        "class Chain(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.inner = Judged(rows)\n\n"
        "    def forward(self, x):\n        B, S, H = x.shape\n        return self.inner(x)\n"
    )
    assert shapes_of(tmp_path / "judged.py")(11) == "?"


ATTENTION = """
import torch
from torch import nn

class Attention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.proj = nn.Linear(dim, dim)

    def forward(self, key, query):
        k = self.proj(key)
        q = self.proj(query)
        scores = q @ k.transpose(1, 2)
        return scores
"""
DECODER = """
from attention import Attention
from torch import nn

class Alone(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.attend = Attention(dim)

    def forward(self, x):
        b, n, d = x.shape
        return self.attend(x, x)

class Crossing(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.attend = Attention(dim)

    def forward(self, x, memory):
        b, n, d = x.shape
        b, m, d = memory.shape
        return self.attend(memory, x)
"""


def test_what_is_alike_in_one_call_is_not_told_as_such_where_there_is_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernelscope.interp.elsewhere.STEPS", 0)
    monkeypatch.setattr("kernelscope.interp.elsewhere.FEWEST_STEPS", 30)
    (tmp_path / "attention.py").write_text(ATTENTION)
    (tmp_path / "decoder.py").write_text(DECODER)
    scores = shapes_of(tmp_path / "attention.py")(13)
    assert scores == "[b, n, key_dim1]"


SIZED = """
from dataclasses import dataclass
from torch import nn

@dataclass
class Sizes:
    width: int
    channels: int

class Flow(nn.Module):
    def __init__(self, sizes: Sizes):
        super().__init__()
        self.into = nn.Linear(sizes.channels, sizes.width)
        self.out = nn.Linear(sizes.width, sizes.channels)

    def forward(self, x):
        return self.out(self.into(x))
"""
STEPPING = """
from flow import Flow
from torch import Tensor

def denoised(model: Flow, x: Tensor, steps: int):
    for _ in range(steps):
        predicted = model(x)
        x = x - predicted
    return x
"""
COMMAND = """
import torch
from flow import Flow, Sizes
from stepping import denoised

TABLE = {"small": Sizes(width=512, channels=64), "large": Sizes(width=512, channels=64)}

def main(name: str):
    model = Flow(TABLE[name])
    noise = torch.randn(2, 77, 64)
    return denoised(model, noise, 4)
"""


def test_a_layer_that_an_example_makes_of_a_record_has_the_sizes_that_it_is_made_with(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(SIZED)
    (tmp_path / "stepping.py").write_text(STEPPING)
    (tmp_path / "command.py").write_text(COMMAND)
    assert shapes_of(tmp_path / "stepping.py")(7).endswith("sizes.channels]")


LISTED = """
import torch
from torch import nn

class Layer(nn.Module):
    def __init__(self, mixer, width):
        super().__init__()
        self.mixer, self.norm = mixer, nn.LayerNorm(width)

    def forward(self, x, mask=None):
        x = x + self.mixer(x)
        y = self.norm(x)
        return y

class Stack(nn.Module):
    def __init__(self, layers, last=None):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.last = last

    def forward(self, x, mask=None):  # x: [B, L, D]
        for layer in self.layers:
            x = layer(x, mask)
        y = x * 2
        return y
"""
LISTING = """
from torch import nn
from layer import Layer, Stack

class Model(nn.Module):
    def __init__(self, size, depth):
        super().__init__()
        self.stack = Stack([Layer(nn.Linear(size, size), size) for _ in range(depth)])

    def forward(self, x):
        B, L, D = x.shape
        return self.stack(x)
"""


@pytest.mark.parametrize("step", [1, -1])
def test_lists_of_layers_are_those_that_places_elsewhere_give_and_tell_what_the_layers_are_given(
    tmp_path: Path, step: int
) -> None:
    path = tmp_path / "layer.py"
    path.write_text(LISTED)
    (tmp_path / "model.py").write_text(LISTING)
    analysis = Analysis([tmp_path])
    found: dict[str, str] = {}
    for name in ("y = self", "y = x")[::step]:
        hover = analysis.hover(path, LISTED.index(name))
        found[name] = "" if hover is None else hover.signature
    assert found == {"y = self": "y: Tensor[B, L, size]", "y = x": "y: Tensor[B, L, size]"}


NORM = """
import torch
from torch import nn

class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: torch.Tensor):
        y = x * self.scale
        return y
"""
NORMED = """
import torch
from torch import nn

class Decoder(nn.Module):
    def __init__(self, table: nn.Embedding, norm: nn.Module):
        super().__init__()
        self.table = table
        self.norm = norm

    def forward(self, tokens: torch.Tensor):
        batch, length = tokens.shape
        y = self.norm(self.table(tokens))
        return y
"""
BUILDER = """
from decoder import Decoder
from norm import Norm
from torch import nn

def small(words: int, width: int) -> Decoder:
    return Decoder(nn.Embedding(words, width), norm=Norm(width))
"""


def test_a_layer_that_a_function_builds_a_model_of_is_given_what_the_model_gives_it(tmp_path: Path) -> None:
    for name, code in (("norm", NORM), ("decoder", NORMED), ("builder", BUILDER)):
        (tmp_path / f"{name}.py").write_text(code)
    assert shapes_of(tmp_path / "norm.py")(11) == "[batch, length, width]"
    assert shapes_of(tmp_path / "decoder.py")(13) == "[batch, length, width]"
