"""Synchronisation in C++ and CUDA: spin loops, counters that are raised, queues of work, events between streams.

A loop that does nothing but read what it waits for is a wait; an atomic on a table of counters is its signal. Wrappers
of atomics are known by the words of their names, as their bodies are often assembly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from kernelscope.results import Location
from kernelscope.serving.c_functions import CFunction, CSource, matching
from kernelscope.serving.counters import Struct, said, structs
from kernelscope.serving.sections import words
from kernelscope.serving.waits import COUNTERS, FETCH, Sync

EVENTS = {"cudaEventRecord", "cudaStreamWaitEvent", "cudaEventSynchronize"}
LOADS = {"ld", "load", "loads", "acquire", "cas", "read", "poll"}
STORES = {"st", "store", "put"}
RAISES = {"atomic", "atom", "red", "fetch"}
ASKS = {"query", "test", "exchange", "compare", "is", "has", "ready", "done", "empty", "size"}
"""Words of calls that ask how something stands."""
SLEEPS = {"nanosleep", "sleep", "yield", "pause"}
QUEUES = {"queue", "queues", "ring", "fifo", "mailbox"}
LONGEST_BODY = 900
"""Longest body of a loop that may still only wait, in bytes."""
NEAR = 800
"""How far after an atomic its result is looked for, in bytes."""
_WHILE = re.compile(rb"\bwhile\s*\(")
_BODY = re.compile(rb"\s*(;|\{)")
_CALLED = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
_TEMPLATE = re.compile(r"<[\w:,\s*&]*>(?=\s*\()")
_SET = re.compile(r"\b([A-Za-z_]\w*)(?:\s*\[[^=;]*?\])?\s*=(?!=)\s*([^;]+);")
_SHARED = re.compile(r"volatile|\w+\s*\(|\[|\*")
_GOES_ON = re.compile(r"\[[^\]]*(?:\+\+|--)|\*\s*(?:\+\+|--)?\s*\w+\s*(?:\+\+|--)?(?<=[+-])|\*\s*(?:\+\+|--)")
"""A test that reads the next place each time: `a[i++]`, `*p++`."""
_FILLS = re.compile(r"\w\s*\(\s*&\w+\s*,\s*&\w+\s*\)")
"""A call that gives the next of something by two results, such as what a queue of completions holds."""
_ENTRY = re.compile(r"^&?\s*([\w.>:-]+)\s*\[")
_TURN = rb"\bNAME\s*=\s*(?:\(?\s*NAME\s*==[^?;]+\?[^:;]+:\s*NAME\s*\+\s*1|\(\s*NAME\s*\+\s*1\s*\)\s*%[^;]+)\s*;"
"""A number that goes round: back to the first after the last, or modulo a count."""
_WRAPPED = re.compile(r"&?\s*([\w.>:-]+)\s*(?:\[[^\[\]]*\]\s*)?\[(.*%\s*([\w.>:-]+)\s*)\]\s*$")
_ASSEMBLY = re.compile(r"(?:asm|__asm__)\s*(?:volatile|__volatile__)?\s*\(.*\bld\..*")
_GRID = re.compile(rb"\b(\w+)\s*=\s*(?:\w+::)*this_grid\s*\(")
_OWN = re.compile(rb"(?<![\w.>-])((?:[\w.>-]*[.>-])?(\w+))\s*\[\s*(\w+)\s*\]\s*;")


def c_syncs(source: CSource) -> Iterator[Sync]:
    """The synchronisation of a C++ or CUDA file, function by function; tasks that are structs by their names."""
    if source.aside:
        return
    tasks = [s for s in structs(source) if s.constants] if b"constexpr" in source.code else []
    for sync in _of_functions(source):
        line = sync.location.line
        task = next((s for s in tasks if source.at(s.start).line <= line <= source.at(s.end).line), None)
        yield sync if task is None else _of_task(sync, task)


def _of_task(sync: Sync, task: Struct) -> Sync:
    """A synchronisation with the struct that it stands in, and what is waited for with that struct's constants."""
    name = f"{task.name}::{sync.where}"
    text = sync.text.replace(sync.where, name, 1) if sync.text.startswith(sync.where) else f"{name}: {sync.text}"
    meant = {of: what for of, what in said(sync.expected, task).items() if what != sync.expected}
    if meant and sync.expected:
        values = list(dict.fromkeys(meant.values()))
        text += f", which is {values[0]}" if len(values) == 1 else f", which is {_by_each(meant)}"
        sync = replace(sync, expected=values[0] if len(values) == 1 else sync.expected)
    return replace(sync, text=text, where=name)


