"""Bytes of a Python file to a lowered `Module`. Never fails; bodies of definitions are lowered on first access.

Parsing keeps the tree-sitter tree so that an edit reparses incrementally.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache, cached_property

from msgspec import Struct
from tree_sitter import Language, Node, Parser, Query, Tree

from kernelscope.results import Span
from kernelscope.syntax import grammars
from kernelscope.syntax.captures import MAX_BROKEN_NODES, captured
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.expressions import span_of, text_of
from kernelscope.syntax.python.mending import dangling_dots, with_holes
from kernelscope.syntax.python.statements import block
from kernelscope.syntax.python.stores import Stores
from kernelscope.syntax.text import SourceText, changed_part, with_line_feeds


@cache
def language() -> Language:
    return grammars.language("tree_sitter_python")


@cache
def _comment_query() -> Query:
    return Query(language(), "(comment) @comment")


class Comment(Struct, frozen=True):
    """A comment with its `#`; `alone` when nothing stands before it on its line."""

    text: str
    span: Span
    alone: bool


class Scope(Struct, frozen=True):
    """A function or class with the names of the definitions around it, outermost first."""

    node: t.FunctionDef | t.ClassDef
    path: tuple[str, ...]
    owner: t.ClassDef | None

    @property
    def qualified_name(self) -> str:
        return ".".join(self.path)


class Module:
    """One lowered file: its statements, comments and definitions."""

    def __init__(self, text: SourceText, tree: Tree) -> None:
        self.text = text
        self.tree = tree
        self._defined: dict[int, tuple[list[t.Stmt], list[t.FunctionDef | t.ClassDef]]] = {}
        """The definitions in bodies by the identity of these, which are held here so that it stays theirs."""

    @cached_property
    def body(self) -> list[t.Stmt]:
        return block(self._readable[0].root_node, 0)

    @cached_property
    def _readable(self) -> tuple[Tree, bytes]:
        return _readable(self.tree, with_line_feeds(self.text.data))

    @property
    def first_error(self) -> int | None:
        """Offset of the first thing that does not parse; None in a whole file."""
        tree, text = self._readable
        places = error_places(tree.root_node)[:1]
        if (given := with_line_feeds(self.text.data)) != text:
            places.append(changed_part(given, text)[0])
        return min(places, default=None)

    @cached_property
    def comments(self) -> dict[int, Comment]:
        """The last comment of each line, by line number from 1."""
        found: dict[int, Comment] = {}
        captures = captured(_comment_query(), self.tree.root_node)
        for raw in captures.get("comment", []):
            line = self.text.line_of(raw.start_byte)
            before = self.text.data[self.text.line_start(line) : raw.start_byte]
            found[line] = Comment(text_of(raw), span_of(raw), not before.strip())
        return found

    def comment_on(self, line: int) -> Comment | None:
        """The comment of one line, found without a search of the whole file."""
        start, text = self.text.line_start(line), self.text.line_bytes(line)
        at = text.find(b"#")
        while at >= 0:
            raw = self.tree.root_node.descendant_for_byte_range(start + at, start + at + 1)
            if raw is not None and raw.type == "comment":
                return Comment(text_of(raw), span_of(raw), not text[: raw.start_byte - start].strip())
            at = text.find(b"#", at + 1)
        return None

    @cached_property
    def stores(self) -> Stores:
        """The attributes that the file's code stores."""
        return Stores(self._readable[0].root_node, language())

    @cached_property
    def annotations(self) -> dict[str, list[t.Expr]]:
        """How parameters and variables of a name are annotated anywhere in the file, in source order."""
        found: dict[str, list[t.Expr]] = {}
        for node in t.walk(*self.body):
            match node:
                case t.Param(name=name, annotation=annotation) if annotation is not None:
                    found.setdefault(name, []).append(annotation)
                case t.AnnAssign(target=t.Name(id=name), annotation=annotation):
                    found.setdefault(name, []).append(annotation)
                case _:
                    pass
        return found

    @cached_property
    def scopes(self) -> list[Scope]:
        """Every function and class, outer ones first, also inside loops and conditions."""
        found: list[Scope] = []
        todo: deque[tuple[list[t.Stmt], tuple[str, ...], t.ClassDef | None]] = deque([(self.body, (), None)])
        while todo:
            body, path, owner = todo.popleft()
            for node in _definitions(body):
                scope = Scope(node, (*path, node.name), owner)
                found.append(scope)
                if _DEFINES.search(self.text.data, node.name_span.end, node.span.end):  # else its body need not be read
                    todo.append((node.body, scope.path, node if isinstance(node, t.ClassDef) else None))
        return found

    @property
    def itself(self) -> Module:
        """The file of which this is a part; the same where it is whole."""
        return self

    @property
    def parses(self) -> bool:
        """Whether the text parses as it stands."""
        return self._readable[0] is self.tree and not self.tree.root_node.has_error

    def functions(self) -> Iterable[Scope]:
        return self._functions

    def classes(self) -> list[Scope]:
        return self._classes

    @cached_property
    def _functions(self) -> list[Scope]:
        return [scope for scope in self.scopes if isinstance(scope.node, t.FunctionDef)]

    @cached_property
    def _classes(self) -> list[Scope]:
        return [scope for scope in self.scopes if isinstance(scope.node, t.ClassDef)]

    def scope_at(self, offset: int) -> Scope | None:
        """The innermost function or class whose span holds `offset`."""
        return next(iter(self.scopes_around(offset)), None)

    def _defined_in(self, body: list[t.Stmt]) -> list[t.FunctionDef | t.ClassDef]:
        """The definitions of a body of this file; asked for with every hover."""
        known = self._defined.get(id(body))
        if known is None:
            known = self._defined[id(body)] = (body, list(_definitions(body)))
        return known[1]

    def scopes_around(self, offset: int) -> list[Scope]:
        """The functions and classes whose spans hold `offset`, innermost first; lowers no others."""
        found: list[Scope] = []
        body, path, owner = self.body, (), None
        while True:
            node = next((n for n in self._defined_in(body) if offset in n.span), None)
            if node is None:
                return found
            path = (*path, node.name)
            found.insert(0, Scope(node, path, owner))
            body, owner = node.body, node if isinstance(node, t.ClassDef) else None


