"""Declared parameters: class fields, constructor defaults, command-line options, constants.

A declaration is recognised by what the language or library defines (annotated fields, `Field(default=)`,
`add_argument`), never by the names of the parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.described import of_annotation, of_keywords
from kernelscope.serving.environment import read_by_name
from kernelscope.serving.fixed_attributes import chosen_texts, fixed_numbers, read_from_tables
from kernelscope.serving.guards import Guard, guarded, guards_text, inside, own_calls, own_of, statements
from kernelscope.serving.options import options
from kernelscope.serving.parameter import CHOSEN, CONFIGURED, Parameter, comment_of
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

MAX_EXPRESSION = 1_000
"""Longest default that is quoted, in characters: tables of a configuration are worth reading."""
FIELD_CALLS = {"field", "Field", "ib", "attrib", "PrivateAttr", "dataclass_field", "Arg", "Option", "Argument"}
CHECKS = {"__post_init__", "model_post_init"}
"""Methods that check what was given: storing the default there under a condition overrules what somebody chose."""


def parameters(source: PythonSource) -> list[Parameter]:
    """All parameters that one Python file declares, in source order."""
    found = [*_constants(source)]
    for scope in source.module.scopes:
        match scope.node:
            case t.ClassDef():
                declared = [*_fields(source, scope.node), *_stored_arguments(source, scope.node)]
                names = {p.name for p in declared}
                declared += [p for p in fixed_numbers(source, scope.node) if p.name not in names]
                declared += [p for p in chosen_texts(source, scope.node) if p.name not in names]
                declared += [p for p in read_from_tables(source, scope.node) if p.name not in names]
                found += _with_overrides(source, scope.node, declared)
                found += _computed(source, scope.node, declared)
            case t.FunctionDef():
                found += _defaults(source, scope.node, scope.qualified_name, scope.owner)
    found += options(source)
    return sorted(found, key=lambda parameter: parameter.location)


def _fields(source: PythonSource, cls: t.ClassDef) -> Iterator[Parameter]:
    """Annotated class attributes: dataclasses, pydantic models, attrs, named tuples, ClassVars.

    `SIZE = EnvInt(8)` of a class that looks up the environment by the name it is stored under is such a variable.
    """
    read = read_by_name(source)
    for statement in t.flat(cls.body):
        match statement:
            case t.AnnAssign(target=t.Name(id=name), annotation=annotation, value=value):
                yield _declared(source, statement, name, cls.name, annotation, value)
            case t.Assign(targets=[t.Name(id=name)], value=t.Call(func=t.Name(id=made), args=args) as call) if (
                made in read
            ):
                default = args[0] if args else None
                shown = source.quote(default) if default is not None else "None"
                yield Parameter(name, "environment", "environment", shown, source.at(statement), literal(default),
                                doc=of_keywords(call) or comment_of(source, statement))  # fmt: skip
            case t.Assign(targets=[t.Name(id=name)], value=value) if _is_setting(value):
                yield _declared(source, statement, name, cls.name, None, value)
            case _:
                pass


def _is_setting(value: t.Expr) -> bool:
    """A literal, a dict of literals, or a descriptor made from literals alone, such as `EnvFlag(False)`."""
    match value:
        case t.Dict():
            return bool(value.values) and all(literal(v) is not None for v in value.values)
        case t.Call():
            given = [*value.args, *(k.value for k in value.keywords)]
            return bool(given) and all(literal(v) is not None for v in given)
        case _:
            return literal(value) is not None


def _declared(
    source: PythonSource, node: t.Stmt, name: str, owner: str, annotation: t.Expr | None, value: t.Expr | None
) -> Parameter:
    default, doc = _default(value)
    told, choices = of_annotation(source, annotation)
    described = doc or told
    return Parameter(
        name=name,
        owner=owner,
        kind="field",
        expression=source.quote(default, MAX_EXPRESSION) if default is not None else "",
        location=source.at(node),
        value=literal(default),
        annotation=source.quote(annotation) if annotation is not None else "",
        doc=described or comment_of(source, node),
        choices=_literal_choices(annotation) or choices,
        is_described=bool(described),
    )


def _default(value: t.Expr | None) -> tuple[t.Expr | None, str]:
    """The default and the description in `field(default=...)` and `Field(..., description=...)`."""
    if not isinstance(value, t.Call) or (t.dotted(value.func) or "").rpartition(".")[2] not in FIELD_CALLS:
        return value, ""
    keywords = {k.arg: k.value for k in value.keywords}
    positional = value.args[0] if value.args else None
    default = keywords.get("default", keywords.get("default_factory", positional))
    if isinstance(default, t.Constant) and default.value is ...:
        default = None
    return default, of_keywords(value)


def _literal_choices(annotation: t.Expr | None) -> tuple[str, ...]:
    """The values of `Literal[...]` anywhere in an annotation."""
    if annotation is None:
        return ()
    for node in t.walk(annotation):
        if isinstance(node, t.Subscript) and (t.dotted(node.value) or "").rpartition(".")[2] == "Literal":
            entries = node.slice.elts if isinstance(node.slice, t.Tuple) else [node.slice]
            return tuple(str(e.value) for e in entries if isinstance(e, t.Constant))
    return ()


def _stored_arguments(source: PythonSource, cls: t.ClassDef) -> Iterator[Parameter]:
    """Arguments of `__init__` with defaults that it stores under their own name: what a configuration class takes."""
    init = next((m for m in cls.methods() if m.name == "__init__"), None)
    if init is None or not init.args:
        return
    stored = self_stores(init) | _made_up_for(init)
    for param in init.args:
        if param.default is None or param.name not in stored:
            continue
        yield Parameter(
            param.name, cls.name, "field", source.quote(param.default), source.text.location(source.path, param.span),
            literal(param.default), source.quote(param.annotation) if param.annotation else "",
            choices=_literal_choices(param.annotation),
        )  # fmt: skip


def _made_up_for(method: t.FunctionDef) -> set[str]:
    """Arguments that a method works out where they are not given: `if size is None: size = 8`."""
    found: set[str] = set()
    for node in own_of(method, t.If):
        match node:
            case t.If(
                test=t.Compare(left=t.Name(id=name), ops=["is"], comparators=[t.Constant(value=None)]), body=body
            ) if any(isinstance(s, t.Assign) and t.dotted(s.targets[0]) == name for s in body):
                found.add(name)
            case _:
                pass
    return found


def _computed(source: PythonSource, cls: t.ClassDef, declared: list[Parameter]) -> Iterator[Parameter]:
    """Properties and methods without arguments of a configuration that are arithmetic on its fields."""
    is_record = any((t.dotted(d.func if isinstance(d, t.Call) else d) or "").endswith("dataclass")
                    for d in cls.decorator_list)  # fmt: skip
    if not declared or not (is_record or CONFIGURED & set(words(cls.name))):
        return
    names = {p.name for p in declared}
    for method in cls.methods():
        returned = method.body[-1] if method.body else None
        if len(method.args) != 1 or not isinstance(returned, t.Return) or not isinstance(returned.value, t.BinOp):
            continue
        read = {n.attr for n in t.walk(returned.value) if isinstance(n, t.Attribute)}
        if read & names:
            yield Parameter(
                method.name, cls.name, "computed", source.quote(returned.value), source.at(method),
                doc=comment_of(source, method),
            )  # fmt: skip


def self_stores(method: t.FunctionDef) -> set[str]:
    """Arguments that a method stores straight in the attribute of the same name, `self.size` or `self._size`."""
    receiver = method.args[0].name if method.args else ""
    return {
        value.id
        for node in inside(method)
        if isinstance(node, t.Assign)
        for target, value in pairs(node)
        if isinstance(value, t.Name) and isinstance(target, t.Attribute) and t.dotted(target.value) == receiver
        and target.attr.lstrip("_") == value.id.lstrip("_")
    }  # fmt: skip


def pairs(node: t.Assign) -> Iterator[tuple[t.Expr, t.Expr]]:
    """The targets of an assignment with their values; `a, b = x, y` are two."""
    for target in node.targets:
        if isinstance(target, t.Tuple) and isinstance(node.value, t.Tuple):
            yield from zip(target.elts, node.value.elts, strict=False)
        else:
            yield target, node.value


def _defaults(
    source: PythonSource, function: t.FunctionDef, qualified: str, owner: t.ClassDef | None
) -> Iterator[Parameter]:
    """Literal number and string defaults of other functions' parameters."""
    if owner is not None and function.name == "__init__":
        stored = self_stores(function) if function.args else set[str]()
    else:
        stored = set[str]()
    for param in function.args:
        value = literal(param.default)
        if isinstance(value, int | float | str) and not isinstance(value, bool) and param.name not in stored:
            location = source.text.location(source.path, param.span)
            yield Parameter(param.name, qualified, "argument", repr(value), location, value)