def _by_each(meant: dict[str, str]) -> str:
    return ", ".join(f"{what} in {of}" for of, what in meant.items())


def _of_functions(source: CSource) -> Iterator[Sync]:
    for function in source.functions:
        here = source.at(function.name_start)
        yield from _waits(source, function, here)
        yield from _calls(source, function, here)
        yield from _own_queue(source, function, here)
        yield from _grid(source, function, here)
        text_of = source.code[function.start : function.end].decode("utf-8", "replace")
        fetch = next((m for m in FETCH.finditer(text_of) if _is_dealt(m[1], text_of[m.end() :], function)), None)
        if fetch is not None:
            offset = function.start + len(text_of[: fetch.start()].encode())
            text = f"{function.name} fetches work dynamically: {fetch[0]}: an atomic counter hands out the next index"
            yield Sync("atomic", "fetch", text, function.name, source.at(offset), (here,))
        events = [(name, offset) for name, offset in source.calls(function) if name in EVENTS]
        if len(events) >= 2 and (told := _of_events({name for name, _ in events})):
            steps = [f"{name}({', '.join(source.arguments(offset, function.end))})" for name, offset in events[:4]]
            text = f"{function.name}{told[0]}: {'; '.join(steps)}{told[1]}"
            yield Sync("stream_event", "wait", text, function.name, source.at(events[0][1]), (here,))


def _of_events(called: set[str]) -> tuple[str, str] | None:
    """What a function does with events, and what else is true of it; recording them alone makes nobody wait."""
    blocks = "cudaEventSynchronize" in called
    if "cudaStreamWaitEvent" in called:
        return " orders streams by events", "; the host waits for one, too" if blocks else ", without blocking the host"
    return (" lets the host wait for events", "") if blocks else None


def _is_dealt(number: str, after: str, function: CFunction) -> bool:
    """Whether what an atomic gave chooses work: it is an index, or compared with how many there are.

    Hosts log every hundredth of what they count; kernels take a number apart into the indices of a tile.
    """
    name, apart = re.escape(number), "|%|/" if function.is_kernel else ""
    filled = re.search(rf"\[[^\];=]*\b{name}\b[^\];]*\]\s*=(?!=)", after)  # the next free place of a list
    if (
        not function.is_kernel
        and filled is not None
        and not re.search(rf"\[[^\];]*\b{name}\b[^\];]*\](?!\s*=[^=])", after)
    ):
        return False  # however its place is checked first
    if re.search(rf"\b{name}\b\s*(?:[<>](?![<>]){apart})|[^<>][<>]=?\s*{name}\b", after):
        return True
    return filled is None and re.search(rf"\[[^\];]*\b{name}\b", after) is not None


def _waits(source: CSource, function: CFunction, here: Location) -> Iterator[Sync]:
    """Loops that end when memory that others write holds what their test asks for."""
    for match in _WHILE.finditer(source.code, function.start, function.end):
        closed = matching(source.code, match.end() - 1)
        body = _body(source, closed + 1) if closed >= 0 else None
        if body is None:
            continue
        test = source.quote(match.end(), closed, 200)
        last_of = _done_before(source, function, match.start()) if body == "" else None
        if body == "" and (assembly := _loaded_before(source, function, match.start())):
            text = f"{function.name} waits by spinning: do {assembly} while ({test})"
            yield Sync("scoreboard", "wait", text, function.name, source.at(match.start()), (here,))
            continue
        read = _read_again(test, body if last_of is None else last_of)
        if (
            read is None
            or not (read or _SHARED.search(test))
            or _is_delay(test)
            or (not read and not _polls(test))
            or _GOES_ON.search(test)
            or _FILLS.search(test)
        ):
            continue
        bound = re.search(r"(?<![<>=!])(?:<|!=)(?![<=])\s*(.+)$", _TEMPLATE.sub("", test.partition("&&")[0]))
        expected = bound[1].strip() if bound is not None and "||" not in test else ""
        text = f"{function.name} waits by spinning: while ({test})"
        text += f", where {read}" if read else ""
        text += f": until the counter is {expected}" if expected else ""
        places = [here]
        if (meant := _bound_before(source, function, match.start(), expected)) is not None:
            expected = meant[0]
            text += f", which is {expected}"
            places.append(meant[1])
        yield Sync("scoreboard", "wait", text, function.name, source.at(match.start()), tuple(places), expected)


