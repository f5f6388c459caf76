"""Where kernels are launched, with the grid and the arguments said in the kernel's own words.

`kernel[grid](...)` is followed from the grid's name to its lambda, tuple or caller. What only the host knows keeps
the host's names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kernelscope.kernels.triton.grid_cases import Grid, grid_of, grids_of, told_when
from kernelscope.kernels.triton.host_cases import Cases
from kernelscope.kernels.triton.host_things import Beginning, HostValue, Table, as_dim
from kernelscope.kernels.triton.host_values import HostScope
from kernelscope.kernels.triton.kernel_words import KernelWords
from kernelscope.kernels.triton.launch_sites import LaunchSite, LaunchSites, launching_files, naming_files
from kernelscope.results import Location
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.usages import CallSite
from kernelscope.workspace.workspace import Workspace

MAX_LAUNCHES = 12
CALLER_BYTES = 500_000
"""Source text that is looked through for callers of a function that launches."""
Numbers = tuple[tuple[str, int], ...]
OPTIONS = frozenset(("num_warps", "num_stages", "num_ctas", "maxnreg", "grid", "warmup", "stream"))


@dataclass(frozen=True, slots=True)
class Launch:
    """One launch. `grid` is None where it could not be followed; `text` is the grid as written.

    `arguments`: what is passed, by parameter, in the host's words; `options`: `num_warps` and its kin where known.
    """

    location: Location
    text: str
    grid: Grid | None
    arguments: tuple[tuple[str, HostValue], ...]
    options: tuple[tuple[str, int], ...]
    resolved: bool
    """Whether the grid speaks of the kernel's own parameters only."""
    complete: bool
    """Whether every argument is written out, without `*` and `**`."""
    passed: frozenset[str] = frozenset()
    """Names of what is passed, by position or by keyword."""
    surplus: int = 0
    """Positional arguments beyond the kernel's parameters."""
    spreads: bool = False
    """Whether `*` or `**` may pass more than is told."""
    when: str = ""
    """The tests of the host under which this is the grid, where they leave several."""


def launches(workspace: Workspace, path: str, node: t.FunctionDef) -> list[Launch]:
    """Launches of a kernel, of its own file first; those with a grid in the kernel's words come first."""
    tried = list(launching_files(workspace, path, node.name))
    found = _launches_in(workspace, path, node, tried)
    found = found or _launches_in(workspace, path, node, naming_files(workspace, path, node.name, tried))
    return sorted(found, key=lambda launch: (not launch.resolved, launch.grid is None))


def _launches_in(workspace: Workspace, path: str, node: t.FunctionDef, files: Iterable[str]) -> list[Launch]:
    """The launches in the first files that have some."""
    found: list[Launch] = []
    for file in files:
        for site in LaunchSites(workspace, file, path, node).found():
            found.extend(_launches(workspace, site, node))
            if len(found) >= MAX_LAUNCHES:
                break
        if len(found) >= MAX_LAUNCHES or (found and file != path and len(found) > 4):
            break
    return found


def _launches(workspace: Workspace, site: LaunchSite, node: t.FunctionDef) -> list[Launch]:
    """A launch, once per grid that the undecided tests of the host leave open."""
    best: list[Launch] = []
    for scope in _scopes(workspace, site):
        found = _cases(workspace, site, node, scope)
        if any(launch.resolved for launch in found):
            return found
        if not best or best[0].grid is None:
            best = found
        if best and best[0].grid is not None:
            break
    return best


