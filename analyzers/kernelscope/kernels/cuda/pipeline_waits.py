"""How many groups of asynchronous copies a kernel's waits leave in flight, which is how deep its pipeline is.

PTX ISA, `cp.async.wait_group N`: waits until at most N of the most recent groups are pending; CUDA C++ Programming
Guide, `__pipeline_wait_prior(N)`, `cuda::pipeline_consumer_wait_prior<N>`, `cooperative_groups::wait_prior<N>`; CuTe's
`cp_async_wait<N>`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from kernelscope.dims import Dim, dim
from kernelscope.kernels.cuda.assembly import constant_operand
from kernelscope.kernels.cuda.operations import Reached

_PTX = re.compile(r"\bcp\.async\.wait_(?:all|group\s+(%?\w+))")
_CALL = re.compile(
    r"\b(?:__pipeline_wait_prior\s*\(([^()]*)\)|(?:cp_async_wait|pipeline_consumer_wait_prior|wait_prior)\s*<([^<>]*)>)"
)


def groups_in_flight(reached: Sequence[Reached]) -> list[Dim]:
    """The numbers at which waits of these functions end, each once, in the kernel's words where they are known."""
    found: dict[Dim, None] = {}
    for one in reached:
        body = one.function.body
        text = one.unit.source.text(body)
        if "wait" not in text:
            continue
        for match in _PTX.finditer(text):
            written = match[1] or "0"
            if written.startswith("%"):
                written = constant_operand(text, match.end())
            _note(found, one, written)
        for match in _CALL.finditer(text):
            _note(found, one, match[1] or match[2] or "")
    return list(found)


def _note(found: dict[Dim, None], one: Reached, written: str) -> None:
    written = written.strip()
    count = dim(int(written)) if written.isdigit() else one.constants.evaluate(written, one.function.body.start_byte)
    if count is not None:
        found[count] = None
