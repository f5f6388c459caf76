"""Models wrapped for data parallelism: FSDP shards parameters, gradients and optimizer states, DDP copies the model.

Found by PyTorch's own names: `fully_shard`, `FullyShardedDataParallel`, `DistributedDataParallel`
(https://pytorch.org/docs/stable/distributed.fsdp.fully_shard.html).
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import calls, guards_text, last_name, statements
from kernelscope.syntax.python import tree as t

SHARDS = {"fully_shard", "FullyShardedDataParallel", "FSDP"}
COPIES = {"DistributedDataParallel", "DDP"}
MOST_PLACES = 4


def wrapping(source: PythonSource) -> Iterator[Claim]:
    """What a function shards or copies over ranks, all its calls in one claim."""
    if source.aside:
        return
    names = _imported(source)
    for scope in source.module.functions():
        for kinds, said in ((SHARDS, _sharded), (COPIES, _copied)):
            found = [
                (call, " and ".join(guards_text(source, guards)))
                for statement, guards in statements(scope.node)
                for call in calls(statement)
                if call.args and _wrapper(call, names) in kinds
            ]
            if not found:
                continue
            what = ", ".join(dict.fromkeys(source.quote(call.args[0]) for call, _ in found[:MOST_PLACES]))
            value = f"{scope.qualified_name} {said(source, [call for call, _ in found], what)}"
            guards = {guard for _, guard in found}
            guard = guards.pop() if len(guards) == 1 else ""
            places = (*(source.at(call) for call, _ in found[:MOST_PLACES]), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} data parallel", value, places, condition=guard)


def _wrapper(call: t.Call, names: dict[str, str]) -> str:
    """The framework's name of what is called: imported from it, or spelt from `torch` on."""
    name = t.dotted(call.func) or ""
    return last_name(call.func) if name.startswith("torch.") else names.get(name, "")


def _imported(source: PythonSource) -> dict[str, str]:
    """Names of the file for the frameworks' wrappers, also under an alias."""
    found: dict[str, str] = {}
    bodies = [source.module.body, *(scope.node.body for scope in source.module.functions())]
    for statement in (s for body in bodies for s in t.flat(body)):
        if isinstance(statement, t.ImportFrom) and statement.module.partition(".")[0] == "torch":
            for alias in statement.names:
                if alias.name in SHARDS | COPIES:
                    found[alias.asname or alias.name] = alias.name
    return found


def _sharded(source: PythonSource, found: list[t.Call], what: str) -> str:
    given = {k.arg: k.value for call in found for k in call.keywords}
    text = (
        f"wraps {what} by {source.quote(found[0].func)}: fully sharded data parallel (FSDP, as ZeRO-3): each rank has "
        f"a part of the parameters, gradients and optimizer states; parameters are all-gathered before they are used "
        f"and gradients reduce-scattered"
    )
    kept = [call for call in found if any(_is_kept(k) for k in call.keywords)]
    if kept:
        text += f"; {', '.join(source.quote(call.args[0]) for call in kept[:2])} stay gathered after the forward pass"
    if (mesh := given.get("mesh") or given.get("device_mesh")) is not None:
        text += f"; over the mesh {source.quote(mesh)}"
    return text


def _is_kept(keyword: t.Keyword) -> bool:
    match keyword:
        case t.Keyword(arg="reshard_after_forward", value=t.Constant(value=False)):
            return True
        case _:
            return False


def _copied(source: PythonSource, found: list[t.Call], what: str) -> str:
    return (
        f"wraps {what} by {source.quote(found[0].func)}: data parallel (DDP): each rank has a copy of the model, and "
        f"gradients are all-reduced in the backward pass"
    )
