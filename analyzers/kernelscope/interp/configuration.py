"""Sizes that the user gives, as the interpreter meets them: what configurations hold, and what code derives of it.

With a `config.json` the class of the configuration is found and made, so that what its constructor, `__post_init__` and
properties compute (`head_dim = hidden_size // num_heads`) is known too. Nothing here is guessed: a size that neither
the user nor the code gives stays a name.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Hashable, Mapping, Set
from dataclasses import dataclass, field

from kernelscope.dims import Dim, dim
from kernelscope.dims.spelling import spelled
from kernelscope.interp.calls import call_function
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.records import fields_of, fill, finish
from kernelscope.interp.second_names import annotated_class, class_called, second_names
from kernelscope.interp.symbols import over_sizes
from kernelscope.interp.values import Function, Instance, Maybe, Opaque, Value
from kernelscope.ops import ShapeError
from kernelscope.results import Configured
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Unknown
from kernelscope.workspace.modules import Definition

LEAST_SHARE = 0.5
"""A class is the configuration that a parameter stands for if it declares this part of what is given and read."""


@dataclass(slots=True)
class Configuration:
    """Numbers bound to names, and the values of a configuration file."""

    bindings: Mapping[str, int]
    values: Mapping[str, Configured] = field(default_factory=dict[str, Configured])
    sizes: dict[str, int] = field(default_factory=dict[str, int])
    """What is bound, and what the classes of configurations derive of it."""
    _objects: dict[Hashable, Instance | None] = field(default_factory=dict[Hashable, "Instance | None"])
    _reads: dict[str, dict[str, set[str]]] = field(default_factory=dict[str, "dict[str, set[str]]"])

    def __post_init__(self) -> None:
        self.sizes.update(self.bindings)

    def number(self, name: str) -> Dim | None:
        """The number that a (dotted) name is bound to."""
        found = spelled((name,), self.sizes).get(name)
        return None if found is None else dim(found)

    def meet(self, run: Interpreter, path: str) -> None:
        """Find the configurations that the constructors of a file are given."""
        module = run.workspace.modules.module(path) if self.values else None
        for scope in module.functions() if module is not None else ():
            if isinstance(scope.node, t.FunctionDef) and scope.node.name == "__init__":
                for param in scope.node.args[1:]:
                    self.argument(run, path, param)

    def renewed(self, run: Interpreter, value: Value) -> Value:
        """A value as it is with the sizes that are given: an object is made anew with what it was made with, a number
        that is not given is what it is by default."""
        if isinstance(value, Opaque) and value.default is not None:
            return self.number(value.name) or dim(value.default)
        if not isinstance(value, Instance) or value.made_with is None:
            return self.in_numbers(value)
        init = run.classes.attribute(value.cls, "__init__")
        node = init.node if isinstance(init, Definition) else None
        if not isinstance(init, Definition) or not isinstance(node, t.FunctionDef):
            return value
        args, kwargs = value.made_with
        names = {param.name: param for param in node.args[1:]}
        given = [self._given(run, init.path, p, a) for p, a in zip(names.values(), args, strict=False)]
        named = {k: self._given(run, init.path, names[k], v) if k in names else v for k, v in kwargs.items()}
        from kernelscope.interp.instances import construct

        return construct(run, value.cls, [*given, *args[len(given) :]], named)

    def _given(self, run: Interpreter, path: str, param: t.Param, value: Value) -> Value:
        if isinstance(value, Opaque):
            number = self.number(value.name)
            own = self.argument(run, path, param) if number is None else number
            return value if own is None else own
        return self.in_numbers(value)

    def in_numbers(self, value: Value) -> Value:
        """A value with its sizes in the numbers that they are bound to."""

        def change(size: Dim) -> Dim:
            return size.subs(spelled(size.names(), self.sizes))

        try:
            return over_sizes(value, change)
        except ArithmeticError:
            return value

    def argument(self, run: Interpreter, path: str, param: t.Param) -> Value:
        """What a constructor's parameter is given: a bound number, the configuration itself, or None for neither."""
        number = self.number(param.name)
        if number is not None or not self.values:
            return number
        key = (path, param.name, param.annotation is not None and param.annotation.span)
        if not self._read(run, path).get(param.name):
            return None
        if key not in self._objects:
            self._objects[key] = None  # while it is made
            self._objects[key] = self._object(run, path, param)
        return self._objects[key]

    def _read(self, run: Interpreter, path: str) -> dict[str, set[str]]:
        """For each name of a file the attributes that are read of it, or of an attribute called so."""
        if path not in self._reads:
            self._reads[path] = found = {}
            module = run.workspace.modules.module(path)
            for node in t.walk(*module.body) if module is not None else ():
                if isinstance(node, t.Attribute) and (holder := t.dotted(node.value)):
                    found.setdefault(holder.rpartition(".")[2], set()).add(node.attr)
        return self._reads[path]

    def _object(self, run: Interpreter, path: str, param: t.Param) -> Instance | None:
        read = self._read(run, path)[param.name]
        cls = annotated_class(run, path, param.annotation) or _read_as(run, path, read, self.values.keys())
        declared = set[str]() if cls is None else _declared(run, cls)
        if cls is None or not declared & self.values.keys():
            return None
        given = {name: _value(value) for name, value in self.values.items()}
        aliases = second_names(run, cls)
        given |= {target: given[alias] for alias, target in aliases.items() if alias in given and target not in given}
        instance = Instance(cls)
        run.quiet += 1
        run.symbols.building += 1
        try:
            if isinstance(init := run.classes.attribute(cls, "__init__"), Definition) and _is_own(run, cls, init):
                known = {name: value for name, value in given.items() if name in declared}
                call_function(run, Function(init, instance, True), [], known, param.span)
            else:
                fill(run, instance, [], given)
                finish(run, instance)
        except ShapeError:
            pass
        finally:
            run.symbols.building -= 1
            run.quiet -= 1
        instance.is_ready = True
        held = instance.attributes
        held |= {name: value for name, value in given.items() if name not in held}
        held |= {alias: held[target] for alias, target in aliases.items() if target in held}
        for name, value in held.items():
            if isinstance(value, Dim) and value.const is not None:
                self.sizes.setdefault(name, value.const)
            elif isinstance(value, dict | Maybe | Unknown):  # what a table holds is told by the words of the code
                held[name] = Opaque(f"{param.name}.{name}")
        return instance


