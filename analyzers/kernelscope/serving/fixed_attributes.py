"""Values that a class fixes for its objects: numbers and texts in its constructor, and what it looks up in a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.guards import own_of, statements
from kernelscope.serving.parameter import CONFIGURED, Parameter, comment_of, is_telling
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t


def fixed_numbers(source: PythonSource, cls: t.ClassDef) -> Iterator[Parameter]:
    """`self.quantum = 0.01` in a constructor and nowhere else: a number that the class goes by; counters change."""
    found: dict[str, t.Assign] = {}
    stored: Counter[str] = Counter()
    for method in cls.methods():
        taken = {p.name for p in method.args}
        for node in own_of(method, t.Assign, t.AugAssign):
            match node:
                case t.Assign(targets=[t.Attribute(value=t.Name(id="self"), attr=attr)], value=value):
                    if method.name == "__init__" and isinstance(value, t.Constant) and is_telling(value.value):
                        found.setdefault(attr, node)
                    if t.dotted(value) not in taken:
                        stored[attr] += 1
                case t.AugAssign(target=t.Attribute(value=t.Name(id="self"), attr=attr)):
                    stored[attr] += 1
                case _:
                    pass
    for attr, node in found.items():
        if stored[attr] == 1:
            quoted = source.quote(node.value)
            doc = comment_of(source, node)
            yield Parameter(attr, cls.name, "field", quoted, source.at(node), literal(node.value), doc=doc)


def chosen_texts(source: PythonSource, cls: t.ClassDef) -> Iterator[Parameter]:
    """`self.policy = "tree"` in a constructor, of which a test asks elsewhere whether it is another text."""
    fixed: dict[str, t.Assign] = {}
    asked: dict[str, dict[str, None]] = {}
    stored: Counter[str] = Counter()
    for method in cls.methods():
        for node in own_of(method, t.Assign, t.Compare):
            match node:
                case t.Assign(targets=[t.Attribute(value=t.Name(id="self"), attr=name)], value=value):
                    stored[name] += 1
                    if method.name == "__init__" and isinstance(value, t.Constant) and isinstance(value.value, str):
                        fixed[name] = node
                case t.Compare(
                    left=t.Attribute(value=t.Name(id="self"), attr=name),
                    ops=["==" | "!="],
                    comparators=[t.Constant(value=str() as text)],
                ):
                    asked.setdefault(name, {})[text] = None
                case _:
                    pass
    for name, node in fixed.items():
        text = str(literal(node.value))
        ways = tuple(dict.fromkeys((text, *asked.get(name, ()))))
        if stored[name] == 1 and len(ways) > 1:
            doc = comment_of(source, node)
            quoted = source.quote(node.value)
            yield Parameter(name, cls.name, "field", quoted, source.at(node), text, "", doc, ways)


def read_from_tables(source: PythonSource, cls: t.ClassDef) -> Iterator[Parameter]:
    """Attributes that a configuration's `__init__` looks up in what it is given: `given["w"]`, `given.get("w", d)`.

    Also in what it makes of that, `given = given or {}`, and with a default out of a table of the class.
    """
    init = next((m for m in cls.methods() if m.name == "__init__"), None)
    if init is None or not CONFIGURED & set(words(cls.name)):
        return
    given = {p.name for p in init.args[1:]}
    made = _made_of(init, given)
    tables = _defaults_of(cls)
    for statement, _ in statements(init):
        match statement:
            case (
                t.Assign(targets=[t.Attribute(value=t.Name(id="self"), attr=name)], value=value)
                | t.AnnAssign(target=t.Attribute(value=t.Name(id="self"), attr=name), value=value)
            ) if value is not None:
                pass
            case _:
                continue
        default: t.Expr | None = None
        match _unconverted(value):
            case t.Subscript(value=t.Name(id=table), slice=key) if table in given:
                pass
            case t.Call(func=t.Attribute(value=t.Name(id=table), attr="get"), args=[key, default]) if table in made:
                pass
            case t.Call(func=t.Name(id="getattr"), args=[t.Name(id=table), key, default]) if table in made:
                pass
            case _:
                continue
        if isinstance(asked := literal(key), str):
            written = default
            match default:
                case t.Subscript(value=t.Attribute(value=t.Name(id="self" | "cls"), attr=held), slice=entry):
                    default = tables.get((held, str(literal(entry))), default)
                case _:
                    pass
            expression = source.quote(default) if default is not None else ""
            doc = f"read as {asked!r} of {table}"
            places = (source.at(default),) if default is not None and default is not written else ()
            yield Parameter(
                name, cls.name, "field", expression, source.at(statement), literal(default), "", doc, listed_at=places
            )


def _unconverted(value: t.Expr) -> t.Expr:
    """`int(x)` and `bool(x)` are the setting x, of that type."""
    match value:
        case t.Call(func=t.Name(id="int" | "float" | "bool" | "str"), args=[converted], keywords=[]):
            return converted
        case _:
            return value


def _made_of(init: t.FunctionDef, given: set[str]) -> set[str]:
    """What a constructor is given, and names for a part of that or for what stands in: `given.extra or {}`."""
    made = set(given)
    for node in own_of(init, t.Assign):
        match node:
            case t.Assign(targets=[t.Name(id=name)], value=t.BoolOp(values=ways)):
                pass
            case t.Assign(targets=[t.Name(id=name)], value=t.IfExp(body=one, orelse=other)):
                ways = [one, other]
            case t.Assign(targets=[t.Name(id=name)], value=t.Call(func=t.Attribute(value=held, attr="get"))):
                ways = [held]
            case t.Assign(targets=[t.Name(id=name)], value=t.Name() | t.Attribute() as one):
                ways = [one]
            case _:
                continue
        if any((t.dotted(way) or "").partition(".")[0] in made for way in ways):
            made.add(name)
    return made


def _defaults_of(cls: t.ClassDef) -> dict[tuple[str, str], t.Expr]:
    """The entries of tables that stand in a class: `_defaults = {"w": 4}`."""
    found: dict[tuple[str, str], t.Expr] = {}
    for statement in cls.body:
        match statement:
            case t.Assign(targets=[t.Name(id=name)], value=t.Dict() as table):
                pass
            case t.AnnAssign(target=t.Name(id=name), value=t.Dict() as table):
                pass
            case _:
                continue
        for key, value in zip(table.keys, table.values, strict=True):
            if key is not None and isinstance(said := literal(key), str):
                found[(name, said)] = value
    return found
