"""Sizes that are too long to read, called what the function calls them, or after the first tensor that has them.

Settings at the end of a long way are called by the end of it: `hf_config.hidden_size`.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import re
from collections import Counter

from kernelscope.dims import Dim, DimLike, dim
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.symbols import over_sizes, sizes_in
from kernelscope.interp.values import Value
from kernelscope.tensor import Tensor

LONGEST = 110
"""Characters of one size that a line of a hover has room for."""
WAY = re.compile(r"\w+(?:\.\w+){3,}")
"""A setting of an object in an object in another."""
WORDS = 2
"""What is kept of it: the setting, and the object that has it."""
LIGHT = 10
"""A size of so few parts is not measured."""


def brief(run: Interpreter) -> None:
    """Give long sizes in what was seen of a function a name, the same wherever they occur."""
    long = {size for seen in run.seen.values() for size in _sizes(seen.value) if _is_long(size)}
    module = run.workspace.modules.module(run.contexts.path)
    if not long or module is None:
        return
    called: dict[Dim, str] = {}
    values: dict[str, set[Value]] = {}
    tensors: list[tuple[str, Tensor]] = []
    for span in sorted(run.seen, key=lambda span: span.start):
        word, value = module.text.slice(span), run.seen[span].value
        if isinstance(value, Dim) and word.isidentifier():
            values.setdefault(word, set()).add(value)
        elif isinstance(value, Tensor) and word.isidentifier():
            tensors.append((word, value))
    taken = sizes_in(seen.value for seen in run.seen.values())
    for word, held in values.items():
        if len(held) == 1 and (size := next(iter(held))) in long and size not in called and word not in taken:
            called[size] = word
    for word, tensor in tensors:
        for index, size in enumerate(tensor.shape.dims or ()):
            if isinstance(size, Dim) and size in long and size not in called:
                called[size] = unused(f"{word}_dim{index}", taken | set(called.values()))
    for seen in run.seen.values():
        if isinstance(seen.value, Dim) and seen.value in called:
            continue  # a number says what it is made of
        seen.value = over_sizes(seen.value, lambda size: dim(called[size]) if size in called else size)


def shorten_ways(run: Interpreter) -> None:
    """Call settings that are reached through several objects as the last of these does, if nothing else is called so:
    what is left out is the same in all of a model, and a line of a hover has no room for it. What is computed from
    these values goes on with the whole."""
    names = sizes_in(seen.value for seen in run.seen.values())
    short = {name: ".".join(name.split(".")[-WORDS:]) for name in names if WAY.fullmatch(name)}
    count = Counter([*names, *short.values()])
    renamed: dict[str, DimLike] = {name: dim(end) for name, end in short.items() if count[end] == 1}
    if renamed:
        for seen in run.seen.values():
            seen.whole, seen.value = seen.value, over_sizes(seen.value, lambda size: size.subs(renamed))


def _sizes(value: Value) -> list[Dim]:
    return [s for s in value.shape.dims or () if isinstance(s, Dim)] if isinstance(value, Tensor) else []


def _is_long(size: Dim) -> bool:
    return size.weight > LIGHT and len(repr(size)) > LONGEST


def unused(name: str, taken: set[str]) -> str:
    """A name, with a number behind it if others have it already."""
    chosen, count = name, 1
    while chosen in taken:
        count += 1
        chosen = f"{name}_{count}"
    return chosen
