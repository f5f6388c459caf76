"""What code reads of the environment and of the machine: what nobody has set, and no GPUs but NVIDIA's.

A variable that nobody sets is the rule: switches for debugging, other kernels, other machines. As a size it is called
by its name, for that is what people set. What starts a program on several devices does set its variables. The machine
is one with NVIDIA's GPUs or none, as files of CUDA are read.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kernelscope.dims import Dim, dim
from kernelscope.interp.values import Arguments, Keywords, Number, Opaque, Value
from kernelscope.tensor import Unknown

if TYPE_CHECKING:
    from kernelscope.interp.interpreter import Interpreter

SET_BY_LAUNCHERS = (
    "RANK", "WORLD_SIZE", "MASTER_", "TORCHELASTIC_", "SLURM_", "OMPI_", "PMI_", "PMIX_", "MPI_", "MV2_", "JAX_",
)  # fmt: skip
"""What names of variables hold that torchrun (docs.pytorch.org/docs/stable/elastic/run.html, "Environment Variables"),
MPI, Slurm and JAX's clusters set for each process."""
REASON = "a variable of the environment is not known"


@dataclasses.dataclass(frozen=True)
class Variable(Unknown):
    """The text of a variable that somebody sets; as an integer it is called by the variable."""

    variable: str = ""

    def as_number(self) -> Value:
        """What `int()` reads."""
        return Opaque(self.variable)


class Setting(str):
    """The text of a variable by default."""

    variable: str
    """Its name in the environment."""

    def as_number(self) -> Value:
        """The text as an integer, as `int()` reads it."""
        try:
            return _number(int(self), self.variable)
        except ValueError:
            return Number(is_integer=True)


def _number(value: int, variable: str) -> Value:
    """A switch or level is what it is by default; a size is called by its variable."""
    return dim(value) if value in (0, 1) else Opaque(variable, default=value)


def variable(name: Value, span: Any) -> Unknown:
    """`os.environ[name]`, which has been set."""
    return Variable(REASON, span, name) if isinstance(name, str) else Unknown(REASON, span)


def _read(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """`os.environ.get(name, default)`."""
    name = args[0] if args else kwargs.get("key")
    default = args[1] if len(args) > 1 else kwargs.get("default")
    if run.certain or not isinstance(name, str) or any(part in name for part in SET_BY_LAUNCHERS):
        return variable(name, span)
    if isinstance(default, Dim) and default.const is not None:
        return _number(default.const, name)
    if not isinstance(default, str):
        return default
    setting = Setting(default)
    setting.variable = name
    return setting


OTHER_DEVICES = ("npu", "xpu", "hpu", "musa", "mlu", "mps")
"""What torch calls devices of other makers; most of these modules are there only if an extension brings them."""
BROUGHT = {f"torch.{device}" for device in ("npu", "hpu", "musa", "mlu")}
LIBRARY: dict[str, Callable[..., Value]] = {
    "os.environ.get": _read, "os.getenv": _read,
    **{f"{holder}.{device}.is_available": lambda *a: False
       for holder in ("torch", "torch.backends") for device in OTHER_DEVICES},
}  # fmt: skip
"""Functions by their full names."""
VERSIONS: dict[str, Value] = {f"torch.version.{toolkit}": None for toolkit in ("hip", "xpu", "musa", "cann")}
"""The toolkits of other makers that torch was built with."""
