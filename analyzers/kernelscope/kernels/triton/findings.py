"""Certain findings in Triton kernels: blocks that cannot meet, lengths that are no power of two, wrong launches.

What holds for some callers or configurations only is no finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kernelscope.kernels.triton.kernel_runs import KernelRuns
from kernelscope.kernels.triton.launches import Launch, launches
from kernelscope.kernels.triton.statements import is_constexpr
from kernelscope.problems import Problem
from kernelscope.results import Evidence, Span
from kernelscope.syntax.python import tree as t


def triton_problems(runs: KernelRuns, path: Path) -> Iterator[Problem]:
    """Findings in one file, in source order of its kernels."""
    for node in runs.kernels(str(path)):
        run = runs.run(str(path), node)
        for found in run.found:
            yield Problem(found.code, found.message, found.span)
        if not run.is_helper and not _is_wrapped(node):
            yield from _launch_problems(runs, path, node)


def _is_wrapped(node: t.FunctionDef) -> bool:
    """Decorators besides jit may add or drop arguments of a launch."""
    return len(node.decorator_list) != 1


def _launch_problems(runs: KernelRuns, path: Path, node: t.FunctionDef) -> Iterator[Problem]:
    if any(param.kind in ("args", "kwargs") for param in node.args):
        return
    names = {param.name for param in node.args}
    required = [param.name for param in node.args if param.default is None]
    for launch in launches(runs.workspace, str(path), node):
        if launch.location.path != path or not launch.complete:
            continue
        missing = [name for name in required if name not in launch.passed]
        unknown = sorted(launch.passed - names)  # compilers take options of their own: alone they say nothing
        if missing or launch.surplus:
            yield _problem(runs, path, node, launch, missing, unknown)


def _problem(
    runs: KernelRuns, path: Path, node: t.FunctionDef, launch: Launch, missing: list[str], unknown: list[str]
) -> Problem:
    parts: list[str] = []
    if missing:
        parts.append(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not passed")
    if launch.surplus:
        parts.append(f"{launch.surplus} too many")
    if unknown:
        parts.append(f"it has no {', '.join(unknown)}")
    module = runs.modules.module(str(path))
    assert module is not None
    start = module.text.line_start(launch.location.line) + launch.location.column
    end = module.text.line_start(launch.location.end_line) + launch.location.end_column
    constexprs = sum(is_constexpr(p.annotation) for p in node.args)
    story = Evidence(
        module.text.location(path, node.name_span), f"{len(node.args)} parameters, {constexprs} of them constexpr"
    )
    return Problem("launch-arguments", f"launch of {node.name}: {'; '.join(parts)}", Span(start, end), (story,))
