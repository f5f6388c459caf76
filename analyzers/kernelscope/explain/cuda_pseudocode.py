"""Pseudocode of a CUDA kernel: copies, barriers and arithmetic by line, long indices lifted away.

Says what the statements say in other words; each line leads to the statement it stands for. Index arithmetic stays as
far as another line names what it gives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tree_sitter import Node

from kernelscope.explain.cuda_expressions import as_written, assigned, bounds_text, broken, copied, short
from kernelscope.explain.cuda_places import Places
from kernelscope.explain.document import Code, Line
from kernelscope.explain.unused_names import Giving, without_unused
from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.intrinsics import Effect, Kind, effect_of, first_instruction, ptx_effects
from kernelscope.kernels.cuda.kernels import KernelFacts
from kernelscope.kernels.cuda.shared_memory import SharedArray
from kernelscope.results import Location
from kernelscope.syntax.cuda.declarations import Declaration
from kernelscope.syntax.cuda.functions import Function
from kernelscope.syntax.cuda.nodes import one_line, walk
from kernelscope.syntax.cuda.source import LOOPS

MAX_LINES = 600
MAX_LEVELS = 80
"""Statements in one another."""
_WAITED_FOR = {
    "block": "for all threads of the block",
    "grid": "for all blocks of the grid",
    "cluster": "for all blocks of the cluster",
}
ROOM_FOR_FUNCTIONS = 160
"""Lines after which no more functions are written out where they are called."""
MAX_TEXT = 90
LEAST_ROOM = 40
"""Characters a deeply nested line has at least."""
_NO_BREAK = "\u00a0"
MAX_WRITTEN_OUT = 3
MAX_OPERANDS = 12
"""Functions in one another that are written out where they are called."""
_COMPARED = re.compile(r"\s*(\w+)\s*(<=|<)\s*(.+)\Z", re.DOTALL)
_STEP = re.compile(r"\s*(?:(?:\+\+\s*(\w+)|(\w+)\s*\+\+)|(\w+)\s*\+=\s*(.+))\s*\Z", re.DOTALL)
_COUNTS = re.compile(r"(\w+)\s*(\+\+|--)|(\+\+|--)\s*(\w+)")
_CHANGES = re.compile(r"(\w+)\s*(\+|-|\*|/|<<|>>)=\s*(.+)", re.DOTALL)
_MAY_BE_LAMBDA = re.compile(r"\[[^\[\]]*\]\s*(?:[({]|mutable\b|<\s*(?:typename|class|auto|int|bool)\b)")
"""A capture list and what may follow it; also an element that is called, so that the tree has the last word."""
_SILENT = frozenset(
    ("comment", "preproc_call", "using_declaration", "alias_declaration", "namespace_alias_definition",
     "struct_specifier", "class_specifier", "union_specifier", "enum_specifier",
     "type_definition", "static_assert_declaration")
)  # fmt: skip


def kernel_code(facts: KernelFacts) -> Code:
    """The pseudocode of a kernel's body."""
    writer = _Writer(facts, Places.of_kernel(facts))
    writer.block(facts.function.body, 0)
    lines = without_unused(writer.lines, writer.givings)
    if len(lines) > MAX_LINES:
        lines = (*lines[:MAX_LINES], Line(f"… {len(lines) - MAX_LINES} lines more"))
    return Code(lines, "text")


