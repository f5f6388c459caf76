"""Where claims of a report point: paths relative to the workspace, lines, and the source that stands there.

Also how the common records become JSON of the schema.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kernelscope.results import LeftOut, Location
from kernelscope.serving.claims import Claim
from kernelscope.serving.procedures import Procedure
from kernelscope.syntax.text import SourceText
from kernelscope.workspace.files import Files
from kernelscope.workspace.reading import Version

Json = dict[str, object]
MAX_PLACES = 12
MAX_SNIPPET = 160


@dataclass(slots=True)
class Quoted:
    """A file that is cited: its text, the lines of it that were quoted so far, and the rows about its functions."""

    text: SourceText | None
    lines: dict[int, str] = field(default_factory=dict[int, str])
    rows: dict[int, tuple[Procedure, Json]] = field(default_factory=dict[int, tuple["Procedure", "Json"]])
    """By identity, with the records that they tell of: an edit leaves the rows of all other files."""

    def line(self, number: int) -> str:
        found = self.lines.get(number)
        if found is None:
            found = self.text.line_text(number).strip()[:MAX_SNIPPET] if self.text is not None else ""
            self.lines[number] = found
        return found


class Texts:
    """The text of files, kept from report to report until they change."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._known: dict[str, tuple[Version | None, Quoted]] = {}

    def get(self, path: str) -> Quoted:
        version = self._files.version(path)
        known = self._known.get(path)
        if known is None or known[0] != version:
            data = self._files.read(path)
            known = self._known[path] = (version, Quoted(None if isinstance(data, LeftOut) else SourceText(data)))
        return known[1]


class Places:
    """Evidence of a report about the files below `root`."""

    def __init__(self, root: Path, texts: Texts) -> None:
        self._root = str(root)
        self._texts = texts
        self._known: dict[Path, tuple[str, Quoted]] = {}

    def evidence(self, *locations: Location, symbol: str = "") -> list[Json]:
        """At most twelve places, each line once, with the source of its first line."""
        found: dict[tuple[str, int], Json] = {}
        for location in locations:
            if len(found) >= MAX_PLACES:
                break
            path, quoted = self._known.get(location.path) or self._cited(location.path)
            line = location.line
            if (path, line) in found:
                continue
            entry: Json = {"path": path, "line": line}
            if line < location.end_line <= line + 40:
                entry["end_line"] = location.end_line
            if symbol:
                entry["symbol"] = symbol
            if snippet := quoted.lines.get(line) or quoted.line(line):
                entry["snippet"] = snippet
            found[path, line] = entry
        return list(found.values())

    def path(self, path: Path) -> str:
        """A path as the report writes it."""
        return (self._known.get(path) or self._cited(path))[0]

    def _cited(self, path: Path) -> tuple[str, Quoted]:
        relative = os.path.relpath(path, self._root).replace(os.sep, "/")
        known = self._known[path] = (relative, self._texts.get(str(path)))
        return known

    def claim(self, claim: Claim) -> Json:
        shown: Json = {"name": claim.name, "value": claim.value, "confidence": claim.confidence}
        if claim.detail:
            shown["detail"] = claim.detail
        if claim.condition:
            shown["condition"] = claim.condition
        return {**shown, "evidence": self.evidence(*claim.evidence)}

    def claims(self, claims: Iterable[Claim], most: int) -> list[Json]:
        """The first `most` different claims."""
        found: dict[tuple[str, str, Path], Claim] = {}
        for claim in claims:
            found.setdefault((claim.name, claim.value, claim.evidence[0].path), claim)
            if len(found) >= most:
                break
        return [self.claim(claim) for claim in found.values()]

    def procedure(self, procedure: Procedure) -> Json:
        """What a function does, as one claim; all of it stands in one file."""
        path = procedure.evidence[0].path
        rows = (self._known.get(path) or self._cited(path))[1].rows
        known = rows.get(id(procedure))
        if known is None:
            known = rows[id(procedure)] = (
                procedure,
                {
                    "name": f"{procedure.name} steps",
                    "value": f"{procedure.name}:\n{procedure.steps}",
                    "confidence": "literal",
                    "evidence": self.evidence(*procedure.evidence),
                },
            )
        return known[1]

    def together(self, procedures: Sequence[Procedure]) -> Json:
        """What several functions of one class or file do; each is cited where it begins, and once within."""
        if len(procedures) == 1:
            return self.procedure(procedures[0])
        owner = procedures[0].name.partition(" (")[0].rpartition(".")[0] or procedures[0].evidence[0].path.name
        told = "\n".join(f"{p.name}:\n{p.steps}" for p in procedures)
        where = [place for p in procedures for place in (p.evidence[0], *p.evidence[-1:])]
        return {
            "name": f"more of {owner} steps",
            "value": f"more of {owner}:\n{told}",
            "confidence": "literal",
            "evidence": self.evidence(*where),
        }
