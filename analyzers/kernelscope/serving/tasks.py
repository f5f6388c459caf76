"""Tasks that a scheduler makes: their kinds in the order in which they are put into queues, how often, after what.

A kind is a class of a family: several classes with one base whose objects a function and what it calls make. Which
kinds a value holds is followed through variables, lists and returns; nothing is run, and counts stay as written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from kernelscope.results import Location
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.workspace import Workspace

MAX_DEPTH = 8
LEAST_FAMILY = 2
GROWS = {"append", "extend", "add", "put", "push", "insert", "appendleft", "update"}
Kinds = frozenset[str]
NONE: Kinds = frozenset()
Loops = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Put:
    """A place that makes tasks of one kind: the loops around it as `(variable, count)`, outermost first."""

    kind: str
    loops: Loops
    function: str
    location: Location


@dataclass(frozen=True, slots=True)
class After:
    """Tasks of one kind depend on those of others; `earlier` for those of the round before of a loop."""

    kind: str
    others: Kinds
    location: Location
    earlier: bool = False


@dataclass(slots=True)
class Plan:
    """The tasks that a function makes, in order, and what they depend on."""

    puts: list[Put] = field(default_factory=list[Put])
    after: list[After] = field(default_factory=list[After])

    @property
    def kinds(self) -> list[str]:
        """The kinds in the order in which they are first made."""
        return list(dict.fromkeys(put.kind for put in self.puts))

    def before(self, kind: str) -> dict[str, bool]:
        """The kinds that one depends on, each with whether only tasks of the round before are meant."""
        found: dict[str, bool] = {}
        for after in self.after:
            if after.kind == kind:
                for other in sorted(after.others):
                    found[other] = found.get(other, True) and after.earlier
        return found


def plan(workspace: Workspace, path: Path, module: Module, function: t.FunctionDef) -> Plan:
    """What a function and those that it calls put into queues; empty where no family of tasks is made."""
    family = _family(workspace, _made(workspace, str(path), function, set(), 0))
    if not family:
        return Plan()
    walk = _Walk(workspace, family)
    walk.call(str(path), function, {}, (), 0)
    return walk.plan if walk.is_kept else Plan()


def _made(
    workspace: Workspace, path: str, function: t.FunctionDef, seen: set[t.FunctionDef], depth: int
) -> Iterator[Definition]:
    """The classes of the workspace that a function and those that it calls make objects of."""
    if function in seen or depth > MAX_DEPTH:
        return
    seen.add(function)
    for node in t.walk(*function.body):
        if isinstance(node, t.Call) and (name := t.dotted(node.func)):
            found = workspace.modules.resolve(path, name)
            if isinstance(found, Definition) and isinstance(found.node, t.ClassDef):
                if not workspace.classes.is_module(found):
                    yield found
            elif isinstance(found, Definition) and isinstance(found.node, t.FunctionDef):
                yield from _made(workspace, found.path, found.node, seen, depth + 1)


def _family(workspace: Workspace, made: Iterator[Definition]) -> dict[t.Stmt, str]:
    """The classes among those made that share the base with the most of them."""
    classes = {cls.node: cls for cls in made}
    bases: Counter[t.Stmt] = Counter()
    for cls in classes.values():
        above = [b for b in workspace.classes.mro(cls) if isinstance(b, Definition) and b.node is not cls.node]
        bases.update({base.node for base in above})
    if not bases:
        return {}
    most = max(bases.values())
    base = next(node for node, count in bases.items() if count == most)
    if most < LEAST_FAMILY:
        return {}
    return {
        node: cls.name
        for node, cls in classes.items()
        if any(isinstance(b, Definition) and b.node is base for b in workspace.classes.mro(cls))
    }


class _Walk:
    """Follows kinds of tasks through the statements of functions."""

    def __init__(self, workspace: Workspace, family: dict[t.Stmt, str]) -> None:
        self.workspace = workspace
        self.family = family
        self.plan = Plan()
        self.is_kept = False
        """Whether what is made is put with other things, made in rounds, or after something else: one of several
        settings, of which one is made, is no task."""
        self._again = 0
        """How many loops around are in their second round, in which only dependencies are new."""
        self._path = ""
        self._function = ""

    def call(
        self, path: str, function: t.FunctionDef, names: dict[str, Kinds], loops: Loops, depth: int
    ) -> list[Kinds]:
        """The kinds that a function returns, one entry for each part of what its last `return` gives."""
        if depth > MAX_DEPTH:
            return []
        outer = self._path, self._function
        self._path, self._function = path, function.name
        frame = _Frame(self, dict(names), loops, depth)
        try:
            frame.run(function.body)
        finally:
            self._path, self._function = outer
        return frame.returned

    def put(self, kind: str, loops: Loops, node: t.Node) -> None:
        self.is_kept = self.is_kept or bool(loops)
        if not self._again:
            self.plan.puts.append(Put(kind, loops, self._function, self.at(node)))

    def depend(self, kinds: Kinds, others: Kinds, node: t.Node) -> None:
        for kind in sorted(kinds):
            known = self.plan.before(kind)
            new = frozenset(other for other in others - {kind} if known.get(other, True))
            fresh = frozenset(other for other in new if other not in known)
            if fresh:
                self.is_kept = True
                self.plan.after.append(After(kind, fresh, self.at(node), self._again > 0))

    def at(self, node: t.Node) -> Location:
        module = self.workspace.modules.module(self._path)
        assert module is not None
        return module.text.location(Path(self._path), node.span)

    def quote(self, node: t.Node) -> str:
        module = self.workspace.modules.module(self._path)
        return " ".join(module.text.slice(node.span).split()) if module is not None else ""

    def resolved(self, node: t.Expr) -> Definition | None:
        name = t.dotted(node)
        found = self.workspace.modules.resolve(self._path, name) if name else None
        return found if isinstance(found, Definition) else None

    def loop(self, frame: _Frame, node: t.For) -> None:
        """A loop: once for what it makes, once more for what tasks of one round have to do with those before."""
        kinds = frame.kinds(node.iter)
        inner = _inside(frame, (self.quote(node.target), _count(self, node.iter)))
        for again in (0, 1):
            self._again += again
            inner.bind(node.target, kinds)
            inner.run(node.body)
            self._again -= again
        frame.names.update(inner.names)


@dataclass(slots=True)
class _Frame:
    """The names of one running function with the kinds that they hold."""

    walk: _Walk
    names: dict[str, Kinds]
    loops: Loops
    depth: int
    returned: list[Kinds] = field(default_factory=list[Kinds])

    def run(self, body: list[t.Stmt]) -> None:
        for node in body:
            match node:
                case t.For():
                    self.walk.loop(self, node)
                case t.While() | t.With():
                    self.run(node.body)
                case t.If():
                    self.run(node.body)
                    self.run(node.orelse)
                case t.Assign():
                    self._assign(node)
                case t.AnnAssign(target=target, value=value) if value is not None:
                    self.bind(target, self.kinds(value))
                case t.AugAssign(target=t.Name(id=name), value=value):
                    self.names[name] = self.names.get(name, NONE) | self.kinds(value)
                case t.ExprStmt():
                    self.kinds(node.value)
                case t.Return(value=value) if value is not None:
                    parts = value.elts if isinstance(value, t.Tuple) else [value]
                    self.returned = [self.kinds(part) for part in parts]
                case _:
                    pass

    def _assign(self, node: t.Assign) -> None:
        for target in node.targets:
            if isinstance(target, t.Tuple) and isinstance(node.value, t.Call):
                parts = self._called(node.value)
                for index, name in enumerate(target.elts):
                    self.bind(name, parts[index] if index < len(parts) else NONE)
            else:
                self.bind(target, self.kinds(node.value))

    def bind(self, target: t.Expr, kinds: Kinds) -> None:
        match target:
            case t.Name():
                self.names[target.id] = kinds
            case t.Subscript(value=t.Name(id=name)):
                self.names[name] = self.names.get(name, NONE) | kinds
            case t.Tuple() | t.List():
                for part in target.elts:
                    self.bind(part, kinds)
            case _:
                pass

    def kinds(self, node: t.Expr) -> Kinds:
        """The kinds of tasks that a value may hold; calls are followed."""
        match node:
            case t.Name():
                return self.names.get(node.id, NONE)
            case t.Call():
                return NONE.union(*self._called(node))
            case t.Attribute():
                return self.kinds(node.value)
            case t.Subscript():
                return self.kinds(node.value)
            case t.ListComp() | t.GeneratorExp() | t.SetComp():
                inner = self
                for clause in node.generators:
                    kinds = inner.kinds(clause.iter)
                    inner = _inside(inner, (self.walk.quote(clause.target), _count(self.walk, clause.iter)))
                    inner.bind(clause.target, kinds)
                return inner.kinds(node.elt)
            case t.Tuple() | t.List():
                found = NONE.union(*map(self.kinds, node.elts))
                self.walk.is_kept = self.walk.is_kept or (isinstance(node, t.List) and bool(found))
                return found
            case t.Starred():
                return self.kinds(node.value)
            case t.BinOp():
                return self.kinds(node.left) | self.kinds(node.right)
            case t.IfExp():
                return self.kinds(node.body) | self.kinds(node.orelse)
            case _:
                return NONE

    def _called(self, node: t.Call) -> list[Kinds]:
        given = [self.kinds(argument) for argument in node.args]
        named = {keyword.arg: self.kinds(keyword.value) for keyword in node.keywords if keyword.arg}
        found = self.walk.resolved(node.func)
        match found.node if found is not None else None:
            case t.ClassDef() as cls if cls in self.walk.family:
                self.walk.put(self.walk.family[cls], self.loops, node)
                return [frozenset((self.walk.family[cls],))]
            case t.FunctionDef() as function if found is not None:
                names = dict(zip((p.name for p in function.args), given, strict=False)) | named
                return self.walk.call(found.path, function, names, self.loops, self.depth + 1)
            case _:
                pass
        match node.func:
            case t.Attribute(value=t.Name(id=holder), attr=attr) if attr in GROWS:
                self.names[holder] = self.names.get(holder, NONE).union(*given)
                self.walk.is_kept = self.walk.is_kept or any(given)
                return []
            case t.Attribute(value=holder) if not isinstance(found, Definition) and self.kinds(holder):
                return []  # what a task says of itself is no task
            case _:
                pass
        subject, *others = [kinds for kinds in (*given, *named.values()) if kinds] or [NONE]
        if found is not None and others:  # a node of a graph: what is to be done, and after what
            self.walk.depend(subject, NONE.union(*others), node)
        return [subject] if found is not None else [NONE.union(subject, *others)]


def _inside(frame: _Frame, loop: tuple[str, str]) -> _Frame:
    """The same names inside one more loop."""
    return replace(frame, loops=(*frame.loops, loop))


def _count(walk: _Walk, node: t.Expr) -> str:
    """How often a loop over a value runs, as the source says it; empty where it goes through tasks made before."""
    if isinstance(node, t.Call) and isinstance(node.func, t.Name) and node.func.id == "range":
        bounds = [walk.quote(argument) for argument in node.args]
        step = f" // {bounds[2]}" if len(bounds) == 3 else ""
        if len(bounds) == 1 or bounds[0] == "0":
            return bounds[min(1, len(bounds) - 1)] + step
        return f"({bounds[1]} - {bounds[0]}){step}" if step else f"{bounds[1]} - {bounds[0]}"
    return f"len({walk.quote(node)})"
