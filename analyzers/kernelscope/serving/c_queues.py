"""Queues between threads of C++ programs that are classes of their own: lock-free ones, blocking ones, rings.

By what is declared as one and what is called on it; containers of the standard library lock nothing and are none. What
a header declares and another file uses is one where its type says that several threads share it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.serving.c_functions import CFunction, CSource, matching
from kernelscope.serving.channels import Channel, Use
from kernelscope.serving.messages import MOST_KINDS

_DECLARED = re.compile(
    rb"(?m)^[ \t]*(?:(?:mutable|static|inline|std::(?:unique|shared)_ptr\s*<)\s*)*"
    rb"((?:\w+::)*\w{0,40}(?:[qQ]ueue|[cC]hannel|[mM]ailbox|RingBuffer)\w{0,40})(?:\s*<([^;{}()\n]{1,160})>)?[\s>*&]+(\w+)\s*[;{=]"
)
"""`MPSCQueue<Event> events;`, `std::unique_ptr<folly::MPMCQueue<Request*>> requests_;`."""
HEADERS = {".h", ".hpp", ".hh", ".hxx", ".cuh"}
STANDARD = {b"std::queue", b"std::deque", b"std::priority_queue", b"queue", b"deque", b"priority_queue"}
_SHARED = re.compile(
    rb"(?:MPSC|MPMC|SPSC|SPMC|[cC]oncurrent|[bB]locking|[lL]ock_?[fF]ree|[aA]sync|[sS]afe|[sS]ync)\w*[qQ]ueue\Z"
)
"""The type of what several threads fill and empty, by its name."""
_USED = re.compile(rb"\b(\w{0,40}(?:[qQ]ueue|[cC]hannel|[mM]ailbox)\w{0,40})\s*(?:\.|->)\s*(\w+)\s*\(")
"""What is called on something that is named so: the class that declares it may stand in a header."""
PUTS = ("enqueue", "try_enqueue", "push", "try_push", "put", "write", "blockingWrite", "emplace", "send")
TAKES = ("dequeue", "try_dequeue", "wait_dequeue", "pop", "try_pop", "wait_and_pop", "take", "read", "blockingRead",
         "receive", "recv", "dequeue_for", "try_dequeue_for")  # fmt: skip
_ALIAS = rb"\busing\s+%b\s*=\s*(?:std\s*::\s*)?variant\s*<([^;<>]{1,400})>"
_MADE = re.compile(r"\s*(?:std::make_(?:shared|unique)<\s*)?([A-Z]\w+)\s*[({>]")


def c_queues(source: CSource) -> Iterator[Channel]:
    """The queues that a file declares in its classes, and that it both fills and empties."""
    for name, _, start, taken, put, is_shared in _found(source):
        if (taken and put) or is_shared:
            where = _class_around(source, start) or source.path.stem
            yield Channel("queue", "", "", where, source.at(start), name)


def c_queue_uses(source: CSource) -> Iterator[Use]:
    """Who fills and empties them, with what goes through."""
    told: set[str] = set()
    for name, kinds, _, taken, put, is_shared in _found(source):
        if not (taken and put) and not is_shared:
            continue
        told.add(name)
        for function, place in put:
            argument = source.quote(place, matching(source.code, source.code.find(b"(", place - 1)), 200)
            made = _MADE.match(argument)
            yield Use(name, True, _shown(source, function), source.at(place), None, (made[1],) if made else ())
        for function, place in taken:
            yield Use(name, False, _shown(source, function), source.at(place), None, kinds)
    for match in () if source.aside else _USED.finditer(source.code):
        name, verb = match[1].decode(), match[2].decode()
        if name in told or verb not in (*PUTS, *TAKES) or (function := source.around(match.start())) is None:
            continue
        yield Use(name, verb in PUTS, _shown(source, function), source.at(match.start()))


def _class_around(source: CSource, start: int) -> str:
    return next((cls for first, last, cls in reversed(source.classes) if first < start < last), "")


Calls = list[tuple[CFunction, int]]


def _found(source: CSource) -> Iterator[tuple[str, tuple[str, ...], int, Calls, Calls, bool]]:
    """Names, the kinds of what they hold, where they are declared, who takes from them and who puts into them.

    The last says whether a header declares them as something that threads share.
    """
    if source.aside:
        return
    for match in _DECLARED.finditer(source.code):
        if match[1] in STANDARD or source.around(match.start(3)) is not None:
            continue
        its_own = match[1].rpartition(b"::")[2].decode() in {name for _, _, name in source.classes}
        if its_own or "queue" in _class_around(source, match.start(3)).lower():
            continue  # what such a queue is made of itself
        taken, put = (list(_called(source, match[3], verbs)) for verbs in (TAKES, PUTS))
        is_shared = source.path.suffix in HEADERS and _SHARED.search(match[1]) is not None
        yield match[3].decode(), _kinds(source, match[2] or b""), match.start(3), taken, put, is_shared


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
