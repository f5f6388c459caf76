"""What expressions build: constructor calls, how often they run and under which condition.

They are found behind lists, comprehensions, local variables, tables of classes, lambdas and functions that make layers,
in the source alone; nothing is evaluated. What a caller hands in is of the class that its annotation names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from kernelscope.syntax.python import tree as t
from kernelscope.syntax.text import SourceText
from kernelscope.workspace.classes import Classes
from kernelscope.workspace.instances import Instances, Scope
from kernelscope.workspace.modules import Definition, External, Modules, Resolved

MAX_DEPTH = 5
"""How many functions, variables and parameters are followed one behind the other."""
LISTS = {"ModuleList", "Sequential", "ModuleDict"}
COPIES = {"deepcopy", "copy"}


@dataclass(frozen=True, eq=False)
class Frame:
    """A function that is read: where it stands, the class whose method it is, and what its parameters stand for."""

    path: str
    text: SourceText
    function: t.FunctionDef
    owner: Definition | None = None
    given: Mapping[str, tuple[t.Expr, Frame]] = field(default_factory=dict[str, "tuple[t.Expr, Frame]"])
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Built:
    """A constructor call, or the name of a parameter that holds an object: its class, where it stands, how often it is
    run and when; `suffix` is its place in a list."""

    node: t.Expr
    cls: Resolved
    frame: Frame
    repeat: str = ""
    suffix: str = ""
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Under what an expression stands."""

    repeat: str = ""
    suffix: str = ""
    condition: str = ""

    def under(self, condition: str) -> Place:
        return replace(self, condition=_both(self.condition, condition))

    def times(self, count: str) -> Place:
        return replace(self, repeat=f"{self.repeat}*{count}" if self.repeat and count else self.repeat or count)

    def at(self, suffix: str) -> Place:
        return replace(self, suffix=self.suffix + suffix)


