"""Which section of a report a function belongs to: a weak hint from the words of its name, its class and its file.

The words only place what is said; they never change what is claimed.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache

WORDS: dict[str, str] = {
    "serving.scheduling": "schedul preempt retract polic priorit overlap queue loop step idle fair victim pending "
    "waiting running disagg balanc dispatch capacity throttl concurren choos staleness starv placement order fcfs fifo",
    "serving.batching": "batch prefill chunk budget admit decode extend add_req token_budget speculat draft propos "
    "capacity concurren semaphore limit",
    "serving.kv_cache": "kv cache block page alloc dealloc evict slot pool free lru ref swap offload defrag memory",
    "serving.prefix_cache": "prefix radix trie hash match reuse share",
    "serving.lifecycle": "request req seq sequence abort finish status stop stream detokenize tokenize generate cancel "
    "reject refus accept complet backoff kill shutdown timeout expir stale fail error resume pause interrupt retry "
    "session sleep wake suspend",
    "serving.topology": "server launch spawn process worker rank http route socket zmq ipc shm rpc client frontend "
    "router engine_core actor thread health heartbeat heart_beat connect addr address port endpoint "
    "elect leader master node frame packet protocol serializ topic publish subscrib runner",
    "serving.metrics": "metric stat log_stats observe record latency throughput",
    "dependencies": "depend dep deps wait signal barrier semaphore scoreboard producer consumer sync intersect event "
    "acquire release notify flag pipeline",
    "units_of_work": "task tile work instruction opcode op_type enque enqueue dispatch assign interpret megakernel sm "
    "queue",
    "distributed": "all_reduce allreduce all_gather allgather reduce_scatter reducescatter all_to_all alltoall "
    "broadcast shard parallel distributed nccl comm zero gradient rank gather tp pp ep process_group "
    "world_size collective",
    "topology": "bind load compile jit aot graph capture cudagraph register kernel build module replay warmup",
    "memory_access": "recompute checkpoint offload copy buffer workspace arena activation alloc malloc prefetch "
    "staging",
    "tiling": "tiling grid block_size num_tiles split swizzle autotune",
}
_PARTS = re.compile(r"[A-Z]+(?=[A-Z][a-z]|\d|\b|_)|[A-Z]?[a-z]+|\d+")
LAYERS = {"decoder", "decoders"}
"""Words of parts of models, which begin as those of a scheduler do."""
SHARED = "shared"
OF_REQUESTS = {"prefix", "prefixes", "prompt", "prompts", "cache", "cached", "block", "blocks", "page", "pages", "kv"}
"""What requests share; memory, buffers, weights and experts are shared for other reasons."""
SEVERAL = 2
"""How many different words of a section a text must hold to speak of it."""
MANY = 3
"""In how many different identifiers one word must be for the same."""
MOST_SPOKEN = 3
RANKED = "distributed"
_IDENTIFIER = re.compile(r"[A-Za-z_]\w+")
NEAR = 1.5
"""By how much the words may fit one section better than another that they fit, too."""
SHORT = 4
"""Words up to this length must be matched whole."""


@dataclass(frozen=True, slots=True)
class _Stems:
    """A section's words by how they are matched: whole (also in the plural), across several words, as a beginning."""

    whole: frozenset[str]
    joined: tuple[str, ...]
    beginnings: tuple[str, ...]


def _stems(text: str) -> _Stems:
    stems = text.split()
    short = [s for s in stems if "_" not in s and len(s) <= SHORT]
    return _Stems(
        frozenset([*short, *(f"{s}es" if s.endswith(("s", "sh", "ch", "x")) else f"{s}s" for s in short)]),
        tuple(s for s in stems if "_" in s),
        tuple(s for s in stems if "_" not in s and len(s) > SHORT),
    )


STEMS = {section: _stems(text) for section, text in WORDS.items()}


@cache
def words(identifier: str) -> tuple[str, ...]:
    """`PrefixCacheManager.match_req` gives prefix, cache, manager, match, req."""
    return tuple(part.lower() for part in _PARTS.findall(identifier))


@cache
def hits(section: str, identifier: str) -> int:
    """How many of a section's words an identifier holds; 0 for sections that have none."""
    parts = words(identifier)
    stems = STEMS.get(section)
    if stems is None:
        return 0
    joined = "_".join(parts)
    passed = LAYERS if OF_REQUESTS & {*parts} else LAYERS | {SHARED}
    single = {p for p in parts if p in stems.whole or (p.startswith(stems.beginnings) and p not in passed)}
    return len(single) + sum(stem in joined for stem in stems.joined)


def nearly_as_fitting(places: list[tuple[int, str]]) -> tuple[str, ...]:
    """The sections that words fit nearly as well as the first, of those that `ranked` gives."""
    return tuple(section for weight, section in places[1:] if NEAR * weight >= places[0][0])


@cache
def of_file(stem: str) -> tuple[str, ...]:
    """The sections that the name of a file speaks of."""
    return tuple(section for section in STEMS if hits(section, stem))


def spoken_of(text: str) -> tuple[str, ...]:
    """The sections of serving that the identifiers of a text speak of most: several words, or one in many identifiers.

    That of ranks counts beside them: what several identifiers call so is done by all of them.
    """
    words_of: dict[str, set[str]] = {}
    found: Counter[str] = Counter()
    for identifier in set(_IDENTIFIER.findall(text)):
        told = {section: word for word in words(identifier) for section in _sections_of(word)}
        for section, word in told.items():
            words_of.setdefault(section, set()).add(word)
        found.update(told.keys())
    meant = (s for s in found if len(words_of[s]) >= SEVERAL or found[s] >= MANY)
    ranked_ones = sorted(meant, key=lambda s: (-found[s], s))
    served = [s for s in ranked_ones if s != RANKED]
    return (*served[:MOST_SPOKEN], *(s for s in ranked_ones if s == RANKED))


@cache
def _sections_of(word: str) -> tuple[str, ...]:
    return tuple(s for s in STEMS if (s == RANKED or s.startswith("serving.")) and hits(s, word))


def ranked(name: str, owner: str = "", file: str = "") -> list[tuple[int, str]]:
    """Sections by how well the words fit, best first: the own name counts most, the file's least."""
    found: list[tuple[int, str]] = []
    for section in STEMS:
        own, around, place = hits(section, name), hits(section, owner), hits(section, file)
        if own or around:
            found.append((4 * own + 2 * around + place, section))
    return sorted(found, key=lambda entry: -entry[0])
