"""Scheduling by structure: source, what must be said of it, and near misses of which nothing may be said."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from kernelscope.serving import (
    admission,
    capacity,
    chunking,
    execution,
    giving_up,
    lifecycle,
    overlap,
    preemption,
    preferences,
    prefixes,
    queues,
    rankings,
    service,
    victims,
)
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.merging import merged_batches
from kernelscope.serving.portions import portions
from kernelscope.serving.windows import windows

Source = Callable[[str], PythonSource]
Finder = Callable[[PythonSource], Iterable[Claim]]

ADMIT = """
class Desk:
    def step(self):
        chosen, used = [], 0
        while self.inbox and len(chosen) < self.most:
            letter = self.inbox[0]
            rest = self.max_words - used
            words = letter.words - letter.done
            if rest < words and chosen:
                break
            letter.now_tokens = min(words, rest)
            used += letter.now_tokens
            self.inbox.popleft()
            self.open.append(letter)
            chosen.append(letter)
        return chosen
"""
RECOMPUTE = """
class Desk:
    def put_off(self, letter):
        letter.state = State.INBOX
        self.shelf.release(letter)
        self.inbox.appendleft(letter)
"""
RESET = """
class Desk:
    def put_off(self, letter):
        letter.computed = 0
        self.inbox.prepend_letter(letter)
"""
SWAP = """
class Desk:
    def put_off(self, letter):
        self.shelf.swap_out(letter)
        self.shelf.free(letter)
        self.inbox.appendleft(letter)
"""
CANCEL = """
class Desk:
    def cancel(self, letter):
        self.shelf.release(letter)
        self.open.remove(letter)
"""
REFUSED = """
class Desk:
    def take(self, letter):
        if letter.stale:
            self.shelf.release(letter)
            return
        self.waiting.append(letter)
"""
MOVE = """
class Desk:
    def again(self, letter):
        self.inbox.appendleft(letter)
"""
CARRIED = """
class Desk:
    def run(self):
        kept = None
        while True:
            kept = self.turn(kept)

    def turn(self, kept):
        new = None
        with self.lane:
            new = self.launch(self.choose())
        self.answer(kept)
        return new
"""
IN_TURN = """
class Desk:
    def run(self):
        kept = None
        while True:
            kept = self.turn(kept)

    def turn(self, kept):
        self.answer(kept)
        new = self.launch(self.choose())
        return new
"""
REMEMBERED = """
def run(self):
    while True:
        batch = self.choose()
        if batch:
            self.launch(batch)
        if self.before:
            self.answer(self.before)
        self.before = batch
"""
SWITCH = """
def main(flags, desk):
    if flags.serial:
        desk.plain_loop()
    else:
        desk.paired_loop()
"""
HIT = """
def hits(self, letter):
    for i in range(letter.pages):
        h = self.hash_of(letter.page(i), h)
        page = self.known.get(h, -1)
        if page == -1 or self.pages[page].words != letter.page(i):
            break
"""
FETCHED = """
def find(self, words):
    hashes = self.prefix_hashes(words)
    pages = self.shelf.fetch(self.key(h) for h in hashes)
    for page in pages:
        if page is None:
            break
        self.found.append(page)
"""
TRUSTED_HIT = """
def hits(self, letter):
    for page_hash in letter.hashes:
        if page := self.known.get(page_hash):
            found.append(page)
        else:
            break
"""
GIVEN_UP = """
class Pile:
    def retract(self):
        while not self.fits(order):
            number = order.pop()
            self.release_letter(number)
"""
FORGOTTEN = """
class Letter:
    def reset_for_retract(self):
        self.prefix_words = None
        self.extend_len = 0
        self.is_retracted = True
"""
PASSED_OVER = """
class Desk:
    def admit(self):
        for letter in self.inbox.copy():
            if letter.pages > self.free:
                passed.append(letter)
                continue
            for other in passed:
                if other.skips >= other.most_skips:
                    return
            for other in passed:
                other.skips += 1
            self.inbox.remove(letter)
            self.open.append(letter)
"""
IN_ORDER = """
class Desk:
    def take(self):
        for letter in self.waiting_letters:
            if not self.fits(letter):
                break
            count += 1
        self.waiting_letters = self.waiting_letters[count:]
