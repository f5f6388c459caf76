"""Switches of a constructor that some place which makes such objects sets otherwise than they are by default."""

from __future__ import annotations

import re

from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.makers import given_at
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition

MAX_SITES = 24
LONGEST_CALL = 400
"""Bytes of a call that a switch is looked for in, before its file is parsed."""


def set_otherwise(run: Interpreter, cls: Definition, init: t.FunctionDef) -> set[str]:
    """The switches of which an object that is looked at by itself may have either setting."""
    defaults = {p.name: p.default.value for p in init.args[1:] if isinstance(p.default, t.Constant)}
    defaults = {name: value for name, value in defaults.items() if isinstance(value, bool)}
    if not defaults:
        return set()
    paths = dict.fromkeys((cls.path, *run.nearby(cls.path).calling(cls.name, _call_setting(cls.name, defaults))))
    return {
        name
        for site in run.workspace.usages.calls_in(paths, cls, MAX_SITES)
        for name, value in given_at(site.call, init)
        if name in defaults and isinstance(value, t.Constant) and value.value is (not defaults[name])
    }


def _call_setting(name: str, defaults: dict[str, bool]) -> re.Pattern[bytes]:
    """A call of the name that sets one of the switches by its name, in the bytes of a file."""
    settings = b"|".join(
        rb"%b\s*=\s*%b\b" % (switch.encode(), str(not value).encode()) for switch, value in defaults.items()
    )
    return re.compile(rb"\b%b\s*\([^;]{0,%d}?\b(?:%b)" % (re.escape(name.encode()), LONGEST_CALL, settings))
