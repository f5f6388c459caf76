"""Preprocessor lines of a file: macros defined, files included, and which branch of each `#if` is read.

Branches are chosen as nvcc would for one architecture, with names that nobody defines being undefined. Outside of
function bodies every branch that is balanced is read, because each may define a kernel that someone looks at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from kernelscope.results import Span
from kernelscope.syntax.cuda.launch_brackets import with_joined_brackets
from kernelscope.syntax.cuda.macros import Macro
from kernelscope.syntax.cuda.template_heads import has_no_head, open_head

_NOISE = re.compile(
    rb"//[^\n\\]*+(?>(?:\\(?:\r?\n|.)[^\n\\]*+)*)"
    rb"|/\*.*?(?:\*/|\Z)"
    rb"|R\"([^\s()\\]{0,16})\(.*?\)\1\""
    rb'|"[^"\\\n]*+(?>(?:\\.[^"\\\n]*+)*)"?'
    rb"|'(?<!\w')(?>(?:[^'\\\n]|\\.){1,8})'",
    re.DOTALL,
)
"""Alternatives that all begin with a letter of their own are searched for five times as fast; so below."""
_DIRECTIVE = re.compile(rb"(?m)^[ \t]*#[ \t]*(\w*)([^\n\\]*+(?>(?:\\(?:\r?\n|.)[^\n\\]*+)*))")
_DEFINED = re.compile(rb"\s*(\w+)(\(([^)]*)\))?[ \t]*(.*)", re.DOTALL)
_INCLUDED = re.compile(rb"\s*[<\"]([^>\"\n]+)[>\"]")
_QUALIFIERS = frozenset(
    b"__global__ __device__ __host__ __shared__ __constant__ __managed__ __launch_bounds__ __forceinline__".split()
)
"""Words of the language, which some headers define as attributes for other compilers."""
_BLANK = bytes.maketrans(bytes(range(256)), bytes(c if c in b"\r\n" else 32 for c in range(256)))
_STRUCTURE = re.compile(rb"[{};()]")
_REFUSAL = re.compile(rb"(?i)trap|assert|abort|printf|unreachable|invalid|not.?supported|unsupported")
MAX_REFUSAL = 600
DECLARATIVE = re.compile(rb"\b(?:namespace|extern|struct|class|union|enum)\b")
"""Words of heads whose braces hold declarations."""

PREDEFINED: dict[bytes, int] = {
    b"__CUDACC__": 1,
    b"__NVCC__": 1,
    b"__CUDA_ARCH__": 900,
    b"__CUDA_ARCH_FEAT_SM90_ALL": 1,
    b"__CUDACC_VER_MAJOR__": 12,
    b"__CUDACC_VER_MINOR__": 9,
    b"CUDA_VERSION": 12090,
    b"CUDART_VERSION": 12090,
    b"__cplusplus": 201703,
    b"__GNUC__": 13,
    b"__linux__": 1,
}
"""What nvcc defines for Hopper. An `#if` about architectures of which none fits is read from its first branch."""


@dataclass(frozen=True, slots=True)
class OtherBranch:
    """A branch that is not read, and launches kernels."""

    span: Span
    written: str
    """The directive that it stands behind: `#else` of `#ifdef X`."""
    group: int
    """Where its `#if` stands."""
    rank: int
    """Which one of its group it is; one more in groups that stand in a branch that is not read themselves."""


@dataclass(slots=True)
class Directives:
    """What the preprocessor lines of one file say."""

    text: bytes = b""
    """The file without comments, directives and branches that are not read; every byte in its place."""
    macros: dict[bytes, list[Macro]] = field(default_factory=dict[bytes, list[Macro]])
    """The file's own macros by name, in source order; those of branches not taken come first."""
    includes: list[str] = field(default_factory=list[str])
    inactive: list[Span] = field(default_factory=list[Span])
    """Branches that are read though the preprocessor would not take them."""
    heads: list[tuple[int, Span]] = field(default_factory=list[tuple[int, Span]])
    """Where a `template <…>` from before an `#if` holds once more: at the start of another branch that is read."""
    launching: list[OtherBranch] = field(default_factory=list[OtherBranch])
    """Branches that are not read, because another one of theirs is, and launch kernels."""


