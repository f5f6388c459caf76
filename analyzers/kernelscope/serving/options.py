"""Options of command lines: `add_argument` of any parser, and the flags of absl."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.guards import whole
from kernelscope.serving.parameter import Parameter
from kernelscope.syntax.python import tree as t


def options(source: PythonSource) -> Iterator[Parameter]:
    """Command-line options, anywhere in the file."""
    for node in whole(source.module):
        if not isinstance(node, t.Call):
            continue
        name = t.dotted(node.func) or ""
        if name.endswith(".add_argument"):
            yield from _option(source, node)
        elif name.rpartition(".")[2].startswith("DEFINE_"):
            yield from _flag(source, node)


def _option(source: PythonSource, call: t.Call) -> Iterator[Parameter]:
    flags = [value for arg in call.args if isinstance(value := literal(arg), str)]
    if not flags:
        return
    keywords = {k.arg: k.value for k in call.keywords}
    longest = max(flags, key=len)
    default = keywords.get("default")
    action = literal(keywords.get("action"))
    expression = (
        source.quote(default)
        if default is not None
        else {"store_true": "False", "store_false": "True"}.get(str(action), "")
    )
    if action == "store_false" and expression == "True":
        named = literal(keywords.get("dest")) or longest.lstrip("-").replace("-", "_")
        expression, default = f"not given ({named} is True)", None
    described = literal(keywords.get("help"))
    doc = " ".join(described.split()) if isinstance(described, str) else ""
    choices = _listed(source, keywords.get("choices"))
    yield Parameter(
        longest, "command line", "option", expression, source.at(call), literal(default),
        source.quote(keywords["type"]) if "type" in keywords else "", doc,
        choices,
    )  # fmt: skip


def _listed(source: PythonSource, given: t.Expr | None) -> tuple[str, ...]:
    """What an option may be, also where a name of the file stands for the list or table."""
    if isinstance(given, t.Name):
        bound = [s.value for s in source.module.body if isinstance(s, t.Assign) and t.dotted(s.targets[0]) == given.id]
        given = bound[0] if len(bound) == 1 else None
    if isinstance(given, t.Dict):
        keys = [literal(key) for key in given.keys if key is not None]
        return tuple(map(str, keys)) if all(isinstance(key, str | int) for key in keys) else ()
    values = literal(given)
    return tuple(map(str, values)) if isinstance(values, list) else ()


def _flag(source: PythonSource, call: t.Call) -> Iterator[Parameter]:
    """A flag of absl: `DEFINE_integer("port", 8080, "where it listens")`; one of several names them before its help."""
    given = {k.arg: k.value for k in call.keywords}
    ordered = [*call.args, *(given[k] for k in ("name", "default", "enum_values", "help") if k in given)]
    match ordered:
        case [named, default, *rest] if isinstance(name := literal(named), str):
            pass
        case _:
            return
    texts = [text for arg in rest if isinstance(text := literal(arg), str)]
    choices = next((value for arg in rest if isinstance(value := literal(arg), list)), None)
    yield Parameter(
        f"--{name}", "command line", "option", source.quote(default), source.at(call), literal(default),
        doc=" ".join(texts[0].split()) if texts else "", choices=tuple(map(str, choices or ())),
    )  # fmt: skip
