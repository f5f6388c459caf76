"""Facts about classes of the workspace, kept for one interpretation: bases, attributes, who stores what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from kernelscope.syntax.python import tree as t
from kernelscope.workspace.classes import Stored
from kernelscope.workspace.modules import Definition, Resolved
from kernelscope.workspace.modules import External as OutsideName
from kernelscope.workspace.workspace import Workspace

APEX = ("apex.normalization", "apex.normalization.fused_layer_norm")
STAND_INS = {
    f"{module}.{prefix}Fused{norm}": f"torch.nn.{norm}"
    for module in APEX
    for prefix in ("", "Mixed")
    for norm in ("LayerNorm", "RMSNorm")
}
"""Layers of other libraries that are torch's with faster kernels: code falls back to those where they are missing."""


class ClassFacts:
    """What is asked of the workspace about classes again and again, kept for one interpretation."""

    def __init__(self, workspace: Workspace) -> None:
        self._classes = workspace.classes
        self._mros: dict[t.Stmt, tuple[Resolved, ...]] = {}
        self._attributes: dict[tuple[t.Stmt, str], Resolved] = {}
        self._stored_in_others: dict[str, set[str]] = {}
        """For each file, attributes that its code stores in other objects than `self`."""
        self._storing: dict[t.Stmt, Mapping[str, Set[str]]] = {}
        self._counted: dict[tuple[t.Stmt, str], bool] = {}
        self._moved: dict[tuple[t.Stmt, str], bool] = {}
        self._set_later: dict[t.Stmt, dict[str, tuple[t.Expr | None, ...]]] = {}
        self._setting_up: dict[t.Stmt, set[str]] = {}
        self._setters: dict[t.Stmt, dict[str, Definition]] = {}

    def mro(self, cls: Definition) -> tuple[Resolved, ...]:
        """The classes in which attributes are looked up."""
        known = self._mros.get(cls.node)
        if known is None:
            found = self._classes.mro(cls)
            self._mros[cls.node] = known = tuple(_as_torch(base) for base in found)
        return known

    def attribute(self, cls: Definition, name: str) -> Resolved:
        """What the class or a base defines under a name."""
        key = (cls.node, name)
        known = self._attributes.get(key)
        if known is None:
            self._attributes[key] = known = self._classes.attribute(cls, name, self.mro(cls))
        return known

    def is_stored_later(self, cls: Definition, name: str) -> bool:
        """Whether an attribute may be stored by other code than the constructor."""
        if cls.path not in self._stored_in_others:
            self._stored_in_others[cls.path] = self._classes.stored_in_others(cls.path)
        if name in self._stored_in_others[cls.path]:
            return True
        return any(method != "__init__" for method in self.storing(cls, name))

    def storing(self, cls: Definition, name: str) -> Set[str]:
        """The methods that store an attribute of `self`."""
        known = self._storing.get(cls.node)
        if known is None:
            self._storing[cls.node] = known = self._classes.storing(self.mro(cls))
        return known.get(name, frozenset[str]())

    def is_counted(self, cls: Definition, name: str) -> bool:
        """Whether a method counts an attribute on or down: `self.step += 1`."""
        key = (cls.node, name)
        if key not in self._counted:
            storing = self.storing(cls, name)
            bodies = [base.node for base in self.mro(cls) if isinstance(base, Definition)]
            methods = [method for body in bodies if isinstance(body, t.ClassDef) for method in body.methods()]
            nodes = (node for method in methods if method.name in storing for node in t.walk(*method.body))
            self._counted[key] = any(_counts(node, name) for node in nodes)
        return self._counted[key]

    def is_moved(self, cls: Definition, name: str) -> bool:
        """Whether a method that the constructor does not call stores an attribute as what is computed: each call of the
        object finds it as the last one left it, `self.position = end`."""
        if (key := (cls.node, name)) not in self._moved:
            later = self.storing(cls, name) - self._methods_of_constructor(cls)
            self._moved[key] = bool(later) and any(
                stored.method.name in later and not isinstance(stored.statement.value, t.Constant)
                for stored in self._classes.stored(cls, name)
            )
        return self._moved[key]

    def is_set_otherwise(self, cls: Definition, name: str, value: bool | str) -> bool:
        """Whether a method that the constructor does not call stores something else than this under a name of `self`:
        what the constructor leaves there is then one of several values. A text that a caller may give anew is what the
        model is set up with as a rule, so that only another text that is written down counts; and so is a switch, but
        for one that goes with what calls of the object keep: what else the method empties."""
        if (known := self._set_later.get(cls.node)) is None:
            self._set_later[cls.node] = known = self._stored_after_the_constructor(cls)
        given = known.get(name, ())
        if isinstance(value, str):
            return any(isinstance(v, t.Constant) and isinstance(v.value, str) and v.value != value for v in given)
        return any(not (isinstance(v, t.Constant) and v.value is value) for v in given)

    def _stored_after_the_constructor(self, cls: Definition) -> dict[str, tuple[t.Expr | None, ...]]:
        """What methods of the class and its bases store in `self`, but for those that set it up; None is computed."""
        setting_up, found = self._methods_of_constructor(cls), dict[str, tuple[t.Expr | None, ...]]()
        for base in self.mro(cls):
            stores = self._classes.stores(base) if isinstance(base, Definition) else ()
            later = [stored for stored in stores if stored.method.name not in setting_up]
            given = [(stored.method.name, *pair) for stored in later for pair in _given_to_self(stored)]
            emptying = {method for method, _, value in given if isinstance(value, t.Constant) and value.value is None}
            for method, name, value in given:
                if method in emptying or (isinstance(value, t.Constant) and isinstance(value.value, str)):
                    found[name] = (*found.get(name, ()), value)
        return found

    def _methods_of_constructor(self, cls: Definition) -> set[str]:
        """The constructor, and the methods that it has called of the object it makes."""
        known = self._setting_up.get(cls.node)
        if known is None:
            bodies = [base.node for base in self.mro(cls) if isinstance(base, Definition)]
            methods = [method for body in bodies if isinstance(body, t.ClassDef) for method in body.methods()]
            self._setting_up[cls.node] = known = set[str]()
            todo = ["__init__", "__post_init__", "setup"]
            while todo:
                name = todo.pop()
                if name not in known:
                    known.add(name)
                    called = (_called_of_self(n) for m in methods if m.name == name for n in t.walk(*m.body))
                    todo += [method for method in called if method]
        return known

    def setter(self, cls: Definition, name: str) -> Definition | None:
        """The method that runs when a property is stored."""
        known = self._setters.get(cls.node)
        if known is None:
            self._setters[cls.node] = known = self._classes.setters(self.mro(cls))
        return known.get(name)

    def is_module(self, cls: Definition) -> bool:
        """Whether the objects of a class are layers."""
        return self._classes.is_module(cls, self.mro(cls))


