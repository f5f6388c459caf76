"""A client of a few lines on the server's own streams: it can also send what no well-behaved client would."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CAPABILITIES: dict[str, Any] = {"general": {"positionEncodings": ["utf-16"]}}
SECONDS = 20
"""A server that lives longer than this in one test hangs."""


class Client:
    """One server process. Requests are answered by `answer`, in whatever order the server likes."""

    def __init__(self, root: Path | None, cache: Path) -> None:
        command = [sys.executable, "-I", "-m", "kernelscope_server"]
        env = {"XDG_CACHE_HOME": str(cache), "PATH": "/nowhere", "HOME": str(cache)}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        self.watchdog = threading.Timer(SECONDS, self.process.kill)
        self.watchdog.start()
        self.root = root
        self.number = 0
        self.answers: dict[object, Any] = {}
        self.heard: list[Any] = []
        """Notifications and requests of the server."""

    def raw(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, message: object) -> None:
        body = json.dumps(message).encode()
        self.raw(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def notify(self, method: str, params: object) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def start(self, method: str, params: object = None) -> int:
        self.number += 1
        self.send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        return self.number

    def answer(self, number: object) -> Any:
        """The message that answers a request."""
        while number not in self.answers:
            message = self.read()
            if "method" in message:
                self.heard.append(message)
                if "id" in message:
                    self.send({"jsonrpc": "2.0", "id": message["id"], "result": None})
            else:
                self.answers[message["id"]] = message
        return self.answers.pop(number)

    def read(self) -> Any:
        assert self.process.stdout is not None
        size = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            size = int(value) if name == b"Content-Length" else size
        assert size, "the server has gone"
        return json.loads(self.process.stdout.read(size))

    def ask(self, method: str, params: object = None) -> Any:
        """The result of a request."""
        message = self.answer(self.start(method, params))
        assert "error" not in message, message
        return message["result"]

    def failure(self, method: str, params: object = None) -> tuple[int, str]:
        """Code and text of the error that a request is answered with."""
        error = self.answer(self.start(method, params))["error"]
        return error["code"], error["message"]

    def initialize(self, options: object = None, **capabilities: Any) -> Any:
        folders = [{"uri": self.root.as_uri(), "name": "workspace"}] if self.root else None
        given = {
            "processId": None,
            "rootUri": None,
            "workspaceFolders": folders,
            "capabilities": CAPABILITIES | capabilities,
            "initializationOptions": options,
        }
        result = self.ask("initialize", given)
        self.notify("initialized", {})
        return result["capabilities"]

    def open(self, uri: str, text: str, language: str = "python", version: int = 1) -> str:
        item = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})
        return uri

    def hover(self, uri: str, line: int, character: int) -> Any:
        position = {"line": line, "character": character}
        return self.ask("textDocument/hover", {"textDocument": {"uri": uri}, "position": position})

    def names(self, uri: str) -> list[str]:
        symbols = self.ask("textDocument/documentSymbol", {"textDocument": {"uri": uri}})
        return [symbol["name"] for symbol in symbols]

    def exit_status(self) -> int:
        return self.process.wait(SECONDS)

    def close(self) -> None:
        self.watchdog.cancel()
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Starts servers on an empty workspace; `initialize=False` leaves the first request to the test."""
    clients: list[Client] = []

    def begin(initialize: bool = True, options: object = None, **capabilities: Any) -> Client:
        workspace = tmp_path / "workspace"
        workspace.mkdir(exist_ok=True)
        client = Client(workspace, tmp_path / "cache")
        clients.append(client)
        if initialize:
            client.initialize(options, **capabilities)
        return client

    yield begin
    for client in clients:
        client.close()


@pytest.fixture
def server(start: Callable[..., Client]) -> Client:
    """An initialized server on an empty workspace."""
    return start()
