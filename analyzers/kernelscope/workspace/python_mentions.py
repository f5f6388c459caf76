"""What a Python file defines and whom it calls, without a parse: enough to find the file by any name in it.

Takes a sixth of the time of exact facts, which are made when somebody asks for them. Names are those that a parse
finds. Calls may be too many, for they are read from text, and never too few. A file with anything that only a parse can
be sure of is left to one.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from kernelscope.workspace.definitions import Columns
from kernelscope.workspace.facts import DefKind, FileNames

_NAME = rb"(?:[^\W\d]|[\x80-\xff])[\w\x80-\xff]*+"
_NAME_BACK = rb"[\w\x80-\xff]++"
_TOKEN = re.compile(
    rb"(#[^\n]*+"
    rb'|"(?:""(?>(?:[^"\\]++|\\.|"(?!""))*)"""|(?>(?:[^"\\\n]++|\\.)*)")'
    rb"|'(?:''(?>(?:[^'\\]++|\\.|'(?!''))*)'''|(?>(?:[^'\\\n]++|\\.)*)'))",
    re.DOTALL,
)
"""Comments and strings, but for the letters before their quotes. Each begins in its own way, so that the engine looks
for them as fast as memory is read."""
_FORMATTED = re.compile(rb"(?i)\b(?:f|t|fr|rf|tr|rt)\Z")
_CALLED = re.compile(rb"\([\s\\]*+(%b)(?!\s++(?:fed|ssalc)\b)" % _NAME_BACK)
"""`name(` read from its end: the engine looks for the bracket, of which there are few."""
_INNER = rb"[^\[\]]*+"
_LAUNCHED = re.compile(
    rb"\([\s\\]*+\]%b(?>(?:\](?>(?:%b(?:\]%b\[)?)*)\[%b)*)\[[\s\\]*+(?:\)\s*+)?(%b)(?!\s++(?:fed|ssalc|epyt)\b)"
    % (_INNER, _INNER, _INNER, _INNER, _NAME_BACK)
)
"""`name[...](` read from its end, with brackets in brackets in it."""
_HEAD = re.compile(
    rb"class\s++%b\s*+(?:\[[^\[\]]*+(?>(?:\[[^\[\]]*+\][^\[\]]*+)*)\]\s*+)?"
    rb"(?:(\([^()]*+(?>(?:\([^()]*+(?>(?:\([^()]*+\)[^()]*+)*)\)[^()]*+)*)\))\s*+)?"
    rb":[ \t]*+(?:(?P<beside>[^\s][^\n]*+)|\n(?>(?:[ \t]*+\n)*)(?P<indent>[ \t]++)\S)" % _NAME
)
"""The head of a class up to where its body begins."""
_BASE = re.compile(rb"(\w+)(?=\s*[\[,)])")
_LINE = re.compile(
    rb"\n(?:(?P<in>[ \t]*+)(?:async[ \t]++)?(?P<word>def|class)[ \t]++(?P<defined>%b)"
    rb"|(?P<global>%b)[ \t]*+(?:=(?!=)|:[ \t]*+[^\s=])"
    rb"|(?P<deep>[ \t]++)(?P<field>%b)[ \t]*+:[ \t]*+[^\s=])" % (_NAME, _NAME, _NAME)
)
"""Lines that may define something."""
_UNCERTAIN = (b";", b'"', b"'", b"\f", b"\r", b"\\\n")
"""Statements side by side, quotes that close nothing, lines that go on: the file is left to a parse."""
_MIXED = (b"\n\t", b"\n ")
_KEYWORDS = frozenset(
    b"and as assert async await class def del elif else except finally for from global if import in is lambda "
    b"nonlocal not or raise return try while with yield True False None pass break continue".split()
)
_REGISTERING = frozenset(
    b"custom_op triton_op register_fake impl_abstract register_kernel define impl _register_fake".split()
)
"""What registers an operator: what it is given counts as called, and only a parse tells."""


class Mentioned(NamedTuple):
    """`called` as `facts.called_names` has it."""

    names: FileNames
    called: bytes


def python_mentions(data: bytes) -> Mentioned | None:
    """The names and calls of a file with line feeds; None of one that has to be parsed for them."""
    parts = _TOKEN.split(b"\n" + data)
    formatted: list[bytes] = []
    for place in range(1, len(parts), 2):
        token = parts[place]
        if token[:1] == b"#":
            parts[place] = b""
            continue
        if parts[place - 1][-1:] in b"fFrRtT" and _FORMATTED.search(parts[place - 1][-3:]):
            formatted.append(token)
        parts[place] = b"0" + b"\n" * token.count(b"\n") if b"\n" in token else b"0"
    code = b"".join(parts)
    if any(mark in code for mark in _UNCERTAIN) or all(indent in code for indent in _MIXED):
        return None
    called = _called(code)
    if formatted:
        called |= _called(b"\n".join(formatted))
    if called & _REGISTERING:
        return None
    heads = {match.start(): match for match in _HEAD.finditer(code)}
    names = _names(code, heads)
    if names is None:
        return None
    bases = (base for head in heads.values() if head[1] for base in _BASE.findall(head[1]))
    listed = sorted({*called, *(b"(" + base for base in bases)})
    return Mentioned(names, b"\n" + b"\n".join(listed) + b"\n")


def _called(code: bytes) -> set[bytes]:
    back = code[::-1]
    return {name[::-1] for name in {*_CALLED.findall(back), *_LAUNCHED.findall(back)}} - _KEYWORDS


def _names(code: bytes, heads: dict[int, re.Match[bytes]]) -> FileNames | None:
    """Functions and classes, then variables of the module, then annotated ones of classes, as facts have them."""
    found, rest = Columns(), Columns()
    fields: list[tuple[bytes, int, int, bytes]] = []
    open_blocks: list[_Block] = []
    line, counted, depth, weighed, seen = 0, 0, 0, 0, 0
    for match in _LINE.finditer(code):
        start = match.start() + 1
        line += code.count(b"\n", counted, start)
        counted = start
        if name := match["defined"]:
            indent = len(match["in"])
            _close(open_blocks, indent, code, seen, start)
            seen = start
            around = open_blocks[-1] if open_blocks else None
            is_class = match["word"] == b"class"
            body = None
            if is_class:
                head = heads.get(match.start("word"))
                if head is None or (head["beside"] and b":" in head["beside"]):
                    return None
                body = len(head["indent"]) if head["indent"] else None
            in_class = around is not None and around.is_class
            kind = DefKind.CLASS if is_class else DefKind.METHOD if in_class else DefKind.FUNCTION
            container = around.name if around else b""
            found.add(name, kind, line, match.start("defined") - start, container)
            open_blocks.append(_Block(indent, b"%b.%b" % (container, name) if container else name, is_class, body))
            continue
        name = match["global"] or match["field"]
        indent = len(match["deep"] or b"")
        if name in _KEYWORDS or (indent and not any(block.body == indent for block in open_blocks)):
            continue
        depth += _depth(code, weighed, start)
        weighed = start
        if depth:
            continue
        if match["global"]:
            open_blocks.clear()
            if not name.startswith(b"_"):
                rest.add(name, DefKind.VARIABLE, line, 0)
            continue
        _close(open_blocks, indent, code, seen, start)
        seen = start
        if open_blocks and open_blocks[-1].is_class and open_blocks[-1].body == indent:
            fields.append((name, line, indent, open_blocks[-1].name))
    if depth + _depth(code, weighed, len(code)):
        return None
    for name, line, indent, container in fields:
        rest.add(name, DefKind.FIELD, line, indent, container)
    found.extend(rest)
    return found.all()


class _Block(NamedTuple):
    """A function or class around what is read."""

    indent: int
    name: bytes
    is_class: bool
    body: int | None
    """The indentation of what a class holds."""


def _close(blocks: list[_Block], indent: int, code: bytes, start: int, end: int) -> None:
    """Takes out the blocks that ended before a line: by its indentation, or by that of a statement in between."""
    while blocks and blocks[-1].indent >= indent:
        blocks.pop()
    begin, depth = max(start - 1, 0), 0
    while blocks and (found := _statement(blocks[-1].indent).search(code, begin, end)):
        depth += _depth(code, begin, found.start())
        begin = found.start()
        if depth == 0:
            blocks.pop()
        else:
            begin += 1


@cache
def _statement(indent: int) -> re.Pattern[bytes]:
    """A line with no more than an indentation that may hold others."""
    return re.compile(
        rb"\n[ \t]{0,%d}(?:if|elif|else|try|except|finally|for|while|with|match|case|async[ \t]+(?:for|with))\b"
        % indent
    )


def _depth(code: bytes, start: int, end: int) -> int:
    """How many more brackets are opened than closed."""
    count = code.count
    opened = count(b"(", start, end) + count(b"[", start, end) + count(b"{", start, end)
    return opened - count(b")", start, end) - count(b"]", start, end) - count(b"}", start, end)