"""
BATCH = """
class Desk:
    def fits(self, letter):
        return len(self.open) < self.most and letter.words <= self.rest

    def choose(self):
        batch = Batch()
        while len(self.inbox) > 0:
            letter = self.inbox[0]
            if self.fits(letter):
                batch.add_letter(letter)
                self.inbox.pop(0)
            else:
                break
        return batch
"""
REBUILT = """
class Desk:
    def step(self):
        open = []
        chosen = []
        while self.open:
            letter = self.open.pop(0)
            if letter.done:
                break
            open.append(letter)
            chosen.append(letter)
        while self.inbox:
            letter = self.inbox[0]
            if len(open) >= self.most:
                break
            letter = self.inbox.pop(0)
            open.append(letter)
            chosen.append(letter)
        self.open = open
        return chosen
"""
LEFT = """
def next_tokens(self, letter, used):
    tokens = min(letter.words - letter.read, self.chunk_size - used)  # what is left
    return tokens
"""
PUT_OFF_LARGEST = """
class Desk:
    def make_room(self):
        late = sorted(self.open, key=lambda letter: letter.pages, reverse=True)
        put_off = []
        for letter in late:
            if self.shelf.has_room():
                break
            self.open.remove(letter)
            self.shelf.release(letter)
            put_off.append(letter)
        self.inbox.extendleft(put_off)
"""
MADE_ANEW = """
def make_room(state):
    running = list(state.queue.running_letters())
    late = []
    while state.shelf.is_full():
        old = running.pop()
        new = Letter(number=f"{old.number}-again", words=old.words, asked=old.asked)
        state.deallocate(old)
        late.append(new)
    state.queue.insert_at_head(late)
"""
BOTH = """
class Desk:
    def choose(self):
        decode_batch = self.choose_open(self.most)
        prefill_batch = self.choose_new(self.most - len(decode_batch))
        return prefill_batch + decode_batch
"""
BY_METHODS = """
def open_letter(state, letter):
    state.queue.remove_waiting(letter.number_id)
    state.queue.add_reading(letter)

def choose(state, most):
    for letter in state.queue.waiting_letters():
        if state.queue.count() >= most:
            break
        open_letter(state, letter)
"""
SWAPPED = """
class Desk:
    def choose(self):
        while self.is_full():
            letter = self.open.pop(-1)
            self.swapped_queue.append(letter)
            self.shelf.swap_out_letters([letter])
"""
LAST = """
class Desk:
    def choose(self):
        letter = self.open.pop(0)
        while self.is_full():
            if self.open:
                late = self.open.pop()
                self.preempt(late)
            else:
                self.preempt(letter)
"""
OF_ANOTHER = """
class Desk:
    def preempt(self):
        late = self.lanes()[-1]
        self.others().pop()
        late.computed = 0
        self.waiting.appendleft(late)
"""
PHASED = """
class Desk:
    def choose(self):
        # New letters are put
        # at the back.
        while self.inbox:
            self.read(self.inbox.pop())
        if self.chosen:
            return
        # old letters
        while self.open:
            self.read(self.open.pop())
"""
BY_ARRIVAL = """
def order(self):
    return sorted(self.waiting, key=lambda letter: letter.arrived)
"""
BY_BATCH = """
class Desk:
    def choose(self):
        chosen = []
        for letter in self.open:
            if letter.rests:
                chosen.append(letter)
        if chosen:
            return chosen
        while self.inbox:
            if len(self.open) >= self.most:
                break
            letter = self.inbox.pop(0)
            self.open.append(letter)
            chosen.append(letter)
        return chosen
"""
FILLED_FIRST = """
class Desk:
    def choose(self):
        if not self.away:
            batch = []
            while self.inbox:
                letter: Letter = self.inbox[0]
                if len(batch) >= self.most:
                    break
                batch.append(letter)
                self.inbox.popleft()
            if batch:
                self.open.extend(batch)
                return batch
        while len(self.open) > self.most or self.is_full():
            self.away.append(self.open.pop())
        return self.open
"""
SAYS_YES = """
class Desk:
    def can_add_request(self, letter):
        fits = letter.words < self.max_words
        few = len(self.open) <= self.most
        if fits and few:
            return True
        else:
            return False
