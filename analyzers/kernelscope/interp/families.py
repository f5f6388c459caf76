"""Attributes whose names are put together of parts that are not known: `getattr(self, f"{kind}_inv_freq")`.

They are kept under the pattern of their names, and one stands for all that fit it.
"""

from __future__ import annotations

from kernelscope.interp.agreement import agreed
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.texts import BRACES, fits
from kernelscope.interp.values import Formatted, Instance, Value


def store_under(run: Interpreter, holder: Instance, name: Value, value: Value) -> None:
    """`setattr(holder, name, value)`, also of a name that is known in part."""
    key = name.pattern if isinstance(name, Formatted) else name
    if isinstance(key, str):
        run.changes.before(holder.attributes)
        holder.attributes[key] = value


def held_under(holder: Instance, name: str | Formatted) -> Value:
    """What the attributes that a name may mean have in common; None where there are none."""
    stored = holder.attributes
    if isinstance(name, str):
        found = [value for key, value in stored.items() if BRACES.search(key) and fits(name, key)]
    elif name.pattern in stored:
        found = [stored[name.pattern]]
    else:
        found = [value for key, value in stored.items() if fits(key, name.pattern)]
    result = found[0] if found else None
    for other in found[1:]:
        result = agreed(result, other)
    return result
