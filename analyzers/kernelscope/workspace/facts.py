"""What one file declares: the plain records that scanning makes, the cache stores and the graph reads.

Offsets are bytes of the file, lines count from 1. Texts are source, cut at `MAX_TEXT`. Nothing here is resolved.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from enum import IntEnum

import msgspec

MAX_TEXT = 200
TOP = -1
"""The scope of what stands outside every definition."""


class DefKind(IntEnum):
    """What a definition is."""

    FUNCTION = 0
    CLASS = 1
    METHOD = 2
    VARIABLE = 3
    FIELD = 4
    """A class attribute with an annotation."""
    CUDA_KERNEL = 5
    """A `__global__` function."""
    CUDA_FUNCTION = 6
    """A C++ function with a body, `__device__` ones included."""
    STRUCT = 7
    MACRO = 8
    MODULE = 9
    LAMBDA = 10
    """A C++ function without a name that implements an operator."""


LIBRARY_NAMESPACES = frozenset(
    {"std", "at", "c10", "torch", "cub", "thrust", "cute", "nvcuda", "py", "pybind11"}
    | {"spdlog", "fmt", "absl", "boost", "nlohmann", "xla"}
)
"""Qualified names of the language's, the frameworks' and widely used host libraries, which are not looked for in the
workspace; the last start nothing on a device."""


class Record(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Base of all facts: stored as arrays, without field names."""


class Def(Record, frozen=True):
    """A definition; `scope` is the index of the one around it, `detail` its decorators, value or type as text."""

    name: str
    kind: DefKind
    start: int
    end: int
    name_start: int
    line: int
    scope: int = TOP
    detail: str = ""
    takes: tuple[int, int] = (0, -1)
    """The least and the most template arguments that a C++ function takes, see `cuda_templates`."""


class Import(Record, frozen=True):
    """`bound` is the name that the statement binds; `name` is None for a whole module, `*` for all names."""

    bound: str
    level: int
    module: str
    name: str | None
    scope: int = TOP


RECEIVER = "of"
"""The key of the type that the receiver of a C++ method is declared with, or a variable that is called."""
VARIABLE = "by"
"""The key of the members before the dot of a C++ method: `a.b[]` of `a->b[i].f()`. They are the members of the class
around, or of that with the key `RECEIVER`."""
DISPATCHED = "findSchemaOrThrow"
"""What is asked of PyTorch's dispatcher, by an operator's name, to call it from C++."""
GLOBAL = "::"
"""Stands for that type where a function is asked of the global namespace: `::f(x)`."""
OPERATOR = "?.operator()"
"""The name of a call of an object that is made where it is called."""
INCLUDED = "#include"
"""The name of a call that stands for a header in the middle of a function, whose text belongs to it; given its name."""
LIBRARY = "library"
DISPATCH = "key"
"""The keys of the library that a C++ function is handed to register in, and of its dispatch key: `register_all(m)`."""
APPLIED = "()"
"""The key of what Python gives to the result of a call: `f` of `register("op")(f)`."""


class Call(Record, frozen=True):
    """A call of `name` (dotted or `::`, `?.f` on anything else, `Norm<>::f` of a template).

    `args` is kept where it may register something.
    """

    name: str
    start: int
    line: int
    scope: int = TOP
    args: tuple[tuple[str, str], ...] = ()
    """Pairs of keyword (or "") and source text; of C++ see `RECEIVER` and those below, of Python `APPLIED`."""
    given: int = -1
    """How many template arguments a C++ function is given, see `cuda_templates`."""


class Launch(Record, frozen=True):
    """`kernel[grid](...)` or `kernel<<<grid, block>>>(...)`, also `cudaLaunchKernelEx(&config, kernel, ...)`."""

    kernel: str
    grid: str
    start: int
    line: int
    scope: int = TOP


class Reference(Record, frozen=True):
    """A function named without being called: `auto launcher = &kernel<float>;` gives `variable` launcher.

    `variable` is empty for a kernel or macro that is passed as an argument.
    """

    variable: str
    name: str
    start: int
    line: int
    scope: int = TOP


class Namespace(Record, frozen=True):
    """A namespace of C++ between its braces; `name` may be nested (`a::b`), and is empty for one without a name."""

    name: str
    start: int
    end: int


class Registration(Record, frozen=True):
    """An operator made known to a library. `mechanism`: see `MECHANISMS`; `target` names the implementation."""

    mechanism: str
    library: str
    name: str
    target: str
    start: int
    line: int
    key: str = ""
    """The dispatch key, such as CUDA."""
    scope: int = TOP
    schema: str = ""


