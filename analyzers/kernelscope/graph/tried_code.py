"""Code that a test runs to see it fail, or with parts of the program replaced: what it registers is nothing's operator.

Goes by blocks that are told of errors, `pytest.raises(KeyError)`, and by `unittest.mock`; other ways to replace
something are not known.
"""

from __future__ import annotations

from kernelscope.results import LeftOut
from kernelscope.syntax.python.blocks import expects_errors
from kernelscope.syntax.python.tree import Call, Expr, FunctionDef, With, dotted, walk
from kernelscope.workspace.modules import Modules


def is_tried(modules: Modules, path: str, start: int) -> bool:
    """Whether the code at an offset of a Python file stands in such a block, or in a function that is patched."""
    data = modules.files.read(path)
    if isinstance(data, LeftOut) or (b"patch" not in data and b"aises" not in data):
        return False  # most files: they need not be parsed
    module = modules.module(path)
    for node in walk(*module.body) if module is not None else ():
        if isinstance(node, With | FunctionDef) and node.span.start <= start < node.span.end:
            entered = [i.context_expr for i in node.items] if isinstance(node, With) else node.decorator_list
            if any(_replaces(each) or (isinstance(node, With) and expects_errors(each)) for each in entered):
                return True
    return False


def _replaces(entered: Expr) -> bool:
    """`mock.patch(…)` and `patch.dict(…)`."""
    return isinstance(entered, Call) and "patch" in (dotted(entered.func) or "").split(".")[-2:]