def _value(given: Configured) -> Value:
    return dim(given) if isinstance(given, int) and not isinstance(given, bool) else given


def _read_as(run: Interpreter, path: str, read: set[str], given: Set[str]) -> Definition | None:
    """The class, among those that a file knows, that declares most of what is given and the file reads."""
    module = run.workspace.modules.module(path)
    if module is None:
        return None
    nodes = list(t.walk(*module.body))
    names = {n.id for n in nodes if isinstance(n, t.Name)} | {n.name for n in nodes if isinstance(n, t.ClassDef)}
    candidates = (cls for word in sorted(names) if (cls := class_called(run, path, word)) is not None)
    wanted = read & given
    ranked = [(len(wanted & _declared(run, cls)), cls) for cls in candidates if not run.classes.is_module(cls)]
    most = max((count for count, _ in ranked), default=0)
    best = [cls for count, cls in ranked if count == most]
    return best[0] if best and most >= LEAST_SHARE * len(wanted) > 0 else None


def _declared(run: Interpreter, cls: Definition) -> set[str]:
    """What a configuration class can be given: its fields, the parameters of its constructor, other names for them."""
    init = run.classes.attribute(cls, "__init__")
    parameters = init.node.args[1:] if isinstance(init, Definition) and isinstance(init.node, t.FunctionDef) else []
    return {*fields_of(run, cls), *(p.name for p in parameters), *second_names(run, cls)}


def _is_own(run: Interpreter, cls: Definition, init: Definition) -> bool:
    """Whether a constructor says more than the declared fields do: it belongs to the class, or there are no fields."""
    owner = init.owner
    return (owner is not None and owner.node is cls.node) or not fields_of(run, cls)
