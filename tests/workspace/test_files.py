"""Reading: what is read, what is left out, and the reason the user sees."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from codecs import BOM_UTF16_BE
from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.results import LeftOut
from kernelscope.workspace.files import Files
from kernelscope.workspace.ignore import parse_rules
from kernelscope.workspace.reading import Version

Workspace = Callable[[str], Files]
GIT = shutil.which("git")


def walked(files: Files) -> list[str]:
    return [os.path.relpath(entry.path, files.roots[0]) for entry in files.walk()]


def reasons(files: Files) -> dict[str, str]:
    return {os.path.relpath(out.path, files.roots[0]): out.reason for out in files.left_out()}


def git(root: Path, *words: str) -> None:
    subprocess.run([GIT or "git", *words], cwd=root, check=True, capture_output=True)


def test_an_open_document_hides_the_disk_until_it_is_closed(workspace: Workspace) -> None:
    files = workspace("## a.py\nx = 1\n")
    path = files.roots[0] + "/a.py"
    disk = files.version(path)
    files.set_text(path, b"y = 2\n")
    assert files.read(path) == b"y = 2\n"
    assert files.version(path) != disk
    files.set_text(path, None)
    assert files.read(path) == b"x = 1\n"


def test_an_announced_change_counts_even_with_equal_size_and_time(workspace: Workspace) -> None:
    files = workspace("## a.py\nx = 1\n")
    path = files.roots[0] + "/a.py"
    before = files.version(path)
    files.announce(path)
    assert files.version(path) != before


def test_without_a_repository_nothing_is_ignored(workspace: Workspace) -> None:
    files = workspace(
        "## .gitignore\ncache/\n## cache/tree.py\n## repo/.git/HEAD\n## repo/.gitignore\nout/\n## repo/out/a.py\n"
    )
    assert walked(files) == ["cache/tree.py"]
    assert reasons(files) == {"repo/.git": "version control", "repo/out": "ignored by .gitignore"}


def test_gitignore_skipped_folders_and_sizes_are_named(workspace: Workspace) -> None:
    files = workspace(
        """
## .git/HEAD
## .gitignore
build/
*.gen.py
!keep.gen.py
/only_here.py
## build/x.py
## a.gen.py
## keep.gen.py
## only_here.py
## sub/only_here.py
## sub/.gitignore
local.py
## sub/local.py
## node_modules/x.py
## env/pyvenv.cfg
## env/lib/y.py
## big.py
"""
    )
    Path(files.roots[0], "big.py").write_bytes(b"#" * (files.max_file_bytes + 1))
    assert walked(files) == ["keep.gen.py", "sub/only_here.py"]
    assert reasons(files) == {
        ".git": "version control",
        "a.gen.py": "ignored by .gitignore",
        "big.py": "8.0 MiB, larger than the limit of 8 MiB",
        "build": "ignored by .gitignore",
        "env": "a virtual environment",
        "node_modules": "installed packages",
        "only_here.py": "ignored by .gitignore",
        "sub/local.py": "ignored by .gitignore",
    }


@pytest.mark.skipif(GIT is None, reason="no git here")
@pytest.mark.parametrize("version", ["2", "4"])
def test_what_git_tracks_is_read_though_a_rule_matches_it(workspace: Workspace, version: str) -> None:
    files = workspace(
        """
