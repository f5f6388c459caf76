"""The functions of a CUDA file: kernels, device and host functions, with their template parameters and parameters.

Kernels are found in the text too: one whose surroundings the grammar cannot read is parsed again by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from tree_sitter import Node, Parser

from kernelscope.results import Span
from kernelscope.syntax.cuda.directives import without_strings
from kernelscope.syntax.cuda.expressions import split_arguments
from kernelscope.syntax.cuda.macros import closing
from kernelscope.syntax.cuda.mending import attributes_before
from kernelscope.syntax.cuda.nodes import one_line, walk
from kernelscope.syntax.cuda.source import CudaSource, language
from kernelscope.syntax.cuda.spaces import joined, plain_path

MAX_HEADER = 6_000
_KERNEL = re.compile(rb"\b__global__\b(?!\s+__aicore__\b)")
"""Ascend C says `__global__ __aicore__`, of what runs without threads."""
_NAME = re.compile(rb"([A-Za-z_]\w*)\s*(<[^;{}()]*>)?\s*\(")
_BRACKET = re.compile(rb"[()\[\]{}]")
_CLOSERS = {b"(": b")", b"[": b"]", b"{": b";}"}
_ATTRIBUTES = frozenset(
    (b"__launch_bounds__", b"__attribute__", b"__cluster_dims__", b"__maxnreg__", b"__align__", b"alignas",
     b"__block_size__", b"decltype", b"typename")
)  # fmt: skip
_MACRO_WORD = re.compile(r"(?<![\w:<])[A-Z][A-Z0-9_]{3,}(?![\w(<:])")


class FunctionKind(Enum):
    KERNEL = "__global__"
    DEVICE = "__device__"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter; `type` as written without its name, `array` the bounds of an array parameter."""

    name: str
    type: str
    node: Node


@dataclass(frozen=True, slots=True)
class TemplateParameter:
    """`type` is empty for a type parameter (`typename T`), else the type of a value parameter (`int`)."""

    name: str
    type: str
    default: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function with a body. `owner` is the class around it, as written."""

    name: str
    kind: FunctionKind
    name_span: Span
    """In the user's file."""
    span: Span
    """Head and body, in the user's file."""
    templates: tuple[TemplateParameter, ...]
    params: tuple[Parameter, ...]
    body: Node
    header: str
    """What stands before the body, with attributes, on one line."""
    owner: str = ""
    result: str = ""
    """The type it returns, as written, without qualifiers."""
    alone: bool = False
    """Whether it was parsed by itself, because the tree of the file has it in pieces only."""
    cut: bool = False
    """Whether the file ends, or another kernel begins, before its body is closed."""
    space: str = ""
    """The path of the namespaces around it, and of the one by which its definition is qualified."""
    arguments: tuple[str, ...] = ()
    """The template arguments that a specialisation is made for."""

    @property
    def is_specialisation(self) -> bool:
        """Whether it is `template <>`, for arguments that it writes or that its parameters say."""
        return self.header.startswith("template") and not self.templates


def functions(source: CudaSource) -> tuple[Function, ...]:
    """All functions with a body, in source order; of two half-typed heads in front of one body the last is its own."""
    found = [made for node in source.declaring.get("function_definition", ()) if (made := _function(source, node))]
    bodies = {function.body.start_byte: function for function in found}
    unread = {function.body.start_byte: function for function in _unread_kernels(source, bodies)}
    read = [function for function in found if function.body.start_byte not in unread]
    return tuple(sorted((*read, *unread.values()), key=lambda f: (f.name_span.start, f.body.start_byte)))


