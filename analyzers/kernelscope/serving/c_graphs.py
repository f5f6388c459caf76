"""CUDA graphs of C++ programs: where a stream is captured, and where what was captured is launched again."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.serving.c_functions import CSource
from kernelscope.serving.claims import Claim

CAPTURES = {"cudaStreamBeginCapture", "cuStreamBeginCapture", "hipStreamBeginCapture", "capture_begin"}
MAKES = re.compile(rb"\b(?:cuda|cu|hip)GraphInstantiate\w*\s*\(")
LAUNCHES = {"cudaGraphLaunch", "cuGraphLaunch", "hipGraphLaunch"}
_REPLAY = re.compile(rb"\b(\w*graph\w*)\s*(?:\.|->)\s*replay\s*\(", re.IGNORECASE)


def c_graphs(source: CSource) -> Iterator[Claim]:
    """Functions that capture a graph, and those that launch one."""
    if source.aside:
        return
    for function in source.functions:
        here = source.at(function.name_start)
        for name, offset in source.calls(function):
            if name in CAPTURES:
                given = ", ".join(source.arguments(offset, function.end))
                value = f"CUDA graph captured in {function.name}: {name}({given})"
                made = (source.at(m.start()) for m in MAKES.finditer(source.code, offset, function.end))
                yield Claim(f"{function.name} CUDA graph", value, (source.at(offset), here, *made))
            elif name in LAUNCHES:
                given = ", ".join(source.arguments(offset, function.end))
                value = f"{function.name} replays the CUDA graph with {name}({given})"
                yield Claim(f"{function.name} CUDA graph replay", value, (source.at(offset), here))
        for match in _REPLAY.finditer(source.code, function.start, function.end):
            value = f"{function.name} replays the CUDA graph with {match[0].decode()})"
            yield Claim(f"{function.name} CUDA graph replay", value, (source.at(match.start()), here))
