"""Words of what may be asked for something in a system of several: replicas, who chooses between them, what they do."""

from __future__ import annotations

from kernelscope.serving.claims import PythonSource
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

REPLICAS = {"replica", "replicas", "instance", "instances", "engine", "engines", "worker", "workers", "server",
            "servers", "node", "nodes", "backend", "backends", "endpoint", "endpoints", "url", "urls", "clients",
            "peers", "address", "addresses", "addrs", "hosts"}  # fmt: skip
ASKED = REPLICAS | {
    "actors",
    "channels",
    "devices",
    "pools",
    "processes",
    "queues",
    "ranks",
    "rpcs",
    "sockets",
    "stubs",
}
"""Words of collections of what may be asked for something."""
DISPATCHES = {"dispatch", "dispatcher", "dispatching", "route", "router", "routing", "balance", "balancer",
              "balanced", "balancing", "lb", "robin", "select", "pick", "choose", "assign", "proxy", "load", "request",
              "forward"}  # fmt: skip
ROUTES = {"route", "router", "routing", "lb", "balance", "balancer", "balancing"}
"""Words of what chooses between replicas and does nothing else."""
OTHERS = {"expert", "experts", "eplb", "dataset", "dataloader", "sampler", "layer", "layers", "shard", "checkpoint",
          "download", "scale", "migration", "migrate", "autoscaler"}  # fmt: skip
"""Words of what is dealt out too, but is no request."""
CANDIDATES = {"candidate", "candidates"}
LOADS = {"count", "counts", "load", "loads", "pending", "running", "queue", "queued", "inflight", "flight", "waiting",
         "tasks", "requests", "outstanding"}  # fmt: skip
"""Words of how much a replica has to do."""


def are_replicas(source: PythonSource, over: t.Expr) -> bool:
    """Whether an expression names replicas, and nothing that is dealt out for other reasons."""
    said = set(words(source.quote(over)))
    return bool(REPLICAS & said) and not OTHERS & said
