"""Budgets, guesses, fused projections, layouts and graphs in forms that engines write them in."""

from __future__ import annotations

from collections.abc import Callable

from kernelscope.serving.admission import continuous
from kernelscope.serving.caches import buffers
from kernelscope.serving.chunking import chunks
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.evictions import recency
from kernelscope.serving.execution import captured_by_size, replays, switched_off
from kernelscope.serving.overlap import switches
from kernelscope.serving.precision import precisions
from kernelscope.serving.prefixes import equal_runs
from kernelscope.serving.projections import merged_projections
from kernelscope.serving.semaphores import semaphores
from kernelscope.serving.service import orders
from kernelscope.serving.speculation import verifications

Source = Callable[[str], PythonSource]


def test_a_chunk_that_is_never_empty(source: Source) -> None:
    text = """
        def plan(batch):
            budget = most_tokens() - (len(batch) - 1)
            for length, done in zip(reversed(batch.lengths), reversed(batch.done)):
                rest = length - done
                chunk = max(min(rest, budget), 1)
                budget -= chunk
    """
    (claim,) = chunks(source(text))
    assert claim.value == (
        "chunked prefill: chunk = min(rest, budget): a request over the budget is cut, the rest follows; "
        "max(min(rest, budget), 1): never fewer than that, where budget = most_tokens() - (len(batch) - 1); "
        "taken from the last to the first (reversed(batch.lengths))"
    )


def test_guesses_that_are_counted_and_looked_up(source: Source) -> None:
    text = """
        def accept(chosen, drafts):
            same = chosen[:-1] == drafts
            n = 1
            for one in same.tolist():
                if one:
                    n += 1
                else:
                    break
            return n

        def ngram_drafts(tokens, last, n):
            at = (tokens == last.unsqueeze(-1)).max(dim=1).indices + 1
            return tokens.gather(dim=-1, index=at + n)

        def others(rows, marks):
            same = rows == marks
            for one in same:
                if one:
                    pass
                else:
                    break
    """
    assert [claim.value for claim in verifications(source(text))] == [
        "speculative decoding: accept accepts guesses as long as they equal what is chosen: "
        "same = chosen[:-1] == drafts, counted up to the first that differs (≈ guesses by their names)",
        "speculative decoding: ngram_drafts guesses by looking up what follows the same tokens in tokens (n-gram, "
        "prompt lookup): tokens == last.unsqueeze(-1), then tokens.gather(dim=-1, index=at + n)",
    ]


def test_projections_that_are_loaded_as_one(source: Source) -> None:
    text = """
        class Layer:
            packed = {"qkv_proj": ["q_proj", "k_proj", "v_proj"], "ends": ["first", "last"]}

            def __init__(self, prefix, weights):
                self.mlp = Column.load(prefixes=[f"{prefix}.gate_proj", f"{prefix}.up_proj"], weights=weights)
                self.out = Column.load(prefixes=[f"{prefix}.o_proj"], weights=weights)
    """
    assert [claim.value for claim in merged_projections(source(text))] == [
        "Layer.__init__ loads gate_proj, up_proj as one matrix (fused projection): "
        'Column.load([f"{prefix}.gate_proj", f"{prefix}.up_proj"])',
        "Layer: qkv_proj is q_proj, k_proj, v_proj in one matrix (fused projection)",
    ]


def test_keys_and_values_that_are_kept_as_a_pair(source: Source) -> None:
    text = """
        class Cache:
            def __init__(self, blocks, heads, size, x):
                self.kv_cache = (
                    torch.empty((blocks, heads, size // x, SIZE, x), device=device),
                    torch.empty((blocks, heads, size, SIZE), device=device),
                )
    """
    assert [claim.value for claim in buffers(source(text))] == [
        "self.kv_cache: [blocks, heads, size // x, SIZE, x]; indexed by block (paged)",
        "self.kv_cache: [blocks, heads, size, SIZE]; indexed by block (paged)",
    ]


def test_graphs_by_size_off_and_not_run(source: Source) -> None:
    text = """
        class Runner:
            def capture_one(self, size):
                with torch.cuda.graph(self.graphs[size]):
                    self.model(self.inputs)

            def warm(self):
                for size in SIZES:
                    self.capture_one(size)

            def run(self, prefill):
                graph = self.graphs.get(1)
                if prefill or graph is None:
                    with self.context():
                        return self.model(self.inputs)
                graph.replay()

        def serve(adapters):
            global CUDA_GRAPHS
            if adapters:
                CUDA_GRAPHS = None
    """
    file = source(text)
    (sizes,) = captured_by_size(file)
    assert sizes.value == "CUDA graphs are captured one per `size` in SIZES by Runner.capture_one in Runner.warm"
    (replay,) = replays(file)
    assert "when not (prefill or graph is None); otherwise it runs eager" in replay.value
    (off,) = switched_off(file)
    assert off.value == "serve turns CUDA graphs off: CUDA_GRAPHS = None if adapters"


def test_masks_as_numbers_have_no_precision(source: Source) -> None:
    text = "def rate(chosen, other, mask):\n    return (chosen > other).float().mean() + mask.float().sum()\n"
    assert not list(precisions(source(text)))


def test_entries_by_their_prompts_and_the_one_used_longest_ago(source: Source) -> None:
    text = """
        class Kept:
            def evict_if_needed(self):
                while self.pressure() > LIMIT:
                    at = self.last_used.index(min(self.last_used))
                    self.caches.pop(at)
                    self.last_used.pop(at)

        def prefix_length(prompt, kept):
            n = min(len(prompt), len(kept))
            same = mx.equal(prompt[:n], kept[:n])
            return mx.sum(mx.cumprod(same))
    """
    file = source(text)
    (evicted,) = recency(file)
    assert evicted.value == (
        "eviction: the least recently used entry goes first, by at = self.last_used.index(min(self.last_used)), while "
        "self.pressure() > LIMIT"
    )
    (prefix,) = equal_runs(file)
    assert prefix.value.startswith(
        "prefix reuse: prefix_length counts how many tokens prompt[:n] and kept[:n] begin with alike"
    )


def test_what_only_looks_like_service(source: Source) -> None:
    text = """
        class Step:
            def step(self, requests):
                for request in requests:
                    self.text_requests = self.text_requests[-4:]

        def draw(more):
            if more:
                while True:
                    try:
                        next(parts)
                    except StopIteration:
                        break
            else:
                while True:
                    try:
                        first(parts)
                    except StopIteration:
                        break

        def get_downloads(n):
            return asyncio.Semaphore(max_parallel_downloads)
    """
    file = source(text)
    assert not list(orders(file))
    assert not list(switches(file))
    assert not list(semaphores(file))


def test_tasks_that_are_kept_with_what_belongs_to_them_run(source: Source) -> None:
    text = """
        class Engine:
            def step(self):
                while self.queue and len(self.active_tasks) < MOST:
                    task = self.queue.popleft()
                    number = self.start(task)
                    self.active_tasks[number] = (task, parser)
                return self.run()
    """
    (claim,) = continuous(source(text))
    assert "self.queue" in claim.value and "self.active_tasks" in claim.value and "MOST" in claim.value
