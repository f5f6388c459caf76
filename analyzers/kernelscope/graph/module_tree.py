"""The tree of a model's parts, read from what its classes' `__init__` builds and the order in which `forward` calls it.

Structure only: no shapes, and no choice between branches (a part built in a branch carries the branch's condition).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kernelscope.graph.constructions import Built, Constructions
from kernelscope.results import Location
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.text import SourceText
from kernelscope.workspace.classes import Classes, is_class
from kernelscope.workspace.instances import Instances
from kernelscope.workspace.modules import Definition, External, Modules

MAX_DEPTH = 12
MAX_PARTS = 400
MAX_ALTERNATIVES = 3
NOTHING = ("torch.nn.Identity", "torch.nn.modules.linear.Identity")
Handed = Mapping[str, str]
"""What parameters of a constructor are called by the model's own: `config` is `config.vision_config`."""
NOT_LAYERS = {"Parameter", "Buffer", "UninitializedParameter", "ParameterList", "ParameterDict", "Tensor", "Size"}


@dataclass(frozen=True, slots=True)
class Part:
    """One sub-module: the attribute that holds it, its class, how often it is repeated, and what it is made of.

    `repeat` is the count's text in the source ("" for one); `arguments` the text of the constructor's arguments.
    `definition` is None for classes outside the workspace, whose full name is then `class_name`; it is empty where one
    of many classes is taken, which `arguments` lists.
    """

    attribute: str
    class_name: str
    location: Location
    arguments: str = ""
    repeat: str = ""
    condition: str = ""
    definition: Definition | None = None
    children: tuple[Part, ...] = ()
    in_forward: bool = True

    @property
    def short_name(self) -> str:
        return self.class_name.rpartition(".")[2]


class ModuleTrees:
    """Builds part trees for the module classes of a workspace."""

    def __init__(self, modules: Modules, classes: Classes, instances: Instances) -> None:
        self._modules = modules
        self._classes = classes
        self._constructions = Constructions(modules, classes, instances)

    def tree(self, cls: Definition) -> Part:
        """The parts of `cls`, recursively."""
        return replace(self._part("", cls, {}, depth=0, within=(), budget=[MAX_PARTS]), attribute="")

    def _part(
        self, attribute: str, cls: Definition, handed: Handed, depth: int, within: tuple[t.Stmt, ...], budget: list[int]
    ) -> Part:
        location = self._location(cls.path, cls.node)
        if depth >= MAX_DEPTH or cls.node in within or budget[0] <= 0:
            return Part(attribute, cls.name, location, definition=cls)
        children = tuple(self._children(cls, handed, depth, (*within, cls.node), budget))
        return Part(attribute, cls.name, location, definition=cls, children=children)

    def _children(
        self, cls: Definition, handed: Handed, depth: int, within: tuple[t.Stmt, ...], budget: list[int]
    ) -> Iterator[Part]:
        found: dict[str, list[Part]] = {}
        for owner in reversed(self._classes.mro(cls)):
            if not is_class(owner):
                continue
            for attribute, several, by_constructor in self._constructions.stored(owner):
                stored: dict[str, list[Part]] = {}
                for built in several:
                    budget[0] -= 1
                    part = self._construct(attribute, built, handed, depth, within, budget) if budget[0] > 0 else None
                    if part is not None and (by_constructor or part.attribute not in found):
                        stored.setdefault(part.attribute, []).append(part)
                for name, parts in stored.items():
                    found[name] = self._with(found.pop(name, []), parts)
        used = self._call_order(cls)
        order = {name: index for index, name in enumerate(used)}
        parts = [replace(part, in_forward=_holder(part) in order) for some in found.values() for part in _few(some)]
        parts.sort(key=lambda part: order.get(_holder(part), len(order)))
        yield from parts

    def _construct(
        self,
        attribute: str,
        built: Built,
        handed: Handed,
        depth: int,
        within: tuple[t.Stmt, ...],
        budget: list[int],
    ) -> Part | None:
        location = self._location(built.frame.path, built.node)
        arguments = _renamed(_arguments(built.node, built.frame.text), handed)
        built = replace(built, repeat=_renamed(built.repeat, handed), condition=_renamed(built.condition, handed))
        attribute += built.suffix
        match built.cls:
            case Definition(node=t.ClassDef()) as cls if self._classes.is_module(cls):
                part = self._part(attribute, cls, self._handed_on(cls, built, handed), depth + 1, within, budget)
                return replace(
                    part, location=location, arguments=arguments, repeat=built.repeat, condition=built.condition
                )
            case External(dotted=name) if _is_layer(name):
                return Part(attribute, name, location, arguments, built.repeat, built.condition)
            case _:
                return None

    def _handed_on(self, cls: Definition, built: Built, handed: Handed) -> Handed:
        """What the objects that a part is built with are called outside of it; nothing of what is computed for it."""
        made = self._method(cls, "__init__")
        if made is None or not isinstance(built.node, t.Call):
            return {}
        names = [parameter.name for parameter in made.args[1:]]
        given = [*zip(names, built.node.args, strict=False), *((k.arg, k.value) for k in built.node.keywords)]
        found: dict[str, str] = {}
        for name, value in given:
            if name in names and (outside := _kept_as(t.dotted(value), built.frame.function)) is not None:
                found[name] = _renamed(f"{outside}.", handed)[:-1]
        return {name: outside for name, outside in found.items() if name != outside}

    def _with(self, known: list[Part], stored: list[Part]) -> list[Part]:
        """Parts of one name: those of one statement, and those that are built under conditions, stand side by side."""
        found = [] if not all(part.condition for part in stored) else list(known)
        for part in stored:
            same = [p for p in found if p.class_name == part.class_name]
            found = [p for p in found if p.class_name != part.class_name]
            either_way = any(not p.condition or f"not ({p.condition})" == part.condition for p in same)
            ways = dict.fromkeys([*(p.condition for p in same if p.arguments == part.arguments), part.condition])
            found.append(replace(part, condition="" if either_way else " or ".join(ways)))
        something = [part for part in found if not self._is_nothing(part)]
        return something or [part for part in found[:1] if not part.condition]

    def _is_nothing(self, part: Part) -> bool:
        """Whether a part is the layer that does nothing, which stands where there is none."""
        bases = self._classes.mro(part.definition) if part.definition is not None else [External(part.class_name)]
        return any(isinstance(base, External) and base.dotted in NOTHING for base in bases)

    def _call_order(self, cls: Definition) -> list[str]:
        """Attributes of `self` that the forward pass mentions, in order of first mention."""
        entry = next((m for n in ("forward", "__call__", "call") if (m := self._method(cls, n)) is not None), None)
        names: list[str] = []
        todo, entered = [entry] if entry is not None else [], set[t.FunctionDef]()
        while todo and len(entered) < MAX_PARTS:
            method = todo.pop(0)
            if method in entered:
                continue
            entered.add(method)
            mentioned = _mentions(method)
            names += mentioned
            todo[:0] = [m for name in mentioned if (m := self._method(cls, name)) is not None]
        return list(dict.fromkeys(names))

    def _method(self, cls: Definition, name: str) -> t.FunctionDef | None:
        found = self._classes.attribute(cls, name)
        return found.node if isinstance(found, Definition) and isinstance(found.node, t.FunctionDef) else None

    def _location(self, path: str, node: t.Node) -> Location:
        span = node.name_span if isinstance(node, t.FunctionDef | t.ClassDef) else node.span
        return self._constructions.text(path).location(Path(path), span)


