"""A C++ file as a `Module` of the Python tree: classes with the methods that the file defines, and free functions.

For host code: the text is parsed as it stands, so offsets are those of the file; macros stay what they are. What a
class declares in another file is not known, so a member is what a method uses and nothing in the file declares.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from itertools import islice

from tree_sitter import Node, Parser, Tree

from kernelscope.syntax.cuda.host_expressions import Names, plain, span, text
from kernelscope.syntax.cuda.host_statements import block
from kernelscope.syntax.cuda.source import language
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Comment, Module, Scope
from kernelscope.syntax.text import SourceText

OUTER = {"namespace_definition", "declaration_list", "linkage_specification", "preproc_ifdef", "preproc_if",
         "preproc_else", "preproc_elif", "template_declaration", "field_declaration_list", "ERROR"}  # fmt: skip
CLASSES = {"class_specifier", "struct_specifier"}
MAX_DEPTH = 30
MOST_ALIASES = 20
_FRONT = re.compile(rb"\b(\w+)\s*(?:\.|->)\s*front\s*\(")
_TOP = re.compile(rb"\b(\w+)\s*(?:\.|->)\s*top\s*\(")
_READ = re.compile(rb"\b(\w+)\s*(?:\.|->)\s*read\s*\(\s*\w+\s*\)")
_WRITTEN = re.compile(rb"\b(\w+)\s*(?:\.|->)\s*write\s*\(")
_HEAP = re.compile(rb"priority_queue\s*<[^;(){}]*>\s*(\w+)\s*[;({=]")
_ALIAS = re.compile(rb"\busing\s+(\w+)\s*=\s*(?:std\s*::\s*)?priority_queue\b")
"""Another name of such a type."""
_BY_PRIORITY = re.compile(rb"(?i)priority|heap")
CONTAINERS = {"append", "appendleft", "extend", "popleft", "pop", "heappush", "heappop"}
"""Methods of which a member is known to be a container."""


class HostModule(Module):
    """One C++ file; its functions are lowered on first access, like Python's."""

    def __init__(self, source: SourceText, tree: Tree) -> None:
        super().__init__(source, tree)
        data = source.data
        self._held = _containers(data)
        self._held_by: dict[int, tuple[frozenset[str], frozenset[str]]] = {}
        read = {m[1] for m in _READ.finditer(data)}
        self._concurrent = frozenset(m[1].decode() for m in _WRITTEN.finditer(data) if m[1] in read)

    @cached_property
    def comments(self) -> dict[int, Comment]:
        """None: labels of Python's comments are asked for by line."""
        return {}

    @cached_property
    def body(self) -> list[t.Stmt]:
        """Classes with their methods, then functions, in source order."""
        classes: dict[str, list[t.FunctionDef]] = {}
        functions: list[t.Stmt] = []
        outer = frozenset(_outer(self.tree.root_node))
        for owner, node, name in _definitions(self.tree.root_node, "", 0):
            function = self._function(owner, node, name, outer)
            if owner:
                classes.setdefault(owner, []).append(function)
            else:
                functions.append(function)
        return [*(_class(name, methods) for name, methods in classes.items()), *functions]

    @cached_property
    def scopes(self) -> list[Scope]:
        found: list[Scope] = []
        for node in self.body:
            if isinstance(node, t.ClassDef | t.FunctionDef):
                found.append(Scope(node, (node.name,), None))
            if isinstance(node, t.ClassDef):
                found += [Scope(method, (node.name, method.name), node) for method in node.methods()]
        return found

    def _containers_for(self, node: Node) -> tuple[frozenset[str], frozenset[str]]:
        """Those of the class that a function stands in: members of several classes are called alike."""
        around = node.parent
        while around is not None and around.type not in CLASSES:
            around = around.parent
        if around is None:
            return self._held
        known = self._held_by.get(around.start_byte)
        if known is None:
            part = self.text.data[around.start_byte : around.end_byte]
            known = self._held_by[around.start_byte] = _containers(part)
        return known

    def _function(self, owner: str, node: Node, name: Node, outer: frozenset[str]) -> t.FunctionDef:
        inner = node.child_by_field_name("body")
        called = _parts(name)[-1]

        def lower_body() -> list[t.Stmt]:
            local = frozenset(_local(node))
            names = Names(local, outer, bool(owner), *self._containers_for(node), self._concurrent)
            return block(inner, names) if inner is not None else []

        def lower_args() -> list[t.Param]:
            itself = [t.Param("self", None, None, "normal", span(name), span(name))] if owner else []
            return [*itself, *_parameters(node)]

        shown = "__init__" if called == owner else called
        return t.FunctionDef(shown, span(name), lower_args, None, [], False, span(node), lower_body)


