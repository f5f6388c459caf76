"""Layers whose windows slide over one, two or three axes, and choices between those of one kind.

Which of them is meant, the number of dims of the data tells: `(nn.Conv1d, nn.Conv2d, nn.Conv3d)[dims - 1]`.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import re
from collections.abc import Sequence

from kernelscope.interp.values import External, Value
from kernelscope.ops import Module

WINDOWS = re.compile(r"(?:Conv(?:Transpose)?|BatchNorm|InstanceNorm|\w*Pool|\w+Pad)([123])d$")


def axes_of(name: str) -> int | None:
    """Over how many axes the windows of a layer slide; None for other layers."""
    found = WINDOWS.match(name.rpartition(".")[2])
    return None if found is None else int(found[1])


def are_for_any_axes(entries: Sequence[Value]) -> bool:
    """Whether there are layers among several, or classes of them, for other numbers of axes."""
    names = [entry.name for entry in entries if isinstance(entry, Module | External)]
    return len({axes_of(name) for name in names} - {None}) > 1