def _function(source: CudaSource, node: Node) -> Function | None:
    body = node.child_by_field_name("body")
    declarator = node.child_by_field_name("declarator")
    cast = declarator if declarator is not None and declarator.type == "operator_cast" else None
    while declarator is not None and not declarator.type.endswith("function_declarator"):
        inner = declarator.child_by_field_name("declarator")
        if inner is None:
            inner = next((child for child in declarator.named_children if "declarator" in child.type), None)
        declarator = inner
    if body is None or declarator is None or body.type != "compound_statement":
        return None
    name = declarator.child_by_field_name("declarator") if cast is None else cast
    params = declarator.child_by_field_name("parameters")
    arguments: tuple[str, ...] = ()
    qualifiers: list[str] = []
    while name is not None and name.type in ("qualified_identifier", "template_function", "dependent_name"):
        given, scope = name.child_by_field_name("arguments"), name.child_by_field_name("scope")
        qualifiers += [plain_path(source.text(scope))] if scope is not None else []
        arguments = tuple(split_arguments(source.text(given)[1:-1])) if given is not None else arguments
        name = name.child_by_field_name("name") or next(iter(reversed(name.named_children)), None)
    if name is None:
        return None
    outer = node
    while outer.parent is not None and outer.parent.type == "template_declaration":
        outer = outer.parent
    start = outer.start_byte
    before = len(source.prepared.data[:start].rstrip())
    leading = attributes_before(source.expanded, before, start)  # `__launch_bounds__(256) __global__ void k()`
    header = b" ".join(filter(None, (leading, source.expanded[start : body.start_byte]))).decode("utf-8", "replace")
    kind = _kind(header)
    if kind is FunctionKind.HOST and _is_launched(source, header, source.text(name)):
        kind = FunctionKind.KERNEL
    result = node.child_by_field_name("type")
    written = source.text(name) if cast is None else " ".join(source.text(name).partition("(")[0].split())
    return Function(
        written,
        kind,
        source.span(name),
        Span(source.prepared.origin(start, start + 1).start, source.span(node).end),
        tuple(_templates(source, outer)),
        tuple(_params(source, params)) if params is not None else (),
        body,
        one_line(header),
        _owner(source, node),
        source.text(result) if result is not None else "",
        space=joined(source.spaces.at(node.start_byte), *qualifiers),
        arguments=arguments,
    )


def _kind(header: str) -> FunctionKind:
    if re.search(r"\b__global__\b", header) and "__aicore__" not in header:
        return FunctionKind.KERNEL
    return FunctionKind.DEVICE if re.search(r"\b__device__\b", header) else FunctionKind.HOST


def _is_launched(source: CudaSource, header: str, name: str) -> bool:
    """Whether a function with a macro in its head that no header here defines is launched in its file: `KERNEL run(…)`
    of a library that is not at hand."""
    head, named, _ = header.partition(f"{name}(")
    if not named or _MACRO_WORD.search(head) is None:
        return False
    launched = rb"(?<!\w)" + re.escape(name.encode()) + rb"\s*(?:<[^;{}]{0,400}>\s*)?<<<"
    return re.search(launched, source.expanded) is not None


def _owner(source: CudaSource, node: Node) -> str:
    parent = node.parent
    while parent is not None:
        if parent.type in ("struct_specifier", "class_specifier"):
            name = parent.child_by_field_name("name")
            return source.text(name) if name is not None else ""
        parent = parent.parent
    return ""


def _templates(source: CudaSource, node: Node) -> Iterator[TemplateParameter]:
    while node.type == "template_declaration":
        parameters = node.child_by_field_name("parameters")
        for child in parameters.named_children if parameters is not None else ():
            if made := _template(source, child):
                yield made
        inner = next((child for child in node.named_children if child.type == "template_declaration"), None)
        if inner is None:
            return
        node = inner


def _template(source: CudaSource, node: Node) -> TemplateParameter | None:
    default = node.child_by_field_name("default_value") or node.child_by_field_name("default_type")
    written = source.text(default) if default is not None else ""
    if node.type == "template_template_parameter_declaration":
        return next((made for child in node.named_children[1:] if (made := _template(source, child))), None)
    if "type_parameter" in node.type:
        name = node.child_by_field_name("name") or next(
            (child for child in node.named_children if child.type == "type_identifier"), None
        )
        return TemplateParameter(source.text(name), "", written) if name is not None else None
    declarator = node.child_by_field_name("declarator")
    type_node = node.child_by_field_name("type")
    name = _innermost(declarator)
    if name is None:
        return None
    return TemplateParameter(source.text(name), source.text(type_node) if type_node is not None else "auto", written)


