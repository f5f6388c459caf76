"""How the names of sizes are spelled where they are bound: `hidden_size` means `config.hidden_size` as well."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from kernelscope.dims.polynomial import DimLike

SEPARATOR = "·"
"""Stands between a symbol's name and the number of the call that it belongs to."""
OF_DIM = re.compile(r"_(?:dim|size)[0-9]+(?:_[0-9]+)*$")
"""The end of the name of a size that the source has no name for: `x_dim1` is the second of `x`."""
OF_AXIS = re.compile(rf"(.*_(?:dim|size))([0-9]+)((?:_[0-9]+)*(?:{SEPARATOR}[0-9]+)?)$")
OF_CALL = re.compile(f"{SEPARATOR}([0-9]+)$")
IN_TEXT = re.compile(rf"\(([\w.]+){SEPARATOR}[0-9]+\)|([\w.]+){SEPARATOR}[0-9]+")


def call_of(name: str) -> int:
    """The call that a symbol belongs to; 0 for one that belongs to none, though it may be a part of one that does."""
    found = OF_CALL.search(name)
    return int(found[1]) if found is not None else 0


def without_calls(text: str) -> str:
    """A text about sizes without the numbers of calls that symbols carry, nor the brackets that these ask for."""
    return IN_TEXT.sub(lambda found: found[1] or found[2], text)


def is_of_dim(name: str) -> bool:
    """Whether a size is called after the tensor that it is a size of, for want of a name of its own."""
    return OF_DIM.search(name.partition(SEPARATOR)[0]) is not None


def axis_of(name: str) -> tuple[str, int, str]:
    """The tensor that a size is called after and which of its axes it is, with the name; no tensor for other names."""
    found = OF_AXIS.match(name)
    return ("", 0, name) if found is None else (f"{found[1]}{found[3]}", int(found[2]), name)


def spelled(names: Iterable[str], bindings: Mapping[str, int]) -> dict[str, DimLike]:
    """The bound ones of `names`: a binding of `hidden_size` holds for `config.hidden_size` and `self.hidden_size` too.

    The longest spelling wins, so that `vision_config.hidden_size` can differ from `hidden_size`. One that was bound by
    all of its way, `engine.model.config.hidden_size`, is also meant where no more than the end of it is written.
    """
    found: dict[str, DimLike] = {}
    for name in names:
        rest = name.partition(SEPARATOR)[0]
        while rest not in bindings and "." in rest:
            rest = rest.partition(".")[2]
        if rest in bindings and not _is_call(name):
            found[name] = bindings[rest]
        elif "." in name and len(whole := [bound for bound in bindings if bound.endswith(f".{name}")]) == 1:
            found[name] = bindings[whole[0]]
    return found


def _is_call(name: str) -> bool:
    """Whether a symbol is an expression, such as `len(x.shape)`, whose end names nothing."""
    return "(" in name or "[" in name
