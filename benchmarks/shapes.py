"""Time and memory of interpreting every `forward` of a folder's files: `python benchmarks/shapes.py FOLDER [PATTERN]`.

Prints the totals, the ten slowest files, the ten functions that take most steps, and those that were given up because
they take too many.
"""

from __future__ import annotations

import re
import resource
import sys
import time
from pathlib import Path

from kernelscope.analysis import Analysis

SLOWEST = 10
FORWARD = re.compile(rb"^\s+def forward\(", re.MULTILINE)


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    pattern = re.compile(sys.argv[2] if len(sys.argv) > 2 else "")
    paths = [p for p in sorted(folder.rglob("*.py")) if pattern.search(str(p)) and FORWARD.search(p.read_bytes())]
    analysis = Analysis([folder])
    files: list[tuple[float, str]] = []
    unfinished: list[str] = []
    functions: list[tuple[int, str]] = []
    start = time.process_time()
    for path in paths:
        before = time.process_time()
        run = analysis.file_run(path)
        files.append((time.process_time() - before, str(path.relative_to(folder))))
        functions += [(steps, f"{path.relative_to(folder)}: {name}") for name, steps in run.steps.items()]
        unfinished += [f"{path.relative_to(folder)}: {name}" for name in sorted(run.incomplete)]
    total = time.process_time() - start
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{len(paths)} files, {total:.1f} s CPU, {kilobytes // 1024} MiB at most")
    print(f"{sum(seconds > 2 for seconds, _ in files)} files over 2 s; the slowest:")
    for seconds, name in sorted(files, reverse=True)[:SLOWEST]:
        print(f"  {seconds:6.2f} s  {name}")
    print("The functions that take most steps, with all that they call:")
    for steps, name in sorted(functions, reverse=True)[:SLOWEST]:
        print(f"  {steps:6}  {name}")
    print(f"{len(unfinished)} functions took more steps than they may:")
    for name in unfinished[:SLOWEST]:
        print(f"  {name}")


if __name__ == "__main__":
    main()
