"""Tier 2 of the index for C++ and CUDA: functions, kernels, calls, launches and library registrations of one file.

Reads tokens and matches brackets instead of parsing, so that unknown macros spoil nothing; resolves no name, expands
only macros of the same file that define kernels, and takes both branches of every `#if`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from kernelscope.workspace.cuda_declared import DeclaredTypes
from kernelscope.workspace.cuda_headers import (
    function_name,
    is_whole,
    namespace_name,
    opens_namespace,
    type_name,
    used_names,
)
from kernelscope.workspace.cuda_held import (
    chosen,
    kernels_in_strings,
    lambda_parameters,
    launched_names,
    parameter_names,
    template_functions,
    variables,
    without_casts,
)
from kernelscope.workspace.cuda_macros import Macro, macros_of
from kernelscope.workspace.cuda_registrations import (
    EXPORTS,
    OLD_LIBRARY,
    UNNAMED_MODULE,
    VERBS,
    Library,
    chain,
    exported,
    is_class_variable,
    lambda_name,
    library_of,
    library_parameter,
    made_as,
    offered,
    registered,
)
from kernelscope.workspace.cuda_tables import arrays, elements_taken, entries, launched_tables
from kernelscope.workspace.cuda_text import (
    KEYWORDS,
    blank_noise,
    callee_before,
    closing,
    comma_bounds,
    decoded,
    is_plain_name,
    qualifier_before,
    split_at_commas,
    without_strings,
    without_template,
)
from kernelscope.workspace.facts import (
    MAX_TEXT,
    RECEIVER,
    TOP,
    Alternative,
    Call,
    Def,
    DefKind,
    FileFacts,
    Launch,
    Namespace,
    Reference,
    Registration,
)

MAX_TOKENS = 2_000_000
MAX_FACTS = 100_000
MAX_LAUNCHES = 5_000
MAX_CALLEE_BYTES = 2_000
MAX_QUALIFIER_BYTES = 600
MAX_ARGUMENTS = 12
MAX_HEADER_BYTES = 20_000
MAX_ARGUMENT_BYTES = 20_000

_TYPES = rb"(?:[^;{}()<>=]|\([^;{}()<>=]{0,99}\)){0,600}+"
_TOKEN = re.compile(
    rb"[{};]"
    rb"|\x01[ioe]"
    rb"|<<<"
    rb"|(?P<call>(?:[A-Za-z_]\w*\s*::\s*)*+[A-Za-z_]\w*)\s*"
    rb"(?:<" + _TYPES + rb"(?:<" + _TYPES + rb">" + _TYPES + rb"){0,3}>)?\s*\("
    rb"|=\s*(?:\(\s*(?:const\s+)?void\s*\*\s*\)\s*)?&?\s*(?P<ref>(?:[A-Za-z_]\w*::)*+[A-Za-z_]\w*)\s*(?=[<;])(?!<<)"
)
_PASSED = re.compile(rb"(?:[(,?]|(?<!:):|\breturn\b)\s*&?\s*((?:\w+::)*+[A-Za-z_]\w*+)\s*(?=[,)<;:])(?!<<<|::)")
_USING = re.compile(rb"\b(?:using|namespace)\s+\w+\s*\Z")
_MEMBER_TEMPLATE = re.compile(rb"(?:\.|->)\s*template\s+\Z")
_ASSIGNED = re.compile(rb"(\w+)\s*=\s*\Z")
_OWNER = re.compile(rb"(\w+)\s*\.\s*\Z")
_NEXT_IN_CHAIN = re.compile(rb"\)\s*\.\s*\Z")
_FIRST_ARGUMENT = re.compile(rb"\s*(\w+)\s*[,)]")
_NO_MEMORY = re.compile(rb"\s*(?:nullptr|NULL)\s*,")
"""A first argument that is kept: `f(nullptr, bytes, ...)` asks how much memory `f` takes."""
_MACRO_NAME = re.compile(rb"[A-Z][A-Z0-9]*_[A-Z0-9_]+\Z")
_BODIES = (DefKind.CUDA_FUNCTION, DefKind.MACRO, DefKind.LAMBDA)
_LAUNCHERS: dict[bytes, int] = {
    b"cudaLaunchKernelEx": 1,
    b"cudaLaunchKernelExC": 1,
    b"cudaLaunchKernel": 0,
    b"cudaLaunchCooperativeKernel": 0,
    b"hipLaunchKernelGGL": 0,
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
    return _Scanner(data).run()


class _Scanner:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.text = blank_noise(data)
        self.defs: list[Def] = []
        self.calls: list[Call] = []
        self.launches: list[Launch] = []
        self.references: list[Reference] = []
        self.registrations: list[Registration] = []
        self.namespaces: list[Namespace] = []
        self.line, self.counted = 1, 0
        self.kernel_macros: set[bytes] = set()
        self.function_macros: set[bytes] = set()
        self.lambdas = lambda_parameters(self.text)
        self.launched = launched_names(self.text)
        self.variables = variables(self.text)
        self.declared = DeclaredTypes(self.text)
        self.bodies: list[tuple[int, int, int]] = []
        self.alternatives: list[Alternative] = []
        self.modules: dict[bytes, Library] = {}
        """By the variables that stand for them: submodules and classes of Python."""
        self.lambda_of: dict[int, tuple[int, str]] = {}
        """By their braces: lambdas that implement operators, with where they begin and what they are called."""
        self.called_parameters: dict[bytes, tuple[int, ...]] = {}
        self.with_macros = self.text
        self.macros: list[Macro] = []
        self._macros()

    def run(self) -> FileFacts:
        text = self.text
        blocks: list[_Block] = [_Block(TOP, True)]
        saved: list[list[_Block]] = []
        header_start = 0
        tokens = 0
        position = 0
        while (match := _TOKEN.search(text, position)) and tokens < MAX_TOKENS and len(self.calls) < MAX_FACTS:
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
                self._launch(match.start(), block.scope)
            elif match["call"] is not None:
                if not block.declarative or block.library:
                    self._call(match, block)
                elif match["call"] in EXPORTS:
                    start = match.start("call")
                    arguments = self._arguments(match.end() - 1)
                    self.registrations += exported(arguments, start, self._line_at(start))
                elif match["call"].endswith(b"RegisterOperators"):
                    self._chain(match.end())
                elif not text[header_start : match.start()].strip():
                    self._statement(match, block)
                position = match.end()
            elif match["ref"] is not None:
                call = _TOKEN.match(text, match.start("ref"))
                if call is not None and call["call"] is not None:  # `x = f<T>(y)` names no function, it calls one
                    position = match.start("ref")
                elif not block.declarative or self._is_alias(match.start()):
                    self._reference(match, block.scope)
        while len(blocks) > 1:
            self._close(blocks.pop(), len(text))
        held = list(chosen(self.with_macros, self.launched))
        for variable, name, place in held:
            self._refer(variable, name, place, self._owner_at(place))
        self._passed(frozenset(place for _, _, place in held))
        self._handed_functions()
        for name, place in kernels_in_strings(self.data):
            if (scope := self._owner_at(place)) != TOP:
                self._refer(b"", name, place, scope)
        self._tables()
        return FileFacts(
            tuple(self.defs),
            (),
            tuple(self.calls),
            tuple(self.launches),
            tuple(self.references),
            tuple(self.registrations),
            tuple(sorted(self.namespaces, key=lambda namespace: namespace.start)),
            used_names(self.text),
            tuple(self.alternatives),
        )

    # -- blocks and definitions -----------------------------------------------------------------------------

    def _open(self, block: _Block, start: int, brace: int) -> _Block:
        if brace in self.lambda_of:
            opening, name = self.lambda_of.pop(brace)
            index = self._define(name.encode(), DefKind.LAMBDA, opening, brace, opening, block.scope)
            return _Block(index, False, ends=index, resumes=start if block.declarative else -1)
        if not block.declarative:
            return _Block(block.scope, False, block.library)
        start = max(start, brace - MAX_HEADER_BYTES)
        header = self.text[start:brace]
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
            index = self._define(found[0], DefKind.STRUCT, start, brace, start + found[1], block.scope)
            return _Block(index, True, ends=index)
        return _Block(block.scope, block.declarative and b"(" not in stripped)

    def _open_function(self, name: bytes, name_start: int, start: int, header: bytes, block: _Block) -> _Block:
        is_kernel = b"__global__" in header or b"CUTLASS_GLOBAL" in header
        kind = DefKind.CUDA_KERNEL if is_kernel else DefKind.CUDA_FUNCTION
        if name in self.kernel_macros or name in self.function_macros:
            opening = self.text.find(b"(", name_start)
            argument = re.compile(rb"\s*(\w+)").match(self.text, opening + 1)
            if argument:
                kind = DefKind.CUDA_KERNEL if name in self.kernel_macros else kind
                name, name_start = argument[1], argument.start(1)
        index = self._define(name, kind, start, start + len(header), name_start, block.scope)
        return _Block(index, False, library_parameter(header), index)

    def _define(self, name: bytes, kind: DefKind, start: int, end: int, name_start: int, scope: int) -> int:
        begin = start + len(self.text[start:end]) - len(self.text[start:end].lstrip())
        line = self._line_at(name_start)
        detail = decoded(b" ".join(self.data[begin:end].split())[:MAX_TEXT])
        self.defs.append(Def(decoded(name), kind, begin, end, name_start, line, scope, detail))
        return len(self.defs) - 1

    def _close(self, block: _Block, end: int) -> None:
        if block.ends != TOP:
            old = self.defs[block.ends]
            self.defs[block.ends] = Def(
                old.name, old.kind, old.start, end, old.name_start, old.line, old.scope, old.detail
            )
        if block.namespace is not None:
            self.namespaces.append(Namespace(decoded(block.namespace), block.start, end))

    def _macros(self) -> None:
        """Macros with parameters are functions to the graph: their bodies call and launch. Some define kernels."""
        if b"#" not in self.data:
            return
        text, written = self.text, without_strings(self.data)
        self.text = self.with_macros = written.replace(b"\\\n", b" \n").replace(b"\\\r\n", b" \r\n")
        self.declared = DeclaredTypes(self.with_macros)
        self.macros = list(macros_of(written))
        for macro in self.macros:
            scope = self._define(macro.name, DefKind.MACRO, macro.start, macro.end, macro.name_start, TOP)
            if called := macro.called_parameters():
                self.called_parameters[macro.name] = called
            block = _Block(scope, False)
            for token in _TOKEN.finditer(self.text, macro.rest_start, macro.end):
                if token[0] == b"<<<":
                    if callee_before(self.text[macro.rest_start : token.start()]) not in macro.parameters:
                        self._launch(token.start(), scope)
                elif token["call"] is not None:
                    self._call(token, block)
                elif token["ref"] is not None:
                    self._reference(token, scope)
            if macro.is_kernel_head:
                self.kernel_macros.add(macro.name)
            elif macro.is_function_head:
                self.function_macros.add(macro.name)
        self.text = text

    # -- what bodies do -----------------------------------------------------------------------------------

    def _call(self, match: re.Match[bytes], block: _Block) -> None:
        raw = match["call"]
        tail = raw.rpartition(b"::")[2].strip()
        if tail in KEYWORDS:
            return
        start = match.start("call")
        if tail in _LAUNCHERS:
            arguments = self._arguments(match.end() - 1)
            place = _LAUNCHERS[tail]
            if len(arguments) > place:
                self._add_launch(arguments[place], arguments[0] if place else b"", start, block.scope)
            return
        before = self.text[start - 1 : start]
        if block.library:
            library = self._registering(block.library, block.chained, start)
            if tail in VERBS and before == b".":
                if library:
                    self._register(tail, library, match.end() - 1, start, block.scope)
                    block.chained = library
                return
            self._make_known(match, library, block)
        member = before == b"." or self.text[start - 2 : start] == b"->"
        member = member or _MEMBER_TEMPLATE.search(self.text, max(0, start - 20), start) is not None
        if raw in self.lambdas and not member:  # its body counts as the function's around it
            if not self.launched.isdisjoint(self.lambdas[raw]):
                for parameter, argument in zip(self.lambdas[raw], self._arguments(match.end() - 1), strict=False):
                    if parameter in self.launched:
                        self._refer(parameter, without_casts(argument).partition(b"<")[0], start, block.scope)
            return
        if given := self.text[match.end("call") : match.end() - 1].strip()[1:-1]:
            for function in template_functions(given, self.variables):
                self._refer(b"", function, start, block.scope)
        if block.scope != TOP and _MACRO_NAME.match(raw):  # handed itself, a function calls what is offered for it
            first = _FIRST_ARGUMENT.match(self.text, match.end())
            if first and decoded(first[1]) == self.defs[block.scope].name:
                self._refer(b"", first[1], start, block.scope)
        if raw in self.called_parameters:
            arguments = self._arguments(match.end() - 1)
            for argument in (arguments[i] for i in self.called_parameters[raw] if i < len(arguments)):
                self._refer(b"", argument, start, block.scope)
        is_given = self.text[max(0, start - 4) : start].rstrip().endswith(b"=")
        assigned = _ASSIGNED.search(self.text, max(0, start - 80), start) if is_given else None
        if assigned and assigned[1] in self.launched:
            self._refer(assigned[1], raw, start, block.scope)
        if before == b":" and (qualifier := qualifier_before(self.text[max(0, start - MAX_QUALIFIER_BYTES) : start])):
            raw = qualifier + raw
        name = decoded(re.sub(rb"\s+", b"", raw))
        kept: list[tuple[str, str]] = []
        if member and (kind := self.declared.of_receiver(start)):
            kept.append((RECEIVER, decoded(kind)))
        elif _NO_MEMORY.match(self.text, match.end()):
            kept.append(("", "nullptr"))
        elif block.library and (handed := self._handed(block.library, self._arguments(match.end() - 1))):
            kept += handed.handed_on
        called = f"?.{name}" if member else name
        self.calls.append(Call(called, start, self._line_at(start), block.scope, tuple(kept)))

    def _registering(self, library: Library, chained: Library | None, start: int) -> Library | None:
        """What the call at `start` registers in: the variable before its dot, else the chain that it goes on with."""
        if owner := _OWNER.search(self.text, max(0, start - 60), start):
            return library if owner[1] == library.variable else self.modules.get(owner[1])
        return chained if _NEXT_IN_CHAIN.search(self.text, max(0, start - 200), start) else None

    def _make_known(self, match: re.Match[bytes], library: Library | None, block: _Block) -> None:
        """Submodules and classes that a call in a block that registers makes."""
        start, tail = match.start("call"), match["call"].rpartition(b"::")[2].strip()
        made: Library | None = None
        variable = b""
        if tail == b"def_submodule" and library:
            made = library.submodule(self._arguments(match.end() - 1))
        elif block.library and (tail == b"class_" or is_class_variable(self.text, start)):
            arguments = self._arguments(match.end() - 1)
            made = (library or self._handed(block.library, arguments) or block.library).with_class(arguments)
            variable = match["call"] if tail != b"class_" else b""
        if made:
            block.chained = made
            if variable := variable or made_as(self.text, start):
                self.modules[variable] = made

    def _handed(self, library: Library, arguments: list[bytes]) -> Library | None:
        """The module that a function is given."""
        known = {library.variable: library} | self.modules
        return next((known[argument] for argument in arguments if argument in known), None)

    def _statement(self, match: re.Match[bytes], block: _Block) -> None:
        """A call at the top of a file: a macro that offers a function under a name, or a class of an unnamed module."""
        if match["call"].endswith(b"class_"):
            block.library = UNNAMED_MODULE
            self._call(match, block)
        elif _MACRO_NAME.match(match["call"]):
            close = closing(self.text, match.end() - 1, MAX_ARGUMENT_BYTES)
            if close is not None and self.text[close + 1 : close + 50].lstrip()[:1] != b"{":
                start = match.start("call")
                self.alternatives += offered(self._arguments(match.end() - 1), start, self._line_at(start))

    def _register(self, verb: bytes, library: Library, opening: int, start: int, scope: int) -> None:
        """What `m.def(…)` or `m.impl(…)` makes known; a lambda among its arguments is a function."""
        close = closing(self.text, opening, MAX_ARGUMENT_BYTES)
        if close is None:
            return
        bounds = comma_bounds(self.text, opening + 1, close)
        arguments = [self.data[a:b].strip() for a, b in bounds]
        made = list(registered(verb, library, arguments, start, self._line_at(start), scope))
        self.registrations += made
        for a, b in bounds[1:]:
            if made and self.text[a:b].lstrip().startswith(b"[") and (brace := self.text.find(b"{", a, b)) >= 0:
                opening = b - len(self.text[a:b].lstrip())
                self.lambda_of[brace] = opening, lambda_name(made[-1].name)

    def _chain(self, position: int) -> None:
        """Operators registered one after the other at the top of a file: `RegisterOperators().op("ns::f", &f)`."""
        for opening in chain(self.text, position - 1):
            self._register(b"def", OLD_LIBRARY, opening, opening, TOP)

    def _launch(self, mark: int, scope: int) -> None:
        if len(self.launches) > MAX_LAUNCHES:
            return
        head = self.text[max(0, mark - MAX_CALLEE_BYTES) : mark]
        kernel = callee_before(head)
        if kernel is None:
            return
        end = self.text.find(b">>>", mark)
        grid = self.data[mark + 3 : end] if 0 < end < mark + 2_000 else b""
        self._add_launch(kernel, split_at_commas(grid)[0] if grid else b"", mark, scope)

    def _add_launch(self, kernel: bytes, grid: bytes, start: int, scope: int) -> None:
        name = re.match(rb"(?:\w+::)*\w+", without_casts(kernel))
        if name:
            text = decoded(b" ".join(grid.split())[:MAX_TEXT])
            self.launches.append(Launch(decoded(name[0]), text, start, self._line_at(start), scope))

    def _is_alias(self, equals: int) -> bool:
        """Whether a type or namespace gets another name here: `using Small = Norm<64>`."""
        return _USING.search(self.text, max(0, equals - 80), equals) is not None

    def _reference(self, match: re.Match[bytes], scope: int) -> None:
        """`auto kernel = &norm_kernel<T>;`: what a later launch of `kernel` means."""
        start = match.start()
        left = re.search(rb"(\w+)\s*$", self.text[max(0, start - 80) : start])
        if left:
            self._refer(left[1], match["ref"], start, scope)

    def _refer(self, variable: bytes, name: bytes, start: int, scope: int) -> None:
        if is_plain_name(name) and len(self.references) < MAX_FACTS:
            self.references.append(Reference(decoded(variable), decoded(name), start, self._line_at(start), scope))

    def _passed(self, held: frozenset[int]) -> None:
        """Kernels and macros that a call is given: `launch(norm_kernel<T>, x)`, `FOR_ALL_TYPES(t, RUN)`.

        Not those at the places `held`, which variables hold.
        """
        local = {d.name.encode() for d in self.defs if d.kind in (DefKind.CUDA_KERNEL, DefKind.MACRO)}
        if not local and b"<<<" not in self.text and b"&" not in self.text and b"::" not in self.text:
            return
        text = self.with_macros
        for match in _PASSED.finditer(text):
            name = match[1]
            if match.start(1) in held:
                continue
            is_known = name.rpartition(b"::")[2] in local or _MACRO_NAME.match(name)
            is_address = b"&" in match[0] or (b"::" in name and match[0][:1] in b"(,")
            if not is_known and not is_address:
                continue
            if (scope := self._owner_at(match.start(1))) != TOP:
                self._refer(b"", name, match.start(1), scope)

    def _handed_functions(self) -> None:
        """Functions that are given to a parameter which is called: `run(first)` of `void run(F f) { f(); }`."""
        called: dict[int, set[bytes]] = {}
        for call in self.calls:
            called.setdefault(call.scope, set()).add(call.name.encode())
        calling: dict[str, list[int]] = {}
        for index, definition in enumerate(self.defs):
            if definition.kind is DefKind.CUDA_FUNCTION and index in called:
                opening = self.text.find(b"(", definition.name_start)
                names = parameter_names(self.text, opening) if opening >= 0 else []
                if places := [i for i, name in enumerate(names) if name and name in called[index]]:
                    calling[definition.name.rpartition("::")[2]] = places
        for call in self.calls if calling else ():
            places = calling.get(call.name.rpartition("::")[2], ())
            match = _TOKEN.match(self.text, call.start) if places else None
            arguments = self._arguments(match.end() - 1) if match and match["call"] else []
            for argument in (arguments[i] for i in places if i < len(arguments)):
                name = without_casts(argument).partition(b"<")[0].rstrip()
                if name not in self.lambdas and name not in self.variables:
                    self._refer(b"", name, call.start, call.scope)

    def _owner_at(self, place: int) -> int:
        """The innermost function or macro around a place, once all are known."""
        if not self.bodies:
            self.bodies = sorted((d.start, d.end, i) for i, d in enumerate(self.defs) if d.kind in _BODIES)
        at = bisect_right(self.bodies, (place, len(self.text), len(self.defs))) - 1
        while at >= 0 and self.bodies[at][1] <= place:
            at -= 1
        return self.bodies[at][2] if at >= 0 else TOP

    def _tables(self) -> None:
        """Kernels in arrays whose elements are launched, at once or through a variable."""
        kernels = frozenset(d.name.encode() for d in self.defs if d.kind is DefKind.CUDA_KERNEL)
        tables = set(launched_tables(self.text))
        for variable, table, place in elements_taken(self.text, self.launched):
            self._refer(variable, table, place, TOP)
            tables.add(table)
        launched = frozenset(tables)
        if kernels:  # who launches them may stand in another file
            tables.update(arrays(self.text))
        macros = [(m.name_start, m.name, m.body) for m in self.macros] if tables else []
        for table in sorted(tables):
            for name, place in entries(self.text, table, macros):
                if table in launched or name.rpartition(b"::")[2] in kernels:
                    self._refer(table, name, place, TOP)

    def _arguments(self, opening: int) -> list[bytes]:
        """The arguments of the call whose parenthesis opens here, as written."""
        close = closing(self.text, opening, MAX_ARGUMENT_BYTES)
        if close is None:
            return []
        bounds = comma_bounds(self.text, opening + 1, close)
        arguments = [self.data[a:b].strip() for a, b in bounds[:MAX_ARGUMENTS]]
        return arguments if any(arguments) else []

    def _line_at(self, offset: int) -> int:
        """Lines are counted forward from the last question, which is nearly always before this one."""
        if offset >= self.counted:
            self.line += self.data.count(b"\n", self.counted, offset)
        else:
            self.line -= self.data.count(b"\n", offset, self.counted)
        self.counted = offset
        return self.line
