"""Software pipelines of CUDA kernels: loops in which copies to shared memory run some rounds ahead of the work.

How far is read off what a round waits for: the groups of copies that `cp.async.wait_group N` leaves in flight, a second
barrier that takes turns with the first, buffers that take turns. PTX ISA, "cp.async.wait_group"; CUDA C++ Programming
Guide, "Asynchronous Data Copies". What does not follow is no pipeline.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from tree_sitter import Node

from kernelscope.dims import Dim, dim
from kernelscope.kernels.cuda.assembly import constant_operand
from kernelscope.kernels.cuda.intrinsics import GROUP_OF_COPIES, Kind, effect_of, ptx_effects
from kernelscope.kernels.cuda.operations import Behaviour, Key, Reached
from kernelscope.kernels.cuda.taking_turns import Turns, stage_counts, turns_in
from kernelscope.kernels.cuda.warp_roles import warp_roles
from kernelscope.results import Location
from kernelscope.syntax.cuda.nodes import one_line
from kernelscope.syntax.cuda.source import LOOPS, of_kinds

MAX_DEPTH = 8
MOSTLY = 2
"""How many times as much code the work of a round is as all else in it."""
REPEATED = 4
"""Rounds that a loop in the work is taken to make."""
_PTX_WAIT = re.compile(r"\bcp\.async\.wait_(?:all|group\s+(%?\w+))")
_WAIT = re.compile(r"(?:__pipeline_wait_prior\s*\(([^()]*)\)|\bcp_async_wait\s*<([^<>]*)>.*)\Z", re.DOTALL)
_COMMIT = re.compile(r"(?:__pipeline_commit|cp_async_fence)\Z")
_EXPECTS = "mbarrier that expects"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A loop whose copies are for the round that comes `ahead` rounds later."""

    ahead: Dim
    loop: Location
    copy: Location
    wait: Location
    because: str
    """What says how far they are ahead."""
    buffers: Dim | None = None
    """The parts that a buffer has."""
    most: bool = False
    """Whether copies may be as far ahead, as of warps that copy for others."""


@dataclass(frozen=True, slots=True)
class _Event:
    """Something that happens in a function's body, or in one that it calls there."""

    what: str
    """copy, commit, wait, tensor."""
    node: Node
    around: tuple[Node, ...]
    count: Dim | None = None
    """Groups that a wait leaves in flight."""
    name: str = ""
    """The barrier that is waited at, or told of the end of a copy."""


def pipeline_of(found: Behaviour) -> Pipeline | None:
    """The innermost loop that copies ahead; None where none does, or it is not clear how far."""
    reader = _Reader(found)
    best: tuple[int, Pipeline] | None = None
    for one in found.reached:
        for loop, events in reader.loops(one):
            made = reader.pipeline(one, loop, events)
            size = loop.end_byte - loop.start_byte
            if made is not None and (best is None or size < best[0]):
                best = size, made
    return best[1] if best is not None else _by_roles(found)


def _by_roles(found: Behaviour) -> Pipeline | None:
    """Some warps copy into a ring of buffers that others empty; None where nothing tells how many there are."""
    roles = warp_roles(found)
    copying = [role for role in roles if Kind.ASYNC in role.kinds and Kind.TENSOR not in role.kinds]
    working = [role for role in roles if Kind.TENSOR in role.kinds]
    counts = {count for one in found.reached for count in _stages(one)}
    if not copying or not working or len(counts) != 1:
        return None
    (count,) = counts
    who = f"warps with `{copying[0].condition}`" if copying[0].condition else "some warps"
    told = f"{who} copy, the others work, with a ring of buffers between them"
    place = copying[0].location
    return Pipeline(count, place, place, working[0].location, told, count, most=True)


def _stages(one: Reached) -> Iterator[Dim]:
    """The stages of a ring, where a number of one begins anew."""
    text = one.unit.source.text(one.function.body)
    for written in stage_counts(text) if "stage" in text.lower() or "pipe" in text.lower() else ():
        value = one.constants.evaluate(written, one.function.body.start_byte + 1)
        yield value if value is not None else dim(written)