class Constructions:
    """Finds the constructor calls of a workspace."""

    def __init__(self, modules: Modules, classes: Classes, instances: Instances) -> None:
        self._modules = modules
        self._classes = classes
        self._instances = instances

    def stored(self, cls: Definition) -> Iterator[tuple[str, list[Built], bool]]:
        """What statements of the class build and put into an attribute of `self`, and whether its constructor does."""
        assert isinstance(cls.node, t.ClassDef)
        methods = [m for m in cls.node.methods() if m.args and m.name != "forward"]
        methods.sort(key=lambda m: m.name != "__init__")
        for method in methods:
            frame = Frame(cls.path, self.text(cls.path), method, cls)
            for statement, place in _statements(frame):
                for attribute, value, rest in _stores(statement, method.args[0].name, frame):
                    built = [b for b in self.of(value, frame, place) if b.suffix.startswith(rest)]
                    built = [replace(b, suffix=b.suffix[len(rest) :]) for b in built]
                    yield attribute, built, method.name == "__init__"

    def text(self, path: str) -> SourceText:
        module = self._modules.module(path)
        return module.text if module is not None else SourceText(b"")

    def of(self, expr: t.Expr, frame: Frame, place: Place) -> Iterator[Built]:
        """The constructor calls that an expression is made of."""
        match expr:
            case t.IfExp():
                test = _words(expr.test, frame)
                yield from self.of(expr.body, frame, place.under(test))
                yield from self.of(expr.orelse, frame, place.under(f"not ({test})"))
            case t.ListComp() | t.GeneratorExp():
                count = _count(expr.generators[0].iter, frame) if expr.generators else ""
                yield from self.of(expr.elt, frame, place.times(count))
            case t.List() | t.Tuple():
                for index, entry in enumerate(expr.elts):
                    yield from self.of(entry, frame, place.at(f"[{index}]"))
            case t.Starred():
                yield from self.of(expr.value, frame, place)
            case t.BinOp(op="+"):
                yield from self.of(expr.left, frame, place)
                yield from self.of(expr.right, frame, place)
            case t.BinOp(op="*", left=t.List(elts=[element])):
                yield from self.of(element, frame, place.times(_words(expr.right, frame)))
            case t.Dict():
                for key, value in zip(expr.keys, expr.values, strict=False):
                    if key is not None:
                        name = f".{key.value}" if isinstance(key, t.Constant) else "[...]"
                        yield from self.of(value, frame, place.at(name))
            case t.Call():
                yield from self._of_call(expr, frame, place)
            case t.Name() if frame.depth < MAX_DEPTH:
                found = list(self._of_variable(expr.id, frame, place))
                yield from found or self._handed_in(expr, frame, place)
            case _:
                pass

    def _handed_in(self, name: t.Name, frame: Frame, place: Place) -> Iterator[Built]:
        """The object that a parameter holds, by its annotation."""
        if name.id in frame.given or all(name.id != param.name for param in frame.function.args):
            return
        for found in self._instances.types(Scope(frame.path, (frame.function,), frame.owner), name):
            if found.cls is not None and not found.is_class:
                yield Built(name, found.cls, frame, place.repeat, place.suffix, place.condition)

    def _of_call(self, call: t.Call, frame: Frame, place: Place) -> Iterator[Built]:
        short = (t.dotted(call.func) or "").rpartition(".")[2]
        if short in LISTS:
            for index, entry in enumerate(call.args):
                yield from self.of(entry, frame, place if len(call.args) == 1 else place.at(f"[{index}]"))
        elif short == "dict" and isinstance(call.func, t.Name):
            for keyword in call.keywords:
                if keyword.arg:
                    yield from self.of(keyword.value, frame, place.at(f".{keyword.arg}"))
        elif short in COPIES and call.args:
            yield from self.of(call.args[0], frame, place)
        else:
            for callee, inner, where in self._callees(call.func, frame, place):
                match callee:
                    case t.Lambda():
                        yield from self.of(callee.body, inner, where)
                    case Definition(node=t.ClassDef()):
                        yield Built(call, callee, frame, where.repeat, where.suffix, where.condition)
                    case External() if callee.dotted.rpartition(".")[2][:1].isupper():
                        yield Built(call, callee, frame, where.repeat, where.suffix, where.condition)
                    case Definition(node=t.FunctionDef()):
                        yield from self._of_function(callee, call, frame, where)
                    case _:  # what wraps a layer gives it back
                        for value in call.args[:1]:
                            yield from self.of(value, frame, where)

    def _of_variable(self, name: str, frame: Frame, place: Place) -> Iterator[Built]:
        """What a parameter stands for, or what is put into a variable of the function."""
        if name in frame.given:
            value, outer = frame.given[name]
            yield from self.of(value, replace(outer, depth=frame.depth + 1), place)
            return
        inner = replace(frame, depth=frame.depth + 1)
        for statement, where in _statements(frame):
            for value, is_added in _put_into(statement, name):
                there = place.under(where.condition)
                yield from self.of(value, inner, there.times(where.repeat) if is_added else there)

    def _of_function(self, function: Definition, call: t.Call, frame: Frame, place: Place) -> Iterator[Built]:
        """What a function returns that makes layers."""
        node = function.node
        assert isinstance(node, t.FunctionDef)
        if frame.depth >= MAX_DEPTH:
            return
        given = _given(node, call, frame, function.owner is not None)
        inner = Frame(function.path, self.text(function.path), node, function.owner, given, frame.depth + 1)
        for statement, where in _statements(inner):
            if isinstance(statement, t.Return) and statement.value is not None:
                yield from self.of(statement.value, inner, place.under(where.condition).times(where.repeat))

    def _callees(
        self, func: t.Expr, frame: Frame, place: Place
    ) -> Iterator[tuple[Resolved | t.Lambda | None, Frame, Place]]:
        """What is called: classes and functions, behind parameters and variables that hold them; None if not known."""
        match func:
            case t.Lambda():
                yield func, frame, place
            case t.IfExp():
                test = _words(func.test, frame)
                yield from self._callees(func.body, frame, place.under(test))
                yield from self._callees(func.orelse, frame, place.under(f"not ({test})"))
            case t.Name(id=name) if name in frame.given:
                value, outer = frame.given[name]
                yield from self._callees(value, outer, place)
            case t.Name(id=name) if (default := _default(frame.function, name)) is not None:
                yield from self._callees(default, replace(frame, given={}, depth=frame.depth + 1), place)
            case t.Name(id=name) if frame.depth < MAX_DEPTH and (values := list(_assigned(frame, name))):
                for value, where in values:
                    inner = replace(frame, depth=frame.depth + 1)
                    yield from self._callees(value, inner, place.under(where.condition))
            case t.Attribute(value=t.Name(id=receiver)) if frame.owner is not None and self._is_self(receiver, frame):
                found = self._classes.attribute(frame.owner, func.attr)
                yield found if isinstance(found, Definition) else None, frame, place
            case t.Subscript(value=table, slice=key) if entries := self._entries(table, frame):
                yield from self._picked(entries, key, frame, place)
            case t.Call(func=t.Attribute(value=table, attr="get"), args=[key, *others]) if entries := self._entries(
                table, frame
            ):
                yield from self._picked(entries, key, frame, place)
                is_there = isinstance(key, t.Constant) and key.value in entries
                for other in () if is_there else others:
                    test = f"{_words(key, frame)} not in {_words(table, frame)}"
                    yield from self._callees(other, frame, place.under(test))
            case _ if (dotted := t.dotted(func)) is not None:
                yield self._named(frame.path, dotted), frame, place
            case _:
                yield None, frame, place

    def _picked(
        self, entries: Mapping[object, Resolved], key: t.Expr, frame: Frame, place: Place
    ) -> Iterator[tuple[Resolved, Frame, Place]]:
        """The entry of a table that a key means; each that it may mean, with the key, where that is not known."""
        if isinstance(key, t.Constant):
            yield from ((callee, frame, place) for named, callee in entries.items() if named == key.value)
            return
        for named, callee in entries.items():
            yield callee, frame, place.under(f"{_words(key, frame)} == {named!r}")

    def _named(self, path: str, dotted: str) -> Resolved:
        return self._modules.definition(path, dotted) or self._modules.resolve(path, dotted)

    def _entries(self, table: t.Expr, frame: Frame) -> dict[object, Resolved]:
        """The classes and functions that a table of a file, or one written in place, names, by their keys."""
        path, written = frame.path, table
        if (dotted := t.dotted(table)) is not None:
            found = self._modules.resolve(frame.path, dotted)
            if not isinstance(found, Definition) or not isinstance(found.node, t.Assign | t.AnnAssign):
                return {}
            path, written = found.path, found.node.value
        if not isinstance(written, t.Dict):
            return {}
        pairs = zip(written.keys, written.values, strict=False)
        named = {k.value: t.dotted(value) for k, value in pairs if isinstance(k, t.Constant)}
        return {key: self._named(path, name) for key, name in named.items() if name is not None}

    def _is_self(self, name: str, frame: Frame) -> bool:
        return bool(frame.function.args) and frame.function.args[0].name == name


