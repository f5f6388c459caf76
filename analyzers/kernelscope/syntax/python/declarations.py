"""Methods that are declared only: what they do is left to the classes below."""

from __future__ import annotations

from kernelscope.syntax.python.tree import Constant, ExprStmt, FunctionDef, Pass, Raise, Return, Yield, dotted, walk


def is_declared_only(method: FunctionDef) -> bool:
    """Whether a method says that others define it: by its decorator, or by a body that always raises."""
    if any((dotted(d) or "").rpartition(".")[2] == "abstractmethod" for d in method.decorator_list):
        return True
    ends = isinstance(method.body[-1], Raise) if method.body else False
    return ends and not any(isinstance(node, Return | Yield) for node in walk(*method.body))


def does_nothing(method: FunctionDef) -> bool:
    """Whether a body is empty but for its documentation: those of classes below may do something."""
    return all(
        isinstance(statement, Pass) or (isinstance(statement, ExprStmt) and isinstance(statement.value, Constant))
        for statement in method.body
    )
