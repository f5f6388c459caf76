"""Comments and docstrings that tell another shape than the code proves: another rank, or another number for a size.

Only what says nothing but a shape is held against the code, and only where a name in it is one of the shape's sizes, so
that it speaks of sizes for certain. What things are called is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from kernelscope.dims import Dim
from kernelscope.dims.spelling import without_calls
from kernelscope.interp.documentation import told_of_parameter
from kernelscope.interp.findings import Finding, Seen
from kernelscope.interp.shape_texts import only_a_shape
from kernelscope.interp.values import present
from kernelscope.ops import ShapeError
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module
from kernelscope.tensor import Shape, Tensor


def untrue_comments(
    module: Module, path: str, node: t.FunctionDef, seen: Mapping[Span, Seen], always: Set[Span]
) -> Iterator[Finding]:
    """What is said of the parameters of a function and of what its statements bind, and does not hold."""
    for param in node.args:
        told = told_of_parameter(module, node, param.name)
        proven = _shape_at(seen, param.name_span)
        if told is not None and proven is not None and _differ(told, proven):
            said = f"documentation says that {param.name} is {told}, the code takes {without_calls(str(proven))}"
            yield Finding(path, param.name_span, ShapeError("documentation", said))
    for statement in t.walk(*node.body):
        match statement:
            case t.Assign(targets=[t.Name(id=name) as target], value=value) if statement.span in always:
                told = _told_behind(module, statement, name)
                proven = _shape_at(seen, target.span)
                if told is not None and proven is not None and _differ(told, proven):
                    said = f"the comment says that {name} is {told}, the code gives {without_calls(str(proven))}"
                    yield Finding(path, value.span, ShapeError("documentation", said))
            case _:
                pass


def _told_behind(module: Module, statement: t.Assign, name: str) -> Shape | None:
    """The shape in the comment behind a statement of one line."""
    line = module.text.line_of(statement.span.end)
    comment = module.comment_on(line)
    if comment is None or comment.alone or module.text.line_of(statement.span.start) != line:
        return None
    return only_a_shape(comment.text, name)


def _shape_at(seen: Mapping[Span, Seen], span: Span) -> Shape | None:
    """A shape of which at least the rank is proven."""
    value = present(seen[span].value) if span in seen and not seen[span].before else None
    return value.shape if isinstance(value, Tensor) and value.rank is not None else None


def _differ(told: Shape, proven: Shape) -> bool:
    if told.rank is None or not {*told.names()} & {without_calls(name) for name in proven.names()}:
        return False
    if told.rank != proven.rank:
        return True
    numbers = ((_number(one), _number(other)) for one, other in zip(told.head, proven.head, strict=True))
    return any(None not in pair and pair[0] != pair[1] for pair in numbers)


def _number(size: object) -> int | None:
    return size.const if isinstance(size, Dim) else None
