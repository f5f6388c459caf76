"""All that is known of one Triton kernel: its run, its launches, its configurations, and the helpers it calls.

Gathered when somebody looks at the kernel; how it is shown is told elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kernelscope.kernels.triton.bodies import loops_in
from kernelscope.kernels.triton.call import Access
from kernelscope.kernels.triton.configs import Tuning, tuning
from kernelscope.kernels.triton.fixed_numbers import fixed_numbers
from kernelscope.kernels.triton.import_values import Config
from kernelscope.kernels.triton.kernel_runs import KernelRun, KernelRuns
from kernelscope.kernels.triton.launches import Launch
from kernelscope.kernels.triton.parameters import is_constexpr
from kernelscope.kernels.triton.product_operands import operands
from kernelscope.kernels.triton.recognition import is_gluon, wrapper
from kernelscope.kernels.triton.shared_memory import shared_bytes
from kernelscope.results import Location, Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module

MAX_HELPERS = 8


@dataclass(frozen=True, slots=True)
class HelperFacts:
    """A helper that a kernel calls, itself or through another."""

    path: Path
    module: Module
    node: t.FunctionDef
    run: KernelRun


@dataclass(frozen=True, slots=True)
class KernelFacts:
    """All that a card or a document about one kernel is made of."""

    path: Path
    module: Module
    node: t.FunctionDef
    run: KernelRun
    launches: tuple[Launch, ...]
    tuning: Tuning
    fixed: Mapping[str, int]
    """Parameters that every launch passes as one and the same number."""
    helpers: tuple[HelperFacts, ...] = ()
    gluon: bool = False
    """Whether it is written in Gluon."""
    wrapper: t.Expr | None = None
    """The decorator that takes a helper without callers."""

    @property
    def order(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.node.args)

    @property
    def constexprs(self) -> tuple[t.Param, ...]:
        return tuple(p for p in self.node.args if is_constexpr(p.annotation))

    def loops(self, access: Access) -> tuple[str, ...]:
        """The counters of the loops around an access, the outermost first; a loop without one is told by its line."""
        helper = next((c.function.node for c in self.run.calls if c.function.node.name == access.name), None)
        found = list(_loops_around(self.node, access.span))
        if helper is not None and access.at is not None:
            found += _loops_around(helper, access.at)
        return tuple(counter(loop) or f"the loop in L{self.location(loop.span).line}" for loop in found)

    def location(self, span: Span) -> Location:
        return self.module.text.location(self.path, span)

    def line_in(self, access: Access) -> int:
        """The line in the helper that makes an access, 0 where helpers of other files make it."""
        helpers = [helper for helper in self.helpers if helper.node.name == access.name]
        if access.at is None or not helpers or helpers[0].path != self.path:
            return 0
        return self.location(access.at).line


def _loops_around(node: t.FunctionDef, span: Span) -> Iterator[t.For | t.While]:
    return (loop for loop in loops_in(node) if loop.span.covers(span))


def counter(loop: t.For | t.While) -> str:
    """The name that counts a loop's rounds, empty where there is none."""
    return loop.target.id if isinstance(loop, t.For) and isinstance(loop.target, t.Name) else ""


def kernel_facts(runs: KernelRuns, path: Path, module: Module, node: t.FunctionDef) -> KernelFacts:
    with runs.modules.steady():
        run = runs.run(str(path), node)
        found = () if run.is_helper else runs.launches(str(path), node)
        tuned = tuning(runs.modules, str(path), node)
        fixed = fixed_numbers(node, found, tuned)
        gluon = is_gluon(runs.modules, str(path), node)
        around = wrapper(runs.modules, str(path), node) if run.uncalled else None
        return KernelFacts(path, module, node, run, found, tuned, fixed, _helpers(runs, run), gluon, around)


def _helpers(runs: KernelRuns, run: KernelRun) -> tuple[HelperFacts, ...]:
    """The helpers of a kernel and theirs, each once and as they are called here, in the order of their calls."""
    found: dict[t.FunctionDef, HelperFacts] = {}
    todo = [run]
    while todo and len(found) < MAX_HELPERS:
        caller = todo.pop(0)
        for call in caller.calls:
            function = call.function
            module = runs.modules.module(function.path)
            if module is None or function.node in found or function.node is run.node:
                continue
            inner = runs.called(function.path, function.node, caller.calls)
            found[function.node] = HelperFacts(Path(function.path), module, function.node, inner)
            todo.append(inner)
    return tuple(found.values())[:MAX_HELPERS]


def shared_estimates(facts: KernelFacts, arch: str, elements: Mapping[str, str] | None = None) -> list[tuple[int, str]]:
    """(bytes, configuration) for every configuration whose sizes are known, the largest first. `elements`: types behind
    arguments, where they are known or supposed."""
    found: list[tuple[int, str]] = []
    own = operands(facts.run.node)
    for config in facts.tuning.of_nvidia or (Config((), ()),):
        numbers = {**facts.fixed} | config.numbers()
        for launch in facts.launches:
            numbers = dict(launch.options) | numbers
        size = shared_bytes(facts.run.accesses, facts.run.products, numbers, arch, elements, own)
        if size is not None:
            found.append((size, ", ".join(f"{n}={v}" for n, v in (*config.values, *config.options))))
    return sorted(found, reverse=True)
