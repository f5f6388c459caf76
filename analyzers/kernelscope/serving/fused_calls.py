"""Operations that a library fuses: calls of functions that a file imports from elsewhere and that are called fused.

What they fuse is said by their names alone, so the claim says so.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import guards_text, inside, last_name, own_calls, statements
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

NAMED = {"fused"}
CHECKS = {"is", "has", "can", "should", "use", "get", "supports", "check", "config", "configs", "set"}
"""Words of functions that only ask whether something is fused, or how."""


def fused_calls(source: PythonSource) -> Iterator[Claim]:
    """`self.fused_add_rmsnorm(x, residual, …)` where that is a library's function; each function once per file."""
    if source.aside:
        return
    foreign = _imported(source)
    told: set[str] = set()
    for scope in source.module.functions() if foreign else ():
        for call in own_calls(scope.node):
            name = last_name(call.func)
            if name not in foreign or name in told or not call.args:
                continue
            told.add(name)
            held = next((guards for s, guards in statements(scope.node) if any(n is call for n in t.walk(s))), ())
            when = " and ".join(guards_text(source, held))
            value = f"{scope.qualified_name} calls {foreign[name]}.{name}: several operations in one call, by its name"
            value += f" ({source.quote(call)})" + (f", if {when}" if when else "")
            where = (source.at(call), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} fused call", value, where, confidence="heuristic")


def _imported(source: PythonSource) -> dict[str, str]:
    """Functions called fused that a file imports from another project, with the module."""
    own = set(source.path.parts)
    nodes = [*t.flat(source.module.body), *(n for s in source.module.functions() for n in inside(s.node))]
    found: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, t.ImportFrom) and node.level == 0 and node.module.partition(".")[0] not in own:
            for alias in node.names:
                said = set(words(alias.name))
                if NAMED & said and not CHECKS & said and alias.name.islower():
                    found[alias.bound] = node.module
    return found
