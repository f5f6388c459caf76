"""Template arguments that a call leaves out: what the variables passed for `T value`, `T& value` or `T* value` tell.

Deduction by ISO C++ [temp.deduct.call], for variables whose type is written out; nothing is told of other expressions.
"""

from __future__ import annotations

from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.units import Unit
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
    written = types.bare(unit.type_at(argument, caller, offset) or "").removesuffix("&").strip()
    if written.endswith("*") != pointer:
        return None
    found = written.removesuffix("*").strip() if pointer else written
    if found.endswith("*"):
        return None
    is_known = types.layout(found) is not None or any(own.name == found for own in caller.templates)
    return found if is_known else None
