"""Who asks the routes that a system serves: addresses with a path behind them, in functions that call over HTTP.

`requests.post(self.desk + "/letters")`, `url = f"{desk}/letters"`; which program serves that path is found later.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.results import Location
from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.guards import last_name, own_calls, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

ASKS = {"post", "get", "put", "delete", "request", "requests", "stream", "fetch", "remote", "urlopen", "send"}
"""Words of calls that ask over HTTP."""
_PATH = re.compile(r"(?:/[A-Za-z_][\w-]*)+/?")


@dataclass(frozen=True, slots=True)
class Asked:
    """A path that a function asks some address for."""

    path: str
    where: str
    location: Location


@by_function
def asked(source: PythonSource) -> Iterator[Asked]:
    """The paths that the functions of a file ask for."""
    if source.aside:
        return
    for scope in source.module.functions():
        found: dict[str, t.Expr] = {}
        for node in own_of(scope.node, t.BinOp, t.JoinedStr):
            match node:
                case t.BinOp(op="+", left=t.Name() | t.Attribute(), right=right):
                    path = literal(right)
                case t.JoinedStr(values=[*_, t.Constant(value=str() as path)]):
                    pass
                case _:
                    continue
            if isinstance(path, str) and _PATH.fullmatch(path):
                found.setdefault(path, node)
        if found and any(ASKS & set(words(last_name(call.func))) for call in own_calls(scope.node)):
            yield from (Asked(path, scope.qualified_name, source.at(node)) for path, node in found.items())
