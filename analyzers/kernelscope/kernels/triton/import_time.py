"""What host code makes of names at import: lists, loops and functions followed on plain values; nothing is called.

A test that no value tells is decided by its text, alike wherever it is met (`Way`): each way that the host may go is
followed on its own. On which vendor's GPU it runs is such a decision, by what torch and Triton say of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from kernelscope.kernels.triton.import_values import (
    MAX_ITEMS,
    OPTIONS,
    Config,
    Known,
    Routine,
    Target,
    Untold,
    Value,
    builtin,
    calculated,
    compared,
    elements,
    item_of,
    joined,
    of_method,
)
from kernelscope.kernels.triton.name_changes import changed, changes, is_set_by_functions
from kernelscope.kernels.triton.surroundings import bound_by, functions_around, meaning
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition, External, Missing, Modules

MAX_WAYS = 32
MAX_STEPS = 30_000
"""Expressions and statements on all ways, some tenths of a second: what goes on for longer is not told."""
MAX_DEPTH = 12
"""Calls in calls."""
MAX_NESTING = 60
"""Expressions and blocks in one another, over all calls: Python's own stack holds no more of what evaluates them."""

AMD = "AMD"
"""The decision whether the GPU is one of AMD's; else it is one of NVIDIA's."""


class Way:
    """The decisions on tests that nothing tells: those given, then the first answer for each new one."""

    def __init__(self, given: Sequence[tuple[str, bool]] = ()) -> None:
        self.taken: dict[str, bool] = dict(given)

    def decide(self, text: str) -> bool:
        return self.taken.setdefault(text, text != AMD)

    def next(self) -> Way | None:
        """The way that turns off at the last decision that had its first answer."""
        taken = list(self.taken.items())
        while taken:
            text, answer = taken.pop()
            if answer == (text != AMD):
                return Way([*taken, (text, not answer)])
        return None


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression stands: its file, the functions around it, the local names, and the place in the module."""

    path: str
    around: tuple[t.FunctionDef, ...] = ()
    names: dict[str, Value] = field(default_factory=dict[str, "Value"])
    before: int | None = None
    depth: int = 0


@dataclass(frozen=True, slots=True)
class _Returned:
    value: Value


_Left: TypeAlias = "_Returned | t.Break | t.Continue | None"
"""How a body was left: at its end (None), by `return`, `break` or `continue`."""

_VENDORS = {"torch.version.hip": True, "torch.version.cuda": False}
"""What torch sets on a build for that vendor, and leaves None else (`True`: AMD)."""


class ImportTime:
    """Evaluates on one way in so many `steps`; `complete` turns False at what is not followed."""

    def __init__(self, modules: Modules, way: Way, steps: int = MAX_STEPS) -> None:
        self.modules = modules
        self.way = way
        self.complete = True
        self.steps = steps
        self._nesting = 0
        self._module_values: dict[tuple[str, str, int | None], Value] = {}

    # -- expressions -------------------------------------------------------------------------------------

    def value(self, node: t.Expr, scope: Scope) -> Value:
        self.steps -= 1
        if self.steps < 0 or scope.depth > MAX_DEPTH or self._nesting >= MAX_NESTING:
            self.complete = False
            return Untold()
        self._nesting += 1
        try:
            return self._value(node, scope)
        finally:
            self._nesting -= 1

    def _value(self, node: t.Expr, scope: Scope) -> Value:
        match node:
            case t.Constant(value=int() | float() | str() | None as value):
                return value
            case t.Name():
                return self._named(node.id, scope)
            case t.List():
                return self._elements(node.elts, scope)
            case t.Tuple():
                return tuple(self._elements(node.elts, scope))
            case t.Dict():
                return self._dict(node, scope)
            case t.ListComp() | t.GeneratorExp():
                return [self.value(node.elt, inner) for inner in self._rounds(node.generators, scope)]
            case t.IfExp():
                return self.value(node.body if self.test(node.test, scope) else node.orelse, scope)
            case t.BoolOp() | t.Compare() | t.UnaryOp(op="not"):
                return self._truth(node, scope)
            case t.UnaryOp(op="-"):
                operand = self.value(node.operand, scope)
                return -operand if isinstance(operand, int | float) else Untold()
            case t.BinOp():
                return calculated(node.op, self.value(node.left, scope), self.value(node.right, scope))
            case t.Lambda():
                return Routine(scope.path, node, scope.names)
            case t.Attribute():
                return self._attribute(node, scope)
            case t.Subscript():
                return item_of(self.value(node.value, scope), self.value(node.slice, scope))
            case t.Call():
                return self._call(node, scope)
            case _:
                return Untold()

    def _elements(self, nodes: list[t.Expr], scope: Scope) -> list[Value]:
        found: list[Value] = []
        for node in nodes:
            if not isinstance(node, t.Starred):
                found.append(self.value(node, scope))
            elif (inner := elements(self.value(node.value, scope))) is not None and len(found) <= MAX_ITEMS:
                found.extend(inner)
            else:
                self.complete = False
        return found

    def _dict(self, node: t.Dict, scope: Scope) -> Value:
        found: dict[str | int, Value] = {}
        for key_node, value_node in zip(node.keys, node.values, strict=True):
            value = self.value(value_node, scope)
            key = self.value(key_node, scope) if key_node is not None else None
            if key_node is None and isinstance(value, dict):
                found.update(value)
            elif isinstance(key, str | int):
                found[key] = value
            else:
                return Untold()
        return found

    def _rounds(self, generators: Sequence[t.Comprehension], scope: Scope) -> Iterator[Scope]:
        """The rounds of a comprehension, each with what its targets are."""
        if not generators:
            yield scope
            return
        first, *rest = generators
        for item in self._items_of(first.iter, scope):
            if self.steps < 0:
                break
            inner = replace(scope, names={**scope.names})
            self._bind(first.target, item, inner)
            if all(self.test(condition, inner) for condition in first.ifs):
                yield from self._rounds(rest, inner)

    def _items_of(self, node: t.Expr, scope: Scope) -> Sequence[Value]:
        """What a loop runs over; one value that is not told where that is not known."""
        items = elements(self.value(node, scope))
        if items is None or len(items) > MAX_ITEMS:
            self.complete = False
            return [Untold()]
        return items

    def _named(self, name: str, scope: Scope) -> Value:
        if name in scope.names:
            return scope.names[name]
        found = meaning(self.modules, scope.path, name, scope.around)
        if isinstance(found, Missing):
            return Untold()
        binds = next((f for f in scope.around if bound_by(self.modules, scope.path, f, name) is not None), None)
        if binds is None:
            found = self.modules.resolve(scope.path, name, scope.before)
        if isinstance(found, External):
            return self._outside(found.dotted)
        if not isinstance(found, Definition):
            return Untold()
        if isinstance(found.node, t.FunctionDef):
            return Routine(found.path, found.node, {})
        if binds is not None:
            outside = scope.around[scope.around.index(binds) :]
            inner = Scope(scope.path, outside, {}, scope.before, scope.depth + 1)
            return self._of_body(binds.body, name, inner)
        return self._of_module(found, scope)

    def _of_module(self, found: Definition, scope: Scope) -> Value:
        """What a module makes of a name, up to the place that asks for it; of another module whatever it ends with."""
        before = scope.before if found.path == scope.path else None
        key = found.path, found.name, before
        if key not in self._module_values:
            self._module_values[key] = Untold()  # for what is defined by itself
            module = self.modules.module(found.path)
            inner = Scope(found.path, (), {}, before, scope.depth + 1)
            if module is not None and not is_set_by_functions(module.text.data, found.name):
                self._module_values[key] = self._of_body(module.body, found.name, inner)
        return self._module_values[key]

    def _of_body(self, body: Sequence[t.Stmt], name: str, scope: Scope) -> Value:
        """What the statements of a body that bind a name, or add to it, make of it."""
        for statement in body:
            at = statement.span.start
            if (scope.before is None or at < scope.before) and changes(statement, name):
                self._run([statement], replace(scope, before=at))
        return scope.names.get(name, Untold())

    def _outside(self, dotted: str) -> Value:
        """What libraries define: whose GPU a build of torch is for."""
        amd = _VENDORS.get(dotted)
        if amd is None:
            return Untold()
        return Untold(truth=True) if self.way.decide(AMD) == amd else None

    def _attribute(self, node: t.Attribute, scope: Scope) -> Value:
        name = t.dotted(node)
        first = name.partition(".")[0] if name is not None else ""
        if name is not None and first not in scope.names:
            found = meaning(self.modules, scope.path, name, scope.around)
            if isinstance(found, External):
                return self._outside(found.dotted)
            if isinstance(found, Definition):
                return self._of_module(found, scope)
        owner = self.value(node.value, scope)
        match owner, node.attr:
            case Target(), "backend":
                return "hip" if self.way.decide(AMD) else "cuda"
            case Config(), "kwargs":
                return dict(owner.values)
            case Config(), option:
                return dict(owner.options).get(option, Untold())
            case _:
                return Untold()

    # -- tests -------------------------------------------------------------------------------------------

    def test(self, node: t.Expr, scope: Scope) -> bool:
        """What a test comes to, decided where nothing tells it."""
        found = self._truth(node, scope)
        if isinstance(found, bool):
            return found
        if any(isinstance(n, t.Name) and n.id in scope.names for n in t.walk(node)):
            self.complete = False  # it may differ from round to round, or from call to call
            return True
        module = self.modules.module(scope.path)
        return module is None or self.way.decide(" ".join(module.text.slice(node.span).split()))

    def _truth(self, node: t.Expr, scope: Scope) -> bool | Untold:
        match node:
            case t.UnaryOp(op="not"):
                return not self.test(node.operand, scope)
            case t.BoolOp():
                parts = (self.test(part, scope) for part in node.values)
                return all(parts) if node.op == "and" else any(parts)
            case t.Compare(ops=[op], comparators=[right]):
                return compared(op, self.value(node.left, scope), self.value(right, scope))
            case t.Compare():
                sides = [node.left, *node.comparators]
                pairs = zip(node.ops, sides, sides[1:], strict=False)
                found = [compared(op, self.value(a, scope), self.value(b, scope)) for op, a, b in pairs]
                told = [each for each in found if isinstance(each, bool)]
                return all(told) if len(told) == len(found) else Untold()
            case _:
                value = self.value(node, scope)
                if isinstance(value, Untold):
                    return Untold() if value.truth is None else value.truth
                return True if isinstance(value, Config | Target | Routine) else bool(value)

    # -- calls -------------------------------------------------------------------------------------------

    def _call(self, node: t.Call, scope: Scope) -> Value:
        name = t.dotted(node.func)
        last = node.func.attr if isinstance(node.func, t.Attribute) else name or ""
        if last == "get_current_target":
            return Target()
        if last == "Config":
            return self._config(node, scope)
        called = self._called(node.func, scope)
        if isinstance(called, Routine):
            return self._of_routine(called, node, scope)
        if isinstance(node.func, t.Attribute) and not node.keywords:
            owner = self.value(node.func.value, scope)
            if isinstance(owner, dict | list):
                return of_method(owner, last, self._elements(node.args, scope))
        return self._of_builtin(last, node, scope)

    def _called(self, node: t.Expr, scope: Scope) -> Value:
        name = t.dotted(node)
        if name is not None and name.partition(".")[0] not in scope.names:
            found = meaning(self.modules, scope.path, name, scope.around)
            if isinstance(found, Definition) and isinstance(found.node, t.FunctionDef):
                return Routine(found.path, found.node, {})
        return self.value(node, scope) if isinstance(node, t.Name | t.Lambda) else Untold()

    def _of_routine(self, routine: Routine, node: t.Call, scope: Scope) -> Value:
        given = self._elements(node.args, scope)
        named = {k.arg: self.value(k.value, scope) for k in node.keywords if k.arg is not None}
        if any(k.arg is None for k in node.keywords):
            return Untold()
        return self._applied(routine, given, named, scope)

    def _applied(self, routine: Routine, given: Sequence[Value], named: Mapping[str, Value], scope: Scope) -> Value:
        around = functions_around(self.modules, routine.path, routine.node.span.start)
        before = scope.before if routine.path == scope.path else None
        inner = Scope(routine.path, around, dict(routine.names), before, scope.depth + 1)
        places = [p for p in routine.node.args if p.kind in ("positional", "normal")]
        for param in routine.node.args:
            if param.default is not None:
                inner.names[param.name] = self.value(param.default, replace(inner, names={}))
            else:
                inner.names[param.name] = Untold()
        inner.names.update({param.name: value for param, value in zip(places, given, strict=False)})
        inner.names.update({name: value for name, value in named.items() if name in inner.names})
        if isinstance(routine.node, t.Lambda):
            return self.value(routine.node.body, inner)
        left = self._run(routine.node.body, inner)
        return left.value if isinstance(left, _Returned) else None

    def _of_builtin(self, name: str, node: t.Call, scope: Scope) -> Value:
        given = self._elements(node.args, scope)
        if name == "dict" and not given:
            return {k.arg: self.value(k.value, scope) for k in node.keywords if k.arg is not None}
        if name == "filter" and len(given) == 2 and isinstance(given[0], Routine):
            return self._filtered(given[0], elements(given[1]), scope)
        if node.keywords:
            return Untold()
        return builtin(name, given)

    def _filtered(self, keeps: Routine, items: Sequence[Value] | None, scope: Scope) -> Value:
        if items is None:
            return Untold()
        found: list[Value] = []
        for item in items:
            kept = self._applied(keeps, [item], {}, scope)
            if isinstance(kept, Untold):
                self.complete = False
            if isinstance(kept, Untold) or kept:
                found.append(item)
        return found

    def _config(self, node: t.Call, scope: Scope) -> Value:
        named = {k.arg: k.value for k in node.keywords if k.arg is not None}
        first = node.args[0] if node.args else named.get("kwargs")
        given = self.value(first, scope) if first is not None else {}
        if not isinstance(given, dict):
            return Untold()
        values: list[tuple[str, Known]] = []
        for name, value in given.items():
            if value is None or isinstance(value, int | float | str):
                values.append((str(name), value))
            else:
                self.complete = False
        placed = dict(zip(OPTIONS, node.args[1:], strict=False))
        written = {**placed, **named}
        options = [(name, self.value(written[name], scope)) for name in OPTIONS if name in written]
        self.complete = self.complete and not any(isinstance(value, Untold) for _, value in options)
        hook = self.value(written["pre_hook"], scope) if "pre_hook" in written else None
        numbers = tuple((name, value) for name, value in options if isinstance(value, int))
        return Config(tuple(values), numbers, hook if isinstance(hook, Routine) else None)

    # -- statements --------------------------------------------------------------------------------------

    def _run(self, body: Sequence[t.Stmt], scope: Scope) -> _Left:
        self._nesting += 1
        try:
            for statement in body:
                self.steps -= 1
                if self.steps < 0 or self._nesting > MAX_NESTING:
                    self.complete = False
                    break
                left = self._step(statement, scope)
                if left is not None:
                    return left
        finally:
            self._nesting -= 1
        return None

    def _step(self, statement: t.Stmt, scope: Scope) -> _Left:
        match statement:
            case t.Return():
                return _Returned(self.value(statement.value, scope) if statement.value is not None else None)
            case t.Break() | t.Continue():
                return statement
            case t.Assign():
                value = self.value(statement.value, scope)
                for target in statement.targets:
                    self._bind(target, value, scope)
            case t.AnnAssign(target=t.Name(id=name), value=given) if given is not None:
                scope.names[name] = self.value(given, scope)
            case t.AugAssign(target=t.Name(id=name)):
                scope.names[name] = calculated(
                    statement.op, self._named(name, scope), self.value(statement.value, scope)
                )
            case t.ExprStmt(value=t.Call(func=t.Attribute(value=t.Name(id=name), attr=method), args=[added])):
                self._add(scope, name, method, self.value(added, scope))
            case t.If():
                return self._run(statement.body if self.test(statement.test, scope) else statement.orelse, scope)
            case t.For():
                return self._loop(statement, scope)
            case t.With():
                return self._run(statement.body, scope)
            case t.FunctionDef():
                scope.names[statement.name] = Routine(scope.path, statement, scope.names)
            case t.Try() if not any(isinstance(inner, t.Import | t.ImportFrom) for inner in statement.body):
                return self._run([*statement.body, *statement.orelse, *statement.finalbody], scope)
            case t.Try() | t.While() | t.Match():
                return self._lost(statement, scope)
            case _:
                pass
        return None

    def _loop(self, statement: t.For, scope: Scope) -> _Left:
        for item in self._items_of(statement.iter, scope):
            self._bind(statement.target, item, scope)
            left = self._run(statement.body, scope)
            if isinstance(left, _Returned):
                return left
            if isinstance(left, t.Break) or self.steps < 0:
                return None
        return self._run(statement.orelse, scope)

    def _add(self, scope: Scope, name: str, method: str, added: Value) -> None:
        """`name.append(added)` and `name.extend(added)`; by any other method what the list holds is not told."""
        held = self._named(name, scope)
        more = [added] if method == "append" else elements(added) if method == "extend" else None
        if isinstance(held, list):
            scope.names[name] = joined(held, more) if more is not None else Untold()

    def _lost(self, statement: t.Try | t.While | t.Match, scope: Scope) -> _Left:
        """What a statement changes or returns that is not followed, such as what hangs on an import, is not told."""
        returns = False
        for node in t.walk(statement):
            returns = returns or isinstance(node, t.Return)
            for name in changed(node):
                scope.names[name] = Untold()
        return _Returned(Untold()) if returns else None

    def _bind(self, target: t.Expr, value: Value, scope: Scope) -> None:
        match target:
            case t.Name():
                scope.names[target.id] = value
            case t.Tuple() | t.List():
                items = elements(value)
                told = items if items is not None and len(items) == len(target.elts) else [Untold()] * len(target.elts)
                for inner, item in zip(target.elts, told, strict=True):
                    self._bind(inner, item, scope)
            case _:
                pass