"""


WINDOW = """
class Desk:
    def prefill(self, letter):
        start = letter.place
        end = letter.place + self.most
        end = min(end, len(letter.words) - 1)
        self.run(letter.words[start:end])
        letter.place = end
"""
EATEN = """
def run(model, prompt, most):
    left = prompt.shape[1]
    while left > 0:
        n = min(most, left)
        model(prompt[:, :n])
        left -= n
        prompt = prompt[:, n:]
"""
MERGED = """
class Desk:
    def step(self, new_batch, done):
        if new_batch is not None:
            self.open_batch.merge(new_batch)
        self.open_batch.filter(done)
"""
PASSED = """
class Desk:
    def admit(self):
        for letter in self.waiting.copy():
            if letter.size > self.left:
                continue
            self.waiting.remove(letter)
            self.open.append(letter)
"""
ROUND = """
class Desk:
    def step(self):
        for letter in self.open:
            letter.prefill(self)
        if self.guess:
            self.decode_all(self.guess())
        else:
            self.decode_all(1)
"""


@pytest.mark.parametrize(
    ("find", "text", "fragments"),
    [
        (victims.victims, GIVEN_UP, ("victim: the last of order", "self.release_letter(number)")),
        (giving_up.given_up, FORGOTTEN, ("recompute", "self.prefix_words = None")),
        (admission.passed_over, PASSED_OVER, ("fairness", "other.skips += 1", "other.skips >= other.most_skips")),
        (admission.continuous, PASSED_OVER, ("from self.inbox into self.open", "letter.pages > self.free")),
        (capacity.admissions, SAYS_YES, ("only if letter.words < self.max_words and len(self.open) <= self.most",)),
        (service.orders, IN_ORDER, ("FCFS", "self.waiting_letters[count:]")),
        (admission.continuous, BATCH, ("from self.inbox into batch, which it returns", "len(self.open) < self.most")),
        (admission.continuous, REBUILT, ("continuous batching", "from self.inbox into self.open")),
        (admission.continuous, BY_BATCH, ("static batching", "if chosen, before", "of self.open with letter.rests is")),
        (
            admission.continuous,
            BY_BATCH.replace("if letter.rests:", "with letter:"),
            ("while anything of self.open runs (no continuous batching)",),
        ),
        (admission.continuous, BY_BATCH.replace("in self.open:", "in self.late:"), ("continuous batching",)),
        (admission.continuous, FILLED_FIRST, ("continuous batching", "from self.inbox into self.open")),
        (preferences.preferences, BOTH, ("mixed: Desk.choose", "prefill (prefill_batch) and decode (decode_batch)")),
        (
            preferences.preferences,
            BOTH.replace("prefill_batch + decode_batch", "Batch(prefills=prefill_batch, decodes=decode_batch)"),
            ("mixed: Desk.choose",),
        ),
        (preferences.preferences, FILLED_FIRST, ("self.inbox comes first and is separate", "before self.open")),
        (preferences.preferences, REBUILT, ("mixed: self.open is served first, then self.inbox is admitted",)),
        (preferences.preferences, PHASED, ("self.inbox comes first and is separate", "before old letters (self.open)")),
        (chunking.chunks, LEFT, ("chunked prefill", "self.chunk_size - used): at most the rest")),
        (
            preemption.preemptions,
            PUT_OFF_LARGEST,
            ("(self.shelf.release(letter))", "at the front (head) of the queue: self.inbox.extendleft(put_off)"),
        ),
        (victims.victims, PUT_OFF_LARGEST, ("victim", "self.open with the largest lambda letter: letter.pages")),
        (
            preemption.preemptions,
            MADE_ANEW,
            ("recompute", "the front", "is the last of its queue (old = running.pop())"),
        ),
        (
            admission.continuous,
            BY_METHODS,
            ("choose admits requests, open_letter moves them from state.queue.waiting", "state.queue.count() >= most"),
        ),
        (preemption.preemptions, SWAPPED, ("swap: its cache is copied out", "the victim is the last of its queue")),
        (victims.victims, LAST, ("victim: the last of its queue is taken (late = self.open.pop())",)),
        (service.orders, BY_ARRIVAL, ("self.waiting is given in the order of", "letter.arrived")),
        (
            admission.continuous,
            ADMIT,
            ("from self.inbox into self.open", "len(chosen) >= self.most", "rest < words"),
        ),
        (windows, WINDOW, ("at most self.most tokens of the prompt from letter.place on", "letter.place = end")),
        (windows, EATEN, ("n = min(most, left)", "prompt[:, :n]", "prompt = prompt[:, n:]", "(while left > 0)")),
        (
            merged_batches,
            "def park(self, batch):\n    self.parked_batch.merge(batch)\n"
            + MERGED.replace("open_batch", "running_batch"),
            ("Desk.step merges", "self.running_batch.merge(new_batch)"),
        ),
        (merged_batches, MERGED, ("merges another batch", "self.open_batch.merge(new_batch)", "filter(done)")),
        (
            service.orders,
            PASSED,
            ("policy FCFS", "self.waiting is gone through in its order", "later ones may start before it"),
        ),
        (
            preferences.preferences,
            ROUND,
            ("Desk.step runs prefill and then decode in every step (letter.prefill, then self.decode_all)",),
        ),
        (chunking.chunks, ADMIT, ("letter.now_tokens = min(words, rest)", "only for the first sequence")),
        (preemption.preemptions, RECOMPUTE, ("recompute", "self.shelf.release(letter)", "the front")),
        (preemption.preemptions, RESET, ("recompute", "letter.computed = 0")),
        (preemption.preemptions, SWAP, ("swap: its cache is copied out",)),
        (
            overlap.overlaps,
            CARRIED,
            ("launches the next batch (self.launch(self.choose()))", "self.answer(kept)", "lane"),
        ),
        (overlap.overlaps, REMEMBERED, ("kept in self.before",)),
        (overlap.switches, SWITCH, ("if flags.serial: desk.plain_loop", "else: desk.paired_loop")),
        (prefixes.lookups, HIT, ("verified against collisions", "self.pages[page].words != letter.page(i)")),
        (prefixes.lookups, FETCHED, ("for page in pages", "stops at the first miss (if page is None)")),
        (prefixes.lookups, TRUSTED_HIT, ("stops at the first miss", "no collision check")),
        (
            prefixes.offered,
            "def f(self, r):\n    return self.tree.match_prefix(r.ids[: r.count - 1])\n",
            ("all but the last token", "r.count - 1"),
        ),
    ],
)
def test_it_is_seen(source: Source, find: Finder, text: str, fragments: tuple[str, ...]) -> None:
    said = [claim.value for claim in find(source(text))]
    assert any(all(fragment in value for fragment in fragments) for value in said), said


@pytest.mark.parametrize(
    ("find", "text"),
    [
        (preemption.preemptions, CANCEL),
        (preemption.preemptions, OF_ANOTHER),
        (windows, WINDOW.replace("letter.place = end", "letter.last = end")),
        (windows, EATEN.replace("[:, n:]", "[:, 1:]")),
        (merged_batches, MERGED.replace("filter(done)", "note(done)")),
        (merged_batches, MERGED.replace("(new_batch)", "(words)")),
        (service.orders, PASSED.replace("self.waiting.remove(letter)", "letter.note()")),
        (preferences.preferences, ROUND.replace("if self.guess:", "if self.guess: return").replace("else:", "if 1:")),
        (preferences.preferences, ROUND.replace("self.decode_all(1)", "self.note(1)")),
        (preferences.preferences, ROUND.replace("def step", "def run_decode")),
        (preferences.preferences, ROUND.replace("letter.prefill(self)", "note(letter.is_prefill(self))")),
        (preemption.preemptions, MADE_ANEW.replace("state.deallocate(old)", "state.note(old)")),
        (service.orders, PUT_OFF_LARGEST.replace("make_room", "preempt_letters").replace("open", "running")),
        (preferences.preferences, BOTH.replace("prefill_batch + decode_batch", "decode_batch")),
        (preferences.preferences, "def size(prefill_len, decode_len):\n    return prefill_len + decode_len\n"),
        (
            chunking.chunks,
            "def f(tokens_left):\n    open_budget = min(open_tokens, tokens_left)\n    tokens_left -= 1\n",
        ),
        (admission.continuous, BY_METHODS.replace("remove_waiting(letter.number_id)", "note_waiting(letter)")),
        (
            chunking.chunks,
            "def start(self):\n    self.max_new_tokens = min(self.max_new_tokens, max_words - self.prompt_len)\n",
        ),
        (
            chunking.pieces,
            "def frames_of(prompt, n, k):\n    for s in range(0, n, k):\n        look(frames[s : s + k])\n",
        ),
        (preemption.preemptions, MOVE),
        (preemption.preemptions, REFUSED),
        (victims.victims, GIVEN_UP.replace("retract", "tidy")),
        (giving_up.given_up, FORGOTTEN.replace("reset_for_retract", "start")),
        (service.orders, "def f(self):\n    return sorted(self.names, key=lambda n: n.lower())\n"),
        (service.orders, "def show(requests):\n    requests.sort(key=lambda r: r.size)\n"),
        (preemption.preemptions, SWAPPED.replace("swap_out", "swap_in")),
        (preferences.preferences, "def f(a, b):\n    return a.get(1) or b.get(1)\n"),
        (preferences.preferences, "def f(a, one, two):\n    return a.next_batch(one) or a.next_batch(two)\n"),
        (overlap.overlaps, IN_TURN),
        (overlap.switches, "def main(x):\n    if x:\n        f()\n    else:\n        g()\n"),
        (prefixes.lookups, FETCHED.replace("prefix_hashes", "prefix_words")),
        (prefixes.lookups, FETCHED[: FETCHED.index("            break")]),
        (chunking.chunks, "def f(words):\n    words = min(words, 10)\n"),
        (admission.continuous, "def f(self):\n    while self.inbox:\n        self.done.append(self.inbox[0])\n"),
        (prefixes.offered, "def f(self, r):\n    return self.tree.match_prefix(r.ids[: r.count])\n"),
        (
            chunking.pieces,
            "def search(prompts, reqs, w):\n    for s in range(0, n, w):\n        f(reqs[s : s + w])\n",
        ),
        (chunking.chunks, "def sampling_params(self):\n    max_tokens = min(max_tokens, most - done_tokens)\n"),
        (chunking.chunks, "def propose(k, most):\n    k_tokens = min(k, max_len - done)\n"),
        (chunking.chunks, "def guess_speculative(k):\n    k_tokens = min(max_tokens - done_tokens, k)\n"),
        (
            chunking.pieces,
            "def submit_prefill(rows, n, k):\n    for s in range(0, n, k):\n        f(rows[s : s + k])\n",
        ),
        (service.orders, "def of(self):\n    return next(iter(self.seqs.values())).text\n"),
        (prefixes.shortened, "def match_tail(tail):\n    tail = tail[:-1]\n    for t in tail:\n        f(t)\n"),
        (execution.spares, "def f(i):\n    Task(end_block_idx=i + 1)\n"),
        (execution.placeholders, "def f():\n    dummy = torch.ones(1)\n    reduce(dummy)\n"),
        (
            execution.placeholders,
            "def f(kwargs):\n    pad_padding = kwargs.pop('pad_padding', True)\n    pad(pad_padding)\n",
        ),
        (
            prefixes.lookups,
            "def f(d, keys):\n    for k in keys:\n        v = d.get(k)\n        if v is None:\n            break\n",
        ),
    ],
)
def test_near_misses_are_not(source: Source, find: Finder, text: str) -> None:
    assert list(find(source(text))) == []


PIECES = """
def generate(model, prompts, chunk_size):
    for s in range(0, longest, chunk_size):
        model.forward([p[s : s + chunk_size] for p in prompts])
    while True:
        done = done | model.forward(last)
        if done.all():
            break
