"""Functions that a class or its objects keep under another name.

`part = staticmethod(f)`, `self.run = partial(f, self)`, `self.run = self.fast if wide else self.slow`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kernelscope.syntax.python.tree import Assign, BoolOp, Call, ClassDef, Expr, FunctionDef, IfExp, dotted
from kernelscope.workspace.classes import Classes, Stored, is_class, own_attribute
from kernelscope.workspace.modules import Definition, Modules, Resolved

MAX_HOPS = 12
CALLED_ALIKE = {"partial", "compile", "jit", "cache", "lru_cache", "no_grad", "inference_mode", "MethodType"}
"""What gives back something that is called as what it was given is."""


class KeptFunctions:
    """Functions behind attributes, by the statements that bind them."""

    def __init__(self, modules: Modules, classes: Classes) -> None:
        self._modules = modules
        self._classes = classes

    def of(self, cls: Definition, name: str, attribute: Resolved) -> Iterator[Definition]:
        """What objects of a class keep under a name, by its own body and methods or by those of the nearest base;
        `attribute` is what the bodies have under it."""
        yield from self._in_body(attribute)
        yield from self._in_methods(cls, name, self._classes.stored(cls, name))

    def of_itself(self, cls: Definition, name: str) -> Iterator[Definition]:
        """What a class itself, no base of it, keeps under a name."""
        yield from self._in_body(own_attribute(cls, name))
        stored = self._classes.stored(cls, name)
        own = {method.span.start for method in cls.node.methods()} if isinstance(cls.node, ClassDef) else set[int]()
        yield from self._in_methods(cls, name, (s for s in stored if s.method.node.span.start in own))

    def _in_body(self, attribute: Resolved | None) -> Iterator[Definition]:
        if isinstance(attribute, Definition) and isinstance(attribute.node, Assign):
            yield from self._functions(attribute.path, attribute.node.value, None)

    def _in_methods(self, cls: Definition, name: str, stored: Iterable[Stored]) -> Iterator[Definition]:
        for each in stored:
            found = self._functions(each.method.path, each.statement.value, cls)
            yield from (function for function in found if function.name != name or function.owner is None)

    def _functions(self, path: str, value: Expr | None, owner: Definition | None) -> Iterator[Definition]:
        for one in _alternatives(value):
            found = self.innermost(path, one, owner=owner)
            if found is not None and isinstance(found.node, FunctionDef):
                yield found

    def innermost(
        self, path: str, value: Expr | None, before: int | None = None, owner: Definition | None = None
    ) -> Definition | None:
        """The function in `g`, `wrap(g)`, `tuned(...)(jit(g))` or `partial(Class.g, self)`; in a method of `owner` also
        in `self.g`. `before` asks for what a name means at that offset."""
        is_same = True
        for _ in range(MAX_HOPS):
            if not isinstance(value, Call) or not value.args:
                break
            is_same = is_same and (dotted(value.func) or "").rpartition(".")[2] in CALLED_ALIKE
            value = value.args[0]
        name = dotted(value) if value is not None else None
        if name is None or (name.startswith("self.") and not is_same):
            return None  # `max(self.count, 1)` is no function
        found = self._modules.resolve(path, name, before=before)
        holder, _, attribute = name.rpartition(".")
        if holder and not isinstance(found, Definition):
            cls = owner if holder == "self" else self._modules.definition(path, holder)
            found = self._classes.attribute(cls, attribute) if cls is not None and is_class(cls) else found
        return found if isinstance(found, Definition) else None


def _alternatives(value: Expr | None) -> Iterator[Expr]:
    match value:
        case None:
            pass
        case IfExp(body=one, orelse=other):
            yield from _alternatives(one)
            yield from _alternatives(other)
        case BoolOp(values=values):
            for each in values:
                yield from _alternatives(each)
        case _:
            yield value
