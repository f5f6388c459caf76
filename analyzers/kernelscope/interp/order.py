"""The functions of a file, callers before what they call, as far as the names in them tell."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from kernelscope.interp.calls import LIBRARIES
from kernelscope.interp.seeds import Uses
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module, Scope

ENTRIES = ("forward", "__call__", "call")
"""Methods by which an object is called."""


def callers_first(module: Module) -> list[Scope]:
    """Functions and methods of the file's top level in an order in which most are called by earlier ones only."""
    functions = [s for s in module.functions() if len(s.path) <= 2]
    classes = _named_in_classes(module)
    mentioned = _built(classes)
    uses = {id(s.node): _called(s, functions, classes) for s in functions}
    state: dict[int, bool] = {}
    order: list[Scope] = []

    def visit(scope: Scope) -> None:
        stack: list[tuple[Scope, int]] = [(scope, 0)]
        state[id(scope.node)] = False
        while stack:
            current, index = stack.pop()
            found = uses[id(current.node)]
            while index < len(found) and id(found[index].node) in state:
                index += 1
            if index == len(found):
                order.append(current)
                continue
            stack.append((current, index + 1))
            state[id(found[index].node)] = False
            stack.append((found[index], 0))

    def rank(scope: Scope) -> tuple[int, int]:
        top = scope.owner is not None and scope.owner.name not in mentioned and scope.node.name in ENTRIES
        return (1 if top else 0, scope.node.span.start)

    # A depth-first search lists what is called first; the models come last and end up first.
    for scope in sorted(functions, key=rank):
        if id(scope.node) not in state:
            visit(scope)
    return order[::-1]


def as_called(order: list[Scope], calls: Collection[tuple[t.Stmt, t.Stmt]]) -> Iterator[Scope]:
    """The functions in this order, but none before one that was meanwhile seen to call it: `calls` grows."""
    waiting = list(order)
    while waiting:
        left = {scope.node for scope in waiting}
        held_back = {callee for caller, callee in calls if caller in left and caller is not callee}
        found = next((scope for scope in waiting if scope.node not in held_back), waiting[0])
        waiting.remove(found)
        yield found


def computes(scope: Scope) -> bool:
    """Whether a function may work on tensors itself, and does not only build models or read settings."""
    return scope.owner is not None or works_on_tensors(scope)


def works_on_tensors(scope: Scope) -> bool:
    """Whether the body of a function says that it works on tensors."""
    assert isinstance(scope.node, t.FunctionDef)
    if scope.node.name == "__init__":
        return False
    if scope.owner is not None and scope.node.name in ENTRIES:
        return True
    used = _names(scope.node.body)
    return bool(used & LIBRARIES) or bool(Uses(scope.node).tensors)


def built_classes(module: Module) -> set[str]:
    """Names of classes that some other class of the file mentions in its body."""
    return _built(_named_in_classes(module))


def _built(classes: Mapping[t.Stmt, set[str]]) -> set[str]:
    found: set[str] = set()
    for cls, names in classes.items():
        assert isinstance(cls, t.ClassDef)
        found |= names - {cls.name}
    return found


def _named_in_classes(module: Module) -> dict[t.Stmt, set[str]]:
    """The names in the body of each class of the file."""
    return {cls.node: _names(cls.node.body) for cls in module.classes()}


def _called(scope: Scope, functions: list[Scope], classes: Mapping[t.Stmt, set[str]]) -> list[Scope]:
    """Functions that one may call: named in it or in its class, and methods of its own class."""
    mentioned = _names(scope.node.body)
    calls_objects = computes(scope)
    attributes = {n.attr for n in t.walk(*scope.node.body) if isinstance(n, t.Attribute)}
    owner = scope.owner
    of_class = classes[owner] | {t.dotted(b) or "" for b in owner.bases} if owner is not None else set[str]()
    built = mentioned | of_class if calls_objects and scope.node.name != "__init__" else set[str]()
    found: list[Scope] = []
    for other in functions:
        if other.node is scope.node:
            continue
        if other.owner is None:
            is_called = other.node.name in mentioned
        elif other.owner is owner:
            is_called = other.node.name in attributes
        else:
            is_called = other.owner.name in built
        if is_called:
            found.append(other)
    return found


def _names(body: list[t.Stmt]) -> set[str]:
    return {n.id for n in t.walk(*body) if isinstance(n, t.Name)}
