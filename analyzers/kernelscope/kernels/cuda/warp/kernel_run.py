"""One kernel followed from its first line to its last: its accesses, and what its variables hold.

A launch gives sizes of template parameters and of the block; without one they stay names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kernelscope.dims import TooLarge, dim
from kernelscope.kernels.cuda.warp.calls import run_body
from kernelscope.kernels.cuda.warp.definitions import Definitions
from kernelscope.kernels.cuda.warp.machine import Access, Exhausted, Machine, Stride
from kernelscope.kernels.cuda.warp.names import Names
from kernelscope.kernels.cuda.warp.resolution import bind
from kernelscope.kernels.cuda.warp.sectors import WARP
from kernelscope.kernels.cuda.warp.types import INT, Array, Opaque, PointerTo, StructType, Type, TypeParameter, Vector
from kernelscope.kernels.cuda.warp.values import Cell, Int, Memory, Open, Pointer, Record, Symbol, Symbols, Value
from kernelscope.results import Span
from kernelscope.syntax.cuda import tree as t

Shape = tuple[int | None, int | None, int | None]

WARP_SIZE = "warpSize"
TRUTHS = (0, 1)
"""What a parameter that is true or false may be."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a launch says of a kernel: numbers and types of template parameters, the block's shape, arguments.

    A size that is not known is None.
    """

    block: Shape = (None, None, None)
    numbers: Mapping[str, int] = field(default_factory=dict[str, int])
    types: Mapping[str, Type] = field(default_factory=dict[str, Type])
    arguments: Mapping[str, int] = field(default_factory=dict[str, int], compare=False)
    """What is passed for parameters; such numbers are only asked where an answer depends on them."""

    def constants(self) -> dict[str, int]:
        """All names with a number; warps are judged as NVIDIA's."""
        sizes = {f"blockDim.{axis}": n for axis, n in zip("xyz", self.block, strict=True) if n is not None}
        return {WARP_SIZE: WARP, **self.numbers, **sizes}


@dataclass(frozen=True, slots=True)
class Run:
    """What following a kernel told."""

    function: t.Function
    setting: Setting
    accesses: tuple[Access, ...]
    strides: tuple[Stride, ...]
    symbols: Symbols
    variables: Mapping[Span, tuple[str, Value, Type]]
    left: tuple[Span, ...]
    """Where some threads of a block return and others do not."""
    unfollowed: tuple[str, ...]
    """Functions that get pointers and are not at hand."""
    unread: tuple[str, ...]
    """What may reach memory through objects that the launch passes."""
    complete: bool

    @property
    def is_followed(self) -> bool:
        """Whether nothing was left out that may do what the kernel itself does not."""
        return self.complete and not self.unfollowed and not self.unread


def run_kernel(
    definitions: Definitions, function: t.Function, setting: Setting | None = None, for_amd: bool = False
) -> Run:
    """Follow a kernel; one that is too large is followed as far as it goes. Warps of AMD's GPUs have 32 or 64 lanes."""
    setting = setting or Setting()
    m = Machine(definitions, setting.constants())
    if for_amd:
        m.warp_size = m.symbols.shared(WARP_SIZE, Symbol(size=True))
    names = Names(space=function.space)
    _templates(m, function, setting, names)
    for param in function.params:
        _parameter(m, param, names)
    complete = True
    try:
        run_body(m, function.body, names)
    except (Exhausted, TooLarge, RecursionError):
        complete = False
    unfollowed, unread = tuple(m.unfollowed), tuple(m.unread)
    accesses, strides = tuple(m.accesses), tuple(m.strides)
    left = tuple(m.left)
    return Run(function, setting, accesses, strides, m.symbols, m.variables, left, unfollowed, unread, complete)


def _templates(m: Machine, function: t.Function, setting: Setting, names: Names) -> None:
    for param in function.template:
        if param.type is None:
            known = setting.types.get(param.name)
            if known is None and isinstance(param.default, t.TypeName):
                known = m.resolver.type(param.default, names)
            names.types[param.name] = known or TypeParameter(param.name)
        else:
            values = TRUTHS if param.type.base == "bool" else ()
            number = m.symbols.shared(param.name, Symbol(size=True, template=True, values=values))
            bind(names, ((param.name, number),))


def _parameter(m: Machine, param: t.Param, names: Names) -> None:
    kind = m.resolver.type(param.type, names)
    if isinstance(kind, Array):
        kind = PointerTo(kind.element)
    value: Value
    if isinstance(kind, PointerTo):
        value = Pointer(Memory(param.name, "global", kind.target), dim(0), kind.target)
    elif isinstance(kind, StructType | Vector):
        value = Record(kind, {}, param.name, given=True)
    elif kind == INT or getattr(kind, "integer", False):
        values = TRUTHS if param.type.base == "bool" else ()
        value = Int(m.symbols.shared(param.name, Symbol(size=True, values=values)))
    elif isinstance(kind, TypeParameter):
        value = Open(param.name)
    elif isinstance(kind, Opaque):
        value = Open(param.name, given=True)
    else:
        value = m.unknown(kind, param.name, "", Symbol(size=True))
    names.variables[param.name] = Cell(value, kind)
