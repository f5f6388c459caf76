"""A client that writes everything at once and reads afterwards still gets every answer."""

from __future__ import annotations

import json
import subprocess
import sys


def framed(message: dict[str, object]) -> bytes:
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def test_all_at_once() -> None:
    initialize = {"processId": None, "rootUri": None, "capabilities": {}, "workspaceFolders": None}
    messages: list[dict[str, object]] = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": initialize},
        {"jsonrpc": "2.0", "method": "initialized", "params": {}},
        {"jsonrpc": "2.0", "id": 2, "method": "shutdown"},
        {"jsonrpc": "2.0", "method": "exit"},
    ]
    command = [sys.executable, "-m", "kernelscope_server"]
    ended = subprocess.run(command, input=b"".join(map(framed, messages)), capture_output=True, timeout=60, check=False)
    assert ended.returncode == 0
    assert b'"id":1,' in ended.stdout
    assert b'"id":2,' in ended.stdout
