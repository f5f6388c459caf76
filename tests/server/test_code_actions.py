"""Quick fixes of diagnostics: the comment goes where it silences, and everywhere is a command of the client."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

URI = "file:///k.py"
SOURCE = "import triton\nimport triton.language as tl\n\n\n@triton.jit\ndef k(x):\n    o = tl.arange(0, 100)\n"
LITERALS = {"codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix"]}}}}
PAGES = {"publishDiagnostics": {"codeDescriptionSupport": True}}


def reported(client: Any) -> list[Any]:
    """The diagnostics of the document, once they were published."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        time.sleep(0.4)  # they are made in a pause
        client.hover(URI, 0, 0)
        published = [m["params"] for m in client.heard if m["method"] == "textDocument/publishDiagnostics"]
        if published:
            return published[-1]["diagnostics"]
    return []


def actions(client: Any, diagnostics: list[Any]) -> Any:
    params = {"textDocument": {"uri": URI}, "range": diagnostics[0]["range"], "context": {"diagnostics": diagnostics}}
    return client.ask("textDocument/codeAction", params)


def test_a_diagnostic_can_be_silenced_here_or_in_the_workspace(start: Callable[..., Any]) -> None:
    client = start(options={"richMarkdown": True}, textDocument=LITERALS | PAGES)
    client.open(URI, SOURCE)
    (diagnostic,) = reported(client)
    page = client.ask("workspace/textDocumentContent", {"uri": diagnostic["codeDescription"]["href"]})["text"]
    assert "tl.arange needs a power of two" in page
    foreign = {**diagnostic, "source": "another"}
    here, everywhere = actions(client, [diagnostic, foreign])
    end = {"line": 6, "character": len("    o = tl.arange(0, 100)")}
    comment = "  # kernelscope: ignore[not-a-power-of-two]"
    assert here["edit"] == {"changes": {URI: [{"range": {"start": end, "end": end}, "newText": comment}]}}
    assert everywhere["command"]["arguments"] == ["not-a-power-of-two"]


def test_a_plain_client_gets_what_it_can_use(start: Callable[..., Any]) -> None:
    client = start(textDocument=LITERALS)
    client.open(URI, SOURCE)
    (diagnostic,) = reported(client)
    assert "codeDescription" not in diagnostic
    assert [action["title"] for action in actions(client, [diagnostic])] == ["Silence not-a-power-of-two here"]


def test_a_client_without_actions_gets_none(start: Callable[..., Any]) -> None:
    client = start()
    client.open(URI, SOURCE)
    assert actions(client, reported(client)) == []
