"""Names of sizes that nobody knows."""

from __future__ import annotations

from kernelscope.dims import dim
from kernelscope.dims.spelling import SEPARATOR
from kernelscope.interp.symbols import Symbols


def test_a_size_of_another_call_is_not_called_like_a_variable_that_holds_another_number() -> None:
    symbols = Symbols(frame=1, held={"rows"})
    symbols.reasons = dict.fromkeys((f"rows{SEPARATOR}2", f"columns{SEPARATOR}2"), "")
    assert symbols.shown(dim(f"rows{SEPARATOR}2")) == dim("rows_2")
    assert symbols.shown(dim(f"columns{SEPARATOR}2")) == dim("columns")
