"""Sizes the questions ask for: the longest context, a cache's blocks and a prefill's chunks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.explain.faq_answers import (
    FREE_ORDERS,
    MODELS,
    SERVERS,
    Answer,
    both,
    constraint_claim,
    first,
    is_only_named,
    numbers,
    of_hosts,
    remoteness,
    said_of,
    setting_claim,
    settings,
)
from kernelscope.serving.claims import Claim
from kernelscope.serving.sections import words
from kernelscope.serving.system import System

CACHED = {"cache", "caches", "kv", "paged", "pages", "memory", "allocator"}

CHUNKERS = {"scheduler", "sched", "scheduling", "chunking", "server", "batch", "batching", "prefill"}
"""Words of what cuts prompts."""

OF_CHUNKS = {"chunk", "chunked", "size", "max", "min", "default", "token", "tokens", "prefill", "prompt", "input",
             "context"}  # fmt: skip
"""Words of options that say no more than that what comes in is cut."""
BLOCKS = {"block", "blocks", "page", "pages"}


def is_paged(system: System) -> bool:
    """Whether anything of the system is kept in blocks: slot arithmetic, layouts or the count of blocks say so."""
    claims = system.about("serving.kv_cache")
    told = any(
        ("paged" in claim.value and "not paged" not in claim.value)
        or (claim.value.startswith(FREE_ORDERS) and BLOCKS & set(words(claim.name)))
        for claim in claims
    )
    return told or any(
        claim.name.endswith(("number of blocks", "number of pages")) or claim.value.startswith("number of blocks")
        for claim in claims
    )


_BLOCK_SIZE = re.compile(
    r"^[\W_]*(?:(?:kv_?|cache_|gpu_)*(?:block|page)_size|(?:tokens?|seq_size|slots)_per_(?:block|page))[\W_]*$",
    re.IGNORECASE,
)
_OF_ONE_CALL = re.compile(r"max_?seq_?len\w*_(?:q|k|kv)$", re.IGNORECASE)
"""The longest sequences that one call of an operator is given, which are no limits."""
_COUNTED_ROWS = re.compile(r"\blen\((?:\w+\.)*\w*(?:lens?|lengths?)(?:_list|s)?\)|\bcu_?seq_?len")
"""How many lengths there are is a number of sequences."""


def context_limits(system: System) -> Iterator[Claim]:
    """Limits of lengths; `block_size` is one where nothing is paged, as in models without a server."""
    pattern = (
        r"seq_?len|max_model_len|max_position|context_len|max_length"
        r"|max_(?:\w+_)?(?:input|prompt|total|req(?:uest)?)_(?:\w+_)?(?:len(?:gth)?|tokens)$"
    )
    for claim in numbers(pattern)(system):
        is_count = claim.value.endswith(" default 0") and "max" not in words(claim.name)
        if not is_count and not _COUNTED_ROWS.search(claim.value) and not _OF_ONE_CALL.search(claim.name):
            yield claim
    for c in system.demands_about(re.compile(pattern, re.IGNORECASE)):
        if c.kind == "other" and not _COUNTED_ROWS.search(c.condition) and re.search(r"(?<!-)[<>]|== ?\d", c.condition):
            yield constraint_claim(c)
    if not is_paged(system):
        yield from settings(r"^block_size$")(system)


def block_sizes(system: System) -> Iterator[Claim]:
    """Sizes and numbers of blocks of a cache; where nothing is seen to be paged only those that name a cache."""
    if is_paged(system):
        counts = _of_servers(settings(r"kv_?cache\w*(?:block|page|size|len|tok)|num_\w*(?:blocks|pages)"), system)
        strict = both(_sizes_of_caches, _sizes_in_layouts, counts)
        yield from first(strict, _sizes_of_settings, settings("page_size"), _sizes_of_modules)(system)
        return
    yield from of_hosts(settings(r"page_size|kvcache|kv_cache_block|kv_block"))(system)
    for p in system.settings:
        if p.name.replace("-", "_").strip("_") == "block_size" and {"cache", "kv", "block"} & set(words(p.owner)):
            yield setting_claim(said_of(p), [p])


def _of_servers(answer: Answer, system: System) -> Answer:
    """What a selection finds but for parameters of models, which consist of blocks, too, and counts of the moment."""

    def is_of_model(claim: Claim) -> bool:
        meant = (p for p in system.settings_named(claim.name) if p.location == claim.evidence[0])
        return any(
            not (SERVERS | CACHED | {"config"}) & {*words(p.owner)} or (p.value == 0 and not p.is_of_configuration)
            for p in meant
            if p.kind not in ("option", "environment")
        )

    def find(system: System) -> Iterator[Claim]:
        found = (claim for claim in answer(system) if claim.name != "range")  # how many there are at the moment
        yield from (claim for claim in found if not is_of_model(claim))

    return find


def _sizes_of_caches(system: System) -> Iterator[Claim]:
    """Sizes of blocks of options, servers and caches, constructor arguments too: kernels have such sizes as well."""
    names = system.parameters_named(_BLOCK_SIZE)
    sizes = [p for p in system.declared if p.name in names and p.value != 0]
    told = {p.name for p in sizes if p.kind != "option" and not p.is_bare}
    for p in sorted(sizes, key=remoteness):
        if is_only_named(p, told):
            continue
        owners = {*words(p.owner or p.location.path.stem)}
        if p.kind in ("option", "environment") or (SERVERS | CACHED) & owners:
            yield setting_claim(said_of(p), [p])


def _sizes_of_settings(system: System) -> Iterator[Claim]:
    """The same of whatever is called a configuration, where no server or cache has one: `Settings.block_size`."""
    for p in system.settings:
        is_size = p.name.strip("_") in ("block_size", "page_size") and p.is_of_configuration
        if is_size and not MODELS & set(words(p.owner)):
            yield setting_claim(said_of(p), [p])


def _sizes_of_modules(system: System) -> Iterator[Claim]:
    """The same of modules without kernels, also where one of several is chosen: `BLOCK_SIZE = 256` under a test."""
    kernels = {reading.path for reading in system.readings if reading.has_kernels}
    names = system.parameters_named(_BLOCK_SIZE)
    for p in system.declared:
        if p.name in names and p.kind == "constant" and p.location.path not in kernels:
            yield setting_claim(said_of(p), [p])


def _sizes_in_layouts(system: System) -> Iterator[Claim]:
    """Constants that the layout of a cache is written with: `[tokens // PAGE_SIZE, PAGE_SIZE, …]`."""
    said = {
        name
        for claim in system.about("serving.kv_cache")
        if claim.name.endswith("layout")
        for name in re.findall(r"\b\w*(?:BLOCK|PAGE)_SIZE\b", claim.value)
    }
    for p in system.declared:
        if p.name in said and not p.is_bare:
            yield setting_claim(said_of(p), [p])


def chunk_sizes(system: System) -> Iterator[Claim]:
    """Sizes of chunks that a scheduler or server has: caches, tables and scores are cut into chunks, too."""
    for p in system.settings_about(re.compile(r"chunk_?size", re.IGNORECASE)):
        is_option = p.kind == "option" and set(words(p.name)) <= OF_CHUNKS
        if is_option or CHUNKERS & set(words(p.owner)):
            yield setting_claim(said_of(p), [p])