def _is_delay(test: str) -> bool:
    """Whether a loop waits for a clock alone."""
    called = [word for name in _CALLED.findall(_TEMPLATE.sub("", test)) for word in words(name)]
    return bool({"clock", "globaltimer", "time", "now"} & set(called)) and not LOADS & set(called)


def _polls(test: str) -> bool:
    """Whether all that a test calls reads or asks: a loop around a call that works waits for nobody."""
    called = _CALLED.findall(_TEMPLATE.sub("", test))
    return all((LOADS | RAISES | ASKS) & set(words(name)) for name in called)


def _done_before(source: CSource, function: CFunction, at: int) -> str | None:
    """The body of the `do … while` whose test stands here; None where the loop has no body before it."""
    closed = source.code.rfind(b"}", function.start, at)
    if closed < 0 or source.code[closed + 1 : at].strip():
        return None
    depth = 0
    for index in range(closed, function.start, -1):
        depth += (source.code[index] == 0x7D) - (source.code[index] == 0x7B)
        if depth == 0:
            is_do = re.search(rb"\bdo\s*\Z", source.code[max(function.start, index - 20) : index])
            return source.quote(index + 1, closed, LONGEST_BODY) if is_do else None
    return None


def _loaded_before(source: CSource, function: CFunction, at: int) -> str:
    """The load in assembly that a `do … while` consists of: `do { asm("ld.acquire …"); } while (x)`."""
    body = _done_before(source, function, at) or ""
    return body.rstrip("; ") if _ASSEMBLY.fullmatch(body) else ""


def _grid(source: CSource, function: CFunction, here: Location) -> Iterator[Sync]:
    """`this_grid().sync()`, also of a name that is bound to the grid: all blocks of a cooperative launch meet."""
    body = source.code[function.start : function.end]
    names = b"|".join(re.escape(m[1]) for m in _GRID.finditer(body))
    for match in re.finditer(
        rb"(?:this_grid\(\s*\)" + (b"|\\b(?:" + names + b")" if names else b"") + rb")\s*\.\s*sync\s*\(", body
    ):
        offset = function.start + match.start()
        text = (
            f"{function.name}: all blocks of the grid wait for each other ({match[0].decode()})): a cooperative launch"
        )
        yield Sync("barrier", "wait", text, function.name, source.at(offset), (here,))


def _body(source: CSource, start: int) -> str | None:
    """The body of a loop, "" when it is empty; None when it is long."""
    opened = _BODY.match(source.code, start)
    if opened is None:
        return None
    if opened[1] == b";":
        return ""
    depth = 0
    for index in range(opened.end() - 1, min(len(source.code), opened.end() + LONGEST_BODY)):
        depth += (source.code[index] == 0x7B) - (source.code[index] == 0x7D)
        if depth == 0:
            return source.quote(opened.end(), index, LONGEST_BODY)
    return None


def _read_again(test: str, body: str) -> str | None:
    """What a waiting loop reads again, "" when its test does; None when it does more than wait."""
    called = [name for name in _CALLED.findall(body) if name not in ("if", "while", "for")]
    if any(not (LOADS | SLEEPS) & set(words(name)) for name in called):
        return None
    named = set(re.findall(r"[A-Za-z_]\w*", test))
    sets = [(name, value) for name, value in _SET.findall(body)]
    loaded = [f"{name} = {value}" for name, value in sets if name in named and _CALLED.search(value)]
    if any(re.match(rf"{name}\s*(?:->|\.)", value) for name, value in sets):
        return None  # the next of a list
    if any(name in named and value.strip() in named for name, value in sets):
        return None  # what was seen is tried again with something new
    if loaded:
        return loaded[0]
    return "" if not sets and not re.search(r"\+\+|--|[-+*/]=", body) else None


