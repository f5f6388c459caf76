"""Tier 2 of the index for C++ and CUDA: functions, kernels, calls, launches and library registrations of one file.

Reads tokens and matches brackets instead of parsing, so that unknown macros spoil nothing; resolves no name, expands
only macros of the same file that define kernels, and takes both branches of every `#if`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from kernelscope.workspace.cuda_text import (
    callee_before,
    closing,
    comma_bounds,
    decoded,
    literal,
    split_at_commas,
    without_template,
)
from kernelscope.workspace.facts import (
    MAX_TEXT,
    TOP,
    Call,
    Def,
    DefKind,
    FileFacts,
    Launch,
    Reference,
    Registration,
)

MAX_TOKENS = 2_000_000
MAX_FACTS = 100_000
MAX_LAUNCHES = 5_000
MAX_CALLEE_BYTES = 2_000
MAX_ARGUMENTS = 12
MAX_ARGUMENT_BYTES = 20_000

_NOISE = re.compile(
    rb"//[^\n]*"
    rb"|/\*.*?(?:\*/|\Z)"
    rb"|R\"([^\s()\\]{0,16})\(.*?\)\1\""
    rb'|"(?:[^"\\\n]|\\.)*+"?'
    rb"|'(?:[^'\\\n]|\\.){1,8}+'",
    re.DOTALL,
)
_DIRECTIVE = re.compile(rb"(?m)^[ \t]*#[ \t]*(\w*)(?:[^\n\\]|\\\r?\n|\\.)*+")
_DEFINE = re.compile(rb"(?m)^[ \t]*#[ \t]*define[ \t]+(\w+)\([ \t]*(\w*)((?:[^\n\\]|\\\r?\n|\\.)*+)")
_BLANK = bytes.maketrans(bytes(range(256)), bytes(c if c in b"\r\n" else 32 for c in range(256)))

_TYPES = rb"(?:[^;{}()<>=]|\([^;{}()<>=]{0,99}\)){0,600}+"
_TOKEN = re.compile(
    rb"[{};]"
    rb"|\x01[ioe]"
    rb"|<<<"
    rb"|(?P<call>(?:[A-Za-z_]\w*\s*::\s*)*+[A-Za-z_]\w*)\s*"
    rb"(?:<" + _TYPES + rb"(?:<" + _TYPES + rb">" + _TYPES + rb"){0,3}>)?\s*\("
    rb"|=\s*&?\s*(?P<ref>(?:[A-Za-z_]\w*::)*+[A-Za-z_]\w*)\s*(?=[<;])(?!<<)"
)
_KEYWORDS = frozenset(
    b"if for while switch return sizeof alignof decltype static_cast reinterpret_cast const_cast dynamic_cast defined "
    b"catch new delete throw noexcept alignas static_assert typeid assert void int float double bool char auto "
    b"__launch_bounds__ __attribute__ __declspec __align__ requires template operator typename and or not asm volatile "
    b"__asm__ else do case constexpr explicit".split()
)
_HEADER_NAME = re.compile(
    rb"(?P<name>(?:~?[A-Za-z_]\w*(?:<[^<>;{}()]{0,200}>)?\s*::\s*)*+(?:operator\s*\W{1,3}|~?[A-Za-z_]\w*))\s*"
    rb"(?:<[^;{}()]{0,200}>\s*)?\("
)
_TYPE = re.compile(rb"\b(?:class|struct|union|enum)\b[^()=]*?\b(\w+)\s*(?:final\s*)?(?::[^:(){}][^(){}]*)?$")
_LIBRARY = re.compile(
    rb"\b(\w*TORCH_LIBRARY\w*|PYBIND11_MODULE|NB_MODULE|PYBIND11_EMBEDDED_MODULE)\s*\((.*)\)\s*$", re.DOTALL
)
_FUNCTION_NAME = re.compile(rb"&?\s*((?:[A-Za-z_]\w*::)*[A-Za-z_]\w*)\s*(?:<.*>)?\s*\)*$", re.DOTALL)
_EXPORTS = frozenset((b"TVM_FFI_DLL_EXPORT_TYPED_FUNC", b"TVM_FFI_EXPORT_TYPED_FUNC", b"XLA_FFI_DEFINE_HANDLER_SYMBOL",
                      b"XLA_FFI_DEFINE_HANDLER"))  # fmt: skip
_LAUNCHERS: dict[bytes, int] = {
    b"cudaLaunchKernelEx": 1,
    b"cudaLaunchKernelExC": 1,
    b"cudaLaunchKernel": 0,
    b"cudaLaunchCooperativeKernel": 0,
    b"hipLaunchKernelGGL": 0,
    b"cuLaunchKernel": 0,
}
"""Which argument of a launch function is the kernel (CUDA runtime and driver API, HIP)."""


def blank_noise(data: bytes) -> bytes:
    """Comments, strings and directives replaced by spaces of equal length; `#if`, `#else`, `#endif` become marks."""
    return _DIRECTIVE.sub(_directive_mark, _NOISE.sub(_spaces, data))


def _spaces(match: re.Match[bytes]) -> bytes:
    return match[0].translate(_BLANK)


def _directive_mark(match: re.Match[bytes]) -> bytes:
    word = match[1]
    mark = b"i" if word.startswith(b"if") else b"o" if word in (b"else", b"elif") else b"e" if word == b"endif" else b""
    blank = match[0].translate(_BLANK)
    return b"\x01" + mark + blank[2:] if mark else blank


@dataclass(slots=True)
class _Block:
    """An open brace: the definition it belongs to, and whether definitions may stand in it."""

    scope: int
    declarative: bool
    library: tuple[bytes, bytes, bytes, bytes] | None = None
    """Macro, namespace, dispatch key and variable of a TORCH_LIBRARY or module block."""
    ends: int = TOP
    """The definition that the closing brace ends."""
    resumes: int = -1
    """Where the header begins that goes on behind the closing brace: `void f(Options options = {}, int n)`."""


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
        self.line, self.counted = 1, 0
        self.kernel_macros: set[bytes] = set()
        self.function_macros: set[bytes] = set()
        self.lambdas = frozenset(_LAMBDA.findall(self.text))
        self.launched = frozenset(_LAUNCHED.findall(self.text))
        self.called_parameters: dict[bytes, tuple[int, ...]] = {}
        self.with_macros = self.text
        self._macros()

    def run(self) -> FileFacts:
        text = self.text
        blocks: list[_Block] = [_Block(TOP, True)]
        saved: list[int] = []
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
            elif token[0] == 1:
                if token == b"\x01i":
                    saved.append(len(blocks))
                elif saved:
                    depth = saved[-1] if token == b"\x01o" else saved.pop()
                    if token == b"\x01o":
                        while len(blocks) > max(depth, 1):
                            self._close(blocks.pop(), match.start())
                if blocks[-1].declarative:
                    header_start = position
            elif token == b"<<<":
                self._launch(match.start(), block.scope)
            elif match["call"] is not None:
                if not block.declarative or block.library:
                    self._call(match, block)
                elif match["call"] in _EXPORTS:
                    self._export(match)
                position = match.end()
            elif match["ref"] is not None and (not block.declarative or self._is_alias(match.start())):
                self._reference(match, block.scope)
        while len(blocks) > 1:
            self._close(blocks.pop(), len(text))
        self._passed()
        return FileFacts(
            tuple(self.defs),
            (),
            tuple(self.calls),
            tuple(self.launches),
            tuple(self.references),
            tuple(self.registrations),
        )

    # -- blocks and definitions -----------------------------------------------------------------------------

    def _open(self, block: _Block, start: int, brace: int) -> _Block:
        if not block.declarative:
            return _Block(block.scope, False, block.library)
        start = max(start, brace - 4_000)
        header = self.text[start:brace]
        if header.count(b"(") > header.count(b")"):
            return _Block(block.scope, False, resumes=start)
        stripped = header.strip()
        if library := _LIBRARY.search(stripped):
            return self._open_library(library, start, block)
        words = stripped.split(None, 2)
        if (
            not words
            or (words[0] in (b"namespace", b"inline") and b"(" not in stripped)
            or (words[0] == b"extern" and b"(" not in stripped)
        ):
            return _Block(block.scope, not stripped.endswith(b"="))
        if stripped.endswith((b"=", b",")):
            return _Block(block.scope, False)
        bare = without_template(header)
        name = self._function_name(bare)
        if name is not None:
            name_text, offset = name
            return self._open_function(name_text, start + offset, start, header, block)
        if found := _TYPE.search(bare.rstrip()):
            index = self._define(found[1], DefKind.STRUCT, start, brace, start + found.start(1), block.scope)
            return _Block(index, True, ends=index)
        return _Block(block.scope, block.declarative and b"(" not in stripped)

    def _open_function(self, name: bytes, name_start: int, start: int, header: bytes, block: _Block) -> _Block:
        kind = DefKind.CUDA_KERNEL if b"__global__" in header else DefKind.CUDA_FUNCTION
        if name in self.kernel_macros or name in self.function_macros:
            opening = self.text.find(b"(", name_start)
            argument = re.compile(rb"\s*(\w+)").match(self.text, opening + 1)
            if argument:
                kind = DefKind.CUDA_KERNEL if name in self.kernel_macros else kind
                name, name_start = argument[1], argument.start(1)
        index = self._define(name, kind, start, start + len(header), name_start, block.scope)
        return _Block(index, False, ends=index)

    def _open_library(self, match: re.Match[bytes], start: int, block: _Block) -> _Block:
        arguments = [part.strip() for part in match[2].split(b",")]
        macro, variable = match[1], arguments[-1]
        key = arguments[1] if b"IMPL" in macro and len(arguments) > 2 else b""
        if b"TORCH_LIBRARY" in macro and b"(" in match[2]:
            arguments[0] = match[2].rpartition(b",")[0].strip()
        return _Block(block.scope, True, (macro, arguments[0], key, variable))

    def _function_name(self, header: bytes) -> tuple[bytes, int] | None:
        """The name before the parameter list that ends a function's header, and its offset."""
        position = 0
        while match := _HEADER_NAME.search(header, position):
            name = re.sub(rb"\s+", b"", match["name"])
            close = closing(header, match.end() - 1)
            if close is None:
                return None
            before = header[: match.start()].rstrip()
            if name not in _KEYWORDS and not before.endswith((b"=", b".", b"->")):
                rest = header[close + 1 :].lstrip()
                if not rest or rest.startswith((b"const", b"noexcept", b":", b"->", b"override", b"final", b"&", b"try",
                                                b"requires", b"mutable", b"volatile")):  # fmt: skip
                    return name, match.start("name") + len(match["name"]) - len(
                        match["name"].rpartition(b"::")[2].lstrip()
                    )
            position = close + 1
        return None

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

    def _macros(self) -> None:
        """Macros with parameters are functions to the graph: their bodies call and launch. Some define kernels."""
        if b"#" not in self.data:
            return
        text, written = self.text, _NOISE.sub(_spaces, self.data)
        self.text = self.with_macros = written.replace(b"\\\n", b" \n").replace(b"\\\r\n", b" \r\n")
        for match in _DEFINE.finditer(written):
            scope = self._define(match[1], DefKind.MACRO, match.start(), match.end(), match.start(1), TOP)
            if called := _called_parameters(match[2] + match[3]):
                self.called_parameters[match[1]] = called
            block = _Block(scope, False)
            for token in _TOKEN.finditer(self.text, match.start(3), match.end(3)):
                if token[0] == b"<<<":
                    self._launch(token.start(), scope)
                elif token["call"] is not None:
                    self._call(token, block)
            if b"__global__" in match[3] and re.search(rb"\b%b\s*\(" % match[2], match[3]):
                self.kernel_macros.add(match[1])
            elif _FUNCTION_MACRO.match(match[3]) and re.search(rb"\b%b\s*\(" % match[2], match[3]):
                self.function_macros.add(match[1])
        self.text = text

    # -- what bodies do -----------------------------------------------------------------------------------

    def _call(self, match: re.Match[bytes], block: _Block) -> None:
        raw = match["call"]
        tail = raw.rpartition(b"::")[2].strip()
        if tail in _KEYWORDS:
            return
        start = match.start("call")
        if tail in _LAUNCHERS:
            arguments = self._arguments(match.end() - 1)
            place = _LAUNCHERS[tail]
            if len(arguments) > place:
                self._add_launch(arguments[place], arguments[0] if place else b"", start, block.scope)
            return
        before = self.text[start - 1 : start]
        if block.library and tail in (b"def", b"impl") and before == b".":
            self._register(tail, match, block)
            return
        member = before == b"." or self.text[start - 2 : start] == b"->"
        if raw in self.lambdas and not member:
            return  # its body counts as the function's around it
        if raw in self.called_parameters:
            arguments = self._arguments(match.end() - 1)
            for argument in (arguments[i] for i in self.called_parameters[raw] if i < len(arguments)):
                self._refer(b"", argument, start, block.scope)
        assigned = _ASSIGNED.search(self.text, max(0, start - 80), start)
        if assigned and assigned[1] in self.launched:
            self._refer(assigned[1], raw, start, block.scope)
        name = decoded(re.sub(rb"\s+", b"", raw))
        self.calls.append(Call(f"?.{name}" if member else name, start, self._line_at(start), block.scope))

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
        clean = re.sub(rb"^\(\s*(?:const\s+)?void\s*\*\s*\)|^&|[()]", b"", kernel.strip()).strip().lstrip(b"&")
        name = re.match(rb"(?:(?:\w+::)*)\w+", clean)
        if name:
            text = decoded(b" ".join(grid.split())[:MAX_TEXT])
            self.launches.append(Launch(decoded(name[0]), text, start, self._line_at(start), scope))

    def _is_alias(self, equals: int) -> bool:
        """Whether a type gets another name here: `using Small = Norm<64>`."""
        return _USING.search(self.text, max(0, equals - 80), equals) is not None

    def _reference(self, match: re.Match[bytes], scope: int) -> None:
        """`auto kernel = &norm_kernel<T>;`: what a later launch of `kernel` means."""
        start = match.start()
        left = re.search(rb"(\w+)\s*$", self.text[max(0, start - 80) : start])
        if left:
            self._refer(left[1], match["ref"], start, scope)

    def _refer(self, variable: bytes, name: bytes, start: int, scope: int) -> None:
        if _PLAIN_NAME.match(name) and len(self.references) < MAX_FACTS:
            self.references.append(Reference(decoded(variable), decoded(name), start, self._line_at(start), scope))

    def _passed(self) -> None:
        """Kernels and macros that a call is given: `launch(norm_kernel<T>, x)`, `FOR_ALL_TYPES(t, RUN)`."""
        local = {d.name.encode() for d in self.defs if d.kind in (DefKind.CUDA_KERNEL, DefKind.MACRO)}
        if not local and b"<<<" not in self.text and b"&" not in self.text and b"::" not in self.text:
            return
        owners = sorted((d.start, d.end, i) for i, d in enumerate(self.defs) if d.kind in _BODIES)
        text = self.with_macros
        for match in _PASSED.finditer(text):
            name = match[1]
            is_known = name.rpartition(b"::")[2] in local or _MACRO_NAME.match(name)
            is_address = b"&" in match[0] or (b"::" in name and match[0][:1] in b"(,")
            if not is_known and not is_address:
                continue
            at = bisect_right(owners, (match.start(1), len(text), len(self.defs))) - 1
            while at >= 0 and owners[at][1] <= match.start(1):
                at -= 1
            if at >= 0 and len(self.references) < MAX_FACTS:
                line = self._line_at(match.start(1))
                self.references.append(Reference("", decoded(name), match.start(1), line, owners[at][2]))

    # -- registrations --------------------------------------------------------------------------------------

    def _register(self, verb: bytes, match: re.Match[bytes], block: _Block) -> None:
        assert block.library is not None
        macro, library, key, variable = block.library
        start = match.start("call")
        owner = re.search(rb"(\w+)\s*\.\s*$", self.text[max(0, start - 60) : start])
        if owner is None or owner[1] != variable:
            return
        arguments = self._arguments(match.end() - 1)
        spelled = literal(arguments[0]) if arguments else None
        if spelled is None:
            return
        namespace, _, op = spelled.partition("(")[0].strip().rpartition("::")
        target = ""
        for argument in arguments[1:]:
            if dispatch := re.search(rb"\bk(CUDA|CPU|HIP|Meta|XPU)\b|DispatchKey::(\w+)", argument):
                key = dispatch[1] or dispatch[2]
                if argument.rstrip().endswith(dispatch[0]):
                    continue
            if not target:
                target = decoded(self._target(argument))
        is_torch = b"TORCH_LIBRARY" in macro
        mechanism = "pybind" if not is_torch else "define" if verb == b"def" and not target else "impl"
        line = self._line_at(start)
        where = (namespace or decoded(library), op or spelled)
        schema = spelled[:MAX_TEXT] if "(" in spelled else ""
        if is_torch and verb == b"def" and target:
            self.registrations.append(Registration("define", *where, "", start, line, "", block.scope, schema))
        self.registrations.append(
            Registration(mechanism, *where, target, start, line, decoded(key), block.scope, schema)
        )

    def _export(self, match: re.Match[bytes]) -> None:
        arguments = self._arguments(match.end() - 1)
        if len(arguments) > 1:
            name, target = (decoded(argument.strip()) for argument in arguments[:2])
            start = match.start("call")
            self.registrations.append(Registration("export", "", name, target.lstrip("&"), start, self._line_at(start)))

    def _target(self, argument: bytes) -> bytes:
        """The function that an argument names: `&f`, `f<T>`, `TORCH_BOX(&f)`, `cast<..>(&f)`, a lambda's call."""
        stripped = argument.strip()
        if stripped.startswith(b"["):
            body = blank_noise(stripped.partition(b"{")[2])
            calls = [
                call for call in re.findall(rb"((?:\w+::)*\w+)\s*(?:<[^<>;]*>)?\s*\(", body) if call not in _KEYWORDS
            ]
            return calls[0] if calls else b""
        if stripped.startswith((b'"', b"{", b"py::", b"nb::")) and b"&" not in stripped:
            return b""
        inner = stripped.rpartition(b"&")[2] if b"&" in stripped else stripped
        if b"(" in inner and not inner.endswith(b"()"):
            inner = inner.rpartition(b"(")[2]
        found = _FUNCTION_NAME.match(inner)
        return found[1] if found else b""

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


