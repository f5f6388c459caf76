"""Settings of the user, read leniently: what is malformed counts as not set."""

from __future__ import annotations

from kernelscope.results import Settings
from msgspec import Struct, field

from kernelscope_server.wire import is_list, is_table

MAX_DEPTH = 8


class ServerSettings(Struct, frozen=True):
    """`inlay_hints` is off, on or on-ambiguous; `charset` is unicode or ascii."""

    analysis: Settings = field(default_factory=Settings)
    inlay_hints: str = "on"
    code_lens: bool = True
    charset: str = "unicode"
    width: int = 100
    depth: int = 0
    """Levels of calls that a dataflow shows; 0 is what fits."""


def read_settings(given: object) -> ServerSettings:
    """Settings from what a client sent under `kernelscope`."""
    table: dict[str, object] = given if is_table(given) else {}
    bindings = table.get("bindings")
    numbers = (
        {str(k): v for k, v in bindings.items() if isinstance(v, int) and not isinstance(v, bool)}
        if is_table(bindings)
        else {}
    )
    silenced = table.get("silenced")
    gpu = table.get("gpu")
    hints, charset, width, lens = (table.get(k) for k in ("inlayHints", "charset", "width", "codeLens"))
    depth = table.get("depth")
    return ServerSettings(
        Settings(
            bindings=numbers,
            gpu=gpu if isinstance(gpu, str) else "H100",
            silenced=frozenset(map(str, silenced)) if is_list(silenced) else frozenset(),
        ),
        inlay_hints=hints if hints in ("off", "on", "on-ambiguous") else "on",
        code_lens=lens is not False,
        charset="ascii" if charset == "ascii" else "unicode",
        width=width if isinstance(width, int) and 40 <= width <= 300 else 100,
        depth=depth if isinstance(depth, int) and 0 <= depth <= MAX_DEPTH else 0,
    )
