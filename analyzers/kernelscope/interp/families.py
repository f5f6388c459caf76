"""Attributes whose names are put together of parts that are not known: `getattr(self, f"{kind}_inv_freq")`.

They are kept under the pattern of their names, and one stands for all that fit it. The tables in which torch's modules
keep what they hold, `self._modules[name]`, hold the attributes of those names.
"""

from __future__ import annotations

from kernelscope.interp.agreement import agreed
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.prepared_objects import prepare
from kernelscope.interp.texts import BRACES, NUMBER, fits, is_numbered
from kernelscope.interp.values import Formatted, Instance, Scope, Sequential, Value, present
from kernelscope.ops import Module
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Unknown

MODULES = "_modules"
TABLES = (MODULES, "_parameters", "_buffers")
"""Where torch's modules keep what they hold by its name."""


def held_in_table(run: Interpreter, scope: Scope, node: t.Expr) -> Instance | None:
    """The module in whose table something is looked up or put: `self._modules`."""
    if not isinstance(node, t.Attribute) or node.attr not in TABLES:
        return None
    from kernelscope.interp.expressions import evaluate

    holder = present(evaluate(run, scope, node.value))
    is_plain = isinstance(holder, Instance) and holder.is_module and node.attr not in holder.attributes
    return holder if is_plain else None


def layers_by_name(run: Interpreter, instance: Instance) -> dict[str, Value] | None:
    """`self._modules` of a module: its layers in order; None where some are stored under names that are not known."""
    from kernelscope.interp.containers import contents

    held = contents(run, instance)
    if isinstance(held, Sequential):
        return dict(zip(held.names or map(str, range(len(held.parts))), held.parts, strict=False))
    if held is not None or any(map(BRACES.search, instance.attributes)):
        return None
    kinds = (Module, Sequential)
    return {
        name: value
        for name, value in instance.attributes.items()
        if isinstance(value, kinds) or (isinstance(value, Instance) and value.is_module)
    }


def looked_up_by_name(run: Interpreter, holder: Instance, name: Value, span: Span) -> Value:
    """`getattr(holder, name)`, also of a name that is known in part."""
    from kernelscope.interp.attributes import attribute

    if isinstance(name, str):
        return attribute(run, holder, name, span)
    prepare(run, holder)
    held = held_under(holder, name) if isinstance(name, Formatted) else None
    return Unknown("an attribute of a name that is not known", span) if held is None else held


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
    elif name.pattern in stored:  # besides it those that were numbered one by one: `block_0`, `block_{}`
        numbered = (value for key, value in stored.items() if NUMBER.search(key) and is_numbered(key, name.pattern))
        found = [stored[name.pattern], *numbered]
    else:
        found = [value for key, value in stored.items() if fits(key, name.pattern)]
    result = found[0] if found else None
    for other in found[1:]:
        result = agreed(result, other)
    return result
