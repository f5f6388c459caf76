"""Whether host code hands a variable to a function that may change it, as `configure(n, grid, block)` may.

Addresses (`&block`) count as assignments already; what is handed over by value changes nothing.
"""

from __future__ import annotations

from kernelscope.kernels.cuda.arguments import Argument
from kernelscope.kernels.cuda.lookup import functions_meant
from kernelscope.kernels.cuda.units import Unit
from kernelscope.syntax.cuda.functions import Function, FunctionKind

_NO_FUNCTIONS = frozenset(("", "if", "while", "for", "switch", "return", "sizeof", "decltype", "dim3", "min", "max"))


def is_handed_out(unit: Unit, name: str, start: int, end: int, is_set: bool) -> bool:
    """Whether a function may give a variable another value between two places.

    `is_set` says that it has a value of its own: one that has none is handed over to be given one.
    """
    for argument in unit.arguments.between(name, start, end):
        callee = unit.arguments.callee(argument)
        if callee in _NO_FUNCTIONS:
            continue
        taken = _is_taken(unit, callee, unit.arguments.position(argument))
        if taken is True or (taken is None and not is_set):
            return True
    return False


def sole_filler(unit: Unit, name: str, start: int, end: int) -> tuple[Argument, Unit, Function] | None:
    """The only call between two places that takes a variable by a reference through which it may write, with the one
    host function that it means; None where there are several, or nobody knows them."""
    taking = [
        argument
        for argument in unit.arguments.between(name, start, end)
        if (callee := unit.arguments.callee(argument)) not in _NO_FUNCTIONS
        and _is_taken(unit, callee, unit.arguments.position(argument)) is not False
    ]
    if len(taking) != 1:
        return None
    callee, position = unit.arguments.callee(taking[0]), unit.arguments.position(taking[0])
    found = [
        (seen, function)
        for seen, function in functions_meant(unit, unit.find(callee), callee, taking[0].start)
        if function.kind is FunctionKind.HOST and len(function.params) > position
    ]
    return (taking[0], *found[0]) if len(found) == 1 else None


def _is_taken(unit: Unit, callee: str, position: int) -> bool | None:
    """Whether a function takes an argument by a reference through which it may write; None where nobody knows it."""
    found = [function for _, function in unit.find(callee) if len(function.params) > position]
    types = [function.params[position].type for function in found]
    return any(type_.endswith("&") and "const" not in type_.split() for type_ in types) if types else None
