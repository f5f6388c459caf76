"""The grids of a launch: one where the host decides nothing, else one for each answer to the tests that decide.

Speaks the host's words; `kernel_words` says them in the kernel's.
"""

from __future__ import annotations

import itertools

from kernelscope.dims import Dim
from kernelscope.kernels.triton.host_cases import Cases
from kernelscope.kernels.triton.host_things import GridFunction, HostValue, as_dim
from kernelscope.kernels.triton.host_values import HostScope
from kernelscope.kernels.triton.launch_sites import LaunchSite

MAX_TESTS = 3
"""Undecided tests of the host that are read both ways."""
Grid = tuple[Dim, ...]


def grid_of(scope: HostScope, site: LaunchSite, cases: Cases) -> Grid | None:
    """The grid of a launch in some cases of the host; None where it is not followed."""
    at = site.call.span.start
    scope.cases = cases
    return _grid(scope.evaluate(site.grid, at), scope, at)


def grids_of(
    scope: HostScope, site: LaunchSite, usual: Grid | None, likely: dict[str, bool]
) -> dict[Grid | None, list[dict[str, bool]]]:
    """Each grid with the answers to the tests that decide, which lead to it; the usual one first."""
    decisive: list[str] = []
    worlds = [(usual, likely)]
    for world, answers in worlds:  # which grow: where a test is answered the other way, other tests are asked
        for test in [test for test in answers if test not in decisive][:MAX_TESTS]:
            if len(decisive) == MAX_TESTS:
                break
            flipped, asked = _grid_in(scope, site, _flipped(answers, (test,)))
            if flipped != world:
                decisive.append(test)
                worlds.append((flipped, asked))
    grids: dict[Grid | None, list[dict[str, bool]]] = {usual: []}
    first = {test: known[test] for _, known in reversed(worlds) for test in known if test in decisive}
    for sides in itertools.product((False, True), repeat=len(decisive)):
        flips = tuple(test for test, flip in zip(decisive, sides, strict=True) if flip)
        grid, asked = _grid_in(scope, site, _flipped(first, flips))
        grids.setdefault(grid, []).append({test: asked[test] for test in decisive})
    return grids


def told_when(ways: list[dict[str, bool]]) -> str:
    """The tests that all ways to a grid answer in the same manner, where these are all that it takes."""
    first, *others = ways
    same = {test: holds for test, holds in first.items() if all(way[test] == holds for way in others)}
    if 2 ** (len(first) - len(same)) != len(ways):
        same = first
    return " and ".join(_condition(test, holds) for test, holds in same.items())


def _grid_in(scope: HostScope, site: LaunchSite, answers: dict[str, bool]) -> tuple[Grid | None, dict[str, bool]]:
    """The grid when some tests have these answers and others the likelier one; and all answers."""
    cases = Cases(answers, asking=True)
    return grid_of(scope, site, cases), {**answers, **cases.asked}


def _flipped(answers: dict[str, bool], tests: tuple[str, ...]) -> dict[str, bool]:
    return {test: holds != (test in tests) for test, holds in answers.items()}


def _condition(test: str, holds: bool) -> str:
    if holds:
        return test
    return f"{test.removesuffix(' is None')} is not None" if test.endswith(" is None") else f"not ({test})"


def _grid(value: HostValue, scope: HostScope, at: int, depth: int = 0) -> Grid | None:
    match value:
        case GridFunction() if depth < 4:
            params = value.params[:1]
            inner = value.scope.evaluate(value.result, value.result.span.end, 0, params)
            if value.scope.path == scope.path and value.scope.node is scope.node:
                inner = scope.evaluate(value.result, at, 0, params)
            return _grid(inner, scope, at, depth + 1)
        case tuple():
            sizes = [as_dim(item) for item in value]
            known = [size for size in sizes if size is not None]
            return tuple(known) if len(known) == len(sizes) and known else None
        case Dim():
            return (value,)
        case _:
            return None
