"""Admission of the first so many of what waits, by a slice: how many is worked out before."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.admission import WAITING
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import own_calls, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t


@by_function
def portions(source: PythonSource) -> Iterator[Claim]:
    """`self.running.extend(waiting[:n])` where the function takes them out of what waits, too."""
    for scope in source.module.functions():
        bound = list(own_of(scope.node, t.Assign))
        loops = list(own_of(scope.node, t.For))
        for call in own_calls(scope.node):
            match call:
                case t.Call(
                    func=t.Attribute(value=t.Attribute() as target, attr="extend"),
                    args=[t.Subscript(value=queue, slice=t.Slice(lower=None, upper=t.Name(id=many)))],
                ):
                    pass
                case _:
                    continue
            counted = [n.value for n in bound if t.dotted(n.targets[0]) == many and n.span.end <= call.span.start]
            name = t.dotted(queue)
            origin = source.quote(next((n.iter for n in loops if t.dotted(n.target) == name is not None), queue))
            if name is None or not counted or not WAITING & set(words(origin)):
                continue
            if not _shortened(scope.node, name, many):
                continue
            value = (
                f"continuous batching: {scope.qualified_name} admits requests from {origin} into "
                f"{source.quote(target)} at every step, the first {many} = {source.quote(counted[-1])}; both outlive "
                f"it, so new requests join between steps"
            )
            yield Claim(f"{scope.qualified_name} admission", value, (source.at(call), source.at(scope.node)))


def _shortened(function: t.FunctionDef | t.ClassDef, queue: str, many: str) -> bool:
    """Whether a function takes elements out of a queue: `q.remove(x)`, `q = q[n:]`, `del q[:n]`."""
    for node in own_of(function, t.Assign, t.Call, t.Delete):
        match node:
            case t.Call(func=t.Attribute(value=held, attr="remove" | "popleft" | "pop")):
                pass
            case t.Assign(value=t.Subscript(value=held, slice=t.Slice(lower=t.Name(id=start)))) if start == many:
                pass
            case t.Delete(targets=[t.Subscript(value=held)]):
                pass
            case _:
                continue
        if t.dotted(held) == queue:
            return True
    return False