@dataclass(slots=True)
class _Branch:
    start: int
    end: int
    taken: bool
    written: bytes
    """The directive itself."""


@dataclass(slots=True)
class _Group:
    """One `#if` … `#endif`."""

    branches: list[_Branch]
    outer: bool
    """Whether the group itself stands in branches that are taken."""
    about_architecture: bool
    keep_all: bool = True
    for_older: bool = False
    """Whether its first branch is for architectures before a certain one."""
    never: bool = False
    """Whether its first branch is switched off by a plain zero."""


@lru_cache(maxsize=128)
def without_comments(data: bytes) -> bytes:
    """Comments as spaces of equal length."""
    return _NOISE.sub(_blank_comment, data)


@lru_cache(maxsize=128)
def without_strings(data: bytes) -> bytes:
    """Comments and strings as spaces of equal length."""
    return _NOISE.sub(lambda match: match[0].translate(_BLANK), data)


def _blank_comment(match: re.Match[bytes]) -> bytes:
    return match[0].translate(_BLANK) if match[0].startswith((b"//", b"/*")) else match[0]


def directives(
    data: bytes, known: Mapping[bytes, list[Macro]], path: str = "", instead: Collection[int] = ()
) -> Directives:
    """Reads the directives of a file that is compiled with `known` macros of the files it includes. Branches that begin
    at one of the places of `instead` are read for those that the preprocessor takes."""
    found = Directives()
    text = without_comments(data)
    if b"#" not in text:
        found.text = text
        return found
    reader = _Reader(text, known, found, path)
    reader.instead = instead
    reader.run()
    return found


@dataclass(frozen=True, slots=True)
class Given:
    """What a file gives to those that include it, as `directives` finds it."""

    macros: dict[bytes, list[Macro]]
    passed_over: frozenset[str]
    """Names of files that it includes only where another branch of an `#if` is taken."""


def given(data: bytes, path: str) -> Given:
    """What a file by itself gives to others."""
    found = Directives()
    reader = _Reader(without_comments(data), {}, found, path, macros_only=True)
    for match in _DIRECTIVE.finditer(reader.text):
        reader.directive(match)
    return Given(reader.macros(), reader.passed_over() - frozenset(found.includes))


