"""A Triton kernel as pseudocode on named tiles: what it reads, computes and writes, without pointers and hints.

Loads and stores become elements of the arguments, products `@`; the lines of helpers follow in their own blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kernelscope.explain.document import Code
from kernelscope.explain.pseudocode import INDENT, MAX_LINE, CodeWriter, ShapeOf, wrapped
from kernelscope.explain.triton_hover import describe, vagueness
from kernelscope.explain.unused_names import Giving, without_unused
from kernelscope.kernels.triton.addressing import Address, Addresses
from kernelscope.kernels.triton.kernel_facts import HelperFacts, KernelFacts
from kernelscope.kernels.triton.offsets import bare
from kernelscope.kernels.triton.values import Value
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.text import SourceText

HINTS = frozenset("multiple_of max_contiguous max_constancy".split())  # noqa: SIM905
SILENT = frozenset("static_assert static_print device_print device_assert assume debug_barrier".split())  # noqa: SIM905
PRECISION = ("input_precision", "allow_tf32", "max_num_imprecise_acc", "out_dtype")
"""How a product is computed, where the author says."""
PURE = frozenset(
    (
        "arange", "program_id", "num_programs", "cdiv", "where", "minimum", "maximum", "zeros", "full", "to", "cast",
        "trans", "reshape", "view", "broadcast_to", "expand_dims", "multiple_of", "max_contiguous", "max_constancy",
        "min", "max", "range", "int", "len",
    )
)  # fmt: skip
"""Operations that offsets are made with, which do nothing besides."""
ATOMICS = {"atomic_add": "+=", "atomic_max": "max=", "atomic_min": "min=", "atomic_or": "|=", "atomic_and": "&="}


def kernel_code(function: KernelFacts | HelperFacts) -> tuple[Code, dict[Span, Address]]:
    """The pseudocode of one kernel or helper, and the addresses of its loads and stores by their calls."""
    node, text, values = function.node, function.module.text, function.run.values
    order = tuple(param.name for param in node.args)

    def shape_of(target: t.Expr) -> str:
        found = values.get(target.span, ()) if isinstance(target, t.Name) else ()
        told = list(dict.fromkeys(describe(value, order) or "" for value in sorted(found, key=vagueness)))
        return f"{told[0]}, others by call" if told[1:] and told[0] else "".join(told[:1])

    kept: frozenset[str] = frozenset()
    while True:
        writer = _KernelWriter(node, text, function.path, values, shape_of, kept)
        writer.line(0, f"{node.name}({', '.join(param.name for param in node.args)}):", node)
        writer.block(node.body, 1)
        if writer.untold <= kept:
            return Code(without_unused(writer.lines, writer.givings), "python"), writer.found
        kept |= writer.untold  # pointers whose address is not told keep the lines that make them


class _KernelWriter(CodeWriter):
    """Writes the statements of a kernel; addresses are told where they are used."""

    def __init__(
        self,
        function: t.FunctionDef,
        text: SourceText,
        path: Path,
        values: Mapping[Span, tuple[Value, ...]],
        shape_of: ShapeOf,
        kept: frozenset[str],
    ) -> None:
        super().__init__(text, path, shape_of)
        self.kept = kept
        """Names of pointers whose lines are written."""
        self.untold: set[str] = set()
        """Names of pointers whose address could not be told where they are used."""
        self.addresses = Addresses(function, values, self.expr)
        self.loops: list[t.For | t.While] = []
        self.found: dict[Span, Address] = {}
        self.givings: list[Giving] = []
        self.told: dict[t.Expr, str] = {}
        """Expressions that were written: indices come back in address after address."""

    def line(self, indent: int, text: str, node: t.Node, comment: str = "") -> None:
        """Long lines go on below, further to the right, the comment behind the last; nothing is cut."""
        parts = wrapped(text, MAX_LINE - len(INDENT) * (indent + 2))
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            super().line(indent + (2 if number else 0), part, node, comment if last else "")

    # -- statements --------------------------------------------------------------------------------------

    def statement(self, node: t.Stmt, indent: int) -> None:
        match node:
            case t.Assign() if all(self._lifted(target) for target in node.targets):
                return
            case t.Assign(targets=[t.Name(id=name)]) if self.expr(node.value) == name:  # a promise to the compiler
                return
            case t.AugAssign() if self._lifted(node.target):
                return
            case t.ExprStmt(value=t.Call() as call) if (written := self._written(call)) is not None:
                self.line(indent, written, node)
                return
            case t.For() | t.While():
                self.loops.append(node)
                super().statement(node, indent)
                self.loops.pop()
            case (
                t.Assign(targets=[t.Name(id=name)], value=value)
                | t.AnnAssign(target=t.Name(id=name), value=value)
                | (t.AugAssign(target=t.Name(id=name), value=value))
            ) if value is not None and not _does_more(value):
                written = len(self.lines)
                super().statement(node, indent)
                if len(self.lines) > written:
                    self.givings.append(Giving(name, written, len(self.lines) - 1))
            case _:
                super().statement(node, indent)

    def matters(self, body: list[t.Stmt]) -> bool:
        """Branches that only make pointers are lifted away with them."""
        return super().matters([statement for statement in body if not self._only_pointers(statement)])

    def _only_pointers(self, node: t.Stmt) -> bool:
        match node:
            case t.Assign():
                return all(self._lifted(target) for target in node.targets)
            case t.AugAssign():
                return self._lifted(node.target)
            case t.If():
                return all(self._only_pointers(inner) for inner in (*node.body, *node.orelse))
            case _:
                return False

    def _lifted(self, target: t.Expr) -> bool:
        if isinstance(target, t.Tuple | t.List):
            return all(self._lifted(element) for element in target.elts)
        return self.addresses.is_address(target) and not (isinstance(target, t.Name) and target.id in self.kept)

    def silent(self, value: t.Expr) -> bool:
        return (isinstance(value, t.Call) and _operation(value) in SILENT | HINTS) or super().silent(value)

    def _written(self, call: t.Call) -> str | None:
        """A store or an atomic as an assignment to elements; None for other calls."""
        name = _operation(call)
        if name != "store" and name not in ATOMICS:
            return None
        given = _arguments(call, ("pointer", "value", "mask"))
        if _is_method(call, name) and isinstance(call.func, t.Attribute):  # of a descriptor
            given = {"pointer": call.func.value, "at": call.args[0], "value": call.args[-1]} if call.args else {}
        pointer, value = given.get("pointer"), given.get("value") or given.get("val")
        if pointer is None or value is None:
            return None
        where = self._where(given.get("mask"))
        atomic = "" if name == "store" else "  atomically"
        element = self._element(call, pointer, given.get("at"))
        where += self._within(call)[0]
        return f"{element} {ATOMICS.get(name, '=')} {self.expr(value)}{where}{atomic}"

    # -- expressions -------------------------------------------------------------------------------------

    def expr(self, node: t.Expr | None) -> str:
        if node is None or isinstance(node, t.Name):
            return super().expr(node)
        if node not in self.told:
            self.told[node] = super().expr(node)
        return self.told[node]

    def call(self, node: t.Call) -> str:
        name = _operation(node)
        if name in HINTS and node.args:
            return self.expr(node.args[0])
        if name == "load":
            return self._loaded(node)
        if name == "dot" and not _is_method(node, name):
            return self._product(node)
        if name == "arange" and len(node.args) == 2:
            return f"[{self.expr(node.args[0])}..{self.expr(node.args[1])})"
        return super().call(node)

    def attribute(self, node: t.Attribute) -> str:
        return super().attribute(node).removeprefix("math.").removeprefix("libdevice.")

    def _loaded(self, node: t.Call) -> str:
        given = _arguments(node, ("pointer", "mask", "other"))
        if _is_method(node, "load") and isinstance(node.func, t.Attribute):
            element = self._element(node, node.func.value, node.args[0] if node.args else None)
            return element + "".join(self._within(node))
        pointer = given.get("pointer")
        if pointer is None:
            return super().call(node)
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
        if isinstance(call.func, t.Attribute) and _is_method(call, call.func.attr):
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
            return f"*({self.expr(pointer)})"
        self.found[call.span] = address
        return address.element()

    def arguments(self, node: t.Call) -> str:
        """Pointers that helpers get are told by what they point to."""
        parts = [self._handed(arg) for arg in node.args]
        parts += [f"{k.arg}={self._handed(k.value)}" if k.arg else f"**{self.expr(k.value)}" for k in node.keywords]
        return ", ".join(parts)

    def _handed(self, node: t.Expr) -> str:
        if self.addresses.is_named(node):
            address = self.addresses.address(node, tuple(self.loops))
            if address is not None:
                return f"&{address.element()}"
        return self.expr(node)

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

    def _product(self, node: t.Call) -> str:
        given = _arguments(node, ("input", "other", "acc", "input_precision"))
        if "input" not in given or "other" not in given:
            return super().call(node)
        product = f"{self.tight(given['input'])} @ {self.tight(given['other'])}"
        told = [f"{name}={self.expr(given[name])}" for name in PRECISION if name in given]
        if told:
            product = f"({product} with {', '.join(told)})"
        return f"{self.tight(given['acc'])} + {product}" if "acc" in given else product

    def tight(self, node: t.Expr) -> str:
        if isinstance(node, t.Call) and _operation(node) in ("load", "dot"):
            return f"({self.expr(node)})"
        return super().tight(node)


def _does_more(value: t.Expr) -> bool:
    """Whether an expression reads or changes memory, or calls what may."""
    calls = (inner for inner in t.walk(value) if isinstance(inner, t.Call))
    return any(_operation(call) not in PURE for call in calls)


def _is_either(mask: t.Expr) -> bool:
    return isinstance(mask, t.BinOp) and mask.op == "|"


def _operation(call: t.Call) -> str:
    return call.func.attr if isinstance(call.func, t.Attribute) else (t.dotted(call.func) or "")


def _is_method(call: t.Call, name: str) -> bool:
    """Whether the operation is asked of a value: `desc.load(...)`, not `tl.load(...)`."""
    if not isinstance(call.func, t.Attribute) or call.func.attr != name:
        return False
    owner = t.dotted(call.func.value)
    return owner is None or owner not in ("tl", "triton.language", "gl", "language")


def _arguments(call: t.Call, names: tuple[str, ...]) -> dict[str, t.Expr]:
    found = dict(zip(names, call.args, strict=False))
    found |= {k.arg: k.value for k in call.keywords if k.arg is not None}
    return found