def _cases(workspace: Workspace, site: LaunchSite, node: t.FunctionDef, scope: HostScope) -> list[Launch]:
    """The launch in each case: first the likeliest, then those that give other grids or pass other numbers."""
    asking = Cases(asking=True)
    usual, likely = grid_of(scope, site, asking), asking.asked
    grids = grids_of(scope, site, usual, likely)
    meant = {grid: [way for way in ways if _is_of_kernel(scope, site, way)] for grid, ways in grids.items()}
    grids = {grid: ways for grid, ways in meant.items() if ways} or grids
    same = _in_every_case(scope, site, node, usual, likely) if len(grids) > 1 and usual is not None else None
    scope.cases = anyhow = Cases()
    _arguments(scope, site.call, node, site.call.span.start)
    found: dict[tuple[Grid | None, Numbers], tuple[Launch, list[dict[str, bool]]]] = {}
    for grid, ways in grids.items():
        for group in [[way] for way in ways] if anyhow.questions else [ways]:  # what is passed may rest on no test
            answers = {**likely, **group[0]}
            launch = _launch(workspace, site, node, scope, grid, answers, group[0] if anyhow.questions else answers)
            if same is not None:
                launch = replace(launch, grid=same[0], resolved=not same[1])
            found.setdefault((launch.grid, _numbers(launch)), (launch, []))[1].extend(group)
    several = len({grid for grid, _ in found}) > 1
    told = [(launch, ways) for (grid, _), (launch, ways) in found.items() if grid is not None or not several]
    return [replace(launch, when=told_when(ways) if several else "") for launch, ways in told]


def _is_of_kernel(scope: HostScope, site: LaunchSite, way: dict[str, bool]) -> bool:
    """Whether the launched name may be the kernel where the host's tests have these answers."""
    scope.cases = Cases(way)
    return all(scope.decide(b.test, b.reach[0], 0) in (b.holds, None) for b in site.branches)


def _numbers(launch: Launch) -> Numbers:
    """What a launch passes as numbers."""
    known = ((name, as_dim(value)) for name, value in launch.arguments)
    return tuple((name, number.const) for name, number in known if number is not None and number.const is not None)


def _in_every_case(
    scope: HostScope, site: LaunchSite, node: t.FunctionDef, usual: Grid, likely: dict[str, bool]
) -> tuple[Grid, set[str]] | None:
    """The grid in the kernel's words and the host's names in it, where the launch passes all that tests leave open."""
    at = site.call.span.start
    host = site.function.name if site.function else "host"

    def own(cases: Cases, grid: Grid) -> tuple[Grid, set[str]]:
        scope.cases = cases
        words = KernelWords(_sizes_first(_arguments(scope, site.call, node, at), site.call, node), node, host)
        return tuple(words.own(size) for size in grid), words.foreign

    anyhow = Cases()
    same, names = own(anyhow, grid_of(scope, site, anyhow) or ())
    return (same, names) if same and names <= own(Cases(likely), usual)[1] else None


def _launch(
    workspace: Workspace,
    site: LaunchSite,
    node: t.FunctionDef,
    scope: HostScope,
    grid: Grid | None,
    likely: Mapping[str, bool],
    certain: Mapping[str, bool],
) -> Launch:
    """`likely`: the answers to the host's tests that the grid is said with; `certain`: those that this launch is for,
    which what it passes may rest on."""
    module = workspace.modules.module(site.file)
    assert module is not None
    at = site.call.span.start
    scope.cases = Cases(likely)
    arguments = _arguments(scope, site.call, node, at)
    own: Grid | None = None
    resolved = False
    if grid is not None:
        words = KernelWords(
            _sizes_first(arguments, site.call, node), node, site.function.name if site.function else "host"
        )
        own = tuple(words.own(d) for d in grid)
        resolved = not words.foreign
    if certain != likely:
        scope.cases = Cases(certain)
        arguments = _arguments(scope, site.call, node, at)
    options = tuple(
        (k.arg, number.const)
        for k in site.call.keywords
        if k.arg in OPTIONS and (number := as_dim(scope.evaluate(k.value, at))) is not None
        if number.const is not None
    )
    head = site.call.func.value if isinstance(site.call.func, t.Subscript) else site.call.func
    by_name = (t.dotted(head) or "").rpartition(".")[2] == node.name  # other names may mean several kernels
    spreads = any(isinstance(a, t.Starred) for a in site.call.args) or any(k.arg is None for k in site.call.keywords)
    complete = by_name and not spreads
    location = module.text.location(Path(site.file), site.call.func.span)
    text = module.text.slice(site.grid.span)
    passed = frozenset(p.name for p in node.args[: len(site.call.args)]) | {
        k.arg for k in site.call.keywords if k.arg is not None
    }
    surplus = max(0, len(site.call.args) - len(node.args))
    return Launch(location, text, own, tuple(arguments.items()), options, resolved, complete, passed, surplus, spreads)