_DEFINES = re.compile(rb"\b(?:def|class)\b")


def _definitions(body: list[t.Stmt]) -> Iterator[t.FunctionDef | t.ClassDef]:
    """Definitions of a body and of every block in it, in source order, without entering definitions."""
    todo: list[t.Stmt] = list(reversed(body))
    while todo:
        node = todo.pop()
        if isinstance(node, t.FunctionDef | t.ClassDef):
            yield node
            continue
        blocks: list[t.Stmt] = []
        match node:
            case t.If() | t.For() | t.While():
                blocks = node.body + node.orelse
            case t.With():
                blocks = node.body
            case t.Try():
                handled = [s for handler in node.handlers for s in handler.body]
                blocks = node.body + handled + node.orelse + node.finalbody
            case t.Match():
                blocks = [s for case in node.cases for s in case.body]
            case _:
                continue
        todo.extend(reversed(blocks))


MAX_MENDS = 2


def _readable(tree: Tree, text: bytes) -> tuple[Tree, bytes]:
    """The tree without the errors that one statement spreads over its neighbours, and the text that it is of.

    Both are those given where there is no error.
    """
    errors = [offset for offset in dangling_dots(text) if _is_dangling(tree.root_node, offset)]
    if not errors and not tree.root_node.has_error:
        return tree, text
    for _ in range(1 + MAX_MENDS):  # brackets first: what they break is no error of its own
        mended = with_holes(text, errors)
        if mended != text:
            text, tree = mended, Parser(language()).parse(mended)
        errors = error_places(tree.root_node)
        if not errors:
            break
    return tree, text


def _is_dangling(root: Node, offset: int) -> bool:
    """Whether the dot at `offset` took its attribute from the next line, as the grammar lets it outside brackets."""
    node = root.descendant_for_byte_range(offset, offset + 1)
    if node is None or node.type != "." or node.parent is None or node.parent.type != "attribute":
        return False
    while node is not None and not node.type.endswith(("statement", "definition", "block", "module")):
        parent = node.parent
        if parent is not None and parent.type in _BRACKETED and node != parent.child_by_field_name("value"):
            return False
        node = parent
    return True


_BRACKETED = {
    "argument_list", "parenthesized_expression", "list", "tuple", "dictionary", "set", "subscript", "parameters",
    "list_comprehension", "dictionary_comprehension", "set_comprehension", "generator_expression", "interpolation",
}  # fmt: skip


def error_places(root: Node) -> list[int]:
    """Offsets where something did not parse or is missing, outermost errors only, in order."""
    found: list[int] = []
    todo = [root]
    while todo and len(found) < MAX_BROKEN_NODES:
        node = todo.pop()
        if node.is_error or node.is_missing:
            found.append(node.start_byte)
        elif node.has_error:
            todo.extend(reversed(node.children))
    return found


def parse_module(data: bytes, before: Module | None = None) -> Module:
    """Parse and wrap `data`; of an earlier version of the text, what did not change is not parsed again."""
    parser = Parser(language())
    lines = with_line_feeds(data)
    tree = parser.parse(lines) if before is None else parser.parse(lines, _edited(before, lines))
    return Module(SourceText(data), tree)


def _edited(before: Module, lines: bytes) -> Tree:
    """A copy of the tree of an earlier text that knows where the present one differs."""
    known = with_line_feeds(before.text.data)
    start, old_end, new_end = changed_part(known, lines)
    tree = before.tree.copy()
    tree.edit(start, old_end, new_end, _point(lines, start), _point(known, old_end), _point(lines, new_end))
    return tree


def _point(data: bytes, offset: int) -> tuple[int, int]:
    """Row and column of an offset."""
    return data.count(b"\n", 0, offset), offset - data.rfind(b"\n", 0, offset) - 1