def _constants(source: PythonSource) -> Iterator[Parameter]:
    """Module-level names bound to literals: once, or in branches that choose one of several."""
    bound: dict[str, list[tuple[t.Assign | t.AnnAssign, t.Expr, tuple[Guard, ...]]]] = {}
    for statement, guards in guarded(source.module.body):
        match statement:
            case t.Assign(targets=[t.Name(id=name)], value=value):
                bound.setdefault(name, []).append((statement, value, guards))
            case t.AnnAssign(target=t.Name(id=name), value=value) if value is not None:
                bound.setdefault(name, []).append((statement, value, guards))
            case _:
                pass
    for name, rows in bound.items():
        statement, value, _ = rows[0]
        if name.startswith("__") or not all(isinstance(literal(v), int | float | str | list) for _, v, _ in rows):
            continue
        annotation = statement.annotation if isinstance(statement, t.AnnAssign) else None
        p = Parameter(
            name, "", "constant", source.quote(value), source.at(statement), literal(value),
            source.quote(annotation) if annotation is not None else "", comment_of(source, statement),
            _literal_choices(annotation),
        )  # fmt: skip
        if len(rows) == 1:
            yield p
        elif all(guards for _, _, guards in rows[1:]):
            yield replace(p, overrides=tuple(_branch(source, name, *row) for row in rows if row[2]))


