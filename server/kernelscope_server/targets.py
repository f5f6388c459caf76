"""Targets of commands as the client carries them: `{uri, offset}`, `{uri, position}` or `{uri, symbol}`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernelscope_server.documents import path_of, uri_of
from kernelscope_server.wire import INVALID_PARAMS, Json, RequestError, is_table

if TYPE_CHECKING:
    from kernelscope.results import Target

NO_FILE = "open a Python, Triton or CUDA file and place the cursor first"


def target_argument(target: Target) -> Json:
    """A target as the argument of a command."""
    argument: Json = {"uri": uri_of(target.path)}
    if target.offset is not None:
        argument["offset"] = target.offset
    if target.symbol is not None:
        argument["symbol"] = target.symbol
    return argument


def read_target(given: object) -> Target:
    """The target in an argument that `target_argument` made; a position is not resolved here."""
    uri = given.get("uri") if is_table(given) else None
    if not is_table(given) or not isinstance(uri, str):
        raise RequestError(INVALID_PARAMS, NO_FILE)
    from kernelscope.results import Target

    offset, symbol = given.get("offset"), given.get("symbol")
    return Target(
        path_of(uri),
        offset if isinstance(offset, int) and not isinstance(offset, bool) else None,
        symbol if isinstance(symbol, str) else None,
    )
