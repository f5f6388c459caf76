"""The types that variables of a C++ file are declared with: what `x` is in `x.f()` and `x->f()`.

Goes by the last declaration before the place; scopes, namespaces and template arguments are not told apart.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence

from kernelscope.workspace.cuda_text import KEYWORDS, callee_before, decoded
from kernelscope.workspace.facts import LIBRARY_NAMESPACES, Def, DefKind, Member

MAX_GIVER_BYTES = 400
_RECEIVER = re.compile(rb"(?<![\w.>])(\w+)\s*(?:\.|->)\s*\Z")
_INDEX = rb"(?:\[[^\[\];{}]{0,80}\]|\.\s*(?:at\s*\([^();{}]{0,80}\)|front\s*\(\)|back\s*\(\)))"
_CHAIN = re.compile(rb"(?<![\w.>)\]])((?:\w++\s*+%b?\s*+(?:\.|->)\s*+){1,4})\Z" % _INDEX)
"""`a->b[i].` at the end of a text."""
_LINK = re.compile(rb"(\w++)\s*+(%b)?\s*+(?:\.|->)\s*+" % _INDEX)
_GIVER = re.compile(rb"(?:(\w+)::)?(?:\w+::)*([A-Za-z_]\w*)\Z")
_BEFORE_MEMBER = re.compile(rb"(?:[;{}:]|\b(?:const|mutable|static|inline|volatile|struct|class))\s*\Z")
_PLAIN_TYPES = re.compile(
    rb"(?:std::)?(?:\w*_t|string|string_view|mutex|thread|using|namespace|(?:unordered_)?(?:map|set)|vector|array|pair|tuple)\Z"
)
"""Types that nothing is followed into, and words that only look like one."""
_DECLARED = re.compile(
    rb"\b(?!(?:auto|return|const|new|else|case|goto|delete|throw|typename)\b)"
    rb"(?:(?:std::)?(?:unique_ptr|shared_ptr)\s*+<\s*+)?(?P<space>(?>(?:\w++::)*))(?P<kind>[A-Za-z_]\w*+)(?:<[^<>;{}()]{0,200}>)?"
    rb"(?:\s++const\b)?\s*+(?:>\s*+)?(?:[*&]++\s*+|(?<=\s))(?P<name>\w++)\s*+(?=[;=,)({])"
    rb"|\b(?P<pointer>\w++)\s*+=\s*+(?:new\s++|(?:std::)?make_(?:unique|shared)\s*+<\s*+)(?>(?:\w++::)*)(?P<target>\w++)"
    rb"|\bauto\s*+[&*]?\s*+(?P<taken>\w++)\s*+=\s*+(?P<giver>(?>(?:\w++::)*)(?!make_(?:unique|shared)\b)[A-Za-z_]\w*+)(?:<[^;{}()]{0,200}>)?\s*+[({]"
)
_CONTAINER = re.compile(
    rb"\b(?:std::)?(unordered_map|map|vector|array|deque|list|optional)\s*+<([^;{}()]{1,300}?)>\s*+[&*]?\s*+(\w++)\s*+(?=[;=,)({])"
)
_POINTER = re.compile(rb"(?:std::)?(?:unique_ptr|shared_ptr)\s*<(.*)>\s*\Z", re.DOTALL)
_CLASS = re.compile(rb"\s*(?:const\s+)?((?>(?:\w++::)*))([A-Za-z_]\w*+)")
_TAKEN = re.compile(
    rb"\bauto\s*+(?:const\s*+)?[&*]*\s*+(\w++)\s*+(?:=\s*+\*?\s*+(\w++)\s*+(->\s*second|\.\s*second|\.\s*find\b|\.\s*c?begin\b"
    rb"|\.\s*at\b|\.\s*front\b|\.\s*back\b|\[)|:\s*+(\w++)\s*+\))"
)
"""`auto& x = y->second`, `= y.find(k)`, `= y[i]`, and `auto& x : y)` of a loop."""
_ELEMENT = re.compile(
    rb"(?<![\w.>])(\w+)\s*(?:\[[^\[\];{}]{0,80}\]|\.\s*(?:at\s*\([^();{}]{0,80}\)|front\s*\(\)|back\s*\(\))|(?:->|\.)\s*second)"
    rb"\s*(?:\.|->)\s*\Z"
)
"""`x[i].`, `x.at(i)->`, `x->second->` at the end of a text."""


class DeclaredTypes:
    """Variables of a file with the types that they are declared with; the file is read when first asked about."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._declared: dict[bytes, list[tuple[int, bytes]]] | None = None
        self._elements: dict[bytes, list[tuple[int, bytes]]] = {}
        """Of containers and what points into them, the types of what they hold."""
        self._elements_of: dict[bytes, list[tuple[int, bytes]]] = {}
        """Of variables that stand for an element of what this file does not declare: `x[]` of `auto& a : x`."""
        self._ends: dict[int, int] = {}
        """Where declarations end with the name, by where they begin."""
        self._made: dict[int, bytes] = {}
        """The types of variables by where their names begin in their declarations."""

    def of_receiver(self, start: int) -> bytes:
        """The type of the variable before `.f` or `->f`, where `f` begins: `this` for itself, empty where unknown.

        Of `made(x).f` the name of the function, which gives such an object.
        """
        if element := _ELEMENT.search(self._text, max(0, start - 200), start):
            self._read()
            return _at(self._elements.get(element[1], []), start)
        receiver = _RECEIVER.search(self._text, max(0, start - 80), start)
        if receiver is None:
            return _giver_before(self._text[max(0, start - MAX_GIVER_BYTES) : start])
        return receiver[1] if receiver[1] == b"this" else self._last(receiver[1], start)

    def members_before(self, start: int) -> tuple[bytes, bytes]:
        """`a.b[].c` for `a->b[i].c->f`, where `f` begins at a place, and the type of what it is a member of: empty for
        a member of the class around. Both empty where it is no such chain."""
        chain = _CHAIN.search(self._text, max(0, start - 200), start)
        if chain is None:
            return b"", b""
        first, *names = [link[1] + (b"[]" if link[2] else b"") for link in _LINK.finditer(chain[1])]
        declared = self._read()
        if first == b"this":
            return b".".join(names), b""
        kinds = self._elements.get(first[:-2], []) if first.endswith(b"[]") else declared.get(first, [])
        if kind := _at(kinds, start):
            return b".".join(names), kind
        return b".".join([_at(self._elements_of.get(first, []), start) or first, *names]), b""

    def alone(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Declarations that are statements, with their names and classes: parameters are none."""
        for name, declared in self._read().items():
            for start, kind in declared:
                if not _PLAIN_TYPES.match(kind) and self._is_alone(start):
                    yield start, name, kind
        for name, held in self._elements.items():
            told = ((start, kind) for start, kind in held if not _PLAIN_TYPES.match(kind))
            yield from ((start, name + b"[]", kind) for start, kind in told if self._is_alone(start))

    def _is_alone(self, start: int) -> bool:
        """Whether the declaration at `start` stands alone, and is none of a function."""
        end = self._ends.get(start)
        if end is None or not _BEFORE_MEMBER.search(self._text, max(0, start - 40), start):
            return False
        return not self._text[end : end + 40].lstrip().startswith(b"(")

    def of_called(self, name: bytes, start: int) -> bytes:
        """The type of the variable that is called at a place, as objects with `operator()` are; empty where unknown.

        What is declared like a variable may be a function that gives such an object.
        """
        return self._last(name, start)

    def made_at(self, start: int) -> bytes:
        """The type of the variable that is declared at a place, whose brackets hold what its constructor is given."""
        self._read()
        return self._made.get(start, b"")

    def _last(self, variable: bytes, start: int) -> bytes:
        return _at(self._read().get(variable, []), start)

    def _read(self) -> dict[bytes, list[tuple[int, bytes]]]:
        if self._declared is None:
            self._declared = {}
            for match in _DECLARED.finditer(self._text):
                kind = match["kind"] or match["target"] or match["giver"]
                name = match["name"] or match["pointer"] or match["taken"]
                if kind not in KEYWORDS:
                    kind = _named(match["space"] or b"", kind)
                    self._declared.setdefault(name, []).append((match.start(), kind))
                    self._ends[match.start()] = match.end()
                    if match["name"]:
                        self._made[match.start("name")] = kind
            self._read_containers(self._declared)
        return self._declared

    def _read_containers(self, declared: dict[bytes, list[tuple[int, bytes]]]) -> None:
        """Adds what containers hold, and variables that stand for an element or point to one."""
        for match in _CONTAINER.finditer(self._text):
            if held := _held(match[2], match[1].endswith(b"map")):
                self._elements.setdefault(match[3], []).append((match.start(), held))
                self._ends[match.start()] = match.end()
        for match in _TAKEN.finditer(self._text):
            held = _at(self._elements.get(match[2] or match[4], []), match.start())
            if not held:
                if match[4] or match[3].endswith((b"[", b"at", b"front", b"back")):
                    self._elements_of.setdefault(match[1], []).append((match.start(), (match[2] or match[4]) + b"[]"))
                continue
            points = match[3] is not None and match[3].endswith((b"find", b"begin"))
            known = self._elements if points else declared
            insort(known.setdefault(match[1], []), (match.start(), held))


def members(declared: DeclaredTypes, defs: Sequence[Def]) -> Iterator[Member]:
    """The variables of classes: what is declared in a class, and in no definition inside of it."""
    if not any(d.kind is DefKind.STRUCT for d in defs):
        return
    spans = sorted((d.start, -d.end, index) for index, d in enumerate(defs))
    around: list[tuple[int, int]] = []
    """Where the definitions end that a place lies in, and their numbers, the innermost last."""
    following = 0
    for start, name, kind in sorted(declared.alone()):
        while following < len(spans) and spans[following][0] <= start:
            begin, end, index = spans[following]
            while around and around[-1][0] <= begin:
                around.pop()
            around.append((-end, index))
            following += 1
        while around and around[-1][0] <= start:
            around.pop()
        if around and defs[around[-1][1]].kind is DefKind.STRUCT:
            yield Member(around[-1][1], decoded(name), decoded(kind))


def _at(declared: list[tuple[int, bytes]], start: int) -> bytes:
    """The type of the last declaration before a place.

    What is declared behind its use is a member, as classes often end with them: its type when all such have one.
    """
    before = bisect_left(declared, (start, b""))
    if before:
        return declared[before - 1][1]
    kinds = {kind for _, kind in declared}
    return kinds.pop() if len(kinds) == 1 else b""


def _giver_before(head: bytes) -> bytes:
    """The function whose result a text ends in, before a dot or arrow: `a::f` of `a::f(x).`."""
    head = head.rstrip().removesuffix(b".").removesuffix(b"->").rstrip()
    if not head.endswith(b")"):
        return b""
    depth = 0
    for place in range(len(head) - 1, -1, -1):
        char = head[place : place + 1]
        depth += (char == b")") - (char == b"(")
        if depth == 0:
            found = _GIVER.search(callee_before(head[:place]) or b"")
            before = head[:place].rstrip()
            if found is None or found[1] == b"std" or found[2] in KEYWORDS or not before.endswith(found[0]):
                return b""
            is_member = before.removesuffix(found[0]).rstrip().endswith((b".", b"->", b"::"))
            return b"" if is_member else found[0]
    return b""


def _held(arguments: bytes, is_map: bool) -> bytes:
    """The class of what a container holds, by its template arguments: a map's second, smart pointers looked through."""
    depth, parts = 0, [b""]
    for place in range(len(arguments)):
        char = arguments[place : place + 1]
        depth += (char in b"<([") - (char in b">)]")
        if char == b"," and depth == 0:
            parts.append(b"")
        else:
            parts[-1] += char
    if is_map and len(parts) < 2:
        return b""
    kind = parts[1 if is_map else 0].strip()
    if pointer := _POINTER.match(kind):
        kind = pointer[1]
    found = _CLASS.match(kind)
    return _named(found[1], found[2]) if found and found[2] not in KEYWORDS else b""


def _named(space: bytes, name: bytes) -> bytes:
    """The name of a class, of a library's with its namespace: `at::Tensor` is none of the program's own."""
    return space + name if space.partition(b"::")[0].decode("ascii", "replace") in LIBRARY_NAMESPACES else name
