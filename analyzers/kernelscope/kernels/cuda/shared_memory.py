"""Shared memory of a kernel: each static array with its bytes, and what is sized at the launch.

Arrays of device functions count for the kernel that calls them, once for each way their templates are filled in. Those
of branches that no instance takes are left out; what other branches rest on is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, replace
from itertools import product

from kernelscope.dims import Dim, dim, total
from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.branches import ALWAYS, Branches, Condition, Way, Ways, either
from kernelscope.kernels.cuda.constants import Constants
from kernelscope.kernels.cuda.operations import Behaviour, Key, Reached
from kernelscope.results import Span
from kernelscope.syntax.cuda.declarations import Declaration

MAX_CALLERS = 8
"""Calls of one function, and functions in one another, through which conditions are followed."""
MAX_CONDITIONS = 6


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
    only_if: Ways = ALWAYS
    """The conditions of constants under which it is there, where the kernel's template arguments leave them open."""

    @property
    def condition(self) -> str:
        """`if WIDE`; empty for one that is always there."""
        ways = [" && ".join(one.told_in(len(way) > 1) for one in way) for way in self.only_if]
        return f"if {' or '.join(dict.fromkeys(ways))}" if all(ways) else ""

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
        """All static arrays together; None where the size of one cannot be told, or only some instances have it."""
        if any(array.condition for array in self.static):
            return None
        return _sum(self.static)

    @property
    def by_condition(self) -> tuple[tuple[str, Dim], ...]:
        """The bytes with and without what one condition decides; empty where several do, or a size is not known."""
        asked = self._asked()
        found: list[tuple[str, Dim]] = []
        for condition in (Condition(asked[0]), Condition(asked[0], False)) if len(asked) == 1 else ():
            size = _sum(self._there({condition}))
            if size is not None:
                found.append((f"if {condition.told}", size))
        return tuple(found) if len(found) == 2 else ()

    @property
    def bounds(self) -> tuple[int, int] | None:
        """The least and the most bytes, whatever the conditions come to; None where a size is no number."""
        asked = self._asked()
        answers = (
            {Condition(text, holds) for text, holds in zip(asked, each, strict=True)}
            for each in product((True, False), repeat=len(asked) if len(asked) <= MAX_CONDITIONS else 0)
        )
        sizes = [_sum(self._there(holding)) for holding in answers]
        numbers = [size.const for size in sizes if size is not None and size.const is not None]
        return (min(numbers), max(numbers)) if len(numbers) == len(sizes) > 1 else None

    @property
    def least(self) -> Dim | None:
        """The bytes of the arrays that every instance has; None where a size is not known, or none is left out."""
        always = [array for array in self.static if not array.condition]
        return _sum(always) if 0 < len(always) < len(self.static) else None

    def _asked(self) -> list[str]:
        return list(dict.fromkeys(one.text for array in self.static for way in array.only_if for one in way))

    def _there(self, holding: Set[Condition]) -> Iterator[SharedArray]:
        """The arrays that are there where these conditions hold."""
        return (array for array in self.static if any(set(way) <= holding for way in array.only_if))


def _sum(arrays: Iterable[SharedArray]) -> Dim | None:
    sizes = [array.size for array in arrays]
    return None if None in sizes else total(size for size in sizes if size is not None)


def shared_memory(ran: Behaviour) -> SharedMemory:
    """The arrays of a kernel and of the functions it runs."""
    static: list[SharedArray] = []
    dynamic: list[SharedArray] = []
    seen: dict[tuple[str, int, tuple[tuple[str, str], ...]], int] = {}
    for i, one in enumerate(ran.reached):
        declared_here = list(_declared(one))
        branches = ran.branches(one) if declared_here else None
        for declared in declared_here:
            ways = _ways(ran, one, branches, declared) if branches is not None else ALWAYS
            if not ways:
                continue
            key = (one.unit.path, declared.node.start_byte, one.bound)
            is_extern = "extern" in declared.words
            if key in seen:
                if not is_extern:
                    at = seen[key]
                    static[at] = replace(static[at], only_if=either((*static[at].only_if, *ways)))
                continue
            array = replace(_array(one, declared, one.constants, i == 0), only_if=ways)
            seen[key] = len(static)
            (dynamic if is_extern else static).append(array)
    names: dict[tuple[str, str], SharedArray] = {(a.name, a.path): a for a in reversed(dynamic)}
    return SharedMemory(tuple(static), tuple(reversed(names.values())))


def _ways(ran: Behaviour, one: Reached, branches: Branches, declared: Declaration) -> Ways:
    """The conditions under which an array is there; none where it never is."""
    body = one.function.body
    inside = body.start_byte <= declared.node.start_byte < body.end_byte
    own = branches.conditions(declared.node, body) if inside else ()
    if own is None:
        return ()
    return either(tuple(dict.fromkeys((*way, *own))) for way in _reached_by(ran, one, ()))


def _reached_by(ran: Behaviour, one: Reached, inside: tuple[Key, ...]) -> Iterator[Way]:
    """What the calls rest on through which a function is reached."""
    if one is ran.reached[0]:
        yield ()
    elif one.key not in inside and len(inside) < MAX_CALLERS:
        for caller, node in ran.calls.get(one.key, ())[:MAX_CALLERS]:
            own = ran.branches(caller).conditions(node, caller.function.body)
            if own is not None:
                yield from (tuple(dict.fromkeys((*way, *own))) for way in _reached_by(ran, caller, (*inside, one.key)))


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
    kind = types.bare(declared.type)
    own = not direct and any(t.name == kind and not t.type for t in one.function.templates)
    if own and kind not in dict(one.bound) and "extern" not in declared.words:  # the kernel may have a `T` of its own
        size, reason = None, f"the `{kind}` of `{one.function.name}` is not known"
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
