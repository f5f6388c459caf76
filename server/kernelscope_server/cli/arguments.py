"""The subcommands and options of the command line, as one table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from kernelscope import __version__

from kernelscope_server.cli import commands
from kernelscope_server.cli.occupancy import occupancy

DOCUMENTS: dict[str, str] = {
    "explain": "explain a kernel, a module, a function, a file or a folder",
    "dataflow": "what a module or function computes from what, drawn",
    "ops": "the operators of a module or function: shapes, FLOPs, bytes, weights",
    "memory": "the tensors of a module or function from birth to last use, and the peak",
    "architecture": "a model's parts, drawn",
    "pseudocode": "the mathematics of a function or kernel",
    "tiling": "the tiles and the memory movement of a kernel, drawn",
    "timeline": "what runs when: a scheduler's tasks, a megakernel's waits, a kernel's pipeline, a function's streams",
    "path": "the call path from Python to the kernels that run",
    "why": "how the shape at FILE:LINE came about",
    "serving": "a serving system: topology, lifecycle, scheduling, batching, caches, metrics",
    "faq": "the technical FAQ of a system, answered from its code",
    "distributed": "sharded layers, collectives and process groups",
}


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parsed options; wrong usage ends the process with status 2 and one line."""
    parser = _Parser(prog="kernelscope", description="See LLM code without running it.")
    parser.add_argument("--version", action="version", version=f"kernelscope {__version__}")
    sub = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    for name, text in DOCUMENTS.items():
        _document(sub.add_parser(name, help=text, description=text), name)
    shapes = sub.add_parser("shapes", help="every tensor's shape in a file")
    shapes.add_argument("target", metavar="FILE")
    _common(shapes)
    shapes.set_defaults(run=commands.document, kind="shapes")
    report = sub.add_parser("report", help="the full report of a folder")
    report.add_argument("folder", metavar="DIR")
    report.add_argument("--focus", default="", help="comma-separated parts of the folder")
    report.add_argument("--json", action="store_true", help="all of it, as data")
    report.add_argument("--all", action="store_true", help="all of it: no list is cut where a reader would stop")
    report.set_defaults(run=commands.report)
    index = sub.add_parser("index", help="read a folder and say what was found and left out")
    index.add_argument("folder", metavar="DIR")
    index.add_argument("--json", action="store_true")
    index.set_defaults(run=commands.index)
    graph = sub.add_parser("graph", help="the operator and kernel graph of a folder, or around a function, as JSON")
    graph.add_argument("target", metavar="DIR|TARGET")
    graph.add_argument("--json", action="store_true", help="the only format there is")
    graph.set_defaults(run=commands.graph)
    check = sub.add_parser("check", help="diagnostics; exit 1 when there are any")
    check.add_argument("paths", metavar="PATH", nargs="*")
    check.add_argument("--explain", metavar="CODE", help="what a kind of finding means, such as missing-mask")
    check.add_argument("--json", action="store_true")
    check.add_argument("--format", choices=("text", "sarif"), default="text")
    check.set_defaults(run=commands.check)
    held = sub.add_parser("occupancy", help="blocks per SM of a kernel, and what limits them")
    held.add_argument("--gpu", default="H100", help="sm_90, or a product such as H100")
    held.add_argument("--threads", type=int, help="threads per block")
    held.add_argument("--registers", type=int, default=0, help="registers per thread")
    held.add_argument("--smem", type=int, default=0, help="bytes of shared memory per block, static and dynamic")
    held.add_argument("--programs", type=int, help="blocks of the grid, for waves and tail")
    held.add_argument("--batch", metavar="FILE", help="a JSON list of {gpu, threads, registers, smem}")
    held.add_argument("--json", action="store_true")
    held.set_defaults(run=occupancy)
    lsp = sub.add_parser("lsp", help="the language server on stdio")
    lsp.add_argument("--stdio", action="store_true", help="the only way there is; many clients say it")
    lsp.set_defaults(run=commands.lsp)
    return parser.parse_args(argv)


class _Parser(argparse.ArgumentParser):
    """Errors are one line with the remedy."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _document(parser: argparse.ArgumentParser, kind: str) -> None:
    parser.add_argument("target", metavar="TARGET", help="FILE, FILE:LINE, FILE::symbol, a folder or a dotted name")
    _common(parser)
    depth = "levels that a dataflow shows: 1 is the modules called, 2 what is inside them (default: what fits)"
    parser.add_argument("--depth", type=int, default=0, metavar="N", help=depth)
    parser.set_defaults(run=commands.document, kind=kind)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="plain data instead of text")
    parser.add_argument("--format", choices=("text", "markdown", "mermaid", "svg"), default="text")
    parser.add_argument("--width", type=int, default=100, metavar="N", help="columns (default 100)")
    parser.add_argument("--charset", choices=("unicode", "ascii"), default="unicode")
    parser.add_argument("--bind", action="append", default=[], metavar="NAME=N", help="a size for a symbol; repeatable")
    parser.add_argument("--config", metavar="FILE", help="a model's config.json: its sizes and what the code derives")
    parser.add_argument("--gpu", default="H100")
    parser.add_argument("--why", action="store_true", help="show where each fact comes from")
