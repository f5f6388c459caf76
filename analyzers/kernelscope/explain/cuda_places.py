"""What the names of a CUDA kernel stand for in its pseudocode: pointers into which memory, and index arithmetic.

Values are asked where the kernel was followed; of other names their types and the text that gives them a value tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tree_sitter import Node

from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.intrinsics import effect_of
from kernelscope.kernels.cuda.kernels import KernelFacts
from kernelscope.kernels.cuda.units import Unit
from kernelscope.kernels.cuda.warp.kernel_warp import kernel_warp
from kernelscope.kernels.cuda.warp.values import Int, Pointer
from kernelscope.syntax.cuda.functions import Function
from kernelscope.syntax.cuda.nodes import walk

_INTEGERS = frozenset(
    name for name, size in types.SCALARS.items() if size in (4, 8) and name not in ("float", "double")
)
_INDICES = frozenset(("auto", "dim3", "uint3"))
_CALLED = re.compile(r"\w+(?=\s*\()")
_WORD = re.compile(r"[A-Za-z_]\w*")
_VARIABLE = re.compile(r"(?<![\w.>])[A-Za-z_]\w*")
_THROUGH_ADDRESS = re.compile(r"(?:\A|[-+/%&|^!~?:(,=<>])\s*\*\s*[A-Za-z_(]|\b__ld\w+\s*\(")
_NAME = re.compile(r"(?<![\w.>])[A-Za-z_]\w*(?!\s*\()")
_FRACTION = re.compile(r"(?<![\w.])(?:\d+\.\d*|\.\d+|\d+[eE][-+]?\d+)f?(?!\w)")


class Places:
    """The names of one function: which lead to global or shared memory, and which hold places and counts."""

    def __init__(self, unit: Unit, pointers: Iterable[str], shared: Iterable[str], indices: Iterable[str] = ()) -> None:
        self.unit, self.source = unit, unit.source
        self.pointers, self.shared = set(pointers), set(shared)
        self.indices = set(indices)
        """Variables that hold places and counts, of whatever type they are."""

    @staticmethod
    def of_kernel(facts: KernelFacts) -> Places:
        """What the kernel's own variables always are."""
        pointers = {p.name for p in facts.function.params if types.bare(p.type).endswith(("*", "&"))}
        shared = {array.name for array in (*facts.shared.static, *facts.shared.dynamic)}
        run = kernel_warp(facts).run
        varying = run.symbols.varying_names.keys() if run is not None else ()
        roles: dict[str, set[str]] = {}
        for name, value, _ in run.variables.values() if run is not None else ():
            role = ""
            if isinstance(value, Pointer):
                role = value.memory.space
            elif isinstance(value, Int) and (names := value.d.names()):
                role = "index" if not any(n in varying for n in names) else ""
            roles.setdefault(name, set()).add(role)
        pointers |= {name for name, found in roles.items() if found == {"global"}} - shared
        shared |= {name for name, found in roles.items() if found == {"shared"}} - pointers
        return Places(facts.unit, pointers, shared, {name for name, found in roles.items() if found == {"index"}})

    def of_called(self, unit: Unit, function: Function, arguments: Iterable[str], arrays: Iterable[str]) -> Places:
        """Those of a function that is called with these arguments."""
        inner = Places(unit, (), arrays)
        for parameter, argument in zip(function.params, arguments, strict=False):
            root = _VARIABLE.search(argument)
            if root is not None and root[0] in self.shared:
                inner.shared.add(parameter.name)
            elif root is not None and root[0] in self.pointers:
                inner.pointers.add(parameter.name)
        return inner

    def is_index(self, name: str, type_text: str, value: str, node: Node) -> bool:
        """Integers that are computed from integers only: index arithmetic."""
        plain = types.bare(type_text).removeprefix("constexpr ").strip()
        integral = plain in _INTEGERS or (name in self.indices and plain != "bool")
        if not integral and (plain != "auto" or not self._is_integral(value, node)):
            return False
        if any(effect_of(called) is not None for called in _CALLED.findall(value)):
            return False  # an atomic operation, or a value of another lane
        return not self._loads(value)

    def holds_index(self, name: str, value: str, node: Node) -> bool:
        """Whether a variable is given an index, as it was at first."""
        declared = self.unit.declarations.at(name, node.start_byte)
        if declared is None or not self.is_index(name, declared.type, value, node):
            return False
        return declared.value is None or self.is_index(name, declared.type, declared.value, declared.node)

    def array(self, left: Node) -> str:
        """The array that is written, also by way of a cast: `x` of `((int*)x)[i]`."""
        names = _VARIABLE.findall(self.source.text(left).partition("[")[0])
        return next((name for name in names if name in self.shared or name in self.pointers), names[0] if names else "")

    def movement(self, target: str, right: Node) -> str:
        """`global → shared` where a statement only moves data."""
        names = {self.source.text(n) for n in walk(right) if n.type == "identifier"}
        if target in self.shared and names & self.pointers:
            return "   # global → shared"
        if target in self.pointers and not names & self.pointers:
            return "   # shared → global" if names & self.shared else "   # registers → global"
        return ""

    def _loads(self, value: str) -> bool:
        """Whether an expression reads memory: an element, or what an address leads to."""
        named = [name for name in _WORD.findall(value) if name in self.shared or name in self.pointers]
        if named and _THROUGH_ADDRESS.search(value):
            return True
        return any(re.search(rf"\b{re.escape(name)}\s*\[", value) for name in named)

    def _is_integral(self, value: str, node: Node) -> bool:
        """Whether nothing that an expression names tells of another type than an integer's."""
        if _FRACTION.search(value):
            return False
        found = (self.unit.declarations.at(name, node.start_byte) for name in set(_NAME.findall(value)))
        plain = (types.bare(one.type).removeprefix("constexpr ").strip() for one in found if one is not None)
        return all(kind in _INTEGERS or kind in _INDICES for kind in plain)
