"""The accesses of a Triton kernel as elements of its arguments: `A[row, column] where row < n`.

Loads, stores, atomics, and what block pointers and descriptors move; knows no statements.
"""

from __future__ import annotations

from dataclasses import replace

from kernelscope.explain.pseudocode import CodeWriter, ShapeOf
from kernelscope.kernels.triton.address import Address
from kernelscope.kernels.triton.addressing import Addresses
from kernelscope.kernels.triton.bodies import operation
from kernelscope.kernels.triton.kernel_facts import HelperFacts, KernelFacts
from kernelscope.kernels.triton.offsets import bare
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t

DESCRIBED = {
    "load_tensor_descriptor": ("desc", "at"),
    "store_tensor_descriptor": ("desc", "at", "value"),
    "_experimental_descriptor_load": ("desc", "at", "shape", "dtype"),
    "_experimental_descriptor_store": ("desc", "value", "at"),
}
"""Operations on descriptors that are no methods, and what they are given."""
ATOMICS = {"atomic_add": "+=", "atomic_max": "max=", "atomic_min": "min=", "atomic_or": "|=", "atomic_and": "&="}


class ElementWriter(CodeWriter):
    """Writes what touches memory; addresses are told where they are used."""

    def __init__(self, function: KernelFacts | HelperFacts, shape_of: ShapeOf) -> None:
        super().__init__(function.module.text, function.path, shape_of)
        self.untold: set[str] = set()
        """Names of pointers whose address could not be told where they are used."""
        self.addresses = Addresses(function.node, function.run.values, self.expr)
        self.loops: list[t.For | t.While] = []
        self.found: dict[Span, Address] = {}

    def written(self, call: t.Call) -> str | None:
        """A store or an atomic as an assignment to elements; None for other calls."""
        name = operation(call)
        if is_method(call, "scatter") and len(call.args) == 3 and (rows := self._rows(call, call.args[1:])):
            return f"{rows} = {self.expr(call.args[0])}{self._within(call)[0]}"
        if name in DESCRIBED and name.endswith("store"):
            given = given_to(call, DESCRIBED[name])
            value = given.get("value")
            if value is None or "desc" not in given:
                return None
            return f"{self._described(call, given, value)} = {self.expr(value)}{self._within(call)[0]}"
        if name != "store" and name not in ATOMICS:
            return None
        given = given_to(call, ("pointer", "value", "mask"))
        if is_method(call, name) and isinstance(call.func, t.Attribute):  # of a descriptor
            given = {"pointer": call.func.value, "at": call.args[0], "value": call.args[-1]} if call.args else {}
        pointer, value = given.get("pointer"), given.get("value") or given.get("val")
        if pointer is None or value is None:
            return None
        where = self._where(given.get("mask"))
        atomic = "" if name == "store" else "  atomically"
        element = self._element(call, pointer, given.get("at"))
        where += self._within(call)[0]
        return f"{element} {ATOMICS.get(name, '=')} {self.expr(value)}{where}{atomic}"

    def read(self, node: t.Call) -> str | None:
        """What a load gives as elements; None for other calls."""
        name = operation(node)
        if name == "load":
            return self._loaded(node)
        if is_method(node, "gather") and (rows := self._rows(node, node.args)):
            return rows + "".join(self._within(node))
        if name in DESCRIBED and "desc" in (given := given_to(node, DESCRIBED[name])):
            return self._described(node, given, node) + "".join(self._within(node))
        return None

    def _loaded(self, node: t.Call) -> str | None:
        given = given_to(node, ("pointer", "mask", "other"))
        if is_method(node, "load") and isinstance(node.func, t.Attribute):
            element = self._element(node, node.func.value, node.args[0] if node.args else None)
            return element + "".join(self._within(node))
        pointer = given.get("pointer")
        if pointer is None:
            return None
        other = given.get("other")
        filled = f" else {self.expr(other)}" if other is not None and "mask" in given else ""
        element = self._element(node, pointer, None)
        return element + self._where(given.get("mask")) + filled + "".join(self._within(node))

    def _within(self, call: t.Call) -> tuple[str, str]:
        """Where a block ends at the edges of the data, and what a load gives beyond them: of descriptors at every edge,
        of block pointers at those that are checked."""
        told = self.found.get(call.span)
        if told is None or not told.bounds:
            return "", ""
        keywords = {k.arg: k.value for k in call.keywords}
        checked = keywords.get("boundary_check")
        if isinstance(call.func, t.Attribute) and is_method(call, call.func.attr):
            return f" within ({', '.join(told.bounds)})", " else 0"
        if not isinstance(checked, t.Tuple | t.List):
            return "", ""
        dims = {n.value for n in checked.elts if isinstance(n, t.Constant)}
        ends = [bound if axis in dims else "…" for axis, bound in enumerate(told.bounds)]
        filled = keywords.get("padding_option")
        padding = filled.value if isinstance(filled, t.Constant) else None
        beyond = " else 0" if padding == "zero" else " else nan" if padding == "nan" else ""
        return (f" within ({', '.join(ends)})", beyond) if dims else ("", "")

    def _element(self, call: t.Call, pointer: t.Expr, at: t.Expr | None) -> str:
        if at is not None:
            told = self.addresses.at_offsets(pointer, at, tuple(self.loops))
            if told is not None:
                self.found[call.span] = told
                return told.element()
            inner = ", ".join(map(self.expr, at.elts)) if isinstance(at, t.List | t.Tuple) else self.expr(at)
            return f"{self.tight(pointer)}[{inner}]"
        address = self.addresses.address(pointer, tuple(self.loops))
        if address is None:
            self.untold |= self.addresses.made_of(pointer)
            self.found[call.span] = told = Address(self.tight(pointer), (), is_block=True)
            return told.element()
        self.found[call.span] = address
        return address.element()

    def _rows(self, call: t.Call, at: list[t.Expr]) -> str | None:
        """The rows that a descriptor gathers or scatters, by their numbers, from one column on."""
        if not isinstance(call.func, t.Attribute) or len(at) != 2 or not self.addresses.is_address(call.func.value):
            return None
        told = self.addresses.at_offsets(call.func.value, t.List(at, call.span), tuple(self.loops))
        if told is None:
            return None
        self.found[call.span] = told = replace(told, axes=(("", self.expr(at[0])), *told.axes[1:]))
        return told.element()

    def _described(self, node: t.Call, given: dict[str, t.Expr], block: t.Expr | None) -> str:
        """The part of what a descriptor describes that a call moves: `block` or what a load gives is as large."""
        desc, at = given["desc"], given.get("at")
        if at is None or self.addresses.at_offsets(desc, at, tuple(self.loops)) is not None:
            return self._element(node, desc, at)
        starts = at.elts if isinstance(at, t.List | t.Tuple) else [at]
        sizes = self.addresses.sizes(block) if block is not None else []
        sizes = [f" : +{size}" for size in sizes] if len(sizes) == len(starts) else [""] * len(starts)
        ranges = (self.expr(start) + size for start, size in zip(starts, sizes, strict=True))
        self.found[node.span] = told = Address(self.tight(desc), tuple(("", part) for part in ranges))
        return told.element()

    def _where(self, mask: t.Expr | None) -> str:
        if mask is None or (isinstance(mask, t.Constant) and mask.value is None):
            return ""
        return f" where {self._condition(mask)}"

    def _condition(self, mask: t.Expr) -> str:
        """A mask as a condition on indices."""
        mask = bare(mask)
        if isinstance(mask, t.BinOp) and mask.op in ("&", "|"):
            word = "and" if mask.op == "&" else "or"
            sides = [self._condition(side) for side in (mask.left, mask.right)]
            if word == "and":  # which binds more than the `or` inside it
                sides = [f"({side})" if _is_either(bare(m)) else side
                         for side, m in zip(sides, (mask.left, mask.right), strict=True)]  # fmt: skip
            return f" {word} ".join(sides)
        if isinstance(mask, t.Compare):
            parts = zip(mask.ops, mask.comparators, strict=True)
            return self.expr(bare(mask.left)) + "".join(f" {op} {self.expr(bare(value))}" for op, value in parts)
        return self.tight(mask)


def _is_either(mask: t.Expr) -> bool:
    return isinstance(mask, t.BinOp) and mask.op == "|"


def is_method(call: t.Call, name: str) -> bool:
    """Whether the operation is asked of a value: `desc.load(...)`, not `tl.load(...)`."""
    if not isinstance(call.func, t.Attribute) or call.func.attr != name:
        return False
    owner = t.dotted(call.func.value)
    return owner is None or owner not in ("tl", "triton.language", "gl", "language")


def given_to(call: t.Call, names: tuple[str, ...]) -> dict[str, t.Expr]:
    found = dict(zip(names, call.args, strict=False))
    found |= {k.arg: k.value for k in call.keywords if k.arg is not None}
    return found
