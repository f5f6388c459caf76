"""What a YAML file sets, as far as configurations go: nested mappings, lists and scalars with their lines.

Not the whole language: anchors, tags and texts over several lines are kept as they are written, and what is nested
within lists other than names is left out. Reading never fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_KEY = re.compile(r"""(?P<key>"[^"]*"|'[^']*'|[^\s#\[\]{},'"&*!|>%@`][^#]*?)\s*:(?:\s+(?P<value>.*))?$""")
_NUMBER = re.compile(r"[-+]?(?:\d[\d_]*)(?:\.\d*)?(?:[eE][-+]?\d+)?")
WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None}
Scalar = str | int | float | bool | None
BLOCKS = ("|", ">")
"""How texts over several lines begin."""


MOST_ABOVE = 4
"""Lines of a comment alone above an entry."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One scalar or list: the keys that lead to it, its source, and the line. List items are entries of their own."""

    keys: tuple[str, ...]
    text: str
    line: int
    comment: str = ""
    is_item: bool = False
    """Whether it is an item of the list that the keys lead to; of `- key: value` the last key is `key`."""


def entries(text: str) -> Iterator[Entry]:
    """The entries of the first document of a file, in its order."""
    stack: list[tuple[int, str]] = []
    above: list[str] = []
    skipped, is_begun = -1, False
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip("\r")
        if line.startswith("---") and is_begun:
            return
        said, comment = _without_comment(line)
        if comment and not said.strip() and len(above) < MOST_ABOVE:
            above.append(comment)
            continue
        comment = comment or " ".join(above)
        above = []
        indent = len(said) - len(said.lstrip(" "))
        body = said.strip()
        if not body or body.startswith(("---", "%")):
            continue
        is_begun = True
        if skipped >= 0 and indent > skipped:
            continue
        skipped = -1
        is_item = body.startswith("- ")
        if is_item:
            body = body[2:].strip()
        while stack and (stack[-1][0] > indent or (stack[-1][0] == indent and not is_item)):
            stack.pop()
        keys = tuple(key for _, key in stack)
        found = _KEY.match(body)
        if found is None:
            if is_item:
                yield Entry(keys, body, number, comment, True)
            continue
        key, value = found["key"].strip("\"'"), (found["value"] or "").strip()
        if value.startswith(BLOCKS):
            skipped = indent
        if is_item:
            yield Entry((*keys, key), value, number, comment, True)
            skipped = indent if not value.startswith(BLOCKS) else skipped
        elif value:
            yield Entry((*keys, key), value, number, comment)
        else:
            stack.append((indent, key))


def _without_comment(line: str) -> tuple[str, str]:
    """A line and the comment on it; a `#` in quotes is none."""
    quote = ""
    for at, sign in enumerate(line):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'" and (at == 0 or line[at - 1] in " [{,:-("):
            quote = sign
        elif sign == "#" and (at == 0 or line[at - 1] in " \t"):
            return line[:at].rstrip(), line[at + 1 :].strip()
    return line.rstrip(), ""


def scalar(text: str) -> Scalar | list[Scalar]:
    """What a scalar or a list in brackets stands for; None also of what is filled in later (`${…}`)."""
    if text.startswith("[") and text.endswith("]") and not re.search(r"[\[{]", text[1:]):
        return [single(part.strip()) for part in text[1:-1].split(",") if part.strip()]
    return single(text)


def single(text: str) -> Scalar:
    """What a scalar alone stands for."""
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    if _NUMBER.fullmatch(text):
        plain = text.replace("_", "")
        return float(plain) if re.search(r"[.eE]", plain) else int(plain)
    if "${" in text or text.startswith(("[", "{", "&", "*", "!", *BLOCKS)):
        return None
    return text.strip("\"'")
