"""Where claims of a report point: paths relative to the workspace, lines, and the source that stands there.

Also how the common records become JSON of the schema.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
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


class Texts:
    """The text of files, kept from report to report until they change."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._known: dict[str, tuple[Version | None, SourceText | None]] = {}
        self._lines: dict[str, dict[int, str]] = {}

    def get(self, path: str) -> SourceText | None:
        version = self._files.version(path)
        known = self._known.get(path)
        if known is None or known[0] != version:
            data = self._files.read(path)
            known = self._known[path] = (version, None if isinstance(data, LeftOut) else SourceText(data))
            self._lines.pop(path, None)
        return known[1]

    def snippets(self, path: str) -> dict[int, str]:
        """Lines of a file that were quoted before, as long as it does not change."""
        return self._lines.setdefault(path, {})


class Places:
    """Evidence of a report about the files below `root`."""

    def __init__(self, root: Path, texts: Texts) -> None:
        self.root = root
        self._kept = texts
        self._texts: dict[Path, tuple[SourceText | None, dict[int, str]]] = {}
        self._paths: dict[Path, str] = {}

    def evidence(self, *locations: Location, symbol: str = "") -> list[Json]:
        """At most twelve places, each line once, with the source of its first line."""
        found: dict[tuple[Path, int], Json] = {}
        for location in locations:
            key = (location.path, location.line)
            if key in found or len(found) >= MAX_PLACES:
                continue
            entry: Json = {"path": self.path(location.path), "line": location.line}
            if location.line < location.end_line <= location.line + 40:
                entry["end_line"] = location.end_line
            if symbol:
                entry["symbol"] = symbol
            if snippet := self._snippet(location):
                entry["snippet"] = snippet
            found[key] = entry
        return list(found.values())

    def path(self, path: Path) -> str:
        known = self._paths.get(path)
        if known is None:
            known = self._paths[path] = Path(os.path.relpath(path, self.root)).as_posix()
        return known

    def _snippet(self, location: Location) -> str:
        known = self._texts.get(location.path)
        if known is None:
            path = str(location.path)
            known = self._texts[location.path] = (self._kept.get(path), self._kept.snippets(path))
        text, quoted = known
        if text is None:
            return ""
        snippet = quoted.get(location.line)
        if snippet is None:
            snippet = quoted[location.line] = text.line_text(location.line).strip()[:MAX_SNIPPET]
        return snippet

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
        """What a function does, as one claim."""
        value = f"{procedure.name}:\n{procedure.steps}"
        return {
            "name": f"{procedure.name} steps",
            "value": value,
            "confidence": "literal",
            "evidence": self.evidence(*procedure.evidence),
        }
