"""What the boxes of a dataflow are called, and the notes beside them: weights, conditions, side inputs."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kernelscope.dims import Dim
from kernelscope.explain.alternatives import alternatives
from kernelscope.explain.dim_names import DimNames
from kernelscope.explain.flow_boxes import MOST_WAYS, Boxes
from kernelscope.explain.flow_expressions import formula
from kernelscope.explain.shut_weights import matrix_of, multiplies, shut_weights
from kernelscope.explain.untyped_inputs import untyped_inputs
from kernelscope.interp.steps import Step
from kernelscope.interp.values import Choice, Function, Instance, Test, Value, as_size
from kernelscope.ops import Module
from kernelscope.patterns.flow import Node, Use
from kernelscope.patterns.paths import ACTIVATIONS
from kernelscope.patterns.pattern import Pattern
from kernelscope.patterns.residuals import is_residual
from kernelscope.patterns.ways import ways
from kernelscope.results import Location, Span
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import DType, Tensor
from kernelscope.workspace.workspace import Workspace

SYMBOLS = {"add": "+", "sub": "−", "mul": "×", "div": "÷", "matmul": "matmul", "bmm": "matmul", "mm": "matmul",
           "scaled_dot_product_attention": "Attention (SDPA)", "index": "gather"}  # fmt: skip
NAMES = {"relu": "ReLU", "gelu": "GELU", "silu": "SiLU", "cat": "concat", "__getitem__": "gather"}
FORWARDS = ("forward", "__call__")
EINSUMS = ("einsum", "einops_einsum")
ELLIPSIS = "…"
SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
MAX_TEXT = 36
MAX_CONDITION = 96
MAX_UNNAMED = 24
SLICED = re.compile(r"\bislice\( ?((?:enumerate\()?[\w.]+\)?), ?([\w.]+), ?([\w.]+) ?\)")
"""A part of what a loop goes through."""
OF_LAYER = re.compile(r"self\.(\w+(?:\.\w+)+)")
COUNTED = re.compile(r"^for \w+, (\w+|\([^()]*\)) in enumerate\(([^(),]*?)(?:, [^()]*)?\)(\[.*\])?$")
"""A loop that counts its elements, too."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A test in one call: another call of the same function makes it anew."""

    test: Test
    call: Node | None


def conditions_of(node: Node) -> Iterator[Condition]:
    """What must hold for a node, besides what must hold for the call around it."""
    call = next((outer for outer in node.ancestors() if outer.step.kind != "loop"), None)
    return (Condition(test, call) for test in node.tests)


