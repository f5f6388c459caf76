"""The row of a kernel's card that tells its atomic operations: which, on which memory, of which type, and where.

The type is told where the operation was followed to its target; one that launches choose has its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kernelscope.explain.cuda_operations import MAX_LINES, by_name, places_of
from kernelscope.explain.document import Line
from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.intrinsics import Kind
from kernelscope.kernels.cuda.kernels import KernelFacts
from kernelscope.kernels.cuda.operations import Operation
from kernelscope.kernels.cuda.warp.accesses import Verdict
from kernelscope.kernels.cuda.warp.kernel_warp import KernelWarp
from kernelscope.kernels.cuda.warp.types import Number, Type, TypeParameter, Vector

_NAME = re.compile(r"[A-Za-z_]\w*")
_BRAIN = re.compile(r"b(?:rain_?)?f")


def atomic_lines(facts: KernelFacts, warp: KernelWarp) -> Iterator[Line]:
    shared = {array.name for array in (*facts.shared.static, *facts.shared.dynamic)}
    followed = [verdict for verdict in warp.verdicts if verdict.access.kind == "atomic"]
    for name, operations in list(by_name(facts.behaviour.of(Kind.ATOMIC)).items())[:MAX_LINES]:
        spaces: set[str] = set()
        kinds: dict[str, None] = {}
        for operation in operations:
            targets = [verdict for verdict in followed if _is_of(verdict, operation, warp)]
            spaces |= _spaces(facts, operation, shared, targets)
            kinds |= dict.fromkeys(_kind(facts, warp, verdict) for verdict in targets) if targets else {"": None}
        where = f" {' and '.join(sorted(spaces))}" if "" not in spaces else ""
        told = f" {' and '.join(kinds)}" if "" not in kinds else ""
        text = f"`{name}`{where}{told} ×{len(operations)} ({places_of(facts, operations)})"
        yield Line(text, operations[0].location)


def _is_of(verdict: Verdict, operation: Operation, warp: KernelWarp) -> bool:
    """Whether an access that was followed is this operation's, as far as the function and the line tell."""
    through = verdict.access.through
    if through:
        return through == operation.function.name
    return operation.direct and warp.line(verdict) == operation.location.line


def _spaces(facts: KernelFacts, operation: Operation, shared: set[str], targets: Sequence[Verdict]) -> set[str]:
    """The memories that an atomic operation changes, as followed; by the name of its target where it was not, and an
    empty one where that may be either."""
    found = {verdict.access.memory.space for verdict in targets}
    if found and found <= {"shared", "global"}:
        return {str(space) for space in found}
    named = _NAME.match(operation.arguments[0].lstrip("&(* ")) if operation.arguments else None
    name = named[0] if named is not None else ""
    passed = operation.direct and any(p.name == name for p in facts.function.params)
    return {"shared" if name in shared else "global" if passed else ""}


def _kind(facts: KernelFacts, warp: KernelWarp, verdict: Verdict) -> str:
    """The type that an operation changes; empty where it is not known."""
    if not warp.types_differ_by_launch:
        return _number(verdict.access.target)
    declared = next((p.type for p in facts.function.params if p.name == verdict.access.memory.name), "")
    pointed = types.bare(declared).removesuffix("*").strip()
    if any(parameter.name == pointed and not parameter.type for parameter in facts.function.templates):
        return f"`{pointed}`"
    return _number(verdict.access.target) if types.layout(pointed) is not None else ""


def _number(kind: Type) -> str:
    """A type of numbers in the words of all languages: `fp32`, `uint64`, `fp16x2`."""
    match kind:
        case Number(integer=True):
            unsigned = types.is_unsigned(kind.name)
            return f"{'u' if unsigned else ''}int{8 * kind.size}"
        case Number():
            plain = kind.name.rpartition("::")[2].strip("_").lower().removeprefix("nv_").removeprefix("hip_")
            return f"{'bf' if _BRAIN.match(plain) else 'fp'}{8 * kind.size}" if kind.size > 1 else ""
        case Vector():
            return f"{_number(kind.element)}x{kind.count}"
        case TypeParameter():
            return f"`{kind.name}`"
        case _:
            return ""
