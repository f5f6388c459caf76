"""Counters through which tasks of a kernel wait for each other: who spins on which entry, who adds to it.

A wait and a signal meet when they index one table and no part of their indices differs for certain; constants of the
structs around them (`opcode`, `prev_opcode`) are put in first, those that a derived struct hands to its template too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from kernelscope.results import Location
from kernelscope.serving.c_functions import CSource, matching

_STRUCT = re.compile(rb"\bstruct\s+(\w+)\s*(?::\s*(?:public\s+)?([\w:]+)\s*<([^{};]*)>\s*)?\{")
_CONSTANT = re.compile(rb"\bstatic\s+constexpr\s+\w+\s+(\w+)\s*=\s*([^;]+);")
_DEFINE = re.compile(rb"(?m)^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+\(?(\d+)\)?[ \t]*$")
_SUM = re.compile(r"[-+]?\s*\d+(?:\s*[-+]\s*\d+)*")
_TEMPLATE = re.compile(rb"\btemplate\s*<([^{};]*)>\s*$")
_BRACE = re.compile(rb"[{}]")
_WHILE = re.compile(rb"\bwhile\s*\(")
_ADDS = re.compile(rb"\b(atomicAdd\w*|atom(?:ic)?_add\w*|fetch_add|red_\w*add\w*)\s*\(")
_ENTRY = re.compile(r"(?:[\w\]\)]+(?:\.|->))*(\w+)\s*\[\s*\{?([^\]{}]*)\}?\s*\]")
_WORD = re.compile(r"[A-Za-z_]\w*")
_NUMBER = re.compile(r"\d+")
_POLLED = re.compile(r"\s*(\w+)\s*(?:<|!=)\s*([^<>=!&|]+)$")
_BODY = re.compile(rb"\s*\{")
MAX_TEXT = 800
MAX_DEPTH = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """A use of a counter: by which task, which table, at which index, with what (the value waited for, or added)."""

    task: str
    table: str
    index: tuple[str, ...]
    amount: str
    location: Location


@dataclass(frozen=True, slots=True)
class Met:
    """A wait with the signals that can end it; `earlier` where they are those of the round before."""

    wait: Entry
    signals: tuple[Entry, ...]
    earlier: bool = False


@dataclass(slots=True)
class Struct:
    """A struct: its braces in the file, its constants, what it derives from and is given by it."""

    source: CSource
    name: str
    start: int
    end: int
    parameters: tuple[str, ...]
    constants: dict[str, str]
    base: str = ""
    given: tuple[str, ...] = ()
    derived: list[Struct] = field(default_factory=list["Struct"])


def meetings(sources: list[CSource], of_functions: bool = False) -> list[Met]:
    """Each wait of some files with the signals that it may meet, in the order of the source.

    Tasks are structs; `of_functions` takes functions for them, as where one function runs tasks that are data.
    """
    found_structs = [struct for source in sources for struct in structs(source)]
    numbers = {m[1].decode(): m[2].decode() for source in sources for m in _DEFINE.finditer(source.text.data)}
    for struct in found_structs:
        struct.constants = numbers | struct.constants if struct.constants else {}
    waits = [entry for source in sources for entry in _waits(source, None if of_functions else found_structs)]
    signals = [entry for source in sources for entry in _signals(source, None if of_functions else found_structs)]
    found: list[Met] = []
    for wait in waits:
        same = [(signal, shift) for signal in signals if (shift := _unified(wait, signal)) is not None]
        if same:
            found.append(Met(wait, tuple(signal for signal, _ in same), any(shift for _, shift in same)))
    return found


def structs(source: CSource) -> list[Struct]:
    """The structs of a file with their constants, each with those that derive from it."""
    found: list[Struct] = []
    code = source.code
    for match in _STRUCT.finditer(code):
        opened = match.end() - 1
        closed = _closing(code, opened)
        head = _TEMPLATE.search(code, max(0, match.start() - 600), match.start())
        parameters = tuple(_parameter(p) for p in _split(head[1].decode())) if head is not None else ()
        given = tuple(_split(match[3].decode())) if match[3] else ()
        constants = {m[1].decode(): _flat(m[2].decode()) for m in _CONSTANT.finditer(code, opened, closed)}
        base = match[2].decode().rpartition("::")[2] if match[2] else ""
        found.append(Struct(source, match[1].decode(), opened, closed, parameters, constants, base, given))
    named = {struct.name: struct for struct in found}
    for struct in found:
        if struct.base in named:
            named[struct.base].derived.append(struct)
    return found


def _closing(code: bytes, opened: int) -> int:
    """The brace that closes the one at `opened`; the end of the file where there is none."""
    depth = 0
    for match in _BRACE.finditer(code, opened):
        depth += 1 if match[0] == b"{" else -1
        if depth == 0:
            return match.start()
    return len(code)


def _parameter(text: str) -> str:
    words = _WORD.findall(text.partition("=")[0])
    return words[-1] if words else ""


def _split(text: str) -> list[str]:
    parts, depth, last = list[str](), 0, ""
    for c in text:
        depth += (c in "(<[{") - (c in ")>]}")
        if c == "," and depth == 0:
            parts.append(_flat(last))
            last = ""
        else:
            last += c
    return [*parts, _flat(last)]


def _flat(text: str) -> str:
    return " ".join(text.split())


def said(text: str, struct: Struct) -> dict[str, str]:
    """What a text means with a struct's constants put in; by each struct that derives from a template."""
    if not struct.derived:
        return {struct.name: _said(text, struct.constants)}
    return {
        d.name: _said(text, struct.constants | dict(zip(struct.parameters, d.given, strict=False)))
        for d in struct.derived
    }


