"""What C++ and CUDA files check: `static_assert`, `assert` and check macros whose first argument compares something."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.results import Span
from kernelscope.serving.c_functions import CSource, matching
from kernelscope.serving.claims import MAX_SOURCE
from kernelscope.serving.constraints import Constraint, kind_of

_C_CHECK = re.compile(rb"\b(static_assert|assert|[A-Z0-9_]*CHECK\w*|[A-Z][A-Z0-9_]*ASSERT\w*)\s*\(")
_COMPARES = {"EQ": "==", "NE": "!=", "LT": "<", "LE": "<=", "GT": ">", "GE": ">="}
"""Ends of names of check macros that compare their first two arguments: `CHECK_GT(size, 0)`."""
_STREAMED = re.compile(rb'\)\s*<<\s*"((?:[^"\\\n]|\\.)*)"')
"""What a check macro says when it fails: `CHECK(size > 0) << "no blocks"`."""
_NOT_NULL = re.compile(r"[\w.>:()*-]+ != (?:nullptr|NULL)")
_SETTING = re.compile(r"!?\w{0,40}(?:options|config|args|settings)_?(?:\.|->)\w+(?:\(\))?")
"""A switch that must be set: `CHECK(options.paged())`."""
_TEMPLATE = re.compile(r"(?<=\w)<[^<>()&|=]*>")
"""Arguments of a template, whose brackets compare nothing."""
_OPEN_TEMPLATE = re.compile(rb"\w<[^<>()&|=]*$")
_C_OPERATOR = re.compile(r"[<>=!]=|[<>%&]")


def c_constraints(source: CSource) -> Iterator[Constraint]:
    """The checks of one file, in source order."""
    text = source.text
    for match in _C_CHECK.finditer(text.data):
        line = text.line_bytes(text.line_of(match.start()))
        if line.lstrip().startswith((b"#", b"//")):
            continue
        arguments = _arguments(text.data, match.end())
        if not arguments:
            continue
        compared = _COMPARES.get(match[1].decode().rpartition("_")[2])
        if compared is not None and len(arguments) > 1:
            arguments[:2] = [f"{arguments[0]} {compared} {arguments[1].strip()}"]
        condition = " ".join(arguments[0].split())[:MAX_SOURCE]
        if condition in ("false", "0"):
            continue  # the branch around it is what must not be taken
        if _NOT_NULL.fullmatch(condition):
            continue  # that something is there says nothing of what it must be
        left, differs, right = condition.partition("!=")
        if differs and left.strip() == right.strip():
            continue  # a branch of a template that nobody may take: it demands nothing of what is compared
        operators = _C_OPERATOR.findall(_TEMPLATE.sub("", condition).replace("->", "."))
        is_setting = _SETTING.fullmatch(condition) is not None or kind_of(condition, operators) == "power_of_two"
        if match[1] not in (b"static_assert", b"assert") and not is_setting and _is_call(arguments[0].strip().encode()):
            continue  # whether a call went well says nothing of what it is given
        if not operators and not is_setting and match[1] not in (b"static_assert", b"assert"):
            continue
        names = tuple(dict.fromkeys(re.findall(r"[A-Za-z_]\w*", condition)))
        message = " ".join(" ".join(a for a in arguments[1:] if '"' in a).replace('"', "").split())
        if not message and (closed := matching(text.data, match.end() - 1)) >= 0:
            streamed = _STREAMED.match(text.data, closed)
            message = streamed[1].decode("utf-8", "replace") if streamed is not None else ""
        by = {b"static_assert": "static_assert", b"assert": "assert"}.get(match[1], "check_macro")
        where = text.location(source.path, Span(match.start(), match.end()))
        yield Constraint(condition, kind_of(condition, operators), names, by, message[:MAX_SOURCE], "", where)


def _is_call(condition: bytes) -> bool:
    """Whether a condition is the result of one call, whatever its operands compare."""
    head = re.match(rb"[\w:]+\s*\(", condition)
    return head is not None and matching(condition, head.end() - 1) == len(condition) - 1


def _arguments(data: bytes, start: int) -> list[str]:
    """The top-level arguments of a call whose `(` ends at `start`; empty when it does not close nearby."""
    depth, parts, begin, quote = 0, list[str](), start, 0
    for index in range(start, min(len(data), start + 2000)):
        c = data[index]
        if quote:
            if c == quote and data[index - 1] != 0x5C:
                quote = 0
        elif c in b"\"'":
            quote = c
        elif c in b"([{":
            depth += 1
        elif c in b")]}":
            depth -= 1
            if depth < 0:
                return [*parts, data[begin:index].decode("utf-8", "replace")]
        elif c == 0x2C and depth == 0 and not _OPEN_TEMPLATE.search(data, begin, index):
            parts.append(data[begin:index].decode("utf-8", "replace"))
            begin = index + 1
    return []
