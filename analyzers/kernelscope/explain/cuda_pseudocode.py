"""Pseudocode of a CUDA kernel: copies, barriers and arithmetic by line, long indices lifted away.

Says what the statements say in other words; each line leads to the statement it stands for. Index arithmetic stays as
far as another line names what it gives.
"""

from __future__ import annotations

import re
from pathlib import Path

from tree_sitter import Node

from kernelscope.explain.cuda_expressions import assigned, bounds_text, broken, short
from kernelscope.explain.document import Code, Line
from kernelscope.explain.unused_names import Giving, without_unused
from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.intrinsics import Kind, effect_of, ptx_effects
from kernelscope.kernels.cuda.kernels import KernelFacts
from kernelscope.kernels.cuda.shared_memory import SharedArray
from kernelscope.kernels.cuda.units import Unit
from kernelscope.kernels.cuda.warp.kernel_warp import kernel_warp
from kernelscope.kernels.cuda.warp.values import Int, Pointer
from kernelscope.syntax.cuda.functions import Function
from kernelscope.syntax.cuda.nodes import one_line, walk
from kernelscope.syntax.cuda.source import LOOPS

MAX_LINES = 160
MAX_TEXT = 84
LEAST_ROOM = 40
"""Characters a deeply nested line has at least."""
_NO_BREAK = "\u00a0"
MAX_WRITTEN_OUT = 3
"""Functions in one another that are written out where they are called."""
_INTEGERS = frozenset(
    name for name, size in types.SCALARS.items() if size in (4, 8) and name not in ("float", "double")
)
_CALLED = re.compile(r"\w+(?=\s*\()")
_WORD = re.compile(r"[A-Za-z_]\w*")
_VARIABLE = re.compile(r"(?<![\w.>])[A-Za-z_]\w*")
_THROUGH_ADDRESS = re.compile(r"(?:\A|[-+/%&|^!~?:(,=<>])\s*\*\s*[A-Za-z_(]|\b__ld\w+\s*\(")
_NAME = re.compile(r"(?<![\w.>])[A-Za-z_]\w*(?!\s*\()")
_FRACTION = re.compile(r"(?<![\w.])(?:\d+\.\d*|\.\d+|\d+[eE][-+]?\d+)f?(?!\w)")
_INDICES = frozenset(("auto", "dim3", "uint3"))
_COMPARED = re.compile(r"\s*(\w+)\s*(<=|<)\s*(.+)\Z", re.DOTALL)
_STEP = re.compile(r"\s*(?:(?:\+\+\s*(\w+)|(\w+)\s*\+\+)|(\w+)\s*\+=\s*(.+))\s*\Z", re.DOTALL)


def kernel_code(facts: KernelFacts) -> Code:
    """The pseudocode of a kernel's body."""
    writer = _Writer(facts, facts.unit)
    writer.place_variables()
    writer.block(facts.function.body, 0)
    lines = without_unused(writer.lines, writer.givings)
    if len(lines) > MAX_LINES:
        lines = (*lines[:MAX_LINES], Line(f"… {len(lines) - MAX_LINES} lines more"))
    return Code(lines, "text")


