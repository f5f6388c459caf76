"""Sentences of reports of small engines that were untrue or missing when they were read beside the code."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

from kernelscope.serving import constraints, evictions, execution, pruning, registries, service, victims
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.channels import channels, links, uses
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.condensing import MAX_STEP, Condenser
from kernelscope.serving.failures import failures
from kernelscope.serving.parameters import parameters
from kernelscope.serving.preferences import preferences
from kernelscope.serving.queues import queues
from kernelscope.serving.reading import read_c
from kernelscope.syntax.text import SourceText

Source = Callable[[str], PythonSource]


def test_a_copy_of_a_queue_that_is_only_counted_serves_nobody(source: Source) -> None:
    text = """
    from collections import deque

    def guess_rate(state, free):
        tasks, added = 0, 0
        waiting_seqs = deque(state.waiting_seqs.values())
        while waiting_seqs and added < free:
            head = waiting_seqs[0]
            if head.blocks() > free - added:
                break
            waiting_seqs.popleft()
            added += head.blocks()
        return added / free
    """
    assert not list(service.orders(source(text)))
    used = text.replace("added += head", "state.run(head)\n            added += head")
    (claim,) = service.orders(source(used))
    assert "is taken from the front" in claim.value


def test_what_is_finished_is_no_batch(source: Source) -> None:
    text = """
    def settle(decision, table):
        {0} = []
        for seq in decision.decoding_seqs:
            if seq.left == 0:
                {0}.append(seq)
        for seq in decision.prefill_seqs:
            if seq.left == 0:
                {0}.append(seq)
        return {0}
    """
    assert not list(preferences(source(text.format("finished_seqs"))))
    assert [c.name for c in preferences(source(text.format("batch")))] == ["settle policy"]


def test_answers_that_a_caller_iterates_over_wait_for_no_turn(source: Source) -> None:
    text = """
    import asyncio

    class JobAnswers:
        def __init__(self):
            self.jobs = asyncio.Queue()

        def hand_over(self, job):
            self.jobs.put_nowait(job)

        async def {0}(self):
            return await self.jobs.get()
    """
    served = [list(service.service_claims(q)) for q in queues(source(text.format("__anext__")))]
    assert served == [[]]
    (queue,) = queues(source(text.format("next_job")))
    assert "FCFS" in next(iter(service.service_claims(queue))).value


def test_streams_that_are_handed_out_are_no_memory(source: Source) -> None:
    text = """
    class Mover:
        def __init__(self):
            self.{0} = deque()
            for i in range(4):
                self.{0}.append(i)

        def take(self):
            return self.{0}.popleft()

        def give(self, one):
            self.{0}.append(one)
    """
    assert [q.holds_ids for q in queues(source(text.format("copy_streams")))] == [False]
    assert [q.holds_ids for q in queues(source(text.format("copy_slots")))] == [True]


def test_a_queue_of_two_ends_has_no_policy_of_its_own() -> None:
    text = """
    class RequestQueue {
      std::deque<std::shared_ptr<Request>> queue_;
     public:
      void push(std::shared_ptr<Request> req, bool at_back) {
        if (at_back) { queue_.push_back(req); } else { queue_.push_front(req); }
      }
      void pop_top() { queue_.pop_front(); }
      void pop_last() { queue_.pop_back(); }
    };
    """
    reading = read_c(CSource(Path("/w/queue.cpp"), SourceText(textwrap.dedent(text).encode())))
    assert not reading.faults
    values = [c.value for c in reading.claims.get("serving.scheduling", ())]
    assert len(values) == 1 and values[0].startswith("a queue with two ends: elements are put at the back or the front")


def test_who_is_swapped_out_goes_to_the_queue_of_those(source: Source) -> None:
    text = """
    class Scheduler:
        def __init__(self):
            self.{0} = deque()

        def next_batch(self):
            gone = [self.running.pop()]
            self.{0}.extendleft(gone)
            return self.{0}.popleft()
    """
    (queue,) = queues(source(text.format("swapped_q")))
    (claim,) = service.service_claims(queue)
    assert claim.value == "gone goes to the front (head) of what is swapped out, by its name (extendleft)"
    assert claim.confidence == "heuristic"
    (queue,) = queues(source(text.format("waiting_q")))
    assert [c.value for c in service.service_claims(queue)] == [
        "gone goes back to the front (head) of the queue (extendleft)"
    ]


def test_a_class_that_is_an_ordered_map_evicts_from_itself(source: Source) -> None:
    text = """
    class StateCache({0}):
        def get_kept(self, key):
            self.move_to_end(key)
            return self[key]

        def put(self, key, state):
            while self.size() > self.most:
                self.popitem(last=False)
    """
    (claim,) = evictions.evictions(source(text.format("OrderedDict")))
    assert claim.value == "least recently used entry first: self.popitem(last=False)"
    assert not list(evictions.evictions(source(text.format("Shelf"))))


def test_a_tree_is_pruned_from_its_leaves(source: Source) -> None:
    text = """
    def evict_tree(root, table):
        heap, stack = [], [root]
        while stack:
            node = stack.pop()
            if {0}:
                heapq.heappush(heap, (node.last_used, node.index, node))
            stack.extend(node.children)
        while heap:
            _, _, node = heapq.heappop(heap)
            parent = node.parent
            if parent.left == 0:
                heapq.heappush(heap, (parent.last_used, parent.index, parent))
    """
    (claim,) = pruning.prunings(source(text.format("not node.children")))
    assert claim.value == (
        "leaves first: heap holds those without children (not node.children), and the one with the least "
        "node.last_used is taken first: the least recently used leaf; a parent follows when no child is left "
        "(heapq.heappush(heap, (parent.last_used, parent.index, parent)))"
    )
    assert not list(pruning.prunings(source(text.format("node.children"))))


def test_tries_that_a_clock_ends(source: Source) -> None:
    text = """
    def open_board(name, deadline):
        while True:
            try:
                board = Board(name)
                break
            except FileNotFoundError:
                if clock() > deadline:
                    raise TimeoutError(name)
                time.sleep(0.1)
    """
    (claim,) = failures(source(text))
    assert "; it gives up if clock() > deadline; between the tries it waits (time.sleep(0.1))" in claim.value


def test_a_queue_that_a_test_names(source: Source) -> None:
    text = """
    import multiprocessing as mp

    def build():
        q_back = mp.Queue()
        run(q_back)

    def answer(desk, value):
        desk.q_back.put(value)

    def read(desks):
        for desk in desks:
            if not (q := desk.q_back).empty():
                print(q.get())
    """
    one = source(text)
    (link,) = links(list(channels(one)), list(uses(one)))
    assert (link.senders, link.receivers) == (("answer",), ("read",))


def test_who_meets_at_a_barrier_waits_there(source: Source) -> None:
    text = """
    import multiprocessing as mp

    class Gate:
        def __init__(self, number):
            self.barrier = mp.Barrier(number)

        def hold(self):
            self.barrier.wait()
    """
    one = source(text)
    (link,) = links(list(channels(one)), list(uses(one)))
    assert link.text == "barrier opened in Gate.__init__; Gate.hold waits there for the others"


def test_what_a_method_works_out_is_no_default(source: Source) -> None:
    text = """
    class ServerConfig:
        tokens: int = 4096
        page: int = 16

        def num_pages(self):
            return self.tokens // self.page
    """
    said = {p.name: p.default for p in parameters(source(text))}
    assert said == {"tokens": "default 4096", "page": "default 16", "num_pages": "is self.tokens // self.page"}


def test_a_function_that_says_whether_graphs_run(source: Source) -> None:
    text = """
    def will_use_graphs(config, decodes, prefills):
        if prefills:
            return False
        return config.use_graphs and len(decodes) <= config.most
    """
    (claim,) = execution.graph_conditions(source(text))
    assert claim.value.startswith(
        "will_use_graphs decides whether the captured CUDA graph runs: it does if not prefills"
    )
    assert claim.value.endswith("config.use_graphs and len(decodes) <= config.most, else eager")


def test_settings_that_a_constructor_looks_up(source: Source) -> None:
    text = """
    class LoomConfig:
        _defaults = {"threads": 24, "mode": "plain"}

        def __init__(self, whole, given=None):
            extra = whole.extra if whole.extra is not None else {}
            given = given or {}
            part = extra.get("part", {})
            self.most = extra.get("most", 4096)
            self.rate: float = float(part.get("rate", 0.5))
            self.threads = int(given.get("threads", self._defaults["threads"]))
            self.mode = given.get("mode", self._defaults["mode"])
            self.other = elsewhere.get("other", 7)
            self.piece = Piece(extra.get("piece", {}))
    """
    said = {p.name: (p.default, p.doc) for p in parameters(source(text)) if p.name != "given"}
    assert said == {
        "_defaults": (said["_defaults"][0], ""),
        "most": ("default 4096", "read as 'most' of extra"),
        "rate": ("default 0.5", "read as 'rate' of part"),
        "threads": ("default 24", "read as 'threads' of given"),
        "mode": ("default plain", "read as 'mode' of given"),
    }
    (threads,) = (p for p in parameters(source(text)) if p.name == "threads")
    assert [(place.line) for place in (threads.location, *threads.listed_at)] == [11, 3]


def test_a_victim_that_a_branch_takes_and_what_follows_gives_up(source: Source) -> None:
    text = """
    class Desk:
        def schedule(self):
            while self.running and self.pages() < 0:
                if self.by_rank:
                    letter = max(self.running, key=lambda r: r.rank)
                    self.running.remove(letter)
                else:
                    letter = self.running.pop()
                self.count(letter)
                self._{0}_letter(letter, now())
    """
    told = [c.value for c in victims.victims(source(text.format("preempt"))) if "the last of its queue" in c.value]
    assert told == [
        "preemption victim: the last of its queue is taken (letter = self.running.pop()) for "
        "self._preempt_letter(letter, now()), while self.running and self.pages() < 0"
    ]
    assert not any("last of its queue" in c.value for c in victims.victims(source(text.format("show"))))


def test_a_dict_of_classes_in_a_function_is_a_table(source: Source) -> None:
    text = """
    def make(kind):
        ways = {{
            0: Even,
            1: ways_of.Odd,
        }}
        chosen = {0}
        if chosen is None:
            chosen = Even
        return chosen()
    """
    (registry,) = registries.registries(source(text.format("ways.get(kind)")))
    assert registry.name == "make by ways"
    assert [(e.key, e.implementation) for e in registry.entries] == [
        ("0", "Even"), ("1", "ways_of.Odd"), ("otherwise", "Even")
    ]  # fmt: skip
    assert not list(registries.registries(source(text.format("first(ways)"))))


def test_names_that_calls_register_with_module_and_class(source: Source) -> None:
    text = """
    def register_all():
        if needed:
            Factory.register_link("near", "links.near", "NearLink")
        Factory.register_link("far", "links.far", "{0}")
        Models.register_model("A", "models.a:ModelA")
        Models.register_model("B", "models.b:ModelB")
    """
    found = {r.name: [(e.key, e.implementation) for e in r.entries] for r in registries.registries(
        source(text.format("FarLink")))}  # fmt: skip
    assert found == {
        "Factory.register_link": [("near", "links.near.NearLink"), ("far", "links.far.FarLink")],
        "Models.register_model": [("A", "models.a:ModelA"), ("B", "models.b:ModelB")],
    }
    few = registries.registries(source(text.format("far link")))
    assert [r.name for r in few] == ["Models.register_model"]


def test_what_a_class_lets_through_is_listed(source: Source) -> None:
    text = """
    class OvenConfig:
        _modes = frozenset({"bake", "grill"})
        levels: tuple = (1, 2)

        def check(self):
            if self.mode not in self._modes:
                raise ValueError(self.mode)
            assert self.level in self.levels
            assert self.dish in self.dishes
    """
    assert [c.condition for c in constraints.constraints(source(text))] == [
        'self.mode in self._modes, where _modes = {"bake", "grill"}',
        "self.level in self.levels, where levels = (1, 2)",
        "self.dish in self.dishes",
    ]


def test_a_long_comparison_keeps_what_it_is_compared_with(source: Source) -> None:
    text = """
    def fits(self, letter):
        return len(self.bag) < self.most_letters and (
            sum([self.pages_needed(len(other.words)) for other in self.bag.letters_of_today + [letter]])
            + sum([self.pages_needed(len(other.words)) for other in self.letters_of_yesterday])
            <= self.rack.most_pages
        )
    """
    one = source(text)
    (function,) = one.module.functions()
    first, second = [step.line for step in Condenser(one).block(function.node.body)]
    assert first == "return len(self.bag) < self.most_letters"
    assert second.startswith("  and sum([self.pages_needed(len(other.words))")
    assert second.endswith("… <= self.rack.most_pages")
    assert len(second) <= len("  and ") + MAX_STEP
