"""Show Execution Timeline of a scheduler or a megakernel: tasks in order, queues with their waits, dealing, counters.

Times are an order: the source seldom says how long a task takes. Triton kernels have theirs in `tiling`.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from string import ascii_uppercase

from kernelscope.diagrams.timeline import Lane, Task, timeline
from kernelscope.explain.document import Block, Document, Heading, Line, Paragraph, Picture, Region, Table
from kernelscope.explain.execution_model import loop_over_tasks
from kernelscope.explain.targets import PythonTarget
from kernelscope.results import Location, Target, UserError, ViewOptions
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.counters import Met, meetings
from kernelscope.serving.dealing import QUEUES, Deal, deals
from kernelscope.serving.tasks import Plan, Put, plan
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.text import SourceText
from kernelscope.workspace.files import CUDA_SUFFIXES
from kernelscope.workspace.workspace import Workspace

COLUMNS = ("", "Task", "How many", "After", "Made by", "Source")
ORDER = "An order, not a measure of time: "
LETTERED = Line(f"{ORDER}[A0] is a task, (A) the wait for those of kind A.")
WAITS = ("wait", "·")
"""What the waits are called between tasks that have their names, if there is room for it."""
LAST_WORD = re.compile(r"(?<=[a-z])[A-Z][a-z]+$|(?<=[a-z])_[a-z]+$")
AXIS = len("► time")
ARE_DATA = "Tasks are data here: a function takes one after the other, and which waits for which their table tells."
MAX_HEAD = 90
MAX_NEAR = 40
"""Files that a scheduler imports, and those beside a kernel, that are looked into."""


def scheduler_timeline(workspace: Workspace, found: PythonTarget, options: ViewOptions, target: Target) -> Document:
    """The schedule that a function, or the richest function of a file, builds. Raises UserError when there is none."""
    scopes = [found.scope] if found.scope is not None else found.module.functions()
    plans = [
        (plan(workspace, found.path, found.module, scope.node), scope)
        for scope in scopes
        if isinstance(scope.node, t.FunctionDef)
    ]
    best, scope = max(plans, key=lambda entry: _richness(entry[0]), default=(Plan(), None))
    ways = list(_ways(workspace, found))
    if not best.puts and not ways:
        raise UserError(f"no schedule is built in {target.symbol or found.path.name}: no tasks are put into queues")
    blocks: list[Block] = []
    if best.puts and scope is not None:
        blocks += [_task_table(best), Heading("Timeline"), *_lanes(best, ways, options)]
    if ways:
        blocks += [Heading("Dealing"), *_dealing(ways, options)]
    title = f"Timeline of {scope.qualified_name if best.puts and scope is not None else found.path.name}"
    return Document(title, tuple(blocks), "timeline", target)


def _richness(found: Plan) -> tuple[int, int]:
    """What puts the most tasks, and of those that put the same the outermost."""
    return len(found.puts), sum(len(put.loops) for put in found.puts)


def _ways(workspace: Workspace, found: PythonTarget) -> Iterator[Deal]:
    """How the file, or what it imports, deals tasks to queues."""
    seen = {str(found.path)}
    yield from deals(PythonSource(found.path, found.module))
    for node in t.walk(*found.module.body):
        if not isinstance(node, t.ImportFrom) or len(seen) > MAX_NEAR:
            continue
        for alias in node.names:
            imported = workspace.modules.imported(str(found.path), node, alias.bound)
            path = getattr(imported, "path", None)
            module = workspace.modules.module(path) if isinstance(path, str) and path not in seen else None
            if module is not None and isinstance(path, str):
                seen.add(path)
                yield from deals(PythonSource(Path(path), module))


# -- tasks -----------------------------------------------------------------------------------------------


def _letters(kinds: Sequence[str]) -> dict[str, str]:
    names = (letter * times for times in count(1) for letter in ascii_uppercase)
    return dict(zip(kinds, names, strict=False))


def _task_table(found: Plan) -> Table:
    letters = _letters(found.kinds)
    rows: list[tuple[Line, ...]] = []
    for kind in found.kinds:
        put = next(put for put in found.puts if put.kind == kind)
        before = found.before(kind)
        after = ", ".join(f"{letters[o]}{' of the round before' if earlier else ''}" for o, earlier in before.items())
        times = " × ".join(f"{amount}" for _, amount in put.loops if amount) or "1"
        rows.append(
            (
                Line(letters[kind]),
                Line(kind, put.location),
                Line(times),
                Line(after or "—"),
                Line(put.function),
                Line(str(put.location), put.location),
            )
        )
    return Table(COLUMNS, tuple(rows))


def _lanes(found: Plan, ways: Sequence[Deal], options: ViewOptions) -> Iterator[Block]:
    """Queues with the tasks of one round of the outermost loop, each kind behind a wait where it depends on others."""
    letters = _letters(found.kinds)
    first = [put for put in found.puts if put.loops]
    outer = first[0].loops[0] if first else ("", "")
    inside = [kind for kind in found.kinds if _is_inside(found.puts, kind, outer)]
    rest = [kind for kind in found.kinds if kind not in inside]
    places: dict[str, Location] = {put.kind: put.location for put in reversed(found.puts)}
    waits = {kind: [other for other, earlier in found.before(kind).items() if not earlier] for kind in found.kinds}
    once = {kind for kind in found.kinds if not any(put.loops for put in found.puts if put.kind == kind)}
    picture, order = _drawn([*inside, *rest], waits, letters, places, "queue ", options, once)
    yield picture
    made = ", ".join(letters[kind] for kind in inside)
    repeated = f"{made} are made {outer[1]} times (for {outer[0]}); one round is shown."
    lines = [order, *([Line(repeated)] if outer[1] and rest != found.kinds else [])]
    kinds = dict.fromkeys(deal.kind for deal in ways)
    lines.append(Line(f"Task n of a kind is drawn in queue n; tasks are dealt {' or '.join(kinds) or 'elsewhere'}."))
    yield Paragraph(tuple(lines))


def _is_inside(puts: Sequence[Put], kind: str, outer: tuple[str, str]) -> bool:
    return any(put.kind == kind and put.loops[:1] == (outer,) for put in puts)


def _dealing(ways: Sequence[Deal], options: ViewOptions) -> Iterator[Block]:
    """Which queue each task goes to, drawn for a few queues."""
    for deal in ways:
        yield Paragraph((Line(f"{deal.function}: {deal.kind}; queue index {deal.rule}", deal.location),))
        if not deal.order:
            continue
        places = {queue: [n for n, q in enumerate(deal.order) if q == queue] for queue in range(QUEUES)}
        lanes = [
            Lane(f"queue {queue}", tuple(Task(f"task {n}", at, at + 1, key="deal") for at, n in enumerate(tasks)))
            for queue, tasks in places.items()
        ]
        panel = timeline(lanes, options.width).drawing()
        regions = [Region(r.row, r.column, r.width, 1, deal.location) for r in panel.regions]
        yield Picture(panel.text, tuple(regions))


# -- counters --------------------------------------------------------------------------------------------


def counter_timeline(workspace: Workspace, target: Target, options: ViewOptions) -> Document:
    """What tasks of the kernels in a file, and beside it, wait for. Raises UserError when no counter is met."""
    sources = list(_beside(workspace, target.path))
    met = meetings(sources)
    are_data = not met
    met = met or meetings(sources[:1], of_functions=True)
    if not met:
        raise UserError(f"no task of {target.path.name} waits for a counter that another adds to")
    order = _sorted(met)
    letters = _letters(order)
    at = {entry.task: entry.location for m in reversed(met) for entry in (m.wait, *m.signals)}
    waits = {
        task: list(dict.fromkeys(s.task for m in met for s in m.signals if m.wait.task == task and not m.earlier))
        for task in order
    }
    picture, told = _drawn(order, waits, letters, at, "SM", options)
    rows = tuple(dict.fromkeys(_row(m, letters) for m in sorted(met, key=lambda m: order.index(m.wait.task))))
    blocks: list[Block] = [
        Table(("", "Task"), tuple((Line(letters[task]), Line(task, at[task])) for task in order)),
        Heading("Waits"),
        Table(("Task", "waits for", "until it reaches", "added to by", "Source"), rows),
        Heading("Timeline"),
        picture,
        Paragraph((told, *([Line(ARE_DATA)] * are_data), *_taking(sources))),
    ]
    return Document(f"Timeline of the tasks of {target.path.parent.name}", tuple(blocks), "timeline", target)


def _beside(workspace: Workspace, path: Path) -> Iterator[CSource]:
    near = workspace.files.beside(str(path.parent), tuple(CUDA_SUFFIXES))
    for name in [str(path), *(name for name in near if name != str(path))][:MAX_NEAR]:
        data = workspace.files.read(name)
        if isinstance(data, bytes):
            yield CSource(Path(name), SourceText(data))


def _taking(sources: Sequence[CSource]) -> Iterator[Line]:
    """How the blocks of a kernel come by their tasks, where the loop over them says so."""
    for source in sources:
        for kernel in (function for function in source.functions if function.is_kernel):
            if (loop := loop_over_tasks(source, kernel)) is not None:
                head = source.quote(loop.start, loop.end, MAX_HEAD)
                yield Line(f"{kernel.name} deals round-robin: {head}", source.at(loop.start))


def _row(met: Met, letters: dict[str, str]) -> tuple[Line, ...]:
    entry = f"{met.wait.table}[{', '.join(met.wait.index)}]"
    by = ", ".join(dict.fromkeys(f"{letters[s.task]} (+{s.amount})" for s in met.signals))
    by += " of the round before" if met.earlier else ""
    wait = met.wait
    return (
        Line(letters[wait.task], wait.location),
        Line(entry),
        Line(wait.amount),
        Line(by, met.signals[0].location),
        Line(str(wait.location), wait.location),
    )


def _sorted(met: Sequence[Met]) -> list[str]:
    """Tasks, each behind those that it waits for within a round."""
    tasks = list(dict.fromkeys(task for m in met for task in (*(s.task for s in m.signals), m.wait.task)))
    needs = {task: set[str]() for task in tasks}
    for m in met:
        if not m.earlier:
            needs[m.wait.task] |= {s.task for s in m.signals if s.task != m.wait.task}
    found: list[str] = []
    while len(found) < len(tasks):
        ready = [task for task in tasks if task not in found and needs[task] <= set(found)]
        found.append(ready[0] if ready else next(task for task in tasks if task not in found))
    return found


def _drawn(
    order: Sequence[str],
    waits: Mapping[str, Sequence[str]],
    letters: Mapping[str, str],
    places: Mapping[str, Location],
    lane: str,
    options: ViewOptions,
    once: Container[str] = (),
) -> tuple[Picture, Line]:
    """A lane each for the first processors, and how to read it: a task of each kind in order, behind the waits for
    those that it needs. Tasks have their names where these fit beside each other, else letters.

    What is made once stands in the first lane only.
    """
    lanes, told = _lanes_of(order, waits, letters, "", lane, once), LETTERED
    for wait in reversed(WAITS):
        named = _lanes_of(order, waits, _names(order), wait, lane, once)
        if _cells(named) <= options.width - AXIS:
            lanes, told = named, Line(f"{ORDER}T0, T1 … are tasks of one kind, ({wait}) waits for what the next needs.")
    panel = timeline(lanes, options.width, more=f"{lane}{QUEUES - 1} … the last").drawing()
    regions = [Region(r.row, r.column, r.width, 1, places[r.key]) for r in panel.regions if r.key in places]
    return Picture(panel.text, tuple(regions)), told


def _lanes_of(
    order: Sequence[str],
    waits: Mapping[str, Sequence[str]],
    names: Mapping[str, str],
    wait: str,
    lane: str,
    once: Container[str],
) -> list[Lane]:
    """Lanes in which everything is as long as its text; `wait` is what waits are called, else by what they wait for."""
    lanes: list[Lane] = []
    for number in range(QUEUES - 1):
        tasks: list[Task] = []
        for kind in (k for k in order if not number or k not in once):
            if needs := waits[kind]:
                tasks.append(_behind(tasks, wait or "".join(names[need] for need in needs), waits=True))
            tasks.append(_behind(tasks, f"{names[kind]}{number}", kind))
        lanes.append(Lane(f"{lane}{number}", tuple(tasks)))
    return lanes


def _names(kinds: Sequence[str]) -> dict[str, str]:
    """What kinds of tasks are called, without the last word where all have the same: `AttendTask`, `OutputTask`."""
    last = {match[0] if (match := LAST_WORD.search(kind)) else "" for kind in kinds}
    common = last.pop() if len(kinds) > 1 and len(last) == 1 else ""
    return {kind: f"{kind.removesuffix(common)} T" for kind in kinds}


def _behind(tasks: Sequence[Task], label: str, key: str = "", waits: bool = False) -> Task:
    start = tasks[-1].end if tasks else 0.0
    return Task(label, start, start + len(label) + 2, waits, key)


def _cells(lanes: Sequence[Lane]) -> float:
    """The cells of the longest lane with its name."""
    return max((lane.tasks[-1].end + len(lane.name) + 2 for lane in lanes if lane.tasks), default=0.0)
