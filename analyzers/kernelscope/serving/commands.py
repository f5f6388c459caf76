"""Options that commands declare (Typer, click), the choices of enums, and the variables that settings are read from.

A command of Typer is a function below `@app.command()` whose arguments have types: what has a default is an option, and
an enum as its type says what it may be. Options of click are calls, as decorators or in helpers that several share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.enum_like import enum_classes, stored_by
from kernelscope.serving.environment import variables
from kernelscope.serving.guards import last_name, whole
from kernelscope.serving.parameter import Parameter
from kernelscope.serving.parameters import parameters
from kernelscope.serving.pieces import by_function, mentions
from kernelscope.syntax.python import tree as t


def settable(source: PythonSource) -> list[Parameter]:
    """The parameters of a file and the options of its commands, in source order, with the choices of enums."""
    options = [*_options(source), *_of_click(source), *variables(source)]
    told = {p.location for p in options}
    found = [*(p for p in parameters(source) if p.location not in told), *options]
    members = _members(source)
    if members:
        found = [replace(p, choices=members.get(p.type_name, ())) if not p.choices else p for p in found]
    read_from = dict(_variables(source))
    if read_from:
        found = [replace(p, doc=_with_variable(p.doc, read_from.get((p.owner, p.name), ""))) for p in found]
    return sorted(found, key=lambda parameter: parameter.location)


@by_function
def _options(source: PythonSource) -> Iterator[Parameter]:
    for scope in source.module.functions():
        if not isinstance(scope.node, t.FunctionDef) or not any(map(_makes_command, scope.node.decorator_list)):
            continue
        for param in scope.node.args:
            if param.annotation is None:
                continue
            name = param.name.replace("_", "-")
            default, described = _declared(param.default)
            told = source.quote(default) if default is not None else ""
            yield Parameter(
                name if param.default is None else f"--{name}", "command line", "option", told,
                source.text.location(source.path, param.span), literal(default), source.quote(param.annotation),
                described,
            )  # fmt: skip


def _declared(default: t.Expr | None) -> tuple[t.Expr | None, str]:
    """The default of an argument with what it is for: of `Option(8, help="…")` the 8; `...` says that there is none."""
    if not isinstance(default, t.Call) or last_name(default.func) not in ("Option", "Argument"):
        return default, ""
    given: dict[str | None, t.Expr] = {k.arg: k.value for k in default.keywords}
    first = default.args[0] if default.args else given.get("default")
    if isinstance(first, t.Constant) and first.value is ...:
        first = None
    described = literal(given.get("help"))
    return first, " ".join(described.split()) if isinstance(described, str) else ""


def _of_click(source: PythonSource) -> Iterator[Parameter]:
    """`@click.option("--size", default=4, help="how much")`, also as `add = click.option(…)` and in helpers."""
    if not mentions(source, "click"):
        return
    for call in whole(source.module):
        if not isinstance(call, t.Call) or (kind := _click_kind(source, call)) is None:
            continue
        names = [value for arg in call.args if isinstance(value := literal(arg), str)]
        flags = [name for name in names if name.startswith("-")] if kind == "option" else names
        if not flags:
            continue
        keywords = {k.arg: k.value for k in call.keywords}
        default, described = keywords.get("default"), literal(keywords.get("help"))
        is_flag = literal(keywords.get("is_flag")) is True or "/" in flags[-1]
        longest = max(flags, key=len).partition("/")[0].strip()
        expression = source.quote(default) if default is not None else "False" if is_flag else ""
        given = keywords.get("type")
        yield Parameter(
            longest, "command line", "option", expression, source.at(call), literal(default),
            source.quote(given) if given is not None else "",
            " ".join(described.split()) if isinstance(described, str) else "", _choice(given),
        )  # fmt: skip


def _click_kind(source: PythonSource, call: t.Call) -> str | None:
    """Whether a call declares an `option` or an `argument` of click, by the file's imports."""
    name = t.dotted(call.func) or ""
    owner, _, last = name.rpartition(".")
    if last not in ("option", "argument"):
        return None
    if owner:
        return last if owner in ("click", "rich_click", "asyncclick") else None
    imports = (s for s in t.flat(source.module.body) if isinstance(s, t.ImportFrom))
    return last if any(s.module.endswith("click") and any(a.bound == last for a in s.names) for s in imports) else None


