"""The page about unknown shapes lists every reason that the interpreter gives, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "unknown-shapes.md"
MAKERS = {"Unknown", "Formatted", "Number", "Flag", "unknown", "kind"}
NAMED = {
    "NOT_TOLD", "LEFT_OUT", "DIFFERENT_RANKS", "CALLERS_DIFFER", "OTHER_RANKS", "REASON", "NO_FUNCTION", "OPTIONAL",
    "FRACTION",
}  # fmt: skip
"""Reasons that several places give."""


def reasons_in(path: Path) -> Iterator[str]:
    """The texts with which a module makes unknown values; `…` stands for what is filled in."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str() as text)) if name in NAMED:
                yield text
            case ast.Call(func=ast.Name(id="Shape"), args=[_, _, ast.Constant(value=str() as text)]) if text:
                yield text
            case _:
                pass
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name not in MAKERS:
            continue
        match node.args[0]:
            case ast.Constant(value=str() as text) if text:
                yield text
            case ast.JoinedStr(values=parts):
                texts = [p.value if isinstance(p, ast.Constant) else "…" for p in parts]
                yield "".join(str(text) for text in texts)
            case _:
                pass


def test_every_reason_is_explained() -> None:
    given = {reason for path in (ROOT / "analyzers/kernelscope/interp").glob("*.py") for reason in reasons_in(path)}
    listed = set(re.findall(r"^- (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert given - {"……"} - listed == set(), "not on the page"
    assert listed - given == set(), "on the page, but given nowhere"
