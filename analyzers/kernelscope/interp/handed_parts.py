"""Layers that an object calls and that others hand to it in a record: whether it is known by itself what they are.

`self.norm = parts.norm` of a `parts: Parts` is what the one gives who makes the object, wherever that is. One layer by
itself, `self.mixer = mixer` of a `mixer: nn.Module`, is another with everyone: a single caller far away is an example
of little use, whose numbers, and what is equal there, hold nowhere else. Lists of layers are not such.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.interp.annotations import class_of
from kernelscope.interp.attributes import instance_attribute
from kernelscope.interp.handed_lists import lists_given
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.records import is_record, parameters_of
from kernelscope.interp.values import Alike, External, Instance, Opaque, Sequential, Unpacked, Value, present
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Unknown
from kernelscope.workspace.modules import Definition


def lacks_parts(run: Interpreter, receiver: Value) -> bool:
    """Whether methods of an object call what its constructor is given and nothing near tells."""
    if not isinstance(receiver, Instance) or not receiver.is_module or run.certain:
        return False
    parts = dict.fromkeys((*_handed(run, receiver.cls), *_lists_given(run, receiver.cls)))
    return any(_is_lacking(instance_attribute(run, receiver, part)) for part in parts)


def _is_lacking(part: Value) -> bool:
    """Whether a layer is not known, or those of a list are not."""
    part = present(part)
    if isinstance(part, Sequential):
        return any(map(_is_lacking, part.parts))
    held = part.value if isinstance(part, Unpacked) else part
    return isinstance(held.element if isinstance(held, Alike) else held, Opaque | Unknown)


def _lists_given(run: Interpreter, cls: Definition) -> Iterator[str]:
    init = run.classes.attribute(cls, "__init__")
    init_node = init.node if isinstance(init, Definition) else None
    if isinstance(cls.node, t.ClassDef):
        yield from lists_given(cls.node, init_node if isinstance(init_node, t.FunctionDef) else None)


def is_handed_parts(run: Interpreter, cls: Definition) -> bool:
    """Whether methods of a class call layers that its constructor is given in a record."""
    return not run.certain and next(_handed(run, cls), None) is not None


def _handed(run: Interpreter, cls: Definition) -> Iterator[str]:
    """The attributes that methods of a class call, of those that are layers in a record its constructor is given."""
    init = run.classes.attribute(cls, "__init__")
    if not isinstance(init, Definition) or not isinstance(init.node, t.FunctionDef):
        return
    given = {param.name: param for param in init.node.args[1:]}
    own = init.node.args[0].name if init.node.args else ""
    called = {t.dotted(node.func) for node in t.walk(cls.node) if isinstance(node, t.Call)}
    for statement in init.node.body:
        match statement:
            case t.Assign(targets=[t.Attribute(value=t.Name(id=receiver), attr=attr)], value=value) if receiver == own:
                if f"self.{attr}" not in called:
                    continue
                match value:
                    case t.Attribute(value=t.Name(id=name), attr=field) if name in given:
                        if _is_layer_of(run, init.path, given[name].annotation, field):
                            yield attr
                    case _:
                        pass
            case _:
                pass


def _is_layer_of(run: Interpreter, path: str, annotation: t.Expr | None, field: str) -> bool:
    """Whether a record that a parameter is annotated to be declares a field to be some layer."""
    record = class_of(run, path, annotation)
    if record is None or not is_record(run, record):
        return False
    fields = {param.name: (declared, param) for declared, param in parameters_of(run, record)}
    return field in fields and _is_layer(run, fields[field][0], fields[field][1].annotation)


def _is_layer(run: Interpreter, path: str, annotation: t.Expr | None) -> bool:
    """Whether an annotation says that something is a layer, and not which: `nn.Module`, `nn.Module | None`."""
    for node in t.walk(annotation) if annotation is not None else ():
        name = t.dotted(node) if isinstance(node, t.Name | t.Attribute) else None
        kind = None if name is None else run.module_name(path, name)
        if isinstance(kind, External) and kind.name.startswith("torch.nn.") and kind.name.endswith(".Module"):
            return True
    return False
