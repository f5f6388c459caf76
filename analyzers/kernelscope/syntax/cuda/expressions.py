"""C++ expressions as small trees, read from text: template arguments, macro bodies, launch configurations, bounds.

For expressions about integers and the calls around them; whatever else there is becomes `Other` with its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

MAX_TEXT = 4_000
MAX_DEPTH = 60


@dataclass(frozen=True, slots=True)
class Number:
    value: int


@dataclass(frozen=True, slots=True)
class Name:
    """A name as written, with its qualifiers and their template arguments: `Traits<T>::kSize`."""

    text: str


@dataclass(frozen=True, slots=True)
class Unary:
    op: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary:
    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Conditional:
    test: Expr
    then: Expr
    other: Expr


@dataclass(frozen=True, slots=True)
class Call:
    """`name<templates>(args)`, also `T{args}` and casts in function form."""

    name: str
    templates: tuple[str, ...]
    args: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Member:
    base: Expr
    name: str


@dataclass(frozen=True, slots=True)
class Subscript:
    base: Expr
    index: Expr


@dataclass(frozen=True, slots=True)
class SizeOf:
    text: str


@dataclass(frozen=True, slots=True)
class Cast:
    type: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Other:
    text: str


Expr = Number | Name | Unary | Binary | Conditional | Call | Member | Subscript | SizeOf | Cast | Other

_TOKEN = re.compile(
    r"\s*(?:(?P<number>0[xX][\da-fA-F']+[uUlLzZ]*|0[bB][01']+[uUlL]*|(?:\d[\d']*)?\.?\d+(?:[eE][-+]?\d+)?[uUlLfFzZ]*\.?[fF]?)"
    r"|(?P<name>(?:::\s*)?[A-Za-z_]\w*(?:\s*::\s*(?:template\s+)?[A-Za-z_~]\w*)*)"
    r'|(?P<string>"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\')'
    r"|(?P<op><<=|>>=|<=>|->\*?|\+\+|--|&&|\|\||==|!=|<=|>=|<<|>>|::|[-+*/%&|^]=|.))",
    re.DOTALL,
)
_BINARY: dict[str, int] = {
    "||": 1, "or": 1, "&&": 2, "and": 2, "|": 3, "^": 4, "&": 5, "==": 6, "!=": 6, "<": 7, ">": 7, "<=": 7, ">=": 7,
    "<<": 8, ">>": 8, "+": 9, "-": 9, "*": 10, "/": 10, "%": 10,
}  # fmt: skip
_TYPE_WORDS = frozenset(
    ("int", "unsigned", "signed", "long", "short", "char", "bool", "float", "double", "void", "const", "size_t", "auto",
     "half", "volatile", "std::size_t", "typename", "uint", "ptrdiff_t")
)  # fmt: skip
_SPELLED = {"or": "||", "and": "&&", "not": "!"}


@lru_cache(8192)
def parse_expression(text: str) -> Expr:
    """The tree of an expression. Never fails: text that is none gives `Other`."""
    if len(text) > MAX_TEXT:
        return Other(text)
    parser = _Parser(text)
    try:
        found = parser.conditional(0)
    except _Unreadable:
        return Other(text.strip())
    return found if parser.at == len(parser.tokens) else Other(text.strip())


_SEPARATING = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|[()\[\]{}<>,]')
_CLOSING = re.compile(r"[()\[\]{}<>;]|&&|\|\|")
MAX_TEMPLATE = 2_000
"""Characters between the brackets of template arguments."""


def split_arguments(text: str) -> list[str]:
    """Arguments between commas outside of brackets; angle brackets count where they close."""
    parts: list[str] = []
    depth = angle = begin = 0
    for match in _SEPARATING.finditer(text):
        token = match[0]
        if token in "([{":
            depth += 1
        elif token in ")]}":
            depth -= 1
        elif depth:
            continue
        elif token == "<":
            angle += _closes(text, match.start())
        elif token == ">":
            angle = max(0, angle - 1)
        elif token == "," and angle == 0:
            parts.append(text[begin : match.start()].strip())
            begin = match.end()
    last = text[begin:].strip()
    if last or parts:
        parts.append(last)
    return parts


def _closes(text: str, start: int) -> bool:
    """Whether the `<` at `start` opens template arguments: it stands behind a name, and `>` closes it."""
    if not re.search(r"[\w>]\s*$", text[max(0, start - 3) : start]) or text[start : start + 2] in ("<<", "<="):
        return False
    return template_end(text, start) is not None


def template_end(text: str, start: int, logical: bool = False) -> int | None:
    """The offset behind the `>` that closes the `<` at `start`; None where it is a comparison, as beside `&&` unless
    arguments may be such expressions."""
    depth = parens = 0
    for match in _CLOSING.finditer(text, start, start + MAX_TEMPLATE):
        token = match[0]
        if token in "([{":
            parens += 1
        elif token in ")]}":
            parens -= 1
            if parens < 0:
                return None
        elif parens or (depth and text.startswith("=", match.end())):
            continue  # also behind `a <= b` and `a >= b`, which are words of their own
        elif token == "<":
            depth += 1
        elif token == ">" and text[match.start() - 1] != "-":
            depth -= 1
            if depth == 0:
                return match.end()
        elif token != ">" and (token == ";" or not logical):
            return None
    return None


def walk_expression(expr: Expr) -> Iterator[Expr]:
    """An expression and all in it."""
    yield expr
    match expr:
        case Unary(operand=inner) | Cast(operand=inner) | Member(base=inner):
            yield from walk_expression(inner)
        case Binary(left=left, right=right) | Subscript(base=left, index=right):
            yield from walk_expression(left)
            yield from walk_expression(right)
        case Conditional(test=test, then=then, other=other):
            for part in (test, then, other):
                yield from walk_expression(part)
        case Call(args=args):
            for argument in args:
                yield from walk_expression(argument)
        case _:
            return


def spelled(expr: Expr) -> str:
    """An expression as text on one line."""
    match expr:
        case Number(value=value):
            return str(value)
        case Name(text=text) | Other(text=text):
            return text
        case SizeOf(text=text):
            return f"sizeof({text})"
        case Unary(op=op, operand=inner):
            return f"{op}{spelled(inner)}"
        case Cast(operand=inner):
            return spelled(inner)
        case Binary(op=op, left=left, right=right):
            return f"({spelled(left)} {op} {spelled(right)})"
        case Conditional(test=test, then=then, other=other):
            return f"({spelled(test)} ? {spelled(then)} : {spelled(other)})"
        case Member(base=base, name=name):
            return f"{spelled(base)}.{name}"
        case Subscript(base=base, index=index):
            return f"{spelled(base)}[{spelled(index)}]"
        case Call(name=name, args=(base, *rest)) if name.startswith("."):
            return f"{spelled(base)}{name}({', '.join(map(spelled, rest))})"
        case Call(name=name, templates=templates, args=args):
            given = f"<{', '.join(templates)}>" if templates else ""
            return f"{name}{given}({', '.join(map(spelled, args))})"


class _Unreadable(Exception):
    """The text is no expression; caught in `parse_expression`."""


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [m for m in _TOKEN.finditer(text.rstrip()) if m[0].strip()]
        self.at = 0
        self.depth = 0

    def peek(self, ahead: int = 0) -> str:
        i = self.at + ahead
        return self.tokens[i][0].strip() if i < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def expect(self, token: str) -> None:
        if self.take() != token:
            raise _Unreadable

    def conditional(self, level: int) -> Expr:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Unreadable
        test = self.binary(1)
        if self.peek() == "?":
            self.take()
            then = self.conditional(level)
            self.expect(":")
            test = Conditional(test, then, self.conditional(level))
        self.depth -= 1
        return test

    def binary(self, level: int) -> Expr:
        left = self.unary()
        while (op := self.peek()) and _BINARY.get(op, 0) >= level:
            self.take()
            left = Binary(_SPELLED.get(op, op), left, self.binary(_BINARY[op] + 1))
        return left

    def unary(self) -> Expr:
        token = self.peek()
        if token in ("-", "+", "!", "~", "*", "&", "++", "--", "not"):
            self.take()
            operand = self.unary()
            if token == "-" and isinstance(operand, Number):
                return Number(-operand.value)
            return Unary(_SPELLED.get(token, token), operand)
        if token == "sizeof":
            return self._sizeof()
        if token == "(":
            cast = self._cast()
            if cast is not None:
                return cast
        return self.postfix(self.primary())

    def _sizeof(self) -> Expr:
        self.take()
        if self.peek() == "...":
            raise _Unreadable
        self.expect("(")
        return SizeOf(self._until_closed())

    def _until_closed(self) -> str:
        """The text up to the bracket that closes the one just taken."""
        depth = 1
        start = self.tokens[self.at].start() if self.at < len(self.tokens) else len(self.text)
        while self.at < len(self.tokens):
            token = self.peek()
            depth += (token in "([{") - (token in ")]}")
            if depth == 0:
                inner = self.text[start : self.tokens[self.at].start()].strip()
                self.at += 1
                return inner
            self.at += 1
        raise _Unreadable

    def _cast(self) -> Expr | None:
        """`(int)x`: brackets around type words, or around a name and stars, before an operand."""
        start = self.at
        words: list[str] = []
        self.take()
        while self.peek() and (self.tokens[self.at]["name"] or self.peek() in ("*", "&", "<", ">", ",")):
            words.append(self.take())
        certain = bool(set(words) & _TYPE_WORDS) or words[-1:] in (["*"], ["&"])
        if self.peek() == ")" and (certain or _is_typed(words)) and self.at + 1 < len(self.tokens):
            token = self.tokens[self.at + 1]
            operand = token["name"] or token["number"] or self.peek(1) == "("
            if operand or (certain and self.peek(1) in ("-", "&", "*", "~", "!")):
                self.take()
                return Cast(" ".join(words), self.unary())
        self.at = start
        return None

    def primary(self) -> Expr:
        if self.at >= len(self.tokens):
            raise _Unreadable
        match = self.tokens[self.at]
        token = self.take()
        if match["number"]:
            return _number(token)
        if match["string"]:
            return Other(token)
        if token == "(":
            inner = self.conditional(0)
            while self.peek() == ",":
                self.take()
                inner = self.conditional(0)
            self.expect(")")
            return inner
        if match["name"]:
            return self._named(re.sub(r"\s+|\btemplate\b", "", token).removeprefix("::"))
        if token == "{":
            return Call("", (), tuple(self._arguments("}")))
        raise _Unreadable

    def _named(self, name: str) -> Expr:
        if name in ("true", "false"):
            return Number(int(name == "true"))
        if name in ("nullptr", "NULL"):
            return Number(0)
        templates: tuple[str, ...] = ()
        if self.peek() == "<":
            start = self.tokens[self.at].start("op")
            end = template_end(self.text, start)
            after = self.text[end:].lstrip() if end is not None else ""
            if end is not None and (not after or after[0] in "({:),>]"):
                templates = tuple(split_arguments(self.text[start + 1 : end - 1]))
                while self.at < len(self.tokens) and self.tokens[self.at].end() <= end:
                    self.at += 1
                if self.peek().startswith("::"):
                    rest = re.sub(r"\s+", "", self.take())
                    if rest == "::":
                        rest += self.take()
                    return self._named(f"{name}<{', '.join(templates)}>{rest}")
                if self.peek() not in ("(", "{"):
                    return Name(f"{name}<{', '.join(templates)}>")
        if self.peek() in ("(", "{"):
            closer = ")" if self.take() == "(" else "}"
            if name == "sizeof":
                return SizeOf(self._until_closed())
            return Call(name, templates, tuple(self._arguments(closer)))
        return Name(name)

    def _arguments(self, closer: str) -> Iterator[Expr]:
        while self.peek() != closer:
            yield self.conditional(0)
            if self.peek() == ",":
                self.take()
            elif self.peek() != closer:
                raise _Unreadable
        self.take()

    def postfix(self, base: Expr) -> Expr:
        while True:
            token = self.peek()
            if token in (".", "->"):
                self.take()
                name = self.take()
                if name == "template":
                    name = self.take()
                if self.peek() == "(":
                    self.take()
                    base = Call(f".{name}", (), (base, *self._arguments(")")))
                else:
                    base = Member(base, name)
            elif token == "[":
                self.take()
                index = self.conditional(0)
                self.expect("]")
                base = Subscript(base, index)
            elif token in ("++", "--"):
                self.take()
                base = Unary(token, base)
            elif token == "(" and not isinstance(base, Number):
                self.take()
                base = Call("()", (), (base, *self._arguments(")")))
            else:
                return base


def _is_typed(words: list[str]) -> bool:
    """Whether a bracketed name looks like a type: `uint4`, `size_type`, `T`."""
    return len(words) == 1 and re.fullmatch(r"[A-Z]|\w+_t|u?(?:int|long|short|char)\d?|\w+\d", words[0]) is not None


def _number(token: str) -> Expr:
    text = token.replace("'", "").rstrip("uUlLzZ")
    try:
        if re.fullmatch(r"0[0-7]+", text):
            return Number(int(text, 8))
        return Number(int(text, 0))
    except ValueError:
        return Other(token)
