"""Variables, constants, aliases and structs that a CUDA file declares, each with the block in which it is known.

Only collects what is written: sizes and values are for those who know the constants.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from tree_sitter import Node

from kernelscope.syntax.cuda.macros import closing
from kernelscope.syntax.cuda.nodes import one_line, walk
from kernelscope.syntax.cuda.source import DECLARING, CudaSource
from kernelscope.syntax.cuda.spaces import joined, plain_path

_SCOPES = frozenset(
    ("compound_statement", "for_statement", "translation_unit", "declaration_list", "field_declaration_list",
     "lambda_expression", "function_definition", "for_range_loop", "if_statement", "while_statement")
)  # fmt: skip
_RECORDS = ("struct_specifier", "class_specifier", "union_specifier")
_DECLARATIONS = ("declaration", "field_declaration")
_VECTOR_ATTRIBUTE = re.compile(rb"\b(?:(ext_vector_type)|(?:__)?vector_size(?:__)?)\s*\(")
VECTOR = "__vector_size__"
FILE_END = 1 << 62
"""An offset behind all others."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """One declared variable. Texts are of the prepared source.

    `value` is what stands behind `=` (or in braces); `arguments` what stands in brackets, as in `dim3 grid(8, 8)`.
    """

    name: str
    type: str
    bounds: tuple[str, ...]
    """Of an array, outermost first; an empty text for `[]`."""
    value: str | None
    arguments: str | None
    words: frozenset[str]
    """`const`, `static`, `extern`, `__shared__`, `constexpr` and the like."""
    pointer: bool
    node: Node
    """The declarator's name."""
    scope: tuple[int, int]
    """Where it is known, in the prepared text."""
    owner: str = ""
    """The struct around it."""
    align: str = ""
    """What `alignas` asks for."""
    space: str | None = None
    """The path of the namespace that it stands right in; None for what functions and structs declare."""
    enumeration: str = ""
    """Of an enumerator: the enumeration, where that has a name."""
    scoped: bool = False
    """Whether an enumerator is known by its enumeration only."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The namespaces and the enumeration by which it may be qualified."""
        space = self.space or ""
        own = (joined(space, self.enumeration),) if self.enumeration else ()
        return own if self.scoped and own else (space, *own)


class _Named:
    """A type, which is known by one path."""

    __slots__ = ()
    space: str | None

    @property
    def paths(self) -> tuple[str]:
        return (self.space or "",)


@dataclass(frozen=True, slots=True)
class Struct(_Named):
    """A struct, class or union with its fields, in order."""

    name: str
    kind: str
    templates: tuple[str, ...]
    fields: tuple[Declaration, ...]
    bases: tuple[str, ...]
    align: str
    node: Node
    scope: tuple[int, int]
    """Where it is known, in the prepared text."""
    space: str | None
    """The path of the namespaces and classes around it; None where a function defines it for itself."""


@dataclass(frozen=True, slots=True)
class Alias(_Named):
    """`using name = aliased;` or a `typedef`; scope and space are as those of a struct."""

    name: str
    aliased: str
    node: Node
    scope: tuple[int, int]
    space: str | None