"""
FIRST = """
def schedule(queue, budget):
    waiting = deque(queue.waiting.values())
    one = next(iter(queue.pending.values()))
    return one, waiting.popleft()
"""
LEAVES = """
class Desk:
    def step(self):
        self.drop(self.running.pop())

    def drop(self, job):
        job.state = State.WAITING

    def finish(self, jobs):
        for job in jobs:
            job.state = State.DONE
            self.running.remove(job)
"""


def test_prompts_in_pieces_and_a_batch_to_its_end(source: Source) -> None:
    (chunked,) = chunking.pieces(source(PIECES))
    assert "in pieces of chunk_size tokens" in chunked.value
    (batch,) = admission.static(source(PIECES))
    assert "the loop stops when done.all()" in batch.value


def test_the_first_that_came_is_taken_first(source: Source) -> None:
    said = [claim.value for claim in service.orders(source(FIRST))]
    assert len(said) == 2 and all("first come, first served" in value for value in said)


def test_a_log_of_requests_serves_nobody(source: Source) -> None:
    text = "class Desk:\n    def __init__(self):\n        self.requests = deque()\n    def note(self, r):\n"
    (queue,) = queues.queues(source(text + "        self.requests.append(r)\n        self.requests.popleft()\n"))
    assert not list(service.service_claims(queue))


def test_a_class_may_be_the_queue(source: Source) -> None:
    text = "class Requests(deque[Request]):\n    def add(self, r):\n        self.append(r)\n    def next(self):\n"
    (queue,) = queues.queues(source(text + "        return self.popleft()\n"))
    (claim,) = service.service_claims(queue)
    assert (claim.name, claim.value[:4]) == ("Requests policy", "FCFS")


def test_states_are_left_for_the_queue_that_is_left(source: Source) -> None:
    assert [(x.state, x.queue) for x in lifecycle.transitions(source(LEAVES))] == [
        ("State.WAITING", "running"),
        ("State.DONE", "running"),
    ]


RANKED = """
class EvictionWay:
    def priority(self, page):
        raise NotImplementedError

