"""The functions of a file, callers before what they call, as far as the names in them tell."""

from __future__ import annotations

from collections.abc import Callable, Collection, Set
from functools import cached_property

from kernelscope.interp.administration import LIBRARIES
from kernelscope.interp.autograd import BACKWARD, FORWARD, may_be_one
from kernelscope.interp.handed_lists import lists_given
from kernelscope.interp.message_passing import HOOKS
from kernelscope.interp.uses import Uses, bound_names
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module, Scope
from kernelscope.turns import give_way

ENTRIES = ("forward", "__call__", "call")
"""Methods by which an object is called."""
UNBOUND = ("classmethod", "staticmethod")
"""What makes the first parameter of a method something else than its object."""


class FileOrder:
    """The functions and methods of a file's top level and what they name; each body is read once for all of that."""

    def __init__(self, module: Module) -> None:
        self.functions = [scope for scope in module.functions() if len(scope.path) <= 2]
        self._bodies: dict[t.Stmt, _Body] = {}
        for scope in self.functions:
            give_way()
            self._bodies[scope.node] = _Body(scope)
        self._objects = _objects(module)
        """The names in what is called to make each object of the file's top level, and behind its second names."""
        classes = [cls.node for cls in module.classes()]
        self._held = {cls: self._named_in(cls, lambda body: body.names_held) for cls in classes}
        """For each class the names of what its objects may hold or be given on."""
        mentioned = {cls: self._named_in(cls, lambda body: body.names_with_signature) for cls in classes}
        self.built = {name for cls, names in mentioned.items() for name in names if name != cls.name}
        """Names of classes that some other class of the file mentions in its body."""
        self._going_through = {cls for cls in classes if isinstance(cls, t.ClassDef) and [*lists_given(cls)]}
        """The classes that go through layers which others give them."""

    def _named_in(self, node: t.Stmt, of_body: Callable[[_Body], Set[str]]) -> set[str]:
        """The names in the body of a class, those in its methods as far as asked for."""
        assert isinstance(node, t.ClassDef)
        names: set[str] = set()
        for statement in node.body:
            names |= of_body(body) if (body := self._bodies.get(statement)) is not None else _names(statement)
        return names

    def computes(self, scope: Scope) -> bool:
        """Whether a function may work on tensors itself, and does not only build models or read settings."""
        return self._bodies[scope.node].computes

    def hands_on(self, scope: Scope, further: int = 1) -> bool:
        """Whether what a function is given may go on to one that works on tensors, or to one that hands it on."""
        called = self.called[scope.node] if _gives_on(scope) else []
        return any(
            bool(Uses(_node(other)).tensors) or (further > 0 and self.hands_on(other, further - 1)) for other in called
        )

    @cached_property
    def called(self) -> dict[t.Stmt, list[Scope]]:
        """For each function those that it may call."""
        known = _Named(self.functions)
        return {scope.node: self._called(scope, known) for scope in self.functions}

    @cached_property
    def callers(self) -> dict[t.Stmt, set[t.Stmt]]:
        """For each function those that may call it; of a constructor the first that may make an object as well."""
        found: dict[t.Stmt, set[t.Stmt]] = {scope.node: set() for scope in self.functions}
        makers: dict[t.Stmt, t.Stmt] = {}
        for scope in self.callers_first:
            if scope.owner is not None:
                maker = makers.setdefault(scope.owner, scope.node)
                if scope.node.name == "__init__":
                    found[scope.node].add(maker)
            for other in self.called[scope.node]:
                found[other.node].add(scope.node)
        return found

    @cached_property
    def callers_first(self) -> list[Scope]:
        """The functions in an order in which most are called by earlier ones only."""
        called = self.called
        state: dict[int, bool] = {}
        order: list[Scope] = []

        def visit(scope: Scope) -> None:
            stack: list[tuple[Scope, int]] = [(scope, 0)]
            state[id(scope.node)] = False
            while stack:
                current, index = stack.pop()
                found = called[current.node]
                while index < len(found) and id(found[index].node) in state:
                    index += 1
                if index == len(found):
                    order.append(current)
                    continue
                stack.append((current, index + 1))
                state[id(found[index].node)] = False
                stack.append((found[index], 0))

        def rank(scope: Scope) -> tuple[int, int]:
            top = scope.owner is not None and scope.owner.name not in self.built and scope.node.name in ENTRIES
            return (1 if top else 0, scope.node.span.start)

        # A depth-first search lists what is called first; the models come last and end up first.
        for scope in sorted(self.functions, key=rank):
            if id(scope.node) not in state:
                visit(scope)
        return order[::-1]

    def _called(self, scope: Scope, known: _Named) -> list[Scope]:
        """Functions that one may call: named in it or in its class, and methods of its own class."""
        body, owner = self._bodies[scope.node], scope.owner
        named = (body.names - body.bound) & self._objects.keys()
        names = body.names.union(*(self._objects[name] for name in named))
        of_class = self._held[owner] | {t.dotted(b) or "" for b in owner.bases} if owner is not None else set[str]()
        built = names | of_class if body.computes and scope.node.name != "__init__" else set[str]()
        places = {place for name in names for place in known.plain.get(name, ())}
        own = known.methods.get(owner, []) if owner is not None else []
        places |= {place for name in built for place in known.of_classes.get(name, ())} - set(own)
        given = {place for name in body.annotating for place in known.of_classes.get(name, ())} if built else set[int]()
        places |= {place for place in given if known.functions[place].node.name in body.attributes}
        asked = body.attributes.union(*(HOOKS[name] for name in body.attributes & HOOKS.keys()))
        places |= {place for place in own if known.functions[place].node.name in asked}
        if owner is not None and scope.node.name == FORWARD and may_be_one(owner):
            places |= {place for place in own if known.functions[place].node.name == BACKWARD}
        places |= {place for place in own if body.calls_itself and known.functions[place].node.name in ENTRIES}
        if owner is not None and owner in self._going_through:
            places |= known.entries_of(lambda cls: cls.name not in self.built and cls not in self._going_through)
        return [other for place in sorted(places) if (other := known.functions[place]).node is not scope.node]


