"""The command line: `kernelscope SUBCOMMAND TARGET`, the same answers as the editor's.

Results go to stdout, progress to a terminal's stderr. Exit codes: 0 found, 1 problems found, 2 wrong usage.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import TextIOWrapper

from kernelscope_server.cli.arguments import parse
from kernelscope_server.traces import traced_to_file


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; the process's exit status."""
    from kernelscope.results import UserError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    options = parse(sys.argv[1:] if argv is None else argv)
    try:
        with traced_to_file() as traces:
            status = int(options.run(options) or 0)
        if traces.count:
            print(f"kernelscope: parts of the answer are missing; please report {traces.path}", file=sys.stderr)
        return status
    except UserError as error:
        print(f"kernelscope: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        return 130
