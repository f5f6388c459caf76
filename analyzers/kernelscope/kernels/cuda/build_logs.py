"""What ptxas said of kernels when they were built: registers and spills, from build logs and cubins near the source.

A log counts when it has the lines of `nvcc -Xptxas -v`; kernels are found in it by their mangled names. Cubins tell of
kernels that no log has.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from kernelscope.kernels.cuda.cubins import kernel_registers
from kernelscope.results import LeftOut
from kernelscope.workspace.files import Files

LOG_SUFFIXES = (".log", ".txt", ".ptxas")
CUBIN_SUFFIXES = (".cubin",)
MAX_LOGS = 20
MAX_FOLDERS = 4
_ENTRY = re.compile(
    rb"Compiling entry function '(?P<name>[^']+)' for '(?P<arch>sm_\d+)[af]?'"
    rb"|(?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads"
    rb"|Used (?P<registers>\d+) registers"
)


@dataclass(frozen=True, slots=True)
class Compiled:
    """One kernel as ptxas compiled it, and the log and line that say so."""

    name: str
    """Mangled."""
    arch: str
    registers: int
    spilled: int | None
    """Bytes that are written to and read from local memory; cubins do not tell."""
    path: str
    line: int
    """Of a log; 0 in a cubin."""


def compiled(files: Files, source: str, kernel: str) -> tuple[Compiled, ...]:
    """What the logs near a source file say of a kernel: of its folder, those above it, and `build` folders in them."""
    found: dict[tuple[str, str], Compiled] = {}
    mangled = re.compile(rf"(?<!\d){len(kernel)}{re.escape(kernel)}(?![a-z0-9_])")
    for path in (*_near(files, source, LOG_SUFFIXES), *_near(files, source, CUBIN_SUFFIXES)):
        data = files.read_binary(path) if path.endswith(CUBIN_SUFFIXES) else files.read(path)
        if isinstance(data, LeftOut):
            continue
        for entry in _entries(path, data):
            if mangled.search(entry.name) or entry.name == kernel:
                found.setdefault((entry.name, entry.arch), entry)
    return tuple(found.values())


def _near(files: Files, source: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    folder, root = os.path.dirname(source), files.root_of(source)
    count = 0
    for _ in range(MAX_FOLDERS):
        for place in (folder, os.path.join(folder, "build")):
            for path in files.beside(place, suffixes):
                count += 1
                if count > MAX_LOGS:
                    return
                yield path
        if root is None or folder == root or os.path.dirname(folder) == folder:
            return
        folder = os.path.dirname(folder)


@lru_cache(maxsize=16)
def _entries(path: str, data: bytes) -> tuple[Compiled, ...]:
    if path.endswith(CUBIN_SUFFIXES):
        return tuple(Compiled(k.name, k.arch, k.registers, None, path, 0) for k in kernel_registers(data))
    found: list[Compiled] = []
    name, arch, spilled = "", "", 0
    for match in _ENTRY.finditer(data) if b"ptxas info" in data else ():
        if match["name"] is not None:
            name, arch, spilled = match["name"].decode("utf-8", "replace"), match["arch"].decode(), 0
        elif match["stores"] is not None:
            spilled = int(match["stores"]) + int(match["loads"])
        elif name:
            line = data.count(b"\n", 0, match.start()) + 1
            found.append(Compiled(name, arch, int(match["registers"]), spilled, path, line))
            name = ""
    return tuple(found)