class Waiting:
    """The functions that are still to be looked at, in their order, but none before one that was meanwhile seen to call
    it: `calls` grows. Those that only build models come last."""

    def __init__(self, file: FileOrder, calls: Collection[tuple[t.Stmt, t.Stmt]]) -> None:
        self._file = file
        self._calls = calls
        order = file.callers_first
        self.builders = {scope.node for scope in order if not (file.computes(scope) or file.hands_on(scope))}
        self._scopes = sorted(order, key=lambda scope: scope.node in self.builders)

    def next(self, wanted: Span | None) -> Scope | None:
        """The next function to look at, for the sake of those that have a part in what is `wanted`; None at the end."""
        left = {scope.node for scope in self._scopes}
        needed = (self._needed(wanted, left - self.builders) if wanted is not None else None) or left
        held_back = {callee for caller, callee in self._calls if caller in needed and caller is not callee}
        likely = [scope for scope in self._scopes if scope.node in needed]
        found = next((scope for scope in likely if scope.node not in held_back), likely[0] if likely else None)
        if found is not None:
            self._scopes.remove(found)
        return found

    def _needed(self, wanted: Span, left: Set[t.Stmt]) -> Set[t.Stmt]:
        """The functions that have a part in a span, and those that tell what these are given."""
        seen_to_call: dict[t.Stmt, set[t.Stmt]] = {}
        for caller, callee in self._calls:
            seen_to_call.setdefault(callee, set()).add(caller)
        needed = {node for node in left if node.span.start <= wanted.end and wanted.start <= node.span.end}
        todo = list(needed)
        while todo:
            node = todo.pop()
            found = (self._file.callers.get(node, set()) | seen_to_call.get(node, set())) - needed
            needed |= found
            todo += found
        return needed & left


def _node(scope: Scope) -> t.FunctionDef:
    assert isinstance(scope.node, t.FunctionDef)
    return scope.node


def _gives_on(scope: Scope) -> bool:
    """Whether a function gives a parameter on to what it calls, or what a call has made of one."""
    node = _node(scope)
    own = {param.name for param in node.args}
    for statement in t.walk(*node.body):
        if isinstance(statement, t.Assign) and any(_takes(part, own) for part in t.walk(statement.value)):
            own.update(bound_names(statement))
    return any(_takes(part, own) for part in t.walk(*node.body))


def _takes(node: t.Node, names: Set[str]) -> bool:
    """Whether a call is given one of these names."""
    given = (*node.args, *(keyword.value for keyword in node.keywords)) if isinstance(node, t.Call) else ()
    return any(isinstance(argument, t.Name) and argument.id in names for argument in given)


