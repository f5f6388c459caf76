"""Tier 2 of the index for Python: definitions, imports, calls, kernel launches and registrations of one file.

One parse and one query; no walk over nodes. Resolves no name. CUDA source in strings is not looked at (see `scan`).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache

from tree_sitter import Node, Parser, Query

from kernelscope.syntax.captures import captured
from kernelscope.syntax.python.lower import language
from kernelscope.workspace.facts import (
    APPLIED,
    MAX_TEXT,
    TOP,
    Call,
    Def,
    DefKind,
    FileFacts,
    Import,
    Launch,
    Registration,
)

MAX_FACTS = 200_000
MAX_ARGUMENTS = 16

_PATTERNS = """
(function_definition name: (identifier) @name) @def
(class_definition name: (identifier) @name) @def
(decorator) @decorator
(import_statement) @import
(import_from_statement) @import
(call function: (_) @callee)
(module (expression_statement (assignment left: (identifier)) @global))
(class_definition body: (block (expression_statement (assignment left: (identifier) type: (type)) @field)))
"""
_DOTTED = re.compile(rb"[^\W\d][\w.]*\Z")
_TAIL = re.compile(rb"\.\s*(\w+)\Z")
_WRAPPED_KERNEL = re.compile(rb"[\w.]\(\s*([A-Za-z_][\w.]*)\s*\)\Z")
"""`wrap_triton(kernel)[grid]`: a wrapper of the kernel is launched."""
_FROM = re.compile(rb"from\s*(\.[\s.]*)?([\w.]*)\s*import\s*(.*)", re.DOTALL)
_NOISE = re.compile(rb"#[^\n]*|\\\r?\n|[()]")
_STRING = re.compile(r"""[bBrRuU]{0,2}(\"\"\"|'''|"|')(.*)\1\Z""", re.DOTALL)
_OPERATOR_TAILS: dict[str, str] = {
    "custom_op": "custom_op",
    "triton_op": "custom_op",
    "register_fake": "fake",
    "impl_abstract": "fake",
    "register_kernel": "impl",
    "define": "define",
    "impl": "impl",
    "_register_fake": "fake",
}
"""Last names of torch.library's functions and of `Library`'s methods, by what they register."""

_KEPT_TAILS = frozenset(
    [
        "Library",
        "load",
        "load_inline",
        "load_library",
        "pallas_call",
        "ffi_call",
        "register_ffi_target",
        "CDLL",
        "LoadLibrary",
        "include_paths",
        "autotune",
        "heuristics",
        "jit",
    ]
)
"""Calls whose arguments the graph reads besides registrations and calls of the module's top level."""

_NAMES_SOMETHING = re.compile(
    rb"""\(\s*(?:\w+\s*=\s*)?["'][A-Za-z_][\w:.]*["']\s*,\s*(?:\w+\s*=\s*)?[\w.(\s]{0,99}[A-Za-z_]\w*\s*[,)]"""
)
"""A name in quotes beside a function: `register("op", f)`, `register("op", wrap(f))`; kept in functions too."""


@cache
def _tools() -> tuple[Parser, Query]:
    return Parser(language()), Query(language(), _PATTERNS)


def python_facts(data: bytes) -> FileFacts:
    """The facts of one Python file."""
    parser, query = _tools()
    return _Collector(data, captured(query, parser.parse(data).root_node)).run()


class _Collector:
    def __init__(self, data: bytes, captures: dict[str, list[Node]]) -> None:
        self.data = data
        self.captures = captures
        self.defs: list[Def] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.parents: list[int] = []

    def run(self) -> FileFacts:
        self._definitions()
        imports = [found for node in self._in_order("import") for found in self._imports(node)]
        calls: list[Call] = []
        launches: list[Launch] = []
        registrations: list[Registration] = self._decorated()
        for node in self._in_order("callee"):
            if node.type == "subscript":
                if launch := self._launch(node):
                    launches.append(launch)
                continue
            if call := self._call(node):
                calls.append(call)
                if call.args and (registration := _registered(call)):
                    registrations.append(registration)
        return FileFacts(tuple(self.defs), tuple(imports), tuple(calls), tuple(launches), (), tuple(registrations))

    # -- definitions ----------------------------------------------------------------------------------------

    def _definitions(self) -> None:
        decorators = self._decorators()
        entries = zip(self._in_order("def"), self._in_order("name"), strict=False)
        stack: list[int] = []
        for node, name in entries:
            start, end = node.start_byte, node.end_byte
            while stack and self.ends[stack[-1]] <= start:
                stack.pop()
            scope = stack[-1] if stack else TOP
            in_class = scope != TOP and self.defs[scope].kind is DefKind.CLASS
            is_class = node.type == "class_definition"
            kind = DefKind.CLASS if is_class else DefKind.METHOD if in_class else DefKind.FUNCTION
            detail = self._bases(name) if is_class else ""
            marks = decorators.get(name.start_point.row, ())
            detail = "\n".join((*marks, detail) if detail else marks)
            self._add(name, kind, start, end, scope, detail)
            stack.append(len(self.defs) - 1)
        inner = len(self.defs)
        for capture, kind in (("global", DefKind.VARIABLE), ("field", DefKind.FIELD)):
            for node in self._in_order(capture):
                name = node.child_by_field_name("left")
                if name is not None:
                    scope = self._scope_at(node.start_byte, inner)
                    rest = self.data[name.end_byte : min(node.end_byte, name.end_byte + MAX_TEXT)]
                    self._add(name, kind, node.start_byte, node.end_byte, scope, _decoded(rest).strip())
        self.starts = self.starts[:inner]

    def _in_order(self, capture: str) -> list[Node]:
        """Captures by offset, of those that begin in one place the inner one first: they come in no order."""
        found = sorted(self.captures.get(capture, []), key=lambda node: (node.start_byte, node.end_byte))
        return found[:MAX_FACTS]

    def _add(self, name: Node, kind: DefKind, start: int, end: int, scope: int, detail: str) -> None:
        text = _decoded(self.data[name.start_byte : name.end_byte])
        self.defs.append(Def(text, kind, start, end, name.start_byte, name.start_point.row + 1, scope, detail))
        self.starts.append(start)
        self.ends.append(end)
        self.parents.append(scope)

    def _decorators(self) -> dict[int, tuple[str, ...]]:
        """Decorators by the row of the name they stand above."""
        found: dict[int, tuple[str, ...]] = {}
        pending: list[str] = []
        for node in self._in_order("decorator"):
            pending.append(_decoded(self.data[node.start_byte : node.end_byte][: 4 * MAX_TEXT]))
            following = node.next_named_sibling
            while following is not None and following.type == "comment":
                following = following.next_named_sibling
            if following is None or following.type == "decorator":
                continue
            name = following.child_by_field_name("name")
            if name is not None:
                found[name.start_point.row] = tuple(pending)
            pending = []
        return found

    def _bases(self, name: Node) -> str:
        """The text between the parentheses behind a class name."""
        following = name.next_named_sibling
        if following is None or following.type != "argument_list":
            return ""
        return _decoded(self.data[following.start_byte : following.end_byte][:MAX_TEXT])

    def _scope_at(self, offset: int, count: int | None = None) -> int:
        """The innermost definition around an offset."""
        index = bisect_right(self.starts, offset, hi=count if count is not None else len(self.starts)) - 1
        while index >= 0 and self.ends[index] <= offset:
            index = self.parents[index]
        return index

    # -- imports --------------------------------------------------------------------------------------------

    def _imports(self, node: Node) -> list[Import]:
        text = _NOISE.sub(b" ", self.data[node.start_byte : node.end_byte])
        scope = self._scope_at(node.start_byte)
        found: list[Import] = []
        if node.type == "import_statement":
            for part in text[6:].split(b","):
                words = part.split()
                if words:
                    module = _decoded(words[0])
                    alias = len(words) == 3
                    bound = _decoded(words[2]) if alias else module.partition(".")[0]
                    found.append(Import(bound, 0, module if alias else bound, None, scope))
                    if not alias and "." in module:
                        found.append(Import("", 0, module, None, scope))
            return found
        match = _FROM.match(text)
        if match is None:
            return found
        level = (match[1] or b"").count(b".")
        module = _decoded(match[2])
        for part in match[3].split(b","):
            words = part.split()
            if words:
                name = _decoded(words[0])
                bound = _decoded(words[2]) if len(words) == 3 else name
                found.append(Import(bound, level, module, name, scope))
        return found

    # -- calls ----------------------------------------------------------------------------------------------

    def _call(self, callee: Node) -> Call | None:
        start, end = callee.start_byte, callee.end_byte
        text = self.data[start:end]
        if len(text) > MAX_TEXT or not _DOTTED.match(text):
            tail = _TAIL.search(text[-MAX_TEXT:]) if callee.type == "attribute" else None
            if tail is None:
                return None
            text = (b"super()." if text.startswith(b"super()") else b"?.") + tail[1]
        name = _decoded(text)
        scope = self._scope_at(start)
        tail = name.rpartition(".")[2]
        kept = (
            scope == TOP
            or tail in _OPERATOR_TAILS
            or tail in _KEPT_TAILS
            or _NAMES_SOMETHING.match(self.data, end) is not None
        )
        return Call(name, start, callee.start_point.row + 1, scope, self._arguments(callee) if kept else ())

    def _arguments(self, callee: Node) -> tuple[tuple[str, str], ...]:
        arguments = callee.next_named_sibling
        if arguments is None or arguments.type != "argument_list":
            return ()
        found: list[tuple[str, str]] = []
        for node in arguments.named_children[:MAX_ARGUMENTS]:
            key, value = "", node
            if node.type == "keyword_argument":
                name, inner = node.child_by_field_name("name"), node.child_by_field_name("value")
                if name is None or inner is None:
                    continue
                key, value = _decoded(self.data[name.start_byte : name.end_byte]), inner
            if value.type != "comment":
                found.append((key, _decoded(self.data[value.start_byte : value.end_byte][:MAX_TEXT])))
        given = callee.parent.next_named_sibling if callee.parent is not None else None
        if given is not None and given.type == "argument_list" and len(given.named_children) == 1:
            function = given.named_children[0]
            found.append((APPLIED, _decoded(self.data[function.start_byte : function.end_byte][:MAX_TEXT])))
        return tuple(found)

    def _launch(self, callee: Node) -> Launch | None:
        """`kernel[grid](...)`; whether `kernel` is one is decided when names are resolved."""
        value = callee.child_by_field_name("value")
        if value is None or value.end_byte - value.start_byte > MAX_TEXT:
            return None
        kernel = self.data[value.start_byte : value.end_byte]
        if not _DOTTED.match(kernel):
            if wrapped := _WRAPPED_KERNEL.search(kernel):
                kernel = wrapped[1]
            elif tail := _TAIL.search(kernel):
                kernel = b"?." + tail[1]
            else:
                return None
        grid = self.data[value.end_byte : callee.end_byte].strip()[1:-1]
        text = _decoded(b" ".join(grid.split())[:MAX_TEXT])
        start = callee.start_byte
        return Launch(_decoded(kernel), text, start, callee.start_point.row + 1, self._scope_at(start))

    def _decorated(self) -> list[Registration]:
        """`@torch.library.custom_op("ns::op", ...)` and its kin above a function; `@op.register_kernel("cuda")`."""
        found: list[Registration] = []
        made: dict[str, tuple[str, str]] = {}
        """Functions that became operators: library and name."""
        for definition in self.defs:
            for match in _DECORATOR.finditer(definition.detail) if definition.detail.startswith("@") else ():
                receiver, _, tail = match[1].rpartition(".")
                mechanism = _OPERATOR_TAILS.get(tail)
                if mechanism is None:
                    continue
                arguments = match[2] or ""
                strings = [text for _, text in _QUOTED.findall(arguments)]
                library, name, key = "", "", ""
                if receiver in made:
                    library, name = made[receiver]
                    key = strings[0] if strings else ""
                elif in_variable := _IN_VARIABLE.match(arguments):
                    library, name = f"={in_variable[1]}", in_variable[2]
                elif (given := _FIRST_NAME.match(arguments + ",")) and "::" in (named := self._text_of(given[1])):
                    library, _, name = named.partition("(")[0].rpartition("::")
                    key = strings[0] if strings and mechanism == "impl" else ""
                elif strings and not _COMPUTED.match(arguments):
                    library, _, name = strings[0].partition("(")[0].rpartition("::")
                    key = strings[1] if len(strings) > 1 and mechanism == "impl" else ""
                    if not library and (given or "lib" in receiver.lower()):
                        library = f"={given[1] if given else receiver}"
                if not name or library in ("", "=") or not _OPERATOR_NAME.match(name):
                    continue
                if mechanism == "custom_op":
                    made[definition.name] = (library, name)
                found.append(
                    Registration(
                        mechanism, library, name, definition.name, definition.start,
                        definition.line, key, definition.scope,
                    )
                )  # fmt: skip
        return found

    def _text_of(self, variable: str) -> str:
        """The string that a variable of the file's top level is given."""
        for definition in self.defs:
            if definition.name == variable and definition.kind is DefKind.VARIABLE and definition.scope == TOP:
                return literal(definition.detail.removeprefix("=")) or ""
        return ""


_DECORATOR = re.compile(r"(?m)^@\s*([\w.]+)(?:\(((?:[^()]|\([^()]*\))*)\))?")
_QUOTED = re.compile(r"""(?<![\w=])[rbu]{0,2}(["'])([^"'\n]+)\1""")
_IN_VARIABLE = re.compile(r"""\s*f["']\{(\w+)\}::([\w.]+)["']""")
"""An operator whose library a variable names: `f"{LIBRARY}::scale"`."""
_COMPUTED = re.compile(r"""\s*(?:[A-Za-z_]\w*\s*,\s*)?[rR]?[fF][rR]?["']""")
"""The name is, which stands first or behind the library."""
_FIRST_NAME = re.compile(r"\s*([A-Za-z_]\w*)\s*,")
_OPERATOR_NAME = re.compile(r"[\w.]+\Z")


def _registered(call: Call) -> Registration | None:
    """`lib.define("f(Tensor x) -> Tensor")`, `lib.impl("f", fn, "CUDA")`, `custom_op("ns::f")(fn)`."""
    mechanism = _OPERATOR_TAILS.get(call.name.rpartition(".")[2])
    positional = [text for key, text in call.args if not key]
    if mechanism is None or not positional:
        return None
    spelled = literal(positional[0])
    if in_variable := _IN_VARIABLE.match(positional[0]):
        library, name, spelled = f"={in_variable[1]}", in_variable[2], ""
    elif spelled is None:
        return None
    else:
        library, _, name = spelled.partition("(")[0].strip().rpartition("::")
    texts = [text for text in (literal(part) for part in positional[1:]) if text]
    schema = spelled if "(" in spelled else next((text for text in texts if text.startswith("(")), "")
    if not re.fullmatch(r"[\w.]+", name) or (mechanism == "define" and not schema):
        return None
    receiver = call.name.rpartition(".")[0]
    applied = [text for key, text in call.args if key == APPLIED]
    target = next((part for part in (*applied, *positional[1:]) if literal(part) is None), "")
    if mechanism != "define" and not target:  # it stands above the function that it registers
        return None
    key = next(iter(texts), "") if mechanism == "impl" else ""
    mechanism = "fake" if key == "Meta" else mechanism
    place = library or f"={receiver}"
    return Registration(mechanism, place, name, target, call.start, call.line, key, call.scope, schema[:MAX_TEXT])


def literal(text: str) -> str | None:
    """The content of a plain string literal; None for anything else, f-strings included."""
    match = _STRING.match(text.strip())
    return match[2] if match else None


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")
