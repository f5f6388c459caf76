"""Who finds claims in a Python file, and the section of a report where they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kernelscope.serving import (
    admission,
    caches,
    capacity,
    chunking,
    endpoints,
    evictions,
    execution,
    free_arrays,
    layers,
    prefixes,
    service,
    sharding,
    sharing,
    work,
)
from kernelscope.serving.annotated import annotated
from kernelscope.serving.balancing import balancing
from kernelscope.serving.choosing import choices
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.cut_tensors import cut_tensors
from kernelscope.serving.deciding import decisions
from kernelscope.serving.endings import endings, kinds_of_ends
from kernelscope.serving.failures import failures
from kernelscope.serving.fairness import fairness
from kernelscope.serving.families import taken
from kernelscope.serving.filling_up import filled_up
from kernelscope.serving.first_ids import first_ids
from kernelscope.serving.fitting import cut_lengths, fitted_sizes
from kernelscope.serving.fused_calls import fused_calls
from kernelscope.serving.giving_up import given_up
from kernelscope.serving.growth import growth
from kernelscope.serving.halves import halves
from kernelscope.serving.kinds_in_turn import kinds_in_turn
from kernelscope.serving.lengths import lengths
from kernelscope.serving.linked_lists import linked_lists
from kernelscope.serving.main_loops import main_loops
from kernelscope.serving.measures import measures
from kernelscope.serving.merging import merged_batches
from kernelscope.serving.overlap import overlaps, switches
from kernelscope.serving.page_reuse import reused_pages
from kernelscope.serving.portions import portions
from kernelscope.serving.positions import rotations
from kernelscope.serving.precision import default_dtypes, precisions
from kernelscope.serving.preemption import preemptions
from kernelscope.serving.preferences import preferences
from kernelscope.serving.presets import presets
from kernelscope.serving.process_groups import groups
from kernelscope.serving.projections import merged_projections
from kernelscope.serving.recent_lists import recent_lists
from kernelscope.serving.refusals import refusals
from kernelscope.serving.registrars import registrars
from kernelscope.serving.remote_objects import remote_objects
from kernelscope.serving.requeueing import put_back, put_before
from kernelscope.serving.roles import roles
from kernelscope.serving.rounding import blocks_needed
from kernelscope.serving.rounds import rounds
from kernelscope.serving.semaphores import semaphores
from kernelscope.serving.shortest_paths import shortest_paths
from kernelscope.serving.sizes import derived_sizes, limits, sizes_of_caches, sizes_of_worlds
from kernelscope.serving.slots import places, slots
from kernelscope.serving.speculation import verifications
from kernelscope.serving.streams import streams
from kernelscope.serving.trees import trees
from kernelscope.serving.victims import victims
from kernelscope.serving.vocabularies import vocabularies
from kernelscope.serving.weights import shared_weights
from kernelscope.serving.whole_pieces import whole_pieces
from kernelscope.serving.windows import windows
from kernelscope.serving.wrapping import wrapping

Finder = Callable[[PythonSource], Iterable[Claim]]
FINDERS: tuple[tuple[str, Finder], ...] = (
    ("config", presets),
    ("serving.kv_cache", caches.paging),
    ("serving.kv_cache", blocks_needed),
    ("serving.kv_cache", caches.buffers),
    ("serving.kv_cache", caches.rings),
    ("serving.kv_cache", growth),
    ("serving.kv_cache", sharing.reference_counts),
    ("serving.kv_cache", evictions.evictions),
    ("serving.kv_cache", evictions.recency),
    ("serving.kv_cache", linked_lists),
    ("serving.kv_cache", recent_lists),
    ("serving.kv_cache", free_arrays.stacks_of_ids),
    ("serving.kv_cache", free_arrays.cut_arrays),
    ("serving.kv_cache", free_arrays.maps_of_ids),
    ("serving.kv_cache", first_ids),
    ("serving.kv_cache", caches.sizing),
    ("serving.kv_cache", execution.spares),
    ("serving.kv_cache", execution.placeholder_blocks),
    ("serving.kv_cache", sharing.freed_at_zero),
    ("serving.prefix_cache", sharing.hashes),
    ("serving.prefix_cache", sharing.chained_hashes),
    ("serving.prefix_cache", trees),
    ("serving.prefix_cache", prefixes.lookups),
    ("serving.prefix_cache", prefixes.offered),
    ("serving.prefix_cache", prefixes.shortened),
    ("serving.prefix_cache", prefixes.halved),
    ("serving.prefix_cache", prefixes.common),
    ("serving.prefix_cache", prefixes.equal_runs),
    ("serving.prefix_cache", whole_pieces),
    ("serving.scheduling", overlaps),
    ("serving.scheduling", service.orders),
    ("serving.scheduling", switches),
    ("serving.scheduling", preferences),
    ("serving.scheduling", decisions),
    ("serving.scheduling", filled_up),
    ("serving.scheduling", kinds_in_turn),
    ("serving.scheduling", shortest_paths),
    ("serving.batching", measures),
    ("serving.prefix_cache", reused_pages),
    ("serving.scheduling", balancing),
    ("serving.scheduling", roles),
    ("serving.scheduling", fairness),
    ("serving.scheduling", rounds),
    ("serving.scheduling", preemptions),
    ("serving.scheduling", given_up),
    ("serving.scheduling", victims),
    ("serving.scheduling", choices),
    ("serving.scheduling", taken),
    ("serving.batching", admission.continuous),
    ("serving.batching", portions),
    ("serving.batching", slots),
    ("serving.batching", places),
    ("serving.scheduling", admission.passed_over),
    ("serving.scheduling", put_back),
    ("serving.scheduling", put_before),
    ("serving.batching", chunking.chunks),
    ("serving.batching", chunking.chosen_by_size),
    ("serving.batching", chunking.cut_to_the_rest),
    ("serving.batching", chunking.portions_by_test),
    ("serving.batching", capacity.admissions),
    ("serving.batching", semaphores),
    ("serving.batching", chunking.pieces),
    ("serving.batching", halves),
    ("serving.batching", verifications),
    ("serving.batching", windows),
    ("serving.batching", limits),
    ("serving.batching", merged_batches),
    ("serving.batching", admission.static),
    ("serving.batching", fitted_sizes),
    ("serving.lifecycle", main_loops),
    ("serving.lifecycle", endings),
    ("serving.lifecycle", kinds_of_ends),
    ("serving.lifecycle.failures", failures),
    ("serving.lifecycle.refusals", refusals),
    ("serving.topology.addresses", endpoints.addresses),
    ("serving.topology.addresses", endpoints.listening),
    ("serving.topology.addresses", vocabularies),
    ("serving.topology.addresses", remote_objects),
    ("topology.execution", execution.captures),
    ("topology.execution", execution.captured_by_size),
    ("topology.execution", execution.graph_conditions),
    ("topology.execution", execution.replays),
    ("topology.execution", execution.switched_off),
    ("topology.execution", execution.compiled),
    ("topology.execution", execution.compiled_calls),
    ("components", shared_weights),
    ("components", registrars),
    ("components", execution.launches),
    ("components", execution.placeholders),
    ("components", derived_sizes),
    ("serving.kv_cache", sizes_of_caches),
    ("components", rotations),
    ("faq.fusion", execution.compiled),
    ("faq.fusion", execution.compiled_calls),
    ("faq.fusion", layers.fused_residuals),
    ("faq.fusion", merged_projections),
    ("faq.fusion", fused_calls),
    ("faq.precision", precisions),
    ("faq.precision", default_dtypes),
    ("faq.seqlen", lengths),
    ("faq.seqlen", cut_lengths),
    ("distributed.groups", groups),
    ("distributed.sizes", sizes_of_worlds),
    ("distributed.sharding", sharding.shares),
    ("distributed.sharding", sharding.masked_ids),
    ("distributed.sharding", cut_tensors),
    ("distributed.sharding", wrapping),
    ("distributed.sharding", annotated),
    ("units_of_work", work.dealing),
    ("tiling", work.tile_counts),
    ("dependencies.sync", work.tables),
    ("dependencies.sync", streams),
    ("dependencies.order", work.producers),
    ("dependencies.order", work.intersections),
)
"""Who finds claims in a Python file, and the section where they stand."""
PARTS = frozenset(
    {"serving.kv_cache", "serving.prefix_cache", "serving.scheduling", "serving.batching", "topology.execution"}
)
"""The sections whose claims tell which classes a system is made of."""
