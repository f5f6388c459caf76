"""The technical questions every reader asks, answered from facts of the code alone; "not found" says what was searched.

One table of questions: each names the facts that answer it. Nothing is answered from knowledge about a project.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kernelscope.results import Location
from kernelscope.serving.claims import Claim
from kernelscope.serving.system import System

Json = dict[str, object]
Evidence = Callable[..., list[Json]]
MAX_CLAIMS = 8
"""Claims joined into one answer; more make further answers to the same question."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question: its topic in the schema, its words, and how facts answer it."""

    id: str
    topic: str
    text: str
    claims: Callable[[System], Iterator[Claim]]
    searched: str


def _words(pattern: str) -> Callable[[System], Iterator[Claim]]:
    """Parameters and constraints whose names hold the words of a topic."""
    compiled = re.compile(pattern, re.IGNORECASE)

    def find(system: System) -> Iterator[Claim]:
        for p in system.parameters:
            if p.kind != "argument" and compiled.search(p.name):
                default = p.expression if p.value is None else str(p.value)
                yield Claim(p.name, f"{p.owner or 'module'}.{p.name} default {default or 'none'}", (p.location,))
        for c in system.constraints:
            if any(compiled.search(subject) for subject in c.subjects):
                yield Claim(c.kind, f"{c.condition} must hold ({c.enforced_by} in {c.where})", (c.location,))

    return find


def _states(system: System) -> Iterator[Claim]:
    used = {transition.enum for transition in system.transitions}
    for registry in system.registries:
        if registry.kind == "enum" and registry.name.rpartition(".")[2] in used:
            members = ", ".join(entry.key for entry in registry.entries)
            where = (registry.location, *(entry.location for entry in registry.entries))
            yield Claim(registry.name, f"status states of {registry.name}: {members}", where)
    for x in system.transitions:
        guard = f" if {x.condition}" if x.condition else ""
        yield Claim(x.state, f"{x.subject} becomes {x.state} in {x.where}{guard}", (x.location,))


def _scheduling(system: System) -> Iterator[Claim]:
    yield from system.scheduling


def _preemption(system: System) -> Iterator[Claim]:
    for claim in system.scheduling:
        if claim.name.endswith(("requeue", "victim")):
            yield claim


def _kv(system: System) -> Iterator[Claim]:
    yield from system.kv_cache


def _prefix(system: System) -> Iterator[Claim]:
    yield from system.prefix_cache


def _collectives(system: System) -> Iterator[Claim]:
    for c in system.collectives:
        guard = f" if {c.condition}" if c.condition else ""
        value = f"{c.where}: {c.primitive} of {c.tensor or 'its arguments'} over {c.group or 'its communicator'}{guard}"
        yield Claim(c.primitive, value, (c.location,))


def _processes(system: System) -> Iterator[Claim]:
    for s in system.started:
        yield Claim(s.kind, f"{s.kind} {s.target} started by {s.how} in {s.where}", (s.location,))
    for c in system.channels:
        value = f"{c.transport} {c.pattern} {c.address} opened in {c.where}"
        yield Claim(c.transport, " ".join(value.split()), (c.location,))


def _routes(system: System) -> Iterator[Claim]:
    for r in system.routes:
        yield Claim("route", f"{r.method} {r.path} is served by {r.handler}", (r.location,))


def _metrics(system: System) -> Iterator[Claim]:
    for m in system.metrics:
        yield Claim(m.name, f"{m.kind} {m.name}: {m.measures}", (m.location,))


def _registered(pattern: str) -> Callable[[System], Iterator[Claim]]:
    compiled = re.compile(pattern, re.IGNORECASE)

    def find(system: System) -> Iterator[Claim]:
        for registry in system.registries:
            if compiled.search(registry.name) and registry.kind != "enum":
                keys = ", ".join(f"{e.key} → {e.implementation}" for e in registry.entries)
                where = tuple(entry.location for entry in registry.entries)
                yield Claim(registry.name, f"{registry.name} registers {keys}", where)

    return find


def _constraints(*kinds: str) -> Callable[[System], Iterator[Claim]]:
    def find(system: System) -> Iterator[Claim]:
        for c in system.constraints:
            if c.kind in kinds:
                yield Claim(c.kind, f"{c.condition} must hold ({c.enforced_by} {c.where})", (c.location,))

    return find