class _Reader:
    def __init__(
        self, text: bytes, known: Mapping[bytes, list[Macro]], found: Directives, path: str, macros_only: bool = False
    ) -> None:
        self.text, self.known, self.found, self.path, self.macros_only = text, known, found, path, macros_only
        self.plain = b"" if macros_only else without_strings(text)
        self.open: list[_Group] = []
        self.groups: list[_Group] = []
        self.undefined: set[bytes] = set()
        self.unread: dict[bytes, list[Macro]] = {}
        self.skipped: list[tuple[str, tuple[tuple[_Group, _Branch], ...]]] = []
        """Includes in branches that are not taken, with these branches."""
        self.instead: Collection[int] = ()
        self.braces: list[bool] = []
        self.header = 0
        self.scanned = 0

    def run(self) -> None:
        out: list[bytes] = []
        copied = 0
        for match in _DIRECTIVE.finditer(self.text):
            out.append(self.text[copied : match.start()])
            out.append(match[0].translate(_BLANK))
            copied = match.end()
            self.directive(match)
        out.append(self.text[copied:])
        result = b"".join(out)
        for group in [*self.groups, *self.open]:
            result = self._cut(group, result)
        self.found.macros = self.macros()
        self.found.text = result

    def macros(self) -> dict[bytes, list[Macro]]:
        """All macros, those of branches not taken first."""
        found = dict(self.found.macros)
        for name, macros in self.unread.items():
            found[name] = [*macros, *found.get(name, ())]
        return found

    def passed_over(self) -> frozenset[str]:
        """Files included only where another branch is taken."""
        return frozenset(
            name
            for name, within in self.skipped
            if any(not own.taken and any(branch.taken for branch in group.branches) for group, own in within)
        )

    @property
    def reading(self) -> bool:
        return all(group.branches[-1].taken for group in self.open)

    def directive(self, match: re.Match[bytes]) -> None:
        word, rest = match[1], match[2]
        if word == b"define":
            self._define(rest, match)
        elif word == b"undef" and self.reading:
            self.undefined.add(rest.strip())
        elif word == b"include" and (name := _INCLUDED.match(rest)):
            self._include(name[1].decode("utf-8", "replace"))
        elif word in (b"if", b"ifdef", b"ifndef"):
            value = self._value(word, rest)
            keep = not self.macros_only and self._declarative(match.start())
            branch = _Branch(match.end(), len(self.text), value, match[0])
            group = _Group([branch], self.reading, _is_architecture(rest), keep)
            group.for_older = _FOR_OLDER.match(rest) is not None
            group.never = rest.strip() in (b"0", b"false")
            self.open.append(group)
        elif self.open and word in (b"elif", b"else", b"elifdef", b"elifndef"):
            group = self.open[-1]
            group.branches[-1].end = match.start()
            before = any(branch.taken for branch in group.branches)
            condition = {b"elifdef": b"ifdef", b"elifndef": b"ifndef"}.get(word, b"if")
            taken = not before and (word == b"else" or self._value(condition, rest))
            group.branches.append(_Branch(match.end(), len(self.text), taken, match[0]))
        elif word == b"endif" and self.open:
            group = self.open.pop()
            group.branches[-1].end = match.start()
            self.groups.append(group)

    def _include(self, name: str) -> None:
        if self.reading:
            self.found.includes.append(name)
        else:
            self.skipped.append((name, tuple((group, group.branches[-1]) for group in self.open)))

    def _define(self, rest: bytes, match: re.Match[bytes]) -> None:
        parsed = _DEFINED.match(rest)
        if parsed is None or parsed[1] in _QUALIFIERS:
            return
        name = parsed[1]
        body = with_joined_brackets(parsed[4].replace(b"\\\r\n", b"  \n").replace(b"\\\n", b" \n").strip())
        params: tuple[bytes, ...] | None = None
        if parsed[2] is not None:
            params = tuple(part.strip() for part in parsed[3].replace(b"\\\n", b"").split(b",") if part.strip())
        start = match.start(2) + parsed.start(1)
        macro = Macro(name, params, body, self.path, Span(start, start + len(name)))
        if self.reading:
            self.found.macros.setdefault(name, []).append(macro)
            self.undefined.discard(name)
        elif not name.startswith(b"__"):  # else a stand-in for what nvcc has
            self.unread.setdefault(name, []).append(macro)

    # -- conditions -----------------------------------------------------------------------------------------

    def _value(self, word: bytes, rest: bytes) -> bool:
        rest = rest.replace(b"\\\n", b" ").strip()
        if word == b"if":
            return bool(_Condition(rest, self._number, self._defined).value())
        name = rest.split()[0] if rest.split() else b""
        return self._defined(name) is (word == b"ifdef")

    def _defined(self, name: bytes) -> bool:
        if name in self.undefined:
            return False
        return name in self.found.macros or name in self.known or name in PREDEFINED

    def _number(self, name: bytes, depth: int = 0) -> int:
        if name in PREDEFINED:
            return PREDEFINED[name]
        macros = self.found.macros.get(name) or self.known.get(name)
        if not macros or name in self.undefined or depth > 8 or macros[-1].params is not None:
            return 0
        return _Condition(macros[-1].body, lambda inner: self._number(inner, depth + 1), self._defined).value()

    # -- branches -------------------------------------------------------------------------------------------

    def _declarative(self, offset: int) -> bool:
        """Whether a directive stands outside of function bodies."""
        for match in _STRUCTURE.finditer(self.plain, self.scanned, offset):
            token = match[0]
            if token == b"{":
                head = self.plain[self.header : match.start()]
                declares = DECLARATIVE.search(head) is not None and b")" not in head.rstrip()[-1:]
                self.braces.append(declares and (not self.braces or self.braces[-1]))
            elif token == b"}" and self.braces:
                self.braces.pop()
            if token in b"{};":
                self.header = match.end()
        self.scanned = max(self.scanned, offset)
        return all(self.braces)

    def _cut(self, group: _Group, text: bytes) -> bytes:
        """Blanks the branches of a group that are not read."""
        taken = next((branch for branch in group.branches if branch.taken), None)
        if group.about_architecture:
            taken = self._for_its_architecture(group, taken, text)
        parts = [without_strings(text[b.start : b.end]) for b in group.branches]
        keep_all = group.keep_all and all(map(_balanced, parts)) and not _qualify(parts, group, text)
        if len(parts) == 1 and not group.never:  # a build decides
            keep_all |= _defines_kernels(parts[0]) if group.keep_all else _launches(parts[0]) and _balanced(parts[0])
        taken = next((branch for branch in group.branches if branch.start in self.instead), taken)
        rank = 0 if group.outer else 1
        if keep_all and (head := open_head(text, group.branches[0].start)) is not None:
            behind = zip(group.branches[1:], parts[1:], strict=True)
            self.found.heads += [(branch.start, head) for branch, part in behind if has_no_head(part)]
        for branch, part in zip(group.branches, parts, strict=True):
            if branch is taken:
                continue
            if keep_all:
                self.found.inactive.append(Span(branch.start, branch.end))
            else:
                if not group.never and _launches(part):
                    span, start = Span(branch.start, branch.end), group.branches[0].start
                    self.found.launching.append(OtherBranch(span, _told(group, branch), start, rank))
                    rank += 1
                blank = text[branch.start : branch.end].translate(_BLANK)
                text = text[: branch.start] + blank + text[branch.end :]
        return text

    @staticmethod
    def _for_its_architecture(group: _Group, taken: _Branch | None, text: bytes) -> _Branch | None:
        """Code for an architecture is read as for that one, where all others are only told that they do not fit; a few
        lines for older ones only are not."""
        if taken is None:
            first = group.branches[0]
            return None if group.for_older and first.end - first.start < MAX_REFUSAL else first
        if not _refuses(text[taken.start : taken.end]):
            return taken
        return next((branch for branch in group.branches if not _refuses(text[branch.start : branch.end])), taken)