class BoxLabels:
    """Texts for the boxes of one flow."""

    def __init__(self, workspace: Workspace, choice: Boxes, names: DimNames, patterns: Mapping[Node, Pattern]) -> None:
        self.workspace = workspace
        self.choice = choice
        self.names = names
        self.patterns = patterns

    # -- source ------------------------------------------------------------------------------------------

    def text(self, path: str, span: Span, most: int = MAX_TEXT) -> str:
        """Source on one line, shortened."""
        module = self.workspace.modules.module(path)
        if module is None:
            return ""
        comments = [c.span for c in module.comments.values() if span.covers(c.span)]
        ends = [span.start, *(end for c in comments for end in (c.start, c.end)), span.end]
        pieces = (module.text.slice(Span(*ends[i : i + 2])) for i in range(0, len(ends), 2))
        text = " ".join(" ".join(pieces).split())
        return text if len(text) <= most else text[: most - 1] + "…"

    def place(self, node: Node) -> Location | None:
        """Where in the source a node is."""
        module = self.workspace.modules.module(node.step.path) if node.step.path else None
        return module.text.location(Path(node.step.path), node.step.span) if module is not None else None

    def place_of(self, test: Test) -> Location | None:
        """Where in the source a condition stands."""
        module = self.workspace.modules.module(test.path)
        return module.text.location(Path(test.path), test.span) if module is not None else None

    def attribute(self, node: Node) -> str:
        """What the source calls a layer: `q_proj`, `layers[i]`."""
        callee = node.step.callee
        if callee is None:
            return ""
        if isinstance(callee, t.Call):  # made where it is called: `nn.Dense(features, name="query")(x)`
            name = next(
                (k.value.value for k in callee.keywords if k.arg == "name" and isinstance(k.value, t.Constant)), ""
            )
            is_handed_on = node.step.kind == "unfollowed" and len(callee.args) == 1 and not callee.keywords
            given = callee.args[0] if is_handed_on and isinstance(callee.args[0], t.Attribute) else callee.func
            return str(name) or (t.dotted(given) or "").rpartition(".")[2]  # `typed(self.up)(x)` calls the layer
        dotted = t.dotted(callee)
        text = dotted if dotted is not None else self.text(node.step.path, callee.span)
        first, _, rest = text.partition(".")
        return rest if first in ("self", "cls") and rest else text

    # -- boxes -------------------------------------------------------------------------------------------

    def lines(self, node: Node) -> tuple[str, ...]:
        """The title of a box, and what the source calls it below."""
        step, pattern = node.step, self.patterns.get(node)
        name = self.attribute(node)
        match step.kind:
            case "layer":
                return _distinct(self._layer(step.target), name)
            case "op" if node in self.choice.expressions and (rows := self._formula(node)):
                return rows
            case "op":
                operator = self._operator(node)
                return (operator,) if pattern is None else (pattern.title, operator)
            case "choice":
                return _distinct(name or "one of several")
            case _ if pattern is not None and pattern.kind == "cache":
                return (pattern.title, *([name] if name else self._written(node)))
            case "unfollowed":
                return self._unfollowed(node, name)
            case "store":
                return ("write", *self._written(node))
            case _ if pattern is not None and pattern.kind != "elementwise":
                return _distinct(pattern.title, name)
            case _ if isinstance(step.target, Choice):
                return _distinct(name or "one of several")
            case "call" if (module := acts_for(node)) is not None:
                return _distinct(module.step.name, self.attribute(module))
            case "call" if (layer := forwarded(step)) is not None:
                return _distinct(layer.cls.name, name.rpartition(".")[0])
            case _:
                return _distinct(step.name, name)

    def _unfollowed(self, node: Node, name: str) -> tuple[str, ...]:
        """A call that is not followed: the kernel, the module that has its work done by another, or what is called."""
        kernel = launched(node.step)
        if kernel:
            return kernel, "kernel"
        module = acts_for(node)
        if module is not None:
            return _distinct(module.step.name, self.attribute(module))
        if isinstance(node.step.target, Instance):
            return _distinct(node.step.name, name)
        package, _, short = name.rpartition(".")
        return _distinct(short, package) if name and name == node.step.name else _distinct(name or node.step.name)

    def _layer(self, layer: Value) -> str:
        assert isinstance(layer, Module)
        name = layer.name.rpartition(".")[2]
        if "Conv" in name:
            return f"{name} {self._window(layer)}".strip()
        return name

    def _window(self, layer: Module) -> str:
        """`3×3 s2` of a convolution, as far as it is known."""
        kernel, stride = layer.settings.get("kernel_size"), layer.settings.get("stride")
        sizes = self._numbers(kernel, layer.name)
        text = "×".join(sizes) if set(sizes) != {"?"} else ""
        steps = set(self._numbers(stride, layer.name)) - {"1"}
        return text + (f" s{'×'.join(sorted(steps))}" if steps and stride is not None else "")

    def _numbers(self, value: Value, name: str) -> list[str]:
        count = next((int(c) for c in name if c.isdigit()), 1)
        values = list(value) if isinstance(value, tuple | list) else [value] * count
        return [self._number(v) for v in values]

    def _number(self, value: Value) -> str:
        size = as_size(value)
        return self.names.size(size) if isinstance(size, Dim) else "?" if size is None else str(size)

    def _operator(self, node: Node) -> str:
        name = node.operator
        if is_residual(node):
            return "+ residual"
        if name in ("add", "sub", "mul", "div") and len(node.uses) == 1:
            sign, other = SYMBOLS[name], self._other(node)
            return f"{other or ELLIPSIS} {sign} {ELLIPSIS}" if _is_taken_from(node) else f"{sign} {other}".strip()
        if name in EINSUMS:
            return f"einsum {next((arg for arg in node.step.args if isinstance(arg, str)), '')}".strip()
        called = node.step.name.rpartition(".")[2]  # an entry may have several: `roll` does to shapes what `flip` does
        return SYMBOLS.get(name) or NAMES.get(name) or (name if called.startswith("_") else called.rstrip("_"))

    def _formula(self, node: Node) -> tuple[str, ...]:
        """What an expression computes, in a few lines of the source, or nothing where it is longer."""
        module = self.workspace.modules.module(node.step.path)
        return formula(module.text.slice(node.step.span)) if module is not None else ()

    def _written(self, node: Node) -> tuple[str, ...]:
        """The part of a tensor that is written."""
        return self._formula(node) or (self.text(node.step.path, node.step.span),)

    def _other(self, node: Node) -> str:
        """The operand that is no tensor, as the source spells it."""
        for value in node.step.args:
            size = as_size(value)
            if isinstance(value, float):
                return f"{value:g}"
            if isinstance(size, Dim):
                return self.names.size(size)
        return self._operand_text(node)

    def _operand_text(self, node: Node) -> str:
        """What stands behind (or before) the tensor in `x * scale`."""
        module = self.workspace.modules.module(node.step.path)
        inner = next((o.step.span for use in node.uses for o in use.nodes if node.step.span.covers(o.step.span)), None)
        whole = node.step.span
        if module is None:
            return ""
        text = module.text.slice(whole)
        if inner is not None:
            before = module.text.slice(Span(whole.start, inner.start)).strip()
            after = module.text.slice(Span(inner.end, whole.end)).strip()
            while before.endswith("(") and after.startswith(")"):
                before, after = before[:-1].rstrip(), after[1:].lstrip()
            text = after.lstrip("*+-/= ") or before.rstrip("*+-/= ")
        else:
            text = _last_operand(text, SIGNS.get(node.operator, ""))
        text = " ".join(text.split())
        return text if text.count("(") == text.count(")") and len(text) <= MAX_TEXT else ""

    def is_collective(self, node: Node) -> bool:
        """Whether other ranks take part."""
        operator = node.step.operator
        return operator is not None and operator.kind == "communication"

    def kind(self, node: Node) -> str:
        """A word for exports."""
        if self.is_collective(node):
            return "collective"
        return "activation" if node.operator in ACTIVATIONS else node.step.kind

    # -- notes -------------------------------------------------------------------------------------------

    def notes(self, node: Node, framed: Container[object]) -> Iterator[str]:
        """Weights with their shapes, variants of a pattern, alternatives, and the conditions of a box."""
        step = node.step
        if isinstance(step.target, Module):
            weights = step.target.parameters
            if (matrix := matrix_of(step.target)) is not None:
                shape = self.names.shape(matrix.shape)
                yield shape if multiplies(node) else f"weight: {shape}"
            elif len(weights) == 1:
                yield from (f"{name}: {self.names.shape(weight.shape)}" for name, weight in weights.items())
            elif weights:
                yield f"{len(weights)} weights"
        if isinstance(step.target, Choice):
            yield alternatives(step.target)
        if step.or_else:
            yield f"or {step.or_else}"
        if isinstance(step.target, Function) and step.target.is_default:
            yield f"{step.target.definition.name} by default"
        if step.kind in ("unfollowed", "call") and acts_for(node) is not None and node not in self.patterns:
            yield f"by {self.attribute(node)}"
        if step.kind == "call" and node not in self.choice.opened:
            inside = (inner for inner in node.walk() if inner.step.ways > 1 and inner.all_tests == node.all_tests)
            yield from dict.fromkeys(_one_way(inner.step, inner is node) for inner in inside)
            kernels = dict.fromkeys(k for inner in node.walk() if (k := launched(inner.step)))
            yield from (f"kernel {kernel}" for kernel in kernels)
            if node not in self.patterns and (count := ways(self.choice.flow.trace, node.step.result)) > MOST_WAYS:
                yield f"one of {count} ways"
        pattern = self.patterns.get(node)
        if pattern is not None and pattern.traits:
            yield ", ".join(pattern.traits)
        if step.kind == "call" and node not in self.choice.opened:
            yield from shut_weights(node, self.attribute, self.names.shape)
        yield from untyped_inputs(self.choice.flow.trace, node)
        for condition in self.conditions(node):
            if condition not in framed:
                yield self.test(condition.test)

    def conditions(self, node: Node) -> list[Condition]:
        """What must hold for a box to be run, outermost first."""
        outer = [n for n in node.ancestors() if n in self.choice.opened and n is not self.choice.flow.root]
        return list(dict.fromkeys(condition for n in reversed([node, *outer]) for condition in conditions_of(n)))

    def test(self, test: Test) -> str:
        """A condition in words."""
        text = self.text(test.path, test.span, MAX_CONDITION)
        return f"if {text if test.holds else negated(text)}"

    def side_note(self, node: Node, use: Use) -> str:
        """A mask, table or weight that a box is given."""
        name = node.step.bound or self._unnamed(node) or node.step.name.rpartition(".")[2] or "value"
        if node.is_source and (not node.step.bound or "[" not in node.step.name):
            name = self._owned(node)
        shape = self.names.tensor(use.value)
        return name + ("" if shape in ("?", "[...]", "[..., ?]") else f": {shape}")

    def _owned(self, node: Node) -> str:
        """A source's name; that of a layer's weight, which others use, tells the layer: `embed.weight`."""
        found = OF_LAYER.fullmatch(self.text(node.step.path, node.step.span)) if node.step.kind == "weight" else None
        return found[1] if found is not None and found[1].endswith(f".{node.step.name}") else node.step.name

    def _unnamed(self, node: Node) -> str:
        """A side value that no variable holds: as the source spells it where that is short, else what it is made of."""
        source = _source_name(node)
        if node.is_source or not source:
            return source
        text = self.text(node.step.path, node.step.span)
        return text if 0 < len(text) <= MAX_UNNAMED else f"from {source}"

    def loop(self, loop: Node) -> tuple[str, str]:
        """The title of a loop's frame, and how often it runs."""
        module = self.workspace.modules.module(loop.step.path)
        head = _until_colon(module.text.slice(loop.step.span)) if module is not None else ""
        head = COUNTED.sub(r"for \1 in \2\3", SLICED.sub(r"\1[\2:\3]", " ".join(head.split())))
        head = " ".join(re.sub(r"(?<=[ \[(:])self\.", "", head).split())
        count = None if loop.is_apart else loop.rounds
        title = head if head.startswith(("for ", "while ")) else self.attribute(loop.parent) if loop.parent else head
        title = title if len(title) <= MAX_CONDITION else title[: MAX_CONDITION - 1] + "…"
        return title or "loop", self.names.in_full(count) if isinstance(count, Dim) else ""


