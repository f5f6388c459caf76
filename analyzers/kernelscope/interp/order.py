"""The functions of a file, callers before what they call, as far as the names in them tell."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from kernelscope.interp.calls import LIBRARIES
from kernelscope.interp.uses import Uses
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module, Scope
from kernelscope.turns import give_way

ENTRIES = ("forward", "__call__", "call")
"""Methods by which an object is called."""


def callers_first(module: Module) -> list[Scope]:
    """Functions and methods of the file's top level in an order in which most are called by earlier ones only."""
    functions = [s for s in module.functions() if len(s.path) <= 2]
    classes = _named_in_classes(module)
    mentioned = _built(classes)
    known = _Named(functions)
    uses: dict[int, list[Scope]] = {}
    for scope in functions:
        give_way()
        uses[id(scope.node)] = _called(scope, known, classes)
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
    left = {scope.node for scope in waiting}
    while waiting:
        held_back = {callee for caller, callee in calls if caller in left and caller is not callee}
        found = next((scope for scope in waiting if scope.node not in held_back), waiting[0])
        waiting.remove(found)
        left.discard(found.node)
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


class _Named:
    """The functions of a file by their names, and methods by their classes, each with its place among all."""

    def __init__(self, functions: list[Scope]) -> None:
        self.functions = functions
        self.plain: dict[str, list[int]] = {}
        self.methods: dict[t.Stmt, list[int]] = {}
        self.of_classes: dict[str, list[int]] = {}
        for place, scope in enumerate(functions):
            if scope.owner is None:
                self.plain.setdefault(scope.node.name, []).append(place)
            else:
                self.methods.setdefault(scope.owner, []).append(place)
                self.of_classes.setdefault(scope.owner.name, []).append(place)


def _called(scope: Scope, known: _Named, classes: Mapping[t.Stmt, set[str]]) -> list[Scope]:
    """Functions that one may call: named in it or in its class, and methods of its own class."""
    mentioned = _names(scope.node.body)
    calls_objects = computes(scope)
    attributes = {n.attr for n in t.walk(*scope.node.body) if isinstance(n, t.Attribute)}
    owner = scope.owner
    of_class = classes[owner] | {t.dotted(b) or "" for b in owner.bases} if owner is not None else set[str]()
    built = mentioned | of_class if calls_objects and scope.node.name != "__init__" else set[str]()
    places = {place for name in mentioned for place in known.plain.get(name, ())}
    own = known.methods.get(owner, []) if owner is not None else []
    places |= {place for name in built for place in known.of_classes.get(name, ())} - set(own)
    places |= {place for place in own if known.functions[place].node.name in attributes}
    return [other for place in sorted(places) if (other := known.functions[place]).node is not scope.node]


def _names(body: list[t.Stmt]) -> set[str]:
    return {n.id for n in t.walk(*body) if isinstance(n, t.Name)}
