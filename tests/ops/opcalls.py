"""Calls written as torch code, evaluated by the operator table instead of torch, and results as one line of text.

`f32(2, 3)` is a tensor; `torch.nn.Linear(3, 4)(f32(2, 3))` builds and calls a layer; `params(layer)` are its weights;
`at(x)[1:, None]` subscripts. A line of a case file is `call → result`, and the result `error` is torch's exception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernelscope.dims import dim
from kernelscope.ops import Module, apply, build, call, find, index
from kernelscope.ops.modules import find_module
from kernelscope.tensor import DTYPES, DType, Fields, Several, Shape, Tensor, Unknown

CASES = Path(__file__).parent / "cases"
SHORT = {
    "f16": "float16",
    "bf16": "bfloat16",
    "f32": "float32",
    "f64": "float64",
    "i8": "int8",
    "i32": "int32",
    "i64": "int64",
    "u8": "uint8",
    "b8": "bool",
    "c64": "complex64",
    "c128": "complex128",
}
"""Makers of tensors in case files → dtype."""
ROOTS = ("torch", "einops", "einx", "operator", "flash_attn", "xformers", "jax", "flax", "haiku", "equinox")


@dataclass(frozen=True)
class Case:
    """One recorded call."""

    file: str
    line: int
    call: str
    result: str

    @property
    def id(self) -> str:
        return f"{self.file}:{self.line}"


def read_cases() -> Iterator[Case]:
    """All cases of all files."""
    for path in sorted(CASES.glob("*.txt")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            text, arrow, result = line.rpartition(" → ")
            if arrow and not line.startswith("#"):
                yield Case(path.stem, number, text, result)


def as_dims(value: Any) -> Any:
    """Arguments with their integers as Dims, as an interpreter of Python would hand them over."""
    if isinstance(value, int) and not isinstance(value, bool):
        return dim(value)
    if isinstance(value, Fields):
        return value  # what an operator of the table gave
    if isinstance(value, (tuple, list)):
        return type(value)(as_dims(v) for v in value)
    if isinstance(value, dict):
        return {k: as_dims(v) for k, v in value.items()}
    if isinstance(value, slice):
        return slice(as_dims(value.start), as_dims(value.stop), as_dims(value.step))
    return value


class Name:
    """`torch.nn.functional` and the like: a name that becomes an operator when it is called."""

    def __init__(self, name: str, used: set[str]) -> None:
        self.name = name
        self.used = used

    def __getattr__(self, name: str) -> Any:
        if self.name in ("torch", "jax.numpy") and name in DTYPES:
            return DTYPES[name]
        return Name(f"{self.name}.{name}", self.used)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if find_module(self.name):
            layer = build(self.name, as_dims(args), as_dims(kwargs))
            assert isinstance(layer, Module), layer
            return Layer(layer, self.used)
        found = find(self.name)
        assert found is not None, f"{self.name} is not in the table"
        self.used.add(found.name)
        return apply(self.name, as_dims(args), as_dims(kwargs))


class Layer:
    """A built layer that can be called."""

    def __init__(self, layer: Module, used: set[str]) -> None:
        self.layer = layer
        self.used = used

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        found = find_module(self.layer.name)
        assert found is not None
        self.used.add(found.forward.name)
        return call(self.layer, as_dims(args), as_dims(kwargs))


class Subscripted:
    """`at(x)[…]`."""

    def __init__(self, value: Tensor, used: set[str]) -> None:
        self.value = value
        self.used = used

    def __getitem__(self, items: Any) -> Any:
        self.used.add("index")
        return index(self.value, as_dims(items if isinstance(items, tuple) else (items,)))


def evaluate(
    text: str, used: set[str], shape: Callable[[tuple[int, ...]], Shape] = lambda sizes: Shape.of(*sizes)
) -> Any:
    """The table's answer to a call; `shape` may turn the numbers in `f32(2, 3)` into names or forget them."""

    def maker(dtype: str) -> Callable[..., Tensor]:
        return lambda *sizes: Tensor(shape(sizes), DTYPES[dtype])

    scope: dict[str, Any] = {short: maker(name) for short, name in SHORT.items()}
    scope |= {root: Name(root, used) for root in ROOTS}
    scope |= {"key": Tensor(Shape.of(2), DTYPES["uint32"]), "rngs": Unknown("streams of random numbers")}
    scope["params"] = lambda layer: dict(layer.layer.parameters)
    scope["at"] = lambda value: Subscripted(value, used)
    return eval(text, {"__builtins__": {"slice": slice}}, scope)


def told(value: Any) -> str:
    """A result as text: `[2, 3] float32`, `([2] float32, 5)`; `?` is what we do not know."""
    if isinstance(value, Tensor):
        dtype = "?" if isinstance(value.dtype, Unknown) else value.dtype.name
        return f"{value.shape} {dtype}"
    if isinstance(value, (Unknown, Shape)):
        return "?"
    if isinstance(value, Several):
        return f"{told(value.element)} …"
    if isinstance(value, (tuple, list)):
        return f"({', '.join(told(v) for v in tuple[Any, ...](value))})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{k}: {told(v)}' for k, v in dict[str, Any](value).items())}}}"
    return value.name if isinstance(value, DType) else str(value)