def _until_colon(source: str) -> str:
    """The head of a compound statement: what stands before the first colon that is in no brackets."""
    depth = 0
    for at, sign in enumerate(source):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(sign, 0)
        if sign == ":" and depth == 0:
            return source[:at]
    return source


def _source_name(node: Node) -> str:
    """The input, else the weight, that a value is made of first."""
    todo, seen, found = [node], set[Node](), list[Node]()
    while todo:
        node = todo.pop(0)
        if node.is_source:
            found.append(node)
        elif not node.is_creation:  # of what it is like it has the shape alone
            origins = [origin for use in node.uses for origin in use.nodes if origin not in seen]
            seen.update(origins)
            todo += origins
    inputs = [source for source in found if source.step.kind == "input"]
    return next((source.step.name for source in (*inputs, *found)), "")


def negated(test: str) -> str:
    """The opposite of a test, as one would write it."""
    for word, opposite in ((" is not ", " is "), (" is ", " is not "), (" == ", " != "), (" != ", " == ")):
        if test.count(word) == 1 and " and " not in test and " or " not in test:
            return test.replace(word, opposite)
    if test.startswith("not ") and " " not in test[4:]:
        return test[4:]
    return f"not ({test})" if " " in test else f"not {test}"


def acts_for(node: Node) -> Node | None:
    """The module whose work a call does that is given the module itself: `self.method.apply(self, x)`."""
    outer = node.parent
    if outer is None or not isinstance(outer.step.target, Instance):
        return None
    return outer if any(value is outer.step.target for value in node.step.args) else None


