"""What the subcommands do: find the target, ask the analysis, print."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from kernelscope.results import IndexProgress, Target, UserError, ViewOptions

from kernelscope_server.cli.occupancy import generation_of
from kernelscope_server.cli.sizes import read_bindings, read_config
from kernelscope_server.cli.targets import find_root, find_target

NEEDS_INDEX = {"path", "explain"}
"""Deliverables that follow links through the whole workspace."""
NEEDS_NAMES = {"architecture", "serving"}
"""Those about a folder that draw who calls whom: a method of an object that is not known is found by its name."""


def document(options: argparse.Namespace) -> int:
    """Print one deliverable."""
    from kernelscope.analysis import Analysis
    from kernelscope.explain.render import to_json, to_markdown, to_mermaid, to_svg, to_text

    target, root = find_target(options.target)
    analysis = Analysis([root], cache_dir=_cache())
    if options.kind in NEEDS_INDEX:
        analysis.index(_progress(), waited_for=True)
        _end_progress()
    elif options.kind in NEEDS_NAMES and target.path.is_dir():
        analysis.index(_progress(), lambda: analysis.knows_names, waited_for=True)
        _end_progress()
    config = read_config(options.config)
    bindings = read_bindings(options.bind, config)
    if not 20 <= options.width <= 1000:
        raise UserError("--width is a number of columns between 20 and 1000")
    depth = getattr(options, "depth", 0)
    if depth < 0:
        raise UserError("--depth is a number of levels")
    generation_of(options.gpu)
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
        from kernelscope.explain.report_text import WHOLE, Lengths, to_markdown

        print(to_markdown(found, WHOLE if options.all else Lengths()), end="")
    return 0


def index(options: argparse.Namespace) -> int:
    """Index a folder and print what it holds."""
    from kernelscope.analysis import Analysis

    folder = _folder(options.folder)
    analysis = Analysis([folder], cache_dir=_cache())
    analysis.index(_progress(), waited_for=True)
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
    analysis.index(_progress(), waited_for=True)
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


def lsp(options: argparse.Namespace) -> int:
    """The language server on stdio."""
    from kernelscope_server.server import main

    main()
    return 0


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