def _bound_before(source: CSource, function: CFunction, before: int, name: str) -> tuple[str, Location] | None:
    """What a local name was last set to before an offset, with the place."""
    if not re.fullmatch(r"[A-Za-z_]\w*", name):
        return None
    sets = list(re.finditer(rb"\b" + name.encode() + rb"\s*=(?!=)\s*([^;]+);", source.code[function.start : before]))
    if not sets:
        return None
    start, end = function.start + sets[-1].start(1), function.start + sets[-1].end(1)
    return source.quote(start, end, 200), source.at(start)


def _calls(source: CSource, function: CFunction, here: Location) -> Iterator[Sync]:
    """Atomics on tables of counters, and loads and stores of rings of work."""
    for name, offset in source.calls(function):
        spoken = set(words(name))
        if not spoken & (RAISES | LOADS | STORES):
            continue
        arguments = source.arguments(offset, function.end)
        if not arguments:
            continue
        quoted = f"{name}({', '.join(arguments)})"
        entry = _ENTRY.match(arguments[0])
        if entry is not None and spoken & RAISES and "cas" not in spoken and COUNTERS & set(words(_last(entry[1]))):
            then = _continues(source, function, offset)
            becomes = f"set to {arguments[-1]}" if {"exch", "exchange"} & spoken else "raised"
            text = f"{function.name} signals by {quoted}: the counter in {entry[1]} is {becomes}{then}"
            yield Sync("event_counter", "signal", text, function.name, source.at(offset), (here,))
        ring = _WRAPPED.match(arguments[0])
        if ring is None or not QUEUES & set(words(_last(ring[1]))):
            continue
        if spoken & STORES:
            text = f"{function.name} puts work into the queue {ring[1]}, a ring of {ring[3]} entries: {quoted}"
            text += _in_turn(source, function, ring[1], arguments[0])
            yield Sync("queue", "fetch", text, function.name, source.at(offset), (here,))
        elif spoken & LOADS:
            text = f"{function.name} takes work from the queue {ring[1]}, a ring of {ring[3]} entries: {quoted}"
            yield Sync("queue", "fetch", text, function.name, source.at(offset), (here,))


def _in_turn(source: CSource, function: CFunction, table: str, entry: str) -> str:
    """How the queue of a table is chosen where its number goes round: `(q == last) ? first : q + 1`, `(q + 1) % n`."""
    chosen = re.search(re.escape(_last(table)) + r"\s*\[\s*([A-Za-z_]\w*)\s*\]", entry)
    if chosen is None:
        return ""
    turned = re.compile(_TURN.replace(b"NAME", chosen[1].encode())).search(source.code, function.start, function.end)
    if turned is None:
        return ""
    return f"; the queues take turns (round robin): {source.quote(turned.start(), turned.end() - 1, 200)}"


def _last(name: str) -> str:
    return re.split(r"\.|->|::", name)[-1]


def _continues(source: CSource, function: CFunction, call: int) -> str:
    """What the one who raises a counter to a number does alone: `if (atomicAdd(…) + 1 == n)`."""
    start = max(source.code.rfind(b";", function.start, call), source.code.rfind(b"{", function.start, call)) + 1
    bound = re.match(r".*?(\w+)\s*=\s*$", source.quote(start, call, 200))
    if bound is None:
        return ""
    near = source.code[call : min(function.end, call + NEAR)]
    test = re.search(rb"\bif\s*\(", near)
    while test is not None:
        opened = call + test.end() - 1
        said = source.quote(opened + 1, matching(source.code, opened), 200)
        if re.search(rf"\b{bound[1]}\b.*==", said):
            return f"; whoever sees {said} goes on"
        test = re.compile(rb"\bif\s*\(").search(near, test.end())
    return ""


def _own_queue(source: CSource, function: CFunction, here: Location) -> Iterator[Sync]:
    """A table of queues of which a block takes its own: `queues[blockIdx.x]`, also by a name."""
    for match in _OWN.finditer(source.code, function.start, function.end):
        table, index = match[2].decode(), match[3].decode()
        if not QUEUES & set(words(table)):
            continue
        meant = _bound_before(source, function, match.start(), index)
        if meant is not None and "blockIdx" in meant[0]:
            queue = f"{match[1].decode()}[{index}], where {index} is {meant[0]}"
            text = f"{function.name} works through a queue of its own: {queue}"
            yield Sync("queue", "fetch", text, function.name, source.at(match.start()), (meant[1], here))
            return
