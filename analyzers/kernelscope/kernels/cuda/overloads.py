"""Which of several functions of one name a launch or call means: by arguments, and by what specialisations are for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.launch import Launch
from kernelscope.syntax.cuda.functions import Function, TemplateParameter


def may_mean(launch: Launch, kernel: Function, others: Sequence[Function]) -> bool:
    """Whether a launch may be of a kernel, beside others that it sees under the same name."""
    if not _takes(launch, kernel):
        return False
    if len(others) < 2:
        return True
    if _is_passed_others(launch, kernel) and not all(_is_passed_others(launch, other) for other in others):
        return False
    if not launch.templates:
        return True
    general = next((other for other in others if other.templates and len(other.params) == len(kernel.params)), None)
    if general is None:
        return True
    if _is_specialisation(kernel):
        return _is_for(launch, kernel, general) is not False
    special = [other for other in others if _is_specialisation(other) and len(other.params) == len(kernel.params)]
    return not any(_is_for(launch, other, kernel) for other in special)


def _is_passed_others(launch: Launch, kernel: Function) -> bool:
    """Whether an argument points at other numbers than the kernel's parameter: such pointers do not convert."""
    for parameter, text in zip(kernel.params, launch.arguments, strict=False):
        wanted = types.pointed_at(parameter.type)
        given = types.pointed_at(launch.unit.type_at(text, launch.function, launch.offset) or "") if wanted else None
        if given is not None and given != wanted:
            return True
    return False


def _is_specialisation(kernel: Function) -> bool:
    return kernel.header.startswith("template") and not kernel.templates


def _takes(launch: Launch, kernel: Function) -> bool:
    """Whether a kernel takes so many arguments and template arguments; nothing is known of arguments in a macro."""
    many = "..." in kernel.header.partition("__global__")[0] or _is_specialisation(kernel)
    if len(launch.templates) > len(kernel.templates) and not many:
        return False
    if not launch.arguments or any("..." in argument for argument in launch.arguments):
        return True
    optional = sum("optional" in parameter.node.type for parameter in kernel.params)
    if any("variadic" in parameter.node.type for parameter in kernel.params):  # which takes any number of them
        return len(kernel.params) - optional - 1 <= len(launch.arguments)
    return len(kernel.params) - optional <= len(launch.arguments) <= len(kernel.params)


def _is_for(launch: Launch, special: Function, general: Function) -> bool | None:
    """Whether a launch's template arguments are those of a specialisation; None where they do not say."""
    made_for = _arguments(special, general)
    for parameter, text in zip(general.templates, launch.templates, strict=False):
        wanted = made_for.get(parameter.name)
        if wanted is None:
            continue
        if types.layout(text) is None and not text.isdigit():
            return None if launch.may_give(text, types.bare(wanted)) else False
        if types.bare(text) != types.bare(wanted):
            return False
    return True


def _arguments(special: Function, general: Function) -> dict[str, str]:
    """What the parameters of a specialisation say of the general kernel's template parameters."""
    found: dict[str, str] = {}
    for one, other in zip(general.params, special.params, strict=True):
        for template in general.templates:
            pattern = re.escape(types.bare(one.type)).replace(re.escape(template.name), r"([\w:]+)", 1)
            match = re.fullmatch(pattern, types.bare(other.type)) if template.name in one.type else None
            if match is not None and match.groups():
                found.setdefault(template.name, match[1])
    return found


def takes_arguments(function: Function, given: Sequence[str], caller: Function) -> bool:
    """Whether a function's template may be given such arguments in the code of another: as many, and of their kind."""
    params, packs = function.templates, has_pack(function)
    if len(given) > len(params) and not packs:
        return False
    told = " ".join(parameter.type for parameter in function.params)
    for parameter in () if packs else params[len(given) :]:
        if parameter.type and not parameter.default and not re.search(rf"\b{re.escape(parameter.name)}\b", told):
            return False  # nothing gives it a value
    return not any(_is_of_another_kind(p, text, caller) for p, text in zip(params, given, strict=False))


def has_pack(function: Function) -> bool:
    """Whether a function's template takes any number of arguments."""
    return "..." in function.header.partition("(")[0]


def _is_of_another_kind(parameter: TemplateParameter, text: str, caller: Function) -> bool:
    """A number for an enumeration, an enumeration for a number, a type for a number, or the other way round."""
    own = next((t for t in caller.templates if t.name == text.removesuffix("...").strip()), None)
    kind = own.type if own is not None else "int" if text.isdigit() else None
    if kind is None:
        return bool(parameter.type) and types.layout(text) is not None
    if not kind or not parameter.type:
        return bool(kind) != bool(parameter.type)
    if "auto" in (kind, parameter.type):
        return False
    return (types.layout(kind) is None) != (types.layout(parameter.type) is None)
