"""Loads msgspec, which everything here is made of, without `typing_extensions`.

It takes that instead of `typing` where it happens to be installed, for nothing that it needs; but loading it, with
`inspect`, takes a twelfth of the time until a server knows its symbols. Only in processes of our own: a library has no
business in what others may import meanwhile.
"""

from __future__ import annotations

import sys
from importlib import import_module

HIDDEN = "typing_extensions"


def load_structs() -> None:
    """Does nothing where either is loaded already."""
    if HIDDEN in sys.modules or "msgspec" in sys.modules:
        return
    sys.modules[HIDDEN] = None  # type: ignore[assignment]
    try:
        import_module("msgspec")
    finally:
        del sys.modules[HIDDEN]
