"""Which settings and registries stand in which section of the serving report, and which come first.

Words of the field in names decide, what a setting is of, and what help says of it; other uses of a word do not count.
"""

from __future__ import annotations

import re
from collections.abc import Container

from kernelscope.serving.parameter import Parameter, is_telling
from kernelscope.serving.registries import Registry
from kernelscope.serving.sections import hits, words
from kernelscope.serving.system import System

EMPTY = {"set", "list", "dict", "deque", "set()", "list()", "dict()", "deque()", "[]", "{}"}
"""Defaults of fields that are filled later."""
HANDED = {"output", "outputs", "data", "result", "results", "stats", "metadata"}
"""Last words of classes whose objects one part hands to another."""
DECLARED: dict[str, re.Pattern[str]] = {
    "kv_cache": re.compile(
        r"(?:^|_)(?:kv|pages?|block_size|per_block|blocks|cache|memory|swap|watermark|alloc|evict\w*)(?:_|$)|kvcache",
        re.I,
    ),
    "prefix_cache": re.compile(
        r"(?:prefix|prompt)_?(?:cach|match|reuse|shar)|prefix_(?:len|tokens)|radix|(?:^|_)hash", re.I
    ),
    "batching": re.compile(
        r"batch|num_seqs|chunk|prefill|extend|running|max_num|max_(?:\w+_)?tokens|specul|draft|proposers?|n_?gram|concurren|slots",
        re.I,
    ),
    "scheduling": re.compile(
        r"sched|polic|priorit|overlap|preempt|queue|prefill_ratio|(?:decode|prefill)_first|interleav|disagg|(?:^|_)pd_"
        r"|starv|fair|(?:max_|num_)skip|rout(?:er|ing)_?(?:logic|polic|strateg)|(?:max|min|batch|queue)_wait",
        re.I,
    ),
    "topology": re.compile(
        r"(?:^|_)(?:host|port|addr|address|ipc|url|endpoint|socket|workers?|handlers?|grpc|rpc|threads)(?:_|$)", re.I
    ),
    "metrics": re.compile(r"metric|log_stats|prometheus", re.I),
}
"""Which section a parameter stands in: by common words of the field in its name."""
_SAYS_SCHEDULING = re.compile(r"out.of.order|\bpreempt|\bfair(?:ness)?\b|\bstarv|schedul\w+ polic", re.I)
"""What help says of settings that choose how requests are scheduled, whatever they are called."""
ELSEWHERE: dict[str, frozenset[str]] = {
    "kv_cache": frozenset(
        {
            "dir",
            "file",
            "pin",
            "weight",
            "weights",
            "hub",
            "huggingface",
            "watermarking",
            "logits",
            "proj",
            "norm",
            "text",
            "content",
            "rotary",
            "rope",
        }
    ),
    "prefix_cache": frozenset({"watermark", "watermarking", "logits"}),
    "batching": frozenset({"ckpt", "checkpoint", "checkpoints", "crops", "files", "logsumexp"}),
    "scheduling": frozenset({"lr", "loss", "optim", "optimizer", "evict", "eviction", "linear"}),
}
"""Words of names and owners that hold a section's words for another reason: so many checkpoints are kept, rates of
learning are scheduled, weights have blocks, texts watermarks."""
_OF_CACHES = re.compile(r"KV_?(?:Cache|Pool)|KvCache|(?:Paged|Key_?Value)_?Cache|(?<![a-z])kv_?(?:cache|pool)", re.I)
"""Classes that hold keys and values."""
_HOLDS = re.compile(
    r"cache|(?<![a-z])kv|page|allocator|evict|(?:memory|token|block|kv)_?(?:pool|manager|table)|(?:pool|block)_?alloc",
    re.I,
)
"""Classes that hold or give out the memory of requests: a pool of tasks and a block of a model are none."""
_IN_FILES = re.compile(r"\bPath\(|\bos\.path\b|expanduser|^f?['\"]?(?:~|\.{0,2}/)")
"""Defaults that are places of files."""
_LAYERS = re.compile(r"\bnum_(?:\w+_)?layers\b|\bn_layers?\b")
"""What counts the layers of a model."""
_STEPS = re.compile(r"steps?", re.I)
_SCHEDULES = re.compile(r"sched|priorit|preempt|queue|overlap|rout(?:er|ing)_?(?:logic|polic|strateg)", re.I)
"""Words of registries that choose how requests are scheduled; models and their parts have policies, too."""
OF_ONE_REQUEST = {"sampling", "generation"}
"""Words of what is set for one request: how long its answer may be bounds no batch."""
FIRST = re.compile(
    r"(?:block|page|chunk|batch)_?size|max_(?:num_)?(?:seqs|tokens|running|batch)|memory_(?:ratio|fraction|util)|mem_frac"
    r"|enable_prefix|polic|priorit|overlap|disagg|^-*(?:host|port)$",
    re.IGNORECASE,
)
"""Words of the settings that are asked for most."""

WORKS = {"role", "roles", "instance", "phase", "stage", "forward", "batch", "step", "disagg", "disaggregation"}
"""Words of enums of what an instance or a step works on."""
TELLING = 3
"""Beyond it a field says nothing but its type."""


def is_offered(p: Parameter) -> bool:
    """Whether a parameter is offered to who runs a system: an option, a variable, a field that says what it is for."""
    return p.kind in ("option", "environment") or (p.kind == "field" and p.is_described)


