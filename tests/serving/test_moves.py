"""Moves of requests between queues: what is taken out of one and put into another in one function."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.moves import moves
from kernelscope.serving.preemption import preemptions
from kernelscope.serving.victims import victims

Source = Callable[[str], PythonSource]


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("seq = self.waiting.popleft()\nself.running.append(seq)", ("self.waiting", "self.running")),
        ("seq = self.waiting[0]\nself.waiting.popleft()\nself.running.append(seq)", ("self.waiting", "self.running")),
        ("self.waiting.remove(seq)\nself.running.append(seq)", ("self.waiting", "self.running")),
        (
            "number = seq.seq_id\nqueue.remove_waiting(number)\nqueue.add_running(seq)",
            ("queue.waiting", "queue.running"),
        ),
        ("seq = self.waiting.pop(0)\nself.rows[self.lane].add_request(seq)", ("self.waiting", "self.rows[…]")),
        (
            "ahead = self.queues[lane]\nseq = self.waiting.get(block=True)\nahead.put(seq, block=True)",
            ("self.waiting", "self.queues[…]"),
        ),
        (
            "batch = self.running.popleft()\nfor place, seq in enumerate(batch):\n    self.decode.append(seq)",
            ("self.running", "self.decode"),
        ),
    ],
)
def test_it_is_seen(source: Source, text: str, ends: tuple[str, str]) -> None:
    body = "".join(f"    {line}\n" for line in text.splitlines())
    assert [(move.source, move.target) for move in moves(source(f"def f(self, seq, queue):\n{body}"))] == [ends]


def test_it_says_when(source: Source) -> None:
    (move,) = moves(
        source(
            """
            def step(self):
                while self.waiting:
                    seq = self.waiting.popleft()
                    if seq.fits:
                        self.running.append(seq)
            """
        )
    )
    assert move.text == "a request (seq) moves from self.waiting to self.running in step if seq.fits"


@pytest.mark.parametrize(
    "text",
    [
        "seq = self.waiting.popleft()\nself.ended.append(seq.seq_id)",
        "seq = self.waiting.popleft()\nself.waiting.append(seq)",
        "page = self.ready.popleft()\nself.used.append(page)",
        "self.running.append(seq)\nself.waiting.remove(seq)",
        "if a:\n    self.waiting.remove(seq)\nelse:\n    self.running.append(seq)",
        "seq = self.finished.popleft()\nself.shown.append(seq)",
    ],
)
def test_near_misses_are_not(source: Source, text: str) -> None:
    body = "".join(f"    {line}\n" for line in text.splitlines())
    assert list(moves(source(f"def f(self, seq, a):\n{body}"))) == []


def test_lists_on_the_way_are_no_queues(source: Source) -> None:
    text = """
        class Desk:
            def next_batch(self):
                chosen, out = [], []
                while self.waiting:
                    seq = self.waiting[0]
                    if len(chosen) == self.most:
                        break
                    chosen.append(seq)
                    self.waiting.popleft()
                self.running.extend(chosen)
                while self.too_many():
                    victim = self.running.pop()
                    out.append(victim)
                self.swapped.extendleft(out)
    """
    assert [(m.element, m.source, m.target) for m in moves(source(text))] == [
        ("seq", "self.waiting", "self.running"),
        ("victim", "self.running", "self.swapped"),
    ]


def test_the_test_of_a_loop_is_a_condition(source: Source) -> None:
    text = """
        class Desk:
            def step(self):
                while self.waiting and len(self.open) < self.most or self.is_late:
                    letter = self.waiting.popleft()
                    if letter.fits:
                        self.open.append(letter)

            def make_room(self):
                while self.used() > self.most_pages:
                    letter = self.open.pop()
                    self.preempt(letter)

            def give_up(self, request):
                while self.used() > self.most_pages:
                    self.pool.free(request)
                    self.waiting.appendleft(request)
    """
    (move,) = (m for m in moves(source(text)) if m.where == "Desk.step")
    assert move.condition == "(self.waiting and len(self.open) < self.most or self.is_late) and letter.fits"
    (victim,) = (c for c in victims(source(text)) if c.name == "Desk.make_room victim")
    assert victim.value.endswith("for self.preempt(letter), while self.used() > self.most_pages")
    (preempted,) = preemptions(source(text))
    assert preempted.value.endswith("self.waiting.appendleft(request), while self.used() > self.most_pages")
