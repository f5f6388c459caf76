"""`.gitignore` rules: which paths of a tree its authors left out of version control.

Does not read files and knows nothing of git's index: a tracked file that a rule matches counts as ignored here.
"""

from __future__ import annotations

import re

from msgspec import Struct


class Rule(Struct, frozen=True):
    """One line of a `.gitignore`, matched against paths relative to the folder that holds it."""

    pattern: re.Pattern[str]
    folders_only: bool
    negated: bool


class Rules(Struct, frozen=True):
    """The rules of one ignore file, in order."""

    each: tuple[Rule, ...]
    any: re.Pattern[str]
    """Matches what any of them speaks of: most paths of a tree are spoken of by none."""

    def verdict(self, relative: str, is_folder: bool) -> bool | None:
        """True: ignored, False: taken back in by `!`, None: not spoken of. `relative` has `/` separators."""
        if not self.any.match(relative):
            return None
        for rule in reversed(self.each):
            if (is_folder or not rule.folders_only) and rule.pattern.match(relative):
                return not rule.negated
        return None


MAX_RULES = 2_000
MAX_PATTERN = 500
NOTHING = r"(?!)"
"""Matches no path."""


def parse_rules(text: str) -> Rules:
    """The rules of one ignore file, in order; lines that make no sense are skipped, as git does."""
    rules: list[Rule] = []
    for raw in text.split("\n")[: 10 * MAX_RULES]:
        line = raw.rstrip("\r").rstrip(" ") if not raw.endswith("\\ ") else raw
        if not line or line.startswith("#") or len(line) > MAX_PATTERN:
            continue
        negated = line.startswith("!")
        line = line.removeprefix("!")
        folders_only = line.endswith("/")
        line = line.rstrip("/")
        if not line:
            continue
        try:
            rules.append(Rule(re.compile(_regex(line)), folders_only, negated))
        except re.error:
            continue
        if len(rules) >= MAX_RULES:
            break
    return Rules(tuple(rules), re.compile("|".join(rule.pattern.pattern for rule in rules) or NOTHING))


def _regex(glob: str) -> str:
    """gitignore(5): a slash that is not the last character anchors the pattern to its folder."""
    anchored = "/" in glob
    glob = glob.lstrip("/")
    out: list[str] = [] if anchored else ["(?:.*/)?"]
    i = 0
    while i < len(glob):
        char = glob[i]
        if glob.startswith("**/", i):
            out.append("(?:.*/)?")
            i += 3
        elif glob.startswith("/**", i) and i + 3 == len(glob):
            out.append("/.+")
            i += 3
        elif char == "*":
            while i + 1 < len(glob) and glob[i + 1] == "*":
                i += 1
            out.append("[^/]*")
            i += 1
        elif char == "?":
            out.append("[^/]")
            i += 1
        elif char == "[" and (end := glob.find("]", i + 2)) > 0:
            inside = glob[i + 1 : end].replace("\\", "\\\\")
            out.append("[" + ("^" + inside[1:] if inside[0] in "!^" else inside) + "]")
            i = end + 1
        elif char == "\\" and i + 1 < len(glob):
            out.append(re.escape(glob[i + 1]))
            i += 2
        else:
            out.append(re.escape(char))
            i += 1
    return "".join(out) + r"\Z"
