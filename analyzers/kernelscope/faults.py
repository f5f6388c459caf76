"""A mistake of ours in one part of an answer costs that part only: it is logged, and one line says what is missing.

Whoever reads what others wrote meets what nobody thought of. What ends work on purpose, such as `turns.Interrupted` or
`results.UserError`, is no fault and passes. What traces are made with is loaded for the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import NamedTuple

FAULTS = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, NameError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip
"""How mistakes in code show."""
TOLD: list[Callable[[str], None]] = []
"""Who is told traces: the server shows them in the client's log, the command line writes them to a file."""


class Fault(NamedTuple):
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
        log(f"{name} could not be told, please report it")
        faults.append(Fault(name, f"{type(error).__name__}: {error}"))


def log(what: str) -> None:
    """Tell of the error that is being handled."""
    import logging

    logger = logging.getLogger("kernelscope")
    if TOLD and not logger.handlers:
        logger.addHandler(logging.NullHandler())  # or it would print them, too
    logger.exception(what)
    text = f"{what}\n{trace()}"
    for tell in TOLD:
        tell(text)


def trace() -> str:
    """The trace of the error that is being handled."""
    import traceback

    return traceback.format_exc().rstrip()
