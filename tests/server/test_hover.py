"""Cursor in source → exact Markdown. `‸` marks the cursor; what stands beside a shape is the library's to test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Client = Any
HEAD = "import torch\nfrom torch import nn\n\n"
LAYER = """
class Layer(nn.Module):
    def __init__(self, hidden, inner):
        super().__init__()
        self.up = nn.Linear(hidden, inner)

    def forward(self, x):
        y = self.up(x)
        return y
"""
LINKS = "[Why](command:kernelscope.showWhy?{0}) · [Pseudocode](command:kernelscope.showPseudocode?{0})"


def hovered(server: Client, source: str, uri: str = "file:///hovered.py", language: str = "python") -> Any:
    """The answer to a hover at the mark; the position is counted in UTF-16, as the client of the tests does."""
    before, _, after = source.partition("‸")
    server.open(uri, before + after, language)
    line = before.count("\n")
    return server.hover(uri, line, len(before.rpartition("\n")[2].encode("utf-16-le")) // 2)


HOVERS = [
    ("def f():\n    x = torch.ones(2, 3)\n    y‸ = x.T", "```python\ny: Tensor[3, 2]  float32\n```"),
    ("def f():\n    s = '漢😀'; y‸ = torch.ones(4)", "```python\ny: Tensor[4]  float32\n```"),
    (LAYER.replace("self.up(x)", "self.u‸p(x)"),
     "```python\nup: Linear(hidden → inner)\n```\n\n`weight`: [inner, hidden]  \n`bias`: [inner]"),
    ('def scale(a: int,\n          b=1) -> int:\n    """Scales.\n\n    More."""\n    return 1\n\nsca‸le(2)',
     "```python\ndef scale(a: int, b=1) -> int\n```\n\nScales.\n\n[hovered.py:4](file:///hovered.py#L4)"),
    ("class Empty‸(list): ...", "```python\nclass Empty(list)\n```"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "markdown"), HOVERS)
def test_a_hover_s_text(server: Client, source: str, markdown: str) -> None:
    assert hovered(server, HEAD + source)["contents"] == {"kind": "markdown", "value": markdown}


@pytest.mark.parametrize("source", ["‸", "# a comm‸ent", "x = unde‸fined", "'a str‸ing'", "def broken(‸"])
def test_where_nothing_is_known_nothing_is_said(server: Client, source: str) -> None:
    assert hovered(server, HEAD + source) is None


def test_cuda_is_tagged_as_the_editor_knows_it(server: Client) -> None:
    source = "__global__ void add‸(float* a,\n                    int n) { a[0] = n; }\n"
    found = hovered(server, source, "untitled:Untitled-1", "cuda")
    assert found["contents"]["value"].startswith("```cuda-cpp\n__global__ void add(float* a, int n)\n```\n\n| ")


def test_the_range_is_the_name_in_the_client_s_units(server: Client) -> None:
    found = hovered(server, HEAD + "def f():\n    s = '漢😀'; yy‸ = torch.ones(4)")
    assert found["range"] == {"start": {"line": 4, "character": 15}, "end": {"line": 4, "character": 17}}


def test_names_have_letters_of_any_script(server: Client) -> None:
    source = HEAD + "def f():\n    größe_変数 = torch.ones(4)\n    return gr‸öße_変数"
    found = hovered(server, source)
    assert "größe_変数: Tensor[4]" in found["contents"]["value"]
    assert found["range"] == {"start": {"line": 5, "character": 11}, "end": {"line": 5, "character": 19}}
    uri = "file:///w/letters.py"
    server.open(uri, source.replace("‸", ""))
    asked = {"textDocument": {"uri": uri}, "position": {"line": 5, "character": 12}}
    used = server.ask("textDocument/references", asked | {"context": {"includeDeclaration": True}})
    places = [(one["range"]["start"], one["range"]["end"]) for one in used]
    assert places == [
        ({"line": 4, "character": 4}, {"line": 4, "character": 12}),
        ({"line": 5, "character": 11}, {"line": 5, "character": 19}),
    ]


def test_an_outline_is_as_deep_as_clients_can_read(server: Client) -> None:
    """What is nested deeper stands in the deepest level, and none is left out."""
    source = "".join(f"{' ' * level}class C{level}:\n" for level in range(300)) + " " * 300 + "pass\n"
    server.open("file:///w/deep.py", source)
    symbols = server.ask("textDocument/documentSymbol", {"textDocument": {"uri": "file:///w/deep.py"}})
    names, depth = list[str](), 0
    while symbols:
        names += [symbol["name"] for symbol in symbols]
        symbols, depth = [inner for symbol in symbols for inner in symbol["children"]], depth + 1
    assert (len(names), len(set(names)), depth) == (300, 300, 100)


def test_command_links_are_for_clients_that_ask_for_them(start: Callable[..., Client]) -> None:
    server = start(options={"richMarkdown": True})
    found = hovered(server, HEAD + "def f():\n    y‸ = torch.ones(4)")["contents"]["value"]
    target = "%5B%7B%22uri%22%3A%20%22file%3A///hovered.py%22%2C%20%22offset%22%3A%2049%7D%5D"
    assert found == "```python\ny: Tensor[4]  float32\n```\n\n" + LINKS.format(target)


def test_a_hover_sees_the_edit_before_it(server: Client) -> None:
    uri = server.open("file:///edited.py", HEAD + "def f():\n    y = torch.ones(4)\n")
    for size in range(5, 25):
        position = {"line": 4, "character": 19}
        edit = {"range": {"start": position, "end": {"line": 4, "character": 20 + (size > 10)}}, "text": str(size)}
        document = {"uri": uri, "version": size}
        server.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [edit]})
        assert f"y: Tensor[{size}]" in server.hover(uri, 4, 4)["contents"]["value"]


def test_a_function_that_is_being_typed_has_a_head_and_no_old_shape(server: Client) -> None:
    source = HEAD + "def f():\n    y = torch.ones(5)\n    return y\n"
    server.open("file:///typed.py", source)
    assert "Tensor[5]" in server.hover("file:///typed.py", 4, 4)["contents"]["value"]
    assert "Tensor[5]" in server.hover("file:///typed.py", 3, 4)["contents"]["value"]
    document = {"uri": "file:///typed.py", "version": 2}
    changes = [{"text": source.replace("5", "6")}]
    server.notify("textDocument/didChange", {"textDocument": document, "contentChanges": changes})
    told = server.hover("file:///typed.py", 3, 4)["contents"]["value"]
    assert "def f()" in told
    assert "Tensor[5]" not in told


def test_a_name_of_another_cell_is_known(start: Callable[..., Client]) -> None:
    server = start(notebookDocument={"synchronization": {}})
    cells = [
        "%load_ext x\nimport torch\n",
        "def make():\n    return torch.ones(8, 2)\n",
        "def turned():\n    k = make().T",
    ]
    uris = [f"vscode-notebook-cell:/n.ipynb#{number}" for number in range(3)]
    texts = [{"uri": u, "languageId": "python", "version": 1, "text": t} for u, t in zip(uris, cells, strict=True)]
    notebook = {"uri": "file:///n.ipynb", "notebookType": "jupyter-notebook", "version": 1}
    listed = [{"kind": 2, "document": uri} for uri in uris]
    params = {"notebookDocument": {**notebook, "cells": listed}, "cellTextDocuments": texts}
    server.notify("notebookDocument/didOpen", params)
    found = server.hover(uris[2], 1, 4)
    assert "k: Tensor[2, 8]" in found["contents"]["value"]
    assert found["range"]["start"] == {"line": 1, "character": 4}
    edit = {
        "document": {"uri": uris[1], "version": 2},
        "changes": [{"text": "def make():\n    return torch.ones(5, 6)\n"}],
    }
    change: dict[str, Any] = {"cells": {"textContent": [edit]}}
    server.notify("notebookDocument/didChange", {"notebookDocument": notebook, "change": change})
    assert "k: Tensor[6, 5]" in server.hover(uris[2], 1, 4)["contents"]["value"]
    removed = {"array": {"start": 1, "deleteCount": 1}, "didClose": [{"uri": uris[1]}]}
    change = {"cells": {"structure": removed}}
    server.notify("notebookDocument/didChange", {"notebookDocument": notebook, "change": change})
    assert "Tensor" not in str(server.hover(uris[2], 1, 4))
    server.notify("notebookDocument/didClose", {"notebookDocument": notebook, "cellTextDocuments": []})
    assert server.hover(uris[2], 1, 4) is None
