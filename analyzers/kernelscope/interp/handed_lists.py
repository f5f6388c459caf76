"""Lists of layers that a class goes through and that others give to it: `self.layers = nn.ModuleList(layers)`.

Nothing in the file of such a class says what it calls: any layer of it that nothing there builds may be in the list.
"""

from __future__ import annotations

from collections.abc import Iterator, Set

from kernelscope.syntax.python import tree as t

LISTS = ("ModuleList", "Sequential")


def lists_given(cls: t.ClassDef, init: t.FunctionDef | None = None) -> Iterator[str]:
    """The attributes of a class that hold such lists; `init` is its constructor where it has none of its own."""
    own = (part for part in cls.body if isinstance(part, t.FunctionDef) and part.name == "__init__")
    init = next(own, init)
    if init is None or not any(_may_make_list(part) for part in t.walk(*init.body)):
        return
    given = {param.name for param in init.args[1:]}
    loops = (node.iter for node in t.walk(cls) if isinstance(node, t.For))
    passed = {t.dotted(part) for iterated in loops for part in t.walk(iterated) if isinstance(part, t.Attribute)}
    for statement in t.walk(*init.body):
        match statement:
            case t.Assign(targets=[t.Attribute(attr=attr)], value=value) if f"self.{attr}" in passed:
                made = value.body if isinstance(value, t.IfExp) else value
                if isinstance(made, t.Call) and _may_make_list(made) and any(_is_of(arg, given) for arg in made.args):
                    yield attr
            case _:
                pass


def _may_make_list(node: t.Node) -> bool:
    return isinstance(node, t.Call) and (t.dotted(node.func) or "").rpartition(".")[2] in LISTS


def _is_of(arg: t.Expr, given: Set[str]) -> bool:
    held = arg.value if isinstance(arg, t.Starred) else arg
    return isinstance(held, t.Name) and held.id in given
