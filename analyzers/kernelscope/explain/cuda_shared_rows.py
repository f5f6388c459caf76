"""The rows of a kernel's card that tell its shared memory: bytes of every array, static and dynamic.

Sizes that types decide are told for the launches that name the types.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.dims import Dim, render
from kernelscope.explain.document import Line
from kernelscope.kernels.cuda.constants import Constants
from kernelscope.kernels.cuda.kernels import KernelFacts
from kernelscope.kernels.cuda.launch import Launch
from kernelscope.kernels.cuda.shared_memory import SharedArray, SharedMemory
from kernelscope.syntax.cuda.expressions import split_arguments
from kernelscope.syntax.cuda.macros import closing

MAX_LINES = 8


def static_lines(facts: KernelFacts) -> Iterator[Line]:
    shared = facts.shared
    if not shared.static:
        return
    size = shared.static_bytes
    if (size is None or size.const is None) and (sized := _instantiated(facts)) is not None:
        yield sized
        return
    arrays = ", ".join(_array_text(array, facts) for array in shared.static)
    total = f"{_bytes(size, facts)} B" if size is not None else _by_condition(facts)
    yield Line(f"{total}: {arrays}", facts.location(shared.static[0].span) if shared.static[0].direct else None)


def _by_condition(facts: KernelFacts) -> str:
    """The bytes where branches that constants decide have arrays of their own."""
    known = [f"{_bytes(size, facts)} B {condition}" for condition, size in facts.shared.by_condition]
    if not known and (bounds := facts.shared.bounds) is not None:
        return f"{bounds[0]} to {bounds[1]} B"
    if not known and (least := facts.shared.least) is not None:
        return f"at least {_bytes(least, facts)} B"
    return ", ".join(known) or "not known in all"


def _bytes(size: Dim, facts: KernelFacts) -> str:
    """A number of bytes without commas, which part the arrays of a row: `(N + 31)//32` for `cdiv(N, 32)`."""
    text = render(size, facts.order)
    while (start := text.rfind("cdiv(")) >= 0:
        end = closing(text.encode("latin-1", "replace"), start + len("cdiv"))
        parts = split_arguments(text[start + len("cdiv(") : end])
        if end is None or len(parts) != 2:
            break
        whole, part = parts
        one_less = str(int(part) - 1) if part.isdecimal() else f"{part} - 1"
        part = part if part.isidentifier() or part.isdecimal() else f"({part})"
        text = f"{text[:start]}(({whole} + {one_less})//{part}){text[end + 1 :]}"
    return text


def _instantiated(facts: KernelFacts) -> Line | None:
    """Sizes that types decide, at the launches that name the types; None where numbers of the kernel decide."""
    symbolic = facts.shared.static_bytes
    if symbolic is not None and all(name.isidentifier() for name in symbolic.names()):
        return None
    if symbolic is None and len(facts.instantiations) > MAX_LINES:
        return None
    sizes: dict[int, tuple[SharedMemory, Constants]] = {}
    for _, constants in facts.instantiations:
        shared = facts.shared_of(constants)
        number = shared.static_bytes.const if shared.static_bytes is not None else None
        if number is None:
            return None
        sizes.setdefault(number, (shared, constants))
    if not sizes:
        return None
    parts: list[str] = []
    for number, (shared, constants) in sizes.items():
        arrays = ", ".join(_array_text(array, facts) for array in shared.static)
        given = f" with {arguments_text(constants)}" if len(sizes) > 1 else ""
        parts.append(f"{number} B{given}{f': {arrays}' if arrays else ''}")
    return Line("; ".join(parts))


def arguments_text(constants: Constants) -> str:
    """The template arguments of an instantiation."""
    return f"<{', '.join(constants.bound.values())}>"


def _array_text(array: SharedArray, facts: KernelFacts) -> str:
    size = f"{_bytes(array.size, facts)} B" if array.size is not None else f"({array.reason})"
    return f"`{array.name}` {array.declared} {size}{f' {array.condition}' if array.condition else ''}"


def bytes_text(facts: KernelFacts, array: SharedArray) -> str:
    """The bytes of one array: where each launch sizes it, as many as there are different ones."""
    if array not in facts.shared.dynamic:
        size = f"{render(array.size, facts.order)} B" if array.size is not None else f"not known: {array.reason}"
        return f"{size} {array.condition}".rstrip()
    given = dict.fromkeys(
        f"{render(launch.shared)} B at launch L{launch.line}"
        for launch in facts.launches
        if launch.shared is not None and len(launch.configuration) > 2
    )
    return ", ".join(list(given)[:MAX_LINES]) or "sized at the launch"


def dynamic_lines(facts: KernelFacts) -> Iterator[Line]:
    names = ", ".join(f"`{array.name}`" for array in facts.shared.dynamic)
    sizes: dict[str, Launch] = {}
    for launch in facts.launches:
        size = launch.shared
        written = launch.written[2] if len(launch.written) > 2 else "0"
        sizes.setdefault(f"{render(size)} B" if size is not None else f"`{written}` B", launch)
    parts = [f"{size} at launch L{launch.line}" for size, launch in list(sizes.items())[:MAX_LINES]]
    if not names:
        asked = [part for part in parts if not part.startswith("0 B")]
        if asked:
            yield Line(f"no `extern` array was found; launches ask for {', '.join(asked)}")
        return
    where = facts.shared.dynamic[0]
    place = facts.location(where.span) if where.path == facts.unit.path else None
    yield Line(f"{names} extern, {', '.join(parts) or 'sized at the launch'}", place)
