"""Shapes that a comment tells of what its line binds, where the code does not: `h = self.encoder(x)  # [B, T, C]`.

So does one on the line above that says nothing else. A comment helps where nothing else is known, and no further: what
the code says holds against it.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from kernelscope.dims import Dim, dim
from kernelscope.dims.spelling import SEPARATOR
from kernelscope.interp.agreement import BY_COMMENT
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.proven_ranks import is_open, settle
from kernelscope.interp.shape_texts import in_comment, only_a_shape
from kernelscope.interp.trials import Trial
from kernelscope.interp.values import Scope, Value, as_size, present
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Size, Tensor, Unknown

SURE = 3
"""Fewer sizes than these may be a pair of numbers, unless the value is known to be a tensor."""


def believe_comment(run: Interpreter, scope: Scope, node: t.Assign) -> None:
    """Let what a statement has just bound have the shape of the comment on its line, if its rank is not known."""
    target = node.targets[0]
    if run.certain or not isinstance(target, t.Name):
        return
    value = present(scope.names.get(target.id))
    if run.symbols.trial is not None:
        _weigh(run, run.symbols.trial, scope, node, target.id, value)
    if not is_open(value):
        return
    told = _told(run, scope, node, target.id)
    if told is None or told.rank is None or told.rank < (1 if isinstance(value, Tensor) else SURE):
        return
    given = settle(run, scope, target.id, told.rank, lambda axis, _: _in_words_of(run, scope, told.head[axis]))
    seen = (run.unlikely if run.aside else run.seen).get(target.span)
    if given is not None and seen is not None and seen.value is given[0]:
        seen.value = given[1]


def _weigh(run: Interpreter, trial: Trial, scope: Scope, node: t.Assign, name: str, value: Value) -> None:
    """While a rank is tried, a comment speaks for the one with which what is bound has as many dims as it tells."""
    if isinstance(value, Tensor) and value.shape.dims is not None and any(map(trial.is_tried, value.shape.head)):
        told = _told(run, scope, node, name)
        trial.remarked(value.shape, None if told is None or told.rank is None or told.rank < SURE else told)


def _told(run: Interpreter, scope: Scope, node: t.Assign, name: str) -> Shape | None:
    module = run.workspace.modules.module(scope.path)
    if module is None:
        return None
    comment = module.comment_on(module.text.line_of(node.span.end))
    if comment is not None and not comment.alone:
        shape = in_comment(comment.text, name)
        return in_comment(comment.text, None) if shape is None else shape
    above = module.comment_on(module.text.line_of(node.span.start) - 1)
    return only_a_shape(above.text, name) if above is not None and above.alone else None


def _in_words_of(run: Interpreter, scope: Scope, size: Size) -> Size:
    """A size as the function knows it: by its variables, else one size for each word."""
    if isinstance(size, Unknown):
        return size
    changes: dict[str, Dim] = {}
    for name in size.names():
        held = as_size(scope.names.get(name))
        symbol = f"{name}{SEPARATOR}{scope.frame}"
        if isinstance(held, Dim):
            changes[name] = held
        elif scope.frame != run.root_frame and not isinstance(present(scope.names.get(name)), Tensor | None):
            return Unknown(f"what the caller gives as {name} is not known")  # the word may mean something else there
        elif symbol in run.symbols.reasons:
            changes[name] = dim(symbol)
        elif name not in run.symbols.spoken or scope.frame != run.root_frame:
            changes[name] = run.symbols.new(scope, name, BY_COMMENT)
    return size.subs(changes)
