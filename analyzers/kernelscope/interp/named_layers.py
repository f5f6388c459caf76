"""Layers of which nothing is known but what they are called: that says of what kind they are.

`getattr(nn, rnn_type)(dim, dim)` is a recurrent layer, `getattr(nn, activation)()` does something to every number: what
that does to shapes is the same for all of a kind. So is `self.norm`, whoever made it.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import re

from kernelscope.interp.findings import OF_A_LAYER
from kernelscope.interp.values import Arguments, Choice, External, Opaque, Value
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Called, Tensor, Unknown

LAYERS = "torch.nn"
FUNCTIONS = "torch.nn.functional"
KINDS: tuple[tuple[re.Pattern[str], str, tuple[str, ...]], ...] = (
    (re.compile(r"rnn|cell_?type", re.IGNORECASE), LAYERS, ("LSTM", "GRU")),
    (re.compile(r"activation|nonlinear|(?:^|[_.])act(?:$|[_.])", re.IGNORECASE), LAYERS, ("Identity", "ReLU", "GELU")),
    (re.compile(r"activation|nonlinear|(?:^|[_.])act(?:$|[_.])", re.IGNORECASE), FUNCTIONS, ("relu", "gelu")),
)
"""What such names are called, whose attribute they name, and some of what they may mean: recurrent layers differ in
what they give besides, activations in nothing; the first of them takes any settings."""


KEEPING = re.compile(r"(?:^|_)(?:act|activation|nonlinearity|(?:layer_?|batch_?)?norm|bn|dropout)(?:$|_|\d)")
"""What layers are called that give what they are given with the same sizes."""


def of_kind(holder: Value, name: Value) -> Choice | None:
    """The layers or functions of a module of torch among which a name that is not known chooses."""
    called = _called(name)
    if called is None or not isinstance(holder, External):
        return None
    for pattern, module, names in KINDS:
        if holder.name == module and pattern.search(called) is not None:
            entries: list[Value] = [External(f"{module}.{each}") for each in names]
            return Choice(entries, is_of_table=names[0] != "LSTM", is_guess=True)
    return None


def kept_shape(func: t.Expr, target: Value, args: Arguments) -> Tensor | None:
    """What an object's layer gives of which nothing is known but that it is called a norm, an activation or dropout."""
    match func:
        case t.Attribute(value=t.Name(), attr=attr) if KEEPING.search(attr) is not None:
            pass
        case _:
            return None
    given = args[0] if len(args) == 1 else None
    is_unknown = isinstance(target, Unknown | Opaque)
    return Tensor(given.shape, Unknown(OF_A_LAYER)) if is_unknown and isinstance(given, Tensor) else None


def as_guessed(value: Value, reason: str = OF_A_LAYER) -> Value:
    """What a layer gives of which nothing is known but its name, or the other kinds of it, marked as that."""
    match value:
        case Tensor():
            return Tensor(value.shape, Unknown(reason), value.place)
        case tuple() if type(value) is tuple:
            return tuple(as_guessed(part, reason) for part in value)
        case _:
            return value


def _called(name: Value) -> str | None:
    """What a text that is not known is called in the code."""
    if isinstance(name, Opaque):
        return name.name
    if isinstance(name, Called) and name.size is not None:
        return str(name.size)
    return None
