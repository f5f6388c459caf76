"""Pseudocode keeps the mathematics and the control flow and drops the bookkeeping."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope.explain.pseudocode import function_code
from kernelscope.syntax.python import tree as t
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
    dtype = x.dtype
    s = (q(x) @ k(x).transpose(1, 2)) * scale
    if mask is not None:
        s += mask
    p = softmax(s, dim=-1, dtype=float32) as dtype
    for layer in layers:
        x = layer(x)
    return o((p @ x) as float)
"""


def code(source: str, shapes: dict[str, str] | None = None) -> str:
    module = parse_module(source.encode())
    function = module.functions()[0].node
    assert isinstance(function, t.FunctionDef)

    def shape_of(target: t.Expr) -> str:
        return (shapes or {}).get(module.text.slice(target.span), "")

    return "\n".join(line.text for line in function_code(function, module.text, Path("f.py"), shape_of).lines)


def test_mathematics_without_bookkeeping() -> None:
    assert code(SOURCE) == EXPECTED.strip()


def test_every_line_leads_to_its_source() -> None:
    module = parse_module(SOURCE.encode())
    function = module.functions()[0].node
    assert isinstance(function, t.FunctionDef)
    for line in function_code(function, module.text, Path("f.py")).lines:
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
        ("a = [f(i) for i in x if i]", "a = [f(i) for i in x if i]"),
        ("a = lambda q: q", "a = (q) -> q"),
    ],
)
def test_expressions(statement: str, expected: str) -> None:
    assert code(f"def f(x):\n    {statement}\n").split("\n")[1].strip() == expected


def test_shapes_stand_behind_assignments() -> None:
    text = code("def f(x):\n    q, k = g(x)\n", {"q": "[B, S]", "k": "[B, T]"})
    assert text.endswith("# [B, S] · [B, T]")
