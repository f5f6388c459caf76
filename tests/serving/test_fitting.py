"""Lengths that are rounded up to one of a few sizes or cut off, worlds of ranks, and near misses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.serving import caches
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.fitting import cut_lengths, fitted_sizes
from kernelscope.serving.presets import presets
from kernelscope.serving.procedures import is_aside
from kernelscope.serving.roles import roles
from kernelscope.serving.sizes import sizes_of_worlds

Source = Callable[[str], PythonSource]
SEARCHED = """
def next_length(lengths, n):
    place = bisect_left(lengths, n)
    if place == len(lengths):
        return lengths[-1]
    return lengths[place]
"""
GONE_THROUGH = """
class Press:
    def chunk_for(self, length):
        for size in self.chunk_sizes:
            if length <= size:
                return size
        raise ValueError
"""
LEFT = """
def padded(batch):
    for b in BUCKETS:
        if b >= len(batch):
            size = b
            break
    return size
"""
NEXT = """
def pad(self, batch):
    return next(b for b in self.graph_sizes if b >= batch.size)
"""
LEAST = """
def pad(self, batch):
    return min(b for b in self.graph_sizes if b >= batch.size)
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SEARCHED, "the smallest of lengths that is at least n is taken; where none is, the last (lengths[-1])"),
        (GONE_THROUGH, "the first of self.chunk_sizes that is at least length is taken"),
        (LEFT, "the first of BUCKETS that is at least len(batch) is taken"),
        (NEXT, "the first of self.graph_sizes that is at least batch.size is taken"),
        (LEAST, "the smallest of self.graph_sizes that is at least batch.size is taken"),
    ],
)
def test_lengths_are_rounded_up_to_one_of_a_few_sizes(source: Source, text: str, said: str) -> None:
    (claim,) = fitted_sizes(source(text))
    assert claim.value == f"rounded up to one of a few sizes: {said}"


@pytest.mark.parametrize(
    "text",
    [
        GONE_THROUGH.replace("length <= size", "length >= size"),
        GONE_THROUGH.replace("length <= size", "size <= length"),
        GONE_THROUGH.replace("return size", "return length"),
        SEARCHED.replace("return lengths[place]", "lengths.insert(place, n)"),
        SEARCHED.replace("bisect_left", "bisect_right"),
        GONE_THROUGH.replace("length <= size", "size.start <= size"),
        SEARCHED.replace("bisect_left(lengths, n)", "bisect_left(lengths, token_id)"),
        NEXT.replace("batch.size", "(batch.size, 1)"),
        GONE_THROUGH.replace("chunk", "shoe").replace("length", "foot"),
    ],
)
def test_other_searches_round_nothing(source: Source, text: str) -> None:
    assert not list(fitted_sizes(source(text)))


CUT = """
def fit(self, prompt_ids):
    if len(prompt_ids) > self.max_prompt_len:
        prompt_ids = prompt_ids[-self.max_prompt_len:]
    return prompt_ids
"""
BY_ROOM = """
def fit(tokens, padded_length):
    room = padded_length - len(tokens)
    if room < 0:
        tokens = tokens[:padded_length]
    return tokens
"""
ELSE = """
def fit(tokens, bound):
    n = len(tokens)
    if n < bound:
        return tokens
    else:
        return tokens[-bound:], n
"""

LATER = """
def fit(self, prompt_ids):
    if len(prompt_ids) > self.max_prompt_len:
        rest = prompt_ids[self.max_prompt_len:]
        prompt_ids = prompt_ids[:self.max_prompt_len]
    return prompt_ids, rest
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CUT, "of prompt_ids the last self.max_prompt_len are kept"),
        (BY_ROOM, "of tokens the first padded_length are kept"),
        (ELSE, "of tokens the last bound are kept"),
    ],
)
def test_what_is_too_long_is_cut_off(source: Source, text: str, said: str) -> None:
    (claim,) = cut_lengths(source(text))
    assert claim.value.startswith(f"what is too long is cut off: {said} (")


@pytest.mark.parametrize(
    "text",
    [
        CUT.replace("self.max_prompt_len", "self.chunk_max"),
        CUT.replace("self.max_prompt_len", "self.max_log_len"),
        CUT.replace("self.max_prompt_len", "self.context_len"),
        LATER,
        CUT.replace("len(prompt_ids) > self.max_prompt_len", "self.is_odd"),
        CUT.replace("prompt_ids", "pillows"),
    ],
)
def test_parts_that_are_not_lost_are_not_cut_off(source: Source, text: str) -> None:
    assert not list(cut_lengths(source(text)))


WORLD = """
class Splits:
    def __post_init__(self):
        self.ranks = self.pipeline_parallel_size * self.tensor_parallel_size
        self.area = self.width * self.tensor_parallel_size
        self.square = self.tensor_parallel_size * self.tensor_parallel_size
"""


def test_parallel_sizes_are_multiplied(source: Source) -> None:
    (claim,) = sizes_of_worlds(source(WORLD))
    assert claim.value == (
        "product of parallel sizes: self.ranks = self.pipeline_parallel_size * self.tensor_parallel_size (PP × TP)"
    )


TOGETHER = """
def build(config):
    together = len(config.prefill_hosts) + len(config.generate_hosts) == 0
    return Engine(together)
"""


def test_a_truth_about_both_halves_decides_whether_they_are_apart(source: Source) -> None:
    (claim,) = roles(source(TOGETHER))
    assert "together = len(config.prefill_hosts) + len(config.generate_hosts) == 0" in claim.value
    assert claim.confidence == "heuristic"
    for other in (TOGETHER.replace("hosts", "tokens"), TOGETHER.replace("generate_hosts", "generate_slices")):
        assert not list(roles(source(other)))


def test_presets_of_a_class_are_told(source: Source) -> None:
    text = """
    class Sheets:
        _sizes = {
            "small": Sheet(width=210, height=297),
            "large": Sheet(width=420, height=594),
        }
    """
    assert [claim.value for claim in presets(source(text))] == [
        'preset "small" of _sizes: Sheet(width=210, height=297)',
        'preset "large" of _sizes: Sheet(width=420, height=594)',
    ]


def test_a_cache_is_made_of_parts_whose_shape_a_method_tells(source: Source) -> None:
    text = """
    class Store:
        def _shape(self):
            return (self.heads, self.pages_in_all, self.page_size, self.dim)

        def make_kv_cache(self, dtype):
            return Pair(k=zeros(shape=self._shape(), dtype=dtype), v=zeros(shape=self._shape(), dtype=dtype))
    """
    (claim,) = caches.buffers(source(text))
    assert "[self.heads, self.pages_in_all, self.page_size, self.dim]; indexed by block (paged)" in claim.value
    assert len(claim.evidence) == 2
    assert not list(caches.buffers(source(text.replace("v=zeros(", "v=other("))))


def test_experimental_code_belongs_to_the_system() -> None:
    assert not is_aside(Path("experimental") / "engine" / "loop.py")
    assert is_aside(Path("experiments") / "engine" / "loop.py")