_FOR_OLDER = re.compile(rb"[^=>]*__CUDA_ARCH__\s*\)?\s*<=?[^=>]*\Z")


def _refuses(text: bytes) -> bool:
    """Whether a branch only reports that the code does not run here."""
    return len(text) < MAX_REFUSAL and text.count(b";") <= 3 and _REFUSAL.search(text) is not None


_KERNEL = re.compile(rb"\b__global__\b[^;{}]*\{")
_LAUNCH = re.compile(rb"<<<[^;]*>>>\s*\(|\w*Launch(?:Cooperative)?Kernel\w*\s*\(")


_HEAD_GOES_ON = re.compile(rb"\s*(?:__(?:global|device|host)__|void\b)")
_IN_HEAD = re.compile(rb"__global__[\w\s]*\bvoid\s*\Z")
_LOOK_BACK = 200


def _qualify(parts: list[bytes], group: _Group, text: bytes) -> bool:
    """Whether the branches hold only qualifiers of the function that goes on behind them, such as its launch bounds."""
    if any(_STRUCTURE.search(part.replace(b"(", b"").replace(b")", b"")) for part in parts):
        return False
    start = group.branches[0].start
    before = text[max(0, start - _LOOK_BACK) : start]
    return _HEAD_GOES_ON.match(text, group.branches[-1].end) is not None or _IN_HEAD.search(before) is not None


def _defines_kernels(text: bytes) -> bool:
    """Whether a branch holds whole kernels, though it may close a bracket from before it."""
    return _KERNEL.search(text) is not None and text.rstrip()[-1:] in (b"}", b";", b")")


def _told(group: _Group, branch: _Branch) -> str:
    """The directive of a branch on one line, that of the group with an `#else`."""
    first, own = (b" ".join(one.written.replace(b"\\\n", b" ").split()) for one in (group.branches[0], branch))
    told = [f"`{text.replace(b'# ', b'#').decode('utf-8', 'replace')}`" for text in (own, first)]
    return " of ".join(told) if own.lstrip(b"# ").startswith(b"else") else told[0]


def _launches(text: bytes) -> bool:
    return _LAUNCH.search(text) is not None


