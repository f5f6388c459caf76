"""Near misses of engines that were read last: what only looks like scheduling, caching, waiting or sharding."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain.faq import QUESTIONS
from kernelscope.explain.faq_answers import architectures, registered
from kernelscope.explain.faq_sizes import context_limits
from kernelscope.explain.section_settings import concerns, declared
from kernelscope.results import Location
from kernelscope.serving import (
    admission,
    caches,
    capacity,
    chunking,
    collectives,
    constraints,
    endings,
    evictions,
    execution,
    lengths,
    overlap,
    preferences,
    prefixes,
    process_groups,
    service,
    sharding,
    sharing,
    waits,
)
from kernelscope.serving.c_algorithms import algorithms
from kernelscope.serving.c_checks import c_constraints
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.c_waits import c_syncs
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.layers import orders
from kernelscope.serving.merging import merged_batches
from kernelscope.serving.precision import precisions
from kernelscope.serving.procedures import is_aside
from kernelscope.serving.queues import queues
from kernelscope.serving.reading import read_c, read_python
from kernelscope.serving.readings import Readings
from kernelscope.serving.sections import hits
from kernelscope.serving.system import join
from kernelscope.serving.work import producers, tables
from kernelscope.syntax.text import SourceText
from kernelscope.workspace.files import Files
from kernelscope.workspace.workspace import Workspace

Source = Callable[[str], PythonSource]


def native(text: str) -> CSource:
    return CSource(Path("/w/desk.cu"), SourceText(text.encode()))


def answers(text: str, question: str, source: Source) -> list[str]:
    system = join([read_python(source(text))])
    (asked,) = (q for q in QUESTIONS if q.id == question)
    return [claim.value for claim in asked.claims(system)]


@pytest.mark.parametrize(
    ("product", "measured"),
    [
        ("2 * self.layers * self.kv_heads * self.head_dim * self.dtype.itemsize", "bytes per token"),
        ("2 * self.layers * self.block_size * self.heads * self.dtype.itemsize", "bytes per block or page"),
        ("2 * self.layers * self.max_len * self.heads * self.dtype.itemsize", "bytes"),
    ],
)
def test_bytes_are_of_what_is_multiplied(source: Source, product: str, measured: str) -> None:
    (claim,) = caches.sizing(source(f"class Plan:\n    def kv_bytes(self):\n        return {product}\n"))
    assert claim.name == f"Plan.kv_bytes {measured}"


def test_scaled_and_shifted_values_are_no_slots(source: Source) -> None:
    text = "def mix(rows, scale, base, j):\n    out = rows[j] * scale[0] + base[j]\n"
    assert not list(caches.paging(source(text)))
    (claim,) = caches.paging(source(text.replace("scale[0] + base[j]", "page + j % page")))
    assert "paged: slot" in claim.value


def test_groups_of_numbers_are_no_blocks(source: Source) -> None:
    text = "def fill_cache(width, group_size):\n    n = (width + group_size - 1) // group_size\n"
    assert not list(caches.paging(source(text)))
    assert list(caches.paging(source(text.replace("group_size", "page_size"))))


def test_rows_of_a_workspace_are_no_blocks_of_the_cache(source: Source) -> None:
    text = "class Copies:\n    def plan(self):\n        blocks = self.workspace_bytes // self.block_bytes\n"
    assert not list(caches.sizing(source(text)))
    assert list(caches.sizing(source(text.replace("workspace", "free"))))


def test_a_limit_less_what_is_kept_back_cuts_no_prompt(source: Source) -> None:
    text = """
        def longest(self, kept):
            max_tokens = self.blocks * self.size
            max_tokens -= kept
            tokens = min(max_tokens, self.tokens)
            return tokens
    """
    assert not list(chunking.chunks(source(text)))
    after = text.replace("            return tokens", "            max_tokens -= tokens\n            return tokens")
    assert list(chunking.chunks(source(after)))


def test_parts_of_a_message_are_no_chunks_of_a_prompt(source: Source) -> None:
    text = """
        def send_data(self, remaining):
            while remaining > 0:
                chunk = min(self.chunk_bytes, remaining)
                remaining -= chunk
    """
    assert not list(chunking.chunks(source(text)))
    plain = text.replace("send_data", "step").replace("chunk_bytes", "chunk_tokens")
    assert list(chunking.chunks(source(plain)))


def test_what_happened_to_a_request_orders_no_streams(source: Source) -> None:
    text = "def add(seq, stream):\n    seq.record_event(Kind.QUEUED)\n    stream.record_event(done)\n"
    (sync,) = waits.syncs(source(text))
    assert sync.text == "add: stream.record_event(done) orders two streams"
    (kept,) = waits.syncs(source("def keep(x, s):\n    x.record_stream(s)\n"))
    assert "keeps the memory from being used again" in kept.text


def test_partial_sums_are_no_signals(source: Source) -> None:
    text = """
        @triton.jit
        def add(c, flags):
            tl.atomic_add(c, 1.0)
            tl.atomic_add(flags, 1)
            tl.atomic_add(c, 1, sem="release")
    """
    told = [sync.text for sync in waits.syncs(source(text))]
    assert [text.split(" by ")[0].split(" with ")[0] for text in told] == [
        "add works out a result", "add signals", "add signals"
    ]  # fmt: skip


def test_groups_are_made_by_the_library(source: Source) -> None:
    text = """
        from torch import distributed as dist
        from ..meeting import init_process_group

        class Clerk:
            def init_process_group(self, rank):
                init_process_group(rank, self.clerks)
                dist.init_process_group("nccl")

        def hire(clerk, rank):
            clerk.init_process_group(rank)
    """
    (claim,) = process_groups.groups(source(text))
    assert 'with backend "nccl" in Clerk.init_process_group' in claim.value


def test_the_group_of_a_collective_may_have_no_name(source: Source) -> None:
    text = """
        from jax import lax
        import torch.distributed as dist

        def meet(x, axis, group):
            y = lax.all_to_all(x, axis, split_axis=0, concat_axis=1)
            dist.all_reduce(x, dist.ReduceOp.SUM, group)
            dist.barrier(group)
            dist.broadcast(x, 0)
    """
    found = [(c.primitive, c.tensor, c.group) for c in collectives.collectives(source(text))]
    assert found == [
        ("all_to_all", "x", "axis"),
        ("all_reduce", "x", "group"),
        ("barrier", "", "group"),
        ("broadcast", "x", "default group"),
    ]


def test_the_first_that_is_only_looked_at_is_not_served(source: Source) -> None:
    text = """
        class Batch:
            def is_new(self):
                first = next(iter(self.requests.values()))
                return first.done == 0
    """
    assert not list(service.orders(source(text)))
    assert list(service.orders(source(text.replace("return first.done == 0", "self.run(first)"))))


def test_keys_by_their_rows_are_no_policy(source: Source) -> None:
    text = """
        class Batch:
            def inputs(self):
                return sorted(self.seq_rows.keys(), key=lambda x: self.seq_rows[x])
    """
    assert not list(service.orders(source(text)))
    assert list(service.orders(source(text.replace("self.seq_rows[x]", "x.arrived"))))


def test_the_rest_of_a_request_is_not_preempted(source: Source) -> None:
    text = """
        class Desk:
            def __init__(self):
                self.waiting = deque()

            def cut(self, req):
                rest = copy.copy(req)
                self.waiting.appendleft(rest)

            def pass_on(self):
                self.waiting.appendleft(self.chunked_req)
                self.waiting.appendleft(req)
    """
    (queue,) = queues(source(text))
    told = [(claim.name, claim.value.partition(",")[0]) for claim in service.service_claims(queue)]
    assert told == [
        ("Desk.waiting chunked prefill", "chunked prefill: self.chunked_req"),
        ("Desk.waiting requeue", "req goes back to the front (head) of the queue (appendleft)"),
    ]
    (part,) = answers(text, "batching.chunked", source)
    assert "of which a part was computed" in part


def test_tokens_are_no_requests(source: Source) -> None:
    text = """
        def write(self):
            written = []
            while self.pending_tokens:
                token = self.pending_tokens.pop(0)
                if token in self.last:
                    break
                written.append(token)
            return written
    """
    assert not list(admission.continuous(source(text)))
    assert list(admission.continuous(source(text.replace("pending_tokens", "pending"))))


def test_a_candidate_is_what_no_test_turns_down(source: Source) -> None:
    text = """
        class Cache:
            def evict(self):
                heap = [n for n in self.nodes if self.may_go(n)]
                heapq.heapify(heap)
                self.drop(heapq.heappop(heap))

            def may_go(self, node):
                if node.held > 0:
                    return False
                return True

            def drop(self, node):
                if node.parent:
                    node.parent = None
    """
    (claim,) = evictions.evictions(source(text))
    assert claim.value.endswith("candidates: may_go where node.held <= 0")


def test_where_pieces_of_text_begin_is_no_packing(source: Source) -> None:
    text = "def log(self, n):\n    self.text_offset.append(self.text_offset[-1] + n_token_len)\n"
    assert not list(lengths.lengths(source(text)))
    assert list(lengths.lengths(source(text.replace("text_offset", "offset"))))


def test_asking_until_the_answer_will_do_is_no_main_loop(source: Source) -> None:
    text = """
        def ask(kind):
            if kind:
                while True:
                    read(1)
            else:
                while True:
                    other(2)
    """
    assert list(overlap.switches(source(text)))
    assert not list(overlap.switches(source(text.replace("read(1)", "input(1)"))))


def test_a_letter_is_no_layer(source: Source) -> None:
    text = 'def store(x):\n    put(x["norm"], "C", "row", 4)\n    put(x.mlp.w1, "row")\n'
    assert [(plan.pattern, plan.style) for plan in sharding.plans(source(text))] == [("x.mlp.w1", "row")]


def test_engines_divide_sizes_but_are_no_layers(source: Source) -> None:
    text = """
        import torch.distributed as dist

        class Part:
            def __init__(self, n, tp_size):
                self.n = n // tp_size

            def NAME(self, x):
                dist.all_reduce(x)
                return x
    """
    assert not join([read_python(source(text.replace("NAME", "agree")))]).layers
    assert not join([read_python(source(text.replace("NAME", "apply_turn")))]).layers
    assert join([read_python(source(text.replace("NAME", "forward")))]).layers


def test_a_search_is_of_a_cache(source: Source) -> None:
    text = "def step(table, step):\n    embedding_lookup(table, step - 1)\n"
    assert not list(prefixes.offered(source(text)))
    assert list(prefixes.offered(source(text.replace("embedding_lookup", "prefix_lookup"))))
    turn = """
        def replace_prefix_tokens(ids, cache):
            kept = ids[:-1]
            for token in kept:
                cache.add(token)
    """
    assert not list(prefixes.shortened(source(turn)))
    assert list(prefixes.shortened(source(turn.replace("replace_prefix", "match_prefix"))))


@pytest.mark.parametrize(
    "body",
    [
        "do { rest.push_back(text[at]); at++; } while (at < text.size());",
        "do { p++; } while (p != end && *p <= '9');",
        "do { e--; } while (!tasks[e]);",
        "do { next->after = last; } while (!tail.compare_exchange_weak(last, next));",
        "while (take_next()) {}",
        "do { seen = old; old = atomicCAS(at, seen, next); } while (seen != old);",
        "while (std::chrono::duration_cast<std::chrono::microseconds>(now() - start).count() < us);",
        "auto b = head.load(); while (b != nullptr) { b = b->next.load(); }",
    ],
)
def test_loops_that_work_wait_for_nobody(body: str) -> None:
    assert not list(c_syncs(native(f"void serve() {{ {body} }}")))
    assert list(c_syncs(native("void serve() { while (ready.load() < 4); }")))
    assert list(c_syncs(native("void serve() { do { seen = ld_acquire(p); } while (seen == 0); }")))


def test_reading_by_an_atomic_takes_no_work() -> None:
    text = "__global__ void k(int* f, int* a) { int t = atomicAdd(f, STEP); if (t < 4) { a[t] = 1; } }"
    assert any(sync.role == "fetch" for sync in c_syncs(native(text.replace("STEP", "1"))))
    assert not any(sync.role == "fetch" for sync in c_syncs(native(text.replace("STEP", "0"))))


def test_places_of_a_list_that_is_filled_are_no_work() -> None:
    text = "__global__ void k(int* f, int* a) { int t = atomicAdd(f, 1); USE }"
    assert not any(s.role == "fetch" for s in c_syncs(native(text.replace("USE", "a[t] = threadIdx.x;"))))
    assert any(s.role == "fetch" for s in c_syncs(native(text.replace("USE", "int n = a[t];"))))


def test_a_lock_that_is_given_back_is_not_raised() -> None:
    text = "__global__ void k(int* locks, int e) { atomicExch(&locks[e], 0); atomicAdd(&locks[e], 1); }"
    said = [s.text for s in c_syncs(native(text)) if s.role == "signal"]
    assert [s.rpartition(": ")[2] for s in said] == [
        "the counter in locks is set to 0",
        "the counter in locks is raised",
    ]


def test_buffers_kept_by_their_own_address_are_no_producers(source: Source) -> None:
    text = """
        class Plan:
            def keep(self, tensor, task):
                address = tensor.data_ptr()
                self.known[address] = KEPT
    """
    assert list(producers(source(text.replace("KEPT", "task"))))
    assert not list(producers(source(text.replace("KEPT", "(tensor, 1)"))))


def test_marks_of_one_byte_synchronise_nothing(source: Source) -> None:
    text = "def f(rows):\n    flags = torch.empty((rows, 4), dtype=torch.KIND)\n"
    assert list(tables(source(text.replace("KIND", "int32"))))
    assert not list(tables(source(text.replace("KIND", "uint8"))))


def test_what_rotates_and_stores_at_once_has_no_order(source: Source) -> None:
    text = """
        def forward(self, x):
            q = self.qkv_proj(x)
            y = write_cache_scratch(q)
            k = rope_norm_store_kv(q, y)
            return self.attn(q, k)
    """
    assert not [c for _, c in orders(source(text)) if "rope and cache" in c.name]


def test_choices_of_backends_have_names(source: Source) -> None:
    text = """
        BACKEND_SIZES = {"9.0": [4, 8], "10.0": [6, 8]}
        BACKENDS = {"fast": FastBackend, "slow": SlowBackend}

        class PagedCache:
            def __init__(self, role):
                if role == "a":
                    self.made = make_a()
                elif role == "b":
                    self.made = make_b()
    """
    system = join([read_python(source(text))])
    assert [c.name for c in registered("backend")(system)] == ["BACKENDS"]
    assert not list(registered("cache")(system))


def test_counts_are_no_limits_and_nothing_is_no_architecture(source: Source) -> None:
    text = """
        class Config:
            prefill_context_len: int = 0
            max_context_len: int = 0

        def f(sm_version, n):
            assert sm_version >= 0
            assert sm_version >= 80
    """
    system = join([read_python(source(text))])
    assert [c.name for c in context_limits(system)] == ["max_context_len"]
    assert [c.value for c in architectures(system)] == ["sm_version >= 80 must hold (assert in f)"]


def test_counters_of_what_is_being_done_lock_no_blocks(source: Source) -> None:
    text = """
        class PageTable:
            def give(self, page):
                page.COUNT += 1

            def take(self, page):
                page.COUNT -= 1
                if page.COUNT == 0:
                    self.free(page)
    """
    assert list(sharing.reference_counts(source(text.replace("COUNT", "users"))))
    assert not list(sharing.reference_counts(source(text.replace("COUNT", "sending"))))


def test_options_that_turn_something_off_are_not_on(source: Source) -> None:
    text = """
        parser.add_argument("--disable-sharing", dest="share", action="store_false", default=True)
        parser.add_argument("--fast", action="store_false")
        parser.add_argument("--slow", action="store_true")
    """
    system = join([read_python(source(text))])
    assert [p.default for p in system.declared] == [
        "default not given (share is True)", "default not given (fast is True)", "default False",
    ]  # fmt: skip


def test_policies_of_models_do_not_schedule(source: Source) -> None:
    text = """
        model_policies = {"one": OnePolicy, "other": OtherPolicy}
    """
    system = join([read_python(source(text))])
    (registry,) = system.registries
    assert not concerns("scheduling", registry)
    assert concerns("scheduling", replace(registry, location=Location(Path("/w/scheduler/policy.py"), 1)))


def test_whether_a_call_went_well_constrains_nothing() -> None:
    text = "void f() { API_CHECK(allocate(&batch_size, n * 4)); API_CHECK(batch_size <= 4); API_CHECK(f(n) % 2 == 0); }"
    assert [c.condition for c in c_constraints(native(text))] == ["batch_size <= 4", "f(n) % 2 == 0"]


def test_methods_of_templates_have_names() -> None:
    text = """
        template<typename T> void Desk<T>::serve(Letter letter) {
          waiting_.push_back(letter);
          found = prefix_cache_.match(tokens.slice(0, n - 1));
          cached_prefix_match(n - 1);
        }
    """
    reading = read_c(CSource(Path("/w/desk.cpp"), SourceText(text.encode())))
    told = [claim.name for claim in reading.claims["serving.prefix_cache"]]
    assert "Desk.serve prefix match limit" in told


def test_states_in_tests_are_not_those_of_the_engine(source: Source) -> None:
    text = """
        import enum

        class Status(enum.Enum):
            WAITING = 0
            RUNNING = 1

        def go(seq):
            seq.status = Status.RUNNING
    """
    engine, other = read_python(source(text)), read_python(source(text))
    other.aside = True
    other.path = Path("/w/tests/f.py")
    assert len(join([engine, other]).transitions) == 1
    assert len(join([other]).transitions) == 1


@pytest.mark.parametrize("folder", ["unittest", "unit_tests", "third-party"])
def test_folders_of_tests_and_of_others(folder: str) -> None:
    assert is_aside(Path("src") / folder / "desk.cc")


@pytest.mark.parametrize(
    ("name", "question"),
    [("QUOTATION_MARKS", "scheduling.fairness"), ("shorter_interval_tie_lower", "fusion.tied")],
)
def test_words_are_whole(source: Source, name: str, question: str) -> None:
    assert not answers(f"import os\nx = os.environ.get('{name}', '4')\n", question, source)


@pytest.mark.parametrize(
    ("option", "is_told"),
    [("--max-chunk-size", True), ("--prefill-chunk-size", True), ("--log-probs-chunk-size", False)],
)
def test_what_else_is_cut_into_chunks_is_no_prefill(source: Source, option: str, is_told: bool) -> None:
    text = f"import argparse\np = argparse.ArgumentParser()\np.add_argument('{option}', type=int, default=512)\n"
    assert bool(answers(text, "batching.chunked", source)) == is_told


@pytest.mark.parametrize(("owner", "is_told"), [("request", True), ("self", True), ("r", True), ("load_state", False)])
def test_who_is_no_request_ends_none(source: Source, owner: str, is_told: bool) -> None:
    text = f"def finish_requests(self, r, request, load_state, done):\n    if done:\n        {owner}.finished = True\n"
    assert bool(list(endings.endings(source(text)))) == is_told


def test_shapes_that_agree_limit_no_batch(source: Source) -> None:
    text = "def f(x, batch_size):\n    assert x.shape == (batch_size, 4)\n    assert x.shape[0] <= batch_size\n"
    (limit,) = answers(text, "batching.limits", source)
    assert limit.startswith("x.shape[0] <= batch_size")


def test_the_size_of_a_block_is_told_where_blocks_are_counted(source: Source) -> None:
    text = """
        from dataclasses import dataclass

        @dataclass
        class InferenceConfig:
            block_size: int = 16

        class CacheManager:
            def allocate(self, length):
                n = (length + self.block_size - 1) // self.block_size
    """
    assert answers(text, "kv_cache.block", source) == ["InferenceConfig.block_size default 16"]


def test_parts_of_models_are_no_blocks_of_a_cache(source: Source) -> None:
    text = """
        from dataclasses import dataclass

        @dataclass
        class Encoder:
            num_res_blocks: int = 2

        @dataclass
        class CacheManager:
            num_blocks: int = 64

            def allocate(self, length, block_size):
                n = (length + block_size - 1) // block_size
    """
    assert answers(text, "kv_cache.block", source) == ["CacheManager.num_blocks default 64"]


def test_a_hit_that_a_call_checks_is_checked(source: Source) -> None:
    text = """
        class Trie:
            def match(self, pieces):
                while pieces:
                    key = self.hash_block(pieces)
                    child = node.children.get(key)
                    if child is None TESTED:
                        break
    """
    (checked,) = prefixes.lookups(source(text.replace("TESTED", "or not self.is_of(child, pieces)")))
    assert checked.value.endswith("A hit is checked by self.is_of(child, pieces)")
    (unchecked,) = prefixes.lookups(source(text.replace(" TESTED", "")))
    assert "without a check of the tokens" in unchecked.value


def test_what_an_allocator_notes_is_no_cache(source: Source) -> None:
    text = """
        class KVBlockAllocator:
            def NAME(self, n):
                self.chosen = torch.empty(self.block_size, n, 4)
    """
    assert not list(caches.buffers(source(text.replace("NAME", "store_choice"))))
    assert list(caches.buffers(source(text.replace("NAME", "open_kv"))))


def test_shapes_of_pointers_agree_too() -> None:
    (check,) = c_constraints(native("void f() { API_CHECK(out->shape() == Sizes({batch_size, 4})); }"))
    assert check.kind == "shape"


def test_results_that_are_stored_atomically_are_no_signals(source: Source) -> None:
    text = "@triton.jit\ndef k(out, lock):\n    tl.atomic_xchg(out, 1.0)\n    tl.atomic_xchg(lock, 0)\n"
    one, other = waits.syncs(source(text))
    assert "works out a result" in one.text and "signals" in other.text


@pytest.mark.parametrize(
    ("text", "question", "told"),
    [
        ("class Hook:\n    priority: int = 20\n", "scheduling.policy", 0),
        ("class Request:\n    priority: int = 20\n", "scheduling.policy", 1),
        ("class Tiles:\n    recompute_overlap: bool = True\n", "scheduling.overlap", 0),
        ("class Engine:\n    overlap: bool = True\n", "scheduling.overlap", 1),
        ("CACHE_DTYPES = {Kind.A: torch.float8, Kind.B: torch.float16}\n", "kv_cache.kinds", 0),
        ("def f(m):\n    return torch.compile(m, mode='no-cudagraphs')\n", "hardware.graphs", 0),
        ("class Gemm:\n    kernel_schedule: str = 'ping'\n", "scheduling.switches", 0),
        ("class Server:\n    scheduler_addr: str = 'ipc:///tmp/a'\n", "scheduling.switches", 0),
        ("class Server:\n    scheduler_mode: str = 'slow'\n", "scheduling.switches", 1),
    ],
)
def test_settings_of_something_else_answer_nothing(source: Source, text: str, question: str, told: int) -> None:
    head = "from dataclasses import dataclass\nimport torch\n\n"
    body = f"@dataclass\n{text}" if text.startswith("class") else text
    assert len(answers(head + body, question, source)) == told


def test_an_order_of_lengths_does_not_prefer_prefill(source: Source) -> None:
    text = "def schedule(self):\n    self.waiting = sorted(self.waiting, key=lambda seq: seq.prefill_len)\n"
    assert answers(text, "scheduling.policy", source)
    assert not answers(text, "scheduling.prefill_decode", source)


def test_settings_of_rotations_are_no_order_of_layers(source: Source) -> None:
    text = """
        class Attention:
            def NAME(self, x):
                q = self.q_proj(x)
                q = self.CALLED(q)
                return self.o_proj(q)
    """
    told = text.replace("NAME", "forward").replace("CALLED", "rotary_emb")
    assert answers(told, "fusion.qk_norm_rope", source)
    assert not answers(told.replace("rotary_emb", "get_rope_scale"), "fusion.qk_norm_rope", source)


@pytest.mark.parametrize(
    ("calls", "told"),
    [
        ("cudaEventRecord(a, s); cudaStreamWaitEvent(t, a, 0);", ["orders streams by events", "without blocking"]),
        ("cudaEventRecord(a, s); cudaEventSynchronize(a);", ["lets the host wait for events"]),
        ("cudaEventRecord(a, s); cudaEventRecord(b, s);", []),
    ],
)
def test_who_waits_for_an_event(calls: str, told: list[str]) -> None:
    texts = [sync.text for sync in c_syncs(native(f"void f() {{ {calls} }}"))]
    assert len(texts) == bool(told) and all(part in texts[0] for part in told)


def test_what_a_policy_of_files_holds_is_no_policy(source: Source) -> None:
    text = "def read(self, n):\n    assert n <= self.policy.most_bytes\n    assert self.policy in ('fifo', 'lifo')\n"
    assert answers(f"class D:\n    policy: str = 'fifo'\n{text}", "scheduling.policy", source) == [
        "D.policy default fifo",
        "self.policy in ('fifo', 'lifo') must hold (assert in read)",
    ]


@pytest.mark.parametrize(
    ("folder", "aside"),
    [("tools/server", False), ("tools/other", True), ("a/tools/server", True), ("demos/chat", True), ("a/demo", True)],
)
def test_the_server_of_a_library_may_be_a_tool(folder: str, aside: bool) -> None:
    assert is_aside(Path(folder) / "server.cpp") is aside


def test_users_of_anything_are_no_references_to_blocks(source: Source) -> None:
    text = """
        class PageNode:
            def take(self):
                self.refs += 1

            def give(self):
                self.refs -= 1
                if self.refs == 0:
                    self.close()
    """
    assert list(sharing.reference_counts(source(text)))
    assert not list(sharing.reference_counts(source(text.replace("PageNode", "Redirection"))))
    by_class = text.replace("PageNode", "Redirection").replace("self.refs", "Redirection.refs")
    assert not list(sharing.reference_counts(source(by_class)))


def test_what_is_made_to_try_or_to_measure_pads_nothing(source: Source) -> None:
    text = "def f(self):\n    dummy_request = Request(0)\n    self.pad_batch(dummy_request)\n"
    (claim,) = execution.placeholders(source(text))
    assert claim.name == "f padding dummy_request" and "which fills up batches" in claim.value
    (kept,) = execution.placeholders(source(text.replace("pad_batch", "note")))
    assert kept.name == "f placeholder dummy_request"
    for name in ("fake_tail = Node", "dummy_messages = list", "fake_start = time.time", "null_dims = jax.tree.map"):
        said = text.replace("dummy_request = Request", name).replace("(dummy_request)", f"({name.split()[0]})")
        assert not list(execution.placeholders(source(said))), name


def test_one_implementation_for_every_key_is_no_choice_of_caches(source: Source) -> None:
    text = """
        def cache_files(hub):
            if hub == "one":
                return OneCache()
            elif hub == "two":
                return TwoCache()
            raise ValueError(hub)
    """
    assert "OneCache" in answers(text, "kv_cache.kinds", source)[0]
    assert not answers(text.replace("TwoCache", "OneCache"), "kv_cache.kinds", source)


def test_a_machine_that_is_taken_away_preempts_no_request(source: Source) -> None:
    text = """
        class Scheduler:
            def is_tpu_preempted(self):
                answer = ask(self.url)
                self.note(answer)
                if answer.ok:
                    return answer.text
                return None
    """
    assert not answers(text, "scheduling.preemption", source)
    assert answers(text.replace("tpu", "letter"), "scheduling.preemption", source)


def test_what_is_counted_or_drawn_switches_no_scheduling(source: Source) -> None:
    text = "class SchedulerConfig:\n    beta_schedule: str = 'linear'\n    num_scheduled_tokens: int = 0\n"
    assert not answers(text, "scheduling.switches", source)
    assert answers(text.replace("beta_schedule", "schedule_mode"), "scheduling.switches", source)


def test_one_of_two_in_a_choice_is_no_order(source: Source) -> None:
    text = """
        class Desk:
            def run(self, letters, new):
                rows = self.prefill(letters) if new else self.decode(letters)
                return rows
    """
    assert not list(preferences.preferences(source(text)))
    both = text.replace(" if new else self.decode(letters)", "\n                self.decode(letters)")
    assert "runs prefill and then decode" in next(iter(preferences.preferences(source(both)))).value


def test_a_refusal_is_told_with_all_that_it_asks(source: Source) -> None:
    text = """
        class Scheduler:
            def schedule(self, letters):
                for letter in letters:
                    if letter.words > self.max_words and self.chosen:
                        break
    """
    (claim,) = capacity.admissions(source(text))
    assert claim.value.endswith("letter.words > self.max_words (and self.chosen)")


def test_who_is_cancelled_was_not_served(source: Source) -> None:
    text = """
        class Desk:
            def {0}(self, number):
                for letter in self.running_letters:
                    if letter.number == number:
                        self.running_letters.remove(letter)
    """.replace("running_letters", "running")
    assert list(service.orders(source(text.format("start"))))
    assert not list(service.orders(source(text.format("abort_letter"))))


def test_layers_are_told_apart_from_engines(source: Source) -> None:
    text = """
        class Rows:
            def __init__(self, output_sizes, tp):
                parts = [divide(wide, tp.size) for wide in output_sizes]

            def forward(self, x):
                return x

        class Heads:
            def __init__(self, num_heads, tp):
                self.heads = divide(num_heads, tp.size)

            def forward(self, x):
                return x

        class Engine:
            def __init__(self, config, tp):
                self.heads = divide(config.num_heads, tp.size)
                self.measure()
                self.rows = Rows(3)
                self.part = Heads(3)

            def measure(self):
                dist.all_reduce(self.free)

            def forward_batch(self, x):
                return x

        class Server:
            def __init__(self):
                self.engine = Engine(1, 2)
    """
    system = join([read_python(source(text))])
    assert [(layer.name, layer.style) for layer in system.layers] == [("Rows", "column"), ("Heads", "heads")]
    said = [claim.value for claim in system.claims["distributed.sharding"]]
    assert "nothing is communicated" in said[0] and "it communicates nothing itself" in said[1]


def test_defaults_of_options_are_those_of_the_fields_they_name(source: Source) -> None:
    text = """
        @dataclass
        class Settings:
            words: int = 12

        @dataclass
        class Given:
            words: int = Settings.words

        parser.add_argument("--words", default=Settings.words)
        parser.add_argument("--others", default=Settings.others)
    """
    system = join([read_python(source(text))])
    assert [p.default for p in system.declared if p.kind == "option"] == [
        "default 12 (Settings.words)",
        "default Settings.others",
    ]


def test_templates_compare_nothing_and_scripts_ask_nothing(source: Source) -> None:
    (found,) = c_constraints(native('static_assert(is_same_v<T, void*>, "no");\n'))
    assert (found.condition, found.kind, found.message) == ("is_same_v<T, void*>", "other", "no")
    assert not list(constraints.constraints(source("assert __name__ == '__main__'\n")))
    assert list(constraints.constraints(source("assert name == 'main'\n")))


def test_a_decoder_layer_is_no_decoding() -> None:
    assert not hits("serving.batching", "FirstDecoderLayer")
    assert hits("serving.batching", "decode_step")


def test_jobs_that_move_memory_are_served_in_no_order(source: Source) -> None:
    text = "class Scheduler:\n    def step(self):\n        job = next(iter(self.pending_jobs))\n        self.run(job)\n"
    assert list(service.orders(source(text)))
    assert not list(service.orders(source(text.replace("pending_jobs", "pending_transfer_jobs"))))


def test_counts_of_both_kinds_are_no_batch_of_both(source: Source) -> None:
    text = "def build(self):\n    return Batch(prefills=self.new, decodes=self.old)\n"
    assert list(preferences.preferences(source(text)))
    assert not list(preferences.preferences(source(text.replace("prefills", "num_prefills"))))


def test_what_is_reported_and_who_chooses_experts_set_no_scheduling(source: Source) -> None:
    text = """
        @dataclass
        class CacheStats:
            preempted_requests: int = 0

        @dataclass
        class ExpertsConfig:
            policy: str = "static"
    """
    assert not answers(text, "scheduling.switches", source)
    assert answers(text.replace("ExpertsConfig", "SchedulerConfig"), "scheduling.switches", source)


def test_a_norm_over_all_ranks_joins_no_parts(source: Source) -> None:
    text = """
        class Norm:
            def __init__(self, hidden_size, tp):
                self.wide = hidden_size // tp.size

            def forward(self, x):
                variance = x.pow(2).sum(-1)
                dist.all_reduce(variance)
                return x * variance
    """
    assert not join([read_python(source(text))]).layers
    assert join([read_python(source(text.replace("variance", "rows")))]).layers


def test_what_stands_for_an_operator_is_no_work(tmp_path: Path) -> None:
    text = (
        '@register_kernel("add")\ndef add(x):\n    return x\n\n\n@register_kernel("sub")\ndef sub(x):\n    return x\n'
    )

    def told(text: str) -> str:
        (tmp_path / "f.py").write_text(text)
        return json.dumps(Analysis([tmp_path]).report()["units_of_work"])

    assert "kinds of register_kernel" in told(text)
    assert "kinds of" not in told(text.replace("register_kernel", "register_fake"))


def test_any_configuration_may_hold_the_size_of_blocks(source: Source) -> None:
    text = """
        @dataclass
        class Settings:
            block_size: int = 16

        class Shelf:
            def __init__(self, n):
                self.free_blocks = deque(range(n))

            def take(self):
                return self.free_blocks.popleft()

            def give(self, block):
                self.free_blocks.append(block)
    """
    assert answers(text, "kv_cache.block", source) == ["Settings.block_size default 16"]
    assert not answers(text.replace("Settings", "ModelSettings"), "kv_cache.block", source)


def test_an_option_that_only_names_a_field_is_not_told_beside_it(source: Source) -> None:
    text = """
        from dataclasses import dataclass

        @dataclass
        class EngineConfig:
            max_num_seqs: int = 64

        def options(parser, given):
            parser.add_argument("--max-num-seqs", **given["max_num_seqs"])
            parser.add_argument("--max-batch-size", **given["max_batch_size"])
    """
    assert answers(text, "batching.limits", source) == [
        "EngineConfig.max_num_seqs default 64",
        "command line.--max-batch-size has no default",
    ]


def test_the_memory_of_an_architecture_demands_none(source: Source) -> None:
    assert not answers("def f(n):\n    assert n <= arch.sm100_smem_capacity_bytes\n", "hardware.arch", source)
    assert answers("def f(arch):\n    assert arch >= 90\n", "hardware.arch", source)


def test_positions_that_are_worked_out_rotate_nothing(source: Source) -> None:
    text = """
        class R:
            def forward(self, x):
                x = self.table(x)
                x = self.CALL(x)
                return self.o(x)
    """
    assert not answers(text.replace("CALL", "calc_mrope_positions"), "fusion.qk_norm_rope", source)
    assert answers(text.replace("CALL", "apply_rope"), "fusion.qk_norm_rope", source)


def test_memory_of_tensor_cores_multiplies_nothing() -> None:
    assert not list(algorithms(native('__device__ void f() { asm("tcgen05.alloc.b32 %0;"); }')))
    ((_, claim),) = algorithms(native('__device__ void f() { asm("tcgen05.mma.cta_group::1;"); }'))
    assert claim.value.startswith("f uses tensor cores: tcgen05")


def test_how_many_lengths_there_are_is_no_length(source: Source) -> None:
    text = "def f(self, seqlens, max_seq_len):\n    assert len(seqlens) <= 8\n    assert max_seq_len <= 4096\n"
    (limit,) = answers(text, "seqlen.limits", source)
    assert limit.startswith("max_seq_len <= 4096")


def test_an_empty_text_is_a_default(source: Source) -> None:
    text = """
        from dataclasses import dataclass

        @dataclass
        class EngineConfig:
            kv_cache_dtype: str = ""
    """
    assert answers(text, "precision.dtypes", source) == ['EngineConfig.kv_cache_dtype default ""']


def test_pythons_own_float_has_64_bits(source: Source) -> None:
    text = "def mean_of(mask):\n    return mask.astype({}).sum(axis=1)\n"
    assert not list(precisions(source(text.format("float"))))
    assert list(precisions(source(text.format("np.float32"))))


def test_words_of_a_section_that_mean_something_else(tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text(
        "import os\n"
        "class ServerConfig:\n    pin_memory: bool = True\n    kv_blocks: int = 8\n    lr_scheduler: str = 'cosine'\n"
        "    policy_loss_type: str = 'ppo'\n    max_num: int = 3\n    batch_size: int = 4\n"
        "class CkptConfig:\n    max_num: int = 3\n"
    )
    (tmp_path / "kernel.cu").write_text("#define THREADS_X 32\n__global__ void k(float* x) { x[threadIdx.x] = 1; }\n")
    workspace = Workspace(Files([str(tmp_path)]))
    system = Readings(workspace).system([entry.path for entry in workspace.files.walk()])
    told = {name: [f"{p.owner}.{p.name}" for p in declared(system, name)] for name in ("kv_cache", "batching")}
    assert told == {
        "kv_cache": ["ServerConfig.kv_blocks"],
        "batching": ["ServerConfig.batch_size", "ServerConfig.max_num"],
    }
    assert not declared(system, "scheduling")
    assert not declared(system, "topology")


def test_a_copy_of_a_batch_is_no_policy(source: Source) -> None:
    text = """
    class Batch:
        def copy(self):
            return Batch(prefill_reqs=self.prefill_reqs, decode_reqs=self.decode_reqs)
    """
    assert not list(preferences.preferences(source(text)))
    assert list(preferences.preferences(source(text.replace("class Batch", "class Planner"))))


def test_a_batch_that_is_merged_in_two_ways_is_told_with_both(source: Source) -> None:
    text = """
    def plan(self):
        if self.sparse:
            self.running_batch.merge_batch(ready_batch)
        else:
            self.running_batch.merge_batch(self.last_batch)
        self.running_batch.filter_batch(keep)
    """
    (claim,) = merged_batches(source(text))
    assert "self.running_batch.merge_batch(ready_batch) if self.sparse; " in claim.value
    assert "self.running_batch.merge_batch(self.last_batch) if not self.sparse)" in claim.value
