"""A Triton kernel as pseudocode on named tiles: what it reads, computes and writes, without pointers and hints.

Loads and stores become elements of the arguments, products `@`; the lines of helpers follow in their own blocks.
"""

from __future__ import annotations

from collections.abc import Mapping

from kernelscope.explain.document import Code
from kernelscope.explain.pseudocode import INDENT, MAX_LINE, ShapeOf, wrapped
from kernelscope.explain.triton_elements import ElementWriter, given_to, is_method
from kernelscope.explain.triton_hover import describe, vagueness
from kernelscope.explain.unused_names import Giving, without_unused
from kernelscope.kernels.triton.address import Address
from kernelscope.kernels.triton.bodies import PRODUCTS, operation
from kernelscope.kernels.triton.kernel_facts import HelperFacts, KernelFacts
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t

HINTS = frozenset("multiple_of max_contiguous max_constancy".split())  # noqa: SIM905
SILENT = frozenset("static_assert static_print device_print device_assert assume debug_barrier".split())  # noqa: SIM905
PRECISION = ("input_precision", "allow_tf32", "max_num_imprecise_acc", "out_dtype")
"""How a product is computed, where the author says."""
COMBINING = ("associative_scan", "reduce")
"""Operations that call a helper for pairs of elements."""
PURE = frozenset(
    (
        "arange", "program_id", "num_programs", "cdiv", "where", "minimum", "maximum", "zeros", "full", "to", "cast",
        "trans", "reshape", "view", "broadcast_to", "expand_dims", "multiple_of", "max_contiguous", "max_constancy",
        "min", "max", "range", "int", "len",
    )
)  # fmt: skip
"""Operations that offsets are made with, which do nothing besides."""


Addresses = Mapping[tuple[str, Span], Address]
"""Addresses by the helper that makes the access, empty for the kernel itself, and the place there."""


def all_code(facts: KernelFacts) -> tuple[Code, list[tuple[HelperFacts, Code]], Addresses]:
    """The pseudocode of a kernel and of its helpers, and the addresses of what they load and store."""
    code, found = kernel_code(facts)
    addresses = {("", span): address for span, address in found.items()}
    helpers: list[tuple[HelperFacts, Code]] = []
    for helper in facts.helpers:
        inner, found = kernel_code(helper)
        helpers.append((helper, inner))
        addresses |= {(helper.node.name, span): address for span, address in found.items()}
    return code, helpers, addresses


def kernel_code(function: KernelFacts | HelperFacts) -> tuple[Code, dict[Span, Address]]:
    """The pseudocode of one kernel or helper, and the addresses of its loads and stores by their calls."""
    node, values = function.node, function.run.values
    order = tuple(param.name for param in node.args)

    def shape_of(target: t.Expr) -> str:
        found = values.get(target.span, ()) if isinstance(target, t.Name) else ()
        told = list(dict.fromkeys(describe(value, order) or "" for value in sorted(found, key=vagueness)))
        return f"{told[0]}, others by call" if told[1:] and told[0] else "".join(told[:1])

    kept: frozenset[str] = frozenset()
    while True:
        writer = _KernelWriter(function, shape_of, kept)
        writer.line(0, f"{node.name}({', '.join(param.name for param in node.args)}):", node)
        writer.block(node.body, 1)
        if writer.untold <= kept:
            return Code(without_unused(writer.lines, writer.givings), "python"), writer.found
        kept |= writer.untold  # pointers whose address is not told keep the lines that make them


