"""A Python function of the host as pseudocode, with shapes, counts of loops, and what its calls do.

Known algorithms, writes in place, caches and collectives stand behind the lines. What only prepares is left out:
reading sizes and dtypes, where tensors lie, contexts that change no numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from kernelscope.dims import Dim
from kernelscope.explain.dim_names import DimNames, usual_letters
from kernelscope.explain.document import Block, Code, Line, Paragraph
from kernelscope.explain.pseudocode import INDENT, MAX_LINE, CodeWriter, parameters, wrapped
from kernelscope.explain.tensor_hover import names_in_order
from kernelscope.interp.findings import Seen
from kernelscope.interp.steps import is_in_place
from kernelscope.interp.uses import Uses
from kernelscope.interp.values import as_size
from kernelscope.patterns.flow import Flow, Node, outlives
from kernelscope.patterns.pattern import Pattern
from kernelscope.patterns.recognition import recognise
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module, Scope
from kernelscope.tensor import Tensor

SIZES = {"shape", "dtype", "device", "ndim", "requires_grad", "is_cuda"}
"""What is asked of a tensor without its numbers."""
ASKING = {"size", "dim", "stride", "numel", "element_size", "get_device"}
VIEWING = {"view", "reshape", "permute", "transpose", "contiguous", "flatten", "unflatten", "unsqueeze", "squeeze",
           "expand", "swapaxes", "swapdims", "movedim", "view_as", "reshape_as", "t"}  # fmt: skip
TURNING = {"permute", "transpose", "swapaxes", "swapdims", "movedim", "t"}
PLACING = {"device", "non_blocking", "pin_memory", "memory_format"}
MATTERS = ("stream", "autocast", "no_grad", "inference_mode")
"""Contexts of torch that change when, or in which numbers, something is computed."""


def host_code(
    scope: Scope,
    module: Module,
    path: Path,
    seen: Mapping[Span, Seen],
    flow: Flow | None,
    bindings: Mapping[str, int],
) -> list[Block]:
    """The pseudocode of one function, and what the letters in it stand for; `flow` tells what its calls do, where one
    was traced."""
    function = scope.node
    assert isinstance(function, t.FunctionDef)
    shapes = [tensor.shape for span in _bound(function) if (tensor := _tensor_at(seen, span)) is not None]
    called = _called(function, flow) if flow is not None else {}
    first = next((held for p in function.args if (held := _tensor_at(seen, p.name_span)) is not None), None)
    letters = usual_letters(first.shape, called) if first is not None else {}  # as the picture of the function writes
    names = DimNames(shapes, names_in_order(module, function.name_span.start), bindings, called, letters=letters)
    writer = _HostWriter(module, path, names, seen, dict(_effects(flow, names)) if flow is not None else {})
    writer.receiver = function.args[0].name if function.args and function.args[0].name in ("self", "cls") else ""
    writer.computed = _computed(function)
    writer.taken = Uses(function).bindings.keys()
    given = [(p.name, writer.shape_at(p.name_span)) for p in function.args if p.name != writer.receiver]
    writer.line(0, f"{function.name}({parameters(function, writer)}):", function)
    if told := " · ".join(f"{name} {shape}" for name, shape in given if shape):
        writer.remark(1, told, function)
    writer.block(function.body, 1)
    code = Code(tuple(writer.lines), "python")
    legend = names.legend(line.text for line in code.lines)
    return [code, *([Paragraph((Line(" · ".join(legend)),))] if legend else [])]


def _called(function: t.FunctionDef, flow: Flow) -> dict[str, str]:
    """What the code calls sizes of the inputs that have no name of their own: `L` in `B, L = x.shape[:2]`."""
    inputs = tuple(f"{param.name}_dim" for param in function.args)
    return {name: word for name, word in flow.trace.sizes.items() if name.startswith(inputs)}


def _bound(function: t.FunctionDef) -> Iterator[Span]:
    """Where a function binds names."""
    yield from (param.name_span for param in function.args)
    for node in t.walk(*function.body):
        if isinstance(node, t.Assign):
            yield from (n.span for target in node.targets for n in t.walk(target) if isinstance(n, t.Name))


def _computed(function: t.FunctionDef) -> set[str]:
    """The names that the shown code computes with: not those of sizes in views, which the shapes tell."""
    found, todo = set[str](), list[t.Node](function.body)
    while todo:
        match todo.pop():
            case t.Assign(value=value) if _only_asks(value):
                pass
            case t.Call(func=t.Attribute(attr=attr, value=value)) if attr in VIEWING:
                todo.append(value)
            case t.Name(id=name):
                found.add(name)
            case node:
                todo += t.children(node)
    return found


def _tensor_at(seen: Mapping[Span, Seen], span: Span) -> Tensor | None:
    """The tensor that is bound at a place, if its rank is known."""
    value = seen[span].value if span in seen else None
    return value if isinstance(value, Tensor) and value.shape.dims is not None else None


def _effects(flow: Flow, names: DimNames) -> Iterator[tuple[Span, str]]:
    """What the function's own calls and loops do, by their place."""
    patterns = recognise(flow)
    own = [node for node in flow.nodes if _is_own(node, flow.root)]
    for node in own:
        if any(outer.step.span == node.step.span for outer in node.ancestors()):
            continue  # the rounds for one kind of layers of a loop that is told itself
        said = [*_pattern(patterns.get(node)), *_changes(node)]
        if node.step.kind == "loop" and isinstance(count := as_size(node.step.count), Dim):
            said.append(f"×{names.size(count)}")
        if said:
            yield node.step.span, " · ".join(dict.fromkeys(said))


