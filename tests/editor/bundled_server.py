"""Starts a bundled server as the extension does, inside a hostile workspace, and asks it to initialize; it has every
file of ours.

Usage: bundled_server.py LAUNCH_SCRIPT. The workspace has modules named like those of the standard library and of the
server; if one of them is imported it leaves a mark. Standard library only: run by each supported Python.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCES = (Path(__file__).parents[2] / "analyzers", Path(__file__).parents[2] / "server")
SHADOWED = ("json", "typing", "asyncio", "pygls", "kernelscope", "kernelscope_server", "tree_sitter", "sitecustomize")


def main() -> None:
    launch = Path(sys.argv[1]).resolve()
    if missing := [name for name in own_files() if not (launch.parent / "libs" / name).exists()]:
        sys.exit(f"bundled server: left out of the bundle: {', '.join(missing[:5])}")
    with tempfile.TemporaryDirectory() as workspace:
        mark = Path(workspace, "imported")
        for name in SHADOWED:
            Path(workspace, f"{name}.py").write_text(f"open({str(mark)!r}, 'a').write({name!r})\n")
        answer, errors = ask_initialize(launch, workspace)
        imported = mark.read_text() if mark.exists() else ""
    if imported:
        sys.exit(f"bundled server: imported from the workspace: {imported}")
    if "capabilities" not in answer:
        sys.exit(f"bundled server: no answer with Python {sys.version.split()[0]}: {errors.strip()[-500:]}")
    print(f"bundled server: answers with Python {sys.version.split()[0]}")


def own_files() -> list[str]:
    """The files of our packages, as the wheel has them."""
    files = [(root, file) for root in SOURCES for file in root.glob("kernelscope*/**/*") if file.is_file()]
    return [file.relative_to(root).as_posix() for root, file in files if "__pycache__" not in file.parts]


def ask_initialize(launch: Path, workspace: str) -> tuple[dict[str, object], str]:
    server = subprocess.Popen(
        [sys.executable, "-X", "utf8", "-I", str(launch)],
        cwd=workspace,
        env={**os.environ, "PYTHONPATH": workspace},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    root = Path(workspace).as_uri()
    folders = [{"uri": root, "name": "workspace"}]
    params = {"processId": None, "rootUri": root, "capabilities": {}, "workspaceFolders": folders}
    messages = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params},
        {"jsonrpc": "2.0", "method": "initialized", "params": {}},
        {"jsonrpc": "2.0", "id": 2, "method": "shutdown"},
        {"jsonrpc": "2.0", "method": "exit"},
    ]
    try:
        out, errors = server.communicate(b"".join(map(framed, messages)), timeout=60)
    except subprocess.TimeoutExpired:
        server.kill()
        out, errors = server.communicate()
    for message in parsed(out):
        if message.get("id") == 1:
            result = message.get("result")
            return (result if isinstance(result, dict) else {}), errors.decode(errors="replace")
    return {}, errors.decode(errors="replace")


def framed(message: dict[str, object]) -> bytes:
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def parsed(out: bytes) -> list[dict[str, object]]:
    messages: list[dict[str, object]] = []
    while b"\r\n\r\n" in out:
        head, _, out = out.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        messages.append(json.loads(out[:length]))
        out = out[length:]
    return messages


if __name__ == "__main__":
    main()
