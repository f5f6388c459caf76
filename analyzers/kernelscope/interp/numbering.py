"""Numbers of sizes that are called alike, counted anew in each function.

`width_7`, of the seventh layer that was made, is `width` where there is no other. So no number depends on what was
looked at before.
"""

from __future__ import annotations

from collections.abc import Mapping

from kernelscope.dims import Dim, dim
from kernelscope.interp.symbols import Symbols, over_sizes, sizes_in
from kernelscope.interp.values import Value
from kernelscope.ops import Module
from kernelscope.results import Span
from kernelscope.tensor import Tensor


def number_anew(values: Mapping[Span, Value], symbols: Symbols) -> Mapping[Span, Value]:
    """What was seen of a function, with the symbols of objects numbered in the order in which they occur."""
    made = [name for name in _in_order(values, symbols) if name in symbols.of_objects]
    taken = (sizes_in(values.values()) | symbols.spoken) - set(made)
    called: dict[str, Dim] = {}
    for name in made:
        base = plain = symbols.of_objects[name]
        count = 1
        while plain in taken:
            count += 1
            plain = f"{base}_{count}"
        taken.add(plain)
        if plain != name:
            called[name] = dim(plain)
    if not called:
        return values
    return {span: _renamed(value, called) for span, value in values.items()}


def _in_order(values: Mapping[Span, Value], symbols: Symbols) -> Mapping[str, None]:
    found: dict[str, None] = {}
    for span in sorted(values, key=lambda span: span.start):
        for name in sorted(sizes_in((values[span],)), key=lambda name: (symbols.made.get(name, -1), name)):
            found.setdefault(name)
    return found


def _renamed(value: Value, called: Mapping[str, Dim]) -> Value:
    def size(found: Dim) -> Dim:
        return found.subs(called)

    if isinstance(value, Module):
        settings = {name: over_sizes(setting, size) for name, setting in value.settings.items()}
        parameters = {
            name: held
            for name, given in value.parameters.items()
            if isinstance(held := over_sizes(given, size), Tensor)
        }
        return Module(value.name, settings, parameters)
    return over_sizes(value, size)
