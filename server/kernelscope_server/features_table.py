"""All features of the protocol that we serve; `announcement` says what they add up to.

Those that a start does not need are loaded for their first request, or in a pause: what they are made of would take a
third of the time until the first answer.
"""

from __future__ import annotations

from importlib import import_module

from kernelscope_server.commands_table import COMMANDS
from kernelscope_server.documents import SCHEME
from kernelscope_server.features import hover, synchronization
from kernelscope_server.protocol import Handler
from kernelscope_server.session import Session
from kernelscope_server.structs import load_structs
from kernelscope_server.wire import Json

EARLY = (synchronization, hover)
LATE: dict[str, dict[str, Json | None]] = {
    "inlay_hints": {"textDocument/inlayHint": None},
    "lenses": {"textDocument/codeLens": None, "codeLens/resolve": None},
    "symbols": {"textDocument/documentSymbol": None, "workspace/symbol": None},
    "definitions": {
        "textDocument/definition": None,
        "textDocument/declaration": None,
        "textDocument/implementation": None,
        "textDocument/references": None,
        "textDocument/prepareCallHierarchy": None,
        "callHierarchy/incomingCalls": None,
        "callHierarchy/outgoingCalls": None,
    },
    "diagnostics": {},
    "code_actions": {"textDocument/codeAction": {"codeActionKinds": ["quickfix"]}},
    "views": {"workspace/textDocumentContent": None, "textDocument/documentLink": None},
    "commands": {"workspace/executeCommand": None},
}
"""The methods of each, with the options that they are registered with."""
WORKSPACE: Json = {"textDocumentContent": {"schemes": [SCHEME]}}
"""Announced beside them: pygls does not know this part of the protocol yet."""


class Late:
    """Features that are loaded when somebody asks for one of them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._left = list(LATE)

    def register(self) -> None:
        """What stands for them until then."""
        server = self._session.server
        for feature, methods in LATE.items():
            for method, options in methods.items():
                server.on(method, self._handler(feature, method), options)
        for name in COMMANDS:
            server.on_command(name, lambda given: None)  # `workspace/executeCommand` loads them

    def load_all(self) -> None:
        for feature in list(self._left):
            self._load(feature)

    def load_in_time(self) -> None:
        """Use a pause, once that takes no time from what is waited for."""
        if self._left and self._session.is_analysed and self._session.has_time:
            self.load_all()

    def _load(self, feature: str) -> None:
        if feature in self._left:
            self._left.remove(feature)
            load_structs()
            import_module(f"kernelscope_server.features.{feature}").register(self._session)

    def _handler(self, feature: str, method: str) -> Handler:
        def handle(params: Json) -> object:
            self._load(feature)
            return self._session.server.protocol.handlers[method](params)

        return handle


def register(session: Session) -> Late:
    """Register the handlers of every feature."""
    for feature in EARLY:
        feature.register(session)
    late = Late(session)
    late.register()
    session.server.on_free.append(late.load_in_time)
    session.server.on_idle.append(late.load_all)
    return late
