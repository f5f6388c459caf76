"""Tensors in a dictionary that a caller gives, as its annotation says: what is done with each tells its shape.

`inputs: dict[str, Tensor]`, of which nothing is asked but items by their names: `r = inputs["r"]`, `inputs[keys.R]`.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from kernelscope.dims import Dim, dim
from kernelscope.interp.agreement import NOT_TOLD
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.uses import Uses
from kernelscope.interp.values import Open, Scope
from kernelscope.interp.wants import target_of, wanted
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Size, Tensor, Unknown

TENSORS_BY_NAME = re.compile(
    r"(?:[\w.]+\.)?(?:dict|mapping|mutablemapping|ordereddict)\[ *str *, *[\w.]*Tensor *\]", re.IGNORECASE
)
ASKED = {"get", "update", "copy", "pop", "setdefault"}
"""Methods that go through no items."""


class _UsesOfItems(Uses):
    """What a body does with the names that items are given: to these it is as if callers gave them."""

    def __init__(self, node: t.FunctionDef, items: Set[str]) -> None:
        self.items = items
        super().__init__(node)

    def _is_given(self, name: str, use: t.Expr) -> bool:
        return name in self.items or super()._is_given(name, use)


def tensors_by_name(run: Interpreter, scope: Scope, node: t.FunctionDef, name: str) -> Open | None:
    """What such a parameter holds; None where the function may go through all that there is."""
    body = list(t.walk(*node.body))
    if _is_gone_through(body, name):
        return None
    uses = run.uses(node)
    called = {local: key for local, key in _taken(body, name) if uses.bindings.get(local) == 1}
    of_items = _UsesOfItems(node, called.keys())
    found = Open()
    for subscript in body:
        match subscript:
            case t.Subscript(value=t.Name(id=whole), slice=key) if whole == name:
                text = key.value if isinstance(key, t.Constant) else target_of(run, scope, key)
                if isinstance(text, str):
                    local = next((local for local, own in called.items() if own is key), "")
                    if local or text not in found:
                        found[text] = Tensor(_shape(run, scope, of_items, local), Unknown("the dtype of an argument"))
            case _:
                pass
    return found or None


def _taken(body: list[t.Node], name: str) -> Iterator[tuple[str, t.Expr]]:
    """The names that items are given, with their keys."""
    for node in body:
        match node:
            case t.Assign(targets=[t.Name(id=local)], value=t.Subscript(value=t.Name(id=whole), slice=key)):
                if whole == name:
                    yield local, key
            case _:
                pass


def _is_gone_through(body: list[t.Node], name: str) -> bool:
    """Whether more is done with a dictionary than to ask for items by their names, and to hand it on."""
    for node in body:
        match node:
            case t.Attribute(value=t.Name(id=whole), attr=attr) if whole == name and attr not in ASKED:
                return True
            case t.For(iter=t.Name(id=whole)) | t.Comprehension(iter=t.Name(id=whole)) if whole == name:
                return True
            case t.Starred(value=t.Name(id=whole)) if whole == name:
                return True
            case t.Call(func=t.Name(), args=[t.Name(id=whole), *_]) if whole == name:
                return True
            case t.Assign(targets=[t.Name(id=whole), *_]) if whole == name:
                return True
            case _:
                pass
    return False


def _shape(run: Interpreter, scope: Scope, uses: Uses, local: str) -> Shape:
    if not local:
        return Shape.unknown(NOT_TOLD)
    if (words := uses.unpacked.get(local)) is not None:
        return Shape(tuple(dim(word if word != "_" else f"{local}_dim{i}") for i, word in enumerate(words)))
    wants = wanted(run, scope, uses, local)
    if wants is None:
        return Shape.unknown(NOT_TOLD)
    names = (dim(f"{local}_size{i}") for i in range(len(wants.head)))
    head: tuple[Size, ...] = tuple(s if isinstance(s, Dim) else n for s, n in zip(wants.head, names, strict=True))
    return Shape(head, wants.tail, wants.reason)
