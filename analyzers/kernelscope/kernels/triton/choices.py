"""The values that a configuration or a launch chooses for a kernel's parameters, and where that stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kernelscope.kernels.triton.host_things import Plain, as_dim
from kernelscope.kernels.triton.import_values import Known
from kernelscope.kernels.triton.kernel_facts import KernelFacts
from kernelscope.kernels.triton.launches import Launch
from kernelscope.results import Span


@dataclass(frozen=True, slots=True)
class Choice:
    """One configuration with what every launch passes, or one launch of a kernel that is not autotuned."""

    values: Mapping[str, Known]
    text: str
    """How it is called: `the configuration BLOCK=64`."""
    span: Span

    @property
    def numbers(self) -> dict[str, int]:
        return {
            name: value for name, value in self.values.items() if isinstance(value, int) and not isinstance(value, bool)
        }


def choices(facts: KernelFacts) -> Iterator[Choice]:
    """Configurations first. What is passed in a way that is not followed is left out."""
    for config in facts.tuning.of_nvidia:
        text = ", ".join(f"{name}={value}" for name, value in config.values)
        values = {**facts.fixed, **dict(config.values), **dict(config.options)}
        yield Choice(values, f"the configuration {text}", facts.node.name_span)
    for launch in facts.launches:
        if not launch.complete or facts.tuning.tuned:
            continue
        values = dict[str, Known]()
        for name, value in launch.arguments:
            if isinstance(value, Plain):
                values[name] = value.value
            elif (number := as_dim(value)) is not None and number.const is not None:
                values[name] = number.const
        yield Choice(values, f"the launch of {facts.node.name}", launch_span(facts, launch))


def launch_span(facts: KernelFacts, launch: Launch) -> Span:
    """The place of a launch in the kernel's file; of one in another file the kernel's name."""
    if launch.location.path != facts.path:
        return facts.node.name_span
    start = facts.module.text.line_start(launch.location.line) + launch.location.column
    return Span(start, facts.module.text.line_start(launch.location.end_line) + launch.location.end_column)