def _balanced(text: bytes) -> bool:
    depth = 0
    for match in _STRUCTURE.finditer(text):
        depth += (match[0] in b"{(") - (match[0] in b"})")
        if depth < 0:
            return False
    tail = text.rstrip()[-1:]
    return depth == 0 and (tail in (b"}", b";", b"") or b"{" not in text)


def _is_architecture(condition: bytes) -> bool:
    return re.search(rb"__CUDA_ARCH|_ARCH_|SM_?\d\d|ARCH_\w*\d\d", condition) is not None


_PIECE = re.compile(rb"\s*(?:(\d[\w']*)|([A-Za-z_]\w*)|(&&|\|\||==|!=|<=|>=|<<|>>|[-+*/%<>!()~?:,&|^]))")
_LEVELS: tuple[tuple[bytes, ...], ...] = (
    (b"||",), (b"&&",), (b"|",), (b"^",), (b"&",), (b"==", b"!="), (b"<", b">", b"<=", b">="), (b"<<", b">>"),
    (b"+", b"-"), (b"*", b"/", b"%"),
)  # fmt: skip
_WORDS = {b"and": b"&&", b"or": b"||", b"not": b"!"}


class _Condition:
    """An `#if` expression, evaluated; what cannot be read counts as 0."""

    def __init__(self, text: bytes, number: Callable[[bytes], int], defined: Callable[[bytes], bool]) -> None:
        self.pieces = [match[0].strip() for match in _PIECE.finditer(text)]
        self.pieces = [_WORDS.get(piece, piece) for piece in self.pieces]
        self.at = 0
        self.number, self.defined = number, defined

    def value(self) -> int:
        return self._level(0) if self.pieces else 0

    def _peek(self) -> bytes:
        return self.pieces[self.at] if self.at < len(self.pieces) else b""

    def _next(self) -> bytes:
        piece = self._peek()
        self.at += 1
        return piece

    def _level(self, level: int) -> int:
        if level == len(_LEVELS):
            return self._unary()
        left = self._level(level + 1)
        while self._peek() in _LEVELS[level]:
            operator = self._next()
            left = _apply(operator, left, self._level(level + 1))
        return left

    def _unary(self) -> int:
        piece = self._next()
        if piece == b"!":
            return int(not self._unary())
        if piece in (b"-", b"+", b"~"):
            return -self._unary() if piece == b"-" else self._unary()
        if piece == b"(":
            inner = self._level(0)
            self._next()
            return inner
        if piece == b"defined":
            bracket = self._peek() == b"("
            name = [self._next() for _ in range(3)][1] if bracket else self._next()
            return int(self.defined(name))
        if piece[:1].isdigit():
            return _integer(piece)
        if self._peek() == b"(":
            self._skip()
            return 0
        return self.number(piece) if piece else 0

    def _skip(self) -> None:
        depth = 0
        while self.at < len(self.pieces):
            piece = self._next()
            depth += (piece == b"(") - (piece == b")")
            if depth == 0:
                return


def _integer(piece: bytes) -> int:
    text = piece.replace(b"'", b"").rstrip(b"uUlL")
    try:
        return int(text, 0)
    except ValueError:
        return int(text, 8) if text.isdigit() and text.startswith(b"0") and not set(text) & set(b"89") else 0


def _apply(operator: bytes, left: int, right: int) -> int:
    match operator:
        case b"||":
            return int(bool(left or right))
        case b"&&":
            return int(bool(left and right))
        case b"==":
            return int(left == right)
        case b"!=":
            return int(left != right)
        case b"<" | b">" | b"<=" | b">=":
            return int({b"<": left < right, b">": left > right, b"<=": left <= right, b">=": left >= right}[operator])
        case b"+" | b"-":
            return left + right if operator == b"+" else left - right
        case b"*" | b"&":
            return left * right if operator == b"*" else left & right
        case b"|" | b"^":
            return left | right if operator == b"|" else left ^ right
        case b"<<" | b">>" if 0 <= right < 64:
            return left << right if operator == b"<<" else left >> right
        case b"/" | b"%" if right:
            return left // right if operator == b"/" else left % right
        case _:
            return 0