def _choice(given: t.Expr | None) -> tuple[str, ...]:
    """`click.Choice(["a", "b"])`."""
    match given:
        case t.Call(func=func, args=[several, *_]) if last_name(func) == "Choice":
            values = literal(several)
            return tuple(map(str, values)) if isinstance(values, list) else ()
        case _:
            return ()


def _variables(source: PythonSource) -> Iterator[tuple[tuple[str, str], str]]:
    """The environment variables that fields of settings are read from: `env_prefix` and the name, or an alias."""
    if not mentions(source, "BaseSettings"):
        return
    classes = {scope.node.name: scope.node for scope in source.module.classes() if isinstance(scope.node, t.ClassDef)}
    for cls in classes.values():
        around = [cls, *(classes[last_name(b)] for b in cls.bases if last_name(b) in classes)]
        if not any(last_name(base) == "BaseSettings" for c in around for base in c.bases):
            continue
        prefix = next((found for c in around if (found := _prefix(c)) is not None), "")
        for statement in cls.body:
            match statement:
                case t.AnnAssign(target=t.Name(id=name), value=value) if name != "model_config":
                    yield (cls.name, name), _alias(value) or f"{prefix}{name}".upper()
                case _:
                    pass


def _prefix(cls: t.ClassDef) -> str | None:
    """`model_config = SettingsConfigDict(env_prefix="DESK_")`, or `env_prefix` in a class `Config`."""
    for statement in cls.body:
        match statement:
            case t.Assign(targets=[t.Name(id="model_config")], value=t.Call(keywords=keywords)):
                said = literal(next((k.value for k in keywords if k.arg == "env_prefix"), None))
            case t.Assign(targets=[t.Name(id="model_config")], value=t.Dict(keys=keys, values=values)):
                said = next((literal(v) for k, v in zip(keys, values, strict=True) if literal(k) == "env_prefix"), None)
            case t.ClassDef(name="Config", body=body):
                said = next((found for s in body if (found := _env_prefix(s)) is not None), None)
            case _:
                continue
        if isinstance(said, str):
            return said
    return None


def _env_prefix(statement: t.Stmt) -> str | None:
    match statement:
        case t.Assign(targets=[t.Name(id="env_prefix")], value=value):
            said = literal(value)
            return said if isinstance(said, str) else None
        case _:
            return None


def _alias(value: t.Expr | None) -> str:
    """`Field(8, validation_alias="DESK_SIZE")`, `Field(8, env="DESK_SIZE")`."""
    keywords = value.keywords if isinstance(value, t.Call) else []
    said = (literal(k.value) for k in keywords if k.arg in ("validation_alias", "alias", "env"))
    return next((name for name in said if isinstance(name, str)), "")


def _with_variable(doc: str, variable: str) -> str:
    return " ".join(filter(None, (doc, f"(read from the environment as {variable})" if variable else "")))


def _makes_command(decorator: t.Expr) -> bool:
    """`@app.command()`."""
    match decorator:
        case t.Call(func=t.Attribute(attr="command")):
            return True
        case _:
            return False


def _members(source: PythonSource) -> dict[str, tuple[str, ...]]:
    """What the members of each enum of a file are."""
    found: dict[str, tuple[str, ...]] = {}
    enums = enum_classes(source)
    for scope in source.module.classes():
        if scope.node.name in enums:
            values = (value for s in scope.node.body for _, value in stored_by(s))
            found[scope.node.name] = tuple(v for value in values if isinstance(v := literal(value), str))
    return found
