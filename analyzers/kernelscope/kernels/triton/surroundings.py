"""What a name means to a kernel that stands inside a function: what that function binds, else what its module does.

Functions bind names by parameters, imports, definitions and assignments; values are told elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition, External, Missing, ModuleRef, Modules, Resolved


def functions_around(
    modules: Modules, path: str, at: int, but: t.FunctionDef | None = None
) -> tuple[t.FunctionDef, ...]:
    """The functions that a place stands in, the innermost first."""
    module = modules.module(path)
    scopes = module.scopes_around(at) if module is not None else []
    return tuple(scope.node for scope in scopes if isinstance(scope.node, t.FunctionDef) and scope.node is not but)


def meaning(modules: Modules, path: str, name: str, around: Sequence[t.FunctionDef] = ()) -> Resolved:
    """What a dotted name means inside of functions of a file, the innermost first."""
    first, _, rest = name.partition(".")
    for function in around:
        found = bound_by(modules, path, function, first)
        if found is not None:
            return _member(modules, found, rest) if rest else found
    return modules.resolve(path, name)


def bound_by(modules: Modules, path: str, function: t.FunctionDef, name: str) -> Resolved | None:
    """What a function of a file binds a name to; None where it binds none."""
    if any(param.name == name for param in function.args):
        return Missing(f"{name} is given to {function.name}")
    for statement in t.flat(function.body):
        match statement:
            case t.Import() | t.ImportFrom() if any(alias.bound == name for alias in statement.names):
                return modules.imported(path, statement, name)
            case t.FunctionDef(name=own) | t.ClassDef(name=own) if own == name:
                return Definition(path, name, statement)
            case t.Assign(targets=[t.Name(id=own)]) | t.AnnAssign(target=t.Name(id=own)) if own == name:
                return Definition(path, name, statement)
            case _:
                pass
    return None


def _member(modules: Modules, found: Resolved, rest: str) -> Resolved:
    """`rest` below a module or what lies outside the workspace."""
    match found:
        case External(dotted=dotted):
            return External(f"{dotted}.{rest}")
        case ModuleRef():
            return modules.in_module(found, rest)
        case _:
            return Missing(f"attribute {rest}")