def _containers(data: bytes) -> tuple[frozenset[str], frozenset[str]]:
    """Names of containers that are asked for their front, and of those that keep their elements by priority."""
    fronts = frozenset(m[1].decode() for m in _FRONT.finditer(data))
    tops = {m[1] for m in _TOP.finditer(data)}
    declared = {m[1] for m in _HEAP.finditer(data)}
    for alias in islice(_ALIAS.finditer(data), MOST_ALIASES):
        declared |= {m[1] for m in re.finditer(rb"\b%b\s+(\w+)\s*[;({=]" % alias[1], data)}
    heaps = frozenset(n.decode() for n in tops | declared if n in declared or _BY_PRIORITY.search(n))
    return fronts, heaps


def host_module(data: bytes) -> HostModule:
    """Parses a file. Never fails."""
    return HostModule(SourceText(data), Parser(language()).parse(data))


def _class(name: str, methods: list[t.FunctionDef]) -> t.ClassDef:
    """A class; its containers are fields of it, known by what the methods call on them."""

    def lower_body() -> list[t.Stmt]:
        held: dict[str, t.Attribute] = {}
        for node in t.walk(*methods):
            match node:
                case t.Call(func=t.Attribute(value=t.Attribute(value=t.Name(id="self")) as field, attr=attr)) if (
                    attr in CONTAINERS
                ):
                    held.setdefault(field.attr, field)
                case _:
                    pass
        fields = [
            t.AnnAssign(t.Name(f.attr, f.span), t.Name("deque", f.span), t.Name(f.attr, f.span), f.span)
            for f in held.values()
        ]
        return [*fields, *methods]

    return t.ClassDef(name, methods[0].name_span, [], [], [], methods[0].span, lower_body)


def _definitions(node: Node, owner: str, depth: int) -> Iterator[tuple[str, Node, Node]]:
    """Functions with a body: their class, their node, and the node of their name; destructors only clear up."""
    if depth > MAX_DEPTH:
        return
    for child in node.named_children:
        if child.type == "function_definition":
            name = _name(child)
            if name is None or child.child_by_field_name("body") is None or "~" in text(name):
                continue
            parts = _parts(name)
            yield (parts[-2] if len(parts) > 1 and parts[-2][:1].isupper() else owner), child, name
        elif child.type in CLASSES:
            inner = child.child_by_field_name("body")
            if inner is not None:
                yield from _definitions(inner, plain(child.child_by_field_name("name")), depth + 1)
        elif child.type in OUTER:
            yield from _definitions(child, owner, depth + 1)
        elif child.type in ("declaration", "field_declaration", "type_definition"):
            inner = child.child_by_field_name("type")
            if inner is not None and inner.type in CLASSES:
                yield from _definitions(child, owner, depth + 1)


def _parts(name: Node) -> list[str]:
    """`Desk<T, 4>::serve` is Desk and serve."""
    said = text(name)
    while (shorter := re.sub(r"<[^<>]*>", "", said)) != said:
        said = shorter
    return [part.strip() for part in said.split("::")]


def _name(function: Node) -> Node | None:
    node = function.child_by_field_name("declarator")
    while node is not None and node.type != "function_declarator":
        node = node.child_by_field_name("declarator") or next(
            (c for c in node.named_children if c.type.endswith("declarator")), None
        )
    return node.child_by_field_name("declarator") if node is not None else None


def _parameters(function: Node) -> list[t.Param]:
    name = _name(function)
    listed = name.parent.child_by_field_name("parameters") if name is not None and name.parent is not None else None
    found: list[t.Param] = []
    for parameter in listed.named_children if listed is not None else []:
        names = list(_names(parameter.child_by_field_name("declarator")))
        if names:
            where = span(names[0])
            found.append(t.Param(text(names[0]), None, None, "normal", span(parameter), where))
    return found


def _names(node: Node | None) -> Iterator[Node]:
    """The names that a declarator declares."""
    while node is not None:
        if node.type == "identifier":
            yield node
            return
        if node.type == "structured_binding_declarator":
            yield from (c for c in node.named_children if c.type == "identifier")
            return
        node = node.child_by_field_name("declarator") or next(
            (c for c in node.named_children if c.type.endswith(("declarator", "identifier"))), None
        )


DECLARES = {"declaration", "parameter_declaration", "optional_parameter_declaration", "for_range_loop",
            "init_declarator", "condition_clause"}  # fmt: skip


def _local(function: Node) -> Iterator[str]:
    """What a function declares: parameters, variables, those of loops and of functions inside."""
    todo = [function]
    while todo:
        node = todo.pop()
        if node.type in DECLARES:
            for declarator in node.children_by_field_name("declarator"):
                yield from (text(n) for n in _names(declarator))
        todo += node.named_children


def _outer(root: Node) -> Iterator[str]:
    """What a file declares outside of functions and classes: variables and functions of its own."""
    todo = [(root, 0)]
    while todo:
        node, depth = todo.pop()
        for child in node.named_children:
            if child.type in ("declaration", "function_definition"):
                for declarator in child.children_by_field_name("declarator"):
                    named = _name(child) if child.type == "function_definition" else None
                    if named is not None and named.type == "identifier":
                        yield text(named)
                    elif named is None:
                        yield from (text(n) for n in _names(declarator))
            elif child.type in OUTER and child.type != "field_declaration_list" and depth < MAX_DEPTH:
                todo.append((child, depth + 1))
