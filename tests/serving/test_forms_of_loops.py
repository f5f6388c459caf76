"""Main loops, mailboxes, gRPC and what is chosen by assignment: forms that engines nobody had read have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kernelscope.serving import (
    alternatives,
    c_hosts,
    caches,
    capacity,
    chunking,
    endpoints,
    evictions,
    giving_up,
    main_loops,
    prefixes,
    victims,
)
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.channels import links
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.families import families
from kernelscope.serving.mailboxes import letters, mailboxes
from kernelscope.serving.reading import read_c, read_python
from kernelscope.serving.stepped import stepped
from kernelscope.serving.switched_off import switched_off_locally
from kernelscope.serving.system import join
from kernelscope.syntax.text import SourceText

Source = Callable[[str], PythonSource]


def host(text: bytes, name: str = "desk.cc") -> c_hosts.HostSource:
    found = c_hosts.host_source(CSource(Path(f"/w/{name}"), SourceText(text)))
    assert found is not None
    return found


def test_what_each_round_of_a_main_loop_calls(source: Source) -> None:
    text = """
        class Desk:
            async def serve(self):
                while True:
                    letters = self.inbox.take()
                    if letters is None:
                        break
                    logger.info("taken")
                    if self.paused:
                        self.rest(len(letters))
                    else:
                        self.schedule(letters)
                    await self.step()

            def waits(self):
                while self.waiting:
                    self.step()

            def tries(self):
                while True:
                    if self.step():
                        return

            def listens(self):
                while self.running:
                    self.inbox.take()
    """
    assert [c.text for c in main_loops.main_loops(source(text))] == [
        "Desk.serve main loop: while True, each round calls self.inbox.take, self.rest (if self.paused), self.schedule "
        "(if not self.paused), self.step; it is left if letters is None"
    ]


def test_a_list_that_a_condition_guards_is_a_queue(source: Source) -> None:
    text = """
        class Desk:
            def put(self, letter):
                with self.there:
                    self.letters.append(letter)
                    self.notes.append(letter)
                    self.there.notify()

            def take(self):
                with self.there:
                    self.there.wait()
                    return self.letters.popleft()

            def look(self):
                return self.notes.pop()
    """
    parsed = source(text)
    assert [link.text for link in links(mailboxes(parsed), letters(parsed))] == [
        "queue letters opened in Desk; Desk.put sends; Desk.take receives"
    ]


def test_a_list_that_a_condition_guards_in_cpp() -> None:
    text = b"""
        class Desk {
            void Put(Letter letter) {
                { std::lock_guard<std::mutex> lock(mutex_); letters_.emplace_back(letter); }
                there_.notify_one();
            }
            void Run() {
                while (!done_.load()) {
                    std::unique_lock<std::mutex> lock(mutex_);
                    there_.wait(lock, [this] { return !letters_.empty(); });
                    taken = letters_;
                    letters_.clear();
                    for (auto& letter : taken) { engine_->Step(letter); }
                }
            }
        };
    """
    system = join([read_c(CSource(Path("/w/desk.cc"), SourceText(text)))])
    assert [link.text for link in system.links] == ["queue letters_ opened in Desk; Desk.Put sends; Desk.Run receives"]
    (claim,) = (c for c in system.claims["serving.lifecycle"] if c.name.endswith("main loop"))
    assert claim.value == ("while !done_.load(), each round calls there_.wait, letters_.clear, engine_->Step")


def test_where_grpc_listens_and_what_it_serves(source: Source) -> None:
    text = """
        async def serve(path, rank, several):
            if several:
                address = urls[rank]
            else:
                address = f"unix://{path}"
            server = aio.server()
            add_DeskServicer_to_server(Desk(), server)
            server.add_insecure_port(address)
    """
    assert [c.value for c in endpoints.listening(source(text))] == [
        'serve lets a gRPC server listen on urls[rank] or f"unix://{path}" (server.add_insecure_port(address)); it '
        "serves Desk"
    ]


def test_what_is_tried_before_a_request_is_given_up(source: Source) -> None:
    text = """
        class Desk:
            def step(self):
                while not self.fits(self.running):
                    if self.cache.free_some():
                        continue
                    self.preempt_last()

            def fits(self, running):
                return len(running) <= self.free_pages
    """
    (claim,) = giving_up.given_up(source(text))
    assert claim.value == (
        "preempted while what runs does not fit: self.preempt_last() until self.fits(self.running), which asks whether "
        "len(running) <= self.free_pages; self.cache.free_some() is tried first, as long as that helps"
    )


def test_ways_that_are_kept_with_an_annotation(source: Source) -> None:
    text = """
        class Cache:
            def __init__(self, policy):
                if policy == "old":
                    self.eviction_strategy: Strategy = OldStrategy()
                elif policy == "rare":
                    self.eviction_strategy: Strategy = RareStrategy()
    """
    assert [(section, c.value) for section, c in alternatives.alternatives(source(text))] == [
        (
            "serving.kv_cache",
            'Cache.__init__ makes OldStrategy if policy == "old"; RareStrategy if policy == "rare"',
        )
    ]


def test_a_heap_of_leaves_with_their_rank(source: Source) -> None:
    text = """
        class Tree:
            def evict(self, wanted):
                leaves = list(self.evictable_leaves)
                heap = [(self.strategy.rank(node), node) for node in leaves]
                heapq.heapify(heap)
                while heap:
                    _, node = heapq.heappop(heap)
                    if not node.parent.children:
                        heapq.heappush(heap, (self.strategy.rank(node.parent), node.parent))
    """
    (claim,) = evictions.evictions(source(text))
    assert claim.value == (
        "by a heap: the least element is evicted first; heapq.heappop(heap); elements are ordered by "
        "`self.strategy.rank(node)` first; candidates at first: list(self.evictable_leaves); then also "
        "(self.strategy.rank(node.parent), node.parent) if not node.parent.children"
    )


def test_a_limit_of_the_match_that_is_lowered_further(source: Source) -> None:
    text = """
        def begin(self, tree_cache):
            most = len(self.ids) - 1
            if self.start >= 0:
                most = min(most, self.start)
            ids = self.ids[:most]
            return tree_cache.match_prefix(Params(key=Key(ids)))

        def finish_prefix(cache, vocab_size, sizes):
            vocab_size = sizes - 1
            return prefix_topk(cache, vocab_size)
    """
    assert [c.value for c in prefixes.offered(source(text))] == [
        "the prefix match gets all but the last token: tree_cache.match_prefix is offered Params(key=Key(ids)) with "
        "limit len(self.ids) - 1, so one token is left to compute"
    ]


def test_whom_a_newcomer_of_higher_rank_displaces(source: Source) -> None:
    text = """
        class Adder:
            def preempt_for(self, new):
                by_rank = sorted(self.running, key=lambda r: r.rank)
                preemptible = []
                for old in by_rank:
                    lead = new.rank - old.rank
                    if lead > self.least_lead:
                        preemptible.append(old)
                return preemptible
    """
    assert [c.value for c in victims.victims(source(text))] == [
        "preemption victims: preemptible.append(old) if lead > self.least_lead, where lead = new.rank - old.rank, for "
        "old in by_rank, where by_rank = sorted(self.running, key=lambda r: r.rank)"
    ]


def test_a_store_of_cpp_is_over_the_field_that_cpp_declares(source: Source) -> None:
    declared = b"""
        struct EngineConfig {
            int mode = 1;
        };
        void start(EngineConfig* config) {
            queue_.push_back(1);
            if (config->drafts > 0) { config->mode = Mode::kPlain; }
        }
    """
    python = """
        @dataclass
        class EngineConfig:
            mode: int = 2
    """
    readings = [read_c(CSource(Path("/w/config.cc"), SourceText(declared))), read_python(source(python))]
    found = {p.location.path.suffix: p for p in join(readings).parameters if p.name == "mode"}
    assert [(c.value, c.condition) for c in found[".cc"].overrides] == [("Mode::kPlain", "config->drafts > 0")]
    assert found[".py"].overrides == ()


def test_when_a_prompt_goes_in_chunks(source: Source) -> None:
    text = """
        class Desk:
            def prefill(self, prompt):
                if self.chunks and prompt.length >= self.chunk_size:
                    self.chunked_prefill(prompt)
                    self.set_chunked_prefill_time(prompt)
                elif self.slow:
                    self.chunked_prefill_later(prompt)

            def fill(self, request, chunk_size, used):
                length = count(request)
                if not self.fits(length):
                    length = chunk_size - used
                return length
    """
    parsed = source(text)
    assert [c.value for c in chunking.chosen_by_size(parsed)] == [
        "chunked prefill: self.chunked_prefill if self.chunks and prompt.length >= self.chunk_size"
    ]
    assert [c.value for c in chunking.cut_to_the_rest(parsed)] == [
        "chunked prefill: length is count(request) where that fits, else what is left of chunk_size "
        "(length = chunk_size - used); the rest follows"
    ]


def test_what_is_asked_before_a_request_is_taken(source: Source) -> None:
    text = """
        class Desk:
            def can_prefill(self, wanted):
                if self.keeps_nothing:
                    return True
                return wanted <= self.max_tokens and self.has_room(wanted)

            def has_room(self, wanted):
                return wanted <= self.free_pages

            def can_print(self, wanted):
                return wanted <= self.max_tokens and self.has_room(wanted)
    """
    assert [c.value for c in capacity.admissions(source(text))] == [
        "admission: Desk.can_prefill admits a request only if wanted <= self.max_tokens and self.has_room(wanted), "
        "or where self.keeps_nothing; has_room is wanted <= self.free_pages"
    ]


def test_numbers_that_go_by_steps(source: Source) -> None:
    text = """
        def draft_length(running):
            if running < 10:
                draft = 4
            elif running < 20:
                draft = 3
            else:
                draft = 0
            return draft

        def padded_batch(size):
            if size == 1:
                return 1
            if size <= 4:
                return 4
            if size <= 8:
                return 8
            return size

        def rounded(size):
            if size <= 512:
                size = 512
            elif size <= 1024:
                size = 1024
            return size

        def other(size, name):
            if size < 3:
                return 1
            if name < 4:
                return 2
            return 0
    """
    assert [c.value for _, c in stepped(source(text))] == [
        "draft goes by running: 4 if running < 10; 3 if running < 20; 0 otherwise",
        "padded_batch goes by size: 1 if size == 1; 4 if size <= 4; 8 if size <= 8",
    ]


def test_a_local_name_that_is_stored_over_an_option_is_worked_out(source: Source) -> None:
    text = """
        def main():
            parser = argparse.ArgumentParser()
            parser.add_argument("--batch-tokens", type=int, default=None)
            args = parser.parse_args()
            if args.batch_tokens is None:
                batch_tokens = args.all // 6
                batch_tokens = max(batch_tokens, 8)
                args.batch_tokens = batch_tokens
    """
    (option,) = (p for p in join([read_python(source(text))]).parameters if p.name == "--batch-tokens")
    assert [c.value for c in option.overrides] == [
        "batch_tokens, where batch_tokens = args.all // 6, then batch_tokens = max(batch_tokens, 8)"
    ]


def test_storages_of_a_cache_that_one_base_has(source: Source) -> None:
    text = """
        class CacheStorage(ABC):
            @abstractmethod
            def add(self, key): ...

        class FastStorage(CacheStorage):
            def add(self, key): self.fast[key] = 1

        class SlowStorage(CacheStorage):
            def add(self, key): self.slow[key] = 1
    """
    assert [(section, c.value) for section, c in families(source(text))] == [
        ("serving.kv_cache", "CacheStorage leaves add to 2 classes: FastStorage; SlowStorage")
    ]


def test_what_was_asked_for_and_is_turned_off(source: Source) -> None:
    text = """
        class Model:
            def __init__(self, supports_chunking, drafts):
                supports_chunking = supports_chunking and CHUNKS
                if supports_chunking:
                    if drafts != 0:
                        supports_chunking = False
                if not FAST:
                    supports_chunking = False
                other = False
    """
    assert [(section, c.value) for section, c in switched_off_locally(source(text))] == [
        ("serving.batching", "supports_chunking is turned off if drafts != 0; or if not FAST")
    ]


def test_layouts_of_pairs_in_a_list(source: Source) -> None:
    text = """
        class Model:
            def init_kv_cache(self, blocks, heads, size):
                self.kv_cache = [
                    (torch.empty((blocks, 16, heads, size)), torch.empty((blocks, 16, heads, size)))
                    for _ in range(self.layers)
                ]
    """
    assert [c.value for c in caches.buffers(source(text))] == [
        "self.kv_cache: [blocks, 16, heads, size]; indexed by block (paged), one for each of range(self.layers)"
    ]


def test_layouts_and_powers_of_two_in_cpp() -> None:
    text = b"""
        KVCache::KVCache(int n_blocks, int block_size, int heads) {
            CHECK(power_of_2(block_size)) << "no";
            CHECK(start(block_size));
            key_cache_ = torch::empty({n_blocks * block_size, kv_heads, head_dim}, options);
        }
    """
    reading = read_c(CSource(Path("/w/kv_cache.cpp"), SourceText(text)))
    assert [(c.condition, c.kind) for c in reading.constraints] == [("power_of_2(block_size)", "power_of_two")]
    assert [c.value for c in reading.claims["serving.kv_cache"]] == [
        "key_cache_: [n_blocks * block_size, kv_heads, head_dim]; indexed by block (paged)"
    ]