def _is_own(node: Node, root: Node) -> bool:
    """Whether a step is the function's own, and not one of a function that it calls."""
    outer = node.parent
    while outer is not None and outer is not root and outer.step.kind == "loop":
        outer = outer.parent
    return outer is root


def _pattern(pattern: Pattern | None) -> Iterator[str]:
    """What a call was recognised to be."""
    if pattern is not None and not pattern.is_part and pattern.kind not in ("elementwise", "repeat"):
        yield pattern.title + (f" ({', '.join(pattern.traits)})" if pattern.traits else "")


def _changes(node: Node) -> Iterator[str]:
    """Collectives inside, and what is written in place; what not every way through the code does is told as such."""
    for inner in node.walk():
        step = inner.step
        name = step.name.rpartition(".")[2]
        around = [inner, *(n for n in inner.ancestors() if node in n.ancestors())]
        sometimes = " (under a condition)" if inner is not node and any(n.tests for n in around) else ""
        if step.operator is not None and step.operator.kind == "communication" and not name.startswith("_"):
            yield f"{name.rstrip('_').replace('_', ' ')} over ranks{sometimes}"
        in_place = step.kind == "store" or is_in_place(name)
        if in_place and inner.uses and any(outlives(n) for n in inner.uses[0].nodes):
            yield f"writes into {_source(inner.uses[0].nodes[0])}{sometimes}"


def _source(node: Node) -> str:
    while not node.is_source and node.uses and node.uses[0].nodes:
        node = node.uses[0].nodes[0]
    return node.step.name


