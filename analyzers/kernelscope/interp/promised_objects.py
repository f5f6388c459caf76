"""Objects of plain classes that a parameter is annotated to be, where the class holds tensors.

`batch.tokens` of a `batch: Batch` is a tensor if `Batch` declares it so, and `cache.update(k, v)` is the method. A
class that holds numbers only, such as a configuration, stays a name after which its attributes are named.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from kernelscope.interp.agreement import NOT_TOLD
from kernelscope.interp.annotations import class_of, is_optional, is_tensor
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.records import ENUMERATIONS, derives
from kernelscope.interp.shape_texts import in_comment, in_sentence, only_a_shape
from kernelscope.interp.values import Maybe, Opaque, Value
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module
from kernelscope.tensor import Shape, Tensor
from kernelscope.workspace.modules import Definition


def promised_object(run: Interpreter, path: str, name: str, annotation: t.Expr | None) -> Opaque | None:
    """A parameter that is annotated with a class which holds tensors."""
    cls = class_of(run, path, annotation)
    if cls is None or run.classes.is_module(cls) or not _tensors_of(run, cls):
        return None
    return Opaque(name, cls=cls)


def promised_attribute(run: Interpreter, holder: Opaque, name: str) -> Value | None:
    """What the class of an object says of one of its attributes: a tensor, or a method; None if nothing."""
    from kernelscope.interp.attributes import instance_attribute
    from kernelscope.interp.receivers import seeded_instance

    cls = holder.cls
    assert cls is not None
    if (told := _tensors_of(run, cls).get(name)) is not None:
        return Maybe(told.value, f"{holder.name}.{name}") if isinstance(told, Maybe) else told
    found = run.classes.attribute(cls, name)
    if (part := _part(run, cls, name)) is not None:
        return Opaque(f"{holder.name}.{name}", cls=part)
    is_method = isinstance(found, Definition) and isinstance(found.node, t.FunctionDef)
    held = instance_attribute(run, seeded_instance(run, cls), name)
    return held if is_method or isinstance(held, Tensor) else None


def _part(run: Interpreter, cls: Definition, name: str) -> Definition | None:
    """The plain class that a field is declared to be an object of: `backend: Backend`."""
    for base in run.classes.mro(cls):
        for field in base.node.body if isinstance(base, Definition) and isinstance(base.node, t.ClassDef) else ():
            if isinstance(field, t.AnnAssign) and isinstance(field.target, t.Name) and field.target.id == name:
                assert isinstance(base, Definition)
                part = class_of(run, base.path, field.annotation)
                if part is None or run.classes.is_module(part) or derives(run, part, ENUMERATIONS):
                    return None
                return part
    return None


def _tensors_of(run: Interpreter, cls: Definition) -> dict[str, Value]:
    """The attributes that are declared to be tensors: fields, and what the constructor stores of its parameters."""
    known = run.promised.get(cls.node)
    if known is not None:
        return known
    found: dict[str, Value] = {}
    for base in reversed([c for c in run.classes.mro(cls) if isinstance(c, Definition)]):
        for statement in base.node.body if isinstance(base.node, t.ClassDef) else []:
            match statement:
                case t.AnnAssign(target=t.Name(id=name)) if is_tensor(statement.annotation):
                    found[name] = _declared(run, base.path, name, statement)
                case t.FunctionDef(name="__init__"):
                    found |= _stored(statement)
                case _:
                    pass
    run.promised[cls.node] = found
    return found


def _declared(run: Interpreter, path: str, name: str, statement: t.AnnAssign) -> Value:
    """A field, with the shape of the comment on its line or above it."""
    module = run.workspace.modules.module(path)
    shape = None if module is None else _commented(module, name, statement)
    tensor = Tensor(Shape.unknown(NOT_TOLD) if shape is None else shape)
    return Maybe(tensor, name) if is_optional(statement.annotation) else tensor


def _commented(module: Module, name: str, statement: t.AnnAssign) -> Shape | None:
    comment = module.comment_on(module.text.line_of(statement.span.end))
    if comment is not None and not comment.alone:
        return in_comment(comment.text, name) or in_comment(comment.text, None)
    above = module.comment_on(module.text.line_of(statement.span.start) - 1)
    if above is None or not above.alone:
        return None
    return only_a_shape(above.text, name) or in_sentence(above.text)


def _stored(init: t.FunctionDef) -> dict[str, Value]:
    """Parameters that are tensors and are stored as they are: `self.keys = keys`."""
    tensors = {param.name: param for param in init.args if is_tensor(param.annotation)}
    found: dict[str, Value] = {}
    for statement in init.body:
        match statement:
            case t.Assign(targets=[t.Attribute(value=t.Name(), attr=attr)], value=t.Name(id=name)) if name in tensors:
                tensor = Tensor(Shape.unknown(NOT_TOLD))
                found[attr] = Maybe(tensor, attr) if is_optional(tensors[name].annotation) else tensor
            case _:
                pass
    return found