def _given(node: t.FunctionDef, call: t.Call, frame: Frame, is_method: bool) -> dict[str, tuple[t.Expr, Frame]]:
    """What the parameters of a called function stand for."""
    names = [p.name for p in node.args if p.kind in ("positional", "normal")][1 if is_method else 0 :]
    found: dict[str, tuple[t.Expr, Frame]] = {}
    for name, value in zip(names, call.args, strict=False):
        if isinstance(value, t.Starred):
            break
        found[name] = (value, frame)
    return found | {k.arg: (k.value, frame) for k in call.keywords if k.arg}


def _default(function: t.FunctionDef, name: str) -> t.Expr | None:
    return next((p.default for p in function.args if p.name == name), None)


def _assigned(frame: Frame, name: str) -> Iterator[tuple[t.Expr, Place]]:
    for statement, place in _statements(frame):
        if isinstance(statement, t.Assign) and any(t.dotted(target) == name for target in statement.targets):
            yield statement.value, place


def _put_into(statement: t.Stmt, name: str) -> Iterator[tuple[t.Expr, bool]]:
    """What a statement binds to a variable, or adds to the list that it holds."""
    match statement:
        case t.Assign(targets=[t.Name(id=held)], value=value) if held == name:
            yield value, False
        case t.AnnAssign(target=t.Name(id=held), value=value) if held == name and value is not None:
            yield value, False
        case t.AugAssign(target=t.Name(id=held), value=value) if held == name:
            yield value, True
        case t.ExprStmt(
            value=t.Call(func=t.Attribute(value=t.Name(id=held), attr="append" | "extend"), args=[value])
        ) if held == name:
            yield value, True
        case _:
            pass


