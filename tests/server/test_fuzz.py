"""A client that edits and asks at random, also where nothing is: every request is answered and nothing is logged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Client = Any
SAMPLE = Path(__file__).parents[1] / "workspaces" / "sample"
TRITON = Path(__file__).parents[1] / "triton" / "fixtures"
SUFFIXES = {".py": "python", ".cu": "cuda-cpp", ".cpp": "cpp", ".json": "json"}
FILES = sorted(p for root in (SAMPLE, TRITON) for p in root.rglob("*") if p.suffix in SUFFIXES)
JUNK = ["", "(", '"""', "def ", "<<<", "\ufeff", "}\n", "\r", "\x00", "\u2028", "\f", "😀 = 漢字", "é", "class X(X):\n",
        "template <", "#define A A A\n", "[...]", "/*", "`", "\\\n", "match x:\n case [*_]:\n", "(" * 300]  # fmt: skip
KNOWN = (-32602, -32800, -32801, -32803)
"""Parameters that mean nothing, and what is not done on purpose."""
PLACES = st.tuples(st.integers(-1, 400) | st.just(2**31 - 1), st.integers(-1, 130) | st.just(2**31 - 1))
EDITS = st.lists(st.tuples(PLACES, PLACES, st.sampled_from(JUNK)), min_size=1, max_size=3)
ASKED = ("hover", "definition", "implementation", "references", "prepareCallHierarchy", "inlayHint", "codeLens",
         "documentSymbol", "codeAction")  # fmt: skip
VIEWS = (
    "explainKernel",
    "showPseudocode",
    "showDataflow",
    "showOperatorTable",
    "showCallPath",
    "showTiling",
    "showWhy",
)
STEPS = st.lists(
    st.tuples(EDITS, PLACES, st.lists(st.sampled_from(ASKED + VIEWS), min_size=1, max_size=4)), min_size=1, max_size=4
)


def position(place: tuple[int, int]) -> dict[str, int]:
    return {"line": place[0], "character": place[1]}


def asked(what: str, uri: str, place: tuple[int, int]) -> tuple[str, dict[str, Any]]:
    if what in VIEWS:
        arguments = [{"uri": uri, "position": position(place)}]
        return "workspace/executeCommand", {"command": f"kernelscope.{what}", "arguments": arguments}
    stretch = {"start": position(place), "end": position((place[0] + 60, 0))}
    return f"textDocument/{what}", {
        "textDocument": {"uri": uri},
        "position": position(place),
        "range": stretch,
        "context": {"includeDeclaration": True, "diagnostics": []},
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_whatever_is_typed_and_asked(start: Callable[..., Client], encoding: str) -> None:
    client = start(general={"positionEncodings": [encoding]})
    client.watchdog.cancel()
    opened: list[str] = []

    @settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.sampled_from(FILES), st.sampled_from(FILES), st.integers(0, 4000), STEPS)
    def live(path: Path, other: Path, cut: int, steps: list[Any]) -> None:
        text = path.read_text(encoding="utf-8")[:cut] + other.read_text(encoding="utf-8")[cut : cut + 4000]
        uri = client.open(f"file:///w/{len(opened)}{path.suffix}", text, SUFFIXES[path.suffix])
        opened.append(uri)
        for version, (edits, place, questions) in enumerate(steps, 2):
            changes = [
                {"range": {"start": position(start), "end": position(end)}, "text": new} for start, end, new in edits
            ]
            document = {"uri": uri, "version": version}
            client.notify("textDocument/didChange", {"textDocument": document, "contentChanges": changes})
            for what in questions:
                answer = client.answer(client.start(*asked(what, uri, place)))
                assert "error" not in answer or answer["error"]["code"] in KNOWN, answer
        client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    live()
    logged = [m["params"] for m in client.heard if m.get("method") == "window/logMessage"]
    assert [one["message"] for one in logged if one["type"] <= 2] == []
