"""Names that a kernel does not bind: what a function around it binds, else its module, as values of the language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kernelscope.kernels.triton.recognition import is_kernel
from kernelscope.kernels.triton.surroundings import bound_by, functions_around
from kernelscope.kernels.triton.values import JitFunction, Namespace, Unknown, Value
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition, External, ModuleRef, Resolved

if TYPE_CHECKING:
    from kernelscope.kernels.triton.interpretation import Frame, Interpretation

KNOWN_PACKAGES = ("triton", "math", "numpy")
"""Those with names of the language, or numbers."""


def outer_value(run: Interpretation, frame: Frame, name: str) -> Value:
    """A name that a function does not bind."""
    if frame.around is None:
        frame.around = functions_around(run.modules, frame.path, frame.node.span.start, frame.node)
    for place, function in enumerate(frame.around):
        key = (frame.path, f"{function.span.start}.{name}")
        if key not in run.outside:
            found = bound_by(run.modules, frame.path, function, name)
            if found is None:
                continue
            run.outside[key] = Unknown(f"{name} is defined by itself")
            run.outside[key] = _of_resolved(run, found, frame.around[place:])
        return run.outside[key]
    return global_value(run, frame.path, name)


def global_value(run: Interpretation, path: str, name: str) -> Value:
    """A name of a module."""
    key = (path, name)
    if key not in run.outside:
        run.outside[key] = Unknown(f"{name} is defined by itself")
        run.outside[key] = _of_module(run, path, name)
    return run.outside[key]


def _of_module(run: Interpretation, path: str, name: str) -> Value:
    meant = [_of_resolved(run, found) for found in run.modules.resolve_all(path, name)]
    told = [value for value in meant if not isinstance(value, Unknown)]
    return next((v for v in told if not _is_foreign(v)), told[0] if told else Unknown(f"{name} is not found"))


def _is_foreign(value: Value) -> bool:
    """Whether it lies in a package of which nothing is known; what another branch imports instead tells more."""
    return isinstance(value, Namespace) and value.path is None and value.dotted.partition(".")[0] not in KNOWN_PACKAGES


def _of_resolved(run: Interpretation, found: Resolved, around: Sequence[t.FunctionDef] = ()) -> Value:
    """What a resolved name is as a value. `around`: the functions in which it is defined."""
    from kernelscope.kernels.triton.expressions import evaluate_global

    match found:
        case External(dotted=dotted):
            return Namespace(dotted)
        case ModuleRef(path=path, name=name):
            return Namespace(name, path) if path else Unknown(f"{name} has no source")
        case Definition(node=t.FunctionDef() as node, path=path):
            if is_kernel(run.modules, path, node):
                return JitFunction(path, node)
            return Unknown(f"{node.name} is not compiled by Triton")
        case Definition(node=t.Assign(value=value) | t.AnnAssign(value=value), path=path) if value is not None:
            return evaluate_global(run, path, value, around)
        case _:
            return Unknown("it is no value of the language")
