"""The tree of a model's parts, read from what its classes' `__init__` builds and the order in which `forward` calls it.

Structure only: no shapes, and no choice between branches (a part built in a branch carries the branch's condition).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kernelscope.results import Location
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.text import SourceText
from kernelscope.workspace.classes import Classes, is_class
from kernelscope.workspace.modules import Definition, External, Modules, Resolved

MAX_DEPTH = 12
MAX_PARTS = 400
MODULE_BASES = (
    "torch.nn.Module", "torch.nn.modules.Module", "torch.nn.modules.module.Module", "flax.linen.Module",
    "flax.nnx.Module", "equinox.Module",
)  # fmt: skip
NOT_LAYERS = {"Parameter", "Buffer", "UninitializedParameter", "ParameterList", "ParameterDict", "Tensor", "Size"}
LISTS = {"ModuleList", "Sequential", "ModuleDict"}


@dataclass(frozen=True, slots=True)
class Part:
    """One sub-module: the attribute that holds it, its class, how often it is repeated, and what it is made of.

    `repeat` is the count's text in the source ("" for one); `arguments` the text of the constructor's arguments.
    `definition` is None for classes outside the workspace, whose full name is then `class_name`.
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


@dataclass(frozen=True, slots=True)
class _Built:
    """A constructor call found in an assignment, before its class is known."""

    call: t.Call
    method: t.FunctionDef
    repeat: str = ""
    suffix: str = ""
    condition: str = ""

    @property
    def class_name(self) -> str | None:
        """The dotted name that is called; a parameter of the method means its default class."""
        name = t.dotted(self.call.func)
        default = next((p.default for p in self.method.args if p.name == name), None)
        return t.dotted(default) if default is not None else name


def is_module_class(classes: Classes, cls: Definition) -> bool:
    """Whether `cls` derives from a framework's module class, as far as its bases can be followed."""
    return any(_is_module_base(base) for base in classes.mro(cls))


def _is_module_base(base: Resolved) -> bool:
    return isinstance(base, External) and (base.dotted in MODULE_BASES or base.dotted.startswith("torch.nn."))


class ModuleTrees:
    """Builds part trees for the module classes of a workspace."""

    def __init__(self, modules: Modules, classes: Classes) -> None:
        self._modules = modules
        self._classes = classes

    def tree(self, cls: Definition) -> Part:
        """The parts of `cls`, recursively."""
        return replace(self._part("", cls, depth=0, within=(), budget=[MAX_PARTS]), attribute="")

    def _part(self, attribute: str, cls: Definition, depth: int, within: tuple[t.Stmt, ...], budget: list[int]) -> Part:
        location = self._location(cls.path, cls.node)
        if depth >= MAX_DEPTH or cls.node in within or budget[0] <= 0:
            return Part(attribute, cls.name, location, definition=cls)
        children = tuple(self._children(cls, depth, (*within, cls.node), budget))
        return Part(attribute, cls.name, location, definition=cls, children=children)

    def _children(self, cls: Definition, depth: int, within: tuple[t.Stmt, ...], budget: list[int]) -> Iterator[Part]:
        found: dict[str, Part] = {}
        for owner in reversed(self._classes.mro(cls)):
            if not is_class(owner):
                continue
            text = self._text(owner.path)
            for attribute, built in self._stores(owner, text):
                budget[0] -= 1
                if budget[0] <= 0:
                    break
                part = self._construct(attribute, built, owner, text, depth, within, budget)
                if part is None or (part.attribute in found and built.method.name != "__init__"):
                    continue
                found.pop(part.attribute, None)
                found[part.attribute] = part
        used = self._call_order(cls)
        order = {name: index for index, name in enumerate(used)}
        parts = [replace(part, in_forward=_holder(part) in order) for part in found.values()]
        parts.sort(key=lambda part: order.get(_holder(part), len(order)))
        yield from parts

    def _construct(
        self,
        attribute: str,
        built: _Built,
        owner: Definition,
        text: SourceText,
        depth: int,
        within: tuple[t.Stmt, ...],
        budget: list[int],
    ) -> Part | None:
        name = built.class_name
        if name is None:
            return None
        resolved = self._modules.resolve(owner.path, name)
        definition = self._modules.definition(owner.path, name)
        location = self._location(owner.path, built.call)
        arguments = _arguments(built.call, text)
        attribute += built.suffix
        if definition is not None and isinstance(definition.node, t.ClassDef):
            if not is_module_class(self._classes, definition):
                return None
            part = self._part(attribute, definition, depth + 1, within, budget)
            return replace(part, location=location, arguments=arguments, repeat=built.repeat, condition=built.condition)
        if isinstance(resolved, External) and _is_layer(resolved.dotted):
            return Part(attribute, resolved.dotted, location, arguments, built.repeat, built.condition)
        return None

    def _stores(self, cls: Definition, text: SourceText) -> Iterator[tuple[str, _Built]]:
        """Constructor calls that the class's own methods put into `self`, in source order."""
        assert isinstance(cls.node, t.ClassDef)
        methods = [method for method in cls.node.methods() if method.args and method.name != "forward"]
        methods.sort(key=lambda method: method.name != "__init__")
        for method in methods:
            for statement, condition, repeat in _guarded(method.body, text):
                yield from _stored_by(statement, method, condition, repeat, text)

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

    def _text(self, path: str) -> SourceText:
        module = self._modules.module(path)
        return module.text if module is not None else SourceText(b"")

    def _location(self, path: str, node: t.Node) -> Location:
        span = node.name_span if isinstance(node, t.FunctionDef | t.ClassDef) else node.span
        return self._text(path).location(Path(path), span)


def _holder(part: Part) -> str:
    """The attribute of `self` that holds a part: `h` of `h[0]`, `transformer` of `transformer.h`."""
    return part.attribute.partition("[")[0].partition(".")[0]


