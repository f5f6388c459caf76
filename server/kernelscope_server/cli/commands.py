"""What the subcommands do: find the target, ask the analysis, print."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import cast

from kernelscope.results import IndexProgress, Target, UserError, ViewOptions

from kernelscope_server.cli.sizes import read_bindings, read_config

NEEDS_INDEX = {"path", "explain"}
"""Deliverables that follow links through the whole workspace."""
ROOT_MARKERS = (".git", "pyproject.toml", "setup.py", "setup.cfg", "CMakeLists.txt")


def document(options: argparse.Namespace) -> int:
    """Print one deliverable."""
    from kernelscope.analysis import Analysis
    from kernelscope.explain.render import to_json, to_markdown, to_mermaid, to_svg, to_text

    target, root = find_target(options.target)
    analysis = Analysis([root], cache_dir=_cache())
    if options.kind in NEEDS_INDEX:
        analysis.index(_progress())
        _end_progress()
    config = read_config(options.config)
    bindings = read_bindings(options.bind, config)
    if not 20 <= options.width <= 1000:
        raise UserError("--width is a number of columns between 20 and 1000")
    depth = getattr(options, "depth", 0)
    view = ViewOptions(options.width, options.charset, bindings, options.gpu, config, options.why, depth)
    made = analysis.document(options.kind, target, view)
    if options.json:
        print(json.dumps(to_json(made), indent=1, ensure_ascii=False))
    elif options.format == "markdown":
        print(to_markdown(made), end="")
    elif options.format in ("mermaid", "svg"):
        text = to_mermaid(made) if options.format == "mermaid" else to_svg(made)
        if not text:
            raise UserError(f"{options.kind} has no picture to export as {options.format}; use --format text")
        print(text)
    else:
        print(to_text(made, options.width, options.charset).text, end="")
    return 0


def report(options: argparse.Namespace) -> int:
    """Print the report of a folder, as JSON or Markdown."""
    from kernelscope.analysis import Analysis

    folder = _folder(options.folder)
    focus = [part for part in options.focus.split(",") if part and part != "."]
    for part in focus:
        if not (folder / part).exists():
            raise UserError(f"--focus: there is no {part} in {folder}")
    analysis = Analysis([folder], cache_dir=_cache())
    found = analysis.report(focus, _progress())
    _end_progress()
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        from kernelscope.explain.report_text import to_markdown

        print(to_markdown(found), end="")
    return 0


def index(options: argparse.Namespace) -> int:
    """Index a folder and print what it holds."""
    from kernelscope.analysis import Analysis

    folder = _folder(options.folder)
    analysis = Analysis([folder], cache_dir=_cache())
    analysis.index(_progress())
    _end_progress()
    left_out = analysis.left_out()
    symbols = analysis.find_symbols("", 1)
    if options.json:
        rows = [{"path": str(entry.path), "reason": entry.reason} for entry in left_out]
        print(json.dumps({"folder": str(folder), "left_out": rows}, ensure_ascii=False))
        return 0
    files = sum(1 for _ in analysis.files.walk())
    print(f"{folder}: {files:,} source files indexed" if symbols or files else f"{folder}: no source files")
    for entry in left_out:
        print(f"left out: {entry.path}: {entry.reason}")
    return 0


def graph(options: argparse.Namespace) -> int:
    """Print the graph of a folder, or what a function or kernel leads to and what leads to it."""
    from kernelscope.analysis import Analysis

    given = Path(options.target)
    target, root = (None, _folder(options.target)) if given.is_dir() else find_target(options.target)
    analysis = Analysis([root], cache_dir=_cache())
    analysis.index(_progress())
    _end_progress()
    print(json.dumps(analysis.graph(target), ensure_ascii=False))
    return 0


def check(options: argparse.Namespace) -> int:
    """Print diagnostics; 1 when there are any. Or what one kind of them means."""
    if options.explain is not None:
        return _explain(options.explain)
    if not options.paths:
        raise UserError("which files? Give files or folders, or --explain CODE")
    from kernelscope.analysis import Analysis
    from kernelscope.problems import TABLE
    from kernelscope.syntax.text import SourceText

    paths: list[Path] = []
    for given in options.paths:
        path = Path(given).absolute()
        if path.is_dir():
            paths += [Path(entry.path) for entry in Analysis([path]).files.walk()]
        elif path.is_file():
            paths.append(path)
        else:
            raise UserError(f"there is no {given}")
    root = Path(os.path.commonpath([find_root(Path(given)) for given in options.paths]))
    analysis = Analysis([root], cache_dir=_cache())
    rows: list[dict[str, object]] = []
    for path in paths:
        data = analysis.files.read(str(path))
        if not isinstance(data, bytes):
            print(f"kernelscope: left out {path}: {data.reason}", file=sys.stderr)
            continue
        text = SourceText(data)
        for problem in analysis.problems(path):
            where = text.location(path, problem.span)
            severity = TABLE[problem.code].severity.value
            rows.append(
                {"path": str(path), "line": where.line, "column": where.column + 1, "code": problem.code,
                 "severity": severity, "message": problem.message}
            )  # fmt: skip
    if options.format == "sarif":
        print(json.dumps(_sarif(rows), indent=1))
    elif options.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        for row in rows:
            print("{path}:{line}:{column}: {severity}: {message} [{code}]".format(**row))
    return 1 if rows else 0


def _explain(code: str) -> int:
    from kernelscope.analysis import Analysis
    from kernelscope.explain.render import to_text

    print(to_text(Analysis([]).document("diagnostic", Target(Path(), None, code))).text.rstrip())
    return 0


def _sarif(rows: list[dict[str, object]]) -> dict[str, object]:
    from kernelscope import __version__
    from kernelscope.problems import TABLE

    levels = {"error": "error", "warning": "warning", "information": "note", "hint": "note"}
    rules = [
        {"id": d.code, "shortDescription": {"text": d.title}, "fullDescription": {"text": d.meaning}}
        for d in TABLE.values()
    ]
    results = [
        {
            "ruleId": row["code"],
            "level": levels[str(row["severity"])],
            "message": {"text": row["message"]},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": Path(str(row["path"])).as_uri()},
                        "region": {"startLine": row["line"], "startColumn": row["column"]},
                    }
                }
            ],
        }
        for row in rows
    ]
    driver = {"name": "kernelscope", "version": __version__, "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }


def occupancy(options: argparse.Namespace) -> int:
    """Print the occupancy of one kernel, or of a batch of them."""
    if options.batch is not None:
        try:
            asked: object = json.loads(Path(options.batch).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"--batch: {options.batch} cannot be read as JSON: {error}") from None
        rows = cast("list[object]", asked) if isinstance(asked, list) else [None]
        if not all(isinstance(row, dict) for row in rows):
            raise UserError("--batch: a JSON list of {gpu, threads, registers, smem}")
        print(json.dumps({"rows": [_occupancy_row(cast("dict[str, object]", row), None) for row in rows]}))
        return 0
    if options.threads is None:
        raise UserError("--threads is missing: threads per block, such as --threads 256")
    row = {"gpu": options.gpu, "threads": options.threads, "registers": options.registers, "smem": options.smem}
    found = _occupancy_row(row, options.programs)
    if options.json:
        print(json.dumps(found))
        return 0
    limits = " and ".join(cast("list[str]", found["limited_by"]))
    share = f"{found['warps_per_sm']}/{found['max_warps']} warps = {found['percent']} %"
    print(f"{found['blocks_per_sm']} blocks/SM = {share} on {found['gpu']}, limited by {limits}")
    if "waves" in found:
        print(f"{found['waves']} waves, the last one {found['last_wave_percent']} % full")
    return 0


def _occupancy_row(row: dict[str, object], programs: int | None) -> dict[str, object]:
    from kernelscope.kernels.hardware import GPUS, generation
    from kernelscope.kernels.occupancy import occupancy as blocks_held
    from kernelscope.kernels.occupancy import waves

    name = str(row.get("gpu", ""))
    held = generation(name)
    if held is None:
        raise UserError(f"there is no GPU {name}; known: {', '.join(GPUS)}, or sm_70 to sm_121")
    numbers = [row.get(key, 0) for key in ("threads", "registers", "smem")]
    if not all(isinstance(n, int) and not isinstance(n, bool) for n in numbers):
        raise UserError("threads, registers and smem are whole numbers")
    threads, registers, shared = (int(str(n)) for n in numbers)
    try:
        found = blocks_held(held, threads, registers, shared)
    except ValueError as error:
        raise UserError(str(error)) from None
    shown: dict[str, object] = {
        "gpu": held.arch, "blocks_per_sm": found.blocks_per_sm, "warps_per_sm": found.warps_per_sm,
        "max_warps": found.max_warps, "percent": round(100 * found.share), "limited_by": list(found.limited_by),
    }  # fmt: skip
    gpu = next((g for g in GPUS.values() if g.name.lower() == name.lower()), None)
    if programs is not None and gpu is not None and found.blocks_per_sm:
        number, last = waves(programs, found.blocks_per_sm, gpu.sms)
        shown |= {"waves": round(number, 2), "last_wave_percent": round(100 * last)}
    return shown


def lsp(options: argparse.Namespace) -> int:
    """The language server on stdio."""
    from kernelscope_server.server import main

    main()
    return 0


# -- targets ---------------------------------------------------------------------------------------------


def find_target(given: str) -> tuple[Target, Path]:
    """The target that `FILE`, `FILE:LINE`, `FILE::symbol`, a folder or a dotted name means, and its root."""
    path, symbol, line = given, None, None
    if "::" in given:
        path, symbol = given.split("::", 1)
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
        if any((candidate / marker).exists() for marker in ROOT_MARKERS):
            return candidate
        if candidate == Path.home():
            break
    is_below = not given.is_absolute() and ".." not in given.parts
    return Path.cwd() if is_below and top.is_relative_to(Path.cwd()) else top


def _folder(given: str) -> Path:
    folder = Path(given).absolute()
    if not folder.is_dir():
        raise UserError(f"there is no folder {given}")
    return folder


def _cache() -> Path | None:
    from kernelscope_server.user_cache import cache_folder

    return cache_folder()


def _progress():
    """Progress on a terminal's stderr; nothing elsewhere."""
    if not sys.stderr.isatty():
        return None

    def show(state: IndexProgress) -> None:
        print(f"\r{state.phase}: {state.done} of {state.total} files\x1b[K", end="", file=sys.stderr, flush=True)

    return show


def _end_progress() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
