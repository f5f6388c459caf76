"""A CUDA C++ file as a tree: directives read, macros expanded, unknown macros mended, then parsed. Never fails.

`parse(data, macros)` gives a `CudaSource`. Its tree is a `tree_sitter` tree of the *prepared* text, in which macros are
expanded (but for names of constants, which stay) and comments, directives and branches not taken are blank. Offsets of
nodes are offsets of the prepared text; `span(node)` is the part of the user's file that a node stands for (a whole
macro use, where the node comes from the macro's body), `line(node)` its line there, `text(node)` the prepared bytes,
and `written(node)` what the user wrote. Never use a node's own points: they count prepared lines.
`functions.functions(source)` finds the functions in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache, cached_property

from tree_sitter import Language, Node, Parser, Query, Tree

from kernelscope.results import Span
from kernelscope.syntax import grammars
from kernelscope.syntax.captures import captured
from kernelscope.syntax.cuda import tree as t
from kernelscope.syntax.cuda.directives import OtherBranch, directives, without_strings
from kernelscope.syntax.cuda.launch_brackets import with_joined_brackets
from kernelscope.syntax.cuda.lowered import Lowered, by_name
from kernelscope.syntax.cuda.macros import LIBRARY_MACROS, Expansion, Macro, Macros
from kernelscope.syntax.cuda.mapped import Mapped
from kernelscope.syntax.cuda.mending import mended, unmistakable
from kernelscope.syntax.cuda.nodes import one_line, walk
from kernelscope.syntax.cuda.spaces import Spaces
from kernelscope.syntax.cuda.template_heads import with_heads
from kernelscope.syntax.text import SourceText, with_line_feeds


@cache
def language() -> Language:
    return grammars.language("tree_sitter_cuda")


DECLARING = (
    "function_definition", "declaration", "field_declaration", "enumerator_list", "struct_specifier", "class_specifier",
    "union_specifier", "alias_declaration", "type_definition",
)  # fmt: skip


CALLS = ("call_expression", "gnu_asm_expression")
LOOPS = ("for_statement", "while_statement", "do_statement", "for_range_loop")
BRANCHES = ("if_statement", "switch_statement", "conditional_expression")


@cache
def _query(kinds: tuple[str, ...]) -> Query:
    return Query(language(), " ".join(f"({kind}) @{kind}" for kind in kinds))


@dataclass(frozen=True, slots=True)
class CallSite:
    """A call or inline assembly."""

    node: Node
    around: tuple[Node, ...]
    """The loops and branches that it stands in, within its function, the innermost last."""


@dataclass(frozen=True)
class CudaSource:
    """One parsed file, with the way back to what the user wrote."""

    path: str
    source: SourceText
    prepared: Mapped
    """The text that was parsed."""
    expanded: bytes
    """The same before mending: attributes such as `__launch_bounds__` are still there. Offsets are equal."""
    tree: Tree
    macros: Macros
    """The file's own macros and those it was parsed with."""
    own_macros: dict[bytes, list[Macro]]
    includes: tuple[str, ...]
    inactive: tuple[Span, ...]
    """Parts of the file that are read though the preprocessor would not take them."""
    launching: tuple[OtherBranch, ...] = ()
    """Branches that are not read and launch kernels."""

    @property
    def root(self) -> Node:
        return self.tree.root_node

    @cached_property
    def plain(self) -> bytes:
        """What was expanded without what strings and comments say."""
        return without_strings(self.expanded)

    def span(self, node: Node) -> Span:
        """The part of the user's file that a node stands for."""
        return self.prepared.origin(node.start_byte, node.end_byte)

    def line(self, node: Node) -> int:
        return self.source.line_of(self.span(node).start)

    def text(self, node: Node) -> str:
        """The prepared text of a node."""
        return self.prepared.data[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def written(self, node: Node) -> str:
        """What the user wrote in the node's place, on one line and without comments."""
        return one_line(self.source.slice(self.span(node)))

    def is_active(self, offset: int) -> bool:
        """Whether the preprocessor would take this place of the file."""
        return not any(offset in span for span in self.inactive)

    @cached_property
    def spaces(self) -> Spaces:
        """The namespaces of the prepared text."""
        return Spaces(self.expanded)

    @cached_property
    def statements(self) -> list[t.Stmt]:
        """The file's declarations as lowered nodes; their spans are offsets of the prepared text."""
        from kernelscope.syntax.cuda.lower_statements import block

        return block(self.root, 0)

    @cached_property
    def lowered(self) -> Lowered:
        """The file's lowered declarations by name."""
        return by_name(self.statements, self.spaces)

    def calls(self, body: Node) -> tuple[CallSite, ...]:
        """The calls and inline assembly in a function's body, in source order."""
        found = self._calls.get(body.start_byte)
        if found is None:
            found = self._calls[body.start_byte] = tuple(_call_sites(body))
        return found

    @cached_property
    def _calls(self) -> dict[int, tuple[CallSite, ...]]:
        return {}

    def branches(self, body: Node) -> tuple[Node, ...]:
        """The `if`s in a function's body, in source order."""
        found = self._branches.get(body.start_byte)
        if found is None:
            found = tuple(of_kinds(body, ("if_statement",)).get("if_statement", ()))
            self._branches[body.start_byte] = found
        return found

    @cached_property
    def _branches(self) -> dict[int, tuple[Node, ...]]:
        return {}

    @cached_property
    def declaring(self) -> dict[str, list[Node]]:
        """The nodes that declare something (see `DECLARING`) by type, in source order."""
        return of_kinds(self.root, DECLARING)


def _place(node: Node) -> tuple[int, int]:
    return node.start_byte, -node.end_byte


def of_kinds(root: Node, kinds: tuple[str, ...]) -> dict[str, list[Node]]:
    """The nodes of some types below one, in source order: a query gives them in another one from run to run."""
    found = captured(_query(kinds), root)
    if not found:
        for node in walk(root):
            if node.type in kinds:
                found.setdefault(node.type, []).append(node)
    return {kind: sorted(nodes, key=_place) for kind, nodes in found.items()}


def _call_sites(body: Node) -> Iterator[CallSite]:
    found = of_kinds(body, (*CALLS, *LOOPS, *BRANCHES))
    calls = {node.id for kind in CALLS for node in found.get(kind, ())}
    around: list[Node] = []
    for node in sorted((node for nodes in found.values() for node in nodes), key=_place):
        while around and around[-1].end_byte <= node.start_byte:
            around.pop()
        if node.id in calls:
            yield CallSite(node, tuple(around))
        else:
            around.append(node)


def parse(data: bytes, macros: Macros | None = None, path: str = "", instead: Collection[int] = ()) -> CudaSource:
    """Parses a file that is compiled with the given macros of the files it includes; branches that begin at the places
    of `instead` are read for those that would be."""
    given: Macros = macros or {}
    read = directives(with_line_feeds(data), given, path, instead)
    known: dict[bytes, list[Macro]] = {**LIBRARY_MACROS, **given}
    for name, own in read.macros.items():
        known[name] = [*known.get(name, ()), *own]
    text = with_heads(Mapped.of_file(with_joined_brackets(read.text)), read.heads)
    expanded = unmistakable(Expansion(known, path).expand(text))
    prepared = expanded.replaced(mended(expanded.data))
    tree = Parser(language()).parse(prepared.data)
    return CudaSource(
        path,
        SourceText(data),
        prepared,
        expanded.data,
        tree,
        known,
        read.macros,
        tuple(read.includes),
        tuple(read.inactive),
        tuple(read.launching),
    )
