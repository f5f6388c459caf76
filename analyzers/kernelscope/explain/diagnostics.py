"""What a kind of finding means: one page for all of them in `docs/diagnostics.md`, and a document for each."""

from __future__ import annotations

from kernelscope.explain.document import Document, Line, Paragraph
from kernelscope.problems import TABLE
from kernelscope.results import Target, UserError

INTRODUCTION = """# Diagnostics

What Kernelscope reports in the editor and by `kernelscope check`: few things, and only what is certain. This page is
generated from the table of diagnostics (`analyzers/kernelscope/problems.py`); `pytest tests/explain --accept` writes it
anew.

A comment on the line, or alone on the line above, silences what is reported there: `# kernelscope: ignore` everything,
`# kernelscope: ignore[missing-mask]` one kind (`//` in C++ and CUDA). The setting `kernelscope.silenced` silences kinds
everywhere. The editor offers both as quick fixes.
"""


def diagnostics_markdown() -> str:
    """A section for each kind of finding."""
    sections = [INTRODUCTION]
    for diagnostic in TABLE.values():
        head = f"## {diagnostic.code}\n\n**{diagnostic.title}** ({diagnostic.severity.value})."
        sections.append(f"{head} {diagnostic.meaning}\n")
    return "\n".join(sections)


def diagnostic_page(target: Target) -> Document:
    """What the kind of finding means whose code is the target's symbol. Raises `UserError` for other symbols."""
    diagnostic = TABLE.get(target.symbol or "")
    if diagnostic is None:
        raise UserError(f"there is no diagnostic {target.symbol}; there are {', '.join(TABLE)}")
    here = f"the comment `kernelscope: ignore[{diagnostic.code}]`, on the line or alone on the line above"
    lines = (
        f"{diagnostic.severity.value.capitalize()}: {diagnostic.title}.",
        diagnostic.meaning,
        f"What silences it: {here}; everywhere the setting `kernelscope.silenced`.",
    )
    return Document(diagnostic.code, tuple(Paragraph((Line(line),)) for line in lines), "diagnostic", target)
