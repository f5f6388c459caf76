"""Published diagnostics: made when typing pauses, for open documents only, and never for an older version."""

from __future__ import annotations

from kernelscope.problems import Problem, Severity
from kernelscope.results import Evidence, Target

from kernelscope_server.documents import OpenDocument, uri_of
from kernelscope_server.features.views import view_uri
from kernelscope_server.session import Session
from kernelscope_server.wire import Json

SEVERITIES = {Severity.ERROR: 1, Severity.WARNING: 2, Severity.INFORMATION: 3, Severity.HINT: 4}
SHOWN_DOCUMENTS_A_PAUSE = 4
"""So that a question that comes meanwhile does not wait for all open documents."""


def register(session: Session) -> None:
    published: dict[str, object] = {}
    shown: set[str] = set()

    def publish() -> None:
        opened = {document.uri: document for document in session.sources()}
        for uri in published.keys() - opened.keys():
            published.pop(uri)
            if uri in shown:
                shown.discard(uri)
                session.server.notify("textDocument/publishDiagnostics", {"uri": uri, "diagnostics": []})
        left = SHOWN_DOCUMENTS_A_PAUSE if session.has_time else 0
        for uri, document in opened.items():
            state = (document.version, session.settings)
            if published.get(uri) == state or not left:
                continue
            left -= 1
            published[uri] = state
            found = _found(session, document)
            if found or uri in shown:
                shown.add(uri)
                params = {"uri": uri, "version": document.version, "diagnostics": found}
                session.server.notify("textDocument/publishDiagnostics", params)

    session.server.on_idle.append(publish)


def _found(session: Session, document: OpenDocument) -> list[Json]:
    return [
        _diagnostic(session, problem, document)
        for problem in session.analysis.problems(document.path)
        if document.holds(problem.span.start)
    ]


def _diagnostic(session: Session, problem: Problem, document: OpenDocument) -> Json:
    made: Json = {
        "range": document.range(problem.span.start, problem.span.end, session.encoding),
        "severity": SEVERITIES[problem.severity],
        "code": problem.code,
        "source": "kernelscope",
        "message": problem.message,
    }
    if session.rich and session.capability("textDocument", "publishDiagnostics", "codeDescriptionSupport"):
        page = Target(document.path, None, problem.code)
        made["codeDescription"] = {"href": view_uri("diagnostic", problem.code, page)}
    if problem.related:
        made["relatedInformation"] = [_related(evidence) for evidence in problem.related]
    return made


def _related(evidence: Evidence) -> Json:
    """Evidence is placed by line: its file need not be open."""
    place = {"line": evidence.location.line - 1, "character": 0}
    location = {"uri": uri_of(evidence.location.path), "range": {"start": place, "end": place}}
    return {"location": location, "message": evidence.text}
