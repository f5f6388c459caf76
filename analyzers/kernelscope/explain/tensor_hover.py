"""Hovers and inlay hints for tensors: the shape in the author's names, numbers when bound, and where it came from."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kernelscope.dims import Dim
from kernelscope.dims.spelling import without_calls
from kernelscope.explain.alternatives import alternatives
from kernelscope.explain.numbers import in_numbers
from kernelscope.interp.runs import FileRun
from kernelscope.interp.values import Choice, Instance, Opaque
from kernelscope.ops import Module
from kernelscope.results import Hover, InlayHint, Link, Span, Target
from kernelscope.syntax.of_nodes import kept_of_nodes
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module as Source
from kernelscope.syntax.text import identifier_at
from kernelscope.tensor import DType, Shape, Tensor, Unknown

MAX_HINT = 48
AWAITED = "not interpreted yet: ask again in a moment"
BY_NAME = "≈ rank and sizes rest on the name of an input: the code does not tell them"
BY_LAYER = (
    "≈ a layer of which only the name is known is taken to do what layers called so do: norms, activations and dropout "
    "keep sizes"
)
BY_KIN = "≈ of several kinds of a layer that may run one is not followed: it is taken to give what the others give"
UNTAKEN = "if the code goes this way: with what is known here it goes the other"


def tensor_hover(run: FileRun, module: Source, path: Path, offset: int, bindings: Mapping[str, int]) -> Hover | None:
    """The hover of the name under the cursor; None where nothing is known of a tensor, size or layer."""
    span = identifier_at(module.text.data, offset)
    if span is None:
        return None
    seen = run.values.get(span)
    if seen is None:
        return None
    name = module.text.slice(span)
    order = names_in_order(module, offset)
    shown = describe(seen.value, order)
    if shown is None:
        return None
    notes = list(_notes(seen.value, seen.contexts, bindings, order))
    if seen.by_name:
        notes.append(BY_NAME)
    if seen.by_layer:
        notes.append(BY_LAYER)
    if seen.by_kin:
        notes.append(BY_KIN)
    if seen.untaken:
        notes.append(UNTAKEN)
    target = Target(path, offset)
    links = (
        Link("Why", command="kernelscope.showWhy", target=target),
        Link("Pseudocode", command="kernelscope.showPseudocode", target=target),
    )
    scope = module.scope_at(span.start)
    is_function = scope is not None and scope.node.name_span == span and isinstance(scope.node, t.FunctionDef)
    signature = f"def {name}(…) -> {shown}" if is_function else f"{name}: {shown}"
    return Hover(span, signature, "python", tuple(notes), (), links)


def awaited_hover(module: Source, span: Span) -> Hover:
    """The hover of a name of which nothing is known so far."""
    return Hover(span, module.text.slice(span), "python", (AWAITED,))


def describe(value: object, order: Sequence[str] = ()) -> str | None:
    """A value as the first line of a hover tells it."""
    match value:
        case Tensor():
            dtype = f"  {value.dtype}" if isinstance(value.dtype, DType) else ""
            return f"Tensor{_shape(value.shape, order)}{dtype}"
        case Shape():
            return f"Size{_shape(value, order)}"
        case Dim():
            return f"int = {value!r}"
        case tuple() | list() if value and any(isinstance(v, Tensor) for v in value):
            parts = [describe(v, order) or "…" for v in value[:8]]
            return f"({', '.join(parts)})"
        case tuple() | list() if value and all(isinstance(v, Dim) for v in value):
            return f"({', '.join(repr(v) for v in value)})"
        case Module():
            return _layer(value)
        case Instance():
            return value.cls.name
        case Choice():
            return alternatives(value)
        case Opaque() if not value.name.startswith("self"):
            return None
        case _:
            return None


def _shape(shape: Shape, order: Sequence[str]) -> str:
    if shape.tail is not None and not shape.head and not shape.tail:
        return "[...]"
    return shape.render(order)


def _layer(layer: Module) -> str:
    name = layer.name.rpartition(".")[2]
    sizes = [layer.settings.get(k) for k in ("in_features", "out_features")]
    if all(isinstance(s, Dim) for s in sizes):
        return f"{name}({sizes[0]!r} → {sizes[1]!r})"
    settings = [repr(v) for v in list(layer.settings.values())[:2] if isinstance(v, Dim)]
    return f"{name}({', '.join(settings)})"


def _notes(value: object, contexts: int, bindings: Mapping[str, int], order: Sequence[str]) -> Iterator[str]:
    if isinstance(value, Tensor):
        if (numbers := in_numbers(value, bindings, order)) is not None:
            yield f"= {numbers}"
        if why := reason(value.shape):
            yield f"unknown because {why}"
        if contexts > 1:
            yield f"agreed by {contexts} callers and branches"
    if isinstance(value, Module):
        for name, parameter in value.parameters.items():
            yield f"`{name}`: {parameter.shape.render(order)}"


def reason(shape: Shape) -> str:
    """Why a shape is not fully known, of the rank first; an empty text where it is."""
    found = [shape.reason] if shape.tail is not None else []
    found += [s.reason for s in (*shape.head, *(shape.tail or ())) if isinstance(s, Unknown)]
    return without_calls(next(filter(None, found), ""))


def names_in_order(module: Source, offset: int) -> tuple[str, ...]:
    """Names of the enclosing function and then of its class by first appearance: products read as the source does."""
    scope = module.scope_at(offset)
    return _names(scope.node, scope.owner) if scope is not None else ()


@kept_of_nodes(64)
def _names(function: t.FunctionDef | t.ClassDef, owner: t.ClassDef | None) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for node in t.walk(*function.body, *(owner.body if owner is not None else ())):
        if isinstance(node, t.Name | t.Attribute):
            name = t.dotted(node)
            if name:
                found.setdefault(name)
                found.setdefault(name.removeprefix("self."))
    return tuple(found)


def shape_hints(run: FileRun, module: Source, span: Span) -> Iterator[InlayHint]:
    """Shapes behind the names that assignments and parameters bind inside `span`."""
    orders: dict[object, tuple[str, ...]] = {}
    for node in _targets(module):
        if not (span.start <= node.start < span.end):
            continue
        seen = run.values.get(node)
        if seen is None or not isinstance(seen.value, Tensor) or seen.value.rank is None:
            continue
        scope = module.scope_at(node.start)
        if scope not in orders:
            orders[scope] = names_in_order(module, node.start)
        order = orders[scope]
        text = f": {seen.value.shape.render(order)}"
        if len(text) > MAX_HINT:
            text = text[: MAX_HINT - 1] + "…"
        certain = not reason(seen.value.shape)
        tooltip = f"```python\n{module.text.slice(node)}: {describe(seen.value, order)}\n```"
        yield InlayHint(node.end, text, tooltip, certain)


def _targets(module: Source) -> Iterator[Span]:
    """Spans of the names that a file's functions bind."""
    for scope in module.functions():
        assert isinstance(scope.node, t.FunctionDef)
        yield from bound_in(scope.node)


def bound_in(function: t.FunctionDef) -> Iterator[Span]:
    """Spans of the names that a function binds itself, in source order; functions inside it have their own."""
    for param in function.args:
        yield param.name_span
    todo: list[t.Node] = [*reversed(function.body)]
    while todo:
        node = todo.pop()
        if isinstance(node, t.Assign):
            for target in node.targets:
                yield from (found.span for found in t.walk(target) if isinstance(found, t.Name))
        elif not isinstance(node, t.FunctionDef | t.ClassDef):
            todo += t.children(node)[::-1]
