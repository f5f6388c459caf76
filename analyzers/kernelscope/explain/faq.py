"""The technical questions every reader asks, answered from facts of the code alone; "not found" says what was searched.

One table of questions in the order of the method: for serving systems first, then for any LLM code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from kernelscope.explain.faq_answers import (
    Answer,
    about,
    architectures,
    barriers,
    both,
    choices,
    choices_of,
    closest,
    collectives,
    constraints,
    ending_states,
    first,
    given,
    memberships,
    metrics,
    numbers,
    of_hosts,
    parallel_sizes,
    processes,
    registered,
    routes,
    separate_instances,
    settings,
    states,
    synchronisation,
    unless_preempted,
)
from kernelscope.explain.faq_functions import attending, compared, functions, procedures, samplers
from kernelscope.explain.faq_sizes import block_sizes, chunk_sizes, context_limits
from kernelscope.explain.faq_steps import Functions
from kernelscope.explain.report_places import MAX_PLACES, Json, Places
from kernelscope.faults import part
from kernelscope.results import Location
from kernelscope.serving.claims import Claim
from kernelscope.serving.system import System

LIMITS = (
    r"(?<!u)batch(?:ed)?_(?:size|tokens)|tokens_(?:in|per)_(?:batch|step)|max_(?:batch|prefill|running|seqs|total_tokens|concurren)|num_seqs"
    r"|limit\w*concurren|concurren\w*limit|max_num_(?:seqs|reqs|requests|tokens|prefill|batch|scheduled|active|running|queued)|chunked_prefill"
)
"""Names of what limits a batch; what limits one answer is no limit of it."""
POLICIES = r"sched\w*polic|polic\w*sched|^_*polic(?:y|ies)$|(?:queue|batch|preempt\w*|admission)_polic|(?<!op_)priorit"
"""Names of settings that say in which order requests are served; downloads and errors have policies, too."""
CHUNKS = r"chunked_?(?:prefill|context)|prefill\w*chunk|long_prefill|prefill_step"
OVERLAPS = r"(?:enable|disable|no|use)_?overlap|overlap_sched|^\W*overlap(?:_mode|_step)?$|async_sched"
RUNS = r"^(?!\S*__init__ ).*(?:→|order:) (?:\w+\.)*"
"""Before a step of an order; constructors only set up what runs later."""
ATTENDS = rf"{RUNS}(?!get_|set_|parse_|make_|build_|init)\w*(?:attn|attention|sdpa)"
"""Orders in which something attends: conditions and what is set up beforehand name attention, too."""
MAX_CLAIMS = 6
"""Claims joined into one answer; more make further answers to the same question."""
ROPE = r"(?<![a-z])m?rope|rotary"
ROTATES = rf"{RUNS}(?!get_|parse_|make_|build_|\w*positions?\b)\w*(?:{ROPE})|rope and cache"
"""Orders in which something is rotated: settings of rotations are read in some order, too."""
MOST_CITED = 20
"""Places that the claims of one answer have together: an answer cites fewer, the first ones of each claim."""
MAX_ANSWER = 1_500
MAX_ANSWERS = 5


@dataclass(frozen=True, slots=True)
class Question:
    """One question: its topic in the schema, its words, and how facts answer it."""

    id: str
    topic: str
    text: str
    claims: Answer
    searched: str


CACHES = (
    r"kv_?(?:cache|pool|block|page)|(?:^|[_.])(?:k|v|key|value|past)_?cache|page|(?:kv|cache|req\w*)_?slot|block\w*(?:alloc|free)"
    r"|(?:alloc|free)\w*(?:block|cache)"
)
"""Functions about the cache of keys and values; tables of angles, masks and datasets are cached, too."""
MOVES = (
    r"(?:^|\.)_*(?:swap|offload)_?(?:in|out|seqs?|reqs?|requests?)?(?:_(?:seqs?|reqs?|requests?))?$"
    r"|(?:kv|cache|block|page)\w*(?:swap|offload)|(?:swap|offload)\w*(?:kv|cache|block|page)"
)
"""Functions that move requests or their memory elsewhere and back; weights and parts of models are swapped, too."""
OF_REQUESTS = frozenset({
    "request", "requests", "req", "reqs", "seq", "seqs", "sequence", "sequences", "job", "jobs", "task", "tasks",
    "session", "sessions", "scheduler", "scheduling", "engine", "generator", "generate", "generation", "server",
    "serving", "service", "stream", "streaming", "batch", "batcher", "handler", "router", "client", "worker",
    "executor", "llm", "queue", "state", "states", "status", "stop", "decode", "inference", "api", "rpc",
})  # fmt: skip
"""Words of what deals with requests: loads of weights are aborted, and devices time out, too."""
PREFIXES = r"prefix_?(?:cach|match|reuse|shar)|(?:disable|enable|use|no)_radix|radix_(?:cache|tree|attention|eviction)"
"""Settings of shared prefixes; sorting goes by a radix, too."""
QUESTIONS: tuple[Question, ...] = (
    Question("batching.strategy", "batching", "Continuous or static batching, and how are requests added mid-batch?",
             first(about("serving.batching", "admission|static batching"),
                   procedures("serving.batching", r"admit|(?:form|next)_\w*batch|can_?prefill"),
                   procedures("serving.scheduling", r"admit|schedule_?req|(?:form|next)_\w*batch")),
             "loops that move requests between queues under limits"),
    Question("batching.limits", "batching", "What limits a batch?",
             both(about("serving.batching", "concurrency limit"), numbers(LIMITS), chunk_sizes, given(LIMITS),
                  compared(LIMITS)),
             "parameters about batches"),
    Question("batching.chunked", "batching", "Is a long prefill chunked?",
             first(both(about("serving.batching", "chunked prefill"), about("serving.scheduling", "chunked prefill"),
                        settings(CHUNKS), chunk_sizes),
                   procedures("serving.batching", r"(?:prefill|prompt)\w*chunk|chunk\w*(?:prefill|prompt)")),
             "chunked prefill"),
    Question("batching.speculative", "batching", "Is there speculative decoding?",
             both(about("serving.batching", "speculative decoding"),
                  settings(r"speculat|draft|(?:num|is|enable|use)_spec|(?:^|_)spec_(?:dec|len|k$|conf|meth|algo|step|tok)|propos|(?<!hash_)lookahead")),
             "guesses that are verified, and parameters about speculative decoding"),
    Question("scheduling.preemption", "scheduling", "Is a running request preempted, and where does it go?",
             both(unless_preempted, about("serving.scheduling", "preempt|requeue|victim"),
                  procedures("serving.scheduling", r"^(?!.*(?:tpu|vm|spot|instance)).*(?:preempt|retract|swap_out)")),
             "preempt"),
    Question("kv_cache.layout", "kv_cache", "Paged or contiguous KV cache: how is it laid out and allocated?",
             first(about("serving.kv_cache"),
                   both(settings(r"kv_?cache"), procedures("serving.kv_cache", CACHES))),
             "kv cache buffers, free lists of blocks, reference counts"),
    Question("kv_cache.block", "kv_cache", "What is the block or page size, and how many are there?",
             block_sizes, "parameters of blocks and pages"),
    Question("kv_cache.kinds", "kv_cache", "Which cache managers exist?",
             registered(r"cache|(?:block|page|kv|memory)\w*(?:manager|allocator|pool)"), "registries of caches"),
    Question("kv_cache.prefix", "kv_cache",
             "Is there a prefix cache: how are prefixes shared, and what is a hit or a miss?",
             both(about("serving.prefix_cache"), settings(PREFIXES)),
             "lookups of shared prefixes"),
    Question("kv_cache.offload", "kv_cache", "Is the cache swapped or offloaded?",
             both(settings(r"(?:^|_)swap(?:ped|ping)?(?:_|$)|(?:cpu|host|disk)_(?:cache|blocks|pages)(?!_format|_version)|cache_(?:cpu|host|disk)|offload_dir|"
                           r"(?:^|_)dram|(?:kv|cache)\w*offload|offload\w*(?:kv|cache)"),
                  procedures("serving.kv_cache", MOVES)),
             "parameters and functions about swapping and offloading"),
    Question("scheduling.policy", "scheduling", "FCFS, priority or custom: in which order are requests served?",
             both(closest("serving.scheduling", r"(?<!\.)\bpolicy\b|\border\b|which batch"),
                  choices(r"sched\w*polic|polic\w*$"),
                  settings(POLICIES)),
             "waiting queues and their operations"),
    Question("scheduling.prefill_decode", "scheduling", "Are prefill and decode separated or mixed in a step?",
             both(about("serving.scheduling",
                        r"prefill.*(?:(?<!smallest )(?<!largest )first|separate|mix)|mixed:|which batch runs|"
                        r"prefill or decode:|"
                        r"never mixes"),
                  settings(r"mixed_(?:chunk|prefill|step)|enable_mix$")),
             "order of prefill and decode work in a scheduling step"),
    Question("scheduling.overlap", "scheduling", "Is scheduling overlapped with execution?",
             both(about("serving.scheduling", "overlap|main loop"), settings(OVERLAPS)),
             "results handled one iteration later"),
    Question("scheduling.fairness", "scheduling", "Is there fairness between requests or users?",
             both(about("serving.scheduling", "fairness"),
                  settings(r"fair|quota(?!tion)|rate_limit(?!\w*_(?:msg|message))|max_per_(?:user|client|tenant)")),
             "parameters about fairness, quotas and rate limits"),
    Question("scheduling.states", "scheduling", "Which states does a request have?", states,
             "enum members stored in a status attribute, and requests that move between queues"),
    Question("scheduling.ending", "scheduling", "How does a request end: finished, aborted or timed out?",
             both(about("serving.lifecycle", "ends a request"), ending_states,
                  procedures("serving.lifecycle", r"(?<!_)abort|time_?out|timed_out|finish|(?:check|update)_stop",
                             OF_REQUESTS)),
             "reasons or states of what is over"),
    Question("scheduling.refusals", "scheduling", "Which requests are refused or answered with an error, and when?",
             about("serving.lifecycle.refusals"), "errors that are raised or answered under a test of a request"),
    Question("scheduling.switches", "scheduling", "Which switches change scheduling?",
             of_hosts(settings(rf"(?<!lr_)(?<!kernel_)(?<!epilogue_)(?<!tile_)(?<!tile)(?<!rate_)(?<!noise_)(?<!beta_)(?<!parallel_)(?<!pp_)(?<!num_)sched(?!ulers$|uled|ule_(?:list|delay)|\w*_(?:addr|address|port|url|endpoint|block_size|page_size)$)|(?<!num_)preempt(?!ing$)|{OVERLAPS}|{POLICIES}")),
             "parameters about scheduling"),
    Question("scalability.disaggregation", "scalability",
             "Is prefill disaggregated from decode, or another part from the rest?",
             both(about("serving.scheduling", "disaggregation$"),
                  settings(r"(?<!ffn_)disagg|kv_role|kv_connector|kv_transfer|is_producer", with_demands=False),
                  separate_instances,
                  procedures("serving.kv_cache", r"migrat|disagg|transfer|(?:^|\.)(?:send|recv)_kv")),
             "roles of prefill and decode instances"),
    Question("scalability.balancing", "scalability", "How is load balanced between replicas?",
             both(about("serving.scheduling", "load balancing"),
                  settings(r"rout(?:er|ing)_(?:logic|polic|strateg)|(?<!class_)(?<!parallel_load_)balanc(?!\w*(?:coef|loss|weight))|data_parallel|dp_size|num_replicas|replica_count"),
                  registered(r"balanc|router|rout(?:er|ing)_?(?:logic|polic|strateg)|dispatch(?:er|\w*(?:polic|request|worker|replica))"),
                  functions(r"(?:choose|select|pick|assign|route|balance)\w*(?:server|worker|replica|engine|instance|peer|node|endpoint)"
                            r"|load_?balanc|balanc\w*(?:partition|load|worker|replica|rank)")),
             "load balancers and data-parallel sizes"),
    Question("scalability.failures", "scalability", "What happens when a part fails or takes too long?",
             both(about("serving.lifecycle.failures"),
                  functions(r"_fail(?:ed|ures?|s)?(?:_|$)|crash|health|heart_?beat|alive|(?:^|_)monitor|timed?_?out"
                            r"|(?:^|_)(?:retry|restart|recover|ban|expired?|stale|watch\w*)(?:_|$)"),
                  of_hosts(settings(r"(?:^|_)(?:retry|retries|backoff|timeout|timeout_s|timeout_ms|timeout_sec|timeout_seconds|ban)(?:_|$)"))),
             "handlers that try again or shut down, functions about failures, parameters about timeouts"),
    Question("scalability.processes", "scalability", "Which processes run, and how do they talk?",
             both(processes, about("serving.topology.addresses")), "processes, threads, sockets and queues"),
    Question("scalability.routes", "scalability", "Which HTTP API server routes are served?", routes,
             "http routes of an API server or frontend"),
    Question("scalability.metrics", "scalability", "Which metrics are exported?", metrics,
             "prometheus metrics such as TTFT"),
    Question("seqlen.variable", "seqlen", "How are variable lengths handled: padding, packing or ragged batches?",
             both(about("faq.seqlen"),
                  settings(r"padd(?:ed|ing)|(?:length|prefill|prompt|seq\w*)_buckets|packed_(?:seq|input|batch)|varlen|ragged"),
                  about("components", "padding")),
             "cumulative lengths, padding and ragged batches"),
    Question("seqlen.limits", "seqlen", "Which sequence lengths are supported at most?",
             context_limits, "parameters about lengths"),
    Question("hardware.tensor_cores", "hardware", "Are tensor cores used (WMMA, WGMMA)?",
             about("faq.hardware", "mma|tensor core"), "tensor core instructions"),
    Question("hardware.alignment", "hardware", "Which alignments and divisibilities are required?",
             constraints("alignment", "divisibility", "power_of_two"), "constraints on alignment and divisibility"),
    Question("hardware.arch", "hardware", "What is the minimum GPU architecture?",
             architectures, "constraints on the architecture"),
    Question("hardware.graphs", "hardware", "Are CUDA graphs used, and when not?",
             both(about("topology.execution", r"\bgraphs?\b|captur|replay"),
                  procedures("topology", r"(?:capture|record|replay)\w*graph|cuda_?graph|graph_?(?:runner|pool)")),
             "CUDA graphs"),
    Question("fusion.operations", "fusion", "What operations are fused together?",
             about("faq.fusion"), "compiled functions, kernels with several results, residual adds in norms"),
    Question("fusion.qk_norm_rope", "fusion", "Are QK-norm and RoPE fused, and in which order do they run?",
             both(about("faq.fusion", rf"{ROPE}|qk_?norm"), about("dependencies.order", ROTATES)),
             "kernels with both, and orders with RoPE"),
    Question("fusion.tied", "fusion", "Which weights are tied?",
             both(about("components", r"\btied\b"), settings(r"(?:^|_)(?:tied_|tie_(?:w|emb|lm|head|out|enc|in))")),
             "tied weights"),
    Question("precision.compute", "precision", "In which precision are norms, softmax and sums computed?",
             about("faq.precision"), "precision of norms, softmax and sums"),
    Question("precision.dtypes", "precision", "Which input and output dtypes are required or configured?",
             both(settings(r"(?:^|_)dtype$|quantization|kv_cache_dtype"), about("faq.precision", "sets the dtype"),
                  constraints("dtype")),
             "parameters and constraints about dtypes"),
    Question("parallelism.sizes", "parallelism", "Which parallel sizes are configured (TP, DP, EP, CP, SP)?",
             parallel_sizes("TP", "DP", "EP", "CP", "SP", "FSDP"), "parameters about parallel sizes"),
    Question("parallelism.pipeline", "parallelism", "Is there pipeline parallelism?",
             both(parallel_sizes("PP"), about("distributed.sharding", "pipeline"),
                  of_hosts(settings(r"(?:^|_)pp_size|pipeline_(?:parallel|stage|batch|rank)"))),
             "pipeline parallelism (PP) parameters, and layers dealt out to ranks"),
    Question("parallelism.sharding", "parallelism", "Which layers are sharded, and how are the parts joined?",
             about("distributed.sharding"), "sizes divided by the number of ranks"),
    Question("parallelism.collectives", "parallelism", "Where do GPUs communicate?", collectives,
             "collectives"),
    Question("parallelism.groups", "parallelism", "Which process groups and backends are initialised?",
             both(about("distributed.groups"), about("distributed")), "process groups and meshes"),
    Question("parallelism.synchronisation", "parallelism", "Where are the synchronisation points?",
             both(synchronisation, about("dependencies.sync"), barriers),
             "spin loops, signals, atomics, events and barriers"),
    Question("parallelism.backends", "parallelism", "Which attention and communication backends can be chosen?",
             both(registered("backend|attention|attn|comm"),
                  memberships(r"(?:^|_)att(?:entio)?n(?:_(?:backend|impl|implementation|type|mode))?$"),
                  settings(r"(?:attn|attention|comm\w*|moe\w*|all_?reduce|sampling|gemm|linear)_(?:\w+_)?(?:backend|impl)")),
             "registries of backends"),
    Question("components.attention", "hardware", "What computes attention, in prefill and in decode?",
             both(attending,
                  about("dependencies.order", ATTENDS),
                  about("components", r"att(?:entio)?n(?!_size)|\bheads\b|head_(?:dim|size)|rotary|\brope\b|repeat_kv|"
                        r"\bGQA\b")),
             "forward passes that attend"),
    Question("components.sampling", "batching", "How is the next token chosen?", samplers, "samplers"),
    Question("components.quantisation", "precision", "Which quantisations can be chosen?",
             both(registered("quant"), choices_of("quant"),
                  settings(r"(?:^|_)quant(?:_type|_mode|_method|_format|i[sz](?:e|ation)(?:_method)?)$")),
             "registries or settings of quantisations"),
)  # fmt: skip


def faq(system: System, places: Places) -> list[Json]:
    """An entry per question, or several where one answer would not hold all its claims."""
    found: list[Json] = []
    functions = Functions(system)
    for question in QUESTIONS:
        claims = answer_of(question, system)
        if not claims:
            answer = f"not found: no {question.searched} in {len(system.readings)} files"
            found.append({
                "id": question.id, "topic": question.topic, "question": question.text, "answer": answer,
                "found": False, "searched": question.searched, "evidence": [], "confidence": "derived",
            })  # fmt: skip
            continue
        for number, group in enumerate(groups_of(claims)[:MAX_ANSWERS], 1):
            where: list[Location] = [
                claim.evidence[i] for i in range(MAX_PLACES) for claim in group if i < len(claim.evidence)
            ]
            found.append({
                "id": f"{question.id}.{number}", "topic": question.topic, "question": question.text,
                "answer": ".\n".join(" ".join(c.value.split()).rstrip(".") for c in group)[:MAX_ANSWER], "found": True,
                "evidence": places.evidence(*where), "confidence": _confidence(group),
            })  # fmt: skip
        for number, p in enumerate(functions.behind(claims), 1):
            found.append({
                "id": f"{question.id}.steps.{number}", "topic": question.topic, "question": question.text,
                "answer": f"{p.name}:\n{p.steps}", "found": True,
                "evidence": places.evidence(*p.evidence), "confidence": "literal",
            })  # fmt: skip
    return found


def _confidence(claims: Iterable[Claim]) -> str:
    """An answer is as sure as the least sure of its claims."""
    return "heuristic" if any(claim.confidence == "heuristic" for claim in claims) else "derived"


def answer_of(question: Question, system: System) -> list[Claim]:
    """The claims that answer a question; a fault is told in their place."""
    before = len(system.faults)
    with part(f"the answer to {question.text!r}", system.faults):
        return different(question.claims(system))
    return [Claim("missing", fault.text, ()) for fault in system.faults[before:]]


def different(claims: Iterable[Claim]) -> list[Claim]:
    """As many claims as answers can hold, those that say the same in several places once with all of them."""
    found: dict[str, Claim] = {}
    for claim in claims:
        said = found.get(claim.value)
        if said is None:
            if len(found) >= MAX_ANSWERS * MAX_CLAIMS:
                break
            found[claim.value] = claim
        elif len(said.evidence) < MAX_CLAIMS:
            found[claim.value] = replace(said, evidence=tuple(dict.fromkeys((*said.evidence, *claim.evidence))))
    return list(found.values())


def groups_of(claims: list[Claim]) -> list[list[Claim]]:
    """Claims in answers of readable length."""
    groups: list[list[Claim]] = []
    size = MAX_ANSWER
    places = 0
    for claim in claims:
        cited = min(len(claim.evidence), MAX_PLACES)
        if size + len(claim.value) > MAX_ANSWER or len(groups[-1]) >= MAX_CLAIMS or places + cited > MOST_CITED:
            groups.append([])
            size = places = 0
        groups[-1].append(claim)
        size += len(claim.value)
        places += cited
    return groups