class Oldest(EvictionWay):
    def priority(self, page):
        return page.last_read

class Rarest(EvictionWay):
    def priority(self, page):
        \"\"\"How often it was read.\"\"\"
        return (page.reads, page.last_read)
"""


def test_classes_that_rank_differently(source: Source) -> None:
    ((section, claim),) = rankings.rankings(source(RANKED))
    assert section == "serving.kv_cache"
    assert claim.value.endswith("differently: Oldest by page.last_read, Rarest by (page.reads, page.last_read)")
    assert list(rankings.rankings(source(RANKED.replace("Eviction", "Paint")))) == []
    assert list(rankings.rankings(source(RANKED.replace("priority", "colour")))) == []


def test_states_that_are_classes(source: Source) -> None:
    text = """
        class Waiting(Stage):
            status = Status.WAITING

            def start(self, desk):
                if desk.free:
                    self.become(Running)

        class Running(Stage):
            status = Status.RUNNING

            def stop(self):
                self.become(Waiting, self.desk)
    """
    assert [(x.subject, x.state, x.where, x.condition) for x in lifecycle.state_classes(source(text))] == [
        ("Status.WAITING", "Status.RUNNING", "Waiting.start", "desk.free"),
        ("Status.RUNNING", "Status.WAITING", "Running.stop", ""),
    ]


def test_the_first_so_many_are_admitted(source: Source) -> None:
    text = """
        class Desk:
            def plan(self):
                for rank in reversed(self.waiting):
                    many = min(len(rank), self.most - len(self.running))
                    self.running.extend(rank[:many])
                    for seq in rank[:many]:
                        rank.remove(seq)
                many = 1
    """
    (claim,) = portions(source(text))
    assert (
        "Desk.plan admits requests from reversed(self.waiting) into self.running at every step, the first many = "
        "min(len(rank), self.most - len(self.running))" in claim.value
    )
    assert not list(portions(source(text.replace("rank.remove(seq)", "self.look(seq)"))))
    assert not list(portions(source(text.replace("self.waiting", "self.rows"))))


def test_a_step_runs_one_of_two_batches(source: Source) -> None:
    text = """
        class Desk:
            def plan(self):
                if self.has_new():
                    return self.prefills
                return self.running
    """
    (claim,) = preferences.preferences(source(text))
    assert "self.prefills comes first and is separate: Desk.plan returns it if self.has_new()" in claim.value
    assert not list(preferences.preferences(source(text.replace("prefills", "rows"))))


def test_what_goes_back_to_one_of_several_queues_is_preempted(source: Source) -> None:
    text = """
        class Desk:
            def plan(self):
                for seq in self.late():
                    seq.recycle()
                    self.running.remove(seq)
                    self.waiting_rows[-1].append(seq)
    """
    (claim,) = preemption.preemptions(source(text))
    assert "preempted by recompute: its cache is freed and prefilled again (seq.recycle())" in claim.value


SHARED = """
class Desk:
    def step(self):
        chosen, budget = {}, self.most
        at = 0
        while at < len(self.open) and budget > 0:
            letter = self.open[at]
            words = min(letter.left, budget)
            chosen[letter.id] = words
            budget -= words
            at += 1
        %s
        if not self.closed:
            while budget > 0:
                letter = self.inbox.peek()
                words = min(letter.left, budget)
                self.open.append(letter)
                chosen[letter.id] = words
                budget -= words
        return Work(chosen)