class _Writer:
    def __init__(self, facts: KernelFacts, places: Places, caller: _Writer | None = None) -> None:
        self.facts, self.places = facts, places
        self.unit, self.source = places.unit, places.source
        self.path = Path(places.unit.path)
        self.lines: list[Line] = caller.lines if caller is not None else []
        self.givings: list[Giving] = caller.givings if caller is not None else []
        self.inside: tuple[Function, ...] = caller.inside if caller is not None else ()
        """Functions that are being written out in the place of calls."""
        self.written: dict[tuple[str, int], int] = caller.written if caller is not None else {}
        """By function: the line of the first call where its body stands."""
        self.barriers: dict[Location, Effect] = caller.barriers if caller is not None else _barriers(facts)
        self.arrays = (*facts.shared.static, *facts.shared.dynamic)
        self.level: int = caller.level if caller is not None else 0

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
        if self.level >= MAX_LEVELS:
            self._say("… (nested deeper than is told here)", node, depth)
            return
        self.level += 1
        self._statement(node, depth)
        self.level -= 1

    def _statement(self, node: Node, depth: int) -> None:
        match node.type:
            case kind if kind in _SILENT:
                return
            case "compound_statement":
                self.block(node, depth)
            case "declaration":
                self._declaration(node, depth)
            case "expression_statement":
                for child in node.named_children:
                    self._expression(child, depth)
            case "for_statement":
                self._for(node, depth)
            case "for_range_loop":
                self._for_each(node, depth)
            case "while_statement":
                self._while(node, depth)
            case "do_statement":
                self._do(node, depth)
            case "if_statement":
                self._if(node, depth)
            case "switch_statement":
                self._say(f"switch {self._condition(node)}:", node, depth)
                self._below(node.child_by_field_name("body"), depth)
            case "case_statement":
                self._case(node, depth)
            case "labeled_statement":
                label, *rest = node.named_children
                self._say(f"{self.source.text(label)}:", node, depth)
                for child in rest:
                    self.statement(child, depth)
            case "return_statement":
                value = next((child for child in node.named_children if child.type != "comment"), None)
                self._say(f"return {self._told(value, depth)}" if value is not None else "return", node, depth)
            case _:
                self._say(self._text(node).rstrip("; "), node, depth)

    # -- what decides and repeats ---------------------------------------------------------------------------

    def _below(self, body: Node | None, depth: int) -> bool:
        """A body under the line that was written last, which goes where nothing is in it; whether anything is."""
        before = len(self.lines)
        if body is not None:
            self.statement(body, depth + 1)
        if len(self.lines) == before:
            self.lines.pop()
        return len(self.lines) > before

    def _condition(self, node: Node) -> str:
        text = self._text(node.child_by_field_name("condition"))
        return text[1:-1] if text.startswith("(") and text.endswith(")") else text

    def _if(self, node: Node, depth: int) -> None:
        word, inner = "if", node
        while inner is not None and inner.type == "if_statement":
            self._say(f"{word} {self._condition(inner)}:", inner, depth)
            self._below(inner.child_by_field_name("consequence"), depth)
            alternative = inner.child_by_field_name("alternative")
            word, inner = "else if", next(iter(alternative.named_children), None) if alternative is not None else None
            if inner is not None and alternative is not None and inner.type != "if_statement":
                self._say("else:", alternative, depth)
                self._below(inner, depth)

    def _case(self, node: Node, depth: int) -> None:
        value = node.child_by_field_name("value")
        self._say(f"case {self._text(value)}:" if value is not None else "default:", node, depth)
        for child in node.named_children:
            if child != value:
                self.statement(child, depth + 1)

    def _while(self, node: Node, depth: int) -> None:
        condition = self._condition(node)
        self._say(f"while {condition}:", node, depth)
        if not self._below(node.child_by_field_name("body"), depth) and "(" in condition:
            self._say(f"wait while {condition}", node, depth)

    def _do(self, node: Node, depth: int) -> None:
        self._say("do:", node, depth)
        condition = node.child_by_field_name("condition") or node
        filled = self._below(node.child_by_field_name("body"), depth)
        self._say(f"{'' if filled else 'wait '}while {self._condition(node)}", condition, depth)

    def _for(self, node: Node, depth: int) -> None:
        initial, condition, step = (node.child_by_field_name(n) for n in ("initializer", "condition", "update"))
        begin = self._text(initial).rstrip(";") if initial is not None else ""
        name, _, start = begin.rpartition(" ")[2].partition("=") if "=" not in begin else assigned(begin)
        made = (
            [child for child in initial.named_children if child.type == "init_declarator"]
            if initial is not None
            else []
        )
        if len(made) > 1:  # `int i = first, step = size`: what the loop goes by is told before it
            name, start = (self._text(made[0].child_by_field_name(part)) for part in ("declarator", "value"))
        bound = _COMPARED.match(self.source.text(condition)) if condition is not None else None
        taken = _STEP.match(self.source.text(step)) if step is not None else None
        if bound is not None and taken is not None and bound[1] == name:
            for other in made[1:]:
                self._declaration(other, depth)
            stride = taken[4].strip() if taken[4] else "1"
            closed = " (inclusive)" if bound[2] == "<=" else ""
            by = f" step {stride}" if stride != "1" else ""
            text = f"for {name} in {start.strip()} .. {one_line(bound[3])}{closed}{by}:"
        elif (
            condition is not None
            and step is not None
            and name
            and start.strip()
            and (by := _by(self._text(step), name))
        ):
            for other in made[1:]:
                self._declaration(other, depth)
            text = f"for {name} from {start.strip()} by {by} while {self._text(condition)}:"
        else:
            parts = [self._text(part) if part is not None else "" for part in (initial, condition, step)]
            text = f"for {'; '.join(part.rstrip(';') for part in parts)}:"
        self._say(text, node, depth)
        self._below(node.child_by_field_name("body"), depth)

    def _for_each(self, node: Node, depth: int) -> None:
        name = self._text(node.child_by_field_name("declarator")).lstrip("&* ")
        self._say(f"for {name} in {self._text(node.child_by_field_name('right'))}:", node, depth)
        self._below(node.child_by_field_name("body"), depth)

    # -- functions within the kernel ------------------------------------------------------------------------

    def _told(self, node: Node, depth: int) -> str:
        """An expression; the lambdas in it that are more than a value are written before, under a name."""
        text = one_line(as_written(self.source, node))
        for function in self._lambdas(node):
            text = text.replace(one_line(as_written(self.source, function)), self._named(function, depth), 1)
        return short(text)

    def _named(self, function: Node, depth: int) -> str:
        """What stands for a lambda where it is used."""
        parameters = self._parameters(function)
        value = self._sole_value(function)
        if value is not None:
            return f"({parameters} → {short(self.source.text(value))})"
        name = f"the function of L{self.source.source.location(self.path, self.source.span(function)).line}"
        self._define(name, function, depth)
        return name

    def _define(self, name: str, function: Node, depth: int) -> None:
        value = self._sole_value(function)
        head = f"define {name}({self._parameters(function)})"
        if value is not None:
            self._say(f"{head} = {short(self.source.text(value))}", function, depth)
            return
        self._say(f"{head}:", function, depth)
        body = function.child_by_field_name("body")
        if body is not None:
            before = len(self.lines)
            self.statement(body, depth + 1)
            if len(self.lines) == before:
                self._say("nothing", function, depth + 1)

    def _parameters(self, function: Node) -> str:
        declarator = function.child_by_field_name("declarator")
        found = declarator.child_by_field_name("parameters") if declarator is not None else None
        return one_line(self.source.text(found))[1:-1].strip() if found is not None else ""

    def _lambdas(self, node: Node) -> Iterator[Node]:
        """The lambdas in a node that are in no other one."""
        if node.type == "lambda_expression":
            yield node
        elif _MAY_BE_LAMBDA.search(self.source.text(node)):
            for child in node.named_children:
                yield from self._lambdas(child)

    def _sole_value(self, function: Node) -> Node | None:
        """The expression that a lambda gives back, where that is all it does."""
        body = function.child_by_field_name("body")
        inner = [child for child in body.named_children if child.type != "comment"] if body is not None else []
        if len(inner) != 1 or inner[0].type != "return_statement":
            return None
        return next((child for child in inner[0].named_children if child.type != "comment"), None)

    # -- what is moved and computed -------------------------------------------------------------------------

    def _declaration(self, node: Node, depth: int) -> None:
        functions = list(self._lambdas(node))
        for one in self.unit.declarations.within(node):
            if not any(f.start_byte <= one.node.start_byte < f.end_byte for f in functions):
                self._declared(one, node, depth)

    def _declared(self, one: Declaration, node: Node, depth: int) -> None:
        declarator = one.node.parent
        if declarator is not None and declarator.type == "structured_binding_declarator":
            names = [self.source.text(name) for name in declarator.named_children]
            if one.name == names[0] and one.value is not None:
                self._say(self._assignment(", ".join(names), one.value), node, depth)
            return
        kind = f"{types.bare(one.type)}{'*' if one.pointer else ''}"
        if "__shared__" in one.words:
            size = next((array for array in self.arrays if self._is_declared(array, one.name, node)), None)
            bytes_text = f"   {size.size} B" if size is not None and size.size is not None else ""
            self._say(f"shared {one.name}: {kind}{bounds_text(one.bounds)}{bytes_text}", node, depth)
        elif one.bounds:
            value = _value_of(one.node)
            given = self._told(value, depth) if value is not None else one.value
            start = f" = {given if len(given) <= 2 * MAX_TEXT else '{…}'}" if given is not None else ""
            self._say(f"registers {one.name}: {kind}{bounds_text(one.bounds)}{start}", node, depth)
        elif one.value is not None:
            value = _value_of(one.node)
            if value is not None and value.type == "lambda_expression":
                self._define(one.name, value, depth)
                return
            text = self._told(value, depth) if value is not None else short(one.value)
            first = len(self.lines)
            self._say(f"{one.name} ← {text}", node, depth)
            if self.places.is_index(one.name, one.type, one.value, node):
                self._gives(one.name, first)

        elif one.arguments:
            self._say(f"{one.name} ← {kind}({short(one.arguments)})", node, depth)

    def _is_declared(self, array: SharedArray, name: str, node: Node) -> bool:
        """Whether a declaration is that of a shared array; others in other functions may have its name."""
        span = self.source.span(node)
        return array.name == name and array.path == self.unit.path and span.start <= array.span.start < span.end

    def _gives(self, name: str, first: int) -> None:
        """The lines from one on are of use to nobody unless another one names what they give."""
        self.givings.append(Giving(name, first, len(self.lines) - 1))

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
            if callee is not None and (self._waits(node, callee, depth) or self._copies(node, callee, depth)):
                return
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
            self._say(f"PTX: {self._instructions(node)}", node, depth)
            return
        if node.type == "update_expression":
            self._step(node, depth)
            return
        self._say(self._told(node, depth), node, depth)

    def _waits(self, node: Node, callee: Node, depth: int) -> bool:
        """Waiting by a method, `block.sync()` or `barrier.arrive_and_wait()`: for whom, or at what."""
        base = callee.child_by_field_name("argument") if callee.type == "field_expression" else None
        place = self.source.source.location(self.path, self.source.span(node))
        effect = self.barriers.get(place) if base is not None else None
        if effect is None or base is None:
            return False
        whom = next((who for group, who in _WAITED_FOR.items() if effect.text.startswith(f"{group}.")), "")
        self._say(f"── wait {whom or f'at {self._text(base)}'} ──", node, depth)
        return True

    def _copies(self, node: Node, callee: Node, depth: int) -> bool:
        """An asynchronous copy, as what goes where."""
        given = node.child_by_field_name("arguments")
        arguments = [self.source.text(a) for a in given.named_children if a.type != "comment"] if given else []
        moved = copied(one_line(self.source.text(callee)), arguments)
        if moved is None:
            return False
        target, source, size, sign = (short(text) for text in moved)
        ends = f", its end told to {sign}" if sign else ""
        self._say(f"{target} ← {source}, {size}{_NO_BREAK}B", node, depth, f"   # copied meanwhile{ends}")
        return True

    def _instructions(self, node: Node) -> str:
        """The instructions of inline assembly with their operands: `mma.sync m16n8k16 d0, d1 ← a0, a1, b0`."""
        told = ", ".join(effect.text for effect in ptx_effects(self.source.text(node)))
        if not told:
            code = node.child_by_field_name("assembly_code")
            told = first_instruction(self.source.text(code) if code is not None else "") or "inline assembly"
        outputs, inputs = self._operands(node, "output_operands"), self._operands(node, "input_operands")
        return f"{told}{f' {outputs} ←' if outputs else ''}{f' {inputs}' if inputs else ''}"

    def _operands(self, node: Node, which: str) -> str:
        """What inline assembly is given or gives; of many only the first and the last."""
        operands = node.child_by_field_name(which)
        values = [part.child_by_field_name("value") for part in operands.named_children] if operands is not None else []
        told = [self._text(value) for value in values if value is not None]
        return ", ".join(told if len(told) <= MAX_OPERANDS else [*told[:2], "…", told[-1]])

    def _step(self, node: Node, depth: int) -> None:
        """`x++` as what it does to `x`."""
        operand, operator = node.child_by_field_name("argument"), node.child_by_field_name("operator")
        if operand is None or operator is None:
            return
        name, first = self._text(operand), len(self.lines)
        self._say(f"{name} {self.source.text(operator)[0]}= 1", node, depth)
        if operand.type == "identifier" and name not in self.places.pointers:
            self._gives(name, first)

    def _written_out(self, node: Node, callee: Node, depth: int) -> bool:
        """A call of a function that works through memory itself, with the function's body in its place."""
        name = self.source.text(callee).partition("<")[0].rpartition("::")[2].strip()
        found = {
            (one.unit.path, one.function.body.start_byte): one
            for one in self.facts.behaviour.reached[1:]
            if one.function.name == name and not one.function.owner
        }
        if len(found) != 1 or len(self.inside) >= MAX_WRITTEN_OUT or len(self.lines) >= ROOM_FOR_FUNCTIONS:
            return False
        (helper,) = found.values()
        alone = node.parent is not None and _is_alone(node.parent)
        if helper.function in self.inside or not (alone or _works(helper.function.body)):
            return False
        given = node.child_by_field_name("arguments")
        arguments = [self.source.text(a) for a in given.named_children if a.type != "comment"] if given else []
        arrays = (array.name for array in self.arrays)
        places = self.places.of_called(helper.unit, helper.function, arguments, arrays)
        before = len(self.lines)
        place = helper.unit.path, helper.function.span.start
        if place in self.written:
            self._say(self._told(node, depth), node, depth, f"   # as written out at L{self.written[place]}")
            return True
        inner = _Writer(self.facts, places, self)
        inner.inside = (*self.inside, helper.function)
        self._say(f"{self._told(node, depth)}:", node, depth)
        head = len(self.lines)
        inner.block(helper.function.body, depth + 1)
        if len(self.lines) == head:
            del self.lines[before:]
            return False
        self.written[place] = self.source.source.location(self.path, self.source.span(node)).line
        return True

    def _assign(self, node: Node, left: Node, right: Node, operator: str, depth: int) -> None:
        name = self.source.text(left)
        if left.type == "identifier" and operator == "+=" and name in self.places.pointers:
            self._say(f"advance {name} by {self._text(right)}", node, depth)
            return
        target, value = self.places.array(left), self.source.text(right)
        told = self._text(left), self._told(right, depth)
        if operator == "=":
            how, first = self.places.movement(target, right), len(self.lines)
            self._say(" ← ".join(told), node, depth, how)
            if left.type == "identifier" and self.places.holds_index(name, value, node):
                self._gives(name, first)
        else:
            self._say(f" {operator} ".join(told), node, depth)

    def _assignment(self, target: str, value: str) -> str:
        return f"{target} ← {short(value)}"

    def _text(self, node: Node | None) -> str:
        return short(as_written(self.source, node)) if node is not None else ""


