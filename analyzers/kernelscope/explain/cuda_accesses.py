"""Accesses of a CUDA kernel in words: the card's rows `Global access` and `Shared access`, and what could be better."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from kernelscope.dims import Dim, dim, render
from kernelscope.kernels.cuda.warp.accesses import Verdict
from kernelscope.kernels.cuda.warp.banks import Conflict
from kernelscope.kernels.cuda.warp.sectors import SECTOR, Class, Traffic
from kernelscope.kernels.cuda.warp.types import Opaque

_OF_WIDTH = re.compile(r"coalesced \(stride 1, (\d+) bytes/lane")
_NO_WIDTH = "(stride 1,  bytes/lane"
_PRIMED = re.compile(r"\(([\w.]+)′+\)")
MAX_LINES = 80
MAX_NEEDS = 3


def access_lines(found: Sequence[Verdict], space: str, line: Callable[[Verdict], int]) -> Iterator[tuple[str, Verdict]]:
    """`A` L63 load: coalesced (stride 1, 4 bytes/lane)`, once for what is the same; the verdict comes with its text.

    What one place does in one of several widths, as templates for a type that is not known do, is one line.
    """
    told: dict[str, tuple[Verdict, list[str]]] = {}
    for verdict in found:
        if verdict.access.memory.space not in (space, "unknown") or len(told) >= MAX_LINES or _is_hearsay(verdict):
            continue
        access = verdict.access
        through = f" via `{access.through}`" if access.through else ""
        text = unprimed(f"{_names(verdict)} L{line(verdict)} {access.kind}{through}: {describe(verdict)}")
        width = _OF_WIDTH.search(text) if through else None
        key = f"{text[: width.start(1)]}{text[width.end(1) :]}" if width is not None else text
        widths = told.setdefault(key, (verdict, []))[1]
        number = width[1] if width is not None else ""
        if number not in widths:
            widths.append(number)
    for key, (verdict, widths) in told.items():
        yield key.replace(_NO_WIDTH, f"(stride 1, {_either(widths)} bytes/lane", 1) if widths[0] else key, verdict


def _either(texts: Sequence[str]) -> str:
    return f"{', '.join(texts[:-1])} or {texts[-1]}" if len(texts) > 1 else texts[0]


def _is_hearsay(verdict: Verdict) -> bool:
    """An access to something of which neither type nor place is known: it may as well be a variable."""
    memory = verdict.access.memory
    return verdict.outcome is None and not verdict.scattered and memory.element == Opaque() and "[" in memory.name


def unprimed(text: str) -> str:
    """Without the marks that tell counters of several loops apart."""
    return _PRIMED.sub(r"\1", text).replace("′", "")


def _names(verdict: Verdict) -> str:
    access = verdict.access
    written = access.written
    own = re.split(r"[.\[]", access.memory.name, maxsplit=1)[0]
    if written and written.partition(".")[0] != own and not access.through:
        return f"`{access.memory.name}` (as `{written}`)"
    return f"`{access.memory.name}`"


def describe(verdict: Verdict) -> str:
    """The class of an access with its numbers; `if` says what was taken for granted of sizes."""
    if verdict.scattered:
        return f"scattered (data-dependent: {verdict.reason})"
    if verdict.outcome is None:
        return f"not known: {verdict.reason}"
    shared_by = _changed_together(verdict)
    if shared_by:
        head, details = "one after the other", [f"up to {shared_by} lanes change one place"]
    elif isinstance(verdict.outcome, Conflict):
        head, details = _conflict(verdict.outcome)
    else:
        head, details = _traffic(verdict.outcome, verdict.width)
    if len(verdict.sizes) > 1 and isinstance(verdict.outcome, Traffic) and verdict.outcome.kind is Class.STRIDED:
        details = ["strided; how far depends on the size of the type"]
    if verdict.needs:
        more = f" and {len(verdict.needs) - MAX_NEEDS} more such" if len(verdict.needs) > MAX_NEEDS else ""
        details.append(f"if {' and '.join(verdict.needs[:MAX_NEEDS])}{more}")
    if verdict.steps and details:
        verb = "are" if " and " in verdict.steps else "is"
        head = f"{head} unless {verdict.steps} {verb} 1"
    worst = " at worst" if verdict.others else ""
    return f"{head}{worst} ({', '.join(details)})" if details else f"{head}{worst}"


def _changed_together(verdict: Verdict) -> int:
    """The lanes that an atomic operation makes wait for each other; 0 for what needs no waiting."""
    outcome = verdict.outcome
    if verdict.access.kind != "atomic" or outcome is None:
        return 0
    if isinstance(outcome, Conflict):
        return outcome.sharing if outcome.sharing > 1 else 0
    return outcome.lanes if outcome.kind is Class.BROADCAST else 0


def _width(width: int | None) -> str:
    return f"{_count(width)}/lane" if width is not None else "whatever the size of the type"


def _count(width: int) -> str:
    return f"{width} byte{'s' if width != 1 else ''}"


def _traffic(outcome: Traffic, width: int | None) -> tuple[str, list[str]]:
    match outcome.kind:
        case Class.BROADCAST:
            return "broadcast", [_count(width)] if width is not None else []
        case Class.COALESCED if outcome.lanes == 1:
            return "uniform", ["one lane", *([_count(width)] if width is not None else [])]
        case Class.COALESCED:
            unit = width is not None and outcome.stride == width
            return "coalesced", ["stride 1", _width(width)] if unit else [_width(width)]
        case Class.MISALIGNED:
            if width is None:
                return "partially coalesced", ["misaligned; how many sectors depends on the size of the type"]
            ideal = -(-outcome.bytes_used // SECTOR)
            return "partially coalesced", ["misaligned", f"{outcome.sectors} sectors for {ideal}", _width(width)]
        case Class.STRIDED:
            used = f"{round(100 * outcome.efficiency)} % of sectors used{_beyond(outcome.stride)}"
            return "uncoalesced", [
                "strided",
                *([f"{_bytes(outcome.stride)} bytes stride{_of_groups(outcome)}"] if outcome.stride else []),
                used,
            ]


def _of_groups(outcome: Traffic) -> str:
    return f" of groups of {outcome.group} lanes" if outcome.group > 1 else ""


def _beyond(stride: Dim | None) -> str:
    """From which size on lanes lie in sectors of their own, where the stride is a multiple of one."""
    if stride is None or stride.const is not None or len(stride.terms) != 1:
        return ""
    ((monomial, factor),) = stride.terms
    least = -(-SECTOR // abs(factor))
    return f" for {render(Dim(((monomial, 1),)))} ≥ {least}" if least > 1 else ""


def _bytes(stride: Dim) -> str:
    text = render(stride if stride.const is None else dim(abs(stride.const)))
    return text if stride.const is not None or len(stride.terms) == 1 else f"({text})"


def _conflict(outcome: Conflict) -> tuple[str, list[str]]:
    if outcome.is_broadcast:
        return "conflict-free", ["broadcast"]
    if outcome.is_free:
        return "conflict-free", ["one lane"] if outcome.lanes == 1 else []
    return f"{outcome.degree}-way bank conflict", []
