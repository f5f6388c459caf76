"""Switches of a constructor, and axes of a function, that some caller sets otherwise than they are by default."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kernelscope import ops
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.makers import given_at
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.usages import CallSite

MAX_SITES = 24
LONGEST_CALL = 400
"""Bytes of a call that a switch is looked for in, before its file is parsed."""
AXES = {"dim", "axis"}
"""What operators call the axis that they work along."""
MAX_DEPTH = 2
"""Constructors that hand a switch on to one another."""


def set_otherwise(run: Interpreter, cls: Definition, init: t.FunctionDef, depth: int = MAX_DEPTH) -> set[str]:
    """The switches of which an object that is looked at by itself may have either setting."""
    defaults = {p.name: p.default.value for p in init.args[1:] if isinstance(p.default, t.Constant)}
    defaults = {name: value for name, value in defaults.items() if isinstance(value, bool)}
    if not defaults:
        return set()
    paths = dict.fromkeys((cls.path, *run.nearby(cls.path).calling(cls.name, _call_setting(cls.name, defaults))))
    found: set[str] = set()
    for site in run.workspace.usages.calls_in(paths, cls, MAX_SITES):
        for name, value in given_at(site.call, init):
            if name in defaults and name not in found and _may_differ(run, site, value, defaults[name], depth):
                found.add(name)
    return found


def axes_set_otherwise(run: Interpreter, function: Definition) -> frozenset[str]:
    """The axes that a function is given by numbers, of which some caller chooses others than the function says."""
    node = function.node
    assert isinstance(node, t.FunctionDef)
    places = run.uses(node).given
    axes = (p for p in node.args if any(_is_axis(*use) for use in places.get(p.name, ())))
    defaults = {p.name: _number(p.default) for p in axes}
    defaults = {name: number for name, number in defaults.items() if number is not None}
    if not defaults or function.owner is not None:
        return frozenset()
    found: set[str] = set()
    near = run.nearby(function.path).calling(node.name, _call_setting(node.name, defaults))
    paths = dict.fromkeys((function.path, *near))
    for site in run.workspace.usages.calls_in(paths, function, MAX_SITES):
        given = {name: _number(value) for name, value in given_at(site.call, node, first=0)}
        found |= {name for name, default in defaults.items() if given.get(name) not in (None, default)}
    return frozenset(found)


def _is_axis(func: t.Expr, place: int | str) -> bool:
    """Whether an operator takes an argument at this place for the axis that it works along."""
    if isinstance(place, str):
        return place in AXES
    op, skipped = ops.find(t.dotted(func) or ""), 0
    if op is None and isinstance(func, t.Attribute):
        op, skipped = ops.find(f"torch.Tensor.{func.attr}"), 1
    return op is not None and AXES.issuperset(op.parameters.names[place + skipped : place + skipped + 1] or ("",))


def _number(value: t.Expr | None) -> int | None:
    """The whole number that is written down."""
    match value:
        case t.Constant(value=int() as number) if type(number) is int:
            return number
        case t.UnaryOp(op="-", operand=t.Constant(value=int() as number)):
            return -number
        case _:
            return None


def _may_differ(run: Interpreter, site: CallSite, value: t.Expr, default: bool, depth: int) -> bool:
    """Whether what a place sets a switch to may be another value than the default: so may what it computes."""
    match value:
        case t.Constant(value=bool() as given):
            return given is not default
        case t.Name(id=name) if site.function is not None:
            own = next((p for p in site.function.args if p.name == name), None)
        case _:
            return True
    if own is None or not isinstance(own.default, t.Constant) or own.default.value is not default:
        return True
    if site.owner is None or site.function.name != "__init__" or not depth:
        return False
    owner = Definition(site.path, site.owner.name, site.owner)
    return name in set_otherwise(run, owner, site.function, depth - 1)


def _call_setting(name: str, defaults: Mapping[str, int]) -> re.Pattern[bytes]:
    """A call of the name that sets one of the switches to something else, in the bytes of a file: by its name, or by a
    constant in its place."""
    named = b"|".join(
        rb"\b%b\s*=(?!\s*%b\b)" % (switch.encode(), str(value).encode()) for switch, value in defaults.items()
    )
    placed = b"|".join(str(not value).encode() for value in sorted(set(defaults.values())) if isinstance(value, bool))
    placed = placed or rb"-?\d+"
    call = rb"\b%b\s*(?=\()[^;]{0,%d}?" % (re.escape(name.encode()), LONGEST_CALL)
    return re.compile(rb"%b(?:%b|[(,]\s*(?:%b)\s*[,)])" % (call, named, placed))
