"""Words for sizes of parameters that a variable of the function has as well, for another size: they get a number.

Documentation says `(batch, chunks, dim)` of an input, and the function puts one in front and binds `chunks` to what is
there then. In a hover `chunks` is the variable, so the size that documentation means is shown as `chunks_2`.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import re

from kernelscope.dims import Dim, dim
from kernelscope.interp.brevity import unused
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.symbols import over_sizes, sizes_in
from kernelscope.interp.values import Value
from kernelscope.syntax.python import tree as t


def set_apart(run: Interpreter) -> None:
    """Give the sizes of parameters other names than variables have that hold other sizes."""
    if not (borrowed := _borrowed(run)):
        return
    taken = sizes_in(seen.value for seen in run.seen.values()) | run.symbols.held
    called = {word: dim(unused(f"{word}_2", taken)) for word in sorted(borrowed)}
    for seen in run.seen.values():
        seen.value = over_sizes(seen.value, lambda size: size.subs(called))


def _borrowed(run: Interpreter) -> set[str]:
    """The words under which a variable holds a size, and nowhere one that is or may be what is called so."""
    module, root = run.workspace.modules.module(run.contexts.path), run.contexts.root
    if module is None or not isinstance(root, t.FunctionDef) or not run.symbols.spoken:
        return set()
    own: set[str] = {param.name for param in root.args}
    others: set[str] = set()
    for span, seen in run.seen.items():
        value: Value = seen.value
        if isinstance(value, Dim) and (word := module.text.slice(span)) in run.symbols.spoken:
            (own if value.name is not None and _is_called(value.name, word) else others).add(word)
    return others - own


def _is_called(name: str, word: str) -> bool:
    """Whether a size is called by a word, or like others that could be the same."""
    return name == word or re.fullmatch(rf"{re.escape(word)}(?:_[0-9]+)+", name) is not None
