"""Certain findings in Triton kernels: wrong blocks, lengths and launches, accesses beyond the data, too large tiles.

What holds for some callers only is no finding; what holds for some configurations names them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from kernelscope.dims import render
from kernelscope.kernels.hardware import Generation
from kernelscope.kernels.triton.bodies import nodes_of
from kernelscope.kernels.triton.bounds import Overshoot, overshoots
from kernelscope.kernels.triton.choices import Choice, choices, launch_span
from kernelscope.kernels.triton.chosen_findings import lengths, mismatches
from kernelscope.kernels.triton.host_things import Plain, Thing, as_dim
from kernelscope.kernels.triton.kernel_facts import KernelFacts, kernel_facts, shared_estimates
from kernelscope.kernels.triton.kernel_runs import KernelRuns
from kernelscope.kernels.triton.launches import Launch
from kernelscope.problems import Problem
from kernelscope.results import Evidence, Span
from kernelscope.syntax.python import tree as t

ANY_LENGTH = (b"triton.language.extra.cann", b"import torch_npu", b"triton.language.extra.mlu", b"import torch_mlu")
"""What only code for Ascend and Cambricon imports, whose compilers take ranges of any length."""


def triton_problems(runs: KernelRuns, path: Path, limits: Generation | None = None) -> Iterator[Problem]:
    """Findings in one file, in source order of its kernels. `limits` are those of the chosen GPU."""
    module = runs.modules.module(str(path))
    any_length = _takes_any_length(runs, path)
    for node in runs.kernels(str(path)) if module is not None else ():
        assert module is not None
        run = runs.run(str(path), node)
        for found in run.found:
            if not (any_length and found.code == "not-a-power-of-two"):
                yield Problem(found.code, found.message, found.span)
        if run.is_helper:
            continue
        facts = kernel_facts(runs, path, module, node)
        chosen = list(choices(facts))
        yield from () if any_length else lengths(facts, chosen)
        yield from mismatches(runs, facts, chosen)
        yield from _unmasked(facts, chosen)
        if limits is not None:
            yield from _shared_memory(facts, limits)
        if not facts.tuning.wrapped:
            yield from _launch_problems(facts)


def _takes_any_length(runs: KernelRuns, path: Path) -> bool:
    """Whether the files of a folder are for a compiler that takes ranges of any length, by what one of them imports."""
    texts = (runs.workspace.files.read(beside) for beside in runs.workspace.files.beside(str(path.parent), (".py",)))
    return any(isinstance(text, bytes) and any(name in text for name in ANY_LENGTH) for text in texts)


def _launch_problems(facts: KernelFacts) -> Iterator[Problem]:
    node = facts.node
    if any(param.kind in ("args", "kwargs") for param in node.args):
        return
    names = {param.name for param in node.args}
    chosen = {*facts.tuning.names(), *facts.tuning.heuristics}  # besides them jit's options, which are no parameters
    required = [param.name for param in node.args if param.default is None and param.name not in chosen]
    for launch in facts.launches:
        if launch.location.path != facts.path or not launch.complete or not facts.tuning.complete:
            continue
        missing = [name for name in required if name not in launch.passed]
        unknown = sorted(launch.passed - names)  # compilers take options of their own: alone they say nothing
        if missing or launch.surplus:
            yield _problem(facts, launch, missing, unknown)


def _problem(facts: KernelFacts, launch: Launch, missing: list[str], unknown: list[str]) -> Problem:
    parts: list[str] = []
    if missing:
        parts.append(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not passed")
    if launch.surplus:
        parts.append(f"{launch.surplus} too many")
    if unknown:
        parts.append(f"it has no {', '.join(unknown)}")
    story = Evidence(
        facts.location(facts.node.name_span),
        f"{len(facts.node.args)} parameters, {len(facts.constexprs)} of them constexpr",
    )
    message = f"launch of {facts.node.name}: {'; '.join(parts)}"
    return Problem("launch-arguments", message, launch_span(facts, launch), (story,))


# -- bounds ------------------------------------------------------------------------------------------------------


def _unmasked(facts: KernelFacts, chosen: Sequence[Choice]) -> Iterator[Problem]:
    """Accesses that the last programs make beyond a tensor whose size the launch tells."""
    always = {call.span for call in _always_reached(facts.node.body)}
    told: set[Span] = set()
    for launch in facts.launches:
        if not launch.complete:
            continue
        found = overshoots(facts, launch)
        for access in facts.run.accesses:
            for overshoot in found.get(access.span, ()):
                if overshoot.covered or access.span in told or access.span not in always:
                    continue
                if _is_extent(facts, launch, chosen, overshoot, getattr(access.pointer, "bases", ())):
                    told.add(access.span)
                    size, block = render(overshoot.size, facts.order), render(overshoot.block, facts.order)
                    message = (
                        f"the last program's indices{overshoot.named} reach beyond {size} unless {block} divides it, "
                        f"and this {access.kind} has no mask for that"
                    )
                    yield Problem("missing-mask", message, access.span, (Evidence(launch.location, "the grid"),))


def _always_reached(body: list[t.Stmt]) -> Iterator[t.Call]:
    """The calls that no test stands before, those of loops included."""
    todo: list[t.Node] = list(body)
    while todo:
        node = todo.pop()
        if isinstance(node, t.If | t.While | t.IfExp | t.BoolOp):
            continue
        if isinstance(node, t.Call):
            yield node
        todo += t.children(node)


def _is_extent(
    facts: KernelFacts, launch: Launch, chosen: Sequence[Choice], overshoot: Overshoot, bases: tuple[str, ...]
) -> bool:
    """Whether what is overshot is the size of the very tensor that is accessed, and no multiple of the block."""
    arguments = dict(launch.arguments)
    size = overshoot.size
    if size.name is not None and size.name in arguments:
        given = arguments[size.name]
        host = as_dim(given) if not isinstance(given, Plain) else None
    else:
        host = size
    tensor = arguments.get(bases[0]) if len(bases) == 1 else None
    if host is None or not isinstance(tensor, Thing) or host % overshoot.block == 0:
        return False
    rests = [(host % overshoot.block).evaluate(choice.numbers) for choice in chosen]
    if rests and not any(rests) and None not in rests:
        return False  # every configuration divides it
    return host in (tensor.numel(), *(tensor.size(axis) for axis in range(4)), tensor.size(-1))


# -- shared memory -----------------------------------------------------------------------------------------------


def _shared_memory(facts: KernelFacts, limits: Generation) -> Iterator[Problem]:
    """Configurations that do not fit even if every element whose type is not known has one byte."""
    least = dict.fromkeys(facts.order, "int8")
    estimates = shared_estimates(_certain(facts), limits.arch, least)
    over = [(size, named) for size, named in estimates if size > limits.block_shared]
    if not over or (facts.tuning.pruned and len(over) < len(estimates)):
        return  # the host's own code may rule out those that do not fit
    size, named = over[0]
    of = f" for {named}" if named else ""
    others = f"; {len(over)} of {len(estimates)} configurations are" if len(estimates) > 1 else ""
    message = (
        f"≈ {size / 1024:.4g} KiB of shared memory or more{of}: over the {limits.block_shared // 1024} KiB of "
        f"{limits.arch}{others}"
    )
    yield Problem("shared-memory-limit", message, facts.node.name_span)


def _certain(facts: KernelFacts) -> KernelFacts:
    """A kernel without the accesses that some launches do not make: those in branches that do not return."""
    returning = {
        node.span.start
        for node in nodes_of(facts.node, t.If)
        if any(side and isinstance(side[-1], t.Return) for side in (node.body, node.orelse))
    }
    made = tuple(
        access
        for access in facts.run.accesses
        if all(side.path == facts.run.path and side.start in returning for side in access.sides)
    )
    return replace(facts, run=replace(facts.run, accesses=made))
