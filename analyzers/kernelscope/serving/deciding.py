"""Functions that decide which of two kinds of work a step does: they answer yes or no, test after test.

What they are asked for is said by their names; when the answer is which is what the code says.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import guards_text, own_of, statements
from kernelscope.serving.pieces import by_function
from kernelscope.serving.preferences import NEW, OLD
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

LEAST = 3
"""How many answers a function gives that weighs something up."""
MOST_TOLD = 8
LONGEST_TEST = 140
ASKING = {"do", "should", "is", "can", "need", "needs", "want", "wants", "run", "use", "choose", "prefer", "decide"}
"""First words of functions that are asked for a decision."""
WAITS = {"waiting", "pending", "queue", "queued", "running", "ready", "active", "batch", "batches", "slots"}
SEVERAL = 2
"""How many words of what waits and runs the tests must hold."""
CACHED = {"cache", "cached", "support", "supports", "supported", "enabled"}
"""Words of what only asks for what a program is able to do."""


@by_function
def decisions(source: PythonSource) -> Iterator[Claim]:
    """`if not self.waiting: return False`, …: when a step reads prompts, and when it goes on with what runs."""
    if source.aside:
        return
    for scope in source.module.functions():
        name = words(scope.node.name)
        kinds = (NEW | OLD) & set(name)
        if not kinds or not ASKING & set(name[:1]) or CACHED & set(name):
            continue
        answers = [(s, guards) for s, guards in statements(scope.node) if isinstance(s, t.Return)]
        values = [s.value.value if isinstance(s.value, t.Constant) else None for s, _ in answers]
        if len(answers) < LEAST or {type(value) for value in values} != {bool} or len(set(values)) < 2:
            continue
        asked = " ".join(source.quote(n.test) for n in own_of(scope.node, t.If))
        if len(WAITS & set(words(asked))) < SEVERAL:
            continue
        told = [_told(source, s, guards_text(source, guards)) for s, guards in answers[:MOST_TOLD]]
        kind = "prefill" if kinds & NEW else "decode"
        value = (
            f"prefill or decode: whether a step runs {kind} is decided anew each time, the first that holds of: "
            f"{'; '.join(told)} (≈ by its name)"
        )
        places = (source.at(scope.node), *(source.at(s) for s, _ in answers[:MOST_TOLD]))
        yield Claim(f"{scope.qualified_name} policy", value, places, confidence="heuristic")


def _told(source: PythonSource, answer: t.Return, tests: list[str]) -> str:
    test = " and ".join(tests)
    test = test if len(test) <= LONGEST_TEST else f"{test[: LONGEST_TEST - 1]}…"
    return source.quote(answer.value) + (f" if {test}" if test else " otherwise") if answer.value is not None else ""
