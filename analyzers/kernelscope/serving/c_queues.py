"""Queues between threads of C++ programs that are classes of their own: lock-free ones, blocking ones, rings.

By what is declared as one and what is called on it; containers of the standard library lock nothing and are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.serving.c_functions import CFunction, CSource, matching
from kernelscope.serving.channels import Channel, Use
from kernelscope.serving.messages import MOST_KINDS

_DECLARED = re.compile(
    rb"(?m)^[ \t]*(?:(?:mutable|static|inline|std::(?:unique|shared)_ptr\s*<)\s*)*"
    rb"((?:\w+::)*\w*(?:[qQ]ueue|[cC]hannel|[mM]ailbox|RingBuffer)\w*)(?:\s*<([^;{}()\n]{1,160})>)?[\s>*&]+(\w+)\s*[;{(=]"
)
"""`MPSCQueue<Event> events;`, `std::unique_ptr<folly::MPMCQueue<Request*>> requests_;`."""
STANDARD = {b"std::queue", b"std::deque", b"std::priority_queue", b"queue", b"deque", b"priority_queue"}
PUTS = ("enqueue", "try_enqueue", "push", "try_push", "put", "write", "blockingWrite", "emplace", "send")
TAKES = ("dequeue", "try_dequeue", "wait_dequeue", "pop", "try_pop", "wait_and_pop", "take", "read", "blockingRead",
         "receive", "recv", "dequeue_for", "try_dequeue_for")  # fmt: skip
_ALIAS = rb"\busing\s+%b\s*=\s*(?:std\s*::\s*)?variant\s*<([^;<>]{1,400})>"
_MADE = re.compile(r"\s*(?:std::make_(?:shared|unique)<\s*)?([A-Z]\w+)\s*[({>]")


def c_queues(source: CSource) -> Iterator[Channel]:
    """The queues that a file declares in its classes, and that it both fills and empties."""
    for name, _, start, taken, put in _found(source):
        if taken and put:
            where = next((cls for first, last, cls in reversed(source.classes) if first < start < last), "")
            yield Channel("queue", "", "", where or source.path.stem, source.at(start), name)


def c_queue_uses(source: CSource) -> Iterator[Use]:
    """Who fills and empties them, with what goes through."""
    for name, kinds, _, taken, put in _found(source):
        if not (taken and put):
            continue
        for function, place in put:
            argument = source.quote(place, matching(source.code, source.code.find(b"(", place - 1)), 200)
            made = _MADE.match(argument)
            yield Use(name, True, _shown(source, function), source.at(place), None, (made[1],) if made else ())
        for function, place in taken:
            yield Use(name, False, _shown(source, function), source.at(place), None, kinds)


Calls = list[tuple[CFunction, int]]


def _found(source: CSource) -> Iterator[tuple[str, tuple[str, ...], int, Calls, Calls]]:
    """Names, the kinds of what they hold, where they are declared, who takes from them and who puts into them."""
    if source.aside:
        return
    for match in _DECLARED.finditer(source.code):
        if match[1] in STANDARD or source.around(match.start(3)) is not None:
            continue
        taken, put = (list(_called(source, match[3], verbs)) for verbs in (TAKES, PUTS))
        yield match[3].decode(), _kinds(source, match[2] or b""), match.start(3), taken, put


def _called(source: CSource, name: bytes, verbs: tuple[str, ...]) -> Iterator[tuple[CFunction, int]]:
    calls = re.compile(rb"\b%b\s*(?:\.|->)\s*(?:%b)\s*\(" % (re.escape(name), "|".join(verbs).encode()))
    for match in calls.finditer(source.code):
        function = source.around(match.start())
        if function is not None:
            yield function, match.end()


def _kinds(source: CSource, element: bytes) -> tuple[str, ...]:
    """The alternatives of what a queue holds, where its element is a variant of the file."""
    alias = re.compile(_ALIAS % re.escape(element.strip())).search(source.code) if element.strip() else None
    names = alias[1].decode("utf-8", "replace").split(",") if alias is not None else []
    return tuple(name.strip() for name in names[:MOST_KINDS] if name.strip())


def _shown(source: CSource, function: CFunction) -> str:
    """A function with its class, as the recognisers of both languages name it."""
    owner = source.owner(function)
    return f"{owner}.{function.name}" if owner else function.name.replace("::", ".")
