"""What one round of a server does, in the forms that small engines are written in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from kernelscope.serving import admission, execution, slots
from kernelscope.serving.choosing import choices
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.overlap import overlaps
from kernelscope.serving.preferences import preferences
from kernelscope.serving.procedures import procedures
from kernelscope.serving.processes import started
from kernelscope.serving.requeueing import put_back
from kernelscope.serving.sizes import limits, sizes_of_caches
from kernelscope.serving.speculation import verifications

Source = Callable[[str], PythonSource]

EMPTIED = """
    class Desk:
        def plan(self):
            chosen, later = [], []
            while len(chosen) < self.most:
                try:
                    one = self.waiting.sync_q.get_nowait()
                except Empty:
                    break
                if self.tokens + one.size > self.budget:
                    later.append(one)
                    break
                chosen.append(one)
            for one in later:
                self.waiting.sync_q.put(one)
            if chosen:
                plan = Plan(requests=chosen)
                return plan
            while len(chosen) < self.most:
                try:
                    one = self.running.sync_q.get_nowait()
                except Empty:
                    break
                chosen.append(one)
            plan = Plan(requests=chosen)
            return plan
"""


def said(claims: Iterable[Claim]) -> list[str]:
    return [claim.value for claim in claims]


def test_queues_that_are_asked_until_they_are_empty(source: Source) -> None:
    (first,) = said(preferences(source(EMPTIED)))
    assert first.startswith("self.waiting.sync_q comes first and is separate: the function returns before self.running")
    assert first.endswith("prefill comes before decode (≈ by their names)")
    (unnamed,) = said(preferences(source(EMPTIED.replace("running", "others"))))
    assert "≈" not in unnamed
    assert not said(
        preferences(
            source(
                EMPTIED.replace("except Empty:\n                    break", "except Empty:\n                    pass")
            )
        )
    )
    (admitted,) = said(admission.continuous(source(EMPTIED)))
    assert admitted.startswith(
        "a batch is formed anew at every step: Desk.plan takes requests from self.waiting.sync_q"
    )


def test_what_does_not_fit_goes_back(source: Source) -> None:
    (back,) = said(put_back(source(EMPTIED)))
    assert "collected in later (later.append(one)) and goes back to the end of the queue" in back
    front = EMPTIED.replace("self.waiting.sync_q.put(one)", "self.waiting.sync_q.appendleft(one)")
    assert "the front of the queue" in said(put_back(source(front)))[0]
    assert not said(put_back(source(EMPTIED.replace("self.waiting.sync_q.put(one)", "self.lost.put(one)"))))


def test_places_of_a_list_are_slots(source: Source) -> None:
    text = """
        def serve(model, texts, n):
            requests = [None] * n
            while texts:
                for i in range(n):
                    if requests[i] is None:
                        requests[i] = made
                        break
                for i in range(n):
                    if requests[i].done:
                        requests[i] = None
    """
    (claim,) = slots.places(source(text))
    assert claim.value.startswith("continuous batching by slots: serve puts a request into the first place of requests")
    assert claim.confidence == "heuristic"
    assert not list(slots.places(source(text.replace("requests[i] = None", "done.append(i)"))))
    assert not list(slots.places(source(text.replace("requests", "weights"))))


def test_guesses_that_are_compared_one_by_one(source: Source) -> None:
    text = """
        def decode(tokens, drafted):
            n = 0
            while n < len(drafted):
                one, other = tokens[n], drafted[n]
                if one != other:
                    break
                n += 1
    """
    (claim,) = verifications(source(text))
    assert (
        "the first that differs ends it (if one != other, where one = tokens[n], where other = drafted[n]"
        in claim.value
    )
    assert not list(verifications(source(text.replace("drafted", "words"))))
    assert not list(verifications(source(text.replace("tokens", "draft_ids"))))


def test_graphs_of_the_sizes_that_a_caller_goes_through(source: Source) -> None:
    text = """
        SIZES = [1, 2, 4] + [8 * i for i in range(1, 5)]

        class Engine:
            def prepare(self, most):
                fitting = [size for size in SIZES if size <= most]
                for size in reversed(fitting):
                    runner = GraphRunner(self.model)
                    runner.capture(size)

            def step(self, batch):
                use_cuda_graph = False
                if self.graphs and not batch.is_prompt:
                    use_cuda_graph = True
    """
    (claim,) = execution.captured_by_size(source(text))
    assert (
        "one per `size` in reversed(fitting) by runner.capture in Engine.prepare, where fitting = [size" in claim.value
    )
    assert claim.value.endswith("where SIZES = [1, 2, 4] + [8 * i for i in range(1, 5)]")
    (use,) = execution.graph_conditions(source(text))
    assert use.value.endswith("use_cuda_graph if self.graphs and not batch.is_prompt, else eager")
    assert not list(execution.captured_by_size(source(text.replace("runner.capture", "camera.capture"))))
    assert not list(execution.graph_conditions(source(text.replace("use_cuda_graph", "use_cuda"))))


def test_loops_that_run_beside_the_rest(source: Source) -> None:
    text = """
        class Front:
            def __init__(self, pool):
                self.task = asyncio.create_task(self._rounds())
                self.pool.submit(self._rounds)
                asyncio.create_task(self._once())

            async def _rounds(self):
                while True:
                    self.step()

            async def _once(self):
                self.step()
    """
    assert [(s.kind, s.target) for s in started(source(text))] == [
        ("asyncio task", "self._rounds"), ("thread of a pool", "self._rounds"),
    ]  # fmt: skip


def test_queues_in_levels_that_are_gone_through(source: Source) -> None:
    text = """
        class Desk:
            def add(self, letter):
                self.waiting_lists[letter.length * 3 // self.longest].append(letter)

            def plan(self):
                for letters in reversed(self.waiting_lists):
                    if letters:
                        self.take(letters)
    """
    (claim,) = choices(source(text))
    assert (
        "goes through from the last to the first; an element joins level letter.length * 3 // self.longest"
        in claim.value
    )
    assert not list(choices(source(text.replace("if letters:", "if True:"))))


def test_a_step_that_is_awaited_before_the_next(source: Source) -> None:
    text = """
        class Engine:
            def step(self):
                self.prepare()
                if self.under_way:
                    device.run_wait()
                device.run_async()
                self.under_way = True
    """
    (claim,) = overlaps(source(text))
    assert "it waits for that (device.run_wait() if self.under_way) only before it launches its own" in claim.value
    assert not list(overlaps(source(text.replace("device.run_wait", "other.run_wait"))))


def test_what_a_function_makes_and_what_samples(source: Source) -> None:
    text = """
        def make(top):
            def pick(scores):
                kept = scores.topk(top)
                return kept
            return pick

        class BestSampler:
            def __init__(self):
                self.steps = [Best(0.5)]
    """
    made, sampler = (p for p in procedures(source(text)) if p.section)
    assert made.steps == "def pick(scores):\n  kept = scores.topk(top)\n  return kept\nreturn pick"
    assert (sampler.name, sampler.section) == ("BestSampler.__init__", "components")


def test_bytes_of_caches(source: Source) -> None:
    text = """
        class KVManager:
            def __init__(self):
                self.total_bytes = self.layers * 2 * self.blocks
                self.scale = self.one * 2
    """
    assert [claim.name for claim in sizes_of_caches(source(text))] == ["KVManager total_bytes"]
    assert not list(sizes_of_caches(source(text.replace("KV", "Word"))))


def test_new_work_is_run_before_what_runs(source: Source) -> None:
    text = """
        class Desk:
            def next_batch(self):
                fresh = self.get_prefill()
                if fresh is not None:
                    chosen = fresh
                else:
                    chosen = self.running
                return chosen
    """
    (claim,) = preferences(source(text))
    assert claim.value.startswith(
        "prefill comes first: Desk.next_batch runs fresh = self.get_prefill() if there is any"
    )
    assert claim.confidence == "heuristic"
    assert not list(preferences(source(text.replace("get_prefill", "get_news"))))
    assert not list(preferences(source(text.replace("self.running", "self.others"))))


def test_policies_that_conditions_choose(source: Source) -> None:
    text = """
        class Scheduler:
            def active_policy(self, waiting):
                if self.policy == Kind.LONGEST and len(waiting) > 128:
                    return Kind.FIFO
                return self.policy
    """
    of_schedulers = replace(source(text), path=Path("/w/scheduler.py"))
    (claim,) = choices(of_schedulers)
    assert claim.value == (
        "policy by Scheduler.active_policy: Kind.FIFO if self.policy == Kind.LONGEST and len(waiting) > 128; "
        "else self.policy"
    )
    assert not list(choices(source(text)))


def test_the_least_of_limits(source: Source) -> None:
    text = """
        class Desk:
            def __init__(self, a, b):
                self.prompt_limit = min(a.longest, b.tokens)
                self.nearest = min(a.one, b.two)
    """
    of_schedulers = replace(source(text), path=Path("/w/scheduler.py"))
    assert said(limits(of_schedulers)) == ["Desk.prompt_limit is the least of several limits: min(a.longest, b.tokens)"]
    assert not list(limits(source(text)))


def test_one_batch_to_its_end_may_write_tokens_that_wait(source: Source) -> None:
    text = """
        def generate(model, rows):
            while True:
                if all(row.done for row in rows):
                    break
                scores = model.forward(rows)
                for row in rows:
                    row.take(row.forced_tokens.popleft())
    """
    (claim,) = admission.static(source(text))
    assert claim.value.startswith("static batching: generate runs one batch to its end")
    assert not list(admission.static(source(text.replace("forced_tokens", "waiting"))))
