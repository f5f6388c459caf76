"""Variables of the environment that a program reads, also by functions of its own that convert what they read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.guards import own_calls, whole
from kernelscope.serving.parameter import Parameter
from kernelscope.serving.sections import words
from kernelscope.serving.spellings import Spelling, spelling_of
from kernelscope.syntax.python import tree as t

ENVIRONMENT = {"os.environ.get", "environ.get", "os.getenv", "getenv", "os.environ.setdefault"}
"""Functions that give a variable, or a default."""
CHOICES = {"choices", "choice", "options", "allowed", "candidates"}
"""Words of arguments that list what a variable may be."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """A function that reads the variable that an argument names: its arguments and their defaults.

    `spelt` is what it makes of that name before, where it does: `"PREFIX_" + name.upper()`.
    """

    names: tuple[str, ...]
    key: int
    defaults: dict[str, t.Expr]
    spelt: Spelling | None = None

    def variable(self, key: str) -> str:
        """The variable that is read for a name; the name itself where that cannot be told."""
        return (self.spelt.of(key) if self.spelt is not None else None) or key

    def given(self, call: t.Call) -> dict[str, t.Expr]:
        """What a call gives each argument, or its default."""
        placed = dict(zip(self.names, call.args, strict=False))
        return self.defaults | placed | {k.arg: k.value for k in call.keywords if k.arg}


def variables(source: PythonSource) -> Iterator[Parameter]:
    """Environment reads anywhere in a file: `os.getenv("SIZE", 8)`, `env_to_int("SIZE", 8)`."""
    if b"environ" not in source.text.data and b"getenv" not in source.text.data:
        return
    readers = dict(_readers(source))
    for node in whole(source.module):
        if not isinstance(node, t.Call) or not node.args:
            continue
        name = t.dotted(node.func) or ""
        if name in ENVIRONMENT:
            if isinstance(key := literal(node.args[0]), str):
                default = node.args[1] if len(node.args) > 1 else None
                yield _read(source, node, key, default)
        elif (reader := readers.get(name)) is not None:
            given = reader.given(node)
            key = literal(given.get(reader.names[reader.key]))
            if isinstance(key, str):
                key = reader.variable(key)
                default = next((given[n] for n in reader.names if n in given and "default" in words(n)), None)
                listed = next((given[n] for n in reader.names if n in given and CHOICES & set(words(n))), None)
                yield _read(source, node, key, default, _texts(listed))


def _read(
    source: PythonSource, node: t.Call, key: str, default: t.Expr | None, choices: tuple[str, ...] = ()
) -> Parameter:
    quoted = source.quote(default) if default is not None else "None"
    return Parameter(key, "environment", "environment", quoted, source.at(node), literal(default), choices=choices)


def _readers(source: PythonSource) -> Iterator[tuple[str, _Reader]]:
    """Functions and methods of the file that look up in the environment what an argument names."""
    for scope in source.module.functions():
        function = scope.node
        if not isinstance(function, t.FunctionDef) or (scope.owner is None and len(scope.path) > 1):
            continue
        names = tuple(p.name for p in function.args)
        for call in own_calls(function):
            asked = t.dotted(call.args[0]) if call.args else None
            if t.dotted(call.func) in ENVIRONMENT and asked in names:
                defaults = {p.name: p.default for p in function.args if p.default is not None}
                is_bound = scope.owner is not None and names[:1] in (("self",), ("cls",))
                names = names[is_bound:]
                spelt = spelling_of(function, asked, scope.owner)
                called = f"{'self' if is_bound else scope.owner.name}.{function.name}" if scope.owner else function.name
                yield called, _Reader(names, names.index(asked), defaults, spelt)
                break


def read_by_name(source: PythonSource) -> frozenset[str]:
    """Classes whose instances read the variable that they are stored as: `__set_name__`, and a method that looks it up.

    And the classes of the file that derive from them.
    """
    if b"__set_name__" not in source.text.data:
        return frozenset()
    found: set[str] = set()
    for scope in source.module.classes():
        if not isinstance(scope.node, t.ClassDef):
            continue
        methods = list(scope.node.methods())
        reads = any(t.dotted(c.func) in ENVIRONMENT for m in methods for c in own_calls(m))
        is_one = reads and any(m.name == "__set_name__" for m in methods)
        if is_one or found & {t.dotted(base) or "" for base in scope.node.bases}:
            found.add(scope.node.name)
    return frozenset(found)


def _texts(listed: t.Expr | None) -> tuple[str, ...]:
    """The texts of a set, list or tuple."""
    elements = listed.elts if isinstance(listed, t.Set | t.List | t.Tuple) else []
    return tuple(sorted(e.value for e in elements if isinstance(e, t.Constant) and isinstance(e.value, str)))
