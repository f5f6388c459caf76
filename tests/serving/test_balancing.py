"""Which replica a request goes to, by structure, and near misses of which nothing may be said."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kernelscope.serving.balancing import balancing
from kernelscope.serving.claims import PythonSource

Source = Callable[[str], PythonSource]

LEAST = """
class Desk:
    def route(self, letter):
        best = None
        for number, worker in enumerate(self.workers):
            load: int = worker.waiting * 4
            load += worker.running
            if load < best:
                best = load
                chosen = number
        return chosen
"""
CYCLE = """
class Router:
    def __init__(self, urls):
        self.turn = itertools.cycle(urls)
        self.order = itertools.cycle(urls)

    def pick(self):
        return next(self.turn)
"""
HEAP = """
def dispatch(letters, engines, n):
    waiting = [engine.waiting() for engine in engines]
    heap = [(many, at) for at, many in enumerate(waiting)]
    heapq.heapify(heap)
    for _ in letters:
        load, at = heapq.heappop(heap)
        heapq.heappush(heap, (load + n, at))
"""


SORTED = """
def answer(self, counts):
    by_load = sorted(counts.keys(), key=lambda instance: counts[instance])
    chosen_instance = by_load[0]
    return chosen_instance

def prefill_node_for(self, nodes, task_counts):
    for node in sorted(nodes, key=lambda n: task_counts[n]):
        if node.port is not None:
            return node
"""


COUNTED = """
class Hall:
    def send(self, letter):
        sent = self.desk_rpcs[self.at].write.remote(letter)
        self.at = (self.at + 1) % self.desks
        return sent
"""


def test_what_is_loaded_is_no_load_of_replicas(source: Source) -> None:
    text = """
    class Kept:
        def choose_load(self, key):
            found = self.peers.get_longest_prefix(key)
            return found
    """
    (claim,) = balancing(source(text))
    assert "by prefix" in claim.value
    assert not list(balancing(source(text.replace("choose_load", "load"))))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            HEAP,
            "the one with the smallest load of the heap heap (load, at = heapq.heappop(heap)), whose load becomes "
            "load + n, where waiting = [engine.waiting() for engine in engines]",
        ),
        (
            "def dispatch(self):\n    return min(self.instances, key=lambda i: i.load)\n",
            "the one of self.instances with the smallest lambda i: i.load",
        ),
        (
            LEAST,
            "the one of enumerate(self.workers) with the smallest load = worker.waiting * 4, load += worker.running",
        ),
        (
            "class RoundRobin:\n    def select(self, last):\n        self.at = (last + 1) % len(self.engine_ids)\n",
            "round robin: self.engine_ids take turns ((last + 1) % len(self.engine_ids))",
        ),
        (
            "def route(key, urls):\n    return urls[hash(key) % len(urls)]\n",
            "by a hash: the same key goes to the same of urls (hash(key) % len(urls))",
        ),
        ("def pick(workers):\n    return random.choice(workers)\n", "one of workers at random"),
        (CYCLE, "round robin: self.turn goes round"),
        (COUNTED, "round robin: self.desk_rpcs take turns ((self.at + 1) % self.desks)"),
    ],
)
def test_how_a_replica_is_chosen(source: Source, text: str, told: str) -> None:
    found = list(balancing(source(text)))
    assert [claim.value for claim in found] == [f"load balancing: {told} (≈ replicas by their names)"]
    assert found[0].confidence == "heuristic"


@pytest.mark.parametrize(
    "text",
    [
        "def pick(words):\n    return random.choice(words)\n",
        "def balance_experts(workers):\n    return min(workers, key=len)\n",
        "def longest(workers):\n    return max(workers, key=len)\n",
        LEAST.replace("best = load", "best = number"),
        CYCLE.replace("next(self.turn)", "next(self.rest)"),
        COUNTED.replace("desk_rpcs[self.at].write.remote(letter)", "desk_rpcs[self.at]"),
        COUNTED.replace("self.desk_rpcs", "self.letters"),
        COUNTED.replace("desk_rpcs[self.at]", "desk_rpcs[self.first]"),
        "def route(at, workers):\n    return at % workers\n",
    ],
)
def test_what_chooses_no_replica(source: Source, text: str) -> None:
    assert not list(balancing(source(text)))


def test_the_first_of_what_is_sorted_by_load(source: Source) -> None:
    text = SORTED.replace("by_load", "instances_by_load").replace("prefill_node_for", "pick_node")
    assert [claim.value.partition(" (≈")[0] for claim in balancing(source(text))] == [
        "load balancing: the first of counts.keys() sorted by counts[instance]: the smallest",
        "load balancing: the first that will do of nodes sorted by task_counts[n]",
    ]
    assert not list(balancing(source(SORTED.replace("counts[", "names["))))
