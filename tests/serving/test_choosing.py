"""Which request is chosen next, which gives way, and near misses: blocks that go round, ranks that serve, levels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.serving import admission, choosing, giving_up, preemption, preferences, service, victims
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.queues import queues
from kernelscope.serving.service import service_claims

Source = Callable[[str], PythonSource]

SHORTEST = """
class Shortest:
    def next_letter(self):
        letters = self.letters_queue
        first = min(letters, key=lambda letter: letter.left())
        self.letters_queue.remove(first)
        return first
"""
LEVELS = """
class Ladder:
    def next_letter(self):
        for level in range(len(self.rungs)):
            if len(self.rungs[level]) > 0:
                return self.rungs[level].popleft()

    def put(self, letter):
        self.rungs[letter.level()].append(letter)
"""
DEMOTED = """
class Ladder:
    def after(self, letters):
        for letter in letters:
            if letter.run_time() > self.slice_time * 2 ** letter.level():
                letter.set_level(letter.level() + 1)
            self.put(letter)
"""
PROMOTED = """
class Ladder:
    def lift(self, now):
        for rung in self.rungs:
            while rung:
                letter = rung.popleft()
                if now - letter.last_time >= self.longest:
                    self.lifted.append(letter)
        for letter in self.lifted:
            letter.set_level(0)
"""
FROM_THE_END = """
class Ladder:
    def make_room(self, wanted):
        for level in reversed(range(len(self.rungs))):
            for request in reversed(self.rungs[level].letters):
                if wanted <= 0:
                    break
                self.shelf.swap_out([request])
"""
COPIED_OUT = """
class Ladder:
    def make_room(self, chosen, wanted):
        kept = chosen.copy()
        put_off = []
        while wanted > 0 and len(kept) > 0:
            request = kept.pop(-1)
            put_off.append(request)
            wanted -= self.shelf.pages(request)
            self.shelf.swap_out([request])
        return put_off, kept
"""
SET_WAITING = """
class Desk:
    def preempt(self, letter, other):
        for page in letter.pages:
            self.shelf.free_page(page)
        letter.set_waiting()
        return self.shelf.free_pages > 0
"""
GOES_ROUND = """
class Shelf:
    def evict(self, number):
        for _ in range(number):
            page = self.free_page_queue.popleft()
            self.release(page)
            self.free_page_queue.append(page)