def forwarded(step: Step) -> Instance | None:
    """The object whose `forward` a call names, where it could have called the object itself."""
    target = step.target
    is_named = isinstance(target, Function) and target.definition.name in FORWARDS
    return target.receiver if is_named and isinstance(target.receiver, Instance) else None


def _is_taken_from(node: Node) -> bool:
    """Whether a value stands behind the sign of an operator that its operands cannot change places in: `1 - x`."""
    first = node.step.args[0] if node.step.args else None
    given = any(value is node.uses[0].value for value in node.step.args[1:])
    return node.operator in ("sub", "div") and given and first is not node.uses[0].value


def _last_operand(text: str, sign: str) -> str:
    """What stands behind the last of a sign that is in no brackets: `(n**-0.5)` of `x * (n**-0.5)`."""
    depth = 0
    for at in range(len(text) - 1, 0, -1):
        depth += {")": 1, "]": 1, "(": -1, "[": -1}.get(text[at], 0)
        if depth == 0 and text[at] == sign and sign not in (text[at - 1], text[at + 1 : at + 2]):
            return text[at + 1 :].lstrip("= ").strip()
    return ""


def _one_way(step: Step, is_named: bool) -> str:
    """Which of the functions that may be called is drawn, unless the box says so."""
    if isinstance(step.target, Instance):
        which = f"one of {step.ways} with other layers"
        return which if is_named else f"{step.name}, {which}"
    return f"one of {step.ways}" if is_named else f"{step.name}, one of {step.ways}"


def launched(step: Step) -> str:
    """The kernel of `kernel[grid](…)`, or an empty text. A launch gives nothing, unlike `layers[i](x)`."""
    callee = step.callee
    if not step.is_statement or not isinstance(callee, t.Subscript):
        return ""
    return (t.dotted(callee.value) or "").rpartition(".")[2]


def _distinct(*texts: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text)) or ("?",)


def changed_dtype(before: object, after: object) -> str:
    """`as float32`, where a value arrives in another dtype than it left in, or than is known of it there."""
    if not isinstance(after, Tensor) or not isinstance(after.dtype, DType):
        return ""
    same = isinstance(before, Tensor) and before.dtype == after.dtype
    return f"as {after.dtype}" if isinstance(before, Tensor) and not same else ""
