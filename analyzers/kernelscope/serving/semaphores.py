"""How many requests are let through at once: counting semaphores with the number that they are made with.

Those of asyncio and threading; a kernel's semaphores count what is done and are told with its waits.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import last_name, own_calls
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

SEMAPHORES = {"Semaphore", "BoundedSemaphore"}
FILES = {"download", "downloads", "upload", "crawl", "fetch", "moderation"}
"""Words of what is limited, too, and serves nobody."""
LIBRARIES = {"asyncio", "threading", "multiprocessing", "mp", "anyio", "trio"}


def semaphores(source: PythonSource) -> Iterator[Claim]:
    """`asyncio.Semaphore(self.limit)`: as many may be inside at once, who comes later waits."""
    if source.aside or b"Semaphore" not in source.text.data:
        return
    imported = {a.bound for s in t.flat(source.module.body) if isinstance(s, t.ImportFrom) and s.module in LIBRARIES
                for a in s.names}  # fmt: skip
    for scope in source.module.functions():
        if FILES & set(words(scope.qualified_name)):
            continue
        for call in own_calls(scope.node):
            name = t.dotted(call.func) or ""
            if FILES & set(words(" ".join(source.quote(a) for a in call.args))):
                continue
            known = name.partition(".")[0] in LIBRARIES if "." in name else name in imported
            if last_name(call.func) not in SEMAPHORES or not known or len(call.args) != 1:
                continue
            value = (
                f"concurrency limit: {scope.qualified_name} lets at most {source.quote(call.args[0])} through at once, "
                f"who comes later waits ({source.quote(call)})"
            )
            where = (source.at(call), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} concurrency limit", value, where)