QUESTIONS: tuple[Question, ...] = (
    Question("batching.limits", "batching", "What limits a batch?",
             _words(r"batch|num_seqs|max_num|running|chunk|extend|prefill"), "parameters about batches"),
    Question("kv_cache.layout", "kv_cache", "How is the KV cache laid out and allocated?", _kv,
             "kv cache: paged slot arithmetic, cache buffers, free lists, reference counts"),
    Question("kv_cache.block", "kv_cache", "What is the block or page size?",
             _words(r"block_size|page_size|kvcache|kv_cache|num_blocks|num_pages"), "parameters of blocks and pages"),
    Question("fusion.tied", "fusion", "Which weights are tied?", lambda system: iter(system.ties), "tied weights"),
    Question("kv_cache.prefix", "kv_cache", "How are prefixes shared?", _prefix, "prefix hashes over tokens"),
    Question("kv_cache.kinds", "kv_cache", "Which cache managers exist?", _registered("cache"), "registries of caches"),
    Question("scheduling.policy", "scheduling", "In which order are requests served?", _scheduling,
             "waiting queues and their operations"),
    Question("scheduling.preemption", "scheduling", "Is a running request preempted, and where does it go?",
             _preemption, "preempt: requests put back to the front of a queue"),
    Question("scheduling.states", "scheduling", "Which states does a request have?", _states,
             "enum members stored in a status attribute"),
    Question("scheduling.switches", "scheduling", "Which switches change scheduling?",
             _words(r"sched|overlap|polic|priorit|preempt"), "parameters about scheduling"),
    Question("parallelism.collectives", "parallelism", "Where do GPUs communicate?", _collectives,
             "collectives of torch.distributed, JAX and NCCL"),
    Question("parallelism.sizes", "parallelism", "Which parallel sizes are configured?",
             _words(r"tensor_parallel|(?:^|_)tp(?:_|$)|world_size|data_parallel|(?:^|_)dp(?:_|$)|expert_parallel"),
             "parameters about parallel sizes"),
    Question("parallelism.pipeline", "parallelism", "Is there pipeline parallelism?",
             _words(r"pipeline_parallel|(?:^|_)pp(?:_|$)"), "pipeline parallelism (PP) parameters"),
    Question("scalability.processes", "scalability", "Which processes run, and how do they talk?", _processes,
             "processes, threads, sockets, queues and shared memory"),
    Question("scalability.routes", "scalability", "Which HTTP API server routes are served?", _routes,
             "http routes of an API server or frontend"),
    Question("scalability.metrics", "scalability", "Which metrics are exported?", _metrics,
             "prometheus metrics such as TTFT"),
    Question("parallelism.backends", "parallelism", "Which attention and communication backends can be chosen?",
             _registered("backend|attention|attn|comm"), "registries of backends"),
    Question("seqlen.limits", "seqlen", "Which sequence lengths are supported?",
             _words(r"seq_?len|max_model_len|max_position|context"), "parameters about sequence length"),
    Question("hardware.alignment", "hardware", "Which alignments and divisibilities are required?",
             _constraints("alignment", "divisibility", "power_of_two"),
             "constraints on alignment and divisibility"),
    Question("hardware.arch", "hardware", "Which GPUs are required?",
             _constraints("arch"),
             "constraints on the architecture"),
    Question("precision.dtypes", "precision", "Which dtypes are required?",
             _constraints("dtype"),
             "constraints on dtypes"),
)  # fmt: skip


def faq(system: System, evidence: Evidence, files: int) -> list[Json]:
    """An entry per question, or several where one answer would not hold all its claims."""
    found: list[Json] = []
    for question in QUESTIONS:
        claims = list(question.claims(system))
        if not claims:
            answer = f"not found: no {question.searched} in {files} files"
            found.append({
                "id": question.id, "topic": question.topic, "question": question.text, "answer": answer,
                "found": False, "searched": question.searched, "evidence": [], "confidence": "derived",
            })  # fmt: skip
            continue
        for start in range(0, min(len(claims), 5 * MAX_CLAIMS), MAX_CLAIMS):
            group = claims[start : start + MAX_CLAIMS]
            places: list[Location] = [location for claim in group for location in claim.evidence[:4]]
            found.append({
                "id": f"{question.id}.{start // MAX_CLAIMS + 1}", "topic": question.topic, "question": question.text,
                "answer": ". ".join(claim.value for claim in group), "found": True,
                "evidence": evidence(*places), "confidence": "derived",
            })  # fmt: skip
    return found
