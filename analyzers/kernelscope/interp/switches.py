"""Switches of a constructor that some place which makes such objects sets otherwise than they are by default."""

from __future__ import annotations

from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.makers import given_at
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition

MAX_SITES = 24


def set_otherwise(run: Interpreter, cls: Definition, init: t.FunctionDef) -> set[str]:
    """The switches of which an object that is looked at by itself may have either setting."""
    defaults = {p.name: p.default.value for p in init.args[1:] if isinstance(p.default, t.Constant)}
    defaults = {name: value for name, value in defaults.items() if isinstance(value, bool)}
    if not defaults:
        return set()
    paths = dict.fromkeys((cls.path, *run.nearby(cls.path).calling(cls.name)))
    return {
        name
        for site in run.workspace.usages.calls_in(paths, cls, MAX_SITES)
        for name, value in given_at(site.call, init)
        if name in defaults and isinstance(value, t.Constant) and value.value is (not defaults[name])
    }
