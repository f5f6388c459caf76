"""Budgets, guesses, fused projections, layouts and graphs in forms that engines write them in."""

from __future__ import annotations

from collections.abc import Callable

from kernelscope.serving.caches import buffers
from kernelscope.serving.chunking import chunks
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.execution import captured_by_size, replays, switched_off
from kernelscope.serving.precision import precisions
from kernelscope.serving.projections import merged_projections
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
