"""`textDocument/inlayHint`: shapes, blocks and ranges behind names, by the user's setting."""

from __future__ import annotations

from kernelscope.results import Span

from kernelscope_server.positions import offset_of, position_at
from kernelscope_server.session import Session
from kernelscope_server.wire import Json, is_table


def register(session: Session) -> Json:
    def inlay_hints(params: Json) -> list[Json]:
        if session.settings.inlay_hints == "off":
            return []
        document = session.document(params)
        wanted = params["range"]
        assert is_table(wanted)
        start = offset_of(document.text, wanted["start"], session.encoding)
        end = offset_of(document.text, wanted["end"], session.encoding)
        hints = session.analysis.inlay_hints(document.path, Span(start, end))
        if session.settings.inlay_hints == "on-ambiguous":
            hints = [hint for hint in hints if not hint.certain]
        return [
            {
                "position": position_at(document.text, hint.offset, session.encoding),
                "label": hint.label,
                "kind": 1,
                "paddingLeft": False,
                **({"tooltip": {"kind": "markdown", "value": hint.tooltip}} if hint.tooltip else {}),
            }
            for hint in hints
        ]

    session.server.requests["textDocument/inlayHint"] = inlay_hints
    return {"inlayHintProvider": True}
