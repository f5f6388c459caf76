"""Tier 2 of the index for C++ and CUDA: functions, kernels, calls, launches and library registrations of one file.

Reads tokens and matches brackets instead of parsing, so that unknown macros spoil nothing; resolves no name, expands
only macros of the same file that define or register functions, and takes both branches of every `#if`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kernelscope.workspace.cuda_declared import DeclaredTypes, members
from kernelscope.workspace.cuda_expansion import MacroTexts, placed
from kernelscope.workspace.cuda_findings import MAX_ARGUMENT_BYTES, MAX_FACTS, Findings
from kernelscope.workspace.cuda_headers import (
    function_name,
    is_whole,
    namespace_name,
    opens_namespace,
    type_name,
    used_names,
)
from kernelscope.workspace.cuda_held import (
    template_functions,
    without_casts,
)
from kernelscope.workspace.cuda_macros import launching_statements, macros_of
from kernelscope.workspace.cuda_mentions import add_mentions
from kernelscope.workspace.cuda_modules import ModuleCalls
from kernelscope.workspace.cuda_registrations import (
    UNNAMED_MODULE,
    VERBS,
    Library,
    by_macro,
    is_function,
    library_of,
    library_parameter,
    offered,
)
from kernelscope.workspace.cuda_registries import registries
from kernelscope.workspace.cuda_templates import given_arguments
from kernelscope.workspace.cuda_text import (
    KEYWORDS,
    MACRO_NAME,
    TOKEN,
    callee_before,
    closing,
    decoded,
    literal,
    qualifier_before,
    with_macro_bodies,
    without_strings,
    without_template,
)
from kernelscope.workspace.facts import (
    DISPATCHED,
    GLOBAL,
    INCLUDED,
    OPERATOR,
    RECEIVER,
    TOP,
    VARIABLE,
    Alternative,
    Call,
    DefKind,
    FileFacts,
    Namespace,
)

MAX_TOKENS = 2_000_000
MAX_QUALIFIER_BYTES = 600
MAX_HEADER_BYTES = 20_000

_MARK = re.compile(rb"\x01[ioe]")
_TEMPORARY = re.compile(rb"\s*\)\s*\(")
"""`Functor<T>()(x)`: behind the bracket that opens, an object is made and called."""
_USING = re.compile(rb"\b(?:using|namespace)\s+\w+\s*\Z")
_OF_ALL = re.compile(rb"(?<![\w>):])\s*::\s*\Z")
"""What stands before `f` in `::f(x)`."""
_MEMBER_TEMPLATE = re.compile(rb"(?:\.|->)\s*template\s+\Z")
_LONE_MACRO = re.compile(rb"[{};]\s*([A-Z][A-Z0-9]*_[A-Z0-9_]+)[ \t]*(?=[;}\r\n])")
_INCLUDED = re.compile(rb'(?m)^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"')
_ASSIGNED = re.compile(rb"(\w+)\s*=\s*\Z")
_FIRST_ARGUMENT = re.compile(rb"\s*(\w+)\s*[,)]")
_FIRST_NAME = re.compile(rb"\s*(\w+)")
_ONLY_NAMED = re.compile(rb"\s*(?:(?:static|inline|extern)\s+)*\w+\s*\(\s*[A-Za-z_]\w*\s*\)\s*\Z")
"""`ENTRY(name) {` with nothing that it returns: a macro, perhaps of a header, heads the function that it is given."""
_POINTED_TO = re.compile(rb"\s*(?:std::)?(?>(?:\w++::)*)\w++")
"""The class of which `make_unique<Norm<64>>(n)` makes an object."""
_NO_MEMORY = re.compile(rb"\s*(?:nullptr|NULL)\s*,")
"""A first argument that is kept: `f(nullptr, bytes, ...)` asks how much memory `f` takes."""
_LAUNCHERS: dict[bytes, int] = {
    b"cudaLaunchKernelEx": 1,
    b"cudaLaunchKernelExC": 1,
    b"cudaLaunchKernel": 0,
    b"cudaLaunchCooperativeKernel": 0,
    b"hipLaunchKernelGGL": 0,
    b"hipLaunchKernel": 0,
    b"hipLaunchCooperativeKernel": 0,
    b"hipExtLaunchKernelGGL": 0,
    b"hipModuleLaunchKernel": 0,
    b"cuLaunchKernel": 0,
}
"""Which argument of a launch function is the kernel (CUDA runtime and driver API, HIP)."""


@dataclass(slots=True)
class _Block:
    """An open brace: the definition it belongs to, and whether definitions may stand in it."""

    scope: int
    declarative: bool
    library: Library | None = None
    ends: int = TOP
    """The definition that the closing brace ends."""
    namespace: bytes | None = None
    start: int = 0
    resumes: int = -1
    """Where the header begins that goes on behind the closing brace: `void f(Options options = {}, int n)`."""
    chained: Library | None = None
    """What the chain of calls that a statement is registers in: `py::class_<Model>(m, "Model").def(…).def(…)`."""


def cuda_facts(data: bytes) -> FileFacts:
    """The facts of one C++ or CUDA file."""
    return _Scanner(data).run(_Block(TOP, True))


class _Scanner:
    def __init__(self, data: bytes) -> None:
        self.found = Findings(data)
        self.modules = ModuleCalls(self.found)
        self.namespaces: list[Namespace] = []
        self.alternatives: list[Alternative] = []
        self.kernel_macros: set[bytes] = set()
        self.function_macros: set[bytes] = set()
        self.macro_texts = MacroTexts((), data)
        self.called_parameters: dict[bytes, tuple[int, ...]] = {}
        self.functions: set[bytes] = set()
        """The names of the functions that were read so far."""
        self.passed: list[tuple[int, int]] = []
        """Branches of `#if` with further heads of a function whose head is read already."""
        self.declared = DeclaredTypes(self.found.text)
        self._macros()

    def run(self, outermost: _Block) -> FileFacts:
        text = self.found.text
        blocks: list[_Block] = [outermost]
        saved: list[list[_Block]] = []
        header_start = 0
        tokens = 0
        position = 0
        while (match := TOKEN.search(text, position)) and tokens < MAX_TOKENS and len(self.found.calls) < MAX_FACTS:
            tokens += 1
            position = match.end()
            token = match[0]
            block = blocks[-1]
            if token == b"{":
                blocks.append(self._open(block, header_start, match.start()))
                header_start = position
            elif token == b"}":
                closed = blocks.pop() if len(blocks) > 1 else block
                if closed is not blocks[-1]:
                    self._close(closed, position)
                header_start = closed.resumes if closed.resumes >= 0 else position
            elif token == b";":
                header_start = position
                block.chained = None
                block.library = None if block.library is UNNAMED_MODULE else block.library
            elif token[0] == 1:
                if token == b"\x01o" and (end := self._other_head(header_start, match.start())):
                    position = end
                    continue
                if token == b"\x01i":
                    saved.append(blocks[:])
                elif saved:
                    before = saved[-1] if token == b"\x01o" else saved.pop()
                    if token == b"\x01o":
                        while len(blocks) > len(before):
                            self._close(blocks.pop(), match.start())
                        blocks = before[:]  # the first branch may have closed what the second is in
                if blocks[-1].declarative and is_whole(text[header_start : match.start()]):
                    header_start = position
            elif token == b"<<<":
                self.found.launch(match.start(), block.scope)
            elif match["call"] is not None:
                if not block.declarative or block.library:
                    self._call(match, block)
                elif self.modules.at_top(match):
                    pass
                elif not text[header_start : match.start()].strip() and (end := self._statement(match, block)):
                    header_start = position = end
                    continue
                position = match.end()
            elif match["ref"] is not None:
                call = TOKEN.match(text, match.start("ref"))
                if call is not None and call["call"] is not None:  # `x = f<T>(y)` names no function, it calls one
                    position = match.start("ref")
                elif not block.declarative or self._is_alias(match.start()):
                    self._reference(match, block.scope)
        while len(blocks) > 1:
            self._close(blocks.pop(), len(text))
        self._whole_statements()
        add_mentions(self.found)
        self.alternatives += registries(self.found)
        return FileFacts(
            tuple(self.found.defs),
            (),
            tuple(self.found.calls),
            tuple(self.found.launches),
            tuple(self.found.references),
            tuple(self.modules.registrations),
            tuple(sorted(self.namespaces, key=lambda namespace: namespace.start)),
            used_names(self.found.text),
            tuple(self.alternatives),
            tuple(members(self.declared, self.found.defs)),
        )

    # -- blocks and definitions -----------------------------------------------------------------------------

    def _other_head(self, start: int, branch: int) -> int:
        """Where branches end that only begin a function in another way: it has one head, the first. Else nothing."""
        begun = self.found.text[start:branch]
        if begun.count(b"(") <= begun.count(b")"):
            return 0
        depth = 0
        for mark in _MARK.finditer(self.found.text, branch + 2, branch + MAX_HEADER_BYTES):
            depth += 1 if mark[0] == b"\x01i" else -1 if mark[0] == b"\x01e" else 0
            if depth < 0:
                other = self.found.text[branch : mark.start()]
                if b"{" in other or other.count(b"(") <= other.count(b")"):
                    return 0
                self.passed.append((branch, mark.start()))
                return mark.start()
        return 0

    def _header(self, start: int, brace: int) -> bytes:
        """What stands before a brace, without the branches that are passed over."""
        header = self.found.text[start:brace]
        while self.passed and self.passed[-1][1] <= start:
            self.passed.pop()
        for begin, end in self.passed:
            if begin >= start:
                header = header[: begin - start] + b" " * (end - begin) + header[end - start :]
        return header

    def _open(self, block: _Block, start: int, brace: int) -> _Block:
        if brace in self.modules.lambda_of:
            opening, name = self.modules.lambda_of.pop(brace)
            index = self.found.define(name.encode(), DefKind.LAMBDA, opening, brace, opening, block.scope)
            return _Block(index, False, ends=index, resumes=start if block.declarative else -1)
        if not block.declarative:
            return _Block(block.scope, False, block.library)
        start = max(start, brace - MAX_HEADER_BYTES)
        header = self._header(start, brace)
        if header.count(b"(") > header.count(b")"):
            return _Block(block.scope, False, resumes=start)
        stripped = header.strip()
        if library := library_of(stripped):
            return _Block(block.scope, True, library)
        if opens_namespace(stripped):
            return _Block(block.scope, not stripped.endswith(b"="), namespace=namespace_name(stripped), start=brace)
        if stripped.endswith((b"=", b",")):
            return _Block(block.scope, False)
        bare = without_template(header)
        name = function_name(bare)
        if name is not None:
            name_text, offset = name
            return self._open_function(name_text, start + offset, start, header, block)
        if found := type_name(bare):
            index = self.found.define(found[0], DefKind.STRUCT, start, brace, start + found[1], block.scope)
            return _Block(index, True, ends=index)
        return _Block(block.scope, block.declarative and b"(" not in stripped)

    def _open_function(self, name: bytes, name_start: int, start: int, header: bytes, block: _Block) -> _Block:
        is_kernel = (b"__global__" in header and b"__aicore__" not in header) or b"CUTLASS_GLOBAL" in header
        kind = DefKind.CUDA_KERNEL if is_kernel else DefKind.CUDA_FUNCTION
        is_macro = name in self.kernel_macros or name in self.function_macros
        is_constructor = block.scope != TOP and self.found.defs[block.scope].kind is DefKind.STRUCT
        if is_macro or (not is_constructor and MACRO_NAME.match(name) and _ONLY_NAMED.match(header)):
            argument = _FIRST_NAME.match(self.found.text, self.found.text.find(b"(", name_start) + 1)
            if argument:
                kind = DefKind.CUDA_KERNEL if name in self.kernel_macros else kind
                name, name_start = argument[1], argument.start(1)
        index = self.found.define(name, kind, start, start + len(header), name_start, block.scope)
        if not is_macro:
            self.found.takes(index, header)
        self.functions.add(name)
        return _Block(index, False, library_parameter(header), index)

    def _close(self, block: _Block, end: int) -> None:
        if block.ends != TOP:
            self.found.end(block.ends, end)
        if block.namespace is not None:
            self.namespaces.append(Namespace(decoded(block.namespace), block.start, end))

    def _macros(self) -> None:
        """Macros are functions to the graph: their bodies call and launch. Some define kernels."""
        if b"#" not in self.found.data:
            return
        text, written = self.found.text, without_strings(self.found.data)
        self.found.text = self.found.with_macros = with_macro_bodies(written)
        self.declared = DeclaredTypes(self.found.with_macros)
        self.found.macros = list(macros_of(written))
        self.macro_texts = MacroTexts(self.found.macros, self.found.data)
        for macro in self.found.macros:
            scope = self.found.define(macro.name, DefKind.MACRO, macro.start, macro.end, macro.name_start, TOP)
            if called := macro.called_parameters():
                self.called_parameters[macro.name] = called
            self._macro_body(macro.rest_start, macro.end, scope, macro.parameters)
            if macro.is_kernel_head:
                self.kernel_macros.add(macro.name)
            elif macro.is_function_head:
                self.function_macros.add(macro.name)
        for match in launching_statements(written):
            scope = self.found.define(match[1], DefKind.MACRO, match.start(), match.end(), match.start(1), TOP)
            self._macro_body(match.start(2), match.end(), scope, ())
        self.found.text = text

    def _macro_body(self, start: int, end: int, scope: int, parameters: tuple[bytes, ...]) -> None:
        block = _Block(scope, False)
        for token in TOKEN.finditer(self.found.text, start, end):
            if token[0] == b"<<<":
                before = self.found.text[start : token.start()]
                callee = callee_before(before) or b""
                is_pasted = re.search(rb"##\s*%b\s*\Z" % re.escape(callee), before) is not None
                if callee not in parameters and not is_pasted:
                    self.found.launch(token.start(), scope)
            elif token["call"] is not None:
                self._call(token, block)
            elif token["ref"] is not None:
                self._reference(token, scope)

    # -- what bodies do -----------------------------------------------------------------------------------

    def _call(self, match: re.Match[bytes], block: _Block) -> None:
        raw, start = match["call"], match.start("call")
        tail = raw.rpartition(b"::")[2].strip()
        if tail in KEYWORDS:
            return
        if raw.partition(b"::")[0].strip() in KEYWORDS:  # `return ::f(x)`
            raw = raw.partition(b"::")[2].lstrip()
            start = match.end("call") - len(raw)
        if tail in _LAUNCHERS:
            arguments = self.found.arguments(match.end() - 1)
            place = _LAUNCHERS[tail]
            if len(arguments) > place:
                self.found.add_launch(arguments[place], arguments[0] if place else b"", start, block.scope)
            return
        before = self.found.text[start - 1 : start]
        if block.library:
            if self._replaced(match, block):
                return
            library = self.modules.registering(block.library, block.chained, start)
            if tail in VERBS and before == b".":
                if library:
                    self.modules.register(tail, library, match.end() - 1, start, block.scope)
                    block.chained = library
                return
            if block.library.is_torch and MACRO_NAME.match(tail) and before != b".":
                arguments = self.found.arguments(match.end() - 1)
                if len(arguments) > 1 and literal(arguments[0]) and is_function(arguments[-1]):
                    self.modules.register(b"impl", block.library, match.end() - 1, start, block.scope)
                    return
            block.chained = self.modules.made(match, library, block.library) or block.chained
        member = before == b"." or self.found.text[start - 2 : start] == b"->"
        member = member or _MEMBER_TEMPLATE.search(self.found.text, max(0, start - 20), start) is not None
        if raw in self.found.lambdas and not member:  # its body counts as the function's around it
            if not self.found.launched.isdisjoint(self.found.lambdas[raw]):
                for parameter, argument in zip(
                    self.found.lambdas[raw], self.found.arguments(match.end() - 1), strict=False
                ):
                    if parameter in self.found.launched:
                        self.found.refer(parameter, without_casts(argument).partition(b"<")[0], start, block.scope)
            return
        given = self.found.text[match.end("call") : match.end() - 1].strip()[1:-1]
        if given:
            for function in template_functions(given, self.found.variables):
                self.found.refer(b"", function, start, block.scope)
        if block.scope != TOP and MACRO_NAME.match(raw):  # handed itself, a function calls what is offered for it
            first = _FIRST_ARGUMENT.match(self.found.text, match.end())
            if first and first[1] in self.functions:
                self.found.refer(b"", first[1], start, block.scope)
        if raw in self.called_parameters:
            arguments = self.found.arguments(match.end() - 1)
            for argument in (arguments[i] for i in self.called_parameters[raw] if i < len(arguments)):
                self.found.refer(b"", argument, start, block.scope)
        is_given = self.found.text[max(0, start - 4) : start].rstrip().endswith(b"=")
        assigned = _ASSIGNED.search(self.found.text, max(0, start - 80), start) if is_given else None
        if assigned and assigned[1] in self.found.launched:
            self.found.refer(assigned[1], raw, start, block.scope)
        of_all = not member and _OF_ALL.search(self.found.text, max(0, start - 20), start) is not None
        if before == b":" and (
            qualifier := qualifier_before(self.found.text[max(0, start - MAX_QUALIFIER_BYTES) : start])
        ):
            raw = qualifier + raw
        name = decoded(re.sub(rb"\s+", b"", raw))
        kept: list[tuple[str, str]] = []
        made = self._made(raw, given, start) if not member and not block.library else b""
        if member and tail == DISPATCHED.encode():
            asked = map(literal, self.found.arguments(match.end() - 1)[:1])
            kept += [("", operator) for operator in asked if operator]
        elif member and (kind := self.declared.of_receiver(start)):
            kept.append((RECEIVER, decoded(kind)))
        elif member and (chain := self.declared.members_before(start))[0]:
            kept += [(VARIABLE, decoded(chain[0])), *([(RECEIVER, decoded(chain[1]))] if chain[1] else [])]
        elif made:
            name, given = decoded(re.sub(rb"\s+", b"", made)), b"..."
        elif _NO_MEMORY.match(self.found.text, match.end()):
            kept.append(("", "nullptr"))
        elif of_all:
            kept.append((RECEIVER, GLOBAL))
        elif not member and b":" not in raw and (kind := self.declared.of_called(raw, start)):
            kept.append((RECEIVER, decoded(kind)))
        elif block.library and (handed := self.modules.handed(block.library, self.found.arguments(match.end() - 1))):
            kept += handed.handed_on
        if not member and _TEMPORARY.match(self.found.text, match.end()):
            called = Call(OPERATOR, start, self.found.line_at(start), block.scope, ((RECEIVER, name),))
            self.found.calls.append(called)
        called = f"?.{name}" if member else name
        self.found.calls.append(
            Call(called, start, self.found.line_at(start), block.scope, tuple(kept), given_arguments(given))
        )

    def _made(self, raw: bytes, given: bytes, start: int) -> bytes:
        """The class whose constructor runs where another name is called: `Norm n(x)`, `make_unique<Norm>(x)`."""
        if raw.rpartition(b"::")[2] in (b"make_unique", b"make_shared"):
            pointed_to = _POINTED_TO.match(given)
            return pointed_to[0] if pointed_to else b""
        return self.declared.made_at(start) if b":" not in raw else b""

    def _whole_statements(self) -> None:
        """A macro or header that is a whole statement of a function does there what its text does."""
        lone: list[Call] = []
        for match in _LONE_MACRO.finditer(self.found.text):
            start = match.start(1)
            if (scope := self.found.owner_at(start)) != TOP:
                lone.append(Call(decoded(match[1]), start, self.found.line_at(start), scope))
        for match in _INCLUDED.finditer(self.found.data):
            start = match.start(1)
            if (scope := self.found.owner_at(start)) != TOP:
                given = (("", decoded(match[1])),)
                lone.append(Call(INCLUDED, start, self.found.line_at(start), scope, given))
        if lone:
            self.found.calls = sorted([*self.found.calls, *lone], key=lambda call: call.start)

    def _statement(self, match: re.Match[bytes], block: _Block) -> int:
        """A call at the top of a file: a macro that defines functions or offers one under a name, or a class of an
        unnamed module. Gives the place behind a macro that was replaced by its text, else 0."""
        if end := self._replaced(match, block):
            return end
        if match["call"].endswith(b"class_"):
            block.library = UNNAMED_MODULE
            self._call(match, block)
        elif MACRO_NAME.match(match["call"]):
            close = closing(self.found.text, match.end() - 1, MAX_ARGUMENT_BYTES)
            if close is not None and self.found.text[close + 1 : close + 50].lstrip()[:1] != b"{":
                start = match.start("call")
                arguments, line = self.found.arguments(match.end() - 1), self.found.line_at(start)
                self.alternatives += offered(arguments, start, line)
                self.modules.registrations += by_macro(match["call"], arguments, start, line)
        return 0

    def _replaced(self, match: re.Match[bytes], block: _Block) -> int:
        """The place behind the call of a macro whose text defines or registers functions, once what these are is added;
        else 0."""
        if not self.macro_texts.declares(match["call"]):
            return 0
        close = closing(self.found.text, match.end() - 1, MAX_ARGUMENT_BYTES)
        if close is None:
            return 0
        start = match.start("call")
        facts = _Scanner(self.macro_texts.of_call(start, close + 1)).run(_Block(TOP, True, block.library))
        if not facts.registrations and (block.library or not facts.defs):
            return 0
        line = self.found.line_at(start)
        facts = placed(facts, start, close + 1, line, block.scope, len(self.found.defs))
        self.functions.update(d.name.encode() for d in facts.defs)
        self.found.add(facts)
        self.modules.registrations += facts.registrations
        self.namespaces += facts.namespaces
        self.alternatives += facts.alternatives
        return close + 1

    def _is_alias(self, equals: int) -> bool:
        """Whether a type or namespace gets another name here: `using Small = Norm<64>`."""
        return _USING.search(self.found.text, max(0, equals - 80), equals) is not None

    def _reference(self, match: re.Match[bytes], scope: int) -> None:
        """`auto kernel = &norm_kernel<T>;`: what a later launch of `kernel` means."""
        start = match.start()
        left = re.search(rb"(\w+)\s*$", self.found.text[max(0, start - 80) : start])
        if left:
            self.found.refer(left[1], match["ref"], start, scope)