"""


def test_two_loops_that_draw_on_one_budget_make_one_batch(source: Source) -> None:
    (found,) = preferences.preferences(source(SHARED % ""))
    assert found.value == (
        "mixed: Desk.step first gives what runs (self.open) its tokens, then what it admits to it, of one budget "
        "(budget) and for one batch, so one step mixes decode and prefill"
    )
    assert not list(preferences.preferences(source(SHARED % "if chosen:\n            return Work(chosen)")))
    elsewhere = SHARED.replace("self.open.append", "self.log.append") % ""
    assert not list(preferences.preferences(source(elsewhere)))


def test_prompts_of_a_batch_in_pieces(source: Source) -> None:
    text = """
        def generate(encoded_prompts, chunk_size):
            for s in range(0, max_prompt_len, chunk_size):
                parts = [p[s : s + chunk_size] for p in encoded_prompts]
                run(parts)
    """
    (found,) = chunking.pieces(source(text))
    assert found.value.startswith("chunked prefill: generate runs the prompt in pieces of chunk_size tokens")


def test_members_of_an_enum_are_no_batches(source: Source) -> None:
    text = """
        class R:
            def kind(self):
                if self.new():
                    return Kind.PREFILL
                return Kind.DECODE
    """
    assert not list(preferences.preferences(source(text)))
    kept = text.replace("Kind.PREFILL", "self.prefills").replace("Kind.DECODE", "self.running")
    assert len(list(preferences.preferences(source(kept)))) == 1


def test_what_is_bound_to_a_place_without_a_name_is_no_queue(source: Source) -> None:
    text = "def f(rows):\n    for request in self.waiting:\n        rows[-1].requests = False\n"
    assert not list(service.orders(source(text)))


UNDER_WAY = """
class Desk:
    def step(self):
        letters = self.letters
        if self.waiting:
            letters.appendleft((self.write(), self.plan()))
            if len(letters) < self.most and self.waiting:
                return None
        done, plan = letters.pop()
        return self.read(done.result(), plan)
