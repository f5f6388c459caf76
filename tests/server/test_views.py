"""Views over stdio, as an editor asks for them: opened by a command, read, linked, exported, refreshed."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
import pytest_lsp
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pytest_lsp import ClientServerConfig, LanguageClient

SAMPLE = Path(__file__).parents[1] / "workspaces" / "sample"
MODEL = SAMPLE / "tinyllm" / "model.py"
SERVER = ClientServerConfig(server_command=[sys.executable, "-I", "-m", "kernelscope_server"])


@pytest_lsp.fixture(config=SERVER)
async def client(lsp_client: LanguageClient):
    folders = [lsp.WorkspaceFolder(uri=SAMPLE.as_uri(), name="sample")]
    content = lsp.TextDocumentContentClientCapabilities()
    capabilities = lsp.ClientCapabilities(
        workspace=lsp.WorkspaceClientCapabilities(text_document_content=content),
        text_document=lsp.TextDocumentClientCapabilities(
            document_link=lsp.DocumentLinkClientCapabilities(tooltip_support=True)
        ),
    )
    await lsp_client.initialize_session(lsp.InitializeParams(capabilities=capabilities, workspace_folders=folders))
    yield
    await lsp_client.shutdown_session()


def place(symbol: str) -> dict[str, object]:
    """What the palette sends: the document and the cursor, here at the definition of `symbol`."""
    lines = MODEL.read_text().splitlines()
    line = next(i for i, text in enumerate(lines) if text.startswith(symbol))
    return {"uri": MODEL.as_uri(), "position": {"line": line, "character": len(symbol)}}


async def run(client: LanguageClient, name: str, *arguments: object) -> dict[str, str]:
    params = lsp.ExecuteCommandParams(command=f"kernelscope.{name}", arguments=[*arguments])
    answer = await client.workspace_execute_command_async(params)
    assert isinstance(answer, dict)
    return answer


async def text_of(client: LanguageClient, uri: str) -> str:
    content = await client.workspace_text_document_content_async(lsp.TextDocumentContentParams(uri=uri))
    return content.text


async def open_view(client: LanguageClient) -> str:
    answer = await run(client, "showArchitecture", place("class TinyLLM"))
    return answer["uri"]


async def test_a_command_opens_a_view_with_its_document_s_title(client: LanguageClient) -> None:
    answer = await run(client, "showArchitecture", place("class TinyLLM"))
    assert answer["title"] == "Architecture of TinyLLM"
    assert answer["uri"].startswith("kernelscope:/Architecture%20of%20TinyLLM?")
    assert (await text_of(client, answer["uri"])).startswith("Architecture of TinyLLM\n=")


@pytest.mark.parametrize(
    "command, asked, title, said",
    [
        ("showShapes", place("class TinyLLM"), "Shapes in model.py", "q"),
        ("explainFolder", {"uri": SAMPLE.as_uri()}, "Overview of sample", "Model TinyLLM (tinyllm/model.py)"),
        ("showFolderArchitecture", {"uri": SAMPLE.as_uri()}, "Architecture of sample", "Scheduling"),
        ("showFolderOperators", {"uri": SAMPLE.as_uri()}, "Operators of sample", "Come to a kernel"),
    ],
)
async def test_shapes_of_a_file_and_folders_as_a_whole_have_views(
    client: LanguageClient, command: str, asked: dict[str, object], title: str, said: str
) -> None:
    answer = await run(client, command, asked)
    assert answer["title"] == title
    assert said in await text_of(client, answer["uri"])


async def test_clients_without_the_request_have_a_command_for_the_text(client: LanguageClient) -> None:
    uri = await open_view(client)
    assert await run(client, "documentText", {"uri": uri}) == {"text": await text_of(client, uri)}


async def test_links_cover_words_of_the_text_and_lead_to_lines(client: LanguageClient) -> None:
    uri = await open_view(client)
    rows = (await text_of(client, uri)).split("\n")
    params = lsp.DocumentLinkParams(lsp.TextDocumentIdentifier(uri))
    links = {
        rows[link.range.start.line][link.range.start.character : link.range.end.character]: link.target
        for link in await client.text_document_document_link_async(params) or ()
    }
    line = MODEL.read_text().splitlines().index("class TinyLLM(nn.Module):") + 1
    assert links["TinyLLM"] == f"{MODEL.as_uri()}#L{line}"


async def test_a_view_is_exported(client: LanguageClient) -> None:
    uri = await open_view(client)
    exported = await run(client, "exportView", {"uri": uri, "format": "markdown"})
    assert exported["text"].startswith("# Architecture of TinyLLM")
    exported = await run(client, "exportView", {"uri": uri, "format": "json"})
    assert json.loads(exported["text"])["title"] == "Architecture of TinyLLM"
    with pytest.raises(JsonRpcException, match="formats are"):
        await run(client, "exportView", {"uri": uri, "format": "docx"})


async def test_an_open_view_follows_the_source(client: LanguageClient) -> None:
    refreshed: asyncio.Queue[str] = asyncio.Queue()

    @client.feature("workspace/textDocumentContent/refresh")
    def _(params: lsp.TextDocumentContentRefreshParams) -> None:
        refreshed.put_nowait(params.uri)

    uri = await open_view(client)
    view = lsp.TextDocumentItem(uri, "kernelscope-view", 1, await text_of(client, uri))
    client.text_document_did_open(lsp.DidOpenTextDocumentParams(view))
    source = MODEL.read_text().replace("self.lm_head", "self.to_logits")
    client.text_document_did_open(
        lsp.DidOpenTextDocumentParams(lsp.TextDocumentItem(MODEL.as_uri(), lsp.LanguageKind.Python, 1, source))
    )
    assert await asyncio.wait_for(refreshed.get(), 10) == uri
    assert "to_logits: Linear" in await text_of(client, uri)


@pytest.mark.parametrize(
    ("name", "argument", "message"),
    [
        ("showArchitecture", None, "open a Python, Triton or CUDA file"),
        ("showArchitecture", {"uri": (SAMPLE / "config.json").as_uri()}, "config.json"),
        ("showNothing", {"uri": MODEL.as_uri()}, "there is no command kernelscope.showNothing"),
        ("documentText", {"uri": "kernelscope:/x?y"}, "is no view of Kernelscope"),
    ],
)
async def test_what_cannot_be_shown_is_said_in_one_line(
    client: LanguageClient, name: str, argument: object, message: str
) -> None:
    with pytest.raises(JsonRpcException, match=message) as failure:
        await run(client, name, argument)
    assert "\n" not in str(failure.value)


async def test_gpus_are_listed(client: LanguageClient) -> None:
    params = lsp.ExecuteCommandParams(command="kernelscope.listGpus", arguments=[])
    found = await client.workspace_execute_command_async(params)
    assert isinstance(found, list)
    assert {"name", "detail"} == set(found[0])
    assert "H100" in [gpu["name"] for gpu in found]
