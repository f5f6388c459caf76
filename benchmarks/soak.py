"""What a server stands on real code: python benchmarks/soak.py FOLDER [--requests 10000] [--seed 1] [--kills 3]

From the first second on, while the folder is indexed, files are opened, edited, broken, put together from parts of
others, closed, and asked about; nothing is written into the folder. Then the server is killed in the middle of its work
and started again on what it left of its cache. Prints times, memory as it goes, and everything that is wrong: errors,
requests without an answer, what reaches the log as a fault. Ends with status 1 if there is any.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

OPEN = 8
"""Files that are open at once."""
EXPECTED = (-32800, -32801, -32802, -32803, -32601)
"""Cancelled, changed meanwhile, nothing of the kind at this place, not offered to this client."""
PATIENCE = 120
"""Seconds after which a request counts as unanswered."""
STEADY = 15
"""For so many seconds numbers stay as they are, once a folder is indexed: a busy machine may rest in between."""
FAULT = 1
"""The kind of a message in the log that tells of a fault."""
SUFFIXES = {".py": "python", ".cu": "cuda-cpp", ".cuh": "cuda-cpp", ".cpp": "cpp", ".h": "cpp"}
POSITION = ("hover", "definition", "references", "prepareCallHierarchy", "documentHighlight", "implementation")
VIEWS = ("showCallPath", "showWhy", "showShapes", "explainKernel", "showPseudocode", "showDataflow", "showTiling")
WHOLE = ("documentSymbol", "codeLens", "foldingRange")


class Client:
    """One server process; a thread reads what it says."""

    def __init__(self, folder: Path, cache: str) -> None:
        command = [sys.executable, "-I", "-m", "kernelscope_server"]
        env = {**os.environ, "XDG_CACHE_HOME": cache}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env
        )
        self.answers: dict[int, Any] = {}
        self.faults: list[str] = []
        self.number = 0
        self._come = threading.Condition()
        self._writing = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()
        folders = [{"uri": folder.as_uri(), "name": folder.name}]
        given = {"processId": os.getpid(), "rootUri": None, "workspaceFolders": folders, "capabilities": {}}
        self.provided = self.ask("initialize", given)["result"]["capabilities"]
        self.notify("initialized", {})

    def _listen(self) -> None:
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            size = int(line.rpartition(b":")[2])
            while self.process.stdout.readline().strip():
                pass
            message = json.loads(self.process.stdout.read(size))
            if "method" not in message:
                with self._come:
                    self.answers[message["id"]] = message
                    self._come.notify_all()
            elif "id" in message:
                self.send({"jsonrpc": "2.0", "id": message["id"], "result": None})
            elif message["method"] == "window/logMessage" and message["params"]["type"] == FAULT:
                self.faults.append(message["params"]["message"])

    def send(self, message: object) -> None:
        assert self.process.stdin is not None
        body = json.dumps(message).encode()
        with self._writing:
            self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            self.process.stdin.flush()

    def notify(self, method: str, params: object) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def start(self, method: str, params: object) -> int:
        self.number += 1
        self.send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        return self.number

    def answer(self, number: int) -> Any:
        with self._come:
            self._come.wait_for(lambda: number in self.answers, PATIENCE)
            return self.answers.pop(number, None)

    def ask(self, method: str, params: object) -> Any:
        return self.answer(self.start(method, params))

    def memory(self) -> int:
        """Megabytes of the server, without the processes that index."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) // 1024

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Session:
    """A client that edits and asks at random."""

    def __init__(self, client: Client, files: list[Path], chance: random.Random) -> None:
        self.client, self.files, self.chance = client, files, chance
        self.texts: dict[Path, str] = {}
        self.versions: Counter[Path] = Counter()
        self.times: defaultdict[str, list[float]] = defaultdict(list)
        self.wrong: Counter[str] = Counter()

    def open(self) -> None:
        while len(self.texts) >= OPEN:
            closed = self.chance.choice([*self.texts])
            del self.texts[closed]
            self.client.notify("textDocument/didClose", {"textDocument": {"uri": closed.as_uri()}})
        path = self.chance.choice(self.files)
        if path not in self.texts:
            self.texts[path] = text = path.read_bytes().decode("utf-8", "replace")
            item = {"uri": path.as_uri(), "languageId": SUFFIXES[path.suffix], "version": 0, "text": text}
            self.versions[path] = 0
            self.client.notify("textDocument/didOpen", {"textDocument": item})

    def edit(self) -> None:
        """Types a character, loses a stretch, cuts the end off, takes a stretch of another file, or comes back."""
        chance, path = self.chance, self.chance.choice([*self.texts])
        lines = self.texts[path].split("\n")
        begin = chance.randrange(len(lines))
        match chance.randrange(8):
            case 0 | 1 | 2:
                at = chance.randint(0, len(lines[begin]))
                lines[begin] = lines[begin][:at] + chance.choice('x.("[:=\\{}@#<é𝕏') + lines[begin][at:]
            case 3:
                del lines[begin : begin + chance.randint(1, 30)]
            case 4:
                lines[begin:] = [lines[begin][: chance.randint(0, len(lines[begin]))]]
            case 5 | 6:
                other = chance.choice(self.files).read_bytes().decode("utf-8", "replace").split("\n")
                taken = chance.randrange(len(other))
                lines[begin:begin] = other[taken : taken + chance.randint(1, 60)]
            case _:
                lines = path.read_bytes().decode("utf-8", "replace").split("\n")
        self.texts[path] = "\n".join(lines)
        self.versions[path] += 1
        document = {"uri": path.as_uri(), "version": self.versions[path]}
        changed = {"textDocument": document, "contentChanges": [{"text": self.texts[path]}]}
        self.client.notify("textDocument/didChange", changed)

    def request(self) -> tuple[str, dict[str, Any]]:
        chance, path = self.chance, self.chance.choice([*self.texts])
        lines = self.texts[path].split("\n")
        line = chance.randrange(len(lines))
        document = {"textDocument": {"uri": path.as_uri()}}
        kind = chance.randrange(20)
        if kind < 13:
            words = [i for i, letter in enumerate(lines[line]) if letter.isalpha()]
            position = {"line": line, "character": chance.choice(words) if words else 0}
            asked = "hover" if kind < 8 else chance.choice(POSITION)
            return f"textDocument/{asked}", document | {"position": position, "context": {"includeDeclaration": True}}
        if kind < 15:
            end = {"line": line + 60, "character": 0}
            return "textDocument/inlayHint", document | {"range": {"start": {"line": line, "character": 0}, "end": end}}
        if kind == 15:
            target = {"uri": path.as_uri(), "offset": len("\n".join(lines[:line]).encode())}
            return "workspace/executeCommand", {"command": f"kernelscope.{chance.choice(VIEWS)}", "arguments": [target]}
        if kind < 19:
            return f"textDocument/{chance.choice(WHOLE)}", document
        return "workspace/symbol", {"query": chance.choice(["forward", "kern", "attn", "Model", "x", "load_w"])}

    def ask(self) -> None:
        method, params = self.request()
        began = time.perf_counter()
        number = self.client.start(method, params)
        if self.chance.random() < 0.05:
            self.client.notify("$/cancelRequest", {"id": number})
        answer = self.client.answer(number)
        if answer is None:
            self.wrong[f"{method}: no answer"] += 1
        elif (error := answer.get("error")) is not None and error["code"] not in EXPECTED:
            self.wrong[f"{method}: {error['code']} {error['message'][:200]}"] += 1
        self.times[method].append(time.perf_counter() - began)

    def run(self, requests: int) -> None:
        for done in range(1, requests + 1):
            if done % 25 == 1:
                self.open()
            if self.chance.random() < 0.3:
                self.edit()
            self.ask()
            if done % max(1, requests // 10) == 0:
                print(f"{done:7} requests, {self.client.memory():5} MB, {len(self.client.faults)} faults", flush=True)


def count_of(client: Client, query: str) -> int:
    return len(client.ask("workspace/symbol", {"query": query})["result"])


def killed(folder: Path, cache: str, kills: int, chance: random.Random) -> None:
    """Kills servers soon after their start; the last one must find what one with an empty cache finds."""
    for _ in range(kills):
        client = Client(folder, cache)
        time.sleep(chance.uniform(0.2, 4))
        client.kill()


def found(folder: Path, cache: str) -> dict[str, int]:
    """How many symbols a server finds once their numbers stay as they are."""
    client, before, same = Client(folder, cache), {}, 0
    while same < STEADY:
        time.sleep(1)
        now = {query: count_of(client, query) for query in ("forward", "kernel", "main")}
        same, before = (same + 1 if now == before else 0), now
    client.kill()
    return before


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=3)
    given = parser.parse_args()
    folder, chance = given.folder.resolve(), random.Random(given.seed)
    files = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.stat().st_size < 200_000)
    with tempfile.TemporaryDirectory() as cache:
        session = Session(Client(folder, cache), files, chance)
        session.run(given.requests)
        for method, times in sorted(session.times.items()):
            ordered = sorted(times)
            middle, late = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
            print(f"{method:35} {len(times):6}  p50 {middle:.3f}  p95 {late:.3f}  slowest {ordered[-1]:.2f} s")
        session.client.kill()
        wrong = [*(f"{count} x {what}" for what, count in session.wrong.items()), *session.client.faults]
        killed(folder, cache, given.kills, chance)
        again = found(folder, cache)
    with tempfile.TemporaryDirectory() as empty:
        anew = found(folder, empty)
    if again != anew:
        wrong.append(f"after kills {again} symbols are found, with an empty cache {anew}")
    print(*wrong, sep="\n")
    print(f"{len(wrong)} wrong")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
