"""What the class of an object declares one of its attributes to be, where what the object holds does not tell."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from kernelscope.interp.annotations import is_optional, object_of
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.values import Instance, Number, Opaque, Value
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition


def field_type(run: Interpreter, cls: Definition, name: str) -> tuple[str, t.Expr] | None:
    """The annotation of a field of a class or of those above it, with the file that it stands in."""
    for base in run.classes.mro(cls):
        if isinstance(base, Definition) and isinstance(base.node, t.ClassDef):
            for statement in base.node.body:
                if isinstance(statement, t.AnnAssign) and t.dotted(statement.target) == name:
                    return base.path, statement.annotation
    return None


def declared(run: Interpreter, instance: Instance, name: str) -> Instance | Number | None:
    """An object or a number, where what is stored under the name is not followed."""
    found = None if run.certain else field_type(run, instance.cls, name)
    if found is None:
        return None
    path, annotation = found
    if t.dotted(annotation) == "int":
        return Number("what an object that is given holds", True)
    return object_of(run, path, annotation)


def in_place_of_none(run: Interpreter, instance: Instance, name: str, found: object) -> Value:
    """A field of an object that somebody else has made, whose default is None and whose type is not: `model: Model =
    None` is written where there always is one."""
    if run.certain or instance.is_module or instance.made_with is not None or not isinstance(found, Definition):
        return None
    if not isinstance(found.node, t.AnnAssign) or is_optional(found.node.annotation):
        return None
    return object_of(run, found.path, found.node.annotation) or Opaque(f"self.{name}")