def _innermost(declarator: Node | None) -> Node | None:
    """The identifier in a declarator."""
    if declarator is None:
        return None
    return next((node for node in walk(declarator) if node.type in ("identifier", "field_identifier")), None)


def _params(source: CudaSource, node: Node) -> Iterator[Parameter]:
    for child in node.named_children:
        if "parameter_declaration" not in child.type:
            continue
        declarator = child.child_by_field_name("declarator")
        name = _innermost(declarator)
        end = name.start_byte if name is not None else child.end_byte
        written = source.prepared.data[child.start_byte : end].decode("utf-8", "replace")
        if name is not None and declarator is not None and declarator.type == "array_declarator":
            written += "*"
        yield Parameter(source.text(name) if name is not None else "", one_line(written), child)


# -- kernels that the tree lost -------------------------------------------------------------------------------


def _unread_kernels(source: CudaSource, bodies: dict[int, Function]) -> Iterator[Function]:
    """Kernels whose body is not in the tree, or only in pieces, parsed by themselves."""
    text = source.expanded
    if b"__global__" not in text:
        return
    plain = without_strings(text)
    for match in _KERNEL.finditer(plain):
        bounds = _kernel_bounds(plain, match.end())
        if bounds is None:
            continue
        opening, end = bounds
        closers = b""
        if end is None:
            end, closers = _cut_body(plain, opening)
        known = bodies.get(opening)
        if known is not None and known.kind is FunctionKind.KERNEL and known.body.end_byte == end:
            continue
        start = _declaration_start(plain, match.start())
        alone = b" " * start + source.prepared.data[start:end] + closers
        root = Parser(language()).parse(alone).root_node
        for node in walk(root):
            if node.type == "function_definition":
                made = _function(source, node)
                if made is not None:
                    yield replace(made, alone=True, cut=bool(closers))
                break


def _kernel_bounds(text: bytes, position: int) -> tuple[int, int | None] | None:
    """Where the body of the kernel that is declared here opens and ends, if it does; None for a declaration only."""
    limit = position + MAX_HEADER
    while match := _NAME.search(text, position, limit):
        close = closing(text, text.index(b"(", match.end() - 1))
        if close is None:
            return None
        position = close + 1
        rest = text[position : position + 200].lstrip()
        if match[1] in _ATTRIBUTES or not rest.startswith(b"{"):
            if rest.startswith((b";", b"=")) and match[1] not in _ATTRIBUTES:
                return None
            continue
        opening = text.index(b"{", position)
        end = closing(text, opening, len(text))
        return opening, end + 1 if end is not None else None
    return None


def _cut_body(text: bytes, opening: int) -> tuple[int, bytes]:
    """Where a body that nothing closes is taken to end, and what would close it there."""
    following = _KERNEL.search(text, opening)
    end = _declaration_start(text, following.start()) if following is not None else len(text)
    open_brackets: list[bytes] = []
    for match in _BRACKET.finditer(text, opening, max(end, opening + 1)):
        if match[0] in _CLOSERS:
            open_brackets.append(match[0])
        elif len(open_brackets) > 1 and _CLOSERS[open_brackets[-1]].endswith(match[0]):
            open_brackets.pop()
    return max(end, opening + 1), b"".join(_CLOSERS[bracket] for bracket in reversed(open_brackets))


def _declaration_start(text: bytes, position: int) -> int:
    """Where the declaration with `__global__` at `position` begins, its `template <...>` included."""
    before = max(text.rfind(b";", 0, position), text.rfind(b"}", 0, position), text.rfind(b"{", 0, position)) + 1
    return before + len(text[before:position]) - len(text[before:position].lstrip())