def _barriers(facts: KernelFacts) -> dict[Location, Effect]:
    """Where the kernel and its functions wait by methods of objects."""
    return {operation.location: operation.effect for operation in facts.behaviour.of(Kind.BARRIER)}


def _by(step: str, name: str) -> str:
    """What a loop does to its counter, `+ size` or `/ 2`; empty where it does something else."""
    counts, changes = _COUNTS.fullmatch(step), _CHANGES.fullmatch(step)
    if counts is not None and name in (counts[1], counts[4]):
        return f"{(counts[2] or counts[3])[0]} 1"
    return f"{changes[2]} {changes[3].strip()}" if changes is not None and changes[1] == name else ""


def _value_of(name: Node) -> Node | None:
    """What a declared name is given."""
    node = name.parent
    while node is not None and node.type.endswith("declarator"):
        if node.type == "init_declarator":
            return node.child_by_field_name("value")
        node = node.parent
    return None


def _is_alone(node: Node) -> bool:
    """Whether a statement is all that a body has."""
    body = node.parent
    return body is not None and sum(child.type != "comment" for child in body.named_children) == 1


def _works(body: Node) -> bool:
    """Whether a function goes through something in a loop, other than by instructions of its own alone."""
    return any(node.type in LOOPS for node in walk(body))
