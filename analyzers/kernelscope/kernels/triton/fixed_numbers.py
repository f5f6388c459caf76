"""Parameters that a kernel gets as one number wherever it is launched, such as a tile size that the host writes out.

What heuristics choose is not fixed, and neither is anything of a kernel with a launch that could not be read whole.
An autotuner chooses only among what launches leave out: it refuses to run with an argument that is passed as well.
"""

from __future__ import annotations

from collections.abc import Sequence

from kernelscope.kernels.triton.configs import Tuning
from kernelscope.kernels.triton.host_things import HostValue, Plain, as_dim
from kernelscope.kernels.triton.launches import MAX_LAUNCHES, Launch
from kernelscope.syntax.python import tree as t


def fixed_numbers(node: t.FunctionDef, launches: Sequence[Launch], tuning: Tuning) -> dict[str, int]:
    """Parameter → number, for those on which all launches agree."""
    if not launches or len(launches) >= MAX_LAUNCHES or not all(launch.complete for launch in launches):
        return {}
    arguments = [dict(launch.arguments) for launch in launches]
    found: dict[str, int] = {}
    for param in node.args:
        if param.name in tuning.heuristics:
            continue
        numbers = {_number(param, a, launch, tuning) for a, launch in zip(arguments, launches, strict=True)}
        number = numbers.pop()
        if number is not None and not numbers:
            found[param.name] = number
    return found


def _number(param: t.Param, arguments: dict[str, HostValue], launch: Launch, tuning: Tuning) -> int | None:
    if param.name not in launch.passed:
        if tuning.tuned and (param.name in tuning.names() or not tuning.complete):
            return None
        default = param.default.value if isinstance(param.default, t.Constant) else None
        return default if isinstance(default, int) and not isinstance(default, bool) else None
    value = arguments.get(param.name)
    number = as_dim(value) if not isinstance(value, Plain) else None
    return number.const if number is not None else None
