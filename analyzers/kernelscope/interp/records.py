"""Classes that are their declared fields: dataclasses, named tuples, results that are dict and tuple at once."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import re
from typing import Any

from kernelscope.dims import Dim
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.sequences import element_at
from kernelscope.interp.values import Arguments, Choice, Function, Instance, Keywords, Maybe, Opaque, Open, Scope, Value
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Unknown
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.modules import External as OutsideName

TUPLES = {"typing.NamedTuple", "collections.namedtuple", "NamedTuple"}
RESULTS = {"transformers.utils.ModelOutput", "transformers.utils.generic.ModelOutput",
           "transformers.file_utils.ModelOutput", "transformers.modeling_outputs.ModelOutput",
           "diffusers.utils.BaseOutput", "diffusers.utils.outputs.BaseOutput"}  # fmt: skip
"""Classes of libraries whose subclasses are dict and tuple of their fields at once."""
DICTS = {"dict", "collections.OrderedDict", "collections.UserDict", "OrderedDict", "typing.TypedDict"} | RESULTS
MODULES = {"flax.linen.Module", "flax.linen.module.Module", "equinox.Module"}
"""Layers that are made of their declared fields, unless their class has a constructor of its own."""
MODELS = {"pydantic.BaseModel", "pydantic.main.BaseModel", "pydantic_settings.BaseSettings", "msgspec.Struct"}
"""Records by their base class, unless they have a constructor of their own."""
ENUMERATIONS = {f"enum.{name}" for name in ("Enum", "StrEnum", "IntEnum", "Flag", "IntFlag")}
"""A member of these is its value here."""
SETTINGS = {"int", "float", "bool", "str"}
DATACLASSES = {"dataclass", "attrs", "define", "frozen", "s", "pydantic_dataclass"}


def is_record(run: Interpreter, cls: Definition) -> bool:
    """Whether making an object of the class fills in its declared fields."""
    node = cls.node
    if not isinstance(node, t.ClassDef):
        return False
    names = (t.dotted(d) or t.dotted(getattr(d, "func", d)) or "" for d in node.decorator_list)
    if any(n.rpartition(".")[2] in DATACLASSES for n in names) or derives(run, cls, TUPLES):
        return True
    return derives(run, cls, MODULES | MODELS) and not isinstance(run.classes.attribute(cls, "__init__"), Definition)


def derives(run: Interpreter, cls: Definition, names: set[str]) -> bool:
    """Whether a class derives from one of these that are defined elsewhere."""
    return any(isinstance(base, OutsideName) and base.dotted in names for base in run.classes.mro(cls))


def fields_of(run: Interpreter, cls: Definition) -> dict[str, tuple[str, t.AnnAssign]]:
    """Declared fields with the file that declares them, those of base classes first."""
    found: dict[str, tuple[str, t.AnnAssign]] = {}
    for base in reversed([c for c in run.classes.mro(cls) if isinstance(c, Definition)]):
        body = base.node.body if isinstance(base.node, t.ClassDef) else []
        for statement in body:
            if isinstance(statement, t.AnnAssign) and isinstance(statement.target, t.Name):
                found[statement.target.id] = (base.path, statement)
    return found


def fill(run: Interpreter, instance: Instance, args: Arguments, kwargs: Keywords) -> None:
    """Store what a record is made of."""
    from kernelscope.interp.expressions import evaluate

    for index, (name, (path, declared)) in enumerate(fields_of(run, instance.cls).items()):
        default = declared.value
        if index < len(args):
            instance.attributes[name] = args[index]
        elif name in kwargs:
            instance.attributes[name] = kwargs[name]
        elif default is not None:
            made = isinstance(default, t.Call)
            value = _made(run, path, default) if made else evaluate(run, Scope(path), default)
            instance.attributes[name] = _unless_given(instance, name, value) if isinstance(kwargs, Open) else value
        elif isinstance(kwargs, Open):  # as a parameter that is missing where more may be given
            of_settings = not instance.is_module and _is_setting(declared.annotation)
            instance.attributes[name] = Opaque(_called(instance, name) if of_settings else name)


def finish(run: Interpreter, instance: Instance) -> None:
    """Run `__post_init__`, which gets the fields that are only there for it; that of results only stores them again."""
    from kernelscope.interp.calls import call_function

    after = run.classes.attribute(instance.cls, "__post_init__")
    if isinstance(after, Definition) and isinstance(after.node, t.FunctionDef):
        if derives(run, instance.cls, DICTS):
            return
        only = [param.name for _, param in parameters_of(run, instance.cls) if _is_for_init(param.annotation)]
        given = [instance.attributes.pop(name, Unknown("a field that is not given")) for name in only]
        call_function(run, Function(after, instance, True), given, {}, after.node.span)


def _is_for_init(annotation: t.Expr | None) -> bool:
    """Whether a field is only handed to `__post_init__`: `InitVar[int]`."""
    kind = annotation.value if isinstance(annotation, t.Subscript) else annotation
    return kind is not None and (t.dotted(kind) or "").rpartition(".")[2] == "InitVar"


def parameters_of(run: Interpreter, cls: Definition) -> list[tuple[str, t.Param]]:
    """The declared fields of a record as parameters of a constructor, each with its file; those of bases first."""
    found: dict[str, tuple[str, t.Param]] = {}
    for base in reversed([c for c in run.classes.mro(cls) if isinstance(c, Definition)]):
        body = base.node.body if isinstance(base.node, t.ClassDef) else []
        for field in body:
            if isinstance(field, t.AnnAssign) and isinstance(field.target, t.Name):
                name = field.target.id
                default = None if isinstance(field.value, t.Call) and _is_field(field.value) else field.value
                parameter = t.Param(name, field.annotation, default, "keyword", field.span, field.target.span)
                found[name] = (base.path, parameter)
    return list(found.values())


def _is_field(value: t.Call) -> bool:
    """Whether a default is `field(…)`, which says how the value comes about."""
    return (t.dotted(value.func) or "").rpartition(".")[2] in ("field", "struct_field")


def _unless_given(instance: Instance, name: str, default: Value) -> Value:
    """A field of `Config(**read)`: what is read may hold another number than the default."""
    if not isinstance(default, Dim) or default.const is None:
        return default
    return Opaque(_called(instance, name), default.const)


def _called(instance: Instance, name: str) -> str:
    """What a field of a configuration is called that something is read into: `config.width` of a `LayerConfig`."""
    words = re.findall(r"[A-Z]+[a-z0-9]*|[a-z0-9]+", instance.cls.name)
    return f"{words[-1].lower()}.{name}"


def _is_setting(annotation: t.Expr | None) -> bool:
    """Whether a field holds a number, a switch or a word, or perhaps none: such as a file tells of a configuration."""
    names = {node.id for node in t.walk(annotation) if isinstance(node, t.Name)} if annotation is not None else set()
    return bool(names & SETTINGS) and names <= SETTINGS | {"Optional", "Union"}


def as_example(name: str, value: Value) -> Value:
    """What is given by default, or by one of many, where that is an object that holds numbers, or one of a table of
    such: those of another are others."""
    if isinstance(value, Choice) and value.is_of_table and all(isinstance(entry, Instance) for entry in value.entries):
        return as_example(name, value.entries[0])
    if not isinstance(value, Instance) or value.is_module or not value.is_ready:
        return value
    held = {key: _example(f"{name}.{key}", part) for key, part in value.attributes.items()}
    return Instance(value.cls, held, True, made_with=value.made_with)


def _example(name: str, value: Value) -> Value:
    if isinstance(value, Dim) and value.const is not None:
        return Opaque(name, value.const)
    return as_example(name, value)


def _made(run: Interpreter, path: str, default: t.Call) -> Value:
    """`field(default=…)` and `field(default_factory=…)`."""
    from kernelscope.interp.calls import call
    from kernelscope.interp.expressions import evaluate

    given = {k.arg: k.value for k in default.keywords if k.arg is not None}
    if "default" in given:
        return evaluate(run, Scope(path), given["default"])
    if "default_factory" in given:
        return call(run, evaluate(run, Scope(path), given["default_factory"]), [], {}, default.span)
    return Unknown("a default that is not followed", default.span)


def values_of(run: Interpreter, instance: Instance) -> dict[str, Value]:
    """The fields that are there, in order: a result that is a dict leaves those out that are None."""
    fields = fields_of(run, instance.cls)
    held = {name: instance.attributes[name] for name in fields if name in instance.attributes}
    if derives(run, instance.cls, TUPLES):
        return held
    return {name: value for name, value in held.items() if value is not None}


def elements(run: Interpreter, instance: Instance | Opaque) -> list[Value] | None:
    """What a named tuple gives to the names that it is unpacked into."""
    if isinstance(instance, Opaque):
        from kernelscope.interp.attributes import attribute

        if instance.cls is None or not derives(run, instance.cls, TUPLES):
            return None
        return [attribute(run, instance, name, None) for name in fields_of(run, instance.cls)]
    return list(values_of(run, instance).values()) if derives(run, instance.cls, TUPLES) else None


def is_sequence(run: Interpreter, instance: Instance) -> bool:
    """Whether the object can be indexed by position and by name."""
    return is_record(run, instance.cls) and derives(run, instance.cls, TUPLES | DICTS)


def item(run: Interpreter, instance: Instance, index: Value, span: Any) -> Value:
    """`record[0]`, `record["name"]` or `record[:2]`."""
    held = values_of(run, instance)
    if isinstance(index, str):
        return held[index] if index in held else Unknown(f"the field {index}", span)
    values = list(held.values())
    if not derives(run, instance.cls, TUPLES) and any(isinstance(v, Maybe | Unknown) for v in _passed(values, index)):
        return Unknown("which fields of the result are there is not known", span)
    return element_at(tuple(values), index, span)


def _passed(values: list[Value], index: Value) -> list[Value]:
    """The fields that must be there if an index is to mean what it means with all of them."""
    last = index.stop if isinstance(index, slice) and index.step is None else index
    number = last.const if isinstance(last, Dim) else None
    if number is None or number < 0:
        return values
    return values[:number]
