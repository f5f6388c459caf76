"""`textDocument/codeLens`: places at once, titles when they are looked at."""

from __future__ import annotations

from kernelscope.results import Lens, Span

from kernelscope_server.documents import OpenDocument
from kernelscope_server.parameters import number, table
from kernelscope_server.session import Session
from kernelscope_server.targets import read_target, target_argument
from kernelscope_server.wire import Json


def register(session: Session) -> None:
    def code_lenses(params: Json) -> list[Json]:
        session.shown.add("codeLens")
        document = session.document(params)
        if not session.settings.code_lens or document.is_view:
            return []
        lenses = session.analysis.lenses(document.path)
        return [_lens(lens, document, session.encoding) for lens in lenses if document.holds(lens.span.start)]

    def resolve(params: Json) -> Json:
        lens = session.analysis.resolve_lens(_read(table(params, "data")))
        return params | {"command": _command(lens)}

    session.server.on("textDocument/codeLens", code_lenses)
    session.server.on("codeLens/resolve", resolve)


def _lens(lens: Lens, document: OpenDocument, encoding: str) -> Json:
    made: Json = {
        "range": document.range(lens.span.start, lens.span.end, encoding),
        "data": {
            "start": lens.span.start,
            "end": lens.span.end,
            "command": lens.command,
            "target": target_argument(lens.target),
        },
    }
    return made if lens.title is None else made | {"command": _command(lens)}


def _read(data: Json) -> Lens:
    command = data.get("command")
    span = Span(number(data, "start"), number(data, "end"))
    return Lens(span, read_target(table(data, "target")), None, command if isinstance(command, str) else None)


def _command(lens: Lens) -> Json:
    arguments = [target_argument(lens.target)] if lens.command else []
    return {"title": lens.title or "", "command": lens.command or "", "arguments": arguments}
