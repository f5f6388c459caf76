"""How caches make room, keep whole pieces of prefixes and take policies: forms that engines nobody had read have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kernelscope.serving import c_hosts, preemption, prefixes
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.channels import channels, links, uses
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.families import families, taken
from kernelscope.serving.making_room import making_room
from kernelscope.serving.requeueing import put_before
from kernelscope.serving.whole_pieces import whole_pieces
from kernelscope.syntax.text import SourceText

Source = Callable[[str], PythonSource]


def test_how_many_a_queue_holds(source: Source) -> None:
    text = """
        import queue

        class Desk:
            def __init__(self, fast, n):
                self.first = queue.Queue(1 if fast else 4)
                self.second = queue.Queue(maxsize=n)
                self.third = queue.Queue(1)
                self.free = queue.Queue()
                self.also_free = queue.Queue(maxsize=0)
    """
    parsed = source(text)
    assert [link.text for link in links(channels(parsed), uses(parsed))] == [
        "queue first opened in Desk.__init__; it holds at most 1 if fast else 4 elements",
        "queue second opened in Desk.__init__; it holds at most n elements",
        "queue third opened in Desk.__init__; it holds at most 1 element",
        "queue free opened in Desk.__init__",
        "queue also_free opened in Desk.__init__",
    ]


def test_policies_that_fill_in_what_a_base_leaves_open(source: Source) -> None:
    text = """
        class EvictionStrategy(ABC):
            @abstractmethod
            def rank(self, node): ...

        class Oldest(EvictionStrategy):
            def rank(self, node):
                return node.used_at

        class Rarest(EvictionStrategy):
            def rank(self, node):
                return (node.uses, node.used_at)

        class Shape(ABC):
            @abstractmethod
            def area(self): ...

        class Square(Shape):
            def area(self): return 1

        class Circle(Shape):
            def area(self): return 3
    """
    assert [(section, c.value) for section, c in families(source(text))] == [
        (
            "serving.kv_cache",
            "EvictionStrategy leaves rank to 2 classes: Oldest (node.used_at); Rarest ((node.uses, node.used_at))",
        )
    ]


def test_the_policy_that_an_object_takes(source: Source) -> None:
    text = """
        class Router:
            def __init__(self, fair):
                self.pause_strategy = Oldest()
                self.policy = Made(fair)
                if fair:
                    self.other_strategy = Fair()
    """
    assert [c.value for c in taken(source(text))] == ["policy: Router works by Oldest (self.pause_strategy = Oldest())"]


def test_what_is_put_before_all_that_waits(source: Source) -> None:
    text = """
        class Queue:
            def take_back(self, late):
                self.waiting = late + self.waiting
                self.num_waiting = 1 + self.num_waiting
                self.waiting_tokens = late + self.waiting_tokens

            def add(self, new):
                self.waiting = self.waiting + new
    """
    assert [c.value for c in put_before(source(text))] == [
        "late goes to the front (head) of the queue self.waiting, before all that waits there "
        "(self.waiting = late + self.waiting)"
    ]


def test_a_request_that_a_queue_takes_back_by_a_method(source: Source) -> None:
    text = """
        def pause_one(batches, strategy, queue):
            ordered = strategy.order(batches)
            request, batch = ordered[0]
            batch.pop_request(request.id)
            request.kv_lens[:] = 0
            queue.back_to_waiting([request])

        def look(queue, request):
            queue.back_to_waiting([request])
    """
    assert [c.value for c in preemption.preemptions(source(text))] == [
        "preempted by recompute: its cache is freed and prefilled again (request.kv_lens[:] = 0), then it re-queues by "
        "back_to_waiting, whose own code says at which end: queue.back_to_waiting([request]); the victim is the first "
        "of ordered (request, batch = ordered[0], where ordered = strategy.order(batches))"
    ]


def test_prefixes_in_whole_pieces(source: Source) -> None:
    text = """
        def load_prefix(tokens, chunk_size, page_size):
            n = common(tokens)
            cut = n - (n % chunk_size)
            if cut == len(tokens):
                cut -= chunk_size
            return cut

        def match_prefix(key, page_size, n):
            key = key[: len(key) // page_size * page_size]
            up = (n + page_size - 1) // page_size * page_size
            return up

        def insert_radix(ids, block_size):
            return align_down(len(ids), block_size)

        def other(ids, block_size):
            return align_down(len(ids), block_size)
    """
    assert [c.text for c in whole_pieces(source(text))] == [
        "load_prefix whole pieces: prefixes in whole pieces: only multiples of chunk_size tokens count: "
        "cut = n - (n % chunk_size); cut -= chunk_size if cut == len(tokens): something is left to compute",
        "match_prefix whole pieces: prefixes in whole pieces: only multiples of page_size tokens count: "
        "len(key) // page_size * page_size",
        "insert_radix whole pieces: prefixes in whole pieces: only multiples of block_size tokens count: "
        "align_down(len(ids), block_size)",
    ]


def test_a_list_that_lost_its_last_token_is_offered() -> None:
    text = b"""
        struct PrefixCache {
            int Insert(std::vector<int> tokens) {
                tokens.pop_back();
                return tree_->MatchPrefix(tokens);
            }
        };
    """
    host = c_hosts.host_source(CSource(Path("/w/prefix_cache.cc"), SourceText(text + b"void f() { q.push_back(1); }")))
    assert host is not None
    assert [c.value for c in prefixes.offered(host)] == [
        "the prefix match gets all but the last token: tree_->MatchPrefix is offered tokens after tokens.pop_back(), "
        "so one token is left to compute"
    ]


def test_when_a_cache_makes_room(source: Source) -> None:
    text = """
        class PrefixCache:
            def store(self, entry):
                while self.used + entry.size > self.max_bytes or len(self.entries) >= self.most:
                    self._evict_lru()
                self.entries[entry.key] = entry

            def allocate(self, n):
                if self.pool.available() < n:
                    self.tree.evict(n)
                if self.metrics is not None and n > 3:
                    self.metrics.observe_evictions(n)
                if len(self.groups) <= 1:
                    self.tree.evict_blocks(n)
                if n > 0:
                    self.tree.evict_all()

            def _evict_lru(self):
                key, entry = self.entries.popitem(last=False)
                if self.disk is not None:
                    self.disk.enqueue_spill(key, entry)
    """
    assert [(section, c.text) for section, c in making_room(source(text))] == [
        (
            "serving.prefix_cache",
            "PrefixCache.store makes room: eviction: self._evict_lru(), while self.used + entry.size > self.max_bytes "
            "or len(self.entries) >= self.most",
        ),
        (
            "serving.prefix_cache",
            "PrefixCache.allocate makes room: eviction: self.tree.evict(n) if self.pool.available() < n",
        ),
        (
            "serving.prefix_cache",
            "PrefixCache._evict_lru lower tier: what is evicted is handed on: self.disk.enqueue_spill(key, entry) if "
            "self.disk is not None",
        ),
    ]