def _stores(statement: t.Stmt, receiver: str, frame: Frame) -> Iterator[tuple[str, t.Expr, str]]:
    """Attributes of the object that a statement binds, to what, and to which part of that."""
    match statement:
        case t.Assign(targets=[t.Tuple(elts=targets)], value=value):
            for index, target in enumerate(targets):
                if (attribute := _attribute_of(target, receiver)) is not None:
                    yield attribute, value, f"[{index}]"
        case t.Assign(targets=[*targets], value=value):
            for target in targets:
                if (attribute := _attribute_of(target, receiver)) is not None:
                    yield attribute, value, ""
        case t.AnnAssign(target=target, value=value) if value is not None:
            if (attribute := _attribute_of(target, receiver)) is not None:
                yield attribute, value, ""
        case t.ExprStmt(value=t.Call(func=t.Attribute(value=holder, attr="append" | "insert"), args=[*_, value])) if (
            attribute := _attribute_of(holder, receiver)
        ) is not None:
            yield attribute, value, ""
        case t.ExprStmt(
            value=t.Call(func=t.Attribute(value=t.Name(id=name), attr="add_module"), args=[key, value])
            | t.Call(func=t.Name(id="setattr"), args=[t.Name(id=name), key, value])
        ) if name == receiver:
            attribute = key.value if isinstance(key, t.Constant) else _words(key, frame).strip("f\"'")
            if isinstance(attribute, str):
                yield attribute, value, ""
        case _:
            pass


def _attribute_of(target: t.Expr, receiver: str) -> str | None:
    """`layers` of `self.layers`."""
    match target:
        case t.Attribute(value=t.Name(id=name), attr=attribute) if name == receiver:
            return attribute
        case _:
            return None


def _statements(frame: Frame) -> Iterator[tuple[t.Stmt, Place]]:
    """Simple statements of a function with the condition and the loop count that they stand under."""
    todo: list[tuple[list[t.Stmt], Place]] = [(frame.function.body, Place())]
    while todo:
        block, place = todo.pop(0)
        for statement in block:
            match statement:
                case t.If():
                    test = _words(statement.test, frame)
                    todo.append((statement.body, place.under(test)))
                    todo.append((statement.orelse, place.under(f"not ({test})")))
                case t.For():
                    todo.append((statement.body, place.times(_count(statement.iter, frame))))
                case t.With() | t.Try():
                    todo.append((statement.body, place))
                case _:
                    yield statement, place


def _both(one: str, other: str) -> str:
    """Two conditions that hold at once, one of which may be a part of the other."""
    if not other or one == other or one.startswith(f"{other} and "):
        return one
    return other if not one or other.startswith(f"{one} and ") else f"{one} and {other}"


def _words(node: t.Expr, frame: Frame) -> str:
    """The source of an expression on one line."""
    return " ".join(frame.text.slice(node.span).split())


def _count(iterable: t.Expr, frame: Frame) -> str:
    """How often `for ... in iterable` runs, in the source's words."""
    match iterable:
        case t.Call(func=t.Name(id="range"), args=[stop]):
            return _words(stop, frame)
        case t.Call(func=t.Name(id="range"), args=[start, stop]):
            return f"({_words(stop, frame)} - {_words(start, frame)})"
        case t.Call(func=t.Name(id="enumerate" | "zip"), args=[inner, *_]):
            return _count(inner, frame)
        case t.List() | t.Tuple() if not any(isinstance(part, t.Starred) for part in iterable.elts):
            return str(len(iterable.elts))
        case _:
            return f"len({_words(iterable, frame)})"