"""


def at(source: PythonSource, path: str) -> PythonSource:
    return PythonSource(Path(path), source.module)


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        (
            SHORTEST,
            ("policy by rank", "of self.letters_queue the element with the smallest lambda letter: letter.left()"),
        ),
        (
            LEVELS,
            ("self.rungs holds several queues", "the first that is not empty", "self.rungs[letter.level()].append"),
        ),
        (
            LEVELS.replace("range(len(self.rungs))", "self.rungs").replace("self.rungs[level]", "level"),
            ("several queues",),
        ),
        (DEMOTED, ("ran too long is moved to the next one (letter.set_level(letter.level() + 1))",)),
        (PROMOTED, ("against starvation", "now - letter.last_time >= self.longest", "letter.set_level(0)")),
    ],
)
def test_what_is_chosen_next(source: Source, text: str, fragments: tuple[str, ...]) -> None:
    said = [claim.value for claim in choosing.choices(at(source(text), "/w/scheduler.py"))]
    assert any(all(fragment in value for fragment in fragments) for value in said), said


@pytest.mark.parametrize(
    "text",
    [
        SHORTEST.replace("next_letter", "preempt"),
        SHORTEST.replace("        self.letters_queue.remove(first)\n", ""),
        LEVELS.replace("> 0", "> 0 and level").replace("len(self.rungs[level]) > 0", "self.closed"),
        DEMOTED.replace("run_time() > self.slice_time", "size() > self.size"),
        PROMOTED.replace("now - letter.last_time >= self.longest", "letter.odd"),
    ],
)
def test_what_chooses_nothing(source: Source, text: str) -> None:
    assert not list(choosing.choices(at(source(text), "/w/scheduler.py")))


def test_what_is_served_next_is_no_victim(source: Source) -> None:
    assert not list(victims.victims(source(SHORTEST)))
    (claim,) = victims.victims(source(SHORTEST.replace("next_letter", "preempt")))
    assert "the preemption victim is the element of letters with the smallest" in claim.value


def test_victims_from_the_end_of_several_queues(source: Source) -> None:
    (claim,) = victims.victims(source(FROM_THE_END))
    assert "from the end of self.rungs[level].letters, the last first (self.shelf.swap_out([request]))" in claim.value
    assert "of several queues the last, with the lowest priority, first" in claim.value
    assert not list(victims.victims(source(FROM_THE_END.replace("swap_out", "swap_in"))))
    assert not list(victims.victims(source(FROM_THE_END.replace("request", "address"))))


def test_what_is_copied_out_is_given_up_and_not_admitted(source: Source) -> None:
    (claim,) = victims.victims(source(COPIED_OUT))
    assert "the last of kept is taken (kept.pop(-1)) and what it holds is copied out" in claim.value
    named = COPIED_OUT.replace("kept", "requests")
    assert not list(admission.continuous(source(named)))
    assert list(admission.continuous(source(named.replace("swap_out", "swap_in"))))


def test_one_that_waits_again_is_preempted_without_a_queue(source: Source) -> None:
    (claim,) = giving_up.given_up(source(SET_WAITING))
    assert "frees what letter holds (self.shelf.free_page(page)) and lets it wait again" in claim.value
    assert not list(giving_up.given_up(source(SET_WAITING.replace("def preempt", "def put_by"))))


def test_a_free_page_that_goes_round_is_no_request_that_gives_way(source: Source) -> None:
    assert not list(preemption.preemptions(source(GOES_ROUND)))
    moved = GOES_ROUND.replace("self.free_page_queue.popleft()", "self.running.popleft()")
    assert list(preemption.preemptions(source(moved)))


def test_running_requests_may_stand_in_a_table(source: Source) -> None:
    text = """
        class Desk:
            def __init__(self):
                self.waiting = deque()

            def admit(self):
                while self.waiting and len(self.running) < self.most:
                    letter = self.waiting.popleft()
                    if not self.shelf.fits(letter):
                        self.waiting.appendleft(letter)
                        break
                    self.running[letter.number] = letter
    """
    (claim,) = admission.continuous(source(text))
    assert "continuous batching: Desk.admit admits requests from self.waiting into self.running" in claim.value
    assert not list(
        admission.continuous(source(text.replace("self.running[letter.number]", "self.by_number[letter.n]")))
    )
    told = [c for queue in queues(source(text)) for c in service_claims(queue)]
    assert not [c for c in told if c.name.endswith("requeue")]
    assert any("put back at the front (head) of the queue that it was taken from" in c.value for c in told)


@pytest.mark.parametrize(
    ("last", "goes"),
    [("return chosen + self.late", "which it returns"), ("self.prefill(chosen)", "which it hands to self.prefill")],
)
def test_chosen_requests_are_run_or_returned(source: Source, last: str, goes: str) -> None:
    text = f"""
        class Desk:
            def step(self):
                chosen, late = [], []
                while self.waiting:
                    letter = self.waiting[0]
                    if letter.words > self.most:
                        break
                    chosen.append(self.waiting.popleft())
                {last.replace("self.late", "late")}
    """
    (claim,) = admission.continuous(source(text))
    assert goes in claim.value


def test_two_kinds_of_candidates_in_turn(source: Source) -> None:
    text = """
        class Desk:
            def form(self):
                batch = []
                for letter in prefill_ready:
                    if len(batch) >= self.most:
                        break
                    batch.append(letter)
                for letter in decode_ready:
                    batch.append(letter)
                return batch
    """
    (claim,) = preferences.preferences(source(text))
    assert "puts prefill_ready (prefill) into batch first and then decode_ready (decode)" in claim.value
    assert claim.confidence == "heuristic"
    apart = text.replace("batch.append(letter)\n                return", "late.append(letter)\n                return")
    assert not list(preferences.preferences(source(apart)))


def test_what_administers_models_runs_none(source: Source) -> None:
    text = """
        def wait(client, name):
            while True:
                status = client.get_model_info(name)
                if all(s.ready for s in status):
                    break
    """
    assert not list(admission.static(source(text)))
    assert list(admission.static(source(text.replace("get_model_info", "run_model"))))


def test_a_queue_whose_front_is_cut_off_afterwards(source: Source) -> None:
    text = """
        class Desk:
            def next_batch(self):
                chosen, late = [], []
                for letter in self.pending:
                    if row := self.shelf.place(letter):
                        chosen.append(row)
                    else:
                        break
                self.pending = late + self.pending[len(chosen):]
                return Batch(rows=chosen)
    """
    (claim,) = admission.continuous(source(text))
    assert "Desk.next_batch takes requests from self.pending into chosen" in claim.value
    assert not list(admission.continuous(source(text.replace("self.pending[len(chosen):]", "self.others[:3]"))))
    assert any("policy FCFS" in c.value for c in service.orders(source(text)))


def test_what_runs_comes_before_what_else_knows_a_request(source: Source) -> None:
    text = """
        class Desk:
            def step(self):
                while self.waiting and self.budget > 0:
                    letter = self.waiting.popleft()
                    self.fresh.add(letter)
                    self.running.append(letter)
    """
    (claim,) = admission.continuous(source(text))
    assert "from self.waiting into self.running at every step" in claim.value


def test_an_index_goes_through_what_runs_before_what_waits(source: Source) -> None:
    text = """
        class Desk:
            def step(self):
                chosen, at = [], 0
                while at < len(self.running) and self.budget > 0:
                    chosen.append(self.running[at])
                    at += 1
                while self.waiting and self.budget > 0:
                    chosen.append(self.waiting.popleft())
                return chosen
    """
    assert any("mixed: self.running is served first" in c.value for c in preferences.preferences(source(text)))