def _waits(source: CSource, structs: list[Struct] | None) -> Iterator[Entry]:
    """`while (table[index] < n)` whose body does nothing but wait, or `while (x < n) x = table[index];`."""
    for match in _WHILE.finditer(source.code):
        closed = matching(source.code, match.end() - 1)
        if closed < 0:
            continue
        for test in source.quote(match.end(), closed, MAX_TEXT).split("||"):
            compared = re.search(r"(.*[\]\)}])\s*(<|!=|>=|==|>|<=)\s*(.+)$", test)
            polled = _POLLED.match(test) if compared is None and structs is None else None
            if compared is not None and "…" not in test:
                yield from _entries(source, structs, compared[1], compared[3].strip(), match.start())
            elif polled is not None and (read := _read(source, closed + 1, polled[1])):
                yield from _entries(source, structs, read, polled[2].strip(), match.start())


def _read(source: CSource, start: int, name: str) -> str:
    """What the body of a loop gives to the variable that it tests."""
    opened = _BODY.match(source.code, start)
    if opened is None:
        return ""
    body = source.quote(start, _closing(source.code, opened.end() - 1), MAX_TEXT)
    found = re.search(rf"\b{name}\s*=\s*([^;=][^;]*);", body)
    return found[1] if found is not None else ""


def _signals(source: CSource, structs: list[Struct] | None) -> Iterator[Entry]:
    """Atomic additions to an entry of a table."""
    for match in _ADDS.finditer(source.code):
        arguments = source.split(match.end(), matching(source.code, match.end() - 1))
        if len(arguments) >= 2:
            yield from _entries(source, structs, arguments[0], arguments[1], match.start())


def _entries(source: CSource, structs: list[Struct] | None, text: str, amount: str, offset: int) -> Iterator[Entry]:
    """The use in the words of each struct that it belongs to: a template's use belongs to what derives from it."""
    entry = _ENTRY.search(text)
    if structs is None:
        around_it = [f for f in source.functions if f.start <= offset < f.end]
        if entry is not None and around_it:
            index = tuple(_said(part, {}) for part in _split(entry[2]))
            yield Entry(around_it[-1].name, entry[1], index, _said(amount, {}), source.at(offset))
        return
    around = [s for s in structs if s.source is source and s.constants and s.start < offset < s.end]
    if entry is None or not around:
        return
    struct = around[0]
    for owner in struct.derived or [struct]:
        known = {**struct.constants}
        if owner is not struct:
            known |= dict(zip(struct.parameters, owner.given, strict=False))
        index = tuple(_said(part, known) for part in _split(entry[2]))
        yield Entry(owner.name, entry[1], index, _said(amount, known), source.at(offset))


def _said(text: str, known: Mapping[str, str]) -> str:
    """An index with the struct's constants put in."""
    for _ in range(MAX_DEPTH):
        changed = _replaced(text, known)
        if changed == text:
            break
        text = changed
    text = _flat(re.sub(r"\b[\w:]+::", "", text))
    if _SUM.fullmatch(text):
        return str(sum(int(term) for term in re.findall(r"[-+]?\d+", text.replace(" ", ""))))
    return text


def _replaced(text: str, known: Mapping[str, str]) -> str:
    return _WORD.sub(lambda m: m[0] if _is_member(text, m) else _put_in(text, m, known.get(m[0], m[0])), text)


def _put_in(text: str, match: re.Match[str], value: str) -> str:
    """A constant in the place of its name: a sum in a product stays one factor."""
    around = text[: match.start()].rstrip()[-1:] + text[match.end() :].lstrip()[:1]
    return f"({value})" if any(c in around for c in "*/%") and re.search(r"\s[-+]\s", value) else value


def _is_member(text: str, match: re.Match[str]) -> bool:
    return text[: match.start()].endswith((".", "->", "::"))


def _unified(wait: Entry, signal: Entry) -> bool | None:
    """Whether a signal can be what a wait waits for; True where it is that of the round before, None for no."""
    if wait.table != signal.table or len(wait.index) != len(signal.index):
        return None
    earlier = shared = False
    for one, other in zip(wait.index, signal.index, strict=True):
        first, second = _terms(one), _terms(other)
        if one == other:
            shared = shared or one != "0"
        elif (_NUMBER.fullmatch(one) and _NUMBER.fullmatch(other)) or (
            _is_constant(first[0]) and _is_constant(second[0])
        ):
            return None
        elif "." in one and "." in other:  # members of two tasks: their names may differ
            earlier = earlier or first[1] < second[1]
    return earlier if shared else None


def _terms(text: str) -> tuple[str, int]:
    """`layer - 1` as `("layer", -1)`."""
    match = re.fullmatch(r"(.+?)\s*([+-])\s*(\d+)", text)
    return (match[1], int(match[2] + match[3])) if match is not None else (text, 0)


def _is_constant(text: str) -> bool:
    """Whether a word is written as constants are."""
    return _WORD.fullmatch(text) is not None and text.isupper()
