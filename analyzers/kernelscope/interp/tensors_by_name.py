"""Tensors in a dictionary that a caller gives: what is done with each tells its shape, as it does of parameters.

Nothing is asked of it but items by their names: `r = inputs["r"]`, `inputs[keys.R]`, `batch.get("x", None)`. They are
tensors as its annotation says, `dict[str, Tensor]`, or as they are used as such.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kernelscope.dims import Dim, dim
from kernelscope.interp.agreement import NOT_TOLD, OPTIONAL
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.shape_texts import only_a_shape
from kernelscope.interp.uses import TENSOR_METHODS, Uses, bound_names, is_tensor_index
from kernelscope.interp.values import Maybe, Opaque, Open, Scope, Value, present
from kernelscope.interp.wants import target_of, wanted
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Size, Tensor, Unknown

TENSORS_BY_NAME = re.compile(
    r"(?:[\w.]+\.)?(?:dict|mapping|mutablemapping|ordereddict)\[ *str *, *[\w.]*Tensor *\]", re.IGNORECASE
)
LEAST = 2
"""From so many sizes on a comment speaks of a tensor."""
ASKED = {"get", "update", "copy", "pop", "setdefault"}
"""Methods that go through no items."""


class _UsesOfItems(Uses):
    """What a body does with the names that items are given, until these are bound to something else: to these it is as
    if callers gave them."""

    def __init__(self, node: t.FunctionDef, items: Mapping[str, t.Assign]) -> None:
        self.items = items
        super().__init__(node)

    def _note(self, node: t.Node) -> None:
        super()._note(node)
        if isinstance(node, t.Assign) and node in self.items.values():
            for name in bound_names(node):
                self.rebound.pop(name, None)


@dataclass(frozen=True, slots=True)
class Item:
    """What is taken by its name of a parameter: by which key, and the name that it is given first."""

    holder: str
    key: str
    called: str

    @property
    def place(self) -> str:
        """How the source reaches it."""
        return f"{self.holder}[{self.key!r}]"


def tensors_by_name(
    run: Interpreter,
    scope: Scope,
    node: t.FunctionDef,
    name: str,
    is_annotated: bool = True,
    comments: dict[str, Shape] | None = None,
) -> Open | None:
    """What such a parameter holds; None where the function may go through all that there is.

    Of one that is not annotated so the items are tensors that are used as tensors, or that comments on the lines that
    take them tell the shape of; None where none is. `comments` gets what is believed of these, if they are believed.
    """
    body = list(t.walk(*node.body))
    if _is_gone_through(body, name):
        return None
    given = dict(_first_bound(body, run.uses(node), name))
    of_items = _UsesOfItems(node, given)
    said = {} if comments is None else _remarked(run, scope, given)
    found, dtype, used = Open(), Unknown("the dtype of an argument"), _used_as_tensors(body, name)
    for subscript, key in _asked(body, name):
        text = _text_of(run, scope, key)
        if text is None:
            continue
        local = next((local for local, own in given.items() if own.value is subscript), "")
        is_tensor = is_annotated or subscript in used or local in said
        is_tensor = is_tensor or (bool(local) and _is_tensor(run, scope, of_items, local))
        if is_tensor and not _is_whole(found.get(text)) and (local or text not in found):
            shape = _shape(run, scope, of_items, local)
            if shape.rank is None and local in said and comments is not None:
                shape = comments[local] = said[local]
            tensor = Tensor(shape, dtype)
            found[text] = Maybe(tensor, text) if isinstance(subscript, t.Call) else tensor
        elif not is_tensor:
            is_there = isinstance(subscript, t.Subscript)
            found.setdefault(text, Opaque(f"{name}[{text!r}]") if is_there else Maybe(Unknown(OPTIONAL), text))
    return found if any(isinstance(present(value), Tensor) for value in found.values()) else None


def open_items(run: Interpreter, scope: Scope, node: t.FunctionDef) -> list[Item]:
    """The tensors in dictionaries that callers give of which not even the number of dims is known."""
    found: list[Item] = []
    for param in node.args:
        held = scope.names.get(param.name)
        if not isinstance(held, Open) or param.kind == "kwargs":
            continue
        places = {key for key, value in held.items() if isinstance(v := present(value), Tensor) and v.rank is None}
        if not places:
            continue
        called: dict[str, str] = {}
        for local, statement in _first_bound(list(t.walk(*node.body)), run.uses(node), param.name):
            key = next(iter(_asked([statement.value], param.name)))[1]
            called.setdefault(_text_of(run, scope, key) or "", local)
        for key in held:
            if key in places:
                word = called.get(key, key if key.isidentifier() else param.name)
                found.append(Item(param.name, key, word))
    return found


def with_items(names: Mapping[str, Value], items: Iterable[Item]) -> dict[str, Value]:
    """The names of a function, its dictionaries with what is there under the places of their items."""
    changed = dict(names)
    for item in items:
        if item.place in changed:
            changed[item.holder] = Open({**changed[item.holder], item.key: changed.pop(item.place)})
    return changed


def _text_of(run: Interpreter, scope: Scope, key: t.Expr) -> str | None:
    text = key.value if isinstance(key, t.Constant) else target_of(run, scope, key)
    return text if isinstance(text, str) else None


def _asked(body: Iterable[t.Node], name: str) -> Iterator[tuple[t.Expr, t.Expr]]:
    """Where items are asked for, each with its key: `inputs["r"]`, `inputs.get("r")`."""
    for node in body:
        match node:
            case t.Subscript(value=t.Name(id=whole), slice=key) if whole == name:
                yield node, key
            case t.Call(func=t.Attribute(value=t.Name(id=whole), attr="get"), args=[key]) if whole == name:
                yield node, key
            case t.Call(func=t.Attribute(value=t.Name(id=whole), attr="get"), args=[key, t.Constant(value=None)]) if (
                whole == name
            ):
                yield node, key
            case _:
                pass


def _first_bound(body: Sequence[t.Node], uses: Uses, name: str) -> Iterator[tuple[str, t.Assign]]:
    """The names that stand for items from where they are first bound, with the statements that bind them."""
    bound: set[str] = {*uses.bindings} - {n for node in body if isinstance(node, t.Assign) for n in bound_names(node)}
    for node in body:
        if not isinstance(node, t.Assign | t.AnnAssign | t.AugAssign | t.For | t.With):
            continue
        match node:
            case t.Assign(targets=[t.Name(id=local)], value=value) if local not in bound:
                if any(asked is value for asked, _ in _asked([value], name)):
                    yield local, node
            case _:
                pass
        bound.update(bound_names(node))


def _used_as_tensors(body: Iterable[t.Node], name: str) -> set[t.Expr]:
    """Where items are asked for and used as tensors at once: `batch["x"].squeeze(-1)`, `batch["x"][:, 0]`."""
    found: set[t.Expr] = set()
    for node in body:
        match node:
            case t.Call(func=t.Attribute(value=value, attr=attr)) if attr in TENSOR_METHODS:
                found |= {asked for asked, _ in _asked([value], name)}
            case t.Subscript(value=value, slice=t.Tuple(elts=parts)) if any(map(is_tensor_index, parts)):
                found |= {asked for asked, _ in _asked([value], name)}
            case _:
                pass
    return found


def _remarked(run: Interpreter, scope: Scope, given: Mapping[str, t.Assign]) -> dict[str, Shape]:
    """The shapes in the comments on the lines that give names to items: `x = batch["x"]  # [B, L, 1]`."""
    module = run.workspace.modules.module(scope.path)
    found: dict[str, Shape] = {}
    for local, statement in given.items() if module is not None else ():
        assert module is not None
        comment = module.comment_on(module.text.line_of(statement.span.end))
        told = None if comment is None or comment.alone else only_a_shape(comment.text, local)
        if told is not None and told.rank is not None and told.rank >= LEAST:
            sizes = (s if isinstance(s, Dim) else dim(f"{local}_size{i}") for i, s in enumerate(told.head))
            found[local] = Shape(tuple(sizes))
    return found


def _is_whole(value: Value) -> bool:
    """Whether it is known how many dims a tensor has."""
    tensor = present(value)
    return isinstance(tensor, Tensor) and tensor.rank is not None


def _is_tensor(run: Interpreter, scope: Scope, uses: Uses, local: str) -> bool:
    if local in uses.objects:
        return False
    if local in uses.unpacked or local in uses.patterns or local in uses.tensors - uses.handed:
        return True
    return wanted(run, scope, uses, local) is not None


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
