"""The tests that a load or store of a Triton kernel stands behind, as they are written."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.kernels.triton.bodies import nodes_of
from kernelscope.kernels.triton.call import Access, Side
from kernelscope.kernels.triton.kernel_facts import KernelFacts
from kernelscope.kernels.triton.offsets import tight
from kernelscope.kernels.triton.switches import asked, plain_test
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module

MAX_TESTS = 90
"""Characters of tests that are written out."""


def condition(facts: KernelFacts, access: Access) -> str:
    """`if A and not B`, empty where nothing stands before it; that the function did not end earlier is not told."""
    told = dict.fromkeys(_tests(facts, access))
    text = f"if {' and '.join(map(tight, told) if len(told) > 1 else told)}"
    return "" if not told else text if len(text) <= MAX_TESTS else "at most"


def _tests(facts: KernelFacts, access: Access) -> Iterator[str]:
    for side in access.sides:
        for function in (facts, *facts.helpers):
            if str(function.path) != side.path or side.is_rest:
                continue
            branch = next((b for b in nodes_of(function.node, t.If) if b.span.start == side.start), None)
            if branch is not None:
                yield _written(function.module, branch, side)
                break


def _written(module: Module, branch: t.If, side: Side) -> str:
    test, positive = plain_test(branch.test)
    meant = asked(branch.test, ("", positive))[2] if side.question else True
    text = " ".join(module.text.slice(test.span).split())
    return text if (side.is_so == meant) == positive else f"not {tight(text)}"