## .gitignore
build/
*.gen.py
## build/tracked.py
## build/left.py
## build/deep/tracked.py
## build/other/left.py
## tracked.gen.py
## left.gen.py
"""
    )
    root = Path(files.roots[0])
    git(root, "init", "-q")
    git(root, "add", "-f", "build/tracked.py", "build/deep", "tracked.gen.py")
    git(root, "update-index", "--index-version", version)
    assert sorted(walked(files)) == ["build/deep/tracked.py", "build/tracked.py", "tracked.gen.py"]
    ignored = [path for path, reason in reasons(files).items() if reason == "ignored by .gitignore"]
    assert ignored == ["build/left.py", "build/other", "left.gen.py"]


@pytest.mark.skipif(os.name == "nt", reason="symbolic links and pipes")
def test_links_loops_and_pipes_trap_nobody(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> None:
    files = workspace("## a.py\n## sub/b.py\n")
    root = Path(files.roots[0])
    outside = tmp_path_factory.mktemp("outside") / "secret.py"
    outside.write_text("password = 1\n")
    (root / "sub" / "loop").symlink_to(root)
    (root / "self.py").symlink_to(root / "self.py")
    (root / "leak.py").symlink_to(outside)
    os.mkfifo(root / "pipe.py")
    assert walked(files) == ["a.py", "sub/b.py"]
    said = reasons(files)
    assert said["sub/loop"] == "symbolic link to a folder"
    assert said["leak.py"] == "symbolic link to a file outside the workspace"
    assert said["pipe.py"] == "not a regular file"
    assert isinstance(files.read(str(root / "pipe.py")), LeftOut)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("x = 'é🙂'\r\n".encode("utf-16"), "x = 'é🙂'\r\n".encode()),
        (BOM_UTF16_BE + "x = 1\n".encode("utf-16-be"), b"x = 1\n"),
        (b"\xff\xfex\x00=\x001", "x=\ufffd".encode()),
        ("x = 1\n".encode("utf-32"), "binary content"),
        (b"\0" * 100, "binary content"),
        ("x = 'é'\n".encode("latin-1"), "x = 'é'\n".encode("latin-1")),
        (b"\xef\xbb\xbfx = 1\r\n", b"\xef\xbb\xbfx = 1\r\n"),
    ],
)
def test_odd_encodings(data: bytes, expected: bytes | str, workspace: Workspace) -> None:
    files = workspace("## a.py\n")
    path = Path(files.roots[0], "a.py")
    path.write_bytes(data)
    read = files.read(str(path))
    assert read == (LeftOut(path, expected) if isinstance(expected, str) else expected)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems make text of such names")
def test_names_that_are_no_text_are_left_out(workspace: Workspace) -> None:
    files = workspace("## é.py\n")
    root = os.fsencode(files.roots[0])
    os.mkdir(root + b"/caf\xe9")
    for name in (b"/caf\xe9.py", b"/caf\xe9/a.py"):
        with open(root + name, "wb") as file:
            file.write(b"x = 1\n")
    assert walked(files) == ["é.py"]
    assert set(reasons(files).values()) == {"a name that is not UTF-8; rename it"}
    assert not files.is_indexed(os.fsdecode(root + b"/caf\xe9/a.py"))


def test_vanished_and_impossible_paths(workspace: Workspace) -> None:
    files = workspace("## a.py\n")
    assert files.version(files.roots[0] + "/gone.py") is None
    assert files.version("/bad\0path.py") is None
    assert isinstance(files.read("/bad\0path.py"), LeftOut)
    assert files.version(files.roots[0]) is None
    assert isinstance(files.version(files.roots[0] + "/a.py"), Version)


@pytest.mark.parametrize(
    ("rules", "path", "is_folder", "expected"),
    [
        ("*.py", "a/b.py", False, True),
        ("/a.py", "b/a.py", False, None),
        ("a/b", "x/a/b", False, None),
        ("**/b", "x/a/b", False, True),
        ("a/**", "a/x/y", False, True),
        ("a/**/b", "a/b", False, True),
        ("a/*/b", "a/x/y/b", False, None),
        ("out/", "out", False, None),
        ("out/", "x/out", True, True),
        ("*.py\n!b.py", "b.py", False, False),
        ("[!a]?.py", "bc.py", False, True),
        ("[a-c].py", "b.py", False, True),
        ("# a\n\n\\#a", "#a", False, True),
        ("[", "[", False, True),
    ],
)
def test_ignore_rules(rules: str, path: str, is_folder: bool, expected: bool | None) -> None:
    assert parse_rules(rules).verdict(path, is_folder) is expected
