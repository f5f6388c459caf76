"""What one file declares: the plain records that scanning makes, the cache stores and the graph reads.

Offsets are bytes of the file, lines count from 1. Texts are source, cut at `MAX_TEXT`. Nothing here is resolved.
"""

from __future__ import annotations

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


class Record(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Base of all facts: stored as arrays, without field names."""


class Def(Record):
    """A definition; `scope` is the index of the one around it, `detail` its decorators, value or type as text."""

    name: str
    kind: DefKind
    start: int
    end: int
    name_start: int
    line: int
    scope: int = TOP
    detail: str = ""


class Import(Record):
    """`bound` is the name that the statement binds; `name` is None for a whole module, `*` for all names."""

    bound: str
    level: int
    module: str
    name: str | None
    scope: int = TOP


class Call(Record):
    """A call of `name` (dotted or `::`, `?.f` on anything else). `args` is kept where the call may register something."""

    name: str
    start: int
    line: int
    scope: int = TOP
    args: tuple[tuple[str, str], ...] = ()
    """Pairs of keyword (or "") and source text."""


class Launch(Record):
    """`kernel[grid](...)` or `kernel<<<grid, block>>>(...)`, also `cudaLaunchKernelEx(&config, kernel, ...)`."""

    kernel: str
    grid: str
    start: int
    line: int
    scope: int = TOP


class Reference(Record):
    """A function named without being called: `auto launcher = &kernel<float>;` gives `variable` launcher."""

    variable: str
    name: str
    start: int
    line: int
    scope: int = TOP


class Registration(Record):
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


MECHANISMS: dict[str, str] = {
    "define": "an operator's schema: TORCH_LIBRARY def, Library.define",
    "impl": "an implementation of a schema for a dispatch key",
    "custom_op": "schema and implementation in one: torch.library.custom_op, triton_op",
    "fake": "shapes without data: register_fake, impl_abstract, a Meta implementation",
    "pybind": "a C++ function handed to Python: m.def of PYBIND11_MODULE and its like",
    "export": "a C++ function exported by name: TVM FFI, XLA FFI handlers",
}


class FileFacts(Record):
    """Everything a scan finds in one file, in source order."""

    defs: tuple[Def, ...] = ()
    imports: tuple[Import, ...] = ()
    calls: tuple[Call, ...] = ()
    launches: tuple[Launch, ...] = ()
    references: tuple[Reference, ...] = ()
    registrations: tuple[Registration, ...] = ()


class Name(Record):
    """One line of the symbol table."""

    name: str
    kind: DefKind
    line: int
    column: int
    container: str = ""


_encoder = msgspec.msgpack.Encoder()
_facts_decoder = msgspec.msgpack.Decoder(FileFacts)
_names_decoder = msgspec.msgpack.Decoder(tuple[Name, ...])


def encode(value: FileFacts | tuple[Name, ...]) -> bytes:
    return _encoder.encode(value)


def decode_facts(blob: bytes) -> FileFacts:
    """Raises `msgspec.MsgspecError` when the blob is not of this version."""
    return _facts_decoder.decode(blob)


def decode_names(blob: bytes) -> tuple[Name, ...]:
    """Raises `msgspec.MsgspecError` when the blob is not of this version."""
    return _names_decoder.decode(blob)
