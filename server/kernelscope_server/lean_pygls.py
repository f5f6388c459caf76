"""pygls and lsprotocol, loaded so that lsprotocol's classes are made when they are first used.

Making all five hundred at the import, of which we use thirty, is more than half of a start. What imports either library
in this package imports it from here; where another did before, its classes are what they always are.
"""

# pyright: reportPrivateUsage=false
from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from typing import Any

import attrs

_define = attrs.define
_making = threading.RLock()


class _Fields:
    """Stands for the fields of a class that is not made yet: who asks for them has it made."""

    def __init__(self, cls: type[Any]) -> None:
        self._class = cls

    def __get__(self, instance: object, owner: type[Any]) -> object:
        _make(self._class)
        return attrs.fields(self._class)


def _later(cls: type[Any] | None = None, **options: Any) -> Any:
    """In place of `attrs.define`: leaves a class as it is written until somebody makes an object of it."""
    if cls is None or cls.__module__ != "lsprotocol.types":
        return _define(cls, **options)

    def __init__(self: object, *given: object, **named: object) -> None:
        _make(cls)
        cls.__init__(self, *given, **named)

    cls.__init__ = __init__
    cls.__attrs_attrs__ = _Fields(cls)
    return cls


def _make(cls: type[Any]) -> None:
    """What `attrs.define` does, but for slots: they would take another class, and this one is known already."""
    with _making:
        if isinstance(cls.__dict__["__attrs_attrs__"], _Fields):  # no other thread was first
            _define(cls, slots=False, init=True)  # in place of the stand-ins, which are there until then
            attrs.resolve_types(cls, types.ALL_TYPES_MAP, {})


@contextlib.contextmanager
def _when_used() -> Generator[None]:
    attrs.define = _later
    try:
        yield
    finally:
        attrs.define = _define


with _when_used():
    from lsprotocol import _hooks, types
    from pygls.capabilities import ServerCapabilitiesBuilder
    from pygls.lsp.server import LanguageServer
    from pygls.protocol import LanguageServerProtocol

if isinstance(types.Position.__dict__["__attrs_attrs__"], _Fields):
    _hooks._resolved_forward_references = True  # each class resolves its own

__all__ = ["LanguageServer", "LanguageServerProtocol", "ServerCapabilitiesBuilder", "types"]
