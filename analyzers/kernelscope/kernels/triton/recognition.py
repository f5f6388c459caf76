"""Which functions are Triton kernels: told by decorators and imports, whatever wraps them, never by their names.

Does not look at who launches them (see `launches`).
"""

from __future__ import annotations

import re
from weakref import WeakKeyDictionary

from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module
from kernelscope.workspace.modules import Definition, External, Modules

JIT = ("triton.jit", "triton.runtime.jit.jit", "triton.runtime.jit", "triton.experimental.gluon.jit", "gluon.jit")
LANGUAGE = ("triton.language", "triton.experimental.gluon.language", "triton.experimental.gluon")
GLUON = "triton.experimental.gluon"
_WRITTEN = re.compile(r"@[\w.]*\bjit\b[^\n]*\n\s*def\s+(\w+)")
"""A kernel in the text of a string."""
MAX_LOOK = 400
"""Nodes of a body that are looked at for operations of the language, under a decorator that is not known."""


def is_kernel(modules: Modules, path: str, node: t.FunctionDef) -> bool:
    """Whether Triton compiles the function: `triton.jit` among its decorators, or a decorator that is not known above
    a body that uses the language."""
    if not node.decorator_list:
        return False
    unknown = False
    for decorator in node.decorator_list:
        verdict = _compiles(modules, path, decorator)
        if verdict:
            return True
        unknown = unknown or verdict is None
    return unknown and _speaks_triton(modules, path, node)


_looked_at: WeakKeyDictionary[Module, bool] = WeakKeyDictionary()


def may_hold_kernels(module: Module) -> bool:
    """A look at the bytes, which spares most files more."""
    known = _looked_at.get(module)
    if known is None:
        known = _looked_at[module] = b"jit" in module.text.data or b"triton" in module.text.data
    return known


def is_gluon(modules: Modules, path: str, node: t.FunctionDef) -> bool:
    """Whether a kernel is written in Gluon, in which layouts and buffers are the author's."""
    for decorator in node.decorator_list:
        name = t.dotted(decorator.func if isinstance(decorator, t.Call) else decorator)
        found = modules.resolve(path, name) if name is not None else None
        if isinstance(found, External) and found.dotted.startswith((GLUON, "gluon.")):
            return True
    return False


def wrapper(modules: Modules, path: str, node: t.FunctionDef) -> t.Expr | None:
    """The outermost decorator around `jit` that is not Triton's own: it may build kernels of the function."""
    for decorator in node.decorator_list:
        if _compiles(modules, path, decorator):
            return None
        name = t.dotted(decorator.func if isinstance(decorator, t.Call) else decorator)
        found = modules.resolve(path, name) if name is not None else None
        if not (isinstance(found, External) and found.dotted.startswith("triton.")):
            return decorator
    return None


def written_as_text(*nodes: t.Node) -> list[tuple[str, t.Constant]]:
    """Kernels whose source stands in strings, to be compiled when the program runs: name and string."""
    return [
        (match[1], inner)
        for inner in t.walk(*nodes)
        if isinstance(inner, t.Constant) and isinstance(inner.value, str) and "tl." in inner.value
        for match in _WRITTEN.finditer(inner.value)
    ]


def kernels(modules: Modules, path: str, module: Module) -> list[t.FunctionDef]:
    """All kernels and helpers of a file, in source order."""
    if not may_hold_kernels(module):
        return []
    found = [s.node for s in module.functions() if isinstance(s.node, t.FunctionDef)]
    return [node for node in found if is_kernel(modules, path, node)]


def _compiles(modules: Modules, path: str, decorator: t.Expr) -> bool | None:
    """True for Triton's jit; None for a decorator that may wrap it; False for one that does not."""
    if isinstance(decorator, t.Call):
        if any(_compiles(modules, path, arg) for arg in decorator.args if isinstance(arg, t.Name | t.Attribute)):
            return True
        decorator = decorator.func
    name = t.dotted(decorator)
    if name is None:
        return None
    found = modules.resolve(path, name)
    if isinstance(found, External):
        if found.dotted in JIT or (found.dotted.startswith("triton") and found.dotted.endswith(".jit")):
            return True
        return None
    if isinstance(found, Definition):
        value = found.node.value if isinstance(found.node, t.Assign) else None
        if value is not None and any(
            isinstance(inner, t.Attribute | t.Name) and _is_jit(modules, found.path, inner) for inner in t.walk(value)
        ):
            return True
        return None
    return True if name in ("triton.jit", "jit") else None


def _is_jit(modules: Modules, path: str, node: t.Attribute | t.Name) -> bool:
    name = t.dotted(node)
    found = modules.resolve(path, name) if name else None
    return isinstance(found, External) and found.dotted in JIT


def _is_launch(node: t.Node) -> bool:
    """`kernel[grid](…)`: what the host says, never a kernel."""
    return isinstance(node, t.Call) and isinstance(node.func, t.Subscript)


def _speaks_triton(modules: Modules, path: str, node: t.FunctionDef) -> bool:
    """Whether the function itself uses `triton.language`."""
    names: set[str] = set()
    for index, inner in enumerate(t.walk(*node.args, *node.body)):
        if index > MAX_LOOK:
            break
        if isinstance(inner, t.FunctionDef | t.ClassDef) or _is_launch(inner):
            return False
        if isinstance(inner, t.Attribute) and isinstance(inner.value, t.Name):
            names.add(inner.value.id)
    for name in sorted(names):
        found = modules.resolve(path, name)
        if isinstance(found, External) and found.dotted.startswith(LANGUAGE):
            return True
    return False
