"""`textDocument/codeAction`: quick fixes that silence a diagnostic, at its place or everywhere."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.results import Insertion, Span

from kernelscope_server.documents import OpenDocument
from kernelscope_server.parameters import entries, table
from kernelscope_server.session import Session
from kernelscope_server.wire import Json

QUICK_FIX = "quickfix"
SILENCE = "kernelscope.silence"
"""The client's command that adds a code to the setting `kernelscope.silenced`."""


def register(session: Session) -> None:
    def actions(params: Json) -> list[Json]:
        if session.capability("textDocument", "codeAction", "codeActionLiteralSupport") is None:
            return []
        document = session.document(params)
        diagnostics = entries(table(params, "context"), "diagnostics")
        ours = [d for d in diagnostics if d.get("source") == "kernelscope" and isinstance(d.get("code"), str)]
        return [action for diagnostic in ours for action in _actions(session, document, diagnostic)]

    session.server.on("textDocument/codeAction", actions, {"codeActionKinds": [QUICK_FIX]})


def _actions(session: Session, document: OpenDocument, diagnostic: Json) -> Iterator[Json]:
    code, place = str(diagnostic["code"]), table(diagnostic, "range")
    start, end = (document.offset(place.get(name), session.encoding) for name in ("start", "end"))
    insertion = session.analysis.silencing(document.path, Span(start, max(start, end)), code)
    if insertion is not None and document.holds(insertion.offset):
        edit = {"changes": {document.uri: [_edit(session, document, insertion)]}}
        yield _action(f"Silence {code} here", diagnostic) | {"edit": edit}
    if session.rich:
        title = f"Silence {code} in this workspace"
        yield _action(title, diagnostic) | {"command": {"title": title, "command": SILENCE, "arguments": [code]}}


def _action(title: str, diagnostic: Json) -> Json:
    return {"title": title, "kind": QUICK_FIX, "diagnostics": [diagnostic]}


def _edit(session: Session, document: OpenDocument, insertion: Insertion) -> Json:
    place = document.range(insertion.offset, insertion.offset, session.encoding)
    return {"range": place, "newText": insertion.text}
