"""Signs that a name holds a tensor or its sizes, read from the code of one file alone.

A hover of such a name waits for interpretation, which has little to tell of others. Generous, not certain: a tensor
that is only handed on between functions of other files shows no sign.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.interp.administration import LIBRARIES
from kernelscope.interp.annotations import mentions_tensor
from kernelscope.interp.order import ENTRIES, works_on_tensors
from kernelscope.interp.uses import Uses, bound_names
from kernelscope.syntax.of_nodes import kept_of_nodes
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module, Scope

MAX_ROUNDS = 8
_CARRIES = (t.Assign, t.AnnAssign, t.AugAssign, t.BinOp, t.UnaryOp, t.Call, t.Keyword, t.Subscript, t.Slice,
            t.Attribute, t.Tuple, t.List, t.Starred)  # fmt: skip
"""What is in one of these has to do with the rest of it: operands, arguments, indices, what is bound to what."""


def shows_tensor(module: Module, function: t.FunctionDef, node: t.Node, called: bool = False) -> bool:
    """Whether a name, attribute or parameter of a function, or what it is computed with, may be a tensor or a size.

    What is `called` may be a layer, but no method of a tensor.
    """
    signs = _signs(module, function)
    if called and isinstance(node, t.Attribute):
        receiver, own = t.dotted(node.value), function.args[0].name if function.args else ""
        if receiver is None or (receiver != own and receiver in signs.names):
            return False
    if isinstance(node, t.Param):
        return node.annotation is None or node.name in signs.names
    around: t.Node = node
    for outer in _around(function, node):
        if not isinstance(outer, _CARRIES):
            around = node
        elif around is node:
            around = outer
    return signs.are_in(around)


def _around(function: t.FunctionDef, node: t.Node) -> Iterator[t.Node]:
    """The nodes around one, outermost first."""
    current: t.Node | None = function
    while current is not None and current is not node:
        current = next((n for n in t.children(current) if n.span.start <= node.span.start < n.span.end), None)
        if current is not None and current is not node:
            yield current


class _Signs:
    """The names of a function that may be tensors or sizes of some."""

    def __init__(self, module: Module, function: t.FunctionDef) -> None:
        self._functions: dict[str, list[Scope]] = {}
        for scope in module.functions():
            self._functions.setdefault(scope.node.name, []).append(scope)
        self._computing: dict[str, bool] = {}
        self.names = set(Uses(function).tensors)
        for param in function.args:
            if mentions_tensor(param.annotation) or (param.annotation is None and function.name in ENTRIES):
                self.names.add(param.name)
        for node in t.walk(*function.body):
            if isinstance(node, t.Call) and _is_of_library(node.func):
                self.names |= {argument.id for argument in node.args if isinstance(argument, t.Name)}
        bound = [*_bindings(function)]
        products = [node for node in t.walk(*function.body) if isinstance(node, t.BinOp)]
        for _ in range(MAX_ROUNDS):
            before = len(self.names)
            for targets, value in bound:
                if self.are_in(value):
                    self.names.update(targets)
            for product in products:
                operands = {side.id for side in (product.left, product.right) if isinstance(side, t.Name)}
                if operands and self.are_in(product):
                    self.names |= operands
            if len(self.names) == before:
                break

    def are_in(self, node: t.Node) -> bool:
        """Whether there is a sign in an expression."""
        return any(self._is_sign(found) for found in t.walk(node))

    def _is_sign(self, node: t.Node) -> bool:
        match node:
            case t.Name(id=name):
                return name in self.names or name in LIBRARIES
            case t.Call(func=t.Name(id=name) | t.Attribute(attr=name)):
                if name not in self._computing:
                    self._computing[name] = any(map(works_on_tensors, self._functions.get(name, ())))
                return self._computing[name]
            case _:
                return False


def _is_of_library(function: t.Expr) -> bool:
    """Whether a function is told to belong to tensors, sizes or layers by its name."""
    first, _, rest = (t.dotted(function) or "").partition(".")
    return first in LIBRARIES or rest in ("register_buffer", "register_parameter")


_signs = kept_of_nodes(8)(_Signs)
"""Of the functions that were looked at last: each holds the tree of its file."""


def _bindings(function: t.FunctionDef) -> Iterator[tuple[list[str], t.Expr]]:
    """What binds names, and the names."""
    for node in t.walk(*function.body):
        match node:
            case t.Assign(value=value) | t.AugAssign(value=value) | t.For(iter=value):
                yield bound_names(node), value
            case t.AnnAssign(value=value) if value is not None:
                yield bound_names(node), value
            case t.With(items=items):
                for item in items:
                    yield bound_names(node), item.context_expr
            case t.NamedExpr(target=target, value=value) | t.Comprehension(target=target, iter=value):
                yield [found.id for found in t.walk(target) if isinstance(found, t.Name)], value
            case _:
                pass
