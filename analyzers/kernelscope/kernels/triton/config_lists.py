"""Configurations of an autotuned kernel, read from the lists, comprehensions, loops and functions that make them.

Nothing is called; what is computed in a way that is not followed makes a list incomplete.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kernelscope.kernels.triton.surroundings import functions_around, meaning
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition, Modules

MAX_CONFIGS = 512
MAX_HOPS = 4
OPTIONS = ("num_warps", "num_stages", "num_ctas", "maxnreg")
Known = int | float | bool | str | None


@dataclass(frozen=True, slots=True)
class Config:
    """One configuration: constexprs and launch options with their values."""

    values: tuple[tuple[str, Known], ...]
    options: tuple[tuple[str, int], ...]

    def numbers(self) -> dict[str, int]:
        return {name: value for name, value in (*self.values, *self.options) if isinstance(value, int)}


Names = Mapping[str, Known]


class ConfigReader:
    """Reads lists of configurations; `complete` turns False at the first thing that is not followed."""

    def __init__(self, modules: Modules, path: str, around: Sequence[t.FunctionDef] = ()) -> None:
        self.modules = modules
        self.path = path
        self.around = around
        """The functions that the lists stand in, the innermost first."""
        self.complete = True

    def configs(self, node: t.Expr) -> tuple[list[Config], bool]:
        found = list(itertools.islice(self._listed(node, {}, 0), MAX_CONFIGS))
        return found, self.complete and bool(found)

    def _listed(self, node: t.Expr, names: Names, hops: int) -> Iterator[Config]:
        match node:
            case t.List() | t.Tuple():
                for element in node.elts:
                    yield from self._listed(element.value if isinstance(element, t.Starred) else element, names, hops)
            case t.BinOp(op="+"):
                yield from self._listed(node.left, names, hops)
                yield from self._listed(node.right, names, hops)
            case t.ListComp() | t.GeneratorExp():
                for bound in self._bindings(node.generators, names):
                    yield from self._listed(node.elt, bound, hops)
            case t.Call() if _last_name(node) == "Config":
                config = self._config(node, names)
                if config is not None:
                    yield config
            case t.Call(args=[inner, *_]) if isinstance(node.func, t.Name) and node.func.id in ("list", "filter"):
                self.complete = self.complete and node.func.id == "list"
                yield from self._listed(node.args[-1] if node.func.id == "filter" else inner, names, hops)
            case t.IfExp():
                self.complete = False
                yield from self._listed(node.body, names, hops)
            case t.Call() | t.Name() | t.Attribute():
                yield from self._followed(node, hops)
            case _:
                self.complete = False

    def _followed(self, node: t.Call | t.Name | t.Attribute, hops: int) -> Iterator[Config]:
        name = t.dotted(node.func if isinstance(node, t.Call) else node)
        found = meaning(self.modules, self.path, name, self.around) if name and hops < MAX_HOPS else None
        if not isinstance(found, Definition):
            self.complete = False
            return
        around = functions_around(self.modules, found.path, found.node.span.start)
        inside = ConfigReader(self.modules, found.path, around)
        if isinstance(found.node, t.Assign):
            yield from inside._listed(found.node.value, {}, hops + 1)
        elif isinstance(found.node, t.FunctionDef):
            yield from inside._built(found.node, hops + 1)
        else:
            inside.complete = False
        self.complete = self.complete and inside.complete

    def _built(self, node: t.FunctionDef, hops: int) -> Iterator[Config]:
        """A function that returns a list: one returned expression, else every Config that it mentions."""
        returns = [s for s in t.flat(node.body) if isinstance(s, t.Return) and s.value is not None]
        if len(returns) == 1 and isinstance(returns[0].value, t.List | t.ListComp):
            yield from self._listed(returns[0].value, {}, hops)
            return
        appended = list(self._appended(node.body, {}, hops))
        if appended:
            added = (n.args for n in t.walk(*node.body) if isinstance(n, t.Call) and _last_name(n) == "append")
            self.complete = self.complete and _written(*node.body) == _written(*itertools.chain(*added))
            yield from appended
            return
        self.complete = False
        for inner in t.walk(*node.body):
            if isinstance(inner, t.List | t.ListComp):
                before = self.complete
                yield from self._listed(inner, {}, MAX_HOPS)
                self.complete = before

    def _appended(self, body: list[t.Stmt], names: Names, hops: int) -> Iterator[Config]:
        """What loops append to a list, with every value of their counters."""
        for statement in body:
            match statement:
                case t.ExprStmt(value=t.Call(func=t.Attribute(attr="append"), args=[added])):
                    yield from self._listed(added, names, hops)
                case t.For():
                    counter = t.Comprehension(statement.target, statement.iter, [], statement.span)
                    for bound in self._bindings([counter], names):
                        yield from self._appended(statement.body, bound, hops)
                case t.If():
                    self.complete = False
                    yield from self._appended([*statement.body, *statement.orelse], names, hops)
                case _:
                    pass

    def _bindings(self, generators: list[t.Comprehension], names: Names) -> Iterator[Names]:
        if not generators:
            yield names
            return
        first, *rest = generators
        self.complete = self.complete and not first.ifs
        items = self._items(first.iter, names)
        if items is None:
            self.complete = False
            yield from self._bindings(rest, names)
            return
        for item in items:
            bound = dict(names)
            if isinstance(first.target, t.Name):
                bound[first.target.id] = item[0]
            elif isinstance(first.target, t.Tuple):
                for target, value in zip(first.target.elts, item, strict=False):
                    if isinstance(target, t.Name):
                        bound[target.id] = value
            yield from self._bindings(rest, bound)

    def _items(self, node: t.Expr, names: Names) -> list[tuple[Known, ...]] | None:
        """What a comprehension runs over, each as a tuple."""
        if isinstance(node, t.Name):
            found = meaning(self.modules, self.path, node.id, self.around)
            if isinstance(found, Definition) and isinstance(found.node, t.Assign):
                node = found.node.value
        if isinstance(node, t.Call):
            return self._combined_items(node, names)
        if not isinstance(node, t.List | t.Tuple):
            return None
        items: list[tuple[Known, ...]] = []
        for element in node.elts:
            parts = element.elts if isinstance(element, t.Tuple | t.List) else [element]
            values = [self._value(part, names) for part in parts]
            if any(value is _UNKNOWN for value in values):
                return None
            items.append(tuple(v for v in values if not isinstance(v, _Missing)))
        return items

    def _combined_items(self, node: t.Call, names: Names) -> list[tuple[Known, ...]] | None:
        """`range(…)` of known bounds, and `product(…)` of lists."""
        name = _last_name(node)
        if name == "range":
            bounds = [self._value(argument, names) for argument in node.args]
            numbers = [bound for bound in bounds if isinstance(bound, int)]
            step = numbers[2] if len(numbers) == 3 else 1
            if len(numbers) != len(bounds) or not 1 <= len(numbers) <= 3 or not step:
                return None
            return [(number,) for number in range(*numbers)[:MAX_CONFIGS]]
        if name == "product" and not node.keywords:
            lists = [self._items(argument, names) for argument in node.args]
            known = [items for items in lists if items is not None]
            if len(known) == len(lists):
                combined = itertools.islice(itertools.product(*known), MAX_CONFIGS)
                return [tuple(part for item in items for part in item) for items in combined]
        return None

    def _config(self, node: t.Call, names: Names) -> Config | None:
        values: list[tuple[str, Known]] = []
        options: list[tuple[str, int]] = []
        given = node.args[0] if node.args else next((k.value for k in node.keywords if k.arg == "kwargs"), None)
        if isinstance(given, t.Dict):
            for key, value_node in zip(given.keys, given.values, strict=False):
                value = self._value(value_node, names)
                if isinstance(key, t.Constant) and isinstance(key.value, str) and not isinstance(value, _Missing):
                    values.append((key.value, value))
                else:
                    self.complete = False
        elif given is not None:
            self.complete = False
            return None
        for keyword in node.keywords:
            value = self._value(keyword.value, names)
            if keyword.arg in OPTIONS and isinstance(value, int):
                options.append((keyword.arg, value))
        return Config(tuple(values), tuple(options))

    def _value(self, node: t.Expr, names: Names) -> Known | _Missing:
        match node:
            case t.Constant(value=int() | float() | bool() | str() | None as value):
                return value
            case t.Name() if node.id in names:
                return names[node.id]
            case t.Name():
                found = meaning(self.modules, self.path, node.id, self.around)
                if isinstance(found, Definition) and isinstance(found.node, t.Assign):
                    value = found.node.value
                    return self._value(value, {}) if isinstance(value, t.Constant) else _UNKNOWN
                return _UNKNOWN
            case t.BinOp():
                a, b = self._value(node.left, names), self._value(node.right, names)
                if isinstance(a, int) and isinstance(b, int):
                    return _calculated(node.op, a, b)
                return _UNKNOWN
            case _:
                return _UNKNOWN


def _last_name(call: t.Call) -> str:
    return call.func.attr if isinstance(call.func, t.Attribute) else t.dotted(call.func) or ""


def _written(*nodes: t.Node) -> int:
    """How many configurations are written in some code."""
    return sum(isinstance(node, t.Call) and _last_name(node) == "Config" for node in t.walk(*nodes))


class _Missing:
    """A value that is not known, as opposed to None."""


_UNKNOWN = _Missing()


def _calculated(op: str, a: int, b: int) -> Known | _Missing:
    if op == "*":
        return a * b
    if op == "+":
        return a + b
    if op == "-":
        return a - b
    if op == "//" and b:
        return a // b
    if op == "**" and 0 <= b <= 64:
        return a**b
    return _UNKNOWN
