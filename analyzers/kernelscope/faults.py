"""A mistake of ours in one part of an answer costs that part only: it is logged, and one line says what is missing.

Whoever reads what others wrote meets what nobody thought of. What ends work on purpose, such as `turns.Interrupted` or
`results.UserError`, is no fault and passes.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

FAULTS = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, NameError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip
"""How mistakes in code show."""
LOG = logging.getLogger("kernelscope")
"""Where traces go; the server shows it in the client's log, the command line writes it to a file."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One part that is missing, in the reader's words, and the error that cost it."""

    part: str
    error: str

    @property
    def text(self) -> str:
        return f"{self.part} could not be told: {self.error}; please report it, its trace is in the log"


@contextmanager
def part(name: str, faults: list[Fault]) -> Generator[None]:
    """Inside, a fault ends the part and nothing else."""
    try:
        yield
    except FAULTS as error:
        LOG.exception("%s could not be told, please report it", name)
        faults.append(Fault(name, f"{type(error).__name__}: {error}"))
