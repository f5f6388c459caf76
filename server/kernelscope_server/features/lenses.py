"""`textDocument/codeLens`: places at once, titles when they are looked at."""

from __future__ import annotations

from kernelscope.results import Lens, Span

from kernelscope_server.positions import range_of
from kernelscope_server.session import Session
from kernelscope_server.targets import read_target, target_argument
from kernelscope_server.wire import Json, is_table


def register(session: Session) -> Json:
    def code_lenses(params: Json) -> list[Json]:
        if not session.settings.code_lens:
            return []
        document = session.document(params)
        return [
            {
                "range": range_of(document.text, lens.span.start, lens.span.end, session.encoding),
                "data": _data(lens),
                **({"command": _command(lens)} if lens.title is not None else {}),
            }
            for lens in session.analysis.lenses(document.path)
        ]

    def resolve(params: Json) -> Json:
        data = params.get("data")
        if is_table(data):
            lens = session.analysis.resolve_lens(_lens(data))
            return {**params, "command": _command(lens)}
        return params

    session.server.requests |= {"textDocument/codeLens": code_lenses, "codeLens/resolve": resolve}
    return {"codeLensProvider": {"resolveProvider": True}}


def _data(lens: Lens) -> Json:
    return {
        "start": lens.span.start, "end": lens.span.end, "command": lens.command, "target": target_argument(lens.target)
    }  # fmt: skip


def _lens(data: Json) -> Lens:
    span = Span(int(str(data["start"])), int(str(data["end"])))
    command = data.get("command")
    return Lens(span, read_target(data["target"]), None, command if isinstance(command, str) else None)


def _command(lens: Lens) -> Json:
    arguments = [target_argument(lens.target)] if lens.command else []
    return {"title": lens.title or "", "command": lens.command or "", "arguments": arguments}
