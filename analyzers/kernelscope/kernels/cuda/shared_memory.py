"""Shared memory of a kernel: each static array with its bytes, and what is sized at the launch.

Arrays of device functions count for the kernel that calls them, once for each way their templates are filled in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kernelscope.dims import Dim, dim, total
from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.constants import Constants
from kernelscope.kernels.cuda.operations import Reached
from kernelscope.results import Span
from kernelscope.syntax.cuda.declarations import Declaration


@dataclass(frozen=True, slots=True)
class SharedArray:
    """One array or variable; `size` is None where its bytes cannot be told, with the `reason`."""

    name: str
    type: str
    bounds: tuple[str, ...]
    size: Dim | None
    span: Span
    line: int
    path: str
    direct: bool
    """Whether the kernel itself declares it."""
    reason: str = ""

    @property
    def declared(self) -> str:
        """Its type with its bounds: `float[BM*BK]`."""
        return self.type + "".join(f"[{bound}]" for bound in self.bounds)


@dataclass(frozen=True, slots=True)
class SharedMemory:
    static: tuple[SharedArray, ...]
    dynamic: tuple[SharedArray, ...]

    @property
    def static_bytes(self) -> Dim | None:
        """All static arrays together; None where the size of one cannot be told."""
        sizes = [array.size for array in self.static]
        return None if None in sizes else total(size for size in sizes if size is not None)


def shared_memory(reached: list[Reached], bound: dict[str, str] | None = None) -> SharedMemory:
    """The arrays of a kernel (the first of `reached`) and of the functions it runs."""
    static: list[SharedArray] = []
    dynamic: list[SharedArray] = []
    seen: set[tuple[str, int, tuple[tuple[str, str], ...]]] = set()
    for i, one in enumerate(reached):
        given = dict(one.bound) | (bound or {} if i == 0 else {})
        constants = replace(one.constants, bound=given)
        for declared in _declared(one):
            key = (one.unit.path, declared.node.start_byte, one.bound)
            if key in seen:
                continue
            seen.add(key)
            is_extern = "extern" in declared.words
            array = _array(one, declared, constants, i == 0)
            (dynamic if is_extern else static).append(array)
    names: dict[tuple[str, str], SharedArray] = {(a.name, a.path): a for a in reversed(dynamic)}
    return SharedMemory(tuple(static), tuple(reversed(names.values())))


def _declared(one: Reached) -> Iterator[Declaration]:
    """Shared variables of a function: its own, those outside of it that it names, those of types it makes."""
    declarations = one.unit.declarations
    body = one.function.body
    text = one.unit.source.text(body)
    if "__shared__" in text:
        yield from (d for d in declarations.within(body) if "__shared__" in d.words)
    for name, outside in declarations.shared_outside.items():
        if re.search(rf"\b{re.escape(name)}\b", text):
            yield outside
    for local in declarations.within(body):
        plain = types.bare(local.type).partition("<")[0].rpartition("::")[2]
        if "__shared__" in local.words or not plain or plain in types.SCALARS:
            continue
        for unit in one.unit.with_name(plain):
            for struct in unit.declarations.structs.get(plain, ()):
                if b"__shared__" in unit.source.prepared.data[struct.node.start_byte : struct.node.end_byte]:
                    yield from (d for d in unit.declarations.within(struct.node) if "__shared__" in d.words)


def _array(one: Reached, declared: Declaration, constants: Constants, direct: bool) -> SharedArray:
    source = one.unit.source
    span = source.span(declared.node)
    size, reason = (None, "sized at the launch") if "extern" in declared.words else _bytes(declared, constants)
    return SharedArray(
        declared.name,
        types.bare(declared.type) + ("*" if declared.pointer else ""),
        declared.bounds,
        size,
        span,
        source.source.line_of(span.start),
        one.unit.path,
        direct,
        reason,
    )


def _bytes(declared: Declaration, constants: Constants) -> tuple[Dim | None, str]:
    offset = declared.node.start_byte
    size = dim(8) if declared.pointer else constants.size_of(declared.type, offset)
    if size is None:
        return None, f"the size of {types.bare(declared.type)} is not known"
    for bound in declared.bounds:
        length = constants.evaluate(bound, offset)
        if length is None:
            return None, f"{bound} cannot be evaluated"
        size = size * length
    return size, ""
