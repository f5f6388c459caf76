"""Published diagnostics: made when typing pauses, for open documents only, and never for an older version."""

from __future__ import annotations

from kernelscope.problems import Problem, Severity

from kernelscope_server.documents import OpenDocument, uri_of
from kernelscope_server.positions import range_of
from kernelscope_server.session import SCHEME, Session
from kernelscope_server.wire import Json

SEVERITIES = {Severity.ERROR: 1, Severity.WARNING: 2, Severity.INFORMATION: 3, Severity.HINT: 4}


def register(session: Session) -> Json:
    published: dict[str, tuple[int, int]] = {}
    shown: set[str] = set()

    def publish() -> None:
        for uri in [uri for uri in published if uri not in session.documents]:
            published.pop(uri)
            if uri in shown:
                shown.discard(uri)
                session.server.notify("textDocument/publishDiagnostics", {"uri": uri, "diagnostics": []})
        for uri, document in list(session.documents.items()):
            state = (document.version, id(document.text))
            if published.get(uri) == state or uri.startswith(f"{SCHEME}:"):
                continue
            published[uri] = state
            found = [_diagnostic(p, document, session.encoding) for p in session.analysis.problems(document.path)
                     if p.code not in session.settings.analysis.silenced]  # fmt: skip
            if found or uri in shown:
                shown.add(uri)
                params = {"uri": uri, "version": document.version, "diagnostics": found}
                session.server.notify("textDocument/publishDiagnostics", params)
            return

    session.server.on_idle.append(publish)
    return {}


def _diagnostic(problem: Problem, document: OpenDocument, encoding: str) -> Json:
    related = [
        {
            "location": {
                "uri": uri_of(e.location.path),
                "range": {
                    "start": {"line": e.location.line - 1, "character": 0},
                    "end": {"line": e.location.line - 1, "character": 0},
                },
            },
            "message": e.text,
        }
        for e in problem.related
    ]
    return {
        "range": range_of(document.text, problem.span.start, problem.span.end, encoding),
        "severity": SEVERITIES[problem.severity],
        "code": problem.code,
        "source": "kernelscope",
        "message": problem.message,
        **({"relatedInformation": related} if related else {}),
    }