def _is_layer(dotted: str) -> bool:
    package, _, name = dotted.rpartition(".")
    return package.split(".")[0] in ("torch", "flax", "equinox") and name[:1].isupper() and name not in NOT_LAYERS


def _arguments(call: t.Call, text: SourceText) -> str:
    parts = [text.slice(arg.span) for arg in call.args]
    parts += [text.slice(keyword.span) for keyword in call.keywords]
    return " ".join(", ".join(parts).split())


def _guarded(
    body: list[t.Stmt], text: SourceText, condition: str = "", repeat: str = ""
) -> Iterator[tuple[t.Stmt, str, str]]:
    """Simple statements with the condition and the loop count that they stand under."""
    todo: list[tuple[list[t.Stmt], str, str]] = [(body, condition, repeat)]
    while todo:
        block, condition, repeat = todo.pop(0)
        for statement in block:
            match statement:
                case t.If():
                    test = " ".join(text.slice(statement.test.span).split())
                    todo.append((statement.body, _both(condition, test), repeat))
                    todo.append((statement.orelse, _both(condition, f"not ({test})"), repeat))
                case t.For():
                    todo.append((statement.body, condition, _times(repeat, _count(statement.iter, text))))
                case t.With() | t.Try():
                    todo.append((statement.body, condition, repeat))
                case _:
                    yield statement, condition, repeat


def _both(one: str, other: str) -> str:
    return f"{one} and {other}" if one else other


def _times(one: str, other: str) -> str:
    return f"{one}*{other}" if one and other else one or other


def _count(iterable: t.Expr, text: SourceText) -> str:
    """How often `for ... in iterable` runs, in the source's words; "N" where it cannot be said."""
    match iterable:
        case t.Call(func=t.Name(id="range"), args=[stop]):
            return " ".join(text.slice(stop.span).split())
        case t.Call(func=t.Name(id="range"), args=[start, stop]):
            return f"{text.slice(stop.span)} - {text.slice(start.span)}"
        case t.Call(func=t.Name(id="enumerate"), args=[inner, *_]):
            return _count(inner, text)
        case t.List() | t.Tuple():
            return str(len(iterable.elts))
        case _:
            return f"len({' '.join(text.slice(iterable.span).split())})"


def _stored_by(
    statement: t.Stmt, method: t.FunctionDef, condition: str, repeat: str, text: SourceText
) -> Iterator[tuple[str, _Built]]:
    receiver = method.args[0].name
    match statement:
        case t.Assign(targets=[t.Attribute(value=t.Name(id=name), attr=attr)], value=value) if name == receiver:
            pass
        case t.AnnAssign(target=t.Attribute(value=t.Name(id=name), attr=attr), value=value) if name == receiver:
            if value is None:
                return
        case t.ExprStmt(
            value=t.Call(
                func=t.Attribute(value=t.Attribute(value=t.Name(id=name), attr=attr), attr="append"), args=[value]
            )
        ) if name == receiver:
            pass
        case t.ExprStmt(
            value=t.Call(
                func=t.Attribute(value=t.Name(id=name), attr="add_module"),
                args=[t.Constant(value=str() as attr), value],
            )
        ) if name == receiver:
            pass
        case _:
            return
    for built in _built(value, method, condition, repeat, text):
        yield attr, built


def _built(value: t.Expr, method: t.FunctionDef, condition: str, repeat: str, text: SourceText) -> Iterator[_Built]:
    """The constructor calls that a value is made of, through lists, comprehensions and conditional expressions."""
    todo: list[tuple[t.Expr, str, str, str]] = [(value, condition, repeat, "")]
    while todo:
        expr, condition, repeat, suffix = todo.pop(0)
        match expr:
            case t.IfExp():
                test = " ".join(text.slice(expr.test.span).split())
                todo.insert(0, (expr.body, _both(condition, test), repeat, suffix))
            case t.ListComp() | t.GeneratorExp():
                count = _times(repeat, _count(expr.generators[0].iter, text)) if expr.generators else repeat
                todo.insert(0, (expr.elt, condition, count, suffix))
            case t.List() | t.Tuple():
                entries = [(e, condition, repeat, f"{suffix}[{i}]") for i, e in enumerate(expr.elts)]
                todo[:0] = entries
            case t.Starred():
                todo.insert(0, (expr.value, condition, repeat, suffix))
            case t.Call() if (t.dotted(expr.func) or "").rpartition(".")[2] in LISTS:
                if len(expr.args) == 1:
                    todo.insert(0, (expr.args[0], condition, repeat, suffix))
                else:
                    entries = [(e, condition, repeat, f"{suffix}[{i}]") for i, e in enumerate(expr.args)]
                    todo[:0] = entries
            case t.Dict():
                todo[:0] = [
                    (v, condition, repeat, suffix + (f".{k.value}" if isinstance(k, t.Constant) else "[...]"))
                    for k, v in zip(expr.keys, expr.values, strict=False)
                    if k is not None
                ]
            case t.Call(func=t.Name(id="dict")) if expr.keywords:
                entries = [(k.value, condition, repeat, f"{suffix}.{k.arg}") for k in expr.keywords if k.arg]
                todo[:0] = entries
            case t.Call():
                yield _Built(expr, method, repeat, suffix, condition)
            case _:
                pass


def _mentions(function: t.FunctionDef) -> list[str]:
    if not function.args:
        return []
    receiver = function.args[0].name
    nodes = [n for n in t.walk(*function.body) if isinstance(n, t.Attribute)]
    nodes.sort(key=lambda node: node.attr_span.start)
    found = [n.attr for n in nodes if isinstance(n.value, t.Name) and n.value.id == receiver]
    return list(dict.fromkeys(found))
