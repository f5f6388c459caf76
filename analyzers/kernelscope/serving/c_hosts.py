"""Host code in C++ as the recognisers of Python read it: queues, admission, preemption, states and trees of prefixes.

The tree has Python's names for what containers do; what a claim quotes is what the C++ file says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kernelscope.serving import admission, caches, capacity, chunking, evictions, prefixes, service, sharing
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.choosing import choices
from kernelscope.serving.claims import MAX_SOURCE, Claim, PythonSource
from kernelscope.serving.comparisons import compared
from kernelscope.serving.endings import endings
from kernelscope.serving.first_ids import first_ids
from kernelscope.serving.giving_up import given_up
from kernelscope.serving.linked_lists import linked_lists
from kernelscope.serving.main_loops import main_loops
from kernelscope.serving.moves import Move, moves
from kernelscope.serving.preemption import preemptions
from kernelscope.serving.preferences import preferences
from kernelscope.serving.recent_lists import recent_lists
from kernelscope.serving.registries import Registry, factories
from kernelscope.serving.slots import slots
from kernelscope.serving.stores import Stored, stored_in_functions
from kernelscope.serving.trees import trees
from kernelscope.serving.victims import victims
from kernelscope.serving.whole_pieces import whole_pieces
from kernelscope.syntax.cuda.host_module import host_module
from kernelscope.syntax.python import tree as t

KERNEL_SUFFIXES = (".cu", ".cuh")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_TELLS = re.compile(
    rb"\b(?:push_back|emplace_back|push_front|pop_front|pop_back|enqueue|push|insert|erase|slice|substr|resize|sort)\s*\("
    rb"|[hH]ash\w{0,40}\s{0,4}\(|::k?[A-Z]\w*\s*[;)]|\boperator\s*(?:\(\s*\)|[<>])\s*\("
    rb"|\belse\s{1,9}if\s{0,9}\(\s{0,9}[\w.>-]{1,60}\s{0,9}[<>]=?\s{0,9}\d"
)
"""What a file has that keeps something in containers, gives it a state, puts it into an order or goes by numbers."""
FINDERS: tuple[tuple[str, Callable[[PythonSource], Iterable[Claim]]], ...] = (
    ("serving.kv_cache", sharing.reference_counts),
    ("serving.kv_cache", sharing.freed_at_zero),
    ("serving.prefix_cache", sharing.hashes),
    ("serving.prefix_cache", sharing.chained_hashes),
    ("serving.prefix_cache", trees),
    ("serving.prefix_cache", prefixes.lookups),
    ("serving.prefix_cache", prefixes.offered),
    ("serving.prefix_cache", prefixes.shortened),
    ("serving.prefix_cache", prefixes.halved),
    ("serving.prefix_cache", prefixes.common),
    ("serving.prefix_cache", whole_pieces),
    ("serving.kv_cache", evictions.recency),
    ("serving.kv_cache", caches.sizing),
    ("serving.kv_cache", first_ids),
    ("serving.kv_cache", linked_lists),
    ("serving.kv_cache", recent_lists),
    ("serving.lifecycle", main_loops),
    ("serving.lifecycle", endings),
    ("serving.scheduling", service.orders),
    ("serving.scheduling", preferences),
    ("serving.scheduling", preemptions),
    ("serving.scheduling", given_up),
    ("serving.scheduling", victims),
    ("serving.scheduling", choices),
    ("serving.scheduling", compared),
    ("serving.scheduling", admission.passed_over),
    ("serving.batching", admission.continuous),
    ("serving.batching", slots),
    ("serving.batching", chunking.chunks),
    ("serving.batching", chunking.chosen_by_size),
    ("serving.batching", chunking.cut_to_the_rest),
    ("serving.batching", chunking.pieces),
    ("serving.batching", capacity.admissions),
)
"""Those of Python's finders whose structure C++ shares, and the section where their claims stand."""


@dataclass(frozen=True, slots=True)
class HostSource(PythonSource):
    """A C++ file in the tree of Python, quoted in its own words."""

    def quote(self, node: t.Node, longest: int = MAX_SOURCE) -> str:
        text = " ".join(_COMMENT.sub(" ", self.text.slice(node.span)).split())
        return text if len(text) <= longest else text[: longest - 1] + "…"


def host_source(source: CSource) -> HostSource | None:
    """The file as a tree; None for kernels, tests, and what moves nothing."""
    if source.aside or source.path.suffix in KERNEL_SUFFIXES or not _TELLS.search(source.code):
        return None
    return HostSource(Path(source.path), host_module(source.text.data))


def in_cpp(claim: Claim) -> Claim:
    """A claim in the words of C++, where a member has no `self`."""
    return replace(claim, value=_without_self(claim.value))


def host_stores(source: HostSource) -> Iterator[Stored]:
    """What is stored over settings: `config->mode = Mode::kPlain;`."""
    for store in stored_in_functions(source):
        yield replace(store, claim=in_cpp(store.claim))


def host_factories(source: HostSource) -> Iterator[Registry]:
    """Chains that choose between several classes; what all branches make is no choice."""
    for registry in factories(source):
        entries = tuple(replace(e, implementation=_without_self(e.implementation)) for e in registry.entries)
        if len({entry.implementation for entry in entries}) > 1:
            yield replace(registry, entries=entries)


def host_moves(source: HostSource) -> Iterator[Move]:
    """Requests that move between queues."""
    for move in moves(source):
        yield replace(move, source=_without_self(move.source), target=_without_self(move.target))


def _without_self(text: str) -> str:
    return text.replace("self.", "")
