"""What host code gives a member of a struct: `Params{grid, block}` by the order of its fields or by a constructor."""

from __future__ import annotations

import re

from kernelscope.kernels.cuda.units import Unit
from kernelscope.syntax.cuda.expressions import split_arguments

_MADE = re.compile(r"(?:([A-Za-z_][\w:]*)(?:<.*>)?\s*)?[({](.*)[)}]\Z", re.DOTALL)


def member_given(unit: Unit, text: str, offset: int, member: str) -> str | None:
    """The expression that a member of a struct is made with; the struct as an expression or a variable."""
    made, kind = text, ""
    if re.fullmatch(r"\w+", text):
        declared = unit.declarations.at(text, offset)
        if declared is None or unit.assignments.between(text, declared.node.end_byte + 4, offset, member):
            return None
        kind = declared.type
        made = declared.value if declared.value is not None else f"({declared.arguments or ''})"
    found = _MADE.fullmatch(made.strip())
    if found is None:
        return None
    name = (found[1] or kind).split("<")[0].rpartition("::")[2].split()[-1:]
    items = split_arguments(found[2])
    return _item(unit, name[0], items, member) if name else None


def _item(unit: Unit, name: str, items: list[str], member: str) -> str | None:
    makers = [f for _, f in unit.find(name) if f.owner.partition("<")[0] == name and len(f.params) == len(items)]
    for maker in makers:
        given = re.search(rf"\b{re.escape(member)}\s*[({{]\s*(\w+)\s*[)}}]", maker.header)
        place = next((i for i, p in enumerate(maker.params) if given is not None and p.name == given[1]), None)
        if place is not None:
            return items[place]
    if makers:
        return None
    for seen in unit.with_name(name):
        for struct in seen.declarations.structs.get(name, ()):
            names = [field.name for field in struct.fields if "static" not in field.words]
            if member in names and names.index(member) < len(items):
                return items[names.index(member)]
    return None