def _given_to_self(stored: Stored) -> Iterator[tuple[str, t.Expr | None]]:
    """The attributes of its object that a statement stores, each with what it is given."""
    statement, node = stored.statement, stored.method.node
    receiver = node.args[0].name if isinstance(node, t.FunctionDef) and node.args else ""
    given = None if isinstance(statement, t.AugAssign) else statement.value
    for target in statement.targets if isinstance(statement, t.Assign) else (statement.target,):
        pairs: list[tuple[t.Expr, t.Expr | None]] = [(target, given)]
        if isinstance(target, t.Tuple):
            is_paired = isinstance(given, t.Tuple) and len(given.elts) == len(target.elts)
            values = given.elts if isinstance(given, t.Tuple) and is_paired else [None] * len(target.elts)
            pairs = list(zip(target.elts, values, strict=True))
        for part, value in pairs:
            if isinstance(part, t.Attribute) and t.dotted(part.value) == receiver:
                yield part.attr, value


def _counts(node: t.Node, name: str) -> bool:
    match node:
        case t.AugAssign(op="+" | "-", target=t.Attribute(attr=attr), value=t.Constant(value=int())):
            return attr == name
        case _:
            return False


def _called_of_self(node: t.Node) -> str:
    match node:
        case t.Call(func=t.Attribute(value=t.Name(id="self") | t.Call(func=t.Name(id="super")), attr=name)):
            return name
        case _:
            return ""


def _as_torch(base: Resolved) -> Resolved:
    stands_for = STAND_INS.get(base.dotted) if isinstance(base, OutsideName) else None
    return base if stands_for is None else OutsideName(stands_for)