class Alternative(Record, frozen=True):
    """What C++ may run under the name of a function or stub: `REGISTER_DISPATCH(add_stub, &add_cuda)`."""

    name: str
    target: str
    start: int
    line: int


class Member(Record, frozen=True):
    """A variable of a C++ class with the class that it is declared with; `owner` is the index of the former.

    `name[]` stands for what a container holds, and smart pointers for what they point to.
    """

    owner: int
    name: str
    kind: str


MECHANISMS: dict[str, str] = {
    "define": "an operator's schema: TORCH_LIBRARY def, Library.define",
    "impl": "an implementation of a schema for a dispatch key",
    "custom_op": "schema and implementation in one: torch.library.custom_op, triton_op",
    "fake": "shapes without data: register_fake, impl_abstract, a Meta implementation",
    "pybind": "a C++ function handed to Python: m.def of PYBIND11_MODULE and its like",
    "export": "a C++ function exported by name: TVM FFI, XLA FFI handlers",
}


class FileFacts(Record, frozen=True):
    """Everything a scan finds in one file, in source order."""

    defs: tuple[Def, ...] = ()
    imports: tuple[Import, ...] = ()
    calls: tuple[Call, ...] = ()
    launches: tuple[Launch, ...] = ()
    references: tuple[Reference, ...] = ()
    registrations: tuple[Registration, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    usings: tuple[str, ...] = ()
    """Names that C++ makes known elsewhere: `a::f` of `using a::f;`, `a::*` of `using namespace a;`."""
    alternatives: tuple[Alternative, ...] = ()
    members: tuple[Member, ...] = ()


class Name(Record, frozen=True):
    """One definition as a symbol search shows it."""

    name: str
    kind: DefKind
    line: int
    column: int
    container: str = ""


class FileNames(Record, frozen=True):
    """The names of one file in columns, so that the symbol table is their concatenation."""

    names: bytes = b""
    """Each name followed by a newline."""
    kinds: bytes = b""
    places: bytes = b""
    """Line and column of each name, as native unsigned ints of four bytes."""
    containers: bytes = b""
    """Each container followed by a newline."""


EMPTY_NAMES = FileNames()


def columns(names: Sequence[Name]) -> FileNames:
    """The same names in columns."""
    lines = [(name.name.replace("\n", " "), name.container.replace("\n", " ")) for name in names]
    return FileNames(
        "".join(f"{name}\n" for name, _ in lines).encode(),
        bytes(name.kind for name in names),
        array("I", [number for name in names for number in (name.line, name.column)]).tobytes(),
        "".join(f"{container}\n" for _, container in lines).encode(),
    )


def rows(names: FileNames) -> tuple[Name, ...]:
    """The names of one file, one by one."""
    places = array("I", names.places)
    listed = names.names.decode("utf-8", "replace").split("\n")
    containers = names.containers.decode("utf-8", "replace").split("\n")
    return tuple(
        Name(listed[i], DefKind(kind), places[2 * i], places[2 * i + 1], containers[i])
        for i, kind in enumerate(names.kinds)
    )


_BASE = re.compile(r"(\w+)(?=\s*[\[,)\n])")
"""The last part of a base class, `Generic` of `typing.Generic[T]`, in the text of a class's bases."""


def called_names(facts: FileFacts) -> bytes:
    """The last parts of all names that a file calls, launches, registers or hands on, each between newlines.

    The base classes that it names stand among them as `(Base`.
    """
    names = {call.name for call in facts.calls}
    names.update(launch.kernel for launch in facts.launches)
    names.update(registration.target for registration in facts.registrations)
    names.update(reference.name for reference in facts.references)
    tails = {name.rpartition(".")[2].rpartition("::")[2] for name in names}
    tails.update(registration.name for registration in facts.registrations)
    for definition in facts.defs:
        if definition.kind is DefKind.CLASS:
            bases = definition.detail.rpartition("\n")[2] if definition.detail.startswith("@") else definition.detail
            tails.update(f"({name}" for name in _BASE.findall(bases))
    return ("\n" + "\n".join(sorted(tails)) + "\n").encode()


_encoder = msgspec.msgpack.Encoder()
_facts_decoder = msgspec.msgpack.Decoder(FileFacts)
_names_decoder = msgspec.msgpack.Decoder(FileNames)


def encode(value: Record) -> bytes:
    return _encoder.encode(value)


def decode_facts(blob: bytes) -> FileFacts:
    """Raises `msgspec.MsgspecError` when the blob is not of this version."""
    return _facts_decoder.decode(blob)


def decode_names(blob: bytes) -> FileNames:
    """Raises `msgspec.MsgspecError` when the blob is not of this version."""
    return _names_decoder.decode(blob)