class _HostWriter(CodeWriter):
    """Writes statements with shapes from the interpreter, views told by what they give."""

    def __init__(
        self, module: Module, path: Path, names: DimNames, seen: Mapping[Span, Seen], effects: Mapping[Span, str]
    ) -> None:
        super().__init__(module.text, path, lambda target: self.shape_at(target.span))
        self.seen = seen
        self.names = names
        self.effects = effects
        self.computed: set[str] = set()
        """Names that the code computes with."""

    def shape_at(self, span: Span) -> str:
        """`[B, S, H]` of the tensor that is bound at a place, or an empty text."""
        tensor = _tensor_at(self.seen, span)
        return self.names.tensor(tensor) if tensor is not None else ""

    def line(self, indent: int, text: str, node: t.Node, comment: str = "") -> None:
        """Long lines go on below, further to the right; a comment without room behind them stands there, too."""
        is_plain = isinstance(node, t.For) or not text.endswith(":")
        told = [text for span, text in self.effects.items() if is_plain and self._heads(node, span)]
        comment = " · ".join(filter(None, [comment, *dict.fromkeys(told)]))
        first, *more = wrapped(text, MAX_LINE - len(INDENT) * (indent + 2))
        rows = [(indent, first), *((indent + 2, part) for part in more)]
        last = len(INDENT) * rows[-1][0] + len(rows[-1][1])
        fits = last + len(f"  # {comment}") <= MAX_LINE
        for number, (depth, part) in enumerate(rows, 1):
            super().line(depth, part, node, comment if fits and number == len(rows) else "")
        if comment and not fits:
            self.remark(indent + 2, comment, node)

    def remark(self, indent: int, text: str, node: t.Node) -> None:
        """A comment in lines of its own."""
        for part in wrapped(text, MAX_LINE - len(INDENT) * indent):
            super().line(indent, f"# {part}", node)

    def _heads(self, node: t.Node, span: Span) -> bool:
        """Whether a step stands in a statement, or in the head of a loop."""
        if isinstance(node, t.For):
            return span == node.span or node.iter.span.covers(span)
        return node.span.covers(span)

    # -- statements --------------------------------------------------------------------------------------

    def statement(self, node: t.Stmt, indent: int) -> None:
        match node:
            case t.Assign(targets=targets, value=value) if _only_asks(value):
                if any(self._is_spoken_of(n) for target in targets for n in t.walk(target) if isinstance(n, t.Name)):
                    super().statement(node, indent)
            case t.Assign(targets=[t.Name() as target], value=t.Call() as value) if shape := self.shape_at(target.span):
                base, turned = _base(value)
                if base is value:
                    super().statement(node, indent)
                elif isinstance(base, t.Name) and base.id == target.id:
                    self.line(indent, f"{'transpose' if turned else 'view'} {target.id} as {shape}", node)
                else:
                    viewed = "transposed" if turned else "viewed"
                    self.line(indent, f"{target.id} = {self.expr(base)} {viewed} as {shape}", node)
            case t.With(items=items, body=body) if not any(map(_matters, items)):
                self.block(body, indent)
            case _:
                super().statement(node, indent)

    def _is_spoken_of(self, target: t.Name) -> bool:
        """Whether a size is computed with, under a name that no shape says."""
        value = self.seen[target.span].value if target.span in self.seen else None
        if not isinstance(value, Dim) or target.id not in self.computed:
            return False
        return target.id not in (*value.names(), self.names.size(value))

    def arguments(self, node: t.Call) -> str:
        """Without what says where a result lies, and without names that say twice what is given."""
        parts = [self.expr(arg) for arg in node.args]
        for keyword in node.keywords:
            if keyword.arg in PLACING or _only_asks(keyword.value):
                continue
            text = self.expr(keyword.value)
            is_same = isinstance(keyword.value, t.Name) and keyword.value.id == keyword.arg
            parts.append(f"**{text}" if not keyword.arg else text if is_same else f"{keyword.arg}={text}")
        return ", ".join(parts)


def _only_asks(value: t.Expr) -> bool:
    """Whether a value is a size, a dtype or a device of a tensor."""
    match value:
        case t.Attribute(attr=name):
            return name in SIZES
        case t.Subscript(value=inner):
            return isinstance(inner, t.Attribute | t.Call) and _only_asks(inner)
        case t.Call(func=t.Attribute(attr=name)):
            return name in ASKING
        case t.Tuple(elts=parts):
            return bool(parts) and all(map(_only_asks, parts))
        case _:
            return False


def _base(value: t.Expr) -> tuple[t.Expr, bool]:
    """What a chain of views looks at, and whether they change the order of its axes."""
    turned = False
    while isinstance(value, t.Call) and isinstance(value.func, t.Attribute) and value.func.attr in VIEWING:
        if t.dotted(value.func.value) in ("torch", "np", "jnp"):
            break
        turned = turned or value.func.attr in TURNING
        value = value.func.value
    return value, turned


def _matters(item: t.WithItem) -> bool:
    context = item.context_expr
    name = t.dotted(context.func if isinstance(context, t.Call) else context) or ""
    return item.optional_vars is not None or name.rpartition(".")[2] in MATTERS
