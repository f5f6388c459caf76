"""What a C++ function has done on which CUDA stream, in which order, and what waits for what.

Each call says on which stream it works: a launch in its configuration, a copy, a collective or a function of the code
among its arguments. What takes no stream is left out: it works on the host, or where the code does not say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kernelscope.results import Span
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.guards import last_name
from kernelscope.serving.stream_order import HOST, MOST_STEPS, Order, Walk
from kernelscope.syntax.cuda.expressions import split_arguments
from kernelscope.syntax.python import tree as t

DEFAULT = "default stream"
VENDORS = re.compile(r"^(?:cuda|hip|musa)(?=[A-Z])")
"""What the names of the runtimes begin with that are alike."""
RUNTIME = re.compile(r"^(?:cuda|hip|musa|cu|cublas|cudnn|cusparse|nvtx|hipblas)[A-Z]\w*$")
RUNS = re.compile(r"^(?:Memcpy|Memset|Launch|MemPrefetch|Graph(?:Launch|Upload)|(?:Malloc|Free)(?:FromPool)?Async)\w*")
"""What of a runtime runs something on a stream."""
DECLARED = re.compile(rb"\b(?:cuda|hip|musa)Stream_t\s+([*&\w\s,\[\]]+)")
CALLED = re.compile(r"(?i)(?:^|_|[a-z])streams?\d*_?$")
CONFIGURATION = re.compile(r"\s*(?:<[^<>;]*>\s*)?<<<(.*?)>>>", re.DOTALL)
INDEX = re.compile(r"\[(\w+)(?:\s*%\s*(?:\w+))?\]$")
STREAM_OF_LAUNCH = 3


def order_in(source: PythonSource, function: t.FunctionDef, lettered: bool = False) -> Order:
    """What one function does; nothing is told where nothing waits for a stream or an event."""
    walk = HostWalk(source, range(MOST_STEPS), lettered)
    return walk.run(function) if walk.names_streams(function.body) else Order()


class HostWalk(Walk):
    """One way through a function of C++."""

    def __init__(self, source: PythonSource, told: range, lettered: bool) -> None:
        super().__init__(source, told, lettered)
        listed = b",".join(match[1] for match in DECLARED.finditer(source.text.data))
        self.declared = set(re.findall(r"\w+", listed.decode()))
        self.counters: list[str] = []
        """What counts the rounds of the loops around, outermost first."""

    def names_streams(self, body: Sequence[t.Stmt]) -> bool:
        return any(self._meeting(call) is not None for call in _calls(body))

    def works(self, body: Sequence[t.Stmt]) -> bool:
        return any(self._stream_of(call) is not None for call in _calls(body))

    def _loop(self, loop: t.For | t.While, body: Sequence[t.Stmt]) -> None:
        if _is_dealt_anew(body):
            self._body(body)
            return
        self.counters.append(self._text(loop.target) if isinstance(loop, t.For) else "")
        super()._loop(loop, body)
        self.counters.pop()

    def _simple(self, statement: t.Stmt) -> None:
        for call in _calls([statement]):
            if (meeting := self._meeting(call)) is not None:
                self._met(meeting, call)
            elif (stream := self._stream_of(call)) is not None:
                self._act(stream, last_name(call.func) or self._text(call.func), call.span)

    # -- streams and events -------------------------------------------------------------------------------

    def _meeting(self, call: t.Call) -> str | None:
        """The name of a call that records an event or waits, without that of its vendor."""
        name = VENDORS.sub("", last_name(call.func) or "")
        name = name.removesuffix("WithFlags") if name == "EventRecordWithFlags" else name
        expected = {"StreamWaitEvent": 2, "EventRecord": 1, "StreamSynchronize": 1, "EventSynchronize": 1}
        if name == "DeviceSynchronize":
            return name if not call.args else None
        return name if len(call.args) >= expected.get(name, 100) else None

    def _met(self, name: str, call: t.Call) -> None:
        args = call.args
        match name:
            case "StreamWaitEvent":
                self._wait_for(self._lane(args[0]), args[1], call.span)
            case "EventRecord":
                stream = self._lane(args[1]) if len(args) > 1 else DEFAULT
                self.events[self._text(args[0])] = self._now(stream)
            case "StreamSynchronize":
                self._wait(HOST, self._now(self._lane(args[0])), self._lane(args[0]), call.span)
            case "EventSynchronize":
                self._wait_for(HOST, args[0], call.span)
            case _:
                self._wait(HOST, max(self.clocks.values(), default=0), "all", call.span)

    def _wait_for(self, stream: str, event: t.Expr, span: Span) -> None:
        self._wait(stream, self.events.get(self._text(event), 0), self._text(event), span)

    def _stream_of(self, call: t.Call) -> str | None:
        """The lane of a call that runs something on a device; None for what works on the host."""
        behind = self.source.text.slice(Span(call.func.span.end, call.span.end))
        if (launch := CONFIGURATION.match(behind)) is not None:
            given = split_arguments(launch[1])
            return self._called(given[STREAM_OF_LAUNCH]) if len(given) > STREAM_OF_LAUNCH else DEFAULT
        name = last_name(call.func) or ""
        if RUNTIME.match(name) and not RUNS.match(VENDORS.sub("", name)):
            return None
        return next((self._lane(arg) for arg in call.args if self._is_stream(arg)), None)

    def _is_stream(self, node: t.Expr) -> bool:
        """Whether an argument is a stream: declared as one, or called so."""
        if isinstance(node, t.Call):
            return last_name(node.func) == "stream" or "CurrentCUDAStream" in self._text(node)
        if not isinstance(node, t.Name | t.Attribute | t.Subscript):
            return False
        held = node.value if isinstance(node, t.Subscript) else node
        name = last_name(held) or ""
        return name in self.declared or CALLED.search(name) is not None

    def _lane(self, node: t.Expr) -> str:
        return self._called(self._text(node))

    def _called(self, text: str) -> str:
        """The lane of a stream as the source calls it; that of an index which counts rounds is another in each."""
        text = text.strip().removeprefix("this->").removeprefix("self.").removesuffix(".stream()")
        if text in ("0", "nullptr", "NULL", "cudaStreamDefault", "cudaStreamLegacy", "{}"):
            return DEFAULT
        index = INDEX.search(text)
        if index is None or index[1] not in self.counters:
            return text
        at = self.counters.index(index[1])
        return f"{text[: index.start()]}[{self.rounds[at]}]" if at < len(self.rounds) else text


def _calls(body: Sequence[t.Stmt]) -> Iterator[t.Call]:
    """The calls in some statements, in the order of the text."""
    calls = [node for node in t.walk(*body) if isinstance(node, t.Call)]
    yield from sorted(calls, key=lambda call: call.span)


def _is_dealt_anew(body: Sequence[t.Stmt]) -> bool:
    """Whether a loop chooses its streams by a number that it sets itself: a lane would be another stream in each
    round."""
    nodes = list(t.walk(*body))
    stored = {target.id for n in nodes if isinstance(n, t.Assign) for target in n.targets if isinstance(target, t.Name)}
    used = {n.slice.id for n in nodes if isinstance(n, t.Subscript) and isinstance(n.slice, t.Name)}
    return bool(stored & used)
