"""Pseudocode keeps the mathematics and the control flow and drops the bookkeeping."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain import document as d
from kernelscope.explain.host_pseudocode import host_code
from kernelscope.explain.render import to_text
from kernelscope.results import Target
from kernelscope.syntax.python.lower import parse_module

SOURCE = '''
def forward(self, x, mask=None):
    """Doc."""
    logger.info("start")
    assert x.ndim == 3
    if x.shape[0] > 9:
        raise ValueError("too many")
    dtype = x.dtype
    s = torch.matmul(self.q(x), self.k(x).transpose(1, 2).contiguous()) * self.scale
    if mask is not None:
        s += mask
    p = nn.functional.softmax(s, dim=-1, dtype=torch.float32).to(dtype)
    for layer in self.layers:
        x = layer(x)
    return self.o((p @ x).float())
'''

EXPECTED = """
forward(x, mask=None):
    s = (q(x) @ k(x).transpose(1, 2)) * scale
    if mask is not None:
        s += mask
    p = softmax(s, dim=-1, dtype=float32) as dtype
    for layer in layers:
        x = layer(x)
    return o((p @ x) as float)
"""


def lines(source: str) -> tuple[d.Line, ...]:
    """The pseudocode of the first function, of which nothing but its text is known."""
    module = parse_module(source.encode())
    block = host_code(next(iter(module.functions())), module, Path("f.py"), {}, None, {})[0]
    assert isinstance(block, d.Code)
    return block.lines


def code(source: str) -> str:
    return "\n".join(line.text for line in lines(source))


def test_mathematics_without_bookkeeping() -> None:
    assert code(SOURCE) == EXPECTED.strip()


def test_every_line_leads_to_its_source() -> None:
    module = parse_module(SOURCE.encode())
    for line in lines(SOURCE):
        assert line.location is not None
        last_word = line.text.split()[-1].strip("():,")[:3]
        assert last_word[:1] in module.text.line_text(line.location.line) or "as" in line.text


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("a = x.mul(y + 1)", "a = x * (y + 1)"),
        ("a, b = f(*x, k=1, **kw)", "a, b = f(*x, k=1, **kw)"),
        ("a = x[..., None, 1:, ::2]", "a = x[…, None, 1:, ::2]"),
        ("a = torch.cat((x, y), dim=-1)", "a = cat((x, y), dim=-1)"),
        ("a = -x if flag else not y", "a = -x if flag else not y"),
        ("a = (b if x else c) if y else d", "a = (b if x else c) if y else d"),
        ("a = (not x) & y", "a = (not x) & y"),
        ("a = (-x) ** 2 + -y", "a = ((-x) ** 2) + -y"),
        ("a = (-x).abs()[0] - (-y)[1]", "a = (-x).abs()[0] - (-y)[1]"),
        ("a = [f(i) for i in x if i]", "a = [f(i) for i in x if i]"),
        ("a = lambda q: q", "a = (q) -> q"),
    ],
)
def test_expressions(statement: str, expected: str) -> None:
    assert code(f"def f(x):\n    {statement}\n").split("\n")[1].strip() == expected


STEP = """
import torch
import torch.distributed as dist
from torch import nn

