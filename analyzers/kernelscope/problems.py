"""Diagnostics: one table of codes, and the value that carries one finding.

Deciding whether something is a problem belongs to the domain modules.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from kernelscope.results import Evidence, Span


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One kind of finding: its code, how grave it is, and a one-line title for documentation."""

    code: str
    severity: Severity
    title: str


TABLE: dict[str, Diagnostic] = {
    d.code: d
    for d in (
        Diagnostic("shape-mismatch", Severity.ERROR, "Sizes that must agree do not"),
        Diagnostic("rank-mismatch", Severity.ERROR, "A tensor has the wrong number of dims"),
        Diagnostic("impossible-view", Severity.ERROR, "A view whose sizes do not multiply to the tensor's"),
        Diagnostic("bad-argument", Severity.ERROR, "An operator's argument is out of its documented range"),
        Diagnostic("annotation-mismatch", Severity.WARNING, "A shape annotation contradicts the code"),
        Diagnostic("block-mismatch", Severity.ERROR, "Triton blocks that cannot be broadcast together"),
        Diagnostic("not-a-power-of-two", Severity.ERROR, "tl.arange needs a power of two"),
        Diagnostic("launch-arguments", Severity.ERROR, "A launch does not match its kernel's parameters"),
        Diagnostic("missing-mask", Severity.WARNING, "The grid overshoots and an access has no mask"),
        Diagnostic("dot-dtype", Severity.WARNING, "tl.dot on operands of different or slow types"),
        Diagnostic("shared-memory-limit", Severity.WARNING, "More shared memory than the GPU has per block"),
        Diagnostic("dynamic-shared-opt-in", Severity.WARNING, "Over 48 KiB of dynamic shared memory without opting in"),
        Diagnostic("divergent-barrier", Severity.WARNING, "A barrier that not every thread of the block reaches"),
        Diagnostic("launch-bounds", Severity.ERROR, "A launch with more threads than the kernel's bounds allow"),
        Diagnostic("out-of-bounds", Severity.WARNING, "An index beyond the array's extent by construction"),
        Diagnostic("uncoalesced", Severity.HINT, "A warp's access touches more sectors than it needs"),
        Diagnostic("bank-conflict", Severity.HINT, "Lanes of a warp meet in one shared-memory bank"),
    )
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding at one place. `code` is a key of `TABLE`; `related` tells the story behind the message."""

    code: str
    message: str
    span: Span
    related: tuple[Evidence, ...] = ()

    @property
    def severity(self) -> Severity:
        return TABLE[self.code].severity