def _few(parts: list[Part]) -> list[Part]:
    """Parts of one name; more than a few that exclude each other are told in one line."""
    if len(parts) <= MAX_ALTERNATIVES or not all(part.condition for part in parts):
        return parts
    names = ", ".join(part.short_name for part in parts)
    return [Part(parts[0].attribute, "", parts[0].location, f"one of {len(parts)}: {names}")]


def _holder(part: Part) -> str:
    """The attribute of `self` that holds a part: `h` of `h[0]`, `transformer` of `transformer.h`."""
    return part.attribute.partition("[")[0].partition(".")[0]


def _is_layer(dotted: str) -> bool:
    package, _, name = dotted.rpartition(".")
    return package.split(".")[0] in ("torch", "flax", "equinox") and name[:1].isupper() and name not in NOT_LAYERS


def _kept_as(dotted: str | None, function: t.FunctionDef) -> str | None:
    """What a method calls what it keeps: `config.text` for `self.inner` after `self.inner = config.text`."""
    if dotted is None or not dotted.startswith("self."):
        return dotted
    kept, _, rest = dotted.removeprefix("self.").partition(".")
    for statement in t.flat(function.body):
        if isinstance(statement, t.Assign) and f"self.{kept}" in map(t.dotted, statement.targets):
            given = t.dotted(statement.value)
            return given and ".".join(filter(None, (given, rest)))
    return None


def _renamed(text: str, handed: Handed) -> str:
    """A text of the source with what it reads of handed objects as it is called outside.

    So is the whole object where outside another one has its name.
    """
    if not handed:
        return text
    names = "|".join(f"{re.escape(name)}(?=\\.)" for name in handed)
    whole = "|".join(map(re.escape, (name for name, outside in handed.items() if outside.startswith(f"{name}."))))
    if whole:
        names += rf"|(?:{whole})\b(?!\s*=[^=])"
    return re.sub(rf"(?<![\w.])(?:{names})", lambda found: handed[found[0]], text)


def _arguments(built: t.Expr, text: SourceText) -> str:
    if not isinstance(built, t.Call):
        return ""  # it is handed in
    parts = [text.slice(arg.span) for arg in built.args]
    parts += [text.slice(keyword.span) for keyword in built.keywords]
    return " ".join(", ".join(parts).split())


def _mentions(function: t.FunctionDef) -> list[str]:
    """Attributes of the receiver, a call where it ends: of `self.out(self.norm(x))` the inner one comes first."""
    if not function.args:
        return []
    receiver = function.args[0].name
    nodes = list(t.walk(*function.body))
    ends = {node.func: node.span.end for node in nodes if isinstance(node, t.Call)}
    held = [n for n in nodes if isinstance(n, t.Attribute) and isinstance(n.value, t.Name) and n.value.id == receiver]
    held.sort(key=lambda node: ends.get(node, node.attr_span.end))
    return list(dict.fromkeys(node.attr for node in held))
