"""Arguments of a call bound to documented parameter names, from positions, keywords and defaults.

Does not judge the values; a call that does not fit is None, for a newer library may know more parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ALIASES = {
    "axis": "dim",
    "keepdims": "keepdim",
    "x": "input",
    "x1": "input",
    "x2": "other",
    "tensor": "input",
    "self": "input",
    "split_size_or_sections": "split_size",
    "split_sizes": "split_size",
    "axes": "dims",
    "a": "input",
    "arr": "input",
    "total_repeat_length": "output_size",
}
"""Spellings of NumPy and JAX, some of which torch accepts."""


PLACEMENT = frozenset(("out_sharding",))
"""What every operator of JAX may be told of where its result lies, which is no matter of its shape."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Of one operator. `rest` takes surplus positions; `options` tells whether unknown keywords are taken too."""

    names: tuple[str, ...]
    defaults: Mapping[str, Any]
    keyword_only: tuple[str, ...] = ()
    rest: str | None = None
    options: bool = False

    @staticmethod
    def of(function: Callable[..., Any]) -> Parameters:
        """The parameters of a rule written as a Python function."""
        code = function.__code__
        count, only = code.co_argcount, code.co_kwonlyargcount
        names = code.co_varnames[:count]
        keyword_only = code.co_varnames[count : count + only]
        values = function.__defaults__ or ()
        defaults = dict(zip(names[count - len(values) :], values, strict=True)) | dict(function.__kwdefaults__ or {})
        has_rest = bool(code.co_flags & 0x04)
        return Parameters(
            names,
            defaults,
            keyword_only,
            code.co_varnames[count + only] if has_rest else None,
            bool(code.co_flags & 0x08),
        )

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any] | None:
        """Name → value, `rest` as a tuple; None if the call does not fit."""
        bound: dict[str, Any] = dict(zip(self.names, args, strict=False))
        surplus = tuple(args[len(self.names) :])
        if surplus and self.rest is None:
            return None
        for name, value in kwargs.items():
            if name not in self.names and name not in self.keyword_only:
                alias = ALIASES.get(name, name)
                if self.rest == name and not surplus:
                    surplus = (value,)
                    continue
                if name in PLACEMENT:
                    continue
                is_own = alias in self.names or alias in self.keyword_only
                if not is_own or (self.options and alias in bound):
                    if self.options:
                        bound[name] = value
                        continue
                    return None
                name = alias
            if name in bound:
                return None
            bound[name] = value
        for name in (*self.names, *self.keyword_only):
            if name not in bound:
                if name not in self.defaults:
                    return None
                bound[name] = self.defaults[name]
        if self.rest is not None:
            bound[self.rest] = surplus
        return bound
