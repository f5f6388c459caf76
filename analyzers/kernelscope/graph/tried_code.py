"""Code that a test runs to see it fail, or with parts of the program replaced: what it registers is nothing's operator.

Goes by `pytest.raises` and `unittest.mock`; other ways to replace something are not known.
"""

from __future__ import annotations

from kernelscope.syntax.python.tree import Call, FunctionDef, With, dotted, walk
from kernelscope.workspace.modules import Modules

_FAILS = frozenset({"raises", "assertRaises", "assertRaisesRegex"})


def is_tried(modules: Modules, path: str, start: int) -> bool:
    """Whether the code at an offset of a Python file stands in such a block, or in a function that is patched."""
    module = modules.module(path)
    if module is None or (b"patch" not in module.text.data and b"aises" not in module.text.data):
        return False
    for node in walk(*module.body):
        if isinstance(node, With | FunctionDef) and node.span.start <= start < node.span.end:
            entered = [i.context_expr for i in node.items] if isinstance(node, With) else node.decorator_list
            names = [(dotted(e.func) or "").split(".") for e in entered if isinstance(e, Call)]
            if any("patch" in name[-2:] or name[-1] in _FAILS for name in names):
                return True
    return False
