"""CUDA streams that a program makes beside the one it computes on, with what it runs on them."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import last_name, own_of
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

MOST_USES = 4


def streams(source: PythonSource) -> Iterator[Claim]:
    """`self.copies = torch.cuda.Stream()` with the functions that say `with torch.cuda.stream(self.copies):`."""
    if source.aside:
        return
    used: dict[str, list[tuple[Scope, t.Node]]] = {}
    for scope in source.module.functions():
        for node in own_of(scope.node, t.Call):
            match node:
                case t.Call(func=func, args=[stream]) if last_name(func) in ("stream", "StreamContext"):
                    if (name := t.dotted(stream)) is not None:
                        used.setdefault(name, []).append((scope, node))
                case _:
                    pass
    for scope in source.module.functions():
        for node in own_of(scope.node, t.Assign):
            match node:
                case t.Assign(targets=[target], value=t.Call(func=func)) if last_name(func) == "Stream":
                    name = t.dotted(target)
                case _:
                    continue
            if name is None:
                continue
            uses = [(by.qualified_name, use) for by, use in used.get(name, []) if _sees(by, scope, name)][:MOST_USES]
            value = f"{scope.qualified_name} makes the stream {name} ({source.quote(node.value)})"
            if uses:
                users = list(dict.fromkeys(where for where, _ in uses))
                run = "runs" if len(users) == 1 else "run"
                value += f"; {', '.join(users)} {run} on it, beside the main stream"
            places = (source.at(node), *(source.at(use) for _, use in uses))
            yield Claim(f"{name.rpartition('.')[2]} stream", value, places)


def _sees(user: Scope, maker: Scope, name: str) -> bool:
    """Whether a name means the same in two functions: a local one in those inside, that of an object in its class."""
    if "." not in name:
        return user.path[: len(maker.path)] == maker.path
    return user.owner is maker.owner
