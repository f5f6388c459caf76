"""Which of several functions of one name a launch or call means: by arguments, and by what specialisations are for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.launch import Launch
from kernelscope.kernels.cuda.units import Unit
from kernelscope.syntax.cuda.functions import Function, TemplateParameter

_BASED = re.compile(r"(?:&\s*)?([A-Za-z_]\w*)\s*(?:[-+\[].*)?", re.DOTALL)
"""A pointer, one some elements away from it, or the address of an element."""

MAX_ALIASES = 4

_CACHED = frozenset(("__ldg", "__ldca", "__ldcg", "__ldcs", "__ldcv", "__ldlu", "__stcg", "__stcs", "__stwb", "__stwt"))


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
    if kernel.is_specialisation:
        return _is_for(launch, kernel, general) is not False
    special = [other for other in others if other.is_specialisation and len(other.params) == len(kernel.params)]
    return not any(_is_for(launch, other, kernel) for other in special)


def _is_passed_others(launch: Launch, kernel: Function) -> bool:
    """Whether an argument points at other numbers than the kernel's parameter: such pointers do not convert."""
    for parameter, text in zip(kernel.params, launch.arguments, strict=False):
        wanted = types.pointed_at(parameter.type)
        given = types.pointed_at(launch.unit.type_at(text, launch.function, launch.offset) or "") if wanted else None
        if given is not None and given != wanted:
            return True
    return False


def takes_pointers(function: Function, given: Sequence[str], unit: Unit, caller: Function, offset: int) -> bool:
    """Whether no argument of a call is a pointer to other numbers than a parameter wants: such do not convert."""
    for parameter, text in zip(function.params, given, strict=False):
        wanted = types.pointed_at(parameter.type)
        found = pointed_at(text, unit, caller, offset) if wanted is not None else None
        if found is not None and found != wanted:
            return False
    return True


def pointed_at(text: str, unit: Unit, caller: Function, offset: int) -> str | None:
    """What a pointer, one some elements away from it or the address of an element points at: numbers only."""
    based = _BASED.fullmatch(text)
    kind = unit.type_at(based[1], caller, offset) if based is not None else None
    return types.pointed_at(kind) if kind is not None else None


def is_compilers_own(name: str, given: Sequence[str], unit: Unit, caller: Function, offset: int) -> bool:
    """Whether CUDA's headers define a function for such arguments already: loads and stores of numbers by a policy of
    caching (CUDA C++ Programming Guide, "Read-Only Data Cache Load Function", "Load and Store Functions Using Cache
    Hints"). Others of its name are for other types."""
    if name not in _CACHED or not given:
        return False
    target = pointed_at(given[0], unit, caller, offset)
    return target is not None and target not in ("half", "bfloat16")


def _takes(launch: Launch, kernel: Function) -> bool:
    """Whether a kernel takes so many arguments and template arguments; nothing is known of arguments in a macro."""
    many = "..." in kernel.header.partition("__global__")[0] or kernel.is_specialisation
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


def specialised(
    found: Sequence[tuple[Unit, Function]],
    made_for: Sequence[tuple[str, ...]],
    given: Sequence[str | None],
    argument: Callable[[str], str | None],
) -> list[tuple[Unit, Function]]:
    """Those made for such template arguments that leave the fewest of them open, as `Sum<T, 1>` leaves one."""
    fitting: list[tuple[int, tuple[Unit, Function]]] = []
    for one, wanted in zip(found, made_for, strict=True):
        is_open = [argument(text) == text and _may_be_any(one[0], text) for text in wanted]
        if wanted and all(o or argument(w) == g for o, w, g in zip(is_open, wanted, given, strict=False)):
            fitting.append((sum(is_open), one))
    least = min((count for count, _ in fitting), default=0)
    return [one for count, one in fitting if count == least]


def _may_be_any(unit: Unit, name: str) -> bool:
    """Whether a template argument that a class is made for may be a parameter of its own."""
    return name.isidentifier() and types.layout(name) is None and not unit.declarations.structs.get(name)


def aliased(unit: Unit, written: str) -> str:
    """The type that a name without template arguments stands for, where it has one meaning."""
    for _ in range(MAX_ALIASES):
        tail = written.rpartition("::")[2]
        meanings = [a for one in unit.with_name(tail) for a in one.declarations.aliases.get(tail, ())]
        if len(meanings) != 1:
            break
        written = types.bare(meanings[0].aliased)
    return written