def _branch(
    source: PythonSource, name: str, node: t.Assign | t.AnnAssign, value: t.Expr, guards: tuple[Guard, ...]
) -> Claim:
    """One of the values that a module chooses for a name, with what chooses it."""
    condition = " and ".join(guards_text(source, guards))
    return Claim(name, source.quote(value), (source.at(node),), CHOSEN, condition)


def _with_overrides(source: PythonSource, cls: t.ClassDef, declared: list[Parameter]) -> list[Parameter]:
    """Attach what the class's own methods store over a parameter, with the conditions that guard it."""
    names = {parameter.name for parameter in declared}
    defaults = {p.name: (p.expression, f"{p.expression}()") for p in declared}
    themselves = {p.location for p in declared}
    overrides: dict[str, list[Claim]] = {}
    for method in cls.methods():
        if not method.args:
            continue
        receiver = method.args[0].name
        arguments = self_stores(method) | _made_up_for(method) if method.name == "__init__" else set[str]()
        for statement, guards in statements(method):
            if not isinstance(statement, t.Assign):
                continue
            for target, set_to in pairs(statement):
                name = _set_field(target, receiver, method)
                if isinstance(target, t.Name) and target.id in arguments:
                    name = target.id
                is_forced = method.name in CHECKS and any(not g.early for g in guards)
                if name not in names or source.at(statement) in themselves:
                    continue
                if source.quote(set_to) in defaults[name] and not is_forced:
                    continue
                if isinstance(set_to, t.Name) and set_to.id == name and all(g.early for g in guards):
                    continue
                condition = " and ".join(guards_text(source, guards))
                value = source.quote(set_to)
                overrides.setdefault(name, []).append(
                    Claim(name, value, (source.at(statement),), f"set in {cls.name}.{method.name}", condition)
                )
    for name, claim in _built(source, cls, {p.name for p in declared if not p.expression}):
        if claim.value not in [known.value for known in overrides.setdefault(name, [])]:
            overrides[name].append(claim)
    return [replace(p, overrides=tuple(overrides.get(p.name, ()))) for p in declared]


def _built(source: PythonSource, cls: t.ClassDef, names: set[str]) -> Iterator[tuple[str, Claim]]:
    """Defaults of fields without one in the class's own methods that make an object of it: `def usual(size=8): …`."""
    for method in cls.methods():
        if not any(t.dotted(c.func) in (cls.name, "cls") for c in own_calls(method)):
            continue
        where = f"default of {cls.name}.{method.name}"
        for param in method.args:
            if param.name in names and param.default is not None:
                place = source.text.location(source.path, param.span)
                yield param.name, Claim(param.name, source.quote(param.default), (place,), where)
        for statement, _ in statements(method):
            match statement:
                case t.Assign(
                    targets=[t.Name(id=name)],
                    value=t.Call(func=t.Attribute(attr="get"), args=[key, default]),
                ) if name in names and isinstance(literal(key), str):
                    yield name, Claim(name, source.quote(default), (source.at(statement),), where)
                case _:
                    pass


def _set_field(target: t.Expr, receiver: str, method: t.FunctionDef) -> str:
    """The field that a store sets: of the object itself, or of the raw values that a validator is given."""
    match target:
        case t.Attribute(value=owner, attr=name) if t.dotted(owner) == receiver:
            return name
        case t.Subscript(value=t.Name(id=values), slice=t.Constant(value=str() as name)):
            is_validator = any("valid" in (t.dotted(d.func if isinstance(d, t.Call) else d) or "")
                               for d in method.decorator_list)  # fmt: skip
            return name if is_validator and values in {p.name for p in method.args} else ""
        case _:
            return ""
