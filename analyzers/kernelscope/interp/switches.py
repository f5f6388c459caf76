"""Switches of a constructor that some place which makes such objects sets otherwise than they are by default."""

from __future__ import annotations

import re

from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.makers import given_at
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.usages import CallSite

MAX_SITES = 24
LONGEST_CALL = 400
"""Bytes of a call that a switch is looked for in, before its file is parsed."""
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


def _call_setting(name: str, defaults: dict[str, bool]) -> re.Pattern[bytes]:
    """A call of the name that sets one of the switches to something else, in the bytes of a file: by its name, or by a
    constant in its place."""
    named = b"|".join(
        rb"\b%b\s*=(?!\s*%b\b)" % (switch.encode(), str(value).encode()) for switch, value in defaults.items()
    )
    placed = b"|".join(str(not value).encode() for value in sorted(set(defaults.values())))
    call = rb"\b%b\s*(?=\()[^;]{0,%d}?" % (re.escape(name.encode()), LONGEST_CALL)
    return re.compile(rb"%b(?:%b|[(,]\s*(?:%b)\s*[,)])" % (call, named, placed))
