"""The rows of a kernel's card that tell its launches: where they are, grid, block and launch bounds.

What cannot be followed is said as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kernelscope.dims import Dim, product, render
from kernelscope.explain.document import Line
from kernelscope.kernels.cuda.kernels import KernelFacts
from kernelscope.kernels.cuda.launch import Launch
from kernelscope.kernels.cuda.resources import cluster_dims
from kernelscope.results import Location

MAX_LAUNCHES = 12
MAX_LINES = 8
LONG_LIST = 40
"""Characters of template arguments from which on a list is told by what differs."""
_SAME = "…"


def place_of(launch: Launch) -> Location:
    return launch.unit.source.source.location(Path(launch.unit.path), launch.span)


@dataclass(slots=True)
class _Site:
    """A place that launches the kernel: the template arguments that it gives, with what each way there asks for."""

    text: str
    how: str
    branch: str
    place: Location
    ways: dict[tuple[str, ...], list[str]] = field(default_factory=dict[tuple[str, ...], list[str]])


def launch_lines(facts: KernelFacts) -> Iterator[Line]:
    """Each place once, however many ways lead through it; long lists of template arguments say what differs from the
    first of them."""
    sites: dict[tuple[str, str, str], _Site] = {}
    for launch in (*facts.launches, *facts.other_launches):
        text = f"`<<<{', '.join(launch.written)}>>>` L{launch.line} `{Path(launch.unit.path).name}`"
        how = "" if launch.mechanism == "<<<>>>" else f" by {launch.mechanism}"
        branch = f" in a branch that is not taken, {launch.branch}" if launch.branch else ""
        site = sites.setdefault((text, how, branch), _Site(text, how, branch, place_of(launch)))
        whens = site.ways.setdefault(launch.templates, [])
        if launch.when and launch.when not in whens:
            whens.append(launch.when)
    first = next((given for site in sites.values() for given in site.ways if given), ())
    yield from [line for site in list(sites.values())[:MAX_LAUNCHES] for line in _site_lines(site, first)]
    if not sites:
        yield Line("not known: no launch found in the workspace")
    elif len(sites) > MAX_LAUNCHES:
        yield Line(f"and {len(sites) - MAX_LAUNCHES} more")


def _site_lines(site: _Site, first: tuple[str, ...]) -> Iterator[Line]:
    """A line for all template arguments that are given under the same conditions."""
    told: dict[tuple[str, ...], list[str]] = {}
    for given, whens in site.ways.items():
        lists = told.setdefault(tuple(whens), [])
        if given:
            lists.append(_list_text(given, first if given is not first else ()))
    for whens, lists in told.items():
        more = f" and {len(lists) - MAX_LAUNCHES} more" if len(lists) > MAX_LAUNCHES else ""
        given = f" with {', '.join(lists[:MAX_LAUNCHES])}{more}" if lists else ""
        either = len(whens) == 2 and whens[1] == whens[0].replace("if ", "unless ", 1)
        when = f", {whens[0]} or not" if either else f", {'; or '.join(whens)}" if whens else ""
        yield Line(f"{site.text}{given}{site.how}{when}{site.branch}", site.place)


def _list_text(given: tuple[str, ...], first: tuple[str, ...]) -> str:
    """Template arguments; of a long list, those that the first one has at the same place are left out."""
    if given == first:
        return "the same arguments" if len(", ".join(given)) > LONG_LIST else f"<{', '.join(given)}>"
    parts = list(given)
    if len(given) == len(first) and len(", ".join(given)) > LONG_LIST:
        told = [_SAME if text == other else text for text, other in zip(given, first, strict=True)]
        parts = [text for i, text in enumerate(told) if text != _SAME or i == 0 or told[i - 1] != _SAME]
    return f"<{', '.join(parts)}>"


def extent_lines(facts: KernelFacts, which: str) -> Iterator[Line]:
    told: set[str] = set()
    for launch in facts.launches:
        extent = launch.grid if which == "grid" else launch.block
        if None in extent:
            written = launch.written[0 if which == "grid" else 1] if len(launch.written) > 1 else "?"
            sizes = ", ".join(render(size) if size is not None else "?" for size in extent)
            some = any(size is not None and size.const != 1 for size in extent)
            text = f"not known in all: `({sizes})`" if some else f"not known: `{written}` cannot be followed"
        else:
            sizes = [render(size, ()) for size in extent if size is not None]
            text = f"`({', '.join(sizes)})`{_threads(extent, facts) if which == 'block' else ''}"
        if text not in told and len(told) < MAX_LINES:
            told.add(text)
            yield Line(text, place_of(launch))
    if not facts.launches:
        bounds = facts.launch_bounds
        yield Line(
            f"not known: no launch found in the workspace; at most {bounds.threads} threads by its launch bounds"
            if bounds is not None and which == "block"
            else "not known: no launch found in the workspace"
        )


def _threads(extent: tuple[Dim | None, ...], facts: KernelFacts) -> str:
    count = product(size for size in extent if size is not None)
    number = count.const
    if number is None:
        return f" = {render(count)} threads"
    threads = f"{number} thread{'s' if number != 1 else ''}"
    warps = warps_text(number, facts)
    return f" = {threads} = {warps} warp{'s' if warps != '1' else ''}"


def warps_text(threads: int, facts: KernelFacts) -> str:
    """The warps of a block; AMD's GPUs have them of 32 or 64 lanes (HIP, "Hardware implementation")."""
    counts = [-(-threads // lanes) for lanes in ((32, 64) if facts.unit.is_for_amd else (32,))]
    return " or ".join(str(count) for count in dict.fromkeys(counts))


def _bare(expression: str) -> str:
    """What two ways to write an expression have in common."""
    return re.sub(r"[\s()]", "", expression.replace("//", "/"))


def bounds_lines(facts: KernelFacts) -> Iterator[Line]:
    bounds = facts.launch_bounds
    cluster = cluster_dims(facts.function.header)
    where = facts.location(facts.function.name_span)
    macro = facts.unknown_qualifier
    if bounds is None and macro:
        yield Line(f"not known: `{macro}(…)` before the kernel is not defined in the workspace", where)
        return
    if bounds is None:
        yield Line("not set" + (f"; cluster of ({cluster}) blocks" if cluster else ""), where)
        return
    text = f"{bounds.threads} threads"
    if bounds.blocks:
        text += f", min {bounds.blocks} block{'s' if bounds.blocks != '1' else ''}/SM"
    value = facts.bounded_threads
    told = render(value, facts.order) if value is not None else ""
    if told and _bare(told) != _bare(bounds.threads):
        text += f"; {bounds.threads} = {told}"
    if cluster or bounds.clusters:
        text += f"; cluster of ({cluster or bounds.clusters}) blocks"
    yield Line(text, where)