class Step(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        self.blocks = nn.ModuleList(nn.Linear(config.width, config.width) for _ in range(config.depth))

    def forward(self, x, k_cache, v_cache, slots):
        B, S, _ = x.shape
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q = q.view(B, S, -1, 64).transpose(1, 2)
        with torch.profiler.record_function("cache"):
            k_cache[slots] = k
            v_cache[slots] = v
        scores = torch.matmul(q, k_cache.transpose(-1, -2), out=None)
        y = nn.functional.softmax(scores, dim=-1) @ v_cache
        for block in self.blocks:
            x = block(x).to(device=x.device)
        dist.all_reduce(x)
        return self.out(x)
"""


def test_shapes_counts_and_effects_are_told(tmp_path: Path) -> None:
    (tmp_path / "step.py").write_text(
        STEP.replace("from torch import nn", "import torch.distributed as dist\nfrom torch import nn")
    )
    document = Analysis([tmp_path]).document("pseudocode", Target(tmp_path / "step.py", None, "Step"))
    text = "\n".join(line.text for block in document.blocks if isinstance(block, d.Code) for line in block.lines)
    assert "q, k, v = qkv(x).chunk(3, dim=-1)" in text and "[B, S, W] · [B, S, W] · [B, S, W]" in text
    assert "transpose q as [B, W//64, S, 64]" in text
    assert "B, S, _ =" not in text and "record_function" not in text, "reading sizes and measuring are bookkeeping"
    assert "k_cache[slots] = k" in text and "writes into k_cache" in text
    assert "×depth" in text or "×config.depth" in text or "×D" in text
    assert "all reduce over ranks" in text
    assert any(
        "W = config.width" in line.text
        for block in document.blocks
        if isinstance(block, d.Paragraph)
        for line in block.lines
    )


def test_what_an_object_holds_is_not_a_variable_of_the_same_name(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text(
        "class M:\n"
        "    def forward(self, x, group=None):\n"
        "        if group is None:\n"
        "            group = self.group\n"
        "        return self.width * x\n"
    )
    text = to_text(Analysis([tmp_path]).document("pseudocode", Target(path, None, "M.forward"))).text
    assert "group = self.group" in text
    assert "return width * x" in text


def test_a_size_that_is_computed_with_is_bound_where_no_shape_says_its_name(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text(
        "from torch import nn\n"
        "class M(nn.Module):\n"
        "    def forward(self, hidden_states, part):\n"
        "        B, L = hidden_states.shape[:2]\n"
        "        rows, columns = hidden_states.shape[:2]\n"
        "        x = hidden_states.view(rows, columns, -1)\n"
        "        return x[:, -(L % part):]\n"
    )
    text = to_text(Analysis([tmp_path]).document("pseudocode", Target(path, None, "M.forward"))).text
    assert "B, L = hidden_states.shape[:2]" in text
    assert "rows, columns" not in text, "the shapes of views are told"


def test_sizes_without_names_have_the_letters_that_the_picture_gives_them(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text(
        "from torch import nn\n"
        "class M(nn.Module):\n"
        "    def __init__(self, dim):\n"
        "        super().__init__()\n"
        "        self.conv = nn.Conv2d(dim, dim, 3, padding=1)\n"
        "    def forward(self, x):\n"
        "        return self.conv(x)\n"
    )
    text = to_text(Analysis([tmp_path]).document("pseudocode", Target(path, None, "M.forward"))).text
    assert "# x [B, dim, H, W]" in text


def test_what_a_decorator_runs_at_once_is_a_branch_or_a_loop() -> None:
    source = (
        "from jax.experimental import pallas as pl\n"
        "def kernel(x_ref, o_ref):\n"
        "    @pl.when(pl.program_id(0) == 0)\n    def start():\n        o_ref[...] = 0\n\n"
        "    @pl.loop(0, 8, step=2)\n    def rows(i):\n        o_ref[i] += x_ref[i]\n\n"
        "    @pl.when(1, 2)\n    def other():\n        o_ref[0] = 0\n"
    )
    assert [line.text.rstrip() for line in lines(source)] == [
        "kernel(x_ref, o_ref):",
        "    if pl.program_id(0) == 0:",
        "        o_ref[…] = 0",
        "    for i in range(0, 8, 2):",
        "        o_ref[i] += x_ref[i]",
        "    def other():",
        "        o_ref[0] = 0",
    ]


def test_decorators_of_other_libraries_by_these_names_stay_what_they_are() -> None:
    source = "def build(machine):\n    @machine.when(machine.idle)\n    def react():\n        machine.go()\n"
    assert [line.text.rstrip() for line in lines(source)] == [
        "build(machine):",
        "    def react():",
        "        machine.go()",
    ]
