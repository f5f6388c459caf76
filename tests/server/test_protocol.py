"""What the protocol demands of a server, and what clients send that it does not allow."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from kernelscope_server.protocol import MAX_LOGGED, Protocol

Client = Any
Start = Callable[..., Client]
HOVER = {"textDocument": {"uri": "file:///x.py"}, "position": {"line": 0, "character": 0}}


@pytest.mark.parametrize("body", [b"{not json", b"\xff\xfe", b'{"jsonrpc":', b"[" * 100_000])
def test_what_is_no_json_is_answered_and_read_over(server: Client, body: bytes) -> None:
    server.raw(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    assert server.answer(None)["error"]["code"] == -32700
    assert server.failure("torture/unknown")[0] == -32601


@pytest.mark.parametrize("body", [[], [{"jsonrpc": "2.0", "id": 1, "method": "x"}], None, 42, "text", {}])
def test_what_is_no_message_is_answered_and_read_over(server: Client, body: object) -> None:
    server.send(body)
    assert server.answer(None)["error"]["code"] == -32600
    assert server.failure("torture/unknown")[0] == -32601


@pytest.mark.parametrize("header", [b"Content-Length: x", b"Content-Length: -5", b"Content-Length: 99999999999999999"])
def test_a_bad_length_is_answered(server: Client, header: bytes) -> None:
    server.raw(header + b"\r\n\r\n")
    assert server.answer(None)["error"]["code"] == -32700


@pytest.mark.parametrize(
    "header", ["content-length: {}", "CONTENT-LENGTH:{}", "Content-Type: x; charset=utf-8\r\nContent-Length: {}"]
)
def test_headers_are_matched_without_case(server: Client, header: str) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": "h", "method": "unknown"})
    server.raw(f"{header.format(len(body))}\r\n\r\n{body}".encode())
    assert server.answer("h")["error"]["code"] == -32601


@pytest.mark.parametrize("number", [0, -7, 2**31, "", "漢字", "a b"])
def test_any_id_comes_back(server: Client, number: object) -> None:
    server.send({"jsonrpc": "2.0", "id": number, "method": "unknown"})
    assert server.answer(number)["error"]["code"] == -32601


@pytest.mark.parametrize(
    "params",
    [None, {}, [1, 2], {"textDocument": None}, {"textDocument": {"uri": 5}}, {**HOVER, "position": {"line": "x"}}],
)
def test_bad_parameters_are_the_client_s_error(server: Client, params: object) -> None:
    assert server.failure("textDocument/hover", params)[0] == -32602


def test_nothing_is_served_before_initialize_or_twice_or_after_shutdown(start: Start) -> None:
    server = start(initialize=False)
    assert server.failure("textDocument/hover", HOVER)[0] == -32002
    server.initialize()
    assert server.failure("initialize", {"capabilities": {}})[0] == -32600
    assert server.ask("shutdown") is None
    assert server.failure("textDocument/hover", HOVER)[0] == -32600
    server.notify("exit", None)
    assert server.exit_status() == 0


def test_exit_without_shutdown_is_told_by_the_status(server: Client) -> None:
    server.notify("exit", None)
    assert server.exit_status() == 1


def test_the_end_of_the_stream_ends_the_server(server: Client) -> None:
    server.process.stdin.close()
    assert server.exit_status() == 1


@pytest.mark.skipif(os.name != "posix", reason="processes are watched on POSIX; elsewhere the stream's end must do")
def test_the_server_ends_with_the_process_that_it_serves(start: Start) -> None:
    server = start(initialize=False)
    parent = subprocess.Popen(["/bin/sleep", "60"])
    server.ask("initialize", {"processId": parent.pid, "capabilities": {}})
    parent.kill()
    parent.wait()
    assert server.exit_status() == 1


def test_every_cancelled_request_is_answered_instead_of_worked_on(server: Client) -> None:
    text = "".join(f"def f_{i}(a):\n    return a\n" for i in range(9_000))
    uri = server.open("file:///big.py", text)
    wanted = {"textDocument": {"uri": uri}}
    numbers = [server.start("textDocument/documentSymbol", wanted) for _ in range(100)]
    for number in numbers:
        server.notify("$/cancelRequest", {"id": number})
    answers = [server.answer(number) for number in numbers]
    cancelled = [a for a in answers if a.get("error", {}).get("code") == -32800]
    assert len(cancelled) > 90
    assert all("result" in a for a in answers if a not in cancelled)


def test_unknown_cancellations_and_answers_are_ignored(server: Client) -> None:
    server.notify("$/cancelRequest", {"id": 12345})
    server.notify("$/cancelRequest", {"id": {}})
    server.notify("$/unknown", {})
    server.send({"jsonrpc": "2.0", "id": "never asked", "result": 1})
    assert server.hover("file:///nothing.py", 0, 0) is None


def test_a_client_without_capabilities_is_asked_for_nothing(start: Start) -> None:
    server = start()
    server.open("file:///a.py", "x = 1\n")
    time.sleep(0.5)
    server.hover("file:///a.py", 0, 0)
    assert [message["method"] for message in server.heard if "id" in message] == []


def test_a_client_that_offers_is_asked_for_settings_files_and_progress(start: Start) -> None:
    server = start(
        workspace={"configuration": True, "didChangeWatchedFiles": {"dynamicRegistration": True}},
        window={"workDoneProgress": True},
    )
    end, kinds = time.monotonic() + 10, list[str]()
    while "end" not in kinds and time.monotonic() < end:
        server.hover("file:///a.py", 0, 0)
        kinds = [m["params"]["value"]["kind"] for m in server.heard if m["method"] == "$/progress"]
        time.sleep(0.05)
    asked = {message["method"] for message in server.heard if "id" in message}
    assert asked == {"client/registerCapability", "workspace/configuration", "window/workDoneProgress/create"}
    assert kinds[0] == "begin"
    assert kinds[-1] == "end"
    registered = next(m for m in server.heard if m["method"] == "client/registerCapability")["params"]["registrations"]
    watched, folders = registered[0]["registerOptions"]["watchers"]
    assert {"py", "cu", "hip", "inl", "json"} <= {*watched["globPattern"].strip("*/.{}").split(",")}
    assert folders == {"globPattern": "**/*", "kind": 5}


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(["utf-16"], "utf-16"), (["utf-16", "utf-8"], "utf-8"), (["utf-32", "utf-16"], "utf-16"), ([], "utf-16")],
)
def test_bytes_are_preferred_as_positions(start: Start, offered: list[str], chosen: str) -> None:
    server = start(initialize=False)
    assert server.initialize(general={"positionEncodings": offered})["positionEncoding"] == chosen


def test_what_is_announced(start: Start) -> None:
    capabilities = start(initialize=False).initialize(notebookDocument={"synchronization": {}})
    assert capabilities["textDocumentSync"]["change"] == 2
    assert capabilities["codeLensProvider"]["resolveProvider"] is True
    assert capabilities["workspace"]["textDocumentContent"] == {"schemes": ["kernelscope"]}
    assert capabilities["workspace"]["workspaceFolders"]["supported"] is True
    assert "kernelscope.explainKernel" in capabilities["executeCommandProvider"]["commands"]
    assert capabilities["notebookDocumentSync"]["notebookSelector"]


def test_of_a_long_trace_the_log_shows_both_ends() -> None:
    protocol, sent = Protocol.__new__(Protocol), []
    protocol.notify = lambda method, params: sent.append(params["message"])  # type: ignore[method-assign]
    protocol.log("what failed\n" + "  a line of the trace\n" * 1_000 + "IndexError: why")
    assert sent[0].startswith("what failed\n")
    assert sent[0].endswith("IndexError: why")
    assert len(sent[0]) < MAX_LOGGED + 10