def _scopes(workspace: Workspace, site: LaunchSite) -> Iterator[HostScope]:
    """The host function by itself, then as its callers use it: a grid may be its argument."""
    if site.caller is not None and site.function is not None:
        yield _called(workspace, site, site.function, site.caller)
        return
    yield HostScope(workspace.modules, site.file, site.function)
    if site.function is None or _is_method(workspace, site.file, site.function):
        return  # whose callers cannot be told by its name
    definition = Definition(site.file, site.function.name, site.function)
    for caller in workspace.usages.calls(definition, limit=4, most=CALLER_BYTES).sites:
        yield _called(workspace, site, site.function, caller)


def _is_method(workspace: Workspace, path: str, function: t.FunctionDef) -> bool:
    module = workspace.modules.module(path)
    around = module.scopes_around(function.span.start) if module is not None else []
    return any(scope.node is function and scope.owner is not None for scope in around)


def _called(workspace: Workspace, site: LaunchSite, function: t.FunctionDef, caller: CallSite) -> HostScope:
    """The host function with what one call passes; what a call leaves out has its default."""
    outer = HostScope(workspace.modules, caller.path, caller.function)
    at = caller.call.span.start
    arguments = [outer.evaluate(a, at) for a in caller.call.args]
    bound = dict(zip((p.name for p in function.args), arguments, strict=False))
    bound |= {k.arg: outer.evaluate(k.value, at) for k in caller.call.keywords if k.arg is not None}
    complete = all(k.arg is not None for k in caller.call.keywords)
    if complete and not any(isinstance(a, t.Starred) for a in caller.call.args):
        for param in function.args:
            if param.name not in bound and isinstance(param.default, t.Constant):
                bound[param.name] = outer.evaluate(param.default, at)
    known = {name: value for name, value in bound.items() if value is not None}
    return HostScope(workspace.modules, site.file, function, known)


def _arguments(scope: HostScope, call: t.Call, node: t.FunctionDef, at: int) -> dict[str, HostValue]:
    """What is passed, by parameter; `*args` and `**kwargs` as far as the host gathers them in sight."""
    names = [p.name for p in node.args]
    listed: list[HostValue] = []
    for argument in call.args:
        if not isinstance(argument, t.Starred):
            listed.append(scope.evaluate(argument, at))
            continue
        gathered = scope.evaluate(argument.value, at)
        if isinstance(gathered, Beginning):
            listed += gathered.items
        if not isinstance(gathered, tuple):
            break
        listed += gathered
    found = dict(zip(names, listed, strict=False))
    for keyword in call.keywords:
        value = scope.evaluate(keyword.value, at)
        if keyword.arg in names:
            found[keyword.arg] = value
        elif keyword.arg is None and isinstance(value, Table):
            found |= {key: given for key, given in value.entries if key in names}
    return found


def _sizes_first(arguments: dict[str, HostValue], call: t.Call, node: t.FunctionDef) -> dict[str, HostValue]:
    """The arguments with those last that are passed as `x.stride(…)`: of what is both a size and a stride the size is
    meant where it is about programs."""
    passed = {param.name: value for param, value in zip(node.args, call.args, strict=False)}
    passed |= {k.arg: k.value for k in call.keywords if k.arg is not None}

    def is_stride(name: str) -> bool:
        value = passed.get(name)
        return isinstance(value, t.Call) and isinstance(value.func, t.Attribute) and value.func.attr == "stride"

    return dict(sorted(arguments.items(), key=lambda item: is_stride(item[0])))
