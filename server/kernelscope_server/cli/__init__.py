"""The command line: `kernelscope SUBCOMMAND TARGET`, the same answers as the editor's.

Results go to stdout, progress to a terminal's stderr. Exit codes: 0 found, 1 problems found, 2 wrong usage.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from kernelscope_server.structs import load_structs

load_structs()
from kernelscope_server.cli.arguments import parse  # noqa: E402
from kernelscope_server.traces import traced_to_file  # noqa: E402


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; the process's exit status."""
    from kernelscope.results import UserError

    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by who started this
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    options = parse(sys.argv[1:] if argv is None else argv)
    try:
        with traced_to_file() as traces:
            status = int(options.run(options) or 0)
            sys.stdout.flush()
        if traces.count:
            print(f"kernelscope: parts of the answer are missing; please report {traces.path}", file=sys.stderr)
        return status
    except UserError as error:
        print(f"kernelscope: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        _drop_output()
        return 0
    except OSError as error:
        _drop_output()
        print(f"kernelscope: {error.filename or 'the output cannot be written'}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _drop_output() -> None:
    """What could not be written is not tried again when the process ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