class Declarations:
    """What one file declares, by name."""

    def __init__(self, source: CudaSource, read_alone: Sequence[Node] = ()) -> None:
        """`read_alone` are bodies that were parsed by themselves because the tree has them in pieces only."""
        self.source = source
        self._nodes = _merged(source, read_alone)
        self.variables: dict[str, list[Declaration]] = {}
        self.structs: dict[str, list[Struct]] = {}
        self.aliases: dict[str, list[Alias]] = {}
        for node in self._of(*_DECLARATIONS):
            for found in self._declared(node):
                self.variables.setdefault(found.name, []).append(found)
        self._enumerators()
        self._types()

    def _of(self, *kinds: str) -> list[Node]:
        """Nodes in source order; those of branches that are not taken come first, so that others win."""
        found = [node for kind in kinds for node in self._nodes.get(kind, ())]
        inactive = bool(self.source.inactive)

        def place(node: Node) -> tuple[bool, int]:
            return (inactive and self.source.is_active(self.source.span(node).start), node.start_byte)

        return sorted(found, key=place)

    def at(self, name: str, offset: int) -> Declaration | None:
        """The declaration that a name means at an offset of the prepared text: the innermost that stands before it."""
        best: Declaration | None = None
        for found in self.variables.get(name, ()):
            begin, end = found.scope
            outside = found.owner == "" and begin == 0
            if not (begin <= offset < end) or (found.node.start_byte > offset and not outside and not found.owner):
                continue
            if best is None or begin >= best.scope[0]:
                best = found
        return best

    def outside(self, name: str) -> list[Declaration]:
        """The variables and enumerators of a name that stand outside of functions and structs."""
        return [found for found in self.variables.get(name, ()) if found.space is not None]

    def space_at(self, offset: int) -> str:
        """The path of the namespaces and classes around a place."""
        return self._with_classes(offset, [node for node in self._records if node.start_byte < offset < node.end_byte])

    @cached_property
    def _records(self) -> list[Node]:
        return self._of(*_RECORDS)

    def within(self, node: Node) -> Iterator[Declaration]:
        """All declarations inside of a node, in source order."""
        starts, declared = self._in_order
        yield from declared[bisect_left(starts, node.start_byte) : bisect_left(starts, node.end_byte)]

    @cached_property
    def shared_outside(self) -> dict[str, Declaration]:
        """The `__shared__` variables outside of functions, by name."""
        found: dict[str, Declaration] = {}
        for name, declared in self.variables.items():
            outside = [d for d in declared if "__shared__" in d.words and d.scope[0] == 0]
            if outside:
                found[name] = outside[0]
        return found

    @cached_property
    def _in_order(self) -> tuple[list[int], list[Declaration]]:
        """All declarations in source order, with their places."""
        found = [(d.node.start_byte, d) for declared in self.variables.values() for d in declared]
        found.sort(key=lambda item: item[0])
        return [start for start, _ in found], [d for _, d in found]

    # -- variables ------------------------------------------------------------------------------------------

    def _declared(self, node: Node) -> Iterator[Declaration]:
        type_node = node.child_by_field_name("type")
        if type_node is None:
            return
        words, align = self._words(node)
        for child in node.children_by_field_name("declarator"):
            made = self._declarator(node, child, self.source.text(type_node), words, align)
            if made is not None:
                yield made

    def _words(self, node: Node) -> tuple[frozenset[str], str]:
        words: set[str] = set()
        align = ""
        for child in node.children:
            text = self.source.text(child)
            if child.type in ("type_qualifier", "storage_class_specifier") or text.startswith("__"):
                if "alignas" in text:
                    align = text.partition("(")[2].rpartition(")")[0].strip()
                words.update(text.split() if "(" not in text else ())
        if node.parent is not None and node.parent.type == "ERROR":
            words.add("broken")
        return frozenset(words), align

    def _declarator(
        self, node: Node, declarator: Node, type_text: str, words: frozenset[str], align: str
    ) -> Declaration | None:
        value = arguments = None
        if node.type == "field_declaration":
            default = node.child_by_field_name("default_value")
            value = self.source.text(default) if default is not None else None
        if declarator.type == "init_declarator":
            given = declarator.child_by_field_name("value")
            if given is not None and given.type == "argument_list":
                arguments = self.source.text(given)[1:-1]
            elif given is not None:
                value = self.source.text(given)
            inner = declarator.child_by_field_name("declarator")
            if inner is None:
                return None
            declarator = inner
        bounds: list[str] = []
        pointer = False
        while declarator.type not in ("identifier", "field_identifier"):
            if declarator.type == "array_declarator":
                size = declarator.child_by_field_name("size")
                bounds.insert(0, self.source.text(size) if size is not None else "")
            elif declarator.type == "pointer_declarator":
                pointer = True
            elif declarator.type == "function_declarator":
                params = declarator.child_by_field_name("parameters")
                arguments = self.source.text(params)[1:-1] if params is not None else None
            inner = declarator.child_by_field_name("declarator") or next(
                (c for c in declarator.named_children if "declarator" in c.type or c.type.endswith("identifier")), None
            )
            if inner is None:
                return None
            declarator = inner
        return Declaration(
            self.source.text(declarator),
            one_line(type_text),
            tuple(bounds),
            value,
            arguments,
            words,
            pointer,
            declarator,
            _scope(node),
            self._owner(node),
            align,
            self._space(node),
        )

    def _owner(self, node: Node) -> str:
        parent = node.parent
        if node.type == "field_declaration" and parent is not None and parent.parent is not None:
            name = parent.parent.child_by_field_name("name")
            return self.source.text(name) if name is not None else "?"
        return ""

    def _space(self, node: Node) -> str | None:
        """The namespace around a declaration; None where a function or struct is around it too."""
        parent = _around(node)
        if parent is None or parent.type in ("translation_unit", "declaration_list"):
            return self.source.spaces.at(node.start_byte)
        return None

    def _type_space(self, node: Node) -> str | None:
        """The namespaces and classes around a type; None within a function."""
        classes: list[Node] = []
        parent = _around(node)
        while parent is not None and parent.type == "field_declaration_list":
            if parent.parent is not None:
                classes.insert(0, parent.parent)
            parent = _around(parent)
        if parent is not None and parent.type not in ("translation_unit", "declaration_list"):
            return None
        return self._with_classes(node.start_byte, classes)

    def _with_classes(self, offset: int, classes: Sequence[Node]) -> str:
        names = (node.child_by_field_name("name") for node in classes)
        plain = (plain_path(self.source.text(name)) for name in names if name is not None)
        return joined(self.source.spaces.at(offset), *plain)

    def _enumerators(self) -> None:
        for node in self._of("enumerator_list"):
            previous: str | None = None
            for child in node.named_children:
                name = child.child_by_field_name("name")
                if child.type != "enumerator" or name is None:
                    continue
                given = child.child_by_field_name("value")
                value = self.source.text(given) if given is not None else f"({previous}) + 1" if previous else "0"
                text = self.source.text(name)
                previous = value
                outer = node.parent if node.parent is not None else node
                enumeration = outer.child_by_field_name("name")
                found = Declaration(
                    text, "int", (), value, None, frozenset(("constexpr",)), False, name, _scope(outer),
                    space=self._space(outer), enumeration=self.source.text(enumeration) if enumeration else "",
                    scoped=any(child.type in ("class", "struct") for child in outer.children),
                )  # fmt: skip
                self.variables.setdefault(text, []).append(found)

    # -- types ----------------------------------------------------------------------------------------------

    def _types(self) -> None:
        for node in self._of(*_RECORDS):
            name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
            if body is not None:
                made = self._struct(node, body, self.source.text(name) if name is not None else "")
                self.structs.setdefault(made.name.partition("<")[0], []).append(made)
        for node in self._of("alias_declaration"):
            name, aliased = node.child_by_field_name("name"), node.child_by_field_name("type")
            if name is not None and aliased is not None:
                self._alias(self.source.text(name), self.source.text(aliased), node)
        for node in self._of("type_definition"):
            aliased = node.child_by_field_name("type")
            for declarator in node.children_by_field_name("declarator"):
                if aliased is None:
                    continue
                body = aliased.child_by_field_name("body")
                if declarator.type == "type_identifier" and body is not None and aliased.type in _RECORDS:
                    name = self.source.text(declarator)
                    self.structs.setdefault(name, []).append(self._struct(aliased, body, name))
                elif declarator.type == "type_identifier":
                    self._alias(self.source.text(declarator), self.source.text(aliased), node)
                elif declarator.type == "pointer_declarator":
                    self._alias(self.source.text(declarator).strip("* "), f"{self.source.text(aliased)}*", node)

    def _alias(self, name: str, aliased: str, node: Node) -> None:
        if b"vector_" in self.source.source.data:
            aliased = self._vector(node) or aliased
        made = Alias(name, one_line(aliased), node, _scope(node), self._type_space(node))
        self.aliases.setdefault(name, []).append(made)

    def _vector(self, node: Node) -> str:
        """A vector of the compiler's, which an alias makes by an attribute: `__attribute__((vector_size(16))) float`; a
        name that only the layouts of types know, with its bytes, and nothing for every other alias."""
        data = self.source.source.slice(self.source.span(node)).encode("latin-1", "replace")
        found = _VECTOR_ATTRIBUTE.search(data)
        close = closing(data, found.end() - 1) if found is not None else None
        if found is None or close is None:
            return ""
        size = data[found.end() : close].decode("latin-1")
        kind = node.child_by_field_name("type")
        count = f"({size})*sizeof({self.source.text(kind)})" if found[1] and kind is not None else size
        return f"{VECTOR}<{count}>"

    def _struct(self, node: Node, body: Node, name: str) -> Struct:
        fields: list[Declaration] = []
        for child in body.named_children:
            if child.type == "field_declaration":
                fields.extend(self._declared(child))
                inner = child.child_by_field_name("type")
                if (
                    inner is not None
                    and not child.children_by_field_name("declarator")
                    and inner.type in _RECORDS
                    and inner.child_by_field_name("name") is None
                ):
                    fields.append(_anonymous(self, child, inner))
        templates: list[str] = []
        parent = node.parent
        if parent is not None and parent.type == "template_declaration":
            parameters = parent.child_by_field_name("parameters")
            for parameter in parameters.named_children if parameters is not None else ():
                names = [n for n in parameter.named_children if n.type in ("identifier", "type_identifier")]
                templates.append(
                    self.source.text(names[-1] if "type_param" not in parameter.type else names[0]) if names else ""
                )
        bases = tuple(
            self.source.text(base)
            for child in node.named_children
            if child.type == "base_class_clause"
            for base in child.named_children
            if base.type != "access_specifier"
        )
        head = self.source.prepared.data[node.start_byte : body.start_byte].decode("utf-8", "replace")
        align = head.partition("alignas")[2].partition("(")[2].partition(")")[0] if "alignas" in head else ""
        kind = node.type.partition("_")[0]
        space = self._type_space(node)
        return Struct(name, kind, tuple(templates), tuple(fields), bases, align.strip(), node, _scope(node), space)


def _merged(source: CudaSource, read_alone: Sequence[Node]) -> dict[str, list[Node]]:
    """The nodes of a file, with those of bodies parsed alone in place of the tree's."""
    if not read_alone:
        return source.declaring
    found = {
        kind: [n for n in nodes if not any(b.start_byte <= n.start_byte < b.end_byte for b in read_alone)]
        for kind, nodes in source.declaring.items()
    }
    for body in read_alone:
        for node in walk(body):
            if node.type in DECLARING:
                found.setdefault(node.type, []).append(node)
    return found


def _anonymous(declarations: Declarations, child: Node, inner: Node) -> Declaration:
    """A field without a name, such as a union inside a struct."""
    text = declarations.source.text(inner)
    return Declaration("", text, (), None, None, frozenset(), False, inner, _scope(child), "?")


def _scope(node: Node) -> tuple[int, int]:
    """The block around a declaration."""
    parent = _around(node)
    return (parent.start_byte, parent.end_byte) if parent is not None and parent.parent is not None else (0, FILE_END)


def _around(node: Node) -> Node | None:
    parent = node.parent
    while parent is not None and parent.type not in _SCOPES:
        parent = parent.parent
    return parent
