"""Links as they are on the disk, kept in the cache and made by a process of their own.

What is read for them takes ten times their memory, and Python gives back little of it; nobody who asks waits for them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from kernelscope.graph.links import Links, link
from kernelscope.graph.packed_links import pack, unpack
from kernelscope.workspace.files import Files
from kernelscope.workspace.kept import code_of
from kernelscope.workspace.processes import run_beside
from kernelscope.workspace.worker import NICENESS, be_nice, end_with_parent, read_message
from kernelscope.workspace.workspace import Workspace

MIN_FILES = 300
"""With fewer files with kernels, launches or registrations, a process costs more than it brings."""
_FAMILY = "links"
_MAKERS = ("kernelscope.graph", "kernelscope.workspace", "kernelscope.syntax.python", "kernelscope.syntax.cuda")


def kept_links(workspace: Workspace) -> Links | None:
    """The links of the files on the disk, where these are as they were when the links were kept."""
    kind = _kind(workspace)
    rows = list(workspace.index.store().made(kind)) if kind is not None else []
    return unpack(rows[0][3]) if rows else None


def make_beside(
    workspace: Workspace, cache_dir: Path | None, cancelled: Callable[[], bool], waited_for: bool = False
) -> None:
    """Has the links of the disk made and kept, if that takes long; whether it worked shows when they are asked for."""
    kind = _kind(workspace)
    if kind is None or cache_dir is None or workspace.index.operator_count() < MIN_FILES:
        return
    if any(workspace.index.store().made(kind)):
        return
    folders = [os.fsencode(folder) for folder in (cache_dir.absolute(), *workspace.files.roots)]
    run_beside(__name__, msgspec.msgpack.encode((waited_for, folders)), cancelled)


def main() -> None:
    """Links the workspace that stdin names."""
    end_with_parent()
    message = read_message(sys.stdin.buffer)
    waited_for, folders = msgspec.msgpack.decode(message or b"", type=tuple[bool, list[bytes]])
    be_nice(0 if waited_for else NICENESS)
    cache_dir, *roots = map(os.fsdecode, folders)
    workspace = Workspace(Files(roots), Path(cache_dir))
    workspace.build_index(None, lambda: False)
    links, kind = link(workspace), _kind(workspace)
    if kind is not None and all(not node.path or workspace.index.holds(node.path) for node in links.edges.nodes()):
        workspace.index.store().put_made(kind, [("", 0, 0, pack(links.cpp, links.others))])


def _kind(workspace: Workspace) -> str | None:
    """Under what the links are kept: the code that makes them, and all files as they are. None where they cannot be."""
    state = workspace.index.state_of_disk()
    is_kept = state is not None and not workspace.index.store().in_memory
    return f"{_FAMILY} {code_of(_MAKERS)} {state}" if is_kept else None
