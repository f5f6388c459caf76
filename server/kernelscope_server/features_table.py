"""All features, and the capabilities that they add up to."""

from __future__ import annotations

from kernelscope_server.features import diagnostics, hover, inlay, lenses, navigation, symbols, views
from kernelscope_server.session import Session
from kernelscope_server.wire import Json

FEATURES = (hover, inlay, lenses, symbols, navigation, views, diagnostics)


def register(session: Session) -> Json:
    """Register every feature's handlers; the capabilities to announce."""
    capabilities: Json = {}
    for feature in FEATURES:
        capabilities |= feature.register(session)
    return capabilities
