"""Code lenses: where they stand and what they open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kernelscope.kernels.cuda.kernels import Kernels
from kernelscope.results import Lens, Target
from kernelscope.syntax.python.lower import Module

TITLES: dict[str, str] = {
    "kernelscope.showDataflow": "show dataflow",
    "kernelscope.showPseudocode": "pseudocode",
    "kernelscope.showArchitecture": "architecture",
    "kernelscope.explainKernel": "explain kernel",
    "kernelscope.showCallPath": "call path",
}


def python_lenses(module: Module, path: Path) -> Iterator[Lens]:
    """Above every forward its dataflow and pseudocode, above every class with one its architecture."""
    for scope in module.functions():
        if scope.owner is None or scope.node.name not in ("forward", "__call__"):
            continue
        symbol = scope.qualified_name
        yield Lens(scope.node.name_span, Target(path, None, symbol), None, "kernelscope.showDataflow")
        yield Lens(scope.node.name_span, Target(path, None, symbol), None, "kernelscope.showPseudocode")
        owner = Target(path, None, ".".join(scope.path[:-1]))
        yield Lens(scope.owner.name_span, owner, None, "kernelscope.showArchitecture")


def cuda_lenses(kernels: Kernels, path: Path) -> Iterator[Lens]:
    """Above every CUDA kernel what it does."""
    unit = kernels.units.unit(str(path))
    for kernel in unit.kernels if unit is not None else ():
        yield Lens(kernel.name_span, Target(path, kernel.name_span.start), None, "kernelscope.explainKernel")


def title_of(lens: Lens) -> str:
    return TITLES.get(lens.command or "", "")
