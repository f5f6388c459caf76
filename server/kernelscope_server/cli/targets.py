"""What the words of a command line point at: a file, a line, a symbol, a folder, and the root that holds them."""

from __future__ import annotations

import re
from pathlib import Path

from kernelscope.results import Target, UserError

ROOT_MARKERS = (".git", "pyproject.toml", "setup.py", "setup.cfg", "CMakeLists.txt")


def find_target(given: str) -> tuple[Target, Path]:
    """The target that `FILE`, `FILE:LINE`, `FILE::symbol`, a folder or a dotted name means, and its root."""
    path, symbol, line = given, None, None
    if "::" in given:
        path, _, symbol = given.partition("::")
        symbol = symbol or None
    elif match := re.fullmatch(r"(.+?):(\d+)", given):
        path, line = match[1], int(match[2])
    file = Path(path).absolute()
    if file.is_dir():
        return Target(file), file
    if file.is_file():
        return Target(file, _offset(file, line), symbol), find_root(Path(path))
    found = _dotted(path) if re.fullmatch(r"\w+(\.\w+)+", path) else None
    if found is not None:
        return found, find_root(found.path.relative_to(Path.cwd()))
    raise UserError(f"there is no {path}; give FILE, FILE:LINE, FILE::symbol, a folder or a dotted name")


def _offset(file: Path, line: int | None) -> int | None:
    if line is None:
        return None
    from kernelscope.syntax.text import SourceText

    text = SourceText(file.read_bytes())
    if not 1 <= line <= text.line_count:
        raise UserError(f"{file.name} has {text.line_count} lines, not {line}")
    body = text.line_bytes(line)
    return text.line_start(line) + len(body) - len(body.lstrip())


def _dotted(name: str) -> Target | None:
    """`package.module.Class.method` below the working folder."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        base = Path.cwd().joinpath(*parts[:count])
        for file in (base.with_suffix(".py"), base / "__init__.py"):
            if file.is_file():
                return Target(file, None, ".".join(parts[count:]) or None)
    return None


def find_root(given: Path) -> Path:
    """The folder whose files belong together with a file: its repository, else the folder above its packages, or the
    working folder where that lies higher and the file is given below it."""
    file = given.absolute()
    folder = file if file.is_dir() else file.parent
    top = folder
    while (top / "__init__.py").is_file() and top.parent != top:
        top = top.parent
    for candidate in (folder, *folder.parents):
        if (candidate / "__init__.py").is_file() and not (candidate / ".git").exists():
            continue  # a package that is also published by itself: what it calls lies beside it
        if any((candidate / marker).exists() for marker in ROOT_MARKERS):
            return candidate
        if candidate == Path.home():
            break
    is_below = not given.is_absolute() and ".." not in given.parts
    return Path.cwd() if is_below and top.is_relative_to(Path.cwd()) else top