class _Reader:
    def __init__(self, found: Behaviour) -> None:
        self.found = found
        self.by_key = {one.key: one for one in found.reached}
        self._events: dict[Key, tuple[_Event, ...]] = {}

    @cached_property
    def called(self) -> dict[tuple[Key, int], list[Reached]]:
        """The functions that a call runs, by the caller and where the call stands."""
        made: dict[tuple[Key, int], list[Reached]] = {}
        for key, sites in self.found.calls.items():
            for caller, node in sites if key in self.by_key else ():
                made.setdefault((caller.key, node.start_byte), []).append(self.by_key[key])
        return made

    @cached_property
    def has_tensor_cores(self) -> bool:
        return bool(self.found.of(Kind.TENSOR))

    @cached_property
    def barriers(self) -> set[Location]:
        """Where threads wait at barriers that are objects."""
        waits = self.found.of(Kind.BARRIER)
        return {one.location for one in waits if one.effect.text.startswith("cuda::barrier")}

    # -- what happens where -----------------------------------------------------------------------------------

    def events(self, one: Reached, depth: int = 0) -> tuple[_Event, ...]:
        if one.key not in self._events:
            self._events[one.key] = ()  # while it is read: for a function that calls itself
            self._events[one.key] = tuple(self._read(one, depth)) if depth <= MAX_DEPTH else ()
        return self._events[one.key]

    def _read(self, one: Reached, depth: int) -> Iterator[_Event]:
        """What happens in a body; what a lambda does happens where it is called."""
        lambdas = list(_lambdas(one))
        does: dict[str, list[_Event]] = {name: [] for name, _ in lambdas}
        for site in one.unit.source.calls(one.function.body):
            node = site.node
            events = list(self._at(one, node, site.around, depth))
            callee = node.child_by_field_name("function") if node.type == "call_expression" else None
            if callee is not None and callee.type == "identifier":
                told = does.get(one.unit.source.text(callee), [])
                events += [replace(event, node=node, around=site.around) for event in _once(told)]
            inside = [name for name, body in lambdas if body.start_byte <= node.start_byte < body.end_byte]
            if inside:
                does[inside[-1]] += events
            else:
                yield from events

    def _at(self, one: Reached, node: Node, around: tuple[Node, ...], depth: int) -> Iterator[_Event]:
        """What one call or inline assembly does."""
        inner = self.called.get((one.key, node.start_byte))
        if inner:
            for meant in inner:  # others are stand-ins for other architectures, which do nothing
                names, told = _passed(one, meant, node), _once(self.events(meant, depth + 1))
                for event in told:
                    yield _Event(event.what, node, around, event.count, names.get(event.name, event.name))
                if told:
                    return
        elif node.type == "call_expression":
            yield from self._call(one, node, around)
        else:
            yield from self._assembly(one, one.unit.source.text(node), node, around)

    def _call(self, one: Reached, node: Node, around: tuple[Node, ...]) -> Iterator[_Event]:
        source = one.unit.source
        callee = node.child_by_field_name("function")
        name = one_line(source.text(callee)) if callee is not None else ""
        waits = _WAIT.match(source.text(node)) if "wait" in name else None
        effect = effect_of(name)
        if waits is not None:
            yield _Event("wait", node, around, self._number(one, (waits[1] or waits[2] or "").strip(), node))
        elif _COMMIT.search(name) or effect == GROUP_OF_COPIES:
            yield _Event("commit", node, around)
        elif effect is not None and effect.kind is Kind.TENSOR:
            yield _Event("tensor", node, around)
        elif effect is not None and effect.kind is Kind.ASYNC and _EXPECTS not in effect.text:
            given = node.child_by_field_name("arguments")
            last = given.named_children[-1] if given is not None and given.named_children else None
            yield _Event("copy", node, around, name=_plain(source.text(last)) if last is not None else "")
        elif callee is not None and callee.type == "field_expression":
            place = source.source.location(Path(one.unit.path), source.span(node))
            base = callee.child_by_field_name("argument")
            if place in self.barriers and base is not None:
                yield _Event("wait", node, around, name=_plain(source.text(base)))

    def _assembly(self, one: Reached, text: str, node: Node, around: tuple[Node, ...]) -> Iterator[_Event]:
        if "cp.async.commit_group" in text:
            yield _Event("commit", node, around)
        if (wait := _PTX_WAIT.search(text)) is not None:
            written = wait[1] or "0"
            written = constant_operand(text, wait.end()) if written.startswith("%") else written
            yield _Event("wait", node, around, self._number(one, written, node))
        for effect in ptx_effects(text):
            if effect.kind is Kind.TENSOR:
                yield _Event("tensor", node, around)
            elif effect.kind is Kind.ASYNC and _EXPECTS not in effect.text:
                yield _Event("copy", node, around)

    @staticmethod
    def _number(one: Reached, written: str, node: Node) -> Dim | None:
        return dim(int(written)) if written.isdigit() else one.constants.evaluate(written, node.start_byte)

    # -- loops ------------------------------------------------------------------------------------------------

    def loops(self, one: Reached) -> Iterator[tuple[Node, list[_Event]]]:
        """The loops of a function with what happens in each, in order."""
        within: dict[int, tuple[Node, list[_Event]]] = {}
        for event in self.events(one):
            for loop in event.around:
                if loop.type in LOOPS:
                    within.setdefault(loop.start_byte, (loop, []))[1].append(event)
        yield from within.values()

    def pipeline(self, one: Reached, loop: Node, events: Sequence[_Event]) -> Pipeline | None:
        copies = [event for event in events if event.what == "copy"]
        waits = [event for event in events if event.what == "wait"]
        works = any(event.what == "tensor" for event in events) or not self.has_tensor_cores
        if not copies or not waits or not works:
            return None
        turns = turns_in(one.unit.source.text(loop))
        counted = [event for event in waits if event.count is not None]
        if counted:
            return self._by_groups(one, loop, events, counted, turns)
        return self._by_barriers(one, loop, events, copies, waits, turns)

    def _by_groups(
        self, one: Reached, loop: Node, events: Sequence[_Event], waits: Sequence[_Event], turns: Turns
    ) -> Pipeline | None:
        """One group of copies is begun in a round: those that a wait leaves in flight are for later rounds."""
        commits = [event for event in events if event.what == "commit"]
        direct = [event for event in commits if self._is_in_each_round(one, loop, event)]
        counts = {event.count for event in waits if self._is_in_each_round(one, loop, event)}
        if len(direct) != 1 or len(commits) != 1 or len(counts) != 1 or len(waits) != 1:
            return None
        (count,) = counts
        wait = waits[0]
        copy = next((event for event in events if event.what == "copy"), None)
        if count is None or copy is None:
            return None
        work = self._work(one, loop, events, copy, wait)
        if work is None:
            return None
        begin, length = wait.node.start_byte, loop.end_byte - loop.start_byte
        between = (copy.node.start_byte - begin) % length < (work - begin) % length  # it runs before it is in a group
        ahead = count + 1 if between else count
        if ahead.const == 0:
            return None
        order = ", and others begin before it works" if between else ""
        groups = "1 group of copies is" if count.const == 1 else f"{count} groups of copies are"
        told = f"a round waits until at most {groups} in flight{order}"
        return self._made(one, loop, copy, wait, ahead, told, turns.buffers(one.constants.evaluate, loop.start_byte))

    def _work(self, one: Reached, loop: Node, events: Sequence[_Event], copy: _Event, wait: _Event) -> int | None:
        """Where a round works on what was copied: its tensor cores; else where by far the most of its code is."""
        tensor = next((event for event in events if event.what == "tensor"), None)
        if tensor is not None:
            return tensor.node.start_byte
        body = loop.child_by_field_name("body") or loop
        first, second = sorted((copy.node, wait.node), key=lambda node: node.start_byte)
        parts = [
            (body.start_byte, first.start_byte),
            (first.end_byte, second.start_byte),
            (second.end_byte, body.end_byte),
        ]
        loops = [node for nodes in of_kinds(body, LOOPS).values() for node in nodes]
        sizes = [self._amount(one, events, begin, end, loops) for begin, end in parts]
        most = max(range(3), key=sizes.__getitem__)
        others = sum(sizes) - sizes[most]
        return parts[most][0] + 1 if sizes[most] > MOSTLY * others else None

    def _amount(self, one: Reached, events: Sequence[_Event], begin: int, end: int, loops: Sequence[Node]) -> int:
        """How much code a part of a body is, with the functions and lambdas that it calls and what loops repeat, but
        without copies and waits."""
        source = one.unit.source
        text = source.prepared.data[begin:end].decode("utf-8", "replace")
        length = len("".join(text.split()))
        nodes = {event.node.start_byte: event.node for event in events if begin <= event.node.start_byte < end}
        inner_loops = (node for node in loops if begin <= node.start_byte and node.end_byte <= end)
        length += REPEATED * sum(len("".join(source.text(node).split())) for node in inner_loops)
        length -= sum(len("".join(source.text(node).split())) for node in nodes.values())
        for name, body in _lambdas(one):
            used = [found.start() for found in re.finditer(rf"\b{name}\s*\(", text)]
            length += sum(begin + at not in nodes for at in used) * (body.end_byte - body.start_byte)
        for (key, at), inner in self.called.items():
            if key == one.key and begin <= at < end and at not in nodes:
                length += inner[0].function.body.end_byte - inner[0].function.body.start_byte
        return length

    @staticmethod
    def _is_in_each_round(one: Reached, loop: Node, event: _Event) -> bool:
        """Whether something happens once a round, but for rounds at an end."""
        if _innermost(event) != loop:
            return False
        inside = event.around[event.around.index(loop) + 1 :]
        tests = [node.child_by_field_name("condition") for node in inside if node.type == "if_statement"]
        texts = [one.unit.source.text(test) for test in tests if test is not None]
        return len(inside) == len(texts) and not any("==" in text or "%" in text for text in texts)

    def _by_barriers(
        self,
        one: Reached,
        loop: Node,
        events: Sequence[_Event],
        copies: Sequence[_Event],
        waits: Sequence[_Event],
        turns: Turns,
    ) -> Pipeline | None:
        """A round waits at one barrier, its copies are told to another one, and the two change places."""
        for copy in copies:
            for wait in waits:
                if copy.name and wait.name and turns.change_places(copy.name, wait.name):
                    work = self._work(one, loop, events, copy, wait)
                    if work is None or work < copy.node.start_byte:
                        return None
                    told = f"a round waits at {wait.name}, its copies end at {copy.name}, and the two change places"
                    return self._made(one, loop, copy, wait, dim(1), told, dim(2))
        return None

    @staticmethod
    def _made(
        one: Reached, loop: Node, copy: _Event, wait: _Event, ahead: Dim, because: str, buffers: Dim | None
    ) -> Pipeline:
        source, path = one.unit.source, Path(one.unit.path)
        where = [source.source.location(path, source.span(node)) for node in (loop, copy.node, wait.node)]
        return Pipeline(ahead, where[0], where[1], where[2], because, buffers)


