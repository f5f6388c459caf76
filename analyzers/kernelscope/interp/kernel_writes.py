"""What a launch of a Triton kernel writes: the parameters that its stores, and those of functions it calls, lead to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.interp.values import Arguments, Keywords, Value
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Unknown
from kernelscope.workspace.modules import Definition, Modules

JIT = ("triton.jit", "jit")
STORE, LOAD, ATOMIC = "store", "load", "atomic_"
MAX_CALLS = 4
"""Functions are followed into functions they call so often."""


@dataclass(frozen=True)
class Launch(Unknown):
    """`kernel[grid]`: calling it gives nothing, and changes what some of its parameters are given."""

    names: tuple[str, ...] = ()
    writes: frozenset[str] = frozenset()

    def written(self, args: Arguments, kwargs: Keywords) -> list[Value]:
        """Of what a launch is given, what the kernel writes."""
        return [value for name, value in [*zip(self.names, args, strict=False), *kwargs.items()] if name in self.writes]


def launch(modules: Modules, kernel: Definition) -> Launch | None:
    """The launch of a function that is a kernel."""
    node = kernel.node
    if not isinstance(node, t.FunctionDef):
        return None
    if not any(t.dotted(d.func if isinstance(d, t.Call) else d) in JIT for d in node.decorator_list):
        return None
    names = tuple(p.name for p in node.args)
    return Launch("a kernel gives nothing", names=names, writes=_written(modules, kernel.path, node, MAX_CALLS))


def _written(modules: Modules, path: str, node: t.FunctionDef, calls: int) -> frozenset[str]:
    """The parameters through which a function writes."""
    names = {p.name for p in node.args}
    sources: dict[str, set[str]] = {}
    pointers: list[t.Expr] = []
    for part in t.walk(*node.body):
        match part:
            case t.Assign(targets=targets, value=value):
                for target in targets:
                    _bind(sources, target, value)
            case t.AnnAssign(target=target, value=value) if value is not None:
                _bind(sources, target, value)
            case t.AugAssign(target=target, value=value):
                _bind(sources, target, value)
            case t.Call():
                pointers += _stores(part, names | sources.keys()) or _passed_on(modules, path, part, calls)
            case _:
                pass
    found, todo = set[str](), [name for pointer in pointers for name in _leads_to(pointer)]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += sources.get(name, ())
    return frozenset(found & names)


def _bind(sources: dict[str, set[str]], target: t.Expr, value: t.Expr) -> None:
    if isinstance(target, t.Tuple) and isinstance(value, t.Tuple) and len(target.elts) == len(value.elts):
        for one, given in zip(target.elts, value.elts, strict=True):
            _bind(sources, one, given)
    elif isinstance(target, t.Name):
        sources.setdefault(target.id, set()).update(_leads_to(value))


def _stores(call: t.Call, local: set[str]) -> list[t.Expr]:
    """What `tl.store(pointer, …)`, `tl.atomic_add(pointer, …)` or `descriptor.store(…)` writes through."""
    if not isinstance(call.func, t.Attribute) or not (call.func.attr == STORE or call.func.attr.startswith(ATOMIC)):
        return []
    holder = call.func.value
    if isinstance(holder, t.Name) and holder.id in local:
        return [holder]
    return call.args[:1] or [k.value for k in call.keywords if k.arg == "pointer"]


def _passed_on(modules: Modules, path: str, call: t.Call, calls: int) -> list[t.Expr]:
    """What a function of the workspace is given to write through."""
    if not calls or not isinstance(call.func, t.Name):
        return []
    found = modules.definition(path, call.func.id)
    if found is None or not isinstance(found.node, t.FunctionDef):
        return []
    names = [p.name for p in found.node.args]
    written = _written(modules, found.path, found.node, calls - 1)
    given = [*zip(names, call.args, strict=False), *((k.arg, k.value) for k in call.keywords)]
    return [value for name, value in given if name in written]


def _leads_to(pointer: t.Expr) -> Iterator[str]:
    """The names that an address is computed of; what is loaded, or told by a function, only says where."""
    todo: list[t.Node] = [pointer]
    while todo:
        node = todo.pop()
        match node:
            case t.Name():
                yield node.id
            case t.Call(func=t.Name()):
                pass
            case t.Call(func=t.Attribute(attr=name)) if name == LOAD or name.startswith(ATOMIC):
                pass
            case _:
                todo += t.children(node)
