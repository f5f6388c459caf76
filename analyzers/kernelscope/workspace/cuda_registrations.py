"""Registrations of operators in C++: blocks of `TORCH_LIBRARY` and of Python modules, their classes, exports by name.

Also what macros at the top of a file offer under the name of a function. What other macros do is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from kernelscope.workspace.cuda_text import closing, decoded, is_plain_name, literal
from kernelscope.workspace.facts import DISPATCH, LIBRARY, MAX_TEXT, Alternative, Registration

BY_MACRO = "#"
"""Stands before the macro that registers in a library which its text names."""
EXPORTS = frozenset((b"TVM_FFI_DLL_EXPORT_TYPED_FUNC", b"TVM_FFI_EXPORT_TYPED_FUNC", b"XLA_FFI_DEFINE_HANDLER_SYMBOL",
                     b"XLA_FFI_DEFINE_HANDLER"))  # fmt: skip
"""Macros that export a function under a name."""
_LIBRARY = re.compile(
    rb"\b(\w*TORCH_LIBRARY\w*|PYBIND11_MODULE|NB_MODULE|PYBIND11_EMBEDDED_MODULE)\s*\((.*)\)\s*$", re.DOTALL
)
_PARAMETER = re.compile(
    rb"\b(?:(?P<torch>torch::(?:stable::)?Library)|(?:py|pybind11|nb|nanobind)::module_?)\s*&?\s*(?P<name>\w+)\s*[,)]"
)
"""A parameter by which a function is given the library to register in."""
_DISPATCH_KEY = re.compile(rb"\bk(CUDA|CPU|HIP|Meta|XPU)\b|DispatchKey::(\w+)")
_FUNCTION_NAME = re.compile(rb"&?\s*((?:[A-Za-z_]\w*::)*[A-Za-z_]\w*)\s*(?:<.*>)?\s*\)*$", re.DOTALL)
_ADDRESS = re.compile(rb"(?:^|[(<,])\s*&\s*((?:[A-Za-z_]\w*\s*::\s*)*[A-Za-z_]\w*)")
_ASSIGNED = re.compile(rb"(\w+)\s*=\s*(?:\w+\s*\.\s*)?\Z")
_OF_CLASS = re.compile(rb"\bclass_\s*<[^;{}]{0,400}>\s*\Z")
"""What stands before the variable of `py::class_<Model> model(m, "Model")`."""
_NEXT_IN_CHAIN = re.compile(rb"\s*\.\s*op\s*(?=\()")
MAX_REGISTRATION_BYTES = 20_000


@dataclass(frozen=True, slots=True)
class Library:
    """A block that registers: its macro, namespace, dispatch key, and the variable that its body calls."""

    macro: bytes
    namespace: bytes
    key: bytes
    variable: bytes
    of_class: bytes = b""
    """The class of Python whose methods are registered."""

    @property
    def is_torch(self) -> bool:
        """Whether operators are registered, and not functions of a Python module."""
        return b"TORCH_LIBRARY" in self.macro and not self.of_class

    def submodule(self, arguments: Sequence[bytes]) -> Library:
        """The module inside of this one that `m.def_submodule("name")` makes."""
        name = literal(arguments[0]) if arguments else None
        return replace(self, namespace=self.namespace + b"." + name.encode()) if name else self

    def with_class(self, arguments: Sequence[bytes]) -> Library:
        """The class of this module that `py::class_<Model>(m, "Model")` or `m.class_<Model>("Model")` makes."""
        name = next((found for argument in arguments if (found := literal(argument))), "")
        return replace(self, of_class=name.encode())

    @property
    def handed_on(self) -> tuple[tuple[str, str], ...]:
        """What a function learns that is given the library: its name, and the dispatch key."""
        return ((LIBRARY, decoded(self.namespace)), (DISPATCH, decoded(self.key)))


OLD_LIBRARY = Library(b"TORCH_LIBRARY", b"", b"", b"")
"""What `RegisterOperators` registers in: each operator names its library."""
UNNAMED_MODULE = Library(b"PYBIND11_MODULE", b"=m", b"", b"m")
"""The module of classes at the top of a file, which is included where there is one."""
VERBS = frozenset((b"def", b"impl", b"def_static"))


def library_of(header: bytes) -> Library | None:
    """The block that a header opens: `TORCH_LIBRARY_IMPL(ns, CUDA, m)`."""
    match = _LIBRARY.search(header)
    if match is None:
        return None
    arguments = [part.strip() for part in match[2].split(b",")]
    macro, variable = match[1], arguments[-1]
    key = arguments[1] if b"IMPL" in macro and len(arguments) > 2 else b""
    if b"TORCH_LIBRARY" in macro and b"(" in match[2]:
        arguments[0] = match[2].rpartition(b",")[0].strip()
    return Library(macro, arguments[0], key, variable)


def library_parameter(header: bytes) -> Library | None:
    """The library that a function registers in when its callers hand it one; `=m` stands for what they hand it."""
    match = _PARAMETER.search(header)
    if match is None:
        return None
    macro = b"TORCH_LIBRARY" if match["torch"] else b"PYBIND11_MODULE"
    return Library(macro, b"=" + match["name"], b"", match["name"])


def registered(
    verb: bytes, library: Library, arguments: Sequence[bytes], start: int, line: int, scope: int
) -> Iterator[Registration]:
    """What one `m.def(…)` or `m.impl(…)` makes known."""
    spelled = literal(arguments[0]) if arguments else None
    if spelled is None:
        return
    namespace, _, op = spelled.partition("(")[0].strip().rpartition("::")
    op = ".".join(filter(None, (decoded(library.of_class), op)))
    target, key = "", library.key
    for argument in _whole(arguments[1:]):
        if dispatch := _DISPATCH_KEY.search(argument):
            key = dispatch[1] or dispatch[2]
            if argument.rstrip().endswith(dispatch[0]):
                continue
        if not target:
            target = lambda_name(op) if argument.startswith(b"[") else decoded(target_of(argument))
    where = (namespace or decoded(library.namespace), op or spelled)
    schema = spelled[:MAX_TEXT] if "(" in spelled else ""
    if library.is_torch and verb == b"def":
        yield Registration("define", *where, "", start, line, "" if target else decoded(key), scope, schema)
    if target or not library.is_torch or verb != b"def":
        mechanism = "impl" if library.is_torch else "pybind"
        yield Registration(mechanism, *where, target, start, line, decoded(key), scope, schema)


def by_macro(macro: bytes, arguments: Sequence[bytes], start: int, line: int) -> Iterator[Registration]:
    """What `REGISTER(CUDA, "scale", scale_cuda)` makes known, if the macro's text registers: its name stands for the
    library."""
    place = next((at for at, argument in enumerate(arguments[:-1]) if literal(argument)), None)
    if place is not None and is_function(arguments[-1]):
        name = (literal(arguments[place]) or "").partition("(")[0].rpartition("::")[2]
        key = next((decoded(argument) for argument in arguments[:place] if is_plain_name(argument)), "")
        target = decoded(target_of(arguments[-1]))
        yield Registration("impl", f"{BY_MACRO}{decoded(macro)}", name, target, start, line, key)


def is_function(argument: bytes) -> bool:
    """Whether an argument is a function's name, or a macro's call of one: `TORCH_FN(scale)`."""
    return is_plain_name(re.sub(rb"\A(?:\w+\(|&)|\)\Z", b"", argument.strip()))


def exported(arguments: Sequence[bytes], start: int, line: int) -> Iterator[Registration]:
    """What `TVM_FFI_DLL_EXPORT_TYPED_FUNC(name, function)` makes known."""
    if len(arguments) > 1:
        name, target = (decoded(argument.strip()) for argument in arguments[:2])
        yield Registration("export", "", name, target.lstrip("&"), start, line)


def offered(arguments: Sequence[bytes], start: int, line: int) -> Iterator[Alternative]:
    """What `REGISTER(function, DEVICE, implementation)` at the top of a file offers: its first and last argument."""
    if len(arguments) > 1:
        name, target = arguments[0].strip(), arguments[-1].strip().lstrip(b"&")
        if name != target and is_plain_name(name) and is_plain_name(target):
            yield Alternative(decoded(name), decoded(target), start, line)


def made_as(text: bytes, start: int) -> bytes:
    """The variable that a class or submodule made at `start` is given to: `auto part = m.def_submodule(…)`."""
    found = _ASSIGNED.search(text, max(0, start - 120), start)
    return found[1] if found else b""


def is_class_variable(text: bytes, start: int) -> bool:
    """Whether the name at `start` is that of a class made here: `py::class_<Model> model(m, "Model")`."""
    return _OF_CLASS.search(text, max(0, start - 500), start) is not None


def chain(text: bytes, opening: int) -> Iterator[int]:
    """The opening brackets of each `.op(…)` that follows the `()` of a `RegisterOperators()`."""
    while (close := closing(text, opening, MAX_REGISTRATION_BYTES)) is not None:
        match = _NEXT_IN_CHAIN.match(text, close + 1)
        if match is None:
            return
        opening = match.end()
        yield opening


def lambda_name(op: str) -> str:
    """What a function without a name that implements an operator is called; no name of C++ is like it."""
    return f"lambda of {op}"


def _whole(arguments: Sequence[bytes]) -> Iterator[bytes]:
    """Arguments that were split inside of angle brackets put together: `overload_cast<int, float>(&f)`."""
    open_part = b""
    for argument in arguments:
        is_code = not argument.startswith((b"[", b'"', b"R"))
        joined = b", ".join((open_part, argument)) if open_part else argument
        angles = joined.replace(b"->", b"")
        open_part = joined if is_code and angles.count(b"<") > angles.count(b">") else b""
        if not open_part:
            yield joined
    if open_part:
        yield open_part


def target_of(argument: bytes) -> bytes:
    """The function that an argument names: `&f`, `f<T>`, `TORCH_BOX(&f)`, `cast<..>(&f)`, `box<&f>`."""
    stripped = argument.strip()
    if stripped.startswith((b'"', b"{", b"py::", b"nb::")) and b"&" not in stripped:
        return b""
    if addresses := _ADDRESS.findall(stripped):
        return re.sub(rb"\s+", b"", addresses[-1])
    inner = stripped.rpartition(b"&")[2] if b"&" in stripped else stripped
    if b"(" in inner and not inner.endswith(b"()"):
        inner = inner.rpartition(b"(")[2]
    found = _FUNCTION_NAME.match(inner)
    return found[1] if found else b""
