"""Processes of our own code: isolated, with their work on standard input, ended when nobody wants it any more."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from kernelscope.workspace.worker import write_message

if TYPE_CHECKING:
    import subprocess

POLL_SECONDS = 0.1
_START = (
    "import sys; sys.path[:0] = {path!r}; sys.modules['typing_extensions'] = None; import msgspec; "
    "del sys.modules['typing_extensions']; from {module} import main; main()"
)
"""msgspec would load what it does not need, for a fifth of the time that a process takes to start."""


def run_beside(module: str, message: bytes, cancelled: Callable[[], bool]) -> None:
    """Waits until a process has done what a message says; what became of it shows in what it leaves."""
    with contextlib.suppress(OSError):
        process = spawn(module)
        try:
            write_message(cast(BinaryIO, process.stdin), message)
            while not cancelled() and not has_ended(process, POLL_SECONDS):
                pass
        finally:
            process.kill()
            process.communicate()


def spawn(module: str) -> subprocess.Popen[bytes]:
    """Starts a process that runs `main` of one of our modules; isolated: it imports nothing of the working folder."""
    import subprocess  # a second start scans nothing

    package = str(Path(__file__).parents[2])
    path = [package, *(entry for entry in sys.path if entry.endswith("site-packages"))]
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _START.format(module=module, path=path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=package,
        creationflags=flags,
    )


def has_ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Waits that long for the end of a process."""
    from subprocess import TimeoutExpired

    try:
        process.wait(seconds)
    except TimeoutExpired:
        return False
    return True
