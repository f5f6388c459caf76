"""Plain values of host code, and what operators, methods and built-in functions make of them."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from kernelscope.syntax.python import tree as t

MAX_ITEMS = 4_096

Known = int | float | bool | str | None


@dataclass(frozen=True, slots=True)
class Untold:
    """A value that is not told; `truth` is what a test makes of it where that is."""

    truth: bool | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What `get_current_target()` of Triton's driver returns."""


@dataclass(frozen=True, slots=True)
class Routine:
    """A function of the workspace or a lambda, with the names that it closes over."""

    path: str
    node: t.FunctionDef | t.Lambda
    names: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Config:
    """One configuration: constexprs and launch options with their values."""

    values: tuple[tuple[str, Known], ...]
    options: tuple[tuple[str, int], ...]
    hook: Routine | None = field(default=None, compare=False)
    """What changes the arguments before each run."""

    def numbers(self) -> dict[str, int]:
        return {name: value for name, value in (*self.values, *self.options) if isinstance(value, int)}


Value: TypeAlias = (
    "Known | Config | Untold | Target | Routine | list[Value] | tuple[Value, ...] | dict[str | int, Value]"
)

OPTIONS = ("num_warps", "num_stages", "num_ctas", "maxnreg")
"""Parameters of `triton.Config` after the constexprs, in its order (3.0 to 3.5)."""


_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": lambda a, b: a // b,
    "/": lambda a, b: a / b,
    "%": operator.mod,
}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def elements(value: Value) -> Sequence[Value] | None:
    if isinstance(value, list | tuple):
        return value
    return list[Value](value) if isinstance(value, dict) else None


def item_of(owner: Value, key: Value) -> Value:
    if isinstance(owner, dict) and isinstance(key, str | int):
        return owner.get(key, Untold())
    if isinstance(owner, list | tuple) and isinstance(key, int) and -len(owner) <= key < len(owner):
        return owner[key]
    return Untold()


def of_method(owner: list[Value] | dict[str | int, Value], name: str, given: Sequence[Value]) -> Value:
    if name == "copy" and not given:
        return owner.copy()
    if isinstance(owner, list):
        return Untold()
    match name, given:
        case "get", [str() | int() as key]:
            return owner.get(key)
        case "get", [str() | int() as key, default]:
            return owner.get(key, default)
        case "items", []:
            return [*owner.items()]
        case "keys", []:
            return list[Value](owner)
        case "values", []:
            return [*owner.values()]
        case _:
            return Untold()


def builtin(name: str, given: Sequence[Value]) -> Value:
    """What a built-in function, or one of itertools, makes of its arguments."""
    numbers = [value for value in given if isinstance(value, int)]
    lists = [items for items in map(elements, given) if items is not None]
    match name:
        case "range" if len(numbers) == len(given) and 1 <= len(numbers) <= 3 and 0 not in numbers[2:]:
            numbered = range(*numbers)
            return list[Value](numbered) if len(numbered) <= MAX_ITEMS else Untold()
        case "product" if len(lists) == len(given) and math.prod(map(len, lists)) <= MAX_ITEMS:
            return [*itertools.product(*lists)]
        case "zip" if len(lists) == len(given):
            return [*zip(*lists, strict=False)]
        case "enumerate" if len(lists) == len(given) == 1:
            return [*enumerate(lists[0])]
        case "list" | "tuple" | "sorted" | "set" if len(lists) == len(given) == 1:
            return [*lists[0]]
        case "list":
            return Untold() if given else []
        case "len" if len(lists) == len(given) == 1:
            return len(lists[0])
        case "max" | "min" if len(numbers) == len(given) > 1:
            return max(numbers) if name == "max" else min(numbers)
        case "int" | "bool" if len(numbers) == len(given) == 1:
            return int(numbers[0]) if name == "int" else bool(numbers[0])
        case _:
            return Untold()


def compared(op: str, a: Value, b: Value) -> bool | Untold:
    if op in ("is", "is not") and b is None:
        if isinstance(a, Untold) and not a.truth:
            return Untold()
        return (a is None) == (op == "is")
    if isinstance(a, Untold) or isinstance(b, Untold):
        return Untold()
    if op in ("==", "is"):
        return a == b
    if op in ("!=", "is not"):
        return a != b
    if op in _COMPARISONS and isinstance(a, int | float) and isinstance(b, int | float):
        return _COMPARISONS[op](a, b)
    items = elements(b)
    if op in ("in", "not in") and items is not None and not any(isinstance(item, Untold) for item in items):
        return (a in items) == (op == "in")
    return Untold()


def joined(a: Sequence[Value], b: Sequence[Value]) -> Value:
    """Two lists as one; nothing that grows without end."""
    return [*a, *b] if len(a) + len(b) <= MAX_ITEMS else Untold()


def calculated(op: str, a: Value, b: Value) -> Value:
    if isinstance(a, list) and isinstance(b, list) and op == "+":
        return joined(a, b)
    if isinstance(a, dict) and isinstance(b, dict) and op == "|":
        return a | b
    if isinstance(a, int) and isinstance(b, int) and op in ("**", "<<"):
        return _bounded(a**b if op == "**" else a << b) if 0 <= b <= 64 else Untold()
    if not isinstance(a, int | float) or not isinstance(b, int | float):
        return Untold()
    if op not in _OPERATORS or (op in ("//", "/", "%") and not b):
        return Untold()
    return _bounded(_OPERATORS[op](a, b))


def _bounded(number: float) -> Value:
    return number if abs(number) <= 1 << 64 else Untold()
