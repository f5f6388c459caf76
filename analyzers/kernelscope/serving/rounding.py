"""How many blocks of a cache something needs: lengths divided by the size of a block, rounded up by a call.

Kernels round up alike to count their tiles; who has no kernel and divides by the size of a block or page counts those.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.execution import has_kernels
from kernelscope.serving.guards import assignments, inlined, last_name, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

CEILING = {"cdiv", "ceil_div", "ceildiv", "ceil", "div_up", "divup", "div_ceil", "round_up_div"}
PAGES = {"block", "blocks", "page", "pages"}
OTHERS = {"moe", "expert", "experts", "gemm", "matmul", "tile", "tiles", "kernel", "quant", "quantize"}
"""Words of functions whose blocks are tiles of a product or groups of a quantisation."""


@by_function
def blocks_needed(source: PythonSource) -> Iterator[Claim]:
    """`needed = math.ceil(tokens / block_size)`."""
    if source.aside:
        return
    for scope in source.module.functions():
        if OTHERS & {*words(scope.qualified_name), *words(source.path.parent.name)}:
            continue
        known = assignments(scope.node)
        for node in own_of(scope.node, t.Assign):
            if not counts_pages(source, node):
                continue
            count = f"{source.quote(node.targets[0])} = {inlined(source, node.value, known, 1)}"
            value = f"number of blocks that {scope.qualified_name} counts: {count} (rounded up)"
            yield Claim(f"{scope.qualified_name} blocks", value, (source.at(node), source.at(scope.node)))


def counts_pages(source: PythonSource, node: t.Assign) -> bool:
    """Whether an assignment counts blocks or pages of a cache, in a file without kernels."""
    if not PAGES & set(words(last_name(node.targets[0]))) or has_kernels(source):
        return False
    divided = (n for n in t.walk(node.value) if isinstance(n, t.Call) and last_name(n.func) in CEILING)
    return any(_is_page_size(by) for call in divided for by in _divisors(call))


def _divisors(call: t.Call) -> Iterator[t.Expr]:
    match call.args:
        case [t.BinOp(op="/" | "//", right=right)]:
            yield right
        case [_, by]:
            yield by
        case _:
            pass


def _is_page_size(node: t.Expr) -> bool:
    said = words(last_name(node))
    return said[-2:] in (("block", "size"), ("page", "size"))
