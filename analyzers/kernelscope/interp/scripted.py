"""Names in functions that `torch.jit.script` compiles: they mean what they meant where the decorator stands.

Source: https://docs.pytorch.org/docs/stable/jit.html, "Compilation of functions": a function is compiled, with those
that it calls, when it is decorated. What the module calls by the same name later is another function's.
"""

from __future__ import annotations

from kernelscope.interp.values import Function
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition, External, Modules

SCRIPT = "torch.jit.script"


def meant_when_compiled(modules: Modules, function: Function, name: str) -> Definition | None:
    """The function that a name of the module stands for in a compiled function, if it stands for another one later."""
    node, path = function.definition.node, function.definition.path
    if not isinstance(node, t.FunctionDef) or not _is_compiled(modules, path, node):
        return None
    found = modules.resolve(path, name, before=node.span.start)
    if not isinstance(found, Definition) or not isinstance(found.node, t.FunctionDef):
        return None
    return found if modules.resolve(path, name) != found else None


def _is_compiled(modules: Modules, path: str, node: t.FunctionDef) -> bool:
    dotted = [name for decorator in node.decorator_list if (name := t.dotted(decorator)) is not None]
    return any(modules.resolve(path, name) == External(SCRIPT) for name in dotted if name.endswith("script"))