def _called_parameters(definition: bytes) -> tuple[int, ...]:
    """Which parameters the text of a macro behind its opening bracket calls: its arguments are functions."""
    parameters, _, body = definition.partition(b")")
    if b"(" in parameters:
        return ()
    names = [name.strip() for name in parameters.split(b",")]
    called = [bool(_PLAIN_NAME.match(name) and re.search(rb"(?<![\w#])%b\s*\(" % name, body)) for name in names]
    return tuple(place for place, is_called in enumerate(called) if is_called)


_PASSED = re.compile(rb"(?:[(,?]|(?<!:):|\breturn\b)\s*&?\s*((?:\w+::)*+[A-Za-z_]\w*+)\s*(?=[,)<;:])(?!<<<|::)")
_PLAIN_NAME = re.compile(rb"(?:\w+::)*[A-Za-z_]\w*\Z")
_LAUNCHED = re.compile(rb"\b(\w+)\s*<<<")
_USING = re.compile(rb"\busing\s+\w+\s*\Z")
_ASSIGNED = re.compile(rb"(\w+)\s*=\s*\Z")
_LAMBDA = re.compile(rb"\bauto\b[\s&]*(\w+)\s*=\s*\[")
_FUNCTION_MACRO = re.compile(rb"[^()]*\)\s*(?:[\w:<>*&]+\s+)+\w+\s*\([^;{}]*\)\s*\Z")
"""The rest of `#define ENTRY(fn) void fn(PARAMETERS)` behind its first parameter."""
_MACRO_NAME = re.compile(rb"[A-Z][A-Z0-9]*_[A-Z0-9_]+\Z")
_BODIES = (DefKind.CUDA_FUNCTION, DefKind.MACRO)
