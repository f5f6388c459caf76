"""Main loops: what each round of a loop calls that goes on until somebody says otherwise, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import calls, guarded, guards_text, last_name, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.processes import is_endless
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

WORKS = {"step", "schedule", "batch", "forward", "prefill", "execute", "infer", "generate"}
"""Words of what a round of an engine calls."""
NOTES = {"log", "logger", "logging", "print", "time", "perf_counter", "monotonic", "debug", "info", "warning", "error",
         "len", "str", "int", "float", "list", "dict", "set", "tuple", "min", "max", "isinstance", "range", "sum",
         "append", "items", "format", "getattr", "hasattr", "enumerate", "zip", "any", "all", "load", "store", "begin",
         "end", "size", "empty", "push_back", "emplace_back", "c_str", "ToString", "type", "std", "absl",
         "chrono"}  # fmt: skip
"""Calls that do nothing for requests."""
LOOPS = {"loop", "run", "serve", "main", "forever", "worker", "thread", "background", "routine", "event", "busy"}
"""Words of functions that go on as long as the program does."""
METRICS = {"metric", "metrics", "stats", "qsize", "reshape", "log"}
"""Words of calls that only measure."""
FLAGS = {"running", "run", "live", "alive", "stop", "stopped", "stopping", "exit", "shutdown", "closed", "closing",
         "terminated", "terminate", "done", "finished", "quit", "active", "started", "is", "set", "keep",
         "should"}  # fmt: skip
"""Words of what says whether a loop goes on."""
MOST_CALLS, MOST_ENDS, MOST_TESTS = 14, 2, 2
LONGEST_TEST = 80


@by_function
def main_loops(source: PythonSource) -> Iterator[Claim]:
    """`while True: await self.step()`, told with all that a round calls."""
    if source.aside:
        return
    for scope in source.module.functions():
        for loop in own_of(scope.node, t.While):
            if not is_endless(loop.test) or not _is_flag(loop.test):
                continue
            rounds = list(_round(source, loop))
            if not any(WORKS & set(words(last_name(call.func))) for call, _ in rounds):
                continue
            ends = _ends(source, loop)
            if ends and not LOOPS & set(words(scope.node.name)):
                continue  # something is tried until it is done
            said: dict[str, None] = {}
            for call, when in rounds:
                said.setdefault(f"{source.quote(call.func)}{when}", None)
            more = ", …" if len(said) > MOST_CALLS else ""
            value = f"while {source.quote(loop.test)}, each round calls "
            value += f"{', '.join([*said][:MOST_CALLS])}{more}{ends}"
            places = (source.at(loop), *(source.at(call) for call, _ in rounds[:MOST_CALLS]))
            yield Claim(f"{scope.qualified_name} main loop", value, (*places[:9], source.at(scope.node)))
            break


def _is_flag(test: t.Expr) -> bool:
    """Whether a test asks what somebody sets, and not whether a list holds something: `self.waiting`."""
    said = {w for n in t.walk(test) if isinstance(n, t.Attribute) for w in words(n.attr)}
    return isinstance(test, t.Constant) or bool(FLAGS & said)


def _round(source: PythonSource, loop: t.While) -> Iterator[tuple[t.Call, str]]:
    for statement, guards in guarded(loop.body):
        texts = ["…" if len(text) > LONGEST_TEST else text for text in guards_text(source, guards)]
        texts = ["…", *texts[-MOST_TESTS:]] if len(texts) > MOST_TESTS else texts
        when = f" (if {' and '.join(texts)})" if texts else ""
        for call in calls(statement):
            spoken = source.quote(call.func)
            first, last = spoken.partition(".")[0].partition("::")[0], last_name(call.func)
            if {first, last} & NOTES or "(" in spoken or last.isupper() or METRICS & set(words(last)):
                continue
            if last[:1].isupper() and source.path.suffix == ".py":
                continue  # an object is made
            yield call, when


def _ends(source: PythonSource, loop: t.While) -> str:
    """When the loop is left, by `break` and `return` that are its own."""
    inner = [n.span for s in loop.body for n in t.walk(s) if isinstance(n, t.For | t.While)]
    found: list[str] = []
    for statement, guards in guarded(loop.body):
        in_another = any(span.start <= statement.span.start < span.end for span in inner)
        if isinstance(statement, t.Return) or (isinstance(statement, t.Break) and not in_another):
            texts = ["…" if len(text) > LONGEST_TEST else text for text in guards_text(source, guards)]
            found.append(" and ".join(texts) or "it comes to its end")
    told = list(dict.fromkeys(found))
    more = " or else" if len(told) > MOST_ENDS else ""
    return f"; it is left if {' or if '.join(told[:MOST_ENDS])}{more}" if told else ""
