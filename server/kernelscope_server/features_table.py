"""All features of the protocol that we serve; `announcement` says what they add up to."""

from __future__ import annotations

from kernelscope_server.documents import SCHEME
from kernelscope_server.features import (
    code_actions,
    commands,
    definitions,
    diagnostics,
    hover,
    inlay_hints,
    lenses,
    symbols,
    synchronization,
    views,
)
from kernelscope_server.session import Session
from kernelscope_server.wire import Json

FEATURES = (
    synchronization,
    hover,
    inlay_hints,
    lenses,
    symbols,
    definitions,
    diagnostics,
    code_actions,
    views,
    commands,
)
WORKSPACE: Json = {"textDocumentContent": {"schemes": [SCHEME]}}
"""Announced beside them: pygls does not know this part of the protocol yet."""


def register(session: Session) -> None:
    """Register the handlers of every feature."""
    for feature in FEATURES:
        feature.register(session)
