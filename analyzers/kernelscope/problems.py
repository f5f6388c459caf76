"""Diagnostics: one table of codes, and the value that carries one finding.

Deciding whether something is a problem belongs to the domain modules.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from kernelscope.results import Evidence, Span


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"
    HINT = "hint"


class Diagnostic(Struct, frozen=True):
    """One kind of finding: its code, how grave it is, a one-line title, and what its documentation says of it."""

    code: str
    severity: Severity
    title: str
    meaning: str
    """When it is reported, and what helps."""


ERROR, WARNING, HINT = Severity.ERROR, Severity.WARNING, Severity.HINT
INFORMATION = Severity.INFORMATION
TABLE: dict[str, Diagnostic] = {
    d.code: d
    for d in (
        Diagnostic(
            "shape-mismatch",
            ERROR,
            "Sizes that must agree do not",
            "Two tensors meet in an operator that wants equal sizes, or sizes that broadcast, and no value of "
            "the named sizes makes them fit. Only what is certain from the function and its constructor counts: "
            "no documentation, no callers, no branch that may not run. The message tells each operand's shape "
            "and the line that made it.",
        ),
        Diagnostic(
            "rank-mismatch",
            ERROR,
            "A tensor has the wrong number of dims",
            "An operator, a pattern of einops or an assignment to several names wants another number of dims "
            "than the tensor has.",
        ),
        Diagnostic(
            "impossible-view",
            ERROR,
            "A view whose sizes do not multiply to the tensor's",
            "`view`, `reshape` or `unflatten` asks for sizes whose product is not the number of elements, "
            "whatever the named sizes are.",
        ),
        Diagnostic(
            "bad-argument",
            ERROR,
            "An operator's argument is out of its documented range",
            "A dim that the tensor does not have, a permutation that is none, a number that torch refuses.",
        ),
        Diagnostic(
            "comment-contradicts-shape",
            INFORMATION,
            "A comment or docstring that tells another shape than the code",
            "A comment behind a statement, or what documents a parameter, says nothing but a shape, and the code by "
            "itself proves another number of dims, or another number for one of them. Names are not judged. Comments "
            "are believed only where the code tells nothing, so that hovers show what the code gives.",
        ),
        Diagnostic(
            "block-mismatch",
            ERROR,
            "Triton blocks that cannot be broadcast together",
            "Blocks that meet in an operator, a store, `tl.dot` or a reshape do not fit: for no value of the "
            "constexprs in scope, or not for those of a configuration or launch, which the message names.",
        ),
        Diagnostic(
            "not-a-power-of-two",
            ERROR,
            "tl.arange needs a power of two",
            "Triton compiles ranges of a power of two only; code for compilers that take others is left alone. "
            "Reported where the length is a number, or where a launch or a configuration gives it one. "
            "`triton.next_power_of_2` and a mask help.",
        ),
        Diagnostic(
            "launch-arguments",
            ERROR,
            "A launch does not match its kernel's parameters",
            "A launch gives a Triton kernel too many arguments, one by a name that it has not, or leaves one "
            "out that has no default and that neither configurations nor heuristics set.",
        ),
        Diagnostic(
            "missing-mask",
            WARNING,
            "The grid overshoots and an access has no mask",
            "The grid is a `cdiv`, so its last programs reach beyond the data, and this load or store is not "
            "masked along that axis, or by a bound that is the same in every program. It is right only if the "
            "sizes are always multiples of the block.",
        ),
        Diagnostic(
            "dot-dtype",
            WARNING,
            "tl.dot on operands of different types",
            "`tl.dot` multiplies operands of one type, and adds to an accumulator of its `out_dtype`, which is "
            "fp32 where nothing else is said; cast one of them.",
        ),
        Diagnostic(
            "shared-memory-limit",
            WARNING,
            "More shared memory than the GPU has per block",
            "The tiles that a block keeps, times the stages of its pipeline, are more than the chosen GPU "
            "(`kernelscope.gpu`) gives a block; static arrays of CUDA may take 48 KiB on every GPU. Smaller "
            "tiles or fewer stages help.",
        ),
        Diagnostic(
            "dynamic-shared-opt-in",
            WARNING,
            "Over 48 KiB of dynamic shared memory without opting in",
            "A launch asks for more than 48 KiB of dynamic shared memory, and nobody is seen to raise the "
            "kernel's limit with `cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, "
            "bytes)`: the launch would fail.",
        ),
        Diagnostic(
            "divergent-barrier",
            WARNING,
            "A barrier that not every thread of the block reaches",
            "`__syncthreads` stands where a test of the thread's own index, or an early return, keeps threads "
            "of the block away. The behaviour is undefined; move the barrier out of the branch.",
        ),
        Diagnostic(
            "launch-bounds",
            ERROR,
            "A launch with more threads than the kernel's bounds allow",
            "`__launch_bounds__` promises the compiler fewer threads a block than the launch starts, or the "
            "launch starts more than the 1,024 that a block may have.",
        ),
        Diagnostic(
            "out-of-bounds",
            WARNING,
            "An index beyond the array's extent by construction",
            "A thread of the block that is launched reads or writes a shared array behind its end.",
        ),
        Diagnostic(
            "uncoalesced",
            HINT,
            "A warp's access touches more sectors than it needs",
            "The lanes of a warp read or write addresses that share few sectors of 32 bytes, so that most of "
            "what is moved is not used. Neighbouring threads should touch neighbouring elements.",
        ),
        Diagnostic(
            "bank-conflict",
            HINT,
            "Lanes of a warp meet in one shared-memory bank",
            "Lanes ask for different words of one of the 32 banks, so that the access takes as many turns. A "
            "padded row or a swizzle helps where the message says so.",
        ),
        Diagnostic(
            "default-contradicts-text",
            WARNING,
            "A default that its own description denies",
            "The help text or comment of a parameter names another default than the one that is set.",
        ),
        Diagnostic(
            "default-never-used",
            WARNING,
            "A default that is always replaced",
            "`__post_init__` sets the field without a condition and without reading it, so that its default "
            "says nothing.",
        ),
        Diagnostic(
            "default-breaks-constraint",
            WARNING,
            "A default that the class itself refuses",
            "What the class asserts of a new object does not hold for the default: to give nothing is an error.",
        ),
    )
}


class Problem(Struct, frozen=True):
    """One finding at one place. `code` is a key of `TABLE`; `related` tells the story behind the message."""

    code: str
    message: str
    span: Span
    related: tuple[Evidence, ...] = ()

    @property
    def severity(self) -> Severity:
        return TABLE[self.code].severity
