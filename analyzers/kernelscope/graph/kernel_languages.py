"""Which decorated Python functions are kernels, and in which language: Triton, TileLang, CuTe, Numba and their kin.

Decides by where a decorator comes from and by what the body opens; names of functions count for nothing.
"""

from __future__ import annotations

from kernelscope.kernels.triton.surroundings import functions_around, meaning
from kernelscope.syntax.python.tree import Call, For, FunctionDef, With, dotted, walk
from kernelscope.workspace.modules import External, Modules

_HOST_JIT = ("jax", "torch", "numba", "cutlass", "equinox", "warp")
"""Libraries whose `jit`, `njit` or `filter_jit` traces or compiles host functions."""
_KERNEL = ("kernel", "rawkernel")
KERNEL_LIBRARIES: dict[str, str] = {
    "triton": "Triton",
    "tilelang": "TileLang",
    "cutlass": "CuTe",
    "numba": "Numba",
    "warp": "Warp",
    "helion": "Helion",
}
"""How kernels of a library are called."""


def kernel_language(function: FunctionDef, modules: Modules, path: str) -> str | None:
    """The language of a function that a decorator makes a kernel; None for host functions.

    `jit` of a library that has `kernel` beside it, and of tracers, decorates host functions. Of the workspace's own
    decorators one that is called `jit` counts, another `..._jit` when the body opens a kernel frame, and any when it
    loops over the tiles of a kernel language.
    """
    for decorator in function.decorator_list:
        name = dotted(decorator.func if isinstance(decorator, Call) else decorator)
        tail = name.rpartition(".")[2] if name else ""
        if not name or not (tail.endswith("jit") or tail in _KERNEL):
            continue
        found = meaning(modules, path, name, functions_around(modules, path, function.span.start, but=function))
        if isinstance(found, External):
            library = found.dotted.rpartition(".")[0]
            package = library.partition(".")[0]
            if tail.endswith("jit") and package in _HOST_JIT and library != "numba.cuda":
                continue
            if tail.endswith("jit") or library:
                return KERNEL_LIBRARIES.get(package, package or "Triton")
        elif tail.endswith("jit") and (tail == "jit" or _opens_kernel_frame(function, modules, path)):
            return "TileLang" if tail != "jit" else "Triton"
    return "Helion" if function.decorator_list and _loops_over_tiles(function, modules, path) else None


def _loops_over_tiles(function: FunctionDef, modules: Modules, path: str) -> bool:
    """`for tile in hl.tile(sizes)` of Helion, somewhere in the body."""
    names = modules.namespace(path)
    imported = [b.target for found in names.bindings.values() for b in found if b.target] if names else []
    if not any(target.module.partition(".")[0] == "helion" for target in imported):
        return False
    for node in walk(*function.body):
        if isinstance(node, For) and isinstance(node.iter, Call) and (name := dotted(node.iter.func)):
            found = modules.resolve(path, name) if name.endswith((".tile", ".grid")) else None
            if isinstance(found, External) and found.dotted.startswith("helion."):
                return True
    return False


def _opens_kernel_frame(function: FunctionDef, modules: Modules, path: str) -> bool:
    """`with T.Kernel(...)` of a library, somewhere in the body."""
    for node in walk(function):
        if isinstance(node, With):
            for item in node.items:
                name = dotted(item.context_expr.func) if isinstance(item.context_expr, Call) else None
                if name and name.endswith(".Kernel") and isinstance(modules.resolve(path, name), External):
                    return True
    return False