class _KernelWriter(ElementWriter):
    """Writes the statements of a kernel."""

    def __init__(self, function: KernelFacts | HelperFacts, shape_of: ShapeOf, kept: frozenset[str]) -> None:
        super().__init__(function, shape_of)
        self.helpers = function.run.called
        self.kept = kept
        """Names of pointers whose lines are written."""
        self.givings: list[Giving] = []
        self.told: dict[t.Expr, str] = {}
        """Expressions that were written: indices come back in address after address."""

    def line(self, indent: int, text: str, node: t.Node, comment: str = "") -> None:
        """Long lines go on below, further to the right, the comment behind the last or below it; nothing is cut."""
        first, *more = wrapped(text, MAX_LINE - len(INDENT) * (indent + 2))
        rows = [(indent, first), *((indent + 2, part) for part in more)]
        fits = len(INDENT) * rows[-1][0] + len(rows[-1][1]) + len(f"  # {comment}") <= MAX_LINE
        for number, (depth, part) in enumerate(rows, 1):
            super().line(depth, part, node, comment if fits and number == len(rows) else "")
        if comment and not fits:
            for part in wrapped(comment, MAX_LINE - len(INDENT) * (indent + 2)):
                super().line(indent + 2, f"# {part}", node)

    # -- statements --------------------------------------------------------------------------------------

    def statement(self, node: t.Stmt, indent: int) -> None:
        match node:
            case t.Assign() if all(self._lifted(target) for target in node.targets):
                return
            case t.Assign(targets=[t.Name(id=name)]) if self.expr(node.value) == name:  # a promise to the compiler
                return
            case t.AugAssign() if self._lifted(node.target):
                return
            case t.ExprStmt(value=t.Call() as call) if (written := self.written(call)) is not None:
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
        return (isinstance(value, t.Call) and operation(value) in SILENT | HINTS) or super().silent(value)

    # -- expressions -------------------------------------------------------------------------------------

    def expr(self, node: t.Expr | None) -> str:
        if node is None or isinstance(node, t.Name):
            return super().expr(node)
        if node not in self.told:
            self.told[node] = super().expr(node)
        return self.told[node]

    def call(self, node: t.Call) -> str:
        name = operation(node)
        if name in HINTS and node.args:
            return self.expr(node.args[0])
        if (read := self.read(node)) is not None:
            return read
        if name == "dot" and not is_method(node, name):
            return self._product(node)
        if name == "dot_scaled":
            return self._scaled_product(node)
        if name not in COMBINING and (helper := self.helpers.get(node.span)) is not None and helper.name != name:
            return f"{helper.name}({self.arguments(node)})"
        if name == "arange" and len(node.args) == 2:
            return f"[{self.expr(node.args[0])}..{self.expr(node.args[1])})"
        return super().call(node)

    def attribute(self, node: t.Attribute) -> str:
        return super().attribute(node).removeprefix("math.").removeprefix("libdevice.")

    def arguments(self, node: t.Call) -> str:
        """Pointers that helpers get are told by what they point to; atomic operations access it."""
        if (operation(node) or "").startswith("atomic_") and node.args:
            address = self.addresses.address(node.args[0], tuple(self.loops))
            if address is not None:
                self.found[node.span] = address
        parts = [self._handed(arg) for arg in node.args]
        parts += [f"{k.arg}={self._handed(k.value)}" if k.arg else f"**{self.expr(k.value)}" for k in node.keywords]
        return ", ".join(parts)

    def _handed(self, node: t.Expr) -> str:
        if self.addresses.is_named(node):
            address = self.addresses.address(node, tuple(self.loops))
            if address is not None:
                return f"&{address.element()}"
        return self.expr(node)

    def _product(self, node: t.Call) -> str:
        given = given_to(node, ("input", "other", "acc", "input_precision"))
        if "input" not in given or "other" not in given:
            return super().call(node)
        sides = [
            self.tight(given[name]) + (".T" if _is_set(given.get(flag)) else "")
            for name, flag in (("input", "trans_a"), ("other", "trans_b"))
        ]
        product = " @ ".join(sides)
        told = [f"{name}={self.expr(given[name])}" for name in PRECISION if name in given]
        if told:
            product = f"({product} with {', '.join(told)})"
        return f"{self.tight(given['acc'])} + {product}" if "acc" in given else product

    def _scaled_product(self, node: t.Call) -> str:
        given = given_to(node, ("lhs", "lhs_scale", "lhs_format", "rhs", "rhs_scale", "rhs_format", "acc"))
        if "lhs" not in given or "rhs" not in given:
            return super().call(node)
        sides: list[str] = []
        for side in ("lhs", "rhs"):
            written, scale = given.get(f"{side}_format"), given.get(f"{side}_scale")
            name = str(written.value) if isinstance(written, t.Constant) else self.expr(written) if written else ""
            told = [f"as {name}"] if name else []
            if scale is not None and not (isinstance(scale, t.Constant) and scale.value is None):
                told.append(f"scaled by {self.expr(scale)}")
            sides.append(f"({self.expr(given[side])} {', '.join(told)})" if told else self.tight(given[side]))
        acc = given.get("acc")
        started = acc is not None and not (isinstance(acc, t.Constant) and acc.value is None)
        return f"{self.tight(acc)} + {' @ '.join(sides)}" if started and acc is not None else " @ ".join(sides)

    def tight(self, node: t.Expr) -> str:
        if isinstance(node, t.Call) and operation(node) in ("load", *PRODUCTS):
            return f"({self.expr(node)})"
        return super().tight(node)


def _does_more(value: t.Expr) -> bool:
    """Whether an expression reads or changes memory, or calls what may."""
    calls = (inner for inner in t.walk(value) if isinstance(inner, t.Call))
    return any(operation(call) not in PURE for call in calls)


def _is_set(flag: t.Expr | None) -> bool:
    return isinstance(flag, t.Constant) and flag.value is True
