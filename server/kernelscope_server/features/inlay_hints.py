"""`textDocument/inlayHint`: shapes, blocks and ranges behind names, by the user's setting."""

from __future__ import annotations

from kernelscope.results import InlayHint, Span

from kernelscope_server.documents import OpenDocument
from kernelscope_server.parameters import table
from kernelscope_server.session import Session
from kernelscope_server.wire import Json


def register(session: Session) -> None:
    def inlay_hints(params: Json) -> list[Json]:
        session.shown.add("inlayHint")
        document, wanted = session.document(params), table(params, "range")
        start, end = (document.offset(wanted.get(name), session.encoding) for name in ("start", "end"))
        mode = session.settings.inlay_hints
        if mode == "off" or document.is_view:
            return []
        return [
            _hint(hint, document, session.encoding)
            for hint in session.analysis.inlay_hints(document.path, Span(start, end))
            if document.holds(hint.offset) and not (mode == "on-ambiguous" and hint.certain)
        ]

    session.server.on("textDocument/inlayHint", inlay_hints)


def _hint(hint: InlayHint, document: OpenDocument, encoding: str) -> Json:
    made: Json = {"position": document.position(hint.offset, encoding), "label": hint.label, "kind": 1}
    if hint.tooltip:
        made["tooltip"] = {"kind": "markdown", "value": hint.tooltip}
    return made