def importance(p: Parameter) -> int:
    """What users set before what is merely fixed; fields that say nothing but their type come last."""
    if p.kind == "field" and not (p.expression or p.choices or p.overrides):
        return 4
    if is_offered(p) or (p.kind == "field" and p.is_of_configuration):
        return 0
    if p.kind == "define" and p.overrides:
        return 1
    return {"field": 1, "computed": 1, "constant": 1, "define": 2}.get(p.kind, 3)


def declared(system: System, name: str) -> list[Parameter]:
    """Parameters of a section by their own names or by what they are fields of, outside tests and examples.

    Settings come before plain constants, and both before defaults of arguments.
    """
    return system.following(("declared", name), lambda: _declared(system, name))


def _declared(system: System, name: str) -> list[Parameter]:
    meant = system.parameters_named(DECLARED[name])
    found = [
        p for p in system.declared
        if (p.name in meant or _is_of(name, p) or _is_said(name, p))
        and importance(p) <= TELLING and p.owner not in system.enums
        and not (name == "batching" and OF_ONE_REQUEST & set(words(p.owner)))
        and not (name == "scheduling" and p.kind == "define" and not hits("serving.scheduling", p.location.path.stem))
        and (p.kind != "argument" or p.value is not None) and not _is_elsewhere(name, p) and not _is_state(p)
    ]  # fmt: skip
    if name == "kv_cache":
        of_layers = {_plain(p) for p in system.declared if any(_LAYERS.search(o.value) for o in p.overrides)}
        found = [p for p in found if _plain(p) not in of_layers]
    arguments: set[tuple[str, str]] = set()
    found = [p for p in found if not _is_repeated(p, meant, arguments)]
    return sorted(
        found,
        key=lambda p: (importance(p) > 2, not FIRST.search(p.name), importance(p), -system.weight(p.location.path)),
    )


def _plain(p: Parameter) -> str:
    """The name of a parameter as code spells it: `num_blocks` of `--num-blocks`."""
    return p.name.lstrip("-").replace("-", "_")


def _is_repeated(p: Parameter, meant: Container[str], known: set[tuple[str, str]]) -> bool:
    """Whether an argument of a function is one only by whose function it is, or has been told with that default."""
    if p.kind != "argument":
        return False
    if p.name not in meant or (p.name, p.expression) in known:
        return True
    known.add((p.name, p.expression))
    return False


def _is_state(p: Parameter) -> bool:
    """Whether a field is what an object collects, keeps for itself or hands over, and nobody sets."""
    if p.kind != "field" or p.is_of_configuration:
        return False
    is_handed = bool(HANDED & set(words(p.owner)[-1:])) and p.expression in ("None", "False", "0")
    return is_handed or p.expression in EMPTY or p.name.startswith("_")


def _is_elsewhere(section: str, p: Parameter) -> bool:
    """Whether a parameter holds the words of a section for another reason; threads of kernels are none of hosts."""
    if section == "topology":
        return p.location.path.suffix in (".cu", ".cuh") and "threads" in words(p.name)
    others = ELSEWHERE.get(section, frozenset())
    said = {*words(p.name), *words(p.owner)}
    if section == "kv_cache" and (p.location.path.stem == "watermark" or _IN_FILES.search(p.expression)):
        return True
    return bool(others & said)


def _is_of(section: str, p: Parameter) -> bool:
    """Whether a parameter is a number or text that a cache or scheduler is made with, whatever its own name is."""
    if p.value is None or section not in ("kv_cache", "scheduling"):
        return False
    if section == "kv_cache" and _OF_CACHES.search(p.owner) is not None:
        return True
    if section == "kv_cache":
        return bool(hits("serving.kv_cache", p.location.path.stem) and _HOLDS.search(p.owner))
    within = hits("serving.scheduling", _STEPS.sub("", p.location.path.stem))
    chosen = p.kind == "field" and is_telling(p.value) and section == "scheduling" and not p.is_of_configuration
    return bool(within and (hits("serving.scheduling", _STEPS.sub("", p.owner)) or chosen))


def _is_said(section: str, p: Parameter) -> bool:
    """Whether the help of a setting says that it is about scheduling."""
    is_set = p.kind == "option" or (p.kind == "field" and p.is_of_configuration)
    return section == "scheduling" and is_set and _SAYS_SCHEDULING.search(p.doc or "") is not None


def _tells_prefill_from_decode(registry: Registry) -> bool:
    """Whether an enum has a member for either kind of work: roles of instances, modes of a step."""
    members = {entry.key.lower() for entry in registry.entries}
    return bool(WORKS & set(words(registry.name))) and {"prefill", "decode"} <= members


def concerns(section: str, registry: Registry) -> bool:
    """Whether a registry's name speaks of a section; of enums only those that list ways of doing something."""
    ways = {"policy", "policies", "strategy", "algorithm", "mode", "backend", "type", "kind"}
    is_ranked = section == "scheduling" and words(registry.name.rpartition(".")[2])[-1:] in (
        ("priority",),
        ("priorities",),
    )
    if section == "scheduling" and registry.kind == "enum" and _tells_prefill_from_decode(registry):
        return True
    is_choice = registry.kind != "enum" or bool(ways & set(words(registry.name))) or is_ranked
    parts = "_".join(words(registry.name))
    if ELSEWHERE.get(section, frozenset()) & set(words(registry.name)):
        return False
    if section == "scheduling" and not _SCHEDULES.search(parts):
        place = registry.location.path
        is_choice = is_choice and bool(hits("serving.scheduling", f"{place.parent.name} {place.stem}"))
    return is_choice and bool(DECLARED[section].search(registry.name) or DECLARED[section].search(parts))