def _once(events: Sequence[_Event]) -> list[_Event]:
    """What a function does, once each: one that copies in pieces copies once."""
    return list({(event.what, event.count): event for event in reversed(events)}.values())[::-1]


def _innermost(event: _Event) -> Node | None:
    return next((node for node in reversed(event.around) if node.type in LOOPS), None)


def _lambdas(one: Reached) -> Iterator[tuple[str, Node]]:
    """The lambdas of a function that have names, the outer ones first."""
    source = one.unit.source
    if "[" not in source.text(one.function.body):
        return
    for declared in one.unit.declarations.within(one.function.body):
        given = declared.node.parent
        value = given.child_by_field_name("value") if given is not None and given.type == "init_declarator" else None
        if value is not None and value.type == "lambda_expression":
            yield declared.name, value


def _plain(text: str) -> str:
    """The name of an object, also through a pointer: `(*p)`."""
    return text.strip("()*& \n")


def _passed(one: Reached, inner: Reached, node: Node) -> dict[str, str]:
    """What the parameters of a called function are given, by name."""
    given = node.child_by_field_name("arguments")
    texts = [one.unit.source.text(a) for a in given.named_children if a.type != "comment"] if given else []
    return {p.name: _plain(text) for p, text in zip(inner.function.params, texts, strict=False)}