def works_on_tensors(scope: Scope) -> bool:
    """Whether the body of a function says that it works on tensors."""
    assert isinstance(scope.node, t.FunctionDef)
    if scope.node.name == "__init__":
        return False
    if scope.owner is not None and scope.node.name in ENTRIES:
        return True
    return _uses_tensors(scope.node, _names(*scope.node.body))


def _uses_tensors(node: t.FunctionDef, names: Set[str]) -> bool:
    """Whether a function names a library of tensors, or does with a name what is done with tensors."""
    return bool(names & LIBRARIES) or bool(Uses(node).tensors)


class _Body:
    """What the body of one function names."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.bound: set[str] = set()
        """The names that it binds itself: they mean nothing of the file's top level."""
        self.calls_itself = False
        """Whether a method calls its own object: `self(x)`."""
        assert isinstance(scope.node, t.FunctionDef)
        decorators = {t.dotted(decorator) for decorator in scope.node.decorator_list}
        is_bound = scope.owner is not None and bool(scope.node.args) and decorators.isdisjoint(UNBOUND)
        own = scope.node.args[0].name if is_bound else None
        self.bound.update(param.name for param in scope.node.args)
        for node in t.walk(*scope.node.body):
            if isinstance(node, t.Assign | t.AnnAssign | t.AugAssign | t.For | t.With):
                self.bound.update(bound_names(node))
            if isinstance(node, t.Call) and isinstance(node.func, t.Name) and node.func.id == own:
                self.calls_itself = True
            if isinstance(node, t.Name):
                self.names.add(node.id)
            elif isinstance(node, t.Attribute):
                self.attributes.add(node.attr)

    @property
    def names_with_signature(self) -> set[str]:
        """The names in decorators, defaults and annotations as well."""
        return self.names_held | self.annotating

    @cached_property
    def names_held(self) -> set[str]:
        """The same but for what annotates parameters of which no more than attributes are asked for: an object that is
        only asked for its parts, as `module` in `module.proj(x)`, is not called itself."""
        node = _node(self.scope)
        returns = [] if node.returns is None else [node.returns]
        asked = self._only_asked
        signature = [
            part
            for param in node.args
            for part in (param.default, None if param.name in asked else param.annotation)
            if part is not None
        ]
        return self.names | _names(*node.decorator_list, *signature, *returns)

    @cached_property
    def annotating(self) -> set[str]:
        """The names that annotate parameters."""
        node = _node(self.scope)
        return _names(*(param.annotation for param in node.args if param.annotation is not None))

    @cached_property
    def _only_asked(self) -> set[str]:
        """The parameters of which no more than attributes are asked for."""
        node = _node(self.scope)
        asked = [n.value.id for n in t.walk(*node.body) if isinstance(n, t.Attribute) and isinstance(n.value, t.Name)]
        met = [n.id for n in t.walk(*node.body) if isinstance(n, t.Name)]
        return {param.name for param in node.args if asked.count(param.name) == met.count(param.name)}

    @cached_property
    def computes(self) -> bool:
        """Whether the function may work on tensors itself, and does not only build models or read settings."""
        assert isinstance(self.scope.node, t.FunctionDef)
        return self.scope.owner is not None or _uses_tensors(self.scope.node, self.names)


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

    def entries_of(self, is_wanted: Callable[[t.ClassDef], bool]) -> set[int]:
        """The places of what calls objects of some classes."""
        return {
            place
            for place, scope in enumerate(self.functions)
            if scope.owner is not None and scope.node.name in ENTRIES and is_wanted(scope.owner)
        }


def _objects(module: Module) -> dict[str, set[str]]:
    """For each name that a file's top level gives to what a call makes, or to something that has another name already,
    as in `sparsemax = SparsemaxFunction.apply`: the names in that, through others of them."""
    found: dict[str, set[str]] = {}
    for statement in t.flat(module.body):
        if isinstance(statement, t.Assign) and isinstance(statement.value, t.Call | t.Name | t.Attribute):
            named = _names(statement.value)
            named = named.union(*(found.get(name, ()) for name in named))
            for target in statement.targets:
                if isinstance(target, t.Name):
                    found[target.id] = found.get(target.id, set()) | named
    return found


def _names(*roots: t.Node) -> set[str]:
    return {node.id for node in t.walk(*roots) if isinstance(node, t.Name)}