class _Writer:
    def __init__(self, facts: KernelFacts, unit: Unit, caller: _Writer | None = None) -> None:
        self.facts = facts
        self.unit, self.source = unit, unit.source
        self.path = Path(unit.path)
        self.lines: list[Line] = caller.lines if caller is not None else []
        self.givings: list[Giving] = caller.givings if caller is not None else []
        self.inside: tuple[Function, ...] = caller.inside if caller is not None else ()
        """Functions that are being written out in the place of calls."""
        self.arrays = (*facts.shared.static, *facts.shared.dynamic)
        self.shared = {array.name for array in self.arrays}
        self.pointers: set[str] = set()
        self.indices: set[str] = set()
        """Variables that hold places and counts, of whatever type they are."""

    def place_variables(self) -> None:
        """What the kernel's own variables always are: pointers into global or shared memory, or indices."""
        facts = self.facts
        self.pointers |= {p.name for p in facts.function.params if types.bare(p.type).endswith(("*", "&"))}
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
        self.pointers |= {name for name, found in roles.items() if found == {"global"}} - self.shared
        self.shared |= {name for name, found in roles.items() if found == {"shared"}} - self.pointers
        self.indices |= {name for name, found in roles.items() if found == {"index"}}

    def block(self, node: Node, depth: int) -> None:
        for child in node.named_children:
            self.statement(child, depth)

    def _say(self, text: str, node: Node, depth: int, note: str = "") -> None:
        indent = "    " * depth
        kept = note.replace(" ", _NO_BREAK)
        parts = broken(text + kept, max(LEAST_ROOM, MAX_TEXT - len(indent)))
        first, *more = (part.replace(_NO_BREAK, " ") for part in parts)
        self.lines.append(Line(indent + first, self.source.source.location(self.path, self.source.span(node))))
        self.lines += [Line(f"{indent}        {rest}") for rest in more]

    def statement(self, node: Node, depth: int) -> None:
        match node.type:
            case "compound_statement":
                self.block(node, depth)
            case "declaration":
                self._declaration(node, depth)
            case "expression_statement":
                for child in node.named_children:
                    self._expression(child, depth)
            case "for_statement":
                self._for(node, depth)
            case "while_statement" | "do_statement":
                condition = node.child_by_field_name("condition")
                self._say(f"while {self._text(condition)}:", node, depth)
                self._body(node, depth)
            case "if_statement":
                self._if(node, depth)
            case "return_statement":
                self._say(one_line(self.source.text(node)).rstrip(";"), node, depth)
            case "comment" | "preproc_call" | "using_declaration" | "alias_declaration" | "namespace_alias_definition":
                return
            case "struct_specifier" | "class_specifier" | "static_assert_declaration":
                return
            case "break_statement" | "continue_statement":
                self._say(self.source.text(node).rstrip("; "), node, depth)
            case _:
                self._say(self._text(node), node, depth)

    def _body(self, node: Node, depth: int) -> None:
        body = node.child_by_field_name("body") or node.child_by_field_name("consequence")
        before = len(self.lines)
        if body is not None:
            self.statement(body, depth + 1)
        if len(self.lines) == before:
            self.lines.pop()

    def _if(self, node: Node, depth: int, word: str = "if") -> None:
        condition = node.child_by_field_name("condition")
        text = self._text(condition)
        self._say(f"{word} {text[1:-1] if text.startswith('(') and text.endswith(')') else text}:", node, depth)
        consequence, alternative = node.child_by_field_name("consequence"), node.child_by_field_name("alternative")
        self._body_of(consequence, depth)
        if alternative is not None:
            inner = next(iter(alternative.named_children), None)
            if inner is not None and inner.type == "if_statement":
                self._if(inner, depth, "else if")
            elif inner is not None:
                self._say("else:", alternative, depth)
                self._body_of(inner, depth)

    def _body_of(self, body: Node | None, depth: int) -> None:
        before = len(self.lines)
        if body is not None:
            self.statement(body, depth + 1)
        if len(self.lines) == before:
            self.lines.pop()

    def _for(self, node: Node, depth: int) -> None:
        initial, condition, step = (node.child_by_field_name(n) for n in ("initializer", "condition", "update"))
        begin = self._text(initial).rstrip(";") if initial is not None else ""
        name, _, start = begin.rpartition(" ")[2].partition("=") if "=" not in begin else assigned(begin)
        bound = _COMPARED.match(self.source.text(condition)) if condition is not None else None
        taken = _STEP.match(self.source.text(step)) if step is not None else None
        if bound is not None and taken is not None and bound[1] == name:
            stride = taken[4].strip() if taken[4] else "1"
            closed = " (inclusive)" if bound[2] == "<=" else ""
            by = f" step {stride}" if stride != "1" else ""
            text = f"for {name} in {start.strip()} .. {one_line(bound[3])}{closed}{by}:"
        else:
            parts = [self._text(part) if part is not None else "" for part in (initial, condition, step)]
            text = f"for {'; '.join(part.rstrip(';') for part in parts)}:"
        self._say(text, node, depth)
        self._body(node, depth)

    # -- what is moved and computed -------------------------------------------------------------------------

    def _declaration(self, node: Node, depth: int) -> None:
        declared = list(self.unit.declarations.within(node))
        for one in declared:
            if "__shared__" in one.words:
                size = next((array for array in self.arrays if self._is_declared(array, one.name, node)), None)
                bytes_text = f"   {size.size} B" if size is not None and size.size is not None else ""
                declared_text = f"{types.bare(one.type)}{bounds_text(one.bounds)}"
                self._say(f"shared {one.name}: {declared_text}{bytes_text}", node, depth)
            elif one.bounds:
                start = f" = {one.value}" if one.value is not None and len(one.value) < 12 else ""
                self._say(f"registers {one.name}: {types.bare(one.type)}{bounds_text(one.bounds)}{start}", node, depth)
            elif one.value is not None:
                first = len(self.lines)
                self._say(self._assignment(one.name, one.value), node, depth)
                if self._is_index(one.name, one.type, one.value, node):
                    self._gives(one.name, first)

    def _is_declared(self, array: SharedArray, name: str, node: Node) -> bool:
        """Whether a declaration is that of a shared array; others in other functions may have its name."""
        span = self.source.span(node)
        return array.name == name and array.path == self.unit.path and span.start <= array.span.start < span.end

    def _gives(self, name: str, first: int) -> None:
        """The lines from one on are of use to nobody unless another one names what they give."""
        self.givings.append(Giving(name, first, len(self.lines) - 1))

    def _is_index(self, name: str, type_text: str, value: str, node: Node) -> bool:
        """Integers that are computed from integers only: index arithmetic."""
        plain = types.bare(type_text).removeprefix("constexpr ").strip()
        integral = plain in _INTEGERS or (name in self.indices and plain != "bool")
        if not integral and (plain != "auto" or not self._is_integral(value, node)):
            return False
        if any(effect_of(called) is not None for called in _CALLED.findall(value)):
            return False  # an atomic operation, or a value of another lane
        return not self._loads(value)

    def _loads(self, value: str) -> bool:
        """Whether an expression reads memory: an element, or what an address leads to."""
        named = [name for name in _WORD.findall(value) if name in self.shared or name in self.pointers]
        if named and _THROUGH_ADDRESS.search(value):
            return True
        return any(re.search(rf"\b{re.escape(name)}\s*\[", value) for name in named)

    def _expression(self, node: Node, depth: int) -> None:
        if node.type == "assignment_expression":
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            operator = node.child_by_field_name("operator")
            if left is not None and right is not None and operator is not None:
                self._assign(node, left, right, self.source.text(operator), depth)
            return
        if node.type == "call_expression":
            callee = node.child_by_field_name("function")
            effect = effect_of(self.source.text(callee)) if callee is not None else None
            if effect is not None and effect.kind is Kind.BARRIER:
                whom = (
                    "for all threads of the block"
                    if effect.text.startswith("__syncthreads")
                    else f"at {self._text(node)}"
                )
                self._say(f"── wait {whom} ──", node, depth)
                return
            if effect is not None and effect.kind is Kind.WARP_BARRIER:
                self._say("── wait for the warp ──", node, depth)
                return
            if effect is None and callee is not None and self._written_out(node, callee, depth):
                return
        if node.type == "gnu_asm_expression":
            effects = ptx_effects(self.source.text(node))
            self._say(f"PTX: {', '.join(e.text for e in effects) or 'inline assembly'}", node, depth)
            return
        if node.type == "update_expression":
            operand = node.child_by_field_name("argument")
            if operand is not None and operand.type == "subscript_expression":
                self._say(self._text(node), node, depth)  # a count in an array; of a variable alone it is a step
            return
        self._say(self._text(node), node, depth)

    def _written_out(self, node: Node, callee: Node, depth: int) -> bool:
        """A call of a function that works through memory itself, with the function's body in its place."""
        name = self.source.text(callee).partition("<")[0].rpartition("::")[2].strip()
        found = {
            (one.unit.path, one.function.body.start_byte): one
            for one in self.facts.behaviour.reached[1:]
            if one.function.name == name and not one.function.owner
        }
        if len(found) != 1 or len(self.inside) >= MAX_WRITTEN_OUT or len(self.lines) >= MAX_LINES:
            return False
        (helper,) = found.values()
        alone = node.parent is not None and _is_alone(node.parent)
        if helper.function in self.inside or not (alone or _works(helper.function.body)):
            return False
        given = node.child_by_field_name("arguments")
        arguments = [self.source.text(a) for a in given.named_children if a.type != "comment"] if given else []
        inner = _Writer(self.facts, helper.unit, self)
        inner.inside = (*self.inside, helper.function)
        for parameter, argument in zip(helper.function.params, arguments, strict=False):
            root = _VARIABLE.search(argument)
            if root is not None and root[0] in self.shared:
                inner.shared.add(parameter.name)
            elif root is not None and root[0] in self.pointers:
                inner.pointers.add(parameter.name)
        before = len(self.lines)
        self._say(f"{name}({short(', '.join(arguments))}):", node, depth)
        head = len(self.lines)
        inner.block(helper.function.body, depth + 1)
        if len(self.lines) == head:
            del self.lines[before:]
            return False
        return True

    def _assign(self, node: Node, left: Node, right: Node, operator: str, depth: int) -> None:
        name = self.source.text(left)
        if left.type == "identifier" and operator == "+=" and name in self.pointers:
            self._say(f"advance {name} by {self._text(right)}", node, depth)
            return
        target, value = self._array(left), self.source.text(right)
        if operator == "=":
            how, first = self._movement(target, right), len(self.lines)
            self._say(self._assignment(short(self.source.text(left)), value), node, depth, how)
            if left.type == "identifier" and self._holds_index(name, value, node):
                self._gives(name, first)
        else:
            self._say(f"{short(name)} {operator} {short(value)}", node, depth)

    def _array(self, left: Node) -> str:
        """The array that is written, also by way of a cast: `x` of `((int*)x)[i]`."""
        names = _VARIABLE.findall(self.source.text(left).partition("[")[0])
        return next((name for name in names if name in self.shared or name in self.pointers), names[0] if names else "")

    def _is_integral(self, value: str, node: Node) -> bool:
        """Whether nothing that an expression names tells of another type than an integer's."""
        if _FRACTION.search(value):
            return False
        found = (self.unit.declarations.at(name, node.start_byte) for name in set(_NAME.findall(value)))
        plain = (types.bare(one.type).removeprefix("constexpr ").strip() for one in found if one is not None)
        return all(kind in _INTEGERS or kind in _INDICES for kind in plain)

    def _holds_index(self, name: str, value: str, node: Node) -> bool:
        """Whether a variable is given an index, as it was at first."""
        declared = self.unit.declarations.at(name, node.start_byte)
        if declared is None or not self._is_index(name, declared.type, value, node):
            return False
        return declared.value is None or self._is_index(name, declared.type, declared.value, declared.node)

    def _movement(self, target: str, right: Node) -> str:
        """`global → shared` where a statement only moves data."""
        names = {self.source.text(n) for n in walk(right) if n.type == "identifier"}
        if target in self.shared and names & self.pointers:
            return "   # global → shared"
        if target in self.pointers and not names & self.pointers:
            return "   # shared → global" if names & self.shared else "   # registers → global"
        return ""

    def _assignment(self, target: str, value: str) -> str:
        return f"{target} ← {short(value)}"

    def _text(self, node: Node | None) -> str:
        return short(self.source.text(node)) if node is not None else ""


def _is_alone(node: Node) -> bool:
    """Whether a statement is all that a body has."""
    body = node.parent
    return body is not None and sum(child.type != "comment" for child in body.named_children) == 1


def _works(body: Node) -> bool:
    """Whether a function goes through something in a loop, other than by instructions of its own alone."""
    return any(node.type in LOOPS for node in walk(body))
