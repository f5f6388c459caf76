"""Show Execution Timeline of a function that uses several streams: what runs beside what, and what waits for what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from kernelscope.diagrams.timeline import Lane, Task, timeline
from kernelscope.explain.box_labels import negated
from kernelscope.explain.document import Block, Document, Heading, Line, Paragraph, Picture, Region, Table
from kernelscope.explain.targets import PythonTarget
from kernelscope.results import Location, Target, UserError, ViewOptions
from kernelscope.serving.c_hosts import HostSource
from kernelscope.serving.c_stream_order import order_in
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.stream_order import HOST, Order, order_of
from kernelscope.syntax.cuda.host_module import HostModule, host_module
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope
from kernelscope.workspace.workspace import Workspace

READING = (
    "An order, not a measure of time. [f] is a call, (x) a wait for x; what only works on the host is not told apart."
)
COLUMNS = ("Stream", "What waits, and what runs", "Source")
MOST_TEXT = 70
MOST_CONDITIONS = 6
AXIS = len("► time")
NO_LIMIT = 10_000
Ordered = Callable[[PythonSource, t.FunctionDef, bool], Order]


def stream_timeline(found: PythonTarget, options: ViewOptions, target: Target) -> Document:
    """The streams of a function, or of the function of a file that uses the most. Raises UserError for one stream."""
    source = PythonSource(found.path, found.module)
    scopes = [found.scope] if found.scope is not None else found.module.functions()
    return _drawn(source, scopes, order_of, options, target)


def host_stream_timeline(workspace: Workspace, target: Target, options: ViewOptions) -> Document:
    """The streams of a function of a C++ file, or of the one that uses the most. Raises UserError for one stream."""
    data = workspace.files.read(str(target.path))
    if not isinstance(data, bytes):
        raise UserError(f"{target.path.name} cannot be read")
    module = host_module(data)
    return _drawn(HostSource(target.path, module), _meant(module, target), order_in, options, target)


def _meant(module: HostModule, target: Target) -> list[Scope]:
    """The functions at a target: all of the file where none is named."""
    if target.symbol is not None:
        wanted = target.symbol.replace("::", ".").split(".")
        return [s for s in module.scopes if list(s.path[-len(wanted) :]) == wanted]
    inner = None if target.offset is None else module.scope_at(target.offset)
    return module.scopes if inner is None else [inner]


def _drawn(
    source: PythonSource, scopes: Iterable[Scope], ordered: Ordered, options: ViewOptions, target: Target
) -> Document:
    orders = [(ordered(source, s.node, False), s) for s in scopes if isinstance(s.node, t.FunctionDef)]
    telling = [(order, scope) for order, scope in orders if order.tells]
    if not telling:
        raise UserError(
            f"no schedule is built in {target.symbol or target.path.name}: no tasks are put into queues, and nothing "
            "runs on a second stream"
        )
    order, scope = max(telling, key=lambda entry: (len(entry[0].streams), len(entry[0].acts)))
    is_lettered = _cells(order) > options.width - AXIS
    if is_lettered and isinstance(scope.node, t.FunctionDef):
        order = ordered(source, scope.node, True)
    places = {f"{number}": source.text.location(source.path, act.span) for number, act in enumerate(order.acts)}
    blocks: list[Block] = [
        _picture(order, places, options),
        Paragraph((Line(READING), *_conditions(source, order))),
        Heading("In the order of the code"),
        Table((*([""] * is_lettered), *COLUMNS), tuple(_rows(order, places, is_lettered))),
    ]
    return Document(f"Timeline of {scope.qualified_name}", tuple(blocks), "timeline", target)


def _picture(order: Order, places: dict[str, Location], options: ViewOptions) -> Picture:
    lanes = [
        Lane(
            stream,
            tuple(
                Task(act.label, act.start, act.end, act.waits, f"{number}")
                for number, act in enumerate(order.acts)
                if act.stream == stream
            ),
        )
        for stream in order.streams
    ]
    drawn = timeline(lanes, options.width).drawing()
    return Picture(drawn.text, tuple(Region(r.row, r.column, r.width, 1, places[r.key]) for r in drawn.regions))


def _conditions(source: PythonSource, order: Order) -> Iterator[Line]:
    for test, holds in order.conditions[:MOST_CONDITIONS]:
        text = source.quote(test, MOST_TEXT)
        other = f"!({text})" if isinstance(source, HostSource) else negated(text)
        yield Line(f"Where {text if holds else other}", source.at(test))
    for loop in order.loops:
        head = _head(source, loop)
        yield Line(f"Two rounds of `{head}` are shown, 0 and 1", source.at(loop))
    if any(act.stream == HOST for act in order.acts):
        yield Line("What the host launches after it has waited begins behind that.")


def _head(source: PythonSource, loop: t.For | t.While) -> str:
    """The line that begins a loop."""
    if isinstance(source, HostSource):
        return source.quote(loop, NO_LIMIT).partition("{")[0].strip()[:MOST_TEXT]
    if isinstance(loop, t.For):
        return f"for {source.quote(loop.target)} in {source.quote(loop.iter, MOST_TEXT)}"
    return f"while {source.quote(loop.test, MOST_TEXT)}"


def _rows(order: Order, places: dict[str, Location], is_lettered: bool) -> Iterator[tuple[Line, ...]]:
    for number, act in enumerate(order.acts):
        place = places[f"{number}"]
        said = f"waits for {act.name}" if act.waits else act.name
        letter = [Line("" if act.waits else act.label)] * is_lettered
        yield *letter, Line(act.stream), Line(said, place), Line(str(place), place)


def _cells(order: Order) -> int:
    """The cells of the longest lane with its name."""
    return max((act.end for act in order.acts), default=0) + max(map(len, order.streams), default=0) + 2
