"""Template arguments that a call leaves out: what is passed for `T value`, `T& value` or `T* value` tells.

Deduction by ISO C++ [temp.deduct.call], for variables whose type is written out, casts, elements, and calls of
functions that say what they return; nothing is told of other expressions.
"""

from __future__ import annotations

from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.intrinsics import GROUPS, object_kind
from kernelscope.kernels.cuda.units import Unit
from kernelscope.syntax.cuda.expressions import Binary, Call, Cast, Expr, Name, Subscript, Unary, parse_expression
from kernelscope.syntax.cuda.functions import Function


def deduced_arguments(
    function: Function, given: tuple[str, ...], arguments: tuple[str, ...], unit: Unit, caller: Function, offset: int
) -> tuple[str, ...]:
    """The template arguments of a call in a caller's code: those that are given, then those that follow."""
    for template in function.templates[len(given) :]:
        told = {
            found
            for parameter, text in zip(function.params, arguments, strict=False)
            if (pointer := _is_pointer_to(template.name, parameter.type)) is not None
            and (found := _type_for(pointer, text, unit, caller, offset)) is not None
        }
        if template.type or len(told) != 1:
            break
        given = (*given, *told)
    return given


def _is_pointer_to(template: str, wanted: str) -> bool | None:
    """Whether a parameter is a pointer to a template parameter's type; None where it is not of that type at all."""
    text = types.bare(wanted).removesuffix("&").strip()
    return {template: False, f"{template}*": True, f"{template} *": True}.get(text)


def _type_for(pointer: bool, argument: str, unit: Unit, caller: Function, offset: int) -> str | None:
    """The type of a variable, or what it points at; a template parameter of the caller is one, too."""
    written = types.bare(_written_type(parse_expression(argument), unit, caller, offset)).removesuffix("&").strip()
    if written.endswith("*") != pointer:
        return None
    found = written.removesuffix("*").strip() if pointer else written
    if found.endswith("*"):
        return None
    if found == "auto" and not pointer:
        declared = unit.declarations.at(argument, offset)
        return GROUPS.get(object_kind(declared.value or "") or "") if declared is not None else None
    if object_kind(found) in GROUPS:
        return found
    is_known = types.layout(found) is not None or any(own.name == found for own in caller.templates)
    return found if is_known else None


def _written_type(expr: Expr, unit: Unit, caller: Function, offset: int) -> str:
    """The type of an expression as the code writes it; empty where it does not."""
    match expr:
        case Name(text=name):
            return unit.type_at(name, caller, offset) or ""
        case Cast(type=kind) | Call(name="static_cast" | "reinterpret_cast" | "const_cast", templates=(kind,)):
            return kind
        case Call(name=name) if name in types.SCALARS:
            return name
        case Call(name=name, templates=given):
            return _returned(name, given, unit)
        case Unary(op="&", operand=Subscript(base=base)):
            return _written_type(base, unit, caller, offset)
        case Binary(op="+", left=left):  # a pointer, some elements further on
            found = _written_type(left, unit, caller, offset)
            return found if types.bare(found).endswith("*") else ""
        case Subscript(base=base):
            return _pointed(_written_type(base, unit, caller, offset))
        case Unary(op="*", operand=operand):
            return _pointed(_written_type(operand, unit, caller, offset))
        case _:
            return ""


def _pointed(written: str) -> str:
    """What a pointer points at; empty for what is none."""
    text = types.bare(written).removesuffix("&").strip()
    return text.removesuffix("*").strip() if text.endswith("*") else ""


def _returned(name: str, given: tuple[str, ...], unit: Unit) -> str:
    """The type that all functions of a name return, which may be a template argument that the call writes."""
    told = {_result(function, given) for _, function in unit.find(name) if not function.is_specialisation}
    return told.pop() if len(told) == 1 else ""


def _result(function: Function, given: tuple[str, ...]) -> str:
    place = next((i for i, t in enumerate(function.templates) if t.name == function.result), None)
    if place is None:
        return function.result if types.layout(function.result) is not None else ""
    return given[place] if place < len(given) else ""