"""


def test_steps_whose_results_are_waited_for_later_overlap(source: Source) -> None:
    (found,) = overlap.overlaps(source(UNDER_WAY))
    assert found.value == (
        "overlap scheduling: Desk.step launches a step and keeps its future (letters.appendleft((self.write(), "
        "self.plan()))); if len(letters) < self.most and self.waiting it returns to schedule the next one, else it "
        "waits for the oldest (letters.pop(), done.result()): several steps are under way at a time"
    )
    first_in = UNDER_WAY.replace("appendleft", "append").replace("letters.pop()", "letters.popleft()")
    assert len(list(overlap.overlaps(source(first_in)))) == 1
    assert not list(overlap.overlaps(source(UNDER_WAY.replace("appendleft", "append"))))
    assert not list(overlap.overlaps(source(UNDER_WAY.replace("done.result()", "done"))))
    assert not list(overlap.overlaps(source(UNDER_WAY.replace("return None", "self.rest()"))))


def test_the_smallest_of_three_may_be_a_budget(source: Source) -> None:
    text = """
        def schedule(self):
            budget = self.most
            room = min(budget, self.limit - self.used)
            for request in self.waiting:
                tokens = min(request.left, budget, self.limit - self.used)
                budget -= tokens
    """
    (found,) = chunking.chunks(source(text))
    assert found.value.startswith("chunked prefill: tokens = min(request.left, budget, self.limit - self.used)")
    of_budgets = text.replace("room =", "token_budget =")
    assert len(list(chunking.chunks(source(of_budgets)))) == 1
